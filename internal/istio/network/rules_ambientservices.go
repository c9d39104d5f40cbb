package network

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// mesh is the mesh config of a cluster's own control plane; false where it has none
// that tells ambient workloads of other networks.
func (m *member) mesh() (*view, bool) {
	for _, v := range m.viewers {
		if v.own == m && ambientNetworks([]*view{v}) {
			return v, true
		}
	}
	return nil, false
}

// labelsOf are those of a namespace.
func (m *member) labelsOf(namespace string) map[string]string {
	if ns := m.namespaces[namespace]; ns != nil {
		return ns.Labels
	}
	return nil
}

// hasAmbientPods reports whether a Service selects pods for which ztunnel speaks.
func (m *member) hasAmbientPods(s *corev1.Service) bool {
	return isAmbient(m.namespaces[s.Namespace]) && slices.ContainsFunc(resources.Pods.Of(m.Cluster).Value, func(p facts.Pod) bool {
		return p.Namespace == s.Namespace && runs(&p) && !isProxy(&p) && selects(s.Spec.Selector, p.Labels)
	})
}

// waypointOf is whether a Service is reached through a waypoint.
func (m *member) waypointOf(s *corev1.Service) string {
	w := cmp.Or(s.Labels[istio.LabelWaypoint], m.labelsOf(s.Namespace)[istio.LabelWaypoint])
	if w == "none" {
		return ""
	}
	return w
}

// judgeGlobalServices: ambient workloads see services of other clusters only if
// these are global: by the mesh config of their own control plane, with the labels in
// the other cluster. What gateways take in is a matter of the config of theirs. The label
// is only what Istio's ambient profile asks for (pilot/pkg/serviceregistry/ambient/
// services.go, matchServiceScope, and ambientindex.go, AllLocalNetworkGlobalServices).
func judgeGlobalServices(j *judgement, members []*member) {
	if !j.several {
		return
	}
	global := map[*member]map[string]*corev1.Service{}
	for _, m := range members {
		v, ok := m.mesh()
		if !ok {
			continue
		}
		global[m] = map[string]*corev1.Service{}
		var evidence []finding.Evidence
		for i := range resources.Services.Of(m.Cluster).Value {
			s := &resources.Services.Of(m.Cluster).Value[i]
			switch {
			case v.Mesh.IsGlobal(m.labelsOf(s.Namespace), s.Labels):
				global[m][s.Namespace+"/"+s.Name] = s
			case s.Labels[istio.LabelGlobal] == "true":
				evidence = append(evidence, finding.Evidence{Field: "service " + s.Namespace + "/" + s.Name + ", label " + istio.LabelGlobal, Value: "true"})
			}
		}
		if len(evidence) == 0 {
			continue
		}
		n := len(evidence)
		if n > mostRestarts {
			evidence = append(evidence[:mostRestarts], finding.Evidence{Field: "further services", Value: fmt.Sprint(n - mostRestarts)})
		}
		j.Add(finding.Finding{
			Code: "AMB002", Severity: finding.Error, Clusters: []string{m.Context}, Object: v.configMap(),
			Title:    fmt.Sprintf("%s labelled as global, and the mesh config makes them none", isAre(n, "service")),
			Evidence: append(evidence, finding.Evidence{Field: v.configMap().String() + ", serviceScopeConfigs", Value: scopes(v.Mesh)}),
			Effect:   "ambient workloads here get no endpoints of other clusters for them, and gateways here take in no requests to them",
			Fix: []finding.Step{
				finding.Say(`Add {servicesSelector: {matchLabels: {` + istio.LabelGlobal + `: "true"}}, scope: GLOBAL} to the list ` +
					"serviceScopeConfigs of the mesh config:").By(v.edit()),
			},
		})
	}
	for i, a := range members {
		for _, b := range members[i+1:] {
			if global[a] == nil || global[b] == nil || !related(a, b) {
				continue
			}
			j.oneSided(a, b, global)
			j.oneSided(b, a, global)
			j.waypoints(a, b, global)
		}
	}
}

