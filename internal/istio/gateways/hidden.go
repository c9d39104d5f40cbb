package gateways

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// hidden: the discovery selectors of a control plane, which hold in all clusters that it
// watches, do not select the namespace of a gateway (pkg/kube/namespace/filter.go).
func hidden(p pass) {
	for _, g := range intended(p) {
		blind := g.HiddenFrom()
		if len(blind) == 0 {
			continue
		}
		ns := g.Cluster.Namespace(g.Service.Namespace)
		f := g.finding("GW017", finding.Error, "discovery selectors hide the gateway")
		for _, cp := range blind {
			g.also(&f, cp.Context)
			f.Evidence = append(f.Evidence, finding.Evidence{
				Cluster: cp.Context, Field: cp.ConfigMap().String() + ", discoverySelectors",
				Value: "do not select namespace " + ns.Name + " of " + g.Cluster.Context,
			})
		}
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: g.Cluster.Context, Field: "namespace " + ns.Name + ", labels", Value: evidence.OrNone(inline(ns.Labels)),
		})
		f.Effect = fmt.Sprintf("%s knows no such gateway of network %s: its clients try addresses of pods there, and time out",
			blind[0], g.Network)
		f.Fix = []finding.Step{g.unhide(blind[0], ns)}
		p.Report(f)
	}
}

// unhide is the step that makes a control plane's discovery selectors select the namespace.
func (g gateway) unhide(cp *model.ControlPlane, ns *corev1.Namespace) finding.Step {
	for _, s := range cp.Mesh.DiscoverySelectors {
		if s != nil && len(s.MatchLabels) > 0 {
			return finding.Say("Give the namespace a label that the discovery selectors ask for:").
				By(finding.Kubectl(g.Cluster.Context, append([]string{"label", "namespace/" + ns.Name, "--"}, pairs(s.MatchLabels)...)...))
		}
	}
	return finding.Say("Give the namespace a label that the discovery selectors ask for.")
}
