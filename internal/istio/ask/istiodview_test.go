package ask

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

func TestParseClusters(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []facts.ClusterState
		err  error
	}{
		"two":      {`[{"id":"east","syncStatus":"synced"},{"id":"west","secretName":"istio-system/w","syncStatus":"timeout"}]`, []facts.ClusterState{{ID: "east", Status: "synced"}, {ID: "west", Secret: "istio-system/w", Status: "timeout"}}, nil},
		"none":     {`null`, nil, nil},
		"garbage":  {`<html>`, nil, errGarbage},
		"an end":   {`[{"id":"ea`, nil, errGarbage},
		"a flood":  {`[{"id":"` + strings.Repeat("x", mostClusters) + `"}]`, nil, errTooMuch},
		"a name":   {`[{"id":"` + strings.Repeat("x", 4000) + `"}]`, nil, errGarbage},
		"controls": {`[{"id":"a\u001b[31mb"}]`, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseClusters(strings.NewReader(c.text))
			if !errors.Is(err, c.err) || name != "controls" && !cmp.Equal(c.want, got) {
				t.Errorf("%+v, %v", got, err)
			}
			if name == "controls" && strings.Contains(got[0].ID, "\x1b") {
				t.Errorf("%q", got[0].ID)
			}
		})
	}
}

