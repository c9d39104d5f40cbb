package network

import (
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
)

// noGateway: a mesh without gateway is left out of the federation. Releases up to 1.0 log it and accept the
// VirtualMesh.
func noGateway(p *pass) {
	for _, m := range slices.Concat(members(p), unfederated(p)) {
		c := m.Target()
		if m.Reached() || c != nil && (!p.Able(c.Context) || len(m.Gateways()) > 0) || c == nil && unrecorded(m) {
			continue
		}
		context := m.Plane.Cluster.Context
		f := finding.Finding{
			Code: "NET201", Severity: finding.Error, Clusters: []string{context}, Object: m.Discovered(),
			Title:    fmt.Sprintf("the mesh of %s has no east-west gateway", m.Called()),
			Evidence: []finding.Evidence{recorded(m)},
			Effect:   "none of its services is federated: clients in " + others(m) + " do not reach them",
			Fix: []finding.Step{finding.Say("Install a gateway in namespace %s whose Service selects pods with label %s, is of type "+
				"LoadBalancer or NodePort, and has a port that is called %s.", m.System, remedy.Selector(m.GatewayLabels()), m.GatewayPorts()[0])},
			CausedBy: discovery(p, m),
		}
		if !m.VirtualMeshes[0].Federates() {
			f.Effect = "the management plane does not accept the VirtualMesh, though it federates nothing, and deletes what it wrote for it"
		}
		if c != nil {
			f.Clusters = []string{c.Context}
			f.Object = finding.Kind("east-west gateway")
			where := "services in " + m.System
			if m.Plane.Selects() {
				where = "services"
			}
			f.Evidence = append(f.Evidence, finding.Evidence{Field: where + " that select " + remedy.Selector(m.GatewayLabels()), Value: "none"})
		}
		if m.Chosen() {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Cluster: context, Field: m.VirtualMeshes[0].Called().String() + ", spec.federation.eastWestIngressGatewaySelectors",
				Value: "select none",
			})
			f.Fix = remedy.Edit(&m.VirtualMeshes[0].Written, "Correct spec.federation.eastWestIngressGatewaySelectors:")
		}
		p.Report(f)
	}
}

// best is the Service of a mesh that is nearest to being a gateway, and what it lacks.
func best(m *model.Member) (*model.Gateway, model.Fault) {
	var out *model.Gateway
	fault := model.None
	for _, g := range m.Gateways() {
		switch is := g.Fault(m.Plane.NamesPorts()); {
		case is == model.None:
			return g, is
		case out == nil || is > fault:
			out, fault = g, is
		}
	}
	return out, fault
}

// unfitGateway: there is a Service, and other clusters do not come in by it.
func unfitGateway(p *pass) {
	for _, m := range reached(p) {
		g, fault := best(m)
		if g == nil || fault == model.None {
			continue
		}
		context := g.Cluster.Context
		f := finding.Finding{
			Code: "NET203", Severity: finding.Error, Clusters: []string{context}, Object: g.Object(),
			Effect: "clients in " + others(m) + " do not reach the services of " + m.Called(),
		}
		switch fault {
		case model.NoPort:
			f.Title = "the gateway has no port that is called " + either(finding.Distinct(g.Ports))
			f.Evidence = []finding.Evidence{{Field: "spec.ports", Value: ports(g)}}
			f.Fix = []finding.Step{finding.Say("Add a port that is called %s, with the target port at which the gateway takes mTLS (15443), "+
				"where the gateway is installed: its Helm values, or its IstioOperator.", g.Ports[0])}
		case model.NoWay:
			f.Title = fmt.Sprintf("the gateway is of type %s, which other clusters do not reach", typeOf(g))
			f.Evidence = []finding.Evidence{{Field: "spec.type", Value: typeOf(g)}}
			f.Fix = []finding.Step{finding.Say("Make it a Service of type LoadBalancer or NodePort where the gateway is installed: its Helm " +
				"values, or its " +
				"IstioOperator.")}
		case model.NoAddress:
			f.Code = "NET202"
			f.Title = "the gateway has no external address: its load balancer is pending"
			f.Evidence = []finding.Evidence{{Field: "status.loadBalancer", Value: "no address, type " + typeOf(g)}}
			f.Fix = []finding.Step{
				finding.Say("See what the controller of load balancers says:").
					By(finding.Kubectl(context, "-n", g.Namespace, "events", "--for=service/"+g.Name)),
				finding.Say("Once there is an address, the management plane writes it to the other clusters by itself."),
			}
			if g.Spec.Type == corev1.ServiceTypeNodePort {
				f.Title = "the gateway has no external address: no node has one"
				f.Evidence = []finding.Evidence{{Field: "addresses of nodes", Value: "internal ones alone, type NodePort"}}
				f.Fix = []finding.Step{finding.Say("Make it a Service of type LoadBalancer, or give its nodes external addresses.")}
			}
		case model.NamedPort:
			f.Title = "the target port of the gateway is a name, which this release does not take"
			f.Evidence = []finding.Evidence{{Field: "spec.ports, " + g.TLS().Name + ", targetPort", Value: g.TLS().TargetPort.StrVal}}
			f.Fix = []finding.Step{finding.Say("Write the number of the port (15443) there, where the gateway is installed. Releases from 1.1 " +
				"on take a name.")}
		default:
			f.Title = "no pod of the gateway is ready"
			f.Evidence = []finding.Evidence{{Field: "pods that it selects", Value: fmt.Sprintf("0 of %d ready",
				len(g.Cluster.Selected(g.Namespace, g.Spec.Selector)))}}
			f.Fix = []finding.Step{finding.Say("See why:").By(finding.Kubectl(context, "-n", g.Namespace, "describe", "pods", "-l",
				remedy.Selector(g.Spec.Selector)))}
		}
		f.Evidence = append(f.Evidence, recorded(m))
		p.Report(f)
	}
}

