package istiotest

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// bridge leads Service istiod of a remote cluster to an address; "" for none.
func (c *Cluster) bridge(address string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: meta(System, "istiod", map[string]string{discoveryv1.LabelServiceName: "istiod"}), AddressType: discoveryv1.AddressTypeIPv4}
	for _, p := range []struct {
		name string
		port int32
	}{{"tcp-istiod", 15012}, {"tcp-webhook", 15017}} {
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: ptr(p.name), Port: ptr(p.port), Protocol: ptr(corev1.ProtocolTCP)})
	}
	if address != "" {
		s.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ptr(true)}}}
	}
	return s
}

// expose has the gateway of a primary pass on to its control plane, as Istio documents it.
func (c *Cluster) expose() {
	c.control()
	g := &api.Gateway{ObjectMeta: meta(System, "istiod-gateway", nil)}
	g.Spec.Selector = map[string]string{"istio": "eastwestgateway"}
	v := &api.VirtualService{ObjectMeta: meta(System, "istiod-vs", nil)}
	v.Spec = api.VirtualServiceSpec{Hosts: []string{"*"}, Gateways: []string{"istiod-gateway"}}
	for _, p := range []struct{ port, to uint32 }{{15012, 15012}, {15017, 443}} {
		g.Spec.Servers = append(g.Spec.Servers, api.Server{
			Port: &api.ServerPort{Number: p.port, Name: "tls", Protocol: "tls"}, Hosts: []string{"*"}, TLS: &api.ServerTLS{Mode: "PASSTHROUGH"},
		})
		v.Spec.TLS = append(v.Spec.TLS, api.Route{
			Match: []api.RouteMatch{{Port: p.port}},
			Route: []api.RouteDestination{{Destination: &api.RouteTarget{Host: "istiod.istio-system.svc.cluster.local", Port: &api.PortSelector{Number: p.to}}}},
		})
	}
	c.Network.More = append(c.Network.More, g, v)
}

// object is the last of a type among what a cluster has more.
func object[T any](c *Cluster) T {
	var last T
	for _, o := range c.Network.More {
		if t, ok := o.(T); ok {
			last = t
		}
	}
	return last
}

// primaryAndRemote is a healthy fleet of a primary and a remote cluster on another
// network, whose webhook calls a Service, with something done to it.
func primaryAndRemote(do func(east, west *Cluster)) func() *Fleet {
	return networked(func(_ *Fleet, east, west *Cluster) {
		west.injectsByService(east)
		do(east, west)
	})
}

// discovers has pods find istiod at an address; "" for the default.
func discovers(pods []*corev1.Pod, address string) {
	config := "{}"
	if address != "" {
		config = `{"discoveryAddress":"` + address + `"}`
	}
	eachPod(pods, func(p *corev1.Pod) { SetEnv(p, istio.EnvProxyConfig, config) })
}

// tag gives the cluster the webhook of a revision tag, which calls a Service.
func (c *Cluster) tag(name, service string) {
	w := c.webhook()
	w.Name, w.Labels = "istio-revision-tag-"+name, map[string]string{"app": "sidecar-injector", "istio.io/rev": "1-27-4", "istio.io/tag": name}
	w.Webhooks[0].ClientConfig = admissionv1.WebhookClientConfig{
		Service: &admissionv1.ServiceReference{Namespace: System, Name: service, Path: ptr("/inject")}, CABundle: []byte(c.Published),
	}
	c.Network.More = append(c.Network.More, w)
}

