package istiotest

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// EndpointCase is a fleet, and what becomes of requests for Service sample/helloworld.
type EndpointCase struct {
	Case
	// Paths are the verdicts that differ from Reaches: "east > west: broken EP003".
	Paths []string
	// Asked are the findings for one who asks for the service, where they are other than Want.
	Asked []string
}

// Serving is a fleet with Service helloworld, and its endpoints, in each cluster.
func Serving(f *Fleet) *Fleet {
	for _, c := range f.Clusters {
		c.Serve("helloworld")
	}
	return f
}

// Serve gives the cluster a Service, and endpoints for the pods of its name.
func (c *Cluster) Serve(name string) {
	s := &corev1.Service{ObjectMeta: meta("sample", name, map[string]string{"app": name})}
	s.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{"app": name}, ClusterIP: "10.96.7.7",
		Ports: []corev1.ServicePort{{Name: "http", Port: 5000, TargetPort: intstr.FromInt32(5000), Protocol: corev1.ProtocolTCP}},
	}
	c.Network.More = append(c.Network.More, s, c.sliceOf(name))
}

// sliceOf are endpoints for the pods of a name.
func (c *Cluster) sliceOf(name string) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: meta("sample", name+"-x7k2p", map[string]string{discoveryv1.LabelServiceName: name, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"}),
		// As the API server has it, all is said.
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr("http"), Port: ptr(int32(5000)), Protocol: ptr(corev1.ProtocolTCP)}},
	}
	for _, p := range c.Network.Pods {
		if p.Labels["app"] == name {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{p.Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)},
				NodeName: ptr(p.Spec.NodeName), TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name},
			})
		}
	}
	return slice
}

// Service is one of namespace sample; nil for none.
func (c *Cluster) Service(name string) *corev1.Service {
	for _, o := range c.Network.More {
		if s, ok := o.(*corev1.Service); ok && s.Name == name && s.Namespace == "sample" {
			return s
		}
	}
	return nil
}

// Slice has the endpoints of a Service.
func (c *Cluster) Slice(name string) *discoveryv1.EndpointSlice {
	for _, o := range c.Network.More {
		if s, ok := o.(*discoveryv1.EndpointSlice); ok && s.Labels[discoveryv1.LabelServiceName] == name {
			return s
		}
	}
	return nil
}

// Drop takes objects away.
func (n *Network) Drop(gone ...runtime.Object) {
	var left []runtime.Object
	for _, o := range n.More {
		keep := true
		for _, g := range gone {
			keep = keep && o != g
		}
		if keep {
			left = append(left, o)
		}
	}
	n.More = left
}

// serving is a healthy fleet of two networks that serve, with something done to it.
func serving(do func(f *Fleet, east, west *Cluster)) func() *Fleet {
	return func() *Fleet {
		f := Serving(Networked("east", "west"))
		do(f, f.Clusters[0], f.Clusters[1])
		return f
	}
}

// servingFlat is serving on one network.
func servingFlat(do func(f *Fleet, east, west *Cluster)) func() *Fleet {
	return func() *Fleet {
		f := Serving(OneNetwork("network1", "east", "west"))
		do(f, f.Clusters[0], f.Clusters[1])
		return f
	}
}

// located puts the nodes of the clusters into a region each.
func located(f *Fleet) {
	for i, c := range f.Clusters {
		for k, n := range c.Network.Nodes {
			n.Labels["topology.kubernetes.io/region"], n.Labels["topology.kubernetes.io/zone"] = fmt.Sprintf("region%d", i+1), fmt.Sprintf("region%d-%d", i+1, k)
		}
	}
}

func inSample(name string) metav1.ObjectMeta { return meta("sample", name, nil) }

// EndpointHealthy are fleets in which every service is reached, or stays local as
// somebody wants it.
var EndpointHealthy = slices.Concat(endpointHealthy, endpointRouteHealthy, lookAlikes)

