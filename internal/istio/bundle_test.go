package istio_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// Which releases of the Gateway API an istiod reads a kind of, as the crdwatcher of its release has it.
func TestReads(t *testing.T) {
	for _, c := range []struct {
		istiod, alpha, kind, bundle string
		reads                       bool
		why                         istio.BundleFault
	}{
		{"1.29.1", "", "GRPCRoute", "1.1.0", true, istio.BundleFault{}},
		{"1.29.1", "", "GRPCRoute", "1.0.0", false, istio.BundleFault{Least: "1.1.0"}},
		{"1.29.1", "", "GRPCRoute", "", false, istio.BundleFault{Least: "1.1.0"}},
		{"1.22.0", "", "GRPCRoute", "1.0.0", true, istio.BundleFault{}},
		{"1.27.9", "", "BackendTLSPolicy", "1.2.0", true, istio.BundleFault{}},
		{"1.28.0", "", "BackendTLSPolicy", "1.3.0", false, istio.BundleFault{Least: "1.4.0"}},
		{"1.28.0", "", "BackendTLSPolicy", "1.4.0", true, istio.BundleFault{}},
		{"1.29.6", "", "TLSRoute", "1.4.1", false, istio.BundleFault{Off: true}},
		{"1.29.6", "true", "TLSRoute", "1.4.1", true, istio.BundleFault{}},
		{"1.29.3", "true", "TLSRoute", "1.5.0", false, istio.BundleFault{Most: "1.4.1"}},
		{"1.29.2", "true", "TLSRoute", "1.4.1", false, istio.BundleFault{Most: "1.4.0"}},
		{"1.29.2", "true", "TLSRoute", "", false, istio.BundleFault{Most: "1.4.0"}},
		{"1.29.1", "true", "TLSRoute", "1.4.1", true, istio.BundleFault{}},
		{"1.29.1", "true", "TLSRoute", "1.5.0", false, istio.BundleFault{Most: "1.4.1", Stuck: true}},
		{"1.28.6", "true", "TLSRoute", "1.5.0", false, istio.BundleFault{Most: "1.4.0"}},
		{"1.28.5", "true", "TLSRoute", "1.5.0", false, istio.BundleFault{Most: "1.4.1", Stuck: true}},
		{"1.30.0", "", "TLSRoute", "1.5.0", true, istio.BundleFault{}},
		{"1.30.0", "true", "TLSRoute", "1.4.1", false, istio.BundleFault{Least: "1.5.0"}},
		{"1.30.0", "", "TCPRoute", "1.6.0", false, istio.BundleFault{Off: true}},
		{"1.30.0", "true", "TCPRoute", "1.2.0", true, istio.BundleFault{}},
		{"1.31.0", "", "TCPRoute", "1.5.0", false, istio.BundleFault{Least: "1.6.0"}},
		{"1.31.0", "", "TCPRoute", "1.6.0", true, istio.BundleFault{}},
	} {
		istiods := istio.Istiods(cluster(deployment(image("docker.io/istio/pilot:"+c.istiod), env(istio.EnvAlphaGatewayAPI, c.alpha))))
		var bundle *version.Version
		if c.bundle != "" {
			bundle = version.MustParseGeneric(c.bundle)
		}
		why, reads := istiods[0].ReadsBundle(c.kind, bundle)
		if reads != c.reads || !reads && why != c.why {
			t.Errorf("istiod %s (%s), %s of %q: %t, %+v", c.istiod, c.alpha, c.kind, c.bundle, reads, why)
		}
	}
}
