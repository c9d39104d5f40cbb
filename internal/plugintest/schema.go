package plugintest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// schemas is where the schema of each kind of document is published.
const schemas = "../../docs/schemas"

// values are those that types of strings can have.
var values = map[reflect.Type][]string{
	reflect.TypeFor[finding.Severity](): texts(finding.Severities),
	reflect.TypeFor[finding.Area]():     texts(finding.Areas),
	reflect.TypeFor[verdict.State]():    texts([]verdict.State{verdict.OK, verdict.Warning, verdict.Error, verdict.Unknown, verdict.Skipped}),
	reflect.TypeFor[view.RouteStatus](): texts(view.RouteStatuses),
	reflect.TypeFor[view.Verdict]():     texts(view.Verdicts),
	reflect.TypeFor[view.Trust]():       texts([]view.Trust{view.Trusts, view.Distrusts, view.Undecided}),
}

func texts[T ~string](of []T) []string {
	out := make([]string, len(of))
	for i, v := range of {
		out[i] = string(v)
	}
	return out
}

// schemaOf is the JSON schema of what a type is in JSON. Of structs no other fields are allowed, if
// it is strict: readers of what is published have to bear new ones.
func schemaOf(t reflect.Type, strict bool) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[finding.Step]():
		return object(map[string]any{
			"say": map[string]any{"type": "string"},
			"run": map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
		}, nil, strict)
	case values[t] != nil:
		return map[string]any{"type": "string", "enum": values[t]}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), strict)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem(), strict)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem(), strict)}
	case reflect.Struct:
		properties, required := map[string]any{}, []string{}
		members(t, strict, properties, &required)
		return object(properties, required, strict)
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Interface:
		return map[string]any{}
	default:
		return map[string]any{"type": "integer"}
	}
}

func object(properties map[string]any, required []string, strict bool) map[string]any {
	out := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	if strict {
		out["additionalProperties"] = false
	}
	return out
}

// members adds the fields of a struct, with those of embedded ones.
func members(t reflect.Type, strict bool, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			members(embedded, strict, properties, required)
			continue
		case !f.IsExported() || name == "-":
			continue
		case name == "":
			name = f.Name
		}
		properties[name] = schemaOf(f.Type, strict)
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			*required = append(*required, name)
		}
	}
}

// documentSchema is the schema of a kind of document.
func documentSchema(kind string, document any, strict bool) map[string]any {
	out := schemaOf(reflect.TypeOf(document), strict)
	properties := out["properties"].(map[string]any)
	properties["apiVersion"] = map[string]any{"type": "string", "const": report.APIVersion}
	properties["kind"] = map[string]any{"type": "string", "const": kind}
	if _, there := properties["meshes"]; !there { // what further meshes add to a listing
		properties["meshes"] = schemaOf(reflect.TypeFor[[]mesh.Section](), strict)
	}
	out["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	out["$id"] = "https://kubectl-mesh.dev/schemas/v1/" + kind + ".json"
	out["title"] = kind
	return out
}

// Published holds the published schema of each kind of document, which -update writes, against its
// type.
func Published(t *testing.T, documents map[string]any) {
	t.Helper()
	for kind, document := range documents {
		want, err := json.MarshalIndent(documentSchema(kind, document, false), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(schemas, kind+".json")
		if *golden.Update {
			if err := os.MkdirAll(schemas, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(want, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v; go test -update writes it", err)
		}
		if diff := cmp.Diff(string(got), string(want)+"\n"); diff != "" {
			t.Errorf("%s is not what %T is (-published +type):\n%s", path, document, diff)
		}
	}
}

// Valid holds a document against the published schema of its kind, and against the strict one where
// its type is among those given.
func Valid(t *testing.T, name string, text []byte, documents map[string]any) {
	t.Helper()
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	fields, _ := instance.(map[string]any)
	kind, _ := fields["kind"].(string)
	published, err := os.ReadFile(filepath.Join(schemas, kind+".json"))
	if err != nil {
		t.Errorf("%s: kind %q has no schema: %v", name, kind, err)
		return
	}
	all := [][]byte{published}
	if document := documents[kind]; document != nil {
		strict, err := json.Marshal(documentSchema(kind, document, true))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strict)
	}
	for _, text := range all {
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("schema.json", schema); err != nil {
			t.Fatal(err)
		}
		compiled, err := compiler.Compile("schema.json")
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if err := compiled.Validate(instance); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
