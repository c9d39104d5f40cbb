package gloomesh_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

func dirFS(t *testing.T, dir string) fs.FS {
	t.Helper()
	return os.DirFS(dir)
}

// options fail the test where a rule does what it did not declare.
func options(t *testing.T) rule.Options {
	t.Helper()
	return rule.Options{Violated: func(s string) { t.Error(s) }}
}

// given are the grants of docs/rbac-gloo.yaml by the names of the roles.
func given(t *testing.T) map[string][]resource.Grant {
	t.Helper()
	text, err := os.ReadFile("../../../docs/rbac-gloo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]resource.Grant{}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		for _, r := range role.Rules {
			for _, verb := range r.Verbs {
				for _, path := range r.NonResourceURLs {
					out[role.Name] = append(out[role.Name], resource.Grant{Right: resource.Right{Verb: verb, Resource: path}})
				}
				for _, group := range r.APIGroups {
					for _, name := range r.Resources {
						g := resource.Grant{Right: resource.Right{Verb: verb, Group: group, Resource: name}}
						if len(r.ResourceNames) == 0 {
							out[role.Name] = append(out[role.Name], g)
						}
						for _, g.Object = range r.ResourceNames {
							out[role.Name] = append(out[role.Name], g)
						}
					}
				}
			}
		}
	}
	return out
}

// The roles give what the rows of the plugins take, and no more.
func TestRights(t *testing.T) {
	want := map[string]mesh.Area{
		"mesh-certs-gloo": mesh.Certs, "mesh-network-gloo": mesh.Network, "mesh-endpoints-gloo": mesh.Endpoints,
		"mesh-check-gloo": mesh.ControlPlane,
	}
	roles := given(t)
	if len(roles) != len(want) {
		t.Errorf("%d roles", len(roles))
	}
	covers := func(given, taken resource.Grant) bool {
		return given.Right == taken.Right && (given.Object == "" || given.Object == taken.Object)
	}
	for name, area := range want {
		var taken []resource.Grant
		for _, row := range (gloomesh.Mesh{}).Resources(nil, area) {
			taken = append(taken, row.About().Grant())
		}
		for _, g := range taken {
			if !slices.ContainsFunc(roles[name], func(o resource.Grant) bool { return covers(o, g) }) {
				t.Errorf("%s does not give %+v", name, g)
			}
		}
		for _, o := range roles[name] {
			if !slices.ContainsFunc(taken, func(g resource.Grant) bool { return covers(o, g) }) {
				t.Errorf("%s gives %+v, which nothing takes", name, o)
			}
		}
	}
}
