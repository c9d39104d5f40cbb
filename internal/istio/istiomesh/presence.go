package istiomesh

import (
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Presence says whether a cluster has Istio: a control plane, the roots that one
// publishes, or a webhook that injects. Only what was really read tells.
func (Mesh) Presence(c *facts.Cluster) mesh.Presence {
	has, known := istio.HasControlPlane(c)
	root, webhooks := resources.RootCert.Of(c), resources.Webhooks.Of(c)
	if has || root.State == facts.OK || len(webhooks.Value) > 0 {
		return mesh.Presence{Found: true}
	}
	for _, row := range []rule.Need{resources.Istiods, resources.RootCert, resources.Webhooks} {
		if why, lacks := rule.Lacks(c, row); lacks {
			if row != rule.Need(resources.Webhooks) { // a cluster of which so little is known is no news
				why.Kind = finding.NotRead
			}
			return mesh.Presence{Unknown: why}
		}
	}
	if !known {
		return mesh.Presence{Unknown: finding.Reason{Kind: finding.NotRead, Text: "deployments: not all namespaces were read"}}
	}
	p := mesh.Presence{
		Missing: "no Istio was found in namespace " + c.SystemNamespace,
		Evidence: []finding.Evidence{
			{Field: "deployments with label " + istio.IstiodSelector, Value: "none in " + c.SystemNamespace},
			{Field: "configmap " + c.SystemNamespace + "/" + istio.RootCertConfigMap, Value: "does not exist"},
		},
	}
	for _, d := range resources.Istiods.Of(c).Value {
		p.Elsewhere = append(p.Elsewhere, d.Namespace)
	}
	if p.Elsewhere = finding.Distinct(p.Elsewhere); len(p.Elsewhere) > 0 {
		p.Evidence = append(p.Evidence, finding.Evidence{Field: "istiod runs in", Value: strings.Join(p.Elsewhere, ", ")})
	}
	return p
}

// Peers are the clusters that the remote secrets of a cluster lead to.
func (Mesh) Peers(c *facts.Cluster) mesh.Peers {
	secrets := resources.RemoteSecrets.Of(c)
	out := mesh.Peers{By: "remote secrets"}
	if !secrets.Known() {
		out.Unknown = secrets.Why()
	}
	for _, s := range secrets.Value {
		out.Peers = append(out.Peers, mesh.Peer{Object: s.Namespace + "/" + s.Name, ClusterID: s.ClusterID, Server: s.Server})
	}
	return out
}
