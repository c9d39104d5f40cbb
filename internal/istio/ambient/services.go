package ambient

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// mostLines is how many services are shown by name.
const mostLines = 8

// global are the global services of the clusters with a control plane that tells ambient
// workloads of other networks, by namespace/name. What gateways accept is a matter of the
// config of their own cluster, and ambient workloads see the services of other clusters by
// the mesh config of their own control plane and the labels in the other cluster
// (pilot/pkg/serviceregistry/ambient/services.go, matchServiceScope, and ambientindex.go,
// AllLocalNetworkGlobalServices).
type global map[*model.Cluster]map[string]*corev1.Service

func findGlobal(m *model.Mesh) global {
	out := global{}
	for _, c := range m.Clusters {
		cp := ownControlPlane(c)
		if cp == nil {
			continue
		}
		out[c] = map[string]*corev1.Service{}
		services := resources.Services.Of(c.Cluster).Value
		for i := range services {
			if s := &services[i]; isGlobal(cp, c, s) {
				out[c][nameOf(s)] = s
			}
		}
	}
	return out
}

func nameOf(s *corev1.Service) string { return s.Namespace + "/" + s.Name }

// isGlobal reports whether a Service of a cluster is global by the mesh config of a
// control plane.
func isGlobal(cp *model.ControlPlane, c *model.Cluster, s *corev1.Service) bool {
	return cp.IsGlobal(c, s)
}

// notGlobalEverywhere: services are labeled as global and no mesh config makes them so,
// or they are global in one of two clusters only. The label alone does nothing: it is only
// what Istio's ambient profile asks for.
func notGlobalEverywhere(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	for _, c := range model.Able(p) {
		if cp := ownControlPlane(c); cp != nil {
			labeledOnly(p, cp)
		}
	}
	g := model.Derived(p.Model, findGlobal)
	for _, pair := range pairs(p, g) {
		g.oneSided(p, pair[0], pair[1])
		g.oneSided(p, pair[1], pair[0])
	}
}

// pairs are the pairs of clusters that have global services and that a control plane
// watches both.
func pairs(p *rule.Pass[*model.Mesh], g global) [][2]*model.Cluster {
	var out [][2]*model.Cluster
	able := model.Able(p)
	for i, a := range able {
		for _, b := range able[i+1:] {
			if g[a] != nil && g[b] != nil && a.WatchedWith(b) {
				out = append(out, [2]*model.Cluster{a, b})
			}
		}
	}
	return out
}

// labeledOnly finds services that are labeled as global where the mesh config does not
// make them so.
func labeledOnly(p *rule.Pass[*model.Mesh], cp *model.ControlPlane) {
	c := cp.Cluster
	var seen []finding.Evidence
	services := resources.Services.Of(c.Cluster).Value
	for i := range services {
		if s := &services[i]; s.Labels[istio.LabelGlobal] == "true" && !isGlobal(cp, c, s) {
			seen = append(seen, finding.Evidence{Field: "service " + nameOf(s) + ", label " + istio.LabelGlobal, Value: "true"})
		}
	}
	n := len(seen)
	if n == 0 {
		return
	}
	if n > mostLines {
		seen = append(seen[:mostLines], finding.Evidence{Field: "further services", Value: fmt.Sprint(n - mostLines)})
	}
	p.Report(finding.Finding{
		Code: "AMB002", Severity: finding.Error, Clusters: []string{c.Context}, Object: cp.ConfigMap(),
		Title:    servicesAre(n) + " labeled as global but not global by the mesh config",
		Evidence: append(seen, finding.Evidence{Field: scopeField(cp), Value: scopes(cp)}),
		Effect:   "ambient workloads here get no endpoints of other clusters for them, and gateways here accept no requests to them",
		Fix: []finding.Step{
			finding.Say(`Add {servicesSelector: {matchLabels: {` + istio.LabelGlobal + `: "true"}}, scope: GLOBAL} to the list ` +
				"serviceScopeConfigs of the mesh config:").By(remedy.EditMeshConfig(c.Context, cp.Istiod)),
		},
	})
}

func scopeField(cp *model.ControlPlane) string {
	return cp.ConfigMap().String() + ", serviceScopeConfigs"
}

