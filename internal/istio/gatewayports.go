package istio

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// labelDirectPorts keeps istiod from taking the port of a Gateway for that of a Service.
const labelDirectPorts = "experimental.istio.io/disable-gateway-port-translation"

// Target is the port of the pods to which a port of a Service leads; false where only
// the pods can tell.
func Target(s *corev1.Service, port int) (int, bool) {
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if int(p.Port) != port {
			continue
		}
		switch {
		case p.TargetPort.Type == intstr.String && p.TargetPort.StrVal != "":
			return 0, false
		case p.TargetPort.IntValue() == 0:
			return port, true
		}
		return p.TargetPort.IntValue(), true
	}
	return 0, false
}

// ListensFor reports whether a server of a number, in a Gateway that selects some pods, makes
// them listen where a port of their Service sends: the number is that of a port of a Service of
// the pods, which istiod translates, and only otherwise the pods' own (pilot/pkg/model/gateway.go,
// resolvePorts).
func ListensFor(services []corev1.Service, of *corev1.Service, pods []*facts.Pod, port, number int) bool {
	target, known := Target(of, port)
	if !known {
		return true // a name; the pods know its port
	}
	translated := false
	for i := range services {
		s := &services[i]
		if _, direct := s.Labels[labelDirectPorts]; direct || s.Namespace != of.Namespace {
			continue
		}
		if !slices.ContainsFunc(pods, func(p *facts.Pod) bool { return facts.Selects(s.Spec.Selector, p.Labels) }) {
			continue
		}
		for j := range s.Spec.Ports {
			p := &s.Spec.Ports[j]
			if int(p.Port) != number {
				continue
			}
			// Of several Services istiod uses the first: any of them may be it.
			translated = true
			if p.TargetPort.Type == intstr.String || p.TargetPort.IntValue() == target || p.TargetPort.IntValue() == 0 && number == target {
				return true
			}
		}
	}
	return !translated && number == target
}
