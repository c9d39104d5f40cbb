package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

var fleet = &facts.Fleet{
	At: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
	Clusters: []facts.Cluster{
		{Context: "east", Server: "https://east.example:6443"},
		{Context: "west", Server: "https://west.example:6443", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}},
	},
}

// result has a chain of causes, every severity, a hostile string, and unknowns.
func result() finding.Result {
	r := finding.Result{Findings: []finding.Finding{
		{
			Code: "CERT004", Severity: finding.Error, Clusters: []string{"west"}, Object: finding.In("secret", "istio-system", "cacerts"),
			Title: "istiod does not run on the CA in secret cacerts",
			Evidence: []finding.Evidence{
				{Field: "secret cacerts, root-cert.pem", Value: "CN=Root CA,O=Istio, sha256 0123456789ab, until 2036-03-04"},
				{Cluster: "east", Field: "issuer", Value: "CN=\x1b[31mred\u202e,\nO=evil"},
			},
			Effect: "workloads trust, and are signed by, another CA than the one that was installed; nothing in Kubernetes shows it",
			Fix: []finding.Step{
				finding.Run(finding.Kubectl("west", "-n", "istio-system", "rollout", "restart", "deployment/istiod")),
				finding.Say("Restart the workloads, or wait about 12 hours until they have new certificates."),
			},
		},
		{Code: "CERT002", Severity: finding.Error, Clusters: []string{"east", "west"}, Title: "east and west do not trust one another's certificates", Effect: "503", CausedBy: "CERT004/west/secret/istio-system/cacerts"},
		{Code: "CERT021", Severity: finding.Note, Clusters: []string{"east", "west"}, Title: "two different roots have the name CN=Root CA,O=Istio", Effect: "confusion", CausedBy: "CERT002/east,west"},
		{Code: "CERT032", Severity: finding.Warning, Clusters: []string{"east"}, Title: "a CA certificate is too weak", Effect: "forgery", CausedBy: "gone"},
	}}
	r.NotChecked("east", finding.Reason{Kind: finding.Forbidden, Text: "secret cacerts: forbidden"}, "CERT005", "CERT006", "CERT007", "CERT008", "CERT009")
	r.NotChecked("west", finding.ClusterUnreached, "CERT001")
	r.Sort()
	return r
}

// causes are those of result.
func causes() []verdict.Cause {
	out, _ := verdict.Causes(verdict.Question{
		Fleet: fleet, Result: result(),
		About:   func(finding.Code) finding.Area { return finding.Trust },
		Meaning: func(code finding.Code) string { return "the meaning of " + string(code) },
	})
	return out
}

func TestFindingsForPeople(t *testing.T) {
	for name, c := range map[string]struct {
		color bool
		width int
		wide  bool
	}{
		"findings-80.txt":    {width: 80},
		"findings-color.txt": {width: 80, color: true},
		"findings-pipe.txt":  {},
		"findings-wide.txt":  {wide: true},
		"findings-40.txt":    {width: 40},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			NewPage(&out, c.color, c.width, true).Findings(result(), causes(), c.wide)
			if strings.ContainsAny(strings.ReplaceAll(out.String(), "\x1b[", ""), "\x1b\u202e") || !c.color && strings.Contains(out.String(), "\x1b") {
				t.Errorf("a control character got through:\n%q", out.String())
			}
			golden.Compare(t, name, out.String())
		})
	}
}

func TestNothingToSay(t *testing.T) {
	var out bytes.Buffer
	NewPage(&out, true, 80, true).Findings(finding.Result{}, nil, false)
	if out.Len() > 0 {
		t.Errorf("a healthy fleet prints %q", out.String())
	}
	if diff := cmp.Diff("2 clusters: nothing found, every rule checked", SummaryLine(fleet, finding.Result{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("2 clusters: 2 errors, 1 warning, 1 note, 6 rules not checked", SummaryLine(fleet, result())); diff != "" {
		t.Error(diff)
	}
}

func TestMachineOutput(t *testing.T) {
	doc := NewReport("mesh-certs verify", fleet, result())
	var asJSON, asYAML, names bytes.Buffer
	if err := Encode(&asJSON, JSON, doc); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "report.json", asJSON.String())
	if err := Encode(&asYAML, YAML, doc); err != nil {
		t.Fatal(err)
	}
	var fromJSON, fromYAML any
	if err := json.Unmarshal(asJSON.Bytes(), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(asYAML.Bytes(), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Errorf("JSON and YAML differ: %s", diff)
	}
	Names(&names, result())
	golden.Compare(t, "names.txt", names.String())

	// An empty result has empty lists, not null: a pipeline can go through them.
	var empty bytes.Buffer
	if err := Encode(&empty, JSON, NewReport("x", &facts.Fleet{}, finding.Result{})); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(empty.String(), "null") {
		t.Errorf("null in %s", empty.String())
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range Formats {
		if got, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("%s: %v, %v", f, got, err)
		}
	}
	_, err := ParseFormat("xml")
	if err == nil || err.Error() != `there is no output format "xml"; -o takes one of table, wide, json, yaml, name, jsonpath=…, go-template=…, custom-columns=…` {
		t.Error(err)
	}
}

func TestTable(t *testing.T) {
	rows := [][]string{
		{"east", "0123456789ab", "CN=Intermediate CA with a rather long name,O=Istio", "secret/cacerts ca-cert.pem, secret/cacerts cert-chain.pem"},
		{"west", "", "CN=日本語,O=\x1b]0;title\a", "configmap/istio-ca-root-cert"},
	}
	header := []string{"CLUSTER", "SHA256", "SUBJECT", "SOURCE"}
	for name, c := range map[string]struct {
		width   int
		headers bool
	}{
		"table-80.txt": {80, true}, "table-pipe.txt": {0, true}, "table-no-headers.txt": {0, false},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := NewPage(&out, false, c.width, c.headers).Table(header, rows); err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, name, out.String())
		})
	}
}

// Documents hold no character that acts on a terminal, and mean the same as without that.
func TestNothingHiddenInDocuments(t *testing.T) {
	said := "a\u009b31m\u202eb\u200b\ufeff\x7f\U000e0001c\ufffed\x01202e\x01 ü 東"
	for format, decode := range map[Format]func([]byte, any) error{
		JSON: json.Unmarshal, YAML: func(text []byte, into any) error { return yaml.Unmarshal(text, into) },
	} {
		var out bytes.Buffer
		if err := Encode(&out, format, map[string]string{"said": said}); err != nil {
			t.Fatal(err)
		}
		for _, r := range out.String() {
			if r != '\n' && printable.Hidden(r) {
				t.Errorf("%s holds %U: %s", format, r, out.String())
			}
		}
		var got map[string]string
		if err := decode(out.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if diff := cmp.Diff(said, got["said"]); format == JSON && diff != "" {
			t.Errorf("%s says another thing (-want +got):\n%s", format, diff)
		}
	}
}
