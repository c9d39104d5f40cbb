//go:build unix

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/meshtest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// blocks returns the fenced blocks of a language in the README.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```").FindAllSubmatch(text, -1)
	if found == nil {
		t.Fatalf("the README has no block of %s", language)
	}
	var out []string
	for _, f := range found {
		out = append(out, string(f[1]))
	}
	return out
}

// The screens in the README are what their commands print on a terminal, for the
// recorded fleets.
func TestREADMEScreens(t *testing.T) {
	recordings := map[string]struct{ program, folder string }{
		"$ kubectl mesh-certs ": {binary, "broken"}, "$ kubectl mesh-network ": {network, "networks"},
	}
	seen := map[string]bool{}
	for _, want := range blocks(t, "console") {
		var got strings.Builder
		for line := range strings.Lines(want) {
			for prefix, r := range recordings {
				command, ok := strings.CutPrefix(line, prefix)
				if !ok {
					continue
				}
				seen[prefix] = true
				examples, err := filepath.Abs(filepath.Join("../../examples", r.folder))
				if err != nil {
					t.Fatal(err)
				}
				if got.Len() > 0 {
					got.WriteString("\n")
				}
				got.WriteString(line)
				screen, _ := programOnTerminal(t, r.program, fleet.Kubeconfig(), []string{"NO_COLOR=1"}, nil, append(strings.Fields(command), "--from", examples)...)
				for line := range strings.Lines(strings.ReplaceAll(screen, "\r\n", "\n")) {
					if !strings.HasPrefix(line, "Read from ") {
						got.WriteString(line)
					}
				}
			}
		}
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("a screen of the README (-want +got):\n%s", diff)
		}
	}
	if len(seen) != len(recordings) {
		t.Errorf("of %d plugins only %v have a screen", len(recordings), seen)
	}
}

// With the rights that the README asks for, and no others, every rule is judged.
func TestREADMERights(t *testing.T) {
	f := meshtest.Healthy("east", "west")
	plant(t, f)
	inEach(t, func(ctx context.Context, cluster *bed.Cluster) error {
		objects := []runtime.Object{}
		subject := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: bed.Nobody}}
		for _, text := range strings.Split(blocks(t, "yaml")[0], "---\n") {
			var role rbacv1.ClusterRole // a Role has the same fields
			if err := yaml.UnmarshalStrict([]byte(text), &role); err != nil {
				return err
			}
			ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.Kind, Name: role.Name}
			meta := metav1.ObjectMeta{Namespace: role.Namespace, Name: role.Name}
			if role.Kind == "Role" {
				objects = append(objects, &rbacv1.Role{ObjectMeta: meta, Rules: role.Rules}, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subject})
			} else {
				objects = append(objects, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: role.Rules}, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subject})
			}
		}
		return cluster.Apply(ctx, objects...)
	})
	kubeconfig := kubeconfigOf(t, bed.Context{Cluster: "east", User: bed.Nobody}, bed.Context{Cluster: "west", User: bed.Nobody})
	doc := document(t, mesh(t, options{kubeconfig: kubeconfig}, "verify", "--all-contexts", "-o", "json"))
	if len(doc.Unknowns) > 0 || len(doc.Findings) > 0 {
		t.Errorf("not judged: %+v\nfound: %v", doc.Unknowns, summary(doc))
	}
}
