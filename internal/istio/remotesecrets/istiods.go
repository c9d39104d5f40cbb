package remotesecrets

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// States of a cluster in /debug/clusterz; absent is that of one that is not there.
const (
	synced  = "synced"
	syncing = "syncing"
	timeout = "timeout"
	closed  = "closed"
	absent  = ""
)

// replica is what one replica of a control plane says, beside what it should.
type replica struct {
	facts.IstiodView
	views []*istio.View // those of all control planes of the cluster
	// real are the addresses that clusters really have, by context.
	real map[string]facts.Addresses
	// gateways are the Gateways of the Gateway API that they have, by context.
	gateways map[string][]api.KubernetesGateway
	// before is an earlier look, whose differences alone count; nil for none.
	before *replica
}

func (v *replica) known() bool { return v.Clusters.State == facts.OK }

// status is the state of the cluster that an entry makes.
func (v *replica) status(e *entry) string {
	for _, c := range v.Clusters.Value {
		if c.ID == e.ClusterID && c.Secret == e.Namespace+"/"+e.Name {
			return c.Status
		}
	}
	return absent
}

// left are the clusters that are of a Secret that there is no more.
func (v *replica) left(m *member) []facts.ClusterState {
	var out []facts.ClusterState
	for _, c := range v.Clusters.Value {
		there := func(e *entry) bool { return e.ClusterID == c.ID && e.Namespace+"/"+e.Name == c.Secret }
		if c.Secret != "" && resources.RemoteSecrets.Of(m.Cluster).State == facts.OK && !slices.ContainsFunc(m.entries, there) {
			out = append(out, c)
		}
	}
	return out
}

// look are the replicas of each primary, in the order of their pods, as they were seen last.
func (w *world) look(seen facts.Seen) map[*member][]*replica {
	out := map[*member][]*replica{}
	first, second := map[string]facts.Addresses{}, map[string]facts.Addresses{}
	gateways, gatewaysAgain := map[string][]api.KubernetesGateway{}, map[string][]api.KubernetesGateway{}
	for _, m := range w.members {
		gateways[m.Context], gatewaysAgain[m.Context] = resources.KubernetesGateways.Of(m.Cluster).Value, resources.KubernetesGateways.Of(m.Cluster).Value
		if seen.Again != nil {
			later := seen.Again.Gateways[m.Context]
			if again := resources.KubernetesGateways.Of(&later); again.State == facts.OK {
				gatewaysAgain[m.Context] = again.Value
			}
		}
		if resources.EndpointSlices.Of(m.Cluster).State != facts.OK {
			continue
		}
		first[m.Context] = facts.AddressesOf(resources.EndpointSlices.Of(m.Cluster).Value)
		second[m.Context] = first[m.Context]
		if seen.Again != nil {
			if again := seen.Again.Slices[m.Context]; again.State == facts.OK {
				second[m.Context] = again.Value
			}
		}
	}
	for _, m := range w.members {
		if !m.primary() {
			continue
		}
		views := viewsOf(m)
		for _, v := range seen.Istiods[m.Context].Value {
			r := &replica{IstiodView: v, views: views, real: first, gateways: gateways}
			if seen.Again != nil {
				for _, later := range seen.Again.Istiods[m.Context].Value {
					if later.Pod == v.Pod && later.Clusters.State == facts.OK {
						r = &replica{IstiodView: later, views: views, real: second, gateways: gatewaysAgain, before: r}
						break
					}
				}
			}
			out[m] = append(out[m], r)
		}
	}
	return out
}

// viewsOf are the mesh configs of a cluster's control planes, without other clusters.
func viewsOf(m *member) []*istio.View {
	return istio.Views(&facts.Fleet{Clusters: []facts.Cluster{*resources.Istiods.With(
		resources.MeshConfigs.With(
			&facts.Cluster{Context: m.Context, SystemNamespace: m.SystemNamespace},
			resources.MeshConfigs.Of(m.Cluster),
		),
		resources.Istiods.Of(m.Cluster),
	)}})
}

// unclear says why it is not known which namespaces the control planes of a cluster
// look at, if it is not.
func (m *member) unclear() (why finding.Reason, unclear bool) {
	if why, lacks := rule.Lack("mesh configs", resources.MeshConfigs.Of(m.Cluster)); lacks {
		return why, true
	}
	for _, v := range viewsOf(m) {
		if len(v.Problems) > 0 {
			return finding.Because(v.Problems[0]), true
		}
	}
	return finding.Reason{}, false
}

