package endpoints

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// unnamed notes the clusters whose services are not known, by which they are judged.
func (j *judgement) unnamed() {
	for _, c := range j.clusters {
		if !resources.Services.Of(c.Cluster).Known() && !c.apart {
			j.unknown.CannotJudge(c.Context, "services: "+resources.Services.Of(c.Cluster).Why(), codes...)
		}
	}
}

// doubt notes why it is not known whether one of the codes of other rules, about a cluster,
// is the cause of a finding with a code of these.
func (j *judgement) doubt(context string, code finding.Code, causes ...string) {
	for _, u := range j.Known.Unknowns {
		if u.Cluster == context && slices.ContainsFunc(u.Codes, func(c finding.Code) bool { return slices.Contains(causes, string(c)) }) {
			j.unknown.CannotJudge(context, u.Reason, code)
		}
	}
}

// unidentified says why it is not known that none of the remote secrets of the source's control
// plane leads to the cluster: there is one that leads to no other, and the cluster's own
// ID was not read; "" where it is known.
func (w *walk) unidentified() string {
	if resources.Istiods.Of(w.to.Cluster).Known() {
		return ""
	}
	watched, _ := w.v.Clusters()
	if slices.ContainsFunc(watched, func(c istio.Watched) bool { return c.Context == "" }) {
		return "deployments: " + resources.Istiods.Of(w.to.Cluster).Why()
	}
	return ""
}
