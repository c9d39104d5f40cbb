package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Server is a port of some pods, to which policies apply
// (https://linkerd.io/2/reference/authorization-policy/).
type Server struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ServerSpec `json:"spec"`
}

// ServerSpec says which port it is, and what comes in.
type ServerSpec struct {
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
	Port        intstr.IntOrString    `json:"port,omitempty"`
	// ProxyProtocol is "unknown" where it is detected; "" is the same.
	ProxyProtocol string `json:"proxyProtocol,omitempty"`
	// AccessPolicy is what holds where no policy admits a client; "" is deny.
	AccessPolicy string `json:"accessPolicy,omitempty"`
}

// EgressNetwork is a range of addresses outside of the cluster, of which there is the metadata alone
// (https://linkerd.io/2/reference/egress-network/).
type EgressNetwork struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
}

// EgressNetworkList is a page of them.
type EgressNetworkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []EgressNetwork `json:"items"`
}

// ServerList is a page of them.
type ServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Server `json:"items"`
}

// AuthorizationPolicy admits clients of a Server, an HTTPRoute or a namespace: those that all of
// its authentications admit.
type AuthorizationPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              AuthorizationPolicySpec `json:"spec"`
}

// AuthorizationPolicySpec says who comes in where.
type AuthorizationPolicySpec struct {
	TargetRef                  TargetRef   `json:"targetRef"`
	RequiredAuthenticationRefs []PolicyRef `json:"requiredAuthenticationRefs,omitempty"`
}

// TargetRef names an object in the namespace of the policy.
type TargetRef struct {
	Group string `json:"group,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Name  string `json:"name,omitempty"`
}

// AccountRef names a service account; one without a namespace is in that of the policy.
type AccountRef struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// PolicyRef names an object; one without a namespace is in that of the policy.
type PolicyRef struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// AuthorizationPolicyList is a page of them.
type AuthorizationPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []AuthorizationPolicy `json:"items"`
}

// MeshTLSAuthentication admits clients by their identities.
type MeshTLSAuthentication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              MeshTLSAuthenticationSpec `json:"spec"`
}

// MeshTLSAuthenticationSpec names identities, or objects that have some.
type MeshTLSAuthenticationSpec struct {
	Identities   []string    `json:"identities,omitempty"`
	IdentityRefs []PolicyRef `json:"identityRefs,omitempty"`
}

// MeshTLSAuthenticationList is a page of them.
type MeshTLSAuthenticationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []MeshTLSAuthentication `json:"items"`
}

// NetworkAuthentication admits clients by their addresses.
type NetworkAuthentication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              NetworkAuthenticationSpec `json:"spec"`
}

// NetworkAuthenticationSpec is a list of networks.
type NetworkAuthenticationSpec struct {
	Networks []Network `json:"networks,omitempty"`
}

// Network is a range of addresses with exceptions.
type Network struct {
	CIDR   string   `json:"cidr,omitempty"`
	Except []string `json:"except,omitempty"`
}

// NetworkAuthenticationList is a page of them.
type NetworkAuthenticationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []NetworkAuthentication `json:"items"`
}

// ServerAuthorization is the older form of a policy of Servers.
type ServerAuthorization struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ServerAuthorizationSpec `json:"spec"`
}

// ServerAuthorizationSpec says which Servers, and whom they admit.
type ServerAuthorizationSpec struct {
	Server ServerSelection     `json:"server"`
	Client AuthorizationClient `json:"client"`
}

// ServerSelection names a Server of the same namespace, or selects some.
type ServerSelection struct {
	Name     string                `json:"name,omitempty"`
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// AuthorizationClient is who is admitted.
type AuthorizationClient struct {
	Unauthenticated bool           `json:"unauthenticated,omitempty"`
	MeshTLS         *ClientMeshTLS `json:"meshTLS,omitempty"`
}

// ClientMeshTLS admits meshed clients.
type ClientMeshTLS struct {
	UnauthenticatedTLS bool         `json:"unauthenticatedTLS,omitempty"`
	Identities         []string     `json:"identities,omitempty"`
	ServiceAccounts    []AccountRef `json:"serviceAccounts,omitempty"`
}

// ServerAuthorizationList is a page of them.
type ServerAuthorizationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []ServerAuthorization `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (s *Server) DeepCopyObject() runtime.Object { return copyOf(s) }

// DeepCopyObject makes a copy that shares nothing.
func (l *ServerList) DeepCopyObject() runtime.Object { return copyOf(l) }

// DeepCopyObject makes a copy that shares nothing.
func (a *AuthorizationPolicy) DeepCopyObject() runtime.Object { return copyOf(a) }

// DeepCopyObject makes a copy that shares nothing.
func (l *AuthorizationPolicyList) DeepCopyObject() runtime.Object { return copyOf(l) }

// DeepCopyObject makes a copy that shares nothing.
func (m *MeshTLSAuthentication) DeepCopyObject() runtime.Object { return copyOf(m) }

// DeepCopyObject makes a copy that shares nothing.
func (l *MeshTLSAuthenticationList) DeepCopyObject() runtime.Object { return copyOf(l) }

// DeepCopyObject makes a copy that shares nothing.
func (n *NetworkAuthentication) DeepCopyObject() runtime.Object { return copyOf(n) }

// DeepCopyObject makes a copy that shares nothing.
func (l *NetworkAuthenticationList) DeepCopyObject() runtime.Object { return copyOf(l) }

// DeepCopyObject makes a copy that shares nothing.
func (s *ServerAuthorization) DeepCopyObject() runtime.Object { return copyOf(s) }

// DeepCopyObject makes a copy that shares nothing.
func (l *ServerAuthorizationList) DeepCopyObject() runtime.Object { return copyOf(l) }

// DeepCopyObject makes a copy that shares nothing.
func (e *EgressNetwork) DeepCopyObject() runtime.Object { return copyOf(e) }

// DeepCopyObject makes a copy that shares nothing.
func (l *EgressNetworkList) DeepCopyObject() runtime.Object { return copyOf(l) }
