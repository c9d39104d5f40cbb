package endpoints

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// The names of the steps.
const (
	stepReads     = "control plane"
	stepSees      = "discovery selectors"
	stepService   = "service"
	stepKind      = "kind of service"
	stepEndpoints = "endpoints"
	stepPorts     = "ports"
	stepScope     = "scope"
	stepNetwork   = "network"
	stepMTLS      = "mutual TLS"
	stepGateway   = "gateway"
	stepLocality  = "locality"
	stepPolicy    = "authorization"
)

// essential is what the control plane's view of a cluster needs to be of use.
var essential = []string{"everything", "namespaces", "services", "endpointslices", "pods", "the mesh config", "peerauthentications", "destinationrules"}

// has: the cluster has the service.
func (w *walk) has() bool {
	if w.to.services[w.service.key] == nil && resources.Services.Of(w.to.Cluster).Known() {
		return w.nothing(stepService, fmt.Sprintf("%s has no Service %s", w.to.Context, w.service))
	}
	return true
}

// reads: the control plane of the source reads the cluster.
func (w *walk) reads() bool {
	if w.v == nil {
		reason := "no control plane was found"
		if !resources.Istiods.Of(w.source.Cluster).Known() {
			reason = "deployments: " + resources.Istiods.Of(w.source.Cluster).Why()
		}
		return w.unclear(stepReads, w.source.Context, reason)
	}
	watched, ok := w.v.watched[w.to.Context]
	w.id = watched.ID
	_, served := w.v.watched[w.source.Context]
	if secrets := resources.RemoteSecrets.Of(w.by[w.v.Context].Cluster); (!ok || !served) && !secrets.Known() {
		return w.unclear(stepReads, w.v.Context, "remote secrets: "+secrets.Why())
	}
	if own := istio.ClusterID(w.source.Cluster); w.source.Context != w.v.Context && own != "" && own != w.v.ids[w.source.Context] {
		return w.fault(stepReads, w.refusedProxies(own))
	}
	if why := w.unidentified(); !ok && why != "" {
		return w.unclear(stepReads, w.to.Context, why)
	}
	if !ok {
		code, ignored := w.ignored(istio.ClusterID(w.to.Cluster))
		if ignored.Secret == "" && w.Unsure[[2]string{w.v.Context, w.to.Context}] != "" {
			return w.unclear(stepReads, w.v.Context, w.Unsure[[2]string{w.v.Context, w.to.Context}])
		}
		if w.id = ignored.ID; code == "SEC008" || code == "SEC009" {
			if held, known := w.held(); known && len(held) > 0 {
				return w.outlives(w.unwatched(code, ignored), held)
			}
		}
		return w.fault(stepReads, w.unwatched(code, ignored))
	}
	if cause := w.knowsOf(w.v.Context, w.to.Context, "SEC008", "SEC009", "SEC012", "SEC013", "SEC010", "SEC011", "SEC014", "SEC015", "SEC017", "SEC021", "SEC019"); cause != "" && !w.elsewhere(cause) {
		f := w.unread(fmt.Sprintf("%s cannot read %s: its clients get no endpoints there, or old ones", w.v.name(), w.to.Context))
		f.Effect = fmt.Sprintf("requests from %s get to no pod in %s, or to those alone that it had when it was last read", w.source.Context, w.to.Context)
		f.Evidence = []finding.Evidence{{Cluster: w.v.Context, Field: "remote secret", Value: watched.Secret}}
		f.CausedBy, f.Fix = cause, []string{"# once its cause is mended it reads it"}
		if !w.freezes(f) {
			return w.fault(stepReads, f)
		}
	}
	if w.asked { // verify says it of the rules themselves
		w.doubt(w.v.Context, "EP030", "SEC008", "SEC009", "SEC012", "SEC013", "SEC010", "SEC011", "SEC014", "SEC015", "SEC017", "SEC021")
	}
	for _, context := range []string{w.v.Context, w.source.Context, w.to.Context} {
		for _, what := range w.v.unread[context] {
			kind, _, _ := strings.Cut(what, ":")
			if slices.Contains(essential, kind) {
				return w.unclear(stepReads, context, what)
			}
		}
	}
	if watched.State == istio.Unknown {
		return w.unclear(stepReads, w.to.Context, watched.Reason)
	}
	if w.frozen != nil {
		return true // keeps tells of it
	}
	if own := istio.ClusterID(w.to.Cluster); own != "" && own != w.id {
		return w.ok(stepReads, "%s reads it, as cluster %s though it is %s", w.v.name(), w.id, own)
	}
	return w.ok(stepReads, "%s reads it, by secret %s", w.v.name(), cmp.Or(watched.Secret, "none: it is its own cluster"))
}

