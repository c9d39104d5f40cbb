package dump

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// source is one field of facts.Cluster: how it is written, and read again.
type source struct {
	// name is that of the file and of the entry in the index.
	name string
	// kind is the kind of object that it consists of, with its group where it
	// needs one; a folder without an index that holds one such object is taken to
	// hold all of them.
	kind string
	// empty is the state of a read that found nothing: an object is absent, a
	// list has no items.
	empty facts.State
	// objects are what there is to write.
	objects func(*facts.Cluster) []runtime.Object
	// outcome gives and takes the state of the read.
	outcome    func(*facts.Cluster) indexRead
	setOutcome func(*facts.Cluster, indexRead)
	// take adds an object to the facts if it belongs to this source.
	take func(*facts.Cluster, runtime.Object)
	// order puts a list into the order in which an API server gives it.
	order func(*facts.Cluster)
}

var sources = []source{
	one("secret-cacerts", "Secret",
		func(c *facts.Cluster) *facts.Read[*corev1.Secret] { return &c.CACerts },
		func(c *facts.Cluster, s *corev1.Secret) bool {
			return isNamed(c, s.Namespace, s.Name, istio.CACertsSecret)
		}),
	one("secret-istio-ca-secret", "Secret",
		func(c *facts.Cluster) *facts.Read[*corev1.Secret] { return &c.CASecret },
		func(c *facts.Cluster, s *corev1.Secret) bool { return isNamed(c, s.Namespace, s.Name, istio.CASecret) }),
	one("configmap-istio-ca-root-cert", "ConfigMap",
		func(c *facts.Cluster) *facts.Read[*corev1.ConfigMap] { return &c.RootCert },
		func(c *facts.Cluster, m *corev1.ConfigMap) bool {
			return isNamed(c, m.Namespace, m.Name, istio.RootCertConfigMap)
		}),
	many("configmaps-istio-ca-root-cert", "ConfigMap",
		func(c *facts.Cluster) *facts.Read[[]corev1.ConfigMap] { return &c.RootCerts },
		func(_ *facts.Cluster, m *corev1.ConfigMap) bool { return m.Name == istio.RootCertConfigMap }),
	many("configmaps-mesh-config", "ConfigMap",
		func(c *facts.Cluster) *facts.Read[[]corev1.ConfigMap] { return &c.MeshConfigs },
		func(c *facts.Cluster, m *corev1.ConfigMap) bool {
			_, ok := m.Data[istio.MeshConfigKey]
			return ok && m.Namespace == c.SystemNamespace && (m.Name == istio.MeshConfigMap || strings.HasPrefix(m.Name, istio.MeshConfigMap+"-"))
		}),
	many("deployments-istiod", "Deployment",
		func(c *facts.Cluster) *facts.Read[[]appsv1.Deployment] { return &c.Istiods },
		func(_ *facts.Cluster, d *appsv1.Deployment) bool { return d.Labels["app"] == "istiod" }),
	pods("pods-istiod",
		func(c *facts.Cluster) *facts.Read[[]facts.Pod] { return &c.IstiodPods },
		func(c *facts.Cluster, p *corev1.Pod) bool {
			return p.Labels["app"] == "istiod" && p.Namespace == c.SystemNamespace
		}),
	many("namespaces", "Namespace",
		func(c *facts.Cluster) *facts.Read[[]corev1.Namespace] { return &c.Namespaces },
		func(*facts.Cluster, *corev1.Namespace) bool { return true }),
	remoteSecrets(),
	looseSecrets("secrets-stray", func(c *facts.Cluster) *facts.Read[[]facts.LooseSecret] { return &c.StraySecrets }, survey.IsStray),
	looseSecrets("secrets-like-remote", func(c *facts.Cluster) *facts.Read[[]facts.LooseSecret] { return &c.SystemSecrets }, survey.LooksRemote),
	many("mutatingwebhookconfigurations", "MutatingWebhookConfiguration",
		func(c *facts.Cluster) *facts.Read[[]admissionv1.MutatingWebhookConfiguration] { return &c.Webhooks },
		func(_ *facts.Cluster, w *admissionv1.MutatingWebhookConfiguration) bool {
			return w.Labels["app"] == "sidecar-injector"
		}),
	one("subjectaccessreview-reader", "SubjectAccessReview",
		func(c *facts.Cluster) *facts.Read[*authorizationv1.SubjectAccessReview] { return &c.ReaderAccess },
		func(_ *facts.Cluster, r *authorizationv1.SubjectAccessReview) bool { return r.Name == "" }),
	pods("pods-with-sidecar",
		func(c *facts.Cluster) *facts.Read[[]facts.Pod] { return &c.Proxies },
		func(_ *facts.Cluster, p *corev1.Pod) bool { return p.Labels["security.istio.io/tlsMode"] == "istio" }),
	all("services", "Service", func(c *facts.Cluster) *facts.Read[[]corev1.Service] { return &c.Services }),
	all("endpointslices", "EndpointSlice", func(c *facts.Cluster) *facts.Read[[]discoveryv1.EndpointSlice] { return &c.EndpointSlices }),
	pods("pods",
		func(c *facts.Cluster) *facts.Read[[]facts.Pod] { return &c.Pods },
		func(*facts.Cluster, *corev1.Pod) bool { return true }),
	all("nodes", "Node", func(c *facts.Cluster) *facts.Read[[]corev1.Node] { return &c.Nodes }),
	all("peerauthentications", "PeerAuthentication",
		func(c *facts.Cluster) *facts.Read[[]api.PeerAuthentication] { return &c.PeerAuthentications }),
	all("destinationrules", "DestinationRule",
		func(c *facts.Cluster) *facts.Read[[]api.DestinationRule] { return &c.DestinationRules }),
	all("gateways-istio", "Gateway."+api.NetworkingGroup, func(c *facts.Cluster) *facts.Read[[]api.Gateway] { return &c.Gateways }),
	all("gateways-kubernetes", "Gateway."+api.GatewayGroup,
		func(c *facts.Cluster) *facts.Read[[]api.KubernetesGateway] { return &c.KubernetesGateways }),
	all("workloadentries", "WorkloadEntry", func(c *facts.Cluster) *facts.Read[[]api.WorkloadEntry] { return &c.WorkloadEntries }),
	all("serviceentries", "ServiceEntry", func(c *facts.Cluster) *facts.Read[[]api.ServiceEntry] { return &c.ServiceEntries }),
	all("networkpolicies", "NetworkPolicy", func(c *facts.Cluster) *facts.Read[[]networkingv1.NetworkPolicy] { return &c.NetworkPolicies }),
	many("configmaps-injector", "ConfigMap",
		func(c *facts.Cluster) *facts.Read[[]corev1.ConfigMap] { return &c.Injectors },
		func(c *facts.Cluster, m *corev1.ConfigMap) bool {
			return m.Namespace == c.SystemNamespace && istio.IsInjectorConfigMap(m.Name)
		}),
	many("events-gateways", "Event",
		func(c *facts.Cluster) *facts.Read[[]corev1.Event] { return &c.GatewayEvents },
		func(_ *facts.Cluster, e *corev1.Event) bool { return e.InvolvedObject.Kind == "Service" }),
	all("virtualservices", "VirtualService", func(c *facts.Cluster) *facts.Read[[]api.VirtualService] { return &c.VirtualServices }),
	many("endpointslices-system", "EndpointSlice",
		func(c *facts.Cluster) *facts.Read[[]discoveryv1.EndpointSlice] { return &c.SystemSlices },
		func(c *facts.Cluster, s *discoveryv1.EndpointSlice) bool { return s.Namespace == c.SystemNamespace }),
	many("subjectaccessreviews-control-plane", "SubjectAccessReview",
		func(c *facts.Cluster) *facts.Read[[]authorizationv1.SubjectAccessReview] { return &c.ReaderRights },
		func(_ *facts.Cluster, r *authorizationv1.SubjectAccessReview) bool { return r.Name != "" }),
	all("sidecars", "Sidecar", func(c *facts.Cluster) *facts.Read[[]api.Sidecar] { return &c.Sidecars }),
	all("authorizationpolicies", "AuthorizationPolicy",
		func(c *facts.Cluster) *facts.Read[[]api.AuthorizationPolicy] { return &c.AuthorizationPolicies }),
	all("serviceexports", "ServiceExport", func(c *facts.Cluster) *facts.Read[[]api.ServiceExport] { return &c.ServiceExports }),
}

