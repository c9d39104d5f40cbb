package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	probes "github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

func newProbe(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Test whether gateways and remote control planes are reachable",
		Long: `Try each address of the gateways between networks, and those at which remote
clusters find istiod: resolve it, connect, and begin TLS as a sidecar would.
The certificate is verified with the roots of the clusters. This machine may
be kept out where pods are not: --from-pod tries from pods, with openssl, curl
or what else the container has. Nothing is created in the clusters.

Exit codes: 0 when all are reachable and trusted, 1 when one is not or could
not be seen, 2 when nothing could be tried.`,
		Example: `  %[1]s probe --contexts east,west
  %[1]s probe --contexts east,west --from-pod east/shop/cart-0`,
		Args: cobra.NoArgs,
	}
	output, probing := f.AddOutput(cmd), addProbing(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := probing.check(f); err != nil {
			return err
		}
		var trials probes.Trials
		var missing []views.Gap
		rows := resource.Join(lists, resources.Behind)
		err := f.List(cmd.Context(), output, rows, func(fleet *facts.Fleet) (out command.Listing, err error) {
			if others := f.Instead(fleet, istiomesh.Mesh{}); len(others) > 0 {
				return out, fmt.Errorf("the clusters have %s, and probe tries the gateways of Istio; "+
					"\"%s gateways\" lists what there is, and what is wrong with it", finding.List(others), f.Display)
			}
			if trials, missing, err = istiomesh.Probe(cmd.Context(), f.Run(fleet, areas...), probing.wish()); err != nil {
				return out, err
			}
			out = command.Listing{
				Document: probeDocument{report.NewMeta("ProbeList"), trials, missing}, Gaps: gaps(missing),
				Table: func(p *report.Page, wide bool) error { return probeTable(p, trials, wide) },
			}
			for _, t := range trials {
				out.Names = append(out.Names, t.ID())
			}
			return out, nil
		})
		if err != nil {
			return err
		}
		return verdict(f, trials, missing, len(probing.fromPods) > 0)
	}
	return cmd
}

// verdict says on the error stream what to do next, and is the error that ends the
// command with its code.
func verdict(f *command.Frame, trials probes.Trials, gaps []views.Gap, fromPods bool) error {
	tried := slices.ContainsFunc(trials, func(t probes.Trial) bool { return t.Result != probes.NotTried && t.Purpose != probes.PodToPod })
	failed := slices.ContainsFunc(trials, func(t probes.Trial) bool { return !t.Expected() })
	switch {
	case len(trials) == 0 && fromPods:
		return fmt.Errorf("there is nothing to try from there: no gateway has an address, and no control plane is used by clusters of these pods")
	case len(trials) == 0:
		return fmt.Errorf("there is no gateway with an address to try; \"%s gateways\" lists what there is", f.Display)
	case !tried:
		return command.ExitCode(command.ExitFailed)
	case failed && !fromPods:
		fmt.Fprintf(
			f.ErrOut,
			"Seen from this machine alone: pods may reach what it does not. Try from one\n"+
				"with --from-pod; \"%s verify --probe\" says what fixes it.\n",
			f.Display,
		)
	case failed:
		fmt.Fprintf(f.ErrOut, "\"%s verify --probe %s\" says what fixes it.\n", f.Display, fromPodFlags(trials))
	}
	if failed || len(gaps) > 0 {
		return command.ExitCode(command.ExitFindings)
	}
	return nil
}

// fromPodFlags are the flags that name the pods again.
func fromPodFlags(trials probes.Trials) string {
	var out []string
	for _, t := range trials {
		if flag := "--from-pod " + finding.Quote(t.Pod()); !slices.Contains(out, flag) {
			out = append(out, flag)
		}
	}
	return strings.Join(out, " ")
}

// probeDocument is what -o json and yaml print.
type probeDocument struct {
	report.Meta
	Probes probes.Trials `json:"probes"`
	Gaps   []views.Gap   `json:"gaps"`
}
