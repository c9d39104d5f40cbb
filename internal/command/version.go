package command

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are set when a release is built.
var version, commit string

// Version is that of the program: of the release, else of the module, else "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

func (f *Frame) newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			built := Version()
			if commit != "" {
				built += " (commit " + commit + ")"
			}
			_, err := fmt.Fprintf(f.Out, "%s %s %s %s/%s\n", f.Plugin.Name, built, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
