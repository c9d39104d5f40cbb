package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-mesh_endpoints": main})
}

// TestScripts runs the plugin as people do, on recorded fleets, and on those that are
// made here.
func TestScripts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	for name, fleet := range map[string]*facts.Fleet{
		"healthy": istiotest.Serving(istiotest.Networked("east", "north", "west")).Facts(),
		"broken":  broken().Facts(),
		"local":   fault(t, "failover between regions").Facts(),
		"unread":  unread(),
		"alone":   istiotest.Serving(istiotest.Networked("east")).Facts(),
	} {
		if err := dump.Write(filepath.Join(dir, name), fleet, resources.All); err != nil {
			t.Fatal(err)
		}
	}
	gloo := glootest.Dumps(t, map[string]string{
		"pending": "the load balancer is pending", "agentless": "no agent is known", "unready": "no pod of a federated service is ready",
		"undiscovered": "a service with a sidecar that is not discovered", "gone": "the gateway finds pods that are gone",
	})
	plugintest.Scripts(t, "testdata/fleets", "../../examples", dir, gloo,
		linkerdtest.Dumps(t, "01-healthy", "06-destination-credentials-missing", "11-exported-as-annotation", "19-orphaned-mirrors"))
}

// broken is a fleet with a pending gateway, a port of another name, and a remote secret
// that is missing.
func broken() *istiotest.Fleet {
	f := istiotest.Serving(istiotest.Networked("east", "north", "west"))
	for _, c := range f.Clusters {
		c.Serve("httpbin")
		c.Serve("curl")
	}
	f.Get("west").Network.Gateway.Status = corev1.ServiceStatus{}
	name := "http-web"
	f.Get("north").Service("helloworld").Spec.Ports[0].Name = name
	f.Get("north").Slice("helloworld").Ports[0].Name = &name
	north := f.Get("north")
	north.Remotes = []*istiotest.Cluster{f.Get("west")}
	return f
}

// unread is a healthy fleet of which something was not read.
func unread() *facts.Fleet {
	f := istiotest.Serving(istiotest.Networked("east", "north", "west")).Facts()
	resources.Pods.Set(&f.Clusters[2], facts.Read[[]facts.Pod]{State: facts.Forbidden, Reason: "forbidden"})
	f.Clusters[1] = facts.Cluster{
		Context: "north", Server: f.Clusters[1].Server, SystemNamespace: istiotest.System, Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer within 10s"},
	}
	return f
}

func fault(t *testing.T, name string) *istiotest.Fleet {
	t.Helper()
	for _, c := range istiotest.EndpointFaults {
		if c.Name == name {
			return c.Fleet()
		}
	}
	t.Fatalf("no fleet %q", name)
	return nil
}

// documents are what -o json prints, by kind.
var documents = map[string]any{
	"Report": report.Report{}, "WhatIf": report.WhatIf{}, "Diagnosis": diagnosisDocument{}, "EndpointList": listDocument{},
	"RemoteSecretList": secretsDocument{},
}

// Every field of a machine-readable document is described.
func TestOutputIsDocumented(t *testing.T) {
	plugintest.Documented(t, documents)
	plugintest.Published(t, documents)
}
