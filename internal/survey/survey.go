// Package survey reads what rules need of one cluster's API, all at once, and
// reduces it on arrival: what is not needed is dropped, what is secret never
// leaves this package.
package survey

import (
	"context"
	"errors"
	"fmt"
	"sync"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Source is one thing that can be read of a cluster: one request, or one per page.
type Source uint

// The sources; each fills the field of facts.Cluster that bears its name.
const (
	CACerts Source = 1 << iota
	CASecret
	RootCert
	RootCerts
	MeshConfigs
	Istiods
	IstiodPods
	Namespaces
	RemoteSecrets
	Webhooks
	ReaderAccess
	Services
	EndpointSlices
	Pods
	Nodes
	PeerAuthentications
	DestinationRules
	Gateways
	KubernetesGateways
	NetworkPolicies
	Injectors
	WorkloadEntries
	ServiceEntries
	VirtualServices
	Sidecars
	AuthorizationPolicies
	ServiceExports
	StraySecrets
	SystemSecrets
	// Leads lets Follow read what the others show to be needed.
	Leads

	// Roots is what tells who trusts whom.
	Roots = CACerts | CASecret | RootCert | MeshConfigs | Istiods
	// Trust is everything that the rules of package trust read.
	Trust = Roots | RootCerts | IstiodPods | Namespaces | RemoteSecrets | Webhooks | ReaderAccess
	// Networks is what tells the networks of the mesh and their gateways.
	Networks = MeshConfigs | Istiods | Namespaces | RemoteSecrets | Webhooks | Services | Pods | Nodes | KubernetesGateways
	// NetworkRules is what the rules of package network read besides.
	NetworkRules = Networks | Gateways | RootCert | NetworkPolicies | Injectors | WorkloadEntries | ServiceEntries | Leads
	// Mesh is everything that tells which endpoints a proxy is given.
	Mesh = Networks | ReaderAccess | EndpointSlices | PeerAuthentications | DestinationRules | Gateways
	// Policies is what tells who knows a service, and who may call it.
	Policies = VirtualServices | Sidecars | AuthorizationPolicies | ServiceExports
)

// Cluster is the cluster to read.
type Cluster struct {
	// Context is the user's name for it.
	Context string
	// Config says how to reach it.
	Config *rest.Config
	// Namespace is the system namespace.
	Namespace string
}

// ErrNoRights is returned by Read when the API server forbade everything.
var ErrNoRights = errors.New("the user may read none of what was asked for")

// Read asks a cluster for the sources, all at the same time: one round trip
// on an open connection, and one more for each further page of a list. What could
// not be read is noted in the facts. An error means that nothing was: the
// cluster was not reached, or ErrNoRights.
func Read(ctx context.Context, cluster Cluster, sources Source) (facts.Cluster, error) {
	out := facts.Cluster{Context: cluster.Context, Server: serverurl.Shown(cluster.Config.Host), SystemNamespace: cluster.Namespace}
	a, err := connect(cluster.Config)
	if err != nil {
		return out, err
	}
	ns := cluster.Namespace
	r := &reader{ctx: ctx}
	if sources&RootCert != 0 {
		read(r, &out.RootCert, func() (*corev1.ConfigMap, error) {
			return get(ctx, a.core, "configmaps", ns, istio.RootCertConfigMap, trimConfigMap)
		})
	}
	if sources&CACerts != 0 {
		read(r, &out.CACerts, func() (*corev1.Secret, error) {
			return get(ctx, a.core, "secrets", ns, istio.CACertsSecret, trimCASecret)
		})
	}
	if sources&CASecret != 0 {
		read(r, &out.CASecret, func() (*corev1.Secret, error) {
			return get(ctx, a.core, "secrets", ns, istio.CASecret, trimCASecret)
		})
	}
	if sources&RootCerts != 0 {
		read(r, &out.RootCerts, func() ([]corev1.ConfigMap, error) {
			named := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", istio.RootCertConfigMap).String()}
			return list[corev1.ConfigMapList](ctx, a.core, "configmaps", "", named, trimConfigMap)
		})
	}
	if sources&MeshConfigs != 0 {
		read(r, &out.MeshConfigs, func() ([]corev1.ConfigMap, error) {
			return meshConfigs(ctx, a, ns, istio.MeshConfigMap)
		})
	}
	if sources&Istiods != 0 {
		read(r, &out.Istiods, func() ([]appsv1.Deployment, error) { return istiods(ctx, a, ns) })
	}
	if sources&IstiodPods != 0 {
		read(r, &out.IstiodPods, func() ([]facts.Pod, error) {
			return list[corev1.PodList](ctx, a.core, "pods", ns, metav1.ListOptions{LabelSelector: istio.IstiodSelector}, newPodTrimmer().trim)
		})
	}
	if sources&Namespaces != 0 {
		read(r, &out.Namespaces, func() ([]corev1.Namespace, error) {
			return list[corev1.NamespaceList](ctx, a.core, "namespaces", "", metav1.ListOptions{}, trimNamespace)
		})
	}
	if sources&RemoteSecrets != 0 {
		read(r, &out.RemoteSecrets, func() ([]facts.RemoteSecret, error) { return remoteSecrets(ctx, a, ns) })
	}
	if sources&StraySecrets != 0 {
		read(r, &out.StraySecrets, func() ([]facts.LooseSecret, error) {
			return looseSecrets(ctx, a, "", istio.MultiClusterLabel, func(m *metav1.ObjectMeta) bool { return IsStray(m, ns) })
		})
	}
	if sources&SystemSecrets != 0 {
		read(r, &out.SystemSecrets, func() ([]facts.LooseSecret, error) {
			return looseSecrets(ctx, a, ns, "", func(m *metav1.ObjectMeta) bool { return LooksRemote(m, ns) })
		})
	}
	if sources&Webhooks != 0 {
		read(r, &out.Webhooks, func() ([]admissionv1.MutatingWebhookConfiguration, error) {
			labelled := metav1.ListOptions{LabelSelector: istio.InjectorSelector}
			return list[admissionv1.MutatingWebhookConfigurationList](ctx, a.admission, "mutatingwebhookconfigurations", "", labelled, trimWebhook)
		})
	}
	if sources&ReaderAccess != 0 {
		read(r, &out.ReaderAccess, func() (*authorizationv1.SubjectAccessReview, error) { return readerAccess(ctx, a, ns) })
	}
	readMesh(r, a, sources, &out)
	return out, r.wait()
}

// Deepen reads what only the facts of the whole fleet show to be needed: mesh
// configs of further revisions, and a sample of the pods with a sidecar. It costs
// one round trip on a new connection, and nothing where there is nothing to ask.
func Deepen(ctx context.Context, cluster Cluster, c *facts.Cluster, meshConfigMaps []string, proxies bool) {
	if len(meshConfigMaps) == 0 && !proxies {
		return
	}
	a, err := connect(cluster.Config)
	if err != nil {
		return // Read has been through this, and its outcome says so
	}
	r := &reader{ctx: ctx}
	further := make([]facts.Read[[]corev1.ConfigMap], len(meshConfigMaps))
	for i, name := range meshConfigMaps {
		read(r, &further[i], func() ([]corev1.ConfigMap, error) { return meshConfigs(ctx, a, cluster.Namespace, name) })
	}
	if proxies {
		read(r, &c.Proxies, func() ([]facts.Pod, error) { return proxySample(ctx, a) })
	}
	_ = r.wait() // what could not be read is noted in each outcome
	for _, f := range further {
		c.MeshConfigs.Value = append(c.MeshConfigs.Value, f.Value...)
		if !f.Known() { // one that is not known is not made good by another
			c.MeshConfigs.State, c.MeshConfigs.Reason = f.State, f.Reason
		}
	}
}

// reader runs reads side by side.
type reader struct {
	ctx context.Context
	sync.WaitGroup
	mu       sync.Mutex
	answered bool  // the API server granted a request, or said that there is no such thing
	refused  bool  // it forbade one
	failure  error // anything else
}

// read runs one read beside the others and notes its outcome.
func read[T any](r *reader, into *facts.Read[T], ask func() (T, error)) {
	r.Go(func() {
		value, err := ask()
		*into = outcome(value, err)
		r.mu.Lock()
		defer r.mu.Unlock()
		switch into.State {
		case facts.OK, facts.Absent:
			r.answered = true
		case facts.Forbidden:
			r.refused = true
		default:
			if r.failure == nil {
				r.failure = err
			}
		}
	})
}

func outcome[T any](value T, err error) facts.Read[T] {
	switch {
	case err == nil:
		return facts.Read[T]{State: facts.OK, Value: value}
	case !fromAPIServer(err):
		return facts.Read[T]{State: facts.Failed, Reason: reason(err)}
	case apierrors.IsNotFound(err):
		return facts.Read[T]{State: facts.Absent}
	case apierrors.IsForbidden(err):
		return facts.Read[T]{State: facts.Forbidden, Reason: "forbidden"}
	case errors.Is(err, context.DeadlineExceeded):
		return facts.Read[T]{State: facts.Failed, Reason: "no answer in time"}
	default:
		return facts.Read[T]{State: facts.Failed, Reason: reason(err)}
	}
}

// fromAPIServer reports whether an error is not the page of some other server,
// which may well answer 404 or 403 too.
func fromAPIServer(err error) bool {
	return !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// reason keeps of an error what the API server said, without the address that
// client-go puts before it.
func reason(err error) string {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return fmt.Sprintf("the API server answered %d %s", status.Status().Code, status.Status().Reason)
	}
	return "the request failed"
}

// wait returns an error when none of the reads was answered.
func (r *reader) wait() error {
	r.Wait()
	switch {
	case r.answered:
		return nil
	case r.failure != nil:
		return r.failure
	case r.refused:
		return ErrNoRights
	default:
		return nil
	}
}