func scopes(m istio.MeshConfig) string {
	if len(m.ServiceScopeConfigs) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d, none of which takes them", len(m.ServiceScopeConfigs))
}

// oneSided finds services with ambient pods in two clusters that are global in the
// first alone: by their labels, or by the mesh config of the second.
func (j *judgement) oneSided(a, b *member, global map[*member]map[string]*corev1.Service) {
	x, _ := a.mesh()
	y, _ := b.mesh()
	var byLabel, byConfig []string
	for i := range resources.Services.Of(b.Cluster).Value {
		s := &resources.Services.Of(b.Cluster).Value[i]
		name := s.Namespace + "/" + s.Name
		if global[a][name] == nil || global[b][name] != nil || s.Labels[istio.LabelGlobal] != "" || !b.hasAmbientPods(s) || !a.hasAmbientPods(global[a][name]) {
			continue
		}
		if x.Mesh.IsGlobal(b.labelsOf(s.Namespace), s.Labels) {
			byConfig = append(byConfig, name)
		} else {
			byLabel = append(byLabel, name)
		}
	}
	apart := a.label != b.label
	if len(byConfig) > 0 {
		slices.Sort(byConfig)
		f := finding.Finding{
			Code: "AMB002", Severity: finding.Warning, Clusters: finding.Distinct([]string{a.Context, b.Context}),
			Object: finding.Named("serviceScopeConfigs of", b.Context),
			Title:  fmt.Sprintf("%s global by the mesh config of %s and not by that of %s", isAre(len(byConfig), "service"), a.Context, b.Context),
			Evidence: []finding.Evidence{
				{Cluster: a.Context, Field: x.configMap().String() + ", serviceScopeConfigs", Value: "take " + finding.List(byConfig)},
				{Cluster: b.Context, Field: y.configMap().String() + ", serviceScopeConfigs", Value: scopes(y.Mesh)},
			},
			Effect: fmt.Sprintf("ambient workloads of %s get no endpoints of %s for them", b.Context, a.Context),
			Fix:    []finding.Step{finding.Say("Give both control planes the same serviceScopeConfigs:").By(y.edit())},
		}
		if apart {
			f.Severity = finding.Error
			f.Effect = fmt.Sprintf("ambient workloads of %s are sent to gateways of %s, which take in no requests to them; those of %s get no endpoints of %s", a.Context, b.Context, b.Context, a.Context)
		}
		j.Add(f)
	}
	if len(byLabel) == 0 {
		return
	}
	slices.Sort(byLabel)
	namespace, name, _ := strings.Cut(byLabel[0], "/")
	f := finding.Finding{
		Code: "AMB002", Severity: finding.Warning, Clusters: finding.Distinct([]string{a.Context, b.Context}),
		Object: finding.Named("services of", b.Context),
		Title:  fmt.Sprintf("%s global in %s and not in %s", isAre(len(byLabel), "service"), a.Context, b.Context),
		Evidence: []finding.Evidence{
			{Cluster: a.Context, Field: "global", Value: finding.List(byLabel)}, {Cluster: b.Context, Field: "global", Value: "none of them"},
		},
		Effect: fmt.Sprintf("ambient workloads of %s get no endpoints of %s for them", a.Context, b.Context),
		Fix: []finding.Step{
			finding.Say("Make the service global here too; label it with value false instead if it is local by design:").
				By(finding.Kubectl(b.Context, "-n", namespace, "label", "service/"+name, istio.LabelGlobal+"=true")),
		},
	}
	if len(byLabel) > 1 {
		f.Fix = append(f.Fix, finding.Say("Label the other services in the same way."))
	}
	if apart {
		f.Effect = "ambient workloads of neither cluster get endpoints of the other one for them"
	}
	j.Add(f)
}

