package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/proxies"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// cartHost is the service of most of these tests.
const cartHost = "cart.shop.svc.cluster.local"

// regions is a healthy mesh of two networks: a client and Service cart in both, and
// nodes in different regions.
func regions() topology.Topology {
	cluster := func(name, network, ip string) topology.Cluster {
		return topology.Cluster{Name: name, Network: network, Contents: topology.Contents{
			Gateways: []topology.Gateway{{IPs: []string{ip}}},
			Nodes:    []topology.Node{{Name: "node-1", Region: name, Zone: "a"}},
		}}
	}
	two := int32(2)
	return topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Services:   []topology.Service{{Namespace: "shop", Name: "cart", Ports: []topology.Port{{Name: "http", Port: 80, Target: 8080}}}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart", Replicas: &two}, {Namespace: "shop", Name: "client"}},
		},
		Clusters: []topology.Cluster{cluster("east", "n1", "127.1.0.1"), cluster("west", "n2", "127.1.0.2")},
	}
}

// liveMesh is a mesh whose proxies really are connected.
type liveMesh struct {
	t      *testing.T
	fleet  *bed.Fleet
	mesh   *bed.Mesh
	admins map[string]*ads.Admin // by cluster and pod
	conns  map[string]*ads.Connection
}

// startMesh starts a topology, and lets the proxies of namespace shop connect; the admin
// interface of each is behind port 15000 of its pod.
func startMesh(t *testing.T, ctx context.Context, top topology.Topology) *liveMesh {
	t.Helper()
	fleet := startTopology(t, ctx, top)
	m := &liveMesh{t: t, fleet: fleet, mesh: fleet.Mesh(), admins: map[string]*ads.Admin{}, conns: map[string]*ads.Connection{}}
	for _, c := range m.mesh.Topology().Clusters {
		plane := c.Name
		if c.RemoteOf != "" {
			plane = c.RemoteOf
		}
		for _, p := range m.pods(ctx, c.Name) {
			if proxy, err := ads.FromPod(&p); err == nil {
				m.connect(ctx, c.Name, plane, p.Name, proxy)
			}
		}
	}
	return m
}

func (m *liveMesh) pods(ctx context.Context, cluster string) []corev1.Pod {
	m.t.Helper()
	client, err := kubernetes.NewForConfig(m.fleet.Cluster(cluster).RESTConfig(bed.Admin))
	if err != nil {
		m.t.Fatal(err)
	}
	pods, err := client.CoreV1().Pods("shop").List(ctx, metav1.ListOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	return pods.Items
}

func (m *liveMesh) connect(ctx context.Context, cluster, plane, pod string, proxy ads.Proxy) {
	m.t.Helper()
	conn, err := ads.Connect(ctx, m.mesh.Istiod(plane).GRPC(), proxy, ads.WithoutListeners())
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = conn.Close() })
	admin, err := ads.ServeAdmin(conn)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = admin.Close() })
	m.admins[cluster+"/"+pod], m.conns[cluster+"/"+pod] = admin, conn
	m.forward(ctx, cluster, pod, admin.Address())
}

// forward leads the admin port of a pod somewhere.
func (m *liveMesh) forward(ctx context.Context, cluster, pod, to string) {
	m.t.Helper()
	if err := m.fleet.Cluster(cluster).Forward(ctx, bed.Forward{Name: "admin-" + pod, Namespaces: []string{"shop"}, Pods: []string{pod}, Port: 15000, To: to}); err != nil {
		m.t.Fatal(err)
	}
}

// list runs the command.
func (m *liveMesh) list(o options, args ...string) outcome {
	m.t.Helper()
	o.program = endpointsBinary
	if o.kubeconfig == "" {
		o.kubeconfig = m.fleet.Kubeconfig()
	}
	return mesh(m.t, o, append([]string{"list"}, args...)...)
}

