package oracle

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
)

// dumps are what real proxies have said, which istio's own tests keep, and what the stand-in of
// the test bed says.
func dumps(t *testing.T) map[string][]byte {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "istio.io/istio").Output()
	if err != nil {
		t.Fatal(err)
	}
	writer := filepath.Join(strings.TrimSpace(string(dir)), "istioctl/pkg/writer/envoy/configdump/testdata")
	out := map[string][]byte{}
	for _, path := range []string{
		filepath.Join(writer, "endpoint/configdump.json"),
		"../bed/ads/testdata/config_dump-eds.json", "../bed/ads/testdata/config_dump-eds-failed.json",
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path)] = text
	}
	return out
}

// What is read of a dump is what Envoy's own messages say.
func TestEndpointsOfEnvoy(t *testing.T) {
	total := 0
	for name, text := range dumps(t) {
		t.Run(name, func(t *testing.T) {
			var dump adminv3.ConfigDump
			if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, &dump); err != nil {
				t.Fatal(err)
			}
			want := endpointsOf(t, &dump)
			total += len(want)
			clusters, err := envoy.ReadEndpoints(bytes.NewReader(text), func(string) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range clusters {
				for _, e := range c.Endpoints {
					got = append(got, fmt.Sprintf("%s %s %s %d %d %s %q", c.Name, e, e.Locality, e.Priority, e.Weight, e.Health, e.TLSMode))
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("endpoints (-Envoy +read):\n%s", diff)
			}
		})
	}
	if total < 40 {
		t.Errorf("%d endpoints were compared", total)
	}
}

func endpointsOf(t *testing.T, dump *adminv3.ConfigDump) []string {
	t.Helper()
	var packed []*anypb.Any
	for _, config := range dump.GetConfigs() {
		switch {
		case config.MessageIs(&adminv3.EndpointsConfigDump{}):
			var section adminv3.EndpointsConfigDump
			if err := config.UnmarshalTo(&section); err != nil {
				t.Fatal(err)
			}
			for _, c := range section.GetDynamicEndpointConfigs() {
				packed = append(packed, c.GetEndpointConfig())
			}
			for _, c := range section.GetStaticEndpointConfigs() {
				packed = append(packed, c.GetEndpointConfig())
			}
		case config.MessageIs(&adminv3.EndpointsConfigDump_DynamicEndpointConfig{}):
			var one adminv3.EndpointsConfigDump_DynamicEndpointConfig
			if err := config.UnmarshalTo(&one); err != nil {
				t.Fatal(err)
			}
			packed = append(packed, one.GetEndpointConfig())
		}
	}
	var out []string
	for _, p := range packed {
		var a endpointv3.ClusterLoadAssignment
		if err := p.UnmarshalTo(&a); err != nil {
			t.Fatal(err)
		}
		for _, group := range a.GetEndpoints() {
			l := group.GetLocality()
			locality := strings.TrimRight(l.GetRegion()+"/"+l.GetZone()+"/"+l.GetSubZone(), "/")
			for _, e := range group.GetLbEndpoints() {
				mode := e.GetMetadata().GetFilterMetadata()["envoy.transport_socket_match"].GetFields()["tlsMode"].GetStringValue()
				out = append(out, fmt.Sprintf("%s %s %s %d %d %s %q", a.GetClusterName(), addressOf(e.GetEndpoint().GetAddress()), locality,
					group.GetPriority(), max(e.GetLoadBalancingWeight().GetValue(), 1), e.GetHealthStatus(), mode))
			}
		}
	}
	return out
}

func addressOf(a *corev3.Address) string {
	switch {
	case a.GetSocketAddress() != nil:
		return envoy.Endpoint{Address: a.GetSocketAddress().GetAddress(), Port: a.GetSocketAddress().GetPortValue()}.String()
	case a.GetEnvoyInternalAddress() != nil:
		return a.GetEnvoyInternalAddress().GetEndpointId()
	}
	return a.GetPipe().GetPath()
}
