package endpoints

import (
	"fmt"
	"maps"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// frozen is a cluster that the control plane of the source has read and follows no more.
type frozen struct {
	finding.Finding
	cause finding.Finding
	held  map[string]bool // addresses of the service that every replica still has
}

// notFollowed are the errors about a remote secret that once may have been good: where
// istiod has read the cluster it goes on with what it read, also when the secret is changed
// in place (pkg/kube/multicluster/component.go, clusterUpdated).
var notFollowed = []string{"SEC012", "SEC013", "SEC010", "SEC011", "SEC015", "SEC017", "SEC019"}

// held are the addresses of the service that all replicas of the source's control plane
// still have of the cluster; not known where one of them did not say.
func (w *walk) held() (addresses map[string]bool, known bool) {
	views := w.last[w.v.Context]
	if views.State != facts.OK || len(views.Value) == 0 {
		return nil, false
	}
	for i, v := range views.Value {
		if v.Shards.State != facts.OK {
			return nil, false
		}
		has := v.Shards.Value[w.id][w.service.key]
		if i == 0 {
			addresses = maps.Clone(has)
		}
		maps.DeleteFunc(addresses, func(a string, _ bool) bool { _, ok := has[a]; return !ok })
	}
	return addresses, true
}

// elsewhere reports whether the cause is about other services than this one: the control
// plane has nothing of it, and there is nothing.
func (w *walk) elsewhere(cause string) bool {
	held, known := w.held()
	return w.known[cause].Code == "SEC019" && known && len(held)+len(facts.AddressesOf(w.slicesOf())[w.service.key]) == 0
}

// freezes reports whether the control plane goes on with endpoints of the service that it
// has read before the cause came up.
func (w *walk) freezes(f finding.Finding) bool {
	cause := w.known[f.CausedBy]
	held, known := w.held()
	if !slices.Contains(notFollowed, string(cause.Code)) || !known || len(held) == 0 {
		return false
	}
	f.Severity = finding.Warning
	f.Title = fmt.Sprintf("%s cannot read %s any more, and goes on with what it has read", w.v.name(), w.to.Context)
	f.Effect = fmt.Sprintf("requests from %s get to %s until istiod restarts or the pods there change", w.source.Context, w.to.Context)
	w.frozen = &frozen{f, cause, held}
	return true
}

// outlives ends the walk where the secret was good before it was changed in place: istiod
// takes no kubeconfig that it cannot use, and goes on with the cluster as it is
// (pkg/kube/multicluster/secretcontroller.go, addRemoteConfig). The finding is that about the secret.
func (w *walk) outlives(f finding.Finding, held map[string]bool) bool {
	f.Title = fmt.Sprintf("%s goes on with what it read of %s before the remote secret was changed, until it restarts", w.v.name(), w.to.Context)
	f.Effect = fmt.Sprintf("requests from %s get to the pods in %s that it knows of, and once istiod restarts to none", w.source.Context, w.to.Context)
	f.Evidence = append(f.Evidence, finding.Evidence{
		Cluster: w.v.Context, Field: w.service.text() + ", addresses that istiod still has", Value: finding.List(slices.Sorted(maps.Keys(held))),
	})
	w.lost = true
	w.blame(stepReads, f)
	return false
}

// keeps: what the control plane has of the service is what the cluster has. Behind a
// gateway one endpoint is as good as all.
func (w *walk) keeps() bool {
	if w.frozen == nil {
		return true
	}
	f := w.frozen.Finding
	there := facts.AddressesOf(w.slicesOf())[w.service.key]
	var lacks, stale []string
	direct, via := false, false
	for _, p := range w.ports {
		direct, via = direct || len(p.direct) > 0, via || len(p.via) > 0
		for _, e := range p.direct {
			if _, has := w.frozen.held[e.Address]; !has {
				lacks = append(lacks, e.Address)
			}
		}
	}
	for a, pod := range w.frozen.held {
		if _, has := there[a]; pod && !has && (direct || !via) {
			stale = append(stale, a)
		}
	}
	if len(lacks)+len(stale) == 0 {
		if w.frozen.cause.Code == "SEC019" {
			w.frozen = nil // it is about other services
			return true
		}
		w.warn(f)
		return w.ok(stepReads, "%s (%s)", f.Title, w.frozen.cause.Code)
	}
	if len(lacks) > 0 {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: w.to.Context, Field: w.service.text() + ", pods that it does not know", Value: finding.List(finding.Distinct(lacks)),
		})
	}
	if len(stale) > 0 {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: w.v.Context, Field: w.service.text() + ", addresses that it still has", Value: finding.List(finding.Distinct(stale)),
		})
	}
	f.Severity = finding.Error
	f.Title = fmt.Sprintf("%s cannot read %s any more, and sends to the pods that it had then", w.v.name(), w.to.Context)
	f.Effect = fmt.Sprintf("of requests from %s some go to pods that are gone, and none to new ones in %s", w.source.Context, w.to.Context)
	w.lost = true
	w.blame(stepReads, f)
	return true
}

// slicesOf are the EndpointSlices of the service in the cluster.
func (w *walk) slicesOf() []discoveryv1.EndpointSlice {
	var out []discoveryv1.EndpointSlice
	for _, s := range w.to.slices[w.service.key] {
		out = append(out, *s)
	}
	return out
}
