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
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
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
	name string
	// with are the roles that it comes beside, without are resources that it takes the place of there.
	with, without []string
	commands      []command
	// as says what its users are told in other words than the administrator.
	as map[string]string
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

// noStrays is what is not known to those who may not list the Secrets of all namespaces.
const noStrays = `exit 0
not checked: east: secrets of all namespaces: forbidden (SEC002)
not checked: west: secrets of all namespaces: forbidden (SEC002)`

var roles = []role{
	{name: "mesh-endpoints", commands: []command{verifyEndpoints, secretsMatrix, listOfIstiod}, as: map[string]string{"verify": noStrays}},
	{name: "mesh-endpoints-all-secrets", with: []string{"mesh-endpoints"}, commands: []command{verifyEndpoints, secretsMatrix}},
	{
		name: "mesh-endpoints-without-reviews", with: []string{"mesh-endpoints", "mesh-endpoints-all-secrets"}, without: []string{"tokenreviews", "subjectaccessreviews"},
		commands: []command{verifyEndpoints, secretsMatrix},
		as: map[string]string{"verify": `exit 0
not checked: east: review of the token by west: forbidden (SEC012)
not checked: west: review of the token by east: forbidden (SEC012)`},
	},
	{name: "mesh-endpoints-proxies", with: []string{"mesh-endpoints", "mesh-endpoints-all-secrets"}, commands: []command{diagnoseCart, listOfEnvoy}},
	{name: "mesh-endpoints-proxies-by-exec", with: []string{"mesh-endpoints", "mesh-endpoints-all-secrets"}, commands: []command{diagnoseCart, listOfEnvoy}},
	{name: "mesh-network-probe", with: []string{"mesh-network"}, commands: []command{probeFromPod, verifyByProbe}},
}

// With the roles of docs/rbac.yaml a user is told what an administrator is told. With one right
// taken away what is missing is said, and the rest is judged: the golden file has what.
func TestRightsInAMesh(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	m := rightsMesh(t, ctx)
	users := newUsers(t, m.fleet)
	whole := map[string]string{}
	var all []*reduced
	for _, r := range roles {
		var beside []permission
		for _, other := range r.with {
			beside = append(beside, permissions(t, other)...)
		}
		beside = slices.DeleteFunc(beside, func(p permission) bool { return slices.Contains(r.without, p.rule.Resources[0]) })
		own := permissions(t, r.name)
		rights := slices.Concat(beside, own)
		whole[r.name] = users.add(rights, rights)
		for i, p := range own {
			fewer := slices.Concat(beside, slices.Delete(slices.Clone(own), i, i+1))
			all = append(all, &reduced{role: r, without: p, user: users.add(fewer, fewer), inWest: users.add(rights, fewer)})
		}
	}
	users.apply(ctx)

	told := map[[2]string]string{} // by role and command
	for _, r := range roles {
		for _, c := range r.commands {
			admin := m.settled(c)
			if said := m.said(c, admin); said != "exit 0" {
				t.Fatalf("%s as administrator: %s\n%s", c.name, said, admin.stderr)
			}
			out := m.as(whole[r.name], c)
			told[[2]string{r.name, c.name}] = steady(out.stdout)
			if want := r.as[c.name]; want != "" {
				if diff := cmp.Diff(want, m.said(c, out)); diff != "" {
					t.Errorf("%s with role %s (-want +got):\n%s", c.name, r.name, diff)
				}
			} else if diff := cmp.Diff(steady(admin.stdout), steady(out.stdout)); diff != "" {
				t.Errorf("%s with role %s (-administrator +user):\n%s", c.name, r.name, diff)
			}
		}
	}
	if t.Failed() {
		return
	}

	t.Run("without", func(t *testing.T) {
		for _, one := range all {
			t.Run(one.name+" "+one.without.String(), func(t *testing.T) {
				t.Parallel()
				one.run(m.within(t), told)
			})
		}
	})
	var lines []string
	for _, one := range all {
		lines = append(lines, one.text)
	}
	golden.Compare(t, "rights.txt", strings.Join(lines, "\n"))

	t.Run("a gateway is pending", func(t *testing.T) { m.within(t).pendingGateway(ctx, whole, all) })
	t.Run("something is wrong", func(t *testing.T) { m.within(t).wrongRemoteSecret(ctx, whole, all) })
}

// reduced is a role with one right taken away.
type reduced struct {
	role
	without permission
	user    string // without it in all clusters
	inWest  string // without it in west
	text    string // what is said then, for the golden file
}

