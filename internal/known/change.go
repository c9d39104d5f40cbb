package known

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Change is what a change of a fleet makes of its findings.
type Change struct {
	// Fixed are findings that are there now, and then are not.
	Fixed []finding.Finding
	// Appears are those that are there then, and now are not, or are not so bad.
	Appears []finding.Finding
	// Open are those that are there now, and of which it is not known whether they are then: they rest on what
	// control planes and proxies answer now, or are not checked then.
	Open []finding.Finding
	// Stays are those that are there now, and then.
	Stays []finding.Finding
	// Lost is what is checked now, and then is not.
	Lost []finding.Unknown
}

// Compare tells what a change makes of what is found. now is what is found, with all that control planes and
// proxies answer. Then they answer something else: before and after are what is found of the facts without
// their answers, as they are and as they would be. Nothing is said to be fixed, or to appear, for want of an
// answer alone.
func Compare(now, before, after finding.Result) Change {
	var out Change
	is, was, will := byID(now), byID(before), byID(after)
	for _, f := range now.Findings {
		_, known := was[f.ID()]
		then, there := will[f.ID()]
		switch {
		case there && worse(then, f) && worse(then, was[f.ID()]): // it is among those that appear
		case there:
			out.Stays = append(out.Stays, f)
		case known && !lost(f, before, after):
			out.Fixed = append(out.Fixed, f)
		default:
			out.Open = append(out.Open, f)
		}
	}
	for _, f := range after.Findings {
		old, there := is[f.ID()]
		known, before := was[f.ID()]
		if (!there || worse(f, old)) && (!before || worse(f, known)) {
			out.Appears = append(out.Appears, f)
		}
	}
	for _, u := range after.Unknowns {
		u.Codes = slices.DeleteFunc(slices.Clone(u.Codes), func(code finding.Code) bool { return unknown(now, u.Cluster, code) })
		if len(u.Codes) > 0 {
			out.Lost = append(out.Lost, u)
		}
	}
	return out
}

// Then is what is found after the change, as far as it is known: what is open is taken to be there.
func (c Change) Then(after finding.Result) finding.Result {
	out := finding.Result{Findings: slices.Concat(c.Appears, c.Stays, c.Open), Unknowns: after.Unknowns, Apart: after.Apart}
	out.Sort()
	return out
}

func byID(r finding.Result) map[string]finding.Finding {
	out := map[string]finding.Finding{}
	for _, f := range r.Findings {
		if other, there := out[f.ID()]; !there || worse(f, other) {
			out[f.ID()] = f
		}
	}
	return out
}

// worse reports whether a finding is worse than another one; than none any is.
func worse(f, other finding.Finding) bool {
	return other.Severity == "" || f.Severity != other.Severity && f.Severity.AtLeast(other.Severity)
}

// lost reports whether a finding is gone because its code is not checked any more in one of its clusters.
func lost(f finding.Finding, before, after finding.Result) bool {
	return slices.ContainsFunc(f.Clusters, func(cluster string) bool {
		return unknown(after, cluster, f.Code) && !unknown(before, cluster, f.Code)
	})
}

// unknown reports whether a code was not checked in a cluster.
func unknown(r finding.Result, cluster string, code finding.Code) bool {
	return slices.ContainsFunc(r.Unknowns, func(u finding.Unknown) bool {
		return u.Cluster == cluster && slices.Contains(u.Codes, code)
	})
}