func TestParseNetworks(t *testing.T) {
	const gateway = `{"Network":"n2","Cluster":"west","Addr":"192.0.2.1","Port":15443,"HBONEPort":15008,"ServiceAccount":{"Namespace":"","Name":""}}`
	for name, c := range map[string]struct {
		text string
		want []facts.NetworkGateway
		err  error
	}{
		"one": {`[` + gateway + `]`, []facts.NetworkGateway{{Network: "n2", Cluster: "west", Address: "192.0.2.1", Port: 15443, HBONEPort: 15008}}, nil},
		"of meshNetworks, by an old istiod": {
			`[{"Network":"n3","Cluster":"","Addr":"192.0.2.3","Port":443}]`, []facts.NetworkGateway{{Network: "n3", Address: "192.0.2.3", Port: 443}}, nil,
		},
		"none":         {`null`, nil, nil},
		"no manager":   {``, nil, errGarbage},
		"garbage":      {`<html>`, nil, errGarbage},
		"an end":       {`[{"Network":"n`, nil, errGarbage},
		"another page": {`{"n2":[]}`, nil, errGarbage},
		"a flood":      {`[{"Network":"` + strings.Repeat("x", mostNetworks) + `"}]`, nil, errTooMuch},
		"too many":     {`[` + strings.Repeat(gateway+",", mostEntries) + gateway + `]`, nil, errTooMuch},
		"a name":       {`[{"Network":"` + strings.Repeat("x", 4000) + `"}]`, nil, errGarbage},
		"controls":     {`[{"Addr":"a\u001b[31mb"}]`, []facts.NetworkGateway{{Address: `a\x1b[31mb`}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseNetworks(strings.NewReader(c.text))
			if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestParseShards(t *testing.T) {
	const text = `{"cart.shop.svc.cluster.local":{"shop":{"Shards":{
"Kubernetes/east":[{"Addresses":["10.0.0.1","fd00::1"],"NodeName":"n","HealthStatus":1},{"Address":"10.0.0.2","NodeName":"n"},{"Addresses":["10.0.0.3"]}],
"External/east":[{"Addresses":["10.0.0.9"]}],"Kubernetes\u002fwest":null},"ServiceAccounts":{}}},"other.example":{"shop":{"Shards":{}}}}`
	want := map[string]facts.Addresses{"west": {}, "east": {"shop/cart": {"10.0.0.1": true, "fd00::1": true, "10.0.0.2": true, "10.0.0.3": false}}}
	got, err := newAddressSets().parseShards(strings.NewReader(text))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for name, text := range map[string]string{"garbage": "nope", "a list": "[]", "an end": text[:100], "nothing": "", "numbers": `{"a":{"b":{"Shards":{"Kubernetes/c":[{"Addresses":[7]}]}}}}`} {
		if _, err := newAddressSets().parseShards(strings.NewReader(text)); !errors.Is(err, errGarbage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := newAddressSets().parseShards(&bounded{Reader: strings.NewReader(text), left: 50}); !errors.Is(err, errTooMuch) {
		t.Errorf("a flood: %v", err)
	}
}

func TestParseAmbient(t *testing.T) {
	const text = `{"workloads":[{"uid":"east//Pod/shop/cart-0","network":"n1"},{"uid":"NetworkGateway/n2/192.0.2.1/0","network":"n2"},
{"uid":"NetworkGateway/n/3/fd00::1/15008"},{"uid":"NetworkGateway/n4/gw.example/0"}],"services":[{"name":"cart"}],"policies":null}`
	want := []facts.NetworkAddress{{Network: "n2", Address: "192.0.2.1"}, {Network: "n/3", Address: "fd00::1"}, {Network: "n4", Address: "gw.example"}}
	got, err := parseAmbient(strings.NewReader(text))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := parseAmbient(strings.NewReader(`{"workloads":null,"services":null,"policies":null}`)); err != nil || got != nil {
		t.Errorf("of none: %v, %v", got, err)
	}
	for name, text := range map[string]string{
		"garbage": "nope", "a list": "[]", "another page": `{"services":[]}`, "a number": `{"workloads":7}`, "an end": text[:90], "nothing": "",
		"half a name": `{"workloads":[{"uid":"NetworkGateway/n2"}]}`, "a name": `{"workloads":[{"uid":"NetworkGateway/n/` + strings.Repeat("x", 4000) + `/0"}]}`,
	} {
		if got, err := parseAmbient(strings.NewReader(text)); !errors.Is(err, errGarbage) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestParseProxies(t *testing.T) {
	const one = `{"cluster_id":"east","proxy":"cart-0.v2.shop","proxy_type":"sidecar","istio_version":"1.29.1","resources":{"a":{"sent":"x","sentTime":"0001-01-01T00:00:00Z"},` +
		`"type.googleapis.com/envoy.config.listener.v3.Listener":{"sent":"y","lastError":"no\nsuch filter"},"b":null}}`
	want := []facts.ConnectedProxy{{Cluster: "east", Namespace: "shop", Pod: "cart-0.v2", Version: "1.29.1", Rejected: []facts.Rejection{{Type: "Listener", Error: "no such filter"}}}, {Namespace: "istio-system", Pod: "ztunnel-x"}}
	got, err := parseProxies(strings.NewReader("[" + one + `,{"proxy":"ztunnel-x.istio-system"},{"cluster_id":"east"}]`))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for name, c := range map[string]struct {
		text string
		err  error
	}{
		"none": {"[]", nil}, "nothing": {"null", nil}, "garbage": {"<html>", errGarbage}, "an object": {"{}", errGarbage}, "an end": {"[" + one, errGarbage},
		"numbers": {`[{"proxy":7}]`, errGarbage}, "an error that is a number": {`[{"proxy":"a.b","resources":{"c":{"lastError":7}}}]`, errGarbage}, "a name": {`[{"proxy":"` + strings.Repeat("x", 4000) + `.a"}]`, errGarbage},
		"more than any": {"[" + strings.Repeat(`{"proxy":"a.b"},`, mostProxies+1), errTooMuch},
	} {
		if got, err := parseProxies(strings.NewReader(c.text)); !errors.Is(err, c.err) || len(got) > 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := parseProxies(&bounded{Reader: strings.NewReader("[" + one), left: 50}); !errors.Is(err, errTooMuch) {
		t.Errorf("a flood: %v", err)
	}
}

func FuzzIstiod(f *testing.F) {
	f.Add(`[{"id":"east"}]`)
	f.Add(`{"a.b":{"c":{"Shards":{"Kubernetes/d":[{"Addresses":["e"],"NodeName":"f"}]}}}}`)
	f.Add(`{"workloads":[{"uid":"NetworkGateway/n/192.0.2.1/0"}]}`)
	f.Add(`[{"cluster_id":"east","proxy":"a.b"}]`)
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = parseClusters(strings.NewReader(text))
		_, _ = newAddressSets().parseShards(strings.NewReader(text))
		_, _ = parseAmbient(strings.NewReader(text))
		_, _ = parseProxies(strings.NewReader(text))
	})
}

func TestIstiodOutcome(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for name, c := range map[string]struct {
		err   error
		state facts.State
		why   string
	}{
		"forbidden": {fmt.Errorf("port-forward: %w", apierrors.NewForbidden(pods, "istiod-0", errors.New("no"))), facts.Forbidden, "port-forward to istiod is forbidden"},
		"gone":      {apierrors.NewNotFound(pods, "istiod-0"), facts.Failed, "istiod could not be asked: the API server answered 404 NotFound"},
		"refused":   {&url.Error{Op: "Get", URL: "http://istiod/debug/clusterz", Err: errors.New("connection refused\x1b[0m")}, facts.Failed, `istiod could not be asked: connection refused\x1b[0m`},
		"late":      {context.DeadlineExceeded, facts.Failed, "istiod did not answer in time"},
		"hidden":    {errDebug, facts.Failed, errDebug.Error()},
	} {
		if got := istiodOutcome(0, c.err); got.State != c.state || got.Reason != c.why {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
