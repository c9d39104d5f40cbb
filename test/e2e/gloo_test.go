package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// glooBed holds the shared API servers to fleets of Gloo Mesh: of one fleet it writes what differs from the one
// before.
type glooBed struct {
	// on are the API servers of the clusters of a fleet. A management cluster can be one of those
	// that it manages.
	on map[string]string
	// there is what was written, as JSON, by API server and name.
	there map[string]map[string]string
	// touched: something else has written since, so that all of the next fleet is written.
	touched bool
	mutex   sync.Mutex
	// contexts are those of the kubeconfig, config is its path.
	contexts, config string
}

// use takes API servers for the clusters of fleets, "name=server" where they are called otherwise.
func (b *glooBed) use(t *testing.T, clusters ...string) {
	t.Helper()
	b.on = map[string]string{}
	var contexts []bed.Context
	var names []string
	for _, c := range clusters {
		name, server, ok := strings.Cut(c, "=")
		if !ok {
			server = name
		}
		b.on[name] = server
		if !slices.ContainsFunc(contexts, func(o bed.Context) bool { return o.Cluster == server }) {
			contexts = append(contexts, bed.Context{Name: name, Cluster: server})
			names = append(names, name)
		}
	}
	b.config, b.contexts = kubeconfigOf(t, contexts...), strings.Join(names, ",")
}

// define defines custom resources for as long as the test lasts: all API servers have those of agents.
func (b *glooBed) define(t *testing.T, agent, management []runtime.Object) {
	t.Helper()
	objects := func(cluster *bed.Cluster) []runtime.Object {
		if cluster.Name() == "north" || cluster.Name() == "east" {
			return slices.Concat(agent, management)
		}
		return agent
	}
	empty(t) // what another test left would be kept with them
	inEach(t, func(ctx context.Context, cluster *bed.Cluster) error {
		defer cluster.Keep()
		return cluster.Apply(ctx, objects(cluster)...)
	})
	b.there = map[string]map[string]string{}
	t.Cleanup(func() {
		empty(t)
		inEach(t, func(ctx context.Context, cluster *bed.Cluster) error {
			defer cluster.Keep()
			return cluster.Delete(ctx, objects(cluster)...)
		})
	})
}

// fit makes an object of a fixture one that an API server takes, and says by which generations it comes to its
// own: every change of the spec is one.
func fit(t *testing.T, o any) (*unstructured.Unstructured, int64) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(text, &u.Object); err != nil {
		t.Fatal(err)
	}
	if object, ok := o.(runtime.Object); ok {
		known, _, err := scheme.Scheme.ObjectKinds(object)
		if err != nil {
			t.Fatal(err)
		}
		u.SetGroupVersionKind(known[0])
	}
	generation := u.GetGeneration()
	switch u.GetKind() {
	case "Service":
		if ip, _, _ := unstructured.NestedString(u.Object, "spec", "clusterIP"); ip != "None" {
			unstructured.RemoveNestedField(u.Object, "spec", "clusterIP")
		}
		ports, _, _ := unstructured.NestedSlice(u.Object, "spec", "ports")
		for _, p := range ports {
			delete(p.(map[string]any), "nodePort") // a Service that is made again may not get it at once
		}
		_ = unstructured.SetNestedSlice(u.Object, ports, "spec", "ports")
	case "Deployment":
		labels, _, _ := unstructured.NestedMap(u.Object, "spec", "template", "metadata", "labels")
		_ = unstructured.SetNestedMap(u.Object, labels, "spec", "selector", "matchLabels")
	}
	return u, generation
}

// objects are those of a cluster of a fleet, by their names, with the generations of those that have some.
func (b *glooBed) objects(t *testing.T, f *glootest.Fleet, cluster string) (out map[string]*unstructured.Unstructured, generations map[string]int64) {
	t.Helper()
	out, generations = map[string]*unstructured.Unstructured{}, map[string]int64{}
	add := func(o any) {
		u, generation := fit(t, o)
		name := strings.Join([]string{u.GroupVersionKind().GroupKind().String(), u.GetNamespace(), u.GetName()}, "/")
		out[name], generations[name] = u, generation
	}
	of := f.Istio.Get(cluster)
	of.Further = nil
	for _, o := range of.Objects() {
		add(o)
	}
	for _, o := range f.Objects[cluster] {
		add(o)
	}
	return out, generations
}

