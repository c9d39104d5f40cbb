package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// gets asks what the source is given for each port.
func (w *walk) gets() bool {
	d := w.definition()
	if d == nil {
		return w.unclear(stepEndpoints, w.v.Context, finding.Because("no Service "+w.service.String()+" is known to "+w.v.name()))
	}
	judgeable(w, w.by[w.v.Context], resources.Sidecars.Of(w.by[w.v.Context].Cluster), "sidecars", "EP012")
	judgeable(w, w.to, resources.Nodes.Of(w.to.Cluster), "nodes", "EP016", "EP017")
	for _, p := range d.Spec.Ports {
		if p.Protocol == corev1.ProtocolUDP || p.Protocol == corev1.ProtocolSCTP {
			continue // the mesh does not carry them
		}
		at := &port{number: int(p.Port), name: p.Name}
		at.given = w.ask(question{w.v, w.source.Context, w.from.Pod, w.from.Network, at.number}, w.from.proxy)
		if !w.visible(at) {
			return false
		}
		w.sort(at)
		w.ports = append(w.ports, at)
		if w.asked {
			w.path.Ports = append(w.path.Ports, w.shown(at))
		}
	}
	if len(w.ports) == 0 {
		return w.nothing(stepPorts, "the Service has no TCP port")
	}
	return true
}

// visible: the service is one that the source may know.
func (w *walk) visible(p *port) bool {
	switch p.given.Reason {
	case istio.NotVisible:
		definition := w.contextOf(p.given.Definition)
		s := w.by[definition].services[w.service.key]
		f := w.unexported(definition, w.v, "namespace "+w.from.proxy.Namespace, w.from.proxy.Namespace, s)
		f.Severity = w.when(finding.Note)
		f.Effect = fmt.Sprintf("clients in namespace %s of %s do not know the service, wherever its pods are", w.from.proxy.Namespace, w.source.Context)
		return w.fault(stepScope, f)
	case istio.HiddenBySidecar:
		sidecar := finding.In("sidecar", p.given.Sidecar.Namespace, p.given.Sidecar.Name)
		name := key(sidecar.Namespace, sidecar.Name)
		return w.fault(stepScope, finding.Finding{
			Code: "EP012", Severity: w.when(finding.Note), Clusters: []string{w.v.Context}, Object: sidecar,
			Title: fmt.Sprintf("Sidecar %s hides %s from clients in %s", name, w.service, w.from.proxy.Namespace),
			Evidence: []finding.Evidence{
				{Field: sidecar.String() + ", egress hosts", Value: finding.List(w.egress(sidecar.Namespace, sidecar.Name))},
				{Field: "hosts that would name it", Value: "./" + p.given.Host + ", " + w.service.namespace + "/*"},
			},
			Effect: "those clients do not know the service: their requests go past the mesh, or are refused",
			Fix: []finding.Step{finding.Say("Add %s/%s to its hosts:", w.service.namespace, p.given.Host).By(
				edit(w.v.Context, sidecar.Kind, sidecar.Namespace, sidecar.Name))},
		})
	}
	return true
}

func (w *walk) egress(namespace, name string) []string {
	var out []string
	for _, s := range resources.Sidecars.Of(w.by[w.v.Context].Cluster).Value {
		if s.Namespace == namespace && s.Name == name {
			for _, e := range s.Spec.Egress {
				out = append(out, e.Hosts...)
			}
		}
	}
	return out
}

// contextOf is the context of a cluster by the control plane's name for it.
func (w *walk) contextOf(id string) string {
	for context, known := range w.v.ids {
		if known == id {
			return context
		}
	}
	return id
}

