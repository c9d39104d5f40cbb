package glootest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// Fault is a change of the healthy fleet of Members, and the only root cause of an error or warning that has to be
// found.
type Fault struct {
	Name string
	Do   func(*Fleet)
	// Want is the code, its severity and the clusters; More are codes that it causes.
	Want string
	More []finding.Code
	// Only are the releases that have the fault; nil for all.
	Only []Release
}

// Of reports whether a release has the fault.
func (c Fault) Of(r Release) bool { return c.Only == nil || slices.Contains(c.Only, r) }

// Members are the managed clusters of the fleets that faults are of.
var Members = []string{east, west, north}

const (
	east, west, north = "east", "west", "north"
	mgmt              = Management
)

// unissued takes away what the agent of a cluster made: istiod runs on a root of its own.
func unissued(f *Fleet, cluster string) {
	c := f.Istio.Get(cluster)
	c.SelfSign()
}

// bomb takes away what the management plane and the agent wrote, while istiod has the shared root in memory.
func bomb(f *Fleet, cluster string) {
	f.Drop(cluster, "IssuedCertificate", "")
	f.Drop(cluster, "PodBounceDirective", "")
	f.Istio.Get(cluster).CACerts = nil
}

// Stop leaves no replica of a Deployment that is ready.
func Stop(f *Fleet, cluster, app string) {
	d := f.Get(cluster, "Deployment", app)
	Set(d, "status.availableReplicas", 0)
	Set(d, "status.readyReplicas", 0)
}

// unlabelled gives a cluster a Secret cacerts that is not the agent's.
func unlabelled(f *Fleet, cluster string) {
	c := f.Istio.Get(cluster)
	c.Change = nil
	c.SelfSign()
	c.CACerts = c.CASecret
	root := istiotest.Root(istiotest.Spec{Name: "own"})
	c.Plug(root.Sub(istiotest.Spec{Name: "own intermediate"}))
}

// Certificate changes what is said of the certificate of a cluster.
func Certificate(f *Fleet, cluster, state, why string) {
	o := f.Get(cluster, "IssuedCertificate", MeshName(cluster))
	Set(o, "status.state", state)
	if why != "" {
		Set(o, "status.error", why)
	}
}

// GiveRoot names a Secret as the one with the root of the VirtualMesh, and makes it of a certificate and a key; without a
// certificate there is none.
func GiveRoot(f *Fleet, certificate, key string) {
	Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.mtlsConfig.shared.rootCertificateAuthority", Object{"secret": ref(f.Namespace, "mesh-root")})
	if certificate != "" {
		f.Add(mgmt, object("v1", "Secret", f.Namespace, "mesh-root", Object{"type": "Opaque", "data": Object{
			"root-cert.pem": []byte(certificate), "key.pem": []byte(key), "passphrase": []byte("hunter2"),
		}}))
	}
}

// MakeRoot puts a root into the Secret in which the management plane keeps the one that it made.
func MakeRoot(f *Fleet, certificate, key string) {
	f.Add(mgmt, f.owned(object("v1", "Secret", f.Namespace, "vm."+f.Namespace, Object{
		"type": "certificates." + f.Domain + "/generated_signing_cert",
		"data": Object{"root-cert.pem": []byte(certificate), "key.pem": []byte(key), "cert-chain.pem": []byte("")},
	}), ""))
}

// Enterprise adds an object of a kind of Gloo Mesh Enterprise.
func Enterprise(f *Fleet, kind, name string, status Object) {
	o := object("networking.enterprise.mesh.gloo.solo.io/v1beta1", kind, "shop", name, Object{})
	if status != nil {
		o["status"] = status
	}
	f.Add(mgmt, o)
	f.Groups[mgmt]["networking.enterprise.mesh.gloo.solo.io"] = []string{"v1beta1"}
}

// enterprise makes the management plane one of Gloo Mesh Enterprise.
func enterprise(f *Fleet) {
	f.Drop(mgmt, "Deployment", "networking")
	f.Drop(mgmt, "Deployment", "discovery")
	f.Add(mgmt, f.Deployment("enterprise-networking"))
}

// sharedRoot is the one that all clusters have.
func sharedRoot(f *Fleet) *istiotest.Authority { return f.Istio.Get(west).Signer.Top() }

// refused has the management plane refuse to sign the certificate of a cluster.
func refused(f *Fleet, cluster string) {
	Certificate(f, cluster, "FAILED", "")
	request(f, cluster, Object{"state": "FAILED", "error": "failed to find issuer's signing certificate"})
	unissued(f, cluster)
}

// refuse has the VirtualMesh refused, upon which the management plane deletes all that it wrote for its members.
func refuse(f *Fleet, members ...string) {
	vm := f.Get(mgmt, "VirtualMesh", "vm")
	Set(vm, "status.state", "INVALID")
	Set(vm, "status.errors", []any{"Invalid Destination selector"})
	Set(vm, "status.meshes", nil)
	all(f, f.TargetKind, func(o Object) { Set(o, "status.appliedFederation", nil) })
	for _, c := range members {
		Set(f.Get(mgmt, "Mesh", MeshName(c)), "status", nil)
		f.Drop(c, "ServiceEntry", "")
		f.Drop(c, "Gateway", "")
		bomb(f, c)
	}
}

