package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// lost are the routes on which requests go to addresses of another network, where
// there is more than one.
var lost = []istio.Route{istio.NetworkUnknown, istio.NoGateways, istio.NoGatewayOfNetwork, istio.SourceUnknown}

// networks: what is on another network is reached through a gateway, and the
// networks of both are known (pilot/pkg/xds/endpoints/ep_filters.go).
func (w *walk) networks() Verdict {
	if w.ports[0].given.Direct && !w.from.Gateway {
		return w.headless()
	}
	if context, why, unknown := w.gatewaysUnknown(); unknown {
		return w.unclear(stepNetwork, context, why)
	}
	if v := w.each(stepNetwork, func(p *port) (finding.Finding, bool) {
		if network, ok := unreachable(p); ok {
			return w.leftOut(network), true
		}
		unroutable := w.unroutable(p)
		if len(unroutable) == 0 {
			return finding.Finding{}, false
		}
		f := w.sentAstray(unroutable[0])
		if len(unroutable) < p.reached() {
			w.blame(stepNetwork, f)
			return finding.Finding{}, false
		}
		return f, true
	}); v != goesOn {
		return v
	}
	if f, ok := w.sharedAddress(); ok {
		w.blame(stepNetwork, f)
	}
	if w.cp.SeesSeveral() {
		return w.ok(stepNetwork, "from %s to %s", cmp.Or(w.from.Network, "no network"), cmp.Or(finding.List(w.networksThere()), "no network"))
	}
	return w.ok(stepNetwork, "there is one network")
}

// unreachable is the network of endpoints of which none can be reached, because it has no
// gateway that the source can use.
func unreachable(p *port) (network string, ok bool) {
	for _, d := range p.dropped {
		if (d.Reason == istio.NoReachableGate || d.Reason == istio.NoSidecarGate) && p.reached() == 0 {
			return d.Network.Name, true
		}
	}
	return "", false
}

// gatewaysUnknown says why it is not known that a network of the cluster has no gateway: what
// may give it one was not read, and no other rule knows of an error.
func (w *walk) gatewaysUnknown() (context string, why finding.Reason, unknown bool) {
	for _, p := range w.ports {
		network, missing := unreachable(p)
		if u := w.unroutable(p); !missing && len(u) > 0 {
			network, missing = u[0].Network, u[0].Route == istio.NoGateways || u[0].Route == istio.NoGatewayOfNetwork
		}
		if !missing || w.causeOfNoGateway(network) != "" {
			continue
		}
		if why, lacks := rule.Lacks(w.to.Cluster, resources.KubernetesGateways); lacks {
			return w.to.Context, why, true
		}
		for _, c := range w.cp.Prediction().Candidates() {
			in := w.cp.ClusterOf(c.Cluster)
			if c.Network != network || c.Kind != "Service" || in == nil || !isNodePort(in.Service(c.Namespace, c.Name)) {
				continue
			}
			if why, lacks := rule.Lacks(in.Cluster, resources.Nodes); lacks {
				return in.Context, why, true
			}
		}
	}
	return "", finding.Reason{}, false
}

func isNodePort(s *corev1.Service) bool { return s != nil && s.Spec.Type == corev1.ServiceTypeNodePort }

// causeOfNoGateway is the error for which a network has no gateway; "" where none is known.
func (w *walk) causeOfNoGateway(network string) string {
	object := finding.Named("network", network)
	return cmp.Or(
		w.known.about(object, []string{w.source.Context}, "GW018"),
		w.known.about(object, []string{w.to.Context}, "GW001"),
		w.known.about(object, nil, "GW001"),
		w.known.about(finding.Object{}, []string{w.to.Context}, addressFaults...))
}

// unroutable are the endpoints that the source gets by their own addresses, though they are
// on another network, or nobody knows on which.
func (w *walk) unroutable(p *port) []istio.Endpoint {
	var out []istio.Endpoint
	for _, e := range p.direct {
		if w.cp.SeesSeveral() && slices.Contains(lost, e.Route) && (e.Network != "" || w.from.Network != "") {
			out = append(out, e)
		}
	}
	return out
}

// networksThere are those of the cluster's endpoints.
func (w *walk) networksThere() []string {
	var out []string
	for _, p := range w.ports {
		for _, e := range slices.Concat(p.direct, p.via) {
			out = append(out, e.Network)
		}
	}
	return finding.Distinct(out)
}

