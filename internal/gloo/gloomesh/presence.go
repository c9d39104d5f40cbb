package gloomesh

import (
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Presence says whether a cluster has something of Gloo Mesh: objects of one of its kinds, or a part of it.
func (Mesh) Presence(c *facts.Cluster) mesh.Presence {
	state, why := model.Installed(c)
	switch state {
	case model.Is:
		return mesh.Presence{Found: true}
	case model.Maybe:
		return mesh.Presence{Unknown: why}
	case model.Not:
	}
	evidence := finding.Evidence{Field: "objects of Gloo Mesh", Value: "none"}
	if len(resources.Groups.Of(c).Value) == 0 {
		evidence = finding.Evidence{Field: "API groups of Gloo Mesh", Value: "none"}
	}
	if why, lacks := rule.Lacks(c, resources.Groups); lacks {
		if _, lacks := rule.Lacks(c, resources.Namespaces); lacks {
			why.Kind = finding.NotRead // a cluster of which so little is known is no news
			return mesh.Presence{Unknown: why}
		}
		evidence = finding.Evidence{Field: "namespaces of Gloo Mesh", Value: "none"}
	}
	return mesh.Presence{Missing: "nothing of Gloo Mesh was found", Evidence: []finding.Evidence{evidence}}
}

// Peers are the clusters that are registered with the management planes of a cluster.
func (Mesh) Peers(c *facts.Cluster) mesh.Peers {
	out := mesh.Peers{By: "registrations with Gloo Mesh"}
	if reason, lacks := rule.Lacks(c, resources.KubernetesClusters, resources.Kubeconfigs); lacks && len(resources.Groups.Of(c).Value) > 0 {
		_, out.Unknown, _ = strings.Cut(reason.Text, ": ")
	}
	m := model.New(&facts.Fleet{Clusters: []facts.Cluster{*c}})
	for _, p := range m.Planes {
		for _, r := range p.Registrations {
			if r.Target != nil && r.Target.Context == c.Context {
				continue // it manages itself also
			}
			out.Peers = append(out.Peers, mesh.Peer{Object: r.Namespace + "/" + r.Name, ClusterID: r.Name, Server: r.Kubeconfig.Server})
		}
	}
	return out
}
