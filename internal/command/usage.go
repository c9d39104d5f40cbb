package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is how wide help is at most: terminals have 80 columns.
const helpWidth = 78

// usage writes how a command is used: as cobra's template does, which takes text/template and with it
// six megabytes of methods that nothing calls. The flags of all commands have a command of their
// own, as in kubectl.
func usage(w io.Writer, cmd *cobra.Command) {
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("Usage:")
	if cmd.Runnable() {
		line("  %s", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		line("  %s [command]", cmd.CommandPath())
	}
	if cmd.HasExample() {
		line("\nExamples:\n%s", strings.TrimRight(cmd.Example, "\n"))
	}
	if cmd.HasAvailableSubCommands() {
		line("\nAvailable Commands:")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() || c.Name() == "help" {
				line("  %-*s %s", cmd.NamePadding(), c.Name(), c.Short)
			}
		}
	}
	if flags := cmd.LocalNonPersistentFlags(); flags.HasAvailableFlags() {
		line("\nFlags:\n%s", strings.TrimRight(flags.FlagUsagesWrapped(helpWidth), " \n"))
	}
	root := cmd.Root()
	line("")
	if cmd.HasAvailableSubCommands() {
		line("Use %q for more about a command.", cmd.CommandPath()+" [command] --help")
	}
	line("Use %q for the flags of all commands.", root.CommandPath()+" options")
}

// newOptions lists the flags that all commands have.
func newOptions() *cobra.Command {
	return &cobra.Command{
		Use: "options", Short: "List the flags of all commands", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "These flags can be given to any command:\n\n%s",
				cmd.Root().PersistentFlags().FlagUsagesWrapped(helpWidth))
			return err
		},
	}
}
