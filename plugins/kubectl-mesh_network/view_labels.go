package main

import (
	"strconv"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// labelsTable writes a row for each cluster, with a column for each network that
// pods are on; with wide the workloads that differ follow.
func labelsTable(p *report.Page, m views.LabelMatrix, wide bool) error {
	header := []string{"CLUSTER", "NAMESPACE", "GATEWAYS", "INJECTED"}
	meshNetworks := false
	for _, c := range m.Clusters {
		meshNetworks = meshNetworks || len(c.MeshNetworks) > 0
	}
	if meshNetworks {
		header = append(header, "MESHNETWORKS")
	}
	networks := podNetworks(m)
	for _, name := range networks {
		header = append(header, "PODS "+printable.Line(name)) // the values of variables can be anything
	}
	header = append(header, "PODS WITHOUT", "DIFFERING")
	var rows, differing [][]string
	for _, c := range m.Clusters {
		row := []string{c.Cluster, c.Namespace, strings.Join(c.Gateways, ", "), c.Injected}
		if meshNetworks {
			row = append(row, strings.Join(c.MeshNetworks, ", "))
		}
		for _, name := range networks {
			row = append(row, count(podsOn(c, name)))
		}
		n := 0
		for _, o := range c.Differing {
			n += o.Count
			differing = append(differing, []string{c.Cluster, o.Workload, strconv.Itoa(o.Count), o.Label, o.Environment})
		}
		rows = append(rows, append(row, count(c.WithoutNetwork), count(n)))
	}
	if err := p.Table(header, rows); err != nil || !wide || len(differing) == 0 {
		return err
	}
	p.Blank()
	return p.Table([]string{"CLUSTER", "DIFFERING WORKLOAD", "PODS", "LABEL", "ISTIO_META_NETWORK"}, differing)
}

// podNetworks are the networks of pods, in the order of all networks.
func podNetworks(m views.LabelMatrix) []string {
	var out []string
	for _, name := range m.Networks {
		for _, c := range m.Clusters {
			if podsOn(c, name) > 0 {
				out = append(out, name)
				break
			}
		}
	}
	return out
}

func podsOn(c views.ClusterLabels, name string) int {
	for _, p := range c.Pods {
		if p.Network == name {
			return p.Count
		}
	}
	return 0
}

// count is a number that is not worth a look when it is none.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