// key tells the objects of one kind apart.
func key(o runtime.Object) string {
	m, err := meta.Accessor(o)
	if err != nil {
		return ""
	}
	return m.GetNamespace() + "/" + m.GetName()
}

func isNamed(c *facts.Cluster, namespace, name, wanted string) bool {
	return namespace == c.SystemNamespace && name == wanted
}

// one is a source of a single object.
func one[T any, P interface {
	*T
	runtime.Object
}](name, kind string, field func(*facts.Cluster) *facts.Read[P], belongs func(*facts.Cluster, P) bool) source {
	s := common(name, kind, facts.Absent, field)
	s.objects = func(c *facts.Cluster) []runtime.Object {
		if r := field(c); r.State == facts.OK {
			return []runtime.Object{r.Value}
		}
		return nil
	}
	s.take = func(c *facts.Cluster, o runtime.Object) {
		if object, ok := o.(P); ok && belongs(c, object) {
			*field(c) = facts.Read[P]{State: facts.OK, Value: object}
		}
	}
	return s
}

// many is a source of a list.
func many[T any, P interface {
	*T
	runtime.Object
}](name, kind string, field func(*facts.Cluster) *facts.Read[[]T], belongs func(*facts.Cluster, P) bool) source {
	itself := func(t *T) P { return t }
	return listed(name, kind, field, belongs, itself, func(o P) T { return *o })
}

