package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

func newDiff(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Compare the roots that the clusters' workloads trust",
		Long: `Compare the root certificates that the workloads of the clusters trust, and
say which clusters trust one another, in both directions. Certificates are
compared, not their text: order, duplicates and comments make no difference.

Exit codes as of diff(1): 0 the roots are the same, 1 they differ, 2 an error,
such as a cluster that could not be read.`,
		Example: `  %[1]s diff --contexts east,west
  %[1]s diff --contexts 'prod-*' -o json`,
		Args: cobra.NoArgs,
	}
	output := f.AddOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		fleet, err := f.Gather(cmd.Context(), f.RootRows())
		if err != nil {
			return err
		}
		if len(fleet.Clusters) < 2 {
			return fmt.Errorf("there is only one cluster to compare, %s; name two or more with --contexts", fleet.Clusters[0].Context)
		}
		comparison, meshes := f.CompareRoots(fleet)
		if err := printComparison(f, output, format, fleet, comparison, meshes); err != nil {
			return err
		}
		return differs(comparison)
	}
	return cmd
}

// differs is the error with the exit code of diff(1).
func differs(c view.Comparison) error {
	for _, cluster := range c.Clusters {
		if cluster.Unknown != "" {
			return command.ExitCode(command.ExitFailed)
		}
	}
	if !c.Same {
		return command.ExitCode(command.ExitFindings)
	}
	return nil
}

// comparisonDocument is what -o json and yaml print.
type comparisonDocument struct {
	report.Meta
	view.Comparison
}

func printComparison(
	f *command.Frame, output *command.Output, format report.Format, fleet *facts.Fleet, c view.Comparison, meshes int,
) error {
	switch format.Kind() {
	case report.JSON, report.YAML:
		return report.Encode(f.Out, format, comparisonDocument{report.NewMeta("RootComparison"), c})
	case report.Name:
		for _, r := range c.Roots {
			if len(r.Clusters) < len(c.Clusters) {
				fmt.Fprintln(f.Out, "root/"+r.SHA256)
			}
		}
	default:
		if err := printDiff(f.Page(output), c, format == report.Wide); err != nil {
			return err
		}
	}
	for _, cluster := range fleet.Clusters {
		if cluster.Unreached != nil {
			fmt.Fprintf(f.ErrOut, "error: %s\n", printable.Line(cluster.Context+": "+cluster.Unreached.Reason))
		}
	}
	switch {
	case c.Same && meshes > 1:
		fmt.Fprintf(f.ErrOut, "The %d clusters trust the same roots, and one another, within each of %d meshes.\n", len(c.Clusters), meshes)
	case c.Same:
		fmt.Fprintf(f.ErrOut, "%d clusters trust the same roots, and one another.\n", len(c.Clusters))
	}
	return nil
}
