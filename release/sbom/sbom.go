// Package sbom makes the bill of materials of a Go program from what the Go toolchain
// wrote into it: the modules that it is built from, with their versions and checksums.
package sbom

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"net/url"
	"path"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Of reads a program and returns its bill of materials, which depends on the program and
// the version alone: there is no time and no serial number in it. The version is that of
// the main module, for a build from a folder does not know it.
func Of(program, version string) (*cdx.BOM, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("reading the modules of %s: %w", program, err)
	}
	bom := cdx.NewBOM()
	main := component(debug.Module{Path: info.Main.Path, Version: version})
	main.Type, main.Name = cdx.ComponentTypeApplication, path.Base(info.Path)
	main.Properties = properties(info)
	bom.Metadata = &cdx.Metadata{Component: &main}
	toolchain := component(debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")})
	components := []cdx.Component{toolchain}
	needed := []string{toolchain.BOMRef}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component(*m)
		components, needed = append(components, c), append(needed, c.BOMRef)
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &needed}}
	return bom, nil
}

// Write writes it as JSON.
func Write(w io.Writer, bom *cdx.BOM) error {
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
}

func component(m debug.Module) cdx.Component {
	// https://github.com/package-url/purl-spec: the names of Go modules are in lower case.
	purl := "pkg:golang/" + strings.ToLower(m.Path) + "@" + url.PathEscape(m.Version)
	c := cdx.Component{Type: cdx.ComponentTypeLibrary, BOMRef: purl, Name: m.Path, Version: m.Version, PackageURL: purl}
	if m.Sum != "" {
		// No hash of the component in CycloneDX's sense: it is one of go.sum.
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: m.Sum}}
	}
	return c
}

// properties say how the program was built.
func properties(info *buildinfo.BuildInfo) *[]cdx.Property {
	out := []cdx.Property{{Name: "go:version", Value: info.GoVersion}, {Name: "go:package", Value: info.Path}}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS", "GOARCH", "GOAMD64", "GOARM64", "CGO_ENABLED", "-trimpath":
			out = append(out, cdx.Property{Name: "go:build:" + strings.TrimPrefix(s.Key, "-"), Value: s.Value})
		}
	}
	return &out
}
