package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// directTargets are a ready pod with a sidecar of each network. Only a pod of another
// network tells anything by trying it, and only where all clusters are known and none
// could have that address itself.
func (w *world) directTargets() []Target {
	if !w.several || w.incomplete != nothing || w.partial {
		return nil
	}
	var out []Target
	for _, network := range w.networks {
		if t, ok := w.directTarget(network); ok {
			out = append(out, t)
		}
	}
	return out
}

func (w *world) directTarget(network string) (Target, bool) {
	for _, m := range w.members {
		if m.apart || m.home() != network || !resources.EndpointSlices.Of(m.Cluster).Known() {
			continue
		}
		var from []string
		for _, o := range w.members {
			if !o.apart && !slices.Contains(o.homes(), network) {
				from = append(from, o.Context)
			}
		}
		pods := w.alone(m)
		for _, v := range m.viewers {
			if !v.programs(m) || len(from)*len(pods) == 0 {
				continue
			}
			if t, ok := v.directPod(m, network, pods); ok {
				t.from = from
				return t, true
			}
		}
	}
	return Target{}, false
}

// directPod finds an endpoint that is one of the pods, and takes mutual TLS.
func (v *view) directPod(m *member, network string, pods map[string]*facts.Pod) (Target, bool) {
	source := istio.Source{Cluster: v.ids[m], Network: network, NetworkView: []string{network}, Namespace: m.SystemNamespace, Gateway: true}
	for _, s := range v.Services() {
		for _, port := range s.Ports {
			found := v.Endpoints(source, istio.Destination{Namespace: s.Namespace, Service: s.Name, Port: port})
			if found.Absent != "" {
				continue
			}
			for _, e := range found.Endpoints {
				p := pods[e.Address]
				if p == nil || p.Namespace+"/"+p.Name != e.Pod || e.Cluster != v.ids[m] || e.Network != network || !e.MTLS || e.Health != istio.Healthy || e.Gateway() {
					continue
				}
				return Target{
					Probe:   facts.Probe{Address: e.Address, Port: e.Port, Protocol: protocolSidecar, ServerName: fmt.Sprintf("outbound_.%d_._.%s", port, found.Host)},
					Purpose: PodToPod, Cluster: m.Context, Network: network, Object: finding.In("pod", p.Namespace, p.Name),
				}, true
			}
		}
	}
	return Target{}, false
}

// alone are the ready pods of a cluster by address, those that no other cluster can have.
func (w *world) alone(m *member) map[string]*facts.Pod {
	var ranges []netip.Prefix
	taken := map[string]bool{}
	for _, o := range w.members {
		if o == m {
			continue
		}
		ranges = append(ranges, o.ranges()...)
		for address := range o.nodeAddresses() {
			taken[address] = true
		}
		for i := range resources.Pods.Of(o.Cluster).Value {
			taken[resources.Pods.Of(o.Cluster).Value[i].IP()] = true
		}
	}
	slices.SortFunc(ranges, netip.Prefix.Compare)
	ranges = slices.Compact(ranges)
	out := m.podAddresses()
	for address, p := range out {
		ip, err := netip.ParseAddr(address)
		if err != nil || taken[address] || !p.IsReady() || slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return r.Contains(ip) }) {
			delete(out, address)
		}
	}
	return out
}

// judgeDirect takes the certificate of a workload in the pod's namespace, which the one
// that tries accepts, for proof that it is that pod.
func (r *Trial) judgeDirect(a facts.Attempt, roots map[string][]pki.Certificate, now time.Time) {
	seen := r.Detail
	r.Result = NotDirect
	if a.Outcome == facts.NotTried || a.Outcome == facts.Opened {
		r.Result = NotTried
		return
	}
	if a.Outcome != facts.Answered {
		if seen == "" {
			seen = map[facts.Outcome]string{
				facts.Refused: "refused", facts.NoRoute: "no route", facts.Unanswered: "timed out", facts.Silent: "it does not answer to TLS", facts.Reset: "reset",
			}[a.Outcome]
		}
		r.Detail = "as usual between networks: " + seen
		return
	}
	known, ok := roots[a.From.Context]
	err := errors.New("its roots are not known")
	if ok {
		err = verifies(a.Certificates, known, now)
	}
	switch {
	case !strings.Contains(r.Certificate.Identity, "/ns/"+r.Object.Namespace+"/sa/"):
		r.Detail = "something else has that address: " + r.Certificate.Describe()
	case err != nil:
		r.Detail = a.From.Context + " does not accept the certificate there: " + r.Certificate.Describe()
	default:
		r.Result, r.Detail, r.TrustedBy = Trusted, "past the gateway, as "+r.Certificate.Identity, []string{a.From.Context}
	}
}

// judgeDirectTrials: pods that reach one another need no gateways between them.
func judgeDirectTrials(j *judgement, members []*member) {
	for _, t := range j.Trials {
		from := t.vantage.Context
		if t.Purpose != PodToPod || !t.elsewhere || !slices.ContainsFunc(members, func(m *member) bool { return m.Context == from }) {
			continue
		}
		switch t.Result {
		case NotTried:
			j.NotChecked(from, t.reason(), "NET008")
		case Trusted:
			j.Gather(finding.Finding{
				Code: "NET008", Severity: finding.Note, Clusters: finding.Distinct([]string{from, t.Cluster}),
				Object:   finding.Named("network", t.Network),
				Title:    fmt.Sprintf("pods of %s reach pods of network %s past its gateway", from, t.Network),
				Evidence: []finding.Evidence{{Field: t.seen(), Value: t.Says()}, {Cluster: from, Field: "network of the pod that tried", Value: t.network}},
				Effect:   fmt.Sprintf("requests from %s to %s take a way round through the gateway that they may not need", t.network, t.Network),
				Fix: []finding.Step{
					finding.Say("Do nothing if the networks are separate on purpose. Otherwise check that all pods reach one another, both ways."),
					finding.Say("Then give both the same network name, by global.network and label %s of the system namespace, and restart the "+
						"workloads. See the label:", istio.LabelNetwork).
						By(finding.Kubectl(from, "get", "namespaces", "-L", istio.LabelNetwork)),
				},
			})
		}
	}
}

// Expected reports whether nothing has to be fixed for what was seen.
func (r Trial) Expected() bool { return r.Result == Trusted || r.Purpose == PodToPod }
