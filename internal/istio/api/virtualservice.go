package api

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
	ExportTo []string `json:"exportTo,omitempty"`
	HTTP     []Route  `json:"http,omitempty"`
	TCP      []Route  `json:"tcp,omitempty"`
	TLS      []Route  `json:"tls,omitempty"`
}

// Route sends what matches to destinations; no match is all.
type Route struct {
	Match    []RouteMatch       `json:"match,omitempty"`
	Route    []RouteDestination `json:"route,omitempty"`
	Mirror   *RouteTarget       `json:"mirror,omitempty"`
	Mirrors  []RouteDestination `json:"mirrors,omitempty"`
	Delegate *Delegate          `json:"delegate,omitempty"`
}

// Delegate is the VirtualService that says where the requests of a Route go.
type Delegate struct {
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// RouteMatch is the part of a match that rules read; port 0 is every port. Of most conditions
// only is kept that they are there.
type RouteMatch struct {
	Port            uint32            `json:"port,omitempty"`
	Gateways        []string          `json:"gateways,omitempty"`
	SourceLabels    map[string]string `json:"sourceLabels,omitempty"`
	SourceNamespace string            `json:"sourceNamespace,omitempty"`

	URI                *StringMatch         `json:"uri,omitempty"`
	Scheme             *Condition           `json:"scheme,omitempty"`
	Method             *Condition           `json:"method,omitempty"`
	Authority          *Condition           `json:"authority,omitempty"`
	Headers            map[string]Condition `json:"headers,omitempty"`
	WithoutHeaders     map[string]Condition `json:"withoutHeaders,omitempty"`
	QueryParams        map[string]Condition `json:"queryParams,omitempty"`
	SNIHosts           []string             `json:"sniHosts,omitempty"`
	DestinationSubnets []string             `json:"destinationSubnets,omitempty"`
}

// Condition is one of which only is kept that it is there.
type Condition struct{}

// StringMatch compares a text.
type StringMatch struct {
	Exact  string `json:"exact,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	Regex  string `json:"regex,omitempty"`
}

// TakesAll reports whether the match takes every request that comes by its port from its
// source (pilot/pkg/networking/core/route/route.go, IsCatchAllRoute).
func (m RouteMatch) TakesAll() bool {
	uri := m.URI == nil || m.URI.Prefix == "/" || m.URI.Regex == ".*" || m.URI.Regex == "*"
	return uri && m.Scheme == nil && m.Method == nil && m.Authority == nil &&
		len(m.Headers)+len(m.WithoutHeaders)+len(m.QueryParams)+len(m.SNIHosts)+len(m.DestinationSubnets) == 0
}

// RouteDestination is one of the targets of a Route.
type RouteDestination struct {
	Destination *RouteTarget `json:"destination,omitempty"`
	Weight      int32        `json:"weight,omitempty"`
}

// RouteTarget is a port of a service, or of a subset of it; no port is the only one that it has.
type RouteTarget struct {
	Host   string        `json:"host,omitempty"`
	Subset string        `json:"subset,omitempty"`
	Port   *PortSelector `json:"port,omitempty"`
}

// Targets are all services to which the VirtualService sends requests.
func (v *VirtualService) Targets() []RouteTarget {
	var out []RouteTarget
	add := func(t *RouteTarget) {
		if t != nil {
			out = append(out, *t)
		}
	}
	for _, routes := range [][]Route{v.Spec.HTTP, v.Spec.TCP, v.Spec.TLS} {
		for _, r := range routes {
			add(r.Mirror)
			for _, d := range r.Route {
				add(d.Destination)
			}
			for _, d := range r.Mirrors {
				add(d.Destination)
			}
		}
	}
	return out
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
