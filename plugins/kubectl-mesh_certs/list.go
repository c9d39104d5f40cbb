package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func newList(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the CA certificates of the clusters",
		Long: `List the CA certificates of the clusters: where each was found, what it is
for, until when it is valid, and in which other clusters it is trusted. Of
many, those alike are one row; -o wide has each, with issuer and fingerprint.`,
		Example: `  %[1]s list --contexts east,west
  %[1]s list --all-contexts -o wide`,
		Args: cobra.NoArgs,
	}
	output := f.AddOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return f.ListView(cmd.Context(), mesh.Certificates, output, resources.Roots, func(fleet *facts.Fleet) (command.Listing, error) {
			l := certs.List(fleet)
			out := command.Listing{
				Document: listingDocument{report.NewMeta("CertificateList"), l},
				Table:    func(p *report.Page, wide bool) error { return listTable(p, l, fleet.At, wide) },
			}
			for _, r := range l.Certificates {
				out.Names = append(out.Names, fmt.Sprintf("%s/certificate/%s", r.Cluster, r.SHA256))
			}
			for _, g := range l.Gaps {
				out.Gaps = append(out.Gaps, mesh.Gap{Cluster: g.Cluster, Reason: g.Source + ": " + g.Reason})
			}
			return out, nil
		})
	}
	return cmd
}

// listingDocument is what -o json and yaml print.
type listingDocument struct {
	report.Meta
	certs.Listing
}
