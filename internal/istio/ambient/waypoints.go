package ambient

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// keptByWaypoints: a global service has a waypoint whose own Service is not global. Before 1.28, and
// where a variable says so, a waypoint only sends requests to pods of its own network, so that
// the service stays there (pilot/pkg/xds/endpoints/ep_filters.go; pilot/pkg/features/ambient.go,
// EnableAmbientWaypointMultiNetwork; https://github.com/istio/istio/issues/57779).
func keptByWaypoints(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	able := model.Able(p)
	for _, c := range able {
		cp := c.AmbientControlPlane()
		if cp == nil || !cp.Istiod.Before("1.28.0") && cp.Istiod.Setting(istio.EnvAmbientWaypoint, true) {
			continue
		}
		kept := map[*corev1.Service][]*corev1.Service{}
		var waypoints []*corev1.Service
		services := resources.Services.Of(c.Cluster).Value
		for i := range services {
			s := &services[i]
			w := c.WaypointService(s)
			if w == nil || w == s || !cp.IsGlobal(c, s) || cp.IsGlobal(c, w) || !isServedElsewhere(able, cp, c, s) {
				continue
			}
			if kept[w] == nil {
				waypoints = append(waypoints, w)
			}
			kept[w] = append(kept[w], s)
		}
		for _, w := range waypoints {
			p.Report(keptByWaypoint(cp, w, kept[w]))
		}
	}
}

// isServedElsewhere reports whether another cluster, on another network, has ambient pods of a
// Service that is global for the control plane.
func isServedElsewhere(clusters []*model.Cluster, cp *model.ControlPlane, c *model.Cluster, s *corev1.Service) bool {
	return slices.ContainsFunc(clusters, func(o *model.Cluster) bool {
		other := o.Service(s.Namespace, s.Name)
		return o != c && cp.IDOf(o) != "" && !sameNetwork(c, o) && other != nil && cp.IsGlobal(o, other) && o.HasAmbientPods(other)
	})
}

func keptByWaypoint(cp *model.ControlPlane, w *corev1.Service, services []*corev1.Service) finding.Finding {
	c := cp.Cluster
	f := finding.Finding{
		Code:     "AMB015",
		Severity: finding.Warning,
		Clusters: []string{c.Context},
		Object:   finding.In("service", w.Namespace, w.Name),
		Title:    fmt.Sprintf("%s global, and the waypoint is not", servicesAre(len(services))),
		Evidence: []finding.Evidence{
			{Field: "service " + nameOf(w) + ", label " + istio.LabelGlobal, Value: orNone(w.Labels[istio.LabelGlobal])},
		},
		Effect: "requests for them stay with the pods of the cluster: its waypoint knows no gateway to other networks",
	}
	set := finding.Say("Make the waypoint global, in every cluster that has it. istiod copies the labels of its Gateway to the Service:")
	if slices.ContainsFunc(resources.KubernetesGateways.Of(c.Cluster).Value, func(k api.KubernetesGateway) bool {
		return k.Namespace == w.Namespace && k.Name == w.Name
	}) {
		set = set.By(
			finding.Kubectl(c.Context, "-n", w.Namespace, "label", "gateways.gateway.networking.k8s.io/"+w.Name, istio.LabelGlobal+"=true"),
		)
	}
	f.Fix = []finding.Step{set.By(finding.Kubectl(c.Context, "-n", w.Namespace, "label", "service/"+w.Name, istio.LabelGlobal+"=true"))}
	for i, s := range services {
		if i == mostLines {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "further services", Value: fmt.Sprint(len(services) - mostLines)})
			break
		}
		f.Evidence = append(
			f.Evidence,
			finding.Evidence{Field: "service " + nameOf(s) + ", label " + istio.LabelGlobal, Value: orNone(s.Labels[istio.LabelGlobal])},
		)
	}
	if slices.ContainsFunc(services, func(s *corev1.Service) bool { return !c.HasAmbientPods(s) }) {
		f.Severity, f.Effect = finding.Error, "requests for those without pods in the cluster fail: its waypoint has no endpoint for them"
	}
	return f
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// behindGlobalWaypoints: a service that is local has a global waypoint. Where the waypoint of its
// cluster fails, ztunnel takes that of another cluster, which sends requests to its own pods of
// the service, or has none (https://github.com/istio/istio/issues/57710).
func behindGlobalWaypoints(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	able := model.Able(p)
	for _, c := range able {
		cp := c.AmbientControlPlane()
		if cp == nil {
			continue
		}
		var seen []finding.Evidence
		n := 0
		services := resources.Services.Of(c.Cluster).Value
		for i := range services {
			s := &services[i]
			w := c.WaypointService(s)
			if w == nil || w == s || cp.IsGlobal(c, s) || !cp.IsGlobal(c, w) || !c.HasAmbientPods(s) {
				continue
			}
			if !slices.ContainsFunc(able, func(o *model.Cluster) bool {
				other := o.Service(w.Namespace, w.Name)
				return o != c && cp.IDOf(o) != "" && other != nil && cp.IsGlobal(o, other)
			}) {
				continue
			}
			if n++; n <= mostLines {
				seen = append(seen, finding.Evidence{Field: "service " + nameOf(s) + ", waypoint", Value: nameOf(w) + ", which is global"})
			}
		}
		if n == 0 {
			continue
		}
		title := "1 local service has a global waypoint"
		if n > 1 {
			title = fmt.Sprintf("%d local services have a global waypoint", n)
		}
		p.Report(finding.Finding{
			Code: "AMB016", Severity: finding.Note, Clusters: []string{c.Context}, Object: finding.Kind("waypoints"), Title: title, Evidence: seen,
			Effect: "if the waypoint of the cluster has no ready pod, requests for them go to the waypoint of another cluster and to its pods",
			Fix: []finding.Step{
				finding.Say("Give local services a waypoint of their own that is not global, if their requests must never leave the cluster."),
			},
		})
	}
}

// globalServiceEntries: a ServiceEntry is labeled as global. istiod takes the scope of Services alone;
// ServiceEntries are local (pilot/pkg/serviceregistry/ambient/services.go, serviceEntryServiceBuilder;
// https://github.com/istio/istio/issues/59401).
func globalServiceEntries(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	for _, c := range model.Able(p) {
		if c.AmbientControlPlane() == nil {
			continue
		}
		entries := resources.ServiceEntries.Of(c.Cluster).Value
		for i := range entries {
			e := &entries[i]
			if e.Labels[istio.LabelGlobal] != "true" {
				continue
			}
			p.Report(finding.Finding{
				Code: "AMB017", Severity: finding.Warning, Clusters: []string{c.Context},
				Object: finding.In("serviceentry", e.Namespace, e.Name),
				Title:  "a ServiceEntry is labeled as global, and istiod ignores the label",
				Evidence: []finding.Evidence{
					{Field: fmt.Sprintf("serviceentry %s/%s, label %s", e.Namespace, e.Name, istio.LabelGlobal), Value: "true"},
					{Field: "its hosts", Value: finding.List(e.Spec.Hosts)},
				},
				Effect: "ambient clients get no endpoints of other networks for its hosts",
				Fix: []finding.Step{
					finding.Say("Let clients use a Service with label %s=true for pods of other clusters; a ServiceEntry only serves its own network.",
						istio.LabelGlobal),
				},
			})
		}
	}
}
