package remotesecrets

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// gatewaysThatDiffer (GW044): the gateways of networks that a replica of istiod has in memory are not those
// that clusters have; see model.GatewayDrift. istiod makes them of what it is told of changes, and not
// anew (pilot/pkg/model/network.go, reload; pilot/pkg/serviceregistry/aggregate/controller.go).
func gatewaysThatDiffer(p *pass) {
	for _, c := range watching(p) {
		if !c.CrossesNetworks() {
			continue
		}
		var drifts []driftOf
		secrets, replicas := followed(p, c)
		rows := []rule.Need{resources.Namespaces, resources.Services, resources.Nodes, resources.KubernetesGateways}
		for _, r := range secrets {
			need(p, r, rows...)
		}
		for _, row := range rows {
			if why, lacks := rule.Lacks(c.Cluster, row); lacks && len(replicas) > 0 {
				p.NotChecked(c.Context, why)
			}
		}
		for _, v := range replicas {
			if v.Networks.State != facts.OK {
				p.NotChecked(c.Context, rule.Unread("network gateways of "+v.Pod, v.Networks.State, v.Networks.Why()))
				continue
			}
			for _, d := range v.GatewayDrifts() {
				if len(d.Stale) > 0 && !d.StaleSure || slices.ContainsFunc(d.Lacks, func(l model.LackedGateway) bool { return !l.Sure }) {
					p.NotChecked(c.Context, finding.Because(fmt.Sprintf(
						"istiod may be about to follow the gateways of %s: it was asked once only, or something is younger than two minutes",
						d.Of.Cluster.Context)))
				}
				drifts = append(drifts, driftOf{v, d})
			}
		}
		for _, g := range slices.Concat(lackedBy(p, drifts), staleIn(p, drifts)) {
			p.Report(g.Finding)
		}
	}
}

// driftOf is how a replica differs from a cluster.
type driftOf struct {
	*model.IstiodReplica
	model.GatewayDrift
}

// gathered is a finding of several replicas, and the control planes that its fix restarts.
type gathered struct {
	finding.Finding
	planes []*model.ControlPlane
}

// of is the finding about an object among some; it is begun where it is not there yet.
func (d driftOf) of(p *pass, all *[]*gathered, object finding.Object, title string) (g *gathered, begun bool) {
	at := slices.IndexFunc(*all, func(g *gathered) bool { return g.Object == object && slices.Equal(g.Clusters, d.clusters()) })
	if at >= 0 {
		g = (*all)[at]
	} else {
		g = &gathered{Finding: d.begin(p, object, title)}
		*all = append(*all, g)
	}
	if !slices.Contains(g.planes, d.Plane) {
		g.planes, g.Fix = append(g.planes, d.Plane), append(g.Fix, d.restart())
	}
	return g, at < 0
}

// lackedBy are the findings about gateways that replicas lack: one for each object that makes gateways.
func lackedBy(p *pass, drifts []driftOf) []*gathered {
	var out []*gathered
	for _, d := range drifts {
		for _, l := range d.Lacks {
			if !l.Sure {
				continue
			}
			title := fmt.Sprintf("istiod does not know a gateway of %s, which %s has", l.Network, d.Of.Cluster.Context)
			f, begun := d.of(p, &out, d.Plane.CandidateObject(l.CandidateRef), title)
			if begun {
				f.Severity = finding.Note
				f.Effect = fmt.Sprintf("clients send no requests through this gateway: all for %s take other gateways", l.Network)
			}
			if l.NoOther {
				f.Severity = finding.Error
				f.Effect = fmt.Sprintf("clients on other networks are given addresses of pods on %s, and time out", l.Network)
			}
			d.add(f, "without "+reachedAt(l.Address, l.Port, l.HBONEPort))
		}
	}
	return out
}

// staleIn are the findings about gateways that replicas still have: one for each network of a cluster.
func staleIn(p *pass, drifts []driftOf) []*gathered {
	var out []*gathered
	for _, d := range drifts {
		for _, g := range d.Stale {
			if !d.StaleSure {
				continue
			}
			title := fmt.Sprintf("istiod still has a gateway of %s that %s does not have any more", g.Network, d.Of.Cluster.Context)
			f, begun := d.of(p, &out, finding.Named("network", g.Network), title)
			if begun {
				f.Severity = finding.Warning
				f.Effect = fmt.Sprintf("requests of other networks for %s that are sent to this address fail", d.Of.Cluster.Context)
			}
			d.add(f, "with "+reachedAt(g.Address, g.Port, g.HBONEPort))
		}
	}
	return out
}

// clusters are that of the replica, and that whose gateways differ.
func (d driftOf) clusters() []string {
	if d.Of.Cluster == d.In {
		return []string{d.In.Context}
	}
	return []string{d.In.Context, d.Of.Cluster.Context}
}

// begin begins a finding, with its cause.
func (d driftOf) begin(p *pass, object finding.Object, title string) finding.Finding {
	f := finding.Finding{Code: "GW044", Clusters: d.clusters(), Object: object, Title: title}
	if r := d.Of.Secret; r != nil {
		f.Evidence = []finding.Evidence{saidBy(d.IstiodReplica, r)}
		f.CausedBy = cause(p, r, "SEC018", "SEC012", "SEC013", "SEC011", "SEC010", "SEC014", "SEC019")
	}
	return f
}

// restart is the step that has a control plane read all gateways again.
func (d driftOf) restart() finding.Step {
	i := d.Plane.Istiod
	step := finding.Say("Restart istiod, which then reads the gateways of all clusters again:")
	if i.Has(istio.BugGatewaysLost) {
		step = finding.Say(
			"Restart istiod. Then upgrade it to %s or later: version %s loses gateways when a remote secret is changed or removed:",
			i.FixOf(istio.BugGatewaysLost, istio.BugEndpointsWiped), i.Version,
		)
	}
	return step.By(remedy.RestartIstiod(d.In.Context, i))
}

// add adds evidence of the replica, and of its release.
func (d driftOf) add(g *gathered, differs string) {
	i := d.Plane.Istiod
	all := []finding.Evidence{{Cluster: d.In.Context, Field: "network gateways of " + d.Pod, Value: differs}}
	if i.Version != nil {
		all = append(all, finding.Evidence{Cluster: d.In.Context, Field: "istiod " + i.Name + ", version", Value: i.Version.String()})
	}
	if i.Has(istio.BugGatewaysLost) {
		issue := istio.KnownBugs[istio.BugGatewaysLost].Issue
		all = append(all, finding.Evidence{Cluster: d.In.Context, Field: "known bug of this version", Value: issue})
	}
	for _, e := range all {
		if !slices.Contains(g.Evidence, e) {
			g.Evidence = append(g.Evidence, e)
		}
	}
}

// reachedAt is an address of a gateway with its ports.
func reachedAt(address string, ports ...uint32) string {
	var out []string
	for _, port := range ports {
		if text := net.JoinHostPort(address, strconv.FormatUint(uint64(port), 10)); port != 0 && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return address
	}
	return strings.Join(out, ", ")
}
