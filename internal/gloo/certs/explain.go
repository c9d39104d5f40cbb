package certs

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
)

// ofIstio are the codes of Istio's rules that say what a cluster lacks whose certificate Gloo Mesh did not issue:
// the common root, or Secret cacerts.
var ofIstio = []finding.Code{"CERT001", "CERT002", "CERT034"}

// unissued are the codes that say why.
var unissued = []finding.Code{"CERT201", "CERT202", "CERT203", "CERT204", "CERT205"}

// Explain names, in a result of several meshes, what was not issued as the cause of what Istio's rules found in the
// same cluster. What is by design is taken out: a management cluster without Istio has no root, and control planes
// do not watch one another by remote secrets, since Gloo Mesh makes services known by ServiceEntries, so
// that nothing of Istio's makes their clusters one mesh, nor has to know the pods of the others.
func Explain(m *model.Mesh, r *finding.Result) {
	byDesign := map[string]bool{}
	for _, f := range r.Findings {
		byIstioAlone := f.Code == "SEC001" || f.Code == "CERT001" && f.Severity == finding.Note
		byDesign[f.ID()] = byIstioAlone && !slices.ContainsFunc(f.Clusters, func(context string) bool {
			c := m.Cluster(context)
			return c == nil || len(c.Registered) == 0 || !c.WithoutRemoteSecrets()
		})
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool { return byDesign[f.ID()] || byDesign[f.CausedBy] })
	for _, c := range m.Clusters {
		if len(c.Planes) > 0 && !c.HasCA() {
			r.Unknowns = slices.DeleteFunc(r.Unknowns, func(u finding.Unknown) bool {
				return u.Cluster == c.Context && slices.Equal(u.Codes, []finding.Code{"CERT002"})
			})
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.CausedBy != "" || !slices.Contains(ofIstio, f.Code) {
			continue
		}
		for _, cause := range r.Findings {
			if cause.Severity == finding.Error && slices.Contains(unissued, cause.Code) &&
				slices.ContainsFunc(cause.Clusters, func(c string) bool { return slices.Contains(f.Clusters, c) }) {
				f.CausedBy = cause.ID()
				break
			}
		}
	}
}
