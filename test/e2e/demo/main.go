// Command demo runs mesh-certs on a scenario of the test bed, as make demo does on
// its recording.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

func main() {
	binary := flag.String("binary", "kubectl-mesh_certs", "the plugin")
	scenario := flag.String("scenario", "broken", "the scenario of the test bed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := demo(ctx, *binary, *scenario)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func demo(ctx context.Context, binary, scenario string) (err error) {
	fmt.Printf("Starting real API servers that hold the scenario %q ...\n", scenario)
	fleet, err := bed.StartScenario(ctx, scenario, bed.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	for _, args := range []string{"diff --contexts east,west", "verify --all-contexts"} {
		fmt.Printf("\n$ kubectl mesh-certs %s\n", args)
		cmd := exec.CommandContext(ctx, binary, strings.Fields(args)...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+fleet.Kubeconfig())
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		var exit *exec.ExitError
		if err := cmd.Run(); errors.As(err, &exit) && exit.ExitCode() == 1 {
			continue // something was found, which is the point
		} else if err != nil {
			return err
		}
	}
	return nil
}
