package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Gateway is Istio's own kind of gateway: what the proxies that it selects listen to
// (https://istio.io/latest/docs/reference/config/networking/gateway/).
type Gateway struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              GatewaySpec `json:"spec"`
}

// GatewaySpec is the part of it that rules read.
type GatewaySpec struct {
	Selector map[string]string `json:"selector,omitempty"`
	Servers  []Server          `json:"servers,omitempty"`
}

// Server is one listener of a Gateway.
type Server struct {
	Port  *ServerPort `json:"port,omitempty"`
	Hosts []string    `json:"hosts,omitempty"`
	Bind  string      `json:"bind,omitempty"` // the address to listen on; "" for all
	TLS   *ServerTLS  `json:"tls,omitempty"`
}

// ServerPort is the port of a Server.
type ServerPort struct {
	Number   uint32 `json:"number,omitempty"`
	Name     string `json:"name,omitempty"`
	Protocol string `json:"protocol,omitempty"`
}

// ServerTLS is the part of a Server's TLS settings that rules read.
type ServerTLS struct {
	Mode string `json:"mode,omitempty"`
}

// GatewayList is a page of them.
type GatewayList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Gateway `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (g *Gateway) DeepCopyObject() runtime.Object { return copyOf(g) }

// DeepCopyObject makes a copy that shares nothing.
func (l *GatewayList) DeepCopyObject() runtime.Object { return copyOf(l) }
