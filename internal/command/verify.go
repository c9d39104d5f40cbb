package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Verify makes cmd a command that judges the fleet: by the plugin's rules, which
// read the sources, and by those about reaching the clusters. check looks at the
// command's own flags before anything is asked; it may be nil.
func (f *Frame) Verify(cmd *cobra.Command, sources resource.Set, check func() error, rules func(*facts.Fleet) finding.Result) {
	f.VerifyAsking(cmd, func() resource.Set { return sources }, check, func(_ context.Context, fleet *facts.Fleet) (finding.Result, error) {
		return rules(fleet), nil
	})
}

// VerifyAsking is Verify where flags decide what is read, and where the rules need
// more than the facts: judge asks for that, and its error ends the command.
func (f *Frame) VerifyAsking(cmd *cobra.Command, sources func() resource.Set, check func() error, judge func(context.Context, *facts.Fleet) (finding.Result, error)) {
	output, failOn := f.AddOutput(cmd), f.AddFailOn(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		if err := failOn.Check(); err != nil {
			return err
		}
		if check != nil {
			if err := check(); err != nil {
				return err
			}
		}
		fleet, err := f.Gather(cmd.Context(), sources())
		if err != nil {
			return err
		}
		result := reach.Judge(fleet)
		found, err := judge(cmd.Context(), fleet)
		if err != nil {
			return err
		}
		result.Merge(found)
		result.Sort()
		if err := f.printResult(output, format, fleet, result); err != nil {
			return err
		}
		if err := Unreachable(fleet); err != nil {
			return err
		}
		return failOn.Exit(result)
	}
}

func (f *Frame) printResult(output *Output, format report.Format, fleet *facts.Fleet, result finding.Result) error {
	switch format {
	case report.JSON, report.YAML:
		return report.Encode(f.Out, format, report.NewReport(f.Plugin.Name+" verify", fleet, result))
	case report.Name:
		report.Names(f.Out, result)
	default:
		f.Page(output).Findings(result, format == report.Wide)
	}
	fmt.Fprintln(f.ErrOut, report.SummaryLine(fleet, result))
	return nil
}