// managed makes the management cluster a member of the VirtualMesh.
func managed(f *Fleet) {
	vm, of := f.Get(mgmt, "VirtualMesh", "vm"), len(Members)
	f.Register(mgmt)
	f.Add(mgmt, f.mesh(of, mgmt))
	f.Groups[mgmt]["certificates."+f.Domain] = []string{f.Version}
	f.member(of, mgmt, append(slices.Clone(Members), mgmt))
	f.Drop(mgmt, "Service", "reviews")
	f.Drop(mgmt, "Pod", "reviews-5d7f9c6b8-0")
	f.Istio.Get(mgmt).NoIstio = false
	itself := ref(f.Namespace, MeshName(mgmt))
	Set(vm, "spec.meshes", append(vm["spec"].(Object)["meshes"].([]any), itself))
	all(f, f.TargetKind, func(o Object) {
		if applied, ok := o["status"].(Object)["appliedFederation"].(Object); ok {
			applied["federatedToMeshes"] = append(applied["federatedToMeshes"].([]any), itself)
		}
	})
}

// rootOfAgent makes the management cluster a member, and its Secret cacerts the root of the VirtualMesh.
func rootOfAgent(f *Fleet) {
	managed(f)
	unlabelled(f, mgmt)
	Certificate(f, mgmt, "ISSUED", "")
	Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.mtlsConfig.shared.rootCertificateAuthority",
		Object{"secret": ref("istio-system", "cacerts")})
}

// request adds a request of the agent.
func request(f *Fleet, cluster string, status Object) {
	o := Object{
		"apiVersion": f.Get(cluster, "IssuedCertificate", MeshName(cluster))["apiVersion"], "kind": "CertificateRequest",
		"metadata": Object{"name": MeshName(cluster), "namespace": f.Namespace, "creationTimestamp": At(time.Hour)},
	}
	if status != nil {
		o["status"] = status
	}
	f.Add(cluster, o)
}

// virtualMesh adds a VirtualMesh.
func virtualMesh(f *Fleet, name string, clusters ...string) {
	meshes := []any{}
	for _, c := range clusters {
		meshes = append(meshes, Object{"namespace": f.Namespace, "name": MeshName(c)})
	}
	f.Add(mgmt, Object{
		"apiVersion": f.Networking(), "kind": "VirtualMesh",
		"metadata": Object{"name": name, "namespace": f.Namespace, "generation": 1, "creationTimestamp": At(72 * time.Hour)},
		"spec":     Object{"meshes": meshes},
		"status":   Object{"observedGeneration": f.Generation(1), "state": "ACCEPTED"},
	})
}

// gateway changes what the management plane knows of the gateway of west.
func gateway(f *Fleet, addresses ...string) {
	m := f.Get(mgmt, "Mesh", MeshName(west))
	all := []any{}
	for _, a := range addresses {
		all = append(all, a)
	}
	switch {
	case f.East && len(addresses) == 0:
		Set(m["status"].(Object)["appliedEastWestIngressGateways"].([]any)[0].(Object), "externalAddresses", nil)
	case f.East:
		Set(m["status"].(Object)["appliedEastWestIngressGateways"].([]any)[0].(Object), "externalAddresses", all)
	case len(addresses) == 0:
		Set(m, "spec.istio.ingressGateways", nil)
	default:
		Set(m["spec"].(Object)["istio"].(Object)["ingressGateways"].([]any)[0].(Object),
			"externalAddress", addresses[0])
	}
}

// entries changes the endpoints of the ServiceEntries of a cluster that are of west.
func entries(f *Fleet, client string, endpoints ...any) {
	for _, o := range f.Objects[client] {
		if o["kind"] == "ServiceEntry" && strings.HasSuffix(o["metadata"].(Object)["name"].(string), ".svc."+west+".global") {
			Set(o, "spec.endpoints", endpoints)
		}
	}
}

// endpoint is one of a ServiceEntry.
func endpoint(address string, port int) Object {
	return Object{"address": address, "ports": Object{"http": port}}
}

// service is that of the gateway of west.
func service(f *Fleet) Object {
	return f.Get(west, "Service", "istio-ingressgateway")
}

// listener is the Gateway by which pods of west listen for the other clusters.
func listener(f *Fleet) Object { return f.Get(west, "Gateway", "vm-"+f.Namespace) }

// WithoutEntries takes away the ServiceEntries of a client's cluster that are of another one.
func WithoutEntries(f *Fleet, client, owner string) {
	for _, service := range [][2]string{{"shop", "reviews"}, {"istio-system", "istio-ingressgateway"}} {
		f.Drop(client, "ServiceEntry", Host(service[1], service[0], owner))
	}
}

// all changes all objects of a kind in the management cluster.
func all(f *Fleet, kind string, to func(Object)) {
	for _, o := range f.Objects[mgmt] {
		if o["kind"] == kind {
			to(o)
		}
	}
}

// withoutPods takes the endpoints from the ServiceEntries of service reviews of west: there is one for each pod that is
// ready.
func withoutPods(f *Fleet) {
	for _, c := range []string{east, west, north} {
		Set(f.Get(c, "ServiceEntry", Host("reviews", "shop", west)), "spec.endpoints", nil)
	}
}

// flatten leads the ServiceEntries of east that are of gateways to pods, as on a flat network.
func flatten(f *Fleet) {
	Set(f.Get(east, "ServiceEntry", Host("istio-ingressgateway", "istio-system", west)), "spec.endpoints", []any{endpoint("10.1.0.9", 8443)})
	for _, client := range []string{east, west, north} {
		for at, owner := range Members {
			if client == owner || client == east && owner == west {
				continue
			}
			Set(f.Get(client, "ServiceEntry", Host("reviews", "shop", owner)), "spec.endpoints", []any{endpoint(PodAddress(at), 9080)})
			Set(f.Get(client, "ServiceEntry", Host("istio-ingressgateway", "istio-system", owner)), "spec.endpoints", []any{
				endpoint(fmt.Sprintf("10.%d.0.9", at), 8443),
			})
		}
	}
}