func scopes(cp *model.ControlPlane) string {
	if len(cp.Mesh.ServiceScopeConfigs) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d, none of which selects them", len(cp.Mesh.ServiceScopeConfigs))
}

// oneSided finds services with ambient pods in two clusters that are global in the first
// only: by their labels, or by the mesh config of the second.
func (g global) oneSided(p *rule.Pass[*model.Mesh], a, b *model.Cluster) {
	cp := ownControlPlane(a)
	var byLabel, byConfig []string
	services := resources.Services.Of(b.Cluster).Value
	for i := range services {
		s, name := &services[i], nameOf(&services[i])
		if g[a][name] == nil || g[b][name] != nil || s.Labels[istio.LabelGlobal] != "" ||
			!b.HasAmbientPods(s) || !a.HasAmbientPods(g[a][name]) {
			continue
		}
		if isGlobal(cp, b, s) {
			byConfig = append(byConfig, name)
		} else {
			byLabel = append(byLabel, name)
		}
	}
	slices.Sort(byConfig)
	slices.Sort(byLabel)
	if len(byConfig) > 0 {
		p.Report(differByConfig(a, b, byConfig))
	}
	if len(byLabel) > 0 {
		p.Report(differByLabel(a, b, byLabel))
	}
}

// sameNetwork reports whether two clusters have the same label of the system namespace.
func sameNetwork(a, b *model.Cluster) bool { return a.Network().Namespace == b.Network().Namespace }

// differByConfig says that services are global by the mesh config of a cluster and not by
// that of another one.
func differByConfig(a, b *model.Cluster, services []string) finding.Finding {
	x, y := ownControlPlane(a), ownControlPlane(b)
	f := finding.Finding{
		Code: "AMB002", Severity: finding.Warning, Clusters: finding.Distinct([]string{a.Context, b.Context}),
		Object: finding.Named("serviceScopeConfigs of", b.Context),
		Title:  fmt.Sprintf("%s global by the mesh config of %s, not by that of %s", servicesAre(len(services)), a.Context, b.Context),
		Evidence: []finding.Evidence{
			{Cluster: a.Context, Field: scopeField(x), Value: "select " + finding.List(services)},
			{Cluster: b.Context, Field: scopeField(y), Value: scopes(y)},
		},
		Effect: fmt.Sprintf("ambient workloads of %s get no endpoints of %s for them", b.Context, a.Context),
		Fix: []finding.Step{
			finding.Say("Give both control planes the same serviceScopeConfigs:").By(remedy.EditMeshConfig(b.Context, y.Istiod)),
		},
	}
	if !sameNetwork(a, b) {
		f.Severity = finding.Error
		f.Effect = fmt.Sprintf("ambient workloads of %s are sent to gateways of %s, which accept no requests to them; "+
			"those of %s get no endpoints of %s", a.Context, b.Context, b.Context, a.Context)
	}
	return f
}

// differByLabel says that services are global in a cluster and, by their labels, not in
// another one.
func differByLabel(a, b *model.Cluster, services []string) finding.Finding {
	namespace, name, _ := strings.Cut(services[0], "/")
	f := finding.Finding{
		Code: "AMB002", Severity: finding.Warning, Clusters: finding.Distinct([]string{a.Context, b.Context}),
		Object: finding.Named("services of", b.Context),
		Title:  fmt.Sprintf("%s global in %s and not in %s", servicesAre(len(services)), a.Context, b.Context),
		Evidence: []finding.Evidence{
			{Cluster: a.Context, Field: "global", Value: finding.List(services)}, {Cluster: b.Context, Field: "global", Value: "none of them"},
		},
		Effect: fmt.Sprintf("ambient workloads of %s get no endpoints of %s for them", b.Context, a.Context),
		Fix: []finding.Step{
			finding.Say("Make the service global here too; label it with value false instead if it is local by design:").
				By(finding.Kubectl(b.Context, "-n", namespace, "label", "service/"+name, istio.LabelGlobal+"=true")),
		},
	}
	if len(services) > 1 {
		f.Fix = append(f.Fix, finding.Say("Label the other services in the same way."))
	}
	if !sameNetwork(a, b) {
		f.Effect = "ambient workloads of neither cluster get endpoints of the other one for them"
	}
	return f
}