// run tells what becomes of it: something is said to be unknown, and nothing is found
// in the healthy mesh.
func (r *reduced) run(m *liveMesh, told map[[2]string]string) {
	m.t.Helper()
	changed := false
	lines := []string{fmt.Sprintf("%s without %s", r.name, r.without)}
	for _, c := range r.commands {
		before := told[[2]string{r.name, c.name}]
		out := m.as(r.user, c)
		said := m.said(c, out)
		changed = changed || steady(out.stdout) != before
		if strings.Contains(said, "ERROR") && !explained(r.without) {
			m.t.Errorf("%s finds what is not there:\n%s", c.name, said)
		}
		if steady(out.stdout) != before && !strings.Contains(said, "forbidden") {
			m.t.Errorf("%s does not say what is missing:\n%s", c.name, said)
		}
		lines = append(lines, "  "+c.name+": "+strings.ReplaceAll(said, "\n", "\n    "))
		if c.name != verifyEndpoints.name {
			continue
		}
		west := m.said(c, m.as(r.inWest, c))
		if strings.Contains(west, "ERROR") && !explained(r.without) || strings.Contains(said, "not checked") && !strings.Contains(west, "forbidden") {
			m.t.Errorf("%s, without the right in west alone:\n%s", c.name, west)
		}
	}
	if !changed && !onlyTells(r.without) && !elsewhere(r.without) {
		m.t.Error("nothing needs it")
	}
	r.text = strings.Join(lines, "\n") + "\n"
}

// explained reports whether the mesh is not healthy for those who lack a right: API servers of the bed are
// on loopback, and but for what istiod says it could not read them.
func explained(p permission) bool { return p.rule.Resources[0] == "pods/portforward" }

// elsewhere reports whether a right is needed in other meshes than this one: where istiod takes
// exported services alone (ENABLE_MCS_SERVICE_DISCOVERY; TestUnreadable of internal/istio/endpoints has
// it), and where ServiceEntries join clusters that do not watch one another (in cases).
func elsewhere(p permission) bool {
	return slices.Contains([]string{"serviceexports", "serviceentries"}, p.rule.Resources[0])
}

// wrongRemoteSecret takes of west what istiod of east reads it with. Without reviews that is told by
// the roles that are bound and by what the token says of itself.
func (m *liveMesh) wrongRemoteSecret(ctx context.Context, whole map[string]string, all []*reduced) {
	west := admin(m.t, m.fleet, "west")
	const name = "istio-reader-clusterrole-" + topology.SystemNamespace
	role, err := west.RbacV1().ClusterRoles().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "endpointslices") })
	if _, err := west.RbacV1().ClusterRoles().Update(ctx, role, metav1.UpdateOptions{}); err != nil {
		m.t.Fatal(err)
	}
	const review = "not checked: east: review of the token by west: forbidden (SEC012)"
	const other = "not checked: west: review of the token by east: forbidden (SEC012)"
	fallback := whole["mesh-endpoints-without-reviews"]
	for user, want := range map[string][]string{
		"":       {"ERROR SEC014 east, west: istiod may not read all that it needs in west"},
		fallback: {"WARNING SEC014 east, west: istiod may not read all that it needs in west", review, other},
	} {
		m.expectOf(user, "SEC", want)
	}
	for _, r := range all {
		if r.name == "mesh-endpoints-without-reviews" {
			m.expectOf(r.user, "SEC014", []string{"not checked: east: rights in west: forbidden (SEC014)", "not checked: west: rights in east: forbidden (SEC014)"})
		}
	}

	accounts := admin(m.t, m.fleet, "east").CoreV1().ServiceAccounts(topology.SystemNamespace)
	if err := accounts.Delete(ctx, topology.ReaderServiceAccount, metav1.DeleteOptions{}); err != nil {
		m.t.Fatal(err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: topology.ReaderServiceAccount}}
	if _, err := accounts.Create(ctx, account, metav1.CreateOptions{}); err != nil {
		m.t.Fatal(err)
	}
	for _, user := range []string{"", fallback} {
		m.expectOf(user, "SEC013", []string{"ERROR SEC013 west, east: the service account of a remote secret was recreated"})
	}
	m.expectOf("", "SEC012", []string{"ERROR SEC012 west, east: the credential by which istiod watches east is not accepted"})
	m.expectOf(fallback, "SEC012", []string{review, other})
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
	m.addAgents()
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

// within is the mesh for a test within the one that started it.
func (m *liveMesh) within(t *testing.T) *liveMesh {
	return &liveMesh{t: t, fleet: m.fleet, mesh: m.mesh}
}

// expectOf runs verify until it says these lines with a code; what is changed takes effect a moment later.
func (m *liveMesh) expectOf(user, code string, want []string) {
	m.t.Helper()
	var got []string
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(300 * time.Millisecond) {
		got = nil
		for _, line := range strings.Split(m.said(verifyEndpoints, m.as(user, verifyEndpoints)), "\n") {
			if strings.Contains(line, code) {
				got = append(got, line)
			}
		}
		if cmp.Equal(want, got) {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("user %q (-want +got):\n%s", user, cmp.Diff(want, got))
		}
	}
}

