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
		Long: `Check which network each cluster and pod is on, and whether there is a gateway to each
network that can work. In a fleet that is one network there is nothing to check of
either. Root causes come first, each followed by what it causes. What could not be
checked is listed as such, such as what may not be read.

This machine resolves the host names of gateways, unless the clusters are read from a
dump: a hint, as istiod has name servers of its own. With --probe gateways, and the control
planes that remote clusters use, are tried as well, as "probe" does. What this machine does
not reach is a warning; only where a pod of another network, or of the remote cluster, does
not reach it either, by --from-pod, is it an error.`,
		Example: "  %[1]s verify --contexts east,west\n" +
			"  %[1]s verify -o json --fail-on warning\n" +
			"  %[1]s verify --probe --from-pod east/shop/cart-6d5c8b9f7-x2x4z",
		Args: cobra.NoArgs,
	}
	probing, wanted := addProbing(cmd), false
	cmd.Flags().BoolVar(&wanted, "probe", false, "Try the addresses of gateways and remote control planes too")
	f.Verify(cmd, command.Verification{
		Areas: areas,
		Check: func() error {
			if !wanted && (len(probing.fromPods) > 0 || cmd.Flags().Changed("connect-timeout")) {
				return errors.New("--from-pod and --connect-timeout are about how gateways are tried; add --probe")
			}
			return probing.check(f)
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
