// Package verdict is what a run over a whole fleet comes to: how each area is, from outside in,
// and the causes of what is wrong, in the order in which to fix them. Everything in it is pure.
package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// State is how an area is.
type State string

// The states. An area is ok where something of it was checked and nothing above a note was
// found; it is unknown where nothing of it was checked, in any cluster, or not all in each and
// nothing can be said of what is well.
const (
	OK      State = "ok"
	Warning State = "warning"
	Error   State = "error"
	Unknown State = "unknown"
	Skipped State = "skipped" // the user left it out
)

// Area is one area, and how it is.
type Area struct {
	Area  finding.Area `json:"area"`
	State State        `json:"status"`
	// What says in a few words what is well, what is wrong, or why it is not known.
	What string `json:"what"`
	// Codes are those of the causes of what is wrong in it, which may be of other areas.
	Codes []finding.Code `json:"codes"`
	// Unchecked counts its rules, by cluster, that could not be checked.
	Unchecked int `json:"notChecked"`
}

// Verdict is what a run comes to.
type Verdict struct {
	// State is the worst of all areas; Unknown only where nothing at all was checked.
	State State
	Areas []Area
	// Causes are errors and warnings that nothing else causes, in the order in which to fix them.
	Causes []Cause
	// Notes are what is worth knowing, and causes nothing worse.
	Notes []Cause
	// Unchecked counts the rules, by cluster, that could not be checked.
	Unchecked int
}

// Question is what is judged.
type Question struct {
	Fleet  *facts.Fleet
	Result finding.Result
	// Codes are those whose rules were run.
	Codes []finding.Code
	// Well says for areas in which nothing is wrong what is well.
	Well map[finding.Area]string
	// NoMesh: nothing of a mesh was read, so that there is nothing in which an area could be well.
	NoMesh bool
	// Only are the areas that the user wants; nil for all.
	Only []finding.Area
	// About is the area of a code.
	About func(finding.Code) finding.Area
	// Meaning is what a code means, in one line.
	Meaning func(finding.Code) string
}

// Of is the verdict of a result.
func Of(q Question) Verdict {
	v := Verdict{State: OK, Unchecked: q.Result.Unchecked()}
	v.Causes, v.Notes = Causes(q)
	judged := false
	for _, area := range finding.Areas {
		if area == finding.Discovery && len(q.Fleet.Clusters) < 2 && !q.mentions(area) {
			continue // a cluster alone has nobody to discover
		}
		a := q.area(area, v.Causes)
		v.Areas = append(v.Areas, a)
		judged = judged || a.State != Unknown && a.State != Skipped && (area != finding.Clusters || len(q.Only) == 1)
		if slices.Index(worst, a.State) > slices.Index(worst, v.State) {
			v.State = a.State
		}
	}
	if !judged || q.NoMesh {
		v.State = Unknown
	}
	return v
}

// worst are the states of areas in which something was checked, the worst last.
var worst = []State{OK, Warning, Error}

// mentions reports whether anything was found in an area.
func (q *Question) mentions(area finding.Area) bool {
	return slices.ContainsFunc(q.Result.Findings, func(f finding.Finding) bool { return q.About(f.Code) == area })
}

// area is how one area is.
func (q *Question) area(area finding.Area, causes []Cause) Area {
	out := Area{Area: area, State: OK, Codes: []finding.Code{}}
	if q.Only != nil && !slices.Contains(q.Only, area) {
		out.State, out.What = Skipped, "left out"
		return out
	}
	codes := slices.DeleteFunc(slices.Clone(q.Codes), func(code finding.Code) bool { return q.About(code) != area })
	without, partly, unchecked := q.unchecked(codes)
	out.Unchecked = unchecked
	var own []finding.Finding // what is wrong in it, the worst first
	var of []Cause            // and the causes of that
	for _, c := range causes {
		in := c.in(area, q.About)
		if len(in) == 0 {
			continue
		}
		own, of = append(own, in...), append(of, c)
		if !slices.Contains(out.Codes, c.Code) {
			out.Codes = append(out.Codes, c.Code)
		}
	}
	if len(own) > 0 {
		slices.SortStableFunc(own, func(a, b finding.Finding) int { return bySeverity(a.Severity, b.Severity) })
		out.State = State(own[0].Severity)
		out.What = q.wrong(area, own, of)
	} else if area == finding.Clusters {
		out.What = q.answered()
	} else if q.NoMesh {
		out.State, out.What = Unknown, "not checked: nothing of a mesh was read"
		return out
	} else if well := q.Well[area]; len(codes) == 0 || len(without) == len(q.Fleet.Clusters) || well == "" && partly == len(q.Fleet.Clusters) {
		out.State, out.What = Unknown, q.why(codes)
		return out
	} else {
		nothing := "nothing found"
		if q.apart(area) > 0 {
			nothing = "nothing new"
		}
		out.What = cmp.Or(well, nothing)
	}
	switch missing := q.reached(without); {
	case area == finding.Clusters:
	case len(missing) > 0:
		out.What += " (without " + finding.List(missing) + ")"
	case len(own) == 0:
		if n := q.partly(codes, without); n > 0 {
			out.What += fmt.Sprintf(" (%s not checked)", finding.Plural(n, "rule"))
		}
	}
	if n := q.apart(area); n > 0 {
		out.What += fmt.Sprintf(" (%d known or suppressed)", n)
	}
	return out
}

