package controlplane

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// nearlyAll is how much of its limit of memory a pod of istiod may use, in per cent: what it is pushed at a
// change of many services comes on top.
const nearlyAll = 90

// nearLimit: a pod of istiod uses nearly all of the memory that its limit allows. Without a limit nobody
// asks how much it uses.
func nearLimit(p pass) {
	for _, c := range clusters(p) {
		usage := resources.Usage.Of(c.Cluster)
		for _, i := range c.Installations() {
			f := finding.Finding{
				Code: "CP070", Severity: finding.Warning, Clusters: []string{c.Context}, Object: i.Object(),
				Effect: "the kernel ends istiod when it needs a little more: new pods are refused meanwhile, and proxies get no changes",
				Fix: []finding.Step{
					finding.Say("Raise or remove the limit of memory, in pilot.resources of the values of istiod's installation."),
					finding.Say("Or let istiod watch fewer namespaces, by discoverySelectors in the mesh config. How much it uses now:").By(
						finding.Kubectl(c.Context, "-n", i.Istiod.Namespace, "top", "pods", "-l", istio.IstiodSelector)),
				},
			}
			most, limited := int64(0), false
			for _, pod := range i.Pods {
				container := pod.Container(istio.DiscoveryContainer)
				if container == nil || container.Resources.Limits.Memory().IsZero() {
					continue
				}
				limited = true
				limit := container.Resources.Limits.Memory()
				share := usedBy(usage.Value, pod) * 100 / limit.Value()
				if share <= nearlyAll {
					continue
				}
				most = max(most, share)
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "pod " + pod.Name, Value: fmt.Sprintf("it uses %d%% of %s", share, limit)})
			}
			switch {
			case limited && usage.State == facts.Absent:
				p.NotChecked(c.Context, finding.Because("the cluster has no metrics API, which says how much memory istiod uses"))
			case limited && usage.State != facts.OK:
				p.NotChecked(c.Context, finding.Because("how much memory istiod uses: "+usage.Why()))
			case most > 0:
				f.Title = fmt.Sprintf("istiod uses %d%% of the memory that it may use", most)
				p.Report(f)
			}
		}
	}
}

// usedBy is how much memory the container of a pod of istiod uses, in bytes; 0 where nobody says it.
func usedBy(all []resources.PodMetrics, pod *facts.Pod) int64 {
	for _, m := range all {
		if m.Namespace != pod.Namespace || m.Name != pod.Name {
			continue
		}
		for _, c := range m.Containers {
			if c.Name == istio.DiscoveryContainer {
				return c.Usage.Memory().Value()
			}
		}
	}
	return 0
}
