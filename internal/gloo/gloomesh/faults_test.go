package gloomesh_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

var areas = []mesh.Area{mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints}

// judge is what all rules of Gloo Mesh and of Istio find; what a rule does and did not declare fails the test.
func judge(t *testing.T, f *facts.Fleet) finding.Result {
	t.Helper()
	options := rule.Options{Violated: func(s string) { t.Error(s) }}
	r := gloomesh.Judge(model.New(f), options)
	r.Merge(istiomesh.Judge(istio.New(f, istio.Options{}), options, areas...))
	gloomesh.Mesh{}.Explain(f, &r)
	r.Sort()
	return r
}

// alarms are the root causes of severity error and warning.
func alarms(r finding.Result) []finding.Finding {
	return slices.DeleteFunc(r.RootCauses(), func(f finding.Finding) bool { return f.Severity == finding.Note })
}

func line(f finding.Finding) string {
	return string(f.Severity) + " " + f.ID() + ": " + f.Title
}

// releases are those of which fleets are judged. The rules are the same for all: with the race detector one does.
func releases() []glootest.Release {
	if detectsRaces {
		return glootest.Releases[1:2]
	}
	return glootest.Releases
}

// Of a healthy fleet nothing is said, and everything of Gloo Mesh is checked.
func TestHealthy(t *testing.T) {
	for _, r := range releases() {
		t.Run(r.Tag, func(t *testing.T) {
			f := glootest.Healthy(r, "east", "west", "north").Facts()
			result := judge(t, f)
			for _, found := range result.Findings {
				t.Errorf("%s\n\t%+v", line(found), found.Evidence)
			}
			own := append(gloomesh.Mesh{}.Codes(areas...), "CERT002")
			for _, u := range result.Unknowns {
				if slices.ContainsFunc(u.Codes, func(code finding.Code) bool { return slices.Contains(own, code) }) {
					t.Errorf("not checked: %+v", u)
				}
			}
		})
	}
}

// fault is a change of the healthy fleet, and the only root cause of an error or warning that has to be found.
type fault struct {
	name string
	do   func(*glootest.Fleet)
	// want is the code, its severity and the clusters; more are codes that it causes.
	want string
	more []finding.Code
	// only are the releases that have the fault; nil for all.
	only []glootest.Release
}

const (
	east, west, north = "east", "west", "north"
	mgmt              = glootest.Management
)

// unissued takes away what the agent of a cluster made: istiod runs on a root of its own.
func unissued(f *glootest.Fleet, cluster string) {
	c := f.Istio.Get(cluster)
	c.SelfSign()
}

// bomb takes away what the management plane and the agent wrote, while istiod has the shared root in memory.
func bomb(f *glootest.Fleet, cluster string) {
	f.Drop(cluster, "IssuedCertificate", "")
	f.Drop(cluster, "PodBounceDirective", "")
	f.Istio.Get(cluster).CACerts = nil
}

// stop leaves no replica of a Deployment that is ready.
func stop(f *glootest.Fleet, cluster, app string) {
	d := f.Get(cluster, "Deployment", app)
	glootest.Set(d, "status.availableReplicas", 0)
	glootest.Set(d, "status.readyReplicas", 0)
}

func unlabelled(f *glootest.Fleet, cluster string) {
	c := f.Istio.Get(cluster)
	c.Change = nil
	c.SelfSign()
	c.CACerts = c.CASecret
	root := istiotest.Root(istiotest.Spec{Name: "own"})
	c.Plug(root.Sub(istiotest.Spec{Name: "own intermediate"}))
}

func certificate(f *glootest.Fleet, cluster, state, why string) {
	o := f.Get(cluster, "IssuedCertificate", glootest.MeshName(cluster))
	glootest.Set(o, "status.state", state)
	if why != "" {
		glootest.Set(o, "status.error", why)
	}
}

func request(f *glootest.Fleet, cluster string, status glootest.Object) {
	o := glootest.Object{
		"apiVersion": f.Get(cluster, "IssuedCertificate", glootest.MeshName(cluster))["apiVersion"], "kind": "CertificateRequest",
		"metadata": glootest.Object{"name": glootest.MeshName(cluster), "namespace": f.Namespace, "creationTimestamp": glootest.At(time.Hour)},
	}
	if status != nil {
		o["status"] = status
	}
	f.Add(cluster, o)
}

func virtualMesh(f *glootest.Fleet, name string, clusters ...string) {
	meshes := []any{}
	for _, c := range clusters {
		meshes = append(meshes, glootest.Object{"namespace": f.Namespace, "name": glootest.MeshName(c)})
	}
	f.Add(mgmt, glootest.Object{
		"apiVersion": f.Networking(), "kind": "VirtualMesh",
		"metadata": glootest.Object{"name": name, "namespace": f.Namespace, "generation": 1, "creationTimestamp": glootest.At(72 * time.Hour)},
		"spec":     glootest.Object{"meshes": meshes},
		"status":   glootest.Object{"observedGeneration": f.Generation(1), "state": "ACCEPTED"},
	})
}

