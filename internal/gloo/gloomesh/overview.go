package gloomesh

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// overview counts what there is of Gloo Mesh in each cluster. Proxies are Istio's.
func overview(m *model.Mesh) verdict.Overview {
	out := verdict.Overview{Replicas: "management, agents", Bare: true, Well: map[finding.Area]string{}}
	var registered, federated, issued, gateways int
	for _, c := range m.Clusters {
		row := verdict.ClusterOverview{Context: c.Context}
		deployments := c.Agents()
		for _, p := range c.Planes {
			for _, part := range p.Components() {
				if part.Deployment != nil {
					deployments = append(deployments, part.Deployment)
				}
			}
			registered += len(p.Registrations)
			federated += len(p.Federated)
			for _, member := range p.Members {
				if member.Reached() {
					gateways++
				}
			}
		}
		if resources.Deployments.Of(c.Cluster).Known() {
			row.Replicas = &verdict.Count{}
			for _, d := range deployments {
				row.Replicas.Total++
				if model.Available(d) {
					row.Replicas.Ready++
				}
				if v := model.Tag(d); row.Version == "" && v != "" {
					row.Version = v
				}
			}
		}
		out.Clusters = append(out.Clusters, row)
	}
	for _, i := range m.Issues() {
		if i.State() == "FINISHED" {
			issued++
		}
	}
	for _, say := range []struct {
		area   finding.Area
		n      int
		noun   string
		suffix string
	}{
		{finding.Discovery, registered, "registered cluster", "watched"},
		{finding.Trust, issued, "certificate", "issued"},
		{finding.Networks, gateways, "gateway", "that the management plane knows"},
		{finding.Services, federated, "federated service", "written to the clusters"},
	} {
		if say.n > 0 {
			out.Well[say.area] = fmt.Sprintf("%s %s", finding.Plural(say.n, say.noun), say.suffix)
		}
	}
	return out
}
