// Package known tells what is new in a result from what somebody knows of: what an earlier run found, and
// what somebody suppressed for a reason. Everything in it is pure.
package known

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

const apiVersion = "kubectl-mesh.dev/v1"

// Baseline is what an earlier run found: the worst severity of each finding, by its ID.
type Baseline map[string]finding.Severity

// document is what is read of the document of an earlier run.
type document struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Findings   *[]entry `json:"findings"`
	Known      []entry  `json:"known"`
}

type entry struct {
	ID       string           `json:"id"`
	Severity finding.Severity `json:"severity"`
}

// ReadBaseline reads the document of an earlier run, in JSON or YAML. What that run knew of is known
// still. The error does not quote the document.
func ReadBaseline(text []byte) (Baseline, error) {
	var doc document
	switch err := yaml.Unmarshal(text, &doc); {
	case err != nil, doc.APIVersion != apiVersion, doc.Kind != "Report" && doc.Kind != "CheckUp", doc.Findings == nil:
		return nil, errors.New(`it is not what "verify -o json" or "mesh-check -o json" prints`)
	}
	out := Baseline{}
	for _, e := range append(*doc.Findings, doc.Known...) {
		if worse, there := out[e.ID]; !there || e.Severity.AtLeast(worse) {
			out[e.ID] = e.Severity
		}
	}
	return out, nil
}

// has reports whether a finding is there, and was as bad as it is.
func (b Baseline) has(f finding.Finding) bool {
	was, there := b[f.ID()]
	return there && was.AtLeast(f.Severity)
}

// Suppression says which findings do not count, and why.
type Suppression struct {
	Code finding.Code `json:"code"`
	// Cluster and Object are patterns of names of contexts, and of kind/namespace/name; "" for any.
	Cluster string `json:"cluster,omitempty"`
	Object  string `json:"object,omitempty"`
	// Reason is why; Expires the last day on which it holds, "" for one that does not end.
	Reason  string `json:"reason"`
	Expires string `json:"expires,omitempty"`

	until time.Time
}

// String says which findings it is about: "NET013 in east, service/shop/cart".
func (s Suppression) String() string {
	text := string(s.Code)
	if s.Cluster != "" {
		text += " in " + s.Cluster
	}
	if s.Object != "" {
		text += ", " + s.Object
	}
	return text
}

// ReadSuppressions reads a file with suppressions. Each names a code and a reason; days are like
// 2027-01-31.
func ReadSuppressions(text []byte) ([]Suppression, error) {
	var doc struct {
		APIVersion string        `json:"apiVersion"`
		Kind       string        `json:"kind"`
		Suppress   []Suppression `json:"suppress"`
	}
	if err := yaml.UnmarshalStrict(text, &doc); err != nil {
		return nil, errors.New("it is not a list of suppressions: each has code, cluster, object, reason and expires")
	}
	if doc.APIVersion != apiVersion || doc.Kind != "Suppressions" {
		return nil, fmt.Errorf("it has to begin with apiVersion %s and kind Suppressions", apiVersion)
	}
	for i := range doc.Suppress {
		s := &doc.Suppress[i]
		which := fmt.Sprintf("entry %d", i+1)
		if _, err := finding.Lookup(string(s.Code)); err != nil {
			return nil, fmt.Errorf("%s: %w", which, err)
		}
		if strings.TrimSpace(s.Reason) == "" {
			return nil, fmt.Errorf("%s (%s) has no reason", which, s)
		}
		s.Object = strings.ReplaceAll(s.Object, " ", "/")
		for _, pattern := range []string{s.Cluster, s.Object} {
			if _, err := path.Match(pattern, ""); err != nil {
				return nil, fmt.Errorf("%s (%s): %q is not a pattern", which, s, pattern)
			}
		}
		if s.Expires != "" {
			day, err := time.Parse(time.DateOnly, s.Expires)
			if err != nil {
				return nil, fmt.Errorf("%s (%s): %q is not a day like 2027-01-31", which, s, s.Expires)
			}
			s.until = day.AddDate(0, 0, 1)
		}
	}
	return doc.Suppress, nil
}

// expired reports whether its last day is over.
func (s Suppression) expired(now time.Time) bool { return !s.until.IsZero() && !now.Before(s.until) }

// about reports whether a finding is one of those that it names.
func (s Suppression) about(f finding.Finding) bool {
	matches := func(pattern, name string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	}
	return s.Code == f.Code &&
		(s.Cluster == "" || slices.ContainsFunc(f.Clusters, func(c string) bool { return matches(s.Cluster, c) })) &&
		(s.Object == "" || matches(s.Object, strings.ReplaceAll(f.Object.String(), " ", "/")))
}

// Left are the suppressions that want somebody's attention.
type Left struct {
	// Expired are those whose last day is over: what they were about counts again.
	Expired []Suppression
	// Idle are those that nothing found is about.
	Idle []Suppression
}

// Split takes out of the findings of a result those that do not count. What a suppressed finding
// causes is suppressed with it, unless something else causes it.
func Split(result finding.Result, baseline Baseline, suppressions []Suppression, now time.Time) (finding.Result, Left) {
	var left Left
	by := map[string]*Suppression{} // of findings, by ID
	for i := range suppressions {
		s := &suppressions[i]
		if s.expired(now) {
			left.Expired = append(left.Expired, *s)
			continue
		}
		idle := true
		for _, f := range result.Findings {
			if s.about(f) {
				by[f.ID()], idle = cmp.Or(by[f.ID()], s), false
			}
		}
		if idle {
			left.Idle = append(left.Idle, *s)
		}
	}
	for changed := true; changed; {
		changed = false
		for _, f := range result.Findings {
			if s := by[f.CausedBy]; f.CausedBy != "" && s != nil && by[f.ID()] == nil {
				by[f.ID()], changed = s, true
			}
		}
	}
	out := finding.Result{Unknowns: result.Unknowns, Apart: slices.Clone(result.Apart)}
	for _, f := range result.Findings {
		switch s := by[f.ID()]; {
		case s != nil:
			out.Apart = append(out.Apart, finding.Apart{Finding: f, Reason: s.Reason, Expires: s.Expires})
		case baseline.has(f):
			out.Apart = append(out.Apart, finding.Apart{Finding: f})
		default:
			out.Add(f)
		}
	}
	return out, left
}
