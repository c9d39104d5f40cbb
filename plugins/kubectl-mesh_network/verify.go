package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
)

func newVerify(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what is wrong with the networks and gateways of the mesh",
		Long: `Check the networks of clusters and pods, and that a gateway to each can work.
--probe tries gateways and control planes: what this machine does not reach is
a warning, and an error where no pod elsewhere does.`,
		Example: `  %[1]s verify --contexts east,west
  %[1]s verify --with west=gateway.yaml --contexts east,west`,
		Args: cobra.NoArgs,
	}
	probing, wanted := addProbing(cmd), false
	cmd.Flags().BoolVar(&wanted, "probe", false, "Try gateways and remote control planes too")
	f.Verify(cmd, command.Verification{
		Areas: areas,
		Check: func() error {
			if wanted {
				return probing.check(f)
			}
			if len(probing.fromPods) > 0 || probing.connect || cmd.Flags().Changed("connect-timeout") {
				return errors.New("--from-pod, --connect and --connect-timeout are about how gateways are tried; add --probe")
			}
			return nil
		},
		Wishes: func() []any {
			if !wanted {
				return nil
			}
			return []any{probing.wish()}
		},
	})
	return cmd
}
