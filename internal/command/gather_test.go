package command

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// live is a fleet on API servers, with a kubeconfig for it.
type live struct {
	*istiotest.Fleet
	servers map[string]*apitest.Server
	urls    map[string]string // by context
	sources resource.Set
}

// serve starts an API server for each cluster of a fleet. Their objects are taken when
// the kubeconfig is made, and so after what a test does to the fleet.
func serve(t *testing.T, names ...string) *live {
	t.Helper()
	l := &live{istiotest.Healthy(names...), map[string]*apitest.Server{}, map[string]string{}, resources.Trust}
	for _, c := range l.Clusters {
		l.servers[c.Name] = &apitest.Server{}
		server := httptest.NewServer(l.servers[c.Name])
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		c.Server, l.urls[c.Name] = server.URL, server.URL
	}
	return l
}

// gather reads the fleet as the flags say; objects are further ones, by cluster.
func (l *live) gather(t *testing.T, current string, set func(*fleet.Flags), objects map[string][]runtime.Object) (*facts.Fleet, string, error) {
	t.Helper()
	for _, c := range l.Clusters {
		l.servers[c.Name].Objects = append(c.Objects(), objects[c.Name]...)
	}
	var said bytes.Buffer
	f := &Frame{
		IOStreams: genericiooptions.IOStreams{ErrOut: &said}, Plugin: plugin, Display: "kubectl mesh-test", Fleet: fleet.NewFlags(),
		Namespace: istiotest.System, progress: fleet.ProgressOn(&said),
	}
	f.Fleet.KubeConfig = kubeconfig(t, current, l.urls)
	if set != nil {
		set(f.Fleet)
	}
	got, err := f.Gather(t.Context(), l.sources)
	return got, said.String(), err
}

// contexts are the clusters of a fleet, and how those that were not reached failed.
func contexts(f *facts.Fleet) []string {
	var out []string
	for _, c := range f.Clusters {
		name := c.Context
		if c.Unreached != nil {
			name += " " + string(c.Unreached.Kind)
		}
		out = append(out, name)
	}
	return out
}

func refusing(path string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		refused := strings.HasSuffix(r.URL.Path, path)
		if refused {
			apitest.Refuse(w, 403, metav1.StatusReasonForbidden)
		}
		return refused
	}
}

