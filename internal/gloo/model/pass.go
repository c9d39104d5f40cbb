package model

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Able are the clusters that a rule can check.
func Able(p *rule.Pass[*Mesh]) []*Cluster {
	var out []*Cluster
	for _, c := range p.Model.Clusters {
		if p.Able(c.Context) {
			out = append(out, c)
		}
	}
	return out
}

// AblePlanes are the management planes in clusters that a rule can check.
func AblePlanes(p *rule.Pass[*Mesh]) []*Plane {
	var out []*Plane
	for _, plane := range p.Model.Planes {
		if p.Able(plane.Cluster.Context) {
			out = append(out, plane)
		}
	}
	return out
}

// Cause is the ID of the first finding with one of the codes, in their order, that fits; "" where there
// is none. A note causes nothing.
func Cause(p *rule.Pass[*Mesh], fits func(finding.Finding) bool, codes ...finding.Code) string {
	for _, f := range p.Found(codes...) {
		if f.Severity != finding.Note && fits(f) {
			return f.ID()
		}
	}
	return ""
}

// In fits findings about a cluster.
func In(context string) func(finding.Finding) bool {
	return func(f finding.Finding) bool { return slices.Contains(f.Clusters, context) }
}

// About fits findings in a cluster about one of some objects.
func About(context string, objects ...finding.Object) func(finding.Finding) bool {
	return func(f finding.Finding) bool {
		return slices.Contains(f.Clusters, context) && slices.Contains(objects, f.Object)
	}
}

// Elsewhere says of a mesh whose cluster was not read that a rule did not check it. Where that cluster
// was not reached, that is said of the cluster.
func Elsewhere(p *rule.Pass[*Mesh], m *Member) {
	if m.Registration == nil || m.Registration.Unreached == "" {
		p.NotChecked(m.Plane.Cluster.Context, finding.Because("cluster "+m.ClusterName+" of Gloo Mesh is not among the clusters"))
	}
}

// WithoutPlane says of clusters with agents, whose management cluster is not among the clusters, that a rule
// did not check them.
func WithoutPlane(p *rule.Pass[*Mesh]) {
	for _, c := range Able(p) {
		if len(c.Planes) == 0 && len(c.Registered) == 0 {
			p.NotChecked(c.Context, finding.Because("the management cluster of Gloo Mesh is not among the clusters"))
		}
	}
}

// Managing are the rows of what people and the plane write in a management cluster, in all generations.
func Managing() []rule.Need {
	return needsOf((*resources.Generation).Managing)
}

// Registering are the rows that say which clusters management planes have, Discovering those with what they found there.
func Registering() []rule.Need {
	return needsOf(func(g *resources.Generation) []resources.Row { return []resources.Row{g.Clusters} })
}

// Discovering are Registering, with the meshes that were discovered.
func Discovering() []rule.Need {
	return needsOf(func(g *resources.Generation) []resources.Row { return []resources.Row{g.Clusters, g.Meshes} })
}

// Issuing are the rows of what there is in clusters with an agent, in all generations.
func Issuing() []rule.Need { return needsOf((*resources.Generation).Issuing) }

// Custom are Managing, with what there is in clusters with an agent.
func Custom() []rule.Need {
	return needsOf(func(g *resources.Generation) []resources.Row { return append(g.Managing(), g.Issuing()...) })
}

func needsOf(rows func(*resources.Generation) []resources.Row) []rule.Need {
	var out []rule.Need
	for _, g := range resources.Generations {
		for _, row := range rows(g) {
			out = append(out, row)
		}
	}
	return out
}
