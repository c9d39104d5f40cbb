package istiomesh_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// exception is a fix of a code that does not pass, and why that is right.
type exception struct {
	code finding.Code
	// added are errors and warnings that may come with its commands alone.
	added []finding.Code
	// left: the finding may stay after its commands alone.
	left bool
	why  string
}

// exceptions are all fixes that do not pass.
var exceptions = []exception{
	{code: "CERT004", added: []finding.Code{"CERT002", "CERT037"}, why: "a person first gives every cluster both roots; istiod writes the CA into its webhooks when it starts"},
	{code: "CERT016", left: true, why: "a person first lets proxies take the roots, in the mesh config"},
	{code: "NET006", added: []finding.Code{"GW001", "NET013"}, left: true, why: "a person first sets the network in the values of istiod's installation"},
	{code: "NET007", added: []finding.Code{"NET002", "NET006"}, left: true, why: "a person installs gateways, and sets the networks in the values of the installations"},
	{code: "PR010", left: true, why: "a person first creates the Service, or corrects the address in the values of the installation"},
	{code: "SEC008", left: true, why: "a Secret of another name, which istiod cannot use, stays next to the new one until a person deletes it"},
	{code: "GW039", left: true, why: "istiod takes the label from the waypoint's Service when it is gone from the Gateway"},
	{code: "EP038", left: true, why: "a person gives the other network a gateway for ambient proxies, or takes the variable away everywhere"},
	{code: "NET002", left: true, why: "a person sets the network in the values of the installation"},
	{code: "EP051", added: []finding.Code{"EP036", "EP037"}, why: "what one cluster has and the other is given is wrong in the one as well"},
	{code: "EP052", added: []finding.Code{"EP018"}, why: "the same rule is changed in one cluster after the other"},
	{code: "EP054", added: []finding.Code{"EP018"}, why: "the same rule is changed in one cluster after the other"},
	{code: "SEC018", added: []finding.Code{"NET040"}, why: "the release has that bug as well"},
	{code: "CERT037", left: true, why: "istiod writes the CA into its webhooks when it starts"},
	{code: "EP002", added: []finding.Code{"EP007", "CP030"}, why: "other workloads of the namespace are named once it is injected"},
	{code: "CP034", left: true, why: "the event of the refusal stays until it is old"},
	{code: "CP025", left: true, why: "a person first makes the ConfigMap; the event of the refusal stays until it is old"},
	{code: "CP010", left: true, why: "which release the injector gives to new pods was not read"},
	{code: "GW017", left: true, why: "gateways of one name in two clusters have a fix each"},
	{code: "PR007", added: []finding.Code{"PR004", "PR008"}, why: "istiod writes its root and the CA bundle once it watches the cluster"},
	{code: "SEC001", added: []finding.Code{"SEC001", "SEC023", "PR004", "PR008"}, left: true,
		why: "other pairs lack remote secrets too; istiod writes its root and the CA bundle once it watches the cluster"},
	{code: "SEC001", added: []finding.Code{"EP030", "GW001", "SEC006", "CERT017"},
		why: "where two meshes are joined on purpose, what both of them need shows only then"},
}

// excuse is the exception for a fix of a code that leaves the finding, or adds another code.
func excuse(code finding.Code, left bool, added finding.Code) (int, bool) {
	i := slices.IndexFunc(exceptions, func(e exception) bool {
		return e.code == code && (left && e.left || added != "" && slices.Contains(e.added, added))
	})
	return i, i >= 0
}

// tried is what became of the fixes of a code in fleets that are not drawn.
type tried struct {
	proven bool
	// why are the reasons for which some could not be proven.
	why map[string]bool
}

// words say for docs/fixes.md why a command is not simulated.
var words = map[simulate.Kind]string{
	simulate.Asks:      "a person edits something, or says what only a person knows",
	simulate.Foreign:   "it takes a file or a program that only a person has",
	simulate.NotRead:   "it changes what no rule reads",
	simulate.Uncertain: "a cloud, an installation or the manifest of a workload decides what follows",
}

const (
	shows    = "it shows where to look"
	live     = "the finding rests on what running clusters answer"
	byPerson = "a person does the steps that have no command"
	byCause  = "its cause is fixed instead"
)

// mostDrawn is how many random fleets are tried.
const mostDrawn = 60

