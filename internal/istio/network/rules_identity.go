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
)

// judgeMeshIDs: proxies tell a mesh ID in telemetry. istiod uses it neither to find
// endpoints nor for mutual TLS (pkg/model/proxy.go, NodeMetadata.MeshID).
func judgeMeshIDs(j *judgement, members []*member) {
	var ids []string
	f := finding.Finding{
		Code: "NET031", Severity: finding.Note, Object: finding.Kind("mesh ID"), Title: "the clusters have different mesh IDs",
		Effect: "dashboards show the requests between them as those of several meshes; nothing else depends on it",
		Fix: []finding.Step{
			finding.Say("Set the same global.meshID in the values of every installation of istiod."),
			finding.Say("Then restart the workloads."),
		},
	}
	for _, m := range members {
		counts := map[string]int{}
		for _, p := range m.proxies {
			if id := variable(p, istio.EnvProxyMeshID); id != "" {
				counts[id]++
			}
		}
		if len(counts) == 0 {
			continue
		}
		id := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })[0]
		ids = append(ids, id)
		f.Clusters = append(f.Clusters, m.Context)
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "most sidecars, " + istio.EnvProxyMeshID, Value: id})
	}
	if len(finding.Distinct(ids)) > 1 {
		slices.Sort(f.Clusters)
		j.Add(f)
	}
}

// judgeClusterIDs: a proxy says of which cluster it is, and istiod has its token
// checked there: one that names a cluster that istiod does not know is refused
// (security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go, getKubeClient).
func judgeClusterIDs(j *judgement, members []*member) {
	for _, m := range members {
		var serving []*view
		for _, v := range m.viewers {
			if v.programs(m) {
				serving = append(serving, v)
			}
		}
		if len(serving) == 0 {
			continue
		}
		var odd []*facts.Pod
		for _, p := range m.proxies {
			id := variable(p, istio.EnvProxyClusterID)
			if id != "" && !slices.ContainsFunc(serving, func(v *view) bool { return id == v.ids[m] || v.Istiod.Aliases[id] == v.ids[m] }) {
				odd = append(odd, p)
			}
		}
		if len(odd) == 0 {
			continue
		}
		groups := byWorkload(odd, func(p *facts.Pod) string {
			return istio.EnvProxyClusterID + " " + variable(p, istio.EnvProxyClusterID)
		})
		f := finding.Finding{
			Code: "NET032", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.Kind("sidecars"),
			Title:    fmt.Sprintf("%s of a cluster by another name than istiod has for it", isAre(len(odd), "proxy")),
			Evidence: evidenceOf(groups),
			Effect:   "istiod looks for them in another cluster: it refuses their tokens, so that they get no certificate and no configuration",
			CausedBy: j.of(m.Context, finding.Object{}, "PR003"),
		}
		if len(odd) > 1 {
			f.Title = fmt.Sprintf("%d proxies are of a cluster by another name than istiod has for it", len(odd))
		}
		for _, v := range serving {
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: v.Context, Field: "cluster ID for " + v.name(), Value: v.ids[m]})
		}
		first := finding.Say("Set global.multiCluster.clusterName to %s in the values of the installation that injects the pods.",
			serving[0].ids[m])
		if f.CausedBy != "" {
			first = finding.Say("Fix the cause first.")
		}
		f.Fix = append([]finding.Step{first}, restarts(m.Context, groups)...)
		j.Add(f)
	}
}
