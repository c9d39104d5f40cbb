package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
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
