package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// mostLabels are the rows of clusters up to which those in which everything agrees are shown too.
const mostLabels = 24

// labelsTable writes a row for each cluster, those first in which something differs; with wide the
// workloads that differ follow. Of many clusters those in which everything agrees are counted,
// unless wide.
func labelsTable(p *report.Page, m views.LabelMatrix, wide bool) error {
	if len(m.Clusters) == 0 {
		p.Line("No cluster of the mesh was found.")
		return nil
	}
	header := []string{"CLUSTER", "STATUS", "NAMESPACE", "GATEWAYS", "INJECTED", "PODS"}
	meshNetworks := slices.ContainsFunc(m.Clusters, func(c views.ClusterLabels) bool { return len(c.MeshNetworks) > 0 })
	if meshNetworks {
		header = append(header, "MESHNETWORKS")
	}
	order := slices.Clone(m.Clusters)
	slices.SortStableFunc(order, func(a, b views.ClusterLabels) int { return len(b.Mismatches()) - len(a.Mismatches()) })
	var rows, differing [][]string
	var tones []report.Tone
	left := 0
	for _, c := range order {
		mismatches := c.Mismatches()
		for _, o := range c.Differing {
			differing = append(differing, []string{c.Cluster, o.Workload, strconv.Itoa(o.Count), o.Label, o.Environment})
		}
		if len(mismatches) == 0 && len(order) > mostLabels && !wide {
			left++
			continue
		}
		status, tone := "ok", report.Good
		if len(mismatches) > 0 {
			status, tone = "differs: "+strings.Join(mismatches, ", "), report.Noted
		}
		row := []string{c.Cluster, status, c.Namespace, strings.Join(c.Gateways, ", "), c.Injected, podsByNetwork(c)}
		if meshNetworks {
			row = append(row, strings.Join(c.MeshNetworks, ", "))
		}
		rows, tones = append(rows, row), append(tones, tone)
	}
	if err := p.Table(header, rows, report.Status(1, tones)); err != nil {
		return err
	}
	if left > 0 {
		p.Toned("", fmt.Sprintf("ok: %d of %s, listed by -o wide", left, finding.Plural(len(order), "cluster")), report.Good)
	}
	if !wide || len(differing) == 0 {
		return nil
	}
	p.Blank()
	return p.Table([]string{"CLUSTER", "DIFFERING WORKLOAD", "PODS", "LABEL", "ISTIO_META_NETWORK"}, differing)
}

// podsByNetwork counts the pods with a proxy by the network that they were given.
func podsByNetwork(c views.ClusterLabels) string {
	var out []string
	for _, p := range c.Pods {
		out = append(out, fmt.Sprintf("%s %d", p.Network, p.Count))
	}
	if c.WithoutNetwork > 0 {
		out = append(out, fmt.Sprintf("no network %d", c.WithoutNetwork))
	}
	return strings.Join(out, ", ")
}
