// Package releases has the rules about known bugs of releases of Istio. A row is found only where
// the release has the bug (istio.KnownBugs) and the fleet meets the condition under which it does
// harm: nearly every fleet runs a release that has some bug. Everything in it is pure.
package releases

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// The codes of known bugs, by what they break.
const (
	// EndpointCode is that of EndpointRules.
	EndpointCode finding.Code = "EP070"
	// NetworkCode is that of NetworkRules.
	NetworkCode finding.Code = "NET040"
)

// row is a bug with the condition under which it does harm.
type row struct {
	bug istio.Bug
	// title goes on after "this release of istiod".
	title, effect string
	// severities are those that met can return.
	severities []finding.Severity
	// reads are what the condition is about. Where one is not known, the row is not checked.
	reads []rule.Need
	// met says how bad it is for a control plane, and by what that shows; "" where the condition
	// is not met.
	met func(*model.ControlPlane) (finding.Severity, []finding.Evidence)
	// until is what to do before the upgrade; nil for nothing.
	until func([]*model.ControlPlane) []finding.Step
	// after are codes of which one is the cause where it is found in the cluster.
	after []finding.Code
	// together are the bugs that the release to go to must not have either.
	together []istio.Bug
}

// NetworkRules are those of bugs for which networks do not reach one another, or traffic passes
// by what it has to go through.
func NetworkRules() []*rule.Rule[*model.Mesh] { return rules(NetworkCode, networkRows()) }

// EndpointRules are those of bugs for which control planes do not follow clusters, or keep
// endpoints to themselves.
func EndpointRules() []*rule.Rule[*model.Mesh] { return rules(EndpointCode, endpointRows()) }

func rules(code finding.Code, rows []row) []*rule.Rule[*model.Mesh] {
	var out []*rule.Rule[*model.Mesh]
	for _, r := range rows {
		out = append(out, &rule.Rule[*model.Mesh]{
			Reports: []rule.Report{rule.May(code, r.severities...)},
			Needs:   []rule.Need{resources.Istiods}, Uses: r.reads, After: r.after,
			Run: func(p *rule.Pass[*model.Mesh]) { r.run(p, code) },
		})
	}
	return out
}

// run reports the row once for each severity, with all clusters that meet it.
func (r row) run(p *rule.Pass[*model.Mesh], code finding.Code) {
	found := map[finding.Severity]*finding.Finding{}
	affected := map[finding.Severity][]*model.ControlPlane{}
	for _, cp := range model.AbleControlPlanes(p) {
		if !cp.Istiod.Has(r.bug) || r.unread(p, cp) {
			continue
		}
		severity, seen := r.met(cp)
		if severity == "" {
			continue
		}
		f := found[severity]
		if f == nil {
			f = &finding.Finding{
				Code: code, Severity: severity, Object: finding.Named("issue", istio.KnownBugs[r.bug].Issue),
				Title: "this release of istiod " + r.title, Effect: r.effect,
			}
			found[severity] = f
		}
		f.Clusters = finding.Distinct(append(f.Clusters, cp.Context))
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: cp.Context, Field: "istiod " + cp.Istiod.Name + ", version", Value: cp.Istiod.Version.String(),
		})
		f.Evidence = append(f.Evidence, seen...)
		affected[severity] = append(affected[severity], cp)
	}
	for _, severity := range finding.Severities {
		if f := found[severity]; f != nil {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "known from", Value: istio.KnownBugs[r.bug].Sources[0]})
			if r.until != nil {
				f.Fix = r.until(affected[severity])
			}
			f.Fix = append(f.Fix, r.upgrade(affected[severity]))
			f.CausedBy = causeOf(p, f.Clusters, r.after)
			p.Report(*f)
		}
	}
}

// unread says what was not read that the condition is about.
func (r row) unread(p *rule.Pass[*model.Mesh], cp *model.ControlPlane) bool {
	why, lacks := rule.Lacks(cp.Cluster.Cluster, r.reads...)
	if lacks {
		p.NotChecked(cp.Context, why)
	}
	return lacks
}

// upgrade is the step that ends it: to the last of the releases that the control planes have to
// go to.
func (r row) upgrade(affected []*model.ControlPlane) finding.Step {
	var to []string
	for _, cp := range affected {
		to = append(to, cp.Istiod.FixOf(append(r.together[:len(r.together):len(r.together)], r.bug)...))
	}
	return finding.Say("Upgrade istiod to %s or later, with the tool that installed it.", finding.List(finding.Distinct(to)))
}

// restartNow restarts control planes that have lost something.
func restartNow(affected []*model.ControlPlane) []finding.Step {
	var commands []finding.Command
	for _, cp := range affected {
		commands = append(commands, remedy.RestartIstiod(cp.Context, cp.Istiod))
	}
	return []finding.Step{finding.Say("Restart istiod, so that it discovers all clusters again:").By(commands...)}
}

// restartAfter is for control planes that are well as long as no remote secret changes.
func restartAfter([]*model.ControlPlane) []finding.Step {
	return []finding.Step{finding.Say("Until you upgrade, restart istiod after each change of a remote secret.")}
}

// causeOf is the ID of the first finding with one of some codes that is about the clusters.
func causeOf(p *rule.Pass[*model.Mesh], contexts []string, codes []finding.Code) string {
	for _, f := range p.Found(codes...) {
		if slices.Contains(contexts, f.Clusters[0]) {
			return f.ID()
		}
	}
	return ""
}

// some are at most three things by name, and how many more there are.
func some(names []string) string {
	const most = 3
	if names = finding.Distinct(names); len(names) > most {
		return fmt.Sprintf("%s and %d more", finding.List(names[:most]), len(names)-most)
	}
	return finding.List(names)
}
