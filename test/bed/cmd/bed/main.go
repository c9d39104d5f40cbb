// Command bed runs the test bed by hand: it compiles the servers, and starts
// fleets of clusters that hold a scenario.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `Usage:
  bed build [NAME...]       compile the servers and kubectl, or those that are named,
                            and print their paths
  bed list                  list the scenarios
  bed up [flags]            start clusters and wait for Ctrl-C
    --scenario NAME-or-DIR  what the clusters hold
    --clusters A,B          clusters beside those of the scenario (default without
                            a scenario: east,west)
`

// errUsage is returned for a command line that the usage explains.
var errUsage = errors.New("see the usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bed:", err)
		os.Exit(1)
	}
}

// run runs a command of the command line.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bed", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage) }
	var options upOptions
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "up":
		flags.StringVar(&options.scenario, "scenario", "", "")
		flags.StringVar(&options.clusters, "clusters", "", "")
	case "build", "list":
	case "help", "-h", "-help", "--help":
		fmt.Print(usage)
		return nil
	default:
		flags.Usage()
		return errUsage
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage
	}
	if flags.NArg() > 0 && command != "build" {
		flags.Usage()
		return errUsage
	}
	switch command {
	case "build":
		return build(ctx, flags.Args(), os.Stdout, os.Stderr)
	case "list":
		return list(ctx, os.Stdout)
	default:
		return up(ctx, options, os.Stdout, os.Stderr)
	}
}
