package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

func newDiagnose(f *command.Frame) *cobra.Command {
	namespace := ""
	cmd := &cobra.Command{
		Use:   "diagnose SERVICE[.NAMESPACE]",
		Short: "Say why a service is or is not reached from each cluster",
		Long: `Say what becomes of requests for a service from each cluster to each other one: a line
for each path with the verdict and its cause, the broken ones first, then evidence and the
command that mends it. Judged is what istiod makes of the API objects of all clusters: whether
it reads the other cluster, whether both mean the same service, networks and gateways, mutual
TLS, who may know the service, and what keeps requests near on purpose.

Each cluster is represented by one pod with a sidecar for each network that its pods are on, of
the service's namespace if there is one. Every replica of istiod is asked, by port-forward,
whether that pod's proxy is connected to it, and what it still has of clusters that it cannot
read any more. Where a path leads there, the proxy is asked, by port-forward or exec, whether
it holds something against the endpoints. -o wide shows every step and every endpoint.

Exit codes: 0 when all paths lead there or stay away on purpose, 1 when one is broken, 2 when
it cannot be told.`,
		Example: "  %[1]s diagnose cart.shop --contexts east,west\n  %[1]s diagnose cart -n shop -o wide\n  %[1]s diagnose cart.shop -o json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one service: diagnose SERVICE[.NAMESPACE]")
			}
			return nil
		},
		ValidArgsFunction: completeServices(f, &namespace, nil),
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "The namespace of the service, unless its name says it")
	output := f.AddOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		fleet, err := f.Gather(cmd.Context(), reads)
		if err != nil {
			return err
		}
		sayUnreached(f, fleet)
		if err := command.Unreachable(fleet); err != nil {
			return err
		}
		to, err := findService(fleet, args[0], namespace)
		if err != nil {
			return err
		}
		names := gatewayNames(cmd.Context(), f, network.Hostnames(fleet))
		seen := look(cmd.Context(), f, fleet, false)
		options := endpoints.Options{
			Hosts: names.Addresses, Known: known(fleet, remotesecrets.Verify(fleet, seen), names), Seen: &seen, Unsure: remotesecrets.Unsure(fleet, seen),
		}
		d, result, err := endpoints.Diagnose(fleet, to.Namespace, to.Name, options)
		if err != nil {
			return err
		}
		// What follows from the API objects reaches; what do the proxies themselves know?
		if options.Live = live(cmd.Context(), f, d); len(options.Live) > 0 {
			if d, result, err = endpoints.Diagnose(fleet, to.Namespace, to.Name, options); err != nil {
				return err
			}
		}
		switch format {
		case report.JSON, report.YAML:
			err = report.Encode(f.Out, format, newDiagnosisDocument(fleet, d, result))
		case report.Name:
			report.Names(f.Out, result)
		default:
			err = diagnosisPage(f.Page(output), d, result, format == report.Wide)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(f.ErrOut, diagnosisSummary(d))
		return exitOf(d)
	}
	return cmd
}

// live asks the proxies of the paths that reach what they have of the service; nobody where
// the clusters are those of a dump.
func live(ctx context.Context, f *command.Frame, d *endpoints.Diagnosis) endpoints.Live {
	if f.From != "" {
		return nil
	}
	sources := map[string][]endpoints.Source{}
	for _, s := range d.Sources() {
		sources[s.Cluster] = append(sources[s.Cluster], s)
	}
	out := endpoints.Live{}
	answers := survey.Ask(ctx, f, slices.Sorted(maps.Keys(sources)), func(ctx context.Context, c survey.Cluster) ([]facts.Read[[]envoy.Cluster], error) {
		var pods []podaccess.Pod
		for _, s := range sources[c.Context] {
			namespace, name, _ := strings.Cut(s.Pod, "/")
			pods = append(pods, podaccess.Pod{Namespace: namespace, Name: name})
		}
		return survey.Envoys(ctx, c, pods, []string{d.Host}), nil
	})
	for name, answer := range answers {
		for i, s := range sources[name] {
			if answer.Err != nil {
				out[s] = facts.Read[[]envoy.Cluster]{State: facts.Failed, Reason: answer.Err.Error()}
			} else {
				out[s] = answer.Value[i]
			}
		}
	}
	return out
}

// exitOf is the exit code of a diagnosis.
func exitOf(d *endpoints.Diagnosis) error {
	switch v := d.Verdict(); {
	case v.Failed():
		return command.ExitCode(command.ExitFindings)
	case v == endpoints.Unknown:
		return command.ExitCode(command.ExitFailed)
	}
	return nil
}

// sayUnreached tells on the error stream of which clusters nothing is known.
func sayUnreached(f *command.Frame, fleet *facts.Fleet) {
	for _, found := range reach.Judge(fleet).Findings {
		if found.Severity == finding.Error {
			fmt.Fprintf(f.ErrOut, "%s: %s (%s)\n", printable.Line(strings.Join(found.Clusters, ", ")), printable.Line(found.Title), found.Code)
		}
	}
}

// diagnosisDocument is what -o json and yaml print.
type diagnosisDocument struct {
	report.Meta
	At      time.Time         `json:"at"`
	Verdict endpoints.Verdict `json:"verdict"`
	*endpoints.Diagnosis
	Findings []report.IdentifiedFinding `json:"findings"`
	Unknowns []finding.Unknown          `json:"unknowns"`
}

func newDiagnosisDocument(fleet *facts.Fleet, d *endpoints.Diagnosis, result finding.Result) diagnosisDocument {
	r := report.NewReport("", fleet, result)
	return diagnosisDocument{
		Meta: report.NewMeta("Diagnosis"), At: r.At, Verdict: d.Verdict(), Diagnosis: d, Findings: r.Findings, Unknowns: r.Unknowns,
	}
}
