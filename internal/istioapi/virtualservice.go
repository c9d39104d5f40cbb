package istioapi

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// VirtualService says where requests go
// (https://istio.io/latest/docs/reference/config/networking/virtual-service/).
type VirtualService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              VirtualServiceSpec `json:"spec"`
}

// VirtualServiceSpec is the part of it that rules read.
type VirtualServiceSpec struct {
	Hosts    []string `json:"hosts,omitempty"`
	Gateways []string `json:"gateways,omitempty"`
	HTTP     []Route  `json:"http,omitempty"`
	TLS      []Route  `json:"tls,omitempty"`
	TCP      []Route  `json:"tcp,omitempty"`
}

// Route sends what matches to destinations; no match is all.
type Route struct {
	Match []RouteMatch       `json:"match,omitempty"`
	Route []RouteDestination `json:"route,omitempty"`
}

// RouteMatch is the part of a match that rules read; port 0 is every port.
type RouteMatch struct {
	Port uint32 `json:"port,omitempty"`
}

// RouteDestination is where requests go.
type RouteDestination struct {
	Destination Destination `json:"destination"`
}

// Destination is a port of a service; no port is the only one that it has.
type Destination struct {
	Host string        `json:"host,omitempty"`
	Port *PortSelector `json:"port,omitempty"`
}

// VirtualServiceList is a page of them.
type VirtualServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []VirtualService `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (v *VirtualService) DeepCopyObject() runtime.Object { return copyOf(v) }

// DeepCopyObject makes a copy that shares nothing.
func (l *VirtualServiceList) DeepCopyObject() runtime.Object { return copyOf(l) }
