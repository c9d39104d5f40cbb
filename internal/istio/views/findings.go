package views

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// results are the findings of the rules that ran on the mesh. Views show their codes
// beside what the model says.
type results struct{ finding.Result }

// about are the findings that are about one of some clusters and one of some objects;
// without objects those about all of the clusters and no object.
func (r results) about(contexts []string, objects ...finding.Object) []finding.Finding {
	var out []finding.Finding
	for _, f := range r.Findings {
		in := func(context string) bool { return slices.Contains(f.Clusters, context) }
		switch {
		case len(objects) == 0:
			if f.Object == (finding.Object{}) && !slices.ContainsFunc(contexts, func(c string) bool { return !in(c) }) {
				out = append(out, f)
			}
		case slices.Contains(objects, f.Object) && slices.ContainsFunc(contexts, in):
			out = append(out, f)
		}
	}
	return out
}

// of are the findings beside a blocker, each after what causes it.
func (r results) of(b model.Blocker) []finding.Finding {
	var contexts []string
	for _, c := range b.Clusters {
		contexts = append(contexts, c.Context)
	}
	found := r.about(contexts, b.Objects...)
	if b.Kind == model.NoGateway && b.Extent == model.Unclarified {
		for _, m := range b.Meant {
			found = append(found, r.about([]string{m.In.Context}, m.Object)...)
		}
	}
	var out []finding.Finding
	for _, f := range found {
		if f.Severity.AtLeast(finding.Warning) {
			out = append(out, r.root(f), f)
		}
	}
	return out
}

// root is the finding at the beginning of what causes another one.
func (r results) root(f finding.Finding) finding.Finding {
	for range r.Findings {
		i := slices.IndexFunc(r.Findings, func(o finding.Finding) bool { return o.ID() == f.CausedBy })
		if f.CausedBy == "" || i < 0 {
			break
		}
		f = r.Findings[i]
	}
	return f
}

// errorsOf are the errors of a gateway itself.
func (r results) errorsOf(h model.Hop) []finding.Finding {
	var out []finding.Finding
	for _, f := range r.Findings {
		if h.IsOwnError(f) {
			out = append(out, f)
		}
	}
	return out
}
