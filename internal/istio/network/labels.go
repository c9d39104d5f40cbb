package network

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Matrix says for each cluster what names its network.
type Matrix struct {
	// Networks are all names that something has, sorted.
	Networks []string        `json:"networks"`
	Clusters []ClusterLabels `json:"clusters"`
	Gaps     []Gap           `json:"gaps"`
}

// ClusterLabels is a row of the matrix.
type ClusterLabels struct {
	Cluster   string `json:"cluster"`
	ClusterID string `json:"clusterID,omitempty"`
	// Namespace is the label of the system namespace.
	Namespace string `json:"namespace,omitempty"`
	// Gateways are the labels of Services and Gateways.
	Gateways []string `json:"gateways"`
	// Injected is what the path of the injection webhook says, else what most
	// sidecars were given.
	Injected string `json:"injected,omitempty"`
	// MeshNetworks are those that name the cluster, in any control plane.
	MeshNetworks []string `json:"meshNetworks"`
	// Pods counts the pods with a proxy by the network that they were given.
	Pods []PodCount `json:"pods"`
	// Without is how many of them were given none.
	Without int `json:"without"`
	// Odd are the workloads that are not where most are.
	Odd []OddWorkload `json:"odd"`
}

// PodCount counts the pods on a network.
type PodCount struct {
	Network string `json:"network"`
	Count   int    `json:"count"`
}

// OddWorkload are pods of a workload that have another network than the cluster,
// or none, or that have two.
type OddWorkload struct {
	Workload string `json:"workload"`
	Count    int    `json:"count"`
	// Label is their network as endpoints, Environment that as clients.
	Label       string `json:"label,omitempty"`
	Environment string `json:"environment,omitempty"`
}

// Compare makes the matrix.
func Compare(fleet *facts.Fleet) Matrix {
	w := newWorld(fleet, Options{})
	out := Matrix{Networks: []string{}, Clusters: []ClusterLabels{}, Gaps: []Gap{}}
	for _, c := range fleet.Clusters {
		if c.Unreached != nil {
			out.Gaps = append(out.Gaps, Gap{c.Context, finding.ClusterUnreached.Text})
		}
	}
	var names []string
	for _, m := range w.members {
		for _, n := range []need{namespaces, pods, services} {
			if why := m.lacks(n); why != nothing {
				out.Gaps = append(out.Gaps, Gap{m.Context, why.Text})
			}
		}
		row := m.labels(w.several)
		names = append(names, row.Namespace, row.Injected)
		names = append(names, row.Gateways...)
		names = append(names, row.MeshNetworks...)
		for _, p := range row.Pods {
			names = append(names, p.Network)
		}
		out.Clusters = append(out.Clusters, row)
	}
	out.Networks = append(out.Networks, finding.Distinct(names)...)
	return out
}

func (m *member) labels(several bool) ClusterLabels {
	row := ClusterLabels{
		Cluster: m.Context, ClusterID: istio.ClusterID(m.Cluster), Namespace: m.label, Injected: cmp.Or(m.webhook, m.injected),
		Gateways: []string{}, MeshNetworks: []string{}, Pods: []PodCount{}, Odd: []OddWorkload{},
	}
	var gateways, registries []string
	for _, g := range m.gateways {
		gateways = append(gateways, g.network)
	}
	for _, k := range resources.KubernetesGateways.Of(m.Cluster).Value {
		gateways = append(gateways, k.Labels[istio.LabelNetwork])
	}
	for _, v := range m.viewers {
		registries = append(registries, v.registry(m)...)
	}
	row.Gateways = append(row.Gateways, finding.Distinct(gateways)...)
	row.MeshNetworks = append(row.MeshNetworks, finding.Distinct(registries)...)
	counts := map[string]int{}
	home := cmp.Or(m.label, row.Injected)
	var odd []*facts.Pod
	for _, p := range m.proxies {
		label, env := p.Labels[istio.LabelNetwork], variable(p, istio.EnvProxyNetwork)
		if env == "" {
			row.Without++
		}
		counts[env]++
		if env != home && (env != "" || several) || label != "" && label != env {
			odd = append(odd, p)
		}
	}
	delete(counts, "")
	for network, n := range counts {
		row.Pods = append(row.Pods, PodCount{network, n})
	}
	slices.SortFunc(row.Pods, func(a, b PodCount) int { return strings.Compare(a.Network, b.Network) })
	for _, g := range byWorkload(odd, func(p *facts.Pod) string {
		return p.Labels[istio.LabelNetwork] + "\n" + variable(p, istio.EnvProxyNetwork)
	}) {
		label, env, _ := strings.Cut(g.says, "\n")
		row.Odd = append(row.Odd, OddWorkload{Workload: g.String(), Count: g.pods, Label: label, Environment: env})
	}
	return row
}
