package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// Verification is what a command checks.
type Verification struct {
	// Areas are those whose rules run.
	Areas []mesh.Area
	// Check looks at the command's own flags before anything is asked; nil for nothing to look at.
	Check func() error
	// Exists is an error where what the user named by the command's own flags is nowhere in the
	// fleet; nil where nothing can be named.
	Exists func(*facts.Fleet) error
	// Wishes are what the user chose by the command's own flags; nil for nothing.
	Wishes func() []any
}

// Verify makes cmd a command that checks the fleet: by the rules of all meshes, and by
// those about reaching the clusters.
func (f *Frame) Verify(cmd *cobra.Command, v Verification) {
	output := f.AddResultOutput(cmd, append([]report.Format{report.Short, report.HTML}, report.PipelineFormats...)...)
	failOn := f.AddFailOn(cmd)
	inTime, with := f.addInTime(cmd), f.AddWith(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		if err := errors.Join(failOn.Check(), inTime.check()); err != nil {
			return err
		}
		if v.Check != nil {
			if err := v.Check(); err != nil {
				return err
			}
		}
		var wishes []any
		if v.Wishes != nil {
			wishes = v.Wishes()
		}
		if err := inTime.watchable(output, format, with); err != nil {
			return err
		}
		if with.Given() {
			return f.verifyWith(cmd, v, verifying{output, format, failOn, inTime, with}, wishes)
		}
		var fleet *facts.Fleet
		var result finding.Result
		check := func(ctx context.Context) (err error) {
			if fleet, result, err = f.verify(ctx, v, wishes); err == nil {
				result = inTime.split(result)
			}
			return err
		}
		if inTime.watched {
			goesOn := watching{
				inTime: inTime, pace: usualPace, rows: f.Resources(wishes, v.Areas...), output: output, format: format, notes: true,
			}
			goesOn.check = func(ctx context.Context) (seen, error) {
				fleet = nil // two of them at once may be large
				if err := check(ctx); err != nil {
					return seen{}, err
				}
				nothing := f.noMesh(fleet, result, "checked")
				return seen{
					fleet: fleet, result: result, last: report.SummaryLine(fleet, result),
					err: cmp.Or(Unreachable(fleet), nothing, inTime.exit(failOn, result)),
					print: func() error {
						if nothing != nil && len(result.Findings) == 0 && format.IsText() {
							return nil
						}
						return f.printResult(output, format, fleet, result)
					},
				}, nil
			}
			return goesOn.follow(cmd.Context())
		}
		err = inTime.until(cmd.Context(), check, func() []string { return inTime.open(failOn, fleet, result) })
		if err != nil {
			return err
		}
		write := func(format report.Format) error {
			if format == report.HTML {
				return f.verifyPage(cmd.Context(), fleet, result, v.Areas)
			}
			if slices.Contains(report.PipelineFormats, format) {
				return f.pipeline(f.Plugin.Name+" verify", fleet, result, f.codes(fleet, v.Areas...), failOn).Write(f.Out, format)
			}
			return f.printResult(output, format, fleet, result)
		}
		nothing := f.noMesh(fleet, result, "checked")
		if nothing == nil || len(result.Findings) > 0 || !format.IsText() { // else the error says it all
			if err := write(format); err != nil {
				return err
			}
		}
		if err := f.toFiles(output, write); err != nil {
			return err
		}
		if err := errors.Join(Unreachable(fleet), nothing); err != nil {
			return err
		}
		return inTime.exit(failOn, result)
	}
}

// verify reads the fleet, and runs the rules.
func (f *Frame) verify(ctx context.Context, v Verification, wishes []any) (*facts.Fleet, finding.Result, error) {
	fleet, err := f.Gather(ctx, f.Resources(wishes, v.Areas...))
	if err != nil {
		return nil, finding.Result{}, err
	}
	if v.Exists != nil {
		if err := v.Exists(fleet); err != nil {
			return nil, finding.Result{}, err
		}
	}
	result, err := f.judge(ctx, f.run(fleet, f, wishes, v.Areas))
	return fleet, result, err
}

// judge runs the rules of a run.
func (f *Frame) judge(ctx context.Context, run *mesh.Run) (finding.Result, error) {
	fleet := run.Fleet
	result := reach.Check(fleet, f.Plugin.Meshes)
	for _, m := range f.inForce(fleet) {
		found, err := m.Verify(ctx, run)
		if err != nil {
			return finding.Result{}, err
		}
		result.Merge(found)
	}
	if f.collected {
		mesh.Uncollected(fleet, f.inForce(fleet), &result, f.codes(fleet, run.Areas...))
	}
	f.nameCauses(fleet, &result)
	result.Sort()
	return result, nil
}

// codes are all that rules about some areas report, and those about reaching clusters.
func (f *Frame) codes(fleet *facts.Fleet, areas ...mesh.Area) []finding.Code {
	var out []finding.Code
	for _, r := range reach.Reports() {
		out = append(out, r.Code)
	}
	for _, m := range f.inForce(fleet) {
		out = append(out, m.Codes(areas...)...)
	}
	return out
}

// pipeline is a result for the systems that keep results.
func (f *Frame) pipeline(command string, fleet *facts.Fleet, result finding.Result, codes []finding.Code, failOn *FailOn) report.Pipeline {
	codes = slices.Clone(codes)
	for _, x := range result.Findings {
		codes = append(codes, x.Code)
	}
	slices.Sort(codes)
	p := report.Pipeline{
		Command: command, Version: Version(), At: fleet.At, Result: result, Codes: slices.Compact(codes),
		About: about, Meaning: meaning, Fails: failOn.Fails,
	}
	for _, c := range fleet.Clusters {
		p.Clusters = append(p.Clusters, c.Context)
	}
	return p
}

// Resources are the rows that the rules of some areas read, with what wishes take, of
// all meshes.
func (f *Frame) Resources(wishes []any, areas ...mesh.Area) resource.Set {
	var out resource.Set
	for _, m := range f.Plugin.Meshes {
		out = resource.Join(out, m.Resources(wishes, areas...))
	}
	return out
}

// Run is a run of rules over a fleet that Gather returned.
func (f *Frame) Run(fleet *facts.Fleet, areas ...mesh.Area) *mesh.Run {
	return f.run(fleet, f, nil, areas)
}

// run is Run with what the user wishes, where somebody else asks the clusters.
func (f *Frame) run(fleet *facts.Fleet, by survey.Asker, wishes []any, areas []mesh.Area) *mesh.Run {
	return &mesh.Run{
		Fleet: fleet, By: by, Areas: areas, Wishes: wishes,
		Say: func(format string, args ...any) { note(f.ErrOut, format, args...) },
	}
}

func (f *Frame) printResult(output *Output, format report.Format, fleet *facts.Fleet, result finding.Result) error {
	switch format.Kind() {
	case report.JSON, report.YAML:
		return report.Encode(f.Out, format, report.NewReport(f.Plugin.Name+" verify", fleet, result))
	case report.Name:
		report.Names(f.Out, result)
	default:
		causes, notes := verdict.Causes(verdict.Question{Fleet: fleet, Result: result, About: about, Meaning: meaning})
		page := f.page(output, format == report.Wide)
		if format == report.Short {
			page.Headlines(causes)
			break
		}
		page.Findings(result, slices.Concat(causes, notes), format == report.Wide)
	}
	fmt.Fprintln(f.ErrOut, report.SummaryLine(fleet, result))
	if len(result.Findings)+len(result.Apart) == 0 {
		note(f.ErrOut, "Other areas were not checked: kubectl mesh-check checks them all.")
	}
	return nil
}
