package network

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// viewsOf are the control planes of the clusters.
func (j *judgement) viewsOf(members []*member) []*view {
	var out []*view
	for _, v := range j.views {
		if slices.Contains(members, v.own) {
			out = append(out, v)
		}
	}
	return out
}

// configMap is where the mesh networks of a control plane are.
func (v *view) configMap() finding.Object {
	return finding.In("configmap", v.Istiod.Namespace, v.Istiod.MeshConfigMap())
}

func (v *view) edit() finding.Command {
	return finding.Kubectl(v.Context, "-n", v.Istiod.Namespace, "edit", "configmap/"+v.Istiod.MeshConfigMap())
}

// judgeMeshNetworks: what of the mesh networks has no effect. Labels come before
// them (pilot/pkg/serviceregistry/kube/controller/controller.go, Network), and
// what they name has to exist (network.go, reloadMeshNetworks).
func judgeMeshNetworks(j *judgement, members []*member) {
	for _, v := range j.viewsOf(members) {
		var evidence []finding.Evidence
		severity := finding.Warning
		for _, p := range v.Problems {
			if strings.Contains(p, "network") || strings.Contains(p, istio.MeshNetworksKey) {
				evidence = append(evidence, finding.Evidence{Field: "istiod takes none of it", Value: p})
				severity = finding.Error
			}
		}
		claims := map[string][]string{}
		for _, name := range slices.Sorted(maps.Keys(v.MeshNetworks.Networks)) {
			for _, e := range v.MeshNetworks.Networks[name].Endpoints {
				if e.FromRegistry != "" && !slices.Contains(claims[e.FromRegistry], name) {
					claims[e.FromRegistry] = append(claims[e.FromRegistry], name)
				}
			}
			for i, g := range v.MeshNetworks.Networks[name].Gateways {
				if why := v.noService(name, g); why != "" {
					evidence = append(evidence, finding.Evidence{Field: fmt.Sprintf("networks.%s.gateways[%d].registryServiceName %s", name, i, g.RegistryServiceName), Value: why})
				}
			}
		}
		for _, id := range slices.Sorted(maps.Keys(claims)) {
			if _, known := v.contexts[id]; !known {
				evidence = append(evidence, finding.Evidence{
					Field: "networks." + claims[id][0] + ", fromRegistry " + id,
					Value: "no cluster of that ID; there are " + strings.Join(slices.Sorted(maps.Keys(v.contexts)), ", "),
				})
				if slices.ContainsFunc(v.members, func(m *member) bool { return len(m.homes()) == 0 }) {
					severity = finding.Error // it may well be the one that is meant
				}
			}
			if len(claims[id]) > 1 {
				evidence = append(evidence, finding.Evidence{Field: "fromRegistry " + id, Value: "in networks " + strings.Join(claims[id], " and ") + ": istiod takes either"})
				severity = finding.Error
			}
		}
		for _, m := range v.members {
			for _, said := range []struct{ network, by string }{
				{m.label, "label of namespace " + m.SystemNamespace}, {m.injected, "labels of the pods"},
			} {
				names := v.registry(m)
				if said.network != "" && len(names) == 1 && names[0] != said.network {
					evidence = append(evidence, finding.Evidence{
						Field: "networks." + names[0] + ", fromRegistry " + v.ids[m],
						Value: fmt.Sprintf("does not count: %s is on %s by the %s", m.Context, said.network, said.by),
					})
					break
				}
			}
		}
		if len(evidence) == 0 {
			continue
		}
		j.Add(finding.Finding{
			Code: "NET009", Severity: severity, Clusters: []string{v.Context}, Object: v.configMap(),
			Title: "mesh networks in the mesh config have no effect, or not the one that is written there", Evidence: evidence,
			Effect: "clusters are on other networks than they seem to be, or have no gateway where one is written",
			Fix:    []finding.Step{finding.Say("Correct key %s, which istiod reads again at once:", istio.MeshNetworksKey).By(v.edit())},
		})
	}
}

