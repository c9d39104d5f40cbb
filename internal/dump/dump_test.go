package dump_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// judged is what the rules of an area make of facts.
func judged(fleet *facts.Fleet, area mesh.Area) finding.Result {
	return istiomesh.Judge(model.New(fleet, model.Options{}), rule.Options{}, area)
}

// A dump is put in the place of nothing that is there: neither of a file nor of what leads to one.
func TestNothingIsReplaced(t *testing.T) {
	fleet := istiotest.Healthy("east").Facts()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		if err := dump.Write(path, fleet, resources.All); err == nil {
			t.Errorf("a dump was written to %s", path)
		}
	}
	if text, err := os.ReadFile(link); err != nil || string(text) != "mine" {
		t.Errorf("what was there: %q, %v", text, err)
	}
}

// In which version of the API something was read is in the dump, also of what is not there.
func TestServedVersions(t *testing.T) {
	fleet := istiotest.Healthy("east").Facts()
	resources.VirtualServices.SetServed(&fleet.Clusters[0], "v1beta1")
	dir := filepath.Join(t.TempDir(), "fleet")
	if err := dump.Write(dir, fleet, resources.All); err != nil {
		t.Fatal(err)
	}
	read, err := dump.Read(os.DirFS(dir), "", time.Time{}, resources.All)
	if err != nil {
		t.Fatal(err)
	}
	for row, want := range map[resource.Resource]string{resources.VirtualServices: "v1beta1", resources.DestinationRules: ""} {
		if got := row.Served(&read.Clusters[0]); got != want {
			t.Errorf("%s: %q, want %q", row, got, want)
		}
	}
}

// A dump from which a file was taken is not a cluster without the objects: they are not
// known, and no rule takes them for missing.
func TestMissingFiles(t *testing.T) {
	for _, row := range resources.All {
		t.Run(row.About().File, func(t *testing.T) {
			fleet := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
			c := &fleet.Clusters[0]
			if state, _ := row.State(c); state != facts.OK || len(row.Objects(c)) == 0 {
				t.Skip("there is nothing of it in the fleet")
			}
			dir := filepath.Join(t.TempDir(), "fleet")
			if err := dump.Write(dir, fleet, resources.All); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "east", row.About().File+".yaml")
			if err := os.Remove(file); errors.Is(err, fs.ErrNotExist) {
				t.Skip("its objects are in the file of another row")
			} else if err != nil {
				t.Fatal(err)
			}
			read, err := dump.Read(os.DirFS(dir), "", time.Time{}, resources.All)
			if err != nil {
				t.Fatal(err)
			}
			if state, why := row.State(&read.Clusters[0]); state != facts.Failed || !strings.Contains(why, "the file is missing") {
				t.Errorf("%s %s", state, why)
			}
			for _, area := range []mesh.Area{mesh.Certs, mesh.Network, mesh.Endpoints} {
				for _, f := range judged(read, area).Findings {
					t.Errorf("%s: %s", f.ID(), f.Title)
				}
			}
		})
	}
}

// What is read again is what was written, as far as rules see it.
func TestRoundTrip(t *testing.T) {
	for _, c := range append(append([]istiotest.Case{}, istiotest.HealthyCases...), istiotest.Faults...) {
		t.Run(c.Name, func(t *testing.T) {
			want := c.Fleet().Facts()
			resources.CASecret.Set(&want.Clusters[0], facts.Read[*corev1.Secret]{State: facts.Forbidden, Reason: "forbidden"})
			want.Beyond = []facts.BeyondReach{{Context: "east", Secret: "istio-system/s", ClusterID: "north", Server: "https://north"}}
			dir := filepath.Join(t.TempDir(), "fleet")
			if err := dump.Write(dir, want, resources.All); err != nil {
				t.Fatal(err)
			}
			got, err := dump.Read(os.DirFS(dir), "elsewhere", time.Time{}, resources.All)
			if err != nil {
				t.Fatal(err)
			}
			opts := cmp.Options{
				istiotest.CompareClusters, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(time.Second),
				// Not byte by byte.
				cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 }, cmp.Transformer("text", func(b []byte) string { return string(b) })),
				cmpopts.IgnoreFields(metav1.TypeMeta{}, "Kind", "APIVersion"),
			}
			if diff := cmp.Diff(want, got, opts); diff != "" {
				t.Errorf("facts (-written +read):\n%s", diff)
			}
			if diff := cmp.Diff(judged(want, mesh.Certs), judged(got, mesh.Certs)); diff != "" {
				t.Errorf("what rules make of it: %s", diff)
			}
		})
	}
}

// So is what only the rules of networks read: of each code a fleet.
func TestNetworksRoundTrip(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range istiotest.NetworkFaults {
		code, _, _ := strings.Cut(c.Want[0], " ")
		if seen[code] {
			continue
		}
		seen[code] = true
		t.Run(c.Name, func(t *testing.T) {
			want := c.Fleet().Facts()
			dir := filepath.Join(t.TempDir(), "fleet")
			if err := dump.Write(dir, want, resources.All); err != nil {
				t.Fatal(err)
			}
			got, err := dump.Read(os.DirFS(dir), "", time.Time{}, resources.All)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(judged(want, mesh.Network), judged(got, mesh.Network), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what rules make of it (-written +read):\n%s", diff)
			}
		})
	}
}

