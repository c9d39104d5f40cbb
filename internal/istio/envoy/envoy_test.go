package envoy_test

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
)

func all(string) bool { return true }

const cart = "outbound|80||cart.shop.svc.cluster.local"

// inEnvoysWords and inIstiodsWords are the same endpoints in the two spellings of fields.
const inEnvoysWords = `{"configs": [{
 "@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump.DynamicEndpointConfig",
 "endpoint_config": {
  "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  "cluster_name": "outbound|80||cart.shop.svc.cluster.local",
  "endpoints": [
   {"locality": {"region": "europe", "zone": "a", "sub_zone": "r"}, "load_balancing_weight": 3, "lb_endpoints": [
    {"endpoint": {"address": {"socket_address": {"address": "10.0.0.1", "port_value": 8080}}, "health_check_config": {}}, "health_status": "HEALTHY",
     "metadata": {"filter_metadata": {"envoy.transport_socket_match": {"tlsMode": "istio"}, "istio": {"workload": "cart;shop;cart;v1;east"}}}, "load_balancing_weight": 1},
    {"endpoint": {"address": {"socket_address": {"address": "203.0.113.9", "port_value": 15443}}}, "health_status": "UNHEALTHY",
     "metadata": {"filter_metadata": {"envoy.transport_socket_match": {"tlsMode": "istio"}, "istio": {"workload": ";;;;west"}}}, "load_balancing_weight": 2}]},
   {"locality": {}, "priority": 1, "lb_endpoints": [
    {"endpoint": {"address": {"socket_address": {"address": "203.0.113.9", "port_value": 15443}}}, "health_status": "HEALTHY"},
    {"endpoint": {"address": {"socket_address": {"address": "fd00::1", "port_value": 8080}}}},
    {"endpoint": {"address": {"envoy_internal_address": {"server_listener_name": "connect_originate", "endpoint_id": "10.0.0.2:8080"}}}, "health_status": "DEGRADED"},
    {"endpoint": {"address": {"pipe": {"path": "./socket"}}}}]}],
  "policy": {"overprovisioning_factor": 140}}}]}`

const inIstiodsWords = `{"configs":[{"@type":"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
 "clusterName":"outbound|80||cart.shop.svc.cluster.local","endpoints":[
 {"locality":{"region":"europe","zone":"a","subZone":"r"},"lbEndpoints":[
  {"endpoint":{"address":{"socketAddress":{"address":"10.0.0.1","portValue":8080}}},"healthStatus":"HEALTHY",
   "metadata":{"filterMetadata":{"envoy.transport_socket_match":{"tlsMode":"istio"},"istio":{"workload":"cart;shop;cart;v1;east"}}},"loadBalancingWeight":1},
  {"endpoint":{"address":{"socketAddress":{"address":"203.0.113.9","portValue":15443}}},"healthStatus":"UNHEALTHY",
   "metadata":{"filterMetadata":{"envoy.transport_socket_match":{"tlsMode":"istio"},"istio":{"workload":";;;;west"}}},"loadBalancingWeight":2}],"loadBalancingWeight":3},
 {"locality":{},"lbEndpoints":[
  {"endpoint":{"address":{"socketAddress":{"address":"203.0.113.9","portValue":15443}}}},
  {"endpoint":{"address":{"socketAddress":{"address":"fd00::1","portValue":8080}}}},
  {"endpoint":{"address":{"envoyInternalAddress":{"serverListenerName":"connect_originate","endpointId":"10.0.0.2:8080"}}},"healthStatus":"DEGRADED"},
  {"endpoint":{"address":{"pipe":{"path":"./socket"}}}}],"priority":1}]}]}`