// waypoints finds global services that have a waypoint in one of two clusters alone.
func (j *judgement) waypoints(a, b *member, global map[*member]map[string]*corev1.Service) {
	var evidence []finding.Evidence
	var fix []finding.Command
	for _, name := range slices.Sorted(maps.Keys(global[a])) {
		x, y := global[a][name], global[b][name]
		if y == nil || (a.waypointOf(x) == "") == (b.waypointOf(y) == "") {
			continue
		}
		for _, side := range []struct {
			m *member
			s *corev1.Service
		}{{a, x}, {b, y}} {
			evidence = append(evidence, finding.Evidence{Cluster: side.m.Context, Field: "service " + name + ", waypoint", Value: orNone(side.m.waypointOf(side.s))})
			if side.m.waypointOf(side.s) == "" {
				fix = append(fix, finding.Kubectl(side.m.Context, "-n", side.s.Namespace, "label", "service/"+side.s.Name,
					istio.LabelWaypoint+"="+cmp.Or(a.waypointOf(x), b.waypointOf(y))))
			}
		}
	}
	if len(evidence) == 0 {
		return
	}
	n := len(evidence) / 2
	if len(evidence) > mostRestarts {
		evidence, fix = append(evidence[:mostRestarts], finding.Evidence{Field: "further services", Value: fmt.Sprint(n - mostRestarts/2)}), fix[:mostRestarts/2]
	}
	j.Add(finding.Finding{
		Code: "AMB009", Severity: finding.Warning, Clusters: finding.Distinct([]string{a.Context, b.Context}), Object: finding.Kind("waypoints"),
		Title:    fmt.Sprintf("%s a waypoint in one cluster and none in another one", hasOrHave(n, "global service")),
		Evidence: evidence,
		Effect:   "policies and routes of the waypoint count for the requests that go through the one cluster, and not for the others",
		Fix: []finding.Step{
			finding.Say("If the waypoint is not meant, remove label %s where it is set.", istio.LabelWaypoint),
			finding.Say("Else deploy the waypoint in the other cluster too, and label the service there:").By(fix...),
		},
	})
}

func hasOrHave(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " has"
	}
	return fmt.Sprintf("%d %ss have", n, noun)
}

