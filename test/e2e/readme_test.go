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

// block returns the fenced block of a language in the README.
func block(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)\n```" + language + "\n(.*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatalf("the README has no block of %s", language)
	}
	return string(found[1])
}

// The screen in the README is what its commands print on a terminal, for the
// recorded fleet.
func TestREADMEScreen(t *testing.T) {
	examples, err := filepath.Abs("../../examples/broken")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(block(t, "console")) {
		command, ok := strings.CutPrefix(line, "$ kubectl mesh-certs ")
		if !ok {
			continue
		}
		if got.Len() > 0 {
			got.WriteString("\n")
		}
		got.WriteString(line)
		screen, _ := onTerminal(t, fleet.Kubeconfig(), []string{"NO_COLOR=1"}, nil, append(strings.Fields(command), "--from", examples)...)
		for line := range strings.Lines(strings.ReplaceAll(screen, "\r\n", "\n")) {
			if !strings.HasPrefix(line, "Read from ") {
				got.WriteString(line)
			}
		}
	}
	if diff := cmp.Diff(block(t, "console"), got.String()); diff != "" {
		t.Errorf("the README's screen (-want +got):\n%s", diff)
	}
}

// With the rights that the README asks for, and no others, every rule is judged.
func TestREADMERights(t *testing.T) {
	f := meshtest.Healthy("east", "west")
	plant(t, f)
	inEach(t, func(ctx context.Context, cluster *bed.Cluster) error {
		objects := []runtime.Object{}
		subject := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: bed.Nobody}}
		for _, text := range strings.Split(block(t, "yaml"), "---\n") {
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
