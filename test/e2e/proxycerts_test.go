package e2e

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// What proxies have of the CA that a real istiod runs on is no finding; what they have of
// another one is. Their admin interface is played, in Envoy's form.
func TestProxyCertificates(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	fleet := startTopology(t, ctx, topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
		},
		Clusters: []topology.Cluster{{Name: "east", Network: "n1"}, {Name: "west", Network: "n1"}},
	})
	material := map[string]*istiotest.Authority{}
	for _, name := range []string{"east", "west"} {
		client := admin(t, fleet, name)
		secret, err := client.CoreV1().Secrets(topology.SystemNamespace).Get(ctx, "cacerts", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		material[name] = pluggedIn(t, secret.Data)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			ca := material[name]
			secret := func(name, kind, field, text string) any {
				return map[string]any{"name": name, "secret": map[string]any{"name": name, kind: map[string]any{field: map[string]any{"inline_bytes": []byte(text)}}}}
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"configs": []any{
				secret("default", "tls_certificate", "certificate_chain", ca.Leaf(time.Now().Add(time.Hour))+ca.Chain()),
				secret("ROOTCA", "validation_context", "trusted_ca", ca.Top().PEM()),
			}})
		}))
		defer server.Close()
		pods, err := client.CoreV1().Pods("shop").List(ctx, metav1.ListOptions{})
		if err != nil || len(pods.Items) == 0 {
			t.Fatalf("%d pods, %v", len(pods.Items), err)
		}
		for _, p := range pods.Items {
			forward := bed.Forward{Name: "admin-" + p.Name, Namespaces: []string{"shop"}, Pods: []string{p.Name}, Port: 15000, To: server.Listener.Addr().String()}
			if err := fleet.Cluster(name).Forward(ctx, forward); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(want ...string) {
		t.Helper()
		doc := document(t, mesh(t, options{kubeconfig: fleet.Kubeconfig()}, "verify", "--proxies", "--contexts", "east,west", "-o", "json"))
		if diff := cmp.Diff(want, summary(doc)); diff != "" || doc.Summary.Unchecked > 0 {
			t.Errorf("findings (-want +got):\n%s\n%+v", diff, doc.Unknowns)
		}
	}
	expect()
	material["west"] = istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{})
	expect("CERT015 error west")
}

// pluggedIn is the CA of Secret cacerts.
func pluggedIn(t *testing.T, data map[string][]byte) *istiotest.Authority {
	t.Helper()
	parse := func(key string) *x509.Certificate {
		block, _ := pem.Decode(data[key])
		if block == nil {
			t.Fatalf("no PEM in %s", key)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	block, _ := pem.Decode(data["ca-key.pem"])
	if block == nil {
		t.Fatal("no key")
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return &istiotest.Authority{Cert: parse("ca-cert.pem"), Key: key, Issuer: &istiotest.Authority{Cert: parse("root-cert.pem")}}
}
