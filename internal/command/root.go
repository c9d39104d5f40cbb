package command

import (
	"errors"
	"fmt"
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
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	f.persistent = flags
	f.Fleet.AddFlags(flags)
	for _, m := range f.Plugin.Meshes[:min(1, len(f.Plugin.Meshes))] { // further ones find theirs
		name := strings.ToLower(m.Name())
		flags.StringVarP(&f.Namespace, name+"-namespace", name[:1], m.SystemNamespace(),
			fmt.Sprintf("The namespace of %s's control plane, the same in all clusters", m.Name()))
	}
	flags.StringArrayVar(&f.From, "from", nil, "Read clusters from this folder, archive or file, or - for standard input, instead of "+
		"asking them: what \"dump\" wrote, istioctl bug-report, must-gather, kubectl get -o yaml; NAME=PATH names one; can be repeated")
	flags.StringSliceVar(&f.Only, "mesh", nil, "Look for these meshes alone, whatever clusters have: "+
		strings.Join(meshNames(f.Plugin.Meshes), ", ")+" (default: those that they have)")
	flags.BoolVar(&f.FullNames, "full-names", false, "Show contexts by their whole names, not by the tails that distinguish long ones")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return f.chooseMeshes() }
	f.must(root.RegisterFlagCompletionFunc("mesh", cobra.FixedCompletions(meshNames(f.Plugin.Meshes), cobra.ShellCompDirectiveNoFileComp)))
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
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Args = func(_ *cobra.Command, args []string) error { // without it the help of all answers anything
				if found, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return knownCommand(found, args[max(0, len(args)-max(len(rest), 1)):])
				}
				return nil
			}
		}
		if c.Name() == "completion" {
			c.Short = "Print a script that completes commands in a shell"
			c.Long = c.Short + ".\nThe help of each shell says how to use it."
			for _, shell := range c.Commands() {
				shell.Long = "Print the script for " + shell.Name() + ". This loads it into the present shell:\n\n  " +
					fmt.Sprintf(loads[shell.Name()], name, shell.Name())
			}
		}
	}
	for _, c := range root.Commands() {
		c.Example = f.example(c.Example)
	}
	hint(root)
	root.Long = f.Plugin.Long
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		usage(cmd.OutOrStderr(), cmd)
		return nil
	})
	return root
}

func (f *Frame) example(text string) string {
	return strings.ReplaceAll(text, "%[1]s", f.Display)
}

// loads are the commands that load the script into a shell.
var loads = map[string]string{
	"bash": "source <(%s completion %s)", "zsh": "source <(%s completion %s)", "fish": "%s completion %s | source",
	"powershell": "%s completion %s | Out-String | iex",
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
