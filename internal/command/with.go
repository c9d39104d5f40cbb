package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/known"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// With is the flag that names manifests which are judged as if they were applied. Nothing is written, and
// nothing is read of a cluster for it.
type With struct {
	*Frame
	names []string
	files []withFile
}

// withFile is what one of the files holds.
type withFile struct {
	context   string // or a pattern; "" for all clusters
	name      string // as the user gives it
	manifests []simulate.Manifest
}

// AddWith adds flag --with to a command.
func (f *Frame) AddWith(cmd *cobra.Command) *With {
	w := &With{Frame: f}
	cmd.Flags().StringArrayVar(&w.names, "with", nil, "Check as if this [CONTEXT=]`file` were applied")
	f.must(cmd.RegisterFlagCompletionFunc("with", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, name := range f.contextNames() {
			if typed != "" && strings.HasPrefix(name, typed) {
				out = append(out, name+"=")
			}
		}
		if len(out) == 0 {
			return nil, cobra.ShellCompDirectiveDefault // files
		}
		return out, cobra.ShellCompDirectiveNoSpace
	}))
	return w
}

// Given reports whether the user named a file.
func (w *With) Given() bool { return len(w.names) > 0 }

// Check refuses formats in which there is nothing of what would be.
func (w *With) Check(format report.Format) error {
	if format == report.Markdown || format == report.HTML || slices.Contains(report.PipelineFormats, format) {
		return fmt.Errorf("-o %s is about the fleet as it is; with --with take -o table, wide, short, json, yaml or name", format)
	}
	return nil
}

// Read reads the files. No error quotes them.
func (w *With) Read() error {
	for i, given := range w.names {
		if slices.Contains(w.names[:i], given) { // completion parses flags twice
			continue
		}
		context, name := named(given)
		if name == input.Stdin {
			other := func(flag string) bool { _, path := named(flag); return path == input.Stdin }
			if slices.ContainsFunc(w.From, other) || slices.ContainsFunc(w.names[:i], other) {
				return errors.New("--with -: there is one standard input, and another flag reads it too")
			}
		}
		manifests, err := w.readFile(name)
		if err != nil {
			return fmt.Errorf("--with %s: %w", name, err)
		}
		w.files = append(w.files, withFile{context, given, manifests})
	}
	return nil
}

// readFile reads what is in a file, or in those of a folder.
func (w *With) readFile(name string) ([]simulate.Manifest, error) {
	files, err := input.Open(name, w.In)
	if err != nil {
		return nil, err
	}
	paths := files.Paths()
	if !files.Single {
		paths = slices.DeleteFunc(paths, func(p string) bool {
			ending := path.Ext(p)
			return ending != ".yaml" && ending != ".yml" && ending != ".json"
		})
	}
	var out []simulate.Manifest
	var bad error
	err = files.Each(paths, func(p string, text []byte, failed error) {
		var found []simulate.Manifest
		if failed == nil {
			found, failed = simulate.Manifests(text)
		}
		if failed != nil && !files.Single {
			failed = fmt.Errorf("%s: %w", p, failed)
		}
		bad = cmp.Or(bad, failed)
		out = append(out, found...)
	})
	if err = cmp.Or(err, bad); err == nil && len(out) == 0 {
		err = errors.New("there is no object in it")
	}
	return out, err
}

// Supposed is a fleet as it is and as it would be, both to be judged without asking anybody: what control
// planes and proxies answer now, they do not answer then.
type Supposed struct {
	Before, After *facts.Fleet
	notTaken      []report.NotTaken
}

// Suppose applies the manifests to what was read. rows are those that the rules of the command read.
func (w *With) Suppose(of *facts.Fleet, rows resource.Set) (*Supposed, error) {
	var effects simulate.Several
	for _, m := range w.inForce(of) {
		if s, ok := m.(mesh.Simulator); ok {
			effects = append(effects, s.Effects())
		}
	}
	names := make([]string, len(of.Clusters))
	for i, c := range of.Clusters {
		names[i] = c.Context
	}
	before, after := simulate.Applying(of, rows, effects), simulate.Applying(of, rows, effects)
	out := &Supposed{}
	taken := false
	for _, file := range w.files {
		contexts := names
		if file.context != "" {
			var err error
			if contexts, err = fleet.Expand([]string{file.context}, names, "what was read"); err != nil {
				return nil, fmt.Errorf("--with %s: %w", file.name, err)
			}
		}
		for _, m := range file.manifests {
			for _, context := range contexts {
				result := after.Take(context, m)
				if result.Kind == simulate.Done || result.Kind == simulate.InPart {
					taken = true
				}
				out.note(context, m.Object(), result)
			}
		}
	}
	if !taken {
		for _, n := range out.notTaken {
			note(w.ErrOut, "not taken: %s in %s: %s", n.Object, report.Clusters(n.Clusters), n.Reason)
		}
		return nil, errors.New("--with: nothing of it was taken in, so nothing was checked")
	}
	before.Settle(of)
	after.Settle(of)
	out.Before, out.After = before.Fleet(), after.Fleet()
	return out, nil
}

