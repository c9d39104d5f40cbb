package istiotest

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// workload is one that a cluster has besides those of namespace sample, without a sidecar.
type workload struct {
	namespace, name string
	port            corev1.ServicePort
	labels          map[string]string
	host            bool // on the network of the node
	kind            string
	headless        bool
}

// platform are workloads as every cluster has them for itself.
var platform = []workload{
	{namespace: "argocd", name: "argocd-server", port: httpPort("http", 80)},
	{namespace: "cert-manager", name: "cert-manager-webhook", port: httpPort("https", 443)},
	{namespace: "external-secrets", name: "external-secrets-webhook", port: httpPort("webhook", 443)},
	{namespace: "ingress-nginx", name: "ingress-nginx-controller", port: httpPort("http", 80)},
	{namespace: "monitoring", name: "grafana", port: httpPort("http", 3000)},
	{namespace: "monitoring", name: "node-exporter", port: httpPort("metrics", 9100), host: true, kind: "DaemonSet"},
	{namespace: "monitoring", name: "prometheus-operated", port: httpPort("http-web", 9090), kind: "StatefulSet", headless: true},
	{namespace: "openshift-dns", name: "dns-default", port: httpPort("dns-tcp", 53), kind: "DaemonSet"},
	{namespace: "openshift-etcd", name: "etcd", port: httpPort("etcd", 2379), host: true},
	{namespace: "calico-system", name: "calico-typha", port: httpPort("calico-typha", 5473), host: true},
}

func httpPort(name string, port int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: port, TargetPort: intstr.FromInt32(port), Protocol: corev1.ProtocolTCP}
}

// Run gives the cluster a workload without a sidecar, and its Service. at makes its address.
func (c *Cluster) run(w workload, at int) *corev1.Pod {
	labels := map[string]string{"app": w.name}
	maps.Copy(labels, w.labels)
	var ip string
	if node := c.Network.Nodes[at%2]; w.host {
		ip = node.Status.Addresses[0].Address
	} else {
		ip = fmt.Sprintf("%s.%d", node.Spec.PodCIDR[:len(node.Spec.PodCIDR)-len(".0/24")], 50+at)
	}
	p := c.pod(w.namespace, w.name, at, ip, labels)
	p.Spec.Containers[0].Name, p.Spec.HostNetwork = "app", w.host
	if w.kind != "" {
		delete(p.Labels, "pod-template-hash")
		p.OwnerReferences[0].Kind, p.OwnerReferences[0].Name = w.kind, w.name
	}
	s := &corev1.Service{ObjectMeta: meta(w.namespace, w.name, nil), Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{"app": w.name}, ClusterIP: fmt.Sprintf("10.96.8.%d", at), Ports: []corev1.ServicePort{w.port},
	}}
	if w.headless {
		s.Spec.ClusterIP = corev1.ClusterIPNone
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  meta(w.namespace, w.name+"-x7k2p", map[string]string{discoveryv1.LabelServiceName: w.name, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"}),
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr(w.port.Name), Port: ptr(w.port.Port), Protocol: ptr(corev1.ProtocolTCP)}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)},
			NodeName: ptr(p.Spec.NodeName), TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name},
		}},
	}
	if c.Namespaces[w.namespace] == nil {
		c.Namespaces[w.namespace] = map[string]string{"kubernetes.io/metadata.name": w.namespace}
	}
	c.Network.More = append(c.Network.More, p, s, slice)
	return p
}

// external gives the cluster a Service without a selector, which leads to an address outside.
func (c *Cluster) external(name, address string) {
	s := &corev1.Service{ObjectMeta: meta("sample", name, nil), Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.96.9.9", Ports: []corev1.ServicePort{httpPort("tcp-db", 5432)},
	}}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  meta("sample", name+"-x7k2p", map[string]string{discoveryv1.LabelServiceName: name}),
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr("tcp-db"), Port: ptr(int32(5432)), Protocol: ptr(corev1.ProtocolTCP)}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ptr(true)}}},
	}
	c.Network.More = append(c.Network.More, s, slice)
}

// withPlatform gives each cluster what platforms have, in the order of the clusters.
func withPlatform(f *Fleet) {
	for _, c := range f.Clusters {
		for at, w := range platform {
			c.run(w, at)
		}
	}
}

// revised has the webhooks of a cluster as a revision and its tag make them, which match no
// object here.
func (c *Cluster) revised(revision, tag string) {
	for name, labels := range map[string]map[string]string{
		"istio-sidecar-injector-" + revision: {"app": "sidecar-injector", istio.LabelRevision: revision},
		"istio-revision-tag-" + tag:          {"app": "sidecar-injector", istio.LabelRevision: revision, "istio.io/tag": tag},
	} {
		w := c.webhook()
		w.Name, w.Labels = name, labels
		c.Network.More = append(c.Network.More, w)
	}
}

