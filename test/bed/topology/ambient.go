package topology

import (
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// What ambient mode is made of.
const (
	ZtunnelName           = "ztunnel"
	dataplaneModeLabel    = "istio.io/dataplane-mode"
	redirectionAnnotation = "ambient.istio.io/redirection"
	gatewayNameLabel      = "gateway.networking.k8s.io/gateway-name"
	hbonePort             = 15008
)

// ambientEnv is what ambient mode across networks needs of istiod.
var ambientEnv = map[string]string{
	"PILOT_ENABLE_AMBIENT":         "true",
	"AMBIENT_ENABLE_MULTI_NETWORK": "true",
	"CA_TRUSTED_NODE_ACCOUNTS":     SystemNamespace + "/" + ZtunnelName,
}

// redirects reports whether the pods of a workload are in ambient mode, which the
// node's agent would note on them.
func (c Cluster) redirects(w Workload) bool {
	if !c.Ambient || w.Router {
		return false
	}
	for _, n := range c.Namespaces {
		if n.Name == w.Namespace {
			return n.Labels[dataplaneModeLabel] == "ambient" && w.Labels[dataplaneModeLabel] != "none"
		}
	}
	return false
}

// ztunnelObjects are the DaemonSet of ztunnel in an ambient cluster, and its pods.
func (c Cluster) ztunnelObjects() []runtime.Object {
	if !c.Ambient {
		return nil
	}
	labels := map[string]string{"app": ZtunnelName, "sidecar.istio.io/inject": "false", dataplaneModeLabel: "none"}
	spec := corev1.PodSpec{
		ServiceAccountName: ZtunnelName,
		Containers: []corev1.Container{{
			Name: "istio-proxy", Image: "example.com/istio/ztunnel:" + IstioVersion,
			Env: []corev1.EnvVar{{Name: "ISTIO_META_CLUSTER_ID", Value: c.ID}, {Name: "NETWORK", Value: c.Network}},
		}},
	}
	set := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: SystemNamespace, Name: ZtunnelName, Labels: map[string]string{"app": ZtunnelName}},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": ZtunnelName}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
	objects := []runtime.Object{set, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: SystemNamespace, Name: ZtunnelName}}}
	controls := true
	for i, n := range c.Nodes {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: SystemNamespace, Name: fmt.Sprintf("%s-%d", ZtunnelName, i), Labels: maps.Clone(labels),
				OwnerReferences: []metav1.OwnerReference{
					{APIVersion: "apps/v1", Kind: "DaemonSet", Name: ZtunnelName, UID: ZtunnelName, Controller: &controls},
				},
			},
			Spec: *spec.DeepCopy(),
		}
		pod.Spec.NodeName = n.Name
		objects = append(objects, pod)
	}
	return objects
}

// resource is the Gateway of the Gateway API, with a class, as Istio documents it.
func (g Gateway) resource() *unstructured.Unstructured {
	labels, annotations := map[string]any{}, map[string]any{"networking.istio.io/service-type": g.Type}
	if g.Network != "" {
		labels[NetworkLabel] = g.Network
	}
	for key, value := range g.Labels {
		labels[key] = value
	}
	for key, value := range g.Annotations {
		annotations[key] = value
	}
	var listeners []any
	for _, p := range g.Ports {
		listeners = append(listeners, map[string]any{
			"name": p.Name, "port": int64(p.Port), "protocol": "HBONE",
			"tls": map[string]any{"mode": "Terminate", "options": map[string]any{"gateway.istio.io/tls-terminate-mode": "ISTIO_MUTUAL"}},
		})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1",
		"kind":       "Gateway",
		"metadata":   map[string]any{"namespace": g.Namespace, "name": g.Name, "labels": labels, "annotations": annotations},
		"spec":       map[string]any{"gatewayClassName": g.Class, "listeners": listeners},
	}}
}

