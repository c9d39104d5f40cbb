// Package report turns results into what a person or a pipeline reads.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Format is one of the formats of flag -o.
type Format string

// The formats that every command has.
const (
	Table Format = "table" // for people
	Wide  Format = "wide"  // for people, with everything
	JSON  Format = "json"
	YAML  Format = "yaml"
	Name  Format = "name" // one name a line
)

// Formats lists all formats, the usual one first.
var Formats = []Format{Table, Wide, JSON, YAML, Name}

// FormatNames are the names of all formats and of those that a command has beside them.
func FormatNames(extra ...Format) []string {
	var names []string
	for _, f := range slices.Concat(Formats, extra) {
		names = append(names, string(f))
	}
	return names
}

// ParseFormat reads the value of flag -o of a command that has extra formats;
// its error lists the formats.
func ParseFormat(s string, extra ...Format) (Format, error) {
	if s == "" {
		return Table, nil
	}
	if f := Format(s); slices.Contains(Formats, f) || slices.Contains(extra, f) {
		return f, nil
	}
	return "", fmt.Errorf("there is no output format %q; -o takes one of %s", s, strings.Join(FormatNames(extra...), ", "))
}

// APIVersion is the version of the machine-readable schema, docs/output.md.
const APIVersion = "kubectl-mesh.dev/v1"

// Meta begins every machine-readable document.
type Meta struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// NewMeta returns the beginning of a document of some kind.
func NewMeta(kind string) Meta { return Meta{APIVersion: APIVersion, Kind: kind} }

// Encode writes a document in a machine-readable format.
func Encode(w io.Writer, format Format, document any) error {
	if format == YAML {
		text, err := toYAML(document)
		if err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
		_, err = w.Write(text)
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

// toYAML goes through JSON, in which characters that YAML does not take as they
// are can be escaped.
func toYAML(document any) ([]byte, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, r := range string(text) {
		if r >= 0x7f && r <= 0x9f || r == 0xfffe || r == 0xffff || r == 0xfeff {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return yaml.JSONToYAML([]byte(b.String()))
}
