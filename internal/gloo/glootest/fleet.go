// Package glootest has Gloo Mesh fleets for tests: healthy ones of several releases, made of what their
// controllers write, and changes of them.
package glootest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// Object is an object as JSON has it.
type Object = map[string]any

// Release is one whose objects are made.
type Release struct {
	// Tag is that of the images, Namespace that of the installation.
	Tag, Namespace string
	// Domain is the end of the names of groups, Version that in which they are served.
	Domain, Version string
	// TargetKind is the kind of a service that was discovered, Targets the map of states in a policy.
	TargetKind, Targets string
	// Strings: numbers of 64 bits are written as strings.
	Strings bool
	// East: gateways are in the status of a mesh, not in its spec.
	East bool
}

// The releases.
var (
	Hub = Release{
		Tag: "0.8.1", Namespace: "service-mesh-hub", Domain: "smh.solo.io", Version: "v1alpha2", TargetKind: "TrafficTarget",
		Targets: "trafficTargets", Strings: true,
	}
	Gloo10 = Release{
		Tag: "1.0.9", Namespace: "gloo-mesh", Domain: "mesh.gloo.solo.io", Version: "v1", TargetKind: "Destination", Targets: "destinations",
	}
	Gloo11 = Release{
		Tag: "1.1.0-beta18", Namespace: "gloo-mesh", Domain: "mesh.gloo.solo.io", Version: "v1", TargetKind: "Destination",
		Targets: "destinations", East: true,
	}
)

// Releases are all of them.
var Releases = []Release{Hub, Gloo10, Gloo11}

// Fleet is a management cluster, called mgmt, and the clusters that it manages.
type Fleet struct {
	Release
	Istio *istiotest.Fleet
	// Objects are those that the clusters have besides Istio's, by their names.
	Objects map[string][]Object
	// Groups are the API groups that each cluster serves, with their versions.
	Groups map[string]map[string][]string
}

// Management is the name of the management cluster.
const Management = "mgmt"

// Networking is the group of what people write, and so on.
func (r Release) Networking() string   { return "networking." + r.Domain + "/" + r.Version }
func (r Release) discovery() string    { return "discovery." + r.Domain + "/" + r.Version }
func (r Release) certificates() string { return "certificates." + r.Domain + "/" + r.Version }

// MeshName is the name of the mesh of a cluster.
func MeshName(cluster string) string { return "istiod-istio-system-" + cluster }

// Generation is a generation as the release writes it into a status.
func (r Release) Generation(n int) any {
	if r.Strings {
		return fmt.Sprint(n)
	}
	return n
}

// Address is that of the gateway of the cluster at a place of the list.
func Address(at int) string { return fmt.Sprintf("192.0.2.%d", 10*(at+1)) }

// Healthy makes a fleet in which all is well: one VirtualMesh with a shared root, and a service in each cluster
// that the others know.
func Healthy(r Release, clusters ...string) *Fleet {
	f := &Fleet{Release: r, Istio: istiotest.Healthy(append([]string{Management}, clusters...)...), Objects: map[string][]Object{}}
	f.Groups = map[string]map[string][]string{Management: {
		"networking." + r.Domain: {r.Version}, "discovery." + r.Domain: {r.Version}, "multicluster.solo.io": {"v1alpha1"},
	}}
	if r.Domain != Hub.Domain {
		f.Groups[Management]["settings."+r.Domain] = []string{r.Version}
	}
	for _, c := range f.Istio.Clusters {
		c.Remotes = nil
		c.Namespaces = map[string]map[string]string{r.Namespace: nil, "shop": {"istio-injection": "enabled"}}
		c.NoIstio = c.Name == Management
	}
	f.management(clusters)
	for at, name := range clusters {
		f.Groups[name] = map[string][]string{"certificates." + r.Domain: {r.Version}}
		f.member(at, name, clusters)
	}
	return f
}

// Add puts an object into a cluster.
func (f *Fleet) Add(cluster string, o Object) { f.Objects[cluster] = append(f.Objects[cluster], o) }

