package known

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Course is what is found of a fleet that is checked again and again.
type Course struct {
	is map[string]finding.Finding
	// unsure are those that were found, and are not checked any more.
	unsure map[string]bool
}

// Step is what is found otherwise than at the check before.
type Step struct {
	// Appeared are findings that were not there; Changed those that are worse or milder than they were.
	Appeared, Changed []finding.Finding
	// Fixed are those that were there, and are not.
	Fixed []finding.Finding
	// Unsure are those that were there, and of which it is not known any more: they are not checked.
	Unsure []finding.Finding
}

// None reports whether all is as before.
func (s Step) None() bool {
	return len(s.Appeared)+len(s.Changed)+len(s.Fixed)+len(s.Unsure) == 0
}

// NewCourse begins with what is found at first.
func NewCourse(result finding.Result) *Course {
	return &Course{is: byID(result), unsure: map[string]bool{}}
}

// Next is what another check finds otherwise, of a fleet of these clusters. What is not checked any more is neither
// fixed nor, once it is checked and found again, anything new.
func (c *Course) Next(clusters []string, result finding.Result) Step {
	var out Step
	now := byID(result)
	for id, f := range now {
		was, there := c.is[id]
		switch {
		case !there:
			out.Appeared = append(out.Appeared, f)
		case was.Severity != f.Severity:
			out.Changed = append(out.Changed, f)
		}
		delete(c.unsure, id)
	}
	for id, f := range c.is {
		if _, there := now[id]; there {
			continue
		}
		if !slices.ContainsFunc(f.Clusters, func(cluster string) bool {
			return !slices.Contains(clusters, cluster) || unknown(result, cluster, f.Code)
		}) {
			out.Fixed = append(out.Fixed, f)
			delete(c.unsure, id)
			continue
		}
		if !c.unsure[id] {
			out.Unsure = append(out.Unsure, f)
			c.unsure[id] = true
		}
		now[id] = f
	}
	c.is = now
	for _, part := range []*[]finding.Finding{&out.Appeared, &out.Changed, &out.Fixed, &out.Unsure} {
		sorted := finding.Result{Findings: *part}
		sorted.Sort()
		*part = sorted.Findings
	}
	return out
}
