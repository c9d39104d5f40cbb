package primaryremote

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// formerControlPlane finds what an earlier control plane left in a cluster: a Service that
// selects no pods where there is none any more, and a control plane that another one has
// replaced.
func formerControlPlane(p pass) {
	for _, c := range model.Able(p) {
		for _, i := range c.Injectors() {
			name, _ := i.Service()
			s := c.Service(name.Namespace, name.Name)
			if s == nil || s.Spec.Type == corev1.ServiceTypeExternalName {
				continue
			}
			f := finding.Finding{Code: "PR009", Clusters: []string{c.Context}, Object: finding.In("service", s.Namespace, s.Name)}
			f.Evidence = []finding.Evidence{{Field: i.Object().String() + ", service", Value: s.Namespace + "/" + s.Name}}
			switch {
			case c.RemoteWatched() && len(s.Spec.Selector) > 0 && len(c.SelectedPods(s)) == 0:
				selectsNothing(&f, c, s)
			case c.Primary() && model.LeadsOut(s) && c.Service(s.Namespace, s.Name+"-remote") == nil && !strings.HasSuffix(s.Name, "-remote"):
				injectedByAnother(&f, c)
			default:
				continue
			}
			p.Gather(f)
		}
	}
}

// selectsNothing completes the finding of a remote cluster whose Service of istiod has a
// selector.
func selectsNothing(f *finding.Finding, c *model.Cluster, s *corev1.Service) {
	f.Severity, f.Title = finding.Error, "the remote cluster's Service of istiod selects pods, and there are none"
	f.Evidence = append(f.Evidence,
		finding.Evidence{Field: f.Object.String() + ", selector", Value: labels.Set(s.Spec.Selector).String()},
		finding.Evidence{Field: "deployments of istiod", Value: "none"})
	f.Effect = "pods are not injected, and proxies get no configuration: the Service is one of an earlier control plane of the cluster's own"
	f.Fix = []finding.Step{
		finding.Say("Reinstall the remote profile: its Service has no selector and leads to the primary."),
		finding.Say("To remove the selector at once:").
			By(finding.Kubectl(c.Context, "-n", s.Namespace, "patch", "service/"+s.Name, "--type=json", "-p", remedy.Removal("spec", "selector"))),
	}
}

// injectedByAnother completes the finding of a primary whose pods are injected from
// another cluster.
func injectedByAnother(f *finding.Finding, c *model.Cluster) {
	i := c.Installed()[0]
	f.Severity, f.Title = finding.Warning, "the cluster has a control plane of its own, and its pods are injected by another one"
	f.Evidence = append(f.Evidence,
		finding.Evidence{Field: f.Object.String() + ", selector", Value: "none: it leads out of the cluster"},
		finding.Evidence{Field: "deployment of istiod", Value: i.Namespace + "/" + i.Name})
	f.Effect = "both publish roots and configuration: whichever wrote last decides which one proxies trust and connect to"
	f.Fix = []finding.Step{
		finding.Say("If the cluster has a control plane of its own by design, reinstall istiod there, which gives its Service a selector."),
		finding.Say("Careful: without this istiod, proxies that use it get no configuration and no new certificates until they restart. "+
			"If the cluster is meant to be a remote one, install the remote profile first (PR001 and PR005 say what it lacks), "+
			"restart the workloads, and see that none is connected to this istiod any more. Then uninstall it with the tool that "+
			"installed it (%s):", cmp.Or(i.Owner.String(), "Helm, istioctl or an operator")).
			By(finding.Kubectl(c.Context, "-n", i.Namespace, "get", "deployment/"+i.Name, "-o", "yaml")),
	}
}

// discoveryServiceMissing finds proxies that look for istiod by a Service which does not
// exist: its name was written into them when they were injected, and stays.
func discoveryServiceMissing(p pass) {
	for _, c := range model.Able(p) {
		var lost []*facts.Pod
		for _, pod := range c.ProxyPods() {
			if name, ok := model.ServiceOfHost(model.DiscoveryHost(pod)); ok && c.Service(name.Namespace, name.Name) == nil {
				lost = append(lost, pod)
			}
		}
		if len(lost) == 0 {
			continue
		}
		groups := model.ByWorkload(lost, func(p *facts.Pod) string { return "discoveryAddress " + model.DiscoveryHost(p) })
		p.Report(finding.Finding{
			Code: "PR010", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("sidecars"),
			Title: fmt.Sprintf("%s for istiod by a Service that does not exist", looks(len(lost))),
			Evidence: append(evidence.OfWorkloads(groups), finding.Evidence{
				Field: "services of istiod", Value: evidence.OrNone(strings.Join(istiodServices(c), ", ")),
			}),
			Effect: "they get no configuration, and no certificates once theirs have expired",
			Fix: append([]finding.Step{
				finding.Say("Create the Service, or have the pods injected for one that exists: " +
					"correct meshConfig.defaultConfig.discoveryAddress of the installation that injects them, or label istio.io/rev."),
			}, remedy.RestartGroups(c, groups)...),
		})
	}
}

func istiodServices(c *model.Cluster) []string {
	var out []string
	for i := range resources.Services.Of(c.Cluster).Value {
		s := &resources.Services.Of(c.Cluster).Value[i]
		if s.Namespace == c.SystemNamespace && strings.HasPrefix(s.Name, "istiod") {
			out = append(out, s.Namespace+"/"+s.Name)
		}
	}
	return out
}

func looks(pods int) string {
	if pods == 1 {
		return "1 pod looks"
	}
	return fmt.Sprintf("%d pods look", pods)
}
