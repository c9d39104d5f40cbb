// Package facts is the plain data that rules judge: what was read of each
// cluster, and, where something could not be read, why not. It holds trimmed
// Kubernetes objects, so that facts written to files are ordinary manifests. No
// private key, token or other credential is ever part of it: the survey
// reduces them on arrival.
package facts

import (
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// Fleet is what was read of all clusters in one run.
type Fleet struct {
	// At is when the facts were read; rules take it for "now".
	At time.Time
	// Clusters are in the order in which the user named them, or by name where
	// they were discovered.
	Clusters []Cluster
	// Beyond are remote clusters of the mesh that no context of the kubeconfig
	// reaches.
	Beyond []BeyondReach
}

// Cluster is what was read of one cluster.
type Cluster struct {
	// Context is the name of the kubeconfig context, the user's name for the cluster.
	Context string
	// Server is the API server's URL in the kubeconfig; it carries no credentials.
	Server string
	// SystemNamespace is the namespace that was searched for the control plane.
	SystemNamespace string
	// Unreached says why nothing could be read of this cluster; nil when
	// it was reached.
	Unreached *Unreached

	// CACerts is Secret cacerts of the system namespace: a plugged-in CA.
	CACerts Read[*corev1.Secret]
	// CASecret is Secret istio-ca-secret of the system namespace: istiod's self-signed CA.
	CASecret Read[*corev1.Secret]
	// RootCert is ConfigMap istio-ca-root-cert of the system namespace: the roots
	// that this cluster's workloads are given.
	RootCert Read[*corev1.ConfigMap]
	// RootCerts are the ConfigMaps istio-ca-root-cert of all namespaces.
	RootCerts Read[[]corev1.ConfigMap]
	// MeshConfigs are the ConfigMaps istio and istio-<revision> of the system
	// namespace, with the mesh config and the mesh networks.
	MeshConfigs Read[[]corev1.ConfigMap]
	// Istiods are the Deployments labelled app=istiod, of all namespaces where the
	// reader may list them, else of the system namespace.
	Istiods Read[[]appsv1.Deployment]
	// IstiodPods are the pods labelled app=istiod of the system namespace.
	IstiodPods Read[[]Pod]
	// Namespaces are all namespaces.
	Namespaces Read[[]corev1.Namespace]
	// RemoteSecrets are the Secrets labelled istio/multiCluster=true of the system namespace.
	RemoteSecrets Read[[]RemoteSecret]
	// StraySecrets are the Secrets with label istio/multiCluster of all namespaces that
	// are not among RemoteSecrets.
	StraySecrets Read[[]LooseSecret]
	// SystemSecrets are those of the system namespace that look like remote secrets
	// and are not among RemoteSecrets, and istio-kubeconfig.
	SystemSecrets Read[[]LooseSecret]
	// Webhooks are the MutatingWebhookConfigurations labelled app=sidecar-injector.
	Webhooks Read[[]admissionv1.MutatingWebhookConfiguration]
	// ReaderAccess is the API server's answer to whether the identity that other
	// control planes use here may list ConfigMaps in the system namespace.
	ReaderAccess Read[*authorizationv1.SubjectAccessReview]
	// Proxies is a sample of the pods with a sidecar, read only where a rule needs it.
	Proxies Read[[]Pod]

	// Services, EndpointSlices, Pods and Nodes are all of the cluster's.
	Services       Read[[]corev1.Service]
	EndpointSlices Read[[]discoveryv1.EndpointSlice]
	Pods           Read[[]Pod]
	Nodes          Read[[]corev1.Node]
	// The custom resources of all namespaces; absent where their kind is not installed.
	PeerAuthentications Read[[]api.PeerAuthentication]
	DestinationRules    Read[[]api.DestinationRule]
	Gateways            Read[[]api.Gateway]
	KubernetesGateways  Read[[]api.KubernetesGateway]
	WorkloadEntries     Read[[]api.WorkloadEntry]
	ServiceEntries      Read[[]api.ServiceEntry]

	// NetworkPolicies are all of the cluster's.
	NetworkPolicies Read[[]networkingv1.NetworkPolicy]
	// Injectors are the ConfigMaps istio-sidecar-injector and
	// istio-sidecar-injector-<revision> of the system namespace: of their values
	// those that say where pods are.
	Injectors Read[[]corev1.ConfigMap]

	// Those that decide who knows a service, and who may call it.
	VirtualServices       Read[[]api.VirtualService]
	Sidecars              Read[[]api.Sidecar]
	AuthorizationPolicies Read[[]api.AuthorizationPolicy]
	ServiceExports        Read[[]api.ServiceExport]

	// The following are read only of clusters in which a rule needs them.

	// GatewayEvents are those of the gateways whose load balancer is pending.
	GatewayEvents Read[[]corev1.Event]
	// SystemSlices are the EndpointSlices of the system namespace of a cluster
	// whose control plane is elsewhere.
	SystemSlices Read[[]discoveryv1.EndpointSlice]
	// ReaderRights are the API server's answers to what the identity that the
	// control plane elsewhere uses may do in such a cluster, each named after the question.
	ReaderRights Read[[]authorizationv1.SubjectAccessReview]
}

// State says what became of one read.
type State string

const (
	// NotAsked means that this run did not need it, or never got to it. The zero State.
	NotAsked State = ""
	// OK means that it was read; Value holds it.
	OK State = "ok"
	// Absent means that the API server says that it does not exist.
	Absent State = "absent"
	// Forbidden means that the user may not read it.
	Forbidden State = "forbidden"
	// Failed means that it could not be read; Reason says why.
	Failed State = "failed"
)

// Read is the outcome of one read: the value, or the reason why there is none.
type Read[T any] struct {
	State  State
	Reason string // for Forbidden and Failed: one sentence, fit to be shown
	Value  T
}

// Known reports whether the cluster answered: there is a value, or it is
// known that there is none.
func (r Read[T]) Known() bool { return r.State == OK || r.State == Absent }

// Why says in a few words why a read that is not Known has no value.
func (r Read[T]) Why() string {
	switch {
	case r.Reason != "":
		return r.Reason
	case r.State == Forbidden:
		return "forbidden"
	default:
		return "not read"
	}
}

// UnreachedKind is the way in which a cluster could not be reached.
type UnreachedKind string

// The ways in which a cluster can fail to answer; each has its FLT finding.
const (
	NoConnection UnreachedKind = "no-connection" // refused, no route, name does not resolve
	TimedOut     UnreachedKind = "timed-out"     // no answer within the time allowed
	Unauthorized UnreachedKind = "unauthorized"  // 401
	NoRights     UnreachedKind = "no-rights"     // 403 for everything that was asked
	Untrusted    UnreachedKind = "untrusted"     // the server's certificate does not verify
	PluginFailed UnreachedKind = "plugin-failed" // the user's exec credential plugin failed or is not permitted
	BadContext   UnreachedKind = "bad-context"   // the kubeconfig's entry cannot be used
	ServerError  UnreachedKind = "server-error"  // it answers, but not as an API server should
)

// Unreached says why nothing could be read of a cluster.
type Unreached struct {
	Kind UnreachedKind `json:"kind"`
	// Reason is one sentence, fit to be shown; it carries no credential.
	Reason string `json:"reason"`
}

// RemoteSecret is what a rule needs of one entry of a remote secret: one data
// key is one remote cluster. The kubeconfig inside is reduced on arrival.
type RemoteSecret struct {
	Name      string    // of the Secret
	Namespace string    // of the Secret
	ClusterID string    // the data key: the remote cluster's name in the mesh
	Server    string    // the API server's URL inside; "" when the kubeconfig cannot be read
	Identity  string    // user name that the token inside claims, e.g. system:serviceaccount:istio-system:istio-reader-service-account; "" when unknown
	Modified  time.Time // when the Secret was last written
	Problem   string    // why the kubeconfig cannot be used; "" when it can
	// Invalid says why istiod makes no client of the kubeconfig whatever its
	// settings; "" when it would.
	Invalid string
	// Insecure are the ways to authenticate in the kubeconfig that istiod refuses unless
	// it is told otherwise, in its own words: exec, tokenFile, clientKey and the like.
	Insecure []string
	// Access is how it reaches its cluster, and as whom.
	Access Access
}

// BeyondReach is a remote cluster that the mesh knows and the kubeconfig does not.
type BeyondReach struct {
	Context   string `json:"context"` // of the cluster whose remote secret names it
	Secret    string `json:"secret"`  // namespace/name of that Secret
	ClusterID string `json:"clusterID"`
	Server    string `json:"server"`
}
