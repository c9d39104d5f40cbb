package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// upOptions are the flags of bed up.
type upOptions struct {
	scenario string
	clusters string
}

// up starts a fleet, fills it, and waits until the context ends.
func up(ctx context.Context, options upOptions, out, log io.Writer) (err error) {
	manifests := map[string][]*unstructured.Unstructured{}
	if options.scenario != "" {
		dir, err := bed.ScenarioDir(ctx, options.scenario)
		if err != nil {
			return err
		}
		if manifests, err = bed.LoadManifests(dir); err != nil {
			return err
		}
	}
	names := clusterNames(options.clusters, manifests)

	fmt.Fprintf(out, "Starting %s ...\n", strings.Join(names, ", "))
	fleet, err := bed.Start(ctx, bed.Config{Clusters: names, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()

	for _, name := range slices.Sorted(maps.Keys(manifests)) {
		cluster := fleet.Cluster(name)
		if cluster == nil {
			fmt.Fprintf(out, "The scenario's cluster %s is not among them.\n", name)
			continue
		}
		objects := make([]runtime.Object, len(manifests[name]))
		for i, object := range manifests[name] {
			objects[i] = object
		}
		if err := cluster.Apply(ctx, objects...); err != nil {
			return err
		}
	}

	fmt.Fprintf(out, "\nThe clusters are up. In another terminal:\n\n  export KUBECONFIG=%s\n", fleet.Kubeconfig())
	for _, name := range names {
		fmt.Fprintf(out, "  kubectl --context %s get namespaces\n", name)
	}
	fmt.Fprint(out, "\nCtrl-C stops them.\n")
	<-ctx.Done()
	fmt.Fprintln(out, "\nStopping ...")
	return nil
}

// clusterNames are the names that the user gave, or those of the scenario.
func clusterNames(given string, manifests map[string][]*unstructured.Unstructured) []string {
	switch {
	case given != "":
		return strings.Split(given, ",")
	case len(manifests) > 0:
		return slices.Sorted(maps.Keys(manifests))
	default:
		return []string{"east", "west"}
	}
}
