package resources_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// objectOf is an object that belongs to a row of the cluster of this file's tests.
func objectOf(t *testing.T, row resource.Resource) runtime.Object {
	t.Helper()
	o := row.NewObject()
	m, ok := o.(metav1.Object)
	if !ok {
		t.Fatalf("%T has no metadata", o)
	}
	m.SetNamespace(istiotest.System)
	m.SetName("name")
	m.SetLabels(map[string]string{})
	switch row {
	case resources.CACerts, resources.CASecret, resources.RootCert, resources.MeshConfigs, resources.Injectors,
		resources.TLSRouteDefinition, resources.TCPRouteDefinition, resources.GRPCRouteDefinition, resources.BackendTLSPolicyDefinition:
		m.SetName(row.About().Object)
	case resources.RootCerts:
		m.SetName(istio.RootCertConfigMap)
	case resources.Istiods, resources.IstiodPods, resources.ValidatingWebhooks, resources.Usage:
		m.SetLabels(map[string]string{"app": "istiod"})
	case resources.Webhooks:
		m.SetLabels(map[string]string{"app": "sidecar-injector"})
	case resources.IstioCSRs:
		m.SetLabels(map[string]string{"app.kubernetes.io/name": istio.IstioCSRName})
	case resources.Proxies:
		m.SetLabels(map[string]string{istio.LabelTLSMode: "istio"})
	case resources.RemoteSecrets:
		m.SetLabels(map[string]string{istio.MultiClusterLabel: "true"})
	case resources.StraySecrets:
		m.SetLabels(map[string]string{istio.MultiClusterLabel: "True"})
	case resources.SystemSecrets:
		m.SetName(istio.ExternalKubeconfig)
	case resources.ReaderAccess:
		m.SetName("")
	}
	if in := row.About().Namespace; in != "" {
		m.SetNamespace(in)
	}
	switch o := o.(type) {
	case *corev1.ConfigMap:
		o.Data = map[string]string{istio.MeshConfigKey: "{}"}
	case *corev1.Secret:
		o.Data = map[string][]byte{"west": []byte("{}")}
	case *corev1.Event:
		o.InvolvedObject.Kind = "Service"
		if row == resource.Resource(resources.RefusedPods) {
			o.InvolvedObject.Kind, o.Reason = "ReplicaSet", resources.FailedCreate
		}
	}
	return o
}

// Every row is written to a dump and read again, in an old version too.
func TestEveryRowIsDumped(t *testing.T) {
	for _, row := range resources.All {
		t.Run(row.About().File, func(t *testing.T) {
			c := facts.Cluster{Context: "east", SystemNamespace: istiotest.System}
			o := objectOf(t, row)
			if !row.Belongs(&c, o) || !row.Shows(o) {
				t.Fatalf("the object does not belong: %t, %t", row.Belongs(&c, o), row.Shows(o))
			}
			in := row.Intake(&c)
			if err := in.Take(o); err != nil {
				t.Fatal(err)
			}
			in.Store(&c)
			dir := filepath.Join(t.TempDir(), "fleet")
			if err := dump.Write(dir, &facts.Fleet{Clusters: []facts.Cluster{c}}, resources.All); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, "east", row.About().File+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := dump.Read(os.DirFS(dir), "", time.Time{}, resources.All)
			if err != nil {
				t.Fatal(err)
			}
			opts := cmp.Options{istiotest.CompareClusters, cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(metav1.TypeMeta{})}
			if diff := cmp.Diff(c, got.Clusters[0], opts); diff != "" {
				t.Errorf("(-written +read):\n%s", diff)
			}
			about := row.About()
			for _, version := range about.Versions {
				older := strings.Replace(string(text), "/"+about.Versions[0]+"\n", "/"+version+"\n", 1)
				byHand, err := dump.Read(fstest.MapFS{"east/a.yaml": {Data: []byte(older)}}, istiotest.System, time.Time{}, resources.All)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(row.Read(&c), row.Read(&byHand.Clusters[0]), opts); diff != "" {
					t.Errorf("in %s (-written +read):\n%s", version, diff)
				}
			}
		})
	}
}

// No row keeps a private key or a token of what belongs to it, and trimming twice
// changes nothing.
func TestNoRowKeepsASecret(t *testing.T) {
	for name, f := range fleets() {
		secrets := secretsOf(f)
		for _, c := range f.Clusters {
			at := facts.Cluster{SystemNamespace: istiotest.System}
			for _, o := range c.Objects() {
				o = noisy(o)
				for _, row := range resources.All {
					if !row.Belongs(&at, o) {
						continue
					}
					once := row.Trim(o)
					if diff := cmp.Diff(texts(t, once)[0], texts(t, row.Trim(once))[0]); diff != "" {
						t.Errorf("%s, %s (-once +twice):\n%s", name, row.About().Name, diff)
					}
					for _, text := range texts(t, once) {
						for secret, piece := range secrets {
							if strings.Contains(text, piece) {
								t.Errorf("%s: %s is kept of %s", name, secret, row.About().Name)
							}
						}
					}
				}
			}
		}
	}
}

// Rows can be told apart, by people and in a dump.
func TestRowsAreNamed(t *testing.T) {
	files, names := map[string]bool{}, map[string]bool{}
	for _, row := range resources.All {
		about := row.About()
		if about.Name == "" || about.Kind == "" || about.Resource == "" || len(about.Versions) == 0 {
			t.Errorf("it is not described: %+v", about)
		}
		if files[about.File] || names[about.Name] {
			t.Errorf("another row has file %s or name %q too", about.File, about.Name)
		}
		files[about.File], names[about.Name] = true, true
	}
}

// What was not read is said with the row's name, and what was, in no words.
func TestLack(t *testing.T) {
	var c facts.Cluster
	if got, _ := rule.Lacks(&c, resources.RemoteSecrets); got.Text != "remote secrets: not read" {
		t.Error(got)
	}
	resources.RemoteSecrets.SetState(&c, facts.Forbidden, "forbidden")
	if got, _ := rule.Lacks(&c, resources.RemoteSecrets); got.Text != "remote secrets: forbidden" {
		t.Error(got)
	}
	resources.RemoteSecrets.SetState(&c, facts.Absent, "")
	if got, _ := rule.Lacks(&c, resources.RemoteSecrets); got.Text != "" {
		t.Error(got)
	}
}

// Sets are joined and taken apart by rows.
func TestSets(t *testing.T) {
	set := resource.Join(resources.Roots, resources.CACerts, resources.Pods)
	if len(set) != len(resources.Roots)+1 || !set.Has(resources.Pods) {
		t.Errorf("%d rows", len(set))
	}
	if left := set.Without(resources.Roots); !slices.Equal(left, resource.Set{resources.Pods}) {
		t.Errorf("%d are left", len(left))
	}
	if set.Has(resources.Nodes) || len(set) != len(resources.Roots)+1 {
		t.Error("the set was changed")
	}
}
