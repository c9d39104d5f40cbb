package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// permission is one verb on one resource, in one namespace or, for "", everywhere.
type permission struct {
	namespace string
	rule      rbacv1.PolicyRule
}

func (p permission) String() string {
	s := fmt.Sprintf("%s %s.%s", p.rule.Verbs[0], p.rule.Resources[0], p.rule.APIGroups[0])
	if len(p.rule.ResourceNames) > 0 {
		s += " " + p.rule.ResourceNames[0]
	}
	if p.namespace != "" {
		s += " in " + p.namespace
	}
	return s
}

// permissions are those that docs/rbac.yaml gives for a plugin, one by one.
func permissions(t *testing.T, plugin string) []permission {
	t.Helper()
	return permissionsIn(t, "rbac.yaml", plugin)
}

// permissionsIn are those of a role in a file of docs.
func permissionsIn(t *testing.T, file, plugin string) []permission {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var out []permission
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		var role rbacv1.ClusterRole // a Role has the same fields
		if err := yaml.UnmarshalStrict(document, &role); err != nil {
			t.Fatal(err)
		}
		if role.Name != plugin {
			continue
		}
		for _, r := range role.Rules {
			names := [][]string{nil}
			if len(r.ResourceNames) > 0 {
				names = nil
				for _, n := range r.ResourceNames {
					names = append(names, []string{n})
				}
			}
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					for _, verb := range r.Verbs {
						for _, n := range names {
							out = append(out, permission{role.Namespace, rbacv1.PolicyRule{
								APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}, ResourceNames: n,
							}})
						}
					}
				}
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("docs/%s has nothing for %s", file, plugin)
	}
	return out
}

// grant gives the user without rights some, in all clusters, and no others.
func grant(t *testing.T, all []permission) {
	t.Helper()
	objects := rightsOf(bed.Nobody, all)
	inEach(t, func(ctx context.Context, cluster *bed.Cluster) error { return cluster.Apply(ctx, objects...) })
}

// rightsOf are the objects that give a user some rights, and no others.
func rightsOf(user string, all []permission) []runtime.Object {
	subject := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	rules := map[string][]rbacv1.PolicyRule{"": {}, istiotest.System: {}}
	for _, p := range all {
		rules[p.namespace] = append(rules[p.namespace], p.rule)
	}
	name := "granted-to-" + user
	meta := metav1.ObjectMeta{Name: name}
	inside := metav1.ObjectMeta{Name: name, Namespace: istiotest.System}
	return []runtime.Object{
		&rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules[""]},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}, Subjects: subject},
		&rbacv1.Role{ObjectMeta: inside, Rules: rules[istiotest.System]},
		&rbacv1.RoleBinding{ObjectMeta: inside, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}, Subjects: subject},
	}
}

// With the rights of docs/rbac.yaml every rule is judged. With one of them taken
// away nothing is found that is not there, what that leaves unknown is said, and the
// rest is judged. Not every fleet needs every right: each is needed by some.
func TestRights(t *testing.T) {
	networks := istiotest.Case{Name: "networks", Fleet: func() *istiotest.Fleet { return istiotest.Networked("east", "west") }}
	without := istiotest.Case{Name: "a cluster without Istio", Want: []string{"FLT008 note west"}, Fleet: func() *istiotest.Fleet {
		f := istiotest.Healthy("east", "west")
		f.Get("west").NoIstio, f.Get("west").Image = true, ""
		f.Get("east").Remotes = nil
		return f
	}}
	networked := []istiotest.Case{
		networks, fleetOf(t, "pending load balancer whose events say why"), fleetOf(t, "istiod exposed by TCP routes"),
		fleetOf(t, "a primary and a remote cluster on another network"),
	}
	for plugin, c := range map[string]struct {
		program string
		fleets  []istiotest.Case
	}{
		"mesh-certs":   {program: binary, fleets: append([]istiotest.Case{networks, without}, istiotest.HealthyCases...)},
		"mesh-network": {program: network, fleets: networked},
	} {
		t.Run(plugin, func(t *testing.T) {
			all := permissions(t, plugin)
			needed := map[int]bool{}
			for _, f := range c.fleets {
				if len(needed) == len(all) {
					break
				}
				t.Run(f.Name, func(t *testing.T) {
					withoutEach(t, c.program, f, all, needed)
				})
			}
			for i, p := range all {
				if !needed[i] && !onlyTells(p) {
					t.Errorf("no fleet needs the right to %s", p)
				}
			}
		})
	}
}

// fleetOf is one of the fleets of networks, by its name.
func fleetOf(t *testing.T, name string) istiotest.Case {
	t.Helper()
	for _, c := range slices.Concat(istiotest.NetworkHealthy, istiotest.NetworkFaults) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no fleet %q", name)
	return istiotest.Case{}
}

// onlyTells reports whether a right adds to the evidence alone.
func onlyTells(p permission) bool { return p.rule.Resources[0] == "events" }

