package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a load balancer does is said of the port that is meant, and of no other.
func TestMeddles(t *testing.T) {
	for name, c := range map[string]struct {
		annotations map[string]string
		port        int
		want        []string
	}{
		"none":                       {nil, 15443, nil},
		"a certificate":              {map[string]string{beta + "aws-load-balancer-ssl-cert": "arn"}, 15443, []string{"aws-load-balancer-ssl-cert"}},
		"for another port":           {map[string]string{beta + "aws-load-balancer-ssl-cert": "arn", beta + "aws-load-balancer-ssl-ports": "443"}, 15443, nil},
		"for this port by its name":  {map[string]string{beta + "aws-load-balancer-ssl-cert": "arn", beta + "aws-load-balancer-ssl-ports": "443, tls"}, 15443, []string{"aws-load-balancer-ssl-cert"}},
		"HTTP":                       {map[string]string{beta + "aws-load-balancer-backend-protocol": "http"}, 15443, []string{"aws-load-balancer-backend-protocol"}},
		"HTTP of a network one":      {map[string]string{beta + "aws-load-balancer-backend-protocol": "http", beta + "aws-load-balancer-type": "external"}, 15443, nil},
		"a header":                   {map[string]string{beta + "aws-load-balancer-proxy-protocol": "*"}, 15443, []string{"aws-load-balancer-proxy-protocol header"}},
		"a header in a list":         {map[string]string{beta + "aws-load-balancer-target-group-attributes": "a=b, proxy_protocol_v2.enabled=true"}, 15443, []string{"aws-load-balancer-target-group-attributes header"}},
		"no header":                  {map[string]string{beta + "do-loadbalancer-enable-proxy-protocol": "false"}, 15443, nil},
		"HTTPS of one port":          {map[string]string{beta + "alibaba-cloud-loadbalancer-protocol-port": "https:443,tcp:15443"}, 15443, nil},
		"HTTPS of that port":         {map[string]string{beta + "alibaba-cloud-loadbalancer-protocol-port": "https:443,tcp:15443"}, 443, []string{"alibaba-cloud-loadbalancer-protocol-port"}},
		"a port that there is not":   {map[string]string{beta + "aws-load-balancer-ssl-cert": "arn"}, 80, nil},
		"an annotation of no effect": {map[string]string{beta + "aws-load-balancer-internal": "true"}, 15443, nil},
	} {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: c.annotations}}
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		s.Spec.Ports = []corev1.ServicePort{{Name: "https", Port: 443}, {Name: "tls", Port: 15443}}
		var got []string
		for _, m := range Meddles(s, c.port) {
			text := m.Annotation[len(beta):]
			if m.Header {
				text += " header"
			}
			got = append(got, text)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if s.Spec.Type = corev1.ServiceTypeNodePort; len(Meddles(s, c.port)) > 0 {
			t.Errorf("%s: there is no load balancer", name)
		}
	}
}

// A Service is global by any config that takes it and its namespace.
func TestIsGlobal(t *testing.T) {
	m, err := ParseMeshConfig("istio", `
serviceScopeConfigs:
- servicesSelector: {matchExpressions: [{key: istio.io/global, operator: In, values: ["true"]}]}
  scope: GLOBAL
- namespaceSelector: {matchLabels: {team: shop}}
  servicesSelector: {matchLabels: {tier: front}}
  scope: GLOBAL
- namespaceSelector: {matchLabels: {team: bank}}
  scope: LOCAL
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		namespace, service map[string]string
		want               bool
	}{
		{nil, nil, false},
		{nil, map[string]string{LabelGlobal: "true"}, true},
		{nil, map[string]string{LabelGlobal: "false"}, false},
		{map[string]string{"team": "shop"}, map[string]string{"tier": "front"}, true},
		{map[string]string{"team": "shop"}, nil, false},
		{map[string]string{"team": "bank"}, nil, false},
	} {
		if got := m.IsGlobal(c.namespace, c.service); got != c.want {
			t.Errorf("%v in %v: %t", c.service, c.namespace, got)
		}
	}
	if !(MeshConfig{ServiceScopeConfigs: []ServiceScopeConfig{{Scope: "GLOBAL"}}}).IsGlobal(nil, nil) {
		t.Error("no selector takes everything")
	}
	if (MeshConfig{}).IsGlobal(nil, map[string]string{LabelGlobal: "true"}) {
		t.Error("the label alone makes nothing global")
	}
}

// What cannot be read is reduced to nothing, and what is read keeps no more than what is named.
func FuzzReducedValues(f *testing.F) {
	f.Add(`{"global":{"network":"n","secret":"x"}}`)
	f.Add("discoveryAddress: a.b.svc:1")
	f.Add("[")
	f.Fuzz(func(t *testing.T, text string) {
		for _, reduce := range []func(string) string{ReduceInjectorValues, ReduceProxyConfig} {
			if once := reduce(text); reduce(once) != once {
				t.Errorf("reduced twice: %q, %q", once, reduce(once))
			}
		}
	})
}
