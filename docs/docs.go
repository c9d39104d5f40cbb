// Package docs carries the pages that the binaries themselves print.
package docs

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"io/fs"
	"strings"
)

// packed are the pages in docs/findings: half a megabyte, of which every binary has a fifth. They
// are alike, so that all of them as one stream take half of what they take apart.
// "go test ./docs -update" packs them.
//
//go:embed findings.zip.gz
var packed string

// Findings holds one Markdown page per finding code, CODE.md. An error means that what the binary
// carries is damaged.
func Findings() (fs.FS, error) {
	stream, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		return nil, err
	}
	archive, err := io.ReadAll(stream)
	if err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
}
