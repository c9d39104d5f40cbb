// Package model is the one model of the Gloo Mesh clusters of a fleet: where the management planes are, which
// clusters are registered with them and where each of these is, which meshes were discovered, and how
// they are grouped. It is built once a run; rules and views ask it. Everything in it is pure.
package model

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Mesh is a fleet as Gloo Mesh sees it.
type Mesh struct {
	// Clusters are those that were reached and have something of Gloo Mesh, or are registered with it.
	Clusters []*Cluster
	// Planes are the management planes.
	Planes []*Plane
	// Trials are what came of trying the addresses of gateways; none where nothing was tried.
	Trials probing.Trials
	// fleet holds these clusters, and those that were not reached.
	fleet *facts.Fleet
}

// New makes the model of a fleet. Clusters that Gloo Mesh has nothing to do with are left out.
func New(fleet *facts.Fleet) *Mesh {
	m := &Mesh{fleet: &facts.Fleet{At: fleet.At, Beyond: fleet.Beyond}}
	var all []*Cluster
	for i := range fleet.Clusters {
		f := fleet.Clusters[i] // a copy, of which reads are replaced
		if f.Unreached == nil {
			nothingToRead(&f)
			all = append(all, newCluster(m, &f))
		}
	}
	for i, c := range all {
		if slices.ContainsFunc(all[:i], c.is) {
			continue // another context of the same cluster
		}
		c.findPlanes()
		m.Planes = append(m.Planes, c.Planes...)
	}
	for _, p := range m.Planes {
		p.findRegistrations(all, unreached(fleet))
		p.findMembers()
		p.findVirtualMeshes()
		p.findPolicies()
		p.findFederated()
	}
	for i := range fleet.Clusters {
		f := &fleet.Clusters[i]
		if f.Unreached != nil {
			m.fleet.Clusters = append(m.fleet.Clusters, *f)
			continue
		}
		at := slices.IndexFunc(all, func(c *Cluster) bool { return c.Context == f.Context })
		c := all[at]
		if state, _ := Installed(f); state == Not && len(c.Registered) == 0 {
			continue
		}
		m.fleet.Clusters = append(m.fleet.Clusters, *c.Cluster)
		m.Clusters = append(m.Clusters, c)
	}
	return m
}

// nothingToRead notes of a cluster that serves no group of Gloo Mesh that it has no object of
// them: none was asked for.
func nothingToRead(c *facts.Cluster) {
	groups := resources.Groups.Of(c)
	if !groups.Known() || len(groups.Value) > 0 {
		return
	}
	for _, row := range resources.All {
		if state, _ := row.State(c); state == facts.NotAsked && row.About().Where != nil {
			row.SetState(c, row.Empty(), "")
		}
	}
}

func unreached(fleet *facts.Fleet) []*facts.Cluster {
	var out []*facts.Cluster
	for i := range fleet.Clusters {
		if fleet.Clusters[i].Unreached != nil {
			out = append(out, &fleet.Clusters[i])
		}
	}
	return out
}

// Facts are those of the clusters that Gloo Mesh has to do with, and of those that were not reached.
func (m *Mesh) Facts() *facts.Fleet { return m.fleet }

// Scope is whether rules check a cluster: not where it is not known whether it has Gloo Mesh.
func (m *Mesh) Scope(c *facts.Cluster) rule.Scope {
	if of := m.Cluster(c.Context); of != nil && len(of.Registered) > 0 {
		return rule.Scope{}
	}
	state, why := Installed(c)
	return rule.Scope{Out: state == Not, Doubt: why}
}

// Cluster is that of a context; nil where it was not reached, or Gloo Mesh has nothing to do with it.
func (m *Mesh) Cluster(context string) *Cluster {
	for _, c := range m.Clusters {
		if c.Context == context {
			return c
		}
	}
	return nil
}

// Roots are the Secrets with the roots of VirtualMeshes, by the contexts of the management clusters.
func (m *Mesh) Roots() map[string][]api.Ref {
	out := map[string][]api.Ref{}
	for _, p := range m.Planes {
		for _, v := range p.VirtualMeshes {
			if ref := v.RootRef(); ref.Name != "" && ref.Namespace != "" && !slices.Contains(out[p.Cluster.Context], ref) {
				out[p.Cluster.Context] = append(out[p.Cluster.Context], ref)
			}
		}
	}
	return out
}

// Installation is whether a cluster has something of Gloo Mesh.
type Installation int

// The installations.
const (
	Not Installation = iota
	// Maybe: what would tell could not be read, and something else speaks for it.
	Maybe
	Is
)

// Installed says whether a cluster has something of Gloo Mesh, and, where only that may be, what could not
// be read: its API server serves one of the groups, or there is an object of one in a folder. Definitions
// alone are left behind by an installation that was removed.
func Installed(c *facts.Cluster) (Installation, finding.Reason) {
	for _, row := range resources.Own {
		if row != resource(resources.Groups) && row != resource(resources.Kubeconfigs) && len(row.Objects(c)) > 0 {
			return Is, finding.Reason{}
		}
	}
	hint := false
	for _, ns := range resources.Namespaces.Of(c).Value {
		hint = hint || slices.ContainsFunc(resources.Generations, func(g *resources.Generation) bool { return g.Namespace == ns.Name })
	}
	var rows []rule.Need
	for _, row := range resources.Own {
		rows = append(rows, row)
	}
	served := len(resources.Groups.Of(c).Value) > 0
	if served {
		rows = rows[1:]
	}
	why, lacks := rule.Lacks(c, rows...)
	if lacks && (served || hint) && (why.Kind != finding.NotRead || served) {
		return Maybe, why
	}
	return Not, finding.Reason{}
}

func key(namespace, name string) string { return namespace + "/" + name }
