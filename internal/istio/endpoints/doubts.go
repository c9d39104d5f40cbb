package endpoints

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// unnamed notes the clusters whose services are not known, by which they are judged.
func (j *judgement) unnamed() {
	for _, c := range j.clusters {
		if reason, lacks := rule.Lack("services", resources.Services.Of(c.Cluster)); lacks && !c.apart {
			j.unknown.NotChecked(c.Context, reason, codes...)
		}
	}
}

// doubt notes why it is not known whether one of the codes of other rules, about a cluster,
// is the cause of a finding with a code of these.
func (j *judgement) doubt(context string, code finding.Code, causes ...string) {
	for _, u := range j.Known.Unknowns {
		if u.Cluster == context && slices.ContainsFunc(u.Codes, func(c finding.Code) bool { return slices.Contains(causes, string(c)) }) {
			j.unknown.NotChecked(context, u.Reason, code)
		}
	}
}

// unidentified says why it is not known that none of the remote secrets of the source's control
// plane leads to the cluster: there is one that leads to no other, and the cluster's own
// ID was not read; the zero Reason where it is known.
func (w *walk) unidentified() finding.Reason {
	reason, lacks := rule.Lack("deployments", resources.Istiods.Of(w.to.Cluster))
	if !lacks {
		return reason
	}
	watched, _ := w.v.Clusters()
	if slices.ContainsFunc(watched, func(c istio.Watched) bool { return c.Context == "" }) {
		return reason
	}
	return finding.Reason{}
}
