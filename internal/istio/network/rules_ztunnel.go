package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// ztunnels are the pods that speak for ambient workloads.
func (m *member) ztunnels() []*facts.Pod {
	var out []*facts.Pod
	for i := range resources.Pods.Of(m.Cluster).Value {
		if p := &resources.Pods.Of(m.Cluster).Value[i]; runs(p) && p.Labels["app"] == istio.ZtunnelName {
			out = append(out, p)
		}
	}
	return out
}

// ambientNetworks reports whether any of the control planes tells ambient workloads of
// other networks.
func ambientNetworks(planes []*view) bool {
	return slices.ContainsFunc(planes, func(v *view) bool {
		return v.Istiod.On(istio.EnvAmbient) && v.Istiod.On(istio.EnvAmbientMultiNetwork)
	})
}

// judgeZtunnels: ztunnel tells of itself on which network and in which cluster it is,
// from values of an installation of its own
// (manifests/charts/ztunnel/templates/daemonset.yaml).
func judgeZtunnels(j *judgement, members []*member) {
	for _, m := range members {
		pods, planes := m.ztunnels(), m.serving()
		if len(pods) == 0 || len(planes) == 0 {
			continue
		}
		var evidence []finding.Evidence
		var values []string
		network, id := variable(pods[0], istio.EnvZtunnelNetwork), variable(pods[0], istio.EnvProxyClusterID)
		object := istio.WorkloadOf(pods[0])
		if j.several && ambientNetworks(planes) && m.label != "" && network != m.label {
			evidence = append(evidence, finding.Evidence{Field: object.String() + ", " + istio.EnvZtunnelNetwork, Value: orNone(network)}, m.systemLabel())
			values = append(values, "network: "+m.label)
		}
		if id != "" && !slices.ContainsFunc(planes, func(v *view) bool { return id == v.ids[m] || v.Istiod.Aliases[id] == v.ids[m] }) {
			evidence = append(evidence, finding.Evidence{Field: object.String() + ", " + istio.EnvProxyClusterID, Value: id})
			for _, v := range planes {
				evidence = append(evidence, finding.Evidence{Cluster: v.Context, Field: "cluster ID for " + v.name(), Value: v.ids[m]})
			}
			values = append(values, "multiCluster.clusterName: "+planes[0].ids[m])
		}
		if len(evidence) == 0 {
			continue
		}
		f := finding.Finding{
			Code: "AMB005", Severity: finding.Error, Clusters: []string{m.Context}, Object: object.String(),
			Title: "ztunnel takes itself for one of another network or cluster", Evidence: evidence,
			Effect: "ambient workloads go through gateways to their neighbours and straight to others, or get no certificates",
			Fix:    []string{"# in the values of the installation of ztunnel: " + strings.Join(values, ", ")},
		}
		if object.Kind == "daemonset" && len(values) == 1 && network != m.label {
			f.Fix = append(f.Fix, "# or at once:", finding.Kubectl(m.Context, "-n %s set env daemonset/%s %s=%s", finding.Quote(object.Namespace), finding.Quote(object.Name), istio.EnvZtunnelNetwork, finding.Quote(m.label)))
		}
		j.Add(f)
	}
}

// judgeNodeAccounts: istiod signs certificates of workloads for ztunnel only if it
// takes its service account for one that speaks for its node
// (security/pkg/server/ca/server.go, CreateCertificate).
func judgeNodeAccounts(j *judgement, members []*member) {
	for _, m := range members {
		pods := m.ztunnels()
		if len(pods) == 0 {
			continue
		}
		account := pods[0].Namespace + "/" + cmp.Or(pods[0].ServiceAccount, istio.ZtunnelName)
		for _, v := range m.serving() {
			trusted := strings.Split(v.Istiod.Env(istio.EnvTrustedNodeAccounts), ",")
			if !v.Istiod.Setting(istio.EnvEnableCAServer, true) || slices.ContainsFunc(trusted, func(s string) bool { return strings.TrimSpace(s) == account }) {
				continue
			}
			namespace, name, _ := strings.Cut(account, "/")
			j.Gather(finding.Finding{
				Code: "AMB011", Severity: finding.Error, Clusters: finding.Distinct([]string{m.Context, v.Context}), Object: "deployment " + v.Istiod.Namespace + "/" + v.Istiod.Name,
				Title: "istiod signs no certificates for the ztunnel of the cluster",
				Evidence: []finding.Evidence{
					{Cluster: m.Context, Field: "service account of ztunnel", Value: account},
					{Cluster: v.Context, Field: "istiod " + v.Istiod.Name + ", " + istio.EnvTrustedNodeAccounts, Value: orNone(v.Istiod.Env(istio.EnvTrustedNodeAccounts))},
				},
				Effect: "ambient workloads there have no certificates: their connections fail",
				Fix: []string{
					fmt.Sprintf("# for good: pilot.trustedZtunnelNamespace: %s, trustedZtunnelName: %s in the values of istiod's installation", namespace, name),
					finding.Kubectl(v.Context, "-n %s set env deployment/%s %s=%s", finding.Quote(v.Istiod.Namespace), finding.Quote(v.Istiod.Name), istio.EnvTrustedNodeAccounts, finding.Quote(strings.Trim(v.Istiod.Env(istio.EnvTrustedNodeAccounts)+","+account, ","))),
				},
			})
		}
	}
}