// listing runs the command until its outcome is as the test wants it: istiod gathers
// changes for a while, and so does the server behind the port-forwards.
func (m *liveMesh) listing(o options, want func(proxies.Listing) string, args ...string) proxies.Listing {
	m.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(300 * time.Millisecond) {
		out := m.list(o, append(args, "-o", "json")...)
		var l proxies.Listing
		if err := json.Unmarshal([]byte(out.stdout), &l); err != nil || out.code != 0 {
			m.t.Fatalf("exit code %d, %v\n%s\n%s", out.code, err, out.stdout, out.stderr)
		}
		wrong := want(l)
		if wrong == "" {
			return l
		}
		if time.Now().After(deadline) {
			table := m.list(o, args...)
			m.t.Fatalf("%s\n%s\n%s", wrong, table.stdout, table.stderr)
		}
	}
}

// asExpected wants every source to have what is expected, and at least some endpoints.
func asExpected(sources int) func(proxies.Listing) string {
	return func(l proxies.Listing) string {
		endpoints := 0
		for _, s := range l.Sources {
			for _, d := range s.Destinations {
				endpoints += len(d.Endpoints)
				if d.Verdict != proxies.Same {
					return fmt.Sprintf("%s/%s port %d: %s", s.Cluster, s.Pod, d.Port, d.Verdict)
				}
			}
		}
		if len(l.Sources) != sources || endpoints == 0 || len(l.Gaps) > 0 {
			return fmt.Sprintf("%d sources with %d endpoints, gaps %v", len(l.Sources), endpoints, l.Gaps)
		}
		return ""
	}
}

