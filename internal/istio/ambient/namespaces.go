package ambient

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// waypointsInOneCluster: global services have a waypoint in one of two clusters only.
func waypointsInOneCluster(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	g := model.Derived(p.Model, findGlobal)
	for _, pair := range pairs(p, g) {
		g.waypoints(p, pair[0], pair[1])
	}
}

func (g global) waypoints(p *rule.Pass[*model.Mesh], a, b *model.Cluster) {
	var seen []finding.Evidence
	var fix []finding.Command
	// Between networks the gateway sends requests to the waypoint, whose identity the client's
	// ztunnel does not expect (https://github.com/istio/istio/issues/60985).
	apart, fails := a.Network().Home() != b.Network().Home(), false
	for _, name := range slices.Sorted(maps.Keys(g[a])) {
		x, y := g[a][name], g[b][name]
		if y == nil || (a.WaypointOf(x) == "") == (b.WaypointOf(y) == "") {
			continue
		}
		waypoint := cmp.Or(a.WaypointOf(x), b.WaypointOf(y))
		holder, service := a, x
		if a.WaypointOf(x) == "" {
			holder, service = b, y
		}
		fails = fails || apart && len(holder.SelectedPods(service)) > 0
		for _, side := range []struct {
			in *model.Cluster
			s  *corev1.Service
		}{{a, x}, {b, y}} {
			has := side.in.WaypointOf(side.s)
			seen = append(seen, finding.Evidence{
				Cluster: side.in.Context, Field: "service " + name + ", waypoint", Value: evidence.OrNone(has),
			})
			if has == "" {
				fix = append(
					fix,
					finding.Shell("istioctl", "--context="+side.in.Context, "waypoint", "apply", "-n", side.s.Namespace, "--name", waypoint),
					finding.Kubectl(side.in.Context, "-n", side.s.Namespace, "label", "service/"+side.s.Name, istio.LabelWaypoint+"="+waypoint),
				)
			}
		}
	}
	if len(seen) == 0 {
		return
	}
	n := len(seen) / 2 // two lines a service
	if len(seen) > mostLines {
		seen = append(seen[:mostLines], finding.Evidence{Field: "further services", Value: fmt.Sprint(n - mostLines/2)})
		fix = fix[:min(len(fix), mostLines)]
	}
	title := "1 global service has a waypoint in one cluster and none in another"
	if n > 1 {
		title = fmt.Sprintf("%d global services have a waypoint in one cluster and none in another", n)
	}
	f := finding.Finding{
		Code: "AMB009", Severity: finding.Warning, Clusters: finding.Distinct([]string{a.Context, b.Context}), Object: finding.Kind("waypoints"),
		Title: title, Evidence: seen,
		Effect: "policies and routes of the waypoint apply to requests that go through the one cluster, and not to the others",
		Fix: []finding.Step{
			finding.Say("Create the same waypoint in the other cluster, and label the service there. Its deployment may be scaled to zero:").
				By(fix...),
			finding.Say("Or, if the waypoint is not meant, remove label %s where it is set. Careful: its policies and routes stop then.",
				istio.LabelWaypoint),
		},
	}
	if fails {
		f.Severity = finding.Error
		f.Effect = "requests from the cluster without the waypoint to the other one fail: " +
			"ztunnel says that the peer did not present the expected SAN"
	}
	p.Report(f)
}

// namespacesInOneCluster: a namespace has pods of a service in two clusters, and is in
// ambient mode in one of them only.
func namespacesInOneCluster(p *rule.Pass[*model.Mesh]) {
	able := model.Able(p)
	for _, c := range able {
		if len(c.Ztunnels()) == 0 {
			continue
		}
		services, where := map[string][]string{}, map[string]*model.Cluster{} // by namespace
		list := resources.Services.Of(c.Cluster).Value
		for i := range list {
			s := &list[i]
			if !mayBeAmbient(c, s.Namespace) || !hasPlainPods(c, s) {
				continue
			}
			if o := ambientElsewhere(able, c, s); o != nil {
				services[s.Namespace], where[s.Namespace] = append(services[s.Namespace], s.Name), o
			}
		}
		for _, name := range slices.Sorted(maps.Keys(services)) {
			p.Report(inAmbientModeOf(name, where[name], c, services[name]))
		}
	}
}

// mayBeAmbient reports whether a namespace of a cluster has no label that says whether it
// is in ambient mode, and is none of Istio's or of Kubernetes' own.
func mayBeAmbient(c *model.Cluster, namespace string) bool {
	return c.Namespace(namespace) != nil && namespace != c.SystemNamespace && namespace != "kube-system" &&
		c.NamespaceLabels(namespace)[istio.LabelDataplaneMode] == ""
}

// ambientElsewhere is another cluster in which the Service has ambient pods, and that a
// control plane watches together with this one; nil where there is none.
func ambientElsewhere(clusters []*model.Cluster, c *model.Cluster, s *corev1.Service) *model.Cluster {
	for _, o := range clusters {
		if o == c || !c.WatchedWith(o) || len(o.Ztunnels()) == 0 {
			continue
		}
		if other := o.Service(s.Namespace, s.Name); other != nil && o.HasAmbientPods(other) {
			return o
		}
	}
	return nil
}

// inAmbientModeOf says that a namespace is in ambient mode in one cluster and not in another.
func inAmbientModeOf(namespace string, in, not *model.Cluster, services []string) finding.Finding {
	label := "namespace " + namespace + ", label " + istio.LabelDataplaneMode
	return finding.Finding{
		Code: "AMB013", Severity: finding.Warning, Clusters: finding.Distinct([]string{not.Context, in.Context}),
		Object: finding.Named("namespace", namespace), ObjectIn: not.Context,
		Title: fmt.Sprintf("namespace %s is in ambient mode in %s and not in %s", namespace, in.Context, not.Context),
		Evidence: []finding.Evidence{
			{Cluster: in.Context, Field: label, Value: "ambient"}, {Cluster: not.Context, Field: label, Value: "none"},
			{Cluster: not.Context, Field: "services with pods outside of the mesh", Value: finding.List(finding.Distinct(services))},
		},
		Effect: fmt.Sprintf("its pods in %s accept no mutual TLS: clients on other networks do not reach them, "+
			"and policies do not apply to them", not.Context),
		Fix: []finding.Step{
			finding.Say("Label the namespace, which takes effect at once. " +
				"If its pods stay outside of the mesh by design, label it with value none instead:").
				By(finding.Kubectl(not.Context, "label", "namespace/"+namespace, istio.LabelDataplaneMode+"=ambient")),
		},
	}
}

// hasPlainPods reports whether a Service selects pods that are not part of the mesh.
func hasPlainPods(c *model.Cluster, s *corev1.Service) bool {
	return slices.ContainsFunc(c.SelectedPods(s), func(p *facts.Pod) bool {
		return !istio.HasProxy(p) && !p.HostNetwork && p.Labels[istio.LabelDataplaneMode] == ""
	})
}
