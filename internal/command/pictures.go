package command

import (
	"cmp"
	"context"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// part is a mesh of a fleet, with the clusters that have it or may have it, and those of which
// nothing is known.
type part[T mesh.Mesh] struct {
	mesh  T
	fleet *facts.Fleet
}

// parts are the meshes of a fleet that can do something. Where it has none of them, the first
// one says what it looked for.
func parts[T mesh.Mesh](f *Frame, fleet *facts.Fleet) []part[T] {
	var all, out []part[T]
	for _, m := range f.Plugin.Meshes {
		able, ok := m.(T)
		if !ok {
			continue
		}
		of := *fleet
		if _, drives := m.(mesh.Explainer); !drives { // what it drives may be all that there is in a cluster
			of.Clusters = slices.DeleteFunc(slices.Clone(fleet.Clusters), func(c facts.Cluster) bool { return f.hasOthers(&c, m) })
		}
		all = append(all, part[T]{able, &of})
		if f.present(fleet, m) {
			out = append(out, part[T]{able, &of})
		}
	}
	if len(out) == 0 {
		return all[:min(1, len(all))]
	}
	return out
}

// hasOthers reports whether a cluster has another mesh, and not this one.
func (f *Frame) hasOthers(c *facts.Cluster, m mesh.Mesh) bool {
	if c.Unreached != nil {
		return false
	}
	p := m.Presence(c)
	unclear := p.Unknown != (finding.Reason{}) && p.Unknown.Kind != finding.NotRead
	return !p.Found && !unclear && f.hasAny(c)
}

// rowsOf are the rows that the meshes that can do something read for it.
func rowsOf[T mesh.Mesh](meshes []mesh.Mesh, rows func(T) resource.Set) resource.Set {
	var out resource.Set
	for _, m := range meshes {
		if able, ok := m.(T); ok {
			out = resource.Join(out, rows(able))
		}
	}
	return out
}

// Instead are the names of the meshes of a fleet that does not have one of which a command is; none
// where it has that one, or no mesh at all.
func (f *Frame) Instead(fleet *facts.Fleet, of mesh.Mesh) []string {
	var out []string
	wanted := slices.ContainsFunc(f.Plugin.Meshes, func(m mesh.Mesh) bool { return m.Name() == of.Name() })
	if wanted && f.present(fleet, of) {
		return nil
	}
	for _, m := range f.Plugin.Meshes {
		if f.present(fleet, m) {
			out = append(out, m.Name())
		}
	}
	return out
}

// DiagnosisRows are those that Diagnose reads.
func DiagnosisRows(meshes []mesh.Mesh) resource.Set {
	return rowsOf(meshes, mesh.Diagnoser.DiagnosisResources)
}

// Diagnose says what becomes of requests for a service, in each mesh of the fleet that has it.
func (f *Frame) Diagnose(ctx context.Context, fleet *facts.Fleet, namespace, name string) (*view.Diagnosis, finding.Result, error) {
	return f.diagnose(ctx, f, fleet, namespace, name)
}

// DiagnoseUnasked is Diagnose without asking anybody.
func (f *Frame) DiagnoseUnasked(ctx context.Context, fleet *facts.Fleet, namespace, name string) (*view.Diagnosis, finding.Result, error) {
	d, result, err := f.diagnose(ctx, nobody{}, fleet, namespace, name)
	return d, supposed(result), err
}

func (f *Frame) diagnose(
	ctx context.Context, by survey.Asker, fleet *facts.Fleet, namespace, name string,
) (*view.Diagnosis, finding.Result, error) {
	var out *view.Diagnosis
	var result finding.Result
	for _, p := range parts[mesh.Diagnoser](f, fleet) {
		d, found, err := p.mesh.Diagnose(ctx, f.run(p.fleet, by, nil, f.Plugin.Areas), namespace, name)
		switch {
		case err != nil:
			return nil, finding.Result{}, err
		case out != nil && len(d.Clusters) == 0:
			continue
		case out == nil || len(out.Clusters) == 0:
			out, result = d, found
			continue
		}
		out.Merge(d, &result)
		result.Merge(found)
		result.Sort()
	}
	return out, result, nil
}

// Map is the fleet as a picture, with all of its meshes.
func (f *Frame) Map(ctx context.Context, fleet *facts.Fleet) (view.NetworkMap, error) {
	out := view.NetworkMap{
		Clusters: []view.MapCluster{}, Networks: []view.MapNetwork{}, Unreached: []string{}, Routes: []view.Route{}, Gaps: []view.Gap{},
	}
	for _, p := range parts[mesh.Mapper](f, fleet) {
		m, err := p.mesh.Map(ctx, f.Run(p.fleet, mesh.Network))
		if err != nil {
			return out, err
		}
		out.Merge(m)
	}
	for _, c := range fleet.Clusters {
		known := slices.ContainsFunc(out.Clusters, func(o view.MapCluster) bool { return o.Cluster == c.Context })
		if c.Unreached == nil && !known {
			out.Clusters = append(out.Clusters, view.MapCluster{Cluster: c.Context, Reason: "no mesh was found in it"})
		}
	}
	return out, nil
}

// RootRows are those that CompareRoots reads.
func (f *Frame) RootRows() resource.Set { return rowsOf(f.Plugin.Meshes, mesh.Comparer.RootResources) }

// CompareRoots says which roots the clusters of a fleet trust; meshes is how many there are,
// whose clusters need not trust those of another one.
func (f *Frame) CompareRoots(fleet *facts.Fleet) (c view.Comparison, meshes int) {
	all := parts[mesh.Comparer](f, fleet)
	for i, p := range all {
		of := p.mesh.CompareRoots(p.fleet)
		if i == 0 {
			c = of
			continue
		}
		c.Merge(of)
	}
	order := func(context string) int {
		return slices.IndexFunc(fleet.Clusters, func(c facts.Cluster) bool { return c.Context == context })
	}
	slices.SortStableFunc(c.Clusters, func(a, b view.ClusterRoots) int { return cmp.Compare(order(a.Cluster), order(b.Cluster)) })
	return c, len(all)
}