// unread begins a finding about a cluster that a control plane does not read.
func (w *walk) unread(title string) finding.Finding {
	return finding.Finding{
		Code: "EP030", Severity: finding.Error, Clusters: []string{w.v.Context}, Object: "cluster " + w.to.Context, Title: title,
		Effect: fmt.Sprintf("requests from %s get to no pod in %s", w.source.Context, w.to.Context),
	}
}

// unwatched: there is no remote secret, or none that counts
// (pkg/kube/multicluster/secretcontroller.go).
func (w *walk) unwatched(code finding.Code, ignored istio.Ignored) finding.Finding {
	own := istio.ClusterID(w.to.Cluster)
	name := cmp.Or(own, w.to.Context)
	var f finding.Finding
	if ignored.Secret == "" {
		f = w.unread(fmt.Sprintf("%s has no remote secret for %s, so it does not know its pods", w.v.name(), w.to.Context))
		f.Evidence = []finding.Evidence{{Field: fmt.Sprintf("secrets with label %s=true in %s", istio.MultiClusterLabel, w.v.Istiod.Namespace), Value: w.secretsOf(w.by[w.v.Context])}}
	} else {
		f = w.unread(fmt.Sprintf("%s ignores the remote secret for %s: %s", w.v.name(), w.to.Context, ignored.Reason))
		f.Evidence = []finding.Evidence{{Field: "secret " + ignored.Secret, Value: ignored.Reason}}
	}
	f.Evidence = append(f.Evidence, finding.Evidence{Field: "cluster ID of " + w.v.Context, Value: w.v.Istiod.ClusterID()})
	if own != "" {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: w.to.Context, Field: "cluster ID", Value: own})
	}
	if own != "" && own == w.v.Istiod.ClusterID() {
		f.Fix = []string{
			"# give each cluster an ID of its own in the values of istiod's installation:",
			"# global.multiCluster.clusterName; then have its pods and remote secrets made anew",
		}
	} else {
		if ignored.Secret != "" {
			ns, secretName, _ := strings.Cut(ignored.Secret, "/")
			f.Fix = append(f.Fix, finding.Kubectl(w.v.Context, "-n %s delete secret %s", finding.Quote(ns), finding.Quote(secretName)))
		}
		f.Fix = append(f.Fix, fmt.Sprintf("istioctl create-remote-secret --context=%s --name=%s -n %s | %s",
			finding.Quote(w.to.Context), finding.Quote(name), finding.Quote(w.v.Istiod.Namespace), finding.Kubectl(w.v.Context, "apply -f -")))
	}
	if f.CausedBy = w.knowsOf(w.v.Context, w.to.Context, "SEC"); f.CausedBy == "" {
		f.CausedBy = w.knows("", []string{w.v.Context}, string(code))
	}
	w.leave(&f)
	return f
}

// ignored is the secret that leads to the cluster, or has its ID, and that istiod ignores.
func (w *walk) ignored(own string) (finding.Code, istio.Ignored) {
	for _, i := range w.v.ignored {
		for _, s := range resources.RemoteSecrets.Of(w.by[w.v.Context].Cluster).Value {
			if s.ClusterID != i.ID || s.Namespace+"/"+s.Name != i.Secret {
				continue
			}
			if at := istio.FindCluster(w.fleet, s); at >= 0 && w.fleet.Clusters[at].Context == w.to.Context || at < 0 && i.ID == own {
				return secretCode(i, w.v), i
			}
		}
	}
	return "SEC001", istio.Ignored{}
}

