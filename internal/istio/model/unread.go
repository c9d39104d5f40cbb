package model

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Unread is something that was not read of a cluster, and why not.
type Unread struct {
	Context  string
	Resource resource.Resource
	finding.Reason
	State facts.State
}

// Unread are those of some rows that were not read of the cluster, in their order.
func (c *Cluster) Unread(rows ...resource.Resource) []Unread {
	var out []Unread
	for _, row := range rows {
		if why, lacks := rule.Lacks(c.Cluster, row); lacks {
			state, _ := row.State(c.Cluster)
			out = append(out, Unread{c.Context, row, why, state})
		}
	}
	return out
}

// refused are those of some rows that were asked for and not given. What a run has no
// need of, and never asks for, is not among them.
func (c *Cluster) refused(rows ...resource.Resource) []Unread {
	var out []Unread
	for _, u := range c.Unread(rows...) {
		if u.State != facts.NotAsked {
			out = append(out, u)
		}
	}
	return out
}