// Get is an object of a cluster, to be changed.
func (f *Fleet) Get(cluster, kind, name string) Object {
	for _, o := range f.Objects[cluster] {
		if o["kind"] == kind && o["metadata"].(Object)["name"] == name {
			return o
		}
	}
	panic(fmt.Sprintf("%s has no %s %s", cluster, kind, name))
}

// Drop takes objects of a kind out of a cluster: the one of a name, or all for "".
func (f *Fleet) Drop(cluster, kind, name string) {
	f.Objects[cluster] = slices.DeleteFunc(f.Objects[cluster], func(o Object) bool {
		return o["kind"] == kind && (name == "" || o["metadata"].(Object)["name"] == name)
	})
}

// Set sets a field of an object, by a path with dots; nil takes it away.
func Set(o Object, path string, value any) {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		next, ok := o[name].(Object)
		if !ok || next == nil {
			next = Object{}
			o[name] = next
		}
		o = next
	}
	if value == nil {
		delete(o, names[len(names)-1])
		return
	}
	o[names[len(names)-1]] = value
}

// At is a time before the fleet is read.
func At(before time.Duration) string { return istiotest.Now.Add(-before).UTC().Format(time.RFC3339) }

// object makes an object that was written three days before.
func object(version, kind, namespace, name string, further Object) Object {
	out := Object{"apiVersion": version, "kind": kind, "metadata": Object{
		"name": name, "namespace": namespace, "generation": 1, "creationTimestamp": At(72 * time.Hour),
	}}
	maps.Copy(out, further)
	return out
}

func ref(namespace, name string) Object { return Object{"namespace": namespace, "name": name} }

// owned marks what a management plane wrote to a cluster.
func (f *Fleet) owned(o Object, cluster string) Object {
	Set(o, "metadata.labels", Object{"owner.networking." + f.Domain: f.Namespace, "cluster.multicluster.solo.io": cluster})
	return o
}

// Deployment makes a Deployment of Gloo Mesh that runs.
func (f *Fleet) Deployment(app string) Object {
	labels := Object{"app": app}
	o := object("apps/v1", "Deployment", f.Namespace, app, Object{
		"spec": Object{
			"replicas": 1, "selector": Object{"matchLabels": labels},
			"template": Object{"metadata": Object{"labels": labels}, "spec": Object{"containers": []any{
				Object{"name": app, "image": "registry.example/gloo-mesh/" + app + ":" + f.Tag},
			}}},
		},
		"status": Object{"replicas": 1, "readyReplicas": 1, "availableReplicas": 1},
	})
	Set(o, "metadata.labels", labels)
	return o
}

// management fills the management cluster.
func (f *Fleet) management(clusters []string) {
	for _, app := range []string{"discovery", "networking"} {
		f.Add(Management, f.Deployment(app))
	}
	states, meshes := Object{}, []any{}
	for at, name := range clusters {
		f.Register(name)
		f.Add(Management, f.mesh(at, name))
		states[MeshName(name)+"."+f.Namespace+"."] = Object{"state": "ACCEPTED"}
		meshes = append(meshes, ref(f.Namespace, MeshName(name)))
		for _, service := range [][2]string{{"shop", "reviews"}, {"istio-system", "istio-ingressgateway"}} {
			f.Add(Management, f.target(service[0], service[1], name, clusters))
		}
	}
	if f.Domain != Hub.Domain {
		f.Add(Management, object("settings."+f.Domain+"/"+f.Version, "Settings", f.Namespace, "settings", Object{
			"spec": Object{"discovery": Object{"istio": Object{}}}, "status": Object{"observedGeneration": f.Generation(1), "state": "ACCEPTED"},
		}))
	}
	federation := Object{}
	if f.East {
		federation["selectors"] = []any{Object{}}
	}
	f.Add(Management, object(f.Networking(), "VirtualMesh", f.Namespace, "vm", Object{
		"spec": Object{
			"meshes": meshes, "federation": federation,
			"mtlsConfig": Object{"autoRestartPods": true, "shared": Object{"rootCertificateAuthority": Object{"generated": Object{}}}},
		},
		"status": Object{"observedGeneration": f.Generation(1), "state": "ACCEPTED", "meshes": states},
	}))
	for _, kind := range []string{"TrafficPolicy", "AccessPolicy"} {
		f.Add(Management, object(f.Networking(), kind, "shop", strings.ToLower(kind), Object{
			"spec": Object{"destinationSelector": []any{Object{"kubeServiceRefs": Object{"services": []any{
				Object{"namespace": "shop", "name": "reviews", "clusterName": clusters[0]},
			}}}}},
			"status": Object{"observedGeneration": f.Generation(1), "state": "ACCEPTED", f.Targets: Object{
				"reviews-shop-" + clusters[0] + "." + f.Namespace + ".": Object{"state": "ACCEPTED"},
			}},
		}))
	}
}