// noService says why a gateway that the mesh networks name by its Service is none.
func (v *view) noService(network string, g istio.MeshNetworkGateway) string {
	if g.RegistryServiceName == "" {
		if g.Address == "" {
			return "neither an address nor a Service"
		}
		return ""
	}
	parts := strings.Split(g.RegistryServiceName, ".")
	for _, m := range v.members {
		for _, s := range resources.Services.Of(m.Cluster).Value {
			if len(parts) < 3 || s.Name != parts[0] || s.Namespace != parts[1] {
				continue
			}
			switch {
			case s.Labels[istio.LabelNetwork] != "":
				return "does not count: the Service has label " + istio.LabelNetwork + "=" + s.Labels[istio.LabelNetwork]
			case slices.Contains(v.registry(m), network):
				return ""
			}
		}
	}
	for _, m := range v.members {
		if !resources.Services.Of(m.Cluster).Known() {
			return ""
		}
	}
	if len(v.members) < len(v.contexts) {
		return "" // it may be in one that was not read
	}
	return "no cluster of the network has that Service"
}

// judgeSameMeshNetworks: each control plane has mesh networks of its own, and all
// have to say the same.
func judgeSameMeshNetworks(j *judgement, members []*member) {
	views := slices.DeleteFunc(j.viewsOf(members), func(v *view) bool { return v.own.apart })
	if len(views) < 2 || !slices.ContainsFunc(views, func(v *view) bool { return len(v.meaning()) > 0 }) {
		return
	}
	first := views[0].meaning()
	differing := false
	for _, v := range views[1:] {
		differing = differing || !slices.Equal(first, v.meaning())
	}
	if !differing {
		return
	}
	f := finding.Finding{
		Code: "NET010", Severity: finding.Error, Title: "the control planes have different mesh networks",
		Effect: "what one cluster reaches through a gateway another one takes to be near, or does not reach",
	}
	common := map[string]int{}
	for _, v := range views {
		for _, line := range v.meaning() {
			common[line]++
		}
	}
	var edits []finding.Command
	edited := map[*member][]finding.Object{}
	for _, v := range views {
		f.Clusters = append(f.Clusters, v.Context)
		var lines []string
		for _, line := range v.meaning() {
			if common[line] < len(views) {
				lines = append(lines, line)
			}
		}
		value := strings.Join(lines, "; ")
		if value == "" {
			value = "nothing that the others do not have"
		}
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: v.Context, Field: v.configMap().String() + ", " + istio.MeshNetworksKey, Value: value,
		})
		if !slices.Contains(edited[v.own], v.configMap()) { // control planes can share one
			edited[v.own] = append(edited[v.own], v.configMap())
			edits = append(edits, v.edit())
		}
	}
	slices.Sort(f.Clusters)
	f.Clusters = slices.Compact(f.Clusters)
	f.Fix = []finding.Step{
		finding.Say("Give key %s the same content everywhere, with the cluster IDs that each control plane has:", istio.MeshNetworksKey).
			By(edits...),
	}
	j.Add(f)
}

// meaning is what mesh networks say, in words that do not depend on the names that
// one control plane has for clusters.
func (v *view) meaning() []string {
	var out []string
	for name, n := range v.MeshNetworks.Networks {
		for _, e := range n.Endpoints {
			registry := e.FromRegistry
			if context := v.contexts[registry]; context != "" {
				registry = context
			}
			switch {
			case registry != "":
				out = append(out, fmt.Sprintf("cluster %s is on %s", registry, name))
			case e.FromCIDR != "":
				out = append(out, fmt.Sprintf("%s is on %s", e.FromCIDR, name))
			}
		}
		for _, g := range n.Gateways {
			out = append(out, fmt.Sprintf("%s by %s:%d", name, cmp.Or(g.Address, g.RegistryServiceName), g.Port))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
