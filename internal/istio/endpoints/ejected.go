package endpoints

import (
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Live is what proxies that stand for sources have, where they were asked.
type Live map[Source]facts.Read[[]envoy.Cluster]

// stepProxy is about what the proxy itself knows.
const stepProxy = "proxy"

// ejected looks at what the source's proxy holds against the endpoints that it is given:
// outlier detection takes those whose requests fail out for a while
// (https://istio.io/latest/docs/reference/config/networking/destination-rule/#OutlierDetection).
// One address of a gateway stands for all pods behind it.
func (w *walk) ejected() bool {
	live, asked := w.Live[w.from.Source]
	proxy := "proxy of pod " + w.from.Pod
	switch {
	case !asked:
		return true
	case live.State == facts.Absent:
		return w.notAsked(finding.Because(proxy + ": the pod is gone meanwhile"))
	case live.State != facts.OK:
		return w.notAsked(rule.Unread(proxy, live.State, live.Why()))
	}
	has := 0
	var evidence []finding.Evidence
	for _, p := range w.ports {
		cluster := envoy.Find(live.Value, envoy.Destination{Host: istio.Host(w.service.namespace, w.service.name), Port: p.number})
		if cluster == nil {
			continue
		}
		for _, e := range append(append([]istio.Endpoint{}, p.direct...), p.via...) {
			for _, its := range cluster.Endpoints {
				if its.Address != e.Address || its.Port != e.Port {
					continue
				}
				if has++; its.Ejected() {
					what := fmt.Sprintf("%s:%d", w.address(e.Address), e.Port)
					if n := len(e.Behind); n > 0 {
						what += ", the gateway for " + finding.Plural(n, "endpoint")
					}
					evidence = append(evidence, finding.Evidence{
						Cluster: w.source.Context, Field: proxy + ", " + what, Value: strings.Join(its.Flags, ", "),
					})
				}
			}
		}
	}
	if has == 0 {
		return w.notAsked(finding.Because(fmt.Sprintf("%s: it has none of the addresses that are expected; see list %s --from %s/%s",
			proxy, w.service, w.source.Context, w.from.Pod)))
	}
	if len(evidence) == 0 {
		return w.ok(stepProxy, "the proxy of pod %s holds nothing against the endpoints that it has", w.from.Pod)
	}
	namespace, pod := cut(w.from.Pod)
	f := finding.Finding{
		Code: "EP023", Severity: finding.Warning, Clusters: finding.Distinct([]string{w.source.Context, w.to.Context}), Object: w.service.object(),
		Title:    fmt.Sprintf("a proxy of %s has taken endpoints of %s out, since requests to them failed", w.source.Context, w.to.Context),
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
		f.Title = fmt.Sprintf("a proxy of %s has taken all endpoints of %s out, since requests to them failed", w.source.Context, w.to.Context)
		return w.fault(stepProxy, f)
	}
	w.warn(f)
	return w.ok(stepProxy, "%s (EP023)", f.Title)
}

// notAsked: what the proxy holds against the endpoints is not known; what istiod makes of
// the API objects is, and stands.
func (w *walk) notAsked(reason finding.Reason) bool {
	w.unknown.NotChecked(w.source.Context, reason, "EP023")
	return true
}