func TestAnUnreachedClusterIsKept(t *testing.T) {
	want := istiotest.Healthy("east").Facts()
	want.Clusters = append(want.Clusters, facts.Cluster{
		Context: "arn:aws:eks:eu/../x", Server: "https://x", SystemNamespace: "istio-system",
		Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"},
	})
	dir := filepath.Join(t.TempDir(), "fleet")
	if err := dump.Write(dir, want, resources.All); err != nil {
		t.Fatal(err)
	}
	if err := dump.Write(dir, want, resources.All); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a second dump into the same folder: %v", err)
	}
	got, err := dump.Read(os.DirFS(dir), "", time.Time{}, resources.All)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Clusters[1], got.Clusters[1], istiotest.CompareClusters); diff != "" {
		t.Error(diff)
	}
}

// A folder for each cluster, filled with "kubectl get -o yaml", is a dump too.
func TestFoldersMadeByHand(t *testing.T) {
	f := istiotest.Healthy("east")
	root := strings.ReplaceAll(strings.TrimSpace(f.Clusters[0].Published), "\n", "\n      ")
	files := fstest.MapFS{
		"east/all.yaml": {Data: []byte(`apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: istio-ca-root-cert, namespace: istio-system}
  data:
    root-cert.pem: |
      ` + root + `
- {apiVersion: example.com/v1, kind: Unknown, metadata: {name: x}}
`)},
		"east/key.yaml":  {Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: cacerts, namespace: istio-system}\nstringData:\n  ca-key.pem: " + `"` + strings.ReplaceAll(f.Clusters[0].CACerts["ca-key.pem"], "\n", `\n`) + `"`)},
		"east/notes.txt": {Data: []byte("not a manifest")},
		".git/config":    {Data: []byte("not a cluster")},
	}
	got, err := dump.Read(files, "istio-system", istiotest.Now, resources.All)
	if err != nil {
		t.Fatal(err)
	}
	c := got.Clusters[0]
	if len(got.Clusters) != 1 || c.Context != "east" || !got.At.Equal(istiotest.Now) {
		t.Errorf("%d clusters, the first %s, at %s", len(got.Clusters), c.Context, got.At)
	}
	states := []facts.State{resources.RootCert.Of(&c).State, resources.CACerts.Of(&c).State, resources.CASecret.Of(&c).State, resources.Istiods.Of(&c).State, resources.Namespaces.Of(&c).State, resources.MeshConfigs.Of(&c).State}
	want := []facts.State{facts.OK, facts.OK, facts.Absent, facts.NotAsked, facts.NotAsked, facts.OK}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("a kind of which there is no object was not read: %s", diff)
	}
	if key := string(resources.CACerts.Of(&c).Value.Data["ca-key.pem"]); !strings.HasPrefix(key, "-----BEGIN REDACTED PRIVATE KEY-----") {
		t.Errorf("the key was not reduced: %s", key)
	}
}

func TestBadDumps(t *testing.T) {
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"nothing":         {fstest.MapFS{}, "no dump, no folder for each cluster, no manifests"},
		"not an index":    {fstest.MapFS{"fleet.yaml": {Data: []byte("a: [")}}, "fleet.yaml is not an index"},
		"another version": {fstest.MapFS{"fleet.yaml": {Data: []byte("apiVersion: kubectl-mesh.dev/v9\nkind: Fleet\n")}}, "of kubectl-mesh.dev/v9 Fleet"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dump.Read(c.files, "istio-system", time.Now(), resources.All)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v; want %q in it", err, c.want)
			}
		})
	}
}

// A file that cannot be read costs its cluster what is in it, and no other cluster; what is said
// of it quotes nothing.
func TestBadFiles(t *testing.T) {
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: cacerts, namespace: istio-system}\n"
	for name, c := range map[string]struct{ text, want string }{
		"not YAML":         {"a: [hunter2", "a.yaml: it is not YAML"},
		"an anchor":        {"a: *hunter2", "a.yaml: it is not YAML"},
		"a separator":      {"a: b\n--- hunter2: [\nc: d", "a.yaml: "},
		"not an object":    {"hunter2: b", "a.yaml: a document in it is not a Kubernetes object"},
		"not of that kind": {secret + "data: {k: 7}\n", "a.yaml: an object of kind Secret in it does not fit"},
		"a key":            {secret + "data: {k: hunter2!}\n", "a.yaml: an object of kind Secret in it does not fit"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dump.Read(fstest.MapFS{
				"east/a.yaml": {Data: []byte(c.text)}, "west/a.yaml": {Data: []byte(secret)},
			}, "istio-system", time.Now(), resources.All)
			if err != nil {
				t.Fatal(err)
			}
			state, reason := resources.Namespaces.State(&got.Clusters[0])
			if state != facts.Failed || !strings.HasPrefix(reason, c.want) || strings.Contains(reason, "hunter2") {
				t.Errorf("%s: %s; want %q", state, reason, c.want)
			}
			if state, reason := resources.CACerts.State(&got.Clusters[1]); state != facts.OK {
				t.Errorf("of the other cluster: %s: %s", state, reason)
			}
		})
	}
}

