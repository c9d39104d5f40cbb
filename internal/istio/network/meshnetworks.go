package network

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// ineffectiveMeshNetworks: an entry of meshNetworks has no effect, or an unexpected one.
// Labels take precedence (pilot/pkg/serviceregistry/kube/controller/controller.go, Network),
// and what an entry names has to exist (network.go, reloadMeshNetworks).
func ineffectiveMeshNetworks(p *rule.Pass[*model.Mesh]) {
	for _, cp := range model.AbleControlPlanes(p) {
		invalid := invalidMeshNetworks(cp)
		claims, undecided := registryClaims(cp)
		seen := slices.Concat(invalid, unusedGateways(cp), claims, overruledByLabels(cp))
		if len(seen) == 0 {
			continue
		}
		severity := finding.Warning
		if len(invalid) > 0 || undecided {
			severity = finding.Error
		}
		p.Report(finding.Finding{
			Code: "NET009", Severity: severity, Clusters: []string{cp.Cluster.Context}, Object: cp.ConfigMap(),
			Title: "entries of meshNetworks have no effect or an unexpected one", Evidence: seen,
			Effect: "clusters are on other networks than they seem to be, or have no gateway where one is written",
			Fix: []finding.Step{
				finding.Say("Correct key %s, which istiod reads again at once:", istio.MeshNetworksKey).
					By(remedy.EditMeshConfig(cp.Cluster.Context, cp.Istiod)),
			},
		})
	}
}

// invalidMeshNetworks is why istiod ignores meshNetworks as a whole.
func invalidMeshNetworks(cp *model.ControlPlane) []finding.Evidence {
	var out []finding.Evidence
	for _, problem := range cp.Problems {
		if problem.Setting == istio.OfMeshNetworks {
			out = append(out, finding.Evidence{Field: "istiod ignores all of it", Value: problem.Text})
		}
	}
	return out
}

// networkNames are the names in meshNetworks, sorted.
func networkNames(cp *model.ControlPlane) []string {
	return slices.Sorted(maps.Keys(cp.MeshNetworks.Networks))
}

// unusedGateways are the gateways in meshNetworks that istiod does not use.
func unusedGateways(cp *model.ControlPlane) []finding.Evidence {
	var out []finding.Evidence
	for _, name := range networkNames(cp) {
		for i, g := range cp.MeshNetworks.Networks[name].Gateways {
			if why := noService(cp, name, g); why != "" {
				out = append(out, finding.Evidence{
					Field: fmt.Sprintf("networks.%s.gateways[%d].registryServiceName %s", name, i, g.RegistryServiceName), Value: why,
				})
			}
		}
	}
	return out
}

// registryClaims are the entries fromRegistry that name no cluster, or one that several
// networks have. undecided: the network of a cluster depends on it.
func registryClaims(cp *model.ControlPlane) (seen []finding.Evidence, undecided bool) {
	claims := map[string][]string{}
	for _, name := range networkNames(cp) {
		for _, e := range cp.MeshNetworks.Networks[name].Endpoints {
			if e.FromRegistry != "" && !slices.Contains(claims[e.FromRegistry], name) {
				claims[e.FromRegistry] = append(claims[e.FromRegistry], name)
			}
		}
	}
	var ids []string
	for _, w := range cp.Watches {
		ids = append(ids, w.ID)
	}
	ids = finding.Distinct(ids)
	for _, id := range slices.Sorted(maps.Keys(claims)) {
		if !slices.Contains(ids, id) {
			seen = append(seen, finding.Evidence{
				Field: "networks." + claims[id][0] + ", fromRegistry " + id,
				Value: "no cluster has that ID; there are " + strings.Join(ids, ", "),
			})
			// A cluster without a network may well be the one that is meant.
			undecided = undecided || slices.ContainsFunc(cp.WatchedClusters(), func(c *model.Cluster) bool {
				return len(c.Network().Homes()) == 0
			})
		}
		if len(claims[id]) > 1 {
			seen = append(seen, finding.Evidence{
				Field: "fromRegistry " + id, Value: "in networks " + strings.Join(claims[id], " and ") + ": istiod uses either",
			})
			undecided = true
		}
	}
	return seen, undecided
}

// overruledByLabels are the clusters to which meshNetworks give another network than labels do.
func overruledByLabels(cp *model.ControlPlane) []finding.Evidence {
	var out []finding.Evidence
	for _, c := range cp.WatchedClusters() {
		names, n := cp.RegistryNetworks(c), c.Network()
		if len(names) != 1 {
			continue
		}
		for _, said := range []struct{ network, by string }{
			{n.Namespace, "label of namespace " + c.SystemNamespace}, {n.Pods, "labels of the pods"},
		} {
			if said.network != "" && names[0] != said.network {
				out = append(out, finding.Evidence{
					Field: "networks." + names[0] + ", fromRegistry " + cp.IDOf(c),
					Value: fmt.Sprintf("ignored by istiod: %s is on %s by the %s", c.Context, said.network, said.by),
				})
				break
			}
		}
	}
	return out
}

