package ambient

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// wrongZtunnels: ztunnel has another network than the cluster, or a cluster ID that no
// control plane has for it. Both come from values of an installation of its own
// (manifests/charts/ztunnel/templates/daemonset.yaml).
func wrongZtunnels(p *rule.Pass[*model.Mesh]) {
	for _, c := range model.Able(p) {
		ztunnels, controlPlanes := c.Ztunnels(), c.ConfiguredBy()
		if len(ztunnels) == 0 || len(controlPlanes) == 0 {
			continue
		}
		var seen []finding.Evidence
		var fix []finding.Step
		wrongNetwork := false
		own, given := c.Network().Namespace, model.Variable(ztunnels[0], istio.EnvZtunnelNetwork)
		w := istio.WorkloadOf(ztunnels[0])
		crosses := func(cp *model.ControlPlane) bool { return crossesNetworks(cp.Istiod) }
		if p.Model.Several() && slices.ContainsFunc(controlPlanes, crosses) && own != "" && given != own {
			seen = append(seen,
				finding.Evidence{Field: w.String() + ", " + istio.EnvZtunnelNetwork, Value: evidence.OrNone(given)}, evidence.SystemLabel(c))
			fix = append(fix, finding.Say("Set network to %s in the values of ztunnel's installation.", own))
			wrongNetwork = true
		}
		if id := model.Variable(ztunnels[0], istio.EnvProxyClusterID); id != "" && !c.IsCalled(id) {
			seen = append(seen, finding.Evidence{Field: w.String() + ", " + istio.EnvProxyClusterID, Value: id})
			seen = append(seen, evidence.ClusterIDs(c)...)
			fix = append(fix, finding.Say("Set multiCluster.clusterName to %s in the values of ztunnel's installation.",
				controlPlanes[0].IDOf(c)))
		}
		if len(seen) == 0 {
			continue
		}
		f := finding.Finding{
			Code: "AMB005", Severity: finding.Error, Clusters: []string{c.Context},
			Object: finding.In(w.Kind, w.Namespace, w.Name),
			Title:  "ztunnel has the wrong network or the wrong cluster ID", Evidence: seen,
			Effect: "ambient workloads go through gateways to their neighbors and directly to others, or get no certificates",
			Fix:    fix,
		}
		if w.Kind == "daemonset" && len(fix) == 1 && wrongNetwork {
			f.Fix = append(f.Fix, finding.Say("Careful: this restarts ztunnel on every node, which closes long-lived connections "+
				"of ambient workloads. To set it at once, until the next installation:").
				By(finding.Kubectl(c.Context, "-n", w.Namespace, "set", "env", "daemonset/"+w.Name, istio.EnvZtunnelNetwork+"="+own)))
		}
		p.Report(f)
	}
}

// untrustedZtunnels: istiod signs certificates of workloads for ztunnel only if its
// service account is one that speaks for its node
// (security/pkg/server/ca/server.go, CreateCertificate), and the one of a cluster is not.
func untrustedZtunnels(p *rule.Pass[*model.Mesh]) {
	for _, c := range model.Able(p) {
		ztunnels := c.Ztunnels()
		if len(ztunnels) == 0 {
			continue
		}
		namespace, name := ztunnels[0].Namespace, cmp.Or(ztunnels[0].ServiceAccount, istio.ZtunnelName)
		account := namespace + "/" + name
		for _, cp := range c.ConfiguredBy() {
			trusted := cp.Istiod.Env(istio.EnvTrustedNodeAccounts)
			signs := func(s string) bool { return strings.TrimSpace(s) == account }
			if !cp.Istiod.Setting(istio.EnvEnableCAServer, true) || slices.ContainsFunc(strings.Split(trusted, ","), signs) {
				continue
			}
			p.Gather(finding.Finding{
				Code: "AMB011", Severity: finding.Error, Clusters: finding.Distinct([]string{c.Context, cp.Cluster.Context}),
				Object: finding.In("deployment", cp.Istiod.Namespace, cp.Istiod.Name),
				Title:  "istiod signs no certificates for the ztunnel of the cluster",
				Evidence: []finding.Evidence{
					{Cluster: c.Context, Field: "service account of ztunnel", Value: account},
					{
						Cluster: cp.Cluster.Context, Field: "istiod " + cp.Istiod.Name + ", " + istio.EnvTrustedNodeAccounts,
						Value: evidence.OrNone(trusted),
					},
				},
				Effect: "ambient workloads there have no certificates: their connections fail",
				Fix: []finding.Step{
					finding.Say("Set pilot.trustedZtunnelNamespace to %s and pilot.trustedZtunnelName to %s in the values of "+
						"istiod's installation.", namespace, name),
					finding.Say("To set it at once, until the next installation; this restarts istiod:").
						By(remedy.SetIstiodVariable(cp.Cluster.Context, cp.Istiod, istio.EnvTrustedNodeAccounts,
							strings.Trim(trusted+","+account, ","))),
				},
			})
		}
	}
}