// withoutEach judges a fleet with all rights, and with each taken away
// that is not known to be needed yet.
func withoutEach(t *testing.T, program string, c istiotest.Case, all []permission, needed map[int]bool) {
	t.Helper()
	f := c.Fleet()
	skipOthers(t, f)
	plant(t, f)
	var contexts []bed.Context
	for _, c := range f.Clusters {
		contexts = append(contexts, bed.Context{Cluster: c.Name, User: bed.Nobody})
	}
	kubeconfig := kubeconfigOf(t, contexts...)
	complete := func(doc report.Report) bool {
		return !slices.ContainsFunc(doc.Unknowns, func(u finding.Unknown) bool { return u.Reason.Kind == finding.Forbidden })
	}
	// What is granted takes effect a moment later.
	judged := func(done func(report.Report) bool) report.Report {
		t.Helper()
		for deadline := time.Now().Add(time.Second); ; time.Sleep(50 * time.Millisecond) {
			out := mesh(t, options{program: program, kubeconfig: kubeconfig}, "verify", "--all-contexts", "-o", "json")
			if doc := document(t, out); done(doc) || time.Now().After(deadline) {
				return doc
			}
		}
	}
	grant(t, all)
	doc := judged(complete)
	want := slices.Sorted(slices.Values(c.Want))
	if !complete(doc) || !slices.Equal(summary(doc), want) {
		t.Fatalf("not checked: %+v\nfound: %v", doc.Unknowns, summary(doc))
	}
	for i, p := range all {
		if needed[i] {
			continue
		}
		grant(t, slices.Delete(slices.Clone(all), i, i+1))
		doc := judged(func(doc report.Report) bool { return !complete(doc) })
		for _, found := range summary(doc) {
			if !slices.Contains(want, found) {
				t.Errorf("without the right to %s: found %s", p, found)
			}
		}
		if !complete(doc) {
			needed[i] = true
		}
		grant(t, all)
		if doc := judged(complete); !complete(doc) {
			t.Errorf("with the right to %s again: not checked: %+v", p, doc.Unknowns)
		}
	}
}

// Of mesh-check every right of docs/rbac.yaml taken away leaves something unknown: nothing is found that is
// not there, and no area of what was not checked is said to be checked whole.
func TestRightsOfCheck(t *testing.T) {
	all := permissions(t, "mesh-check")
	needed := map[int]bool{}
	defer empty(t)
	for _, c := range []istiotest.Case{
		{Name: "networks", Fleet: func() *istiotest.Fleet { return istiotest.Serving(istiotest.Networked("east", "west")) }},
		fleetOf(t, "istiod exposed by TCP routes"),
		fleetOf(t, "a primary and a remote cluster on another network"),
	} {
		t.Run(c.Name, func(t *testing.T) {
			f := c.Fleet()
			skipOthers(t, f)
			plant(t, f)
			var contexts []bed.Context
			for _, c := range f.Clusters {
				contexts = append(contexts, bed.Context{Cluster: c.Name, User: bed.Nobody})
			}
			config := kubeconfigOf(t, contexts...)
			forbidden := func(doc report.CheckUp) bool {
				return slices.ContainsFunc(doc.Unknowns, func(u finding.Unknown) bool {
					// Secrets of all namespaces are a right of their own.
					return u.Reason.Kind == finding.Forbidden && !slices.Equal(u.Codes, []finding.Code{"SEC002"})
				})
			}
			checked := func(done func(report.CheckUp) bool) report.CheckUp { // what is granted takes effect a moment later
				t.Helper()
				for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(50 * time.Millisecond) {
					if doc, _ := checkUp(t, config, "--all-contexts"); done(doc) || time.Now().After(deadline) {
						return doc
					}
				}
			}
			grant(t, all)
			before := checked(func(doc report.CheckUp) bool { return !forbidden(doc) })
			if forbidden(before) {
				t.Fatalf("with all rights: not checked: %+v", before.Unknowns)
			}
			for i, p := range all {
				if needed[i] {
					continue
				}
				grant(t, slices.Delete(slices.Clone(all), i, i+1))
				doc := checked(forbidden)
				needed[i] = forbidden(doc)
				for code, clusters := range causes(doc) {
					// What another finding caused is there, too. Of an account that is not here, and may
					// not be looked for, the API server says in truth that it may read nothing.
					if code != "SEC014" && !slices.ContainsFunc(before.Findings, func(f report.IdentifiedFinding) bool { return string(f.Code) == code }) {
						t.Errorf("without the right to %s: found %s in %s", p, code, clusters)
					}
				}
				for _, u := range doc.Unknowns {
					for _, code := range u.Codes {
						if entry, err := finding.Lookup(string(code)); err == nil && !notWhole(doc, entry.Area) {
							t.Errorf("without the right to %s: %s was not checked in %s, and its area %s is whole", p, code, u.Cluster, entry.Area)
						}
					}
				}
			}
		})
	}
	for i, p := range all {
		if !needed[i] && !onlyTells(p) && !notHere(p) {
			t.Errorf("no fleet needs the right to %s", p)
		}
	}
}

// notHere reports whether a right is for what is not there in these fleets: kinds that are not installed, and what a
// replica uses that is at its limit (TestRights of internal/istio/istiomesh has them).
func notHere(p permission) bool {
	kind := p.rule.Resources[0]
	return kind == "serviceexports" || p.rule.APIGroups[0] == "metrics.k8s.io" ||
		p.rule.APIGroups[0] == "gateway.networking.k8s.io" && kind != "gateways"
}

// notWhole reports whether an area says that not all of it was checked.
func notWhole(doc report.CheckUp, area finding.Area) bool {
	return slices.ContainsFunc(doc.Areas, func(a verdict.Area) bool { return a.Area == area && a.Unchecked > 0 })
}
