package model

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// AbleControlPlanes are the control planes of the clusters that a rule can check.
func AbleControlPlanes(p *rule.Pass[*Mesh]) []*ControlPlane {
	var out []*ControlPlane
	for _, cp := range p.Model.ControlPlanes {
		if p.Able(cp.Cluster.Context) {
			out = append(out, cp)
		}
	}
	return out
}

// AbleWatched reports whether a rule can check all clusters that a control plane watches
// and that were reached.
func AbleWatched(p *rule.Pass[*Mesh], cp *ControlPlane) bool {
	return !slices.ContainsFunc(cp.WatchedClusters(), func(c *Cluster) bool { return !p.Able(c.Context) })
}

// Cause is the ID of the first finding with one of the codes, in their order, that is
// about a cluster and an object, the zero one for any; "" where there is none.
func Cause(p *rule.Pass[*Mesh], context string, object finding.Object, codes ...finding.Code) string {
	for _, f := range p.Found(codes...) {
		if slices.Contains(f.Clusters, context) && (object == finding.Object{} || f.Object == object) {
			return f.ID()
		}
	}
	return ""
}
