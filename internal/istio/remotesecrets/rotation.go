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
// version of istiod does not pick such changes up; see model.RotationBug.
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
	f := about(r, "SEC018", finding.Warning, "a remote secret was changed, and this version of istiod does not pick it up")
	f.Evidence = []finding.Evidence{
		{Cluster: in, Field: "istiod " + i.Name + ", version", Value: i.Version.String()},
		{Cluster: in, Field: "istiod " + i.Name + ", running since", Value: stamp(istio.OldestStart(r.In.Cluster))},
		{Cluster: in, Field: r.Object().String() + ", changed", Value: stamp(r.Modified)},
	}
	f.Effect = "if its kubeconfig was changed, istiod does not use the new one"
	if model.RotationBugOf(i) == model.StopsAtChange {
		f.Effect = "if its kubeconfig was changed, istiod's secret controller stopped then, and ignores all remote secrets since"
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
		finding.Say("Restart istiod. Do so after each change of a remote secret until you upgrade to 1.29.3 or 1.30.3, which fix this:").
			By(remedy.RestartIstiod(in, i)),
	}
	return f
}