// secretCode is the code for a secret of which istiod makes no cluster.
func secretCode(i istio.Ignored, v *view) finding.Code {
	switch {
	case i.ID == v.Istiod.ClusterID():
		return "SEC006"
	case strings.HasSuffix(i.Reason, "already has this cluster ID"):
		return "SEC005"
	case strings.Contains(i.Reason, "is not allowed"):
		return "SEC009"
	default:
		return "SEC008"
	}
}

func (w *walk) secretsOf(c *cluster) string {
	var out []string
	for _, s := range resources.RemoteSecrets.Of(c.Cluster).Value {
		out = append(out, s.Name+" for "+s.ClusterID)
	}
	return cmp.Or(finding.List(finding.Distinct(out)), "none")
}

// refusedProxies: a control plane checks the token of a proxy in the cluster that the proxy
// names, and does not have one of that name (security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go).
func (w *walk) refusedProxies(own string) finding.Finding {
	known := w.v.ids[w.source.Context]
	f := finding.Finding{
		Code: "EP030", Severity: finding.Error, Clusters: []string{w.v.Context}, Object: "cluster " + w.source.Context,
		Title: fmt.Sprintf("%s refuses the proxies of %s: it knows the cluster as %s", w.v.name(), w.source.Context, known),
		Evidence: []finding.Evidence{
			{Field: "remote secrets", Value: w.secretsOf(w.by[w.v.Context])},
			{Cluster: w.source.Context, Field: "cluster ID of its proxies", Value: own},
		},
		Effect: fmt.Sprintf("new and restarted proxies in %s get no certificate and no endpoints", w.source.Context),
	}
	if known == "" {
		f.Title = fmt.Sprintf("%s has no remote secret for %s, and refuses its proxies", w.v.name(), w.source.Context)
	}
	if watched, ok := w.v.watched[w.source.Context]; ok {
		ns, name, _ := strings.Cut(watched.Secret, "/")
		f.Fix = append(f.Fix, finding.Kubectl(w.v.Context, "-n %s delete secret %s", finding.Quote(ns), finding.Quote(name)))
	}
	f.Fix = append(f.Fix, fmt.Sprintf("istioctl create-remote-secret --context=%s --name=%s -n %s | %s",
		finding.Quote(w.source.Context), finding.Quote(own), finding.Quote(w.v.Istiod.Namespace), finding.Kubectl(w.v.Context, "apply -f -")))
	f.CausedBy = w.knows("", []string{w.v.Context}, "SEC004")
	w.leave(&f)
	return f
}

// leave names the error that causes that a cluster is not read, where it was found, and
// leaves the command that mends it to it: what is deleted and made anew by both cannot
// be pasted twice.
func (w *walk) leave(f *finding.Finding) {
	cause, ok := w.known[f.CausedBy]
	if ok {
		f.Title += fmt.Sprintf(" (%s)", cause.Code)
	}
	if len(cause.Fix) > 0 {
		f.Fix = []string{"# once its cause is mended it reads it"}
	}
}

// judged: what ztunnel does for ambient workloads is not predicted, only what sidecars are given.
func (w *walk) judged() bool {
	if len(w.source.networks) > 0 || !w.source.ambient() {
		return true
	}
	w.unclear(stepReads, w.source.Context, "it has no sidecars but ambient mode, and only what sidecars are given is judged")
	if f, ok := w.knownOfAmbient(); ok && w.asked {
		w.warn(f)
		w.path.Code, w.path.Cause = f.Code, f.ID()
		w.path.Summary = f.Title + "; what else ambient workloads are given is not judged"
	}
	return false
}

