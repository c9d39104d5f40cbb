package endpoints

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// mostGateways is how many addresses of gateways are few: Envoy always may eject one.
const mostGateways = 2

// keepsGateways: outlier detection does not take the whole cluster out for what one pod answers. It
// counts answers of 5xx by address, and one of a gateway stands for all pods behind it
// (https://github.com/istio/istio/issues/52435). Where pods are nearby, or panic is allowed for, the
// others go on serving.
func (w *walk) keepsGateways() Verdict {
	for _, p := range w.ports {
		o := p.given.Outlier
		if o == nil || o.MinHealthPercent > 0 || o.Consecutive5xxErrors != nil && *o.Consecutive5xxErrors == 0 || len(p.given.Rules) == 0 {
			continue
		}
		behind := map[istio.Backend]bool{}
		direct := false
		for _, e := range p.given.Endpoints {
			direct = direct || !e.Gateway()
			for _, b := range e.Behind {
				behind[b] = true
			}
		}
		if direct || len(p.given.Endpoints) > mostGateways || len(behind) < 2 {
			continue
		}
		w.warn(w.ejectsGateways(p, len(behind)))
		return goesOn
	}
	return goesOn
}

func (w *walk) ejectsGateways(p *port, behind int) finding.Finding {
	counts := "5, as nothing is said"
	if n := p.given.Outlier.Consecutive5xxErrors; n != nil {
		counts = fmt.Sprint(*n)
	}
	namespace, name := cut(p.given.Rules[0])
	rule := finding.In("destinationrule", namespace, name)
	f := finding.Finding{
		Code:     "EP052",
		Severity: finding.Note,
		Clusters: finding.Distinct([]string{w.cp.Context, w.to.Context}),
		Object:   rule,
		ObjectIn: w.cp.Context,
		Title: fmt.Sprintf("%s counts 5xx answers, and all %d pods of %s are %s for it", rule, behind, w.service,
			finding.Plural(len(p.given.Endpoints), "address")),
		Evidence: []finding.Evidence{
			{Cluster: w.cp.Context, Field: rule.String() + ", consecutive5xxErrors", Value: counts},
			{Cluster: w.source.Context, Field: "endpoints of " + w.service.String(), Value: w.way()},
		},
		Effect: fmt.Sprintf(
			"a few errors of one pod in a row take away the whole service for clients in %s: they get 503 for a while",
			w.source.Context,
		),
		Fix: []finding.Step{
			finding.Say("Count what gateways answer alone (502, 503 and 504), and not what the application does:").By(
				finding.Kubectl(w.cp.Context, "-n", namespace, "patch", "destinationrule/"+name, "--type=merge", "-p",
					`{"spec":{"trafficPolicy":{"outlierDetection":{"consecutive5xxErrors":0,"consecutiveGatewayErrors":5}}}}`)),
		},
	}
	if w.asked {
		f.Severity = finding.Warning
	}
	return f
}
