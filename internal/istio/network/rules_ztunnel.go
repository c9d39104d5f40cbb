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
		var fix []finding.Step
		byNetwork := false
		network, id := variable(pods[0], istio.EnvZtunnelNetwork), variable(pods[0], istio.EnvProxyClusterID)
		object := istio.WorkloadOf(pods[0])
		if j.several && ambientNetworks(planes) && m.label != "" && network != m.label {
			evidence = append(evidence, finding.Evidence{Field: object.String() + ", " + istio.EnvZtunnelNetwork, Value: orNone(network)}, m.systemLabel())
			fix = append(fix, finding.Say("Set network to %s in the values of ztunnel's installation.", m.label))
			byNetwork = true
		}
		if id != "" && !slices.ContainsFunc(planes, func(v *view) bool { return id == v.ids[m] || v.Istiod.Aliases[id] == v.ids[m] }) {
			evidence = append(evidence, finding.Evidence{Field: object.String() + ", " + istio.EnvProxyClusterID, Value: id})
			for _, v := range planes {
				evidence = append(evidence, finding.Evidence{Cluster: v.Context, Field: "cluster ID for " + v.name(), Value: v.ids[m]})
			}
			fix = append(fix, finding.Say("Set multiCluster.clusterName to %s in the values of ztunnel's installation.", planes[0].ids[m]))
		}
		if len(evidence) == 0 {
			continue
		}
		f := finding.Finding{
			Code: "AMB005", Severity: finding.Error, Clusters: []string{m.Context},
			Object: finding.In(object.Kind, object.Namespace, object.Name),
			Title:  "ztunnel takes itself for one of another network or cluster", Evidence: evidence,
			Effect: "ambient workloads go through gateways to their neighbours and straight to others, or get no certificates",
			Fix:    fix,
		}
		if object.Kind == "daemonset" && len(fix) == 1 && byNetwork {
			f.Fix = append(f.Fix, finding.Say("Careful: this restarts ztunnel on every node, which closes long-lived connections "+
				"of ambient workloads. To set it at once, until the next installation:").
				By(finding.Kubectl(m.Context, "-n", object.Namespace, "set", "env", "daemonset/"+object.Name, istio.EnvZtunnelNetwork+"="+m.label)))
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
			accounts := strings.Trim(v.Istiod.Env(istio.EnvTrustedNodeAccounts)+","+account, ",")
			j.Gather(finding.Finding{
				Code: "AMB011", Severity: finding.Error, Clusters: finding.Distinct([]string{m.Context, v.Context}),
				Object: finding.In("deployment", v.Istiod.Namespace, v.Istiod.Name),
				Title:  "istiod signs no certificates for the ztunnel of the cluster",
				Evidence: []finding.Evidence{
					{Cluster: m.Context, Field: "service account of ztunnel", Value: account},
					{Cluster: v.Context, Field: "istiod " + v.Istiod.Name + ", " + istio.EnvTrustedNodeAccounts, Value: orNone(v.Istiod.Env(istio.EnvTrustedNodeAccounts))},
				},
				Effect: "ambient workloads there have no certificates: their connections fail",
				Fix: []finding.Step{
					finding.Say("Set pilot.trustedZtunnelNamespace to %s and pilot.trustedZtunnelName to %s in the values of istiod's installation.",
						namespace, name),
					finding.Say("To set it at once, until the next installation; this restarts istiod:").
						By(finding.Kubectl(v.Context, "-n", v.Istiod.Namespace, "set", "env", "deployment/"+v.Istiod.Name,
							istio.EnvTrustedNodeAccounts+"="+accounts)),
				},
			})
		}
	}
}