// knownOfAmbient is what other rules know to keep ambient workloads of the source from the cluster.
func (w *walk) knownOfAmbient() (finding.Finding, bool) {
	for _, about := range []struct {
		code    finding.Code
		cluster string
	}{
		{"AMB001", w.v.Context},
		{"AMB005", w.source.Context}, {"AMB011", w.source.Context},
		{"AMB003", w.to.Context}, {"AMB010", w.to.Context}, {"AMB005", w.to.Context},
		{"AMB006", w.to.Context}, {"AMB002", w.to.Context}, {"AMB002", w.source.Context},
	} {
		for _, f := range w.Known.Findings {
			others := slices.ContainsFunc(f.Clusters, func(c string) bool { return c != w.source.Context && c != w.to.Context && c != w.v.Context })
			if f.Code == about.code && f.Severity == finding.Error && slices.Contains(f.Clusters, about.cluster) && !others {
				return f, true
			}
		}
	}
	return finding.Finding{}, false
}

// sees: the discovery selectors of the control plane's mesh config choose namespaces of
// every cluster by their labels there (pkg/kube/namespace/filter.go).
func (w *walk) sees() bool {
	if w.v.Sees(w.id, w.service.namespace) || w.to.services[w.service.key] == nil {
		return w.ok(stepSees, "%s looks after namespace %s of %s", w.v.name(), w.service.namespace, w.to.Context)
	}
	return w.fault(stepSees, w.hidden(w.v, w.to))
}

// hidden is the finding about a namespace that discovery selectors leave out.
func (w *walk) hidden(v *view, in *cluster) finding.Finding {
	var labels map[string]string
	if ns := in.namespaces[w.service.namespace]; ns != nil {
		labels = ns.Labels
	}
	f := finding.Finding{
		Code: "EP015", Severity: finding.Error, Clusters: []string{in.Context}, Object: "namespace " + w.service.namespace,
		Title: fmt.Sprintf("%s does not look after namespace %s of %s: discovery selectors", v.name(), w.service.namespace, in.Context),
		Evidence: []finding.Evidence{
			{Cluster: v.Context, Field: "mesh config, discoverySelectors", Value: compact(v.Mesh.DiscoverySelectors)},
			{Cluster: in.Context, Field: "labels of namespace " + w.service.namespace, Value: cmp.Or(inline(labels), "none")},
		},
		Effect: fmt.Sprintf("for it, services of %s have no pods in %s", w.service.namespace, in.Context),
		Fix:    []string{"# give the namespace a label that the selectors ask for"},
	}
	for _, s := range v.Mesh.DiscoverySelectors {
		if s != nil && len(s.MatchLabels) > 0 {
			f.Fix = []string{finding.Kubectl(in.Context, "label namespace %s %s", finding.Quote(w.service.namespace), strings.ReplaceAll(inline(s.MatchLabels), ", ", " "))}
			break
		}
	}
	return f
}

// exists: the service is there, and has a name, on both sides. The proxy knows a service
// that its cluster lacks; only the name does not resolve.
func (w *walk) exists() bool {
	if w.source.services[w.service.key] != nil {
		return w.ok(stepService, "both clusters have it")
	}
	if w.captures() {
		return w.ok(stepService, "%s does not have it; the proxy answers for the name", w.source.Context)
	}
	there := w.source.namespaces[w.service.namespace] != nil
	f := finding.Finding{
		Code: "EP001", Severity: w.when(finding.Info), Clusters: []string{w.source.Context}, Object: w.service.object(),
		Title:    fmt.Sprintf("%s has no Service %s, so its clients cannot resolve the name", w.source.Context, w.service),
		Evidence: []finding.Evidence{{Cluster: w.source.Context, Field: w.service.object(), Value: "none"}},
		Effect:   fmt.Sprintf("\"no such host\" in %s, though its proxies know the endpoints", w.source.Context),
	}
	if !there {
		f.Code, f.Object = "EP002", "namespace "+w.service.namespace
		f.Title = fmt.Sprintf("%s has no namespace %s, so its clients cannot resolve names of services there", w.source.Context, w.service.namespace)
		f.Evidence = []finding.Evidence{{Cluster: w.source.Context, Field: "namespace " + w.service.namespace, Value: "none"}}
		f.Fix = append(f.Fix, finding.Kubectl(w.source.Context, "create namespace %s", finding.Quote(w.service.namespace)))
	}
	f.Evidence = append(f.Evidence, finding.Evidence{Cluster: w.to.Context, Field: w.service.object(), Value: portsOf(w.to.services[w.service.key])})
	f.Fix = append(f.Fix, "# the same Service; it needs no pods there", copyOf(w.to.services[w.service.key], w.source.Context))
	return w.fault(stepService, f)
}

