package input_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
)

// member is an entry of an archive.
type member struct {
	name, text string
	kind       byte
	link       string
}

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		kind := m.kind
		if kind == 0 {
			kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: kind, Name: m.name, Linkname: m.link, Size: int64(len(m.text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gz(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range members {
		head := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		if m.link != "" {
			head.SetMode(0o777 | os.ModeSymlink)
			m.text = m.link
		}
		f, err := w.CreateHeader(head)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, m.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// texts are the files of a source.
func texts(t testing.TB, f *input.Files) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := f.Each(f.Paths(), func(p string, text []byte, err error) {
		if err != nil {
			t.Errorf("%s: %v", p, err)
		}
		out[p] = string(text)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFormats(t *testing.T) {
	want := map[string]string{"a.yaml": "a: 1\n", "b/c.yaml": "c: 1\n"}
	members := []member{{name: "./", kind: tar.TypeDir}, {name: "./b/c.yaml", text: "c: 1\n"}, {name: "a.yaml", text: "a: 1\n"}, {name: ".DS_Store", text: "x"}, {name: "b/._c.yaml", text: "x"}}
	for name, text := range map[string][]byte{
		"tar": tarOf(t, members...), "tar.gz": gz(t, tarOf(t, members...)), "zip": zipOf(t, members[1:]...),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := input.FromText("fleet."+name, text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, texts(t, f)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if f.Name != "fleet" || f.Single {
				t.Errorf("%q, %v", f.Name, f.Single)
			}
			if diff := cmp.Diff(map[string]string{"c.yaml": "c: 1\n"}, texts(t, f.Below("b"))); diff != "" {
				t.Errorf("below b (-want +got):\n%s", diff)
			}
		})
	}
	for name, text := range map[string][]byte{"east.json": []byte("{}"), "east.yaml.gz": gz(t, []byte("{}")), "dir/east": []byte("{}")} {
		f, err := input.FromText(name, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := texts(t, f); !f.Single || f.Name != "east" || len(got) != 1 || got[f.Paths()[0]] != "{}" {
			t.Errorf("%s: %q, %v", name, f.Name, got)
		}
	}
}

func TestHostileArchives(t *testing.T) {
	zeros := strings.Repeat("\x00", 1<<20)
	bomb := []member{}
	for n := range 100 {
		bomb = append(bomb, member{name: "f" + strings.Repeat("0", n), text: zeros})
	}
	whole := gz(t, tarOf(t, member{name: "a", text: strings.Repeat("x", 4096)}))
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"a path that leads out":        {tarOf(t, member{name: "a/../../etc/passwd", text: "x"}), "a path that leads out of it"},
		"an absolute path":             {tarOf(t, member{name: "/etc/passwd", text: "x"}), "a path that leads out of it"},
		"a path of Windows":            {zipOf(t, member{name: `..\a`, text: "x"}), "a path that leads out of it"},
		"a drive":                      {zipOf(t, member{name: `C:a`, text: "x"}), "a path that leads out of it"},
		"two files of one name":        {tarOf(t, member{name: "a", text: "x"}, member{name: "./a", text: "y"}), "two files of the same name"},
		"a bomb":                       {gz(t, tarOf(t, bomb...)), "more than is reasonable"},
		"a bomb in a document":         {gz(t, tarOf(t, bomb...)[1:]), "more than is reasonable"},
		"a tar.gz that is not whole":   {whole[:len(whole)-20], "damaged, or not whole"},
		"a zip that is not whole":      {zipOf(t, member{name: "a", text: "x"})[:30], "damaged, or not whole"},
		"another compression":          {[]byte("\xfd7zXZ\x00 and more"), "it is compressed by xz"},
		"nothing on standard input":    {[]byte(" \n"), "it is empty"},
		"a header of gzip and no more": {[]byte("\x1f\x8b\x08\x00"), "damaged, or not whole"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := input.Open(input.Stdin, bytes.NewReader(c.text))
			if err == nil {
				err = f.Each(f.Paths(), func(_ string, _ []byte, why error) {
					if why != nil {
						err = why
					}
				})
				if err == nil {
					_, err = f.Text(f.Paths()[0])
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// What unpacks to more than its size allows costs no more than the bound, in what is read too.
func TestABombInAZip(t *testing.T) {
	f, err := input.FromText("a.zip", zipOf(t, member{name: "a", text: strings.Repeat("\x00", 80<<20)}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Text("a"); err == nil || !strings.Contains(err.Error(), "more than is reasonable") {
		t.Errorf("%v", err)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	for name, text := range map[string][]byte{
		"tar": tarOf(t, member{name: "a.yaml", text: "a: 1"}, member{name: "b.yaml", kind: tar.TypeSymlink, link: "/etc/passwd"}, member{name: "c.yaml", kind: tar.TypeLink, link: "a.yaml"}),
		"zip": zipOf(t, member{name: "a.yaml", text: "a: 1"}, member{name: "b.yaml", link: "/etc/passwd"}, member{name: "c.yaml", link: "a.yaml"}),
	} {
		f, err := input.FromText("x."+name, text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"b.yaml", "c.yaml"}, f.Links); diff != "" || !slices.Equal(f.Paths(), []string{"a.yaml"}) {
			t.Errorf("%s: %v, links %v", name, f.Paths(), f.Links)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"east.yaml": "{}", "fleet/a/b.yaml": "{}", "fleet/.git/c.yaml": "{}"} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "east.yaml"), filepath.Join(dir, "fleet", "a", "link.yaml")); err != nil {
		t.Skip("no links here")
	}
	f, err := input.Open(filepath.Join(dir, "fleet"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a/b.yaml": "{}", "a/link.yaml": "{}"}, texts(t, f)); diff != "" || f.Name != "fleet" || !f.Folder {
		t.Errorf("%q (-want +got):\n%s", f.Name, diff)
	}
	for path, want := range map[string]string{filepath.Join(dir, "none"): "there is no such file or folder", os.DevNull: "it is not a regular file"} {
		if _, err := input.Open(path, nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestModified(t *testing.T) {
	at := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	f, err := input.FromFS(fstest.MapFS{"a.yaml": {ModTime: at}, "b.txt": {ModTime: at.Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Modified(func(p string) bool { return p == "a.yaml" }); !got.Equal(at) {
		t.Error(got)
	}
}

// Whatever is given ends, and no file is read twice or out of nowhere.
func FuzzArchive(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: List\n"))
	f.Add(tarOf(f, member{name: "east/a.yaml", text: "kind: List"}, member{name: "b", kind: tar.TypeSymlink, link: "a"}))
	f.Add(gz(f, tarOf(f, member{name: "bug-report/bug-report.log", text: "x"}, member{name: "bug-report/cluster/cluster-context", text: "east\n"})))
	f.Add(zipOf(f, member{name: "namespaces/a/core/pods.yaml", text: "kind: PodList"}, member{name: "timestamp", text: "2026-11-30 08:00:00 +0000 UTC"}))
	f.Fuzz(func(t *testing.T, text []byte) {
		files, err := input.FromText("x", text)
		if err != nil {
			return
		}
		paths := files.Paths()
		if !slices.IsSorted(paths) || len(slices.Compact(slices.Clone(paths))) != len(paths) {
			t.Errorf("paths %q", paths)
		}
		for _, p := range paths {
			if strings.HasPrefix(p, "/") || slices.Contains(strings.Split(p, "/"), "..") {
				t.Errorf("path %q", p)
			}
		}
		_ = files.Each(paths, func(p string, _ []byte, _ error) {
			if !files.Has(p) {
				t.Errorf("%q is not one of the files", p)
			}
		})
		found, err := input.Sources(files, input.General, false)
		if err != nil {
			return
		}
		for _, s := range found {
			for _, p := range s.Objects {
				if !s.Files.Has(p) {
					t.Errorf("%q is not one of the files", p)
				}
			}
		}
	})
}
