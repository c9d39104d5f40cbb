package sbom

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
)

// The program is the one that makes the bills.
func TestOf(t *testing.T) {
	self := filepath.Join(t.TempDir(), "release")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", self, "..").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var written [2]bytes.Buffer
	for i := range written {
		bom, err := Of(self, "v1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(&written[i], bom); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(written[0].String(), written[1].String()); diff != "" {
		t.Errorf("twice the same program: %s", diff)
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(&written[0], cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if main := bom.Metadata.Component; main.Name != "release" || main.Version != "v1.2.3" || main.PackageURL != "pkg:golang/github.com/kubectl-mesh/kubectl-mesh/release@v1.2.3" {
		t.Errorf("the program: %+v", main)
	}
	var refs []string
	found := map[string]cdx.Component{}
	for _, c := range *bom.Components {
		refs = append(refs, c.BOMRef)
		found[c.Name] = c
	}
	if diff := cmp.Diff([]cdx.Dependency{{Ref: bom.Metadata.Component.BOMRef, Dependencies: &refs}}, *bom.Dependencies); diff != "" {
		t.Error(diff)
	}
	if std := found["std"]; std.Version != strings.TrimPrefix(runtime.Version(), "go") {
		t.Errorf("the standard library: %+v", std)
	}
	lib := found["github.com/CycloneDX/cyclonedx-go"]
	if !strings.HasPrefix(lib.PackageURL, "pkg:golang/github.com/cyclonedx/cyclonedx-go@v0.") || lib.Properties == nil || !strings.HasPrefix((*lib.Properties)[0].Value, "h1:") {
		t.Errorf("a module: %+v", lib)
	}
}

func TestOfNoProgram(t *testing.T) {
	if _, err := Of("sbom.go", "v1"); err == nil || !strings.Contains(err.Error(), "reading the modules of sbom.go") {
		t.Error(err)
	}
}
