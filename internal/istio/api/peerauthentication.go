package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Modes of mutual TLS on the receiving side.
const (
	MTLSUnset      = "UNSET"
	MTLSDisable    = "DISABLE"
	MTLSPermissive = "PERMISSIVE"
	MTLSStrict     = "STRICT"
)

// PeerAuthentication says what workloads accept
// (https://istio.io/latest/docs/reference/config/security/peer_authentication/).
type PeerAuthentication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              PeerAuthenticationSpec `json:"spec"`
}

// PeerAuthenticationSpec is the part of it that rules read.
type PeerAuthenticationSpec struct {
	Selector      *WorkloadSelector    `json:"selector,omitempty"`
	MTLS          *MutualTLS           `json:"mtls,omitempty"`
	PortLevelMTLS map[string]MutualTLS `json:"portLevelMtls,omitempty"`
}

// MutualTLS is one of the modes; none is the same as UNSET.
type MutualTLS struct {
	Mode string `json:"mode,omitempty"`
}

// PeerAuthenticationList is a page of them.
type PeerAuthenticationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []PeerAuthentication `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (p *PeerAuthentication) DeepCopyObject() runtime.Object { return copyOf(p) }

// DeepCopyObject makes a copy that shares nothing.
func (l *PeerAuthenticationList) DeepCopyObject() runtime.Object { return copyOf(l) }
