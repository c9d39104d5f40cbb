package endpoints

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// mostEvidence is how many things one finding rests on.
const mostEvidence = 24

// mostExamples is how many services a finding about many of them names.
const mostExamples = 3

// notes are what is found on paths, in its order, and why paths are unknown.
type notes struct {
	found   []*found
	at      map[string]*found // by ID
	unknown finding.Result
}

// found is a finding with the services that it concerns.
type found struct {
	finding.Finding
	services []string
}

func newNotes() *notes { return &notes{at: map[string]*found{}} }

// add notes a finding about a service, in one finding with those of the same ID, which it
// returns.
func (n *notes) add(service string, f finding.Finding) string {
	id := f.ID()
	at := n.at[id]
	if at == nil {
		at = &found{Finding: f}
		n.at[id] = at
		n.found = append(n.found, at)
	}
	for _, e := range f.Evidence {
		if len(at.Evidence) < mostEvidence && !slices.Contains(at.Evidence, e) {
			at.Evidence = append(at.Evidence, e)
		}
	}
	if f.Severity.AtLeast(at.Severity) {
		at.Severity = f.Severity
	}
	if service != "" {
		at.name(service)
	}
	return id
}

// name adds services to those that the finding concerns. The same one only comes again
// at once.
func (f *found) name(services ...string) {
	for _, s := range services {
		if n := len(f.services); n == 0 || f.services[n-1] != s {
			f.services = append(f.services, s)
		}
	}
}

// merge adds what was noted of the services that come after those of n.
func (n *notes) merge(o *notes) {
	for _, f := range o.found {
		n.at[n.add("", f.Finding)].name(f.services...)
	}
	n.unknown.Merge(o.unknown)
}

// servicesUnknown notes the clusters of which the services are not known.
func (n *notes) servicesUnknown(clusters []*model.Cluster) {
	for _, c := range clusters {
		if reason, lacks := rule.Lacks(c.Cluster, resources.Services); lacks {
			n.unknown.NotChecked(c.Context, reason, pathCodes()...)
		}
	}
}

// folded are the findings about many services, each with the number of them: what stops
// many is one finding.
func (n *notes) folded() []finding.Finding {
	var out []finding.Finding
	for _, at := range n.found {
		f := at.Finding
		if number := len(at.services); number > 0 && f.Object.Kind != kindService {
			names := at.services[:min(number, mostExamples)]
			text := fmt.Sprintf("%d: %s", number, strings.Join(names, ", "))
			if number > mostExamples {
				text += fmt.Sprintf(" and %d more", number-mostExamples)
			}
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "services concerned", Value: text})
			if number > 1 {
				f.Title += fmt.Sprintf(" (%d services)", number)
			}
		}
		out = append(out, f)
	}
	return out
}

// withCauses are the findings with those of other rules that cause them.
func (n *notes) withCauses(known *causes, others finding.Result) finding.Result {
	out := n.unknown
	causing := map[string]bool{}
	for _, f := range n.found {
		out.Add(f.Finding)
		for id := f.CausedBy; id != "" && !causing[id]; id = known.byID[id].CausedBy {
			causing[id] = true
		}
	}
	for _, f := range others.Findings {
		if causing[f.ID()] && n.at[f.ID()] == nil {
			out.Add(f)
		}
	}
	out.Sort()
	return out
}
