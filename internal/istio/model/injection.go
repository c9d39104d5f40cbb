package model

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// LabelInjection is the label of namespaces whose pods get a sidecar of the default revision.
const LabelInjection = "istio-injection"

// NoSidecar is why a pod has no sidecar that takes mutual TLS.
type NoSidecar struct {
	Why NoSidecarReason
	// Field and Value are what in the pod or its namespace says so; "" of NotYetInjected.
	Field, Value string
	// Label and Annotation are the key by which the pod opts out; only of OptedOut
	// and TLSOptedOut.
	Label, Annotation string
	// Revision is the one that it asks; only of NoSuchRevision.
	Revision string
}

// NoSidecarReason is the kind of a NoSidecar.
type NoSidecarReason string

// The reasons, in the order in which they are looked for
// (pkg/kube/inject/inject.go, injectRequired; manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml).
const (
	// IsGatewayItself: its proxy is no sidecar, but a gateway or a waypoint.
	IsGatewayItself NoSidecarReason = "it is a gateway"
	// TLSOptedOut: it has one, and a label says that it takes no mutual TLS.
	TLSOptedOut NoSidecarReason = "it is labeled to take no mutual TLS"
	// OfAmbient: ztunnel speaks for it.
	OfAmbient NoSidecarReason = "it is in ambient mode"
	// OnHostNetwork: the injector leaves out pods that use the network of their node.
	OnHostNetwork NoSidecarReason = "it uses the network of its node"
	// OfKubernetes: the injector leaves out namespaces of Kubernetes.
	OfKubernetes NoSidecarReason = "its namespace is one of Kubernetes"
	// OptedOut: it, or its namespace, asks for no sidecar.
	OptedOut NoSidecarReason = "it is excluded from injection"
	// NotSelected: neither it nor its namespace asks for a sidecar.
	NotSelected NoSidecarReason = "its namespace is not labeled for injection"
	// NoSuchRevision: it asks a revision that no webhook of the cluster serves.
	NoSuchRevision NoSidecarReason = "no injector has the revision"
	// NotYetInjected: a new pod in its place would get one.
	NotYetInjected NoSidecarReason = "it was created without one"
)

// OnPurpose reports whether somebody chose it so: neither a restart nor a webhook that
// works gives the pod a sidecar.
func (n NoSidecar) OnPurpose() bool { return n.Why != NotYetInjected && n.Why != NoSuchRevision }

// neverInjected are the namespaces that the injector leaves out (pkg/kube/inject/webhook.go, IgnoredNamespaces).
var neverInjected = []string{"kube-system", "kube-public", "kube-node-lease", "local-path-storage"}

// NoSidecar says why a pod of which istiod does not know that it takes mutual TLS does not.
func (c *Cluster) NoSidecar(p *facts.Pod) NoSidecar {
	labels := c.NamespaceLabels(p.Namespace)
	namespaceLabel := func(key string) string { return "namespace " + p.Namespace + ", label " + key }
	switch {
	case istio.IsGateway(p), IsWaypoint(p), istio.HasProxy(p) && p.Labels[istio.LabelTLSMode] == "":
		return NoSidecar{Why: IsGatewayItself}
	case istio.HasProxy(p):
		return NoSidecar{Why: TLSOptedOut, Field: "label " + istio.LabelTLSMode, Value: p.Labels[istio.LabelTLSMode], Label: istio.LabelTLSMode}
	case p.Labels[istio.LabelDataplaneMode] == "ambient":
		return NoSidecar{Why: OfAmbient, Field: "label " + istio.LabelDataplaneMode, Value: "ambient"}
	case labels[istio.LabelDataplaneMode] == "ambient" && p.Labels[istio.LabelDataplaneMode] != "none":
		return NoSidecar{Why: OfAmbient, Field: namespaceLabel(istio.LabelDataplaneMode), Value: "ambient"}
	case p.HostNetwork:
		return NoSidecar{Why: OnHostNetwork, Field: "hostNetwork", Value: "true"}
	case slices.Contains(neverInjected, p.Namespace):
		return NoSidecar{Why: OfKubernetes, Field: "namespace", Value: p.Namespace}
	}
	// The label is the newer way, and goes before the annotation.
	asks, kind := p.Labels[istio.InjectKey], "label "
	if _, labelled := p.Labels[istio.InjectKey]; !labelled {
		asks, kind = p.Annotations[istio.InjectKey], "annotation "
	}
	if asks != "" && !slices.Contains([]string{"y", "yes", "true", "on"}, strings.ToLower(asks)) {
		out := NoSidecar{Why: OptedOut, Field: kind + istio.InjectKey, Value: asks}
		if kind == "label " {
			out.Label = istio.InjectKey
		} else {
			out.Annotation = istio.InjectKey
		}
		return out
	}
	if injection := labels[LabelInjection]; injection != "" && injection != "enabled" {
		return NoSidecar{Why: OptedOut, Field: namespaceLabel(LabelInjection), Value: injection}
	}
	revision, field := "", ""
	switch {
	case labels[LabelInjection] == "enabled":
		if c.lacksDefaultInjector() {
			return NoSidecar{Why: NoSuchRevision, Field: namespaceLabel(LabelInjection), Value: "enabled", Revision: defaultRevision}
		}
	case labels[istio.LabelRevision] != "":
		revision, field = labels[istio.LabelRevision], namespaceLabel(istio.LabelRevision)
	case p.Labels[istio.LabelRevision] != "":
		revision, field = p.Labels[istio.LabelRevision], "label "+istio.LabelRevision
	case p.Labels[istio.InjectKey] == "": // by an annotation alone no webhook is called
		return NoSidecar{Why: NotSelected, Field: "labels of namespace " + p.Namespace, Value: cmp.Or(labelled(labels), "none")}
	}
	if known := c.InjectorRevisions(); revision != "" && len(known) > 0 && !slices.Contains(known, revision) {
		return NoSidecar{Why: NoSuchRevision, Field: field, Value: revision, Revision: revision}
	}
	return NoSidecar{Why: NotYetInjected}
}