// headless: clients of a headless service connect to the addresses that its name has, which
// are those of their own cluster's pods, and which lead to no other network.
func (w *walk) headless() Verdict {
	other := w.cp.SeesSeveral() && slices.ContainsFunc(w.ports[0].given.Endpoints, func(e istio.Endpoint) bool {
		return w.isBehind(e) || e.Cluster == w.id && slices.Contains(lost, e.Route)
	})
	if !other && w.capturesDNS() {
		return w.ok(stepNetwork, "headless: the proxy answers for the name with the pods of the network")
	}
	if !other {
		return w.nothing(stepNetwork, fmt.Sprintf("headless: in %s the name only has the pods of that cluster", w.source.Context))
	}
	f := finding.Finding{
		Code: "EP006", Severity: w.when(finding.Note), Clusters: finding.Distinct([]string{w.source.Context, w.to.Context}),
		Object: w.service.object(),
		Title:  fmt.Sprintf("%s is headless, and headless services do not cross networks", w.service),
		Evidence: []finding.Evidence{
			{Field: w.service.text() + ", clusterIP", Value: "None"},
			{Cluster: w.source.Context, Field: "network of clients", Value: cmp.Or(w.from.Network, "none")},
		},
		Effect: fmt.Sprintf("clients in %s only reach the pods of their own network", w.source.Context),
		Fix:    []finding.Step{finding.Say("Reach it by a second Service that has an address, with the same selector in both clusters.")},
	}
	if w.asked && !w.ofMesh(w.service) {
		return w.answer(stepNetwork, f)
	}
	return w.fault(stepNetwork, f)
}

// sentAstray is the finding about an endpoint that is not routable from the source.
func (w *walk) sentAstray(e istio.Endpoint) finding.Finding {
	given := finding.Evidence{
		Cluster: w.source.Context, Field: "clients on " + cmp.Or(w.from.Network, "no network") + " get",
		Value: fmt.Sprintf("%s:%d", w.mesh.HostOf(e.Address), e.Port),
	}
	switch e.Route {
	case istio.NoGateways, istio.NoGatewayOfNetwork:
		f := w.noGateway(e.Network)
		f.Evidence = append(f.Evidence, given)
		return f
	case istio.NetworkUnknown:
		return w.endpointUnknown(e, given)
	default:
		return w.sourceUnknown(given)
	}
}

// noGateway: the network of the endpoints has no gateway.
func (w *walk) noGateway(network string) finding.Finding {
	f := finding.Finding{
		Code: "EP031", Severity: finding.Error, Clusters: []string{w.to.Context}, Object: finding.Named("network", network),
		Title:    fmt.Sprintf("%s knows no gateway of network %s, and gives out addresses of its pods", istiodOf(w.cp), network),
		Evidence: []finding.Evidence{{Cluster: w.cp.Context, Field: "gateways of " + network, Value: "none"}},
		Effect:   fmt.Sprintf("requests from %s to %s time out", w.source.Context, w.to.Context),
		Fix: []finding.Step{
			finding.Say("Install an east-west gateway there. Its Service needs label "+istio.LabelNetwork+"=%s and port 15443.", network),
			finding.Say("See which gateways are there:").By(finding.Kubectl(w.to.Context, "get", "services", "-A", "-l", istio.LabelNetwork)),
		},
	}
	for _, c := range w.cp.Prediction().Candidates() {
		if c.Network == network && (c.Problem != "" || len(c.Addresses) == 0) {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Cluster: w.contextOf(c.Cluster), Field: strings.ToLower(c.Kind) + " " + key(c.Namespace, c.Name),
				Value: cmp.Or(c.Problem, "has no address"),
			})
		}
	}
	if f.CausedBy = w.causeOfNoGateway(network); f.CausedBy != "" {
		f.Fix = remedy.ByItsCause()
	}
	return f
}

// leftOut: no gateway of the network is one that the source can use, by the family of its
// address or by what it takes. istiod then leaves the endpoints out.
func (w *walk) leftOut(network string) finding.Finding {
	f := w.noGateway(network)
	f.Title = fmt.Sprintf("%s knows no gateway of network %s that clients in %s can use", istiodOf(w.cp), network, w.source.Context)
	f.Evidence[0] = evidence.Gateways(w.cp, network) // there may be some, for other clients
	f.Effect = fmt.Sprintf("clients in %s get no endpoint of %s", w.source.Context, w.to.Context)
	return f
}

