package endpoints

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// The names of the steps of ambient clients.
const (
	stepAmbient  = "ambient mode"
	stepGlobal   = "global service"
	stepWaypoint = "waypoint"
)

// ambientSource is a workload of a cluster for which ztunnel speaks: of the service's namespace where
// there is one; false where the clients of the namespace have sidecars, or none is in ambient mode.
func (e *evaluator) ambientSource(c *model.Cluster, namespace string) (source, bool) {
	cp := e.managedBy[c]
	if cp == nil || !e.ztunnels.get(c, func() bool { return len(c.Ztunnels()) > 0 }) {
		return source{}, false
	}
	pod := c.AmbientClient(namespace)
	if pod == nil && len(c.ClientNetworks()) > 0 {
		return source{}, false
	}
	network := c.Network().Namespace
	out := source{
		Source: Source{Cluster: c.Context, Network: network, Ambient: true},
		proxy:  istio.Source{Cluster: cp.IDOf(c), Network: network, Namespace: namespace, Labels: map[string]string{}},
	}
	if pod != nil {
		out.Pod = key(pod.Namespace, pod.Name)
	}
	return out, true
}

// ambientSteps are what has to be right for ambient clients: ztunnel is told of workloads and
// services by other rules than sidecars (pilot/pkg/serviceregistry/ambient).
func ambientSteps() []func(*walk) Verdict {
	return []func(*walk) Verdict{
		(*walk).hasService, (*walk).isWatched, (*walk).crossesNetworks, (*walk).seesNamespace, (*walk).resolvesAmbient,
		(*walk).hasAmbientPods, (*walk).isGlobal, (*walk).throughAmbientGateway, (*walk).byWaypoint,
	}
}

// crossesNetworks: the control plane tells ambient workloads of other clusters, and nothing that
// other rules know stops all of their requests.
func (w *walk) crossesNetworks() Verdict {
	if f, ok := w.knownOfAmbient(); ok {
		return w.fault(stepAmbient, w.notReached(f.Title, f.ID()))
	}
	if w.cp.Istiod.CrossesNetworks() {
		return w.ok(stepAmbient, "%s tells ambient workloads of other clusters", istiodOf(w.cp))
	}
	return w.answer(stepAmbient, finding.Finding{
		Code: "EP041", Clusters: []string{w.cp.Context}, Object: w.service.object(),
		Title: fmt.Sprintf("ambient clients of %s only know their own cluster: %s is off", w.source.Context, istio.EnvAmbientMultiNetwork),
		Evidence: []finding.Evidence{
			{Cluster: w.cp.Context, Field: "istiod, " + istio.EnvAmbientMultiNetwork, Value: orNone(w.cp.Istiod.Env(istio.EnvAmbientMultiNetwork))},
		},
		Effect: fmt.Sprintf("requests from %s reach no pod in %s", w.source.Context, w.to.Context),
		Fix: []finding.Step{finding.Say("If that is not intended, set %s to true in values.pilot.env of istiod's installation, in every cluster.",
			istio.EnvAmbientMultiNetwork)},
	})
}

// notReached is the finding about ambient clients that do not reach a cluster, because of what
// another rule found.
func (w *walk) notReached(title, cause string) finding.Finding {
	return finding.Finding{
		Code: "EP040", Severity: finding.Error, Clusters: finding.Distinct([]string{w.source.Context, w.to.Context}),
		Object: finding.Named("ambient clients of", w.source.Context),
		Title:  fmt.Sprintf("ambient clients of %s do not reach %s: %s", w.source.Context, w.to.Context, title),
		Evidence: []finding.Evidence{
			{Cluster: w.source.Context, Field: "ambient client", Value: orNone(w.from.Pod)},
		},
		Effect: fmt.Sprintf("requests from %s to %s fail", w.source.Context, w.to.Context), Fix: remedy.ByItsCause(), CausedBy: cause,
	}
}

// resolvesAmbient: ztunnel knows a service by the address that it has in the client's own cluster.
// One that only other clusters have it does not answer for (https://github.com/istio/istio/issues/60888).
func (w *walk) resolvesAmbient() Verdict {
	if w.service.in(w.source) != nil {
		return w.ok(stepService, "both clusters have it")
	}
	f := w.withoutService()
	f.Effect = fmt.Sprintf("ambient clients in %s do not reach it: ztunnel needs the address that the Service has there", w.source.Context)
	if len(f.Fix) > 0 {
		f.Fix = append(f.Fix, finding.Say("Make it global there as well:").By(
			w.service.label(w.source.Context, istio.LabelGlobal+"=true")))
	}
	return w.fault(stepService, f)
}

// hasAmbientPods: there is something to reach.
func (w *walk) hasAmbientPods() Verdict {
	s := w.service.in(w.to)
	ready, some := 0, 0
	for _, slice := range w.to.Slices(s.Namespace, s.Name) {
		for _, e := range slice.Endpoints {
			if some++; e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready++
			}
		}
	}
	switch {
	case some == 0:
		return w.nothing(stepEndpoints, fmt.Sprintf("%s has the Service %s and no pods of it", w.to.Context, w.service))
	case ready == 0:
		return w.fault(stepEndpoints, w.notReady(s, nil))
	}
	return w.ok(stepEndpoints, "%s has %s", w.to.Context, finding.Plural(ready, "endpoint"))
}