// lacksDefaultInjector reports whether no webhook answers the label istio-injection: each is of
// a revision with a name, or of a tag other than default. Istio's charts tell them by the names of
// the hooks (manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml);
// of others it is not known what they select.
func (c *Cluster) lacksDefaultInjector() bool {
	if len(c.InjectorRevisions()) == 0 {
		return false
	}
	for _, w := range resources.Webhooks.Of(c.Cluster).Value {
		for _, h := range w.Webhooks {
			if !strings.HasPrefix(h.Name, "rev.") || !strings.HasSuffix(h.Name, ".sidecar-injector.istio.io") {
				return false
			}
		}
	}
	return !slices.Contains(c.InjectorRevisions(), defaultRevision)
}

// Injects reports whether new pods of a namespace get a sidecar, if they do not opt out.
func Injects(ns *corev1.Namespace) bool {
	injection, ok := ns.Labels[LabelInjection]
	return injection == "enabled" || !ok && ns.Labels[istio.LabelRevision] != ""
}

// InjectorRevisions are the revisions, and tags of such, by which the webhooks of the
// cluster are called, sorted; none where that is not known.
func (c *Cluster) InjectorRevisions() []string {
	var out []string
	for _, w := range resources.Webhooks.Of(c.Cluster).Value {
		out = append(out, w.Labels[istio.LabelRevision], w.Labels[labelTag])
	}
	return distinct(out)
}

// HasSidecars reports whether pods behind a Service take mutual TLS, as istiod sees it by their label.
func (c *Cluster) HasSidecars(s *corev1.Service) bool {
	return c.AnyPodBehind(s, func(p *facts.Pod) bool { return p.Labels[istio.LabelTLSMode] == "istio" })
}

// OfMesh reports whether pods behind a Service are part of the mesh, or were meant to be:
// they have a sidecar or ztunnel speaks for them, or new ones in their place would get one.
// It is so too where the pods are not known.
func (c *Cluster) OfMesh(s *corev1.Service) bool {
	return !resources.Pods.Of(c.Cluster).Known() || c.AnyPodBehind(s, func(p *facts.Pod) bool {
		if p.Labels[istio.LabelTLSMode] == "istio" {
			return true
		}
		n := c.NoSidecar(p)
		return n.Why == OfAmbient || !n.OnPurpose()
	})
}

// AnyPodBehind reports whether something holds for a pod that runs and that a Service leads
// to: one that its EndpointSlices name, or one that it selects and that is not ready.
func (c *Cluster) AnyPodBehind(s *corev1.Service, is func(*facts.Pod) bool) bool {
	for _, slice := range c.Slices(s.Namespace, s.Name) {
		for i := range slice.Endpoints {
			if p := c.podAt(s.Namespace, &slice.Endpoints[i]); p != nil && Runs(p) && is(p) {
				return true
			}
		}
	}
	return slices.ContainsFunc(c.SelectedPods(s), is)
}

// podAt is the pod of an endpoint; nil where there is none
// (pilot/pkg/serviceregistry/kube/controller/endpointslice.go, getPod).
func (c *Cluster) podAt(namespace string, e *discoveryv1.Endpoint) *facts.Pod {
	if ref := e.TargetRef; ref != nil && ref.Kind == "Pod" {
		return c.Pod(ref.Namespace, ref.Name)
	}
	for _, p := range c.PodsIn(namespace) {
		if p.IP() != "" && slices.Contains(e.Addresses, p.IP()) {
			return p
		}
	}
	return nil
}

// IsPodAddress reports whether an address is one of a pod that runs in the cluster, or of
// the ranges from which its pods have theirs.
func (c *Cluster) IsPodAddress(address string) bool {
	if c.PodAddresses()[address] != nil {
		return true
	}
	ip := AddressOf(address)
	return slices.ContainsFunc(c.PodRanges(), func(r netip.Prefix) bool { return r.Contains(ip) })
}

// labelled are labels in a line.
func labelled(labels map[string]string) string {
	var out []string
	for k, v := range labels {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