// endpointHealthy are those in general.
var endpointHealthy = []EndpointCase{
	{Case: Case{Name: "two networks", Fleet: serving(func(*Fleet, *Cluster, *Cluster) {})}},
	{Case: Case{Name: "three networks", Fleet: func() *Fleet { return Serving(Networked("east", "north", "west")) }}},
	{Case: Case{Name: "one network", Fleet: servingFlat(func(*Fleet, *Cluster, *Cluster) {})}},
	{Case: Case{Name: "one network without a name", Fleet: func() *Fleet { return Serving(OneNetwork("", "east", "west")) }}},
	{Case: Case{Name: "one network, pods without sidecar", Fleet: servingFlat(func(_ *Fleet, _, west *Cluster) {
		for _, p := range west.Network.Pods[:2] {
			delete(p.Labels, istio.LabelTLSMode)
		}
	})}},
	{Case: Case{Name: "a primary and a remote cluster", Fleet: serving(func(_ *Fleet, east, west *Cluster) { west.NoControlPlane(east) })}},
	{Case: Case{Name: "mesh networks instead of labels", Fleet: serving(func(f *Fleet, _, _ *Cluster) { byMeshNetworks(f) })}},
	{Case: Case{Name: "gateways with host names", Fleet: func() *Fleet { return Serving(HostnameGateways()) }}},
	{Case: Case{Name: "NodePort gateways", Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.Network.nodePort("{}")
		west.Network.nodePort("{}")
		west.Network.Nodes[0].Status.Addresses[1].Address = "198.51.100.9"
		west.Network.Nodes[1].Status.Addresses[1].Address = "198.51.100.10"
	})}},
	{Case: Case{Name: "a Service without pods, for its name", Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		for _, p := range east.Network.Pods[:2] {
			p.Labels["app"] = "other"
		}
		east.Slice("helloworld").Endpoints = nil
	})}, Paths: []string{"west > east: nothing"}},
	{Case: Case{Name: "other node ports and targets", Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		for i, c := range []*Cluster{east, west} {
			s := c.Service("helloworld")
			s.Spec.Type = corev1.ServiceTypeNodePort
			s.Spec.Ports[0].NodePort, s.Spec.Ports[0].TargetPort = 32000+int32(i), intstr.FromInt32(5000+int32(i))
			c.Slice("helloworld").Ports[0].Port = ptr(5000 + int32(i))
		}
	})}},
	{Case: Case{Name: "another port on one network", Fleet: servingFlat(func(_ *Fleet, _, west *Cluster) { west.Service("helloworld").Spec.Ports[0].Port = 80 })}},
	{Case: Case{Name: "the same rules everywhere", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, outlierDetection(), strict())
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "services of one address and name", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for i, c := range f.Clusters {
			c.serveAt("redis", "10.96.9.9", "tcp-redis", 6379, time.Duration(i+1)*day)
		}
	})}},
	{Case: Case{Name: "services of one address that HTTP tells apart", Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.serveAt("cart", "10.96.9.9", "http", 80, 10*day)
		west.serveAt("shop", "10.96.9.9", "http", 80, 2*day)
		east.serveAt("redis", "10.96.9.8", "tcp-redis", 6379, 10*day)
		west.serveAt("mysql", "10.96.9.8", "tcp-mysql", 3306, 2*day)
	})}},
	{Case: Case{Name: "outlier detection with pods nearby", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, outlierDetection())
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "outlier detection that lets panic be", Fleet: serving(func(f *Fleet, east, _ *Cluster) {
		east.withoutPods()
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, rule(&api.TrafficPolicy{OutlierDetection: &api.OutlierDetection{MinHealthPercent: 50}}))
		}
	})}, Paths: []string{"west > east: nothing"}},
	{Case: Case{Name: "outlier detection that counts gateway errors", Fleet: serving(func(f *Fleet, east, _ *Cluster) {
		east.withoutPods()
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, rule(&api.TrafficPolicy{OutlierDetection: &api.OutlierDetection{Consecutive5xxErrors: ptr(uint32(0))}}))
		}
	})}, Paths: []string{"west > east: nothing"}},
	{Asked: []string{"EP013 note east", "EP013 note west"}, Case: Case{Name: "stateful sets that stay in their cluster", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.statefulSet("helloworld")
			c.Mesh["istio"]["serviceSettings"] = settings("*.sample.svc.cluster.local")
		}
	})}, Paths: []string{"east > west: local EP013", "west > east: local EP013"}},
	{Case: Case{Name: "a stateful set in one cluster", Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.withoutPods()
		west.statefulSet("helloworld")
	})}, Paths: []string{"west > east: nothing"}},
	{Case: Case{Name: "a subset that a rollout fills", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, rule(nil, api.Subset{Name: "canary", Labels: map[string]string{"rollouts-pod-template-hash": "5d5c"}}))
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "routes that each cluster has under a name of its own", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			v := routeTo("helloworld", "")
			v.Name = "routes-of-" + c.Name
			c.Network.More = append(c.Network.More, v)
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "a cluster that was named by mistake", Fleet: func() *Fleet {
		f := Serving(Networked("east", "west"))
		other := Healthy("north").Clusters[0]
		other.Network, other.Server, other.UID = &Network{}, "https://127.0.0.1:7000", "uid-other"
		f.Clusters = append(f.Clusters, other)
		return f
	}}},
}
