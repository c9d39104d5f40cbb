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
	for _, document := range []any{report.Report{}, gatewaysDocument{}, labelsDocument{}} {
		_, section, _ := strings.Cut(string(text), "## "+kindOf(document)+":")
		section, _, _ = strings.Cut(section, "\n## ")
		for field := range fields(reflect.TypeOf(document)) {
			if field == "apiVersion" || field == "kind" {
				continue
			}
			if !strings.Contains(section, "`"+field+"`") && !strings.Contains(section, "`"+field+"[]`") {
				t.Errorf("docs/output.md does not tell of %s in %T", field, document)
			}
		}
	}
}

func kindOf(document any) string {
	switch document.(type) {
	case gatewaysDocument:
		return "GatewayList"
	case labelsDocument:
		return "NetworkLabels"
	default:
		return "Report"
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