// gateway changes what the management plane knows of the gateway of west.
func gateway(f *glootest.Fleet, addresses ...string) {
	m := f.Get(mgmt, "Mesh", glootest.MeshName(west))
	all := []any{}
	for _, a := range addresses {
		all = append(all, a)
	}
	switch {
	case f.East && len(addresses) == 0:
		glootest.Set(m["status"].(glootest.Object)["appliedEastWestIngressGateways"].([]any)[0].(glootest.Object), "externalAddresses", nil)
	case f.East:
		glootest.Set(m["status"].(glootest.Object)["appliedEastWestIngressGateways"].([]any)[0].(glootest.Object), "externalAddresses", all)
	case len(addresses) == 0:
		glootest.Set(m, "spec.istio.ingressGateways", nil)
	default:
		glootest.Set(m["spec"].(glootest.Object)["istio"].(glootest.Object)["ingressGateways"].([]any)[0].(glootest.Object),
			"externalAddress", addresses[0])
	}
}

// entries changes the endpoints of the ServiceEntries of a cluster that are of west.
func entries(f *glootest.Fleet, client string, endpoints ...any) {
	for _, o := range f.Objects[client] {
		if o["kind"] == "ServiceEntry" && strings.HasSuffix(o["metadata"].(glootest.Object)["name"].(string), ".svc."+west+".global") {
			glootest.Set(o, "spec.endpoints", endpoints)
		}
	}
}

func endpoint(address string, port int) glootest.Object {
	return glootest.Object{"address": address, "ports": glootest.Object{"http": port}}
}

// service is that of the gateway of west.
func service(f *glootest.Fleet) glootest.Object {
	return f.Get(west, "Service", "istio-ingressgateway")
}

func withoutEntries(f *glootest.Fleet, client, owner string) {
	for _, service := range [][2]string{{"shop", "reviews"}, {"istio-system", "istio-ingressgateway"}} {
		f.Drop(client, "ServiceEntry", glootest.Host(service[1], service[0], owner))
	}
}

func all(f *glootest.Fleet, kind string, to func(glootest.Object)) {
	for _, o := range f.Objects[mgmt] {
		if o["kind"] == kind {
			to(o)
		}
	}
}

func behind(o glootest.Object) { glootest.Set(o, "metadata.generation", 2) }

