package mesh

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Uncollected notes in a result what files that tools and people wrote leave open. Rules can do
// without some of what they look at, and find less then: live that is rarely missing, and in what others
// collected it often is. Of a cluster in which a code was not found, though a row was not collected that its rules
// look at, it is not checked. Rows that are read only where others lead to them are left out.
func Uncollected(fleet *facts.Fleet, meshes []Mesh, result *finding.Result, codes []finding.Code) {
	for _, m := range meshes {
		for _, code := range codes {
			needs := m.Needs(code)
			if len(needs) == 0 {
				continue
			}
			for i := range fleet.Clusters {
				c := &fleet.Clusters[i]
				if c.Unreached != nil || saidOf(result, code, c.Context) {
					continue
				}
				if why := uncollected(c, m, needs); why != "" {
					result.NotChecked(c.Context, finding.Reason{Kind: finding.NotRead, Text: why}, code)
				}
			}
		}
	}
}

// saidOf reports whether a code was found in a cluster, or said not to be checked there.
func saidOf(result *finding.Result, code finding.Code, context string) bool {
	found := func(f finding.Finding) bool { return f.Code == code && slices.Contains(f.Clusters, context) }
	return slices.ContainsFunc(result.Findings, found) ||
		slices.ContainsFunc(result.Unknowns, func(u finding.Unknown) bool { return u.Cluster == context && slices.Contains(u.Codes, code) })
}

// uncollected is the first of some needs that was not collected of a cluster, and why; "" where all were.
func uncollected(c *facts.Cluster, m Mesh, needs []Need) string {
	for _, row := range m.Table() {
		about := row.About()
		if about.Later || about.Answers || !slices.ContainsFunc(needs, func(n Need) bool { return n.Name == row.String() }) {
			continue
		}
		if state, why := row.State(c); state == facts.NotAsked && why != "" {
			return row.String() + ": " + why
		}
	}
	return ""
}
