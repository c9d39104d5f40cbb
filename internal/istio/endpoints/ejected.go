package endpoints

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// notEjected: the source's proxy has not taken out the endpoints that it is given:
// outlier detection takes those whose requests fail out for a while
// (https://istio.io/latest/docs/reference/config/networking/destination-rule/#OutlierDetection).
// One address of a gateway stands for all pods behind it.
func (w *walk) notEjected() Verdict {
	live, asked := w.Live[w.from.Source]
	proxy := "proxy of pod " + w.from.Pod
	switch {
	case !asked:
		return goesOn
	case live.State == facts.Absent:
		return w.ejectionUnknown(finding.Because(proxy + ": the pod is gone meanwhile"))
	case live.State != facts.OK:
		return w.ejectionUnknown(rule.Unread(proxy, live.State, live.Why()))
	}
	has, evidence := w.ejections(live.Value, proxy)
	if has == 0 {
		return w.ejectionUnknown(finding.Because(fmt.Sprintf("%s: it has none of the addresses that are expected; see list %s --from-pod %s/%s",
			proxy, w.service, w.source.Context, w.from.Pod)))
	}
	if len(evidence) == 0 {
		return w.ok(stepProxy, "the proxy of pod %s has ejected none of the endpoints that it has", w.from.Pod)
	}
	namespace, pod := cut(w.from.Pod)
	f := finding.Finding{
		Code: "EP023", Severity: finding.Warning, Clusters: finding.Distinct([]string{w.source.Context, w.to.Context}),
		Object:   w.service.object(),
		Title:    fmt.Sprintf("a proxy of %s has ejected endpoints of %s because requests to them failed", w.source.Context, w.to.Context),
		Evidence: evidence,
		Effect:   "it sends nothing there for a while; an address of a gateway stands for all pods behind it",
		Fix: []finding.Step{
			finding.Say("Check whether gateways are reached:").By(finding.Shell("kubectl", "mesh-network", "probe",
				"--contexts", w.source.Context+","+w.to.Context, "--from-pod", w.source.Context+"/"+w.from.Pod)),
			finding.Say("Look in the proxy's log for why requests failed:").By(logsOf(w.source, namespace, pod)),
		},
	}
	if len(evidence) == has {
		f.Severity = finding.Error
		f.Title = fmt.Sprintf("a proxy of %s has ejected all endpoints of %s because requests to them failed", w.source.Context, w.to.Context)
		return w.fault(stepProxy, f)
	}
	w.warn(f)
	return w.ok(stepProxy, "%s (EP023)", f.Title)
}

// ejections are the endpoints that the proxy has taken out, of those that it has and should
// have.
func (w *walk) ejections(clusters []envoy.Cluster, proxy string) (has int, evidence []finding.Evidence) {
	for _, p := range w.ports {
		cluster := envoy.Find(clusters, envoy.Destination{Host: istio.Host(w.service.namespace, w.service.name), Port: p.number})
		if cluster == nil {
			continue
		}
		for _, e := range slices.Concat(p.direct, p.via) {
			for _, its := range cluster.Endpoints {
				if its.Address != e.Address || its.Port != e.Port {
					continue
				}
				if has++; !its.Ejected() {
					continue
				}
				what := fmt.Sprintf("%s:%d", w.mesh.HostOf(e.Address), e.Port)
				if n := len(e.Behind); n > 0 {
					what += ", the gateway for " + finding.Plural(n, "endpoint")
				}
				evidence = append(evidence, finding.Evidence{
					Cluster: w.source.Context, Field: proxy + ", " + what, Value: strings.Join(its.Flags, ", "),
				})
			}
		}
	}
	return has, evidence
}

// ejectionUnknown: what the proxy has ejected is not known; what istiod makes of the API
// objects is, and stands.
func (w *walk) ejectionUnknown(reason finding.Reason) Verdict {
	w.unknown.NotChecked(w.source.Context, reason, "EP023")
	return goesOn
}
