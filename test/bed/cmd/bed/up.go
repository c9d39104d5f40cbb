package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// upOptions are the flags of bed up.
type upOptions struct {
	scenario string
	clusters string
}

// up starts a fleet, fills it, and waits until the context ends.
func up(ctx context.Context, options upOptions, out, log io.Writer) (err error) {
	var names []string
	switch {
	case options.clusters != "":
		names = strings.Split(options.clusters, ",")
	case options.scenario == "":
		names = []string{"east", "west"}
	}
	fmt.Fprintln(out, "Starting the clusters ...")
	config := bed.Config{Clusters: names, Log: log}
	var fleet *bed.Fleet
	if options.scenario != "" {
		fleet, err = bed.StartScenario(ctx, options.scenario, config)
	} else {
		fleet, err = bed.Start(ctx, config)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()

	fmt.Fprintf(out, "\nThe clusters are up. In another terminal:\n\n  export KUBECONFIG=%s\n", fleet.Kubeconfig())
	for _, cluster := range fleet.Clusters() {
		fmt.Fprintf(out, "  kubectl --context %s get namespaces\n", cluster.Name())
	}
	if mesh := fleet.Mesh(); mesh != nil {
		describeMesh(out, mesh)
	}
	fmt.Fprint(out, "\nCtrl-C stops them.\n")
	<-ctx.Done()
	fmt.Fprintln(out, "\nStopping ...")
	return nil
}
