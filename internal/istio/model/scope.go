package model

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Facts are what the model was built of; with Scope it makes the Mesh a rule.Model.
func (m *Mesh) Facts() *facts.Fleet { return m.Fleet }

// Scope says whether rules check a cluster: not where it is outside of the mesh, and
// where that is not known, they are unknown.
func (m *Mesh) Scope(c *facts.Cluster) rule.Scope {
	cluster := m.Cluster(c.Context)
	if cluster == nil {
		return rule.Scope{Out: true}
	}
	switch cluster.Membership.State {
	case Outside:
		return rule.Scope{Out: true}
	case Unclear:
		return rule.Scope{Doubt: cluster.Membership.Doubt()}
	default:
		return rule.Scope{}
	}
}

// Doubt is why it is not known whether a cluster is part of a mesh.
func (m Membership) Doubt() finding.Reason {
	kind := finding.Undecided
	if len(m.Unread) > 0 {
		kind = m.Unread[0].Kind
	}
	return finding.Reason{Kind: kind, Text: m.String()}
}

// Able are the clusters that a rule can check, in the order of the fleet.
func Able(p *rule.Pass[*Mesh]) []*Cluster {
	var out []*Cluster
	for _, c := range p.Model.Clusters {
		if p.Able(c.Context) {
			out = append(out, c)
		}
	}
	return out
}