// note notes what became of an object, once for all clusters in which it is the same.
func (s *Supposed) note(context string, o finding.Object, result simulate.Outcome) {
	if result.Kind == simulate.Done { // it may say what was not known of it before
		for i := range s.notTaken {
			if n := &s.notTaken[i]; n.Object == o && n.InPart {
				n.Clusters = slices.DeleteFunc(n.Clusters, func(c string) bool { return c == context })
			}
		}
		s.notTaken = slices.DeleteFunc(s.notTaken, func(n report.NotTaken) bool { return len(n.Clusters) == 0 })
		return
	}
	inPart := result.Kind == simulate.InPart
	i := slices.IndexFunc(s.notTaken, func(n report.NotTaken) bool {
		return n.Object == o && n.Reason == result.Why && n.InPart == inPart && !slices.Contains(n.Clusters, context)
	})
	if i >= 0 {
		s.notTaken[i].Clusters = append(s.notTaken[i].Clusters, context)
		return
	}
	s.notTaken = append(s.notTaken, report.NotTaken{
		Clusters: []string{context}, Object: o, InPart: inPart, Reason: result.Why, Matters: result.Kind != simulate.Unused,
	})
}

// Forecast is what the manifests change in what is found.
func (w *With) Forecast(command string, s *Supposed, change known.Change, after finding.Result, again finding.Command) report.Forecast {
	names := make([]string, len(w.files))
	for i, file := range w.files {
		names[i] = file.name
	}
	causes, notes := verdict.Causes(verdict.Question{
		Fleet: s.After, Result: finding.Result{Findings: change.Appears}, About: about, Meaning: meaning,
	})
	return report.Forecast{
		WhatIf: report.NewWhatIf(command, s.After, names, change, after, s.notTaken),
		Change: change, Causes: slices.Concat(causes, notes), Again: again,
	}
}

// rotation is who refuses whom until all proxies have renewed, where a CA changes and certificates are checked.
func (w *With) rotation(s *Supposed, areas []mesh.Area) *view.Rotation {
	if !slices.Contains(areas, mesh.Certs) {
		return nil
	}
	out := view.Rotation{Refusals: []view.Refusal{}}
	for _, m := range w.inForce(s.After) {
		if r, ok := m.(mesh.Rotator); ok {
			out.Merge(r.Rotation(s.Before, s.After))
		}
	}
	if len(out.Clusters) == 0 {
		return nil
	}
	return &out
}

// Again is the command without --with, for the same clusters.
func (w *With) Again(words ...string) finding.Command {
	return finding.Shell(slices.Concat([]string{"kubectl", w.Plugin.Name}, words, w.Frame.Again())...)
}

// nobody asks no cluster anything.
type nobody struct{}

func (nobody) AskEach(_ context.Context, contexts []string, _ func(context.Context, survey.Cluster) (any, error),
) map[string]survey.Answer[any] {
	out := map[string]survey.Answer[any]{}
	for _, c := range contexts {
		out[c] = survey.Answer[any]{Err: survey.ErrDump}
	}
	return out
}

func (nobody) Dumped() bool { return true }

// unasked is why something is not known then that is asked now.
const unasked = "what control planes and proxies answer now does not hold then"

// supposed has a result of nobody's answers say why there are none.
func supposed(result finding.Result) finding.Result {
	out := finding.Result{Findings: result.Findings, Apart: result.Apart}
	for _, u := range result.Unknowns {
		if u.Reason.Kind == finding.NotAsked {
			u.Reason.Text = unasked
		}
		out.NotChecked(u.Cluster, u.Reason, u.Codes...)
	}
	out.Sort()
	return out
}

