package manifest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// entry is one of an archive; a type other than tar's for a regular file is for tar.
type entry struct {
	name, content string
	mode          int64
	kind          byte
}

var (
	program = entry{name: "kubectl-mesh_test", content: "a program", mode: 0o755}
	license = entry{name: "LICENSE", content: "a license", mode: 0o644}
	other   = entry{name: "kubectl_complete-mesh_test", content: "a script", mode: 0o755}
)

func tarball(t *testing.T, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Typeflag: e.kind}
		if e.kind == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(e.content))
		} else {
			h.Linkname = e.content
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if e.kind == 0 {
			if _, err := w.Write([]byte(e.content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return archive(t, "mesh-test_linux_amd64.tar.gz", b.Bytes())
}

func zipped(t *testing.T, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name}
		h.SetMode(fs.FileMode(e.mode))
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return archive(t, "mesh-test_windows_amd64.zip", b.Bytes())
}

func archive(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func host() Target { return Target{runtime.GOOS, runtime.GOARCH} }

var linux, windows = Target{"linux", "amd64"}, Target{"windows", "amd64"}

// plugin is a manifest for one platform and its archive.
func plugin(t *testing.T, target Target, file, bin string, files ...File) Plugin {
	t.Helper()
	sum, err := SumOf(file)
	if err != nil {
		t.Fatal(err)
	}
	p := Plugin{TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: Kind}}
	p.Name = "mesh-test"
	p.Spec.Version = "v1.0.0"
	p.Spec.Platforms = []Platform{{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"os": target.OS, "arch": target.Arch}},
		URI:      "https://example.com/v1.0.0/" + filepath.Base(file), SHA256: sum, Bin: bin, Files: files,
	}}
	return p
}

// tree is what is under a folder: the mode, and where a link leads.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		out[filepath.ToSlash(name)] = info.Mode().String()
		if info.Mode()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			out[filepath.ToSlash(name)] = "-> " + strings.TrimPrefix(filepath.ToSlash(to), filepath.ToSlash(root)+"/")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestInstall(t *testing.T) {
	named := []File{{"kubectl-mesh_test", "."}, {"LICENSE", "."}}
	const store = "store/mesh-test/v1.0.0/"
	for _, c := range []struct {
		name    string
		target  Target
		archive string
		bin     string
		files   []File
		want    map[string]string
	}{
		{"as the manifest names them", linux, tarball(t, license, other, program), program.name, named, map[string]string{
			store + program.name: "-rwxr-xr-x", store + "LICENSE": "-rw-r--r--", "bin/kubectl-mesh_test": "-> " + store + program.name}},
		{"all", linux, tarball(t, license, other, program), program.name, nil, map[string]string{
			store + program.name: "-rwxr-xr-x", store + "LICENSE": "-rw-r--r--", store + other.name: "-rwxr-xr-x", "bin/kubectl-mesh_test": "-> " + store + program.name}},
		{"under other names", linux, tarball(t, license, program), "tool", []File{{program.name, "tool"}, {"L*", "docs"}}, map[string]string{
			store + "tool": "-rwxr-xr-x", store + "docs/LICENSE": "-rw-r--r--", "bin/kubectl-mesh_test": "-> " + store + "tool"}},
		{"windows", windows, zipped(t, license, entry{name: "a.exe", mode: 0o644}), "a.exe", nil, map[string]string{
			store + "a.exe": "-rw-r--r--", store + "LICENSE": "-rw-r--r--", "bin/kubectl-mesh_test.exe": "-> " + store + "a.exe"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			p := plugin(t, c.target, c.archive, c.bin, c.files...)
			for range 2 { // the second replaces the first
				link, err := Install(root, p, c.target, c.archive)
				if err != nil {
					t.Fatal(err)
				}
				if want := filepath.Join(root, "bin", Link("mesh-test", c.target)); link != want {
					t.Errorf("the link is %s, not %s", link, want)
				}
			}
			c.want["receipts/mesh-test.yaml"] = "-rw-r--r--"
			if diff := cmp.Diff(c.want, tree(t, root)); diff != "" {
				t.Error(diff)
			}
			if err := Uninstall(root, "mesh-test", c.target); err != nil {
				t.Fatal(err)
			}
			if left := tree(t, root); len(left) > 0 {
				t.Errorf("%v is left after it is uninstalled", left)
			}
		})
	}
}

func TestInstallFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		archive string
		spoil   func(*Plugin)
		want    string
	}{
		{"another archive", tarball(t, program), func(p *Plugin) { p.Spec.Platforms[0].SHA256 = strings.Repeat("0", 64) }, "one of them is not of this release"},
		{"another platform", tarball(t, program), func(p *Plugin) { p.Spec.Platforms[0].Selector.MatchLabels["os"] = "darwin" }, "no platform for linux/amd64"},
		{"no such file", tarball(t, program), func(p *Plugin) { p.Spec.Platforms[0].Files = []File{{"LICENSE", "."}} }, "it has no file LICENSE"},
		{"no program", tarball(t, license), nil, "bin is kubectl-mesh_test, which is none of its files"},
		{"no right to run it", tarball(t, entry{name: program.name, mode: 0o644}), nil, "kubectl-mesh_test is not executable"},
		{"a link", tarball(t, program, entry{name: "l", content: "LICENSE", kind: tar.TypeSymlink}), nil, "l is neither a folder nor a regular file"},
		{"out of the folder", tarball(t, entry{name: "../evil", content: "x", mode: 0o755}), nil, "../evil leads out of the archive"},
		{"from the root", tarball(t, entry{name: "/evil", content: "x", mode: 0o755}), nil, "/evil leads out of the archive"},
		{"no archive", archive(t, "mesh-test_linux_amd64.tar.gz", []byte("this is a page that says 404 Not Found")), nil, "gzip: invalid header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := plugin(t, linux, c.archive, program.name)
			if c.spoil != nil {
				c.spoil(&p)
			}
			root := t.TempDir()
			if _, err := Install(root, p, linux, c.archive); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if _, err := os.Lstat(filepath.Join(root, "bin", program.name)); err == nil {
				t.Error("the PATH has it all the same")
			}
		})
	}
}

// An archive of a plugin's release holds that plugin, for that platform, and its license.
func TestCheckArchives(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	ofGo := entry{name: program.name, content: string(binary), mode: 0o755}
	for _, c := range []struct {
		name    string
		archive string
		want    string
	}{
		{"no license", tarball(t, program), "installs no license"},
		{"no program of Go", tarball(t, program, license), "the program: "},
		{"another program", tarball(t, ofGo, license), "is built from github.com/kubectl-mesh/kubectl-mesh/release/manifest.test, and not from kubectl-mesh_test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := plugin(t, host(), c.archive, program.name)
			err := CheckArchives(p, filepath.Dir(c.archive))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	t.Run("another platform", func(t *testing.T) {
		a := tarball(t, ofGo, license)
		p := plugin(t, Target{"linux", "ppc64le"}, a, program.name)
		if err := CheckArchives(p, filepath.Dir(a)); err == nil || !strings.Contains(err.Error(), "the program is for "+host().String()) {
			t.Error(err)
		}
	})
	t.Run("no archive", func(t *testing.T) {
		p := plugin(t, linux, tarball(t, program), program.name)
		if err := CheckArchives(p, t.TempDir()); err == nil {
			t.Error("an archive that is not there passes")
		}
	})
}
