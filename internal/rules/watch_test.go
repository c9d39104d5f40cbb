package rules_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	diff "github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	ofistio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

// docs/rbac-watch.yaml gives what --watch watches of what the rules read, and no more; -update writes it.
func TestRightsToWatch(t *testing.T) {
	const file = "../../docs/rbac-watch.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, _, found := strings.Cut(string(text), "apiVersion: ")
	if !found {
		t.Fatal("it has no role")
	}
	var roles []string
	for _, m := range rules.Meshes() {
		suffix := ""
		if m.Name() != "Istio" {
			suffix = "-" + strings.ToLower(strings.Fields(m.Name())[0])
		}
		rows := resource.Join(m.Resources(nil, mesh.Certs, mesh.Network, mesh.Endpoints, mesh.ControlPlane), m.PeerResources())
		var grants []resource.Grant
		for _, row := range rows.Without(ofistio.StraySecrets) { // which a role of its own is for
			if row.About().Watched() {
				grants = append(grants, row.About().WatchGrant())
			}
		}
		for _, scope := range []resource.Scope{resource.Cluster, resource.System} {
			if role := roleOf("mesh-watch"+suffix, grants, scope); role != "" {
				roles = append(roles, role)
			}
		}
	}
	want := head + strings.Join(roles, "---\n")
	if *golden.Update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil { // #nosec G306 -- it is public
			t.Fatal(err)
		}
		return
	}
	if diff := diff.Diff(want, string(text)); diff != "" {
		t.Errorf("%s (-want +got); go test -update writes it:\n%s", file, diff)
	}
	for _, role := range strings.Split(string(text), "\n---\n") {
		var r rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict([]byte(role), &r); err != nil || len(r.Rules) == 0 {
			t.Errorf("%v: %s", err, role)
		}
		for _, rule := range r.Rules {
			if !slices.Equal(rule.Verbs, []string{"watch"}) {
				t.Errorf("%s: %v", r.Name, rule.Verbs)
			}
		}
	}
}

// roleOf is the role with the grants of a scope; "" where there are none. What may be watched in the whole cluster
// needs no grant in the system namespace.
func roleOf(name string, grants []resource.Grant, scope resource.Scope) string {
	type place struct{ group, objects string }
	kinds := map[place][]string{}
	isWhole := func(g resource.Grant) bool { return g.Object == "" && g.Scope != resource.System }
	for _, g := range grants {
		if (g.Scope == resource.System) != (scope == resource.System) || slices.ContainsFunc(grants, func(o resource.Grant) bool {
			return o.Right == g.Right && (isWhole(o) && !isWhole(g) || o.Scope == g.Scope && o.Object == "" && g.Object != "")
		}) {
			continue
		}
		objects := ""
		if g.Object != "" {
			for _, o := range grants {
				if o.Right == g.Right && (o.Scope == resource.System) == (scope == resource.System) && o.Object != "" &&
					!slices.Contains(strings.Split(objects, ", "), o.Object) {
					objects = strings.TrimPrefix(objects+", "+o.Object, ", ")
				}
			}
		}
		at := place{g.Group, objects}
		if !slices.Contains(kinds[at], g.Resource) {
			kinds[at] = append(kinds[at], g.Resource)
		}
	}
	if len(kinds) == 0 {
		return ""
	}
	kind, in := "ClusterRole", ""
	if scope == resource.System {
		kind, in = "Role", ", namespace: istio-system"
	}
	out := fmt.Sprintf("apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata: {name: %s%s}\nrules:\n", kind, name, in)
	for _, at := range slices.SortedFunc(maps.Keys(kinds), func(a, b place) int {
		return cmp.Or(strings.Compare(a.group, b.group), strings.Compare(a.objects, b.objects))
	}) {
		slices.Sort(kinds[at])
		fields := []string{fmt.Sprintf("apiGroups: [%s]", cmp.Or(at.group, `""`)), fmt.Sprintf("resources: [%s]", strings.Join(kinds[at], ", "))}
		if at.objects != "" {
			fields = append(fields, fmt.Sprintf("resourceNames: [%s]", at.objects))
		}
		fields = append(fields, "verbs: [watch]")
		line := "- {" + strings.Join(fields, ", ") + "}"
		if len(line) > 130 {
			line = "- " + strings.Join(fields, "\n  ")
		}
		if len(at.objects) > 110 {
			line = strings.Replace(line, "["+at.objects+"]", "\n  - "+strings.ReplaceAll(at.objects, ", ", "\n  - "), 1)
			line = strings.ReplaceAll(line, ": \n", ":\n")
		}
		out += line + "\n"
	}
	return out
}
