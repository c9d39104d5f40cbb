package bed

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// glooKind is a kind of Gloo Mesh, by the first part of its group.
type glooKind struct{ group, kind, plural string }

// The kinds of Gloo Mesh that rules about it read: what a management cluster has of them, and what
// a cluster with an agent has. Releases differ in what a discovered service is called.
var (
	glooManagementKinds = []glooKind{
		{"networking", "VirtualMesh", "virtualmeshes"},
		{"networking", "TrafficPolicy", "trafficpolicies"},
		{"networking", "AccessPolicy", "accesspolicies"},
		{"discovery", "Mesh", "meshes"},
	}
	glooHubKinds = []glooKind{
		{"networking", "FailoverService", "failoverservices"},
		{"discovery", "TrafficTarget", "traffictargets"},
	}
	glooMeshKinds  = []glooKind{{"discovery", "Destination", "destinations"}, {"settings", "Settings", "settings"}}
	glooAgentKinds = []glooKind{
		{"certificates", "IssuedCertificate", "issuedcertificates"},
		{"certificates", "CertificateRequest", "certificaterequests"},
		{"certificates", "PodBounceDirective", "podbouncedirectives"},
	}
)

const (
	glooHubDomain  = "smh.solo.io"
	glooMeshDomain = "mesh.gloo.solo.io"
)

// GlooManagementDefinitions are those of the custom resources of a management cluster of Gloo Mesh 1.x.
// They let every content pass, but for statuses of VirtualMeshes, which have the types of these releases; conditions
// are of 1.2.
func GlooManagementDefinitions() []runtime.Object {
	out := glooDefinitions(glooMeshDomain, "v1", glooManagementKinds, glooMeshKinds)
	// The open release has the definitions of the commercial one also.
	out = append(out, definition(
		"networking.enterprise."+glooMeshDomain, "VirtualDestination", "virtualdestinations", "Namespaced", "v1beta1"))
	for _, o := range out {
		if d, ok := o.(*unstructured.Unstructured); ok && d.GetName() == "virtualmeshes.networking."+glooMeshDomain {
			typeStatus(d)
		}
	}
	return out
}

// GlooRegistrationDefinitions are those of registrations of clusters, which all releases have in common.
func GlooRegistrationDefinitions() []runtime.Object {
	return []runtime.Object{definition("multicluster.solo.io", "KubernetesCluster", "kubernetesclusters", "Namespaced", "v1alpha1")}
}

// GlooAgentDefinitions are those of a cluster that Gloo Mesh 1.x manages, in a version.
func GlooAgentDefinitions(version string) []runtime.Object {
	return glooDefinitions(glooMeshDomain, version, glooAgentKinds)
}

// HubManagementDefinitions are those of a management cluster of Service Mesh Hub 0.7 to 0.9.
func HubManagementDefinitions() []runtime.Object {
	return glooDefinitions(glooHubDomain, "v1alpha2", glooManagementKinds, glooHubKinds)
}

// HubAgentDefinitions are those of a cluster that Service Mesh Hub manages.
func HubAgentDefinitions() []runtime.Object {
	return glooDefinitions(glooHubDomain, "v1alpha2", glooAgentKinds)
}

func glooDefinitions(domain, version string, kinds ...[]glooKind) []runtime.Object {
	var out []runtime.Object
	for _, some := range kinds {
		for _, k := range some {
			out = append(out, definition(k.group+"."+domain, k.kind, k.plural, "Namespaced", version))
		}
	}
	return out
}

// typeStatus gives a definition a schema of the status: what it does not name is dropped, and a number that
// is written as a string is refused.
func typeStatus(definition *unstructured.Unstructured) {
	text := map[string]any{"type": "string"}
	texts := map[string]any{"type": "array", "items": text}
	states := map[string]any{"type": "object", "additionalProperties": map[string]any{
		"type": "object", "properties": map[string]any{"state": text, "errors": texts},
	}}
	schema := map[string]any{"type": "object", "properties": map[string]any{
		"spec": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
		"status": map[string]any{"type": "object", "properties": map[string]any{
			"observedGeneration": map[string]any{"type": "integer", "format": "int64"},
			"state":              map[string]any{"type": "string", "enum": []any{"PENDING", "ACCEPTED", "INVALID", "FAILED"}},
			"errors":             texts, "meshes": states, "destinations": states,
			"conditions": map[string]any{"type": "array", "items": map[string]any{"type": "object", "properties": map[string]any{
				"timestamp": text, "state": text, "message": text, "errors": texts,
			}}},
		}},
	}}
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	for _, v := range versions {
		if version, ok := v.(map[string]any); ok {
			version["schema"] = map[string]any{"openAPIV3Schema": schema}
		}
	}
	_ = unstructured.SetNestedSlice(definition.Object, versions, "spec", "versions")
}
