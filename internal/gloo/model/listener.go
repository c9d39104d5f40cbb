package model

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	networking "github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// Listener is a server of a Gateway of Istio that a management plane wrote, for the names of a VirtualMesh.
type Listener struct {
	Gateway *networking.Gateway
	// Port is its number; 0 where it has none.
	Port int
	// Selects: the Gateway selects ready pods of the east-west gateway. Listens: these then listen where their Service
	// sends.
	Selects, Listens bool
}

// Applies reports whether pods of the gateway listen for it where their Service sends.
func (l Listener) Applies() bool { return l.Selects && l.Listens }

// Listeners are those for the names of a VirtualMesh, as they apply to a gateway.
func (p *Plane) Listeners(g *Gateway, v *VirtualMesh) []Listener {
	var out []Listener
	all, ready, tls := resources.Gateways.Of(g.Cluster.Cluster).Value, g.Ready(), g.TLS()
	for i := range all {
		o := &all[i]
		if o.Labels[p.OwnerLabel()] == "" {
			continue
		}
		for _, s := range o.Spec.Servers {
			if s.TLS == nil || s.TLS.Mode != "AUTO_PASSTHROUGH" ||
				!slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.HasSuffix(h, "*."+v.Suffix()) }) {
				continue
			}
			l := Listener{Gateway: o, Selects: len(ready) == 0 || len(o.Spec.Selector) == 0}
			l.Selects = l.Selects || slices.ContainsFunc(ready, func(p *facts.Pod) bool { return facts.Selects(o.Spec.Selector, p.Labels) })
			if s.Port != nil {
				l.Port = int(s.Port.Number)
			}
			l.Listens = tls == nil || istio.ListensFor(g.Cluster.Services(), g.Service, ready, int(tls.Port), l.Port)
			out = append(out, l)
		}
	}
	return out
}

// Rewrite is the filter that cuts the name of a cluster off the name of a service.
const Rewrite = "envoy.filters.network.tcp_cluster_rewrite"

// IsRewritten reports whether an EnvoyFilter that the plane wrote has pods of a gateway cut the name of the cluster off the
// names by which other clusters ask, at the port of a listener.
func (p *Plane) IsRewritten(g *Gateway, at Listener) bool {
	target, _ := istio.Target(g.Service, int(g.TLS().Port))
	return slices.ContainsFunc(g.Cluster.all(resources.EnvoyFilters), func(o *api.Object) bool {
		labels := map[string]string{}
		for k := range o.Spec.Fields("workloadSelector", "labels") {
			labels[k] = o.Spec.String("workloadSelector", "labels", k)
		}
		selects := len(labels) == 0 || slices.ContainsFunc(g.Ready(), func(p *facts.Pod) bool { return facts.Selects(labels, p.Labels) })
		return o.Labels[p.OwnerLabel()] != "" && selects && slices.ContainsFunc(o.Spec.List("configPatches"), func(patch api.Fields) bool {
			port := int(patch.Int("match", "listener", "portNumber"))
			return patch.String("patch", "value", "name") == Rewrite && (port == 0 || port == at.Port || port == target)
		})
	})
}
