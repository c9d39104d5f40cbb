package topology

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// shape is a Service as most clusters have it.
type shape struct {
	namespace, name string
	headless        bool
	ports           []corev1.ServicePort
}

func uid(cluster string, n int) types.UID { return types.UID(fmt.Sprintf("%s-%d", cluster, n)) }

func (d *draw) services() []shape {
	var out []shape
	for i := range 1 + d.IntN(3) {
		s := shape{namespace: pick(d, "shop", "edge", "kube-system"), name: fmt.Sprintf("svc%d", i), headless: d.chance(0.1)}
		s.ports = []corev1.ServicePort{
			{Name: pick(d, "http", "", "tcp"), Port: 80, TargetPort: intstr.FromInt32(8080), Protocol: corev1.ProtocolTCP},
		}
		if d.chance(0.3) {
			s.ports[0].Name = "http"
			s.ports = append(s.ports, corev1.ServicePort{Name: "grpc", Port: 90, TargetPort: intstr.FromInt32(9090), Protocol: corev1.ProtocolTCP})
		}
		out = append(out, s)
	}
	return out
}

func (d *draw) placeNodes() {
	d.nodes = nil
	for i := range 1 + d.IntN(3) {
		name := fmt.Sprintf("node-%d-%d", d.at, i)
		n := &corev1.Node{ObjectMeta: d.meta("", name, map[string]string{"kubernetes.io/hostname": name})}
		if d.chance(0.8) {
			n.Labels["topology.kubernetes.io/region"] = anyOf(d, "eu", "us", "ap")
			if d.chance(0.8) {
				n.Labels["topology.kubernetes.io/zone"] = anyOf(d, "one", "two")
			}
			if d.chance(0.3) {
				n.Labels[istio.LabelSubzone] = anyOf(d, "rack1", "rack2")
			}
		} else if d.chance(0.3) {
			n.Labels[corev1.LabelFailureDomainBetaRegion], n.Labels[corev1.LabelFailureDomainBetaZone] = "eu", "one"
		}
		if d.chance(0.5) {
			n.Labels["gateway"] = "yes"
		}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("172.16.%d.%d", d.at, i+1)}}
		if d.chance(0.5) {
			n.Status.Addresses = append(
				n.Status.Addresses,
				corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: fmt.Sprintf("192.0.2.%d", 10*d.at+i+1)},
			)
		}
		d.nodes = append(d.nodes, name)
		d.put(n)
	}
}

// placeService puts a Service, its pods and its slices into the cluster.
func (d *draw) placeService(s shape) {
	svc := &corev1.Service{ObjectMeta: d.meta(s.namespace, s.name, map[string]string{"app": s.name})}
	svc.Annotations = map[string]string{}
	svc.Spec = corev1.ServiceSpec{
		Type:      corev1.ServiceTypeClusterIP,
		Selector:  map[string]string{"app": s.name},
		ClusterIP: fmt.Sprintf("10.%d.250.%d", d.at, 1+d.made%250),
	}
	for _, p := range s.ports {
		if d.chance(0.05) {
			p.Name = "renamed"
		}
		if d.chance(0.03) {
			p.Port++
		}
		svc.Spec.Ports = append(svc.Spec.Ports, p)
	}
	if s.headless != d.chance(0.03) {
		svc.Spec.ClusterIP = corev1.ClusterIPNone
	}
	svc.Spec.ClusterIPs = []string{svc.Spec.ClusterIP}
	if d.chance(0.08) {
		svc.Annotations[istio.AnnotationExportTo] = anyOf(d, "*", ".", "edge", "shop, edge", "~")
	}
	if d.chance(0.06) {
		local := corev1.ServiceInternalTrafficPolicyLocal
		svc.Spec.InternalTrafficPolicy = &local
	}
	if d.chance(0.1) {
		near := anyOf(
			d,
			corev1.ServiceTrafficDistributionPreferClose,
			corev1.ServiceTrafficDistributionPreferSameNode,
			corev1.ServiceTrafficDistributionPreferSameZone,
		)
		svc.Spec.TrafficDistribution = &near
	} else if d.chance(0.08) {
		svc.Annotations[istio.AnnotationTrafficDistribution] = anyOf(d, "PreferClose", "PreferSameNode", "Any")
	}
	if d.chance(0.05) {
		svc.Labels[anyOf(d, "istio.io/persistent-session", "istio.io/persistent-session-header")] = "cookie"
	}
	d.put(svc)
	slices := []*discoveryv1.EndpointSlice{d.slice(svc, 0)}
	if d.chance(0.2) {
		slices = append(slices, d.slice(svc, 1))
	}
	for i := range d.IntN(4) {
		d.placePod(svc, i, slices[d.IntN(len(slices))])
	}
	if d.chance(0.1) { // what is no pod
		slices[0].Endpoints = append(
			slices[0].Endpoints,
			discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("10.%d.200.%d", d.at, d.made%250)}},
		)
	}
	for _, s := range slices {
		d.put(s)
	}
}

