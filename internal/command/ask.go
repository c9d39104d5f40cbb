package command

import (
	"context"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Dumped reports whether the fleet is read from files.
func (f *Frame) Dumped() bool { return len(f.From) > 0 }

// Recorded reports whether pods of some cluster said something, which was written down.
func (f *Frame) Recorded() bool { return len(f.answers) > 0 }

// AskEach asks clusters of the fleet that Gather returned something more, each within
// --timeout; it makes the Frame a survey.Asker.
func (f *Frame) AskEach(ctx context.Context, contexts []string,
	ask func(context.Context, survey.Cluster) (any, error),
) map[string]survey.Answer[any] {
	out := map[string]survey.Answer[any]{}
	if f.Dumped() {
		for _, c := range contexts {
			out[c] = survey.Answer[any]{Err: survey.ErrDump}
			if said := f.answers[c]; said != nil {
				value, err := ask(ctx, survey.Cluster{Context: c, Namespace: f.system(c), Answers: said})
				out[c] = survey.Answer[any]{Value: value, Err: err}
			}
		}
		return out
	}
	var members []fleet.Member
	for _, m := range f.members {
		if slices.Contains(contexts, m.Context) {
			members = append(members, m)
		}
	}
	read := func(ctx context.Context, m fleet.Member) (any, error) {
		config, err := m.Config()
		if err != nil {
			return nil, err
		}
		return ask(ctx, survey.Cluster{Context: m.Context, Config: config, Namespace: f.Namespace})
	}
	for _, r := range fleet.Each(ctx, members, f.Fleet.Timeout, f.progress, read) {
		out[r.Context] = survey.Answer[any]{Value: r.Value, Err: r.Err}
	}
	return out
}