var faults = []fault{
	// F1: the chain to secret cacerts.
	{"no agent is known", func(f *glootest.Fleet) {
		glootest.Set(f.Get(mgmt, "Mesh", glootest.MeshName(west)), "spec.agentInfo", nil)
		f.Drop(west, "IssuedCertificate", "")
		f.Drop(west, "Deployment", "cert-agent")
		f.Groups[west] = nil
		f.Drop(west, "PodBounceDirective", "")
		unissued(f, west)
	}, "CERT201 error west", nil, nil},
	{"the agent has no label", func(f *glootest.Fleet) {
		glootest.Set(f.Get(mgmt, "Mesh", glootest.MeshName(west)), "spec.agentInfo", nil)
		f.Drop(west, "IssuedCertificate", "")
		glootest.Set(f.Get(west, "Deployment", "cert-agent"), "spec.template.metadata.labels", glootest.Object{})
		unissued(f, west)
	}, "CERT201 error west", nil, nil},
	{"no certificate is ordered", func(f *glootest.Fleet) {
		f.Drop(west, "IssuedCertificate", "")
		unissued(f, west)
	}, "CERT202 error west", nil, nil},
	{"no certificate is requested", func(f *glootest.Fleet) {
		certificate(f, west, "REQUESTED", "")
		unissued(f, west)
	}, "CERT203 error west", nil, nil},
	{"the agent is down", func(f *glootest.Fleet) {
		glootest.Set(f.Get(west, "IssuedCertificate", glootest.MeshName(west)), "status", nil)
		stop(f, west, "cert-agent")
		unissued(f, west)
	}, "CP202 error west", []finding.Code{"CERT203"}, nil},
	{"the agent is gone", func(f *glootest.Fleet) {
		f.Drop(west, "Deployment", "cert-agent")
	}, "CP202 error west", nil, nil},
	{"nobody signs", func(f *glootest.Fleet) {
		certificate(f, west, "REQUESTED", "")
		request(f, west, nil)
		unissued(f, west)
	}, "CERT203 error west", nil, nil},
	{"the root's secret is missing", func(f *glootest.Fleet) {
		certificate(f, west, "FAILED", "signing secret not found")
		request(f, west, glootest.Object{"state": "FAILED", "error": "signing secret not found"})
		unissued(f, west)
	}, "CERT203 error west", nil, nil},
	{"the Secret was deleted", func(f *glootest.Fleet) { unissued(f, west) }, "CERT204 error west", nil, nil},
	// F2: Istio's rules say it.
	{"istiod was not restarted", func(f *glootest.Fleet) {
		c := f.Istio.Get(west)
		c.Published = istiotest.Root(istiotest.Spec{Name: "cluster.local"}).PEM()
		c.CACertsWritten = istiotest.Now.Add(-24 * time.Hour)
	}, "CERT004 error west", nil, nil},
	{"pods wait to be restarted", func(f *glootest.Fleet) {
		certificate(f, west, "ISSUED", "")
		glootest.Set(f.Get(west, "PodBounceDirective", glootest.MeshName(west)), "status", nil)
	}, "CERT206 warning west", nil, []glootest.Release{glootest.Gloo10, glootest.Gloo11}},
	// F3: addresses of gateways.
	{"the load balancer is pending", func(f *glootest.Fleet) {
		glootest.Set(service(f), "status", nil)
		gateway(f)
		withoutEntries(f, east, west)
		withoutEntries(f, north, west)
	}, "NET202 error west", nil, nil},
	{"nodes have internal addresses alone", func(f *glootest.Fleet) {
		glootest.Set(service(f), "spec.type", "NodePort")
		glootest.Set(service(f), "status", nil)
		gateway(f)
		entries(f, east)
		entries(f, north)
	}, "NET202 error west", []finding.Code{"EP207"}, []glootest.Release{glootest.Gloo11}},
	{"a gateway of type ClusterIP", func(f *glootest.Fleet) {
		glootest.Set(service(f), "spec.type", "ClusterIP")
		glootest.Set(service(f), "status", nil)
		gateway(f)
	}, "NET203 error west", nil, nil},
	{"no port tls", func(f *glootest.Fleet) {
		glootest.Set(service(f), "spec.ports", []any{glootest.Object{"name": "https", "port": 443, "targetPort": 8443}})
		gateway(f)
	}, "NET203 error west", nil, nil},
	{"a target port with a name", func(f *glootest.Fleet) {
		glootest.Set(service(f), "spec.ports", []any{glootest.Object{"name": "tls", "port": 15443, "targetPort": "tls"}})
		gateway(f)
	}, "NET203 error west", nil, []glootest.Release{glootest.Hub, glootest.Gloo10}},
	{"no pod of the gateway", func(f *glootest.Fleet) {
		f.Drop(west, "Pod", "istio-ingressgateway-0")
	}, "NET203 error west", nil, nil},
	{"no gateway", func(f *glootest.Fleet) {
		f.Drop(west, "Service", "istio-ingressgateway")
		f.Drop(west, "Pod", "istio-ingressgateway-0")
		f.Drop(mgmt, f.TargetKind, "istio-ingressgateway-istio-system-west")
		for _, c := range []string{east, north} {
			f.Drop(c, "ServiceEntry", glootest.Host("istio-ingressgateway", "istio-system", west))
			entries(f, c)
		}
		glootest.Set(f.Get(mgmt, "Mesh", glootest.MeshName(west)), "spec.istio.ingressGateways", nil)
		glootest.Set(f.Get(mgmt, "Mesh", glootest.MeshName(west)), "status.appliedEastWestIngressGateways", nil)
	}, "NET201 error west", nil, nil},
	{"one address for two gateways", func(f *glootest.Fleet) {
		gateway(f, glootest.Address(0))
		glootest.Set(service(f), "status.loadBalancer.ingress", []any{glootest.Object{"ip": glootest.Address(0)}})
		entries(f, east, endpoint(glootest.Address(0), 15443))
		entries(f, north, endpoint(glootest.Address(0), 15443))
	}, "NET206 error mgmt", nil, nil},
	{"an address of nobody", func(f *glootest.Fleet) {
		gateway(f, "127.0.0.1")
		glootest.Set(service(f), "status.loadBalancer.ingress", []any{glootest.Object{"ip": "127.0.0.1"}})
		entries(f, east, endpoint("127.0.0.1", 15443))
		entries(f, north, endpoint("127.0.0.1", 15443))
	}, "NET206 error mgmt", nil, nil},
	{"the name of a node", func(f *glootest.Fleet) {
		gateway(f, "node1")
		glootest.Set(service(f), "status.loadBalancer.ingress", []any{glootest.Object{"hostname": "node1"}})
		entries(f, east, endpoint("node1", 15443))
		entries(f, north, endpoint("node1", 15443))
	}, "NET206 warning mgmt", nil, nil},
	// F4: ServiceEntries.
	{"an old address in a client's cluster", func(f *glootest.Fleet) {
		entries(f, east, endpoint("198.51.100.7", 15443))
	}, "NET205 error east", nil, nil},
	{"an old port in a client's cluster", func(f *glootest.Fleet) {
		entries(f, east, endpoint(glootest.Address(1), 443))
	}, "NET205 error east", nil, nil},
	{"one of two addresses is old", func(f *glootest.Fleet) {
		entries(f, east, endpoint("198.51.100.7", 15443), endpoint(glootest.Address(1), 15443))
	}, "NET205 warning east", nil, nil},
	{"the address has changed, and discovery has not seen it", func(f *glootest.Fleet) {
		glootest.Set(service(f), "status.loadBalancer.ingress", []any{glootest.Object{"ip": "198.51.100.8"}})
	}, "NET204 error mgmt", []finding.Code{"NET205"}, nil},
	{"discovery is down, and the address has changed", func(f *glootest.Fleet) {
		glootest.Set(service(f), "status.loadBalancer.ingress", []any{glootest.Object{"ip": "198.51.100.8"}})
		stop(f, mgmt, "discovery")
	}, "CP201 error mgmt", []finding.Code{"NET204", "NET205"}, nil},
	{"no ServiceEntry", func(f *glootest.Fleet) { withoutEntries(f, east, west) }, "EP206 error east", nil, nil},
	{"a ServiceEntry without endpoints", func(f *glootest.Fleet) { entries(f, east) }, "EP207 error east", nil, nil},
	{"ServiceEntries of a cluster that is gone", func(f *glootest.Fleet) {
		f.Drop(mgmt, "KubernetesCluster", north)
		f.Drop(mgmt, "Secret", north)
		f.Drop(mgmt, "Mesh", glootest.MeshName(north))
		f.Drop(mgmt, f.TargetKind, "reviews-shop-north")
		f.Drop(mgmt, f.TargetKind, "istio-ingressgateway-istio-system-north")
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		glootest.Set(vm, "spec.meshes", vm["spec"].(glootest.Object)["meshes"].([]any)[:2])
		withoutEntries(f, west, north)
		all(f, f.TargetKind, func(o glootest.Object) { glootest.Set(o, "status.appliedFederation", nil) })
	}, "EP208 warning east", nil, []glootest.Release{glootest.Gloo10, glootest.Gloo11}},
	{"the gateway does not listen", func(f *glootest.Fleet) { f.Drop(west, "Gateway", "") }, "NET207 error west", nil, nil},
	{"an object could not be written", func(f *glootest.Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		glootest.Set(vm, "status.state", "FAILED")
		glootest.Set(vm, "status.errors", []any{"write error: admission webhook denied the request"})
		withoutEntries(f, east, west)
	}, "EP201 error mgmt", []finding.Code{"EP206"}, []glootest.Release{glootest.Gloo10, glootest.Gloo11}},
	// F5: two management planes.
	{"two owners", func(f *glootest.Fleet) {
		o := f.Get(west, "ServiceEntry", glootest.Host("reviews", "shop", east))
		o["metadata"].(glootest.Object)["labels"].(glootest.Object)["owner.networking."+f.Domain] = "other"
	}, "CP206 warning west", nil, nil},
	{"two certificates for one Secret", func(f *glootest.Fleet) {
		o := maps.Clone(f.Get(west, "IssuedCertificate", glootest.MeshName(west)))
		o["metadata"] = glootest.Object{
			"name": "istiod-istio-system-other", "namespace": f.Namespace, "creationTimestamp": glootest.At(time.Hour),
			"labels": glootest.Object{"owner.networking." + f.Domain: "other"},
		}
		f.Add(west, o)
	}, "CP206 error west", nil, nil},
	// F6: versions.
	{"an agent of another release", func(f *glootest.Fleet) {
		d := f.Get(west, "Deployment", "cert-agent")
		glootest.Set(d, "spec.template.spec.containers", []any{glootest.Object{"name": "cert-agent",
			"image": "registry.example/gloo-mesh/cert-agent:0.6.0"}})
	}, "CP203 warning west", nil, nil},
	{"definitions of another generation", func(f *glootest.Fleet) {
		other := "certificates.smh.solo.io"
		if f.Domain == "smh.solo.io" {
			other = "certificates.mesh.gloo.solo.io"
		}
		f.Groups[west] = map[string][]string{other: {"v1alpha2"}}
		f.Drop(west, "IssuedCertificate", "")
		f.Drop(west, "PodBounceDirective", "")
		unissued(f, west)
	}, "CP203 error west", []finding.Code{"CERT202"}, nil},
	{"definitions of another version", func(f *glootest.Fleet) {
		f.Groups[west] = map[string][]string{"certificates.mesh.gloo.solo.io": {"v1alpha2"}}
	}, "CP203 error west", nil, []glootest.Release{glootest.Gloo10, glootest.Gloo11}},
	{"a kind of which nothing is seen", func(f *glootest.Fleet) {
		second := maps.Clone(f.Get(mgmt, "TrafficPolicy", "trafficpolicy"))
		second["metadata"] = glootest.Object{"name": "poison", "namespace": "shop", "creationTimestamp": glootest.At(2 * time.Hour),
			"generation": 2}
		f.Add(mgmt, second)
		behind(f.Get(mgmt, "TrafficPolicy", "trafficpolicy"))
	}, "CP207 error mgmt", []finding.Code{"EP203"}, nil},
	// F7.
	{"secret cacerts of somebody else", func(f *glootest.Fleet) {
		certificate(f, west, "ISSUED", "")
		unlabelled(f, west)
	}, "CERT205 error west", nil, nil},
	// F8.
	{"the VirtualMesh is refused, and the certificate is deleted", func(f *glootest.Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		glootest.Set(vm, "status.state", "INVALID")
		glootest.Set(vm, "status.meshes", glootest.Object{glootest.MeshName(west) + "." + f.Namespace + ".": glootest.Object{
			"state": "INVALID", "errors": []any{"no ingress gateway selected"},
		}})
		glootest.Set(f.Get(mgmt, "Mesh", glootest.MeshName(west)), "status.appliedVirtualMesh", nil)
		bomb(f, west)
	}, "EP201 error mgmt", []finding.Code{"CERT202", "CERT034", "EP209"}, nil},
	{"the certificate is deleted", func(f *glootest.Fleet) { bomb(f, west) }, "CERT202 error west", []finding.Code{"CERT034"}, nil},
	// F9: kubeconfigs.
	{"no kubeconfig", func(f *glootest.Fleet) { f.Drop(mgmt, "Secret", west) }, "CP204 error mgmt", nil, nil},
	{"a kubeconfig of another type", func(f *glootest.Fleet) {
		f.Get(mgmt, "Secret", west)["type"] = "Opaque"
	}, "CP204 error mgmt", nil, nil},
	{"a kubeconfig that leads nowhere", func(f *glootest.Fleet) {
		f.Drop(mgmt, "Secret", west)
		f.Add(mgmt, f.Kubeconfig(west, "https://127.0.0.1:6443", istiotest.Token(west)))
	}, "CP204 error mgmt", nil, nil},
	{"a token that has expired", func(f *glootest.Fleet) {
		f.Drop(mgmt, "Secret", west)
		claims := fmt.Sprintf(`{"sub":"system:serviceaccount:%s:%s","exp":%d}`, f.Namespace, west, istiotest.Now.Add(-time.Hour).Unix())
		f.Add(mgmt, f.Kubeconfig(west, "https://west.example:6443", "e30."+base64.RawURLEncoding.EncodeToString([]byte(claims))+".c2ln"))
	}, "CP204 error mgmt", nil, nil},
	{"no kubeconfig, and nothing is written", func(f *glootest.Fleet) {
		f.Drop(mgmt, "Secret", west)
		withoutEntries(f, west, east)
		withoutEntries(f, west, north)
		f.Drop(west, "Gateway", "")
		f.Drop(west, "IssuedCertificate", "")
		unissued(f, west)
	}, "CP204 error mgmt", []finding.Code{"EP206", "NET207", "CERT202"}, nil},
	// F11.
	{"a mesh in two VirtualMeshes", func(f *glootest.Fleet) { virtualMesh(f, "second", west, north) }, "EP204 error mgmt", nil, nil},
	// F12.
	{"a request that is made again and again", func(f *glootest.Fleet) {
		certificate(f, west, "ISSUED", "")
		request(f, west, nil)
		unissued(f, west)
	}, "CERT204 error west", nil, nil},
	// The management plane, and what it says.
	{"networking is down", func(f *glootest.Fleet) {
		stop(f, mgmt, "networking")
		behind(f.Get(mgmt, "VirtualMesh", "vm"))
		withoutEntries(f, east, west)
	}, "CP201 error mgmt", []finding.Code{"EP203", "EP206", "EP209"}, nil},
	{"networking is gone", func(f *glootest.Fleet) { f.Drop(mgmt, "Deployment", "networking") }, "CP201 error mgmt", nil, nil},
	{"networking is scaled to nothing", func(f *glootest.Fleet) {
		stop(f, mgmt, "networking")
		glootest.Set(f.Get(mgmt, "Deployment", "networking"), "spec.replicas", 0)
	}, "CP201 error mgmt", nil, nil},
	{"the management plane was removed", func(f *glootest.Fleet) { f.Drop(mgmt, "Deployment", "") }, "CP201 warning mgmt", nil, nil},
	{"nothing is discovered", func(f *glootest.Fleet) {
		f.Drop(mgmt, "Mesh", glootest.MeshName(north))
		f.Drop(mgmt, f.TargetKind, "reviews-shop-north")
		f.Drop(mgmt, f.TargetKind, "istio-ingressgateway-istio-system-north")
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		glootest.Set(vm, "spec.meshes", vm["spec"].(glootest.Object)["meshes"].([]any)[:2])
	}, "CP205 error mgmt", nil, nil},
	{"a mesh that does not exist", func(f *glootest.Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		glootest.Set(vm, "spec.meshes", append(vm["spec"].(glootest.Object)["meshes"].([]any), glootest.Object{"namespace": f.Namespace,
			"name": "istiod-istio-system-wets"}))
	}, "EP205 error mgmt", nil, nil},
	{"a VirtualMesh with an error of an old release", func(f *glootest.Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		glootest.Set(vm, "status", glootest.Object{"observedGeneration": "1", "state": "INVALID", "validationErrors": []any{"mesh already " +
			"grouped"}})
	}, "EP201 error mgmt", nil, []glootest.Release{glootest.Hub}},
	{"a policy that is refused", func(f *glootest.Fleet) {
		p := f.Get(mgmt, "AccessPolicy", "accesspolicy")
		glootest.Set(p, "status.state", "INVALID")
		glootest.Set(p, "status."+f.Targets, glootest.Object{"reviews-shop-east." + f.Namespace + ".": glootest.Object{"state": "INVALID",
			"errors": []any{"no such subset"}}})
	}, "EP202 error mgmt", nil, nil},
	{"a policy that is pending", func(f *glootest.Fleet) {
		glootest.Set(f.Get(mgmt, "AccessPolicy", "accesspolicy"), "status", nil)
	}, "EP203 error mgmt", nil, nil},
	{"a VirtualMesh that is not observed", func(f *glootest.Fleet) {
		behind(f.Get(mgmt, "VirtualMesh", "vm"))
	}, "EP203 error mgmt", []finding.Code{"EP209"}, nil},
	{"a VirtualMesh that is not in effect", func(f *glootest.Fleet) {
		glootest.Set(f.Get(mgmt, "Mesh", glootest.MeshName(west)), "status.appliedVirtualMesh", nil)
	}, "EP209 error mgmt", nil, nil},
	{"a policy for a service that does not exist", func(f *glootest.Fleet) {
		p := f.Get(mgmt, "TrafficPolicy", "trafficpolicy")
		glootest.Set(p, "spec.destinationSelector", []any{glootest.Object{"kubeServiceRefs": glootest.Object{"services": []any{
			glootest.Object{"namespace": "shop", "name": "ratings", "clusterName": east},
		}}}})
		glootest.Set(p, "status."+f.Targets, nil)
	}, "EP210 warning mgmt", nil, nil},
}

