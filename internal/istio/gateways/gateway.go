// Package gateways has the rules about gateways between networks: whether every network
// that somebody calls has one, whether istiod uses it, and whether it can work. Everything
// in it is pure.
package gateways

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// pass is one rule's run.
type pass = *rule.Pass[*model.Mesh]

// gateway is a Service that is meant to be a gateway of a network, as rules speak of it.
type gateway struct{ *model.Gateway }

// intended are the gateways of the clusters that a rule can check, without those whose
// label is there by accident; none where nobody goes through gateways.
func intended(p pass) []gateway {
	if !p.Model.GatewaysMatter() {
		return nil
	}
	var out []gateway
	for _, c := range model.Able(p) {
		for _, g := range c.IntendedGateways() {
			out = append(out, gateway{g})
		}
	}
	return out
}

// needsAddress are those of intended whose Service has to have an address of its own.
func needsAddress(p pass) []gateway {
	return slices.DeleteFunc(intended(p), func(g gateway) bool { return !g.NeedsAddress() })
}

// change are a step that changes the Service and, where somebody writes it, the one that
// says where it has to be changed to stay. What istiod makes of a Gateway it writes again at
// once, so that the Gateway is to be changed alone.
func (g gateway) change(step finding.Step) []finding.Step {
	o := owner.Of(&g.Service.ObjectMeta)
	switch {
	case o.Tool == owner.Istiod:
		return []finding.Step{o.Step(g.Cluster.Context, g.Object())}
	case o.Known():
		return []finding.Step{step, o.Step(g.Cluster.Context, g.Object())}
	}
	return []finding.Step{step}
}

// cause is the ID of the first finding with one of the codes, in their order, that is
// about the Service; "" where there is none.
func (g gateway) cause(p pass, codes ...finding.Code) string {
	return model.Cause(p, g.Cluster.Context, g.Object(), codes...)
}

// finding begins a finding about the Service.
func (g gateway) finding(code finding.Code, severity finding.Severity, title string) finding.Finding {
	return finding.Finding{Code: code, Severity: severity, Clusters: []string{g.Cluster.Context}, Object: g.Object(), Title: title}
}

// also makes a finding about the Service one about another cluster as well.
func (g gateway) also(f *finding.Finding, context string) {
	if f.Clusters = finding.Distinct(append(f.Clusters, context)); len(f.Clusters) > 1 {
		f.ObjectIn = g.Cluster.Context
	}
}

// lost is what goes wrong where istiod does not use the gateway.
func (g gateway) lost() string {
	if !g.TakesSidecars() {
		return "ambient clients on other networks do not go through it to " + g.Network
	}
	return fmt.Sprintf("clients on other networks do not go through it to %s: they try addresses of pods, and time out", g.Network)
}

// severity is that of a fault for which istiod does not use the gateway: another gateway
// of the same network does what this one should.
func (g gateway) severity() finding.Severity {
	if g.Replaced() {
		return finding.Warning
	}
	return finding.Error
}

// toLoadBalancer is the command that makes the Service a load balancer.
func (g gateway) toLoadBalancer() finding.Command {
	return g.patch(map[string]any{"type": corev1.ServiceTypeLoadBalancer})
}

// patch is the command that changes the spec of the Service.
func (g gateway) patch(spec map[string]any) finding.Command {
	return g.kubectl("patch", "-p", remedy.JSON(map[string]any{"spec": spec}))
}

// kubectl is a command about the Service.
func (g gateway) kubectl(verb string, rest ...string) finding.Command {
	return finding.Kubectl(g.Cluster.Context, append([]string{"-n", g.Service.Namespace, verb, "service/" + g.Service.Name}, rest...)...)
}

// labelNetwork is the command that gives the Service a network.
func (g gateway) labelNetwork(network string) finding.Command {
	return g.kubectl("label", istio.LabelNetwork+"="+network, "--overwrite")
}

// at names a part of the Service in evidence.
func (g gateway) at(part string) string { return g.Object().String() + ", " + part }

// annotation is evidence of an annotation of the Service.
func (g gateway) annotation(name, value string) finding.Evidence {
	return finding.Evidence{Field: g.at("annotation " + name), Value: value}
}

// label is evidence of the network in the label of the Service.
func (g gateway) label() finding.Evidence { return evidence.Label(g.Object().String(), g.Network) }

// portsOf are the ports of a Service, for people.
func portsOf(s *corev1.Service) string {
	var out []string
	for _, p := range s.Spec.Ports {
		text := strconv.Itoa(int(p.Port))
		if p.Name != "" {
			text += " (" + p.Name + ")"
		}
		out = append(out, text)
	}
	return evidence.OrNone(strings.Join(out, ", "))
}

// inline writes labels as a selector on a command line.
func inline(labels map[string]string) string { return strings.Join(pairs(labels), ",") }

// pairs are labels as kubectl label takes them.
func pairs(labels map[string]string) []string {
	var out []string
	for k, v := range labels {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}
