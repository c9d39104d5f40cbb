package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/remotes"
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
the service's namespace if there is one. -o wide shows every step and every endpoint.

Exit codes: 0 when all paths lead there or stay away on purpose, 1 when one is broken, 2 when
it cannot be told.`,
		Example: "  %[1]s diagnose cart.shop --contexts east,west\n  %[1]s diagnose cart -n shop -o wide\n  %[1]s diagnose cart.shop -o json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one service: diagnose SERVICE[.NAMESPACE]")
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return serviceNames(cmd, f, namespace), cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "The namespace of the service, unless its name says it")
	output := f.AddOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		name, ns, err := parseService(args[0], namespace)
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
		if ns, err = namespaceOf(fleet, name, ns); err != nil {
			return err
		}
		hosts := gatewayHosts(cmd.Context(), f, fleet)
		secrets := remotes.Verify(fleet, look(cmd.Context(), f, fleet, false))
		d, result, err := endpoints.Diagnose(fleet, ns, name, endpoints.Options{Hosts: hosts, Known: known(fleet, secrets, hosts)})
		if err != nil {
			return err
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

// parseService reads name, name.namespace, or a host such as name.namespace.svc.cluster.local.
func parseService(arg, namespace string) (name, ns string, err error) {
	name, rest, dotted := strings.Cut(arg, ".")
	ns, _, _ = strings.Cut(rest, ".")
	switch {
	case name == "" || dotted && ns == "" || strings.ContainsAny(arg, "/ "):
		return "", "", fmt.Errorf("%q is no name of a service: write SERVICE or SERVICE.NAMESPACE", arg)
	case dotted && namespace != "" && ns != namespace:
		return "", "", fmt.Errorf("%s names namespace %s, and --namespace %s: give one of them", arg, ns, namespace)
	case !dotted:
		ns = namespace
	}
	return name, ns, nil
}

// namespaceOf is the namespace of a service for which none was named: the only one that
// has it.
func namespaceOf(fleet *facts.Fleet, name, namespace string) (string, error) {
	if namespace != "" {
		return namespace, nil
	}
	var found []string
	for _, c := range fleet.Clusters {
		for _, s := range c.Services.Value {
			if s.Name == name && !slices.Contains(found, s.Namespace) {
				found = append(found, s.Namespace)
			}
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no cluster that was read has a Service %s; --namespace and --contexts say where to look", name)
	case 1:
		return found[0], nil
	default:
		return "", fmt.Errorf("there is a Service %s in namespaces %s: write %s.NAMESPACE", name, strings.Join(found, ", "), name)
	}
}

// sayUnreached tells on the error stream of which clusters nothing is known.
func sayUnreached(f *command.Frame, fleet *facts.Fleet) {
	for _, found := range reach.Judge(fleet).Findings {
		if found.Severity == finding.Error {
			fmt.Fprintf(f.ErrOut, "%s: %s (%s)\n", printable.Line(strings.Join(found.Clusters, ", ")), printable.Line(found.Title), found.Code)
		}
	}
}

// serviceNames completes to what the clusters have; a cluster that does not answer soon
// completes to nothing.
func serviceNames(cmd *cobra.Command, f *command.Frame, namespace string) []string {
	quiet := *f
	quiet.ErrOut = io.Discard
	flags := *f.Fleet
	flags.Timeout = 3 * time.Second
	quiet.Fleet = &flags
	fleet, err := quiet.Gather(cmd.Context(), survey.Services)
	if err != nil {
		return nil
	}
	var out []string
	for _, c := range fleet.Clusters {
		for _, s := range c.Services.Value {
			if namespace == "" {
				out = append(out, s.Name+"."+s.Namespace)
			} else if s.Namespace == namespace {
				out = append(out, s.Name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
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