// endpointUnknown: nothing says on which network the endpoints are.
func (w *walk) endpointUnknown(e istio.Endpoint, given finding.Evidence) finding.Finding {
	f := finding.Finding{
		Code: "EP031", Severity: finding.Error, Clusters: []string{w.to.Context}, Object: finding.Named("namespace", w.to.SystemNamespace),
		Title: fmt.Sprintf("the network of pods in %s is not known, so that clients on others get their addresses", w.to.Context),
		Evidence: []finding.Evidence{
			{Cluster: w.to.Context, Field: "namespace " + w.to.SystemNamespace + ", label " + istio.LabelNetwork, Value: "none"},
			{Cluster: w.to.Context, Field: "pod " + e.Pod + ", label " + istio.LabelNetwork, Value: "none"},
			given,
		},
		Effect: fmt.Sprintf("requests from %s to %s time out", w.source.Context, w.to.Context),
	}
	f.Fix = []finding.Step{finding.Say("Label namespace %s with the name of the network: "+istio.LabelNetwork+".", w.to.SystemNamespace)}
	if network := w.to.Network().Home(); network != "" {
		f.Fix = []finding.Step{finding.Run(remedy.LabelNamespace(w.to.Context, w.to.SystemNamespace, istio.LabelNetwork, network))}
	}
	if e.Pod == "" {
		f.Evidence[1] = finding.Evidence{Cluster: w.to.Context, Field: "endpoint " + e.Address, Value: "is not a pod"}
	}
	f.CausedBy = w.known.about(finding.Object{}, []string{w.to.Context}, "NET001", "NET004", "NET005")
	return f
}

// sourceUnknown: the proxies of the source were not told on which network they are.
func (w *walk) sourceUnknown(given finding.Evidence) finding.Finding {
	f := finding.Finding{
		Code: "EP031", Severity: finding.Error, Clusters: []string{w.source.Context}, Object: finding.Kind("proxies without network"),
		Title: fmt.Sprintf("proxies in %s do not know their network, and get addresses of pods of other networks", w.source.Context),
		Evidence: []finding.Evidence{
			{Cluster: w.source.Context, Field: "pod " + cmp.Or(w.from.Pod, "(none)") + ", " + istio.EnvProxyNetwork, Value: "none"}, given,
		},
		Effect: fmt.Sprintf("requests from %s to %s time out", w.source.Context, w.to.Context),
		Fix:    []finding.Step{remedy.SetInjectedNetwork(cmp.Or(w.source.Network().Home(), "the name of the network"))},
	}
	if p := w.source.Pod(cut(w.from.Pod)); p != nil {
		f.Fix = append(f.Fix, restart(w.source, p)...)
	}
	f.CausedBy = w.known.about(finding.Object{}, []string{w.source.Context}, "NET002", "NET005")
	return f
}

// sharedAddress: on one network an address belongs to one pod. What several clusters list
// without a pod of theirs is an address of elsewhere, as controllers of Kubernetes MCS write it.
func (w *walk) sharedAddress() (finding.Finding, bool) {
	for _, p := range w.ports {
		for _, e := range p.direct {
			for _, o := range p.given.Endpoints {
				if o.Cluster == w.id || o.Gateway() || o.Address != e.Address || o.Port != e.Port || e.Pod == "" || o.Pod == "" {
					continue
				}
				other := w.contextOf(o.Cluster)
				clusters := finding.Distinct([]string{other, w.to.Context})
				return finding.Finding{
					Code: "EP021", Severity: finding.Error, Clusters: clusters,
					Title: fmt.Sprintf("pods of %s and %s have the same addresses on one network", other, w.to.Context),
					Evidence: []finding.Evidence{
						{Cluster: w.to.Context, Field: "address " + e.Address, Value: "pod " + e.Pod},
						{Cluster: other, Field: "address " + o.Address, Value: "pod " + o.Pod},
					},
					Effect: "requests for one reach the other",
					Fix: []finding.Step{
						finding.Say("Give the clusters different networks and a gateway each, or ranges of pod addresses that do not overlap."),
					},
					CausedBy: w.known.about(finding.Object{}, clusters, "NET007"),
				}, true
			}
		}
	}
	return finding.Finding{}, false
}
