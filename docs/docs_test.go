package docs_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
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
		t.Errorf("go test ./docs -update packs the pages again (-docs/findings +docs/findings.zip.gz):\n%s", diff)
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
	stream, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(stream)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		page, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = page.Write([]byte(pages[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), stream.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("findings.zip.gz", out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
