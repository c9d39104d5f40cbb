package simulate

import (
	"maps"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// managedSlice is who writes the EndpointSlices of Services with a selector.
const managedSlice = "endpointslice-controller.k8s.io"

// completeService adds the defaults of a Service, and an address.
func (w *World) completeService(c *facts.Cluster, s *corev1.Service) {
	if s.Spec.Type == "" {
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if p.Protocol == "" {
			p.Protocol = corev1.ProtocolTCP
		}
		if p.TargetPort == (intstr.IntOrString{}) {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
	if s.Spec.ClusterIP == "" && s.Spec.Type != corev1.ServiceTypeExternalName {
		s.Spec.ClusterIP = w.freeAddress(c)
	}
	if s.Spec.ClusterIP != "" && len(s.Spec.ClusterIPs) == 0 {
		s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	}
	if w.fresh {
		w.completeNodePorts(c, s)
	}
}

// completeNodePorts gives the ports of a Service numbers on nodes that no Service of the cluster has.
func (w *World) completeNodePorts(c *facts.Cluster, s *corev1.Service) {
	given := s.Spec.AllocateLoadBalancerNodePorts == nil || *s.Spec.AllocateLoadBalancerNodePorts
	if s.Spec.Type != corev1.ServiceTypeNodePort && (s.Spec.Type != corev1.ServiceTypeLoadBalancer || !given) {
		return
	}
	taken := map[int32]bool{}
	for _, other := range append(kubernetes.Services.Of(c).Value, *s) {
		for _, p := range other.Spec.Ports {
			taken[p.NodePort] = true
		}
	}
	next := int32(firstNodePort)
	for i := range s.Spec.Ports {
		if p := &s.Spec.Ports[i]; p.NodePort == 0 {
			for taken[next] {
				next++
			}
			p.NodePort, taken[next] = next, true
		}
	}
}

// firstNodePort is the first of the ports that API servers give to Services, unless they are told otherwise.
const firstNodePort = 30000

// freeAddress is one beside those of the cluster's Services that no Service of the fleet has.
func (w *World) freeAddress(c *facts.Cluster) string {
	taken := map[netip.Addr]bool{}
	for i := range w.fleet.Clusters {
		for _, s := range kubernetes.Services.Of(&w.fleet.Clusters[i]).Value {
			if a, err := netip.ParseAddr(s.Spec.ClusterIP); err == nil {
				taken[a] = true
			}
		}
	}
	last := netip.AddrFrom4([4]byte{10, 96, 0, 9})
	for _, s := range kubernetes.Services.Of(c).Value {
		if a, err := netip.ParseAddr(s.Spec.ClusterIP); err == nil && (last.BitLen() != a.BitLen() || last.Less(a)) {
			last = a
		}
	}
	for {
		if last = last.Next(); !last.IsValid() || !taken[last] {
			return last.String()
		}
	}
}

// serve writes the EndpointSlices of a Service, as Kubernetes does it for those with a selector.
func (w *World) serve(c *facts.Cluster, before, after *corev1.Service) Outcome {
	if len(after.Spec.Selector) == 0 || after.Spec.Type == corev1.ServiceTypeExternalName ||
		kubernetes.EndpointSlices.Of(c).State != facts.OK {
		return done
	}
	ports, certain := w.slicePorts(c, before, after)
	if !certain {
		return outcome(Uncertain, "the pods decide the number of a port that has a name")
	}
	own := w.slicesOf(c, after)
	if before != nil && maps.Equal(before.Spec.Selector, after.Spec.Selector) {
		for _, s := range own {
			changed := s.DeepCopy()
			changed.Ports = ports
			w.putSlice(c, changed, true)
		}
		return done
	}
	if kubernetes.Pods.Of(c).State != facts.OK {
		return outcome(Uncertain, "the pods of the Service were not read")
	}
	w.dropSlices(c, after)
	byFamily := map[discoveryv1.AddressType][]discoveryv1.Endpoint{}
	pods := kubernetes.Pods.Of(c).Value
	for i := range pods {
		if p := &pods[i]; p.Namespace == after.Namespace && selects(after.Spec.Selector, p.Labels) && p.IP() != "" &&
			p.Phase != corev1.PodSucceeded && p.Phase != corev1.PodFailed {
			family, e := endpointOf(p, after.Spec.PublishNotReadyAddresses)
			byFamily[family] = append(byFamily[family], e)
		}
	}
	if len(byFamily) == 0 {
		byFamily[discoveryv1.AddressTypeIPv4] = nil
	}
	for family, endpoints := range byFamily {
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: after.Namespace, Name: after.Name + "-" + string(family[2:]) + "new",
				Labels: map[string]string{discoveryv1.LabelServiceName: after.Name, discoveryv1.LabelManagedBy: managedSlice},
			},
			AddressType: family, Ports: ports, Endpoints: endpoints,
		}
		w.putSlice(c, slice, true)
	}
	return done
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if there, ok := labels[k]; !ok || there != v {
			return false
		}
	}
	return true
}

