package istiomesh_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate/simulatetest"
)

// mostDrawn is how many random fleets are tried.
const mostDrawn = 60

// The commands of a fix, one after the other, remove the finding and cause no other error
// or warning, and none of them is refused. What they delete, replace or stop is said before.
func TestFixesDoNoHarm(t *testing.T) {
	if raceDetector {
		t.Skip("it is one goroutine; make unit runs it without the race detector")
	}
	proofs, silent := simulatetest.New(istiotest.FixExceptions), map[string]bool{}
	drawn := 0
	for _, f := range fleets(t) {
		if f.random {
			if drawn++; drawn > mostDrawn {
				break // the others come before
			}
		}
		said := say(f)
		for _, x := range said.result.Findings {
			warned(said.mesh, x, silent, func(format string, args ...any) { t.Errorf("%s: %s", f.name, fmt.Sprintf(format, args...)) })
		}
		unseen := f
		unseen.seen = facts.Seen{}
		before := said.result
		if !reflect.ValueOf(f.seen).IsZero() {
			before = judge(unseen.model())
		}
		proofs.Try(t, simulatetest.Fleet{
			Name: f.name, Said: said.result, Before: before, Drawn: f.random, Missed: f.missed,
			Judge: func(then *facts.Fleet) finding.Result {
				as := unseen
				as.facts = then
				return judge(as.model())
			},
			World: func() *simulate.World {
				w := simulate.New(f.facts, resources.All, effects.Istio{})
				w.Values = istiotest.StandIns
				return w
			},
		})
	}
	if !testing.Short() {
		proofs.Used(t)
	}
	t.Run("docs/fixes.md", func(t *testing.T) { proofs.Document(t, "../../../docs", "fixes.md", fixesHead, pasted(t)) })
}

const fixesHead = `# Which fixes are proven

A fix is printed as commands to paste. This page says, code by code, how it is known that they help
and do no harm. It is written by a test (` + "`go test ./internal/istio/istiomesh -run TestFixesDoNoHarm -update`" + `).

- **simulated**: in every fleet of the tests that has the finding, the commands are run on what was read,
  and all rules run again: the finding is gone, no other error or warning has come, and no command is
  refused. What istiod, the injector and istioctl do is in ` + "`internal/istio/effects`" + `: only what is certain.
- **pasted**: the printed commands are pasted into bash against real API servers, and verify runs again
  (` + "`test/e2e`" + `, TestPastedFixes, TestFixes and TestCheckOnRealControlPlanes). Where no control plane runs there, what
  it then does is simulated.
- **not proven**: why that cannot be done for some fixes of the code, or for all.

A code that is missing here is found only by asking running clusters (probes, proxies, connections).
[fixes-linkerd.md](fixes-linkerd.md) says the same of Linkerd.

| code | simulated | pasted | not proven |
| --- | --- | --- | --- |
`

// pasted are the codes whose fixes are pasted into bash: test/e2e writes the list.
func pasted(t *testing.T) map[finding.Code]bool {
	t.Helper()
	text, err := os.ReadFile("../../../test/e2e/testdata/pasted.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[finding.Code]bool{}
	for _, code := range strings.Fields(string(text)) {
		out[finding.Code(code)] = true
	}
	return out
}
