package plugintest

import (
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Roles holds the cluster roles of a file against rows: each role gives what its rows take, and no
// more, and the file has no other one.
func Roles(t *testing.T, file string, want map[string]resource.Set) {
	t.Helper()
	roles := grantsIn(t, file)
	if len(roles) != len(want) {
		t.Errorf("%d roles", len(roles))
	}
	covers := func(given, taken resource.Grant) bool {
		return given.Right == taken.Right && (given.Object == "" || given.Object == taken.Object)
	}
	for name, rows := range want {
		var taken []resource.Grant
		for _, row := range rows {
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

// grantsIn are the grants of a file by the names of the roles.
func grantsIn(t *testing.T, file string) map[string][]resource.Grant {
	t.Helper()
	text, err := os.ReadFile(file)
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
