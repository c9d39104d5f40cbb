package endpoints

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// port is what the source is given of the cluster for one port.
type port struct {
	number int
	name   string
	// route is by which requests go to a subset of the service.
	route  routeTo
	given  istio.Endpoints
	direct []istio.Endpoint // of the cluster
	via    []istio.Endpoint // gateways for endpoints of the cluster
	// dropped are the endpoints of the cluster that the source is not given, except those
	// of other ports where there are any of this one.
	dropped []istio.Dropped
}

func (p *port) reached() int { return len(p.direct) + len(p.via) }

// all reports whether all endpoints of the cluster were dropped for one of the reasons.
func (p *port) all(reasons ...istio.DropReason) bool {
	return p.reached() == 0 && len(p.dropped) > 0 &&
		!slices.ContainsFunc(p.dropped, func(d istio.Dropped) bool { return !slices.Contains(reasons, d.Reason) })
}

// gets asks what the source is given for each port.
func (w *walk) gets() Verdict {
	d := w.definition()
	if d == nil {
		return w.unclear(stepEndpoints, w.cp.Context, finding.Because("no Service "+w.service.String()+" is visible to "+istiodOf(w.cp)))
	}
	w.read(w.cp.Cluster, resources.Sidecars, "EP012")
	w.read(w.to, resources.Nodes, "EP016", "EP017")
	for _, p := range d.Spec.Ports {
		if p.Protocol == corev1.ProtocolUDP || p.Protocol == corev1.ProtocolSCTP {
			continue // the mesh does not carry them
		}
		for _, route := range w.routesOf(p) {
			at := &port{number: int(p.Port), name: p.Name, route: route}
			at.given = w.ask(question{w.cp, w.source.Context, w.from.Pod, w.from.Network, at.number, route.subset}, w.from.proxy)
			if f, hidden := w.invisible(at); hidden {
				return w.fault(stepScope, f)
			}
			w.sort(at)
			w.ports = append(w.ports, at)
			if w.asked {
				w.path.Ports = append(w.path.Ports, w.shown(at))
			}
		}
	}
	if len(w.ports) == 0 {
		return w.nothing(stepPorts, "the Service has no TCP port")
	}
	return goesOn
}

// sort finds what of the answer concerns the cluster.
func (w *walk) sort(p *port) {
	for _, e := range p.given.Endpoints {
		switch {
		case !e.Gateway() && e.Cluster == w.id:
			p.direct = append(p.direct, e)
		case w.isBehind(e):
			p.via = append(p.via, e)
		}
	}
	var others []istio.Dropped
	for _, d := range p.given.Dropped {
		switch {
		case d.Cluster != w.id:
		case d.Reason == istio.OtherPort:
			others = append(others, d)
		default:
			p.dropped = append(p.dropped, d)
		}
	}
	if len(p.direct)+len(p.via)+len(p.dropped) == 0 {
		p.dropped = others
	}
}

// isBehind reports whether an endpoint is a gateway for endpoints of the cluster.
func (w *walk) isBehind(e istio.Endpoint) bool {
	return e.Gateway() && slices.ContainsFunc(e.Behind, func(b istio.Backend) bool { return b.Cluster == w.id })
}

func (w *walk) shown(p *port) Port {
	out := Port{Port: p.number, Name: p.name, Subset: p.route.subset, Endpoints: []Address{}, Dropped: []DroppedEndpoint{}}
	for _, e := range slices.Concat(p.direct, p.via) {
		a := Address{
			Address: w.mesh.HostOf(e.Address), Port: e.Port, Pod: e.Pod, Network: e.Network, Route: string(e.Route), Priority: e.Priority,
			Health: e.Health, MTLS: e.MTLS,
		}
		for _, b := range e.Behind {
			if b.Cluster == w.id {
				a.Behind++
			}
		}
		out.Endpoints = append(out.Endpoints, a)
	}
	for _, d := range p.dropped {
		out.Dropped = append(out.Dropped, DroppedEndpoint{Address: d.Address, Pod: d.Pod, Reason: string(d.Reason), Detail: d.Detail})
	}
	return out
}

// count is how many endpoints the cluster has for the port.
func (w *walk) count(p *port) int {
	type address struct {
		host string
		port uint32
	}
	var behind map[address]bool // each gateway stands for all of them
	for i := range p.via {
		if behind == nil {
			behind = make(map[address]bool, len(p.via[i].Behind))
		}
		for k := range p.via[i].Behind {
			if b := &p.via[i].Behind[k]; b.Cluster == w.id {
				behind[address{b.Address, b.Port}] = true
			}
		}
	}
	return len(p.direct) + len(behind) + len(p.dropped)
}

// each blames what is wrong with single ports, and goes on with those that are left.
func (w *walk) each(step string, wrong func(*port) (finding.Finding, bool)) Verdict {
	left := w.ports[:0:0]
	for _, p := range w.ports {
		if f, ok := wrong(p); ok {
			w.blame(step, f)
		} else {
			left = append(left, p)
		}
	}
	if len(left) == 0 {
		return Broken
	}
	w.ports = left
	return goesOn
}
