package endpoints

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// invisible: the service is not visible to the source, by its export or by a Sidecar.
func (w *walk) invisible(p *port) (finding.Finding, bool) {
	switch p.given.Reason {
	case istio.NotVisible:
		in := w.cp.ClusterOf(p.given.Definition)
		f := w.unexported(in.Context, w.cp, "namespace "+w.from.proxy.Namespace, w.from.proxy.Namespace, w.service.in(in))
		f.Severity = w.when(finding.Note)
		f.Effect = fmt.Sprintf("clients in namespace %s of %s do not know the service, wherever its pods are",
			w.from.proxy.Namespace, w.source.Context)
		return f, true
	case istio.HiddenBySidecar:
		sidecar := finding.In("sidecar", p.given.Sidecar.Namespace, p.given.Sidecar.Name)
		return finding.Finding{
			Code: "EP012", Severity: w.when(finding.Note), Clusters: []string{w.cp.Context}, Object: sidecar,
			Title: fmt.Sprintf("Sidecar %s hides %s from clients in %s",
				key(sidecar.Namespace, sidecar.Name), w.service, w.from.proxy.Namespace),
			Evidence: []finding.Evidence{
				{Field: sidecar.String() + ", egress hosts", Value: finding.List(egress(w.cp.Cluster, sidecar.Namespace, sidecar.Name))},
				{Field: "hosts that would name it", Value: "./" + p.given.Host + ", " + w.service.namespace + "/*"},
			},
			Effect: "those clients do not know the service: their requests go past the mesh, or are refused",
			Fix: []finding.Step{finding.Say("Add %s/%s to its hosts:", w.service.namespace, p.given.Host).By(
				edit(w.cp.Context, sidecar.Kind, sidecar.Namespace, sidecar.Name))},
		}, true
	default:
		return finding.Finding{}, false
	}
}

// egress are the hosts in a Sidecar.
func egress(c *model.Cluster, namespace, name string) []string {
	var out []string
	for _, s := range resources.Sidecars.Of(c.Cluster).Value {
		if s.Namespace == namespace && s.Name == name {
			for _, e := range s.Spec.Egress {
				out = append(out, e.Hosts...)
			}
		}
	}
	return out
}

// unexported is the finding about a Service that is not exported to a namespace
// (annotation networking.istio.io/exportTo, or the mesh config's default).
func (w *walk) unexported(context string, cp *model.ControlPlane, who, namespace string, s *corev1.Service) finding.Finding {
	f := finding.Finding{
		Code: "EP011", Severity: finding.Error, Clusters: []string{context}, Object: w.service.object(),
		Title: fmt.Sprintf("Service %s of %s is not exported to %s", w.service, context, who),
	}
	if to := s.Annotations[istio.AnnotationExportTo]; to != "" {
		f.Evidence = []finding.Evidence{
			{Cluster: context, Field: w.service.text() + ", annotation " + istio.AnnotationExportTo, Value: to},
		}
		wider := istio.AnnotationExportTo + "=" + strings.Join(append(strings.Split(to, ","), namespace), ",")
		f.Fix = []finding.Step{
			finding.Say("Export it to the namespace as well, or set the annotation to *, which exports it to all namespaces:").By(
				w.service.annotate(context, wider, "--overwrite")),
		}
		if to == "~" || to == "." && namespace == w.service.namespace {
			// Without the annotation the mesh config's default would be in force.
			f.Fix = []finding.Step{finding.Run(w.service.annotate(context, istio.AnnotationExportTo+"=*", "--overwrite"))}
		}
		return f
	}
	f.Evidence = []finding.Evidence{
		{Cluster: cp.Context, Field: "mesh config, defaultServiceExportTo", Value: strings.Join(cp.Mesh.DefaultServiceExportTo, ", ")},
	}
	f.Fix = []finding.Step{finding.Run(w.service.annotate(context, istio.AnnotationExportTo+"=*"))}
	return f
}

