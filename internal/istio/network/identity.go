package network

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// differentMeshIDs: proxies of the clusters have different mesh IDs, which they show in
// telemetry. istiod uses them neither to find endpoints nor for mutual TLS
// (pkg/model/proxy.go, NodeMetadata.MeshID).
func differentMeshIDs(p *rule.Pass[*model.Mesh]) {
	var ids []string
	f := finding.Finding{
		Code: "NET031", Severity: finding.Note, Object: finding.Kind("mesh ID"), Title: "the clusters have different mesh IDs",
		Effect: "dashboards show the requests between them as those of several meshes; nothing else depends on it",
		Fix: []finding.Step{
			finding.Say("Set the same global.meshID in the values of every installation of istiod."),
			finding.Say("Then restart the workloads."),
		},
	}
	for _, c := range model.Able(p) {
		counts := map[string]int{}
		for _, pod := range c.ProxyPods() {
			if id := model.Variable(pod, istio.EnvProxyMeshID); id != "" {
				counts[id]++
			}
		}
		if len(counts) == 0 {
			continue
		}
		id := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
			return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
		})[0]
		ids = append(ids, id)
		f.Clusters = append(f.Clusters, c.Context)
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: "most sidecars, " + istio.EnvProxyMeshID, Value: id})
	}
	if len(finding.Distinct(ids)) > 1 {
		slices.Sort(f.Clusters)
		p.Report(f)
	}
}

// differentClusterIDs: proxies name a cluster that istiod does not know as theirs. istiod
// has the token of a proxy checked in the cluster that it names, and refuses the proxy of a
// cluster that it does not know (security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go,
// getKubeClient).
func differentClusterIDs(p *rule.Pass[*model.Mesh]) {
	for _, c := range model.Able(p) {
		controlPlanes := c.ConfiguredBy()
		if len(controlPlanes) == 0 {
			continue
		}
		var pods []*facts.Pod
		for _, pod := range c.ProxyPods() {
			if id := model.Variable(pod, istio.EnvProxyClusterID); id != "" && !c.IsCalled(id) {
				pods = append(pods, pod)
			}
		}
		if len(pods) == 0 {
			continue
		}
		groups := model.ByWorkload(pods, func(pod *facts.Pod) string {
			return istio.EnvProxyClusterID + " " + model.Variable(pod, istio.EnvProxyClusterID)
		})
		f := finding.Finding{
			Code: "NET032", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("sidecars"),
			Title:    "1 proxy names another cluster than istiod has for it",
			Evidence: append(evidence.OfWorkloads(groups), evidence.ClusterIDs(c)...),
			Effect: "istiod looks for them in another cluster: it refuses their tokens, so that they get no certificate and " +
				"no configuration",
			CausedBy: model.Cause(p, c.Context, finding.Object{}, "PR003"),
		}
		if len(pods) > 1 {
			f.Title = fmt.Sprintf("%d proxies name another cluster than istiod has for them", len(pods))
		}
		first := finding.Say("Set global.multiCluster.clusterName to %s in the values of the installation that injects the pods.",
			controlPlanes[0].IDOf(c))
		if f.CausedBy != "" {
			first = finding.Say("Fix the cause first.")
		}
		f.Fix = append([]finding.Step{first}, remedy.RestartGroups(c, groups)...)
		p.Report(f)
	}
}
