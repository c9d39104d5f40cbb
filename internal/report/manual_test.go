package report_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func TestManual(t *testing.T) {
	const page = "# GW002: Meaning\n\n## Fix\n\n1. Do it:\n```\nkubectl \\\n  get\n```\n   Else:\n   ```\n   ls\n   ```\n\n#5 is it\n"
	for name, c := range map[string]struct {
		colored bool
		want    string
	}{
		"plain": {false, "GW002: Meaning\n\nFix\n\n1. Do it:\n  kubectl \\\n    get\n   Else:\n     ls\n\n#5 is it\n"},
		"coloured": {true, "\x1b[1mGW002: Meaning\x1b[22m\n\n\x1b[1mFix\x1b[22m\n\n1. Do it:\n  \x1b[36mkubectl \\\x1b[0m\n" +
			"  \x1b[36m  get\x1b[0m\n   Else:\n     \x1b[36mls\x1b[0m\n\n#5 is it\n"},
	} {
		var out bytes.Buffer
		report.NewPage(&out, c.colored, 80, true).Manual(page)
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