// Register registers a cluster with the management plane.
func (f *Fleet) Register(name string) {
	f.Add(Management, object("multicluster.solo.io/v1alpha1", "KubernetesCluster", f.Namespace, name, Object{
		"spec": Object{"secretName": name, "clusterDomain": "cluster.local"}, "status": Object{"namespace": f.Namespace},
	}))
	f.Add(Management, f.Kubeconfig(name, "https://"+name+".example:6443", istiotest.Token(name)))
}

// Kubeconfig is the Secret by which the management plane reaches a cluster.
func (f *Fleet) Kubeconfig(name, server, token string) Object {
	text := fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: %q}}], "+
		"contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {token: %s}}]}", server, token)
	return object("v1", "Secret", f.Namespace, name, Object{"type": "solo.io/kubeconfig", "data": Object{"kubeconfig": []byte(text)}})
}

func (f *Fleet) mesh(at int, name string) Object {
	gateway := Object{
		"externalAddress": Address(at), "externalTlsPort": 15443, "tlsContainerPort": 15443, "workloadLabels": Object{"istio": "ingressgateway"},
	}
	istio := Object{"installation": Object{
		"cluster": name, "namespace": "istio-system", "podLabels": Object{"istio": "pilot"}, "version": "1.29.1",
	}}
	status := Object{"appliedVirtualMesh": Object{"ref": ref(f.Namespace, "vm"), "observedGeneration": f.Generation(1)}}
	if f.Domain == Hub.Domain {
		istio["citadelInfo"] = Object{"trustDomain": "cluster.local"}
	} else {
		istio["trustDomain"] = "cluster.local"
	}
	if f.East {
		status["appliedEastWestIngressGateways"] = []any{Object{
			"destinationRef": ref(f.Namespace, "istio-ingressgateway-istio-system-"+name), "externalAddresses": []any{Address(at)},
			"destinationPort": 15443, "containerPort": 15443,
		}}
	} else {
		istio["ingressGateways"] = []any{gateway}
	}
	return object(f.discovery(), "Mesh", f.Namespace, MeshName(name), Object{
		"spec": Object{"istio": istio, "agentInfo": Object{"agentNamespace": f.Namespace}}, "status": status,
	})
}

// Named gives the gateway of a cluster a name in the place of its address, everywhere.
func (f *Fleet) Named(cluster, name string) {
	var before any
	for _, o := range f.Objects[cluster] {
		if o["kind"] == "Service" && o["metadata"].(Object)["name"] == "istio-ingressgateway" {
			ingress := o["status"].(Object)["loadBalancer"].(Object)["ingress"].([]any)[0].(Object)
			before = ingress["ip"]
			delete(ingress, "ip")
			ingress["hostname"] = name
		}
	}
	var replace func(any) any
	replace = func(v any) any {
		switch v := v.(type) {
		case Object:
			for k := range v {
				v[k] = replace(v[k])
			}
		case []any:
			for i := range v {
				v[i] = replace(v[i])
			}
		default:
			if v == before {
				return name
			}
		}
		return v
	}
	for _, objects := range f.Objects {
		for _, o := range objects {
			replace(o)
		}
	}
}