// primaryHealthy are healthy fleets that resemble faults of primaries and remote clusters.
var primaryHealthy = []Case{
	{Name: "a remote cluster whose proxies use the Service too", Fleet: primaryAndRemote(func(east, west *Cluster) {
		discovers(west.Network.Pods, "")
		discovers(east.Network.Pods, "istiod.istio-system.svc.cluster.local:15012")
	})},
	{Name: "a revision tag of a control plane that is gone, which nobody asks", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.tag("stable", "istiod-1-27-4")
	})},
	{Name: "a remote cluster that reaches a pod of its primary", Fleet: primaryAndRemote(func(east, west *Cluster) {
		object[*discoveryv1.EndpointSlice](west).Endpoints[0].Addresses = []string{east.Network.GatewayPods[0].Status.PodIP}
	})},
	{Name: "a remote cluster that reaches a node of its primary", Fleet: primaryAndRemote(func(east, west *Cluster) {
		object[*discoveryv1.EndpointSlice](west).Endpoints[0].Addresses = []string{east.Network.Nodes[0].Status.Addresses[0].Address}
	})},
	{Name: "istiod exposed by TCP routes", Fleet: primaryAndRemote(func(east, _ *Cluster) {
		vs := object[*api.VirtualService](east)
		vs.Spec.TCP, vs.Spec.TLS = vs.Spec.TLS, nil
		vs.Spec.Gateways = []string{"istio-system/istiod-gateway"}
		vs.Spec.TCP[0].Match, vs.Spec.TCP = nil, vs.Spec.TCP[:1]
		vs.Spec.TCP[0].Route[0].Destination.Host = "istiod"
	})},
	{Name: "istiod exposed by a load balancer of its own", Fleet: primaryAndRemote(func(east, west *Cluster) {
		east.Network.More = east.Network.More[:len(east.Network.More)-2]
		s := object[*corev1.Service](east)
		s.Spec.Type, s.Status.LoadBalancer.Ingress = corev1.ServiceTypeLoadBalancer, []corev1.LoadBalancerIngress{{IP: "203.0.113.50"}}
		s.Spec.Ports[1].Port = 15017
		p := east.pod(System, "istiod", 1, "10.0.0.150", map[string]string{"app": "istiod"})
		p.Spec.Containers[0].Name = istio.DiscoveryContainer
		east.Network.More = append(east.Network.More, p)
		object[*discoveryv1.EndpointSlice](west).Endpoints[0].Addresses = []string{"203.0.113.50"}
	})},
	{Name: "a remote cluster that calls istiod by a name of its own", Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		east.Env[istio.EnvCustomHost] = "mesh.example.com,istiod.example.com"
		west.InjectsBy = func(w *admissionv1.WebhookClientConfig) {
			w.URL, w.CABundle = ptr("https://istiod.example.com:15017/inject/cluster/west/net/network2"), []byte(east.Published)
		}
	})},
	{Name: "a remote cluster that calls istiod by a name with a certificate of its own", Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.InjectsBy = func(w *admissionv1.WebhookClientConfig) {
			w.URL = ptr("https://istiod.example.com:15017/inject/cluster/west/net/network2")
			w.CABundle = []byte(Root(Spec{Name: "Public CA"}).PEM())
		}
	})},
	{Name: "a cluster that is injected by its own istiod and served by another one", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.control()
		s := &corev1.Service{ObjectMeta: meta(System, "istiod-remote", nil)}
		s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.102.0.11", Ports: []corev1.ServicePort{{Name: "tcp-istiod", Port: 15012, Protocol: corev1.ProtocolTCP}}}
		west.Network.More = append(west.Network.More, s)
		discovers(west.Network.Pods, "istiod-remote.istio-system.svc:15012")
	})},
}

