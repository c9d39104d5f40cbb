package bed

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// istioKinds are the resources of Istio that clusters know, by group. The first
// of the versions is the stored one.
var istioKinds = []struct {
	group, kind, plural string
	versions            []string
}{
	{"extensions.istio.io", "TrafficExtension", "trafficextensions", []string{"v1alpha1"}},
	{"extensions.istio.io", "WasmPlugin", "wasmplugins", []string{"v1alpha1"}},
	{"networking.istio.io", "DestinationRule", "destinationrules", []string{"v1", "v1beta1", "v1alpha3"}},
	{"networking.istio.io", "EnvoyFilter", "envoyfilters", []string{"v1alpha3"}},
	{"networking.istio.io", "Gateway", "gateways", []string{"v1", "v1beta1", "v1alpha3"}},
	{"networking.istio.io", "ProxyConfig", "proxyconfigs", []string{"v1beta1"}},
	{"networking.istio.io", "ServiceEntry", "serviceentries", []string{"v1", "v1beta1", "v1alpha3"}},
	{"networking.istio.io", "Sidecar", "sidecars", []string{"v1", "v1beta1", "v1alpha3"}},
	{"networking.istio.io", "VirtualService", "virtualservices", []string{"v1", "v1beta1", "v1alpha3"}},
	{"networking.istio.io", "WorkloadEntry", "workloadentries", []string{"v1", "v1beta1", "v1alpha3"}},
	{"networking.istio.io", "WorkloadGroup", "workloadgroups", []string{"v1", "v1beta1", "v1alpha3"}},
	{"security.istio.io", "AuthorizationPolicy", "authorizationpolicies", []string{"v1", "v1beta1"}},
	{"security.istio.io", "PeerAuthentication", "peerauthentications", []string{"v1", "v1beta1"}},
	{"security.istio.io", "RequestAuthentication", "requestauthentications", []string{"v1", "v1beta1"}},
	{"telemetry.istio.io", "Telemetry", "telemetries", []string{"v1", "v1alpha1"}},
}

// kwokKinds are the resources through which kwok is told what the pods of a
// cluster answer.
var kwokKinds = []string{"ClusterExec", "ClusterPortForward"}

// meshDefinitions are the definitions of custom resources that a cluster of a
// mesh needs. They let every content pass: it is up to who reads them.
func meshDefinitions() []runtime.Object {
	var objects []runtime.Object
	for _, k := range istioKinds {
		objects = append(objects, definition(k.group, k.kind, k.plural, "Namespaced", k.versions...))
	}
	for _, kind := range kwokKinds {
		objects = append(objects, definition("kwok.x-k8s.io", kind, strings.ToLower(kind)+"s", "Cluster", "v1alpha1"))
	}
	return objects
}

// definition defines a resource of any content.
func definition(group, kind, plural, scope string, versions ...string) runtime.Object {
	var served []any
	for i, version := range versions {
		served = append(served, map[string]any{
			"name": version, "served": true, "storage": i == 0,
			"schema": map[string]any{"openAPIV3Schema": map[string]any{
				"type": "object", "x-kubernetes-preserve-unknown-fields": true,
			}},
			"subresources": map[string]any{"status": map[string]any{}},
		})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		"metadata":   map[string]any{"name": plural + "." + group},
		"spec": map[string]any{
			"group": group,
			"scope": scope,
			"names": map[string]any{
				"kind": kind, "listKind": kind + "List", "plural": plural, "singular": strings.ToLower(kind),
			},
			"versions": served,
		},
	}}
}
