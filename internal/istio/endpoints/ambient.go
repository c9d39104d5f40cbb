package endpoints

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// reasonAmbient is why paths from ambient workloads are not known.
var reasonAmbient = finding.Because("it has no sidecars but ambient mode, and only what sidecars are given is checked")

// isPredicted: what ztunnel does for ambient workloads is not predicted, only what sidecars
// are given. A cluster that has ztunnels and no sidecars may have ambient workloads alone.
func (w *walk) isPredicted() Verdict {
	hasZtunnels := func() bool { return len(w.source.Ztunnels()) > 0 }
	if w.from.Gateway || len(w.source.ClientNetworks()) > 0 || !w.ztunnels.get(w.source, hasZtunnels) {
		return goesOn
	}
	verdict := w.unclear(stepReads, w.source.Context, reasonAmbient)
	if f, ok := w.knownOfAmbient(); ok && w.asked {
		w.warn(f)
		w.path.Code, w.path.Cause = f.Code, f.ID()
		w.path.Summary = f.Title + "; what else ambient workloads are given is not checked"
	}
	return verdict
}

// knownOfAmbient is what other rules know to keep ambient workloads of the source from the
// cluster.
func (w *walk) knownOfAmbient() (finding.Finding, bool) {
	for _, about := range []struct {
		code    finding.Code
		cluster *model.Cluster
	}{
		{"AMB001", w.cp.Cluster},
		{"AMB005", w.source},
		{"AMB011", w.source},
		{"AMB003", w.to},
		{"AMB010", w.to},
		{"AMB005", w.to},
		{"AMB006", w.to},
		{"AMB002", w.to},
		{"AMB002", w.source},
	} {
		for _, f := range w.known.errors[about.code] {
			others := slices.ContainsFunc(f.Clusters, func(c string) bool {
				return c != w.source.Context && c != w.to.Context && c != w.cp.Context
			})
			if slices.Contains(f.Clusters, about.cluster.Context) && !others {
				return f, true
			}
		}
	}
	return finding.Finding{}, false
}
