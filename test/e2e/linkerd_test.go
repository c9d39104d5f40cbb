package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// plantLinkerd puts a fleet that real Linkerd controllers made into clusters of the bed, and takes out
// what was there. Credentials lead to the API servers that are there.
func plantLinkerd(t *testing.T, name string) {
	t.Helper()
	plantObjects(t, linkerdObjects(t, name, fleet))
}

// plantObjects puts objects into clusters of the bed, by their names, and takes out what was there.
func plantObjects(t *testing.T, objects map[string][]runtime.Object) {
	t.Helper()
	inEach(t, func(ctx context.Context, cluster *bed.Cluster) error {
		if err := cluster.Reset(ctx); err != nil {
			return err
		}
		return cluster.Apply(ctx, objects[cluster.Name()]...)
	})
}

// linkerdObjects are those of a fleet that real Linkerd controllers made, as the API servers of a fleet take
// them, by cluster.
func linkerdObjects(t *testing.T, name string, in *bed.Fleet) map[string][]runtime.Object {
	t.Helper()
	all := linkerdtest.AllRecorded(t)
	i := slices.IndexFunc(all, func(r *linkerdtest.Recorded) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("there is no fleet %s", name)
	}
	return liveObjects(t, all[i].Facts(t), in)
}

// liveObjects are those of a fleet of two clusters as the API servers of a fleet take them, by cluster.
func liveObjects(t *testing.T, recorded *facts.Fleet, in *bed.Fleet) map[string][]runtime.Object {
	t.Helper()
	objects := map[string][]runtime.Object{}
	for n := range recorded.Clusters {
		c := &recorded.Clusters[n]
		for _, row := range resources.All {
			for _, o := range row.Objects(c) {
				if o := live(t, o, in.Cluster(recorded.Clusters[1-n].Context).URL()); o != nil {
					objects[c.Context] = append(objects[c.Context], o)
				}
			}
		}
	}
	return objects
}

// live is an object as an API server takes it: what was not recorded of it is made up. peer is the URL of the
// other cluster.
func live(t *testing.T, o runtime.Object, peer string) runtime.Object {
	t.Helper()
	switch o := o.DeepCopyObject().(type) {
	case *corev1.ConfigMap:
		if o.Name == resources.ConfigMapRootCA {
			o.Namespace = metav1.NamespaceSystem
		}
		return o
	case *corev1.Secret:
		return leadingTo(t, o, peer)
	case *corev1.Service:
		if o.Spec.ClusterIP != corev1.ClusterIPNone {
			o.Spec.ClusterIP, o.Spec.ClusterIPs = "", nil
		}
		return o
	case *corev1.Pod:
		for i := range o.OwnerReferences {
			o.OwnerReferences[i].APIVersion, o.OwnerReferences[i].UID = "apps/v1", "00000000-0000-4000-8000-000000000000"
		}
		if len(o.Spec.Containers) == 0 {
			o.Spec.Containers = []corev1.Container{{Name: "app"}}
		}
		for _, containers := range [][]corev1.Container{o.Spec.Containers, o.Spec.InitContainers} {
			for i := range containers {
				if containers[i].Image == "" {
					containers[i].Image = "registry.example/app"
				}
			}
		}
		return o
	case *admissionv1.ValidatingWebhookConfiguration:
		none := admissionv1.SideEffectClassNone
		for i := range o.Webhooks {
			o.Webhooks[i].SideEffects, o.Webhooks[i].AdmissionReviewVersions = &none, []string{"v1"}
		}
		return o
	case *appsv1.Deployment:
		if o.Spec.Selector == nil {
			o.Spec.Selector = &metav1.LabelSelector{MatchLabels: o.Spec.Template.Labels}
		}
		if len(o.Spec.Template.Labels) == 0 {
			o.Spec.Template.Labels = o.Spec.Selector.MatchLabels
		}
		return o
	default:
		return o
	}
}

// leadingTo is an object whose credentials, if it has some, lead to a server.
func leadingTo(t *testing.T, o runtime.Object, server string) runtime.Object {
	t.Helper()
	s, ok := o.DeepCopyObject().(*corev1.Secret)
	if !ok {
		return o
	}
	const key = "access.kubectl-mesh.dev/kubeconfig"
	if known := s.Annotations[key]; known != "" {
		var access map[string]any
		if err := json.Unmarshal([]byte(known), &access); err != nil {
			t.Fatal(err)
		}
		access["server"] = server
		text, err := json.Marshal(access)
		if err != nil {
			t.Fatal(err)
		}
		s.Annotations[key] = string(text)
	}
	return s
}

// causes are the codes of what mesh-check finds, errors and warnings that nothing else causes, with
// their clusters. How long the recorded certificates still have is left out.
func causes(doc report.CheckUp) map[string]string {
	out := map[string]string{}
	for _, c := range doc.Causes {
		if c.Code != "CERT108" {
			out[string(c.Code)] = strings.Join(c.Clusters, ",")
		}
	}
	return out
}

// checkUp is what mesh-check says of contexts.
func checkUp(t *testing.T, kubeconfig string, args ...string) (report.CheckUp, outcome) {
	t.Helper()
	var doc report.CheckUp
	out := mesh(t, options{program: checkBinary, kubeconfig: kubeconfig}, append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out.stdout), &doc); err != nil {
		t.Fatalf("%v: exit code %d\n%s\n%s", err, out.code, out.stdout, out.stderr)
	}
	return doc, out
}