// Each fault is found, as the only root cause, in all releases that have it.
func TestFaults(t *testing.T) {
	for _, c := range faults {
		for _, r := range releases() {
			if c.only != nil && !slices.Contains(c.only, r) {
				continue
			}
			t.Run(c.name+"/"+r.Tag, func(t *testing.T) {
				f := glootest.Healthy(r, east, west, north)
				c.do(f)
				result := judge(t, f.Facts())
				found := alarms(result)
				if len(found) != 1 || !strings.HasPrefix(summary(found[0]), c.want) {
					t.Errorf("want %s", c.want)
				}
				for _, code := range c.more {
					if !slices.ContainsFunc(result.Findings, func(f finding.Finding) bool { return f.Code == code && f.CausedBy != "" }) {
						t.Errorf("want %s as a consequence", code)
					}
				}
				for _, f := range result.Findings {
					if t.Failed() || testing.Verbose() {
						t.Logf("%s (by %s)\n\t%+v", line(f), f.CausedBy, f.Evidence)
					}
				}
			})
		}
	}
}

func summary(f finding.Finding) string {
	return string(f.Code) + " " + string(f.Severity) + " " + strings.Join(f.Clusters, ",")
}

// F10: what the management plane issued ends after a year, and nothing renews it. Istio's rules say it.
func TestCertificatesThatEnd(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo10, east, west)
	end := istiotest.Spec{NotBefore: istiotest.Now.Add(-362 * 24 * time.Hour), NotAfter: istiotest.Now.Add(3 * 24 * time.Hour)}
	root := istiotest.Root(end)
	for _, name := range []string{east, west} {
		f.Istio.Get(name).Plug(root.Sub(end))
	}
	found := alarms(judge(t, f.Facts()))
	if len(found) == 0 {
		t.Error("nothing was found")
	}
	for _, f := range found {
		if f.Code != "CERT010" {
			t.Errorf("%s", line(f))
		}
	}
}

