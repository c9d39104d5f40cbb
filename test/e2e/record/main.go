// Command record starts each scenario of the test bed and dumps it into a folder
// of its name.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

func main() {
	binaries := flag.String("binaries", "", "the folder with the plugins that dump")
	only := flag.String("only", "", "the one scenario to record; all where it is empty")
	into := flag.String("into", "", "the folder that the dumps go to")
	flag.Parse()
	if err := record(context.Background(), *binaries, *only, *into); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// plugins dump the scenarios that are theirs, all others mesh-certs.
var plugins = map[string]string{"networks": "kubectl-mesh_network"}

func record(ctx context.Context, binaries, only, into string) error {
	scenarios, err := bed.Scenarios(ctx)
	if err != nil {
		return err
	}
	for _, scenario := range scenarios {
		// A topology is in no two runs the same.
		if scenario.Topology || only != "" && scenario.Name != only {
			continue
		}
		binary := filepath.Join(binaries, cmp.Or(plugins[scenario.Name], "kubectl-mesh_certs"))
		if err := dump(ctx, scenario.Dir, binary, filepath.Join(into, scenario.Name)); err != nil {
			return err
		}
	}
	for name, write := range map[string]func(string) error{services: writeServices, whole: writeWhole} {
		if only == "" || only == name {
			if err := write(into); err != nil {
				return err
			}
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
	if err := cmd.Run(); err != nil {
		return err
	}
	return errors.Join(named(into), later(filepath.Join(into, "fleet.yaml")))
}

// later dates a dump three hours later: a recording shows a fleet in which
// things have been as they are for a while, and not one that was made just now.
func later(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var index map[string]any
	if err := yaml.Unmarshal(text, &index); err != nil {
		return err
	}
	written, _ := index["at"].(string)
	at, err := time.Parse(time.RFC3339, written)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	index["at"] = at.Add(3 * time.Hour).Format(time.RFC3339)
	if text, err = yaml.Marshal(index); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
