package model

import (
	"cmp"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// TellsAmbientNetworks reports whether a control plane of the cluster tells ambient
// workloads of other networks.
func (c *Cluster) TellsAmbientNetworks() bool {
	return slices.ContainsFunc(c.istiods, func(i istio.Istiod) bool {
		return i.On(istio.EnvAmbient) && i.On(istio.EnvAmbientMultiNetwork)
	})
}

// EastWestAddress is an address of a Gateway of an ambient network.
type EastWestAddress struct{ Namespace, Name, Address string }

// String says it to people.
func (a EastWestAddress) String() string { return a.Namespace + "/" + a.Name + " at " + a.Address }

// Untold are the addresses of gateways for ambient workloads that the cluster to which the
// remote secret leads has, and of which a replica does not tell its own. Where there were
// two looks only what lacked in both is in it, and twice is true.
//
// Before 1.30 a control plane watches clusters for ambient workloads by a controller of its
// own, one after the other, of which /debug/clusterz says nothing
// (pilot/pkg/serviceregistry/kube/controller/ambient/remotesecrets.go). That the gateways of
// a cluster are known tells whether that works (ambient/networks.go,
// buildGlobalNetworkCollections).
func (r *RemoteSecret) Untold(v *IstiodReplica) (addresses []EastWestAddress, twice bool) {
	if _, doubt := r.In.MeshConfigDoubt(); doubt || !r.Sure() || resources.Namespaces.Of(r.To.Cluster).State != facts.OK {
		return nil, v.First != nil
	}
	gateways := resources.KubernetesGateways.Of(r.To.Cluster).Value
	if v.First == nil {
		return r.lacking(v.IstiodView, gateways), false
	}
	before := r.lacking(*v.First, gateways)
	later := r.In.mesh.Seen.Again.Gateways[r.To.Context]
	if again := resources.KubernetesGateways.Of(&later); again.State == facts.OK {
		gateways = again.Value
	}
	now := r.lacking(v.IstiodView, gateways)
	return slices.DeleteFunc(now, func(a EastWestAddress) bool { return !slices.Contains(before, a) }), true
}

// lacking are the addresses of some gateways that a look at a replica lacks.
func (r *RemoteSecret) lacking(v facts.IstiodView, gateways []api.KubernetesGateway) []EastWestAddress {
	if v.Gateways.State != facts.OK {
		return nil
	}
	var out []EastWestAddress
	for i := range gateways {
		k := &gateways[i]
		if ns := r.To.Namespace(k.Namespace); ns == nil || !r.In.selects(ns) {
			continue
		}
		for _, a := range istio.EastWestAddresses(k) {
			if !slices.Contains(v.Gateways.Value, a) {
				out = append(out, EastWestAddress{k.Namespace, k.Name, a.Address})
			}
		}
	}
	slices.SortFunc(out, func(a, b EastWestAddress) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}
