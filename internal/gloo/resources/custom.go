package resources

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// AnnotationParents names the objects that people wrote and something was made of.
const AnnotationParents = "parents.networking." + api.MeshDomain

// custom is a row of the custom resources of all namespaces. They are read only where the API server serves
// a group of Gloo Mesh; absent where the kind is not among them. Of an object the fields at paths
// are kept, each below spec or status; "*" stands for every element of a list, or key of a map.
func custom[K, G any](group, kind, resources, file string, versions []string, paths ...string) Row {
	about := resource.About{
		Name: resources + "." + group, File: file, Kind: kind, Title: kind + "." + group, Group: group, Resource: resources,
		Versions: versions, Where: Groups, Rare: true,
	}
	keep := func() func(*api.Custom[K, G]) *api.Object {
		return func(c *api.Custom[K, G]) *api.Object {
			out := &api.Object{ObjectMeta: resource.Meta(&c.ObjectMeta)}
			out.Generation = c.Generation
			if parents, ok := c.Annotations[AnnotationParents]; ok {
				metav1.SetMetaDataAnnotation(&out.ObjectMeta, AnnotationParents, resource.Clipped(parents))
			}
			out.Spec, out.Status = kept(c.Spec, "spec", paths), kept(c.Status, "status", paths)
			return out
		}
	}
	return resource.Made[api.CustomList[K, G]](about, resource.Belonging[*api.Custom[K, G]]{}, keep, func(o *api.Object) *api.Custom[K, G] {
		return &api.Custom[K, G]{ObjectMeta: o.ObjectMeta, Spec: o.Spec, Status: o.Status}
	})
}