func (d *draw) slice(svc *corev1.Service, i int) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: d.meta(svc.Namespace, fmt.Sprintf("%s-%d", svc.Name, i), map[string]string{discoveryv1.LabelServiceName: svc.Name}),
	}
	s.AddressType = discoveryv1.AddressTypeIPv4
	for _, p := range svc.Spec.Ports {
		name, port, protocol := p.Name, p.TargetPort.IntVal, p.Protocol
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: &name, Port: &port, Protocol: &protocol})
	}
	return s
}

func (d *draw) placePod(svc *corev1.Service, i int, slice *discoveryv1.EndpointSlice) {
	labels := map[string]string{"app": svc.Name, "version": anyOf(d, "v1", "v2"), istio.LabelTLSMode: "istio"}
	network := d.c.Network
	switch {
	case d.chance(0.1):
		network = anyOf(d, append(d.networks, "elsewhere")...)
	case d.chance(0.2):
		network = ""
	}
	if network != "" {
		labels[istio.LabelNetwork] = network
	}
	if d.chance(0.15) {
		delete(labels, istio.LabelTLSMode)
		if d.chance(0.3) {
			labels[istio.LabelTLSMode] = "disabled"
		}
	}
	if d.chance(0.05) {
		labels[istio.LabelLocality] = anyOf(d, "eu.one", "us/two/rack1", "ap")
	}
	if d.chance(0.03) {
		labels["istio.io/draining"] = "true"
	}
	d.made++
	p := &corev1.Pod{ObjectMeta: d.meta(svc.Namespace, fmt.Sprintf("%s-%d", svc.Name, i), labels)}
	p.Spec.NodeName, p.Spec.ServiceAccountName = d.nodes[d.IntN(len(d.nodes))], "default"
	if d.chance(0.04) {
		p.Spec.NodeName = "gone"
	}
	ip := fmt.Sprintf("10.%d.%d.%d", d.at, 1+d.made/200%2, 1+d.made%200)
	p.Status = corev1.PodStatus{
		Phase:      corev1.PodRunning,
		PodIP:      ip,
		PodIPs:     []corev1.PodIP{{IP: ip}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	if d.chance(0.06) {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: fmt.Sprintf("fd00:%d::%x", d.at, d.made)})
	}
	p.Spec.Containers = []corev1.Container{{Name: "app", Image: "registry.example/app:1"}}
	if labels[istio.LabelTLSMode] == "istio" {
		env := maps.Clone(map[string]string{istio.EnvProxyClusterID: d.c.ID})
		if network != "" && !d.chance(0.05) {
			env[istio.EnvProxyNetwork] = network
		}
		if d.chance(0.04) {
			env[istio.EnvProxyNetworkView] = d.c.Network
		}
		proxy := corev1.Container{Name: istio.ProxyContainer, Image: "registry.example/istio/proxyv2:1.31.0"}
		for _, k := range []string{istio.EnvProxyClusterID, istio.EnvProxyNetwork, istio.EnvProxyNetworkView} {
			if env[k] != "" {
				proxy.Env = append(proxy.Env, corev1.EnvVar{Name: k, Value: env[k]})
			}
		}
		p.Spec.Containers = append(p.Spec.Containers, proxy)
	}
	e := discoveryv1.Endpoint{
		Addresses: []string{ip}, NodeName: &p.Spec.NodeName,
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name},
		Conditions: discoveryv1.EndpointConditions{Ready: yes(true), Serving: yes(true), Terminating: yes(false)},
	}
	switch {
	case d.chance(0.08):
		e.Conditions.Ready, e.Conditions.Serving = yes(false), yes(false)
		p.Status.Conditions[0].Status = corev1.ConditionFalse
	case d.chance(0.05):
		e.Conditions = discoveryv1.EndpointConditions{Ready: yes(false), Serving: yes(true), Terminating: yes(true)}
	case d.chance(0.02):
		e.Conditions = discoveryv1.EndpointConditions{}
	}
	slice.Endpoints = append(slice.Endpoints, e)
	if !d.chance(0.04) { // else the slice names a pod that is gone
		d.put(p)
	}
}

func yes(b bool) *bool { return &b }
