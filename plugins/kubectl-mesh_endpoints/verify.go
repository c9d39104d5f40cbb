package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/remotes"
)

// ruleSets are what verify judges by. Each may ask the clusters something more.
var ruleSets = []func(context.Context, *command.Frame, *facts.Fleet) finding.Result{
	func(ctx context.Context, f *command.Frame, fleet *facts.Fleet) finding.Result {
		return remotes.Verify(fleet, look(ctx, f, fleet, false))
	},
}

func newVerify(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what keeps control planes from seeing other clusters",
		Long: `Judge whether each control plane reads the clusters that it should, by the remote secrets,
by what the other clusters let it read, and by what every replica of istiod says of itself.
Root causes come first, with what they cause beneath them. No credential of a remote secret
is used: "secrets --connect" does that. What could not be judged is listed as such.`,
		Example: "  %[1]s verify --contexts east,west\n  %[1]s verify -o json --fail-on warning",
		Args:    cobra.NoArgs,
	}
	f.Verify(cmd, reads, nil, func(fleet *facts.Fleet) finding.Result {
		var out finding.Result
		for _, rules := range ruleSets {
			out.Merge(rules(cmd.Context(), f, fleet))
		}
		return out
	})
	return cmd
}