// kept are the fields of a part of an object that paths name.
func kept(fields api.Fields, part string, paths []string) api.Fields {
	out := map[string]any{}
	for _, path := range paths {
		if names := strings.Split(path, "."); names[0] == part {
			graft(out, map[string]any(fields), names[1:])
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// graft copies what is at a path from one object to another.
func graft(to, from map[string]any, path []string) {
	name, rest := path[0], path[1:]
	if name == "*" {
		for key, value := range from {
			to[key] = cut(to[key], value, rest)
		}
		return
	}
	if value, ok := from[name]; ok && value != nil {
		to[name] = cut(to[name], value, rest)
	}
}

// cut is what is kept of a value, with what was kept of it before. Without a path it is all of it.
func cut(before, value any, path []string) any {
	switch v := value.(type) {
	case string:
		return resource.Clipped(v)
	case map[string]any:
		if len(path) == 0 {
			path = []string{"*"}
		}
		out, ok := before.(map[string]any)
		if !ok {
			out = map[string]any{}
		}
		graft(out, v, path)
		return out
	case []any:
		if len(path) > 0 && path[0] == "*" {
			path = path[1:]
		}
		old, _ := before.([]any)
		out := make([]any, len(v))
		for i := range v {
			var had any
			if i < len(old) {
				had = old[i]
			}
			out[i] = cut(had, v[i], path)
		}
		return out
	default:
		return v
	}
}

// The versions in which groups are served.
var (
	hubVersions  = []string{"v1alpha2"}
	meshVersions = []string{"v1", "v1alpha2"} // the second up to 0.12
	oldVersions  = []string{"v1alpha2"}
	newVersions  = []string{"v1"}
	enterprise   = []string{"v1beta1"}
	commercial   = []string{"v2"}
	registered   = []string{"v1alpha1"}
)

// What is kept of each kind.
var (
	approval    = []string{"status.state", "status.observedGeneration", "status.errors", "status.validationErrors"}
	virtualMesh = append([]string{
		"spec.meshes", "spec.mtlsConfig.autoRestartPods", "spec.mtlsConfig.limited", "spec.mtlsConfig.shared.rootCertificateAuthority.secret",
		"spec.mtlsConfig.shared.intermediateCertificateAuthority.vault.caPath",
		"spec.federation.flatNetwork", "spec.federation.hostnameSuffix", "spec.federation.permissive", "spec.federation.selectors",
		"spec.federation.eastWestIngressGatewaySelectors.*.destinationSelectors", "spec.federation.eastWestIngressGatewaySelectors.*.portName",
		"status.meshes.*.state", "status.meshes.*.errors",
		"status.destinations.*.state", "status.destinations.*.errors", "status.conditions.*.state", "status.conditions.*.message",
		"status.conditions.*.timestamp", "status.conditions.*.errors",
	}, approval...)
	policy = append([]string{
		"spec.destinationSelector.*.kubeServiceRefs", "status.trafficTargets.*.state", "status.trafficTargets.*.errors",
		"status.destinations.*.state", "status.destinations.*.errors", "status.meshes.*.state", "status.meshes.*.errors",
	}, approval...)
	settings   = append([]string{"spec.discovery.istio.ingressGatewayDetectors"}, approval...)
	deployed   = []string{"status.observedGeneration", "status.error", "status.workloadStates"}
	routed     = []string{"status.observedGeneration", "status.errors"}
	dependency = append([]string{"status.workloads.*.state", "status.workloads.*.errors"}, approval...)
	discovered = []string{
		"spec.istio.installation", "spec.istio.trustDomain", "spec.istio.citadelInfo.trustDomain", "spec.istio.ingressGateways",
		"spec.istio.smartDnsProxyingEnabled", "spec.agentInfo", "status.appliedVirtualMesh.ref", "status.appliedVirtualMesh.observedGeneration",
		"status.appliedEastWestIngressGateways", "status.appliedVirtualDestinations.*.ref", "status.appliedVirtualDestinations.*.errors",
		"status.observedGeneration",
	}
	target = []string{
		"spec.mesh", "spec.kubeService.ref", "status.appliedFederation", "status.observedGeneration",
	}
	issued = []string{
		"spec.issuedCertificateSecret", "spec.podBounceDirective", "status.state", "status.error", "status.observedGeneration",
	}
	request = []string{"status.state", "status.error", "status.observedGeneration"}
	bounces = []string{
		"spec.podsToBounce.*.namespace", "spec.podsToBounce.*.labels", "spec.podsToBounce.*.waitForReplicas",
		"spec.podsToBounce.*.rootCertSync.configMapRef", "status.podsBounced", "status.state", "status.error",
	}
	cluster  = []string{"spec.secretName", "spec.clusterDomain", "status.namespace"}
	accepted = []string{
		"status.common.State.approval", "status.common.State.observedGeneration", "status.common.State.message",
		"status.conditions.*.type", "status.conditions.*.status", "status.conditions.*.reason", "status.conditions.*.message",
	}
)

func hubNetworking[K any](kind, resources, file string, paths []string) Row {
	return custom[K, api.Hub]("networking."+api.HubDomain, kind, resources, file, hubVersions, paths...)
}

func meshNetworking[K any](kind, resources, file string, versions, paths []string) Row {
	return custom[K, api.Mesh]("networking."+api.MeshDomain, kind, resources, file, versions, paths...)
}

func enterpriseNetworking[K any](kind, resources, file string, paths []string) Row {
	return custom[K, api.Mesh]("networking."+api.EnterpriseDomain, kind, resources, file, enterprise, paths...)
}

// What people write to a management cluster.
var (
	HubVirtualMeshes    = hubNetworking[api.VirtualMesh]("VirtualMesh", "virtualmeshes", "hub-virtualmeshes", virtualMesh)
	HubTrafficPolicies  = hubNetworking[api.TrafficPolicy]("TrafficPolicy", "trafficpolicies", "hub-trafficpolicies", policy)
	HubAccessPolicies   = hubNetworking[api.AccessPolicy]("AccessPolicy", "accesspolicies", "hub-accesspolicies", policy)
	HubFailoverServices = hubNetworking[api.FailoverService]("FailoverService", "failoverservices", "hub-failoverservices", policy)

	VirtualMeshes    = meshNetworking[api.VirtualMesh]("VirtualMesh", "virtualmeshes", "gloo-virtualmeshes", meshVersions, virtualMesh)
	TrafficPolicies  = meshNetworking[api.TrafficPolicy]("TrafficPolicy", "trafficpolicies", "gloo-trafficpolicies", meshVersions, policy)
	AccessPolicies   = meshNetworking[api.AccessPolicy]("AccessPolicy", "accesspolicies", "gloo-accesspolicies", meshVersions, policy)
	FailoverServices = meshNetworking[api.FailoverService](
		"FailoverService", "failoverservices", "gloo-failoverservices", oldVersions, policy)
	VirtualDestinations = enterpriseNetworking[api.VirtualDestination](
		"VirtualDestination", "virtualdestinations", "gloo-virtualdestinations", policy)
	WasmDeployments = enterpriseNetworking[api.WasmDeployment](
		"WasmDeployment", "wasmdeployments", "gloo-wasmdeployments", deployed)
	ServiceDependencies = enterpriseNetworking[api.ServiceDependency](
		"ServiceDependency", "servicedependencies", "gloo-servicedependencies", dependency)
	VirtualGateways  = enterpriseNetworking[api.VirtualGateway]("VirtualGateway", "virtualgateways", "gloo-virtualgateways", routed)
	VirtualHosts     = enterpriseNetworking[api.VirtualHost]("VirtualHost", "virtualhosts", "gloo-virtualhosts", routed)
	RouteTables      = enterpriseNetworking[api.RouteTable]("RouteTable", "routetables", "gloo-routetables", routed)
	AccessLogRecords = custom[api.AccessLogRecord, api.Mesh](
		"observability."+api.EnterpriseDomain, "AccessLogRecord", "accesslogrecords", "gloo-accesslogrecords", newVersions, approval...)
	RootTrustPolicies = custom[api.RootTrustPolicy, api.Commercial](
		api.AdminGroup, "RootTrustPolicy", "roottrustpolicies", "gloo-roottrustpolicies", commercial, approval...)
)

// What a management plane itself is told.
var (
	HubSettings = custom[api.Settings, api.Hub](
		"settings."+api.HubDomain, "Settings", "settings", "hub-settings", hubVersions, settings...)
	Settings = custom[api.Settings, api.Mesh](
		"settings."+api.MeshDomain, "Settings", "settings", "gloo-settings", meshVersions, settings...)
)

// What a management plane knows of its clusters.
var (
	KubernetesClusters = custom[api.KubernetesCluster, api.Mesh](
		api.ClustersGroup, "KubernetesCluster", "kubernetesclusters", "gloo-clusters", registered, cluster...)
	CommercialClusters = custom[api.KubernetesCluster, api.Commercial](
		api.AdminGroup, "KubernetesCluster", "kubernetesclusters", "gloo-commercial-clusters", commercial, accepted...)
	HubMeshes = custom[api.DiscoveredMesh, api.Hub](
		"discovery."+api.HubDomain, "Mesh", "meshes", "hub-meshes", hubVersions, discovered...)
	Meshes = custom[api.DiscoveredMesh, api.Mesh](
		"discovery."+api.MeshDomain, "Mesh", "meshes", "gloo-meshes", meshVersions, discovered...)
	CommercialMeshes = custom[api.DiscoveredMesh, api.Commercial](
		api.InternalGroup, "Mesh", "meshes", "gloo-commercial-meshes", commercial, "spec.installation", "spec.trustDomain", "spec.agentInfo")
	HubTrafficTargets = custom[api.TrafficTarget, api.Hub](
		"discovery."+api.HubDomain, "TrafficTarget", "traffictargets", "hub-traffictargets", hubVersions, target...)
	TrafficTargets = custom[api.TrafficTarget, api.Mesh](
		"discovery."+api.MeshDomain, "TrafficTarget", "traffictargets", "gloo-traffictargets", oldVersions, target...)
	Destinations = custom[api.Destination, api.Mesh](
		"discovery."+api.MeshDomain, "Destination", "destinations", "gloo-destinations", newVersions, target...)
)

func certificates[K, G any](group, kind, resources, file string, versions, paths []string) Row {
	return custom[K, G](group, kind, resources, file, versions, paths...)
}

const (
	hubCertificates  = "certificates." + api.HubDomain
	meshCertificates = "certificates." + api.MeshDomain
)

// What agents make secrets cacerts by, in each cluster.
var (
	HubIssuedCertificates = certificates[api.IssuedCertificate, api.Hub](
		hubCertificates, "IssuedCertificate", "issuedcertificates", "hub-issuedcertificates", hubVersions, issued)
	HubCertificateRequests = certificates[api.CertificateRequest, api.Hub](
		hubCertificates, "CertificateRequest", "certificaterequests", "hub-certificaterequests", hubVersions, request)
	HubPodBounceDirectives = certificates[api.PodBounceDirective, api.Hub](
		hubCertificates, "PodBounceDirective", "podbouncedirectives", "hub-podbouncedirectives", hubVersions, bounces)
	IssuedCertificates = certificates[api.IssuedCertificate, api.Mesh](
		meshCertificates, "IssuedCertificate", "issuedcertificates", "gloo-issuedcertificates", meshVersions, issued)
	CertificateRequests = certificates[api.CertificateRequest, api.Mesh](
		meshCertificates, "CertificateRequest", "certificaterequests", "gloo-certificaterequests", meshVersions, request)
	PodBounceDirectives = certificates[api.PodBounceDirective, api.Mesh](
		meshCertificates, "PodBounceDirective", "podbouncedirectives", "gloo-podbouncedirectives", meshVersions, bounces)
	CommercialIssuedCertificates = certificates[api.IssuedCertificate, api.Commercial](
		api.InternalGroup, "IssuedCertificate", "issuedcertificates", "gloo-commercial-issuedcertificates", commercial, issued)
	CommercialPodBounceDirectives = certificates[api.PodBounceDirective, api.Commercial](
		api.InternalGroup, "PodBounceDirective", "podbouncedirectives", "gloo-commercial-podbouncedirectives", commercial, bounces)
)

// EnvoyFilters are those of Istio, in clusters with Gloo Mesh: releases up to 1.0.6 need one at each gateway.
var EnvoyFilters = custom[api.EnvoyFilter, api.Istio](
	istio.NetworkingGroup, "EnvoyFilter", "envoyfilters", "gloo-envoyfilters", []string{"v1alpha3"},
	"spec.workloadSelector.labels", "spec.configPatches.*.patch.value.name", "spec.configPatches.*.match.listener.portNumber",
)