// What real proxies have is what follows from the API objects, asked in each way.
func TestListOnRealControlPlanes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	m := startMesh(t, ctx, regions())
	both := []string{"cart.shop", "--contexts", "east,west"}

	l := m.listing(options{}, asExpected(2), both...)
	var kinds []string
	for _, e := range l.Sources[0].Destinations[0].Endpoints {
		kinds = append(kinds, fmt.Sprintf("%s %s %s %d", e.Kind, e.Cluster, e.Pod, len(e.Behind)))
	}
	if want := []string{"pod east shop/cart-0 0", "pod east shop/cart-1 0", "gateway west  2"}; !slices.Equal(kinds, want) {
		t.Errorf("east gets %q, want %q", kinds, want)
	}
	m.listing(options{}, asExpected(2), append(both, "--source", "istiod")...)
	one := m.listing(options{}, asExpected(1), append(both, "--from-pod", "west/shop/client-0")...)
	if s := one.Sources[0]; s.Cluster != "west" || s.Pod != "client-0" || s.Network != "n2" {
		t.Errorf("source %s/%s on %s", s.Cluster, s.Pod, s.Network)
	}

	// Asking nobody, and a pod without a sidecar.
	l = m.listing(options{}, func(l proxies.Listing) string {
		if len(l.Sources) != 2 || l.Sources[0].Unknown == "" || len(l.Sources[0].Destinations[0].Endpoints) != 3 {
			return fmt.Sprintf("%+v", l)
		}
		return ""
	}, append(both, "--source", "none")...)
	if v := l.Sources[0].Destinations[0].Verdict; v != proxies.Unknown {
		t.Errorf("nobody was asked, and the verdict is %s", v)
	}
	if out := m.list(options{}, append(both, "--from-pod", "east/istio-system/istiod-0")...); out.code != 2 || !strings.Contains(out.stderr, "error: source east/istio-system/istiod-0: ") {
		t.Errorf("exit code %d\n%s", out.code, out.stderr)
	}

	t.Run("an ejected endpoint", func(t *testing.T) {
		gateway := "127.1.0.2:15443"
		if err := m.admins["east/client-0"].Mark(ads.Service{Host: cartHost, Port: 80}, gateway, ads.FailedOutlierCheck); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.admins["east/client-0"].Mark(ads.Service{Host: cartHost, Port: 80}, gateway) }()
		l := m.listing(options{}, asExpected(2), both...) // that is no difference between istiod and the proxy
		e := find(l, "east", "127.1.0.2")
		if e == nil || e.Actual.Health != "UNHEALTHY" || !slices.Equal(e.Actual.Flags, []string{"failed_outlier_check"}) {
			t.Errorf("the gateway is %+v", e)
		}
		if out := m.list(options{}, both...); !strings.Contains(out.stdout, "ejected") {
			t.Errorf("the table does not tell:\n%s", out.stdout)
		}
		for _, pod := range []string{"east/cart-0", "east/cart-1"} {
			if err := m.admins[pod].Mark(ads.Service{Host: cartHost, Port: 80}, gateway, ads.FailedOutlierCheck); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.admins[pod].Mark(ads.Service{Host: cartHost, Port: 80}, gateway) }()
		}
		out := mesh(t, options{program: endpointsBinary, kubeconfig: m.fleet.Kubeconfig()}, "diagnose", "cart.shop", "--contexts", "east,west")
		if out.code != 1 || !regexp.MustCompile(`(?m)^east +broken +west +EP023`).MatchString(out.stdout) {
			t.Errorf("diagnose: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
		}
	})

	t.Run("what may not be reached", func(t *testing.T) {
		as := func(user string) []string { return append(both, "--as", user) }
		reader := []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list"}}}
		m.allow(ctx, "reader", reader...)
		m.allow(ctx, "runner", append(reader, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: []string{"create", "get"}})...)
		l := m.listing(options{}, func(l proxies.Listing) string {
			if len(l.Sources) != 2 || !strings.Contains(l.Sources[0].Unknown, "forbidden") || len(l.Sources[0].Destinations[0].Endpoints) != 3 {
				return fmt.Sprintf("%+v", l)
			}
			return ""
		}, as("reader")...)
		if v := l.Sources[0].Destinations[0].Verdict; v != proxies.Unknown {
			t.Errorf("the verdict is %s", v)
		}
		m.addAgents()
		m.listing(options{}, asExpected(2), as("runner")...)
	})

	t.Run("a proxy that was left behind", func(t *testing.T) {
		conn := m.conns["east/client-0"]
		if err := conn.Close(); err != nil { // it keeps what it has
			t.Fatal(err)
		}
		makePending(t, ctx, m.fleet.Cluster("west"))
		l := m.listing(options{}, func(l proxies.Listing) string {
			for _, s := range l.Sources {
				for _, d := range s.Destinations {
					want := map[string]proxies.Verdict{"east": proxies.Different, "west": proxies.Same}[s.Cluster]
					if d.Verdict != want {
						return fmt.Sprintf("%s is %s, want %s", s.Cluster, d.Verdict, want)
					}
				}
			}
			return ""
		}, both...)
		d := l.Sources[0].Destinations[0]
		n := map[string]int{}
		for _, e := range d.Endpoints {
			n[string(e.Verdict)+" "+string(e.Kind)]++
		}
		if n["same pod"] != 2 || n["missing pod"] != 2 || n["unexpected unknown"] != 1 || len(n) != 3 {
			t.Errorf("endpoints: %v", n)
		}
		out := m.list(options{}, both...)
		if out.code != 0 || !strings.Contains(out.stderr, "not as expected for east/shop/client-0") {
			t.Errorf("exit code %d\n%s\n%s", out.code, out.stdout, out.stderr)
		}
		// Its istiod says that it is gone.
		m.listing(options{}, func(l proxies.Listing) string {
			if why := l.Sources[0].Unknown; why != "it is connected to no istiod of the control plane" {
				return why
			}
			return ""
		}, append(both, "--source", "istiod")...)
	})

	t.Run("an admin interface that is none", func(t *testing.T) {
		for name, c := range map[string]struct {
			serve http.HandlerFunc
			want  string
		}{
			"garbage": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>nothing here") }, "not a list of endpoints"},
			"refusal": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no\x1b[31mred", http.StatusForbidden) }, "it answers 403: no"},
			"redirect": {func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
			}, "it answers 302"},
			"gigabytes": {func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"configs":[{"a":"`)
				for part := strings.Repeat("x", 1<<20); ; {
					if _, err := io.WriteString(w, part); err != nil {
						return
					}
				}
			}, "far more than any proxy"},
			"silence": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer in time"},
		} {
			t.Run(name, func(t *testing.T) {
				server := httptest.NewServer(c.serve)
				defer server.Close()
				defer server.CloseClientConnections() // kwok leaves them open
				m.forward(ctx, "west", "client-0", server.Listener.Addr().String())
				m.listing(options{}, func(l proxies.Listing) string {
					s := l.Sources[0]
					if !strings.Contains(s.Unknown, c.want) || len(s.Destinations[0].Endpoints) == 0 || strings.Contains(s.Unknown, "\x1b") {
						return fmt.Sprintf("%q, want %q", s.Unknown, c.want)
					}
					return ""
				}, append(both, "--from-pod", "west/shop/client-0", "--timeout", "5s")...)
			})
		}
		m.forward(ctx, "west", "client-0", "127.0.0.1:1")
		m.listing(options{}, func(l proxies.Listing) string {
			if why := l.Sources[0].Unknown; !strings.Contains(why, "refused") {
				return why
			}
			return ""
		}, append(both, "--from-pod", "west/shop/client-0")...)
	})
}

