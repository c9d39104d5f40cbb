package ambient

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// crossesNetworks reports whether the control plane tells ambient workloads of other networks.
func crossesNetworks(i istio.Istiod) bool { return i.CrossesNetworks() }

// ownControlPlane is the control plane in a cluster that tells ambient workloads of other
// networks; nil where there is none.
func ownControlPlane(c *model.Cluster) *model.ControlPlane { return c.AmbientControlPlane() }

// turnedOff: the fleet has a gateway of an ambient network, and a control plane has
// ambient mode across networks turned off: each decides for itself.
func turnedOff(p *rule.Pass[*model.Mesh]) {
	able := model.Able(p)
	at := slices.IndexFunc(able, func(c *model.Cluster) bool { return len(c.EastWest()) > 0 })
	if at < 0 {
		return
	}
	gateway := finding.Evidence{
		Cluster: able[at].Context, Field: model.GatewayObject(able[at].EastWest()[0]).String(), Value: "of class " + api.ClassEastWest,
	}
	for _, c := range able {
		for _, i := range c.Installed() {
			if crossesNetworks(i) {
				continue
			}
			setting := func(name string) finding.Evidence {
				return finding.Evidence{Cluster: c.Context, Field: "istiod " + i.Name + ", " + name, Value: evidence.OrNone(i.Env(name))}
			}
			p.Report(finding.Finding{
				Code: "AMB001", Severity: finding.Error, Clusters: []string{c.Context},
				Object:   finding.In("deployment", i.Namespace, i.Name),
				Title:    "the control plane has ambient mode across networks turned off",
				Evidence: []finding.Evidence{setting(istio.EnvAmbient), setting(istio.EnvAmbientMultiNetwork), gateway},
				Effect: "ambient workloads there do not find services of other clusters, and istiod does not deploy gateways of class " +
					api.ClassEastWest,
				Fix: []finding.Step{
					finding.Say("Set %s to true in values.pilot.env of istiod's installation, with profile ambient.",
						istio.EnvAmbientMultiNetwork),
					finding.Say("To set it at once, until the next installation; this restarts istiod:").
						By(remedy.SetIstiodVariable(c.Context, i, istio.EnvAmbientMultiNetwork, "true")),
				},
			})
		}
	}
}

// differentTrustDomains: two ambient clusters that a control plane watches both have
// different trust domains. istiod takes ambient workloads of other clusters for those of
// its own trust domain, aliases or not (pilot/pkg/serviceregistry/ambient/workloads.go and
// multicluster.go).
func differentTrustDomains(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	able := model.Able(p)
	for i, a := range able {
		for _, b := range able[i+1:] {
			x, y := ownControlPlane(a), ownControlPlane(b)
			if x == nil || y == nil || !a.WatchedWith(b) || x.Mesh.TrustDomain == y.Mesh.TrustDomain {
				continue
			}
			domain := func(cp *model.ControlPlane) finding.Evidence {
				return finding.Evidence{
					Cluster: cp.Cluster.Context, Field: cp.ConfigMap().String() + ", trustDomain", Value: cp.Mesh.TrustDomain,
				}
			}
			p.Report(finding.Finding{
				Code: "AMB006", Severity: finding.Error, Clusters: finding.Distinct([]string{a.Context, b.Context}),
				Object:   finding.Kind("trust domain"),
				Title:    "ambient clusters have different trust domains",
				Evidence: []finding.Evidence{domain(x), domain(y)},
				Effect:   "ambient clients expect their own trust domain in the certificates of the other cluster, and refuse them",
				Fix: []finding.Step{
					finding.Say("Give all clusters the same trustDomain:").By(remedy.EditMeshConfig(b.Context, y.Istiod)),
					finding.Say("Then restart istiod, ztunnel and the gateways."),
				},
			})
		}
	}
}

// servicesAre says that there are some: "1 service is", "2 services are".
func servicesAre(n int) string {
	if n == 1 {
		return "1 service is"
	}
	return fmt.Sprintf("%d services are", n)
}
