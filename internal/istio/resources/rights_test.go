package resources_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// roles are those of docs/rbac.yaml, those of a cluster and those of the system namespace by name.
func roles(t *testing.T) map[string][]rbacv1.ClusterRole {
	t.Helper()
	text, err := os.ReadFile("../../../docs/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]rbacv1.ClusterRole{}
	for _, document := range strings.Split(string(text), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		out[role.Name] = append(out[role.Name], role)
	}
	return out
}

// grants reports whether roles let a row be read where it is.
func grants(roles []rbacv1.ClusterRole, row resource.Resource) bool {
	about, right := row.About(), row.About().Right()
	return slices.ContainsFunc(roles, func(role rbacv1.ClusterRole) bool {
		if role.Kind == "Role" && about.Scope != resource.System {
			return false
		}
		return slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
			named := len(r.ResourceNames) == 0 || slices.ContainsFunc(r.ResourceNames, func(name string) bool {
				return name == about.Object || about.Fields == "metadata.name="+name
			})
			return named && slices.Contains(r.Verbs, right.Verb) && slices.Contains(r.APIGroups, right.Group) && slices.Contains(r.Resources, right.Resource)
		})
	})
}

// The rights in docs/rbac.yaml are those that the rows need.
func TestRightsOfRows(t *testing.T) {
	roles := roles(t)
	for plugin, rows := range map[string]resource.Set{"mesh-certs": resources.Trust, "mesh-network": resources.NetworkRules} {
		if len(roles[plugin]) != 2 {
			t.Fatalf("%d roles for %s", len(roles[plugin]), plugin)
		}
		for _, row := range rows {
			if !grants(roles[plugin], row) {
				t.Errorf("%s may not %+v for %s", plugin, row.About().Right(), row.About().Name)
			}
		}
	}
	var all []rbacv1.ClusterRole
	for _, of := range roles {
		all = append(all, of...)
	}
	for _, row := range resources.All {
		if !grants(all, row) {
			t.Errorf("no role lets anybody %+v for %s", row.About().Right(), row.About().Name)
		}
	}
}
