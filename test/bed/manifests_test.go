package bed

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadManifests(t *testing.T) {
	manifests, err := LoadManifests("testdata/scenario")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for cluster, objects := range manifests {
		for _, object := range objects {
			got[cluster] = append(got[cluster], object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName())
		}
	}
	want := map[string][]string{
		"east": {"Namespace /shop", "Service shop/cart", "Pod shop/cart-0"},
		"west": {"Service mesh/gateway", "ConfigMap mesh/mesh"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadManifestsErrors(t *testing.T) {
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	for name, test := range map[string]struct {
		content string
		want    string
	}{
		"no name":        {config + "---\napiVersion: v1\nkind: Secret\n", "document 2: the Secret has no metadata.name"},
		"no kind":        {"apiVersion: v1\nmetadata: {name: a}\n", "document 1: "},
		"no apiVersion":  {"kind: Pod\nmetadata: {name: a}\n", "document 1: it has no apiVersion"},
		"no YAML":        {"a: b: c\n", "document 1: "},
		"two of a key":   {"kind: Pod\nkind: Pod\n", `key "kind" already set`},
		"no object":      {"- a\n- b\n", "document 1: "},
		"item of a list": {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n", "item 1: the Pod has no metadata.name"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "east", "objects.yaml")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadManifests(dir)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := LoadManifests("testdata/none"); err == nil {
		t.Error("a folder that does not exist is no error")
	}
	if _, err := LoadManifests(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no folder of a cluster") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestManifestsOfComments(t *testing.T) {
	if objects := parse(t, "# nothing\n---\n# here\n"); len(objects) != 0 {
		t.Errorf("got %v", objects)
	}
}

func TestScenarios(t *testing.T) {
	got, err := scenariosIn("testdata")
	if err != nil {
		t.Fatal(err)
	}
	want := []Scenario{
		{
			Name:    "scenario",
			Summary: "Two clusters, one service that only one of them runs",
			Dir:     "testdata/scenario",
		},
		{
			Name:     "topology",
			Summary:  "One cluster with a control plane, and a manifest",
			Dir:      "testdata/topology",
			Topology: true,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := scenariosIn("testdata/none"); err != nil || got != nil {
		t.Errorf("no folder: %v, %v", got, err)
	}
	if _, err := scenariosIn("testdata/scenario"); err == nil || !strings.Contains(err.Error(), "scenario east:") {
		t.Errorf("a scenario without a README.md: %v", err)
	}
}

func TestScenarioDir(t *testing.T) {
	for _, dir := range []string{"testdata/scenario", "./testdata", "testdata"} {
		if got, err := ScenarioDir(t.Context(), dir); err != nil || got != dir {
			t.Errorf("%s: got %q, %v", dir, got, err)
		}
	}
	if _, err := ScenarioDir(t.Context(), "no-such-scenario"); err == nil {
		t.Error("an unknown scenario is no error")
	}
}
