package command

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how wide help is at most: terminals have 80 columns.
const helpWidth = 78

// annotationOfAll marks flags that many commands have, which are listed once, by "options".
const annotationOfAll = "of all commands that print results"

// ofAll marks flags of a command as ones that all commands have which print results.
func ofAll(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		flag := cmd.Flags().Lookup(name)
		flag.Annotations = map[string][]string{annotationOfAll: {"true"}}
	}
}

// usage writes how a command is used: as cobra's template does, which takes text/template and with it
// six megabytes of methods that nothing calls. The flags of all commands have a command of their
// own, as in kubectl.
func usage(w io.Writer, cmd *cobra.Command) {
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	var ways []string
	if cmd.Runnable() && (cmd.HasParent() || hasOwnFlags(cmd)) {
		ways = append(ways, strings.TrimSuffix(cmd.UseLine(), " [flags]")+" [flags]")
	}
	if cmd.HasAvailableSubCommands() {
		ways = append(ways, cmd.CommandPath()+" [command]")
	}
	line("Usage: %s", strings.Join(ways, ", or "))
	if cmd.HasExample() {
		line("\nExamples:\n%s", strings.TrimRight(cmd.Example, "\n"))
	}
	var beneath []*cobra.Command
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			beneath = append(beneath, c)
		}
	}
	switch {
	case len(beneath) == 0:
	case hasOwnFlags(cmd): // there is no room for a line each
		names := make([]string, len(beneath))
		for i, c := range beneath {
			names[i] = c.Name()
		}
		line("\nCommands: %s", strings.Join(names, ", "))
	default:
		line("\nCommands:")
		for _, c := range beneath {
			line("  %-*s %s", cmd.NamePadding(), c.Name(), c.Short)
		}
	}
	if own := ownFlags(cmd); own.HasAvailableFlags() {
		line("\nFlags:\n%s", strings.TrimRight(own.FlagUsagesWrapped(helpWidth), " \n"))
	}
	line("Use \"%s options\" for the flags of all commands.", cmd.Root().CommandPath())
}

// ownFlags are the flags of a command that not all have.
func ownFlags(cmd *cobra.Command) *pflag.FlagSet {
	out := pflag.NewFlagSet("", pflag.ContinueOnError)
	out.SortFlags = false
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Annotations[annotationOfAll] == nil && flag.Name != "help" {
			out.AddFlag(flag)
		}
	})
	return out
}

func hasOwnFlags(cmd *cobra.Command) bool { return ownFlags(cmd).HasAvailableFlags() }

// newOptions lists the flags that all commands have.
func newOptions() *cobra.Command {
	return &cobra.Command{
		Use: "options", Short: "List the flags of all commands, and the exit codes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			results := pflag.NewFlagSet("", pflag.ContinueOnError)
			root := cmd.Root()
			for _, c := range append(slices.Clone(root.Commands()), root) {
				c.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
					if flag.Annotations[annotationOfAll] != nil && results.Lookup(flag.Name) == nil {
						results.AddFlag(flag)
					}
				})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(),
				"These flags can be given to any command:\n\n%s\nThese to any command that prints results:\n\n%s\n%s\n",
				root.PersistentFlags().FlagUsagesWrapped(helpWidth), results.FlagUsagesWrapped(helpWidth), exitHelp)
			return err
		},
	}
}

const exitHelp = `Exit codes: 0 when there is nothing at or above --fail-on, 1 when there is, 2
when the job could not be done, 3 with --strict when not all was checked.`
