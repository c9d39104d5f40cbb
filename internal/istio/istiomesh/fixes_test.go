package istiomesh_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate/simulatetest"
)

// exceptions are all fixes that do not pass.
var exceptions = []simulatetest.Exception{
	{Code: "CERT004", Added: []finding.Code{"CERT002", "CERT037"}, Why: "a person first gives every cluster both roots; istiod writes the CA into its webhooks when it starts"},
	{Code: "CERT016", Left: true, Why: "a person first lets proxies take the roots, in the mesh config"},
	{Code: "NET006", Added: []finding.Code{"GW001", "NET013"}, Left: true, Why: "a person first sets the network in the values of istiod's installation"},
	{Code: "NET007", Added: []finding.Code{"NET002", "NET006"}, Left: true, Why: "a person installs gateways, and sets the networks in the values of the installations"},
	{Code: "PR010", Left: true, Why: "a person first creates the Service, or corrects the address in the values of the installation"},
	{Code: "SEC008", Left: true, Why: "a Secret of another name, which istiod cannot use, stays next to the new one until a person deletes it"},
	{Code: "GW039", Left: true, Why: "istiod takes the label from the waypoint's Service when it is gone from the Gateway"},
	{Code: "EP038", Left: true, Why: "a person gives the other network a gateway for ambient proxies, or takes the variable away everywhere"},
	{Code: "NET002", Left: true, Why: "a person sets the network in the values of the installation"},
	{Code: "EP051", Added: []finding.Code{"EP036", "EP037"}, Why: "what one cluster has and the other is given is wrong in the one as well"},
	{Code: "EP052", Added: []finding.Code{"EP018"}, Why: "the same rule is changed in one cluster after the other"},
	{Code: "EP054", Added: []finding.Code{"EP018"}, Why: "the same rule is changed in one cluster after the other"},
	{Code: "SEC018", Added: []finding.Code{"NET040"}, Why: "the release has that bug as well"},
	{Code: "CERT037", Left: true, Why: "istiod writes the CA into its webhooks when it starts"},
	{Code: "EP002", Added: []finding.Code{"EP007", "CP030"}, Why: "other workloads of the namespace are named once it is injected"},
	{Code: "CP034", Left: true, Why: "the event of the refusal stays until it is old"},
	{Code: "CP025", Left: true, Why: "a person first makes the ConfigMap; the event of the refusal stays until it is old"},
	{Code: "CP010", Left: true, Why: "which release the injector gives to new pods was not read"},
	{Code: "GW017", Left: true, Why: "gateways of one name in two clusters have a fix each"},
	{Code: "PR007", Added: []finding.Code{"PR004", "PR008"}, Why: "istiod writes its root and the CA bundle once it watches the cluster"},
	{Code: "SEC001", Added: []finding.Code{"SEC001", "SEC023", "PR004", "PR008"}, Left: true,
		Why: "other pairs lack remote secrets too; istiod writes its root and the CA bundle once it watches the cluster"},
	{Code: "SEC001", Added: []finding.Code{"EP030", "GW001", "SEC006", "CERT017"},
		Why: "where two meshes are joined on purpose, what both of them need shows only then"},
}

// standIns are values for what a person fills in, of a range that is for documentation: a fix
// with another address of the kind does the same.
var standIns = map[string]string{"ADDRESS": "192.0.2.10", "HOST": "192.0.2.11"}

// mostDrawn is how many random fleets are tried.
const mostDrawn = 60

// The commands of a fix, one after the other, remove the finding and cause no other error
// or warning, and none of them is refused. What they delete, replace or stop is said before.
func TestFixesDoNoHarm(t *testing.T) {
	if raceDetector {
		t.Skip("it is one goroutine; make unit runs it without the race detector")
	}
	proofs, silent := simulatetest.New(exceptions), map[string]bool{}
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
				w.Values = standIns
				return w
			},
		})
	}
	if !testing.Short() {
		proofs.Used(t)
	}
	t.Run("docs/fixes.md", func(t *testing.T) { proofs.Document(t, "../../../docs", "fixes.md", fixesHead, pasted(t)) })
}

var pastedCode = regexp.MustCompile(`(?m)^\s*code:\s+"([A-Z]+[0-9]{3})"`)

const fixesHead = `# Which fixes are proven

A fix is printed as commands to paste. This page says, code by code, how it is known that they help
and do no harm. It is written by a test (` + "`go test ./internal/istio/istiomesh -run TestFixesDoNoHarm -update`" + `).

- **simulated**: in every fleet of the tests that has the finding, the commands are run on what was read,
  and all rules run again: the finding is gone, no other error or warning has come, and no command is
  refused. What istiod, the injector and istioctl do is in ` + "`internal/istio/effects`" + `: only what is certain.
- **pasted**: the printed commands are pasted into bash against real API servers, and verify runs again
  (` + "`test/e2e`" + `, TestFixes and TestCheckOnRealControlPlanes).
- **not proven**: why that cannot be done for some fixes of the code, or for all.

A code that is missing here is found only by asking running clusters (probes, proxies, connections).
[fixes-linkerd.md](fixes-linkerd.md) says the same of Linkerd.

| code | simulated | pasted | not proven |
| --- | --- | --- | --- |
`

// pasted are the codes whose fixes are pasted into bash.
func pasted(t *testing.T) map[finding.Code]bool {
	t.Helper()
	out := map[finding.Code]bool{}
	for _, file := range []string{"fix_test.go", "controlplanefaults_test.go"} {
		source, err := os.ReadFile("../../../test/e2e/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pastedCode.FindAllStringSubmatch(string(source), -1) {
			out[finding.Code(m[1])] = true
		}
	}
	return out
}
