package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/joshdk/go-junit"
	sarif "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/xeipuuv/gojsonschema"
)

// What other systems read of a result is what their own readers take: of a broken fleet, of a
// healthy one, and of one verify.
func TestReportsForOtherSystems(t *testing.T) {
	for name, run := range map[string]struct {
		plugin   string
		args     []string
		findings bool
	}{
		"broken":  {checkBinary, []string{"--from", example(t, "fleet")}, true},
		"healthy": {checkBinary, []string{"--from", example(t, "healthy")}, false},
		"verify":  {binary, []string{"verify", "--from", example(t, "broken")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			of := func(format string) []byte {
				out := mesh(t, options{program: run.plugin}, append(slices.Clone(run.args), "-o", format)...)
				if failed := out.code != 0; failed != run.findings {
					t.Fatalf("-o %s ends with %d\n%s", format, out.code, out.stderr)
				}
				return []byte(out.stdout)
			}
			validSARIF(t, of("sarif"), run.findings)
			validJUnit(t, of("junit"), run.findings)
			validMetrics(t, of("prometheus"), run.findings)
		})
	}
}

// example is the path of an embedded fleet.
func example(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// validSARIF reads a log as one of 2.1.0, without a field that it does not have, and holds it
// against the schema of OASIS.
func validSARIF(t *testing.T, text []byte, findings bool) {
	t.Helper()
	var log sarif.Report
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&log); err != nil {
		t.Fatalf("sarif: %v", err)
	}
	result, err := gojsonschema.Validate(gojsonschema.NewStringLoader(sarifSchema(t)), gojsonschema.NewBytesLoader(text))
	if err != nil {
		t.Fatalf("sarif: %v", err)
	}
	for _, e := range result.Errors() {
		t.Errorf("sarif: %s", e)
	}
	if got := len(log.Runs[0].Results) > 0; got != findings {
		t.Errorf("sarif: %d results", len(log.Runs[0].Results))
	}
	for _, r := range log.Runs[0].Results {
		if rule := log.Runs[0].Tool.Driver.Rules[r.RuleIndex]; *rule.ID != *r.RuleID {
			t.Errorf("sarif: result of %s has the index of %s", *r.RuleID, *rule.ID)
		}
	}
}

// sarifSchema is the schema of OASIS, which the module that reads logs has as a constant.
func sarifSchema(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Fatalf("looking for the schema: %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var schema string
	ast.Inspect(file, func(n ast.Node) bool {
		if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && len(text.Value) > len(schema) {
			schema = text.Value
		}
		return true
	})
	text, err := strconv.Unquote(schema)
	if err != nil {
		t.Fatalf("the schema is not a constant any more: %v", err)
	}
	return text
}

func validJUnit(t *testing.T, text []byte, findings bool) {
	t.Helper()
	suites, err := junit.Ingest(text)
	if err != nil {
		t.Fatalf("junit: %v", err)
	}
	var counts struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	if err := xml.Unmarshal(text, &counts); err != nil {
		t.Fatalf("junit: %v", err)
	}
	var tests, failures, skipped int
	for _, s := range suites {
		tests, failures, skipped = tests+s.Totals.Tests, failures+s.Totals.Failed, skipped+s.Totals.Skipped
	}
	if tests != counts.Tests || failures != counts.Failures || skipped != counts.Skipped {
		t.Errorf("junit: it says %+v, and has %d, %d, %d", counts, tests, failures, skipped)
	}
	if failures > 0 != findings {
		t.Errorf("junit: %d failures", failures)
	}
}

func validMetrics(t *testing.T, text []byte, findings bool) {
	t.Helper()
	reader := expfmt.NewTextParser(model.UTF8Validation)
	families, err := reader.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("prometheus: %v", err)
	}
	for _, name := range []string{"mesh_unchecked", "mesh_verify_timestamp_seconds"} {
		if families[name] == nil {
			t.Errorf("prometheus: there is no %s", name)
		}
	}
	found := families["mesh_finding"]
	if (found != nil && len(found.GetMetric()) > 0) != findings {
		t.Errorf("prometheus: %v", found)
	}
	for _, m := range found.GetMetric() {
		var names []string
		for _, l := range m.GetLabel() {
			names = append(names, l.GetName())
		}
		if slices.Sort(names); !slices.Equal(names, []string{"caused", "cluster", "code", "object", "severity"}) {
			t.Errorf("prometheus: labels %v", names)
		}
	}
}