// unfederated has the VirtualMesh federate nothing: it gives its meshes a common root, and no more.
func unfederated(f *Fleet) {
	Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.federation", Object{})
	all(f, f.TargetKind, func(o Object) { Set(o, "status.appliedFederation", nil) })
	for _, c := range Members {
		f.Drop(c, "ServiceEntry", "")
	}
}

// detectors have the Settings say how gateways are found.
func detectors(f *Fleet, by Object) {
	Set(f.Get(mgmt, "Settings", "settings"), "spec.discovery.istio.ingressGatewayDetectors", by)
}

// selected has the VirtualMesh select the gateways, by a port of some name.
func selected(f *Fleet, port string) {
	Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.federation.eastWestIngressGatewaySelectors", []any{Object{
		"destinationSelectors": []any{Object{"kubeServiceMatcher": Object{"labels": Object{"istio": "ingressgateway"}}}}, "portName": port,
	}})
}

// republished makes istiod of west one that changed its root, some time before the fleet is read.
func republished(f *Fleet, before time.Duration) {
	c := f.Istio.Get(west)
	change := c.Change
	c.Change = func(o runtime.Object) {
		change(o)
		if m, ok := o.(*corev1.ConfigMap); ok && m.Name == "istio-ca-root-cert" {
			m.CreationTimestamp = metav1.NewTime(istiotest.Now.Add(-72 * time.Hour))
			m.ManagedFields = []metav1.ManagedFieldsEntry{{
				Manager: "pilot-discovery", Operation: metav1.ManagedFieldsOperationUpdate, Time: &metav1.Time{Time: istiotest.Now.Add(-before)},
			}}
		}
	}
}

// behind makes an object one that was changed, and the management plane has not seen that.
func behind(o Object) { Set(o, "metadata.generation", 2) }