// unexported is the finding about a Service that is not exported to a namespace
// (annotation networking.istio.io/exportTo, or the mesh config's default).
func (w *walk) unexported(context string, v *view, who, namespace string, s *corev1.Service) finding.Finding {
	f := finding.Finding{
		Code: "EP011", Severity: finding.Error, Clusters: []string{context}, Object: w.service.object(),
		Title: fmt.Sprintf("Service %s of %s is not exported to %s", w.service, context, who),
	}
	if to := s.Annotations[istio.AnnotationExportTo]; to != "" {
		f.Evidence = []finding.Evidence{{Cluster: context, Field: w.service.text() + ", annotation " + istio.AnnotationExportTo, Value: to}}
		f.Fix = []finding.Step{
			finding.Say("Export it to the namespace as well, or remove the annotation, which exports it to all namespaces:").By(
				w.annotate(context, istio.AnnotationExportTo+"="+strings.Join(append(strings.Split(to, ","), namespace), ","), "--overwrite")),
		}
		if to == "~" || to == "." && namespace == w.service.namespace {
			f.Fix = []finding.Step{finding.Run(w.annotate(context, istio.AnnotationExportTo+"-"))}
		}
		return f
	}
	f.Evidence = []finding.Evidence{{Cluster: v.Context, Field: "mesh config, defaultServiceExportTo", Value: strings.Join(v.Mesh.DefaultServiceExportTo, ", ")}}
	f.Fix = []finding.Step{finding.Run(w.annotate(context, istio.AnnotationExportTo+"=*"))}
	return f
}

// annotate is the command that annotates the service in a cluster.
func (w *walk) annotate(context string, args ...string) finding.Command {
	return finding.Kubectl(context, append([]string{"-n", w.service.namespace, "annotate", "service/" + w.service.name}, args...)...)
}

// sort finds what of the answer concerns the cluster.
func (w *walk) sort(p *port) {
	for _, e := range p.given.Endpoints {
		switch {
		case !e.Gateway() && e.Cluster == w.id:
			p.direct = append(p.direct, e)
		case e.Gateway() && slices.ContainsFunc(e.Behind, func(b istio.Backend) bool { return b.Cluster == w.id }):
			p.via = append(p.via, e)
		}
	}
	var others []istio.Dropped
	for _, d := range p.given.Dropped {
		switch {
		case d.Cluster != w.id:
		case d.Reason == istio.OtherPort:
			others = append(others, d)
		default:
			p.dropped = append(p.dropped, d)
		}
	}
	if len(p.direct)+len(p.via)+len(p.dropped) == 0 {
		p.dropped = others
	}
}

func (w *walk) shown(p *port) Port {
	out := Port{Port: p.number, Name: p.name, Endpoints: []Address{}, Dropped: []DroppedEndpoint{}}
	for _, e := range slices.Concat(p.direct, p.via) {
		a := Address{Address: w.address(e.Address), Port: e.Port, Pod: e.Pod, Network: e.Network, Route: string(e.Route), Priority: e.Priority, Health: e.Health, MTLS: e.MTLS}
		for _, b := range e.Behind {
			if b.Cluster == w.id {
				a.Behind++
			}
		}
		out.Endpoints = append(out.Endpoints, a)
	}
	for _, d := range p.dropped {
		out.Dropped = append(out.Dropped, DroppedEndpoint{Address: d.Address, Pod: d.Pod, Reason: string(d.Reason), Detail: d.Detail})
	}
	return out
}

func (p *port) reached() int { return len(p.direct) + len(p.via) }

// count is how many endpoints the cluster has for the port.
func (w *walk) count(p *port) int {
	behind := map[istio.Backend]bool{} // each gateway stands for all of them
	for _, e := range p.via {
		for _, b := range e.Behind {
			if b.Cluster == w.id {
				behind[b] = true
			}
		}
	}
	return len(p.direct) + len(behind) + len(p.dropped)
}

// all reports whether all endpoints of the cluster were dropped for one of the reasons.
func (p *port) all(reasons ...istio.DropReason) bool {
	return p.reached() == 0 && len(p.dropped) > 0 &&
		!slices.ContainsFunc(p.dropped, func(d istio.Dropped) bool { return !slices.Contains(reasons, d.Reason) })
}