// verifying are the flags of a command that judges.
type verifying struct {
	output *Output
	format report.Format
	failOn *FailOn
	inTime *inTime
	with   *With
}

// check looks at the flags, and reads the files.
func (v verifying) check(wishes []any) error {
	if v.inTime.wait > 0 {
		return errors.New("--wait checks again what is; --with checks once what would be: leave out one of them")
	}
	if files := v.output.format.files; len(files) > 0 {
		return fmt.Errorf("-o %s=%s: with --with nothing is written into files", files[0].format, files[0].name)
	}
	if err := v.with.Check(v.format); err != nil {
		return err
	}
	_, proxies := mesh.Wish[mesh.AskProxies](wishes)
	_, probing := mesh.Wish[mesh.Probing](wishes)
	if proxies || probing {
		return errors.New("--with checks what does not run yet: gateways and proxies cannot be tried; leave out that flag, or --with")
	}
	return v.with.Read()
}

// finish prints what changes, and is the exit code of the fleet as it would be.
func (v verifying) finish(f report.Forecast, after finding.Result, noMesh error, quiet bool) error {
	if err := v.with.Print(v.output, v.format, f, quiet); err != nil {
		return err
	}
	if noMesh != nil {
		return noMesh
	}
	if err := v.inTime.exit(v.failOn, f.Change.Then(after)); err != nil || !v.failOn.strict || f.Complete {
		return err
	}
	return ExitCode(ExitIncomplete)
}

// Print prints what changes.
func (w *With) Print(output *Output, format report.Format, f report.Forecast, quiet bool) error {
	switch format.Kind() {
	case report.JSON, report.YAML:
		return report.Encode(w.Out, format, f.WhatIf)
	case report.Name:
		f.Names(w.Out)
		return nil
	default:
	}
	page := w.Page(output)
	if quiet {
		page.Wrapped("", f.Last())
		return nil
	}
	return page.Forecast(f, format == report.Short, format == report.Wide)
}

// verifyWith is a verify with --with.
func (f *Frame) verifyWith(cmd *cobra.Command, v Verification, flags verifying, wishes []any) error {
	if err := flags.check(wishes); err != nil {
		return err
	}
	ctx := cmd.Context()
	exists := v.Exists
	v.Exists = nil // what the user named may be in the manifests
	fleet, now, err := f.verify(ctx, v, wishes)
	if err != nil {
		return err
	}
	if err := Unreachable(fleet); err != nil {
		return err
	}
	s, err := flags.with.Suppose(fleet, f.Resources(wishes, v.Areas...))
	if err != nil {
		return err
	}
	if exists != nil {
		if err := exists(s.After); err != nil {
			return err
		}
	}
	judged := func(of *facts.Fleet) (finding.Result, error) {
		result, err := f.judge(ctx, f.run(of, nobody{}, wishes, v.Areas))
		return flags.inTime.without(supposed(result)), err
	}
	before, err := judged(s.Before)
	if err != nil {
		return err
	}
	after, err := judged(s.After)
	if err != nil {
		return err
	}
	change := known.Compare(flags.inTime.split(now), before, after)
	forecast := flags.with.Forecast(f.Plugin.Name+" verify", s, change, after, flags.with.Again("verify"))
	forecast.Rotation = flags.with.rotation(s, v.Areas)
	return flags.finish(forecast, after, f.noMesh(s.After, after, "checked"), false)
}

// checkWith is a check-up with --with.
func (c *checkUp) checkWith(cmd *cobra.Command, flags verifying) error {
	wishes := c.wishes()
	if err := flags.check(wishes); err != nil {
		return err
	}
	ctx := cmd.Context()
	now, err := c.check(ctx)
	if err != nil {
		return err
	}
	if err := Unreachable(now.fleet); err != nil {
		return err
	}
	s, err := flags.with.Suppose(now.fleet, c.Resources(wishes, c.areas()...))
	if err != nil {
		return err
	}
	before, err := c.judged(ctx, s.Before, nobody{})
	if err != nil {
		return err
	}
	after, err := c.judged(ctx, s.After, nobody{})
	if err != nil {
		return err
	}
	change := known.Compare(now.result, before.result, after.result)
	forecast := flags.with.Forecast(c.Plugin.Name, s, change, after.result, flags.with.Again())
	forecast.Rotation = flags.with.rotation(s, c.areas())
	return flags.finish(forecast, after.result, after.noMesh, c.quiet)
}
