package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Classes of Kubernetes gateways that take part in a mesh of several networks.
const (
	ClassIstio    = "istio"           // a gateway of any kind
	ClassWaypoint = "istio-waypoint"  // what ambient workloads of one cluster go through
	ClassRemote   = "istio-remote"    // stands for a gateway elsewhere; nothing is deployed
	ClassEastWest = "istio-east-west" // the gateway of ambient networks
)

// KubernetesGateway is the Gateway of the Gateway API
// (https://gateway-api.sigs.k8s.io/reference/spec/#gateway).
type KubernetesGateway struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              KubernetesGatewaySpec   `json:"spec"`
	Status            KubernetesGatewayStatus `json:"status,omitzero"`
}

// KubernetesGatewaySpec is the part of it that rules read.
type KubernetesGatewaySpec struct {
	GatewayClassName string           `json:"gatewayClassName,omitempty"`
	Addresses        []GatewayAddress `json:"addresses,omitempty"`
	Listeners        []Listener       `json:"listeners,omitempty"`
}

// GatewayAddress is an address, of type IPAddress or Hostname; nil is no type.
type GatewayAddress struct {
	Type  *string `json:"type,omitempty"`
	Value string  `json:"value,omitempty"`
}

// Listener is one port of a KubernetesGateway.
type Listener struct {
	Name     string       `json:"name,omitempty"`
	Port     int32        `json:"port,omitempty"`
	Protocol string       `json:"protocol,omitempty"`
	TLS      *ListenerTLS `json:"tls,omitempty"`
}

// ListenerTLS is the part of a listener's TLS settings that rules read.
type ListenerTLS struct {
	Mode    string            `json:"mode,omitempty"`
	Options map[string]string `json:"options,omitempty"`
}

// KubernetesGatewayStatus is the part of the status that rules read.
type KubernetesGatewayStatus struct {
	Addresses  []GatewayAddress   `json:"addresses,omitempty"`
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// KubernetesGatewayList is a page of them.
type KubernetesGatewayList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []KubernetesGateway `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (g *KubernetesGateway) DeepCopyObject() runtime.Object { return copyOf(g) }

// DeepCopyObject makes a copy that shares nothing.
func (l *KubernetesGatewayList) DeepCopyObject() runtime.Object { return copyOf(l) }
