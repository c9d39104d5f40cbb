//go:build unix

package probing_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

const istiodName = "istiod.istio-system.svc"

// byURL has the webhook of west call a URL, and trust the mesh's root.
func byURL(f *istiotest.Fleet, url string) func(*admissionv1.WebhookClientConfig) {
	return func(w *admissionv1.WebhookClientConfig) {
		w.Service, w.URL, w.CABundle = nil, &url, []byte(f.Get("east").Published)
	}
}

// Which addresses are tried, by what name, and for whom.
func TestControlPlaneTargets(t *testing.T) {
	const gateway, istiod = "service istio-system/istio-eastwestgateway", "deployment istio-system/istiod"
	discovers := func(f *istiotest.Fleet, address string) {
		eachPod(f.Get("west"), func(p *corev1.Pod) {
			istiotest.SetEnv(p, istio.EnvProxyConfig, `{"discoveryAddress":"`+address+`"}`)
		})
	}
	for name, c := range map[string]struct {
		do   func(*istiotest.Fleet)
		want []string
	}{
		"a Service": {func(*istiotest.Fleet) {}, []string{
			"discovery 203.0.113.10:15012 as " + istiodName + " for west, east " + gateway,
			"injection 203.0.113.10:15017 as " + istiodName + " for west, east " + gateway,
		}},
		"proxies that use it too": {func(f *istiotest.Fleet) { discovers(f, "") }, []string{
			"discovery 203.0.113.10:15012 as " + istiodName + " for west, east " + gateway,
			"injection 203.0.113.10:15017 as " + istiodName + " for west, east " + gateway,
		}},
		"proxies that use its long name": {func(f *istiotest.Fleet) { discovers(f, istiodName+".cluster.local:15012") }, []string{
			"discovery 203.0.113.10:15012 as " + istiodName + ".cluster.local for west, east " + gateway,
			"injection 203.0.113.10:15017 as " + istiodName + " for west, east " + gateway,
		}},
		"a name outside": {func(f *istiotest.Fleet) {
			discovers(f, "istiod.example.com:15012")
			f.Get("west").InjectsBy = byURL(f, "https://istiod.example.com/inject/cluster/west/net/network2")
		}, []string{
			"discovery istiod.example.com:15012 as istiod.example.com for west, east " + istiod,
			"injection istiod.example.com:443 as istiod.example.com for west, east " + istiod,
		}},
		"an address": {func(f *istiotest.Fleet) {
			discovers(f, "203.0.113.10:15012")
			f.Get("west").InjectsBy = byURL(f, "https://[2001:db8::1]:15017/inject/cluster/west/net/network2")
		}, []string{"discovery 203.0.113.10:15012 as  for west, east " + gateway, "injection [2001:db8::1]:15017 as  for west, east " + istiod}},
		"a host name that is written for the Service": {func(f *istiotest.Fleet) {
			s := service(f.Get("west"), "istiod")
			s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "gateway.example.com"
		}, []string{"discovery gateway.example.com:15012 as " + istiodName + " for west, east " + istiod}},
		"a webhook that calls its own machine": {func(f *istiotest.Fleet) {
			f.Get("west").InjectsBy = byURL(f, "https://127.0.0.1:15017/inject/cluster/west/net/network2")
		}, nil},
		"proxies that ask their own machine": {func(f *istiotest.Fleet) {
			discovers(f, "127.0.0.1:15012")
			f.Get("west").InjectsBy = nil
		}, nil},
		"without TLS": {func(f *istiotest.Fleet) { discovers(f, "istiod.example.com:15010"); f.Get("west").InjectsBy = nil }, nil},
		"roots of their own": {func(f *istiotest.Fleet) {
			discovers(f, "istiod.example.com:15012")
			eachPod(f.Get("west"), func(p *corev1.Pod) { istiotest.SetEnv(p, istio.EnvXDSRootCA, "SYSTEM") })
			f.Get("west").InjectsBy = nil
		}, nil},
		"a control plane of its own": {func(f *istiotest.Fleet) { *f = *istiotest.Networked("east", "west") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.PrimaryAndRemote("east", "west")
			c.do(f)
			var got []string
			for _, t := range targets(f.Facts()) {
				if t.For != "" {
					got = append(got, fmt.Sprintf("%s %s as %s for %s, %s %s", t.Purpose, t.Probe, t.ServerName, t.For, t.Cluster, t.Object))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func service(c *istiotest.Cluster, name string) *corev1.Service {
	at := slices.IndexFunc(c.Network.More, func(o runtime.Object) bool {
		s, ok := o.(*corev1.Service)
		return ok && s.Name == name
	})
	return c.Network.More[at].(*corev1.Service)
}
