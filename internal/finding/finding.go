// Package finding is what a rule says: that something is wrong, or that it
// could not be checked. It also holds the catalogue of all codes.
package finding

import (
	"cmp"
	"slices"
	"strings"
)

// Code names one kind of finding for ever: an area and three digits, e.g. CERT004.
type Code string

// Severity is how bad a finding is.
type Severity string

// The severities, worst first.
const (
	Error   Severity = "error"   // traffic or the control plane is broken, or will be at the next event
	Warning Severity = "warning" // latent or degraded
	Note    Severity = "note"    // worth knowing
)

// Severities lists all severities, worst first.
var Severities = []Severity{Error, Warning, Note}

// AtLeast reports whether s is as bad as other, or worse.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(Severities, s) <= slices.Index(Severities, other)
}

// Evidence is one thing that was read and that the finding rests on.
type Evidence struct {
	// Cluster is the context it was read in; "" where the finding is about one cluster.
	Cluster string `json:"cluster,omitempty"`
	// Field says what was read, e.g. "secret cacerts, root-cert.pem".
	Field string `json:"field"`
	// Value is what it held.
	Value string `json:"value"`
}

// Finding is one thing that is wrong or worth knowing.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Clusters are the contexts that the finding is about, at least one.
	Clusters []string `json:"clusters"`
	// Object is what has to be fixed; the zero Object where it is no single one.
	Object Object `json:"object,omitzero"`
	// ObjectIn is the context that Object is in, where the finding is about several.
	ObjectIn string `json:"objectIn,omitempty"`
	// Title is one sentence that says what is wrong.
	Title string `json:"title"`
	// Evidence is what was read.
	Evidence []Evidence `json:"evidence,omitempty"`
	// Effect is one sentence that says who notices what.
	Effect string `json:"effect,omitempty"`
	// Fix are the steps that fix it, in their order.
	Fix []Step `json:"fix,omitempty"`
	// CausedBy is the ID of the finding of which this one is a consequence.
	CausedBy string `json:"causedBy,omitempty"`
	// First: it has to be fixed before all others, since a control plane that restarts while it is
	// there does not come back.
	First bool `json:"first,omitempty"`
}

// ID identifies a finding within one run, and stays the same from run to run
// while the fault stays.
func (f Finding) ID() string {
	id := string(f.Code) + "/" + strings.Join(f.Clusters, ",")
	if f.Object != (Object{}) {
		id += "/" + strings.ReplaceAll(f.Object.String(), " ", "/")
	}
	return id
}

// Unknown says which rules could not be checked in which cluster, and why. It is
// neither a finding nor a pass.
type Unknown struct {
	Cluster string `json:"cluster"`
	Codes   []Code `json:"codes"`
	Reason  Reason `json:"reason"`
}

// Apart is a finding that does not count, since somebody knows of it.
type Apart struct {
	Finding
	// Reason is why it was suppressed, and Expires the last day of that, "" for no end; both are ""
	// where an earlier run found it.
	Reason  string `json:"reason,omitempty"`
	Expires string `json:"expires,omitempty"`
}

// Suppressed reports whether somebody suppressed it.
func (a Apart) Suppressed() bool { return a.Reason != "" }

// Result is what a set of rules makes of the facts.
type Result struct {
	Findings []Finding `json:"findings"`
	Unknowns []Unknown `json:"unknowns"`
	// Apart are findings that somebody knows of.
	Apart []Apart `json:"-"`
}

// CountApart counts what is known of an earlier run, and what is suppressed.
func (r Result) CountApart() (known, suppressed int) {
	for _, a := range r.Apart {
		if a.Suppressed() {
			suppressed++
		} else {
			known++
		}
	}
	return known, suppressed
}

// Add puts a finding into the result.
func (r *Result) Add(f Finding) { r.Findings = append(r.Findings, f) }

// Gather puts a finding into the result, or adds to the one of the same ID the evidence
// that it lacks: several entries of one object, or what several control planes see.
func (r *Result) Gather(f Finding) {
	i := slices.IndexFunc(r.Findings, func(o Finding) bool { return o.ID() == f.ID() })
	if i < 0 {
		r.Add(f)
		return
	}
	for _, e := range f.Evidence {
		if !slices.Contains(r.Findings[i].Evidence, e) {
			r.Findings[i].Evidence = append(r.Findings[i].Evidence, e)
		}
	}
}

