package model

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Endpoint is an address of a Service.
type Endpoint struct {
	// Service is namespace/name.
	Service, Address string
}

// Drift is how the endpoints that a replica of istiod has of a cluster differ from those
// that the cluster has. Where there were two looks only what differs in both is in it:
// endpoints come and go.
type Drift struct {
	// Missing are ready pods that the replica does not know, Stale are pods that are gone
	// and that it still has.
	Missing, Stale []Endpoint
	// Twice: there were two looks.
	Twice bool
	// CatchingUp: the replica has followed some changes between the looks.
	CatchingUp bool
}

// Any reports whether there is a difference.
func (d Drift) Any() bool { return len(d.Missing)+len(d.Stale) > 0 }

// Drift is that of a replica for the cluster to which the remote secret leads; none where
// that is not known, or something was not read.
func (r *RemoteSecret) Drift(pod string) Drift { return r.drifts()[pod] }

func (r *RemoteSecret) findDrifts() map[string]Drift {
	seen := r.In.mesh.Seen
	out := map[string]Drift{}
	if !r.canDrift() {
		return out
	}
	for _, first := range seen.Istiods[r.In.Context].Value {
		before := r.differ(first, r.To.addresses())
		last, found := r.again(first.Pod)
		if !found {
			out[first.Pod] = before
			continue
		}
		out[first.Pod] = r.still(before, r.differ(last, r.addressesAgain()), last)
	}
	return out
}

// canDrift reports whether all is known that endpoints are compared by.
func (r *RemoteSecret) canDrift() bool {
	if !r.Sure() || resources.EndpointSlices.Of(r.To.Cluster).State != facts.OK || resources.Services.Of(r.To.Cluster).State != facts.OK || resources.Namespaces.Of(r.To.Cluster).State != facts.OK {
		return false
	}
	return resources.MeshConfigs.Of(r.In.Cluster).Known() && !slices.ContainsFunc(r.In.ControlPlanes, func(cp *ControlPlane) bool { return len(cp.Problems) > 0 })
}

// again is the second look at a replica.
func (r *RemoteSecret) again(pod string) (facts.IstiodView, bool) {
	if again := r.In.mesh.Seen.Again; again != nil {
		for _, v := range again.Istiods[r.In.Context].Value {
			if v.Pod == pod && v.Clusters.State == facts.OK {
				return v, true
			}
		}
	}
	return facts.IstiodView{}, false
}

// addressesAgain are the endpoints of the cluster at the second look.
func (r *RemoteSecret) addressesAgain() facts.Addresses {
	if slices := r.In.mesh.Seen.Again.Slices[r.To.Context]; slices.State == facts.OK {
		return slices.Value
	}
	return r.To.addresses()
}

// still is what differs in both looks.
func (r *RemoteSecret) still(before, now Drift, last facts.IstiodView) Drift {
	both := func(now, before []Endpoint) []Endpoint {
		return slices.DeleteFunc(now, func(e Endpoint) bool { return !slices.Contains(before, e) })
	}
	has := func(e Endpoint) bool {
		_, ok := last.Shards.Value[r.ClusterID][e.Service][e.Address]
		return ok
	}
	lost := func(e Endpoint) bool { return !has(e) }
	return Drift{
		Missing: both(now.Missing, before.Missing), Stale: both(now.Stale, before.Stale), Twice: true,
		CatchingUp: last.Shards.State == facts.OK && (slices.ContainsFunc(before.Missing, has) || slices.ContainsFunc(before.Stale, lost)),
	}
}

// differ compares the endpoints that a replica has with those of the cluster.
func (r *RemoteSecret) differ(v facts.IstiodView, real facts.Addresses) Drift {
	var out Drift
	if v.Shards.State != facts.OK {
		return out
	}
	used, has := r.usedServices(), v.Shards.Value[r.ClusterID]
	for service := range used {
		for address, ready := range real[service] {
			if _, ok := has[service][address]; ready && !ok {
				out.Missing = append(out.Missing, Endpoint{service, address})
			}
		}
		for address, pod := range has[service] {
			if _, ok := real[service][address]; pod && !ok {
				out.Stale = append(out.Stale, Endpoint{service, address})
			}
		}
	}
	for _, list := range [][]Endpoint{out.Missing, out.Stale} {
		slices.SortFunc(list, func(a, b Endpoint) int {
			return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Address, b.Address))
		})
	}
	return out
}

// usedServices are the Services of the cluster whose endpoints istiod should have: those
// that are exported, in namespaces that the mesh configs of all control planes select.
func (r *RemoteSecret) usedServices() map[string]bool {
	out, selected := map[string]bool{}, map[string]bool{}
	for i := range resources.Namespaces.Of(r.To.Cluster).Value {
		ns := &resources.Namespaces.Of(r.To.Cluster).Value[i]
		selected[ns.Name] = !slices.ContainsFunc(r.In.ControlPlanes, func(cp *ControlPlane) bool { return !cp.Mesh.Selects(ns.Labels) })
	}
	for i := range resources.Services.Of(r.To.Cluster).Value {
		s := &resources.Services.Of(r.To.Cluster).Value[i]
		if selected[s.Namespace] && s.Spec.Type != corev1.ServiceTypeExternalName && s.Annotations[istio.AnnotationExportTo] == "" {
			out[s.Namespace+"/"+s.Name] = true
		}
	}
	return out
}

// findAddresses are the endpoints of all Services of the cluster.
func (c *Cluster) findAddresses() facts.Addresses {
	return facts.AddressesOf(resources.EndpointSlices.Of(c.Cluster).Value)
}