// GatewayAt puts the gateway of a cluster of release 1.1 somewhere else, everywhere.
func (f *Fleet) GatewayAt(cluster, address string, port int) {
	f.Named(cluster, address)
	Set(f.Get(cluster, "Service", "istio-ingressgateway"), "spec.ports", []any{Object{"name": "tls", "port": port, "targetPort": 15443}})
	for _, g := range f.Get(Management, "Mesh", MeshName(cluster))["status"].(Object)["appliedEastWestIngressGateways"].([]any) {
		g.(Object)["destinationPort"] = port
	}
	for _, objects := range f.Objects {
		for _, o := range objects {
			if o["kind"] != "ServiceEntry" || !strings.HasSuffix(o["metadata"].(Object)["name"].(string), ".svc."+cluster+".global") {
				continue
			}
			endpoints, _ := o["spec"].(Object)["endpoints"].([]any)
			for _, e := range endpoints {
				if e.(Object)["address"] == address {
					e.(Object)["ports"] = Object{"http": port}
				}
			}
		}
	}
}

// Host is the name by which other clusters know a service.
func Host(service, namespace, cluster string) string {
	return service + "." + namespace + ".svc." + cluster + ".global"
}

func (f *Fleet) target(namespace, service, cluster string, clusters []string) Object {
	o := object(f.discovery(), f.TargetKind, f.Namespace, service+"-"+namespace+"-"+cluster, Object{"spec": Object{
		"mesh":        ref(f.Namespace, MeshName(cluster)),
		"kubeService": Object{"ref": Object{"namespace": namespace, "name": service, "clusterName": cluster}},
	}, "status": Object{}})
	if f.Domain == Hub.Domain {
		return o
	}
	to := []any{}
	for _, other := range clusters {
		if other != cluster {
			to = append(to, ref(f.Namespace, MeshName(other)))
		}
	}
	Set(o, "status.appliedFederation", Object{
		"federatedHostname": Host(service, namespace, cluster), "federatedToMeshes": to, "virtualMeshRef": ref(f.Namespace, "vm"),
	})
	return o
}

