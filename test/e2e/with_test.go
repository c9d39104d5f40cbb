package e2e

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// What --with says of a file is what verify finds once kubectl has applied it, of all that does not rest on
// what control planes and proxies answer.
func TestWith(t *testing.T) {
	kubectl, _ := kubectl(t)
	for name, c := range map[string]struct {
		program func() string
		fleet   func() *istiotest.Fleet
		in      string
		file    func(f *istiotest.Fleet) string
		fixed   []finding.Code
		// creates: the file holds what is not there, which is deleted again.
		creates bool
	}{
		"a label of a namespace": {
			program: func() string { return network },
			fleet: func() *istiotest.Fleet {
				f := istiotest.Networked("east", "west")
				f.Get("west").SystemLabels = nil
				return f
			},
			in: "west",
			file: func(*istiotest.Fleet) string {
				return `{apiVersion: v1, kind: Namespace, metadata: {name: istio-system, labels: {topology.istio.io/network: network2}}}`
			},
			fixed: []finding.Code{"NET001"},
		},
		"a gateway's Service": {
			program: func() string { return network },
			fleet: func() *istiotest.Fleet {
				f := istiotest.Networked("east", "west")
				delete(f.Get("west").Network.Gateway.Labels, "topology.istio.io/network")
				return f
			},
			in: "west",
			file: func(f *istiotest.Fleet) string {
				return `
apiVersion: v1
kind: Service
metadata: {namespace: istio-system, name: ` + f.Get("west").Network.Gateway.Name + `, labels: {topology.istio.io/network: network2}}
`
			},
			fixed: []finding.Code{"GW001"},
		},
		"a gateway that waits for its address": {
			program: func() string { return network },
			fleet:   func() *istiotest.Fleet { return istiotest.Networked("east", "west") },
			in:      "west",
			file: func(*istiotest.Fleet) string {
				return `
apiVersion: v1
kind: Service
metadata: {namespace: istio-system, name: another, labels: {topology.istio.io/network: network2}}
spec: {type: LoadBalancer, ports: [{name: tls, port: 15443}]}
`
			},
			creates: true,
		},
		"a remote secret": {
			program: func() string { return endpointsBinary },
			fleet: func() *istiotest.Fleet {
				f := istiotest.Networked("east", "west")
				f.Get("west").Remotes = nil
				return f
			},
			in: "west",
			file: func(f *istiotest.Fleet) string {
				config := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "%s"}}],
contexts: [{name: c, context: {cluster: c, user: c}}], users: [{name: c, user: {token: %s}}]}`, f.Get("east").Server, istiotest.Token("east"))
				return `
apiVersion: v1
kind: Secret
metadata:
  namespace: istio-system
  name: istio-remote-secret-east
  labels: {istio/multiCluster: "true"}
  annotations: {networking.istio.io/cluster: east}
