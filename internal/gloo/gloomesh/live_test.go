package gloomesh_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// read reads the rows of Gloo Mesh itself from an API server that has some objects, and counts the requests
// of a cluster for more than every mesh reads.
func read(t *testing.T, objects []runtime.Object) (facts.Cluster, int) {
	t.Helper()
	var mu sync.Mutex
	requests := 0
	server := httptest.NewServer(&apitest.Server{Objects: objects, Before: func(http.ResponseWriter, *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		requests++
		return false
	}})
	t.Cleanup(server.Close)
	c, err := survey.Read(t.Context(), survey.Cluster{Context: "east", Config: &rest.Config{Host: server.URL}}, resources.Own)
	if err != nil {
		t.Fatal(err)
	}
	return c, requests
}

// What is read of an API server is what a fixture has of it, of the management cluster and of a managed one.
func TestLiveReads(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo10, east, west)
	for i, name := range []string{mgmt, east} {
		want := f.Facts().Clusters[i]
		got, _ := read(t, f.Decoded(name))
		opts := cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(metav1.TypeMeta{})}
		for _, row := range resources.Own {
			if _, is := row.NewObject().(*api.Groups); is {
				continue // the test's server has kinds of its own also
			}
			if diff := cmp.Diff(row.Objects(&want), row.Objects(&got), opts); diff != "" {
				t.Errorf("%s of %s (-fixture +live):\n%s", row, name, diff)
			}
			if state, why := row.State(&got); state != facts.OK && state != facts.Absent {
				t.Errorf("%s of %s: %s %s", row, name, state, why)
			}
		}
		if state, _ := model.Installed(&got); state != model.Is {
			t.Errorf("%s has nothing of Gloo Mesh", name)
		}
	}
}

// Nothing is asked of a cluster without Gloo Mesh but whether it has it.
func TestRequestsWithoutGlooMesh(t *testing.T) {
	c, requests := read(t, nil)
	if requests != 1 {
		t.Errorf("%d requests", requests)
	}
	if p := (gloomesh.Mesh{}).Presence(&c); p.Found || p.Missing == "" || len(p.Evidence) != 1 {
		t.Errorf("%+v", p)
	}
	for _, row := range resources.Own {
		if state, _ := row.State(&c); row.About().Where != nil && state != facts.NotAsked {
			t.Errorf("%s: %s", row, state)
		}
	}
}

// What is judged from a dump is what is judged of the clusters, and nothing of a credential is in it.
func TestDump(t *testing.T) {
	f := glootest.Healthy(glootest.Hub, east, west)
	glootest.WithoutEntries(f, east, west)
	fleet := f.Facts()
	dir := t.TempDir() + "/dump"
	table := gloomesh.Mesh{}.Table()
	if err := dump.Write(dir, fleet, table); err != nil {
		t.Fatal(err)
	}
	again, err := dump.Read(dirFS(t, dir), "istio-system", fleet.At, table)
	if err != nil {
		t.Fatal(err)
	}
	want, got := gloomesh.Judge(model.New(fleet), options(t)), gloomesh.Judge(model.New(again), options(t))
	if diff := cmp.Diff(want, got); diff != "" || len(want.Findings) == 0 {
		t.Errorf("(-clusters +dump):\n%s", diff)
	}
}