// inScope: no setting keeps the service to its cluster or node, and it is exported where
// istiod only takes what is exported.
func (w *walk) inScope() Verdict {
	if v := w.each(stepScope, w.keptGateway); v != goesOn {
		return v
	}
	p := w.ports[0]
	switch {
	case p.all(istio.OtherCluster):
		return w.answer(stepScope, w.clusterLocal(p))
	case p.all(istio.NotGlobal):
		f := w.notGlobal(p)
		if f.Severity == finding.Note {
			return w.answer(stepScope, f)
		}
		return w.fault(stepScope, f)
	case p.all(istio.OtherNode):
		return w.answer(stepScope, w.nodeLocal(p))
	case p.all(istio.NotExported):
		if !w.read(w.to, resources.ServiceExports, "EP014") {
			reason, _ := rule.Lacks(w.to.Cluster, resources.ServiceExports)
			return w.unclear(stepScope, w.to.Context, reason)
		}
		return w.fault(stepScope, w.withoutExport())
	}
	return w.ok(stepScope, "the source knows the service in all clusters")
}

// clusterLocal: the mesh config keeps the service to each cluster.
func (w *walk) clusterLocal(p *port) finding.Finding {
	return finding.Finding{
		Code: "EP013", Clusters: []string{w.cp.Context}, Object: w.service.object(),
		Title:    fmt.Sprintf("%s stays in each cluster: the mesh config of %s says that it is local", w.service, w.cp.Context),
		Evidence: []finding.Evidence{{Field: "mesh config, serviceSettings", Value: localSetting(w.cp, p.given.Host)}},
		Effect:   fmt.Sprintf("clients in %s only get endpoints of their own cluster", w.source.Context),
		Fix: []finding.Step{finding.Say("If that is not intended, remove the host from serviceSettings:").By(
			edit(w.cp.Context, "configmap", w.cp.Istiod.Namespace, w.cp.Istiod.MeshConfigMap()))},
	}
}

// localSetting is what in the mesh config makes a host local.
func localSetting(cp *model.ControlPlane, host string) string {
	for _, s := range cp.Mesh.ServiceSettings {
		if s.Settings == nil || !s.Settings.ClusterLocal {
			continue
		}
		for _, h := range s.Hosts {
			if suffix, wild := strings.CutPrefix(h, "*"); h == host || wild && strings.HasSuffix(host, suffix) {
				return "clusterLocal: true for " + h
			}
		}
	}
	return "clusterLocal by default for " + host
}

// nodeLocal: the service stays on the node of the client.
func (w *walk) nodeLocal(p *port) finding.Finding {
	in := w.contextOf(p.given.Definition)
	return finding.Finding{
		Code: "EP017", Clusters: []string{in}, Object: w.service.object(),
		Title:    fmt.Sprintf("%s stays on the node of the client: internalTrafficPolicy is Local", w.service),
		Evidence: []finding.Evidence{{Field: w.service.text() + ", internalTrafficPolicy", Value: "Local"}},
		Effect:   "clients only get endpoints of their own node",
		Fix: []finding.Step{finding.Say("If that is not intended, let clients use endpoints of all nodes:").By(finding.Kubectl(in,
			"-n", w.service.namespace, "patch", "service/"+w.service.name, "-p", `{"spec":{"internalTrafficPolicy":"Cluster"}}`))},
	}
}

// withoutExport: istiod only takes what is exported, and the cluster does not export it.
func (w *walk) withoutExport() finding.Finding {
	f := finding.Finding{
		Code: "EP014", Severity: w.when(finding.Note), Clusters: []string{w.to.Context}, Object: w.service.object(),
		Title: fmt.Sprintf("%s does not export %s, and %s only takes exported services", w.to.Context, w.service, istiodOf(w.cp)),
		Evidence: []finding.Evidence{
			{Cluster: w.cp.Context, Field: "istiod, " + istio.EnvMCSDiscovery, Value: w.cp.Istiod.Env(istio.EnvMCSDiscovery)},
			{Cluster: w.to.Context, Field: "serviceexport " + w.service.key(), Value: "none"},
		},
		Effect: fmt.Sprintf("clients in %s get no endpoint of %s", w.source.Context, w.to.Context),
		Fix: []finding.Step{finding.Run(remedy.Apply(w.to.Context, map[string]any{
			"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport",
			"metadata": map[string]string{"name": w.service.name, "namespace": w.service.namespace},
		}))},
	}
	if w.cp.Istiod.On(istio.EnvMCSClusterLocal) {
		f.Title = fmt.Sprintf("%s keeps the names under cluster.local to each cluster", istiodOf(w.cp))
		f.Evidence = []finding.Evidence{{Cluster: w.cp.Context, Field: "istiod, " + istio.EnvMCSClusterLocal, Value: "true"}}
		f.Fix = []finding.Step{finding.Say("Let clients use %s.svc.clusterset.local.", w.service)}
	}
	return f
}
