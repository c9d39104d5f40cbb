package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/similar"
)

func newVerify(f *command.Frame) *cobra.Command {
	namespace, selector, all := "", "", false
	var selects func(map[string]string) bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what keeps services from being reached across clusters",
		Long: `Check whether each control plane watches the clusters that it should, whether
proxies are connected to theirs, and whether each service of several clusters
is reached, as "diagnose" does for one.`,
		Example: `  %[1]s verify --contexts east,west
  %[1]s verify -n shop -l app=cart -o json`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "Check the services of this `namespace` alone")
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "Check all namespaces, as without -n")
	cmd.Flags().StringVarP(&selector, "selector", "l", "", "Check the services with these `labels` alone, as in kubectl get -l")
	f.Verify(cmd, command.Verification{
		Areas: areas,
		Check: func() error {
			if all && namespace != "" {
				return errors.New("--namespace and --all-namespaces exclude each other: give one of them")
			}
			if selector == "" {
				return nil
			}
			s, err := labels.Parse(selector)
			if err != nil {
				return fmt.Errorf("--selector %q: %w; write it as for kubectl get -l", selector, err)
			}
			selects = func(l map[string]string) bool { return s.Matches(labels.Set(l)) }
			return nil
		},
		Exists: func(fleet *facts.Fleet) error { return exists(fleet, namespace, selector, selects) },
		Wishes: func() []any { return []any{mesh.Services{Namespace: namespace, Selects: selects}} },
	})
	return cmd
}

// exists is an error where no cluster has the namespace, or a Service with the labels. Where
// one could not be read, it may be there.
func exists(fleet *facts.Fleet, namespace, selector string, selects func(map[string]string) bool) error {
	var namespaces []string
	there, selected := namespace == "", selects == nil
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		all, services := kubernetes.Namespaces.Of(c), resources.Services.Of(c)
		if c.Unreached != nil || !all.Known() || !services.Known() {
			return nil
		}
		for _, ns := range all.Value {
			namespaces = append(namespaces, ns.Name)
			there = there || ns.Name == namespace
		}
		for _, s := range services.Value {
			there = there || s.Namespace == namespace
			selected = selected || (namespace == "" || s.Namespace == namespace) && selects(s.Labels)
		}
	}
	switch {
	case !there:
		text := fmt.Sprintf("no cluster has namespace %q", namespace)
		if near := similar.Names(namespace, finding.Distinct(namespaces), 3); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return errors.New(text)
	case !selected && namespace != "":
		return fmt.Errorf("no cluster has a Service with labels %q in namespace %s", selector, namespace)
	case !selected:
		return fmt.Errorf("no cluster has a Service with labels %q", selector)
	}
	return nil
}
