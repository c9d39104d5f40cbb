package gateways

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// withoutAddress: istiod gets no address from a Gateway of the Gateway API that is labeled
// with a network (pilot/pkg/serviceregistry/kube/controller/network.go,
// handleGatewayResource).
func withoutAddress(p pass) {
	if !p.Model.GatewaysMatter() {
		return
	}
	for _, c := range model.Able(p) {
		for i := range resources.KubernetesGateways.Of(c.Cluster).Value {
			k := &resources.KubernetesGateways.Of(c.Cluster).Value[i]
			if !model.GivesAddresses(k) {
				continue
			}
			for _, cp := range c.ConfiguredBy() {
				if why := notUsed(cp, c, k); why != "" {
					p.Report(ignoredGateway(cp, c, k, why))
					break
				}
			}
		}
	}
}

// notUsed is why a control plane gets no address from a Gateway; "" where it gets one.
func notUsed(cp *model.ControlPlane, c *model.Cluster, k *api.KubernetesGateway) string {
	candidate, ok := cp.KubernetesCandidate(c, k)
	if !ok {
		return fmt.Sprintf("istiod %s does not look at Gateways (%s)", cp.Istiod.Name, istio.EnvGatewayAPINetworks)
	}
	return candidate.Problem
}

func ignoredGateway(cp *model.ControlPlane, c *model.Cluster, k *api.KubernetesGateway, why string) finding.Finding {
	network := k.Labels[istio.LabelNetwork]
	return finding.Finding{
		Code: "GW016", Severity: finding.Error, Clusters: finding.Distinct([]string{c.Context, cp.Context}), Object: model.GatewayObject(k),
		Title: "istiod gets no address from a Gateway that is labeled with a network",
		Evidence: []finding.Evidence{
			evidence.Label(model.GatewayObject(k).String(), network),
			{Field: "class", Value: k.Spec.GatewayClassName}, {Field: cp.String(), Value: why},
		},
		Effect: fmt.Sprintf("clients on other networks do not get these addresses for %s", network),
		Fix: []finding.Step{
			finding.Say("Give it spec.addresses of type IPAddress or Hostname, and a listener of protocol HBONE, or on port %d with TLS "+
				"mode Passthrough. One of class %s has to be in the control plane's own cluster:", istio.DefaultGatewayPort, api.ClassRemote).
				By(remedy.EditKubernetesGateway(c.Context, k)),
		},
	}
}
