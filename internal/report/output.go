// Package report turns results into what a person or a pipeline reads.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
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

// Formats that only some commands have.
const (
	Short    Format = "short"    // for people, the overview alone
	Markdown Format = "markdown" // for an issue or a chat
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
	if s == "yml" {
		return YAML, nil
	}
	if f := Format(s); slices.Contains(Formats, f) || slices.Contains(extra, f) {
		return f, nil
	}
	if isTemplate(s) {
		return Format(s), checkTemplate(s)
	}
	return "", fmt.Errorf(
		"there is no output format %q; -o takes one of %s",
		s,
		strings.Join(append(FormatNames(extra...), Templates...), ", "),
	)
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

// Encode writes a document in a machine-readable format. Characters that act on a terminal
// or on the text around them are escaped in it, as printable.Hidden has them: the document means
// the same, and can be looked at.
func Encode(w io.Writer, format Format, document any) error {
	if isTemplate(string(format)) {
		return fill(w, format, document)
	}
	if format == YAML {
		text, err := toYAML(document)
		if err != nil {
			return fmt.Errorf("writing YAML: %w", err)
		}
		_, err = w.Write(text)
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	_, err := w.Write(escaped(b.Bytes()))
	return err
}

// escaped is JSON whose strings hold no hidden characters.
func escaped(text []byte) []byte {
	return eachHidden(text, func(out []byte, r rune) []byte {
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		}
		return fmt.Appendf(out, `\u%04x`, r)
	})
}

// eachHidden puts what escape appends in the place of each hidden character of a JSON text, of
// which those below the space are escaped already.
func eachHidden(text []byte, escape func(out []byte, r rune) []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r < 0x7f || !printable.Hidden(r) && r != 0xfffe && r != 0xffff {
			out = utf8.AppendRune(out, r)
		} else {
			out = escape(out, r)
		}
	}
	return out
}

// marked is how a hidden character comes out of the YAML encoder that toYAML marked.
var marked = pattern.Of(`\\x01([0-9a-f]{8})\\x01`)

// toYAML goes through JSON. The encoder escapes control characters and writes the others as
// they are, so that these are marked by control characters, and their marks escaped afterwards.
func toYAML(document any) ([]byte, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	text, err = yaml.JSONToYAML(eachHidden(text, func(out []byte, r rune) []byte { return fmt.Appendf(out, `\u0001%08x\u0001`, r) }))
	return marked().ReplaceAll(text, []byte(`\U$1`)), err
}
