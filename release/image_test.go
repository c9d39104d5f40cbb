package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/release/image"
	"github.com/kubectl-mesh/kubectl-mesh/release/manifest"
)

// built is a folder as goreleaser leaves it, with archives of some platforms and programs of a few letters.
func built(t *testing.T, targets ...manifest.Target) (dist string) {
	t.Helper()
	dist = t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dist, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("metadata.json", `{"version": "0.1.0"}`)
	for _, target := range targets {
		for _, plugin := range plugins {
			program := "kubectl-" + strings.ReplaceAll(plugin, "-", "_")
			write(manifest.ArchiveName(plugin, target), archive(t, map[string]string{
				"LICENSE": "a license", program: "#!/bin/sh\necho " + program + " for " + target.Arch + "\n",
				"kubectl_complete-" + strings.TrimPrefix(program, "kubectl-"): "#!/bin/sh\n",
			}))
			write(plugin+"_"+target.OS+"_"+target.Arch+".cdx.json", "{}")
		}
	}
	return dist
}

func archive(t *testing.T, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for name, text := range files {
		h := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg, ModTime: time.Unix(1_800_000_000, 0)}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var (
	amd64 = manifest.Target{OS: "linux", Arch: "amd64"}
	arm64 = manifest.Target{OS: "linux", Arch: "arm64"}
)

// digestOf makes the image, and returns its digest.
func digestOf(t *testing.T, i imager) string {
	t.Helper()
	var out bytes.Buffer
	if err := i.run(&out); err != nil {
		t.Fatal(err)
	}
	digest, where, _ := strings.Cut(strings.TrimSpace(out.String()), " ")
	if where != filepath.Join(i.dist, "image") || !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(digest) {
		t.Fatalf("%q", out.String())
	}
	return digest
}

func TestImageIsReproducible(t *testing.T) {
	one, other := built(t, amd64, arm64), built(t, amd64, arm64)
	first := digestOf(t, imager{dist: one})
	if again := digestOf(t, imager{dist: one}); again != first {
		t.Errorf("%s, and then %s", first, again)
	}
	if same := digestOf(t, imager{dist: other}); same != first {
		t.Errorf("the same files make %s and %s", first, same)
	}
	if err := os.WriteFile(filepath.Join(other, "mesh-check_linux_arm64.cdx.json"), []byte("{ }"), 0o644); err != nil {
		t.Fatal(err)
	}
	if changed := digestOf(t, imager{dist: other}); changed == first {
		t.Error("other files make the same image")
	}
}

func TestImageWithoutAPlatform(t *testing.T) {
	dist := built(t, amd64)
	if err := (imager{dist: dist}).run(io.Discard); err == nil || !strings.Contains(err.Error(), "mesh-check_linux_arm64.tar.gz was not built") {
		t.Errorf("%v", err)
	}
	digestOf(t, imager{dist: dist, partial: true})
	if err := (imager{dist: built(t), partial: true}).run(io.Discard); err == nil || !strings.Contains(err.Error(), "no archive for linux") {
		t.Errorf("%v", err)
	}
	file := filepath.Join(dist, "mesh-certs_linux_amd64.tar.gz")
	if err := os.WriteFile(file, []byte(archive(t, map[string]string{"LICENSE": "a license"})), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (imager{dist: dist, partial: true}).run(io.Discard); err == nil || !strings.HasSuffix(err.Error(), "tar.gz: it has no plugin") {
		t.Errorf("%v", err)
	}
}

// A registry takes the image, and gives it back: the one of crane, on this machine.
func TestPushImage(t *testing.T) {
	dist := built(t, amd64, arm64)
	digest := digestOf(t, imager{dist: dist})
	host, crane := registry(t)
	if got, want := push(t, dist, host, crane), host+"/kubectl-mesh@"+digest; got != want {
		t.Errorf("pushed as %s, not %s", got, want)
	}
	name := host + "/kubectl-mesh:v0.1.0"
	for _, target := range []manifest.Target{amd64, arm64} {
		of := func(args ...string) string {
			return command(t, dist, crane, append(args, "--platform=linux/"+target.Arch)...)
		}
		of("validate", "--remote", name)
		var config struct {
			Architecture string
			Config       struct {
				User       string
				Entrypoint []string
				WorkingDir string
				Labels     map[string]string
			}
		}
		if err := yaml.Unmarshal([]byte(of("config", name)), &config); err != nil {
			t.Fatal(err)
		}
		c := config.Config
		if config.Architecture != target.Arch || c.User != image.User || c.WorkingDir != "/home/nonroot" ||
			c.Labels["org.opencontainers.image.version"] != "v0.1.0" {
			t.Errorf("%+v", config)
		}
		if diff := cmp.Diff([]string{"/usr/local/bin/kubectl-mesh_check"}, c.Entrypoint); diff != "" {
			t.Error(diff)
		}
		root := t.TempDir()
		list := unpacked(t, of("export", name, "-"), root)
		want := []string{
			"drwx------ 65532 home/nonroot/", "-rw-r--r-- 0 etc/group", "-rw-r--r-- 0 etc/passwd", "-rw-r--r-- 0 etc/ssl/certs/ca-certificates.crt",
			"-rw-r--r-- 0 usr/share/licenses/kubectl-mesh/LICENSE", "dtrwxrwxrwx 0 tmp/",
		}
		for _, plugin := range plugins {
			want = append(want, "-rwxr-xr-x 0 usr/local/bin/kubectl-"+strings.ReplaceAll(plugin, "-", "_"),
				"-rw-r--r-- 0 usr/share/sbom/"+plugin+"_linux_"+target.Arch+".cdx.json")
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("%s: %s", target.Arch, diff)
		}
		if runtime.GOOS == "windows" {
			continue
		}
		if got, want := command(t, root, filepath.Join(root, c.Entrypoint[0])), "kubectl-mesh_check for "+target.Arch+"\n"; got != want {
			t.Errorf("it runs %q, not %q", got, want)
		}
		if roots := read(t, root, "etc/ssl/certs/ca-certificates.crt"); strings.Count(roots, "-----BEGIN CERTIFICATE-----") < 50 {
			t.Errorf("there are no roots of CAs: %d bytes", len(roots))
		}
	}
}

// push pushes the image as the workflow does, by the Makefile, and returns what it prints.
func push(t *testing.T, dist, host, crane string) string {
	t.Helper()
	makefile, err := filepath.Abs("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(dist, filepath.Join(dir, "dist")); err != nil { // the Makefile's name for it
		t.Fatal(err)
	}
	out := command(t, dir, "make", "--silent", "--makefile", makefile, "push-image", "CRANE="+crane, "IMAGE="+host+"/kubectl-mesh:v0.1.0")
	return strings.TrimSpace(out)
}

// unpacked are the files and the emptied folders of a tar, each with its mode and owner; it unpacks the files.
func unpacked(t *testing.T, text, dir string) []string {
	t.Helper()
	var out []string
	folders := map[string]bool{"home/nonroot/": true, "tmp/": true} // the others follow from the files
	for r := tar.NewReader(strings.NewReader(text)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		mode := h.FileInfo().Mode()
		if mode.IsDir() {
			h.Name = strings.TrimSuffix(h.Name, "/") + "/" // crane cleans it
			if err := os.MkdirAll(filepath.Join(dir, h.Name), 0o755); err != nil {
				t.Fatal(err)
			}
			if !folders[h.Name] {
				continue
			}
		} else {
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, h.Name), content, mode.Perm()); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, fmt.Sprintf("%s %d %s", mode, h.Uid, h.Name))
	}
	slices.Sort(out)
	return out
}

// registry starts a registry on this machine that keeps images in memory, and returns its address and crane.
func registry(t *testing.T) (host, crane string) {
	t.Helper()
	bin := t.TempDir()
	t.Setenv("GOBIN", bin)
	command(t, "..", "go", "install", pinned(t, "CRANE"))
	crane = filepath.Join(bin, "crane")
	if runtime.GOOS == "windows" {
		crane += ".exe"
	}
	cmd := exec.CommandContext(t.Context(), crane, "registry", "serve", "--address=127.0.0.1:0")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if _, port, ok := strings.Cut(lines.Text(), "serving on port "); ok {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return net.JoinHostPort("127.0.0.1", port), crane
		}
	}
	t.Fatal("the registry does not start")
	return "", ""
}