// controllers are the names that istiod's controllers of Gateways have, by class, as labels say them.
var controllers = map[string]string{
	"istio": "istio.io-gateway-controller", "istio-east-west": "istio.io-eastwest-controller", "istio-waypoint": "istio.io-mesh-controller",
}

// podLabels are those of the pods of a Gateway with a class, as istiod would have
// the Deployment make them.
func (g Gateway) podLabels() map[string]string {
	labels := map[string]string{
		gatewayNameLabel: g.Name, "gateway.networking.k8s.io/gateway-class-name": g.Class,
		"gateway.istio.io/managed": controllers[g.Class], dataplaneModeLabel: "none",
	}
	if g.Network != "" {
		labels[NetworkLabel] = g.Network
	}
	return labels
}

// ManagedServices are the Services that istiod makes of the Gateways of a resolved
// cluster, with the addresses that load balancers give them.
func (c Cluster) ManagedServices() []*corev1.Service {
	var services []*corev1.Service
	for _, g := range c.Gateways {
		if g.Class != "" {
			services = append(services, &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: g.Name}, Status: loadBalancer(g.IPs, g.Hostnames),
			})
		}
	}
	return services
}

// waypointTemplate is what istiod makes of a Gateway of class istio-east-west or istio-waypoint, and
// nothing of what only a kubelet would need.
const waypointTemplate = `
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .ServiceAccount | quote }}
  namespace: {{ .Namespace | quote }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .DeploymentName | quote }}
  namespace: {{ .Namespace | quote }}
  labels:
    {{- toJsonMap .InfrastructureLabels (strdict "gateway.networking.k8s.io/gateway-name" .Name "gateway.istio.io/managed" .ControllerLabel) | nindent 4 }}
  ownerReferences:
  - {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, name: {{ .Name | quote }}, uid: {{ .UID | quote }}}
spec:
  selector:
    matchLabels: {gateway.networking.k8s.io/gateway-name: {{ .Name | quote }}}
  template:
    metadata:
      labels:
        {{- toJsonMap (strdict "sidecar.istio.io/inject" "false" "istio.io/dataplane-mode" "none") .InfrastructureLabels (strdict "gateway.networking.k8s.io/gateway-name" .Name "gateway.istio.io/managed" .ControllerLabel) | nindent 8 }}
    spec:
      serviceAccountName: {{ .ServiceAccount | quote }}
      containers:
      - name: istio-proxy
        image: {{ .ProxyImage | quote }}
        args: [proxy, waypoint]
        env:
        - name: ISTIO_META_CLUSTER_ID
          value: {{ valueOrDefault .Values.global.multiCluster.clusterName "Kubernetes" | quote }}
        {{- with valueOrDefault (index .InfrastructureLabels "topology.istio.io/network") .Values.global.network }}
        - {name: ISTIO_META_NETWORK, value: {{ . | quote }}}
        - {name: ISTIO_META_REQUESTED_NETWORK_VIEW, value: {{ . | quote }}}
        {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .DeploymentName | quote }}
  namespace: {{ .Namespace | quote }}
  annotations:
    {{- toJsonMap (strdict "networking.istio.io/traffic-distribution" "PreferClose") (omit .InfrastructureAnnotations "gateway.istio.io/controller-version") | nindent 4 }}
  labels:
    {{- toJsonMap .InfrastructureLabels (strdict "gateway.networking.k8s.io/gateway-name" .Name "gateway.networking.k8s.io/gateway-class-name" .GatewayClass) | nindent 4 }}
  ownerReferences:
  - {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, name: {{ .Name | quote }}, uid: {{ .UID | quote }}}
spec:
  type: {{ .ServiceType | quote }}
  selector: {gateway.networking.k8s.io/gateway-name: {{ .Name | quote }}}
  ports:
  {{- range .Ports }}
  - {name: {{ .Name | quote }}, port: {{ .Port }}, protocol: TCP, appProtocol: {{ .AppProtocol }}}
  {{- end }}
`
