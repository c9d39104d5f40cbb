package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (f *Frame) root(name string) *cobra.Command {
	name = strings.TrimSuffix(name, ".exe")
	root := &cobra.Command{
		Use:     name,
		Short:   f.Plugin.Short,
		Example: f.example(f.Plugin.Example),
		// The usage is no answer to an error at 3 a.m.: the error is.
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: f.Display},
	}
	root.SetIn(f.In)
	root.SetOut(f.Out)
	root.SetErr(f.ErrOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\nSee '%s --help'", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	f.Fleet.AddFlags(flags)
	for _, m := range f.Plugin.Meshes[:min(1, len(f.Plugin.Meshes))] { // further ones find theirs
		name := strings.ToLower(m.Name())
		flags.StringVarP(&f.Namespace, name+"-namespace", name[:1], m.SystemNamespace(),
			fmt.Sprintf("The namespace of %s's control plane, the same in all clusters", m.Name()))
	}
	flags.StringVar(&f.From, "from", "", "Read the clusters from this folder, which \"dump\" wrote, instead of asking them")
	flags.BoolVar(&f.FullNames, "full-names", false, "Show contexts by their whole names, not by the tails that distinguish long ones")
	f.must(root.MarkPersistentFlagDirname("from"))
	f.must(root.RegisterFlagCompletionFunc("contexts", f.completeContexts))
	f.must(root.RegisterFlagCompletionFunc("context", f.completeContext))

	if f.Plugin.Main != nil {
		f.Plugin.Main(f, root)
	}
	if f.Plugin.Commands != nil {
		root.AddCommand(f.Plugin.Commands(f)...)
	}
	root.AddCommand(f.newDump(), f.newExplain(), f.newVersion(), newOptions())
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		c.Example = f.example(c.Example)
	}
	hint(root)
	root.Long = f.Plugin.Long + "\n\n" + exitHelp
	if slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == "diff" }) {
		root.Long += diffHelp
	}
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		usage(cmd.OutOrStderr(), cmd)
		return nil
	})
	return root
}

const exitHelp = `Exit codes: 0 when there is nothing at or above --fail-on, 1 when there is, 2 when
the job could not be done, 3 with --strict when something was not checked.`

const diffHelp = ` "diff": 0 the same, 1 different, 2 an error.`

func (f *Frame) example(text string) string {
	return strings.ReplaceAll(text, "%[1]s", f.Display)
}

// must panics on a mistake in the program itself: completion for a flag that
// does not exist. Every test of a command would show it.
func (f *Frame) must(err error) {
	if err != nil {
		panic(err)
	}
}

// knownCommand reports what is no subcommand, and which one may have been meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return errors.New(text)
}

// hint adds to what is said of a command's arguments, and of those of the commands
// beneath it, where to read more.
func hint(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return fmt.Errorf("%w\nSee '%s --help'", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		hint(c)
	}
}

// exactArgs is cobra's check with an error that says what is wanted.
func exactArgs(n int, wanted string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return errors.New(wanted)
		}
		return nil
	}
}
