package linkerdmesh_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// exception is a fix of a code that does not pass, and why that is right.
type exception struct {
	code  finding.Code
	added []finding.Code
	left  bool
	why   string
}

// exceptions are all fixes that do not pass.
var exceptions = []exception{
	{code: "EP120", left: true, why: "a person first upgrades Linkerd in the other cluster"},
	{code: "CP106", left: true, why: "a person first upgrades the control plane, which writes the CA and the certificate again"},
	{code: "NET102", added: []finding.Code{"NET109"}, why: "a person first starts the service mirror, which writes the mirrors again"},
	{code: "NET109", left: true, why: "the controller resolves the name of the gateway when it starts"},
}

func excuse(code finding.Code, left bool, added finding.Code) (int, bool) {
	i := slices.IndexFunc(exceptions, func(e exception) bool {
		return e.code == code && (left && e.left || added != "" && slices.Contains(e.added, added))
	})
	return i, i >= 0
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

// words say for docs/fixes-linkerd.md why a command is not simulated.
var words = map[simulate.Kind]string{
	simulate.Asks:      "a person edits something, or says what only a person knows",
	simulate.Foreign:   "it takes a file or a program that only a person has",
	simulate.NotRead:   "it changes what no rule reads",
	simulate.Uncertain: "a cloud, an installation or the manifest of a workload decides what follows",
}

// proof is what becomes of the fixes of a code.
type proof struct {
	proven bool
	why    map[string]bool
}

// The commands of a fix, one after the other, and what service mirrors then do, remove the finding and
// cause no other error or warning, and none of them is refused. What deletes or stops is said before.
func TestFixesDoNoHarm(t *testing.T) {
	all, used := map[finding.Code]*proof{}, map[int]bool{}
	everything := fleets(t)
	for _, name := range slices.Sorted(maps.Keys(everything)) {
		fleet := everything[name]
		before := judge(t, model.New(fleet, model.Options{}))
		note := func(code finding.Code, proven bool, why string) {
			if all[code] == nil {
				all[code] = &proof{why: map[string]bool{}}
			}
			all[code].proven = all[code].proven || proven
			if why != "" {
				all[code].why[why] = true
			}
		}
		for _, x := range before.Findings {
			if x.CausedBy != "" {
				note(x.Code, false, "its cause is fixed instead")
			}
		}
		for _, x := range before.RootCauses() {
			for n, way := range finding.Ways(x.Fix) {
				fail := func(format string, args ...any) {
					t.Errorf("%s: %s, way %d: %s\n%s", name, x.ID(), n+1, fmt.Sprintf(format, args...), printed(way))
				}
				commands := finding.Commands(way)
				if len(commands) == 0 {
					note(x.Code, false, "a person does the steps that have no command")
					continue
				}
				world := simulate.New(fleet, resources.All, effects.Linkerd{})
				outcomes := world.Run(commands...)
				for i, o := range outcomes {
					if o.Kind == simulate.Refused {
						fail("command %d is refused: %s", i+1, o.Why)
					}
				}
				gap := slices.IndexFunc(outcomes, func(o simulate.Outcome) bool { return o.Kind != simulate.Done && o.Kind != simulate.Reads })
				changes := slices.ContainsFunc(outcomes, func(o simulate.Outcome) bool { return o.Kind == simulate.Done })
				switch {
				case gap >= 0:
					note(x.Code, false, words[outcomes[gap].Kind])
					continue
				case !changes:
					note(x.Code, false, "it shows where to look")
					continue
				}
				effects.Settle(world, fleet)
				left, added := compared(t, before, world.Fleet(), x)
				if !left && len(added) == 0 {
					note(x.Code, true, "")
					continue
				}
				note(x.Code, false, "a person does the steps that have no command")
				looks := slices.ContainsFunc(outcomes, func(o simulate.Outcome) bool { return o.Kind == simulate.Reads })
				if e, ok := excuse(x.Code, true, ""); left && !looks {
					if used[e] = true; !ok {
						fail("it is still there")
					}
				}
				for _, a := range added {
					e, ok := excuse(x.Code, false, a.Code)
					if used[e] = true; !ok {
						fail("it causes %s: %s %v", a.ID(), a.Title, a.Evidence)
					}
				}
			}
		}
	}
	for i, e := range exceptions {
		if !used[i] {
			t.Errorf("no fleet takes the exception of %s: %s", e.code, e.why)
		}
	}
	t.Run("docs/fixes-linkerd.md", func(t *testing.T) { document(t, all) })
}

// compared is whether a finding is left in a fleet, and which errors and warnings were not there before.
func compared(t *testing.T, before finding.Result, fleet *facts.Fleet, x finding.Finding) (left bool, added []finding.Finding) {
	t.Helper()
	worst := map[string]finding.Severity{}
	for _, o := range before.Findings {
		worst[o.ID()] = o.Severity
	}
	after := judge(t, model.New(fleet, model.Options{}))
	for _, o := range after.Findings {
		left = left || o.ID() == x.ID()
		if was, there := worst[o.ID()]; o.Severity.AtLeast(finding.Warning) && (!there || !was.AtLeast(o.Severity)) {
			added = append(added, o)
		}
	}
	for _, u := range after.Unknowns {
		left = left || slices.Contains(u.Codes, x.Code) && slices.Contains(x.Clusters, u.Cluster)
	}
	return left, added
}

func printed(steps []finding.Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "    %s\n", s.Say)
		for _, c := range s.Run {
			fmt.Fprintf(&b, "        %s\n", c)
		}
	}
	return b.String()
}

const fixesHead = `# Which fixes are proven: Linkerd

As [fixes.md](fixes.md) says it of Istio: the commands of a fix are run on what was read, in every fleet of
the tests that has the finding, and all rules run again. What the injector, the service mirrors and
"linkerd multicluster link-gen" do is in ` + "`internal/linkerd/effects`" + `: only what is certain. This page is written by a
test (` + "`go test ./internal/linkerd/linkerdmesh -run TestFixesDoNoHarm -update`" + `).

| code | simulated | not proven |
| --- | --- | --- |
`

func document(t *testing.T, all map[finding.Code]*proof) {
	t.Helper()
	var b strings.Builder
	b.WriteString(fixesHead)
	for _, code := range slices.Sorted(maps.Keys(all)) {
		r := all[code]
		if r.proven || len(r.why) > 1 {
			delete(r.why, "its cause is fixed instead")
		}
		mark := ""
		if r.proven {
			mark = "yes"
		}
		fmt.Fprintf(&b, "| [%s](findings/%s.md) | %s | %s |\n", code, code, mark, strings.Join(slices.Sorted(maps.Keys(r.why)), "; "))
	}
	if len(exceptions) > 0 {
		b.WriteString("\n## Commands that alone do not do\n\n" +
			"In these fixes a person's step belongs to the commands. The commands alone leave the finding, or show what they uncover.\n\n" +
			"| code | what then shows | why |\n| --- | --- | --- |\n")
	}
	for _, e := range exceptions {
		var shows []string
		if e.left {
			shows = append(shows, "the finding")
		}
		for _, code := range e.added {
			shows = append(shows, string(code))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", e.code, strings.Join(shows, ", "), e.why)
	}
	const path = "../../../docs/fixes-linkerd.md"
	if *golden.Update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
