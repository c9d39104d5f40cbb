package cases_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

var update = flag.Bool("update", false, "write docs/scoreboard.md anew")

var dir = os.DirFS(".")

// dumped asks nobody: the fleets are files. Pods of some say what they said.
type dumped struct{ of *cases.Case }

func (dumped) Dumped() bool { return true }

func (d dumped) Recorded() bool { return len(d.of.Answers) > 0 }

func (d dumped) AskEach(ctx context.Context, contexts []string,
	ask func(context.Context, survey.Cluster) (any, error),
) map[string]survey.Answer[any] {
	out := map[string]survey.Answer[any]{}
	for _, c := range contexts {
		said := d.of.Said(c)
		if len(said) == 0 {
			out[c] = survey.Answer[any]{Err: survey.ErrDump}
			continue
		}
		value, err := ask(ctx, survey.Cluster{Context: c, Namespace: "istio-system", Answers: said})
		out[c] = survey.Answer[any]{Value: value, Err: err}
	}
	return out
}

var verifies = []string{"certs verify", "network verify", "endpoints verify"}

// run is what a command finds in the fleet of a case.
func run(c *cases.Case, fleet *facts.Fleet, command string) (finding.Result, error) {
	area, service, ok := cases.ParseCommand(command)
	if !ok {
		return finding.Result{}, fmt.Errorf("no command %q", command)
	}
	ctx, of := context.Background(), &mesh.Run{Fleet: fleet, By: dumped{c}, Say: func(string, ...any) {}}
	if service != "" {
		name, namespace, _ := strings.Cut(service, ".")
		of.Areas = []mesh.Area{mesh.Network, mesh.Endpoints}
		_, result, err := istiomesh.Mesh{}.Diagnose(ctx, of, namespace, name)
		return result, err
	}
	of.Areas = []mesh.Area{mesh.Area(area)}
	if area == cases.Check {
		of.Areas = []mesh.Area{mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints}
	}
	result := reach.Check(fleet, rules.Meshes())
	for _, m := range rules.Meshes() {
		if !has(fleet, m) {
			continue
		}
		found, err := m.Verify(ctx, of)
		if err != nil {
			return finding.Result{}, err
		}
		result.Merge(found)
	}
	for _, m := range rules.Meshes() {
		if e, ok := m.(mesh.Explainer); ok {
			e.Explain(fleet, &result)
		}
	}
	result.Sort()
	return result, nil
}

// has reports whether a mesh is, or may be, in some cluster of a fleet.
func has(fleet *facts.Fleet, m mesh.Mesh) bool {
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		if p := m.Presence(c); c.Unreached == nil && (p.Found || p.Unknown != finding.Reason{}) {
			return true
		}
	}
	return false
}

// table are the rows of all meshes.
func table() resource.Set {
	var out resource.Set
	for _, m := range rules.Meshes() {
		out = resource.Join(out, m.Table())
	}
	return out
}

// alarms are the root causes of severity error and warning.
func alarms(r finding.Result) []finding.Finding {
	return slices.DeleteFunc(r.RootCauses(), func(f finding.Finding) bool { return f.Severity == finding.Note })
}

// meets reports whether a finding is what is expected.
func meets(f finding.Finding, e cases.Expectation) bool {
	if f.Code != e.Code || (e.Object != "" && f.Object.String() != e.Object) {
		return false
	}
	for _, c := range e.Clusters {
		if !slices.Contains(f.Clusters, c) {
			return false
		}
	}
	return true
}

// verdict is how a case came out.
type verdict struct {
	of *cases.Case
	// first is the first line of what is said, by command, where something is.
	first map[string]string
	// wrong is what is not as it has to be, in sentences.
	wrong []string
	// besides are further alarms than those that are expected, as lines.
	besides []string
}

func line(f finding.Finding) string {
	return fmt.Sprintf("%s %s %s: %s", strings.ToUpper(string(f.Severity)), f.Code, strings.Join(f.Clusters, ", "), f.Title)
}

func judge(c *cases.Case) (*verdict, error) {
	fleet, err := c.Facts(dir, table())
	if err != nil {
		return nil, err
	}
	v := &verdict{of: c, first: map[string]string{}}
	commands := slices.Clone(verifies)
	if c.Kind == cases.Healthy {
		commands = append(commands, cases.Check)
	}
	for _, e := range c.Expect {
		commands = append(commands, e.Command)
	}
	commands = append(commands, c.Commands...)
	slices.Sort(commands[len(verifies):])
	results := map[string]finding.Result{}
	for _, command := range slices.Compact(commands) {
		if results[command], err = run(c, fleet, command); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.Name, command, err)
		}
		found := alarms(results[command])
		if len(found) > 0 {
			v.first[command] = line(found[0])
		}
		for _, f := range found {
			switch {
			case c.Kind == cases.Healthy:
				v.wrong = append(v.wrong, command+" says: "+line(f))
			case !slices.ContainsFunc(c.Expect, func(e cases.Expectation) bool { return meets(f, e) }):
				v.besides = append(v.besides, command+": "+line(f))
			}
		}
	}
	said := map[string]bool{} // commands whose first line is judged
	for _, e := range c.Expect {
		all := results[e.Command].RootCauses()
		at := slices.IndexFunc(all, func(f finding.Finding) bool { return meets(f, e) })
		switch {
		case e.Code == "":
			v.wrong = append(v.wrong, fmt.Sprintf("%s does not say: %s", e.Command, e.Wanted))
		case at < 0:
			v.wrong = append(v.wrong, fmt.Sprintf("%s does not find %s %s %s", e.Command, e.Code, strings.Join(e.Clusters, ", "), e.Object))
		case at > 0 && !said[e.Command]:
			v.wrong = append(v.wrong, fmt.Sprintf("%s names %s only after: %s", e.Command, e.Code, line(all[0])))
		}
		said[e.Command] = true
	}
	return v, nil
}

