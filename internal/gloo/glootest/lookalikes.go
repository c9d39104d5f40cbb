package glootest

import (
	"maps"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// Lookalike is a change of the healthy fleet of Members that looks like a fault.
type Lookalike struct {
	Name string
	Do   func(*Fleet)
}

// Lookalikes are those of which nothing worse than a note is said.
var Lookalikes = []Lookalike{
	{"a management cluster that is a member", managed},
	{"a VirtualMesh that was written a moment ago", func(f *Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		behind(vm)
		Set(vm, "metadata.managedFields", []any{Object{"manager": "kubectl", "operation": "Update",
			"time": At(20 * time.Second)}})
	}},
	{"a certificate that is being issued", func(f *Fleet) {
		Certificate(f, west, "REQUESTED", "")
		Set(f.Get(west, "IssuedCertificate", MeshName(west)), "metadata.creationTimestamp", At(time.Minute))
		request(f, west, nil)
	}},
	{"a certificate that is issued again", func(f *Fleet) { Certificate(f, west, "REQUESTED", "") }},
	{"an agent of another patch release", func(f *Fleet) {
		tag := f.Tag[:strings.LastIndex(f.Tag, ".")] + ".77"
		Set(f.Get(west, "Deployment", "cert-agent"), "spec.template.spec.containers", []any{
			Object{"name": "cert-agent", "image": "registry.example/gloo-mesh/cert-agent:v" + tag + "@sha256:00"},
		})
	}},
	{"an image without a tag", func(f *Fleet) {
		Set(f.Get(west, "Deployment", "cert-agent"), "spec.template.spec.containers", []any{
			Object{"name": "cert-agent", "image": "registry.example:5000/gloo-mesh/cert-agent@sha256:00"},
		})
	}},
	{"discovered services of two names that are called alike", func(f *Fleet) {
		for _, app := range []string{"discovery", "networking"} {
			d := f.Deployment(app)
			Set(d, "metadata.namespace", "shop")
			Set(d, "status.availableReplicas", 0)
			f.Add(mgmt, d)
		}
	}},
	{"somebody else's ServiceEntry", func(f *Fleet) {
		f.Add(west, Object{
			"apiVersion": "networking.istio.io/v1alpha3", "kind": "ServiceEntry", "metadata": Object{"name": "x", "namespace": "shop"},
			"spec": Object{"hosts": []any{"ratings.shop.svc.nowhere.global"}, "resolution": "STATIC"},
		})
	}},
	{"a ServiceEntry that a policy made", func(f *Fleet) {
		o := Object{
			"apiVersion": "networking.istio.io/v1alpha3", "kind": "ServiceEntry",
			"metadata": Object{"name": "failover", "namespace": "istio-system",
				"labels": Object{"owner.networking." + f.Domain: f.Namespace}},
			"spec": Object{"hosts": []any{"reviews.example.com"}, "resolution": "STATIC"},
		}
		f.Add(west, o)
	}},
	{"the ServiceEntry of a cluster's own service", func(f *Fleet) {
		o := maps.Clone(f.Get(east, "ServiceEntry", Host("reviews", "shop", west)))
		o["metadata"] = Object{
			"name": Host("reviews", "shop", west), "namespace": "istio-system",
			"labels": Object{"owner.networking." + f.Domain: f.Namespace},
		}
		o["spec"] = Object{
			"hosts": []any{Host("reviews", "shop", west)}, "exportTo": []any{"."}, "resolution": "STATIC",
			"endpoints": []any{Object{"address": "10.1.0.7", "ports": Object{"http": 9080}}},
		}
		f.Add(west, o)
	}},
	{"a flat network", func(f *Fleet) {
		Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.federation.flatNetwork", true)
		Set(f.Get(east, "ServiceEntry", Host("reviews", "shop", west)), "spec.endpoints", []any{endpoint(PodAddress(1), 9080)})
		flatten(f)
		f.Drop(west, "Gateway", "")
	}},
	{"a gateway at two addresses", func(f *Fleet) {
		Set(service(f), "status.loadBalancer.ingress", []any{
			Object{"ip": "198.51.100.8"}, Object{"ip": Address(1)},
		})
	}},
	{"a gateway on kind's nodes", func(f *Fleet) {
		Set(service(f), "spec.type", "NodePort")
		Set(service(f), "status", nil)
		Set(f.Get(west, "Node", "west-node-0"), "spec.providerID", "kind://docker/west/west-node-0")
		gateway(f, "172.18.1.2")
		m := f.Get(mgmt, "Mesh", MeshName(west))
		if f.East {
			Set(m["status"].(Object)["appliedEastWestIngressGateways"].([]any)[0].(Object), "destinationPort", 30443)
		} else {
			Set(m["spec"].(Object)["istio"].(Object)["ingressGateways"].([]any)[0].(Object),
				"externalTlsPort", 30443)
		}
		entries(f, east, endpoint("172.18.1.2", 30443))
		entries(f, north, endpoint("172.18.1.2", 30443))
	}},
	{"a gateway at port 443", func(f *Fleet) {
		Set(service(f), "spec.ports", []any{Object{"name": "tls", "port": 443, "targetPort": 15443}})
		m := f.Get(mgmt, "Mesh", MeshName(west))
		if f.East {
			Set(m["status"].(Object)["appliedEastWestIngressGateways"].([]any)[0].(Object), "destinationPort", 443)
		} else {
			Set(m["spec"].(Object)["istio"].(Object)["ingressGateways"].([]any)[0].(Object), "externalTlsPort", 443)
		}
		entries(f, east, endpoint(Address(1), 443))
		entries(f, north, endpoint(Address(1), 443))
	}},
	{"a listener by the port of the Service, which istiod translates", func(f *Fleet) {
		Set(service(f), "spec.ports", []any{
			Object{"name": "tls", "port": 15443, "targetPort": 15443}, Object{"name": "https", "port": 443, "targetPort": 15443},
		})
		Set(listener(f)["spec"].(Object)["servers"].([]any)[0].(Object), "port.number", 443)
	}},
	{"a listener for all pods", func(f *Fleet) { Set(listener(f), "spec.selector", nil) }},
	{"a port of another name, which the VirtualMesh or the Settings have", func(f *Fleet) {
		if f.Domain == Hub.Domain {
			return
		}
		Set(service(f), "spec.ports", []any{Object{"name": "mtls", "port": 15443, "targetPort": 15443}})
		if f.East {
			selected(f, "mtls")
			for _, c := range []string{east, north} {
				Set(f.Get(c, "Service", "istio-ingressgateway"), "spec.ports", []any{Object{"name": "mtls", "port": 15443, "targetPort": 15443}})
			}
			return
		}
		detectors(f, Object{west: Object{"gatewayTlsPortName": "mtls"}})
	}},
	{"gateways of other labels, which the Settings have", func(f *Fleet) {
		if f.Domain == Hub.Domain || f.East {
			return
		}
		labels := Object{"istio": "eastwestgateway"}
		detectors(f, Object{"*": Object{"gatewayWorkloadLabels": labels}})
		for _, c := range Members {
			Set(f.Get(c, "Service", "istio-ingressgateway"), "spec.selector", labels)
			Set(f.Get(c, "Pod", "istio-ingressgateway-0"), "metadata.labels", labels)
			Set(f.Get(c, "Gateway", "vm-"+f.Namespace), "spec.selector", labels)
			Set(f.Get(mgmt, "Mesh", MeshName(c))["spec"].(Object)["istio"].(Object)["ingressGateways"].([]any)[0].(Object), "workloadLabels", labels)
		}
	}},
	{"istiods that have their certificates of Vault", func(f *Fleet) {
		Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.mtlsConfig.shared", Object{"intermediateCertificateAuthority": Object{"vault": Object{
			"caPath": "pki/root/sign-intermediate", "server": "http://vault.vault:8200",
		}}})
		for _, c := range Members {
			o := f.Get(c, "IssuedCertificate", MeshName(c))
			Set(o, "spec.issuedCertificateSecret", nil)
			Set(o, "status", nil)
			f.Drop(c, "PodBounceDirective", "")
			of := f.Istio.Get(c)
			of.CACerts = nil
			of.Change = func(o runtime.Object) {
				if d, ok := o.(*appsv1.Deployment); ok && d.Name == "istiod" {
					d.Spec.Template.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
				}
			}
		}
	}},
	{"a root that the management plane made", func(f *Fleet) { MakeRoot(f, sharedRoot(f).PEM(), sharedRoot(f).KeyPEM()) }},
	{"Settings of another name", func(f *Fleet) {
		if f.Domain != Hub.Domain {
			Set(f.Get(mgmt, "Settings", "settings"), "metadata.name", "ours")
		}
	}},
	{"a filter of Gloo Mesh Enterprise", func(f *Fleet) {
		if f.Domain != Hub.Domain {
			enterprise(f)
			Enterprise(f, "WasmDeployment", "filter", Object{"workloadStates": Object{
				"reviews-shop-west-deployment." + f.Namespace + ".": "FILTERS_DEPLOYED",
			}})
			Enterprise(f, "RouteTable", "new", nil)
		}
	}},
	{"a suffix of its own", func(f *Fleet) {
		Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.federation.hostnameSuffix", "example")
		for _, c := range []string{east, west, north} {
			Set(f.Get(mgmt, "Mesh", MeshName(c)), "spec.istio.smartDnsProxyingEnabled", true)
			Set(f.Get(c, "Gateway", "vm-"+f.Namespace)["spec"].(Object)["servers"].([]any)[0].(Object), "hosts",
				[]any{"*.example"})
		}
	}},
	{"a VirtualMesh that federates nothing, and a gateway without an address", func(f *Fleet) {
		if !f.East {
			return // of these releases it federates everything
		}
		unfederated(f)
		Set(service(f), "status", nil)
		gateway(f)
	}},
	{"a VirtualMesh of one mesh", func(f *Fleet) {
		f.Register("alone")
		virtualMesh(f, "alone")
	}},
	{"a federated service that is scaled down", func(f *Fleet) {
		f.Drop(west, "Pod", "reviews-5d7f9c6b8-0")
		if f.East {
			withoutPods(f)
		}
	}},
	{"a federated service whose pods start", func(f *Fleet) {
		pod := f.Get(west, "Pod", "reviews-5d7f9c6b8-0")
		Set(pod, "metadata.creationTimestamp", At(time.Minute))
		Set(pod, "status.conditions", []any{Object{"type": "Ready", "status": "False"}})
	}},
	{"pods that change", func(f *Fleet) {
		pod := f.Get(west, "Pod", "reviews-5d7f9c6b8-0")
		Set(pod, "metadata.creationTimestamp", At(time.Minute))
		Set(pod, "status.podIP", "10.1.0.8")
		Set(pod, "status.podIPs", []any{Object{"ip": "10.1.0.8"}})
	}},
	{"a service without sidecars", func(f *Fleet) {
		pod := f.Pod(1, "batch-7c9d8f6b5-0", Object{"app": "batch", "sidecar.istio.io/inject": "false"})
		Set(pod, "spec.containers", []any{Object{"name": "app", "image": "registry.example/app"}})
		f.Add(west, pod)
		f.Add(west, object("v1", "Service", "shop", "batch", Object{"spec": Object{
			"selector": Object{"app": "batch"}, "clusterIP": "10.96.0.11", "ports": []any{Object{"name": "http", "port": 80, "targetPort": 8080}},
		}}))
	}},
	{"two names of one address that are HTTP", func(f *Fleet) {
		for _, owner := range []string{west, north} {
			Set(f.Get(east, "ServiceEntry", Host("reviews", "shop", owner)), "spec.addresses", []any{"240.0.9.9"})
		}
	}},
	{"a rotation of the root that has ended", func(f *Fleet) {
		Set(f.Get(mgmt, "VirtualMesh", "vm"), "status.conditions", []any{
			Object{"state": "FINISHED", "timestamp": At(time.Hour)}, Object{"state": "FAILED", "timestamp": At(48 * time.Hour)},
		})
	}},
	{"a rotation of the root that waits for somebody", func(f *Fleet) {
		Set(f.Get(mgmt, "VirtualMesh", "vm"), "status.conditions", []any{Object{"state": "VERIFYING", "timestamp": At(2 * time.Hour)}})
	}},
	{"a given root", func(f *Fleet) { GiveRoot(f, sharedRoot(f).PEM(), sharedRoot(f).KeyPEM()) }},
	{"a given root that is kept elsewhere once all certificates are issued", func(f *Fleet) { GiveRoot(f, "", "") }},
	{"a given root beside the one of before", func(f *Fleet) {
		other := istiotest.Root(istiotest.Spec{Name: "another"})
		GiveRoot(f, other.PEM()+sharedRoot(f).PEM(), other.KeyPEM())
	}},
	{"a given root that is rotated", func(f *Fleet) {
		other := istiotest.Root(istiotest.Spec{Name: "another"})
		GiveRoot(f, other.PEM(), other.KeyPEM())
		Set(f.Get(mgmt, "VirtualMesh", "vm"), "status.conditions", []any{Object{"state": "ADDING_NEW_ROOT", "timestamp": At(time.Minute)}})
	}},
	{"workloads that have renewed their certificates", func(f *Fleet) {
		republished(f, 13*time.Hour)
	}},
	{"workloads that started after the root changed", func(f *Fleet) {
		republished(f, 2*time.Hour)
		Set(f.Get(west, "Pod", "reviews-5d7f9c6b8-0"), "status.startTime", At(time.Hour))
	}},
	{"the first root of a cluster", func(f *Fleet) {
		republished(f, 72*time.Hour)
		Set(f.Get(west, "Pod", "reviews-5d7f9c6b8-0"), "status.startTime", At(73*time.Hour))
	}},
	{"Gloo Edge, which has registrations also", func(f *Fleet) {
		f.Groups[east]["multicluster.solo.io"] = []string{"v1alpha1"}
	}},
	{"definitions from before an upgrade", func(f *Fleet) {
		f.Groups[west]["certificates.zephyr.solo.io"] = []string{"v1alpha1"}
		f.Groups[mgmt]["networking.mesh.gloo.solo.io"] = append(f.Groups[mgmt]["networking.mesh.gloo.solo.io"], "v1alpha2")
	}},
	{"definitions of another generation, which is not installed", func(f *Fleet) {
		other := Gloo11
		if f.Domain == Gloo11.Domain {
			other = Hub
		}
		for _, group := range []string{"networking.", "discovery."} {
			f.Groups[mgmt][group+other.Domain] = []string{other.Version}
		}
		for _, c := range []string{east, west, north} {
			f.Groups[c]["certificates."+other.Domain] = []string{other.Version}
		}
	}},
	{"a state map with a key for a cluster", func(f *Fleet) {
		Set(f.Get(mgmt, "TrafficPolicy", "trafficpolicy"), "status."+f.Targets, Object{
			"reviews-shop-east." + f.Namespace + ".mgmt": Object{"state": "ACCEPTED", "acceptanceOrder": 1},
		})
	}},
}
