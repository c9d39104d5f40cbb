package rule

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Validate says what is wrong with declarations: a rule without a code, a severity
// or a function, a code without a page, a severity that the page does not name or the
// other way round, and circles of causes. It is for tests.
func Validate[M Model](rules []*Rule[M]) error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	codes := CodesOf(rules)
	for _, r := range rules {
		if len(r.Reports) == 0 || r.Run == nil {
			say("a rule declares no code, or has no function: %v", r.Reports)
		}
		for _, report := range r.Reports {
			if len(report.Severities) == 0 {
				say("%s declares no severity", report.Code)
			}
		}
		for _, code := range r.After {
			if slices.Contains(r.Codes(), code) {
				say("%v is declared to run after itself", r.Codes())
			}
		}
	}
	for _, code := range codes {
		entry, err := finding.Lookup(string(code))
		if err != nil {
			say("%s has no page: %w", code, err)
			continue
		}
		if declared := Severities(rules, code); !slices.Equal(declared, entry.Severities) {
			say("the page of %s says %v, its rules say %v", code, entry.Severities, declared)
		}
	}
	if circle := circleOf(rules); circle != nil {
		say("causes run in a circle: %v", circle)
	}
	return errors.Join(wrong...)
}

// circleOf is a circle of rules that run after one another; nil where there is none.
func circleOf[M Model](rules []*Rule[M]) []finding.Code {
	finds := map[finding.Code][]*Rule[M]{}
	for _, r := range rules {
		for _, code := range r.Codes() {
			finds[code] = append(finds[code], r)
		}
	}
	const under, done = 1, 2
	state := map[*Rule[M]]int{}
	var path, circle []finding.Code
	var visit func(*Rule[M]) bool
	visit = func(r *Rule[M]) bool {
		switch state[r] {
		case under:
			circle = slices.Clone(append(path, r.Codes()...))
			return true
		case done:
			return false
		}
		state[r] = under
		path = append(path, r.Codes()[0])
		for _, code := range r.After {
			for _, before := range finds[code] {
				if before != r && visit(before) {
					return true
				}
			}
		}
		path = path[:len(path)-1]
		state[r] = done
		return false
	}
	for _, r := range rules {
		if len(r.Reports) > 0 && visit(r) {
			return circle
		}
	}
	return nil
}
