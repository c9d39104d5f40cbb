package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// CheckUp is what the command without a verb checks.
type CheckUp struct {
	// Areas are those whose rules run.
	Areas []mesh.Area
	// Deeper are the commands of other plugins that tell more of a cause. Flags are those that name
	// the same clusters.
	Deeper func(c verdict.Cause, flags []string) []finding.Command
}

// checkUp is one run of it, with what the user chose.
type checkUp struct {
	*Frame
	CheckUp
	only, skip  []string
	quiet, deep bool
	since       time.Duration
	inTime      *inTime
	with        *With
	wanted      []finding.Area // nil for all
}

// checked is what a run comes to.
type checked struct {
	fleet     *facts.Fleet
	result    finding.Result
	verdict   verdict.Verdict
	meshes    []string // the names of those that the fleet has
	overviews []verdict.Overview
	codes     []finding.Code // those that were checked
	noMesh    error          // nothing of a mesh was read
}

// AddCheckUp makes cmd the command that checks a whole fleet, and says how each area is.
func (f *Frame) AddCheckUp(cmd *cobra.Command, what CheckUp) {
	c := &checkUp{Frame: f, CheckUp: what}
	output := f.AddResultOutput(cmd, append([]report.Format{report.Short, report.Markdown, report.HTML}, report.PipelineFormats...)...)
	failOn := f.AddFailOn(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&c.only, "only", nil, "Check these `areas` alone, e.g. trust,networks")
	flags.StringSliceVar(&c.skip, "skip", nil, "Leave these `areas` out")
	flags.BoolVarP(&c.quiet, "quiet", "q", false, "Print the last line alone")
	flags.BoolVar(
		&c.deep,
		"deep",
		false,
		"Also try gateways and ask proxies: more rights",
	)
	flags.DurationVar(&c.since, "since", mesh.DefaultSince, "Count restarts within this `time`")
	c.inTime, c.with = f.addInTime(cmd), f.AddWith(cmd)
	for _, name := range []string{"only", "skip"} {
		f.must(cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(areaNames(), cobra.ShellCompDirectiveNoFileComp)))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		if err := errors.Join(failOn.Check(), c.inTime.check(), c.choose()); err != nil {
			return err
		}
		if err := c.inTime.watchable(output, format, c.with); err != nil {
			return err
		}
		if c.inTime.watched {
			return c.follow(cmd.Context(), output, format, failOn)
		}
		if c.with.Given() {
			return c.checkWith(cmd, verifying{output, format, failOn, c.inTime, c.with})
		}
		var found checked
		err = c.inTime.until(cmd.Context(), func(ctx context.Context) (err error) {
			found, err = c.check(ctx)
			return err
		}, func() []string { return c.inTime.open(failOn, found.fleet, found.result) })
		if err != nil {
			return err
		}
		write := func(format report.Format) error {
			if format == report.HTML {
				return c.writePage(cmd.Context(), found)
			}
			if slices.Contains(report.PipelineFormats, format) {
				return c.pipeline(c.Plugin.Name, found.fleet, found.result, found.codes, failOn).Write(c.Out, format)
			}
			return c.print(output, format, found)
		}
		if err := write(format); err != nil {
			return err
		}
		c.quiet = false // it is about what is printed
		if err := c.toFiles(output, write); err != nil {
			return err
		}
		if err := errors.Join(Unreachable(found.fleet), found.noMesh); err != nil {
			return err
		}
		if found.verdict.State == verdict.Unknown {
			return ExitCode(ExitFailed)
		}
		return c.inTime.exit(failOn, found.result)
	}
}

// follow goes on, and prints what changes.
func (c *checkUp) follow(ctx context.Context, output *Output, format report.Format, failOn *FailOn) error {
	goesOn := watching{
		inTime: c.inTime, pace: usualPace, rows: c.Resources(c.wishes(), c.areas()...), output: output, format: format,
		quiet: c.quiet, notes: format == report.Wide,
	}
	goesOn.check = func(ctx context.Context) (seen, error) {
		found, err := c.check(ctx)
		if err != nil {
			return seen{}, err
		}
		out := seen{
			fleet: found.fleet, result: found.result, last: lastLine(found, c.wanted != nil),
			err:   cmp.Or(Unreachable(found.fleet), found.noMesh),
			print: func() error { return c.print(output, format, found) },
		}
		if out.err == nil && found.verdict.State == verdict.Unknown {
			out.err = ExitCode(ExitFailed)
		}
		if out.err == nil {
			out.err = c.inTime.exit(failOn, found.result)
		}
		return out, nil
	}
	return goesOn.follow(ctx)
}

// areaNames are the names of areas as flags have them.
func areaNames() []string {
	var out []string
	for _, a := range finding.Areas {
		out = append(out, a.Slug())
	}
	return out
}