// member fills a managed cluster.
func (f *Fleet) member(at int, name string, clusters []string) {
	f.Add(name, f.Deployment("cert-agent"))
	f.Add(name, f.owned(object(f.certificates(), "IssuedCertificate", f.Namespace, MeshName(name), Object{
		"spec": Object{
			"hosts":                   []any{"spiffe://cluster.local/ns/istio-system/sa/istiod-service-account"},
			"issuedCertificateSecret": ref("istio-system", "cacerts"), "podBounceDirective": ref(f.Namespace, MeshName(name)),
		},
		"status": Object{"observedGeneration": f.Generation(1), "state": "FINISHED"},
	}), name))
	f.Add(name, f.owned(object(f.certificates(), "PodBounceDirective", f.Namespace, MeshName(name), Object{
		"spec":   Object{"podsToBounce": []any{Object{"namespace": "istio-system", "labels": Object{"istio": "pilot"}}}},
		"status": Object{"podsBounced": []any{Object{"bouncedPods": []any{"istiod-0"}}}},
	}), name))
	f.Istio.Get(name).Change = func(o runtime.Object) {
		if s, ok := o.(*corev1.Secret); ok && s.Name == "cacerts" {
			s.Labels, s.Type = map[string]string{"agent.certificates." + f.Domain: f.Namespace},
				corev1.SecretType("certificates."+f.Domain+"/issued_certificate")
		}
	}
	node := name + "-node-0"
	f.Add(name, object("v1", "Node", "", node, Object{"status": Object{"addresses": []any{
		Object{"type": "InternalIP", "address": fmt.Sprintf("172.18.%d.2", at)},
	}}}))
	ready := Object{
		"phase": "Running", "podIP": fmt.Sprintf("10.%d.0.9", at), "conditions": []any{Object{"type": "Ready", "status": "True"}},
	}
	gateway := object("v1", "Pod", "istio-system", "istio-ingressgateway-0", Object{
		"spec": Object{"nodeName": node, "containers": []any{Object{"name": "istio-proxy",
			"image": "registry.example/istio/proxyv2:1.29.1"}}}, "status": ready,
	})
	Set(gateway, "metadata.labels", Object{"app": "istio-ingressgateway", "istio": "ingressgateway"})
	f.Add(name, gateway)
	f.Add(name, object("v1", "Service", "istio-system", "istio-ingressgateway", Object{
		"spec": Object{
			"type": "LoadBalancer", "selector": Object{"app": "istio-ingressgateway", "istio": "ingressgateway"}, "clusterIP": "10.96.0.9",
			"ports": []any{
				Object{"name": "http2", "port": 80, "targetPort": 8080, "nodePort": 30080}, Object{"name": "tls", "port": 15443,
					"targetPort": 15443, "nodePort": 30443},
			},
		},
		"status": Object{"loadBalancer": Object{"ingress": []any{Object{"ip": Address(at)}}}},
	}))
	f.Add(name, object("v1", "Service", "shop", "reviews", Object{
		"spec": Object{"selector": Object{"app": "reviews"}, "clusterIP": "10.96.0.10", "ports": []any{Object{"name": "http", "port": 9080,
			"targetPort": 9080}}},
	}))
	f.Add(name, f.Pod(at, "reviews-5d7f9c6b8-0", Object{"app": "reviews", "security.istio.io/tlsMode": "istio"}))
	f.Add(name, f.owned(object("networking.istio.io/v1alpha3", "Gateway", "istio-system", "vm-"+f.Namespace, Object{"spec": Object{
		"selector": Object{"istio": "ingressgateway"}, "servers": []any{Object{
			"port": Object{"number": 15443, "protocol": "TLS", "name": "tls"}, "hosts": []any{"*.global"}, "tls": Object{"mode": "AUTO_PASSTHROUGH"},
		}},
	}}), name))
	f.rewrite(name)
	for owner, other := range clusters {
		if other == name {
			f.local(at, name)
			continue
		}
		for nth, service := range [][2]string{{"shop", "reviews"}, {"istio-system", "istio-ingressgateway"}} {
			host := Host(service[1], service[0], other)
			f.Add(name, f.owned(object("networking.istio.io/v1alpha3", "ServiceEntry", "istio-system", host, Object{"spec": Object{
				"hosts": []any{host}, "location": "MESH_INTERNAL", "resolution": "DNS", "addresses": []any{fmt.Sprintf("240.0.%d.%d", owner, nth+1)},
				"ports":     []any{Object{"name": "http", "number": 9080, "protocol": "HTTP"}},
				"endpoints": []any{Object{"address": Address(owner), "ports": Object{"http": 15443}, "labels": Object{"cluster": other}}},
			}}), name))
		}
	}
}

// rewrite adds the EnvoyFilter by which the gateway of a cluster knows the names by which others ask, where the release
// writes one.
func (f *Fleet) rewrite(cluster string) {
	if f.Domain != Hub.Domain {
		return
	}
	f.Add(cluster, f.owned(object("networking.istio.io/v1alpha3", "EnvoyFilter", "istio-system", "vm."+f.Namespace, Object{"spec": Object{
		"workloadSelector": Object{"labels": Object{"istio": "ingressgateway"}}, "configPatches": []any{Object{
			"applyTo": "NETWORK_FILTER", "match": Object{"context": "GATEWAY", "listener": Object{
				"portNumber": 15443, "filterChain": Object{"filter": Object{"name": "envoy.filters.network.sni_cluster"}},
			}},
			"patch": Object{"operation": "INSERT_AFTER", "value": Object{
				"name": "envoy.filters.network.tcp_cluster_rewrite", "typed_config": Object{
					"@type":           "type.googleapis.com/istio.envoy.config.filter.network.tcp_cluster_rewrite.v2alpha1.TcpClusterRewrite",
					"cluster_pattern": "\\." + cluster + ".global$", "cluster_replacement": ".cluster.local",
				},
			}},
		}},
	}}), cluster))
}