// difference is what a control plane has of a cluster and what the cluster has.
type difference struct {
	// missing are ready pods that the control plane does not know, stale are pods that it
	// still has, as "namespace/name address".
	missing, stale []string
	// following is whether it has caught up with some of them since the look before.
	following bool
}

func (d difference) any() bool { return len(d.missing)+len(d.stale) > 0 }

// drift compares the endpoints of the cluster to which an entry leads. Where that was
// done before only what differed then too counts: endpoints come and go.
func (v *replica) drift(e *entry) difference {
	now := v.differ(e)
	if v.before == nil {
		return now
	}
	before := v.before.differ(e)
	still := func(list, then []string) []string {
		return slices.DeleteFunc(list, func(s string) bool {
			_, found := slices.BinarySearch(then, s)
			return !found
		})
	}
	has := func(s string) bool {
		service, address, _ := strings.Cut(s, " ")
		_, ok := v.Shards.Value[e.ClusterID][service][address]
		return ok
	}
	return difference{
		missing: still(now.missing, before.missing), stale: still(now.stale, before.stale),
		following: v.Shards.State == facts.OK && (slices.ContainsFunc(before.missing, has) || slices.ContainsFunc(before.stale, func(s string) bool { return !has(s) })),
	}
}

func (v *replica) differ(e *entry) difference {
	var out difference
	_, unclear := e.in.unclear()
	if unclear || !e.sure() || v.Shards.State != facts.OK || v.real[e.to.Context] == nil ||
		resources.Services.Of(e.to.Cluster).State != facts.OK || resources.Namespaces.Of(e.to.Cluster).State != facts.OK {
		return out
	}
	counts := v.counting(e.to)
	real, has := v.real[e.to.Context], v.Shards.Value[e.ClusterID]
	for service, addresses := range real {
		if !counts[service] {
			continue
		}
		for address, ready := range addresses {
			if _, ok := has[service][address]; ready && !ok {
				out.missing = append(out.missing, service+" "+address)
			}
		}
	}
	for service, addresses := range has {
		if !counts[service] {
			continue
		}
		for address, pod := range addresses {
			if _, ok := real[service][address]; pod && !ok {
				out.stale = append(out.stale, service+" "+address)
			}
		}
	}
	slices.Sort(out.missing)
	slices.Sort(out.stale)
	return out
}

// counting are the Services of a cluster whose endpoints istiod should have: those
// that are exported, in namespaces that its mesh config selects.
func (v *replica) counting(m *member) map[string]bool {
	out := map[string]bool{}
	selected := map[string]bool{}
	for i := range resources.Namespaces.Of(m.Cluster).Value {
		selected[resources.Namespaces.Of(m.Cluster).Value[i].Name] = v.selects(&resources.Namespaces.Of(m.Cluster).Value[i])
	}
	for i := range resources.Services.Of(m.Cluster).Value {
		s := &resources.Services.Of(m.Cluster).Value[i]
		if selected[s.Namespace] && s.Spec.Type != corev1.ServiceTypeExternalName && s.Annotations[istio.AnnotationExportTo] == "" {
			out[s.Namespace+"/"+s.Name] = true
		}
	}
	return out
}

// selects reports whether the mesh configs select a namespace.
func (v *replica) selects(ns *corev1.Namespace) bool {
	return !slices.ContainsFunc(v.views, func(view *istio.View) bool {
		return len(view.Mesh.DiscoverySelectors) > 0 && !view.Mesh.Selects(ns.Labels)
	})
}

// disagreement is a cluster of which replicas say different things.
type disagreement struct {
	id   string
	says []string
}

// disagreements are the clusters whose states the replicas see differently.
func disagreements(replicas []*replica) []disagreement {
	states := map[string]map[string]string{} // by ID and pod
	var pods []string
	for _, v := range replicas {
		if !v.known() {
			continue
		}
		pods = append(pods, v.Pod)
		for _, c := range v.Clusters.Value {
			if states[c.ID] == nil {
				states[c.ID] = map[string]string{}
			}
			states[c.ID][v.Pod] = c.Status
		}
	}
	var out []disagreement
	for _, id := range slices.Sorted(maps.Keys(states)) {
		seen := map[string]bool{}
		var says []string
		for _, pod := range pods {
			state := states[id][pod]
			if state == absent {
				state = "not there"
			}
			seen[state] = true
			says = append(says, pod+" "+state)
		}
		if len(seen) > 1 {
			out = append(out, disagreement{id, says})
		}
	}
	return out
}

// some shows the first of a list and how many there are more.
func some(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
}