// choose reads the flags about areas.
func (c *checkUp) choose() error {
	if c.since < 0 {
		return errors.New("--since takes a time that is not negative, like 24h")
	}
	if c.deep && c.Dumped() {
		return errors.New("--deep asks the proxies of live clusters, and connects to their gateways; leave out --from")
	}
	named := func(flag string, names []string) ([]finding.Area, error) {
		var out []finding.Area
		for _, name := range names {
			i := slices.Index(areaNames(), strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), " ", "-")))
			if i < 0 {
				return nil, fmt.Errorf("there is no area %q; --%s takes some of %s", name, flag, strings.Join(areaNames(), ", "))
			}
			out = append(out, finding.Areas[i])
		}
		return out, nil
	}
	only, err := named("only", c.only)
	if err != nil {
		return err
	}
	skip, err := named("skip", c.skip)
	if err != nil {
		return err
	}
	if len(only) == 0 && len(skip) == 0 {
		return nil
	}
	for _, a := range finding.Areas {
		if (len(only) == 0 || slices.Contains(only, a)) && !slices.Contains(skip, a) {
			c.wanted = append(c.wanted, a)
		}
	}
	if len(c.wanted) == 0 {
		return errors.New("--only and --skip leave no area to check")
	}
	return nil
}

// wants reports whether the user wants an area.
func (c *checkUp) wants(a finding.Area) bool { return c.wanted == nil || slices.Contains(c.wanted, a) }

// wishes are what the user chose.
func (c *checkUp) wishes() []any {
	wishes := []any{mesh.Since(c.since)}
	if c.deep {
		wishes = append(wishes, mesh.AskProxies{}, mesh.Probing{Wait: mesh.ProbeWait})
	}
	return wishes
}

// check reads the fleet, runs the rules and makes the verdict.
func (c *checkUp) check(ctx context.Context) (checked, error) {
	fleet, err := c.Gather(ctx, c.Resources(c.wishes(), c.areas()...))
	if err != nil {
		return checked{}, err
	}
	return c.judged(ctx, fleet, c.Frame)
}

// judged runs the rules on a fleet, and makes the verdict.
func (c *checkUp) judged(ctx context.Context, fleet *facts.Fleet, by survey.Asker) (checked, error) {
	areas := c.areas()
	out := checked{fleet: fleet, result: reach.Check(fleet, c.Plugin.Meshes)}
	run := c.run(fleet, by, c.wishes(), areas)
	well := map[finding.Area]string{}
	for _, m := range c.inForce(fleet) {
		found, overview, err := m.CheckUp(ctx, run)
		if err != nil {
			return checked{}, err
		}
		out.result.Merge(found)
		out.meshes, out.overviews = append(out.meshes, m.Name()), append(out.overviews, overview)
	}
	if c.collected {
		mesh.Uncollected(fleet, c.inForce(fleet), &out.result, c.codes(fleet, areas...))
	}
	c.nameCauses(fleet, &out.result)
	for i, o := range out.overviews {
		for area, text := range o.Well {
			switch {
			case text == "":
			case len(out.overviews) == 1:
				well[area] = text
			case well[area] != "":
				well[area] += "; " + out.meshes[i] + ": " + text
			default:
				well[area] = out.meshes[i] + ": " + text
			}
		}
	}
	out.codes = slices.DeleteFunc(c.codes(fleet, areas...), func(code finding.Code) bool { return !c.wants(about(code)) })
	out.result = out.result.Of(out.codes)
	out.result.Sort()
	out.noMesh = c.noMesh(fleet, out.result, "checked")
	if by == c.Frame {
		out.result = c.inTime.split(out.result)
	} else {
		out.result = c.inTime.without(supposed(out.result))
	}
	out.verdict = verdict.Of(verdict.Question{
		Fleet: fleet, Result: out.result, Codes: out.codes, Well: well, NoMesh: out.noMesh != nil, Only: c.wanted,
		About: about, Meaning: meaning,
	})
	return out, nil
}

// areas are those of the rules that say something of what the user wants.
func (c *checkUp) areas() []mesh.Area {
	return slices.DeleteFunc(slices.Clone(c.Areas), func(a mesh.Area) bool {
		for _, m := range c.Plugin.Meshes {
			if slices.ContainsFunc(m.Codes(a), func(code finding.Code) bool { return c.wants(about(code)) }) {
				return false
			}
		}
		return true
	})
}

// about is the area of a code, which its page names.
func about(code finding.Code) finding.Area {
	entry, err := finding.Lookup(string(code))
	if err != nil {
		return finding.Clusters
	}
	return entry.Area
}

// meaning is the first line of a code's page.
func meaning(code finding.Code) string {
	entry, err := finding.Lookup(string(code))
	if err != nil {
		return string(code)
	}
	return entry.Meaning
}

