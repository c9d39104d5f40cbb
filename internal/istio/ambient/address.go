package ambient

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// wrongAddresses: ambient workloads of other clusters are sent to an address or a port
// that is not the gateway's. The address is that in the status of the Gateway, which is
// one of the cluster's own as long as its load balancer is pending
// (pilot/pkg/config/kube/gateway/conversion.go, reportGatewayStatus); the port is always
// 15008 (pilot/pkg/serviceregistry/ambient/multicluster.go, createSplitHorizonWorkload).
func wrongAddresses(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	for _, c := range model.Able(p) {
		for _, k := range c.EastWest() {
			if !isUsed(k) || !isUsedElsewhere(c, k) {
				continue
			}
			seen, fix := wrongAddress(c, k)
			if len(seen) == 0 {
				continue
			}
			f := finding.Finding{
				Code: "AMB030", Severity: finding.Error, Clusters: []string{c.Context}, Object: model.GatewayObject(k),
				Title: "istiod gives ambient workloads a wrong gateway address", Evidence: seen,
				Effect: fmt.Sprintf("their requests to %s fail, or reach what has the address in their own cluster", c.Context), Fix: fix,
				CausedBy: model.Cause(p, c.Context, serviceOf(c, k), "GW002", "GW004", "GW030", "GW007"),
			}
			if f.CausedBy != "" {
				f.Fix = []finding.Step{finding.Say("Fix the cause: the status of the Gateway then follows.")}
			}
			p.Report(f)
		}
	}
}

// isUsedElsewhere reports whether a control plane of another cluster, on another network,
// gives the gateway to ambient workloads.
func isUsedElsewhere(c *model.Cluster, k *api.KubernetesGateway) bool {
	return slices.ContainsFunc(c.WatchedBy, func(cp *model.ControlPlane) bool {
		return cp.Cluster != c && cp.Cluster.Network().Namespace != k.Labels[istio.LabelNetwork] && crossesNetworks(cp.Istiod)
	})
}

// wrongAddress is what is wrong with the address or the port of a Gateway, and how it is
// fixed; nothing where both are right.
func wrongAddress(c *model.Cluster, k *api.KubernetesGateway) (seen []finding.Evidence, fix []finding.Step) {
	object := model.GatewayObject(k).String()
	if inside := insideAddresses(c, k); len(inside) > 0 {
		seen = append(seen, finding.Evidence{
			Field: object + ", status.addresses", Value: strings.Join(inside, ", ") + ", which only the cluster itself knows",
		})
		for _, condition := range k.Status.Conditions {
			if condition.Type == "Programmed" {
				seen = append(seen, finding.Evidence{Field: object + ", condition Programmed", Value: conditionText(condition)})
			}
		}
		fix = append(fix, finding.Say("Give the Service of the Gateway an address that other clusters reach. This is the Service:").
			By(finding.Kubectl(c.Context, "-n", k.Namespace, "get", "services", "-l", istio.LabelGatewayName+"="+k.Name)))
	}
	if l := k.Spec.Listeners[slices.IndexFunc(k.Spec.Listeners, istio.IsEastWestListener)]; l.Port != istio.HBONEPort {
		seen = append(seen, finding.Evidence{
			Field: object + ", listener " + l.Name + ", port", Value: fmt.Sprintf("%d, and clients go to %d", l.Port, istio.HBONEPort),
		})
		fix = append(fix, finding.Say("Set the port of the listener of protocol HBONE to %d:", istio.HBONEPort).
			By(remedy.EditKubernetesGateway(c.Context, k)))
	}
	return seen, fix
}

// insideAddresses are the addresses in the status of a Gateway that are those of its
// Service within the cluster.
func insideAddresses(c *model.Cluster, k *api.KubernetesGateway) []string {
	var out []string
	for _, a := range k.Status.Addresses {
		if !istio.IsGatewayAddress(a) {
			continue
		}
		for _, s := range resources.Services.Of(c.Cluster).Value {
			if s.Namespace != k.Namespace || s.Labels[istio.LabelGatewayName] != k.Name {
				continue
			}
			host := s.Name + "." + s.Namespace + ".svc."
			if a.Value == s.Spec.ClusterIP || slices.Contains(s.Spec.ClusterIPs, a.Value) || strings.HasPrefix(a.Value, host) {
				out = append(out, a.Value)
				break
			}
		}
	}
	return out
}
