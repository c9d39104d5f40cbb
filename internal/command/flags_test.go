package command

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What people type who know kubectl is answered by a sentence.
func TestFlagsOfKubectl(t *testing.T) {
	for typed, want := range map[string]string{
		"--form=dump":       "unknown flag: --form; did you mean --from?",
		"-n=shop":           "whole clusters are checked",
		"--namespace=shop":  "whole clusters are checked",
		"-A":                "all namespaces are checked without it",
		"--server=https://": "kubectl config set-context",
		"--no-color":        "--color never",
		"--quite-other":     "See 'mesh --help'",
	} {
		cmd := &cobra.Command{Use: "mesh", SilenceUsage: true, SilenceErrors: true, Run: func(*cobra.Command, []string) {}}
		cmd.Flags().String("from", "", "")
		cmd.SetFlagErrorFunc(flagError)
		cmd.SetArgs([]string{typed})
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", typed, err, want)
		}
	}
}