// primaryFaults are those between a primary and its remote clusters.
var primaryFaults = []Case{
	{Name: "remote cluster with an address that its primary no longer has", Want: []string{"PR001 error west"}, Fleet: primaryAndRemote(func(_, west *Cluster) {
		object[*discoveryv1.EndpointSlice](west).Endpoints[0].Addresses = []string{"203.0.113.99"}
	})},
	{Name: "remote cluster without an address of its primary", Want: []string{"PR001 error west"}, Fleet: primaryAndRemote(func(_, west *Cluster) {
		object[*discoveryv1.EndpointSlice](west).Endpoints = nil
	})},
	{Name: "gateway of the primary without the port of the injector", Want: []string{"PR006 error east,west"}, Fleet: primaryAndRemote(func(east, _ *Cluster) {
		east.Network.Gateway.Spec.Ports = east.Network.Gateway.Spec.Ports[:3]
	})},
	{Name: "primary whose gateway does not listen for istiod", Want: []string{"PR006 error east,west"}, Fleet: primaryAndRemote(func(east, _ *Cluster) {
		object[*api.Gateway](east).Spec.Selector = map[string]string{"istio": "ingressgateway"}
	})},
	{Name: "primary whose gateway does not pass on to istiod", Want: []string{"PR006 error east,west"}, Fleet: primaryAndRemote(func(east, _ *Cluster) {
		object[*api.VirtualService](east).Spec.Gateways = []string{"another"}
	})},
	{Name: "primary whose gateway passes on to an istiod that is gone", Want: []string{"PR006 error east,west"}, Fleet: primaryAndRemote(func(east, _ *Cluster) {
		for i := range object[*api.VirtualService](east).Spec.TLS {
			object[*api.VirtualService](east).Spec.TLS[i].Route[0].Destination.Host = "istiod-1-28.istio-system.svc.cluster.local"
		}
	})},
	{Name: "primary that may not check tokens", Want: []string{"PR007 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.Denied = []istio.Right{istio.RightTokenReviews}
	})},
	{Name: "primary without a remote secret for the remote cluster that names it", Want: []string{"PR007 error east,west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		east.Remotes = nil
	})},
	{Name: "remote cluster with the root of an earlier control plane", Want: []string{"PR008 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.Published = Root(Spec{Name: "cluster.local"}).PEM()
	})},
	{Name: "remote cluster without a root", Want: []string{"PR008 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.Published = ""
	})},
	{Name: "remote cluster with the Service of an earlier control plane", Want: []string{"PR009 error west"}, Fleet: primaryAndRemote(func(_, west *Cluster) {
		object[*corev1.Service](west).Spec.Selector = map[string]string{"app": "istiod"}
	})},
	{Name: "cluster with a control plane that another one has replaced", Want: []string{"PR009 warning west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		s := &corev1.Service{ObjectMeta: meta(System, "istiod", nil)}
		s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.102.0.10", Ports: []corev1.ServicePort{{Name: "tcp-webhook", Port: 443, Protocol: corev1.ProtocolTCP}}}
		webhook := west.webhook()
		webhook.Webhooks[0].ClientConfig = admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: System, Name: "istiod", Path: ptr("/inject/cluster/west/net/network2")}, CABundle: []byte(east.Published)}
		west.Network.More = append(west.Network.More, s, webhook)
	})},
	{Name: "revision tag of a control plane that is gone", Want: []string{"PR012 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.tag("stable", "istiod-1-27-4")
		west.Namespaces["sample"] = map[string]string{"istio.io/rev": "stable"}
	})},
	{Name: "proxies that look for an istiod that is gone", Want: []string{"PR010 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.control()
		discovers(west.Network.Pods[2:], "istiod-1-28.istio-system.svc:15012")
		discovers(west.Network.Pods[:2], "")
	})},
	{Name: "primary that may not write its CA", Want: []string{"PR011 warning west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.Denied = []istio.Right{istio.RightUpdateConfigMaps, istio.RightUpdateWebhooks}
	})},
	{Name: "remote cluster that calls istiod by the name of another revision", Want: []string{"PR013 error west"}, Fleet: primaryAndRemote(func(_, west *Cluster) {
		west.InjectsBy = renamed(west.InjectsBy, "istiod-canary")
		object[*corev1.Service](west).Name = "istiod-canary"
		object[*discoveryv1.EndpointSlice](west).Labels[discoveryv1.LabelServiceName] = "istiod-canary"
	})},
	{Name: "remote cluster that calls istiod by an unknown name", Want: []string{"PR013 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.InjectsBy = func(w *admissionv1.WebhookClientConfig) {
			w.URL, w.CABundle = ptr("https://istiod.example.com:15017/inject/cluster/west/net/network2"), []byte(east.Published)
		}
	})},
}

// renamed changes the Service that a webhook calls.
func renamed(config func(*admissionv1.WebhookClientConfig), name string) func(*admissionv1.WebhookClientConfig) {
	return func(w *admissionv1.WebhookClientConfig) {
		config(w)
		w.Service.Name = name
	}
}
