package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// Dependabot looks after every Go module of the repository, and after the workflows.
func TestDependabot(t *testing.T) {
	var config struct {
		Updates []struct {
			Ecosystem   string   `json:"package-ecosystem"`
			Directory   string   `json:"directory"`
			Directories []string `json:"directories"`
		} `json:"updates"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "..", ".github/dependabot.yml")), &config); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, u := range config.Updates {
		for _, dir := range append(u.Directories, u.Directory) {
			if dir != "" {
				got[u.Ecosystem] = append(got[u.Ecosystem], dir)
			}
		}
	}
	want := map[string][]string{"github-actions": {"/"}}
	for _, file := range strings.Fields(command(t, "..", "git", "ls-files", "--cached", "--others", "--exclude-standard", "go.mod", "*/go.mod")) {
		dir := "/" + strings.TrimSuffix(strings.TrimSuffix(file, "go.mod"), "/")
		want["gomod"] = append(want["gomod"], dir)
	}
	slices.Sort(got["gomod"])
	slices.Sort(want["gomod"])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
