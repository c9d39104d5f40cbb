package model

import (
	"cmp"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Hook is one webhook that the API server calls before it makes or changes objects. What
// counts are its selectors as they are in the cluster, and not as a chart has them: vendors
// change them.
type Hook struct {
	// Object names the configuration, Meta is its metadata, and Name that of the entry in it.
	Object finding.Object
	Meta   metav1.ObjectMeta
	Name   string
	// Mutates: it may change objects; else it only accepts or refuses them.
	Mutates bool
	Client  admissionv1.WebhookClientConfig
	// Fails: where it cannot be called the API server refuses the object; else it lets it pass.
	Fails bool
	Rules []admissionv1.RuleWithOperations

	namespaces, objects *metav1.LabelSelector
}

// Hooks are all webhooks of the cluster, in the order in which the API server calls them: the
// ones that change objects first, by the names of their configurations.
func (c *Cluster) Hooks() []Hook { return c.hooks() }

func (c *Cluster) findHooks() []Hook {
	var out []Hook
	fails := func(policy *admissionv1.FailurePolicyType) bool { return policy == nil || *policy == admissionv1.Fail }
	for _, w := range resources.MutatingWebhooks.Of(c.Cluster).Value {
		for _, h := range w.Webhooks {
			out = append(out, Hook{
				Object: finding.Named("mutatingwebhookconfiguration", w.Name), Meta: w.ObjectMeta, Name: h.Name, Mutates: true, Client: h.ClientConfig,
				Fails: fails(h.FailurePolicy), Rules: h.Rules, namespaces: h.NamespaceSelector, objects: h.ObjectSelector,
			})
		}
	}
	for _, w := range resources.AllValidatingWebhooks.Of(c.Cluster).Value {
		for _, h := range w.Webhooks {
			out = append(out, Hook{
				Object: finding.Named("validatingwebhookconfiguration", w.Name), Meta: w.ObjectMeta, Name: h.Name, Client: h.ClientConfig,
				Fails: fails(h.FailurePolicy), Rules: h.Rules, namespaces: h.NamespaceSelector, objects: h.ObjectSelector,
			})
		}
	}
	slices.SortStableFunc(out, func(a, b Hook) int {
		if a.Mutates != b.Mutates {
			if a.Mutates {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Object.Name, b.Object.Name)
	})
	return out
}

// InjectorHooks are those that give pods a sidecar.
func (c *Cluster) InjectorHooks() []Hook {
	var out []Hook
	for _, h := range c.Hooks() {
		if h.Mutates && (h.Meta.Labels["app"] == "sidecar-injector" || strings.HasSuffix(h.Name, "sidecar-injector.istio.io")) {
			out = append(out, h)
		}
	}
	return out
}

// ValidatorHooks are those by which an istiod checks Istio's own objects.
func (c *Cluster) ValidatorHooks() []Hook {
	var out []Hook
	for _, h := range c.Hooks() {
		if !h.Mutates && strings.HasSuffix(h.Name, "validation.istio.io") {
			out = append(out, h)
		}
	}
	return out
}

// Service is the Service that is called, and the number of its port; false for a webhook that is
// called by a URL.
func (h Hook) Service() (name istio.ObjectName, port int32, ok bool) {
	s := h.Client.Service
	if s == nil {
		return istio.ObjectName{}, 0, false
	}
	port = 443
	if s.Port != nil {
		port = *s.Port
	}
	return istio.ObjectName{Namespace: s.Namespace, Name: s.Name}, port, true
}

// IsForPods reports whether it is called for pods that are made; so is one of which the rules
// were not kept.
func (h Hook) IsForPods() bool {
	return len(h.Rules) == 0 || slices.ContainsFunc(h.Rules, func(r admissionv1.RuleWithOperations) bool {
		return contains(r.APIGroups, "") && contains(r.Resources, "pods")
	})
}

// IsForIstio reports whether it is called for Istio's own objects, whichever labels they have.
func (h Hook) IsForIstio() bool {
	return isEmpty(h.objects) && (len(h.Rules) == 0 || slices.ContainsFunc(h.Rules, func(r admissionv1.RuleWithOperations) bool {
		return contains(r.APIGroups, api.NetworkingGroup)
	}))
}

func contains(all []string, one string) bool {
	return slices.Contains(all, one) || slices.Contains(all, "*")
}

func isEmpty(s *metav1.LabelSelector) bool {
	return s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0
}

// Known reports whether what the webhook selects was read. Every webhook says for which objects it is
// called, or for which namespaces: one that says neither was reduced on the way.
func (h Hook) Known() bool { return len(h.Rules) > 0 || h.namespaces != nil }

// Takes reports whether the API server calls it for a pod with some labels in a namespace.
func (h Hook) Takes(ns *corev1.Namespace, pod map[string]string) bool {
	return h.IsForPods() && matches(h.namespaces, namespaceLabels(ns)) && matches(h.objects, pod)
}

// namespaceLabels are those of a namespace with the one that every API server gives it.
func namespaceLabels(ns *corev1.Namespace) map[string]string {
	if ns.Labels[corev1.LabelMetadataName] != "" {
		return ns.Labels
	}
	out := map[string]string{corev1.LabelMetadataName: ns.Name}
	for k, v := range ns.Labels {
		out[k] = v
	}
	return out
}

func matches(selector *metav1.LabelSelector, of map[string]string) bool {
	if isEmpty(selector) {
		return true
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(of))
}

// Excludes are the requirements of the namespace selector that the labels of a namespace do not
// meet, as kubectl writes them.
func (h Hook) Excludes(ns *corev1.Namespace) []string {
	if isEmpty(h.namespaces) {
		return nil
	}
	s, err := metav1.LabelSelectorAsSelector(h.namespaces)
	if err != nil {
		return nil
	}
	var out []string
	requirements, _ := s.Requirements()
	for _, r := range requirements {
		if !r.Matches(labels.Set(namespaceLabels(ns))) {
			out = append(out, r.String())
		}
	}
	return out
}

// TakenBy are the injectors that the API server calls for a pod, in their order.
func (c *Cluster) TakenBy(p *facts.Pod) []Hook {
	ns := c.Namespace(p.Namespace)
	if ns == nil {
		return nil
	}
	return slices.DeleteFunc(c.InjectorHooks(), func(h Hook) bool { return !h.Known() || !h.Takes(ns, p.Labels) })
}

// AsksForSidecars reports whether the labels of a namespace ask for sidecars in its pods, and by
// which label. One in ambient mode does not: there istio.io/rev chooses who makes its waypoint.
func AsksForSidecars(ns *corev1.Namespace) (label, value string, asks bool) {
	if IsAmbientNamespace(ns) || slices.Contains(neverInjected, ns.Name) || ns.Status.Phase == corev1.NamespaceTerminating {
		return "", "", false
	}
	if value, ok := ns.Labels[LabelInjection]; ok {
		return LabelInjection, value, value == "enabled"
	}
	value = ns.Labels[istio.LabelRevision]
	return istio.LabelRevision, value, value != ""
}

// WantsSidecar reports whether a pod that runs without a proxy would get one if it were made
// anew: an injector takes it, and nobody opts it out. It is not so where the injector's own
// configuration leaves it out, or may.
func (c *Cluster) WantsSidecar(p *facts.Pod) bool {
	if istio.HasProxy(p) || p.Annotations[istio.AnnotationMirror] != "" || c.NoSidecar(p).Why != NotYetInjected || len(c.TakenBy(p)) == 0 {
		return false
	}
	for _, i := range c.Installed() {
		config, ok := istio.InjectorConfigOf(c.Cluster, i)
		if ok && (config.Policy == "disabled" && p.Labels[istio.InjectKey] == "" ||
			slices.ContainsFunc(config.NeverInjectSelector, func(s *metav1.LabelSelector) bool { return !isEmpty(s) && matches(s, p.Labels) })) {
			return false
		}
	}
	return true
}
