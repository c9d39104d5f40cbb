package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

func newDiagnose(f *command.Frame) *cobra.Command {
	namespace := ""
	cmd := &cobra.Command{
		Use:   "diagnose SERVICE[.NAMESPACE]",
		Short: "Say why a service is or is not reached from each cluster",
		Long: `Say what becomes of requests for a service from each cluster to each other
one: whether istiod watches the other cluster, whether both mean the same
service, networks, gateways, mutual TLS, and what keeps requests near on
purpose. One pod with a sidecar stands for each cluster and network; it and
every replica of istiod are asked, by port-forward or exec. -o wide shows each
step. Of Linkerd it follows each Link, to what the destination controller
gives; of Gloo Mesh, the federated name of the service.

Exit codes: 0 when all paths lead there or stay away on purpose, 1 when one is
broken, 2 when it cannot be told.`,
		Example: `  %[1]s diagnose cart.shop --contexts east,west
  %[1]s diagnose cart -n shop -o wide
  %[1]s diagnose cart.shop --with west=gateway.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one service: diagnose SERVICE[.NAMESPACE]")
			}
			return nil
		},
		ValidArgsFunction: completeServices(f, &namespace, nil),
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "The service's namespace, unless its name says it")
	output, with := f.AddOutput(cmd), f.AddWith(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		if err := with.Read(); err != nil {
			return err
		}
		rows := command.DiagnosisRows(f.Plugin.Meshes)
		fleet, err := f.Gather(cmd.Context(), rows)
		if err != nil {
			return err
		}
		sayUnreached(f, fleet)
		if err := command.Unreachable(fleet); err != nil {
			return err
		}
		if with.Given() {
			supposed, err := with.Suppose(fleet, rows)
			if err != nil {
				return err
			}
			return diagnoseWith(cmd.Context(), with, supposed, fleet, asked{output, format, args[0], namespace})
		}
		to, err := findService(fleet, args[0], namespace)
		if err != nil {
			return err
		}
		d, result, err := f.Diagnose(cmd.Context(), fleet, to.Namespace, to.Name)
		if err != nil {
			return err
		}
		switch format.Kind() {
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

// exitOf is the exit code of a diagnosis.
func exitOf(d *view.Diagnosis) error {
	switch v := d.Verdict(); {
	case v.Failed():
		return command.ExitCode(command.ExitFindings)
	case v == view.Unknown:
		return command.ExitCode(command.ExitFailed)
	}
	return nil
}

// sayUnreached tells on the error stream of which clusters nothing is known.
func sayUnreached(f *command.Frame, fleet *facts.Fleet) {
	for _, found := range reach.Check(fleet, nil).Findings {
		if found.Severity == finding.Error {
			fmt.Fprintf(f.ErrOut, "%s: %s (%s)\n", printable.Line(strings.Join(found.Clusters, ", ")), printable.Line(found.Title), found.Code)
		}
	}
}

// diagnosisDocument is what -o json and yaml print.
type diagnosisDocument struct {
	report.Meta
	At      time.Time    `json:"at"`
	Verdict view.Verdict `json:"verdict"`
	*view.Diagnosis
	Findings []report.IdentifiedFinding `json:"findings"`
	Unknowns []finding.Unknown          `json:"unknowns"`
}

func newDiagnosisDocument(fleet *facts.Fleet, d *view.Diagnosis, result finding.Result) diagnosisDocument {
	r := report.NewReport("", fleet, result)
	return diagnosisDocument{
		Meta: report.NewMeta("Diagnosis"), At: r.At, Verdict: d.Verdict(), Diagnosis: d, Findings: r.Findings, Unknowns: r.Unknowns,
	}
}
