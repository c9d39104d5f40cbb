package network

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgeTwoControlPlanes: what an earlier installation left in a cluster.
func judgeTwoControlPlanes(j *judgement, members []*member) {
	for _, m := range members {
		for _, i := range m.injectors() {
			ref := i.ClientConfig.Service
			if ref == nil {
				continue
			}
			s := m.service(istio.ObjectName{Namespace: ref.Namespace, Name: ref.Name})
			if s == nil || s.Spec.Type == corev1.ServiceTypeExternalName {
				continue
			}
			object := finding.In("service", s.Namespace, s.Name)
			f := finding.Finding{Code: "PR009", Clusters: []string{m.Context}, Object: object}
			f.Evidence = []finding.Evidence{{Field: i.object().String() + ", service", Value: s.Namespace + "/" + s.Name}}
			switch {
			case m.isRemote() && len(s.Spec.Selector) > 0:
				if slices.ContainsFunc(resources.Pods.Of(m.Cluster).Value, func(p facts.Pod) bool {
					return runs(&p) && p.Namespace == s.Namespace && selects(s.Spec.Selector, p.Labels)
				}) {
					continue
				}
				f.Severity, f.Title = finding.Error, "the remote cluster's Service of istiod selects pods, and there are none"
				f.Evidence = append(f.Evidence, finding.Evidence{Field: object.String() + ", selector", Value: inline(s.Spec.Selector)},
					finding.Evidence{Field: "deployments of istiod", Value: "none"})
				f.Effect = "pods are not injected, and proxies get no configuration: the Service is one of an earlier control plane of the cluster's own"
				patch := document([]map[string]any{{"op": "remove", "path": "/spec/selector"}})
				f.Fix = []finding.Step{
					finding.Say("Reinstall the remote profile: its Service has no selector and leads to the primary."),
					finding.Say("To remove the selector at once:").
						By(finding.Kubectl(m.Context, "-n", s.Namespace, "patch", "service/"+s.Name, "--type=json", "-p", patch)),
				}
			case len(m.istiods) > 0 && isBridge(s) && m.service(istio.ObjectName{Namespace: s.Namespace, Name: s.Name + "-remote"}) == nil && !strings.HasSuffix(s.Name, "-remote"):
				d := m.istiods[0]
				f.Severity, f.Title = finding.Warning, "the cluster has a control plane of its own, and its pods are injected by another one"
				f.Evidence = append(f.Evidence, finding.Evidence{Field: object.String() + ", selector", Value: "none: it leads out of the cluster"},
					finding.Evidence{Field: "deployment of istiod", Value: d.Namespace + "/" + d.Name})
				f.Effect = "both publish roots and configuration: proxies trust the one and connect to the other, now so, now so"
				f.Fix = []finding.Step{
					finding.Say("If the cluster has a control plane of its own by design, reinstall istiod there, which gives its Service a selector."),
					finding.Say("Careful: deleting this istiod stops the cluster's own control plane: proxies that use it get no configuration " +
						"and no new certificates until they restart. Do it only if the cluster is meant to be a remote one; " +
						"where Helm or an operator owns the installation, uninstall it there instead:").
						By(finding.Kubectl(m.Context, "-n", d.Namespace, "delete", "deployment/"+d.Name)),
				}
			default:
				continue
			}
			j.Gather(f)
		}
	}
}

// judgeDiscoveryAddress: where a proxy finds istiod was written into it at its
// injection, and stays when the Service of that name goes.
func judgeDiscoveryAddress(j *judgement, members []*member) {
	for _, m := range members {
		var odd []*facts.Pod
		for _, p := range m.proxies {
			if name, ok := serviceOfHost(discoveryHost(p)); ok && m.service(name) == nil {
				odd = append(odd, p)
			}
		}
		if len(odd) == 0 {
			continue
		}
		groups := byWorkload(odd, func(p *facts.Pod) string { return "discoveryAddress " + discoveryHost(p) })
		j.Add(finding.Finding{
			Code: "PR010", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.Kind("sidecars"),
			Title:    fmt.Sprintf("%s for istiod by a Service that does not exist", lookLooks(len(odd))),
			Evidence: append(evidenceOf(groups), finding.Evidence{Field: "services of istiod", Value: orNone(strings.Join(m.istiodServices(), ", "))}),
			Effect:   "they get no configuration, and no certificates once theirs are over",
			Fix: append([]finding.Step{
				finding.Say("Create the Service, or have the pods injected for one that exists: " +
					"correct meshConfig.defaultConfig.discoveryAddress of the installation that injects them, or label istio.io/rev."),
			}, restarts(m.Context, groups)...),
		})
	}
}

func (m *member) istiodServices() []string {
	var out []string
	for _, s := range resources.Services.Of(m.Cluster).Value {
		if s.Namespace == m.SystemNamespace && strings.HasPrefix(s.Name, "istiod") {
			out = append(out, s.Namespace+"/"+s.Name)
		}
	}
	return out
}

func lookLooks(pods int) string {
	if pods == 1 {
		return "1 pod looks"
	}
	return fmt.Sprintf("%d pods look", pods)
}
