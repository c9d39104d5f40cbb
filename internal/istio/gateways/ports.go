package gateways

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// ports is evidence of the ports of the Service.
func (g gateway) ports() finding.Evidence {
	return finding.Evidence{Field: g.at("ports"), Value: portsOf(g.Service)}
}

// ignoredPort: the port of a gateway is set where istiod does not look for it: in a label
// that is not a number, or in an annotation (pilot/pkg/serviceregistry/kube/controller/
// network.go, getGatewayDetails).
func ignoredPort(p pass) {
	for _, g := range intended(p) {
		annotation := g.Service.Annotations[istio.LabelGatewayPort]
		var wrong finding.Evidence
		switch g.PortIgnored() {
		case model.PortNotNumber:
			wrong = finding.Evidence{
				Field: g.at("label " + istio.LabelGatewayPort),
				Value: fmt.Sprintf("%s: it is not a number, and istiod uses %d", g.Service.Labels[istio.LabelGatewayPort], istio.DefaultGatewayPort),
			}
		case model.PortAnnotated:
			wrong = g.annotation(istio.LabelGatewayPort, annotation+": istiod uses only a label of that name")
		default:
			continue
		}
		f := g.finding("GW008", finding.Warning, "the port of the gateway is set in a way that istiod ignores")
		f.Evidence = []finding.Evidence{wrong, g.ports()}
		f.Effect = fmt.Sprintf("istiod uses port %d", g.Port())
		if g.LacksPorts() {
			f.Severity, f.Effect = g.severity(), g.lost()
		}
		port := annotation
		if _, err := strconv.Atoi(port); err != nil {
			port = strconv.Itoa(istio.DefaultGatewayPort)
		}
		f.Fix = []finding.Step{finding.Say("Set the port by a label:").By(g.kubectl("label", istio.LabelGatewayPort+"="+port, "--overwrite"))}
		p.Report(f)
	}
}

// missingPort: the Service of a gateway does not have the gateway's port. From 1.29 on
// istiod ignores such a Service, and before it advertises a port where nothing listens
// (pilot/pkg/serviceregistry/kube/controller/network.go, getGatewayDetails).
func missingPort(p pass) {
	for _, g := range intended(p) {
		if cp := g.MisleadsSidecars(); cp != nil {
			p.Report(g.onlyHBONE(cp))
			continue
		}
		if !g.LacksPorts() {
			continue
		}
		f := g.finding("GW007", g.severity(), fmt.Sprintf("the gateway's Service does not have port %d", g.Port()))
		f.Evidence = []finding.Evidence{{Field: "port of the gateway", Value: g.portSource()}, g.ports()}
		f.Effect = g.lost()
		if k := g.EastWest(); k != nil {
			g.withoutHBONE(&f, k)
			p.Report(f)
			continue
		}
		if slices.ContainsFunc(g.KnownTo(), func(cp *model.ControlPlane) bool {
			c, _ := g.Candidate(cp)
			return c.Problem == "" && c.Port != 0
		}) {
			f.Effect = fmt.Sprintf("istiod advertises port %d all the same: connections from other networks to %s are refused", g.Port(), g.Network)
		}
		name := "tls"
		if slices.ContainsFunc(g.Service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == name }) {
			name = "tls-networks"
		}
		added := []any{map[string]any{"name": name, "port": g.Port(), "targetPort": g.Port()}}
		f.Fix = []finding.Step{finding.Say("Add the port:").By(g.patch(map[string]any{"ports": added}))}
		if f.CausedBy = g.cause(p, "GW008"); f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		}
		p.Report(f)
	}
}

// onlyHBONE says that istiod sends sidecars to a gateway that takes ambient proxies only.
func (g gateway) onlyHBONE(cp *model.ControlPlane) finding.Finding {
	f := g.finding("GW007", finding.Error, fmt.Sprintf("sidecars are sent to port %d of a gateway that takes ambient proxies only", g.Port()))
	f.Evidence = []finding.Evidence{
		g.ports(),
		{Cluster: cp.Cluster.Context, Field: "istiod " + cp.Istiod.Name + ", version", Value: cp.Istiod.Version.String()},
	}
	f.Effect = fmt.Sprintf("requests of sidecars on other networks to %s fail, or the share of them that goes to this gateway", g.Network)
	f.Fix = []finding.Step{
		finding.Say("Give %s an east-west gateway with port %d for sidecars, if it has none.", g.Network, g.Port()),
		finding.Say("Update istiod of %s to 1.29 or later: it no longer gives this gateway to sidecars.", cp.Cluster.Context),
	}
	return f
}

// withoutHBONE says it of the Service that istiod has made for the Gateway of an ambient
// network: it has the ports of the Gateway's listeners.
func (g gateway) withoutHBONE(f *finding.Finding, k *api.KubernetesGateway) {
	f.Title = fmt.Sprintf("the gateway's Service does not have port %d", istio.HBONEPort)
	f.Evidence[0].Value = fmt.Sprintf("%d, as its Gateway is of class %s", istio.HBONEPort, k.Spec.GatewayClassName)
	f.Effect = fmt.Sprintf("ambient clients on other networks go to port %d all the same: their connections to %s are refused",
		istio.HBONEPort, g.Network)
	f.Fix = []finding.Step{
		finding.Say("Give the listener of protocol HBONE port %d:", istio.HBONEPort).By(remedy.EditKubernetesGateway(g.Cluster.Context, k)),
	}
}

// portSource is the port of the gateway, and what makes it that one.
func (g gateway) portSource() string {
	if known := g.KnownTo(); !g.Labeled && len(known) > 0 {
		c, _ := g.Candidate(known[0])
		return fmt.Sprintf("%d, %s", g.Port(), strings.TrimPrefix(c.PortFrom, "nodePort of "))
	}
	if _, err := strconv.Atoi(g.Service.Labels[istio.LabelGatewayPort]); err == nil {
		return fmt.Sprintf("%d, by label %s", g.Port(), istio.LabelGatewayPort)
	}
	return fmt.Sprintf("%d, as no label %s says otherwise", g.Port(), istio.LabelGatewayPort)
}
