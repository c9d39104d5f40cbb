// Package kinds knows the kinds of objects that are read, those of Kubernetes
// and the custom ones that the resource table adds: how they travel and how they are written down. It is client-go's
// kubernetes/scheme with what is needed of it, for a process that starts anew for each question.
package kinds

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// Scheme holds the kinds; Codecs and ParameterCodec are those of it.
var (
	Scheme         = runtime.NewScheme()
	Codecs         = serializer.NewCodecFactory(Scheme)
	ParameterCodec = runtime.NewParameterCodec(Scheme)
)

func init() {
	metav1.AddToGroupVersion(Scheme, schema.GroupVersion{Version: "v1"})
	utilruntime.Must(admissionv1.AddToScheme(Scheme))
	utilruntime.Must(appsv1.AddToScheme(Scheme))
	utilruntime.Must(authenticationv1.AddToScheme(Scheme))
	utilruntime.Must(authorizationv1.AddToScheme(Scheme))
	utilruntime.Must(coordinationv1.AddToScheme(Scheme))
	utilruntime.Must(corev1.AddToScheme(Scheme))
	utilruntime.Must(discoveryv1.AddToScheme(Scheme))
	utilruntime.Must(networkingv1.AddToScheme(Scheme))
	utilruntime.Must(rbacv1.AddToScheme(Scheme))
}

// BuiltIn reports whether a group is one of Kubernetes' own, whose objects travel as protobuf.
func BuiltIn(group string) bool {
	return builtIn[group]
}

var builtIn = map[string]bool{
	corev1.GroupName:           true,
	appsv1.GroupName:           true,
	admissionv1.GroupName:      true,
	authenticationv1.GroupName: true,
	authorizationv1.GroupName:  true,
	coordinationv1.GroupName:   true,
	discoveryv1.GroupName:      true,
	networkingv1.GroupName:     true,
	rbacv1.GroupName:           true,
}

// custom are the kinds that were registered.
var custom []func(*runtime.Scheme)

// Register adds a custom kind in its versions; it is written in the first of them. Kinds
// are added while packages are initialised, and not later.
func Register(group string, versions []string, kind string, object, list runtime.Object) {
	add := func(scheme *runtime.Scheme) {
		for _, version := range versions {
			gv := schema.GroupVersion{Group: group, Version: version}
			scheme.AddKnownTypeWithName(gv.WithKind(kind), object)
			scheme.AddKnownTypeWithName(gv.WithKind(kind+"List"), list)
			metav1.AddToGroupVersion(scheme, gv)
		}
	}
	custom = append(custom, add)
	add(Scheme)
}

// AddCustom adds the custom kinds to another scheme.
func AddCustom(scheme *runtime.Scheme) {
	for _, add := range custom {
		add(scheme)
	}
}
