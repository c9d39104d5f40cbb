package istiomesh_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// given are the grants of docs/rbac.yaml by the names of the roles: those of a role of the
// system namespace beside those of the cluster role of that name.
func given(t *testing.T) map[string][]resource.Grant {
	t.Helper()
	text, err := os.ReadFile("../../../docs/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]resource.Grant{}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		scope := resource.Cluster
		if role.Kind == "Role" {
			scope = resource.System
			if role.Namespace != "istio-system" {
				t.Errorf("role %s is in namespace %s", role.Name, role.Namespace)
			}
		}
		for _, r := range role.Rules {
			for _, verb := range r.Verbs {
				for _, group := range r.APIGroups {
					for _, name := range r.Resources {
						g := resource.Grant{Right: resource.Right{Verb: verb, Group: group, Resource: name}, Scope: scope}
						if len(r.ResourceNames) == 0 {
							out[role.Name] = append(out[role.Name], g)
						}
						for _, g.Object = range r.ResourceNames {
							out[role.Name] = append(out[role.Name], g)
						}
					}
				}
				for _, path := range r.NonResourceURLs {
					out[role.Name] = append(out[role.Name], resource.Grant{Right: resource.Right{Verb: verb, Resource: path}, Scope: scope})
				}
			}
		}
	}
	return out
}

// covers reports whether a right that is given is enough for one that is taken.
func covers(given, taken resource.Grant) bool {
	return given.Right == taken.Right && (given.Scope == resource.Cluster || taken.Scope == resource.System) &&
		(given.Object == "" || given.Object == taken.Object)
}

// isFor reports whether a right that is given is for one that is taken, and goes no further than
// all objects of the kind in the place.
func isFor(given, taken resource.Grant) bool {
	if given.Verb == "get" && strings.HasPrefix(given.Resource, "pods/") {
		given.Verb = "create" // of WebSockets, as the head of the file tells
	}
	return covers(given, taken) && (given.Scope == resource.System) == (taken.Scope == resource.System)
}

// grantsOf are what rows take.
func grantsOf(rows ...resource.Rows) []resource.Grant {
	var out []resource.Grant
	for _, row := range resource.Join(rows...) {
		out = append(out, row.About().Grant())
	}
	return out
}

