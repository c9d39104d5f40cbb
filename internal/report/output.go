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

// ParseFormat reads the value of flag -o; its error lists the formats.
func ParseFormat(s string) (Format, error) {
	if s == "" {
		return Table, nil
	}
	if f := Format(s); slices.Contains(Formats, f) {
		return f, nil
	}
	names := make([]string, len(Formats))
	for i, f := range Formats {
		names[i] = string(f)
	}
	return "", fmt.Errorf("there is no output format %q; -o takes one of %s", s, strings.Join(names, ", "))
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
		text, err := yaml.Marshal(document)
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