// hasEndpoints: there are pods, and they are ready.
func (w *walk) hasEndpoints() bool {
	some, ready := false, false
	for _, p := range w.ports {
		some = some || p.reached()+len(p.dropped) > 0
		ready = ready || !p.all(istio.NotReady, istio.Leaving, istio.IsDraining)
	}
	s := w.to.services[w.service.key]
	switch {
	case !some && len(s.Spec.Selector) > 0:
		return w.selectsNothing(s)
	case !some:
		return w.nothing(stepEndpoints, fmt.Sprintf("%s has the Service %s and no endpoints of it", w.to.Context, w.service))
	case !ready:
		return w.fault(stepEndpoints, w.notReady(s, w.ports[0].dropped))
	}
	return w.ok(stepEndpoints, "%s has %s", w.to.Context, finding.Plural(w.count(w.ports[0]), "endpoint"))
}

func (w *walk) notReady(s *corev1.Service, dropped []istio.Dropped) finding.Finding {
	f := finding.Finding{
		Code: "EP033", Severity: w.when(finding.Warning), Clusters: []string{w.to.Context}, Object: w.service.object(),
		Title:  fmt.Sprintf("no pod of %s is ready in %s", w.service, w.to.Context),
		Effect: fmt.Sprintf("requests get to no pod in %s", w.to.Context),
		Fix: []finding.Step{finding.Say("Look why the pods are not ready:").By(
			finding.Kubectl(w.to.Context, "-n", w.service.namespace, "describe", "pods", "-l", strings.Join(pairs(s.Spec.Selector), ",")))},
	}
	for _, d := range dropped {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: cmp.Or(d.Pod, d.Address), Value: string(d.Reason)})
	}
	return f
}

// selectsNothing: a Service without pods is as good as any, as it gives the name. It is
// wrong where its pods are there and have other labels.
func (w *walk) selectsNothing(s *corev1.Service) bool {
	for _, p := range w.to.pods {
		if p.Namespace == s.Namespace && covered(s.Spec.Selector, p.Labels) && p.Phase != corev1.PodSucceeded && p.Phase != corev1.PodFailed {
			return w.fault(stepEndpoints, w.notReady(s, []istio.Dropped{{Backend: istio.Backend{Pod: p.Namespace + "/" + p.Name}, Reason: istio.NotReady}}))
		}
	}
	for _, c := range w.clusters {
		other := c.services[w.service.key]
		if other == nil || c == w.to || len(other.Spec.Selector) == 0 || inline(other.Spec.Selector) == inline(s.Spec.Selector) {
			continue
		}
		n := 0
		for _, p := range w.to.pods {
			if p.Namespace == s.Namespace && covered(other.Spec.Selector, p.Labels) {
				n++
			}
		}
		if n == 0 {
			continue
		}
		return w.fault(stepEndpoints, finding.Finding{
			Code: "EP034", Severity: finding.Error, Clusters: []string{w.to.Context}, Object: w.service.object(),
			Title: fmt.Sprintf("Service %s selects no pod in %s, though there are pods for the selector that it has in %s", w.service, w.to.Context, c.Context),
			Evidence: []finding.Evidence{
				{Cluster: w.to.Context, Field: "selector", Value: inline(s.Spec.Selector)}, {Cluster: c.Context, Field: "selector", Value: inline(other.Spec.Selector)},
				{Cluster: w.to.Context, Field: "pods with " + inline(other.Spec.Selector), Value: fmt.Sprint(n)},
			},
			Effect: fmt.Sprintf("requests get to no pod in %s", w.to.Context),
			Fix:    []finding.Step{finding.Run(w.patchService(w.to.Context, operation{"replace", "/spec/selector", other.Spec.Selector}))},
		})
	}
	return w.nothing(stepEndpoints, fmt.Sprintf("%s has the Service %s and no pods of it", w.to.Context, w.service))
}

