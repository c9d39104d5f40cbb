package model

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Endpoint is an address of a Service.
type Endpoint struct {
	// Service is namespace/name.
	Service, Address string
}

// String says it to people.
func (e Endpoint) String() string { return e.Service + " " + e.Address }

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
	out := map[string]Drift{}
	if !r.canDrift() {
		return out
	}
	for _, v := range r.In.IstiodReplicas() {
		if v.First == nil {
			out[v.Pod] = r.differ(v.IstiodView, r.To.addresses())
			continue
		}
		out[v.Pod] = r.still(r.differ(*v.First, r.To.addresses()), r.differ(v.IstiodView, r.addressesAgain()), v.IstiodView)
	}
	return out
}

// canDrift reports whether all is known that endpoints are compared by.
func (r *RemoteSecret) canDrift() bool {
	if !r.Sure() {
		return false
	}
	_, doubt := r.In.MeshConfigDoubt()
	to := r.To.Cluster
	return !doubt && resources.EndpointSlices.Of(to).State == facts.OK &&
		resources.Services.Of(to).State == facts.OK && resources.Namespaces.Of(to).State == facts.OK
}

// MeshConfigDoubt is why it is not known which namespaces the control planes of the
// cluster look at; false where it is.
func (c *Cluster) MeshConfigDoubt() (finding.Reason, bool) {
	if unread := c.Unread(resources.MeshConfigs); len(unread) > 0 {
		return unread[0].Reason, true
	}
	for _, cp := range c.ControlPlanes {
		if len(cp.Problems) > 0 {
			return finding.Because(cp.Problems[0].Text), true
		}
	}
	return finding.Reason{}, false
}

// selects reports whether the mesh configs of all control planes of the cluster select a
// namespace.
func (c *Cluster) selects(ns *corev1.Namespace) bool {
	return !slices.ContainsFunc(c.ControlPlanes, func(cp *ControlPlane) bool { return !cp.Mesh.Selects(ns.Labels) })
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
		selected[ns.Name] = r.In.selects(ns)
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
