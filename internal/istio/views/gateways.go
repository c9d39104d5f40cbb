package views

import (
	"net/netip"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// GatewayList is what is meant to be a gateway between networks.
type GatewayList struct {
	Gateways []Gateway `json:"gateways"`
	Gaps     []Gap     `json:"gaps"`
}

// The statuses of gateways of which the model says nothing, and a rule does.
const (
	statusBroken = "broken"
	statusWarned = "warning"
)

// Gateways lists what is meant to be a gateway, whether or not the fleet has several
// networks, with the codes of what rules found.
func Gateways(m *model.Mesh, result finding.Result) GatewayList {
	out := GatewayList{Gateways: []Gateway{}, Gaps: GatewayGaps(m)}
	l := lister{m, results{result}}
	for _, c := range m.Clusters {
		for _, g := range c.NetworkGateways() {
			out.Gateways = append(out.Gateways, l.service(g))
		}
		for i := range resources.KubernetesGateways.Of(c.Cluster).Value {
			if k := &resources.KubernetesGateways.Of(c.Cluster).Value[i]; model.GivesAddresses(k) {
				out.Gateways = append(out.Gateways, l.kubernetes(c, k))
			}
		}
	}
	for _, cp := range m.ControlPlanes {
		for _, c := range cp.Candidates() {
			if c.Kind == "MeshNetworks" {
				out.Gateways = append(out.Gateways, l.static(cp, c))
			}
		}
	}
	return out
}

// GatewayGaps is what of the gateways of a mesh cannot be listed.
func GatewayGaps(m *model.Mesh) []Gap {
	out := unreached(m)
	for _, c := range m.Clusters {
		for _, u := range c.Unread(resources.Services, resources.KubernetesGateways, resources.Istiods) {
			out = append(out, Gap{Cluster: c.Context, Reason: u.Text})
		}
	}
	return out
}

// unreached are the clusters of which nothing was read.
func unreached(m *model.Mesh) []Gap {
	out := []Gap{}
	for i := range m.Fleet.Clusters {
		if c := &m.Fleet.Clusters[i]; c.Unreached != nil {
			out = append(out, Gap{Cluster: c.Context, Reason: finding.ClusterUnreached.Text})
		}
	}
	return out
}

// lister makes the rows of gateways.
type lister struct {
	mesh    *model.Mesh
	results results
}

// row is what a candidate says of itself.
func (l lister) row(context string, object finding.Object, c istio.Candidate, visible []string) Gateway {
	r := Gateway{
		Cluster: context, Object: object, Network: c.Network, NetworkFrom: c.NetworkFrom, Addresses: []Address{},
		Port: c.Port, HBONEPort: c.HBONEPort, PortFrom: c.PortFrom,
		VisibleTo: append([]string{}, finding.Distinct(visible)...), Codes: []finding.Code{},
	}
	for _, a := range c.Addresses {
		r.Addresses = append(r.Addresses, Address{Address: a.Address, From: a.From, Node: a.Node, Resolved: l.mesh.Hosts[a.Address]})
	}
	return r
}

// service is what the control planes make of the Service of a gateway.
func (l lister) service(g *model.Gateway) Gateway {
	c := istio.Candidate{Network: g.Network, NetworkFrom: "label " + istio.LabelNetwork}
	var visible []string
	problem := "not watched by any control plane"
	for _, cp := range g.KnownTo() {
		seen, _ := g.Candidate(cp)
		if c.PortFrom == "" || seen.Problem == "" {
			c = seen
		}
		if problem = seen.Problem; problem == "" {
			visible = append(visible, cp.Context)
		}
	}
	r := l.row(g.Cluster.Context, g.Object(), c, visible)
	created := g.Service.CreationTimestamp.UTC()
	r.Type, r.Created, r.Accidental = string(g.Service.Spec.Type), &created, g.Accidental
	if resources.Pods.Of(g.Cluster.Cluster).Known() {
		pods, ready := len(g.Pods), g.Ready()
		r.Pods, r.Ready = &pods, &ready
	}
	l.status(&r, g.Faults(), g.Cluster.Deciding(), problem)
	return r
}

// kubernetes is what they make of a Gateway of the Gateway API.
func (l lister) kubernetes(in *model.Cluster, k *api.KubernetesGateway) Gateway {
	c := istio.Candidate{Network: k.Labels[istio.LabelNetwork], NetworkFrom: "label " + istio.LabelNetwork, Problem: "ignored"}
	var visible []string
	var faults []model.Fault
	for _, cp := range in.WatchedBy {
		seen, ok := cp.KubernetesCandidate(in, k)
		if cp.Configures(in) && (!ok || seen.Problem != "") {
			faults = []model.Fault{model.FaultGatewayIgnored}
		}
		if !ok {
			continue
		}
		if c.Problem != "" {
			c = seen
			if c.Problem == "" && len(faults) == 0 {
				faults = cp.CandidateFaults(c)
			}
		}
		if seen.Problem == "" {
			visible = append(visible, cp.Context)
		}
	}
	r := l.row(in.Context, model.GatewayObject(k), c, visible)
	created := k.CreationTimestamp.UTC()
	r.Type, r.Created = k.Spec.GatewayClassName, &created
	if !l.mesh.GatewaysMatter() {
		faults = nil
	}
	l.status(&r, faults, in.Deciding(), c.Problem)
	return r
}

// static is an address that the meshNetworks of a control plane give to a network.
func (l lister) static(cp *model.ControlPlane, c istio.Candidate) Gateway {
	r := l.row(cp.Context, cp.ConfigMap(), c, []string{cp.Context})
	l.status(&r, cp.CandidateFaults(c), nil, c.Problem)
	return r
}

// status says what is wrong with a gateway: what the model says, else what rules found of
// it. problem is why no control plane uses it.
func (l lister) status(r *Gateway, faults []model.Fault, decides []string, problem string) {
	objects := []finding.Object{}
	if !r.IsStatic() || len(faults) > 0 {
		objects = append(objects, r.Object)
	}
	if r.Accidental {
		objects = append(objects, finding.Kind("services"))
	}
	for _, a := range r.Addresses {
		for _, address := range append([]string{a.Address}, a.Resolved...) {
			objects = append(objects, model.AddressObject(address, max(r.Port, r.HBONEPort)))
		}
	}
	for _, f := range l.results.about([]string{r.Cluster}, objects...) {
		if f.ObjectIn == "" || f.ObjectIn == r.Cluster {
			r.Codes = append(r.Codes, f.Code)
		}
	}
	slices.Sort(r.Codes)
	r.Codes = slices.Compact(r.Codes)
	switch {
	case r.Accidental && len(r.VisibleTo) == 0:
		r.Status, r.Severity = string(model.FaultAccidental), finding.Note
	case len(faults) > 0:
		r.Status, r.Severity = string(faults[0]), finding.Error
		if faults[0].Harmless() {
			r.Severity = finding.Warning
		}
	case r.Accidental:
		r.Status, r.Severity = string(model.FaultAccidental), finding.Error
	case len(l.results.errorsOf(model.Hop{In: l.mesh.Cluster(r.Cluster), Object: r.Object, Decides: decides})) > 0:
		r.Status, r.Severity = statusBroken, finding.Error
	case !r.IsStatic() && l.warned(r):
		r.Status, r.Severity = statusWarned, finding.Warning
	case l.unresolved(r) != "":
		r.Status, r.Severity = l.unresolved(r), finding.Note
	case len(r.VisibleTo) == 0:
		r.Status, r.Severity = problem, finding.Note
	default:
		r.Status = StatusOK
	}
}

// warned reports whether a rule warns of the gateway.
func (l lister) warned(r *Gateway) bool {
	return slices.ContainsFunc(l.results.about([]string{r.Cluster}, r.Object), func(f finding.Finding) bool {
		return f.Severity == finding.Warning && (f.ObjectIn == "" || f.ObjectIn == r.Cluster)
	})
}

// unresolved says why the addresses of a gateway's host name are not known; "" where they are.
func (l lister) unresolved(r *Gateway) string {
	for _, a := range r.Addresses {
		if _, err := netip.ParseAddr(a.Address); err == nil {
			continue
		}
		if l.mesh.Hosts == nil {
			return "host name not tried"
		}
		if _, answered := l.mesh.Hosts[a.Address]; !answered {
			return "host name not answered"
		}
	}
	return ""
}
