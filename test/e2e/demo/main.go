// Command demo runs the plugins on scenarios of the test bed, as make demo does on
// their recordings.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

func main() {
	binaries := flag.String("binaries", "", "the folder with the plugins")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := errors.Join(
		demo(ctx, *binaries, "broken", "mesh-certs diff --contexts east,west", "mesh-certs verify --all-contexts"),
		demo(ctx, *binaries, "networks", "mesh-network map --all-contexts", "mesh-network verify --all-contexts"),
	)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func demo(ctx context.Context, binaries, scenario string, commands ...string) (err error) {
	fmt.Printf("\nStarting real API servers that hold the scenario %q ...\n", scenario)
	fleet, err := bed.StartScenario(ctx, scenario, bed.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	for _, command := range commands {
		fmt.Printf("\n$ kubectl %s\n", command)
		plugin, args, _ := strings.Cut(command, " ")
		binary := filepath.Join(binaries, "kubectl-"+strings.ReplaceAll(plugin, "-", "_"))
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