// In a dump with an index a bad file costs the row that it holds.
func TestBadFileOfADump(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if err := dump.Write(dir, istiotest.Serving(istiotest.Networked("east", "west")).Facts(), resources.All); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "east", "services.yaml"), []byte("a: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := dump.Read(os.DirFS(dir), "istio-system", time.Now(), resources.All)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range resources.All {
		for i, c := range got.Clusters {
			state, reason := row.State(&c)
			if bad := i == 0 && row.About().File == "services"; bad != (state == facts.Failed) {
				t.Errorf("%s of %s: %s %s", row, c.Context, state, reason)
			}
		}
	}
}

// A file that was changed is not what the cluster had: its row is not known. A file that the index does
// not name is nobody's. Dumps whose index has no digests are read as they are.
func TestChangedFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if err := dump.Write(dir, istiotest.Serving(istiotest.Networked("east", "west")).Facts(), resources.All); err != nil {
		t.Fatal(err)
	}
	services := filepath.Join(dir, "east", "services.yaml")
	text, err := os.ReadFile(services)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "name: ", "name: x-", 1) // as many objects
	more := "apiVersion: v1\nkind: Namespace\nmetadata: {name: not-in-the-dump}\n"
	for file, text := range map[string]string{services: changed, filepath.Join(dir, "east", "more.yaml"): more} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *facts.Fleet {
		got, err := dump.Read(os.DirFS(dir), "istio-system", time.Now(), resources.All)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	named := func(f *facts.Fleet) bool {
		return slices.ContainsFunc(resources.Namespaces.Of(&f.Clusters[0]).Value, func(n corev1.Namespace) bool { return n.Name == "not-in-the-dump" })
	}
	got := read()
	for _, row := range resources.All {
		for i, c := range got.Clusters {
			state, reason := row.State(&c)
			bad := i == 0 && row.About().File == "services"
			if bad != (state == facts.Failed) || bad && reason != "services.yaml: the file was changed after the dump was written" {
				t.Errorf("%s of %s: %s %s", row, c.Context, state, reason)
			}
		}
	}
	if named(got) {
		t.Error("a file is read that the index does not name")
	}

	index := filepath.Join(dir, dump.IndexFile)
	if text, err = os.ReadFile(index); err != nil {
		t.Fatal(err)
	}
	old := regexp.MustCompile(`(?m)^  files:\n(    .*\n)+`).ReplaceAll(text, nil)
	if err := os.WriteFile(index, old, 0o600); err != nil || len(old) == len(text) {
		t.Fatal(err)
	}
	got = read()
	if state, reason := resources.Services.State(&got.Clusters[0]); state != facts.OK || !named(got) {
		t.Errorf("of a dump without digests: %s %s", state, reason)
	}
}

// In the index of an old dump rows have no number of objects; where the whole folder is missing,
// nothing of it is known.
func TestLostFolderOfAnOldDump(t *testing.T) {
	index := "apiVersion: kubectl-mesh.dev/v1\nkind: Fleet\nat: 2026-01-01T00:00:00Z\nclusters:\n" +
		"- {context: east, folder: east, systemNamespace: istio-system, reads: {services: {state: ok}, secret-cacerts: {state: absent}}}\n"
	got, err := dump.Read(fstest.MapFS{"fleet.yaml": {Data: []byte(index)}}, "istio-system", time.Now(), resources.All)
	if err != nil {
		t.Fatal(err)
	}
	if state, reason := resources.Services.State(&got.Clusters[0]); state != facts.Failed || !strings.Contains(reason, "missing") {
		t.Errorf("%s: %s", state, reason)
	}
}

// A dump whose writing was broken off is not read as one that somebody made by hand.
func TestUnfinishedDump(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "fleet")
	if err := os.MkdirAll(dir, 0o755); err != nil { // an empty folder may be there
		t.Fatal(err)
	}
	if err := dump.Write(dir, istiotest.Healthy("fleet.yaml", strings.Repeat("long", 100)).Facts(), resources.All); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the dump there is more: %v %v", entries, err)
	}
	if _, err := dump.Read(os.DirFS(dir), "istio-system", time.Now(), resources.All); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "unfinished"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dump.Read(os.DirFS(dir), "istio-system", time.Now(), resources.All); err == nil || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "a: b", "apiVersion: v1\nkind: Secret\n", "apiVersion: v1\nkind: List\nitems: [{}]", "---\n---\n", "null", "[]", "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: istio}}]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		for _, name := range []string{"fleet.yaml", "east/a.yaml"} {
			got, err := dump.Read(fstest.MapFS{name: {Data: text}}, "istio-system", istiotest.Now, resources.All)
			if err == nil {
				judged(got, mesh.Certs)
			}
		}
	})
}
