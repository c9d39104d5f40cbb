package command

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

func (f *Frame) newDump() *cobra.Command {
	return &cobra.Command{
		Use:   "dump FOLDER",
		Short: "Write what the rules read to a folder, without secrets",
		Long: `Write what the rules read of each cluster to a new folder of ordinary
Kubernetes manifests, to be checked elsewhere with --from. Private keys and
credentials are not in it: of a private key there is the fingerprint of its
public half, of a remote secret the server and whom its token is for.`,
		Example: "  %[1]s dump --contexts east,west fleet/\n  %[1]s verify --from fleet/",
		Args:    exactArgs(1, "dump wants one argument: the folder to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			fleet, err := f.Gather(cmd.Context(), f.Plugin.Rows())
			if err != nil {
				return err
			}
			if err := dump.Write(args[0], fleet, f.table()); err != nil {
				return err
			}
			for _, c := range fleet.Clusters {
				if c.Unreached != nil {
					note(f.ErrOut, "%s was not reached: %s", printable.Line(c.Context), c.Unreached.Reason)
				}
			}
			note(f.ErrOut, "Wrote %s: check it with '%s verify --from %s'.", args[0], f.Display, args[0])
			return Unreachable(fleet)
		},
	}
}
