package linkerdmesh_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate/simulatetest"
)

// exceptions are all fixes that do not pass.
var exceptions = []simulatetest.Exception{
	{Code: "EP120", Left: true, Why: "a person first upgrades Linkerd in the other cluster"},
	{Code: "CP106", Left: true, Why: "a person first upgrades the control plane, which writes the CA and the certificate again"},
	{Code: "NET102", Added: []finding.Code{"NET109"}, Why: "a person first starts the service mirror, which writes the mirrors again"},
	{Code: "NET109", Left: true, Why: "the controller resolves the name of the gateway when it starts"},
}

// fleets are all fixtures, and all cases about Linkerd, by name.
func fleets(t *testing.T) map[string]*facts.Fleet {
	t.Helper()
	out := map[string]*facts.Fleet{}
	for _, c := range faults {
		f := linkerdtest.Healthy(t)
		c.do(t, f)
		out[c.name] = f
	}
	for _, r := range linkerdtest.AllRecorded(t) {
		out["recorded: "+r.Name] = r.Facts(t)
	}
	dir := os.DirFS("../../../cases")
	all, err := cases.All(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if !strings.Contains(c.Name, "linkerd") {
			continue
		}
		f, err := c.Facts(dir, resources.All)
		if err != nil {
			t.Fatal(err)
		}
		out["case: "+c.Name] = f
	}
	return out
}

// The commands of a fix, one after the other, and what service mirrors then do, remove the finding and
// cause no other error or warning, and none of them is refused. What deletes or stops is said before.
func TestFixesDoNoHarm(t *testing.T) {
	proofs, everything := simulatetest.New(exceptions), fleets(t)
	judged := func(f *facts.Fleet) finding.Result { return judge(t, model.New(f, model.Options{})) }
	for _, name := range slices.Sorted(maps.Keys(everything)) {
		f := everything[name]
		before := judged(f)
		proofs.Try(t, simulatetest.Fleet{
			Name: name, Said: before, Before: before, Judge: judged,
			World:  func() *simulate.World { return simulate.New(f, resources.All, effects.Linkerd{}) },
			Settle: func(w *simulate.World) { effects.Settle(w, f) },
		})
	}
	proofs.Used(t)
	t.Run("docs/fixes-linkerd.md", func(t *testing.T) { proofs.Document(t, "../../../docs", "fixes-linkerd.md", fixesHead, pasted(t)) })
}

const fixesHead = `# Which fixes are proven: Linkerd

As [fixes.md](fixes.md) says it of Istio: the commands of a fix are run on what was read, in every fleet of
the tests that has the finding, and all rules run again. What the injector, the service mirrors and
"linkerd multicluster link-gen" do is in ` + "`internal/linkerd/effects`" + `: only what is certain. This page is written by a
test (` + "`go test ./internal/linkerd/linkerdmesh -run TestFixesDoNoHarm -update`" + `).

Those that are pasted are pasted into bash against real API servers, and all rules run again (` + "`test/e2e`" + `,
TestLinkerdPastedFixes). What the injector and service mirrors then do is simulated.

| code | simulated | pasted | not proven |
| --- | --- | --- | --- |
`

// pasted are the codes whose fixes are pasted into bash: test/e2e writes the list.
func pasted(t *testing.T) map[finding.Code]bool {
	t.Helper()
	text, err := os.ReadFile("../../../test/e2e/testdata/pasted-linkerd.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[finding.Code]bool{}
	for _, code := range strings.Fields(string(text)) {
		out[finding.Code(code)] = true
	}
	return out
}
