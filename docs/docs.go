// Package docs carries the pages that the binaries themselves print.
package docs

import "embed"

// Findings holds one Markdown page per finding code, findings/CODE.md.
//
//go:embed findings/*.md
var Findings embed.FS