func typeOf(g *model.Gateway) string {
	if g.Spec.Type == "" {
		return string(corev1.ServiceTypeClusterIP)
	}
	return string(g.Spec.Type)
}

// either names one of some names.
func either(names []string) string { return strings.Join(names, " or ") }

func ports(g *model.Gateway) string {
	var out []string
	for _, p := range g.Spec.Ports {
		out = append(out, fmt.Sprintf("%s %d", p.Name, p.Port))
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

// outdatedGateway: the management plane does not know the gateway as it is: discovery stopped, or does not see
// the cluster.
func outdatedGateway(p *pass) {
	for _, m := range reached(p) {
		if _, fault := best(m); fault != model.None && fault != model.NoPods {
			continue // it is not there to be known
		}
		live := m.Gateways()
		if len(live) == 0 && !m.Reached() || m.Reached() && known(m, live) || unrecorded(m) {
			continue
		}
		context := m.Plane.Cluster.Context
		f := finding.Finding{
			Code: "NET204", Severity: finding.Error, Clusters: []string{context}, Object: m.Discovered(),
			Title:    fmt.Sprintf("the management plane does not know where the gateway of %s is now", m.Called()),
			Evidence: []finding.Evidence{recorded(m)},
			Effect:   "clients in " + others(m) + " are sent to an address that is not the gateway's",
			Fix: []finding.Step{finding.Say("See what discovery says of the cluster, and restart it:").
				By(remedy.Logs(context, m.Plane.Installed, m.Plane.Components()[0].Name), remedy.Restart(context, m.Plane.Installed,
					m.Plane.Components()[0].Name))},
			CausedBy: discovery(p, m),
		}
		for _, g := range live {
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: g.Cluster.Context, Field: g.Object().String() + " is reached at",
				Value: g.Reachable()})
		}
		if len(live) == 0 {
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Target().Context, Field: "services of the gateway", Value: "none"})
		}
		p.Report(f)
	}
}

// unrecorded reports whether the plane notes no gateway of a mesh since the VirtualMesh is not in effect for it: from 1.1 on it forgets
// them then (applier.go, getAppliedEastWestIngressGateways).
func unrecorded(m *model.Member) bool {
	_, applied := m.Applied(m.VirtualMeshes[0])
	return m.Plane.Selects() && !applied
}

// known reports whether one of the addresses that are recorded is one of a gateway, with its port.
func known(m *model.Member, live []*model.Gateway) bool {
	for _, r := range m.Recorded() {
		for _, a := range r.Addresses {
			if leads(live, model.Lead{Address: a, Port: r.Port}) {
				return true
			}
		}
	}
	return false
}

// leads reports whether an address, with its port, is one at which one of the gateways is reached.
func leads(live []*model.Gateway, to model.Lead) bool {
	return slices.ContainsFunc(live, func(g *model.Gateway) bool {
		return slices.Contains(g.Addresses(), to.Address) && (to.Port == 0 || slices.Contains(g.PortsAt(to.Address), to.Port))
	})
}

// doubtfulAddress: an address that cannot be the gateway's own in the eyes of another cluster.
func doubtfulAddress(p *pass) {
	at := map[model.Lead][]*model.Member{}
	for _, m := range members(p) {
		for _, r := range m.Recorded() {
			for _, a := range r.Addresses {
				to := model.Lead{Address: a, Port: r.Port}
				if !slices.ContainsFunc(at[to], m.Is) {
					at[to] = append(at[to], m)
				}
			}
		}
	}
	for _, m := range members(p) {
		for _, r := range m.Recorded() {
			for _, a := range r.Addresses {
				f := finding.Finding{
					Code: "NET206", Severity: finding.Error, Clusters: []string{m.Plane.Cluster.Context}, Object: m.Discovered(),
					Evidence: []finding.Evidence{recorded(m)},
				}
				ip := net.ParseIP(a)
				sharing := at[model.Lead{Address: a, Port: r.Port}]
				switch {
				case ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) || a == "localhost":
					f.Title = fmt.Sprintf("the gateway of %s has the address %s, which is every client's own", m.Called(), a)
					f.Effect = "clients in " + others(m) + " connect to themselves"
				case ip != nil && ip.IsLinkLocalUnicast():
					f.Title = fmt.Sprintf("the gateway of %s has the address %s, which no router passes on", m.Called(), a)
					f.Effect = "clients in " + others(m) + " reach another machine of their own network by it, or none"
				case len(sharing) > 1 && sharing[0] == m:
					var names []string
					for _, o := range sharing {
						names = append(names, o.Called())
						if o != m {
							f.Evidence = append(f.Evidence, recorded(o))
						}
					}
					f.Title = fmt.Sprintf("the gateways of %s have one address", finding.List(names))
					f.Effect = "requests for the services of one end in the other, which does not know them"
				case ip == nil && !strings.Contains(a, "."):
					f.Severity = finding.Warning
					f.Title = fmt.Sprintf("the gateway of %s has an address that is the name of a node", m.Called())
					f.Effect = "clients in " + others(m) + " reach it only if their DNS knows that name"
				default:
					continue
				}
				f.Fix = []finding.Step{finding.Say("Give the gateway an address of its own that the other clusters reach: a Service of type " +
					"LoadBalancer, or " +
					"nodes with external addresses. The management plane then writes it to them.")}
				p.Report(f)
			}
		}
	}
}