// print writes the verdict.
func (c *checkUp) print(output *Output, format report.Format, found checked) error {
	switch format.Kind() {
	case report.JSON, report.YAML:
		return report.Encode(c.Out, format, report.NewCheckUp(found.fleet, found.result, found.verdict, found.meshes, found.overviews))
	case report.Name:
		report.AreaNames(c.Out, found.verdict)
		return nil
	default:
	}
	o := report.Overview{
		Verdict: found.verdict, Result: found.result, Tables: tables(found), Last: lastLine(found, c.wanted != nil),
		Deeper: func(cause verdict.Cause) []finding.Command { return c.Deeper(cause, c.Again()) },
	}
	page := c.page(output, format == report.Wide)
	switch {
	case c.quiet:
		page.Wrapped("", o.Last)
		return nil
	case format == report.Markdown:
		o.Markdown(c.Out)
		return nil
	}
	return page.Verdict(o, format == report.Short, format == report.Wide)
}

// lastLine says in one line what a run comes to.
func lastLine(found checked, partly bool) string {
	text := finding.Plural(len(found.fleet.Clusters), "cluster") + ": "
	v := found.verdict
	if v.State == verdict.Unknown {
		return text + "no verdict, nothing of a mesh was checked"
	}
	var counts []string
	for _, s := range []finding.Severity{finding.Error, finding.Warning} {
		n := 0
		for _, c := range v.Causes {
			if c.Severity == s {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, finding.Plural(n, "cause")+" of "+string(s)+"s")
		}
	}
	unchecked := finding.Plural(v.Unchecked, "rule") + " not checked"
	if apart := report.ApartWords(found.result); apart != "" {
		if len(counts) == 0 {
			counts = append(counts, "nothing new")
		}
		counts = append(counts, apart)
	}
	switch {
	case len(counts) == 0 && v.Unchecked > 0:
		return text + "INCOMPLETE, " + unchecked + "; nothing is wrong in the rest" + notes(v)
	case len(counts) == 0 && partly:
		return text + "nothing is wrong in the areas that were checked" + notes(v)
	case len(counts) == 0:
		return text + "healthy, every rule checked" + notes(v)
	case v.Unchecked > 0:
		counts = append(counts, unchecked)
	case !partly:
		counts = append(counts, "every rule checked")
	}
	return text + strings.Join(counts, ", ")
}

// notes counts what is worth knowing.
func notes(v verdict.Verdict) string {
	n := 0
	for _, c := range v.Notes {
		n += len(c.Findings)
	}
	if n == 0 {
		return ""
	}
	return ", " + finding.Plural(n, "note") + " (-o wide)"
}

// tables are those of the meshes, with the clusters that have none.
func tables(found checked) []report.ClusterTable {
	var out []report.ClusterTable
	shown := map[string]bool{}
	for i, o := range found.overviews {
		if len(o.Clusters) == 0 {
			continue
		}
		networks := slices.ContainsFunc(o.Clusters, func(c verdict.ClusterOverview) bool { return c.Network != "" })
		t := report.ClusterTable{Header: []string{"CLUSTER"}}
		if networks {
			t.Header = append(t.Header, "NETWORK")
		}
		t.Header = append(t.Header, strings.ToUpper(found.meshes[i]), strings.ToUpper(o.Replicas))
		if !o.Bare {
			t.Header = append(t.Header, "PROXIES", "OLD", "KUBERNETES")
		}
		for _, g := range verdict.GatherAlike(o.Clusters, mostRows) {
			row := []string{several(g.Contexts, "")}
			if networks {
				row = append(row, several(finding.Distinct(g.Networks), "network"))
			}
			row = append(row, orUnknown(g.Version), count(g.Replicas))
			if !o.Bare {
				row = append(row, count(g.Proxies), number(g.Old), orUnknown(g.Kubernetes))
			}
			t.Rows = append(t.Rows, row)
			t.Tones = append(t.Tones, report.ReadyTone(g.Replicas, g.Proxies))
			for _, context := range g.Contexts {
				shown[context] = true
			}
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil
	}
	silent := map[string][]string{} // contexts by why they have no row
	var reasons []string
	for _, c := range found.fleet.Clusters {
		if shown[c.Context] {
			continue
		}
		why := "has no mesh"
		for _, f := range found.result.Findings {
			if slices.Equal(f.Clusters, []string{c.Context}) && about(f.Code) == finding.Clusters {
				why = f.Title + " (" + string(f.Code) + ")"
				break
			}
		}
		if silent[why] == nil {
			reasons = append(reasons, why)
		}
		silent[why] = append(silent[why], c.Context)
	}
	for _, why := range reasons {
		out[0].Silent = append(out[0].Silent, [2]string{report.Clusters(silent[why]), why})
	}
	return out
}

// several names one thing, or counts more in so few letters that they fit a table.
func several(names []string, noun string) string {
	switch {
	case len(names) == 0:
		return ""
	case len(names) == 1:
		return names[0]
	case noun == "":
		return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
	}
	return finding.Plural(len(names), noun)
}

// mostRows are the clusters of a table that have a row each; of more, those alike have one.
const mostRows = 12

func orUnknown(text string) string {
	if text == "" {
		return "?"
	}
	return text
}

func count(c *verdict.Count) string {
	if c == nil {
		return "?"
	}
	return fmt.Sprintf("%d/%d", c.Ready, c.Total)
}

func number(n *int) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprint(*n)
}
