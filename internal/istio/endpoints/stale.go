package endpoints

import (
	"fmt"
	"maps"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// staleEndpoints are those that the control plane of the source has read of a cluster that
// it does not follow any more.
type staleEndpoints struct {
	finding.Finding
	cause finding.Finding
	held  map[string]bool // addresses of the service that every replica still has
}

// held are the addresses of the service that all replicas of the source's control plane
// still have of a cluster, by its ID; not known where one of them did not say.
func (w *walk) held(id string) (addresses map[string]bool, known bool) {
	views := w.looks.istiods[w.cp.Context]
	if views.State != facts.OK || len(views.Value) == 0 {
		return nil, false
	}
	for i, v := range views.Value {
		if v.Shards.State != facts.OK {
			return nil, false
		}
		has := v.Shards.Value[id][w.service.key()]
		if i == 0 {
			addresses = maps.Clone(has)
		}
		maps.DeleteFunc(addresses, func(a string, _ bool) bool { _, ok := has[a]; return !ok })
	}
	return addresses, true
}

// there are the addresses of the service that the cluster has.
func (w *walk) there() map[string]bool {
	var out []discoveryv1.EndpointSlice
	for _, s := range w.to.Slices(w.service.namespace, w.service.name) {
		out = append(out, *s)
	}
	return facts.AddressesOf(out)[w.service.key()]
}

// isElsewhere reports whether the cause is about other services than this one: the control
// plane has nothing of it, and there is nothing.
func (w *walk) isElsewhere(cause string) bool {
	if w.known.byID[cause].Code != "SEC019" {
		return false
	}
	held, known := w.held(w.id)
	return known && len(held)+len(w.there()) == 0
}

// staleBy are the endpoints of the service that the control plane still has from before
// the cause of a finding; nil where it has none, or that is not known.
func (w *walk) staleBy(f finding.Finding) *staleEndpoints {
	cause := w.known.byID[f.CausedBy]
	held, known := w.held(w.id)
	if !slices.Contains(keepsWhatWasRead, cause.Code) || !known || len(held) == 0 {
		return nil
	}
	f.Severity = finding.Warning
	f.Title = fmt.Sprintf("%s cannot read %s any more, and goes on with what it has read", istiodOf(w.cp), w.to.Context)
	f.Effect = fmt.Sprintf("requests from %s reach %s until istiod restarts or the pods there change", w.source.Context, w.to.Context)
	return &staleEndpoints{f, cause, held}
}

// outlives ends the walk where the secret was good before it was changed in place: istiod
// takes no kubeconfig that it cannot use, and goes on with the cluster as it is
// (pkg/kube/multicluster/secretcontroller.go, addRemoteConfig). The finding is that about the secret.
func (w *walk) outlives(f finding.Finding, held map[string]bool) Verdict {
	f.Title = fmt.Sprintf("%s goes on with what it read of %s before the remote secret was changed, until it restarts",
		istiodOf(w.cp), w.to.Context)
	f.Effect = fmt.Sprintf("requests from %s reach the pods in %s that it knows of, and once istiod restarts they reach none",
		w.source.Context, w.to.Context)
	f.Evidence = append(f.Evidence, finding.Evidence{
		Cluster: w.cp.Context, Field: w.service.text() + ", addresses that istiod still has", Value: finding.List(slices.Sorted(maps.Keys(held))),
	})
	w.blame(stepReads, f)
	return Partial
}

// hasCurrentEndpoints: what the control plane has of the service is what the cluster has.
// Behind a gateway one endpoint is as good as all.
func (w *walk) hasCurrentEndpoints() Verdict {
	if w.stale == nil {
		return goesOn
	}
	f := w.stale.Finding
	missing, gone := w.missing(), w.gone()
	if len(missing)+len(gone) == 0 {
		if w.stale.cause.Code == "SEC019" {
			w.stale = nil // it is about other services
			return goesOn
		}
		w.warn(f)
		return w.ok(stepReads, "%s (%s)", f.Title, w.stale.cause.Code)
	}
	if len(missing) > 0 {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: w.to.Context, Field: w.service.text() + ", pods that it does not know", Value: finding.List(finding.Distinct(missing)),
		})
	}
	if len(gone) > 0 {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: w.cp.Context, Field: w.service.text() + ", addresses that it still has", Value: finding.List(finding.Distinct(gone)),
		})
	}
	f.Severity = finding.Error
	f.Title = fmt.Sprintf("%s cannot read %s any more, and sends to the pods that it had then", istiodOf(w.cp), w.to.Context)
	f.Effect = fmt.Sprintf("some of the requests from %s go to pods that are gone, and none to new ones in %s",
		w.source.Context, w.to.Context)
	w.blame(stepReads, f)
	return goesOn
}

// missing are addresses of pods that the control plane does not know.
func (w *walk) missing() []string {
	var out []string
	for _, p := range w.ports {
		for _, e := range p.direct {
			if _, has := w.stale.held[e.Address]; !has {
				out = append(out, e.Address)
			}
		}
	}
	return out
}

// gone are addresses of pods that are gone, and that the source is still given.
func (w *walk) gone() []string {
	direct, there := false, w.there()
	for _, p := range w.ports {
		direct = direct || len(p.direct) > 0
	}
	if !direct && w.usesGateway() {
		return nil
	}
	var out []string
	for a, pod := range w.stale.held {
		if _, has := there[a]; pod && !has {
			out = append(out, a)
		}
	}
	return out
}
