package remotesecrets

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// missedChanges (SEC018): a remote secret was changed since istiod started, and this
// version of istiod does not handle such changes; see model.RotationBug.
func missedChanges(p *pass) {
	for _, c := range watching(p) {
		if !c.RotationBugs() {
			continue
		}
		if why, lacks := rule.Lacks(c.Cluster, resources.IstiodPods); lacks {
			p.NotChecked(c.Context, why)
			continue
		}
		for _, i := range c.Installed() {
			for _, r := range c.Used() {
				if missed, shows := r.ChangeMissed(); missed && model.RotationBugOf(i) != "" {
					p.Gather(missedChange(r, i, shows))
				}
			}
		}
	}
}

func missedChange(r *model.RemoteSecret, i istio.Istiod, shows bool) finding.Finding {
	in := r.In.Context
	bug := model.RotationBugOf(i)
	f := about(r, "SEC018", finding.Warning, "a remote secret was changed, and this version of istiod "+afterwards(bug))
	f.Evidence = []finding.Evidence{
		{Cluster: in, Field: "istiod " + i.Name + ", version", Value: i.Version.String()},
		{Cluster: in, Field: "istiod " + i.Name + ", running since", Value: stamp(istio.OldestStart(r.In.Cluster))},
		{Cluster: in, Field: r.Object().String() + ", changed", Value: stamp(r.Modified)},
	}
	switch bug {
	case model.StopsAtChange:
		f.Effect = "if its kubeconfig was changed, istiod's secret controller stopped then, and ignores all remote secrets since"
	case model.LosesTheCluster:
		f.Effect = "if its kubeconfig was changed, istiod lost the endpoints and network gateways of cluster " + r.ClusterID +
			" then, and clients do not reach them"
	default:
		f.Effect = "if its kubeconfig was changed, istiod does not use the new one, or lost the cluster's endpoints and gateways then"
	}
	if shows {
		f.Severity = finding.Error
	}
	for _, v := range r.In.IstiodReplicas() {
		if v.Known() && v.StateOf(r) != model.Synced {
			f.Evidence = append(f.Evidence, saidBy(v, r))
		}
	}
	f.Fix = []finding.Step{
		finding.Say("Restart istiod. Do so after each change of a remote secret until you upgrade to %s or later, which fixes this:",
			model.RotationFix(i)).By(remedy.RestartIstiod(in, i)),
	}
	return f
}

// afterwards is what a version with the bug does when a remote secret is changed.
func afterwards(bug model.RotationBug) string {
	if bug == model.LosesTheCluster {
		return "loses the endpoints and gateways of the cluster"
	}
	return "does not pick it up"
}
