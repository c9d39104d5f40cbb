package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// command is one that is run with rights taken away.
type command struct {
	name    string // in the golden file
	program *string
	args    []string
}

// role is one of docs/rbac.yaml, and what its users run.
type role struct {
	name     string
	with     []string // the roles that it comes beside
	commands []command
}

var (
	verifyEndpoints = command{"verify", &endpointsBinary, []string{"verify", "-o", "json"}}
	secretsMatrix   = command{"secrets", &endpointsBinary, []string{"secrets", "-o", "json"}}
	diagnoseCart    = command{"diagnose", &endpointsBinary, []string{"diagnose", "cart.shop", "-o", "json"}}
	listOfIstiod    = command{"list --source istiod", &endpointsBinary, []string{"list", "cart.shop", "--source", "istiod", "-o", "json"}}
	listOfEnvoy     = command{"list", &endpointsBinary, []string{"list", "cart.shop", "-o", "json"}}
	probeFromPod    = command{"probe --from-pod", &network, []string{"probe", "--from-pod", "east/shop/cart-0/istio-proxy", "-o", "json"}}
	verifyByProbe   = command{"verify --probe", &network, []string{"verify", "--probe", "--from-pod", "east/shop/cart-0/istio-proxy", "-o", "json"}}
)

var roles = []role{
	{name: "mesh-endpoints", with: []string{"mesh-endpoints-strays"}, commands: []command{verifyEndpoints, secretsMatrix, listOfIstiod}},
	{name: "mesh-endpoints-strays", with: []string{"mesh-endpoints"}, commands: []command{verifyEndpoints, secretsMatrix}},
	{name: "mesh-endpoints-list", with: []string{"mesh-endpoints", "mesh-endpoints-strays"}, commands: []command{diagnoseCart, listOfEnvoy}},
	{name: "mesh-network-probe", with: []string{"mesh-network"}, commands: []command{probeFromPod, verifyByProbe}},
}

// With the roles of docs/rbac.yaml a user is told what an administrator is told. With one right
// taken away what is missing is said, and the rest is judged: the golden file has what.
func TestRightsInAMesh(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	m := rightsMesh(t, ctx)
	users := newUsers(t)
	type reduced struct {
		role
		without permission
		user    string
	}
	var all []reduced
	whole := map[string]string{}
	for _, r := range roles {
		var beside []permission
		for _, other := range r.with {
			beside = append(beside, permissions(t, other)...)
		}
		own := permissions(t, r.name)
		whole[r.name] = users.add(slices.Concat(beside, own))
		for i, p := range own {
			all = append(all, reduced{r, p, users.add(slices.Concat(beside, slices.Delete(slices.Clone(own), i, i+1)))})
		}
	}
	users.apply(ctx, m.fleet)

	admin := map[string]string{}
	for _, r := range roles {
		for _, c := range r.commands {
			if admin[c.name] == "" {
				out := m.settled(c)
				admin[c.name] = out.stdout
				if said := m.said(c, out); said != "exit 0" {
					t.Fatalf("%s as administrator: %s\n%s", c.name, said, out.stderr)
				}
			}
			if diff := cmp.Diff(steady(admin[c.name]), steady(m.as(whole[r.name], c).stdout)); diff != "" {
				t.Errorf("%s with role %s (-administrator +user):\n%s", c.name, r.name, diff)
			}
		}
	}
	if t.Failed() {
		return
	}

	var mu sync.Mutex
	text := map[string]string{}
	t.Run("without", func(t *testing.T) {
		for _, one := range all {
			t.Run(one.name+" "+one.without.String(), func(t *testing.T) {
				t.Parallel()
				var lines strings.Builder
				fmt.Fprintf(&lines, "%s without %s\n", one.name, one.without)
				changed := false
				for _, c := range one.commands {
					m := &liveMesh{t: t, fleet: m.fleet}
					out := m.as(one.user, c)
					changed = changed || steady(out.stdout) != steady(admin[c.name])
					fmt.Fprintf(&lines, "  %s: %s\n", c.name, strings.ReplaceAll(m.said(c, out), "\n", "\n    "))
				}
				if !changed && !onlyTells(one.without) {
					t.Error("nothing needs it")
				}
				mu.Lock()
				defer mu.Unlock()
				text[one.name+one.without.String()] = lines.String()
			})
		}
	})
	var lines []string
	for _, one := range all {
		lines = append(lines, text[one.name+one.without.String()])
	}
	golden.Compare(t, "rights.txt", strings.Join(lines, "\n"))
}

