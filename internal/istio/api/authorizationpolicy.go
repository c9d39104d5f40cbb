package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ActionAllow is the action of an AuthorizationPolicy that lets in what a rule
// matches, and nothing else; no action is the same.
const ActionAllow = "ALLOW"

// AuthorizationPolicy says whose requests workloads take
// (https://istio.io/latest/docs/reference/config/security/authorization-policy/).
type AuthorizationPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              AuthorizationPolicySpec `json:"spec"`
}

// AuthorizationPolicySpec is the part of it that rules read: what a rule asks of
// the request itself, paths and claims, is dropped.
type AuthorizationPolicySpec struct {
	Selector *WorkloadSelector `json:"selector,omitempty"`
	// TargetRefs are the Services, waypoints and gateways that it is for, instead of a selector.
	TargetRefs []TargetRef         `json:"targetRefs,omitempty"`
	Action     string              `json:"action,omitempty"`
	Rules      []AuthorizationRule `json:"rules,omitempty"`
}

// TargetRef names an object of the policy's namespace, or a GatewayClass.
type TargetRef struct {
	Group string `json:"group,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Name  string `json:"name,omitempty"`
}

// AuthorizationRule matches requests; one without from matches those of everybody.
type AuthorizationRule struct {
	From []AuthorizationFrom `json:"from,omitempty"`
}

// AuthorizationFrom is one kind of client.
type AuthorizationFrom struct {
	Source *AuthorizationSource `json:"source,omitempty"`
}

// AuthorizationSource matches clients that all of its fields match.
type AuthorizationSource struct {
	Principals       []string `json:"principals,omitempty"`
	NotPrincipals    []string `json:"notPrincipals,omitempty"`
	Namespaces       []string `json:"namespaces,omitempty"`
	NotNamespaces    []string `json:"notNamespaces,omitempty"`
	IPBlocks         []string `json:"ipBlocks,omitempty"`
	NotIPBlocks      []string `json:"notIpBlocks,omitempty"`
	RemoteIPBlocks   []string `json:"remoteIpBlocks,omitempty"`
	RequestPrincipal []string `json:"requestPrincipals,omitempty"`
}

// AuthorizationPolicyList is a page of them.
type AuthorizationPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []AuthorizationPolicy `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (a *AuthorizationPolicy) DeepCopyObject() runtime.Object { return copyOf(a) }

// DeepCopyObject makes a copy that shares nothing.
func (l *AuthorizationPolicyList) DeepCopyObject() runtime.Object { return copyOf(l) }
