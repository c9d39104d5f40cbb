package command

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// discover finds the contexts of the clusters to which the current one leads, by what
// each mesh has of other clusters, and tells on the error stream what it chose.
func (f *Frame) discover(kubeconfig *fleet.Kubeconfig, current *facts.Cluster) (found []fleet.Member, beyond []facts.BeyondReach) {
	all := make([]mesh.Peers, 0, len(f.Plugin.Meshes))
	for _, m := range f.leading(current) {
		all = append(all, m.Peers(current))
	}
	named := slices.ContainsFunc(all, func(p mesh.Peers) bool { return len(p.Peers) > 0 })
	for _, peers := range all {
		if named && len(peers.Peers) == 0 && peers.Unknown == "" {
			continue // another mesh names the clusters
		}
		further, unreachable := reaching(kubeconfig, current, peers.Peers)
		f.sayChosen(current, peers, further, unreachable)
		beyond = append(beyond, unreachable...)
		for _, member := range further {
			if !slices.ContainsFunc(found, func(o fleet.Member) bool { return o.Context == member.Context }) {
				found = append(found, member)
			}
		}
	}
	return found, beyond
}

// leading are the meshes that the current cluster has: of others it has nothing that leads
// anywhere. Where it has none, the first one says what is missing.
func (f *Frame) leading(current *facts.Cluster) []mesh.Mesh {
	has := slices.DeleteFunc(slices.Clone(f.Plugin.Meshes), func(m mesh.Mesh) bool { return !m.Presence(current).Found })
	if len(has) == 0 {
		return f.Plugin.Meshes[:min(1, len(f.Plugin.Meshes))]
	}
	return has
}

// reaching are the contexts that lead to peers, by name, and the peers to which none leads.
func reaching(kubeconfig *fleet.Kubeconfig, current *facts.Cluster, peers []mesh.Peer) (found []fleet.Member, beyond []facts.BeyondReach) {
	servers := make([]string, len(peers))
	for i, p := range peers {
		servers[i] = p.Server
	}
	for i, reach := range kubeconfig.Reaching(servers) {
		if len(reach.Contexts) == 0 {
			beyond = append(beyond, facts.BeyondReach{
				Context: current.Context, Secret: peers[i].Object, ClusterID: peers[i].ClusterID, Server: peers[i].Server,
			})
			continue
		}
		m := reach.Member
		if m.Context != current.Context && !slices.ContainsFunc(found, func(o fleet.Member) bool { return o.Context == m.Context }) {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b fleet.Member) int { return strings.Compare(a.Context, b.Context) })
	return found, beyond
}

// sayChosen tells on the error stream which clusters were taken and why.
func (f *Frame) sayChosen(current *facts.Cluster, peers mesh.Peers, found []fleet.Member, beyond []facts.BeyondReach) {
	name := printable.Line(current.Context)
	switch {
	case current.Unreached != nil:
	case peers.Unknown != "":
		note(f.ErrOut, "Looking at %s alone: its %s, which name the other clusters, could not be read (%s). Name the clusters with --contexts.",
			name, peers.By, peers.Unknown)
	case len(found) == 0 && len(beyond) == 0:
		note(f.ErrOut, "Looking at %s alone: it has no %s, which would name the other clusters. Name them with --contexts.", name, peers.By)
	default:
		names := []string{name + " (the current context)"}
		for _, m := range found {
			names = append(names, printable.Line(m.Context))
		}
		note(f.ErrOut, "Looking at %s, found through the %s of %s.", strings.Join(names, ", "), peers.By, name)
		for _, b := range beyond {
			if b.Server == "" {
				note(f.ErrOut, "They name cluster %s too, and not where it is: the kubeconfig in secret %s cannot be used.",
					printable.Line(b.ClusterID), printable.Line(b.Secret))
				continue
			}
			note(f.ErrOut, "No context leads to cluster %s at %s, which they name too.", printable.Line(b.ClusterID), printable.Line(b.Server))
		}
	}
}