var verdicts = sync.OnceValues(func() ([]*verdict, error) {
	all, err := cases.All(dir)
	if err != nil {
		return nil, err
	}
	var out []*verdict
	for _, c := range all {
		v, err := judge(c)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
})

// Every case says what it is, and what it expects is what we say: of a healthy fleet
// nothing worse than a note. A case that is missed says why.
func TestCases(t *testing.T) {
	all, err := verdicts()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		t.Run(v.of.Name, func(t *testing.T) {
			for _, w := range v.of.Check() {
				t.Error(w)
			}
			switch {
			case v.of.Missed == "":
				for _, w := range v.wrong {
					t.Error(w)
				}
			case len(v.wrong) == 0:
				t.Errorf("case.yaml says that it is missed (%s), and it is not", v.of.Missed)
			}
		})
	}
}

// A base is a healthy fleet of its own.
func TestBases(t *testing.T) {
	entries, err := fs.ReadDir(dir, "bases")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		c := &cases.Case{Name: "bases/" + entry.Name(), Kind: cases.Healthy, Fleet: cases.Fleet{Base: entry.Name()}}
		v, err := judge(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range v.wrong {
			t.Errorf("%s: %s", c.Name, w)
		}
	}
}

// What Take makes of a case's dump is the case.
func TestTakeIsTheReverse(t *testing.T) {
	all, err := cases.All(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		if i%5 != 0 { // a few are enough: the way is the same
			continue
		}
		files, err := c.Dump(dir, table())
		if err != nil {
			t.Fatal(err)
		}
		fleet, parts, err := cases.Take(files, dir, c.Base, c.Likes(), table())
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		again := fstest.MapFS{}
		for name, text := range parts {
			again[path.Join("again", name)] = &fstest.MapFile{Data: text}
		}
		if err := fs.WalkDir(dir, "bases", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(dir, name)
			again[name] = &fstest.MapFile{Data: text}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		retaken, err := (&cases.Case{Name: "again", Fleet: fleet, Answers: c.Answers}).Dump(again, table())
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			want, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			got, err := fs.ReadFile(retaken, name)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s, %s (-the case's +taken from its dump):\n%s", c.Name, name, diff)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// What a case's dump is read as are the case's facts.
func TestDumpsOfCases(t *testing.T) {
	all, err := cases.All(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		if i%7 != 0 { // a few are enough: the way is the same
			continue
		}
		files, err := c.Dump(dir, table())
		if err != nil {
			t.Fatal(err)
		}
		got, err := dump.Read(files, "istio-system", time.Time{}, table())
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		want, err := c.Facts(dir, table())
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Clusters {
			read := resource.Reads(&got.Clusters[i], table())
			for row, fact := range resource.Reads(&want.Clusters[i], table()) {
				if diff := cmp.Diff(fact, read[row], cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s, %s, %s (-facts +dump):\n%s", c.Name, want.Clusters[i].Context, row, diff)
				}
			}
		}
	}
}

func TestScoreboard(t *testing.T) {
	all, err := verdicts()
	if err != nil {
		t.Fatal(err)
	}
	var istioctl map[string][]string
	text, err := fs.ReadFile(dir, cases.AnalyzeFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &istioctl); err != nil {
		t.Fatal(err)
	}
	got := scoreboard(all, istioctl)
	file := filepath.Join("..", "docs", "scoreboard.md")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/scoreboard.md is not what the cases say; rewrite it with \"go test ./cases -update\" (-file +now):\n%s", diff)
	}
	t.Log(summary(all))
}

func summary(all []*verdict) string {
	faults, named, healthy, quiet := 0, 0, 0, 0
	for _, v := range all {
		right := len(v.wrong) == 0
		switch v.of.Kind {
		case cases.Fault:
			faults++
			if right {
				named++
			}
		case cases.Healthy:
			healthy++
			if right {
				quiet++
			}
		}
	}
	return fmt.Sprintf("%d of %d faults are named first, %d of %d healthy fleets raise no alarm", named, faults, quiet, healthy)
}
