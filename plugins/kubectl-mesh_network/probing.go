package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

// defaultWait is how long a name, a connection or TLS may take.
const defaultWait = 5 * time.Second

// probing are the flags that say how gateways are tried.
type probing struct {
	fromPods []string
	wait     time.Duration
	connect  bool // to the addresses that a dump names
}

func addProbing(cmd *cobra.Command) *probing {
	p := &probing{}
	cmd.Flags().StringArrayVar(&p.fromPods, "from-pod", nil,
		"Try from `pod` context/namespace/pod[/container]")
	cmd.Flags().DurationVar(&p.wait, "connect-timeout", defaultWait, "The `time` that each step may take")
	cmd.Flags().BoolVar(&p.connect, "connect", false, "Connect to the addresses in a dump")
	if err := cmd.RegisterFlagCompletionFunc("from-pod", cobra.NoFileCompletions); err != nil {
		panic(err)
	}
	return p
}

// check looks at the flags before anything is asked.
func (p *probing) check(f *command.Frame) error {
	if p.wait <= 0 {
		return fmt.Errorf("--connect-timeout %s is not a time: give a duration such as 5s", p.wait)
	}
	switch dumped := f.Dumped(); {
	case dumped && len(p.fromPods) > 0:
		return errors.New("--from-pod needs live clusters; leave out --from")
	case dumped && !p.connect:
		return errors.New("a dump can name any address, also one of somebody else: " +
			"add --connect to connect from this machine to those that it names")
	case !dumped && p.connect:
		return errors.New("--connect is about the addresses in a dump: add --from, or leave it out")
	}
	for _, text := range p.fromPods {
		if n := strings.Count(text, "/"); n < 2 || strings.Contains("/"+text+"/", "//") {
			return fmt.Errorf("--from-pod %s is not context/namespace/pod or context/namespace/pod/container", text)
		}
	}
	return nil
}

// wish is what the flags ask for.
func (p *probing) wish() mesh.Probing { return mesh.Probing{FromPods: p.fromPods, Wait: p.wait} }
