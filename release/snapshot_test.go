package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/release/manifest"
)

// plugins are those of the repository.
var plugins = []string{"mesh-certs", "mesh-check", "mesh-endpoints", "mesh-network"}

// TestSnapshot builds a release of the commit twice, in two folders and for this machine
// alone, installs it as krew would, and runs the plugins through kubectl.
func TestSnapshot(t *testing.T) {
	first := build(t, "..")
	second := build(t, filepath.Dir(first))
	if diff := cmp.Diff(read(t, first, "checksums.txt"), read(t, second, "checksums.txt")); diff != "" {
		t.Fatalf("two builds of one commit differ: %s", diff)
	}
	var out bytes.Buffer
	r := renderer{templates: "../krew-manifests", dist: first, partial: true}
	if err := r.run(&out); err != nil {
		t.Fatal(err)
	}
	r.partial = false
	if err := r.run(io.Discard); err == nil || !strings.Contains(err.Error(), "the checksums lack ") {
		t.Errorf("platforms that were not built are passed over: %v", err)
	}
	root := t.TempDir()
	i := installer{dist: first, root: root, withoutKrew: true}
	for range 2 {
		if err := i.run(t.Context(), &out, &out); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	}
	bin := filepath.Join(root, "bin")
	for _, plugin := range plugins {
		link := manifest.Link(plugin, host())
		completion := filepath.Join(bin, strings.Replace(link, "kubectl-", "kubectl_complete-", 1))
		if err := os.Symlink(link, completion); err != nil { // as the caveats say
			t.Fatal(err)
		}
	}
	throughKubectl(t, bin, strings.TrimSpace(command(t, filepath.Dir(first), "git", "rev-parse", "HEAD")))
	small(t, first)
	if host().OS == "linux" {
		if one, other := digestOf(t, imager{first, true}), digestOf(t, imager{second, true}); one != other {
			t.Errorf("two builds of one commit make the images %s and %s", one, other)
		}
	}
	spoil(t, first)
}

// build builds a release in a new copy of a repository, and returns the folder of what
// was built.
func build(t *testing.T, repository string) (dist string) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "kubectl-mesh")
	command(t, repository, "git", "clone", "--quiet", "--no-hardlinks", ".", copied)
	config := filepath.Join(t.TempDir(), "goreleaser.yaml")
	if err := os.WriteFile(config, forThisMachine(t, read(t, copied, ".goreleaser.yaml")), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, copied, "go", "run", pinned(t, "GORELEASER"), "release", "--snapshot", "--clean", "--skip=sign", "--config", config)
	return filepath.Join(copied, "dist")
}

// pinned is the program that a variable of the Makefile runs, with its version.
func pinned(t *testing.T, variable string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + variable + `\s*:= go run (\S+)$`).FindStringSubmatch(read(t, "..", "Makefile"))
	if found == nil {
		t.Fatalf("the Makefile has no %s", variable)
	}
	return found[1]
}

// forThisMachine is the configuration of goreleaser without the other platforms.
func forThisMachine(t *testing.T, text string) []byte {
	t.Helper()
	var config map[string]any
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	builds := config["builds"].([]any)
	if len(builds) != len(plugins) {
		t.Fatalf("%d binaries are built, and there are %d plugins", len(builds), len(plugins))
	}
	for _, build := range builds {
		b := build.(map[string]any)
		b["goos"], b["goarch"] = []string{runtime.GOOS}, []string{runtime.GOARCH}
	}
	out, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func throughKubectl(t *testing.T, bin, head string) {
	t.Helper()
	kubectl := strings.TrimSpace(command(t, "../test/bed", "go", "run", "./cmd/bed", "build", "kubectl"))
	path := strings.Join([]string{bin, filepath.Dir(kubectl), os.Getenv("PATH")}, string(os.PathListSeparator))
	t.Setenv("PATH", path)
	for _, plugin := range plugins {
		got := command(t, bin, kubectl, plugin, "version")
		want := regexp.MustCompile(`^` + plugin + ` v\d+\.\d+\.\d+-snapshot\.g` + head[:12] + ` \(commit ` + head[:12] + `\) go1\.`)
		if !want.MatchString(got) {
			t.Errorf("kubectl %s version: %q does not match %s", plugin, got, want)
		}
		if usage := command(t, bin, kubectl, plugin, "--help"); !strings.Contains(usage, "\n  kubectl "+plugin+" ") {
			t.Errorf("kubectl %s --help does not call it that:\n%s", plugin, usage)
		}
		if completed := command(t, bin, kubectl, "__complete", plugin, "explain", "CERT00"); !strings.Contains(completed, "\nCERT001\t") {
			t.Errorf("kubectl does not complete %s: %q", plugin, completed)
		}
	}
}

// small holds the size of each binary, which the Makefile limits for "make build".
func small(t *testing.T, dist string) {
	t.Helper()
	const most = 33 << 20
	found, err := filepath.Glob(filepath.Join(dist, "*", "kubectl-mesh_*"))
	if err != nil || len(found) != len(plugins) {
		t.Fatalf("%d binaries: %v", len(found), err)
	}
	for _, file := range found {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > most {
			t.Errorf("%s has %d bytes, and may have %d", filepath.Base(file), info.Size(), most)
		}
	}
}

// spoil changes a byte of an archive: the manifest is no longer of that archive.
func spoil(t *testing.T, dist string) {
	t.Helper()
	archive := filepath.Join(dist, manifest.ArchiveName("mesh-certs", host()))
	content, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-1] ^= 1
	if err := os.WriteFile(archive, content, 0o644); err != nil {
		t.Fatal(err)
	}
	const want = "one of them is not of this release"
	if err := checkFile(filepath.Join(dist, rendered, "mesh-certs.yaml"), dist, nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("check: %v", err)
	}
	i := installer{dist: dist, root: t.TempDir(), withoutKrew: true}
	if err := i.run(t.Context(), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("install: %v", err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// command runs a program in a folder and returns what it prints.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}