// lookalikes are healthy fleets that look like a fault.
var lookalikes = []struct {
	name string
	do   func(*glootest.Fleet)
}{
	{"a VirtualMesh that was written a moment ago", func(f *glootest.Fleet) {
		vm := f.Get(mgmt, "VirtualMesh", "vm")
		behind(vm)
		glootest.Set(vm, "metadata.managedFields", []any{glootest.Object{"manager": "kubectl", "operation": "Update",
			"time": glootest.At(20 * time.Second)}})
	}},
	{"a certificate that is being issued", func(f *glootest.Fleet) {
		certificate(f, west, "REQUESTED", "")
		glootest.Set(f.Get(west, "IssuedCertificate", glootest.MeshName(west)), "metadata.creationTimestamp", glootest.At(time.Minute))
		request(f, west, nil)
	}},
	{"a certificate that is issued again", func(f *glootest.Fleet) { certificate(f, west, "REQUESTED", "") }},
	{"an agent of another patch release", func(f *glootest.Fleet) {
		tag := f.Tag[:strings.LastIndex(f.Tag, ".")] + ".77"
		glootest.Set(f.Get(west, "Deployment", "cert-agent"), "spec.template.spec.containers", []any{
			glootest.Object{"name": "cert-agent", "image": "registry.example/gloo-mesh/cert-agent:v" + tag + "@sha256:00"},
		})
	}},
	{"an image without a tag", func(f *glootest.Fleet) {
		glootest.Set(f.Get(west, "Deployment", "cert-agent"), "spec.template.spec.containers", []any{
			glootest.Object{"name": "cert-agent", "image": "registry.example:5000/gloo-mesh/cert-agent@sha256:00"},
		})
	}},
	{"discovered services of two names that are called alike", func(f *glootest.Fleet) {
		for _, app := range []string{"discovery", "networking"} {
			d := f.Deployment(app)
			glootest.Set(d, "metadata.namespace", "shop")
			glootest.Set(d, "status.availableReplicas", 0)
			f.Add(mgmt, d)
		}
	}},
	{"somebody else's ServiceEntry", func(f *glootest.Fleet) {
		f.Add(west, glootest.Object{
			"apiVersion": "networking.istio.io/v1alpha3", "kind": "ServiceEntry", "metadata": glootest.Object{"name": "x", "namespace": "shop"},
			"spec": glootest.Object{"hosts": []any{"ratings.shop.svc.nowhere.global"}, "resolution": "STATIC"},
		})
	}},
	{"a ServiceEntry that a policy made", func(f *glootest.Fleet) {
		o := glootest.Object{
			"apiVersion": "networking.istio.io/v1alpha3", "kind": "ServiceEntry",
			"metadata": glootest.Object{"name": "failover", "namespace": "istio-system",
				"labels": glootest.Object{"owner.networking." + f.Domain: f.Namespace}},
			"spec": glootest.Object{"hosts": []any{"reviews.example.com"}, "resolution": "STATIC"},
		}
		f.Add(west, o)
	}},
	{"the ServiceEntry of a cluster's own service", func(f *glootest.Fleet) {
		o := maps.Clone(f.Get(east, "ServiceEntry", glootest.Host("reviews", "shop", west)))
		o["metadata"] = glootest.Object{
			"name": glootest.Host("reviews", "shop", west), "namespace": "istio-system",
			"labels": glootest.Object{"owner.networking." + f.Domain: f.Namespace},
		}
		o["spec"] = glootest.Object{
			"hosts": []any{glootest.Host("reviews", "shop", west)}, "exportTo": []any{"."}, "resolution": "STATIC",
			"endpoints": []any{glootest.Object{"address": "10.1.0.7", "ports": glootest.Object{"http": 9080}}},
		}
		f.Add(west, o)
	}},
	{"a flat network", func(f *glootest.Fleet) {
		glootest.Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.federation.flatNetwork", true)
		entries(f, east, endpoint("10.1.0.7", 9080))
		f.Drop(west, "Gateway", "")
	}},
	{"a gateway at two addresses", func(f *glootest.Fleet) {
		glootest.Set(service(f), "status.loadBalancer.ingress", []any{
			glootest.Object{"ip": "198.51.100.8"}, glootest.Object{"ip": glootest.Address(1)},
		})
	}},
	{"a gateway on kind's nodes", func(f *glootest.Fleet) {
		glootest.Set(service(f), "spec.type", "NodePort")
		glootest.Set(service(f), "status", nil)
		glootest.Set(f.Get(west, "Node", "west-node-0"), "spec.providerID", "kind://docker/west/west-node-0")
		gateway(f, "172.18.1.2")
		m := f.Get(mgmt, "Mesh", glootest.MeshName(west))
		if f.East {
			glootest.Set(m["status"].(glootest.Object)["appliedEastWestIngressGateways"].([]any)[0].(glootest.Object), "destinationPort", 30443)
		} else {
			glootest.Set(m["spec"].(glootest.Object)["istio"].(glootest.Object)["ingressGateways"].([]any)[0].(glootest.Object),
				"externalTlsPort", 30443)
		}
		entries(f, east, endpoint("172.18.1.2", 30443))
		entries(f, north, endpoint("172.18.1.2", 30443))
	}},
	{"a suffix of its own", func(f *glootest.Fleet) {
		glootest.Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.federation.hostnameSuffix", "example")
		for _, c := range []string{east, west, north} {
			glootest.Set(f.Get(c, "Gateway", "vm-"+f.Namespace)["spec"].(glootest.Object)["servers"].([]any)[0].(glootest.Object), "hosts",
				[]any{"*.example"})
		}
	}},
	{"a VirtualMesh of one mesh", func(f *glootest.Fleet) {
		f.Register("alone")
		virtualMesh(f, "alone")
	}},
	{"Gloo Edge, which has registrations also", func(f *glootest.Fleet) {
		f.Groups[east]["multicluster.solo.io"] = []string{"v1alpha1"}
	}},
	{"definitions from before an upgrade", func(f *glootest.Fleet) {
		f.Groups[west]["certificates.zephyr.solo.io"] = []string{"v1alpha1"}
		f.Groups[mgmt]["networking.mesh.gloo.solo.io"] = append(f.Groups[mgmt]["networking.mesh.gloo.solo.io"], "v1alpha2")
	}},
	{"a state map with a key for a cluster", func(f *glootest.Fleet) {
		glootest.Set(f.Get(mgmt, "TrafficPolicy", "trafficpolicy"), "status."+f.Targets, glootest.Object{
			"reviews-shop-east." + f.Namespace + ".mgmt": glootest.Object{"state": "ACCEPTED", "acceptanceOrder": 1},
		})
	}},
}

