package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// Every field of a machine-readable document is described.
func TestOutputIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/output.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []any{report.Report{}, comparisonDocument{}, listingDocument{}} {
		for field := range fields(reflect.TypeOf(document)) {
			if !strings.Contains(string(text), "`"+field+"`") && !strings.Contains(string(text), "`"+field+"[]`") {
				t.Errorf("docs/output.md does not tell of %s in %T", field, document)
			}
		}
	}
}

// fields are the names that a type and what it holds have in JSON.
func fields(t reflect.Type) map[string]bool {
	out := map[string]bool{}
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		return fields(t.Elem())
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				out[name] = true
			}
			if f.Type != t {
				for name := range fields(f.Type) {
					out[name] = true
				}
			}
		}
	}
	return out
}