// On real API servers Linkerd is detected, its fleet is found through Links, nothing is said of a healthy
// one, and nothing of it is read where it is not.
func TestLinkerdOnRealServers(t *testing.T) {
	plantLinkerd(t, "01-healthy")
	defer empty(t)
	both := kubeconfigOf(t, bed.Context{Cluster: "east"}, bed.Context{Cluster: "west"}, bed.Context{Cluster: "north"})
	doc, out := checkUp(t, both)
	if !strings.Contains(out.stderr, "found through the Links of east") {
		t.Errorf("on stderr: %s", out.stderr)
	}
	if diff := cmp.Diff(map[string]string{}, causes(doc)); diff != "" || doc.Summary.Unchecked > 0 {
		t.Errorf("causes (-want +got):\n%s\nnot checked: %+v", diff, doc.Unknowns)
	}
	for _, c := range doc.Clusters {
		if len(c.Meshes) != 1 || c.Meshes[0].Mesh != "Linkerd" {
			t.Errorf("%s: %+v", c.Context, c.Meshes)
		}
	}
	// No other cluster leads to north: that it has no mesh is a note.
	doc, _ = checkUp(t, both, "--contexts", "east,north")
	noted := slices.ContainsFunc(doc.Findings, func(f report.IdentifiedFinding) bool {
		return f.Code == "FLT008" && f.Severity == finding.Note && slices.Equal(f.Clusters, []string{"north"})
	})
	if len(causes(doc)) > 0 || !noted {
		t.Errorf("a cluster without a mesh: %v, noted: %v", causes(doc), noted)
	}
	out = mesh(t, options{program: endpointsBinary, kubeconfig: both}, "diagnose", "web.shop", "--contexts", "east,west")
	if want := "FROM  STATUS  TO    WHY\neast  ok      west  web-west: through the gateway 192.0.2.20:4143\n"; out.code != 0 || out.stdout != want {
		t.Errorf("exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}

	// A cluster that does not answer, is down or forbids everything hides nothing of the other one.
	hanging, err := bed.HangingServer()
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	for name, c := range map[string]struct {
		west bed.Context
		code string
	}{
		"hung":      {bed.Context{Name: "west", Server: hanging.URL()}, "FLT002"},
		"down":      {bed.Context{Name: "west", Server: "https://127.0.0.1:1"}, "FLT001"},
		"forbidden": {bed.Context{Cluster: "west", User: bed.Nobody}, "FLT004"},
	} {
		t.Run(name, func(t *testing.T) {
			grant(t, nil)
			config := kubeconfigOf(t, bed.Context{Cluster: "east"}, c.west)
			doc, _ := checkUp(t, config, "--contexts", "east,west", "--timeout", "2s")
			if diff := cmp.Diff(map[string]string{c.code: "west"}, causes(doc)); diff != "" || doc.Summary.Unchecked == 0 {
				t.Errorf("causes (-want +got):\n%s\n%d rules not checked", diff, doc.Summary.Unchecked)
			}
		})
	}
}

// With the rights of docs every rule is checked. With each one for Linkerd taken away nothing is found, and
// what that leaves unknown is said.
func TestLinkerdRights(t *testing.T) {
	plantLinkerd(t, "01-healthy")
	defer empty(t)
	all := permissions(t, "mesh-check")
	var linkerd []permission
	same := func(p permission) func(permission) bool {
		return func(o permission) bool { return o.String() == p.String() }
	}
	for _, role := range []string{"mesh-check-linkerd", "mesh-certs-linkerd", "mesh-network-linkerd", "mesh-endpoints-linkerd"} {
		for _, p := range permissionsIn(t, "rbac-linkerd.yaml", role) {
			if slices.ContainsFunc(linkerd, same(p)) {
				continue
			}
			linkerd = append(linkerd, p)
			if !slices.ContainsFunc(all, same(p)) {
				all = append(all, p)
			}
		}
	}
	config := kubeconfigOf(t, bed.Context{Cluster: "east", User: bed.Nobody}, bed.Context{Cluster: "west", User: bed.Nobody})
	forbidden := func(doc report.CheckUp) bool {
		return slices.ContainsFunc(doc.Unknowns, func(u finding.Unknown) bool { return u.Reason.Kind == finding.Forbidden })
	}
	// What is granted takes effect a moment later.
	checked := func(done func(report.CheckUp) bool) report.CheckUp {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if doc, _ := checkUp(t, config, "--contexts", "east,west"); done(doc) || time.Now().After(deadline) {
				return doc
			}
		}
	}
	grant(t, all)
	if doc := checked(func(doc report.CheckUp) bool { return !forbidden(doc) }); forbidden(doc) || len(causes(doc)) > 0 {
		t.Fatalf("with all rights: %v, not checked: %+v", causes(doc), doc.Unknowns)
	}
	for _, p := range linkerd {
		grant(t, slices.DeleteFunc(slices.Clone(all), same(p)))
		doc := checked(forbidden)
		if len(causes(doc)) > 0 {
			t.Errorf("without the right to %s: %v", p, causes(doc))
		}
		// Two rows only help to tell which cluster a Link leads to.
		helps := p.rule.Resources[0] == "serviceaccounts" || slices.Contains(p.rule.ResourceNames, resources.ConfigMapRootCA)
		// The right to one object is a part of that to all, which another role gives.
		part := len(p.rule.ResourceNames) > 0 && slices.ContainsFunc(all, func(o permission) bool {
			return len(o.rule.ResourceNames) == 0 && slices.Equal(o.rule.Resources, p.rule.Resources) && slices.Equal(o.rule.Verbs, p.rule.Verbs)
		})
		if !forbidden(doc) && !helps && !part {
			t.Errorf("without the right to %s everything is checked", p)
		}
	}
}