// lookAlikes are fleets in which something is kept out of the mesh, or differs, as somebody
// means it. Of Service helloworld nothing is to be said in any of them, unless Asked.
var lookAlikes = []EndpointCase{
	{Case: Case{Name: "a ServiceEntry whose endpoint at a gateway takes mutual TLS", Fleet: atGateway(func(s *api.ServiceEntry) {
		s.Spec.Endpoints[0].Labels[istio.LabelTLSMode] = "istio"
	})}},
	{Case: Case{Name: "a ServiceEntry whose endpoint at a gateway has a service account", Fleet: atGateway(func(s *api.ServiceEntry) {
		s.Spec.Endpoints[0].ServiceAccount = "httpbin"
	})}},
	{Case: Case{Name: "global hosts at gateways, with mutual TLS by a rule for all of them", Fleet: atGateway(nil, globalRule("*.global", "ISTIO_MUTUAL"))}},
	{Case: Case{Name: "a ServiceEntry whose clients send TLS themselves", Fleet: atGateway(func(s *api.ServiceEntry) { s.Spec.Ports[0].Protocol = "TLS" })}},
	{Case: Case{Name: "a ServiceEntry for connections of which nobody knows what they carry", Fleet: atGateway(func(s *api.ServiceEntry) {
		s.Spec.Ports[0].Protocol = "TCP"
	})}},
	{Case: Case{Name: "a ServiceEntry that leads to another port of a gateway", Fleet: atGateway(func(s *api.ServiceEntry) {
		s.Spec.Endpoints[0].Ports["http"] = 15021
	})}},
	{Case: Case{Name: "a ServiceEntry that names the network of the gateway", Fleet: atGateway(func(s *api.ServiceEntry) {
		s.Spec.Endpoints[0].Network = "network2"
	})}},
	{Case: Case{Name: "what every cluster has for itself, without sidecars", Fleet: serving(func(f *Fleet, _, _ *Cluster) { withPlatform(f) })}},
	{Case: Case{Name: "what every cluster has for itself, on one network", Fleet: servingFlat(func(f *Fleet, _, _ *Cluster) { withPlatform(f) })}},
	{Case: Case{Name: "what every cluster has for itself, in other versions of its charts", Fleet: serving(func(f *Fleet, _, west *Cluster) {
		withPlatform(f)
		for _, o := range west.Network.More {
			switch s := o.(type) {
			case *corev1.Service:
				if s.Namespace == "monitoring" {
					s.Spec.Ports[0].Name, s.Spec.Ports[0].Port = "web", s.Spec.Ports[0].Port+1
				}
			case *discoveryv1.EndpointSlice:
				if s.Namespace == "argocd" {
					s.Endpoints[0].Conditions.Ready = ptr(false)
				}
			}
		}
	})}},
	{Case: Case{Name: "pods excluded on purpose in an injected namespace", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.run(workload{namespace: "sample", name: "operator-webhook", port: httpPort("https", 443), labels: map[string]string{istio.InjectKey: "false"}}, 1)
			c.run(workload{namespace: "sample", name: "exporter", port: httpPort("metrics", 9100), host: true, kind: "DaemonSet"}, 2)
			annotated := c.run(workload{namespace: "sample", name: "mysql", port: httpPort("mysql", 3306), kind: "StatefulSet", headless: true}, 3)
			annotated.Annotations = map[string]string{istio.InjectKey: "false"}
		}
	})}},
	{Case: Case{Name: "some pods of a Service excluded on purpose", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			p := c.run(workload{namespace: "sample", name: "debug", port: httpPort("http", 5000), labels: map[string]string{istio.InjectKey: "false"}}, 1)
			p.Labels["app"] = "helloworld"
			c.Network.Drop(c.Slice("helloworld"))
			c.Network.Pods = append(c.Network.Pods, p)
			c.Network.Drop(p)
			c.Network.More = append(c.Network.More, c.sliceOf("helloworld"))
		}
	})}, Asked: []string{"EP007 note east", "EP007 note west"}},
	{Case: Case{Name: "a database that each cluster has of its own, outside", Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.external("orders-db", "10.90.0.5")
		west.external("orders-db", "10.91.0.5")
	})}},
	{Case: Case{Name: "a gateway of Istio's chart in a namespace of its own", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			p := c.run(workload{namespace: "istio-ingress", name: "istio-ingress", port: httpPort("http2", 80), labels: map[string]string{istio.InjectKey: "true"}}, 1)
			p.Spec.Containers[0].Name = istio.ProxyContainer
		}
	})}},
	{Case: Case{Name: "ambient namespaces beside those with sidecars", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Env[istio.EnvAmbient] = "true"
			c.Namespaces["demo"] = map[string]string{"istio.io/dataplane-mode": "ambient"}
			c.run(workload{namespace: "demo", name: "hello", port: httpPort("http", 80)}, 1)
			c.ztunnel()
		}
	})}},
	{Case: Case{Name: "a metrics port without mutual TLS", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.metricsPort("http-metrics", true)
		}
	})}, Asked: []string{"EP009 note east", "EP009 note west"}},
	{Case: Case{Name: "a Service for the metrics port alone", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.metricsPort("http-metrics", false)
		}
	})}},
	{Case: Case{Name: "discovery selectors that leave out what no mesh needs", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		withPlatform(f)
		for _, c := range f.Clusters {
			c.Mesh["istio"]["discoverySelectors"] = []any{map[string]any{"matchLabels": map[string]string{"mesh": "yes"}}}
			c.SystemLabels["mesh"], c.Namespaces["sample"]["mesh"] = "yes", "yes"
		}
	})}},
	{Case: Case{Name: "weights that a rollout of each cluster writes", Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		for i, c := range []*Cluster{east, west} {
			c.Network.More = append(c.Network.More, rule(nil,
				api.Subset{Name: "stable", Labels: map[string]string{"app": "helloworld", "rollouts-pod-template-hash": fmt.Sprintf("5d5c8b9f%d", i)}},
				api.Subset{Name: "canary", Labels: map[string]string{"app": "helloworld", "rollouts-pod-template-hash": fmt.Sprintf("6d5c8b9f%d", i)}}))
		}
	})}},
	{Case: Case{Name: "weights that differ while a version is rolled out", Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		for i, c := range []*Cluster{east, west} {
			c.Serve("httpbin")
			v := routeTo("helloworld", "")
			v.Spec.HTTP[0].Route = append(v.Spec.HTTP[0].Route, api.RouteDestination{Destination: &api.RouteTarget{Host: "httpbin"}, Weight: int32(10 + 40*i)})
			v.Spec.HTTP[0].Route[0].Weight = int32(90 - 40*i)
			c.Network.More = append(c.Network.More, v)
		}
	})}},
	{Case: Case{Name: "what a controller of each cluster writes", Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		for i, c := range []*Cluster{east, west} {
			r := rule(&api.TrafficPolicy{OutlierDetection: &api.OutlierDetection{}})
			if i == 1 {
				r.Spec.TrafficPolicy = nil
			}
			r.OwnerReferences = []metav1.OwnerReference{{APIVersion: "flagger.app/v1beta1", Kind: "Canary", Name: "helloworld", Controller: ptr(true)}}
			c.Network.More = append(c.Network.More, r)
		}
	})}},
	{Case: Case{Name: "a job that has ended, and one that runs", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			ended := c.run(workload{namespace: "sample", name: "migrate", port: httpPort("http", 80), kind: "Job"}, 1)
			ended.Status.Phase = corev1.PodSucceeded
			c.run(workload{namespace: "sample", name: "report", port: httpPort("http", 80), kind: "Job", labels: map[string]string{istio.InjectKey: "false"}}, 2)
		}
	})}},
	{Case: Case{Name: "namespaces by a revision, and by its tag", Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.Namespaces["sample"], west.Namespaces["sample"] = map[string]string{istio.LabelRevision: "1-29"}, map[string]string{istio.LabelRevision: "prod"}
		for _, c := range []*Cluster{east, west} {
			c.revised("1-29", "prod")
		}
	})}},
}

