package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// exposed has the gateway of a primary pass on to its istiod, as Istio documents it.
const exposed = `
- apiVersion: networking.istio.io/v1
  kind: Gateway
  metadata: {name: istiod-gateway, namespace: istio-system}
  spec:
    selector: {istio: eastwestgateway}
    servers:
    - {port: {name: tls-istiod, number: 15012, protocol: TLS}, tls: {mode: PASSTHROUGH}, hosts: ["*"]}
    - {port: {name: tls-istiodwebhook, number: 15017, protocol: TLS}, tls: {mode: PASSTHROUGH}, hosts: ["*"]}
- apiVersion: networking.istio.io/v1
  kind: VirtualService
  metadata: {name: istiod-vs, namespace: istio-system}
  spec:
    hosts: ["*"]
    gateways: [istiod-gateway]
    tls:
    - match: [{port: 15012, sniHosts: ["*"]}]
      route: [{destination: {host: istiod.istio-system.svc.cluster.local, port: {number: 15012}}}]
    - match: [{port: 15017, sniHosts: ["*"]}]
      route: [{destination: {host: istiod.istio-system.svc.cluster.local, port: {number: 443}}}]
`

func objectsOf(t *testing.T, text string) []runtime.Object {
	t.Helper()
	var items []map[string]any
	if err := yaml.Unmarshal([]byte(text), &items); err != nil {
		t.Fatal(err)
	}
	var out []runtime.Object
	for _, item := range items {
		out = append(out, &unstructured.Unstructured{Object: item})
	}
	return out
}

// A real primary and the cluster that it looks after: nothing is found where all is
// well, and each fault alone gives its finding.
func TestPrimaryAndRemote(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// No server dials the gateways; API servers take no addresses of this machine in slices.
	fleet := startTopology(t, ctx, shopOnTwoNetworks("203.0.113.10", "203.0.113.11", "east"))
	east, west := fleet.Cluster("east"), fleet.Cluster("west")
	for _, c := range []struct {
		name string
		// without is what the primary lacks of what it is exposed by.
		without string
		plant   func() error
		want    []string
	}{
		{name: "all is well"},
		{name: "another address", want: []string{"PR001 error west"}, plant: func() error {
			tcp, name, port, ready := corev1.ProtocolTCP, "https-dns", int32(15012), true
			return west.Apply(ctx, &discoveryv1.EndpointSlice{
				ObjectMeta:  metav1.ObjectMeta{Namespace: topology.SystemNamespace, Name: "istiod", Labels: map[string]string{discoveryv1.LabelServiceName: "istiod"}},
				AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &tcp}},
				Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"203.0.113.99"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
			})
		}},
		{name: "no way on to istiod", without: "VirtualService", want: []string{"PR006 error east,west"}},
		{name: "no listener for istiod", without: "Gateway", want: []string{"PR006 error east,west"}},
		{name: "rights to read alone", want: []string{"PR007 error west", "PR011 warning west"}, plant: func() error {
			return west.Apply(ctx, &rbacv1.ClusterRole{
				ObjectMeta: metav1.ObjectMeta{Name: "istio-reader-clusterrole-" + topology.SystemNamespace, Labels: map[string]string{"app": "istio-reader"}},
				Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}}},
			})
		}},
		{name: "a network policy", want: []string{"GW019 error west"}, plant: func() error {
			return west.Apply(ctx, &networkingv1.NetworkPolicy{
				ObjectMeta: metav1.ObjectMeta{Namespace: topology.SystemNamespace, Name: "default-deny"},
				Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
			})
		}},
		{name: "a machine without a network", want: []string{"NET011 warning west"}, plant: func() error {
			return west.Apply(ctx, objectsOf(t, `
- {apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: machine, namespace: shop}, spec: {address: 10.9.9.9, serviceAccount: cart, labels: {app: cart}}}`)...)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, cluster := range []*bed.Cluster{east, west} {
				if err := cluster.Reset(ctx); err != nil {
					t.Fatal(err)
				}
			}
			for _, o := range objectsOf(t, exposed) {
				if o.GetObjectKind().GroupVersionKind().Kind != c.without {
					if err := east.Apply(ctx, o); err != nil {
						t.Fatal(err)
					}
				}
			}
			if c.plant != nil {
				if err := c.plant(); err != nil {
					t.Fatal(err)
				}
			}
			doc := document(t, mesh(t, options{program: network, kubeconfig: fleet.Kubeconfig()}, "verify", "--context", "east", "-o", "json"))
			if diff := cmp.Diff(c.want, summary(doc)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%+v", diff, doc.Findings)
			}
			if len(doc.Clusters) != 2 || doc.Summary.Unchecked > 0 {
				t.Errorf("clusters %v, not checked: %+v", doc.Clusters, doc.Unknowns)
			}
		})
	}
}
