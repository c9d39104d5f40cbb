package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Link leads to another cluster, whose exported services a controller mirrors
// (https://linkerd.io/2/reference/multicluster/). It is a copy of what the other cluster had when
// it was made.
type Link struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              LinkSpec   `json:"spec"`
	Status            LinkStatus `json:"status,omitzero"`
}

// LinkSpec is what the service mirror goes by. All numbers in it are strings.
type LinkSpec struct {
	TargetClusterName             string `json:"targetClusterName,omitempty"`
	TargetClusterDomain           string `json:"targetClusterDomain,omitempty"`
	TargetClusterLinkerdNamespace string `json:"targetClusterLinkerdNamespace,omitempty"`
	ClusterCredentialsSecret      string `json:"clusterCredentialsSecret,omitempty"`
	// GatewayAddress is a list with commas; "" where the clusters share a flat network.
	GatewayAddress  string    `json:"gatewayAddress,omitempty"`
	GatewayPort     string    `json:"gatewayPort,omitempty"`
	GatewayIdentity string    `json:"gatewayIdentity,omitempty"`
	ProbeSpec       ProbeSpec `json:"probeSpec,omitzero"`
	// Of the three selectors one that is nil or empty selects nothing.
	Selector                 *metav1.LabelSelector `json:"selector,omitempty"`
	RemoteDiscoverySelector  *metav1.LabelSelector `json:"remoteDiscoverySelector,omitempty"`
	FederatedServiceSelector *metav1.LabelSelector `json:"federatedServiceSelector,omitempty"`
	ExcludedLabels           []string              `json:"excludedLabels,omitempty"`
	ExcludedAnnotations      []string              `json:"excludedAnnotations,omitempty"`
}

// ProbeSpec is how the gateway is probed.
type ProbeSpec struct {
	Path             string `json:"path,omitempty"`
	Port             string `json:"port,omitempty"`
	Period           string `json:"period,omitempty"`
	Timeout          string `json:"timeout,omitempty"`
	FailureThreshold string `json:"failureThreshold,omitempty"`
}

// LinkStatus says what became of each service when it was mirrored last.
type LinkStatus struct {
	MirrorServices    []ServiceStatus `json:"mirrorServices,omitempty"`
	FederatedServices []ServiceStatus `json:"federatedServices,omitempty"`
}

// ServiceStatus is about one service of the target.
type ServiceStatus struct {
	RemoteRef  ObjectRef         `json:"remoteRef"`
	Conditions []MirrorCondition `json:"conditions,omitempty"`
}

// ObjectRef names an object.
type ObjectRef struct {
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// MirrorCondition is a condition, with the object that was made.
type MirrorCondition struct {
	Type     string     `json:"type,omitempty"`
	Status   string     `json:"status,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Message  string     `json:"message,omitempty"`
	LocalRef *ObjectRef `json:"localRef,omitempty"`
}

// LinkList is a page of them.
type LinkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Link `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (l *Link) DeepCopyObject() runtime.Object { return copyOf(l) }

// DeepCopyObject makes a copy that shares nothing.
func (l *LinkList) DeepCopyObject() runtime.Object { return copyOf(l) }
