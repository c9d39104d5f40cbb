package resources_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// What is kept of the objects that rules of networks read is this and nothing else.
func TestWhatIsKeptForNetworks(t *testing.T) {
	values := `{"global":{"network":"n1","meshID":"m","multiCluster":{"clusterName":"c"},"imagePullSecrets":["secret"],"proxy":{"env":"secret"}},"secret":1}`
	spec := func(paths ...string) []string { return slices.Concat(ofEvery, paths) }
	for name, c := range map[string]struct {
		object runtime.Object
		want   []string
	}{
		"an injector": {
			filled(func(m *corev1.ConfigMap) {
				m.Name, m.Data = istio.InjectorConfigMap+"-canary", map[string]string{
					"values": values, "config": "policy: enabled\ntemplates: {sidecar: secret}\n", "other": "secret",
				}
			}),
			slices.Concat(owned, spec("Data[config]", "Data[values]")),
		},
		"an Event": {
			filled[corev1.Event](nil),
			spec("Count", "InvolvedObject.Kind", "InvolvedObject.Name", "InvolvedObject.Namespace", "LastTimestamp", "Message", "Reason", "Type"),
		},
		"a WorkloadEntry": {
			filled[api.WorkloadEntry](nil),
			slices.Concat(owned, spec("Spec.Address", "Spec.Labels[key]", "Spec.Network", "Spec.Ports[key]", "Spec.ServiceAccount")),
		},
		"a NetworkPolicy": {
			filled(func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress, p.Spec.PodSelector = nil, metav1.LabelSelector{} }),
			spec("Spec.PolicyTypes[]"),
		},
		"a Service": {
			filled(func(s *corev1.Service) {
				*s = corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s", Annotations: map[string]string{
					"service.beta.kubernetes.io/aws-load-balancer-ssl-ports": "443", "service.beta.kubernetes.io/aws-load-balancer-access-log": "secret",
				}}}
			}),
			[]string{"ObjectMeta.Annotations[service.beta.kubernetes.io/aws-load-balancer-ssl-ports]", "ObjectMeta.Name"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			kept := resources.Trim(c.object)
			if diff := cmp.Diff(slices.Sorted(slices.Values(c.want)), leaves(reflect.ValueOf(kept), "")); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if m, ok := kept.(*corev1.ConfigMap); ok && (strings.Contains(m.Data["values"], "secret") || m.Data["config"] != `{"policy":"enabled"}`) {
				t.Errorf("values: %s, config: %s", m.Data["values"], m.Data["config"])
			}
		})
	}
}

// Of the settings that proxies and istiod are started with, what is no secret.
func TestReducedSettings(t *testing.T) {
	p := &corev1.Pod{}
	p.Spec.Containers = []corev1.Container{{Name: istio.ProxyContainer, Env: []corev1.EnvVar{
		{Name: istio.EnvProxyConfig, Value: `{"discoveryAddress":"istiod.x.svc:15012","tracing":{"lightstep":{"accessToken":"secret"}},"proxyMetadata":{"TOKEN":"secret"},"gatewayTopology":{"proxyProtocol":{},"numTrustedProxies":2}}`},
	}}}
	kept, ok := resources.Trim(p).(*corev1.Pod)
	if !ok {
		t.Fatal("no pod")
	}
	want := `{"discoveryAddress":"istiod.x.svc:15012","gatewayTopology":{"proxyProtocol":{}}}`
	if got := kept.Spec.Containers[0].Env[0].Value; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	d := &appsv1.Deployment{}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: istio.DiscoveryContainer, Args: []string{
		"discovery", "--clusterAliases=a=b", "--token=" + istiotest.Token("args"), "--clusterAliases", "c=d,e=f", "--log_output_level=all:debug",
	}}}
	trimmed, ok := resources.Trim(d).(*appsv1.Deployment)
	if !ok {
		t.Fatal("no Deployment")
	}
	if diff := cmp.Diff([]string{"--clusterAliases=a=b", "--clusterAliases", "c=d,e=f"}, trimmed.Spec.Template.Spec.Containers[0].Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}
