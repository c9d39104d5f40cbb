package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Gather reads the facts of the fleet that the flags name: from a dump, or from
// its clusters, all at the same time. Clusters that were not reached are among
// the facts. An error means that there are no facts to check.
func (f *Frame) Gather(ctx context.Context, rows resource.Set) (*facts.Fleet, error) {
	out, err := f.gather(ctx, rows)
	if err != nil {
		return nil, err
	}
	f.shorten(out)
	if f.Dumped() {
		names := make([]string, len(out.Clusters))
		for i, c := range out.Clusters {
			names[i] = c.Context
			if f.short != nil {
				names[i] = f.short.Replace(names[i])
			}
		}
		at := out.At.UTC().Format(time.RFC3339)
		note(f.ErrOut, "Read from %s, as of %s: %s.", finding.List(f.From), at, printable.Line(finding.List(names)))
	}
	return out, nil
}

// shorten has long names of contexts shown by their tails, and says which is which.
func (f *Frame) shorten(out *facts.Fleet) {
	if f.FullNames {
		return
	}
	names := make([]string, len(out.Clusters))
	for i, c := range out.Clusters {
		names[i] = c.Context
	}
	short := fleet.ShortNames(names)
	if len(short) == 0 {
		return
	}
	// The longest first: one may be a part of another.
	long := slices.SortedFunc(maps.Keys(short), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, name := range long {
		pairs = append(pairs, name, short[name])
	}
	f.short = strings.NewReplacer(pairs...)
	names = slices.DeleteFunc(names, func(name string) bool { return short[name] == "" })
	for i, name := range names {
		if i == mostLegend && len(names) > mostLegend+1 {
			note(f.ErrOut, "and %d more, shortened in the same way: --full-names", len(names)-i)
			break
		}
		note(f.ErrOut, "%s is %s", printable.Line(short[name]), printable.Line(name))
	}
}

// mostLegend are the shortened names whose whole ones are said, unless there is only one more.
const mostLegend = 3

func (f *Frame) gather(ctx context.Context, rows resource.Set) (*facts.Fleet, error) {
	if f.Dumped() {
		return f.gatherDump(ctx)
	}
	kubeconfig, err := fleet.Load(f.Fleet, f.ErrOut)
	if err != nil {
		return nil, err
	}
	members, chosen, err := kubeconfig.Select()
	if err != nil {
		return nil, err
	}
	out := &facts.Fleet{At: time.Now()}
	if chosen {
		out.Clusters = f.survey(ctx, members, rows)
	} else {
		current, err := kubeconfig.Current()
		if err != nil {
			return nil, err
		}
		wanted := rows
		for _, m := range f.Plugin.Meshes {
			wanted = resource.Join(wanted, m.PeerResources())
		}
		out.Clusters = f.survey(ctx, []fleet.Member{current}, wanted)
		found, beyond := f.discover(kubeconfig, &out.Clusters[0])
		members = append([]fleet.Member{current}, found...)
		out.Clusters = append(out.Clusters, f.survey(ctx, found, rows)...)
		out.Beyond = beyond
	}
	f.members = members
	f.followUp(ctx, out, members, rows)
	return out, nil
}

// survey reads the clusters side by side.
func (f *Frame) survey(ctx context.Context, members []fleet.Member, rows resource.Set) []facts.Cluster {
	read := func(ctx context.Context, m fleet.Member) (facts.Cluster, error) {
		config, err := m.Config()
		if err != nil {
			return facts.Cluster{}, err
		}
		return survey.Read(ctx, survey.Cluster{Context: m.Context, Config: config, Namespace: f.Namespace}, rows)
	}
	var out []facts.Cluster
	for _, r := range fleet.Each(ctx, members, f.Fleet.Timeout, f.progress, read) {
		c := r.Value
		c.Context, c.Server, c.SystemNamespace = r.Context, r.Server, f.Namespace
		c.Unreached = r.Unreached()
		if errors.Is(r.Err, survey.ErrNoRights) {
			c.Unreached = &facts.Unreached{Kind: facts.NoRights, Reason: survey.ErrNoRights.Error()}
		}
		out = append(out, c)
	}
	return out
}

// followUp reads what only the facts of the whole fleet show to be needed.
func (f *Frame) followUp(ctx context.Context, out *facts.Fleet, members []fleet.Member, rows resource.Set) {
	wanted := map[string][]mesh.FollowUp{}
	for _, m := range f.Plugin.Meshes {
		for context, further := range m.FollowUps(out, rows) {
			wanted[context] = append(wanted[context], further)
		}
	}
	at := func(context string) int {
		return slices.IndexFunc(out.Clusters, func(c facts.Cluster) bool { return c.Context == context })
	}
	var wanting []fleet.Member
	for i := range out.Clusters {
		if c := &out.Clusters[i]; c.Unreached == nil && len(wanted[c.Context]) > 0 {
			wanting = append(wanting, members[i])
		}
	}
	read := func(ctx context.Context, m fleet.Member) (facts.Cluster, error) {
		config, err := m.Config()
		if err != nil {
			return facts.Cluster{}, err
		}
		c := out.Clusters[at(m.Context)] // a copy: this call may be abandoned
		for _, further := range wanted[m.Context] {
			further.Read(ctx, survey.Cluster{Context: m.Context, Config: config, Namespace: f.Namespace}, &c)
		}
		return c, nil
	}
	for _, r := range fleet.Each(ctx, wanting, f.Fleet.Timeout, f.progress, read) {
		if r.Err == nil {
			out.Clusters[at(r.Context)] = r.Value
			continue
		}
		for _, further := range wanted[r.Context] {
			further.Fail(&out.Clusters[at(r.Context)], r.Unreached().Reason)
		}
	}
}

// factsKey is the key of facts in a context.
type factsKey struct{}

// WithFacts returns a context in which --from, whatever folder it names, has these facts: for tests
// of many commands on one fleet.
func WithFacts(ctx context.Context, fleet *facts.Fleet) context.Context {
	return context.WithValue(ctx, factsKey{}, fleet)
}

// gatherDump reads a dump, of which --contexts can choose clusters.
func (f *Frame) gatherDump(ctx context.Context) (*facts.Fleet, error) {
	out, err := f.readDump(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(out.Clusters))
	f.systems = map[string]string{}
	for i, c := range out.Clusters {
		names[i] = c.Context
		f.systems[c.Context] = c.SystemNamespace
	}
	if len(f.Fleet.Contexts) > 0 {
		chosen, err := fleet.Expand(f.Fleet.Contexts, names, "what was read")
		if err != nil {
			return nil, fmt.Errorf("--from %s: %w", finding.List(f.From), err)
		}
		var clusters []facts.Cluster
		for _, name := range chosen {
			clusters = append(clusters, out.Clusters[slices.Index(names, name)])
		}
		out.Clusters = clusters
	}
	return out, nil
}

// table are the rows of all meshes.
func (f *Frame) table() resource.Set {
	var out resource.Set
	for _, m := range f.Plugin.Meshes {
		out = resource.Join(out, m.Table())
	}
	return out
}

// Unreachable returns the error for a fleet of which no cluster was reached;
// nil when one was.
func Unreachable(out *facts.Fleet) error {
	for _, c := range out.Clusters {
		if c.Unreached == nil {
			return nil
		}
	}
	return ExitCode(ExitFailed)
}
