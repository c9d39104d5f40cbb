// Package docs carries the pages that the binaries themselves print.
package docs

import (
	"archive/zip"
	_ "embed"
	"io/fs"
	"strings"
)

// packed are the pages in docs/findings: half a megabyte, of which every binary has a third.
// "go test ./docs -update" packs them.
//
//go:embed findings.zip
var packed string

// Findings holds one Markdown page per finding code, CODE.md. An error means that what the binary
// carries is damaged.
func Findings() (fs.FS, error) { return zip.NewReader(strings.NewReader(packed), int64(len(packed))) }
