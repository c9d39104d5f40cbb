package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TLSIstioMutual is the mode of a client that uses the certificates of the mesh.
const TLSIstioMutual = "ISTIO_MUTUAL"

// DestinationRule says how clients treat a service
// (https://istio.io/latest/docs/reference/config/networking/destination-rule/).
type DestinationRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              DestinationRuleSpec `json:"spec"`
}

// DestinationRuleSpec is the part of it that rules read.
type DestinationRuleSpec struct {
	Host             string            `json:"host,omitempty"`
	TrafficPolicy    *TrafficPolicy    `json:"trafficPolicy,omitempty"`
	Subsets          []Subset          `json:"subsets,omitempty"`
	ExportTo         []string          `json:"exportTo,omitempty"`
	WorkloadSelector *WorkloadSelector `json:"workloadSelector,omitempty"`
}

// Subset is some of the endpoints of a service.
type Subset struct {
	Name          string            `json:"name"`
	Labels        map[string]string `json:"labels,omitempty"`
	TrafficPolicy *TrafficPolicy    `json:"trafficPolicy,omitempty"`
}

// TrafficPolicy holds for a service, a subset or, within PortLevelSettings, a port.
type TrafficPolicy struct {
	LoadBalancer      *LoadBalancer       `json:"loadBalancer,omitempty"`
	OutlierDetection  *OutlierDetection   `json:"outlierDetection,omitempty"`
	TLS               *ClientTLS          `json:"tls,omitempty"`
	PortLevelSettings []PortTrafficPolicy `json:"portLevelSettings,omitempty"`
}

// PortTrafficPolicy is the traffic policy of one port of the service.
type PortTrafficPolicy struct {
	Port             *PortSelector     `json:"port,omitempty"`
	LoadBalancer     *LoadBalancer     `json:"loadBalancer,omitempty"`
	OutlierDetection *OutlierDetection `json:"outlierDetection,omitempty"`
	TLS              *ClientTLS        `json:"tls,omitempty"`
}

// PortSelector names a port of a service by its number.
type PortSelector struct {
	Number uint32 `json:"number,omitempty"`
}

// ClientTLS is how a client connects; no mode is DISABLE.
type ClientTLS struct {
	Mode string `json:"mode,omitempty"`
	SNI  string `json:"sni,omitempty"`
}

// OutlierDetection ejects endpoints that fail; that it is there at all turns
// failover between localities on.
type OutlierDetection struct {
	// Consecutive5xxErrors is how many answers of 5xx in a row eject; nil is Envoy's 5, 0 none.
	Consecutive5xxErrors *uint32 `json:"consecutive5xxErrors,omitempty"`
	// ConsecutiveGatewayErrors is the same for 502, 503 and 504 alone; nil is none.
	ConsecutiveGatewayErrors *uint32 `json:"consecutiveGatewayErrors,omitempty"`
	MinHealthPercent         int32   `json:"minHealthPercent,omitempty"`
}

// LoadBalancer is the part of the settings that ranks endpoints.
type LoadBalancer struct {
	LocalityLbSetting *LocalityLbSetting `json:"localityLbSetting,omitempty"`
}

// LocalityLbSetting prefers endpoints by where they are.
type LocalityLbSetting struct {
	Distribute       []Distribute `json:"distribute,omitempty"`
	Failover         []Failover   `json:"failover,omitempty"`
	FailoverPriority []string     `json:"failoverPriority,omitempty"`
	Enabled          *bool        `json:"enabled,omitempty"`
}

// Distribute gives localities shares of the traffic from one locality.
type Distribute struct {
	From string            `json:"from,omitempty"`
	To   map[string]uint32 `json:"to,omitempty"`
}

// Failover names the region that comes next to a region.
type Failover struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// DestinationRuleList is a page of them.
type DestinationRuleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []DestinationRule `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (d *DestinationRule) DeepCopyObject() runtime.Object { return copyOf(d) }

// DeepCopyObject makes a copy that shares nothing.
func (l *DestinationRuleList) DeepCopyObject() runtime.Object { return copyOf(l) }