// local adds the ServiceEntry by which the gateway of a cluster finds the pods of a federated service of its own, where
// the release writes one.
func (f *Fleet) local(at int, cluster string) {
	if !f.East {
		return
	}
	host := Host("reviews", "shop", cluster)
	f.Add(cluster, f.owned(object("networking.istio.io/v1alpha3", "ServiceEntry", "istio-system", host, Object{"spec": Object{
		"hosts": []any{host}, "exportTo": []any{"."}, "location": "MESH_INTERNAL", "resolution": "STATIC",
		"ports":     []any{Object{"name": "http", "number": 9080, "protocol": "HTTP"}},
		"endpoints": []any{Object{"address": PodAddress(at), "ports": Object{"http": 9080}}},
	}}), cluster))
}

// PodAddress is that of the pod of the cluster at a place of the list.
func PodAddress(at int) string { return fmt.Sprintf("10.%d.0.7", at) }

// Pod makes one of namespace shop, with a sidecar, that is ready.
func (f *Fleet) Pod(at int, name string, labels Object) Object {
	o := object("v1", "Pod", "shop", name, Object{
		"spec": Object{"containers": []any{
			Object{"name": "app", "image": "registry.example/app"},
			Object{"name": "istio-proxy", "image": "registry.example/istio/proxyv2:1.29.1"},
		}},
		"status": Object{
			"phase": "Running", "podIP": PodAddress(at), "podIPs": []any{Object{"ip": PodAddress(at)}}, "startTime": At(72 * time.Hour),
			"conditions": []any{Object{"type": "Ready", "status": "True"}},
		},
	})
	Set(o, "metadata.labels", labels)
	Set(o, "metadata.ownerReferences", []any{Object{
		"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name[:strings.LastIndex(name, "-")], "controller": true,
		"uid": "00000000-0000-4000-8000-000000000000",
	}})
	return o
}

// Decoded are the objects of a cluster, as the program decodes them.
func (f *Fleet) Decoded(cluster string) []runtime.Object {
	var out []runtime.Object
	groups := []any{}
	for _, name := range slices.Sorted(maps.Keys(f.Groups[cluster])) {
		versions := []any{}
		for _, v := range f.Groups[cluster][name] {
			versions = append(versions, Object{"version": v})
		}
		groups = append(groups, Object{"name": name, "versions": versions})
	}
	all := append([]Object{{
		"apiVersion": "kubectl-mesh.dev/v1", "kind": "GlooGroups", "metadata": Object{"name": "gloo-mesh"}, "groups": groups,
	}}, f.Objects[cluster]...)
	for _, o := range all {
		text, err := json.Marshal(o)
		if err != nil {
			panic(err)
		}
		decoded, _, err := kinds.Codecs().UniversalDeserializer().Decode(text, nil, nil)
		if err != nil {
			panic(fmt.Sprintf("%s: %v", text, err))
		}
		out = append(out, decoded)
	}
	return out
}

// Facts are what a survey of the fleet would have read, by a user who may read everything.
func (f *Fleet) Facts() *facts.Fleet {
	objects := map[string][]runtime.Object{}
	for _, c := range f.Istio.Clusters {
		objects[c.Name] = f.Decoded(c.Name)
		c.Further = objects[c.Name]
	}
	out := f.Istio.Facts()
	for i := range out.Clusters {
		c := &out.Clusters[i]
		dump.Fill(c, objects[c.Context], append(slices.Clone(resources.Own), resources.Sidecars, resources.EnvoyFilters))
	}
	for context, refs := range model.New(out).Roots() {
		read := facts.Read[[]corev1.Secret]{State: facts.OK}
		for _, o := range objects[context] {
			if s, ok := o.(*corev1.Secret); ok && slices.Contains(refs, api.Ref{Namespace: s.Namespace, Name: s.Name}) {
				read.Value = append(read.Value, *resources.TrimRoot(s))
			}
		}
		resources.RootSecrets.Set(&out.Clusters[slices.IndexFunc(out.Clusters, func(c facts.Cluster) bool { return c.Context == context })], read)
	}
	return out
}
