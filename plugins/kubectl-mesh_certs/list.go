package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/internal/trust"
)

func newList(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the CA certificates of the clusters",
		Long: `List every CA certificate of every cluster: where it was found, what it is for, until
when it is valid, and in which other clusters it is trusted. Issuer, whole fingerprints
and whole dates are in -o wide and in the machine-readable formats.`,
		Example: "  %[1]s list --contexts east,west\n  %[1]s list --all-contexts -o wide",
		Args:    cobra.NoArgs,
	}
	output := f.AddOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		fleet, err := f.Gather(cmd.Context(), survey.Roots)
		if err != nil {
			return err
		}
		listing := trust.List(fleet)
		switch format {
		case report.JSON, report.YAML:
			err = report.Encode(f.Out, format, listingDocument{report.NewMeta("CertificateList"), listing})
		case report.Name:
			for _, r := range listing.Certificates {
				fmt.Fprintf(f.Out, "%s/certificate/%s\n", printable.Line(r.Cluster), r.SHA256)
			}
		default:
			err = listTable(f.Page(output), listing, fleet.At, format == report.Wide)
		}
		if err != nil {
			return err
		}
		for _, g := range listing.Gaps {
			fmt.Fprintf(f.ErrOut, "not listed: %s\n", printable.Line(fmt.Sprintf("%s: %s: %s", g.Cluster, g.Source, g.Reason)))
		}
		return command.Unreachable(fleet)
	}
	return cmd
}

// listingDocument is what -o json and yaml print.
type listingDocument struct {
	report.Meta
	trust.Listing
}
