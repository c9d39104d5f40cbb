package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The helpers in the archives run the plugin on the PATH as kubectl wants it. kubectl
// finds them as this test does, by their name alone.
func TestCompletionHelpers(t *testing.T) {
	helpers, err := filepath.Abs("../completion")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	t.Setenv("PATH", strings.Join([]string{bin, helpers, os.Getenv("PATH")}, string(os.PathListSeparator)))
	for _, plugin := range plugins {
		t.Run(plugin, func(t *testing.T) {
			program := "kubectl-" + strings.ReplaceAll(plugin, "-", "_")
			built := filepath.Join(bin, program)
			if runtime.GOOS == "windows" {
				built += ".exe"
			}
			command(t, "..", "go", "build", "-o", built, "./plugins/"+program)
			helper, err := exec.LookPath(strings.Replace(program, "kubectl-", "kubectl_complete-", 1))
			if err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"explain", "CERT00"}, {"ver"}, {""}} {
				want := command(t, bin, built, append([]string{"__complete"}, args...)...)
				got := command(t, bin, helper, args...)
				if diff := cmp.Diff(want, got); diff != "" || !strings.Contains(want, "\n:") {
					t.Errorf("%q: %s", args, diff)
				}
			}
		})
	}
}
