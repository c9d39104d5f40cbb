package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func newVerify(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what is wrong with the networks and gateways of the mesh",
		Long: `Judge which network each cluster and pod is on, and whether there is a gateway to each
network that can work. In a fleet that is one network there is nothing to judge of
either. Root causes come first, with what they cause beneath them. What could not be
judged is listed as such: what may not be read, and host names, which istiod resolves by
name servers of its own. Nothing is connected to.`,
		Example: "  %[1]s verify --contexts east,west\n  %[1]s verify -o json --fail-on warning",
		Args:    cobra.NoArgs,
	}
	output, failOn := f.AddOutput(cmd), f.AddFailOn(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		if err := failOn.Check(); err != nil {
			return err
		}
		fleet, err := f.Gather(cmd.Context(), reads)
		if err != nil {
			return err
		}
		result := reach.Judge(fleet)
		result.Merge(network.Verify(fleet, network.Options{}))
		result.Sort()
		if err := print(f, output, format, fleet, result); err != nil {
			return err
		}
		if err := command.Unreachable(fleet); err != nil {
			return err
		}
		return failOn.Exit(result)
	}
	return cmd
}

func print(f *command.Frame, output *command.Output, format report.Format, fleet *facts.Fleet, result finding.Result) error {
	switch format {
	case report.JSON, report.YAML:
		return report.Encode(f.Out, format, report.NewReport("mesh-network verify", fleet, result))
	case report.Name:
		report.Names(f.Out, result)
	default:
		f.Page(output).Findings(result, format == report.Wide)
	}
	fmt.Fprintln(f.ErrOut, report.SummaryLine(fleet, result))
	return nil
}
