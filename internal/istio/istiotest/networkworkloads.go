package istiotest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// machine gives the cluster a virtual machine of the mesh, and a service of it.
func (c *Cluster) machine(do func(*api.WorkloadEntry)) {
	w := &api.WorkloadEntry{ObjectMeta: meta("sample", "machine-1", nil)}
	w.Spec = api.WorkloadEntrySpec{
		Address: "10.90.0.4", Labels: map[string]string{"app": "ledger"}, ServiceAccount: "ledger", Network: c.Network.Name,
	}
	do(w)
	s := &api.ServiceEntry{ObjectMeta: meta("sample", "ledger", nil)}
	s.Spec = api.ServiceEntrySpec{
		Hosts: []string{"ledger.example.com"}, Location: api.MeshInternal,
		WorkloadSelector: &api.WorkloadEntrySelection{Labels: map[string]string{"app": "ledger"}},
	}
	c.Network.More = append(c.Network.More, w, s)
}

// workloadHealthy are healthy fleets that resemble faults of workloads and nodes.
var workloadHealthy = []Case{
	{Name: "virtual machine with a network", Fleet: networked(func(_ *Fleet, _, west *Cluster) { west.machine(func(*api.WorkloadEntry) {}) })},
	{Name: "virtual machine that everybody reaches", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.machine(func(w *api.WorkloadEntry) { w.Spec.Network, w.Spec.Address = "", "203.0.113.200" })
	})},
	{Name: "ServiceEntry that leads to the private address of a gateway", Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		const private = "10.200.0.11" // of an internal load balancer, which both networks reach
		west.Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: private}}
		s := &api.ServiceEntry{ObjectMeta: meta("sample", "ledger", nil)}
		s.Spec = api.ServiceEntrySpec{
			Hosts: []string{"ledger.west.global"}, Location: api.MeshInternal,
			Ports: []api.ServiceEntryPort{{Name: "http", Number: 8000, Protocol: "HTTP"}},
			Endpoints: []api.WorkloadEntrySpec{{
				Address: private, Ports: map[string]uint32{"http": istio.DefaultGatewayPort}, Labels: map[string]string{istio.LabelTLSMode: "istio"},
			}},
		}
		east.Network.More = append(east.Network.More, s)
	})},
	{Name: "virtual machine without mutual TLS", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.machine(func(w *api.WorkloadEntry) { w.Spec.Network, w.Spec.ServiceAccount = "", "" })
	})},
	{Name: "virtual machine that no service has", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.machine(func(w *api.WorkloadEntry) { w.Spec.Network, w.Spec.Labels = "", map[string]string{"app": "other"} })
	})},
	{Name: "virtual machine in a fleet that is one network", Fleet: func() *Fleet {
		f := OneNetwork("", "east", "west")
		f.Clusters[1].machine(func(*api.WorkloadEntry) {})
		return f
	}},
	{Name: "service outside of the mesh", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		s := &api.ServiceEntry{ObjectMeta: meta("sample", "bank", nil)}
		s.Spec = api.ServiceEntrySpec{Hosts: []string{"bank.example.com"}, Endpoints: []api.WorkloadEntrySpec{{Address: "10.90.0.9"}}}
		west.Network.More = append(west.Network.More, s)
	})},
	{Name: "the same mesh ID everywhere", Fleet: networked(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			eachPod(c.Network.Pods, func(p *corev1.Pod) { SetEnv(p, istio.EnvProxyMeshID, "mesh1") })
		}
	})},
	{Name: "proxies that name their cluster", Fleet: networked(func(f *Fleet, _, west *Cluster) {
		for _, c := range f.Clusters {
			eachPod(c.Network.Pods, func(p *corev1.Pod) { SetEnv(p, istio.EnvProxyClusterID, c.Name) })
		}
		west.Aliases = "far-west=west,occident=west"
		SetEnv(west.Network.Pods[0], istio.EnvProxyClusterID, "occident")
	})},
	{Name: "one network of virtual clusters that share nodes", Fleet: func() *Fleet {
		f := OneNetwork("", "east", "west")
		for i := range f.Clusters[1].Network.Nodes {
			f.Clusters[1].Network.Nodes[i] = f.Clusters[0].Network.Nodes[i]
		}
		for i, p := range f.Clusters[1].Network.Pods {
			p.Status.PodIP = fmt.Sprintf("10.0.%d.%d", i%2, 50+i)
			p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
		}
		return f
	}},
}

// workloadFaults are those of workloads and nodes.
var workloadFaults = []Case{
	{Name: "virtual machine without a network", Want: []string{"NET011 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.machine(func(w *api.WorkloadEntry) { w.Spec.Network = "" })
	})},
	{Name: "endpoint of a ServiceEntry without a network", Want: []string{"NET011 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		s := &api.ServiceEntry{ObjectMeta: meta("sample", "ledger", nil)}
		s.Spec = api.ServiceEntrySpec{
			Hosts: []string{"ledger.example.com"}, Location: api.MeshInternal,
			Endpoints: []api.WorkloadEntrySpec{{Address: "10.90.0.4", Labels: map[string]string{istio.LabelTLSMode: "istio"}}},
		}
		west.Network.More = append(west.Network.More, s)
	})},
	{Name: "different mesh IDs", Want: []string{"NET031 note east,west"}, Fleet: networked(func(f *Fleet, _, _ *Cluster) {
		for i, c := range f.Clusters {
			eachPod(c.Network.Pods, func(p *corev1.Pod) { SetEnv(p, istio.EnvProxyMeshID, fmt.Sprintf("mesh%d", i+1)) })
		}
	})},
	{Name: "proxies that name another cluster", Want: []string{"NET032 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		eachPod(west.Network.Pods, func(p *corev1.Pod) { SetEnv(p, istio.EnvProxyClusterID, "Kubernetes") })
	})},
	{Name: "one network whose nodes have the same addresses", Want: []string{"NET007 warning east,west"}, Fleet: func() *Fleet {
		f := OneNetwork("network1", "east", "west")
		f.Clusters[1].Network.Nodes[1].Status.Addresses[0].Address = f.Clusters[0].Network.Nodes[0].Status.Addresses[0].Address
		return f
	}},
}
