package topology

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// sidecars adds some Sidecars, which leave out a part of the services.
func (d *draw) sidecars() {
	if d.chance(0.7) {
		return
	}
	for i := range 1 + d.IntN(2) {
		s := &api.Sidecar{ObjectMeta: d.meta(anyOf(d, "shop", "shop", "edge", System), fmt.Sprintf("sidecar-%d", i), nil)}
		if d.chance(0.2) { // one with a port comes before the one without
			s.Spec.Egress = append(s.Spec.Egress, api.EgressListener{
				Port: &api.ServerPort{Number: uint32(anyOf(d, 80, 8080, 5432)), Name: "http", Protocol: "HTTP"}, Hosts: d.egressHosts(),
			})
		}
		s.Spec.Egress = append(s.Spec.Egress, api.EgressListener{Hosts: d.egressHosts()})
		if d.chance(0.3) {
			s.Spec.WorkloadSelector = &api.SidecarSelector{Labels: map[string]string{"version": anyOf(d, "v1", "v2")}}
		}
		d.put(s)
	}
}

func (d *draw) egressHosts() []string {
	var out []string
	for range 1 + d.IntN(2) {
		out = append(
			out,
			anyOf(d, "./*", "*/*", "shop/*", "edge/"+d.host(), "*/"+d.host(), "~/*", "~shop/"+d.host(), "*/*.shop.svc.cluster.local"),
		)
	}
	return out
}
