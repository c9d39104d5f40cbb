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
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
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
var essential = []istio.Part{
	istio.PartEverything, istio.PartNamespaces, istio.PartServices, istio.PartEndpointSlices, istio.PartPods, istio.PartMeshConfig,
	istio.PartPeerAuthentications, istio.PartDestinationRules,
}

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
		reason, lacks := rule.Lack("deployments", resources.Istiods.Of(w.source.Cluster))
		if !lacks {
			reason = finding.Because("no control plane was found")
		}
		return w.unclear(stepReads, w.source.Context, reason)
	}
	watched, ok := w.v.watched[w.to.Context]
	w.id = watched.ID
	_, served := w.v.watched[w.source.Context]
	if reason, lacks := rule.Lack("remote secrets", resources.RemoteSecrets.Of(w.by[w.v.Context].Cluster)); (!ok || !served) && lacks {
		return w.unclear(stepReads, w.v.Context, reason)
	}
	if own := istio.ClusterID(w.source.Cluster); w.source.Context != w.v.Context && own != "" && own != w.v.ids[w.source.Context] {
		return w.fault(stepReads, w.refusedProxies(own))
	}
	if why := w.unidentified(); !ok && why != (finding.Reason{}) {
		return w.unclear(stepReads, w.to.Context, why)
	}
	if !ok {
		code, ignored := w.ignored(istio.ClusterID(w.to.Cluster))
		if why := w.Unsure[[2]string{w.v.Context, w.to.Context}]; ignored.Secret == "" && why != "" {
			return w.unclear(stepReads, w.v.Context, finding.Because(why))
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
		f.CausedBy, f.Fix = cause, byItsCause()
		if !w.freezes(f) {
			return w.fault(stepReads, f)
		}
	}
	if w.asked { // verify says it of the rules themselves
		w.doubt(w.v.Context, "EP030", "SEC008", "SEC009", "SEC012", "SEC013", "SEC010", "SEC011", "SEC014", "SEC015", "SEC017", "SEC021")
	}
	for _, context := range []string{w.v.Context, w.source.Context, w.to.Context} {
		for _, u := range w.v.unread[context] {
			if slices.Contains(essential, u.part) {
				return w.unclear(stepReads, context, u.reason)
			}
		}
	}
	if watched.State == istio.Unknown {
		return w.unclear(stepReads, w.to.Context, finding.Because(watched.Reason))
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
		Code: "EP030", Severity: finding.Error, Clusters: []string{w.v.Context}, Object: finding.Named("cluster", w.to.Context), Title: title,
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
		f.Fix = []finding.Step{
			finding.Say("Give each cluster its own ID in the values of istiod's installation: global.multiCluster.clusterName."),
			finding.Say("Then recreate its pods and the remote secrets."),
		}
	} else {
		f.Fix = w.recreateSecret(w.to.Context, name, ignored.Secret)
	}
	if f.CausedBy = w.knowsOf(w.v.Context, w.to.Context, "SEC"); f.CausedBy == "" {
		f.CausedBy = w.knows(finding.Object{}, []string{w.v.Context}, string(code))
	}
	w.leave(&f)
	return f
}

// recreateSecret are the steps that give the control plane a remote secret for a cluster, under
// a cluster ID; instead of another one, namespace/name, unless that is "".
func (w *walk) recreateSecret(context, id, instead string) []finding.Step {
	create := finding.Shell("istioctl", "create-remote-secret", "--context="+context, "--name="+id, "-n", w.v.Istiod.Namespace).To(
		finding.Kubectl(w.v.Context, "apply", "-f", "-"))
	if instead == "" {
		return []finding.Step{finding.Run(create)}
	}
	namespace, name := cut(instead)
	return []finding.Step{
		finding.Say("Careful: until the second command is done istiod of %s has no endpoints of %s, and requests to them stop:",
			w.v.Context, context).By(finding.Kubectl(w.v.Context, "-n", namespace, "delete", "secret/"+name), create),
	}
}

// byItsCause is the fix of what goes when its cause does.
func byItsCause() []finding.Step { return []finding.Step{finding.Say("Fixing the cause fixes this.")} }

// ignored is the secret that leads to the cluster, or has its ID, and that istiod ignores.
func (w *walk) ignored(own string) (finding.Code, istio.Ignored) {
	for _, i := range w.v.ignored {
		for _, s := range resources.RemoteSecrets.Of(w.by[w.v.Context].Cluster).Value {
			if s.ClusterID != i.ID || s.Namespace+"/"+s.Name != i.Secret {
				continue
			}
			if at := istio.FindCluster(w.fleet, s); at >= 0 && w.fleet.Clusters[at].Context == w.to.Context || at < 0 && i.ID == own {
				return secretCode(i.Cause), i
			}
		}
	}
	return "SEC001", istio.Ignored{}
}