// pods is a source of pods, of which the facts hold less than an object.
func pods(name string, field func(*facts.Cluster) *facts.Read[[]facts.Pod], belongs func(*facts.Cluster, *corev1.Pod) bool) source {
	return listed(name, "Pod", field, belongs, (*facts.Pod).Object, facts.PodOf)
}

// listed is a source of a list of what objects are made of.
func listed[T any, O runtime.Object](name, kind string, field func(*facts.Cluster) *facts.Read[[]T], belongs func(*facts.Cluster, O) bool,
	object func(*T) O, value func(O) T,
) source {
	s := common(name, kind, facts.OK, field)
	s.objects = func(c *facts.Cluster) []runtime.Object {
		var out []runtime.Object
		for i := range field(c).Value {
			out = append(out, object(&field(c).Value[i]))
		}
		return out
	}
	s.take = func(c *facts.Cluster, o runtime.Object) {
		if o, ok := o.(O); ok && belongs(c, o) {
			r := field(c)
			r.State, r.Value = facts.OK, append(r.Value, value(o))
		}
	}
	s.order = func(c *facts.Cluster) {
		r := field(c)
		keyOf := func(t T) string { return key(object(&t)) }
		slices.SortStableFunc(r.Value, func(a, b T) int { return strings.Compare(keyOf(a), keyOf(b)) })
		r.Value = slices.CompactFunc(r.Value, func(a, b T) bool { return keyOf(a) == keyOf(b) }) // in two files of the folder
	}
	return s
}

// all is a source of every object of its type.
func all[T any, P interface {
	*T
	runtime.Object
}](name, kind string, field func(*facts.Cluster) *facts.Read[[]T]) source {
	return many(name, kind, field, func(*facts.Cluster, P) bool { return true })
}

func common[T any](name, kind string, empty facts.State, field func(*facts.Cluster) *facts.Read[T]) source {
	return source{
		order: func(*facts.Cluster) {},
		name:  name, kind: kind, empty: empty,
		outcome: func(c *facts.Cluster) indexRead { return indexRead{field(c).State, field(c).Reason} },
		setOutcome: func(c *facts.Cluster, r indexRead) {
			if r.State != facts.OK {
				*field(c) = facts.Read[T]{} // an object in the folder can be another source's
			}
			field(c).State, field(c).Reason = r.State, r.Reason
		},
	}
}

// remoteSecrets are reduced further than to a trimmed object.
func remoteSecrets() source {
	field := func(c *facts.Cluster) *facts.Read[[]facts.RemoteSecret] { return &c.RemoteSecrets }
	s := common("secrets-remote", "Secret", facts.OK, field)
	s.objects = func(c *facts.Cluster) []runtime.Object {
		var out []runtime.Object
		for _, s := range survey.SecretsOf(c.RemoteSecrets.Value) {
			out = append(out, s)
		}
		return out
	}
	s.take = func(c *facts.Cluster, o runtime.Object) {
		secret, ok := o.(*corev1.Secret)
		if ok && secret.Namespace == c.SystemNamespace && secret.Labels[istio.MultiClusterLabel] == "true" {
			c.RemoteSecrets.State = facts.OK
			c.RemoteSecrets.Value = append(c.RemoteSecrets.Value, survey.RemoteSecretsOf(secret)...)
		}
	}
	return s
}