// noService says why istiod does not use a gateway in meshNetworks; "" where it may.
func noService(cp *model.ControlPlane, network string, g istio.MeshNetworkGateway) string {
	if g.RegistryServiceName == "" {
		if g.Address == "" {
			return "neither an address nor a Service"
		}
		return ""
	}
	watched := cp.WatchedClusters()
	if parts := strings.Split(g.RegistryServiceName, "."); len(parts) >= 3 {
		for _, c := range watched {
			s := c.Service(parts[1], parts[0])
			switch {
			case s == nil:
			case s.Labels[istio.LabelNetwork] != "":
				return "ignored by istiod: the Service has label " + istio.LabelNetwork + "=" + s.Labels[istio.LabelNetwork]
			case slices.Contains(cp.RegistryNetworks(c), network):
				return ""
			}
		}
	}
	unread := func(c *model.Cluster) bool { return !resources.Services.Of(c.Cluster).Known() }
	unknown := func(w model.Watched) bool { return w.Cluster == nil }
	if slices.ContainsFunc(watched, unread) || slices.ContainsFunc(cp.Watches, unknown) {
		return "" // it may be in a cluster that was not read
	}
	return "no cluster of the network has that Service"
}

// differentMeshNetworks: each control plane has meshNetworks of its own, and they differ. What
// is said of a network that all clients of a control plane are on may be missing there: for
// them pods of it are near anyway, and they need no gateway to it.
func differentMeshNetworks(p *rule.Pass[*model.Mesh]) {
	controlPlanes := model.AbleControlPlanes(p)
	common, lacking := map[said]int{}, false
	for _, cp := range controlPlanes {
		for _, line := range meaning(cp) {
			common[line]++
		}
	}
	for _, cp := range controlPlanes {
		own := meaning(cp)
		for line := range common {
			lacking = lacking || !slices.Contains(own, line) && !onlyOn(cp, line.network)
		}
	}
	if !lacking {
		return
	}
	f := finding.Finding{
		Code: "NET010", Severity: finding.Error, Title: "the control planes have different meshNetworks",
		Effect: "one cluster reaches through a gateway what another one takes for near, or does not reach at all",
	}
	var edits []finding.Command
	edited := map[*model.Cluster][]finding.Object{}
	for _, cp := range controlPlanes {
		f.Clusters = append(f.Clusters, cp.RunsIn.Context)
		var own []string
		for _, line := range meaning(cp) {
			if common[line] < len(controlPlanes) {
				own = append(own, line.text)
			}
		}
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: cp.RunsIn.Context, Field: cp.ConfigMap().String() + ", " + istio.MeshNetworksKey,
			Value: cmp.Or(strings.Join(own, "; "), "nothing that the others do not have"),
		})
		if !slices.Contains(edited[cp.RunsIn], cp.ConfigMap()) { // control planes can share one
			edited[cp.RunsIn] = append(edited[cp.RunsIn], cp.ConfigMap())
			edits = append(edits, remedy.EditMeshConfig(cp.RunsIn.Context, cp.Istiod))
		}
	}
	f.Clusters = finding.Distinct(f.Clusters)
	f.Fix = []finding.Step{
		finding.Say("Give key %s the same content everywhere, with the cluster IDs that each control plane has:", istio.MeshNetworksKey).
			By(edits...),
	}
	p.Report(f)
}

// said is a line of meshNetworks, and the network that it is about.
type said struct{ network, text string }

// onlyOn reports whether all clusters whose proxies a control plane configures are on one network.
func onlyOn(cp *model.ControlPlane, network string) bool {
	return !slices.ContainsFunc(cp.WatchedClusters(), func(c *model.Cluster) bool {
		return cp.Configures(c) && c.Network().Home() != network
	})
}

// meaning is what meshNetworks say, each line once, in words that do not depend on the
// names that one control plane has for clusters.
func meaning(cp *model.ControlPlane) []said {
	var out []said
	for name, n := range cp.MeshNetworks.Networks {
		add := func(format string, args ...any) {
			if line := (said{name, fmt.Sprintf(format, args...)}); !slices.Contains(out, line) {
				out = append(out, line)
			}
		}
		for _, e := range n.Endpoints {
			switch {
			case e.FromRegistry != "":
				add("cluster %s is on %s", contextOf(cp, e.FromRegistry), name)
			case e.FromCIDR != "":
				add("%s is on %s", e.FromCIDR, name)
			}
		}
		for _, g := range n.Gateways {
			add("%s by %s:%d", name, cmp.Or(g.Address, g.RegistryServiceName), g.Port)
		}
	}
	slices.SortFunc(out, func(a, b said) int { return cmp.Compare(a.text, b.text) })
	return out
}

// contextOf is the context of the cluster that has an ID for a control plane, else the ID.
func contextOf(cp *model.ControlPlane, id string) string {
	for _, w := range cp.Watches {
		switch {
		case w.ID != id:
		case w.Cluster != nil:
			return w.Cluster.Context
		case w.Secret != nil && w.Secret.Unreached != nil:
			return w.Secret.Unreached.Context
		}
	}
	return id
}
