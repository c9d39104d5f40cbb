package ambient

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// globalEntries (NET041): a ServiceEntry is labeled as global, which only Kubernetes Services can be
// (pilot/pkg/serviceregistry/ambient/services.go, matchServiceScope).
func globalEntries(p *rule.Pass[*model.Mesh]) {
	for _, cp := range model.AbleControlPlanes(p) {
		if !cp.TellsAmbient() {
			continue
		}
		for i := range resources.ServiceEntries.Of(cp.Cluster.Cluster).Value {
			s := &resources.ServiceEntries.Of(cp.Cluster.Cluster).Value[i]
			if s.Labels[istio.LabelGlobal] != "true" {
				continue
			}
			p.Gather(finding.Finding{
				Code: "NET041", Severity: finding.Warning, Clusters: []string{cp.Context}, Object: finding.In("serviceentry", s.Namespace, s.Name),
				Title:    "label " + istio.LabelGlobal + " on a ServiceEntry does nothing",
				Evidence: []finding.Evidence{{Field: "label " + istio.LabelGlobal, Value: "true"}, {Field: "hosts", Value: finding.List(s.Spec.Hosts)}},
				Effect:   "ambient workloads get no endpoints of other networks for these hosts",
				Fix: []finding.Step{
					finding.Say("Have clients call the Kubernetes Service of the workloads. Label that as global in each cluster, with NAME for its name:").By(
						finding.Kubectl(cp.Context, "-n", s.Namespace, "label", "service/NAME", istio.LabelGlobal+"=true")),
				},
			})
		}
	}
}
