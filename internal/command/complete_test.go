package command

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// complete returns what a shell offers for the last of the arguments: of what it
// is given, what begins so.
func complete(t *testing.T, args ...string) (offered []string, directive string) {
	t.Helper()
	stdout, stderr, code := run(t, append([]string{cobra.ShellCompNoDescRequestCmd}, args...)...)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != ExitOK || len(lines) == 0 {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	_, directive, _ = strings.Cut(strings.TrimSpace(stderr), "Completion ended with directive: ")
	for _, line := range lines[:len(lines)-1] {
		if strings.HasPrefix(line, args[len(args)-1]) {
			offered = append(offered, line)
		}
	}
	return offered, directive
}

func TestCompletion(t *testing.T) {
	file := kubeconfig(t, "east", map[string]string{"east": "https://e", "west": "https://w", "west-2": "https://w2"})
	const noFiles = "ShellCompDirectiveNoFileComp"
	for name, c := range map[string]struct {
		args      []string
		want      []string
		directive string
	}{
		"a context":                    {[]string{"judge", "--context", ""}, []string{"east", "west", "west-2"}, noFiles},
		"contexts, the first":          {[]string{"judge", "--contexts", ""}, []string{"east", "west", "west-2"}, "ShellCompDirectiveNoSpace, " + noFiles},
		"contexts, one that begins":    {[]string{"judge", "--contexts", "we"}, []string{"west", "west-2"}, "ShellCompDirectiveNoSpace, " + noFiles},
		"contexts, the next":           {[]string{"judge", "--contexts", "west,"}, []string{"west,east", "west,west-2"}, "ShellCompDirectiveNoSpace, " + noFiles},
		"contexts, the third begun":    {[]string{"judge", "--contexts", "west,east,w"}, []string{"west,east,west-2"}, "ShellCompDirectiveNoSpace, " + noFiles},
		"contexts, none left":          {[]string{"judge", "--contexts", "west,east,west-2,"}, nil, "ShellCompDirectiveNoSpace, " + noFiles},
		"an output format":             {[]string{"judge", "-o", ""}, []string{"table", "wide", "json", "yaml", "name"}, noFiles},
		"a severity":                   {[]string{"judge", "--fail-on", ""}, []string{"error", "warning", "note", "never"}, noFiles},
		"a color mode":                 {[]string{"judge", "--color", "a"}, []string{"auto", "always"}, noFiles},
		"a dump is a folder or a file": {[]string{"judge", "--from", ""}, nil, "ShellCompDirectiveDefault"},
		"manifests are files":          {[]string{"judge", "--with", ""}, nil, "ShellCompDirectiveDefault"},
		"manifests of a cluster":       {[]string{"judge", "--with", "we"}, []string{"west=", "west-2="}, "ShellCompDirectiveNoSpace"},
		"manifests, and no cluster":    {[]string{"judge", "--with", "west=gat"}, nil, "ShellCompDirectiveDefault"},
		"a code":                       {[]string{"explain", "CERT00"}, []string{"CERT001", "CERT002", "CERT003", "CERT004", "CERT005", "CERT006", "CERT007", "CERT008", "CERT009"}, noFiles},
		"a further code":               {[]string{"explain", "CERT001", "CERT02"}, []string{"CERT020", "CERT021"}, noFiles},
	} {
		t.Run(name, func(t *testing.T) {
			got, directive := complete(t, append([]string{"--kubeconfig", file}, c.args...)...)
			if diff := cmp.Diff(c.want, got, equateEmpty); diff != "" {
				t.Errorf("offered (-want +got):\n%s", diff)
			}
			if directive != c.directive {
				t.Errorf("directive %s, want %s", directive, c.directive)
			}
		})
	}

	t.Run("without a kubeconfig there is nothing to offer", func(t *testing.T) {
		if got, directive := complete(t, "judge", "--contexts", ""); len(got) > 0 || !strings.Contains(directive, noFiles) {
			t.Errorf("%v, %s", got, directive)
		}
	})
}

// nil and an empty list are the same here.
var equateEmpty = cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())

// kubectl runs the plugin by the name of kubectl_complete-… to have the rest of
// the command line completed.
func TestCompletionForKubectl(t *testing.T) {
	stdout, _, code := runAs(t, "/usr/local/bin/kubectl_complete-mesh_test", "explain", "CERT002")
	if code != ExitOK || !strings.Contains(stdout, "\nCERT002\tClusters do not trust one another's certificates\n") || !strings.HasSuffix(stdout, "\n:4\n") {
		t.Errorf("exit code %d: %q", code, stdout)
	}
}
