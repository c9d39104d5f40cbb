package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// kubectl is a real one, and the PATH on which it finds the plugin and the plugin's
// completion.
func kubectl(t *testing.T) (program string, env []string) {
	t.Helper()
	program, err := bed.Build(t.Context(), "kubectl", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"kubectl-mesh_certs", "kubectl_complete-mesh_certs"} {
		if err := os.Symlink(binary, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	path := strings.Join([]string{dir, filepath.Dir(program), os.Getenv("PATH")}, string(os.PathListSeparator))
	return program, []string{"PATH=" + path}
}

// byName makes a shell find a program on the PATH, so that it is called by its name
// alone; the first argument of the run has to be the name.
func byName(env []string) options {
	return options{program: "sh", env: env, before: []string{"-c", `exec "$0" "$@"`}}
}

func TestThroughKubectl(t *testing.T) {
	program, env := kubectl(t)
	o := options{program: program, env: env}
	f := istiotest.Healthy("east", "west")
	plant(t, f)
	if out := mesh(t, o, "mesh-certs", "verify", "--contexts", "east,west"); out.code != 0 || out.stdout != "" {
		t.Errorf("exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	if out := mesh(t, o, "mesh-certs", "diff", "--contexts", "east,nowhere"); out.code != 2 || !strings.Contains(out.stderr, `context "nowhere" does not exist`) {
		t.Errorf("exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	for _, args := range [][]string{{"--help"}, {"verify", "--help"}, {"diff", "--nonsense"}} {
		out := mesh(t, o, append([]string{"mesh-certs"}, args...)...)
		if text := out.stdout + out.stderr; !strings.Contains(text, "kubectl mesh-certs ") || strings.Contains(text, "mesh_certs") {
			t.Errorf("%s through kubectl does not call it that:\n%s", args, text)
		}
		out = mesh(t, byName(env), append([]string{"kubectl-mesh_certs"}, args...)...)
		if text := out.stdout + out.stderr; strings.Contains(text, "kubectl mesh-certs") || !strings.Contains(text, "kubectl-mesh_certs ") {
			t.Errorf("%s by its own name does not call it that:\n%s", args, text)
		}
	}
	if out := mesh(t, o, "plugin", "list"); !strings.Contains(out.stdout, "kubectl-mesh_certs") {
		t.Errorf("kubectl does not list it:\n%s%s", out.stdout, out.stderr)
	}
}

func TestCompletion(t *testing.T) {
	_, env := kubectl(t)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"verify", "--contexts", "ea"}, []string{"east"}},
		{[]string{"verify", "--contexts", "east,"}, []string{"east,north", "east,west"}},
		{[]string{"verify", "--context", ""}, []string{"east", "north", "west"}},
		{[]string{"explain", "CERT02"}, []string{"CERT020", "CERT021"}},
		{[]string{"verify", "-o", ""}, []string{"html", "json", "junit", "name", "prometheus", "sarif", "short", "table", "wide", "yaml"}},
		{[]string{"verify", "--fail-on", ""}, []string{"error", "never", "note", "warning"}},
		{[]string{"list", "--color", "a"}, []string{"always", "auto"}},
		{[]string{"ver"}, []string{"verify", "version"}},
	} {
		for _, args := range [][]string{
			append([]string{"kubectl", "__complete", "mesh-certs"}, c.args...),
			append([]string{"kubectl_complete-mesh_certs"}, c.args...),
			append([]string{"kubectl-mesh_certs", "__complete"}, c.args...),
		} {
			out := mesh(t, byName(env), args...)
			var got []string
			for line := range strings.Lines(out.stdout) {
				if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); word != "" && !strings.HasPrefix(word, ":") {
					got = append(got, word)
				}
			}
			slices.Sort(got)
			got = slices.DeleteFunc(got, func(s string) bool { return !strings.HasPrefix(s, c.args[len(c.args)-1]) })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", args, diff)
			}
		}
	}
}

// The completion scripts are such that their shells can read them.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		out := mesh(t, options{}, "completion", shell)
		if out.code != 0 || !strings.Contains(out.stdout, "__complete") {
			t.Errorf("%s: exit code %d\n%s", shell, out.code, out.stderr)
		}
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		check := exec.Command(shell, "-n")
		check.Stdin = strings.NewReader(out.stdout)
		if said, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s cannot read it: %v\n%s", shell, err, said)
		}
	}
}