// NotChecked notes that rules could not be checked in a cluster. Equal reasons of
// one cluster are gathered, and each code counts once.
func (r *Result) NotChecked(cluster string, reason Reason, codes ...Code) {
	i := slices.IndexFunc(r.Unknowns, func(u Unknown) bool {
		return u.Cluster == cluster && u.Reason == reason
	})
	if i < 0 {
		i = len(r.Unknowns)
		r.Unknowns = append(r.Unknowns, Unknown{Cluster: cluster, Reason: reason})
	}
	u := &r.Unknowns[i]
	u.Codes = append(u.Codes, codes...)
	slices.Sort(u.Codes)
	u.Codes = slices.Compact(u.Codes)
}

// Merge appends what other rules found.
func (r *Result) Merge(other Result) {
	r.Findings = append(r.Findings, other.Findings...)
	for _, u := range other.Unknowns {
		r.NotChecked(u.Cluster, u.Reason, u.Codes...)
	}
}

// Sort puts the result into its stable order: worst first, and of those what has to be fixed
// before all others; then by code, clusters and object; unknowns by cluster and reason.
func (r *Result) Sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(Severities, a.Severity), slices.Index(Severities, b.Severity)),
			first(a)-first(b),
			cmp.Compare(a.ID(), b.ID()),
		)
	})
	slices.SortStableFunc(r.Unknowns, func(a, b Unknown) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Reason.Text, b.Reason.Text))
	})
}

// first is 0 for what has to be fixed before all others.
func first(f Finding) int {
	if f.First {
		return 0
	}
	return 1
}

// Consequences returns the findings that id causes, in their order. A finding
// that names a cause which is not in the result counts as a root cause.
func (r Result) Consequences(id string) []Finding {
	var out []Finding
	for _, f := range r.Findings {
		if f.CausedBy == id {
			out = append(out, f)
		}
	}
	return out
}

// RootCauses returns the findings that no other finding of the result causes.
func (r Result) RootCauses() []Finding {
	ids := make(map[string]bool, len(r.Findings))
	for _, f := range r.Findings {
		ids[f.ID()] = true
	}
	var out []Finding
	for _, f := range r.Findings {
		if f.CausedBy == "" || !ids[f.CausedBy] {
			out = append(out, f)
		}
	}
	return out
}

// Root is what causes a finding, and what causes that in turn; the finding itself where nothing of the result does.
func (r Result) Root(f Finding) Finding {
	for range r.Findings {
		i := slices.IndexFunc(r.Findings, func(o Finding) bool { return o.ID() == f.CausedBy })
		if i < 0 {
			break
		}
		f = r.Findings[i]
	}
	return f
}

// Of is what a result says of some codes: their findings, those that cause them, and
// where they could not be checked.
func (r Result) Of(codes []Code) Result {
	var out Result
	kept := map[string]bool{}
	wanted := map[string]bool{} // causes, by ID
	for _, f := range r.Findings {
		if slices.Contains(codes, f.Code) {
			kept[f.ID()], wanted[f.CausedBy] = true, true
		}
	}
	for changed := true; changed; {
		changed = false
		for _, f := range r.Findings {
			if id := f.ID(); wanted[id] && !kept[id] {
				kept[id], wanted[f.CausedBy], changed = true, true, true
			}
		}
	}
	for _, f := range r.Findings {
		if kept[f.ID()] {
			out.Add(f)
		}
	}
	for _, u := range r.Unknowns {
		u.Codes = slices.DeleteFunc(slices.Clone(u.Codes), func(c Code) bool { return !slices.Contains(codes, c) })
		if len(u.Codes) > 0 {
			out.Unknowns = append(out.Unknowns, u)
		}
	}
	return out
}

// Following are what a finding causes, and what that causes in turn, each once.
func (r Result) Following(root Finding) []Finding {
	var out []Finding
	seen := map[string]bool{root.ID(): true}
	var follow func(id string)
	follow = func(id string) {
		for _, f := range r.Consequences(id) {
			if !seen[f.ID()] {
				seen[f.ID()] = true
				out = append(out, f)
				follow(f.ID())
			}
		}
	}
	follow(root.ID())
	return out
}

// Count returns how many findings have the severity.
func (r Result) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Unchecked returns how many rules could not be checked, summed over the clusters.
func (r Result) Unchecked() int {
	type pair struct {
		cluster string
		code    Code
	}
	seen := map[pair]bool{}
	for _, u := range r.Unknowns {
		for _, c := range u.Codes {
			seen[pair{u.Cluster, c}] = true
		}
	}
	return len(seen)
}