// rightsMesh is a healthy mesh with all that commands ask: real istiods, proxies,
// and gateways that answer; istiod of east reads west at another address than the contexts do.
func rightsMesh(t *testing.T, ctx context.Context) *liveMesh {
	t.Helper()
	top := regions()
	addresses := map[string]string{}
	for i := range top.Clusters {
		c := &top.Clusters[i]
		addresses[c.Name] = fmt.Sprintf("127.%d.%d.%d", 2+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
		c.Gateways = []topology.Gateway{{IPs: []string{addresses[c.Name]}}}
	}
	m := startMesh(t, ctx, top)
	for name, address := range addresses {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "15443"))
		if err != nil {
			t.Fatal(err)
		}
		certificate := probetest.Leaf(t, authority(ctx, t, m.fleet.Cluster(name)), "spiffe://cluster.local/ns/shop/sa/cart")
		probetest.GatewayOn(t, l, certificate, "outbound_.80_._."+cartHost)
	}
	for _, tool := range []string{"sh", "openssl"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skipf("this machine has no %s", tool)
		}
		if err := m.fleet.Cluster("east").AddProgram(tool, path); err != nil {
			t.Fatal(err)
		}
	}
	proxy, err := bed.DelayProxy(m.fleet.Cluster("west").URL(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	secrets := admin(t, m.fleet, "east").CoreV1().Secrets(topology.SystemNamespace)
	secret, err := secrets.Get(ctx, "istio-remote-secret-west", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secret.Data["west"] = bytes.ReplaceAll(secret.Data["west"], []byte(m.fleet.Cluster("west").URL()), []byte(proxy.URL()))
	if _, err := secrets.Update(ctx, secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// settled runs a command as administrator until all is well: istiod gathers changes for a while.
func (m *liveMesh) settled(c command) outcome {
	m.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(300 * time.Millisecond) {
		if out := m.as("", c); m.said(c, out) == "exit 0" || time.Now().After(deadline) {
			return out
		}
	}
}

// as runs a command as a user; "" is the administrator.
func (m *liveMesh) as(user string, c command) outcome {
	m.t.Helper()
	args := append(slices.Clone(c.args), "--contexts", "east,west")
	if user != "" {
		args = append(args, "--as", user)
	}
	return mesh(m.t, options{program: *c.program, kubeconfig: m.fleet.Kubeconfig()}, args...)
}

// said is the exit code of a command, and all that is not well or not known.
func (m *liveMesh) said(c command, out outcome) string {
	m.t.Helper()
	lines := []string{fmt.Sprintf("exit %d", out.code)}
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	var doc struct {
		Verdict  string
		Findings []struct {
			Code, Severity, Title string
			Clusters              []string
		}
		Unknowns []struct {
			Cluster, Reason string
			Codes           []string
		}
		Gaps    []struct{ Cluster, Reason string }
		Pairs   []struct{ Primary, Cluster, State, Reason string }
		Sources []struct {
			Cluster, Pod, Unknown string
			Unread                []string
			Destinations          []struct{ Verdict, Note string }
		}
		Trials []struct{ Cluster, Result, Detail string }
	}
	if out.stdout == "" {
		add("%s", strings.TrimSpace(out.stderr))
	} else if err := json.Unmarshal([]byte(out.stdout), &doc); err != nil {
		m.t.Fatalf("%s: %v\n%s\n%s", c.name, err, out.stdout, out.stderr)
	}
	if doc.Verdict != "" && doc.Verdict != "reaches" {
		add("verdict %s", doc.Verdict)
	}
	for _, f := range doc.Findings {
		add("%s %s %s: %s", strings.ToUpper(f.Severity), f.Code, strings.Join(f.Clusters, ", "), f.Title)
	}
	for _, u := range doc.Unknowns {
		add("not judged: %s: %s (%s)", u.Cluster, u.Reason, strings.Join(u.Codes, " "))
	}
	for _, g := range doc.Gaps {
		add("not listed: %s: %s", g.Cluster, g.Reason)
	}
	for _, p := range doc.Pairs {
		if p.State == "fails" || p.State == "unknown" || p.Reason != "" {
			add("%s → %s %s: %s", p.Primary, p.Cluster, p.State, p.Reason)
		}
	}
	for _, s := range doc.Sources {
		if s.Unknown != "" {
			add("%s/%s unknown: %s", s.Cluster, s.Pod, s.Unknown)
		}
		for _, u := range s.Unread {
			add("%s/%s not read: %s", s.Cluster, s.Pod, u)
		}
		for _, d := range s.Destinations {
			if d.Verdict != "same" {
				add("%s/%s %s: %s", s.Cluster, s.Pod, d.Verdict, d.Note)
			}
		}
	}
	for _, trial := range doc.Trials {
		if trial.Result != "reachable-and-trusted" {
			add("%s %s: %s", trial.Cluster, trial.Result, trial.Detail)
		}
	}
	addresses := regexp.MustCompile(`127\.[0-9.]+(:[0-9]+)?`)
	return addresses.ReplaceAllString(strings.Join(lines, "\n"), "ADDRESS")
}

// steady is a document without what differs each time.
func steady(document string) string {
	times := regexp.MustCompile(`"(at|took|milliseconds|readAt)": [^\n]*|[0-9.]+ ?(ms|µs)`)
	return times.ReplaceAllString(document, "")
}

// users are people with different rights.
type users struct {
	t   *testing.T
	had map[string][]permission
}

func newUsers(t *testing.T) *users { return &users{t, map[string][]permission{}} }

// add makes a user with some rights, in all clusters, and returns the name.
func (u *users) add(all []permission) string {
	name := fmt.Sprintf("user-%d", len(u.had))
	u.had[name] = all
	return name
}

// apply gives all users their rights.
func (u *users) apply(ctx context.Context, fleet *bed.Fleet) {
	u.t.Helper()
	var objects []runtime.Object
	for name, all := range u.had {
		objects = append(objects, rightsOf(name, all)...)
	}
	for _, c := range fleet.Clusters() {
		if err := c.Apply(ctx, objects...); err != nil {
			u.t.Fatal(err)
		}
	}
}