// isMadeAgain reports whether an object is made again where it changes: rules read the generation of those of Gloo
// Mesh, and whether a root is the first one that was published.
func isMadeAgain(u *unstructured.Unstructured) bool {
	return strings.HasSuffix(u.GroupVersionKind().Group, ".solo.io") || u.GetKind() == "ConfigMap"
}

// hold makes the API servers have what a fleet has, and nothing else.
func (b *glooBed) hold(t *testing.T, f *glootest.Fleet) {
	t.Helper()
	want, generations := map[string]map[string]*unstructured.Unstructured{}, map[string]map[string]int64{}
	for _, c := range f.Istio.Clusters {
		server := b.on[c.Name]
		if want[server] == nil {
			want[server], generations[server] = map[string]*unstructured.Unstructured{}, map[string]int64{}
		}
		objects, of := b.objects(t, f, c.Name)
		maps.Copy(want[server], objects)
		maps.Copy(generations[server], of)
	}
	inEach(t, func(ctx context.Context, cluster *bed.Cluster) error {
		b.mutex.Lock()
		there := b.there[cluster.Name()]
		b.mutex.Unlock()
		now := map[string]string{}
		var gone, changed []runtime.Object
		earlier := map[int64][]runtime.Object{}
		for name, o := range want[cluster.Name()] {
			text, err := o.MarshalJSON()
			if err != nil {
				return err
			}
			if now[name] = string(text); there[name] == string(text) && !b.touched {
				continue
			}
			changed = append(changed, o)
			for n := int64(1); n < generations[cluster.Name()][name]; n++ {
				before := o.DeepCopy()
				unstructured.RemoveNestedField(before.Object, "status")
				if err := unstructured.SetNestedField(before.Object, n, "spec", "before"); err != nil {
					return err
				}
				earlier[n] = append(earlier[n], before)
			}
		}
		for name, text := range there {
			o := want[cluster.Name()][name]
			was := &unstructured.Unstructured{}
			if err := was.UnmarshalJSON([]byte(text)); err != nil {
				return err
			}
			if was.GetKind() == "Namespace" {
				continue
			}
			if o == nil || isMadeAgain(o) && (now[name] != text || b.touched) {
				gone = append(gone, was)
			}
		}
		if err := cluster.Delete(ctx, gone...); err != nil {
			return err
		}
		for _, n := range slices.Sorted(maps.Keys(earlier)) {
			if err := cluster.Apply(ctx, earlier[n]...); err != nil {
				return err
			}
		}
		if err := cluster.Apply(ctx, changed...); err != nil {
			return err
		}
		b.mutex.Lock()
		defer b.mutex.Unlock()
		b.there[cluster.Name()] = now
		return nil
	})
	b.touched = false
}

// forget makes the next fleet be written as a whole, since something else has written.
func (b *glooBed) forget(t *testing.T) {
	t.Helper()
	empty(t)
	b.there = map[string]map[string]string{}
}

// judged is what mesh-check says of the fleet as it will be in an hour if nothing changes.
func (b *glooBed) judged(t *testing.T) (report.CheckUp, outcome) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	if out := mesh(t, options{program: checkBinary, kubeconfig: b.config}, "dump", "--contexts", b.contexts, dir); out.code != 0 {
		t.Fatalf("dump: exit code %d\n%s", out.code, out.stderr)
	}
	inAnHour(t, dir)
	return checkUp(t, b.config, "--from", dir)
}

// found are the root causes in the order in which they are to be fixed.
func found(doc report.CheckUp) []string {
	var out []string
	for _, c := range doc.Causes {
		out = append(out, fmt.Sprintf("%s %s %s", c.Code, c.Severity, strings.Join(c.Clusters, ",")))
	}
	return out
}

// well is that nothing is wrong, and that all rules of Gloo Mesh were checked. Some of Istio's ask clusters, which those
// of a dump cannot be.
func well(t *testing.T, doc report.CheckUp, out outcome) {
	t.Helper()
	unchecked := slices.ContainsFunc(doc.Unknowns, func(u finding.Unknown) bool {
		return slices.ContainsFunc(u.Codes, func(c finding.Code) bool { return c[len(c)-3] == '2' })
	})
	if diff := cmp.Diff([]string(nil), found(doc)); diff != "" || out.code != 0 || unchecked {
		t.Errorf("exit code %d, causes (-want +got):\n%s\nnot checked: %+v", out.code, diff, doc.Unknowns)
	}
}