// Of what looks like a fault nothing worse than a note is said.
func TestLookalikes(t *testing.T) {
	for _, c := range lookalikes {
		for _, r := range releases() {
			t.Run(c.name+"/"+r.Tag, func(t *testing.T) {
				f := glootest.Healthy(r, east, west, north)
				c.do(f)
				for _, found := range alarms(judge(t, f.Facts())) {
					t.Errorf("%s\n\t%+v", line(found), found.Evidence)
				}
			})
		}
	}
}

// meshctl check 1.1.0-beta18 prints three green lines over this fleet and ends with 0: a mesh without agent and
// without an address of its gateway, a cluster without kubeconfig, a certificate that failed, one that waits, and a Secret
// cacerts that is not the agent's.
func TestWhatMeshctlCheckDoesNotSee(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo11, east, west, north, "south")
	glootest.Set(f.Get(mgmt, "Mesh", glootest.MeshName(west)), "spec.agentInfo", nil)
	gateway(f)
	glootest.Set(service(f), "status", nil)
	f.Drop(mgmt, "Secret", east)
	certificate(f, north, "FAILED", "signing secret not found")
	request(f, north, glootest.Object{"state": "FAILED", "error": "signing secret not found"})
	unissued(f, north)
	certificate(f, "south", "REQUESTED", "")
	unlabelled(f, "south")
	var got []string
	for _, found := range alarms(judge(t, f.Facts())) {
		got = append(got, summary(found))
	}
	want := []string{"CERT201 error west", "CERT203 error north", "CERT205 error south", "CP204 error mgmt", "NET202 error west"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What cannot be checked is said, with the reason, and never taken for well.
func TestUnknown(t *testing.T) {
	reasons := func(f *facts.Fleet) map[string]bool {
		out := map[string]bool{}
		for _, u := range gloomesh.Judge(model.New(f), rule.Options{}).Unknowns {
			out[u.Cluster+": "+u.Reason.Text] = true
		}
		return out
	}
	without := func(f *facts.Fleet, context string) *facts.Fleet {
		f.Clusters = slices.DeleteFunc(f.Clusters, func(c facts.Cluster) bool { return c.Context == context })
		return f
	}
	f := glootest.Healthy(glootest.Gloo10, east, west)
	if got := reasons(without(f.Facts(), mgmt)); !got["east: the management cluster of Gloo Mesh is not among the clusters"] {
		t.Errorf("without the management cluster: %v", got)
	}
	if got := reasons(without(f.Facts(), west)); !got["mgmt: cluster west of Gloo Mesh is not among the clusters"] {
		t.Errorf("without a member: %v", got)
	}
	down := f.Facts()
	down.Clusters[2].Unreached = &facts.Unreached{Kind: facts.TimedOut}
	got := reasons(down)
	if !got["west: the cluster was not reached"] || got["mgmt: cluster west of Gloo Mesh is not among the clusters"] {
		t.Errorf("with a member that is down: %v", got)
	}
	for _, row := range resources.All {
		forbidden := f.Facts()
		for i := range forbidden.Clusters {
			row.SetState(&forbidden.Clusters[i], facts.Forbidden, "")
		}
		if _, hub := strings.CutPrefix(row.About().File, "hub-"); hub || row == resource.Resource(resources.Groups) {
			continue
		}
		if len(reasons(forbidden)) == 0 && row != resource.Resource(resources.Namespaces) && row != resource.Resource(resources.RootCert) &&
			row != resource.Resource(resources.IstiodPods) {
			t.Errorf("nothing is unknown without %s", row)
		}
	}
}

// commercial is a fleet of Gloo Mesh Enterprise 2.x, as far as its fields are read.
func commercial() *glootest.Fleet {
	f := glootest.Healthy(glootest.Gloo10, east, west)
	object := func(group, kind, name string, spec, status glootest.Object) glootest.Object {
		return glootest.Object{
			"apiVersion": group + "/v2", "kind": kind, "spec": spec, "status": status,
			"metadata": glootest.Object{"name": name, "namespace": "gloo-mesh", "generation": 1, "creationTimestamp": glootest.At(72 * time.Hour)},
		}
	}
	f.Objects = map[string][]glootest.Object{}
	f.Tag = "2.6.3"
	f.Groups[mgmt] = map[string][]string{"admin.gloo.solo.io": {"v2"}, "internal.gloo.solo.io": {"v2"}}
	f.Add(mgmt, f.Deployment("gloo-mesh-mgmt-server"))
	f.Add(mgmt, object("admin.gloo.solo.io", "RootTrustPolicy", "root", nil, glootest.Object{"state": "ACCEPTED", "observedGeneration": 1}))
	for _, name := range []string{east, west} {
		f.Groups[name] = map[string][]string{"internal.gloo.solo.io": {"v2"}}
		f.Add(mgmt, object("admin.gloo.solo.io", "KubernetesCluster", name, nil, nil))
		f.Add(mgmt, object("internal.gloo.solo.io", "Mesh", glootest.MeshName(name), glootest.Object{
			"installation": glootest.Object{"cluster": name, "namespace": "istio-system"},
			"agentInfo":    glootest.Object{"namespace": "gloo-mesh", "version": "2.6.3"},
		}, nil))
		f.Add(name, f.Deployment("gloo-mesh-agent"))
		f.Add(name, object("internal.gloo.solo.io", "IssuedCertificate", glootest.MeshName(name), glootest.Object{
			"issuedCertificateSecret": glootest.Object{"name": "cacerts", "namespace": "istio-system"},
		}, glootest.Object{"state": "FINISHED"}))
	}
	return f
}

// What is known of the fields of 2.x is read.
func TestCommercial(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*glootest.Fleet)
		want []string
	}{
		"healthy":                   {func(*glootest.Fleet) {}, nil},
		"the server is down":        {func(f *glootest.Fleet) { stop(f, mgmt, "gloo-mesh-mgmt-server") }, []string{"CP201 error mgmt"}},
		"an agent is down":          {func(f *glootest.Fleet) { stop(f, west, "gloo-mesh-agent") }, []string{"CP202 error west"}},
		"a certificate that failed": {func(f *glootest.Fleet) { certificate(f, west, "FAILED", "no signer") }, []string{"CERT203 error west"}},
		"a policy that is refused": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "RootTrustPolicy", "root"), "status.state", "FAILED")
		}, []string{"EP202 error mgmt"}},
		"an agent of another release": {func(f *glootest.Fleet) {
			glootest.Set(f.Get(mgmt, "Mesh", glootest.MeshName(west)), "spec.agentInfo.version", "2.4.1")
		}, []string{"CP203 warning west"}},
	} {
		f := commercial()
		c.do(f)
		var got []string
		for _, found := range alarms(judge(t, f.Facts())) {
			got = append(got, summary(found))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
