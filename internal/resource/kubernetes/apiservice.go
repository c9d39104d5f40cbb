package kubernetes

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// APIService is an API group that the API server has served by a Service of the cluster, or,
// without a Service, serves itself
// (https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/api-service-v1/).
type APIService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              APIServiceSpec `json:"spec"`
}

// APIServiceSpec is the part of it that rules read.
type APIServiceSpec struct {
	Group   string            `json:"group,omitempty"`
	Version string            `json:"version,omitempty"`
	Service *ServiceReference `json:"service,omitempty"`
}

// ServiceReference names a port of a Service; no port is 443.
type ServiceReference struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Port      *int32 `json:"port,omitempty"`
}

// APIServiceList is a page of them.
type APIServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []APIService `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (a *APIService) DeepCopyObject() runtime.Object {
	out := &APIService{TypeMeta: a.TypeMeta, ObjectMeta: *a.DeepCopy(), Spec: a.Spec}
	if from := a.Spec.Service; from != nil {
		service := *from
		if from.Port != nil {
			port := *from.Port
			service.Port = &port
		}
		out.Spec.Service = &service
	}
	return out
}

// DeepCopyObject makes a copy that shares nothing.
func (l *APIServiceList) DeepCopyObject() runtime.Object {
	out := &APIServiceList{TypeMeta: l.TypeMeta, ListMeta: *l.DeepCopy()}
	for i := range l.Items {
		if item, ok := l.Items[i].DeepCopyObject().(*APIService); ok {
			out.Items = append(out.Items, *item)
		}
	}
	return out
}

// APIServices are the API groups that the API server has served by Services. They may come
// from its cache: somebody installs them.
var APIServices = resource.All[APIServiceList](resource.About{
	Name: "apiservices", File: "apiservices", Kind: "APIService", Group: "apiregistration.k8s.io", Resource: "apiservices", Versions: v1,
	FromCache: true,
}, func(a *APIService) *APIService {
	return &APIService{ObjectMeta: resource.BareMeta(&a.ObjectMeta), Spec: a.Spec}
})