// pendingGateway: where events may not be listed, why a gateway has no address is not known.
func (m *liveMesh) pendingGateway(ctx context.Context, whole map[string]string, all []*reduced) {
	west := m.fleet.Cluster("west")
	makePending(m.t, ctx, west)
	about := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: topology.SystemNamespace, Name: "why"},
		InvolvedObject: corev1.ObjectReference{Kind: "Service", Namespace: topology.SystemNamespace, Name: "istio-eastwestgateway"},
		Type:           corev1.EventTypeWarning, Reason: "SyncLoadBalancerFailed", Message: "no quota is left",
	}
	if err := west.Apply(ctx, about); err != nil {
		m.t.Fatal(err)
	}
	says := func(user, text string) {
		m.t.Helper()
		var out outcome
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
			if out = m.as(user, verifyEndpoints); strings.Contains(out.stdout, "GW002") && strings.Contains(out.stdout, text) {
				return
			}
		}
		m.t.Errorf("user %s is not told %q:\n%s", user, text, out.stdout)
	}
	says(whole["mesh-endpoints"], "no quota is left")
	for _, r := range all {
		if r.name == "mesh-endpoints" && onlyTells(r.without) {
			says(r.user, `"events of the Service, which may say why"`)
		}
	}
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
			Cluster string
			Reason  finding.Reason
			Codes   []string
		}
		Gaps    []struct{ Cluster, Reason string }
		Pairs   []struct{ Primary, Cluster, State, Reason string }
		Sources []struct {
			Cluster, Pod, Unknown string
			Unread                []string
			Destinations          []struct{ Verdict, Note string }
		}
		Probes []struct{ Cluster, Result, Detail string }
	}
	if out.stdout == "" {
		add("%s", strings.TrimSpace(out.stderr))
	} else if err := json.Unmarshal([]byte(out.stdout), &doc); err != nil {
		m.t.Fatalf("%s: %v\n%s\n%s", c.name, err, out.stdout, out.stderr)
	}
	if doc.Verdict != "" && doc.Verdict != "ok" {
		add("verdict %s", doc.Verdict)
	}
	for _, f := range doc.Findings {
		add("%s %s %s: %s", strings.ToUpper(f.Severity), f.Code, strings.Join(f.Clusters, ", "), f.Title)
	}
	for _, u := range doc.Unknowns {
		add("not checked: %s: %s (%s)", u.Cluster, u.Reason.Text, shown(u.Codes))
	}
	for _, g := range doc.Gaps {
		add("not listed: %s: %s", g.Cluster, g.Reason)
	}
	for _, p := range doc.Pairs {
		if p.State == "broken" || p.State == "unknown" || p.Reason != "" {
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
			if d.Verdict != "same" && d.Note != "" {
				add("%s/%s %s: %s", s.Cluster, s.Pod, d.Verdict, d.Note)
			}
		}
	}
	for _, trial := range doc.Probes {
		if trial.Result != "reachable-and-trusted" && trial.Result != "not-reached-directly" {
			add("%s %s: %s", trial.Cluster, trial.Result, trial.Detail)
		}
	}
	text := regexp.MustCompile(`\b(127|10)(\.[0-9]+){3}(:[0-9]+)?`).ReplaceAllString(strings.Join(lines, "\n"), "ADDRESS")
	return regexp.MustCompile(`user-[0-9]+`).ReplaceAllString(text, "USER")
}

// shown are codes, or of many their number and the letters with which they begin.
func shown(codes []string) string {
	if len(codes) <= 8 {
		return strings.Join(codes, " ")
	}
	var families []string
	for _, c := range codes {
		families = append(families, strings.TrimRight(c, "0123456789"))
	}
	return fmt.Sprintf("%d of %s", len(codes), strings.Join(slices.Compact(families), ", "))
}

// steady is a document without what differs each time.
func steady(document string) string {
	times := regexp.MustCompile(`"(at|took|milliseconds|readAt)": [^\n]*|[0-9.]+ ?(ms|µs)`)
	return times.ReplaceAllString(document, "")
}

// users are people with different rights.
type users struct {
	t       *testing.T
	fleet   *bed.Fleet
	objects map[string][]runtime.Object // by cluster
	count   int
}

func newUsers(t *testing.T, fleet *bed.Fleet) *users {
	return &users{t: t, fleet: fleet, objects: map[string][]runtime.Object{}}
}

// add makes a user with some rights in west, and others elsewhere, and returns the name.
func (u *users) add(elsewhere, west []permission) string {
	u.count++
	name := fmt.Sprintf("user-%d", u.count)
	for _, c := range u.fleet.Clusters() {
		rights := elsewhere
		if c.Name() == "west" {
			rights = west
		}
		u.objects[c.Name()] = append(u.objects[c.Name()], rightsOf(name, rights)...)
	}
	return name
}

// apply gives all users their rights.
func (u *users) apply(ctx context.Context) {
	u.t.Helper()
	for _, c := range u.fleet.Clusters() {
		if err := c.Apply(ctx, u.objects[c.Name()]...); err != nil {
			u.t.Fatal(err)
		}
	}
}
