package ads

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNode(t *testing.T) {
	tests := []struct {
		name     string
		proxy    Proxy
		id       string
		locality string
		metadata map[string]any
	}{
		{
			name:  "what is left out has defaults, and what is empty is not said",
			proxy: Proxy{Pod: "shop-0", Namespace: "default", IP: "10.0.0.5"},
			id:    "sidecar~10.0.0.5~shop-0.default~default.svc.cluster.local",
			metadata: map[string]any{
				"NAME": "shop-0", "NAMESPACE": "default", "INSTANCE_IPS": "10.0.0.5",
				"MESH_ID": "cluster.local", "LABELS": map[string]any{}, "SERVICE_ACCOUNT": "default",
				"WORKLOAD_NAME": "shop-0", "ISTIO_VERSION": DefaultIstioVersion, "INTERCEPTION_MODE": "REDIRECT",
			},
		},
		{
			name: "a gateway of another domain",
			proxy: Proxy{
				Type: "router", Pod: "gw-0", Namespace: "istio-system", IP: "10.0.0.6", MoreIPs: []string{"fd00::6"},
				Domain: "example.org", Cluster: "west", Network: "network-west", Mesh: "mesh1",
				Labels: map[string]string{"istio": "eastwestgateway"}, ServiceAccount: "gateway",
				Workload: "gw", Node: "node-1", Locality: "eu/b/rack-1", IstioVersion: "1.29.2",
				Metadata: map[string]any{"NETWORK": "other", "ENABLE_HBONE": "true"},
			},
			id:       "router~10.0.0.6~gw-0.istio-system~istio-system.svc.example.org",
			locality: "eu/b/rack-1",
			metadata: map[string]any{
				"NAME": "gw-0", "NAMESPACE": "istio-system", "INSTANCE_IPS": "10.0.0.6,fd00::6",
				"CLUSTER_ID": "west", "NETWORK": "other", "MESH_ID": "mesh1",
				"LABELS": map[string]any{"istio": "eastwestgateway"}, "SERVICE_ACCOUNT": "gateway",
				"WORKLOAD_NAME": "gw", "NODE_NAME": "node-1", "ISTIO_VERSION": "1.29.2",
				"INTERCEPTION_MODE": "REDIRECT", "ENABLE_HBONE": "true",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			node, err := test.proxy.node()
			if err != nil {
				t.Fatal(err)
			}
			if node.GetId() != test.id {
				t.Errorf("ID is %s, want %s", node.GetId(), test.id)
			}
			if got := formatLocality(node.GetLocality()); got != test.locality {
				t.Errorf("locality is %q, want %q", got, test.locality)
			}
			if diff := cmp.Diff(test.metadata, node.GetMetadata().AsMap()); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNodeOfIncompleteProxy(t *testing.T) {
	tests := []struct {
		proxy Proxy
		want  string
	}{
		{Proxy{Namespace: "default", IP: "10.0.0.5"}, "needs a pod"},
		{Proxy{Pod: "shop-0", IP: "10.0.0.5"}, "and a namespace"},
		{Proxy{Pod: "shop-0", Namespace: "default"}, "IP of proxy shop-0.default"},
		{Proxy{Pod: "shop-0", Namespace: "default", IP: "10.0.0.5", MoreIPs: []string{"x"}}, "IP of proxy"},
		{Proxy{Pod: "shop-0", Namespace: "default", IP: "10.0.0.5", Metadata: map[string]any{"x": t}}, "metadata of proxy"},
	}
	for _, test := range tests {
		if _, err := test.proxy.node(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error is %v, want %q in it", test.proxy, err, test.want)
		}
	}
}