// The Secret with the root of a VirtualMesh is asked for, the one that people gave it or the one that the management plane made,
// and nothing secret of it is kept, nor dumped.
func TestFollowUps(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo11, east, west)
	rows := gloomesh.Mesh{}.Resources(nil, mesh.Certs)
	made := map[string][]api.Ref{mgmt: {{Namespace: "gloo-mesh", Name: "vm.gloo-mesh"}}}
	if diff := cmp.Diff(made, model.New(f.Facts()).Roots()); diff != "" {
		t.Errorf("a root that the management plane makes (-want +got):\n%s", diff)
	}
	shared := f.Get(mgmt, "VirtualMesh", "vm")["spec"].(glootest.Object)["mtlsConfig"].(glootest.Object)["shared"]
	glootest.Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.mtlsConfig.shared", glootest.Object{
		"intermediateCertificateAuthority": glootest.Object{"vault": glootest.Object{"caPath": "pki"}},
	})
	if further := (gloomesh.Mesh{}).FollowUps(f.Facts(), rows); len(further) > 0 {
		t.Errorf("where Vault signs %v is read", further)
	}
	glootest.Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.mtlsConfig.shared", shared)
	root := istiotest.Root(istiotest.Spec{})
	glootest.GiveRoot(f, root.PEM(), root.KeyPEM())
	fleet := f.Facts()
	if further := (gloomesh.Mesh{}).FollowUps(fleet, gloomesh.Mesh{}.Resources(nil, mesh.Network)); len(further) > 0 {
		t.Errorf("for networks %v is read", further)
	}
	further := gloomesh.Mesh{}.FollowUps(fleet, rows)
	if len(further) != 1 || further[mgmt] == nil {
		t.Fatalf("%v", further)
	}
	for name, c := range map[string]struct {
		refuses bool
		want    facts.State
	}{"granted": {false, facts.OK}, "forbidden": {true, facts.Forbidden}} {
		var asked []string
		server := httptest.NewServer(&apitest.Server{Objects: f.Decoded(mgmt), Before: func(w http.ResponseWriter, r *http.Request) bool {
			asked = append(asked, r.Method+" "+r.URL.RequestURI())
			if c.refuses {
				apitest.Refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden)
			}
			return c.refuses
		}})
		t.Cleanup(server.Close)
		got := facts.Cluster{Context: mgmt}
		further[mgmt].Read(t.Context(), survey.Cluster{Context: mgmt, Config: &rest.Config{Host: server.URL}}, &got)
		want := []string{"GET /api/v1/namespaces/gloo-mesh/secrets?fieldSelector=metadata.name%3Dmesh-root&limit=500"}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("%s (-want +asked):\n%s", name, diff)
		}
		read := resources.RootSecrets.Of(&got)
		if read.State != c.want {
			t.Errorf("%s: %s", name, read.State)
		}
		if diff := cmp.Diff(resources.RootSecrets.Of(&fleet.Clusters[0]).Value, read.Value); diff != "" && !c.refuses {
			t.Errorf("%s (-fixture +live):\n%s", name, diff)
		}
		for _, s := range read.Value {
			for key, text := range s.Data {
				if strings.Contains(string(text), "hunter2") || strings.Contains(string(text), root.KeyPEM()) {
					t.Errorf("%s, %s: %s", name, key, text)
				}
			}
		}
	}
	var failed facts.Cluster
	further[mgmt].Fail(&failed, "no answer")
	if resources.RootSecrets.Of(&failed).Why() != "no answer" {
		t.Errorf("%+v", resources.RootSecrets.Of(&failed))
	}
	dir, table := t.TempDir()+"/dump", gloomesh.Mesh{}.Table()
	if err := dump.Write(dir, fleet, table); err != nil {
		t.Fatal(err)
	}
	again, err := dump.Read(dirFS(t, dir), "istio-system", fleet.At, table)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(resources.RootSecrets.Of(&fleet.Clusters[0]), resources.RootSecrets.Of(&again.Clusters[0])); diff != "" {
		t.Errorf("(-clusters +dump):\n%s", diff)
	}
}

// The clusters of a management plane are those that are registered with it.
func TestPeers(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo11, east, west).Facts()
	peers := gloomesh.Mesh{}.Peers(&f.Clusters[0])
	want := []mesh.Peer{
		{Object: "gloo-mesh/east", ClusterID: "east", Server: "https://east.example:6443"},
		{Object: "gloo-mesh/west", ClusterID: "west", Server: "https://west.example:6443"},
	}
	if diff := cmp.Diff(want, peers.Peers); diff != "" || peers.Unknown != "" {
		t.Errorf("%q (-want +got):\n%s", peers.Unknown, diff)
	}
	if of := (gloomesh.Mesh{}).Peers(&f.Clusters[1]); len(of.Peers) > 0 {
		t.Errorf("%+v", of)
	}
}

