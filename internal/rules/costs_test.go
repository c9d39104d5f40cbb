package rules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	ofgloo "github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	oflinkerd "github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

// declared joins what each mesh reads; those that do not know how read nothing.
func declared[M any](of func(M) resource.Set) resource.Set {
	var out resource.Set
	for _, m := range rules.Meshes() {
		if able, ok := m.(M); ok {
			out = resource.Join(out, of(able))
		}
	}
	return out
}

// verify is what rules of some areas read.
func verify(areas ...mesh.Area) resource.Set {
	return declared(func(m mesh.Mesh) resource.Set { return m.Resources(nil, areas...) })
}

// mesh-check reads what the verify of the other plugins read together, and in every cluster at most ten things more.
func TestRequestsOfMeshCheck(t *testing.T) {
	others := map[string]bool{}
	for _, row := range verify(mesh.Certs, mesh.Network, mesh.Endpoints) {
		others[row.String()] = true
	}
	var more []string
	for _, row := range verify(mesh.Certs, mesh.Network, mesh.Endpoints, mesh.ControlPlane) {
		if about := row.About(); !others[row.String()] && !about.Later && about.Where == nil {
			more = append(more, row.String())
		}
	}
	if len(more) == 0 || len(more) > 10 {
		t.Errorf("%d more: %v", len(more), more)
	}
}

// docs/performance.md says how many requests a cluster is asked, as the rows declare it.
func TestRequestsOfCommands(t *testing.T) {
	var b strings.Builder
	b.WriteString("| command | every cluster | where Linkerd is | where Gloo Mesh is | where facts lead to it |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range []struct {
		name string
		rows resource.Set
	}{
		{"mesh-check", verify(mesh.Certs, mesh.Network, mesh.Endpoints, mesh.ControlPlane)},
		{"mesh-certs verify", verify(mesh.Certs)},
		{"mesh-certs diff", declared(mesh.Comparer.RootResources)},
		{"mesh-network verify", verify(mesh.Network)},
		{"mesh-endpoints verify", verify(mesh.Endpoints)},
		{"mesh-endpoints diagnose", declared(mesh.Diagnoser.DiagnosisResources)},
	} {
		var every, ofLinkerd, ofGloo, later int
		for _, row := range c.rows {
			switch about := row.About(); {
			case about.Later:
				later++
			case about.Where == nil:
				every++
			case about.Where == oflinkerd.Config:
				ofLinkerd++
			case about.Where == ofgloo.Groups:
				ofGloo++
			default:
				t.Errorf("%s is read where %s is", row, about.Where)
			}
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d |\n", c.name, every, ofLinkerd, ofGloo, later)
	}
	page := filepath.Join("..", "..", "docs", "performance.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- requests -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", page)
	}
	if *golden.Update {
		if err := os.WriteFile(page, []byte(before+begin+b.String()+end+after), 0o644); err != nil { // #nosec G306 -- it is public
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table, b.String()); diff != "" {
		t.Errorf("the table of requests (-page +rows): run go test ./internal/rules -run TestRequestsOfCommands -update\n%s", diff)
	}
}