// addAgents lets client-0 run pilot-agent: the agent beside a proxy asks it as its admin port
// is asked.
func (m *liveMesh) addAgents() {
	m.t.Helper()
	self, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, name := range []string{"east", "west"} {
		program := filepath.Join(m.t.TempDir(), "pilot-agent")
		text := "#!/bin/sh\nexport " + agentVariable + "=" + m.admins[name+"/client-0"].Address() + "\nexec " + self + " \"$@\"\n"
		if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
			m.t.Fatal(err)
		}
		if err := m.fleet.Cluster(name).AddProgram("pilot-agent", program); err != nil {
			m.t.Fatal(err)
		}
	}
}

// find is an endpoint of the first port of a source.
func find(l proxies.Listing, cluster, address string) *proxies.Endpoint {
	for _, s := range l.Sources {
		for i, e := range s.Destinations[0].Endpoints {
			if s.Cluster == cluster && e.Address == address {
				return &s.Destinations[0].Endpoints[i]
			}
		}
	}
	return nil
}

// allow gives a user rights in all clusters.
func (m *liveMesh) allow(ctx context.Context, user string, rules ...rbacv1.PolicyRule) {
	m.t.Helper()
	meta := metav1.ObjectMeta{Name: user}
	for _, c := range m.fleet.Clusters() {
		if err := c.Apply(ctx,
			&rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules},
			&rbacv1.ClusterRoleBinding{
				ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
				Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
			}); err != nil {
			m.t.Fatal(err)
		}
	}
}

// makePending takes the address of a cluster's gateway away.
func makePending(t *testing.T, ctx context.Context, cluster *bed.Cluster) {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster.RESTConfig(bed.Admin))
	if err != nil {
		t.Fatal(err)
	}
	services := client.CoreV1().Services(topology.SystemNamespace)
	all, err := services.List(ctx, metav1.ListOptions{LabelSelector: "topology.istio.io/network"})
	if err != nil || len(all.Items) != 1 {
		t.Fatalf("%d gateways, %v", len(all.Items), err)
	}
	all.Items[0].Status = corev1.ServiceStatus{}
	if _, err := services.UpdateStatus(ctx, &all.Items[0], metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// agentVariable makes the program of the tests a pilot-agent for the admin interface
// with this address.
const agentVariable = "E2E_PILOT_AGENT"

// agent asks as "pilot-agent request GET PATH" does, and returns the exit code.
func agent(address string, args []string) int {
	if len(args) != 3 || args[0] != "request" || args[1] != http.MethodGet {
		return 2
	}
	response, err := http.Get("http://" + address + "/" + args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil || response.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}