// onServersOfItsOwn gives a test that no other one runs beside new API servers in the place of those that all
// share: what it defines does not go as soon as it is deleted.
func onServersOfItsOwn(t *testing.T) {
	t.Helper()
	shared := fleet
	own, err := bed.Start(t.Context(), bed.Config{Clusters: []string{"east", "north", "west"}})
	if err != nil {
		t.Fatal(err)
	}
	fleet = own
	t.Cleanup(func() {
		fleet = shared
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := defineKinds(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// On real API servers, of both generations: a healthy fleet gives nothing; each fault gives its finding, first
// and alone.
func TestGlooMesh(t *testing.T) {
	onServersOfItsOwn(t)
	b := &glooBed{}
	b.define(t, bed.GlooAgentDefinitions("v1"), append(bed.GlooManagementDefinitions(), bed.GlooRegistrationDefinitions()...))
	b.use(t, "mgmt=north", "east", "west")
	t.Run("healthy", func(t *testing.T) { b.healthy(t) })
	t.Run("a member does not answer", func(t *testing.T) { b.withoutMember(t) })
	t.Run("members are found through registrations", func(t *testing.T) { b.registrations(t) })
	b.use(t, "mgmt=north", "north", "east", "west")
	t.Run("faults of "+glootest.Gloo11.Tag, func(t *testing.T) { b.faults(t, glootest.Gloo11, glootest.Faults) })
	t.Run("what meshctl check does not see", func(t *testing.T) { b.unseen(t) })
	t.Run("definitions of another version", func(t *testing.T) { b.otherVersion(t) })
	t.Run("workloads were not restarted", func(t *testing.T) { b.workloadsBefore(t) })
	t.Run("fixes", func(t *testing.T) { b.fixes(t) })

	// What follows is after an upgrade, or in the middle of one: definitions of both generations are there.
	b.forget(t)
	b.define(t, bed.HubAgentDefinitions(), bed.HubManagementDefinitions())
	b.use(t, "mgmt=north", "north", "east", "west")
	hub := slices.DeleteFunc(slices.Clone(glootest.Faults), func(c glootest.Fault) bool {
		return !glooOften[c.Name] && c.Only == nil
	})
	t.Run("faults of "+glootest.Hub.Tag, func(t *testing.T) { b.faults(t, glootest.Hub, hub) })
	b.use(t, "mgmt=east", "east", "west")
	t.Run("two API servers", func(t *testing.T) {
		for _, r := range glootest.Releases {
			t.Run(r.Tag, func(t *testing.T) {
				b.hold(t, glootest.Healthy(r, "east", "west"))
				doc, out := b.judged(t)
				well(t, doc, out)
			})
		}
	})
	b.use(t, "mgmt=north", "east", "west")
	t.Run("rights", func(t *testing.T) { b.rights(t) })
}

// glooOften are faults that are planted for each generation: one of each kind.
var glooOften = map[string]bool{
	"no agent is known": true, "no certificate is ordered": true, "nobody signs": true, "istiod was not restarted": true,
	"the load balancer is pending": true, "an old address in a client's cluster": true, "no ServiceEntry": true, "two owners": true,
	"an agent of another release": true, "secret cacerts of somebody else": true, "the certificate is deleted": true, "no kubeconfig": true,
	"a mesh in two VirtualMeshes": true, "a kind of which nothing is seen": true, "a VirtualMesh that is not observed": true,
	"a mesh that does not exist": true,
}

// glooElsewhere are faults that are not planted with the others: some are in the definitions of a cluster, or in fields
// that those of this release do not have, and one is that an object was made long before it was changed.
var glooElsewhere = map[string]bool{
	"definitions of another generation": true, "definitions of another version": true, "workloads were not restarted": true,
	"a root that the agent replaces": true,
	// Two contexts lead to the management cluster, where a member is, too: what its Istio lacks then is found besides.
	"a VirtualMesh is refused, and all that was written for it is deleted": true,
	"the same, of which the management cluster is a member":                true,
	// These are of the commercial release, or of a field that others are like.
	"a VirtualDestination that a mesh does not have": true, "a dependency that a workload does not have": true,
	"a gateway of Gloo Mesh Enterprise with errors": true, "an address that is not routed": true, "Settings that are refused": true,
}

func (b *glooBed) healthy(t *testing.T) {
	for _, r := range []glootest.Release{glootest.Gloo10, glootest.Gloo11} {
		b.hold(t, glootest.Healthy(r, "east", "west"))
		doc, out := b.judged(t)
		well(t, doc, out)
	}
	// At once, with what is young not judged.
	doc, out := checkUp(t, b.config, "--contexts", b.contexts)
	well(t, doc, out)
	for _, c := range doc.Clusters {
		var meshes []string
		for _, m := range c.Meshes {
			meshes = append(meshes, m.Mesh)
		}
		if !slices.Contains(meshes, "Gloo Mesh") || (c.Context != "mgmt") != slices.Contains(meshes, "Istio") {
			t.Errorf("%s has %v", c.Context, meshes)
		}
	}
	for program, name := range map[string]string{binary: "mesh-certs", network: "mesh-network"} {
		out := mesh(t, options{program: program, kubeconfig: b.config}, "verify", "--contexts", b.contexts)
		if out.code != 0 || out.stdout != "" || !strings.Contains(out.stderr, "nothing found, every rule checked") {
			t.Errorf("%s: exit code %d\n%s%s", name, out.code, out.stdout, out.stderr)
		}
	}
	out = mesh(t, options{program: network, kubeconfig: b.config}, "map", "--contexts", b.contexts, "-o", "name")
	if diff := cmp.Diff("ok/east/west\nok/west/east\n", out.stdout); diff != "" || out.code != 0 {
		t.Errorf("map: exit code %d (-want +got):\n%s%s", out.code, diff, out.stderr)
	}
	out = mesh(t, options{program: endpointsBinary, kubeconfig: b.config}, "diagnose", "reviews.shop", "--contexts", b.contexts)
	if want := "west  ok      east  reviews.shop.svc.east.global: through the gateway 192.0.2.10:15443"; out.code != 0 || !strings.Contains(out.stdout, want) {
		t.Errorf("diagnose: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	// Addresses are tried where one wishes it.
	f := glootest.Healthy(glootest.Gloo11, "east", "west")
	f.Named("west", "gateway.invalid")
	b.hold(t, f)
	out = mesh(t, options{program: network, kubeconfig: b.config}, "verify", "--contexts", b.contexts, "-o", "name")
	if out.code != 0 || out.stdout != "" {
		t.Errorf("a gateway with a name: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	tried := document(t, mesh(t, options{program: network, kubeconfig: b.config}, "verify", "--contexts", b.contexts, "--probe", "--connect-timeout",
		"500ms", "-o", "json"))
	if !slices.ContainsFunc(tried.Findings, func(f report.IdentifiedFinding) bool {
		return f.Code == "NET210" && f.Severity == finding.Warning && strings.Contains(f.Title, "the gateway of west at gateway.invalid:15443: name not resolved")
	}) {
		t.Errorf("with --probe: %+v", tried.Findings)
	}
	// Here is no istiod that could be asked.
	if out := mesh(t, options{program: endpointsBinary, kubeconfig: b.config}, "verify", "--contexts", b.contexts, "-o", "name"); out.code != 0 || out.stdout != "" {
		t.Errorf("mesh-endpoints: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

// withoutMember: a cluster that does not answer, is down or forbids everything hides nothing of the others.
func (b *glooBed) withoutMember(t *testing.T) {
	hanging, err := bed.HangingServer()
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	f := glootest.Healthy(glootest.Gloo11, "east", "west")
	f.Drop(glootest.Management, "Secret", "east")
	b.hold(t, f)
	grant(t, nil)
	for name, c := range map[string]struct {
		west bed.Context
		code string
	}{
		"hung":      {bed.Context{Name: "west", Server: hanging.URL()}, "FLT002"},
		"down":      {bed.Context{Name: "west", Server: "https://127.0.0.1:1"}, "FLT001"},
		"forbidden": {bed.Context{Cluster: "west", User: bed.Nobody}, "FLT004"},
	} {
		config := kubeconfigOf(t, bed.Context{Name: "mgmt", Cluster: "north"}, bed.Context{Cluster: "east"}, c.west)
		doc, out := checkUp(t, config, "--contexts", "mgmt,east,west", "--timeout", "2s")
		want := map[string]string{c.code: "west", "CP204": "mgmt"}
		if diff := cmp.Diff(want, causes(doc)); diff != "" || doc.Summary.Unchecked == 0 || out.code != 1 {
			t.Errorf("%s: exit code %d, causes (-want +got):\n%s\n%d rules not checked", name, out.code, diff, doc.Summary.Unchecked)
		}
	}
}

// registrations: the management cluster leads to its members. What a kubeconfig says of an API server of one's own
// machine, as kind has it, is true for people and for no pod.
func (b *glooBed) registrations(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo11, "east", "west")
	for _, name := range []string{"east", "west"} {
		f.Drop(glootest.Management, "Secret", name)
		f.Add(glootest.Management, f.Kubeconfig(name, fleet.Cluster(name).URL(), "x"))
	}
	b.hold(t, f)
	doc, out := checkUp(t, b.config)
	if diff := cmp.Diff([]string{"CP204 error mgmt"}, found(doc)); diff != "" || out.code != 1 {
		t.Errorf("exit code %d, causes (-want +got):\n%s", out.code, diff)
	}
	if !strings.Contains(out.stderr, "Looking at mgmt (the current context), east, west, found through the registrations with Gloo Mesh of mgmt") {
		t.Errorf("on stderr: %s", out.stderr)
	}
}

// faults plants each of those that a release has.
func (b *glooBed) faults(t *testing.T, r glootest.Release, all []glootest.Fault) {
	for _, c := range all {
		if !c.Of(r) || glooElsewhere[c.Name] {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			f := glootest.Healthy(r, glootest.Members...)
			c.Do(f)
			b.hold(t, f)
			doc, out := b.judged(t)
			if got := found(doc); len(got) != 1 || got[0] != c.Want {
				t.Errorf("want %s; causes: %v", c.Want, got)
			}
			if (out.code == 1) != strings.Contains(c.Want, " error ") {
				t.Errorf("exit code %d", out.code)
			}
			for _, code := range c.More {
				if !slices.ContainsFunc(doc.Findings, func(f report.IdentifiedFinding) bool { return f.Code == code && f.CausedBy != "" }) {
					t.Errorf("want %s as a consequence", code)
				}
			}
			for _, f := range doc.Findings {
				if t.Failed() {
					t.Logf("%s %s: %s (by %s)\n\t%+v", f.ID, f.Severity, f.Title, f.CausedBy, f.Evidence)
				}
			}
		})
	}
	t.Run("certificates end", func(t *testing.T) {
		f := glootest.Healthy(r, glootest.Members...)
		glootest.Ending(f)
		b.hold(t, f)
		doc, _ := b.judged(t)
		for _, c := range doc.Causes {
			if c.Code != "CERT010" {
				t.Errorf("%v", found(doc))
			}
		}
		if len(doc.Causes) == 0 {
			t.Error("nothing was found")
		}
	})
}

// unseen: meshctl check 1.1.0-beta18 prints three green lines over such a fleet, and ends with 0.
func (b *glooBed) unseen(t *testing.T) {
	b.hold(t, glootest.Unseen("east", "east", "north"))
	doc, out := b.judged(t)
	got := found(doc)
	slices.Sort(got)
	want := []string{"CERT201 error west", "CERT203 error east", "CERT205 error mgmt", "CP204 error mgmt", "NET202 error west"}
	if diff := cmp.Diff(want, got); diff != "" || out.code != 1 {
		t.Errorf("exit code %d, causes (-want +got):\n%s", out.code, diff)
	}
}

// otherVersion: a cluster has the definitions of another release, which its agent and the management plane do not
// know.
func (b *glooBed) otherVersion(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo11, glootest.Members...)
	for _, kind := range []string{"IssuedCertificate", "PodBounceDirective"} {
		f.Drop("west", kind, "")
	}
	b.hold(t, f)
	west := fleet.Cluster("west")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := west.Delete(ctx, bed.GlooAgentDefinitions("v1")...); err != nil {
		t.Fatal(err)
	}
	if err := west.Apply(ctx, bed.GlooAgentDefinitions("v1alpha2")...); err != nil {
		t.Fatal(err)
	}
	doc, _ := b.judged(t)
	if diff := cmp.Diff([]string{"CP203 error west"}, found(doc)); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
	if err := west.Delete(ctx, bed.GlooAgentDefinitions("v1alpha2")...); err != nil {
		t.Fatal(err)
	}
	if err := west.Apply(ctx, bed.GlooAgentDefinitions("v1")...); err != nil {
		t.Fatal(err)
	}
}

// workloadsBefore: istiod changes its root while a workload runs on. That the change is ten minutes later than the first
// root is written into what the API server notes of it, as if that time had passed. The workload is restarted by the fix,
// which is played here.
func (b *glooBed) workloadsBefore(t *testing.T) {
	b.hold(t, glootest.Healthy(glootest.Gloo11, glootest.Members...))
	program, _ := kubectl(t)
	run := func(args ...string) {
		t.Helper()
		out := mesh(t, options{program: program, kubeconfig: b.config}, args...)
		if out.code != 0 {
			t.Fatalf("kubectl %s: %s", strings.Join(args, " "), out.stderr)
		}
	}
	started := func(at time.Time) {
		t.Helper()
		run("--context=west", "-n", "shop", "patch", "pod/reviews-5d7f9c6b8-0", "--subresource=status", "--type=merge", "-p",
			fmt.Sprintf(`{"status": {"startTime": %q}}`, at.UTC().Format(time.RFC3339)))
	}
	changed := time.Now().Add(10 * time.Minute)
	run("--context=west", "-n", "istio-system", "patch", "configmap/istio-ca-root-cert", "--type=merge", "-p", fmt.Sprintf(
		`{"metadata": {"managedFields": [{"manager": "pilot-discovery", "operation": "Update", "apiVersion": "v1", "time": %q, `+
			`"fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:root-cert.pem": {}}}}]}}`, changed.UTC().Format(time.RFC3339)))
	started(changed.Add(-time.Hour))
	doc, out := b.judged(t)
	if diff := cmp.Diff([]string{"CERT209 warning west"}, found(doc)); diff != "" || out.code != 0 {
		t.Errorf("exit code %d, causes (-want +got):\n%s", out.code, diff)
	}
	started(changed.Add(time.Minute))
	doc, out = b.judged(t)
	well(t, doc, out)
	b.touched = true
}

// fixes: commands of fixes, pasted into a shell, do what they say to objects. There are no controllers here: each
// case plays their part, once it sees that they are told to do it.
func (b *glooBed) fixes(t *testing.T) {
	_, env := kubectl(t)
	for name, c := range map[string]struct {
		// told are lines that kubectl prints of an object once the fix was run, by what is asked.
		told map[string]string
	}{
		"networking is scaled to nothing": {map[string]string{
			"--context=mgmt -n gloo-mesh get deployment/networking -o jsonpath={.spec.replicas}": "1",
		}},
		"the Secret was deleted": {map[string]string{
			"--context=west -n gloo-mesh get deployment/cert-agent -o jsonpath={.spec.template.metadata.annotations}": "restartedAt",
		}},
		"no ServiceEntry": {map[string]string{
			"--context=mgmt -n gloo-mesh get deployment/networking -o jsonpath={.spec.template.metadata.annotations}": "restartedAt",
		}},
		"the address has changed, and discovery has not seen it": {map[string]string{
			"--context=mgmt -n gloo-mesh get deployment/discovery -o jsonpath={.spec.template.metadata.annotations}": "restartedAt",
		}},
		"secret cacerts of somebody else": {map[string]string{
			"--context=west -n istio-system get secrets -o name":                                                      "",
			"--context=west -n gloo-mesh get deployment/cert-agent -o jsonpath={.spec.template.metadata.annotations}": "restartedAt",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(glootest.Faults, func(c glootest.Fault) bool { return c.Name == name })
			f := glootest.Healthy(glootest.Gloo11, glootest.Members...)
			glootest.Faults[i].Do(f)
			b.hold(t, f)
			doc, _ := b.judged(t)
			i = slices.IndexFunc(doc.Findings, func(f report.IdentifiedFinding) bool {
				return len(doc.Causes) == 1 && f.ID == doc.Causes[0].Findings[0]
			})
			if i < 0 || len(doc.Findings[i].Fix) == 0 {
				t.Fatalf("found: %v", found(doc))
			}
			// The logs of a pod are the one thing that an API server alone does not have.
			fix := commands(finding.Ways(doc.Findings[i].Fix)[0])
			run := func(text string) string {
				t.Helper()
				shell := exec.Command("bash", "-euo", "pipefail", "-c", text)
				shell.Dir = t.TempDir()
				shell.Env = append(append(os.Environ(), "KUBECONFIG="+b.config, "EDITOR=true", "KUBE_EDITOR=true"), env...)
				var stdout, stderr bytes.Buffer
				shell.Stdout, shell.Stderr = &stdout, &stderr
				if err := shell.Run(); err != nil {
					t.Fatalf("%v\n%s\n%s", err, text, stderr.String())
				}
				return stdout.String()
			}
			run(strings.Join(slices.DeleteFunc(slices.Clone(fix), func(c string) bool { return strings.Contains(c, " logs ") }), "\n"))
			for ask, want := range c.told {
				got := run("kubectl " + ask)
				if !strings.Contains(got, want) || strings.Contains(ask, "secrets") && strings.Contains(got, "secret/cacerts") {
					t.Errorf("after %s\n%s: %q", strings.Join(fix, "\n"), ask, got)
				}
			}
			b.touched = true
			b.hold(t, glootest.Healthy(glootest.Gloo11, glootest.Members...))
			doc, out := b.judged(t)
			well(t, doc, out)
		})
	}
}

// rights: with those of docs every rule is checked. With each one for Gloo Mesh taken away nothing is found, and
// what that leaves unknown is said.
func (b *glooBed) rights(t *testing.T) {
	b.hold(t, glootest.Healthy(glootest.Gloo11, "east", "west"))
	all := permissions(t, "mesh-check")
	var own []permission
	same := func(p permission) func(permission) bool {
		return func(o permission) bool { return o.String() == p.String() }
	}
	for _, role := range []string{"mesh-check-gloo", "mesh-certs-gloo", "mesh-network-gloo", "mesh-endpoints-gloo"} {
		for _, p := range permissionsIn(t, "rbac-gloo.yaml", role) {
			if !slices.ContainsFunc(own, same(p)) {
				own = append(own, p)
			}
			if !slices.ContainsFunc(all, same(p)) {
				all = append(all, p)
			}
		}
	}
	users := newUsers(t, fleet)
	whole := users.add(all, all)
	without := make([]string, len(own))
	for i, p := range own {
		fewer := slices.DeleteFunc(slices.Clone(all), same(p))
		without[i] = users.add(fewer, fewer)
	}
	users.apply(t.Context())
	forbidden := func(doc report.CheckUp) bool {
		return slices.ContainsFunc(doc.Unknowns, func(u finding.Unknown) bool { return u.Reason.Kind == finding.Forbidden })
	}
	as := func(user string) report.CheckUp {
		t.Helper()
		doc, _ := checkUp(t, b.config, "--contexts", b.contexts, "--as", user)
		return doc
	}
	// What is granted takes effect a moment later.
	for deadline := time.Now().Add(5 * time.Second); forbidden(as(whole)) && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	if doc := as(whole); forbidden(doc) || len(found(doc)) > 0 {
		t.Fatalf("with all rights: %v, not checked: %+v", found(doc), doc.Unknowns)
	}
	for i, p := range own {
		doc := as(without[i])
		if len(found(doc)) > 0 {
			t.Errorf("without the right to %s: %v", p, found(doc))
		}
		// Kinds of releases that are not here cannot be missed, nor a right of which another one is a part.
		other := strings.HasSuffix(p.rule.APIGroups[0], ".gloo.solo.io") && !strings.HasSuffix(p.rule.APIGroups[0], "mesh.gloo.solo.io") ||
			strings.HasSuffix(p.rule.APIGroups[0], ".enterprise.mesh.gloo.solo.io") || p.rule.APIGroups[0] == "settings.smh.solo.io" ||
			p.rule.APIGroups[0] == "discovery.mesh.gloo.solo.io" && p.rule.Resources[0] == "traffictargets" ||
			p.rule.APIGroups[0] == "networking.mesh.gloo.solo.io" && p.rule.Resources[0] == "failoverservices"
		part := len(p.rule.ResourceNames) > 0 && slices.ContainsFunc(all, func(o permission) bool {
			return len(o.rule.ResourceNames) == 0 && slices.Equal(o.rule.Resources, p.rule.Resources) && slices.Equal(o.rule.Verbs, p.rule.Verbs)
		})
		if !forbidden(doc) && !other && !part {
			t.Errorf("without the right to %s everything is checked", p)
		}
	}
}
