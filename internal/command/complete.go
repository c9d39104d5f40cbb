package command

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// contextNames are those of the kubeconfig; a kubeconfig that cannot be read
// completes to nothing, and a name that acts on a terminal is not offered.
func (f *Frame) contextNames() []string {
	kubeconfig, err := fleet.Load(f.Fleet, io.Discard)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(kubeconfig.ContextNames(), func(name string) bool { return printable.Line(name) != name })
}

func (f *Frame) completeContext(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return f.contextNames(), cobra.ShellCompDirectiveNoFileComp
}

// completeContexts completes the last name of a comma separated list.
func (f *Frame) completeContexts(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndex(typed, ",")+1]
	named := strings.Split(before, ",")
	var out []string
	for _, name := range f.contextNames() {
		taken := false
		for _, n := range named {
			taken = taken || n == name
		}
		if !taken {
			out = append(out, before+name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func completeCodes(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	entries, err := finding.Catalogue()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var out []string
	for _, e := range entries {
		if !slices.Contains(args, string(e.Code)) {
			out = append(out, cobra.CompletionWithDesc(string(e.Code), e.Meaning))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