var cartEndpoints = []envoy.Cluster{{Name: cart, Endpoints: []envoy.Endpoint{
	{Address: "10.0.0.1", Port: 8080, Locality: "europe/a/r", Weight: 1, LocalityWeight: 3, Health: "HEALTHY", TLSMode: "istio", Workload: envoy.Workload{Name: "cart", Namespace: "shop", Cluster: "east"}},
	{Address: "203.0.113.9", Port: 15443, Locality: "europe/a/r", Weight: 2, LocalityWeight: 3, Health: "UNHEALTHY", TLSMode: "istio", Workload: envoy.Workload{Cluster: "west"}},
	{Address: "fd00::1", Port: 8080, Priority: 1, Weight: 1, Health: "UNKNOWN"},
	{Address: "10.0.0.2", Port: 8080, Priority: 1, Weight: 1, Health: "DEGRADED", Tunnel: true},
	{Address: "./socket", Priority: 1, Weight: 1, Health: "UNKNOWN"},
}}}

func TestReadEndpoints(t *testing.T) {
	within := func(list string) string {
		_, entry, _ := strings.Cut(inEnvoysWords, `"endpoint_config": `)
		return strings.Replace(list, "ENTRY", strings.TrimSuffix(entry, "}]}"), 1)
	}
	for name, c := range map[string]struct {
		text   string
		wanted func(string) bool
		want   []envoy.Cluster
	}{
		"of a proxy":                  {inEnvoysWords, all, cartEndpoints},
		"of istiod":                   {inIstiodsWords, all, cartEndpoints},
		"of an older istiod":          {within("[ENTRY]"), all, cartEndpoints},
		"of a whole dump":             {within(`{"configs":[{"@type":"x","bootstrap":{"a":[1,{"b":null}]}},{"static_endpoint_configs":[],"dynamic_endpoint_configs":[{"endpoint_config":ENTRY}]}]}`), all, cartEndpoints},
		"of others":                   {inEnvoysWords, envoy.Of([]string{"db.shop.svc.cluster.local"}), nil},
		"by host":                     {inEnvoysWords, envoy.Of([]string{"cart.shop.svc.cluster.local"}), cartEndpoints},
		"none":                        {`{}`, all, nil},
		"none, said otherwise":        {`{"configs":null}`, all, nil},
		"a cluster without endpoints": {`{"configs":[{"endpoint_config":{"cluster_name":"a","policy":{}}},{"endpoint_config":{"clusterName":"b","endpoints":null}}]}`, all, []envoy.Cluster{{Name: "a"}, {Name: "b"}}},
		"the name last":               {`[{"endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"10.0.0.1","port_value":1}}}}],"priority":2}],"cluster_name":"a"}]`, all, []envoy.Cluster{{Name: "a", Endpoints: []envoy.Endpoint{{Address: "10.0.0.1", Port: 1, Priority: 2, Weight: 1, Health: "UNKNOWN"}}}}},
		"numbers that are none":       {`[{"cluster_name":"a","endpoints":[{"priority":-1,"load_balancing_weight":1e300,"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"10.0.0.1","port_value":8080.5}}}}]}]}]`, all, []envoy.Cluster{{Name: "a", Endpoints: []envoy.Endpoint{{Address: "10.0.0.1", Weight: 1, Health: "UNKNOWN"}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := envoy.ReadEndpoints(strings.NewReader(c.text), c.wanted)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
		})
	}
}

// What cannot be the answer of a proxy is an error that says so, and never half an answer.
func TestGarbage(t *testing.T) {
	endless := func(start, part string) io.Reader {
		return io.MultiReader(strings.NewReader(start), &repeat{part: part})
	}
	for name, c := range map[string]struct {
		r    io.Reader
		want string
	}{
		"nothing":                        {strings.NewReader(""), "unexpected EOF"},
		"a page":                         {strings.NewReader("<html>"), "invalid character"},
		"text":                           {strings.NewReader(`"configs"`), "where a list should be"},
		"something else":                 {strings.NewReader(`{"kind":"Status"}`), "it has no"},
		"the first half":                 {strings.NewReader(inEnvoysWords[:900]), "unexpected EOF"},
		"more than one":                  {strings.NewReader(inEnvoysWords + "{}"), "something after its end"},
		"a list where an object belongs": {strings.NewReader(`{"configs":[[]]}`), "where { should be"},
		"endpoints that are none":        {strings.NewReader(`{"configs":[{"cluster_name":"a","endpoints":[{"lb_endpoints":["x"]}]}]}`), "cannot unmarshal"},
		"endpoints within endpoints":     {endless(`{"configs":[`, `{"endpoint_config":`), "within"},
		"an endless name":                {endless(`{"configs":[{"cluster_name":"`, "xxxxxxxxxxxxxxxx"), "far more than any proxy"},
		"an endless endpoint":            {endless(`{"configs":[{"cluster_name":"a","endpoints":[{"lb_endpoints":[{"a":"`, "xxxxxxxxxxxxxxxx"), "far more than any proxy"},
		"something endless":              {endless(`{"configs":[{"bootstrap":[`, "[[],{}],"), "far more than any proxy"},
		"endless depth":                  {endless(`{"configs":`, `[`), "where { should be"},
		"endless endpoints":              {endless(`{"configs":[{"cluster_name":"a","endpoints":[{"lb_endpoints":[`, `{},`), "far more than any proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := envoy.ReadEndpoints(c.r, all)
			runtime.ReadMemStats(&after)
			if err == nil || got != nil || !strings.Contains(err.Error(), "the answer is not a list of endpoints: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v; want %q", got, err, c.want)
			}
			if grown := after.Sys - before.Sys; grown > 250<<20 {
				t.Errorf("it took %d MB", grown>>20)
			}
		})
	}
}