func covered(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// each blames what is wrong with single ports, and reports whether any is left.
func (w *walk) each(step string, judge func(*port) (finding.Finding, bool)) bool {
	left := w.ports[:0:0]
	for _, p := range w.ports {
		f, ok := judge(p)
		if ok {
			left = append(left, p)
			continue
		}
		w.lost = true
		w.blame(step, f)
	}
	if len(left) == 0 {
		w.path.Verdict = Broken
		return false
	}
	w.ports = left
	return true
}

// samePorts: endpoints are those of the port's name, and gateways are told the port's
// number, both as in the Service that counts for the source (endpoint_builder.go).
func (w *walk) samePorts() bool {
	there := w.to.services[w.service.key]
	counts := w.by[w.contextOf(w.ports[0].given.Definition)]
	if !w.each(stepPorts, func(p *port) (finding.Finding, bool) {
		if p.all(istio.OtherPort) {
			if o, ok := numbered(there, p.number); ok && o.Name != p.name {
				return w.otherName(counts, p), false
			}
			return w.noPort(counts, p), false
		}
		if o, ok := named(there, p.name); ok && int(o.Port) != p.number && len(p.via) > 0 {
			return w.otherNumber(counts, p), false
		}
		return finding.Finding{}, true
	}) {
		return false
	}
	for _, p := range w.ports {
		mine, ok := named(counts.services[w.service.key], p.name)
		if o, found := named(there, p.name); ok && found && protocolOf(mine) != protocolOf(o) {
			w.warn(w.otherProtocol(counts, p))
		}
	}
	return w.ok(stepPorts, "%s", portsOf(there))
}

// named and numbered find a port of a Service.
func named(s *corev1.Service, name string) (corev1.ServicePort, bool) {
	return portBy(s, func(p corev1.ServicePort) bool { return p.Name == name })
}

func numbered(s *corev1.Service, number int) (corev1.ServicePort, bool) {
	return portBy(s, func(p corev1.ServicePort) bool { return int(p.Port) == number })
}

func portBy(s *corev1.Service, is func(corev1.ServicePort) bool) (corev1.ServicePort, bool) {
	if s == nil {
		return corev1.ServicePort{}, false
	}
	if i := slices.IndexFunc(s.Spec.Ports, is); i >= 0 {
		return s.Spec.Ports[i], true
	}
	return corev1.ServicePort{}, false
}

// odd is the one of two clusters whose Service differs from what most clusters have, the
// later one where as many have either; and the other one.
func (w *walk) odd(a, b *cluster, value func(*corev1.Service) string) (odd, other *cluster) {
	count := map[string]int{}
	for _, c := range w.clusters {
		if s := c.services[w.service.key]; s != nil && !c.apart {
			count[value(s)]++
		}
	}
	of := func(c *cluster) int { return count[value(c.services[w.service.key])] }
	if of(a) < of(b) || of(a) == of(b) && slices.Index(w.clusters, a) > slices.Index(w.clusters, b) {
		return a, b
	}
	return b, a
}

// differs begins a finding about a Service that is not alike in two clusters, and of which
// the odd one is to be changed.
func (w *walk) differs(code finding.Code, odd, other *cluster, field string, value func(*corev1.Service) string) finding.Finding {
	f := finding.Finding{Code: code, Severity: finding.Error, Clusters: []string{odd.Context}, Object: w.service.object()}
	for _, c := range []*cluster{odd, other} {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: c.Context, Field: w.service.text() + ", " + field, Value: value(c.services[w.service.key]),
		})
	}
	return f
}

// patch is the fix that replaces a field of the odd Service's port.
func (w *walk) patch(odd *cluster, is func(corev1.ServicePort) bool, op, field string, value any) []finding.Step {
	i := slices.IndexFunc(odd.services[w.service.key].Spec.Ports, is)
	return []finding.Step{finding.Run(w.patchService(odd.Context, operation{op, fmt.Sprintf("/spec/ports/%d/%s", i, field), value}))}
}

func (w *walk) otherName(counts *cluster, p *port) finding.Finding {
	value := func(s *corev1.Service) string {
		o, _ := numbered(s, p.number)
		return quoted(o.Name)
	}
	odd, other := w.odd(counts, w.to, value)
	f := w.differs("EP003", odd, other, fmt.Sprintf("name of port %d", p.number), value)
	f.Title = fmt.Sprintf("port %d of %s is named %s in %s and %s in %s", p.number, w.service, f.Evidence[0].Value, odd.Context, f.Evidence[1].Value, other.Context)
	f.Effect = "endpoints of the one are none for clients of the other: istiod matches them by the port's name"
	right, _ := numbered(other.services[w.service.key], p.number)
	f.Fix = w.patch(odd, func(o corev1.ServicePort) bool { return int(o.Port) == p.number }, "replace", "name", right.Name)
	return f
}