// Clusters are found by the server in the kubeconfig, by what was written to them, and by their names.
func TestWhereClustersAre(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo10, east, west).Facts()
	f.Clusters[1].Context = "arn:aws:eks:eu-west-1:000000000000:cluster/blue" // by its server
	f.Clusters[2].Context, f.Clusters[2].Server = "green", "https://10.0.0.1" // by labels
	var got []string
	for _, r := range model.New(f).Planes[0].Registrations {
		got = append(got, r.Name+" is "+r.Called())
	}
	want := []string{"east is arn:aws:eks:eu-west-1:000000000000:cluster/blue", "west is green"}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "; "))
	}
}

// Two contexts of one cluster are one management plane, and one member; other tests say that they are two contexts.
func TestTwoContextsOfOneCluster(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo10, east, west).Facts()
	for _, at := range []int{0, 1} {
		again := f.Clusters[at]
		again.Context += "-again"
		f.Clusters = append(f.Clusters, again)
	}
	m := model.New(f)
	if len(m.Planes) != 1 || m.Planes[0].Registration(east).Called() != east {
		t.Errorf("%d management planes, %s is %s", len(m.Planes), east, m.Planes[0].Registration(east).Called())
	}
	for _, found := range gloomesh.Judge(m, options(t)).Findings {
		t.Errorf("%s", line(found))
	}
}

// Up to 0.11 no status says what is federated: everything is.
func TestFederationThatNoStatusSays(t *testing.T) {
	r := glootest.Gloo10
	r.Tag, r.Version, r.TargetKind, r.Targets = "0.11.3", "v1alpha2", "TrafficTarget", "trafficTargets"
	f := glootest.Healthy(r, east, west)
	for _, o := range f.Objects[mgmt] {
		if o["kind"] == r.TargetKind {
			glootest.Set(o, "status.appliedFederation", nil)
		}
	}
	glootest.WithoutEntries(f, east, west)
	found := gloomesh.Judge(model.New(f.Facts()), options(t)).Findings
	if !slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Code == "EP206" && slices.Contains(f.Clusters, east) }) {
		t.Errorf("found %v", found)
	}
}

// Fields are read whatever their types are.
func TestFields(t *testing.T) {
	for text, want := range map[string]int64{`{"n": 7}`: 7, `{"n": "7"}`: 7, `{"n": 7.5}`: 0, `{"n": "x"}`: 0, `{"n": [7]}`: 0, `[]`: 0,
		`{}`: 0} {
		var f api.Fields
		if err := f.UnmarshalJSON([]byte(text)); err != nil || f.Int("n") != want {
			t.Errorf("%s: %d, %v", text, f.Int("n"), err)
		}
	}
}

// Up to 1.0.6 gateways need an EnvoyFilter.
func TestRewrites(t *testing.T) {
	for tag, want := range map[string]bool{
		"0.12.3": true, "v0.10.5": true, "1.0.0": true, "1.0.6": true, "1.0.7": false, "1.0.11": false, "1.1.0-beta18": false, "latest": false,
		"1.0.0-rc1": false,
	} {
		r := glootest.Gloo10
		r.Tag = tag
		if got := model.New(glootest.Healthy(r, east, west).Facts()).Planes[0].Rewrites(); got != want {
			t.Errorf("%s: %t", tag, got)
		}
	}
	if !model.New(glootest.Healthy(glootest.Hub, east, west).Facts()).Planes[0].Rewrites() {
		t.Errorf("%s: not", glootest.Hub.Tag)
	}
}