// judgeAmbientNamespaces: a namespace has to be in ambient mode in every cluster in
// which it has pods of a service.
func judgeAmbientNamespaces(j *judgement, members []*member) {
	for _, m := range members {
		if len(m.ztunnels()) == 0 {
			continue
		}
		by := map[string][]string{} // services by namespace
		where := map[string]*member{}
		for i := range resources.Services.Of(m.Cluster).Value {
			s := &resources.Services.Of(m.Cluster).Value[i]
			ns := m.namespaces[s.Namespace]
			if ns == nil || ns.Name == m.SystemNamespace || ns.Name == "kube-system" || ns.Labels[istio.LabelDataplaneMode] != "" || !m.hasPlainPods(s) {
				continue
			}
			for _, o := range members {
				if o == m || !related(m, o) || len(o.ztunnels()) == 0 {
					continue
				}
				if other := o.service(istio.ObjectName{Namespace: s.Namespace, Name: s.Name}); other != nil && o.hasAmbientPods(other) {
					by[s.Namespace], where[s.Namespace] = append(by[s.Namespace], s.Name), o
					break
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(by)) {
			o := where[name]
			j.Add(finding.Finding{
				Code: "AMB013", Severity: finding.Warning, Clusters: finding.Distinct([]string{m.Context, o.Context}),
				Object: finding.Named("namespace", name), ObjectIn: m.Context,
				Title: fmt.Sprintf("namespace %s is in ambient mode in %s and not in %s", name, o.Context, m.Context),
				Evidence: []finding.Evidence{
					{Cluster: o.Context, Field: "namespace " + name + ", label " + istio.LabelDataplaneMode, Value: "ambient"},
					{Cluster: m.Context, Field: "namespace " + name + ", label " + istio.LabelDataplaneMode, Value: "none"},
					{Cluster: m.Context, Field: "services with pods outside of the mesh", Value: finding.List(finding.Distinct(by[name]))},
				},
				Effect: fmt.Sprintf("its pods in %s take no mutual TLS: they are not reached from other networks, and policies do not count for them", m.Context),
				Fix: []finding.Step{
					finding.Say("Label the namespace, which takes effect at once. " +
						"If its pods stay outside of the mesh by design, label it with value none instead:").
						By(finding.Kubectl(m.Context, "label", "namespace/"+name, istio.LabelDataplaneMode+"=ambient")),
				},
			})
		}
	}
}

// hasPlainPods reports whether a Service selects pods that are not part of the mesh.
func (m *member) hasPlainPods(s *corev1.Service) bool {
	return slices.ContainsFunc(resources.Pods.Of(m.Cluster).Value, func(p facts.Pod) bool {
		return p.Namespace == s.Namespace && runs(&p) && !isProxy(&p) && !p.HostNetwork && p.Labels[istio.LabelDataplaneMode] == "" && selects(s.Spec.Selector, p.Labels)
	})
}

// judgeAmbientTrustDomains: a control plane takes ambient workloads of other clusters
// for those of its own trust domain, aliases or not
// (pilot/pkg/serviceregistry/ambient/workloads.go and multicluster.go).
func judgeAmbientTrustDomains(j *judgement, members []*member) {
	for i, a := range members {
		for _, b := range members[i+1:] {
			x, okX := a.mesh()
			y, okY := b.mesh()
			if !okX || !okY || !j.several || !related(a, b) || x.Mesh.TrustDomain == y.Mesh.TrustDomain {
				continue
			}
			j.Add(finding.Finding{
				Code: "AMB006", Severity: finding.Error, Clusters: finding.Distinct([]string{a.Context, b.Context}),
				Object: finding.Kind("trust domain"),
				Title:  "ambient clusters have different trust domains",
				Evidence: []finding.Evidence{
					{Cluster: a.Context, Field: x.configMap().String() + ", trustDomain", Value: x.Mesh.TrustDomain},
					{Cluster: b.Context, Field: y.configMap().String() + ", trustDomain", Value: y.Mesh.TrustDomain},
				},
				Effect: "ambient clients expect their own trust domain in the certificates of the other cluster, and refuse them",
				Fix: []finding.Step{
					finding.Say("Give all clusters the same trustDomain:").By(y.edit()),
					finding.Say("Then restart istiod, ztunnel and the gateways."),
				},
			})
		}
	}
}

// judgeSeveralGateways: of several gateways of a network ambient workloads are told one
// for each service, any of them (pilot/pkg/serviceregistry/ambient/multicluster.go;
// https://github.com/istio/istio/issues/56960).
func judgeSeveralGateways(j *judgement, members []*member) {
	if !j.several {
		return
	}
	for _, v := range j.viewsOf(members) {
		if !ambientNetworks([]*view{v}) {
			continue
		}
		by := map[string][]finding.Evidence{}
		for _, m := range v.members {
			for i := range resources.KubernetesGateways.Of(m.Cluster).Value {
				k := &resources.KubernetesGateways.Of(m.Cluster).Value[i]
				if network := k.Labels[istio.LabelNetwork]; m != v.own && network != v.own.label && k.Spec.GatewayClassName == api.ClassEastWest && len(lacking(k)) == 0 {
					by[network] = append(by[network], finding.Evidence{Cluster: m.Context, Field: kubernetesObject(k).String(), Value: addressesOf(k)})
				}
			}
		}
		for _, network := range slices.Sorted(maps.Keys(by)) {
			if len(by[network]) < 2 {
				continue
			}
			var clusters []string
			for _, e := range by[network] {
				clusters = append(clusters, e.Cluster)
			}
			j.Gather(finding.Finding{
				Code: "AMB007", Severity: finding.Note, Clusters: finding.Distinct(clusters), Object: finding.Named("network", network),
				Title: fmt.Sprintf("%s has several gateways for ambient workloads, of which a service uses one", network), Evidence: by[network],
				Effect: "requests of ambient clients on other networks to a service go through one of them, also those for pods of other clusters; when it fails no other takes over",
				Fix:    []finding.Step{finding.Say("Change nothing as long as each of the gateways reaches all clusters of the network.")},
			})
		}
	}
}

func addressesOf(k *api.KubernetesGateway) string {
	var out []string
	for _, a := range k.Status.Addresses {
		out = append(out, a.Value)
	}
	return orNone(strings.Join(finding.Distinct(out), ", "))
}