// metricsPort gives the pods of helloworld a port that takes no mutual TLS: of the same
// Service, or of one of its own.
func (c *Cluster) metricsPort(name string, same bool) {
	port := httpPort(name, 9102)
	s, slice := c.Service("helloworld"), c.Slice("helloworld")
	at := discoveryv1.EndpointPort{Name: ptr(port.Name), Port: ptr(port.Port), Protocol: ptr(corev1.ProtocolTCP)}
	if same {
		s.Spec.Ports, slice.Ports = append(s.Spec.Ports, port), append(slice.Ports, at)
	} else {
		own, ownSlice := s.DeepCopy(), slice.DeepCopy()
		own.Name, own.Spec.Ports, own.Spec.ClusterIP = "helloworld-metrics", []corev1.ServicePort{port}, "10.96.7.8"
		ownSlice.Name, ownSlice.Labels[discoveryv1.LabelServiceName], ownSlice.Ports = "helloworld-metrics-x7k2p", own.Name, []discoveryv1.EndpointPort{at}
		c.Network.More = append(c.Network.More, own, ownSlice)
	}
	c.Network.More = append(c.Network.More, &api.PeerAuthentication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "sample", Name: "helloworld-metrics"},
		Spec: api.PeerAuthenticationSpec{
			Selector:      &api.WorkloadSelector{MatchLabels: map[string]string{"app": "helloworld"}},
			MTLS:          &api.MutualTLS{Mode: api.MTLSStrict},
			PortLevelMTLS: map[string]api.MutualTLS{"9102": {Mode: api.MTLSDisable}},
		},
	})
}

// atGateway is a healthy fleet with a ServiceEntry in east whose endpoint is the gateway of west.
func atGateway(change func(*api.ServiceEntry), more ...runtime.Object) func() *Fleet {
	return serving(func(_ *Fleet, east, _ *Cluster) {
		east.Network.More = append(append(east.Network.More, entryAtGateway(change)), more...)
	})
}