// The commands of a fix, one after the other, remove the finding and cause no other error
// or warning, and none of them is refused. What they delete, replace or stop is said before.
func TestFixesDoNoHarm(t *testing.T) {
	if raceDetector {
		t.Skip("it is one goroutine; make unit runs it without the race detector")
	}
	all, used, silent := map[finding.Code]*tried{}, map[int]bool{}, map[string]bool{}
	drawn := 0
	for _, f := range fleets(t) {
		if f.random {
			if drawn++; drawn > mostDrawn {
				break // the others come before
			}
		}
		said := say(f)
		options := model.Options{Seen: f.seen, Hosts: f.hosts}
		prover := istiomesh.NewProver(f.facts, options, said.result, mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints)
		note := func(code finding.Code, proven bool, why string) {
			if f.random || f.missed {
				return
			}
			if all[code] == nil {
				all[code] = &tried{why: map[string]bool{}}
			}
			all[code].proven = all[code].proven || proven
			if why != "" {
				all[code].why[why] = true
			}
		}
		for _, x := range said.result.Findings {
			warned(said.mesh, x, silent, func(format string, args ...any) { t.Errorf("%s: %s", f.name, fmt.Sprintf(format, args...)) })
			switch {
			case x.CausedBy != "":
				note(x.Code, false, byCause)
			case !prover.Finds(x):
				note(x.Code, false, live)
			}
		}
		for _, x := range prover.Before().RootCauses() {
			for n, way := range finding.Ways(x.Fix) {
				if len(finding.Commands(way)) == 0 {
					note(x.Code, false, byPerson)
					continue
				}
				proof, _ := prover.Prove(x, way)
				fail := func(format string, args ...any) {
					t.Errorf("%s: %s, way %d: %s\n%s", f.name, x.ID(), n+1, fmt.Sprintf(format, args...), text(way))
				}
				for i, o := range proof.Outcomes {
					if o.Kind == simulate.Refused {
						fail("command %d is refused: %s", i+1, o.Why)
					}
				}
				gap, is := proof.Gap()
				switch {
				case is:
					note(x.Code, false, words[gap.Kind])
					continue
				case !proof.Changes():
					note(x.Code, false, shows)
					continue
				case !proof.Left && len(proof.Added) == 0:
					note(x.Code, true, "")
					continue
				}
				note(x.Code, false, byPerson)
				looks := slices.ContainsFunc(proof.Outcomes, func(o simulate.Outcome) bool { return o.Kind == simulate.Reads })
				// What random fleets have of faults hides one another.
				same := !f.random && !f.missed || f.random && cmp.Equal(x.Evidence, proof.After.Evidence)
				if e, ok := excuse(x.Code, true, ""); proof.Left && !looks && same {
					if used[e] = true; !ok {
						fail("it is still there: %s %v", proof.After.Title, proof.Unknown)
					}
				}
				for _, a := range proof.Added {
					if f.random || f.missed {
						continue
					}
					e, ok := excuse(x.Code, false, a.Code)
					if used[e] = true; !ok {
						fail("it causes %s: %s", a.ID(), a.Title)
					}
				}
			}
		}
	}
	for i, e := range exceptions {
		if !used[i] && !testing.Short() {
			t.Errorf("no fleet takes the exception of %s: %s", e.code, e.why)
		}
	}
	t.Run("docs/fixes.md", func(t *testing.T) { document(t, all) })
}

func text(steps []finding.Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "    %s\n", s.Say)
		for _, c := range s.Run {
			fmt.Fprintf(&b, "        %s\n", c)
		}
	}
	return b.String()
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

// document holds docs/fixes.md to what was tried: go test -update writes it.
func document(t *testing.T, all map[finding.Code]*tried) {
	const path = "../../../docs/fixes.md"
	pasted := map[finding.Code]bool{}
	for _, file := range []string{"fix_test.go", "controlplanefaults_test.go"} {
		source, err := os.ReadFile("../../../test/e2e/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pastedCode.FindAllStringSubmatch(string(source), -1) {
			pasted[finding.Code(m[1])] = true
		}
	}
	mark := map[bool]string{true: "yes"}
	var b strings.Builder
	b.WriteString(fixesHead)
	for _, code := range slices.Sorted(maps.Keys(all)) {
		r := all[code]
		if len(r.why) > 1 {
			delete(r.why, byCause)
		}
		if r.proven {
			delete(r.why, byCause)
		}
		fmt.Fprintf(&b, "| [%s](findings/%s.md) | %s | %s | %s |\n", code, code, mark[r.proven], mark[pasted[code]],
			strings.Join(slices.Sorted(maps.Keys(r.why)), "; "))
	}
	b.WriteString("\n## Commands that alone do not do\n\n" +
		"In these fixes a person's step belongs to the commands. The commands alone leave the finding, or show what they uncover.\n\n" +
		"| code | what then shows | why |\n| --- | --- | --- |\n")
	for _, e := range exceptions {
		var shown []string
		if e.left {
			shown = append(shown, "the finding itself")
		}
		for _, a := range e.added {
			shown = append(shown, string(a))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", e.code, strings.Join(shown, ", "), e.why)
	}
	if *golden.Update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("%s; go test -update writes it (-want +got):\n%s", path, diff)
	}
}
