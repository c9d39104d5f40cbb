package remotesecrets

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// oneRule judges the remote secrets of one primary by one or several codes.
type oneRule struct {
	codes []finding.Code
	judge func(*judgement, *member)
}

// rules are in the order in which they run: one that explains another's findings
// comes before it.
var rules = []oneRule{
	{[]finding.Code{"SEC024"}, judgeExternal},
	{[]finding.Code{"SEC002"}, judgeNamespace},
	{[]finding.Code{"SEC003"}, judgeLabel},
	{[]finding.Code{"SEC026", "SEC008"}, judgeKubeconfig},
	{[]finding.Code{"SEC009"}, judgeAuthentication},
	{[]finding.Code{"SEC006"}, judgeOwnID},
	{[]finding.Code{"SEC005"}, judgeSameID},
	{[]finding.Code{"SEC007"}, judgeTwice},
	{[]finding.Code{"SEC004"}, judgeKey},
	{[]finding.Code{"SEC010"}, judgeAddress},
	{[]finding.Code{"SEC011"}, judgeTLS},
	{[]finding.Code{"SEC013"}, judgeAccount},
	{[]finding.Code{"SEC012"}, judgeCredential},
	{[]finding.Code{"SEC014"}, judgeRights},
	{[]finding.Code{"SEC018"}, judgeRotation},
	{[]finding.Code{"SEC015", "SEC016", "SEC017", "SEC021", "SEC022", "SEC025"}, judgeStates},
	{[]finding.Code{"SEC020"}, judgeReplicas},
	{[]finding.Code{"SEC019"}, judgeDrift},
	{[]finding.Code{"AMB014"}, judgeAmbient},
	{[]finding.Code{"SEC001", "SEC023"}, judgeMissing},
}

// Codes are all codes that Verify can find.
func Codes() []finding.Code {
	var out []finding.Code
	for _, r := range rules {
		out = append(out, r.codes...)
	}
	slices.Sort(out)
	return out
}

// judgement is one run of the rules.
type judgement struct {
	finding.Result
	*world
	fleet    *facts.Fleet
	seen     facts.Seen
	mesh     map[*member]int
	replicas map[*member][]*replica
}

// Verify judges the remote secrets of a fleet by all rules.
func Verify(fleet *facts.Fleet, seen facts.Seen) finding.Result {
	j := judge(fleet, seen)
	return j.Result
}

func judge(fleet *facts.Fleet, seen facts.Seen) *judgement {
	w := newWorld(fleet, seen)
	j := &judgement{world: w, fleet: fleet, seen: seen, mesh: w.meshOf(), replicas: w.look(seen)}
	for i := range fleet.Clusters {
		if c := &fleet.Clusters[i]; c.Unreached != nil {
			j.NotChecked(c.Context, finding.ClusterUnreached, Codes()...)
		}
	}
	for _, m := range w.members {
		if why, lacks := rule.Lack("deployments", resources.Istiods.Of(m.Cluster)); lacks {
			j.NotChecked(m.Context, why, Codes()...)
		}
	}
	for _, r := range rules {
		for _, m := range w.members {
			if !m.primary() {
				continue
			}
			if why, lacks := rule.Lack("remote secrets", resources.RemoteSecrets.Of(m.Cluster)); lacks {
				j.NotChecked(m.Context, why, r.codes...)
				continue
			}
			if m.elsewhere != "" && r.codes[0] != "SEC024" {
				j.NotChecked(m.Context, finding.Because(m.elsewhere), r.codes...)
				continue
			}
			r.judge(j, m)
		}
	}
	j.Sort()
	return j
}

// about begins a finding about an entry.
func (e *entry) about(code finding.Code, severity finding.Severity, title string) finding.Finding {
	f := finding.Finding{Code: code, Severity: severity, Clusters: []string{e.in.Context}, Object: e.object(), Title: title}
	if e.to != nil && e.to != e.in {
		f.Clusters = append(f.Clusters, e.to.Context)
	}
	return f
}

// cause is the ID of the first finding about an entry with one of the codes, in
// their order; "" when there is none.
func (j *judgement) cause(e *entry, codes ...finding.Code) string {
	for _, code := range codes {
		for _, f := range j.Findings {
			if f.Code == code && f.Clusters[0] == e.in.Context && f.Object == e.object() {
				if e.to == nil || e.to == e.in || len(f.Clusters) < 2 || f.Clusters[1] == e.to.Context {
					return f.ID()
				}
			}
		}
	}
	return ""
}

// used are the entries of which the control plane makes a cluster.
func (m *member) used() []*entry {
	var out []*entry
	for _, e := range m.entries {
		if e.ignored == (ignored{}) {
			out = append(out, e)
		}
	}
	return out
}
