package topology

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// InjectPath is the path at which an istiod injects pods of a resolved cluster.
func (c Cluster) InjectPath() string {
	if c.RemoteOf == "" {
		return "/inject"
	}
	path := "/inject/cluster/" + c.ID
	if c.InjectedNetwork != "" {
		path += "/net/" + c.InjectedNetwork
	}
	return path
}

// Webhook makes the API server have pods injected by an istiod at a URL, which
// fills in its CA.
func (c Cluster) Webhook(url string) *admissionv1.MutatingWebhookConfiguration {
	notFalse := metav1.LabelSelectorRequirement{
		Key: "sidecar.istio.io/inject", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"false"},
	}
	isTrue := metav1.LabelSelectorRequirement{
		Key: "sidecar.istio.io/inject", Operator: metav1.LabelSelectorOpIn, Values: []string{"true"},
	}
	is := func(key, value string) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpIn, Values: []string{value}}
	}
	no := func(key string) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpDoesNotExist}
	}
	type requirements = []metav1.LabelSelectorRequirement
	configuration := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{
		Name:   WebhookName,
		Labels: map[string]string{"app": "sidecar-injector", revisionLabel: Revision},
	}}
	for _, hook := range []struct {
		prefix             string
		namespaces, object requirements
	}{
		{"rev.namespace.", requirements{is(revisionLabel, Revision), no("istio-injection")}, requirements{notFalse}},
		{"rev.object.", requirements{no(revisionLabel), no("istio-injection")}, requirements{notFalse, is(revisionLabel, Revision)}},
		{"namespace.", requirements{is("istio-injection", "enabled")}, requirements{notFalse}},
		{"object.", requirements{no("istio-injection"), no(revisionLabel)}, requirements{isTrue, no(revisionLabel)}},
	} {
		fail, none, never := admissionv1.Fail, admissionv1.SideEffectClassNone, admissionv1.NeverReinvocationPolicy
		configuration.Webhooks = append(configuration.Webhooks, admissionv1.MutatingWebhook{
			Name:         hook.prefix + "sidecar-injector.istio.io",
			ClientConfig: admissionv1.WebhookClientConfig{URL: &url},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			NamespaceSelector:       &metav1.LabelSelector{MatchExpressions: hook.namespaces},
			ObjectSelector:          &metav1.LabelSelector{MatchExpressions: hook.object},
			FailurePolicy:           &fail,
			SideEffects:             &none,
			ReinvocationPolicy:      &never,
			AdmissionReviewVersions: []string{"v1"},
		})
	}
	return configuration
}

// istiodPorts are the ports of Service istiod.
var istiodPorts = []Port{
	{Name: "grpc-xds", Port: 15010},
	{Name: "https-dns", Port: 15012},
	{Name: "https-webhook", Port: 443, Target: 15017},
	{Name: "http-monitoring", Port: 15014},
}

// PlaneObjects are the Service, the Deployment and the pod of the istiod of a
// resolved cluster, and in a remote cluster the Service of its primary's. Env is
// the environment of the istiod.
func (t Topology) PlaneObjects(c Cluster, env map[string]string) ([]runtime.Object, error) {
	if c.RemoteOf != "" {
		return t.remotePlaneObjects(c)
	}
	labels := map[string]string{"app": "istiod", "istio": "pilot", revisionLabel: Revision}
	container := corev1.Container{Name: "discovery", Image: "example.com/istio/pilot:" + IstioVersion}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: env[name]})
	}
	for _, port := range []int32{8080, 15010, 15012, 15014, 15017} {
		container.Ports = append(container.Ports, corev1.ContainerPort{ContainerPort: port})
	}
	spec := corev1.PodSpec{ServiceAccountName: "istiod", Containers: []corev1.Container{container}}
	one := int32(1)
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: SystemNamespace, Name: "istiod", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &one,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "istiod", revisionLabel: Revision}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
		Status: appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1},
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: SystemNamespace, Name: IstiodPod, Labels: labels},
		Spec:       *spec.DeepCopy(),
	}
	pod.Labels = map[string]string{"sidecar.istio.io/inject": "false"}
	for key, value := range labels {
		pod.Labels[key] = value
	}
	pod.Spec.NodeName = c.Nodes[0].Name
	service := Service{
		Namespace: SystemNamespace, Name: "istiod", Labels: labels, Selector: map[string]string{"app": "istiod", "istio": "pilot"},
		Ports: istiodPorts,
	}.object()
	return append([]runtime.Object{service, deployment, pod}, c.ztunnelObjects()...), nil
}

// remotePlaneObjects are the Service of a primary's istiod in a remote cluster,
// and its addresses: those of the primary's gateways.
func (t Topology) remotePlaneObjects(c Cluster) ([]runtime.Object, error) {
	primary, err := t.Cluster(c.RemoteOf)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: its control plane: %w", c.Name, err)
	}
	service := Service{
		Namespace: SystemNamespace, Name: "istiod", Headless: true, Ports: istiodPorts,
		Labels: map[string]string{"app": "istiod", revisionLabel: Revision},
	}.object()
	service.Spec.Selector = nil
	ready, ipv4 := true, discoveryv1.AddressTypeIPv4
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: SystemNamespace, Name: "istiod",
			Labels: map[string]string{discoveryv1.LabelServiceName: "istiod", revisionLabel: Revision},
		},
		AddressType: ipv4,
	}
	for _, gateway := range primary.Gateways {
		for _, ip := range gateway.IPs {
			if parsed := net.ParseIP(ip); parsed != nil && !parsed.IsLoopback() && len(slice.Endpoints) == 0 {
				slice.Endpoints = []discoveryv1.Endpoint{{
					Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
				}}
			}
		}
	}
	tcp := corev1.ProtocolTCP
	for _, p := range istiodPorts {
		port := cmp.Or(p.Target, p.Port)
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &p.Name, Port: &port, Protocol: &tcp})
	}
	return []runtime.Object{service, slice}, nil
}
