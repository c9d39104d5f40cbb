package main

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/network"
)

func newVerify(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what is wrong with the networks and gateways of the mesh",
		Long: `Judge which network each cluster and pod is on, and whether there is a gateway to each
network that can work. In a fleet that is one network there is nothing to judge of
either. Root causes come first, with what they cause beneath them. What could not be
judged is listed as such: what may not be read, and host names, which istiod resolves by
name servers of its own. Nothing is connected to.`,
		Example: "  %[1]s verify --contexts east,west\n  %[1]s verify -o json --fail-on warning",
		Args:    cobra.NoArgs,
	}
	f.Verify(cmd, judges, nil, func(fleet *facts.Fleet) finding.Result { return network.Verify(fleet, network.Options{}) })
	return cmd
}
