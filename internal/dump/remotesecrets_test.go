package dump_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// One Secret can name several clusters, and tell of some nothing but why not.
func TestRemoteSecretsOfSeveralClusters(t *testing.T) {
	entry := func(secret, id, server, problem string) facts.RemoteSecret {
		r := facts.RemoteSecret{Namespace: istiotest.System, Name: secret, ClusterID: id, Server: server, Problem: problem, Modified: istiotest.Now}
		if problem == "" {
			r.Identity = "system:serviceaccount:istio-system:istio-reader-service-account"
		}
		return r
	}
	want := istiotest.Healthy("east").Facts()
	resources.RemoteSecrets.Edit(&want.Clusters[0]).Value = []facts.RemoteSecret{
		entry("all", "north", "", "the kubeconfig cannot be read"), entry("all", "south", "https://south", ""), entry("all", "west", "https://west", ""),
		entry("one", "far-west", "https://far-west", ""),
	}
	dir := filepath.Join(t.TempDir(), "fleet")
	if err := dump.Write(dir, want, resources.All); err != nil {
		t.Fatal(err)
	}
	got, err := dump.Read(os.DirFS(dir), "", time.Time{}, resources.All)
	if err != nil {
		t.Fatal(err)
	}
	opts := cmp.Options{cmpopts.EquateApproxTime(time.Second), cmpopts.IgnoreFields(facts.RemoteSecret{}, "Invalid", "Insecure")}
	if diff := cmp.Diff(resources.RemoteSecrets.Of(&want.Clusters[0]), resources.RemoteSecrets.Of(&got.Clusters[0]), opts); diff != "" {
		t.Errorf("remote secrets (-written +read):\n%s", diff)
	}
}

// What "istioctl create-remote-secret" prints can be put into a folder as it is.
func TestARemoteSecretOfIstioctl(t *testing.T) {
	files := fstest.MapFS{"east/west.yaml": {Data: []byte(`apiVersion: v1
kind: Secret
metadata:
  annotations: {networking.istio.io/cluster: west}
  labels: {istio/multiCluster: "true"}
  name: istio-remote-secret-west
  namespace: istio-system
stringData:
  west: |
    apiVersion: v1
    kind: Config
    clusters: [{name: west, cluster: {server: "https://west.example:6443"}}]
    contexts: [{name: west, context: {cluster: west, user: west}}]
    current-context: west
    users: [{name: west, user: {token: hunter2}}]
`)}}
	got, err := dump.Read(files, istiotest.System, istiotest.Now, resources.All)
	if err != nil {
		t.Fatal(err)
	}
	secrets := resources.RemoteSecrets.Of(&got.Clusters[0]).Value
	if len(secrets) != 1 || secrets[0].ClusterID != "west" || secrets[0].Server != "https://west.example:6443" || secrets[0].Problem != "" {
		t.Errorf("%+v", secrets)
	}
}