// isGlobal: the service is global where the client is, where the pods are, and for the gateway there.
func (w *walk) isGlobal() Verdict {
	type side struct {
		by *model.ControlPlane
		in *model.Cluster
	}
	for _, at := range []side{{w.cp, w.source}, {w.cp, w.to}, {w.managedBy[w.to], w.to}} {
		if at.by == nil {
			return w.unclear(stepGlobal, w.to.Context, finding.Because("no control plane was found"))
		}
		if at.by.IsGlobal(at.in, w.service.in(at.in)) {
			continue
		}
		if id := w.known.about(finding.Object{}, []string{at.in.Context}, "AMB002"); id != "" {
			return w.fault(stepGlobal, w.notReached(w.known.byID[id].Title, id))
		}
		return w.answer(stepGlobal, finding.Finding{
			Code: "EP041", Clusters: []string{at.in.Context}, Object: w.service.object(),
			Title: fmt.Sprintf("%s is not global in %s, so that ambient clients stay in their cluster", w.service, at.in.Context),
			Evidence: []finding.Evidence{
				{
					Cluster: at.in.Context,
					Field:   w.service.text() + ", label " + istio.LabelGlobal,
					Value:   orNone(w.service.in(at.in).Labels[istio.LabelGlobal]),
				},
				{Cluster: at.by.Context, Field: "serviceScopeConfigs of the mesh config", Value: scopesOf(at.by)},
			},
			Effect: fmt.Sprintf("requests from %s reach no pod in %s", w.source.Context, w.to.Context),
			Fix: []finding.Step{finding.Say("If that is not intended, make the service global in every cluster. Here:").By(
				w.service.label(at.in.Context, istio.LabelGlobal+"=true"))},
		})
	}
	return w.ok(stepGlobal, "it is global in both clusters")
}

// throughAmbientGateway: pods of another network are reached through a gateway of class
// istio-east-west, which works.
func (w *walk) throughAmbientGateway() Verdict {
	network := w.to.Network().Namespace
	if network == w.source.Network().Namespace {
		return w.ok(stepGateway, "both clusters are on one network")
	}
	if reason, lacks := rule.Lacks(w.to.Cluster, resources.KubernetesGateways, resources.Namespaces); lacks {
		return w.unclear(stepGateway, w.to.Context, reason)
	}
	gateways := w.cp.AmbientGateways(network)
	if len(gateways) == 0 {
		f := w.notReached(
			"network "+orNone(network)+" has no gateway for them",
			w.known.about(finding.Object{}, []string{w.to.Context}, "AMB003", "AMB010"),
		)
		if f.CausedBy == "" {
			f.Fix = []finding.Step{finding.Say("Give %s an east-west gateway of class istio-east-west, labeled with its network.", w.to.Context)}
		}
		return w.fault(stepGateway, f)
	}
	for _, g := range gateways {
		for _, o := range g.In.NetworkGateways() {
			if o.Service.Namespace != g.Gateway.Namespace || o.Service.Labels[istio.LabelGatewayName] != g.Gateway.Name {
				continue
			}
			codes := slices.Concat(gatewayFaults, addressFaults)
			if id := w.known.about(o.Object(), []string{g.In.Context}, codes...); id != "" && len(gateways) == 1 {
				return w.fault(stepGateway, w.notReached(w.known.byID[id].Title, id))
			}
		}
	}
	return w.ok(stepGateway, "%s", ambientWay(gateways))
}

func ambientWay(gateways []model.AmbientGateway) string {
	var out []string
	for _, g := range gateways {
		for _, a := range g.Gateway.Status.Addresses {
			out = append(out, fmt.Sprintf("%s:%d", a.Value, istio.HBONEPort))
		}
	}
	return "through " + finding.List(finding.Distinct(out))
}

// byWaypoint: where the client's cluster has a waypoint for the service, it sends requests on.
func (w *walk) byWaypoint() Verdict {
	s := w.service.in(w.source)
	waypoint := w.source.WaypointService(s)
	if waypoint == nil {
		return w.ok(stepWaypoint, "%s has none for it", w.source.Context)
	}
	object := finding.In(kindService, waypoint.Namespace, waypoint.Name)
	if id := w.known.anyAbout(object, w.source.Context, "AMB015"); id != "" {
		return w.fault(stepWaypoint, w.notReached(w.known.byID[id].Title, id))
	}
	return w.ok(stepWaypoint, "%s sends requests on", object)
}

// ambientPath is the summary of an ambient path that leads there.
func (w *walk) ambientPath() string {
	if network := w.to.Network().Namespace; network != w.source.Network().Namespace {
		return ambientWay(w.cp.AmbientGateways(network))
	}
	return "directly to pods, by ztunnel"
}

// knownOfAmbient is what other rules know to keep all ambient workloads of the source from the
// cluster.
func (w *walk) knownOfAmbient() (finding.Finding, bool) {
	for _, about := range []struct {
		code    finding.Code
		cluster *model.Cluster
	}{
		{"AMB001", w.cp.Cluster},
		{"AMB005", w.source},
		{"AMB011", w.source},
		{"AMB003", w.to},
		{"AMB030", w.to},
		{"AMB010", w.to},
		{"AMB005", w.to},
		{"AMB011", w.to},
		{"AMB006", w.to},
	} {
		for _, f := range w.known.errors[about.code] {
			others := slices.ContainsFunc(f.Clusters, func(c string) bool {
				return c != w.source.Context && c != w.to.Context && c != w.cp.Context
			})
			if slices.Contains(f.Clusters, about.cluster.Context) && !others {
				return f, true
			}
		}
	}
	return finding.Finding{}, false
}