// captures reports whether the proxy answers for names.
func (w *walk) captures() bool {
	return istio.CapturesDNS(w.from.env) || istio.CapturesDNS(w.v.Mesh.DefaultConfig.ProxyMetadata)
}

// copyOf is the command that makes the same Service elsewhere.
func copyOf(s *corev1.Service, context string) string {
	type portSpec struct {
		Name        string  `json:"name,omitempty"`
		Port        int32   `json:"port"`
		TargetPort  any     `json:"targetPort,omitempty"`
		AppProtocol *string `json:"appProtocol,omitempty"`
	}
	var ports []portSpec
	for _, p := range s.Spec.Ports {
		target := any(p.TargetPort.String())
		if n := p.TargetPort.IntValue(); n != 0 {
			target = n
		}
		if p.TargetPort.String() == "0" {
			target = nil
		}
		ports = append(ports, portSpec{p.Name, p.Port, target, p.AppProtocol})
	}
	spec := map[string]any{"selector": s.Spec.Selector, "ports": ports}
	switch {
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		spec = map[string]any{"type": s.Spec.Type, "externalName": s.Spec.ExternalName}
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		spec["clusterIP"] = corev1.ClusterIPNone
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]string{"name": s.Name, "namespace": s.Namespace}, "spec": spec,
	})
	if err != nil {
		panic(err) // strings and numbers alone
	}
	return "echo " + finding.Quote(string(text)) + " | " + finding.Kubectl(context, "apply -f -")
}

// sameKind: what the Service is in the first cluster decides for all
// (pilot/pkg/serviceregistry/aggregate/controller.go, GetService).
func (w *walk) sameKind() bool {
	there, here := w.to.services[w.service.key], w.source.services[w.service.key]
	if here != nil && kindOf(here) != kindOf(there) {
		odd, other := w.odd(w.source, w.to, kindOf)
		f := w.differs("EP005", odd, other, "kind", kindOf)
		f.Title = fmt.Sprintf("Service %s is %s in %s and %s in %s", w.service, f.Evidence[0].Value, odd.Context, f.Evidence[1].Value, other.Context)
		f.Effect = "each control plane takes the Service of its own cluster for all, and the endpoints of the other are not used as such"
		f.Fix = []string{
			"# make them alike; the kind of a Service cannot be changed, so it has to be made anew",
			finding.Kubectl(odd.Context, "-n %s delete service %s", finding.Quote(w.service.namespace), finding.Quote(w.service.name)),
			copyOf(other.services[w.service.key], odd.Context),
		}
		return w.fault(stepKind, f)
	}
	if d := w.definition(); d != nil && d.Spec.Type == corev1.ServiceTypeExternalName {
		return w.nothing(stepKind, "the Service is another name for "+d.Spec.ExternalName)
	}
	return w.ok(stepKind, "%s", kindOf(there))
}

func kindOf(s *corev1.Service) string {
	switch {
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return "an ExternalName"
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		return "headless"
	default:
		return "one with an address"
	}
}

func portsOf(s *corev1.Service) string {
	var out []string
	for _, p := range s.Spec.Ports {
		out = append(out, fmt.Sprintf("port %d (%s)", p.Port, cmp.Or(p.Name, "no name")))
	}
	return cmp.Or(strings.Join(out, ", "), "no ports")
}

// judgeable reports whether something was read of a cluster, and notes for the codes that
// need it where it was not.
func judgeable[T any](w *walk, in *cluster, r facts.Read[T], what string, codes ...finding.Code) bool {
	if !r.Known() {
		w.unknown.CannotJudge(in.Context, what+": "+r.Why(), codes...)
	}
	return r.Known()
}

func inline(labels map[string]string) string {
	var out []string
	for k, v := range labels {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// compact is a value in one line.
func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	return string(text)
}