// Without --contexts the current context's remote secrets name the fleet, and what
// was chosen is said.
func TestTheFleetIsFoundThroughRemoteSecrets(t *testing.T) {
	remote := func(name, kubeconfig string) map[string][]runtime.Object {
		return map[string][]runtime.Object{"west": {&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: istiotest.System, Name: "remote-" + name, Labels: map[string]string{"istio/multiCluster": "true"}},
			Data:       map[string][]byte{name: []byte(kubeconfig)},
		}}}
	}
	for name, c := range map[string]struct {
		do      func(*live)
		objects map[string][]runtime.Object
		want    []string
		beyond  []string
		said    string
	}{
		"all of them": {
			nil, nil, []string{"west", "east", "north"}, nil,
			"Looking at west (the current context), east, north, found through the remote secrets of west.\n",
		},
		"those that they name": {
			func(l *live) { l.Get("west").Remotes = l.Get("west").Remotes[:1] }, nil, []string{"west", "north"}, nil,
			"Looking at west (the current context), north, found through the remote secrets of west.\n",
		},
		"by what their contexts are called": {
			func(l *live) {
				l.urls["a"] = l.urls["north"]
				delete(l.urls, "north")
			}, nil, []string{"west", "a", "east"}, nil,
			"Looking at west (the current context), a, east, found through the remote secrets of west.\n",
		},
		"also where no rule reads remote secrets": {
			func(l *live) { l.sources = resources.Roots }, nil, []string{"west", "east", "north"}, nil,
			"Looking at west (the current context), east, north, found through the remote secrets of west.\n",
		},
		"the current cluster is not looked at twice": {
			func(l *live) { l.Get("west").Remotes = []*istiotest.Cluster{l.Get("west"), l.Get("east")} }, nil, []string{"west", "east"}, nil,
			"Looking at west (the current context), east, found through the remote secrets of west.\n",
		},
		"one to which no context leads": {
			func(l *live) { l.Get("west").Remotes = nil },
			remote("south", "clusters: [{name: a, cluster: {server: 'https://south.example'}}]\ncontexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a"),
			[]string{"west"}, []string{"istio-system/remote-south south https://south.example"},
			"Looking at west (the current context), found through the remote secrets of west.\nNo context leads to cluster south at https://south.example, which they name too.\n",
		},
		"one in a kubeconfig that is none": {
			func(l *live) { l.Get("west").Remotes = l.Get("west").Remotes[:1] }, remote("south", "x"),
			[]string{"west", "north"}, []string{"istio-system/remote-south south "},
			"Looking at west (the current context), north, found through the remote secrets of west.\n" +
				"They name cluster south too, and not where it is: the kubeconfig in secret istio-system/remote-south cannot be used.\n",
		},
		"there are none": {
			func(l *live) { l.Get("west").Remotes = nil }, nil, []string{"west"}, nil,
			"Looking at west alone: it has no remote secrets, which would name the other clusters. Name them with --contexts.\n",
		},
		"they may not be read": {
			func(l *live) { l.servers["west"].Before = refusing("/secrets") }, nil, []string{"west"}, nil,
			"Looking at west alone: its remote secrets, which name the other clusters, could not be read (forbidden). Name the clusters with --contexts.\n",
		},
		"the current cluster is not reached": {
			func(l *live) { l.urls["west"] = "http://127.0.0.1:1" }, nil, []string{"west no-connection"}, nil, "",
		},
		"another one is not reached": {
			func(l *live) {
				l.urls["east"] = "http://127.0.0.1:1"
				l.Get("east").Server = l.urls["east"]
			}, nil, []string{"west", "east no-connection", "north"}, nil,
			"Looking at west (the current context), east, north, found through the remote secrets of west.\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := serve(t, "north", "east", "west")
			if c.do != nil {
				c.do(l)
			}
			got, said, err := l.gather(t, "west", nil, c.objects)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, contexts(got)); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
			var beyond []string
			for _, b := range got.Beyond {
				beyond = append(beyond, fmt.Sprintf("%s %s %s", b.Secret, b.ClusterID, b.Server))
			}
			if diff := cmp.Diff(c.beyond, beyond); diff != "" {
				t.Errorf("beyond reach (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.said, said); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClustersThatFailHideNoOthers(t *testing.T) {
	l := serve(t, "east", "slow", "denied", "west")
	l.servers["slow"].Before = func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}
	l.servers["denied"].Before = func(w http.ResponseWriter, _ *http.Request) bool {
		apitest.Refuse(w, 403, metav1.StatusReasonForbidden)
		return true
	}
	got, said, err := l.gather(t, "", func(f *fleet.Flags) {
		f.Contexts, f.Timeout = []string{"west", "slow", "denied", "east"}, time.Second
	}, nil)
	if err != nil || said != "" {
		t.Fatalf("%v, %s", err, said)
	}
	if diff := cmp.Diff([]string{"west", "slow timed-out", "denied no-rights", "east"}, contexts(got)); diff != "" {
		t.Errorf("clusters (-want +got):\n%s", diff)
	}
	for _, c := range got.Clusters {
		if c.Unreached == nil && (resources.CACerts.Of(&c).State != facts.OK || c.Server != l.urls[c.Context] || c.SystemNamespace != istiotest.System) {
			t.Errorf("%s: cacerts %s, at %s", c.Context, resources.CACerts.Of(&c).State, c.Server)
		}
	}
	if err := Unreachable(got); err != nil {
		t.Errorf("two clusters were reached: %v", err)
	}
}

// Which revisions there are shows only when all clusters were read: each is then
// asked for the mesh configs of all.
func TestFurtherMeshConfigsAreReadWhereTheyAreKnown(t *testing.T) {
	l := serve(t, "east", "west", "denied")
	var again atomic.Bool
	l.servers["denied"].Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/istio-canary") {
			again.Store(true)
		}
		apitest.Refuse(w, 403, metav1.StatusReasonForbidden)
		return true
	}
	l.Get("east").Revision = "canary"
	l.Get("east").Mesh["istio-canary"] = map[string]any{"trustDomain": "east.local"}
	l.Get("west").Mesh["istio-canary"] = map[string]any{"trustDomain": "west.local"}
	l.Get("west").Mesh["istio-other"] = map[string]any{"trustDomain": "nobody.asks"}
	got, _, err := l.gather(t, "", func(f *fleet.Flags) { f.AllContexts = true }, nil)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{}
	for _, c := range got.Clusters {
		for _, m := range resources.MeshConfigs.Of(&c).Value {
			names[c.Context] = append(names[c.Context], m.Name)
		}
	}
	want := map[string][]string{"east": {"istio", "istio-canary"}, "west": {"istio", "istio-canary"}}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("mesh configs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"denied no-rights", "east", "west"}, contexts(got)); diff != "" {
		t.Errorf("clusters (-want +got):\n%s", diff)
	}
	if again.Load() {
		t.Error("a cluster of which nothing may be read was asked again")
	}
}

func TestUnreachable(t *testing.T) {
	gone := facts.Cluster{Unreached: &facts.Unreached{}}
	for name, c := range map[string]struct {
		clusters []facts.Cluster
		fails    bool
	}{
		"one was reached":  {[]facts.Cluster{gone, {}}, false},
		"none was reached": {[]facts.Cluster{gone, gone}, true},
	} {
		if err := Unreachable(&facts.Fleet{Clusters: c.clusters}); (err != nil) != c.fails || err != nil && !errors.Is(err, ExitCode(ExitFailed)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of a dump --contexts chooses clusters, in the order wanted.
func TestClustersOfADump(t *testing.T) {
	for name, c := range map[string]struct {
		wanted []string
		want   []string
	}{
		"all":      {nil, []string{"east", "north", "west"}},
		"some":     {[]string{"west", "east"}, []string{"west", "east"}},
		"patterns": {[]string{"*st"}, []string{"east", "west"}},
	} {
		var said bytes.Buffer
		f := &Frame{Plugin: plugin, IOStreams: genericiooptions.IOStreams{ErrOut: &said}, Fleet: fleet.NewFlags(), Namespace: istiotest.System, From: []string{broken}}
		f.Fleet.Contexts = c.wanted
		got, err := f.Gather(t.Context(), resources.Trust)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, contexts(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if want := "Read from " + broken + ", as of " + got.At.UTC().Format(time.RFC3339) + ": " + finding.List(c.want) + ".\n"; said.String() != want {
			t.Errorf("%s: said %q, want %q", name, said.String(), want)
		}
	}
}
