package views

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// LabelMatrix says for each cluster what names its network.
type LabelMatrix struct {
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
	// WithoutNetwork is how many of them were given none.
	WithoutNetwork int `json:"withoutNetwork"`
	// Differing are the workloads that are not on the network of the cluster.
	Differing []DifferingWorkload `json:"differing"`
}

// Mismatches are what names another network than the label of the system namespace, or, where that
// has none, than most of the rest: "gateways", "injected", "meshNetworks", "3 pods".
func (c ClusterLabels) Mismatches() []string {
	home := cmp.Or(c.Namespace, c.Injected)
	var out []string
	differ := func(what string, names ...string) {
		if slices.ContainsFunc(names, func(name string) bool { return name != "" && name != home }) {
			out = append(out, what)
		}
	}
	differ("gateways", c.Gateways...)
	differ("injected", c.Injected)
	differ("meshNetworks", c.MeshNetworks...)
	n := 0
	for _, d := range c.Differing {
		n += d.Count
	}
	if n > 0 {
		out = append(out, finding.Plural(n, "pod"))
	}
	return out
}

// PodCount counts the pods on a network.
type PodCount struct {
	Network string `json:"network"`
	Count   int    `json:"count"`
}

// DifferingWorkload are pods of a workload that have another network than the cluster,
// or none, or that have two.
type DifferingWorkload struct {
	Workload string `json:"workload"`
	Count    int    `json:"count"`
	// Label is their network as endpoints, Environment that as clients.
	Label       string `json:"label,omitempty"`
	Environment string `json:"environment,omitempty"`
}

// Labels makes the matrix.
func Labels(m *model.Mesh) LabelMatrix {
	out := LabelMatrix{Networks: []string{}, Clusters: []ClusterLabels{}, Gaps: unreached(m)}
	var names []string
	for _, c := range m.Clusters {
		for _, u := range c.Unread(resources.Namespaces, resources.Pods, resources.Services) {
			out.Gaps = append(out.Gaps, Gap{Cluster: c.Context, Reason: u.Text})
		}
		row := labelsOf(c, m.Several())
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

func labelsOf(c *model.Cluster, several bool) ClusterLabels {
	network := c.Network()
	row := ClusterLabels{
		Cluster: c.Context, ClusterID: c.ID, Namespace: network.Namespace, Injected: cmp.Or(network.InjectionPath, network.Pods),
		Gateways: []string{}, MeshNetworks: append([]string{}, network.MeshNetworks...), Pods: []PodCount{}, Differing: []DifferingWorkload{},
	}
	var gateways []string
	for _, g := range c.NetworkGateways() {
		gateways = append(gateways, g.Network)
	}
	for _, k := range resources.KubernetesGateways.Of(c.Cluster).Value {
		gateways = append(gateways, k.Labels[istio.LabelNetwork])
	}
	row.Gateways = append(row.Gateways, finding.Distinct(gateways)...)
	counts := map[string]int{}
	home := cmp.Or(network.Namespace, row.Injected)
	var differing []*facts.Pod
	for _, p := range c.ProxyPods() {
		label, env := networksOf(p)
		if env == "" {
			row.WithoutNetwork++
		}
		counts[env]++
		if env != home && (env != "" || several) || label != "" && label != env {
			differing = append(differing, p)
		}
	}
	delete(counts, "")
	for network, n := range counts {
		row.Pods = append(row.Pods, PodCount{network, n})
	}
	slices.SortFunc(row.Pods, func(a, b PodCount) int { return strings.Compare(a.Network, b.Network) })
	row.Differing = append(row.Differing, byWorkload(differing)...)
	return row
}

// networksOf are the networks of a pod for others and for itself.
func networksOf(p *facts.Pod) (label, env string) {
	return p.Labels[istio.LabelNetwork], model.Variable(p, istio.EnvProxyNetwork)
}

// byWorkload counts pods by their workload and their networks.
func byWorkload(pods []*facts.Pod) []DifferingWorkload {
	counts := map[DifferingWorkload]int{}
	for _, p := range pods {
		w := DifferingWorkload{Workload: istio.WorkloadOf(p).String()}
		w.Label, w.Environment = networksOf(p)
		counts[w]++
	}
	var out []DifferingWorkload
	for w, n := range counts {
		w.Count = n
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b DifferingWorkload) int {
		return cmp.Or(strings.Compare(a.Workload, b.Workload), strings.Compare(a.Label, b.Label), strings.Compare(a.Environment, b.Environment))
	})
	return out
}
