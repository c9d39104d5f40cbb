package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// everything are all areas.
var everything = []mesh.Area{mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints}

func (f *Frame) newDump() *cobra.Command {
	return &cobra.Command{
		Use:   "dump FOLDER|FLEET.tar.gz",
		Short: "Write what the rules read, without secrets, to files",
		Long: `Write what the rules read of each cluster to a new folder of ordinary
Kubernetes manifests, to be checked elsewhere with --from. Private keys and
credentials are not in it: of a private key there is the fingerprint of its
public half, of a remote secret the server and whom its token is for.

An archive holds what the rules of all plugins read, and what control planes
and some proxies answered when they were asked.`,
		Example: "  %[1]s dump --contexts east,west fleet/\n  %[1]s dump --contexts east,west fleet.tar.gz\n  %[1]s verify --from fleet.tar.gz",
		Args:    exactArgs(1, "dump wants one argument: the folder or the archive to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			thriftier() // what is read is written once, and nothing of it is judged
			rows, archive := f.Plugin.Rows(), dump.IsArchive(args[0])
			if archive {
				rows = f.Resources([]any{mesh.AskProxies{}}, everything...)
			}
			fleet, err := f.Gather(cmd.Context(), rows)
			if err != nil {
				return err
			}
			var said map[string][]podaccess.Answer
			if archive {
				said = f.record(cmd.Context(), fleet)
			}
			if err := dump.WriteAll(args[0], fleet, f.table(), said); err != nil {
				return err
			}
			for _, c := range fleet.Clusters {
				if c.Unreached != nil {
					note(f.ErrOut, "%s was not reached: %s", printable.Line(c.Context), c.Unreached.Reason)
				}
			}
			note(f.ErrOut, "Wrote %s: check it with '%s --from %s'.", args[0], f.checking(), args[0])
			return Unreachable(fleet)
		},
	}
}

// checking is the command that checks a fleet.
func (f *Frame) checking() string {
	if f.Plugin.Main != nil {
		return f.Display
	}
	return f.Display + " verify"
}

// record asks pods what rules ask them, by context.
func (f *Frame) record(ctx context.Context, fleet *facts.Fleet) map[string][]podaccess.Answer {
	out := map[string][]podaccess.Answer{}
	for _, m := range f.inForce(fleet) {
		if r, ok := m.(mesh.Recorder); ok {
			for context, said := range r.Record(ctx, f.Run(fleet, everything...)) {
				out[context] = append(out[context], said...)
			}
		}
	}
	return out
}