// secretCode is the code for a secret of which istiod makes no cluster.
func secretCode(cause istio.IgnoredCause) finding.Code {
	switch cause {
	case istio.OwnClusterID:
		return "SEC006"
	case istio.DuplicateClusterID:
		return "SEC005"
	case istio.ForbiddenAuthentication:
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
		Code: "EP030", Severity: finding.Error, Clusters: []string{w.v.Context}, Object: finding.Named("cluster", w.source.Context),
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
	f.Fix = w.recreateSecret(w.source.Context, own, w.v.watched[w.source.Context].Secret)
	f.CausedBy = w.knows(finding.Object{}, []string{w.v.Context}, "SEC004")
	w.leave(&f)
	return f
}

// leave names the error that causes that a cluster is not read, where it was found, and
// leaves the command that fixes it to it: what both delete and recreate cannot be pasted
// twice.
func (w *walk) leave(f *finding.Finding) {
	cause, ok := w.known[f.CausedBy]
	if ok {
		f.Title += fmt.Sprintf(" (%s)", cause.Code)
	}
	if len(cause.Fix) > 0 {
		f.Fix = byItsCause()
	}
}

// reasonAmbient is why paths from ambient workloads are not known.
var reasonAmbient = finding.Because("it has no sidecars but ambient mode, and only what sidecars are given is judged")

// judged: what ztunnel does for ambient workloads is not predicted, only what sidecars are given.
func (w *walk) judged() bool {
	if len(w.source.networks) > 0 || !w.source.ambient() {
		return true
	}
	w.unclear(stepReads, w.source.Context, reasonAmbient)
	if f, ok := w.knownOfAmbient(); ok && w.asked {
		w.warn(f)
		w.path.Code, w.path.Cause = f.Code, f.ID()
		w.path.Summary = f.Title + "; what else ambient workloads are given is not checked"
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
		Code: "EP015", Severity: finding.Error, Clusters: []string{in.Context}, Object: finding.Named("namespace", w.service.namespace),
		Title: fmt.Sprintf("%s does not look after namespace %s of %s: discovery selectors", v.name(), w.service.namespace, in.Context),
		Evidence: []finding.Evidence{
			{Cluster: v.Context, Field: "mesh config, discoverySelectors", Value: compact(v.Mesh.DiscoverySelectors)},
			{Cluster: in.Context, Field: "labels of namespace " + w.service.namespace, Value: cmp.Or(inline(labels), "none")},
		},
		Effect: fmt.Sprintf("for it, services of %s have no pods in %s", w.service.namespace, in.Context),
		Fix:    []finding.Step{finding.Say("Give the namespace a label that the selectors ask for.")},
	}
	for _, s := range v.Mesh.DiscoverySelectors {
		if s != nil && len(s.MatchLabels) > 0 && !strings.HasPrefix(pairs(s.MatchLabels)[0], "-") {
			label := append([]string{"label", "namespace/" + w.service.namespace}, pairs(s.MatchLabels)...)
			f.Fix = []finding.Step{finding.Run(finding.Kubectl(in.Context, label...))}
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
		Code: "EP001", Severity: w.when(finding.Note), Clusters: []string{w.source.Context}, Object: w.service.object(),
		Title:    fmt.Sprintf("%s has no Service %s, so its clients cannot resolve the name", w.source.Context, w.service),
		Evidence: []finding.Evidence{{Cluster: w.source.Context, Field: w.service.text(), Value: "none"}},
		Effect:   fmt.Sprintf("\"no such host\" in %s, though its proxies know the endpoints", w.source.Context),
	}
	if !there {
		f.Code, f.Object = "EP002", finding.Named("namespace", w.service.namespace)
		f.Title = fmt.Sprintf("%s has no namespace %s, so its clients cannot resolve names of services there", w.source.Context, w.service.namespace)
		f.Evidence = []finding.Evidence{{Cluster: w.source.Context, Field: "namespace " + w.service.namespace, Value: "none"}}
		f.Fix = append(f.Fix, finding.Run(apply(w.source.Context, map[string]any{
			"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]string{"name": w.service.namespace},
		})))
	}
	other := w.to.services[w.service.key]
	f.Evidence = append(f.Evidence, finding.Evidence{Cluster: w.to.Context, Field: w.service.text(), Value: portsOf(other)})
	f.Fix = append(f.Fix, finding.Say("Create the same Service there. It needs no pods:").By(copyOf(other, w.source.Context)))
	return w.fault(stepService, f)
}

// captures reports whether the proxy answers for names.
func (w *walk) captures() bool {
	return istio.CapturesDNS(w.from.env) || istio.CapturesDNS(w.v.Mesh.DefaultConfig.ProxyMetadata)
}

// copyOf is the command that makes the same Service elsewhere.
func copyOf(s *corev1.Service, context string) finding.Command {
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
	return apply(context, map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]string{"name": s.Name, "namespace": s.Namespace}, "spec": spec,
	})
}

// apply is the command that makes an object.
func apply(context string, object any) finding.Command {
	return finding.Shell("printf", "%s", compact(object)).To(finding.Kubectl(context, "apply", "-f", "-"))
}

// edit is the command that opens an object in an editor.
func edit(context, kind, namespace, name string) finding.Command {
	return finding.Kubectl(context, "-n", namespace, "edit", kind+"/"+name)
}

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// patchService is the command that changes a field of the service in a cluster.
func (w *walk) patchService(context string, o operation) finding.Command {
	return finding.Kubectl(context,
		"-n", w.service.namespace, "patch", "service/"+w.service.name, "--type=json", "-p", compact([]operation{o}))
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
		f.Fix = []finding.Step{
			finding.Say("Make the Services alike. The kind of a Service cannot be changed: it has to be deleted and created again."),
			finding.Say("Careful: requests for %s in %s fail until the second command is done:", w.service, odd.Context).By(
				finding.Kubectl(odd.Context, "-n", w.service.namespace, "delete", "service/"+w.service.name),
				copyOf(other.services[w.service.key], odd.Context)),
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
	reason, lacks := rule.Lack(what, r)
	if lacks {
		w.unknown.NotChecked(in.Context, reason, codes...)
	}
	return !lacks
}

// pairs are labels as kubectl takes them.
func pairs(labels map[string]string) []string {
	var out []string
	for k, v := range labels {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

func inline(labels map[string]string) string { return strings.Join(pairs(labels), ", ") }

// compact is a value in one line.
func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	return string(text)
}