func (w *walk) otherNumber(counts *cluster, p *port) finding.Finding {
	value := func(s *corev1.Service) string {
		o, _ := named(s, p.name)
		return fmt.Sprint(o.Port)
	}
	odd, other := w.odd(counts, w.to, value)
	f := w.differs("EP004", odd, other, "number of port "+quoted(p.name), value)
	f.Title = fmt.Sprintf("port %s of %s is %s in %s and %s in %s", quoted(p.name), w.service, f.Evidence[0].Value, odd.Context, f.Evidence[1].Value, other.Context)
	f.Effect = "the gateway of the one is asked for the other's number, does not know it, and resets the connection"
	right, _ := named(other.services[w.service.key], p.name)
	f.Fix = w.patch(odd, func(o corev1.ServicePort) bool { return o.Name == p.name }, "replace", "port", right.Port)
	return f
}

func (w *walk) noPort(counts *cluster, p *port) finding.Finding {
	f := w.differs("EP004", w.to, counts, "ports", portsOf)
	f.Title = fmt.Sprintf("Service %s has no port %d (%s) in %s", w.service, p.number, cmp.Or(p.name, "no name"), w.to.Context)
	f.Effect = fmt.Sprintf("clients elsewhere get no endpoint of %s for the port", w.to.Context)
	f.Fix = []finding.Step{finding.Say("Add the port, with the same name and number:").By(
		edit(w.to.Context, kindService, w.service.namespace, w.service.name))}
	return f
}

func (w *walk) otherProtocol(counts *cluster, p *port) finding.Finding {
	value := func(s *corev1.Service) string {
		o, _ := named(s, p.name)
		return protocolOf(o)
	}
	odd, other := w.odd(counts, w.to, value)
	f := w.differs("EP022", odd, other, "protocol of port "+quoted(p.name), func(s *corev1.Service) string {
		o, _ := named(s, p.name)
		return appProtocol(o)
	})
	f.Severity = finding.Warning
	right := value(other.services[w.service.key])
	f.Title = fmt.Sprintf("port %s of %s is %s in %s and %s in %s", quoted(p.name), w.service, value(odd.services[w.service.key]), odd.Context, right, other.Context)
	f.Effect = "each control plane takes the protocol of its own Service: requests are routed and counted differently"
	f.Fix = []finding.Step{finding.Say("Give both the same appProtocol:").By(
		edit(odd.Context, kindService, w.service.namespace, w.service.name))}
	if right != unnamedProtocol {
		f.Fix = w.patch(odd, func(o corev1.ServicePort) bool { return o.Name == p.name }, "add", "appProtocol", right)
	}
	return f
}

func quoted(name string) string { return `"` + name + `"` }

func appProtocol(p corev1.ServicePort) string {
	if p.AppProtocol != nil {
		return "appProtocol " + *p.AppProtocol
	}
	return "no appProtocol, name " + quoted(p.Name)
}

// protocolOf is what istiod takes a port for: by appProtocol, else by what its name
// begins with (pkg/config/kube/conversion.go, ConvertProtocol).
func protocolOf(p corev1.ServicePort) string {
	name := strings.ToLower(p.Name)
	if p.AppProtocol != nil && *p.AppProtocol != "" {
		name = strings.ToLower(strings.TrimPrefix(*p.AppProtocol, "kubernetes.io/"))
		switch name {
		case "h2c":
			return "http2"
		case "ws":
			return "http"
		case "wss":
			return "https"
		}
	}
	prefix, _, _ := strings.Cut(name, "-")
	switch {
	case strings.HasPrefix(name, "grpc-web"):
		return "grpc-web"
	case slices.Contains([]string{"http", "http2", "https", "grpc", "tcp", "tls", "mongo", "redis", "mysql", "udp", "hbone"}, prefix):
		return prefix
	default:
		return unnamedProtocol
	}
}

// unnamedProtocol is that of a port of which nothing says it: istiod finds out.
const unnamedProtocol = "of no named protocol"