// endpointOf is a pod as the endpoint of a Service.
func endpointOf(p *facts.Pod, always bool) (discoveryv1.AddressType, discoveryv1.Endpoint) {
	family := discoveryv1.AddressTypeIPv4
	if a, err := netip.ParseAddr(p.IP()); err == nil && a.Is6() {
		family = discoveryv1.AddressTypeIPv6
	}
	serving, terminating := p.IsReady(), !p.Deleted.IsZero()
	ready := serving && !terminating || always
	e := discoveryv1.Endpoint{
		Addresses:  []string{p.IP()},
		Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name},
	}
	if p.Node != "" {
		node := p.Node
		e.NodeName = &node
	}
	return family, e
}

// slicePorts are the ports in the slices of a Service. The number of a port with a name is
// known where the Service had it before.
func (w *World) slicePorts(c *facts.Cluster, before, after *corev1.Service) (ports []discoveryv1.EndpointPort, certain bool) {
	for _, p := range after.Spec.Ports {
		name, number, protocol := p.Name, int32(p.TargetPort.IntValue()), p.Protocol
		if p.TargetPort.Type == intstr.String {
			if number = w.numberOf(c, before, p.TargetPort.StrVal); number == 0 {
				return nil, false
			}
		}
		if number == 0 {
			number = p.Port
		}
		if protocol == "" {
			protocol = corev1.ProtocolTCP
		}
		ports = append(ports, discoveryv1.EndpointPort{Name: &name, Port: &number, Protocol: &protocol})
	}
	return ports, true
}

// numberOf is the number that a named port of pods has in the slices of a Service; 0 where none has it.
func (w *World) numberOf(c *facts.Cluster, s *corev1.Service, target string) int32 {
	if s == nil {
		return 0
	}
	for _, p := range s.Spec.Ports {
		if p.TargetPort.Type != intstr.String || p.TargetPort.StrVal != target {
			continue
		}
		for _, slice := range w.slicesOf(c, s) {
			for _, there := range slice.Ports {
				if there.Name != nil && *there.Name == p.Name && there.Port != nil {
					return *there.Port
				}
			}
		}
	}
	return 0
}

// slicesOf are the slices that Kubernetes writes for a Service.
func (w *World) slicesOf(c *facts.Cluster, s *corev1.Service) []*discoveryv1.EndpointSlice {
	var out []*discoveryv1.EndpointSlice
	all := kubernetes.EndpointSlices.Of(c).Value
	for i := range all {
		if l := all[i].Labels; all[i].Namespace == s.Namespace && l[discoveryv1.LabelServiceName] == s.Name &&
			l[discoveryv1.LabelManagedBy] == managedSlice {
			out = append(out, &all[i])
		}
	}
	return out
}

// dropSlices takes away the slices that Kubernetes writes for a Service.
func (w *World) dropSlices(c *facts.Cluster, s *corev1.Service) {
	for _, slice := range w.slicesOf(c, s) {
		w.putSlice(c, slice, false)
	}
}

// putSlice writes a slice into the rows that hold it, or takes it out.
func (w *World) putSlice(c *facts.Cluster, s *discoveryv1.EndpointSlice, there bool) {
	for _, row := range w.rowsOf(discoveryv1.SchemeGroupVersion.String(), "EndpointSlice") {
		if state, _ := row.State(c); state == facts.OK {
			w.put(c, row, s, there && row.Belongs(c, s))
		}
	}
}
