package linkerdmesh

import (
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Presence says whether a cluster has Linkerd: the ConfigMap of an installation, its namespace's
// label, or a Link.
func (Mesh) Presence(c *facts.Cluster) mesh.Presence {
	state, why := model.Installed(c)
	switch state {
	case model.Is:
		return mesh.Presence{Found: true}
	case model.Maybe:
		return mesh.Presence{Unknown: why}
	case model.Not:
	}
	evidence := finding.Evidence{Field: "configmap " + resources.ConfigMapConfig, Value: "in no namespace"}
	if why, lacks := rule.Lacks(c, resources.Config); lacks {
		if _, lacks := rule.Lacks(c, resources.Namespaces); lacks {
			why.Kind = finding.NotRead // a cluster of which so little is known is no news
			return mesh.Presence{Unknown: why}
		}
		evidence = finding.Evidence{Field: "namespaces of Linkerd", Value: "none"}
	}
	return mesh.Presence{Missing: "no Linkerd was found in any namespace", Evidence: []finding.Evidence{evidence}}
}

// Peers are the clusters that the Links of a cluster lead to.
func (Mesh) Peers(c *facts.Cluster) mesh.Peers {
	out := mesh.Peers{By: "Links"}
	if reason, lacks := rule.Lacks(c, resources.Links, resources.Credentials); lacks {
		out.Unknown = strings.TrimPrefix(reason.Text, resources.Links.String()+": ")
	}
	m := model.New(&facts.Fleet{Clusters: []facts.Cluster{*c}}, model.Options{})
	for _, l := range m.Links {
		peer := mesh.Peer{Object: l.Namespace + "/" + l.Spec.ClusterCredentialsSecret, ClusterID: l.TargetName()}
		if l.Credentials != nil {
			peer.Server = l.Credentials.Kubeconfig.Server
		}
		out.Peers = append(out.Peers, peer)
	}
	return out
}
