package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// samePorts: endpoints are those of the port's name, and gateways are told the port's
// number, both as in the Service that istiod uses for the source (endpoint_builder.go).
func (w *walk) samePorts() Verdict {
	there := w.service.in(w.to)
	used := w.cp.ClusterOf(w.ports[0].given.Definition)
	if v := w.each(stepPorts, func(p *port) (finding.Finding, bool) {
		if p.all(istio.OtherPort) {
			if o, ok := numbered(there, p.number); ok && o.Name != p.name {
				return w.otherName(used, p), true
			}
			return w.noPort(used, p), true
		}
		if o, ok := named(there, p.name); ok && int(o.Port) != p.number && len(p.via) > 0 {
			return w.otherNumber(used, p), true
		}
		return finding.Finding{}, false
	}); v != goesOn {
		return v
	}
	for _, p := range w.ports {
		mine, ok := named(w.service.in(used), p.name)
		if o, found := named(there, p.name); ok && found && istio.ProtocolOf(mine) != istio.ProtocolOf(o) {
			w.warn(w.otherProtocol(used, p))
		}
	}
	return w.ok(stepPorts, "%s", portsOf(there))
}

func portsOf(s *corev1.Service) string {
	var out []string
	for _, p := range s.Spec.Ports {
		out = append(out, fmt.Sprintf("port %d (%s)", p.Port, cmp.Or(p.Name, "no name")))
	}
	return cmp.Or(strings.Join(out, ", "), "no ports")
}

// named and numbered find a port of a Service.
func named(s *corev1.Service, name string) (corev1.ServicePort, bool) {
	return portBy(s, func(p corev1.ServicePort) bool { return p.Name == name })
}

func numbered(s *corev1.Service, number int) (corev1.ServicePort, bool) {
	return portBy(s, func(p corev1.ServicePort) bool { return int(p.Port) == number })
}

func portBy(s *corev1.Service, is func(corev1.ServicePort) bool) (corev1.ServicePort, bool) {
	if s == nil {
		return corev1.ServicePort{}, false
	}
	if i := slices.IndexFunc(s.Spec.Ports, is); i >= 0 {
		return s.Spec.Ports[i], true
	}
	return corev1.ServicePort{}, false
}

// patchPort is the fix that changes a field of the differing Service's port.
func (w *walk) patchPort(
	differing *model.Cluster, is func(corev1.ServicePort) bool, op, field string, value any,
) []finding.Step {
	i := slices.IndexFunc(w.service.in(differing).Spec.Ports, is)
	return []finding.Step{
		finding.Run(w.service.patch(differing.Context, operation{op, fmt.Sprintf("/spec/ports/%d/%s", i, field), value})),
	}
}

func (w *walk) otherName(used *model.Cluster, p *port) finding.Finding {
	value := func(s *corev1.Service) string {
		o, _ := numbered(s, p.number)
		return quoted(o.Name)
	}
	differing, other := w.differing(used, w.to, value)
	f := w.differs("EP003", differing, other, fmt.Sprintf("name of port %d", p.number), value)
	f.Title = fmt.Sprintf("port %d of %s is named %s in %s and %s in %s",
		p.number, w.service, f.Evidence[0].Value, differing.Context, f.Evidence[1].Value, other.Context)
	f.Effect = "clients of the one get no endpoints of the other: istiod matches them by the port's name"
	right, _ := numbered(w.service.in(other), p.number)
	f.Fix = w.patchPort(
		differing,
		func(o corev1.ServicePort) bool { return int(o.Port) == p.number },
		"add",
		"name",
		right.Name,
	) // it may have none yet
	return f
}

func (w *walk) otherNumber(used *model.Cluster, p *port) finding.Finding {
	value := func(s *corev1.Service) string {
		o, _ := named(s, p.name)
		return fmt.Sprint(o.Port)
	}
	differing, other := w.differing(used, w.to, value)
	f := w.differs("EP004", differing, other, "number of port "+quoted(p.name), value)
	f.Title = fmt.Sprintf("port %s of %s is %s in %s and %s in %s",
		quoted(p.name), w.service, f.Evidence[0].Value, differing.Context, f.Evidence[1].Value, other.Context)
	f.Effect = "the gateway of the one is asked for the other's number, does not know it, and resets the connection"
	right, _ := named(w.service.in(other), p.name)
	f.Fix = w.patchPort(differing, func(o corev1.ServicePort) bool { return o.Name == p.name }, "replace", "port", right.Port)
	return f
}

func (w *walk) noPort(used *model.Cluster, p *port) finding.Finding {
	f := w.differs("EP004", w.to, used, "ports", portsOf)
	f.Title = fmt.Sprintf("Service %s has no port %d (%s) in %s", w.service, p.number, cmp.Or(p.name, "no name"), w.to.Context)
	f.Effect = fmt.Sprintf("clients elsewhere get no endpoint of %s for the port", w.to.Context)
	f.Fix = []finding.Step{finding.Say("Add the port, with the same name and number:").By(
		edit(w.to.Context, kindService, w.service.namespace, w.service.name))}
	return f
}

func (w *walk) otherProtocol(used *model.Cluster, p *port) finding.Finding {
	value := func(s *corev1.Service) string {
		o, _ := named(s, p.name)
		return istio.ProtocolOf(o)
	}
	differing, other := w.differing(used, w.to, value)
	f := w.differs("EP022", differing, other, "protocol of port "+quoted(p.name), func(s *corev1.Service) string {
		o, _ := named(s, p.name)
		return appProtocol(o)
	})
	f.Severity = finding.Warning
	right := value(w.service.in(other))
	f.Title = fmt.Sprintf("port %s of %s is %s in %s and %s in %s",
		quoted(p.name), w.service, value(w.service.in(differing)), differing.Context, right, other.Context)
	f.Effect = "each control plane takes the protocol of its own Service: requests are routed and counted differently"
	f.Fix = []finding.Step{finding.Say("Give both the same appProtocol:").By(
		edit(differing.Context, kindService, w.service.namespace, w.service.name))}
	if right != istio.UnnamedProtocol {
		f.Fix = w.patchPort(differing, func(o corev1.ServicePort) bool { return o.Name == p.name }, "add", "appProtocol", right)
	}
	return f
}

func quoted(name string) string { return `"` + name + `"` }

func appProtocol(p corev1.ServicePort) string {
	if p.AppProtocol != nil {
		return "appProtocol " + *p.AppProtocol
	}
	return "no appProtocol, name " + quoted(p.Name)
}
