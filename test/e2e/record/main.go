// Command record starts each scenario of the test bed and dumps it into a folder
// of its name.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

func main() {
	binary := flag.String("binary", "kubectl-mesh_certs", "the plugin that dumps")
	into := flag.String("into", "", "the folder that the dumps go to")
	flag.Parse()
	if err := record(context.Background(), *binary, *into); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func record(ctx context.Context, binary, into string) error {
	scenarios, err := bed.Scenarios(ctx)
	if err != nil {
		return err
	}
	for _, scenario := range scenarios {
		if err := dump(ctx, scenario.Dir, binary, filepath.Join(into, scenario.Name)); err != nil {
			return err
		}
	}
	return nil
}

func dump(ctx context.Context, scenario, binary, into string) (err error) {
	fleet, err := bed.StartScenario(ctx, scenario, bed.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	if err := os.RemoveAll(into); err != nil {
		return err
	}
	var contexts []string
	for _, c := range fleet.Clusters() {
		contexts = append(contexts, c.Name())
	}
	cmd := exec.CommandContext(ctx, binary, "dump", "--kubeconfig", fleet.Kubeconfig(), "--contexts", strings.Join(contexts, ","), into)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
