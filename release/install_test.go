package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const oneManifest = `
metadata: {name: mesh-test}
spec:
  version: v1.0.0
  platforms:
  - selector: {matchLabels: {os: plan9, arch: amd64}}
    uri: https://example.com/v1.0.0/mesh-test_plan9_amd64.tar.gz
`

// Where kubectl has krew it is krew that installs, and anew what it installed before. The
// kubectl of this test notes what it is asked.
func TestInstallByKrew(t *testing.T) {
	bin, root, dist := t.TempDir(), t.TempDir(), t.TempDir()
	asked := filepath.Join(bin, "asked")
	kubectl := "#!/bin/sh\necho \"$KREW_ROOT: $*\" >> " + asked + "\n"
	receipt := filepath.Join(root, "receipts", "mesh-test.yaml")
	file := filepath.Join(dist, rendered, "mesh-test.yaml")
	for _, dir := range []string{filepath.Dir(receipt), filepath.Dir(file)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{filepath.Join(bin, "kubectl"): kubectl, file: oneManifest} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("KREW_ROOT", root)
	t.Setenv("KREW_OS", "plan9")
	t.Setenv("KREW_ARCH", "amd64")
	i := installer{dist: dist}
	var out, log bytes.Buffer
	if err := i.run(t.Context(), &out, &log); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(receipt, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := i.run(t.Context(), &out, &log); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(receipt); err == nil {
		t.Error("krew was asked to install what it takes for installed")
	}
	install := "krew install --manifest " + file + " --archive " + filepath.Join(dist, "mesh-test_plan9_amd64.tar.gz")
	want := []string{"krew version", install, "krew version", install, ""}
	got := strings.Split(strings.ReplaceAll(read(t, bin, "asked"), root+": ", ""), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if out := out.String(); !strings.Contains(out, "mesh-test v1.0.0 is installed: kubectl mesh-test version\n") {
		t.Errorf("%q", out)
	}
	if log := log.String(); !strings.Contains(log, "with "+filepath.Join(root, "bin")+" on the PATH") {
		t.Errorf("%q", log)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"nonsense"}, {"sbom", "one"}, {"check"}, {"install", "-nonsense"}, {"manifests", "more"}, {"image", "more"}} {
		var out, log bytes.Buffer
		if err := run(t.Context(), args, &out, &log); !errors.Is(err, errUsage) || !strings.Contains(log.String(), "Usage:") || out.Len() > 0 {
			t.Errorf("%q: %v\n%s%s", args, err, out.String(), log.String())
		}
	}
	var out, log bytes.Buffer
	if err := run(t.Context(), []string{"help"}, &out, &log); err != nil || out.String() != usage {
		t.Errorf("%v\n%s", err, out.String())
	}
}
