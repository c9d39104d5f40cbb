package report

import (
	"bytes"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

func TestPipelines(t *testing.T) {
	p := Pipeline{
		Command: "mesh-certs verify", Version: "v1.2.3", At: fleet.At, Clusters: []string{"east", "west"}, Result: result(),
		Codes:   []finding.Code{"CERT001", "CERT002", "CERT004", "CERT005", "CERT021", "CERT030", "CERT032", "FLT001"},
		Meaning: func(code finding.Code) string { return "the meaning of " + string(code) },
		About: func(code finding.Code) finding.Area {
			if code == "FLT001" {
				return finding.Clusters
			}
			return finding.Trust
		},
		Fails: func(s finding.Severity) bool { return s == finding.Error },
	}
	for _, format := range PipelineFormats {
		var b bytes.Buffer
		if err := p.Write(&b, format); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.String() {
			if r != '\n' && printable.Hidden(r) {
				t.Errorf("%s has a hidden character %U", format, r)
			}
		}
		golden.Compare(t, "result."+string(format), b.String())
	}
	if err := p.Write(&bytes.Buffer{}, Wide); err == nil {
		t.Error("a format for people is written as one for systems")
	}
}
