package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	// text/template without methods: with them the linker keeps every exported method of all types.
	template "github.com/DataDog/datadog-agent/pkg/template/text"
	"k8s.io/client-go/util/jsonpath"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// The formats that pick something out of a document, as kubectl's do: jsonpath={.summary.errors} and
// go-template={{.summary.errors}}.
const (
	jsonPath   = "jsonpath="
	goTemplate = "go-template="
)

// Templates are the formats that take a template.
var Templates = []string{jsonPath + "…", goTemplate + "…", customColumns + "…"}

// Kind is the format without its template: JSON where something is picked out of a document.
func (f Format) Kind() Format {
	if isTemplate(string(f)) {
		return JSON
	}
	return f
}

// IsText reports whether the format is for people, and not a document or a list of names.
func (f Format) IsText() bool { return slices.Contains([]Format{Table, Wide, Short, Markdown}, f) }

func isTemplate(s string) bool {
	return strings.HasPrefix(s, jsonPath) || strings.HasPrefix(s, goTemplate) || isColumns(s)
}

func isColumns(s string) bool {
	return strings.HasPrefix(s, customColumns) || strings.HasPrefix(s, bareColumns)
}

// checkTemplate is an error for a template that cannot be read.
func checkTemplate(s string) error {
	_, err := parseTemplate(s)
	return err
}

// parseTemplate reads a template, and returns what fills it in.
func parseTemplate(s string) (func(io.Writer, any) error, error) {
	if isColumns(s) {
		return parseColumns(s)
	}
	if text, ok := strings.CutPrefix(s, goTemplate); ok {
		t, err := template.New("output").Parse(text)
		if err != nil {
			return nil, fmt.Errorf("-o %s: %w", s, err)
		}
		return func(w io.Writer, data any) error { return t.Execute(w, data) }, nil
	}
	text := strings.TrimPrefix(s, jsonPath)
	if !strings.Contains(text, "{") { // kubectl takes .summary.errors for {.summary.errors}
		text = "{" + text + "}"
	}
	j := jsonpath.New("output")
	if err := j.Parse(text); err != nil {
		return nil, fmt.Errorf("-o %s: %w", s, err)
	}
	return func(w io.Writer, data any) error { return j.Execute(w, data) }, nil
}

// fill writes what a template picks out of a document, without what acts on a terminal.
func fill(w io.Writer, format Format, document any) error {
	execute, err := parseTemplate(string(format))
	if err != nil {
		return err
	}
	text, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	var data any
	if err := json.Unmarshal(text, &data); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	var out bytes.Buffer
	if err := execute(&out, data); err != nil {
		return fmt.Errorf("-o %s: %w", format, err)
	}
	_, err = io.WriteString(w, printable.Text(out.String()))
	return err
}
