package probing

import (
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// FromPodOf is the command that tries from a pod of one of the clusters; false where
// they have none that can.
func FromPodOf(m *model.Mesh, clusters []*model.Cluster) (finding.Command, bool) {
	var contexts []string
	for _, c := range m.Members() {
		contexts = append(contexts, c.Context)
	}
	for _, sidecars := range []bool{true, false} { // the pods of gateways come last
		for _, c := range clusters {
			for _, p := range c.ProxyPods() {
				if p.IsReady() && (p.Labels[istio.LabelTLSMode] != "") == sidecars {
					return finding.Shell("kubectl", "mesh-network", "probe", "--contexts="+strings.Join(contexts, ","),
						"--from-pod="+c.Context+"/"+p.Namespace+"/"+p.Name), true
				}
			}
		}
	}
	return finding.Command{}, false
}

// FromOtherNetworks is the command that tries from a pod of another network; false where
// none is known.
func FromOtherNetworks(m *model.Mesh, network string) (finding.Command, bool) {
	var others []*model.Cluster
	for _, c := range m.Members() {
		if home := c.Network().Home(); home != "" && home != network {
			others = append(others, c)
		}
	}
	return FromPodOf(m, others)
}

// Listening is the advice about an address at which nothing listens.
func Listening() finding.Step {
	return finding.Say("Check that the Service has endpoints, and that the load balancer sends its port to them: nothing listens there.")
}

// LetThrough is the advice about an address to which something does not let clients.
func (r Trial) LetThrough(clients string) finding.Step {
	return finding.Say("Let %s through to port %d: check firewalls, security groups, loadBalancerSourceRanges and network policies.",
		clients, int(r.Port))
}
