package gloomesh_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate/simulatetest"
)

// exceptions are all fixes that do not pass.
var exceptions = []simulatetest.Exception{}

// fleets are all fixtures, and all cases about Gloo Mesh, by name.
func fleets(t *testing.T) map[string]*facts.Fleet {
	t.Helper()
	out := map[string]*facts.Fleet{"fleet of facts": glootest.Unseen(east, north, "south").Facts()}
	for _, c := range glootest.Faults {
		for _, r := range releases() {
			if c.Of(r) {
				f := glootest.Healthy(r, glootest.Members...)
				c.Do(f)
				out[c.Name+", "+r.Tag] = f.Facts()
			}
		}
	}
	dir := os.DirFS("../../../cases")
	all, err := cases.All(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if !strings.Contains(c.Name, "gloo") {
			continue
		}
		f, err := c.Facts(dir, resource.Join(istio.All, gloomesh.Mesh{}.Table()))
		if err != nil {
			t.Fatal(err)
		}
		out["case: "+c.Name] = f
	}
	return out
}

// The commands of a fix, one after the other, and what the management plane then writes, remove the finding and cause no
// other error or warning, and none of them is refused. What deletes or stops is said before.
func TestFixesDoNoHarm(t *testing.T) {
	if detectsRaces {
		t.Skip("the page is of all releases; with the race detector fleets are of one")
	}
	proofs, everything := simulatetest.New(exceptions), fleets(t)
	table := resource.Join(istio.All, gloomesh.Mesh{}.Table())
	judged := func(f *facts.Fleet) finding.Result { return gloomesh.Judge(model.New(f), rule.Options{}) }
	for _, name := range slices.Sorted(maps.Keys(everything)) {
		f := everything[name]
		before := judged(f)
		proofs.Try(t, simulatetest.Fleet{
			Name: name, Said: before, Before: before, Judge: judged,
			World: func() *simulate.World { return simulate.New(f, table, effects.Gloo{}) },
		})
	}
	proofs.Used(t)
	t.Run("docs/fixes-gloo.md", func(t *testing.T) { proofs.Document(t, "../../../docs", "fixes-gloo.md", fixesHead, pasted) })
}

// pasted are the codes of which a fix is pasted into a shell on real API servers (test/e2e, TestGlooMesh).
var pasted = map[finding.Code]bool{"CERT204": true, "CERT205": true, "CP201": true, "EP206": true, "NET204": true}

const fixesHead = `# Which fixes are proven: Gloo Mesh

As [fixes.md](fixes.md) says it of Istio: the commands of a fix are run on what was read, in every fleet of
the tests that has the finding, and all rules of Gloo Mesh run again. What the management plane writes when it starts is
in ` + "`internal/gloo/effects`" + `: only what is certain. What discovery then finds, and what is signed, is not: where a fix
restarts discovery or an agent, the installation decides what follows. Some fixes are also pasted into a shell on real
API servers (` + "`test/e2e`, TestGlooMesh" + `). This page is written by a
test (` + "`go test ./internal/gloo/gloomesh -run TestFixesDoNoHarm -update`" + `).

| code | simulated | pasted | not proven |
| --- | --- | --- | --- |
`
