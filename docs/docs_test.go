package docs_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/docs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
)

// What binaries carry is what the pages say: go test -update packs them again.
func TestPagesArePacked(t *testing.T) {
	want := pages(t, os.DirFS("findings"))
	if *golden.Update {
		pack(t, want)
		return
	}
	carried, err := docs.Findings()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, pages(t, carried)); diff != "" {
		t.Errorf("go test ./docs -update packs the pages again (-docs/findings +docs/findings.zip):\n%s", diff)
	}
}

func pages(t *testing.T, from fs.FS) map[string]string {
	t.Helper()
	names, err := fs.Glob(from, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(text)
	}
	return out
}

func pack(t *testing.T, pages map[string]string) {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		page, err := archive.Create(name)
		if err == nil {
			_, err = page.Write([]byte(pages[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("findings.zip", out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