data: {east: ` + base64.StdEncoding.EncodeToString([]byte(config)) + `}
`
			},
			fixed:   []finding.Code{"SEC023"},
			creates: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.fleet()
			plant(t, f)
			path := filepath.Join(t.TempDir(), "file.yaml")
			if err := os.WriteFile(path, []byte(c.file(f)), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"verify", "--contexts", contextsOf(f), "-o", "json"}
			out := mesh(t, options{program: c.program()}, append(args, "--with", c.in+"="+path)...)
			var said report.WhatIf
			if err := json.Unmarshal([]byte(out.stdout), &said); err != nil {
				t.Fatalf("%v: exit code %d\n%s\n%s", err, out.code, out.stdout, out.stderr)
			}
			for _, code := range c.fixed {
				if !slices.ContainsFunc(said.Fixed, func(x report.IdentifiedFinding) bool { return x.Code == code }) {
					t.Errorf("%s is not among %v", code, idsOf(said, said.Fixed))
				}
			}
			really := func(verb string) {
				cmd := exec.Command(kubectl, "--context", c.in, verb, "-f", path)
				cmd.Env = append(os.Environ(), "KUBECONFIG="+fleet.Kubeconfig())
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			really("apply")
			if c.creates {
				defer really("delete")
			}
			is := document(t, mesh(t, options{program: c.program()}, args...))
			then := slices.Concat(said.Appears, said.Stays, said.Open)
			if diff := cmp.Diff(idsOf(said, is.Findings), idsOf(said, then)); diff != "" {
				t.Errorf("what is found (-once it is applied +as --with says):\n%s", diff)
			}
		})
	}
}

// everyFixture has all fixtures tried of those of which one in four is.
var everyFixture = flag.Bool("every-fixture", false, "try each fixture with --with, which takes minutes")

// What --with says of what sets a fixture apart from a healthy fleet is what verify finds once kubectl has applied it, of
// fixtures of which everything is taken in: pods, and what makes them, are not.
func TestWithOfFixtures(t *testing.T) {
	kubectl, _ := kubectl(t)
	for name, group := range map[string]struct {
		program func() string
		base    func() *istiotest.Fleet
		cases   []istiotest.Case
		least   int // so many of them can be tried
	}{
		"networks": {
			program: func() string { return network },
			base:    func() *istiotest.Fleet { return istiotest.Networked("east", "west") },
			cases:   istiotest.NetworkFaults, least: 8,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tried := 0
			for i, c := range group.cases {
				if !*everyFixture && i%4 != 0 {
					continue
				}
				base, f := group.base(), c.Fleet()
				if contextsOf(f) != contextsOf(base) {
					continue
				}
				files, created := apart(t, base, f)
				if len(files) == 0 {
					continue
				}
				plant(t, base)
				args := []string{"verify", "--contexts", "east,west", "-o", "json", "--fail-on", "never"}
				with := slices.Clone(args)
				for cluster, path := range files {
					with = append(with, "--with", cluster+"="+path)
				}
				out := mesh(t, options{program: group.program()}, with...)
				var said report.WhatIf
				if err := json.Unmarshal([]byte(out.stdout), &said); err != nil || !said.Complete {
					continue // nothing of it, or not all that follows, is taken in
				}
				really := func(files map[string]string, verb string, flags ...string) bool {
					for cluster, path := range files {
						cmd := exec.Command(kubectl, append([]string{"--context", cluster, verb, "-f", path}, flags...)...)
						cmd.Env = append(os.Environ(), "KUBECONFIG="+fleet.Kubeconfig())
						if err := cmd.Run(); err != nil {
							return false
						}
					}
					return true
				}
				undo := func() { // Reset knows nothing of what kubectl made
					if !really(created, "delete", "--ignore-not-found") {
						t.Fatalf("%s: what was made is not deleted", c.Name)
					}
				}
				if !really(files, "apply") { // the API server refuses it
					undo()
					continue
				}
				tried++
				is := document(t, mesh(t, options{program: group.program()}, args...))
				then := slices.Concat(said.Appears, said.Stays, said.Open)
				if diff := cmp.Diff(idsOf(said, is.Findings), idsOf(said, then)); diff != "" {
					t.Errorf("%s: what is found (-once it is applied +as --with says):\n%s", c.Name, diff)
				}
				undo()
			}
			t.Logf("%d of %d fixtures could be tried", tried, len(group.cases))
			if tried < group.least {
				t.Errorf("%d of %d fixtures could be tried", tried, len(group.cases))
			}
		})
	}
}

// apart are files with what a fleet has otherwise than another one, by cluster: without what its certificates make of
// it, which are new in each, and without what somebody else writes. created are those with what the other one lacks.
func apart(t *testing.T, base, f *istiotest.Fleet) (files, created map[string]string) {
	t.Helper()
	files, created = map[string]string{}, map[string]string{}
	write := func(into map[string]string, cluster string, texts []string) {
		if len(texts) == 0 {
			return
		}
		into[cluster] = filepath.Join(t.TempDir(), cluster+".yaml")
		if err := os.WriteFile(into[cluster], []byte(strings.Join(texts, "---\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range f.Clusters {
		was := map[string]string{}
		if other := base.Get(c.Name); other != nil {
			for _, o := range other.Objects() {
				if key, text := manifestOf(t, o); key != "" {
					was[key] = text
				}
			}
		}
		var all, fresh []string
		for _, o := range c.Objects() {
			key, text := manifestOf(t, o)
			if key == "" || was[key] == text {
				continue
			}
			all = append(all, text)
			if was[key] == "" {
				fresh = append(fresh, text)
			}
		}
		write(files, c.Name, all)
		write(created, c.Name, fresh)
	}
	return files, created
}

// manifestOf is an object as a person writes it; "" for one that nobody would, or with keys and certificates.
func manifestOf(t *testing.T, o runtime.Object) (key, text string) {
	t.Helper()
	gvks, _, err := kinds.Scheme().ObjectKinds(o)
	if err != nil {
		t.Fatal(err)
	}
	switch gvks[0].Kind {
	case "Secret", "Pod", "Deployment", "Node", "EndpointSlice", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "Event":
		return "", ""
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o.DeepCopyObject())
	if err != nil {
		t.Fatal(err)
	}
	m["apiVersion"], m["kind"] = gvks[0].GroupVersion().String(), gvks[0].Kind
	delete(m, "status")
	metadata, _ := m["metadata"].(map[string]any)
	for _, field := range []string{"creationTimestamp", "managedFields", "uid", "resourceVersion"} {
		delete(metadata, field)
	}
	if metadata["name"] == "istio-ca-root-cert" {
		return "", ""
	}
	out, err := yaml.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(gvks[0].Kind, metadata["namespace"], metadata["name"]), string(out)
}

// idsOf are the findings of codes that are checked without asking control planes and proxies.
func idsOf(said report.WhatIf, findings []report.IdentifiedFinding) []string {
	out := []string{}
	for _, f := range findings {
		if !slices.ContainsFunc(said.Unknowns, func(u finding.Unknown) bool {
			return slices.Contains(f.Clusters, u.Cluster) && slices.Contains(u.Codes, f.Code)
		}) {
			out = append(out, string(f.Severity)+" "+f.ID)
		}
	}
	slices.Sort(out)
	return out
}