// Faults are those that are found.
var Faults = []Fault{
	// F1: the chain to secret cacerts.
	{"no agent is known", func(f *Fleet) {
		Set(f.Get(mgmt, "Mesh", MeshName(west)), "spec.agentInfo", nil)
		f.Drop(west, "IssuedCertificate", "")
		f.Drop(west, "Deployment", "cert-agent")
		f.Groups[west] = nil
		f.Drop(west, "PodBounceDirective", "")
		unissued(f, west)
	}, "CERT201 error west", nil, nil},
	{"the agent has no label", func(f *Fleet) {
		Set(f.Get(mgmt, "Mesh", MeshName(west)), "spec.agentInfo", nil)
		f.Drop(west, "IssuedCertificate", "")
		Set(f.Get(west, "Deployment", "cert-agent"), "spec.template.metadata.labels", Object{"name": "cert-agent"})
		unissued(f, west)
	}, "CERT201 error west", nil, nil},
	{"no certificate is ordered", func(f *Fleet) {
		f.Drop(west, "IssuedCertificate", "")
		unissued(f, west)
	}, "CERT202 error west", nil, nil},
	{"no certificate is requested", func(f *Fleet) {
		Certificate(f, west, "REQUESTED", "")
		unissued(f, west)
	}, "CERT203 error west", nil, nil},
	{"the agent is down", func(f *Fleet) {
		Set(f.Get(west, "IssuedCertificate", MeshName(west)), "status", nil)
		Stop(f, west, "cert-agent")
		unissued(f, west)
	}, "CP202 error west", []finding.Code{"CERT203"}, nil},
	{"the agent is gone", func(f *Fleet) {
		f.Drop(west, "Deployment", "cert-agent")
	}, "CP202 error west", nil, nil},
	{"nobody signs", func(f *Fleet) {
		Certificate(f, west, "REQUESTED", "")
		request(f, west, nil)
		unissued(f, west)
	}, "CERT203 error west", nil, nil},
	{"the root's secret is missing", func(f *Fleet) {
		Certificate(f, west, "FAILED", "signing secret not found")
		request(f, west, Object{"state": "FAILED", "error": "signing secret not found"})
		unissued(f, west)
	}, "CERT203 error west", nil, nil},
	{"the Secret was deleted", func(f *Fleet) { unissued(f, west) }, "CERT204 error west", nil, nil},
	// F2: Istio's rules say it.
	{"istiod was not restarted", func(f *Fleet) {
		c := f.Istio.Get(west)
		c.Published = istiotest.Root(istiotest.Spec{Name: "cluster.local"}).PEM()
		c.CACertsWritten = istiotest.Now.Add(-24 * time.Hour)
	}, "CERT004 error west", nil, nil},
	{"pods wait to be restarted", func(f *Fleet) {
		Certificate(f, west, "ISSUED", "")
		Set(f.Get(west, "PodBounceDirective", MeshName(west)), "status", nil)
	}, "CERT206 warning west", nil, []Release{Gloo10, Gloo11}},
	// F3: addresses of gateways.
	{"the load balancer is pending", func(f *Fleet) {
		Set(service(f), "status", nil)
		gateway(f)
		WithoutEntries(f, east, west)
		WithoutEntries(f, north, west)
	}, "NET202 error west", nil, nil},
	{"nodes have internal addresses alone", func(f *Fleet) {
		Set(service(f), "spec.type", "NodePort")
		Set(service(f), "status", nil)
		gateway(f)
		entries(f, east)
		entries(f, north)
	}, "NET202 error west", []finding.Code{"EP207"}, []Release{Gloo11}},
	{"a gateway of type ClusterIP", func(f *Fleet) {
		Set(service(f), "spec.type", "ClusterIP")
		Set(service(f), "status", nil)
		gateway(f)
	}, "NET203 error west", nil, nil},
	{"no port tls", func(f *Fleet) {
		Set(service(f), "spec.ports", []any{Object{"name": "https", "port": 443, "targetPort": 8443}})
		gateway(f)
	}, "NET203 error west", nil, nil},
	{"a target port with a name", func(f *Fleet) {
		Set(service(f), "spec.ports", []any{Object{"name": "tls", "port": 15443, "targetPort": "tls"}})
		gateway(f)
	}, "NET203 error west", nil, []Release{Hub, Gloo10}},
	{"no pod of the gateway", func(f *Fleet) {
		f.Drop(west, "Pod", "istio-ingressgateway-0")
	}, "NET203 error west", nil, nil},
	{"no gateway", func(f *Fleet) {
		f.Drop(west, "Service", "istio-ingressgateway")
		f.Drop(west, "Pod", "istio-ingressgateway-0")
		f.Drop(mgmt, f.TargetKind, "istio-ingressgateway-istio-system-west")
		for _, c := range []string{east, north} {
			f.Drop(c, "ServiceEntry", Host("istio-ingressgateway", "istio-system", west))
			entries(f, c)
		}
		Set(f.Get(mgmt, "Mesh", MeshName(west)), "spec.istio.ingressGateways", nil)
		Set(f.Get(mgmt, "Mesh", MeshName(west)), "status.appliedEastWestIngressGateways", nil)
	}, "NET201 error west", nil, nil},
	{"one address for two gateways", func(f *Fleet) {
		gateway(f, Address(0))
		Set(service(f), "status.loadBalancer.ingress", []any{Object{"ip": Address(0)}})
		entries(f, east, endpoint(Address(0), 15443))
		entries(f, north, endpoint(Address(0), 15443))
	}, "NET206 error mgmt", nil, nil},
	{"an address of nobody", func(f *Fleet) {
		gateway(f, "127.0.0.1")
		Set(service(f), "status.loadBalancer.ingress", []any{Object{"ip": "127.0.0.1"}})
		entries(f, east, endpoint("127.0.0.1", 15443))
		entries(f, north, endpoint("127.0.0.1", 15443))
	}, "NET206 error mgmt", nil, nil},
	{"the name of a node", func(f *Fleet) {
		gateway(f, "node1")
		Set(service(f), "status.loadBalancer.ingress", []any{Object{"hostname": "node1"}})
		entries(f, east, endpoint("node1", 15443))
		entries(f, north, endpoint("node1", 15443))
	}, "NET206 warning mgmt", nil, nil},
	{"an address that is not routed", func(f *Fleet) {
		gateway(f, "169.254.7.7")
		Set(service(f), "status.loadBalancer.ingress", []any{Object{"ip": "169.254.7.7"}})
		entries(f, east, endpoint("169.254.7.7", 15443))
		entries(f, north, endpoint("169.254.7.7", 15443))
	}, "NET206 error mgmt", nil, nil},
	{"no gateway, and nothing is federated", func(f *Fleet) {
		unfederated(f)
		f.Drop(west, "Service", "istio-ingressgateway")
		f.Drop(west, "Pod", "istio-ingressgateway-0")
		f.Drop(west, "Gateway", "")
		f.Drop(mgmt, f.TargetKind, "istio-ingressgateway-istio-system-west")
		Set(f.Get(mgmt, "Mesh", MeshName(west)), "status.appliedEastWestIngressGateways", nil)
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		Set(vm, "status.state", "INVALID")
		Set(vm, "status.meshes", Object{MeshName(west) + "." + f.Namespace + ".": Object{
			"state": "INVALID", "errors": []any{"no Destinations selected as ingress gateway for mesh"},
		}})
	}, "NET201 error west", []finding.Code{"EP201"}, []Release{Gloo11}},
	{"no port of the name that a VirtualMesh has", func(f *Fleet) {
		selected(f, "mtls")
		for _, c := range []string{east, north} {
			Set(f.Get(c, "Service", "istio-ingressgateway"), "spec.ports", []any{Object{"name": "mtls", "port": 15443, "targetPort": 15443}})
		}
		gateway(f)
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		Set(vm, "status.state", "INVALID")
		Set(vm, "status.errors", []any{"ingress gateway destination port info could not be determined for tls port name: mtls"})
	}, "NET203 error west", []finding.Code{"EP201"}, []Release{Gloo11}},
	// F4: ServiceEntries.
	{"an old address in a client's cluster", func(f *Fleet) {
		entries(f, east, endpoint("198.51.100.7", 15443))
	}, "NET205 error east", nil, nil},
	{"an old port in a client's cluster", func(f *Fleet) {
		entries(f, east, endpoint(Address(1), 443))
	}, "NET205 error east", nil, nil},
	{"one of two addresses is old", func(f *Fleet) {
		entries(f, east, endpoint("198.51.100.7", 15443), endpoint(Address(1), 15443))
	}, "NET205 warning east", nil, nil},
	{"the address has changed, and discovery has not seen it", func(f *Fleet) {
		Set(service(f), "status.loadBalancer.ingress", []any{Object{"ip": "198.51.100.8"}})
	}, "NET204 error mgmt", []finding.Code{"NET205"}, nil},
	{"discovery is down, and the address has changed", func(f *Fleet) {
		Set(service(f), "status.loadBalancer.ingress", []any{Object{"ip": "198.51.100.8"}})
		Stop(f, mgmt, "discovery")
	}, "CP201 error mgmt", []finding.Code{"NET204", "NET205"}, nil},
	{"no ServiceEntry", func(f *Fleet) { WithoutEntries(f, east, west) }, "EP206 error east", nil, nil},
	{"a ServiceEntry without endpoints", func(f *Fleet) { entries(f, east) }, "EP207 error east", nil, nil},
	{"ServiceEntries of a cluster that is gone", func(f *Fleet) {
		f.Drop(mgmt, "KubernetesCluster", north)
		f.Drop(mgmt, "Secret", north)
		f.Drop(mgmt, "Mesh", MeshName(north))
		f.Drop(mgmt, f.TargetKind, "reviews-shop-north")
		f.Drop(mgmt, f.TargetKind, "istio-ingressgateway-istio-system-north")
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		Set(vm, "spec.meshes", vm["spec"].(Object)["meshes"].([]any)[:2])
		WithoutEntries(f, west, north)
		all(f, f.TargetKind, func(o Object) { Set(o, "status.appliedFederation", nil) })
	}, "EP208 warning east", nil, []Release{Gloo10, Gloo11}},
	// Names, and pods behind them.
	{"a suffix that proxies do not resolve", func(f *Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		Set(vm, "spec.federation.hostnameSuffix", "example")
		Set(vm, "status.state", "INVALID")
		Set(vm, "status.destinations", Object{"reviews-shop-east." + f.Namespace + ".": Object{
			"state": "INVALID", "errors": []any{"mesh does not have smart DNS proxying enabled"},
		}})
		for _, c := range []string{east, north} {
			Set(f.Get(mgmt, "Mesh", MeshName(c)), "spec.istio.smartDnsProxyingEnabled", true)
		}
		for _, c := range []string{east, west, north} {
			Set(f.Get(c, "Gateway", "vm-"+f.Namespace)["spec"].(Object)["servers"].([]any)[0].(Object), "hosts", []any{"*.example"})
		}
		WithoutEntries(f, west, east)
	}, "NET208 error mgmt", []finding.Code{"EP201", "EP206"}, []Release{Gloo10, Gloo11}},
	{"no pod of a federated service is ready", func(f *Fleet) {
		pod := f.Get(west, "Pod", "reviews-5d7f9c6b8-0")
		Set(pod, "status.conditions", []any{Object{"type": "Ready", "status": "False"}})
		withoutPods(f)
	}, "EP211 warning west", nil, []Release{Gloo11}},
	{"the gateway finds pods that are gone", func(f *Fleet) {
		Set(f.Get(west, "ServiceEntry", Host("reviews", "shop", west)), "spec.endpoints", []any{
			Object{"address": "10.1.0.77", "ports": Object{"http": 9080}},
		})
	}, "EP212 error west", nil, []Release{Gloo11}},
	{"the gateway finds pods of which some are gone", func(f *Fleet) {
		second := f.Pod(1, "reviews-5d7f9c6b8-1", Object{"app": "reviews", "security.istio.io/tlsMode": "istio"})
		Set(second, "status.podIP", "10.1.0.8")
		Set(second, "status.podIPs", []any{Object{"ip": "10.1.0.8"}})
		f.Add(west, second)
		Set(f.Get(west, "ServiceEntry", Host("reviews", "shop", west)), "spec.endpoints", []any{
			Object{"address": "10.1.0.77", "ports": Object{"http": 9080}}, Object{"address": PodAddress(1), "ports": Object{"http": 9080}},
		})
	}, "EP212 warning west", nil, []Release{Gloo11}},
	{"discovery is down, and pods have changed", func(f *Fleet) {
		Set(f.Get(west, "ServiceEntry", Host("reviews", "shop", west)), "spec.endpoints", []any{
			Object{"address": "10.1.0.77", "ports": Object{"http": 9080}},
		})
		Stop(f, mgmt, "discovery")
	}, "CP201 error mgmt", []finding.Code{"EP212"}, []Release{Gloo11}},
	{"pods that are gone, on a flat network", func(f *Fleet) {
		Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.federation.flatNetwork", true)
		Set(f.Get(east, "ServiceEntry", Host("reviews", "shop", west)), "spec.endpoints", []any{endpoint("10.1.0.77", 9080)})
		flatten(f)
	}, "EP212 error east", nil, []Release{Gloo10}},
	{"a service with a sidecar that is not discovered", func(f *Fleet) {
		f.Drop(mgmt, f.TargetKind, "reviews-shop-west")
		for _, c := range []string{east, west, north} {
			f.Drop(c, "ServiceEntry", Host("reviews", "shop", west))
		}
	}, "EP213 warning west", nil, nil},
	{"two names of one address", func(f *Fleet) {
		for _, owner := range []string{west, north} {
			o := f.Get(east, "ServiceEntry", Host("reviews", "shop", owner))
			Set(o, "spec.addresses", []any{"240.0.9.9"})
			Set(o, "spec.ports", []any{Object{"name": "tcp", "number": 9080, "protocol": "TCP"}})
		}
	}, "EP214 warning east", nil, nil},
	{"the gateway does not listen", func(f *Fleet) { f.Drop(west, "Gateway", "") }, "NET207 error west", nil, nil},
	{"the gateway listens at another port", func(f *Fleet) {
		Set(listener(f)["spec"].(Object)["servers"].([]any)[0].(Object), "port.number", 443)
	}, "NET207 error west", nil, nil},
	{"the listener is of other pods", func(f *Fleet) {
		Set(listener(f), "spec.selector", Object{"istio": "eastwestgateway"})
	}, "NET207 error west", nil, nil},
	{"names are not rewritten", func(f *Fleet) { f.Drop(west, "EnvoyFilter", "") }, "NET209 error west", nil, []Release{Hub}},
	{"names are rewritten at another port", func(f *Fleet) {
		patch := f.Get(west, "EnvoyFilter", "vm."+f.Namespace)["spec"].(Object)["configPatches"].([]any)[0].(Object)
		Set(patch, "match.listener.portNumber", 443)
	}, "NET209 error west", nil, []Release{Hub}},
	{"names are rewritten at other pods", func(f *Fleet) {
		Set(f.Get(west, "EnvoyFilter", "vm."+f.Namespace), "spec.workloadSelector.labels", Object{"istio": "eastwestgateway"})
	}, "NET209 error west", nil, []Release{Hub}},
	{"an object could not be written", func(f *Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		Set(vm, "status.state", "FAILED")
		Set(vm, "status.errors", []any{"write error: admission webhook denied the request"})
		WithoutEntries(f, east, west)
	}, "EP201 error mgmt", []finding.Code{"EP206"}, []Release{Gloo10, Gloo11}},
	// F5: two management planes.
	{"two owners", func(f *Fleet) {
		o := f.Get(west, "ServiceEntry", Host("reviews", "shop", east))
		o["metadata"].(Object)["labels"].(Object)["owner.networking."+f.Domain] = "other"
	}, "CP206 warning west", nil, nil},
	{"two certificates for one Secret", func(f *Fleet) {
		o := maps.Clone(f.Get(west, "IssuedCertificate", MeshName(west)))
		o["metadata"] = Object{
			"name": "istiod-istio-system-other", "namespace": f.Namespace, "creationTimestamp": At(time.Hour),
			"labels": Object{"owner.networking." + f.Domain: "other"},
		}
		f.Add(west, o)
	}, "CP206 error west", nil, nil},
	// F6: versions.
	{"an agent of another release", func(f *Fleet) {
		d := f.Get(west, "Deployment", "cert-agent")
		Set(d, "spec.template.spec.containers", []any{Object{"name": "cert-agent",
			"image": "registry.example/gloo-mesh/cert-agent:0.6.0"}})
	}, "CP203 warning west", nil, nil},
	{"definitions of another generation", func(f *Fleet) {
		other := "certificates.smh.solo.io"
		if f.Domain == "smh.solo.io" {
			other = "certificates.mesh.gloo.solo.io"
		}
		f.Groups[west] = map[string][]string{other: {"v1alpha2"}}
		f.Drop(west, "IssuedCertificate", "")
		f.Drop(west, "PodBounceDirective", "")
		unissued(f, west)
	}, "CP203 error west", []finding.Code{"CERT202"}, nil},
	{"definitions of another version", func(f *Fleet) {
		f.Groups[west] = map[string][]string{"certificates.mesh.gloo.solo.io": {"v1alpha2"}}
	}, "CP203 error west", nil, []Release{Gloo10, Gloo11}},
	{"a kind of which nothing is seen", func(f *Fleet) {
		second := maps.Clone(f.Get(mgmt, "TrafficPolicy", "trafficpolicy"))
		second["metadata"] = Object{"name": "poison", "namespace": "shop", "creationTimestamp": At(2 * time.Hour),
			"generation": 2}
		f.Add(mgmt, second)
		behind(f.Get(mgmt, "TrafficPolicy", "trafficpolicy"))
	}, "CP207 error mgmt", []finding.Code{"EP203"}, nil},
	// F7.
	{"secret cacerts of somebody else", func(f *Fleet) {
		Certificate(f, west, "ISSUED", "")
		unlabelled(f, west)
	}, "CERT205 error west", nil, nil},
	// F8.
	{"the VirtualMesh is refused, and the certificate is deleted", func(f *Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		Set(vm, "status.state", "INVALID")
		Set(vm, "status.meshes", Object{MeshName(west) + "." + f.Namespace + ".": Object{
			"state": "INVALID", "errors": []any{"no ingress gateway selected"},
		}})
		Set(f.Get(mgmt, "Mesh", MeshName(west)), "status.appliedVirtualMesh", nil)
		bomb(f, west)
	}, "EP201 error mgmt", []finding.Code{"CERT202", "CERT034", "EP209"}, nil},
	{"a VirtualMesh is refused, and all that was written for it is deleted", func(f *Fleet) {
		refuse(f, Members...)
	}, "EP201 error mgmt", []finding.Code{"CERT202", "CERT034", "EP209"}, []Release{Gloo11}},
	{"the same, of which the management cluster is a member", func(f *Fleet) {
		managed(f)
		refuse(f, append(slices.Clone(Members), mgmt)...)
	}, "EP201 error mgmt", []finding.Code{"CERT202", "CERT034", "EP209"}, []Release{Gloo11}},
	{"the certificate is deleted", func(f *Fleet) { bomb(f, west) }, "CERT202 error west", []finding.Code{"CERT034"}, nil},
	{"the rotation of the root has failed", func(f *Fleet) {
		Set(f.Get(mgmt, "VirtualMesh", "vm"), "status.conditions", []any{
			Object{"state": "ADDING_NEW_ROOT", "timestamp": At(3 * time.Hour)},
			Object{"state": "FAILED", "timestamp": At(2 * time.Hour), "message": "could not sign", "errors": []any{"no signer"}},
			Object{"state": "NOT_ROTATING", "timestamp": At(4 * time.Hour)},
		})
	}, "CERT208 error mgmt", nil, []Release{Gloo11}},
	{"the rotation of the root is taken back", func(f *Fleet) {
		Set(f.Get(mgmt, "VirtualMesh", "vm"), "status.conditions", []any{Object{"state": "ROLLING_BACK", "timestamp": At(time.Minute)}})
	}, "CERT208 warning mgmt", nil, []Release{Gloo11}},
	{"workloads were not restarted", func(f *Fleet) {
		republished(f, 2*time.Hour)
		Set(f.Get(west, "Pod", "reviews-5d7f9c6b8-0"), "status.startTime", At(3*time.Hour))
	}, "CERT209 warning west", nil, nil},
	// F9: kubeconfigs.
	{"no kubeconfig", func(f *Fleet) { f.Drop(mgmt, "Secret", west) }, "CP204 error mgmt", nil, nil},
	{"a kubeconfig of another type", func(f *Fleet) {
		f.Get(mgmt, "Secret", west)["type"] = "Opaque"
	}, "CP204 error mgmt", nil, nil},
	{"a kubeconfig of another cluster", func(f *Fleet) {
		f.Drop(mgmt, "Secret", west)
		f.Add(mgmt, f.Kubeconfig(west, "https://east.example:6443/", istiotest.Token(west)))
	}, "CP204 error mgmt", nil, nil},
	{"a kubeconfig that leads nowhere", func(f *Fleet) {
		f.Drop(mgmt, "Secret", west)
		f.Add(mgmt, f.Kubeconfig(west, "https://127.0.0.1:6443", istiotest.Token(west)))
	}, "CP204 error mgmt", nil, nil},
	{"a token that has expired", func(f *Fleet) {
		f.Drop(mgmt, "Secret", west)
		claims := fmt.Sprintf(`{"sub":"system:serviceaccount:%s:%s","exp":%d}`, f.Namespace, west, istiotest.Now.Add(-time.Hour).Unix())
		f.Add(mgmt, f.Kubeconfig(west, "https://west.example:6443", "e30."+base64.RawURLEncoding.EncodeToString([]byte(claims))+".c2ln"))
	}, "CP204 error mgmt", nil, nil},
	{"no kubeconfig, and nothing is written", func(f *Fleet) {
		f.Drop(mgmt, "Secret", west)
		WithoutEntries(f, west, east)
		WithoutEntries(f, west, north)
		f.Drop(west, "Gateway", "")
		f.Drop(west, "IssuedCertificate", "")
		unissued(f, west)
	}, "CP204 error mgmt", []finding.Code{"EP206", "NET207", "CERT202"}, nil},
	// F11.
	{"a mesh in two VirtualMeshes", func(f *Fleet) { virtualMesh(f, "second", west, north) }, "EP204 error mgmt", nil, nil},
	// F12.
	{"a request that is made again and again", func(f *Fleet) {
		Certificate(f, west, "ISSUED", "")
		request(f, west, nil)
		unissued(f, west)
	}, "CERT204 error west", nil, nil},
	// The management plane, and what it says.
	{"networking is down", func(f *Fleet) {
		Stop(f, mgmt, "networking")
		behind(f.Get(mgmt, "VirtualMesh", "vm"))
		WithoutEntries(f, east, west)
	}, "CP201 error mgmt", []finding.Code{"EP203", "EP206", "EP209"}, nil},
	{"networking is gone", func(f *Fleet) { f.Drop(mgmt, "Deployment", "networking") }, "CP201 error mgmt", nil, nil},
	{"networking is scaled to nothing", func(f *Fleet) {
		Stop(f, mgmt, "networking")
		Set(f.Get(mgmt, "Deployment", "networking"), "spec.replicas", 0)
	}, "CP201 error mgmt", nil, nil},
	{"a given root that is missing", func(f *Fleet) {
		GiveRoot(f, "", "")
		refused(f, west)
	}, "CERT210 error mgmt", []finding.Code{"CERT203"}, nil},
	{"a given root without a key", func(f *Fleet) { GiveRoot(f, sharedRoot(f).PEM(), "") }, "CERT210 warning mgmt", nil, nil},
	{"a given root with the key of another one", func(f *Fleet) {
		GiveRoot(f, sharedRoot(f).PEM(), istiotest.Root(istiotest.Spec{Name: "another"}).KeyPEM())
	}, "CERT210 warning mgmt", nil, nil},
	{"a given root with a certificate for its key", func(f *Fleet) {
		GiveRoot(f, sharedRoot(f).PEM(), sharedRoot(f).PEM())
		refused(f, west)
	}, "CERT210 error mgmt", []finding.Code{"CERT203"}, nil},
	{"a given root that is another one by now", func(f *Fleet) {
		other := istiotest.Root(istiotest.Spec{Name: "another"})
		GiveRoot(f, other.PEM(), other.KeyPEM())
	}, "CERT210 warning mgmt", nil, nil},
	{"a root that the agent replaces", rootOfAgent, "CERT210 error mgmt", []finding.Code{"CERT205"}, nil},
	{"a root that the management plane made again", func(f *Fleet) {
		other := istiotest.Root(istiotest.Spec{Name: "another"})
		MakeRoot(f, other.PEM(), other.KeyPEM())
	}, "CERT210 warning mgmt", nil, nil},
	{"no Settings", func(f *Fleet) {
		f.Drop(mgmt, "Settings", "")
		behind(f.Get(mgmt, "VirtualMesh", "vm"))
	}, "CP201 error mgmt", []finding.Code{"EP203", "EP209"}, []Release{Gloo10, Gloo11}},
	{"Settings that are refused", func(f *Fleet) {
		Set(f.Get(mgmt, "Settings", "settings"), "status", Object{"observedGeneration": 1, "state": "INVALID", "errors": []any{"no such server"}})
	}, "EP202 error mgmt", nil, []Release{Gloo10, Gloo11}},
	{"a VirtualDestination that a mesh does not have", func(f *Fleet) {
		enterprise(f)
		Enterprise(f, "VirtualDestination", "reviews", Object{"observedGeneration": 1, "state": "ACCEPTED"})
		Set(f.Get(mgmt, "Mesh", MeshName(west)), "status.appliedVirtualDestinations", []any{
			Object{"ref": ref("shop", "reviews"), "errors": []any{"no backing service"}},
		})
	}, "EP202 error mgmt", nil, []Release{Gloo11}},
	{"a filter that is not deployed to a workload", func(f *Fleet) {
		enterprise(f)
		Enterprise(f, "WasmDeployment", "filter", Object{"workloadStates": Object{
			"reviews-shop-west-deployment." + f.Namespace + ".": "DEPLOYMENT_FAILED",
			"reviews-shop-east-deployment." + f.Namespace + ".": "FILTERS_DEPLOYED",
		}})
	}, "EP202 error mgmt", nil, []Release{Gloo10}},
	{"a dependency that a workload does not have", func(f *Fleet) {
		enterprise(f)
		Enterprise(f, "ServiceDependency", "reviews", Object{"state": "INVALID", "workloads": Object{
			"reviews-shop-west-deployment." + f.Namespace + ".": Object{"state": "INVALID", "errors": []any{"no such destination"}},
		}})
	}, "EP202 error mgmt", nil, []Release{Gloo11}},
	{"a gateway of Gloo Mesh Enterprise with errors", func(f *Fleet) {
		enterprise(f)
		Enterprise(f, "VirtualGateway", "web", Object{"errors": []any{"no such gateway"}})
	}, "EP202 error mgmt", nil, []Release{Gloo11}},
	{"an object that the open release does not look at", func(f *Fleet) {
		Enterprise(f, "VirtualDestination", "reviews", nil)
	}, "EP203 error mgmt", nil, []Release{Gloo11}},
	{"the management plane was removed", func(f *Fleet) { f.Drop(mgmt, "Deployment", "") }, "CP201 warning mgmt", nil, nil},
	{"nothing is discovered", func(f *Fleet) {
		f.Drop(mgmt, "Mesh", MeshName(north))
		f.Drop(mgmt, f.TargetKind, "reviews-shop-north")
		f.Drop(mgmt, f.TargetKind, "istio-ingressgateway-istio-system-north")
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		Set(vm, "spec.meshes", vm["spec"].(Object)["meshes"].([]any)[:2])
	}, "CP205 error mgmt", nil, nil},
	{"a mesh that does not exist", func(f *Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		Set(vm, "spec.meshes", append(vm["spec"].(Object)["meshes"].([]any), Object{"namespace": f.Namespace,
			"name": "istiod-istio-system-wets"}))
	}, "EP205 error mgmt", nil, nil},
	{"a VirtualMesh with an error of an old release", func(f *Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		Set(vm, "status", Object{"observedGeneration": "1", "state": "INVALID", "validationErrors": []any{"mesh already " +
			"grouped"}})
	}, "EP201 error mgmt", nil, []Release{Hub}},
	{"a policy that is refused", func(f *Fleet) {
		p := f.Get(mgmt, "AccessPolicy", "accesspolicy")
		Set(p, "status.state", "INVALID")
		Set(p, "status."+f.Targets, Object{"reviews-shop-east." + f.Namespace + ".": Object{"state": "INVALID",
			"errors": []any{"no such subset"}}})
	}, "EP202 error mgmt", nil, nil},
	{"a policy that is pending", func(f *Fleet) {
		Set(f.Get(mgmt, "AccessPolicy", "accesspolicy"), "status", nil)
	}, "EP203 error mgmt", nil, nil},
	{"a VirtualMesh that is not observed", func(f *Fleet) {
		behind(f.Get(mgmt, "VirtualMesh", "vm"))
	}, "EP203 error mgmt", []finding.Code{"EP209"}, nil},
	{"a VirtualMesh that is not in effect", func(f *Fleet) {
		Set(f.Get(mgmt, "Mesh", MeshName(west)), "status.appliedVirtualMesh", nil)
	}, "EP209 error mgmt", nil, nil},
	{"a policy for a service that does not exist", func(f *Fleet) {
		p := f.Get(mgmt, "TrafficPolicy", "trafficpolicy")
		Set(p, "spec.destinationSelector", []any{Object{"kubeServiceRefs": Object{"services": []any{
			Object{"namespace": "shop", "name": "ratings", "clusterName": east},
		}}}})
		Set(p, "status."+f.Targets, nil)
	}, "EP210 warning mgmt", nil, nil},
}

