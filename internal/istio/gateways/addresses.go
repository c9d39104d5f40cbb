package gateways

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// typed is evidence of the type of the Service.
func (g gateway) typed() finding.Evidence {
	return finding.Evidence{Field: g.at("type"), Value: string(g.Type())}
}

// pending: the load balancer of a gateway has given it no address.
func pending(p pass) {
	for _, g := range needsAddress(p) {
		if !g.IsOn(corev1.ServiceTypeLoadBalancer) || !istio.IsPending(g.Service) {
			continue
		}
		now := p.Model.Fleet.At
		f := g.finding("GW002", g.severity(), "the gateway has no external address: the load balancer is pending")
		f.Evidence = []finding.Evidence{g.typed(), {
			Field: g.at("status.loadBalancer.ingress"),
			Value: "none, " + finding.Age(now.Sub(g.Service.CreationTimestamp.Time)) + " after it was made",
		}}
		f.Evidence = append(f.Evidence, g.events(now)...)
		f.Effect = g.lost()
		f.Fix = []finding.Step{
			finding.Say("See what the load balancer's controller says:").
				By(finding.Kubectl(g.Cluster.Context, "-n", g.Service.Namespace, "events", "--for=service/"+g.Service.Name)),
			finding.Say("If the cluster has no such controller, install one (for example MetalLB), or make the Service a NodePort (GW004)."),
		}
		p.Report(f)
	}
}

// withoutNodeSelector: a gateway by node ports does not say on which nodes it is.
func withoutNodeSelector(p pass) {
	for _, g := range needsAddress(p) {
		if _, annotated := g.NodeSelector(); annotated || !g.IsOn(corev1.ServiceTypeNodePort) {
			continue
		}
		f := g.finding("GW004", g.severity(), "the gateway is a NodePort Service that does not say on which nodes")
		f.Evidence = []finding.Evidence{g.typed(), g.annotation(istio.AnnotationNodeSelector, "none")}
		f.Effect = g.lost()
		if nodes, none := g.nodesWithoutExternalIP(); none {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "nodes", Value: finding.List(nodes) + ", without an address of type ExternalIP"})
		}
		f.Fix = g.selectNodes("Select the nodes of which istiod advertises the ExternalIP; {} selects all:")
		p.Report(f)
	}
}

// nodesWithoutExternalIP are the nodes of the gateway's cluster where it is known that none
// of them has an ExternalIP: the annotation that selects nodes is of no use there.
func (g gateway) nodesWithoutExternalIP() (names []string, none bool) {
	nodes := resources.Nodes.Of(g.Cluster.Cluster)
	for _, n := range nodes.Value {
		names = append(names, n.Name)
		if slices.ContainsFunc(n.Status.Addresses, func(a corev1.NodeAddress) bool {
			return a.Type == corev1.NodeExternalIP && a.Address != ""
		}) {
			return nil, false
		}
	}
	return names, nodes.Known() && len(names) > 0
}

// nameAddress are the steps that give istiod an address of a gateway by node ports whose
// nodes have none for it.
func (g gateway) nameAddress() []finding.Step {
	set := []finding.Command{g.patch(map[string]any{"externalIPs": []string{"ADDRESS"}}).Blank("ADDRESS")}
	if _, annotated := g.NodeSelector(); annotated {
		set = append(set, g.kubectl("annotate", istio.AnnotationNodeSelector+"-"))
	}
	out := g.change(finding.Say("Replace ADDRESS by the addresses at which other clusters reach port %d, of nodes or of a proxy before them; "+
		"istiod never uses an InternalIP:", g.Port()).By(set...))
	var edits []finding.Command
	for _, cp := range g.Cluster.WatchedBy {
		if cmd := remedy.EditMeshConfig(
			cp.Context,
			cp.Istiod,
		); !slices.ContainsFunc(
			edits,
			func(o finding.Command) bool { return o.String() == cmd.String() },
		) {
			edits = append(edits, cmd)
		}
	}
	return append(
		out,
		finding.Say("Or, for another port such as the node port, name address and port among networks.%s.gateways of meshNetworks, "+
			"for every control plane:", g.Network).By(edits...).Otherwise(),
	)
}

// internalType: the Service of a gateway is of a type that has no address outside of the
// cluster.
func internalType(p pass) {
	for _, g := range needsAddress(p) {
		kind := g.Type()
		if !g.IsOn(kind) || kind == corev1.ServiceTypeLoadBalancer || kind == corev1.ServiceTypeNodePort {
			continue
		}
		f := g.finding("GW030", g.severity(),
			fmt.Sprintf("the gateway is a Service of type %s, which has no address outside of the cluster", kind))
		f.Evidence = []finding.Evidence{g.typed(), {Field: g.at("externalIPs"), Value: "none"}}
		f.Effect = g.lost()
		f.Fix = g.change(finding.Say("Make the Service a load balancer:").By(g.toLoadBalancer()))
		p.Report(f)
	}
}

// mostEvents is how many events of a Service are evidence, and longestEvent how
// much of what one says, in letters.
const (
	mostEvents   = 2
	longestEvent = 200
)

// events is what the load balancer's controller said last about the Service, what
// went wrong before all else.
func (g gateway) events(now time.Time) []finding.Evidence {
	read := resources.GatewayEvents.Of(g.Cluster.Cluster)
	if !read.Known() && read.State != facts.NotAsked {
		return []finding.Evidence{{Field: "events of the Service, which may say why", Value: read.Why()}}
	}
	var about []corev1.Event
	for _, e := range read.Value {
		if e.InvolvedObject.Namespace == g.Service.Namespace && e.InvolvedObject.Name == g.Service.Name && strings.TrimSpace(e.Message) != "" {
			about = append(about, e)
		}
	}
	warns := func(e corev1.Event) int {
		if e.Type == corev1.EventTypeWarning {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(about, func(a, b corev1.Event) int {
		return cmp.Or(warns(a)-warns(b), b.LastTimestamp.Compare(a.LastTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	var out []finding.Evidence
	for _, e := range about {
		text := strings.Join(strings.Fields(e.Message), " ")
		if letters := []rune(text); len(letters) > longestEvent {
			text = strings.TrimSpace(string(letters[:longestEvent])) + "…"
		}
		seen := finding.Evidence{Field: "event " + cmp.Or(e.Reason, "without a reason"), Value: strings.Trim(text, " ,;")}
		if !e.LastTimestamp.IsZero() {
			seen.Field += ", " + finding.Age(now.Sub(e.LastTimestamp.Time)) + " ago"
		}
		if out = append(out, seen); len(out) == mostEvents {
			break
		}
	}
	return out
}
