package endpoints

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// nearest: nothing that the source prefers is nearer
// (pilot/pkg/networking/core/loadbalancer/loadbalancer.go).
func (w *walk) nearest() Verdict {
	p := w.ports[0]
	if p.all(istio.OtherLocality) {
		return w.answer(stepLocality, w.prefers(p, "requests are kept from "+w.to.Context+" on purpose"))
	}
	if p.reached() == 0 {
		return goesOn
	}
	best, mine := uint32(0), uint32(0)
	first := true
	for _, e := range p.given.Endpoints {
		if e.Health == istio.Healthy && (first || e.Priority < best) {
			best, first = e.Priority, false
		}
	}
	for i, e := range slices.Concat(p.direct, p.via) {
		if i == 0 || e.Priority < mine {
			mine = e.Priority
		}
	}
	if mine > best {
		return w.answer(stepLocality, w.prefers(p, "requests go to "+w.to.Context+" only when nearer endpoints fail, on purpose"))
	}
	if p.given.Preference != "" && w.from.proxy.Locality == (istio.Locality{}) {
		return w.ok(stepLocality, "%s ranks nothing: no label says where clients in %s are", p.given.Preference, w.source.Context)
	}
	if p.given.Preference != "" {
		return w.ok(stepLocality, "%s ranks it first", p.given.Preference)
	}
	return w.ok(stepLocality, "nothing prefers near endpoints")
}

// prefers is the note about a setting by which clients prefer near endpoints.
func (w *walk) prefers(p *port, title string) finding.Finding {
	by := cmp.Or(p.given.Preference, "the mesh config")
	return finding.Finding{
		Code: "EP016", Clusters: []string{w.cp.Context}, Object: w.service.object(), Title: title + ": " + by,
		Evidence: []finding.Evidence{
			{Field: "decides", Value: by},
			{Cluster: w.source.Context, Field: "locality of clients", Value: cmp.Or(w.from.proxy.Locality.String(), "none")},
		},
		Effect: fmt.Sprintf("clients in %s use endpoints nearer than %s", w.source.Context, w.to.Context),
		Fix:    []finding.Step{finding.Say("If that is not intended, change %s.", by)},
	}
}