// repeat never ends.
type repeat struct {
	part string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.part[r.at%len(r.part)]
		r.at++
	}
	return len(p), nil
}

func TestReadHealth(t *testing.T) {
	text, err := os.ReadFile("../../../test/bed/ads/testdata/clusters-ejected.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := envoy.ReadHealth(strings.NewReader(string(text)), envoy.Of([]string{"shop.default.svc.cluster.local"}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]envoy.Health{"outbound|80||shop.default.svc.cluster.local": {
		"10.0.0.11:5000":  {Told: "HEALTHY", Flags: []string{envoy.FailedOutlierCheck}},
		"10.0.0.12:5000":  {Told: "UNHEALTHY"},
		"127.0.2.1:15443": {Told: "HEALTHY"},
		"10.0.0.13:5000":  {Told: "DRAINING"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	clusters := []envoy.Cluster{{Name: "outbound|80||shop.default.svc.cluster.local", Endpoints: []envoy.Endpoint{{Address: "10.0.0.11", Port: 5000, Health: "UNHEALTHY"}, {Address: "10.0.0.13", Port: 5000, Tunnel: true}, {Address: "10.0.0.99", Port: 1}}}}
	envoy.AddHealth(clusters, got)
	if e := clusters[0].Endpoints; !e[0].Ejected() || e[0].Usable() || e[1].Told != "DRAINING" || e[2].Told != "" {
		t.Errorf("%+v", e)
	}
	for _, text := range []string{"", "x", `{"a":1}`, `{"cluster_statuses":[1]}`, `{"cluster_statuses":[]}{}`, `{"cluster_statuses":[{"name":"a","host_statuses":[{"address":1}]}]}`} {
		if got, err := envoy.ReadHealth(strings.NewReader(text), all); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

// The stand-in for a proxy says of the same hosts the same in both ways.
func TestOfTheStandIn(t *testing.T) {
	f, err := os.Open("../../../test/bed/ads/testdata/config_dump-eds.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	got, err := envoy.ReadEndpoints(f, envoy.Of([]string{"shop.default.svc.cluster.local"}))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range got {
		for _, e := range c.Endpoints {
			lines = append(lines, fmt.Sprintf("%s %s %d %d %s %s %v %s", e, e.Locality, e.Priority, e.Weight, e.Health, e.TLSMode, e.Tunnel, e.Workload.Cluster))
		}
	}
	want := []string{
		"10.0.0.11:5000 europe/a 0 1 HEALTHY istio false east", "10.0.0.12:5000 europe/a 0 1 UNHEALTHY  false ",
		"127.0.2.1:15443 europe/a 0 2 HEALTHY  false ", "10.0.0.13:5000  1 1 UNHEALTHY  true ",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]envoy.Destination{
		cart:                              {Host: "cart.shop.svc.cluster.local", Port: 80},
		"outbound|443|v1|api.example.org": {Host: "api.example.org", Port: 443, Subset: "v1"},
	} {
		if got, ok := envoy.ParseName(name); !ok || got != want || got.Name() != name {
			t.Errorf("%s is %+v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "BlackHoleCluster", "inbound|80||", "outbound|x||a", "outbound|080||a", "outbound|80||", "outbound|99999||a", "outbound_.80_._.a"} {
		if got, ok := envoy.ParseName(name); ok {
			t.Errorf("%q is %+v", name, got)
		}
	}
}

// The expression that is sent finds the ports and subsets of the hosts and nothing else.
func TestPaths(t *testing.T) {
	u, err := url.Parse(envoy.EndpointsPath([]string{"cart.shop.svc.cluster.local", "a+b.c"}))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Path != "/config_dump" || q.Get("resource") != "dynamic_endpoint_configs" || !q.Has("include_eds") {
		t.Errorf("%s", u)
	}
	r := regexp.MustCompile("^(?:" + q.Get("name_regex") + ")$")
	for name, want := range map[string]bool{
		cart: true, "outbound|9000|v2|cart.shop.svc.cluster.local": true, "outbound|80||a+b.c": true,
		"outbound|80||cartxshop.svc.cluster.local": false, "outbound|80||mycart.shop.svc.cluster.local": false, "outbound|80||cart.shop.svc.cluster.local.evil": false, "inbound|80||cart.shop.svc.cluster.local": false,
	} {
		if r.MatchString(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	if path := envoy.EndpointsPath(make([]string, 1000)); strings.Contains(path, "name_regex") {
		t.Errorf("%s", path)
	}
	if path := envoy.DebugPath("shop", "cart-0"); path != "/debug/edsz?proxyID=cart-0.shop-" {
		t.Errorf("%s", path)
	}
}

func FuzzReadEndpoints(f *testing.F) {
	for _, text := range []string{inEnvoysWords, inIstiodsWords, "{}", "[]", `{"configs":[{"cluster_name":"a","endpoints":[{"lb_endpoints":[{}]}]}]}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clusters, err := envoy.ReadEndpoints(strings.NewReader(text), all)
		if err != nil && clusters != nil {
			t.Errorf("an error and %v", clusters)
		}
		for _, c := range clusters {
			seen := map[string]bool{}
			for _, e := range c.Endpoints {
				if seen[e.String()] || e.Weight == 0 {
					t.Errorf("%+v", e)
				}
				seen[e.String()] = true
			}
		}
	})
}

func FuzzReadHealth(f *testing.F) {
	f.Add(`{"cluster_statuses":[{"name":"a","host_statuses":[{"address":{"socket_address":{"address":"::1","port_value":1}},"health_status":{"failed_outlier_check":true,"eds_health_status":"HEALTHY"}}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if health, err := envoy.ReadHealth(strings.NewReader(text), all); err != nil && health != nil {
			t.Errorf("an error and %v", health)
		}
	})
}

func FuzzParseName(f *testing.F) {
	f.Add(cart)
	f.Fuzz(func(t *testing.T, name string) {
		if d, ok := envoy.ParseName(name); ok && d.Name() != name {
			t.Errorf("%q is %+v, whose name is %q", name, d, d.Name())
		}
	})
}