// rowsOf are the rows that are read for an area, with those that facts lead to.
func rowsOf(area mesh.Area, wishes ...any) resource.Set {
	rows := istiomesh.Mesh{}.Resources(wishes, area)
	for _, r := range istiomesh.Rules(area) {
		for _, need := range slices.Concat(r.Needs, r.Uses) {
			if row, ok := need.(resource.Resource); ok && !rows.Has(row) {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// taken are what the rows and questions of an area take, with some wishes.
func taken(area mesh.Area, wishes ...any) []resource.Grant {
	rows := rowsOf(area, wishes...)
	if area != mesh.Certs { // which a role of its own is for
		rows = rows.Without(resources.StraySecrets)
	}
	out := grantsOf(rows)
	for _, q := range istiomesh.Asked(wishes, area) {
		out = append(out, q.Grants()...)
	}
	return out
}

// The roles of docs/rbac.yaml give what the rows and questions of the plugins take, and no more.
func TestRights(t *testing.T) {
	of := slices.Concat[[]resource.Grant]
	want := map[string]struct {
		taken []resource.Grant
		// beside are the roles that it is given beside.
		beside []string
	}{
		"mesh-certs": {taken: taken(mesh.Certs)},
		"mesh-certs-proxies": {
			taken:  of(taken(mesh.Certs, mesh.AskProxies{}), questions.ProxyCertificates.Instead()),
			beside: []string{"mesh-certs"},
		},
		"mesh-check": {
			taken: of(taken(mesh.ControlPlane), taken(mesh.Certs), taken(mesh.Network), taken(mesh.Endpoints)),
		},
		"mesh-network":                   {taken: taken(mesh.Network)},
		"mesh-network-probe":             {taken: taken(mesh.Network, mesh.Probing{}), beside: []string{"mesh-network"}},
		"mesh-endpoints":                 {taken: taken(mesh.Endpoints)},
		"mesh-endpoints-all-secrets":     {taken: grantsOf(resources.StraySecrets)},
		"mesh-endpoints-without-reviews": {taken: questions.RemoteSides.Instead()},
		"mesh-endpoints-proxies":         {taken: questions.ProxyEndpoints.Grants()},
		"mesh-endpoints-proxies-by-exec": {taken: questions.ProxyEndpoints.Instead()},
	}
	given := given(t)
	for name, is := range given {
		role, ok := want[name]
		if !ok {
			t.Errorf("nothing takes role %s", name)
			continue
		}
		all := is
		for _, other := range role.beside {
			all = append(slices.Clone(all), given[other]...)
		}
		for _, g := range role.taken {
			if !slices.ContainsFunc(all, func(o resource.Grant) bool { return covers(o, g) }) {
				t.Errorf("%s does not give %+v", name, g)
			}
		}
		for _, o := range is {
			if !slices.ContainsFunc(role.taken, func(g resource.Grant) bool { return isFor(o, g) }) {
				t.Errorf("%s gives %+v, which nothing takes", name, o)
			}
		}
	}
	for name := range want {
		if given[name] == nil {
			t.Errorf("there is no role %s", name)
		}
	}
}

// The table of rights in SECURITY.md is made from the rows and questions; -update writes it.
func TestTableOfRights(t *testing.T) {
	const path, end = "../../../SECURITY.md", "<!-- end of rights -->\n"
	const begin = "<!-- rights: go test ./internal/istio/istiomesh -update -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, opened := strings.Cut(string(text), begin)
	table, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatalf("%s has no table between %q and %q", path, begin, end)
	}
	want := tableOfRights()
	if *golden.Update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("%s (-want +got); go test -update writes it:\n%s", path, diff)
	}
}

func tableOfRights() string {
	out := "\n| what | right | where | by mesh- |\n| --- | --- | --- | --- |\n"
	areas := []mesh.Area{mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints}
	wishes := map[mesh.Area][]any{mesh.Certs: {mesh.AskProxies{}}, mesh.Network: {mesh.Probing{}}}
	line := func(name string, grants []resource.Grant, by []string) {
		var rights, places []string
		for _, g := range grants {
			rights, places = append(rights, "`"+g.String()+"`"), append(places, place(g))
		}
		columns := []string{name, strings.Join(rights, ", "), strings.Join(slices.Compact(places), ", "), strings.Join(by, ", ")}
		out += "| " + strings.Join(columns, " | ") + " |\n"
	}
	for _, row := range resources.All {
		var by []string
		for _, area := range areas {
			if rowsOf(area, wishes[area]...).Has(row) {
				by = append(by, plugin(area))
			}
		}
		line(row.String(), grantsOf(row), by)
	}
	for _, q := range questions.All {
		var by []string
		for _, area := range areas {
			if istiomesh.Asked(wishes[area], area).Has(q) {
				by = append(by, plugin(area))
			}
		}
		if q == questions.ProxyEndpoints { // only commands ask
			by = []string{string(mesh.Endpoints)}
		}
		if len(q.Grants()) == 0 {
			continue
		}
		line(q.String(), q.Grants(), by)
		if len(q.Instead()) > 0 {
			line("the same, where that is forbidden", q.Instead(), by)
		}
	}
	return out + "\n"
}

// plugin is the one that is about an area; mesh-check reads what all of them read.
func plugin(area mesh.Area) string {
	if area == mesh.ControlPlane {
		return "check"
	}
	return string(area)
}

// place is where a right is taken.
func place(g resource.Grant) string {
	switch g.Scope {
	case resource.System:
		return "Istio's namespace"
	case resource.ClusterElseSystem:
		return "all namespaces, or Istio's"
	default:
		return "cluster"
	}
}