// Ending gives all clusters of a fleet certificates that end in three days.
func Ending(f *Fleet) {
	end := istiotest.Spec{NotBefore: istiotest.Now.Add(-362 * 24 * time.Hour), NotAfter: istiotest.Now.Add(3 * 24 * time.Hour)}
	root := istiotest.Root(end)
	for _, c := range f.Istio.Clusters {
		if c.CACerts != nil {
			c.Plug(root.Sub(end))
		}
	}
}

// Unseen is a fleet of west and three other clusters over which meshctl check 1.1.0-beta18 prints three green lines,
// and ends with 0: west has no agent and no address of its gateway; another cluster has no kubeconfig; the certificate
// of the next one failed; that of the last one waits, and its Secret cacerts is not the agent's.
func Unseen(unreached, failed, waiting string) *Fleet {
	f := Healthy(Gloo11, append([]string{west}, finding.Distinct([]string{unreached, failed, waiting})...)...)
	Set(f.Get(mgmt, "Mesh", MeshName(west)), "spec.agentInfo", nil)
	gateway(f)
	Set(service(f), "status", nil)
	f.Drop(mgmt, "Secret", unreached)
	Certificate(f, failed, "FAILED", "signing secret not found")
	request(f, failed, Object{"state": "FAILED", "error": "signing secret not found"})
	unissued(f, failed)
	Certificate(f, waiting, "REQUESTED", "")
	unlabelled(f, waiting)
	return f
}