// apart counts what is found in an area and does not count, since somebody knows of it.
func (q *Question) apart(area finding.Area) int {
	n := 0
	for _, a := range q.Result.Apart {
		if q.About(a.Code) == area {
			n++
		}
	}
	return n
}

// unchecked are the clusters in which none of some codes was checked, the number of those in which
// not all were, and how many were not checked in all clusters together.
func (q *Question) unchecked(codes []finding.Code) (without []string, partly, rules int) {
	for _, c := range q.Fleet.Clusters {
		n := len(q.lacking(c.Context, codes))
		rules += n
		if n > 0 {
			partly++
		}
		if n > 0 && n == len(codes) {
			without = append(without, c.Context)
		}
	}
	return without, partly, rules
}

// lacking are those of some codes that were not checked in a cluster.
func (q *Question) lacking(context string, codes []finding.Code) []finding.Code {
	var out []finding.Code
	for _, u := range q.Result.Unknowns {
		if u.Cluster != context {
			continue
		}
		for _, code := range u.Codes {
			if slices.Contains(codes, code) && !slices.Contains(out, code) {
				out = append(out, code)
			}
		}
	}
	return out
}

// partly counts the codes that were not checked in clusters of which some were.
func (q *Question) partly(codes []finding.Code, without []string) int {
	n := 0
	for _, c := range q.Fleet.Clusters {
		if !slices.Contains(without, c.Context) {
			n += len(q.lacking(c.Context, codes))
		}
	}
	return n
}

// reached leaves out of clusters those that did not answer, which the first area says.
func (q *Question) reached(contexts []string) []string {
	return slices.DeleteFunc(slices.Clone(contexts), func(context string) bool {
		return slices.ContainsFunc(q.Fleet.Clusters, func(c facts.Cluster) bool { return c.Context == context && c.Unreached != nil })
	})
}

// why says why none of some codes was checked.
func (q *Question) why(codes []finding.Code) string {
	for _, u := range q.Result.Unknowns {
		for _, code := range u.Codes {
			if slices.Contains(codes, code) {
				return "not checked: " + u.Reason.Text
			}
		}
	}
	return "not checked"
}

// answered counts the clusters that answered.
func (q *Question) answered() string {
	var silent []string
	for _, c := range q.Fleet.Clusters {
		if c.Unreached != nil {
			silent = append(silent, c.Context)
		}
	}
	n := len(q.Fleet.Clusters)
	text := fmt.Sprintf("%d of %d answered", n-len(silent), n)
	if len(silent) > 0 {
		text += ", not " + finding.List(silent)
	}
	if well := q.Well[finding.Clusters]; well != "" && len(silent) < n {
		text += ", " + well
	}
	return text
}

// wrong says what is wrong in an area, with the codes of the causes.
func (q *Question) wrong(area finding.Area, own []finding.Finding, of []Cause) string {
	var text string
	switch {
	case area == finding.Clusters && slices.ContainsFunc(q.Fleet.Clusters, func(c facts.Cluster) bool { return c.Unreached != nil }):
		text = q.answered()
	case len(own) == 1:
		text = own[0].Title
	case len(of) == 1 && q.About(of[0].Code) == area:
		text = of[0].Title
	case len(of) == 1:
		text = fmt.Sprintf("%d findings with one cause", len(own))
	default:
		text = fmt.Sprintf("%d findings", len(own))
	}
	var codes []string
	for _, c := range of {
		if code := string(c.Code); !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	const most = 4
	if len(codes) > most {
		codes = append(codes[:most-1], fmt.Sprintf("%d more", len(codes)-most+1))
	}
	return text + " (" + strings.Join(codes, ", ") + ")"
}

func bySeverity(a, b finding.Severity) int {
	return slices.Index(finding.Severities, a) - slices.Index(finding.Severities, b)
}
