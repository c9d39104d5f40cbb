package verdict

import (
	"cmp"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Cause is what has one code and is caused by nothing else: one finding, or several of a kind.
type Cause struct {
	Code finding.Code
	// Severity is that of the worst of its findings, and of what they cause.
	Severity finding.Severity
	// Clusters are those of its findings, in the order of the fleet.
	Clusters []string
	// Title says what is wrong, for all of its findings.
	Title string
	// Findings are of the code, the worst first; Caused is what they cause, directly or not.
	Findings, Caused []finding.Finding
}

// all are the findings of a cause, and what they cause.
func (c Cause) all() []finding.Finding { return slices.Concat(c.Findings, c.Caused) }

// in are the errors and warnings of a cause in an area.
func (c Cause) in(area finding.Area, about func(finding.Code) finding.Area) []finding.Finding {
	var out []finding.Finding
	for _, f := range c.all() {
		if f.Severity.AtLeast(finding.Warning) && about(f.Code) == area {
			out = append(out, f)
		}
	}
	return out
}

// first reports whether its fix comes before those of other causes.
func (c Cause) first() bool {
	return slices.ContainsFunc(c.Findings, func(f finding.Finding) bool { return f.First })
}

// Causes gathers what nothing else causes by code, in the order in which to fix it; what
// causes nothing above a note is apart.
func Causes(q Question) (toFix, notes []Cause) {
	var out []Cause
	type kind struct {
		code   finding.Code
		isNote bool
	}
	at := map[kind]int{}
	for _, root := range q.Result.RootCauses() {
		caused := q.Result.Following(root)
		severity := root.Severity
		for _, f := range caused {
			if f.Severity.AtLeast(severity) {
				severity = f.Severity
			}
		}
		k := kind{root.Code, !severity.AtLeast(finding.Warning)}
		i, there := at[k]
		if !there {
			i = len(out)
			at[k] = i
			out = append(out, Cause{Code: root.Code, Severity: severity})
		}
		c := &out[i]
		c.Findings, c.Caused = append(c.Findings, root), append(c.Caused, caused...)
		if severity.AtLeast(c.Severity) {
			c.Severity = severity
		}
	}
	for _, c := range out {
		c.Title = c.Findings[0].Title
		if slices.ContainsFunc(c.Findings, func(f finding.Finding) bool { return f.Title != c.Title }) {
			c.Title = q.Meaning(c.Code)
		}
		for _, cluster := range q.Fleet.Clusters {
			if slices.ContainsFunc(c.Findings, func(f finding.Finding) bool { return slices.Contains(f.Clusters, cluster.Context) }) {
				c.Clusters = append(c.Clusters, cluster.Context)
			}
		}
		if c.Severity.AtLeast(finding.Warning) {
			toFix = append(toFix, c)
		} else {
			notes = append(notes, c)
		}
	}
	slices.SortStableFunc(toFix, q.order)
	return toFix, notes
}

// order is that in which to fix: errors before warnings; what makes other repairs dangerous before
// all else; what only keeps this machine from a cluster last; then what breaks most; then from
// outside in.
func (q *Question) order(a, b Cause) int {
	last := func(c Cause) bool { return q.About(c.Code) == finding.Clusters }
	return cmp.Or(
		bySeverity(a.Severity, b.Severity),
		compare(b.first(), a.first()),
		compare(last(a), last(b)),
		cmp.Compare(len(b.Caused), len(a.Caused)),
		cmp.Compare(slices.Index(finding.Areas, q.About(a.Code)), slices.Index(finding.Areas, q.About(b.Code))),
		cmp.Compare(a.Code, b.Code),
	)
}

// compare puts false before true.
func compare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
