package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	probes "github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// prober is a mesh whose gateways can be tried from pods, too, as what istiod uses are; mesh.Prober is one
// that is tried from this machine alone.
type prober interface {
	mesh.Mesh
	// ProbeResources are the rows that tell what there is to try.
	ProbeResources() resource.Set
	// Probe tries, and says what came of it, and of what it is not known whether there is something to try. The error is about what
	// the user named.
	Probe(ctx context.Context, run *mesh.Run, wish mesh.Probing) (probes.Trials, []mesh.Gap, error)
}

// probers are those of the plugin's meshes.
func probers(f *command.Frame) []prober {
	var out []prober
	for _, m := range f.Plugin.Meshes {
		if p, ok := m.(prober); ok {
			out = append(out, p)
		}
	}
	return out
}

// try tries what each mesh of a fleet has; an address that two have once.
func try(cmd *cobra.Command, f *command.Frame, fleet *facts.Fleet, wish mesh.Probing) (probes.Trials, []mesh.Gap, error) {
	trials, missing := probes.Trials{}, []mesh.Gap{}
	for _, p := range probers(f) {
		if len(f.Instead(fleet, p)) > 0 {
			continue
		}
		more, gaps, err := p.Probe(cmd.Context(), f.Run(fleet, areas...), wish)
		if err != nil {
			return nil, nil, err
		}
		before := trials
		for _, t := range more {
			if !slices.ContainsFunc(before, t.Same) {
				trials = append(trials, t)
			}
		}
		missing = append(missing, gaps...)
	}
	return trials, missing, nil
}

func newProbe(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Test whether gateways and remote control planes are reachable",
		Long: `Try each address of the gateways between networks, those at which remote
clusters find istiod, and those that Gloo Mesh writes to its clusters: resolve
it, connect, and begin TLS as a sidecar would.
The certificate is verified with the roots of the clusters. This machine may
be kept out where pods are not: --from-pod tries from pods, with openssl, curl
or what else the container has; gateways of Linkerd are tried from here alone.
Nothing is created in the clusters.

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
		var missing []mesh.Gap
		var further []mesh.Probed
		rows := command.ProbeRows(f.Plugin.Meshes)
		for _, p := range probers(f) {
			rows = resource.Join(rows, p.ProbeResources())
		}
		err := f.List(cmd.Context(), output, rows, func(fleet *facts.Fleet) (out command.Listing, err error) {
			further = f.Probed(cmd.Context(), fleet, probing.wish())
			if trials, missing, err = try(cmd, f, fleet, probing.wish()); err != nil {
				return out, err
			}
			if len(further) > 0 && len(trials) == 0 {
				if len(probing.fromPods) > 0 {
					return out, fmt.Errorf("gateways of %s are tried from this machine alone; leave out --from-pod", further[0].Mesh)
				}
				return out.With(further), nil
			}
			out = command.Listing{
				Document: probeDocument{report.NewMeta("ProbeList"), trials, missing}, Gaps: missing,
				Table: func(p *report.Page, wide bool) error { return probeTable(p, trials, wide) },
			}
			for _, t := range trials {
				out.Names = append(out.Names, t.ID())
			}
			return out.With(further), nil
		})
		if err != nil {
			return err
		}
		return verdict(f, trials, missing, further, len(probing.fromPods) > 0)
	}
	return cmd
}

// verdict says on the error stream what to do next, and is the error that ends the
// command with its code.
func verdict(f *command.Frame, trials probes.Trials, gaps []mesh.Gap, further []mesh.Probed, fromPods bool) error {
	others := slices.ContainsFunc(further, func(p mesh.Probed) bool { return len(p.Rows) > 0 })
	badly := slices.ContainsFunc(further, func(p mesh.Probed) bool { return p.Failed })
	tried := others || slices.ContainsFunc(trials, func(t probes.Trial) bool {
		return t.Result != probes.NotTried && t.Purpose != probes.PodToPod
	})
	failed := slices.ContainsFunc(trials, func(t probes.Trial) bool { return !t.Expected() })
	switch {
	case len(trials) == 0 && others && !badly && len(gaps) == 0:
		return nil
	case len(trials) == 0 && others:
		return command.ExitCode(command.ExitFindings)
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
	if failed || badly || len(gaps) > 0 {
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
	Gaps   []mesh.Gap    `json:"gaps"`
}
