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
			object := "service " + s.Namespace + "/" + s.Name
			f := finding.Finding{Code: "PR009", Clusters: []string{m.Context}, Object: object, Evidence: []finding.Evidence{{Field: i.object() + ", service", Value: s.Namespace + "/" + s.Name}}}
			switch {
			case m.isRemote() && len(s.Spec.Selector) > 0:
				if slices.ContainsFunc(resources.Pods.Of(m.Cluster).Value, func(p facts.Pod) bool {
					return runs(&p) && p.Namespace == s.Namespace && selects(s.Spec.Selector, p.Labels)
				}) {
					continue
				}
				f.Severity, f.Title = finding.Error, "the remote cluster's Service of istiod selects pods, and there are none"
				f.Evidence = append(f.Evidence, finding.Evidence{Field: object + ", selector", Value: inline(s.Spec.Selector)}, finding.Evidence{Field: "deployments of istiod", Value: "none"})
				f.Effect = "pods are not injected, and proxies get no configuration: the Service is one of an earlier control plane of the cluster's own"
				f.Fix = []string{
					"# install the remote profile anew; its Service has no selector and leads to the primary",
					finding.Kubectl(m.Context, "-n %s patch service %s --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/selector\"}]'", finding.Quote(s.Namespace), finding.Quote(s.Name)),
				}
			case len(m.istiods) > 0 && isBridge(s) && m.service(istio.ObjectName{Namespace: s.Namespace, Name: s.Name + "-remote"}) == nil && !strings.HasSuffix(s.Name, "-remote"):
				d := m.istiods[0]
				f.Severity, f.Title = finding.Warning, "the cluster has a control plane of its own, and its pods are injected by another one"
				f.Evidence = append(f.Evidence, finding.Evidence{Field: object + ", selector", Value: "none: it leads out of the cluster"}, finding.Evidence{Field: "deployment of istiod", Value: d.Namespace + "/" + d.Name})
				f.Effect = "both publish roots and configuration: proxies trust the one and connect to the other, now so, now so"
				f.Fix = []string{
					"# if it is to be a remote cluster, what an earlier installation left has to go:",
					finding.Kubectl(m.Context, "-n %s delete deployment %s", finding.Quote(d.Namespace), finding.Quote(d.Name)),
					"# if not, install istiod there anew, which gives its Service a selector",
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
			Code: "PR010", Severity: finding.Error, Clusters: []string{m.Context}, Object: "sidecars",
			Title:    fmt.Sprintf("%s for istiod by a Service that does not exist", lookLooks(len(odd))),
			Evidence: append(evidenceOf(groups), finding.Evidence{Field: "services of istiod", Value: orNone(strings.Join(m.istiodServices(), ", "))}),
			Effect:   "they get no configuration, and no certificates once theirs are over",
			Fix: append([]string{
				"# make the Service, or have the pods injected for one that is there: meshConfig.defaultConfig.discoveryAddress of the installation that injects them, label istio.io/rev; then",
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