// scope: settings that keep a service to its cluster, as somebody wants it.
func (w *walk) scope() bool {
	p := w.ports[0]
	switch {
	case p.all(istio.OtherCluster):
		return w.answer(stepScope, finding.Finding{
			Code: "EP013", Clusters: []string{w.v.Context}, Object: w.service.object(),
			Title:    fmt.Sprintf("%s stays in each cluster: the mesh config of %s says that it is local", w.service, w.v.Context),
			Evidence: []finding.Evidence{{Field: "mesh config, serviceSettings", Value: w.clusterLocal(p.given.Host)}},
			Effect:   fmt.Sprintf("clients in %s get endpoints of their own cluster alone", w.source.Context),
			Fix:      []finding.Step{finding.Say("If that is not intended, remove the host from serviceSettings:").By(w.editMesh())},
		})
	case p.all(istio.OtherNode):
		return w.answer(stepScope, finding.Finding{
			Code: "EP017", Clusters: []string{w.contextOf(p.given.Definition)}, Object: w.service.object(),
			Title:    fmt.Sprintf("%s stays on the node of the client: internalTrafficPolicy is Local", w.service),
			Evidence: []finding.Evidence{{Field: w.service.text() + ", internalTrafficPolicy", Value: "Local"}},
			Effect:   "clients get endpoints of their own node alone",
			Fix: []finding.Step{finding.Say("If that is not intended, let clients use endpoints of all nodes:").By(finding.Kubectl(
				w.contextOf(p.given.Definition),
				"-n", w.service.namespace, "patch", "service/"+w.service.name, "-p", `{"spec":{"internalTrafficPolicy":"Cluster"}}`))},
		})
	case p.all(istio.NotExported):
		if !judgeable(w, w.to, resources.ServiceExports.Of(w.to.Cluster), "serviceexports", "EP014") {
			return w.unclear(stepScope, w.to.Context, rule.Unread("serviceexports", resources.ServiceExports.Of(w.to.Cluster).State, resources.ServiceExports.Of(w.to.Cluster).Why()))
		}
		f := finding.Finding{
			Code: "EP014", Severity: w.when(finding.Note), Clusters: []string{w.to.Context}, Object: w.service.object(),
			Title: fmt.Sprintf("%s does not export %s, and %s takes exported services alone", w.to.Context, w.service, w.v.name()),
			Evidence: []finding.Evidence{
				{Cluster: w.v.Context, Field: "istiod, " + istio.EnvMCSDiscovery, Value: w.v.Istiod.Env(istio.EnvMCSDiscovery)},
				{Cluster: w.to.Context, Field: "serviceexport " + w.service.key, Value: "none"},
			},
			Effect: fmt.Sprintf("clients in %s get no endpoint of %s", w.source.Context, w.to.Context),
			Fix: []finding.Step{finding.Run(apply(w.to.Context, map[string]any{
				"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport",
				"metadata": map[string]string{"name": w.service.name, "namespace": w.service.namespace},
			}))},
		}
		if w.v.Istiod.On(istio.EnvMCSClusterLocal) {
			f.Title = fmt.Sprintf("%s keeps the names under cluster.local to each cluster", w.v.name())
			f.Evidence = []finding.Evidence{{Cluster: w.v.Context, Field: "istiod, " + istio.EnvMCSClusterLocal, Value: "true"}}
			f.Fix = []finding.Step{finding.Say("Let clients use %s.svc.clusterset.local.", w.service)}
		}
		return w.fault(stepScope, f)
	}
	return w.ok(stepScope, "the source knows the service in all clusters")
}

func (w *walk) clusterLocal(host string) string {
	for _, s := range w.v.Mesh.ServiceSettings {
		for _, h := range s.Hosts {
			if suffix, wild := strings.CutPrefix(h, "*"); s.Settings != nil && s.Settings.ClusterLocal && (h == host || wild && strings.HasSuffix(host, suffix)) {
				return "clusterLocal: true for " + h
			}
		}
	}
	return "clusterLocal by default for " + host
}

func (w *walk) editMesh() finding.Command {
	return edit(w.v.Context, "configmap", w.v.Istiod.Namespace, w.v.Istiod.MeshConfigMap())
}
