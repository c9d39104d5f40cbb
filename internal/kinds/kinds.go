// Package kinds knows the kinds of objects that are read, those of Kubernetes
// and the custom ones that the resource table adds: how they travel and how they are written down. It is client-go's
// kubernetes/scheme with what is needed of it, for a process that starts anew for each question.
package kinds

import (
	"sync"

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

// Scheme holds the kinds, and Codecs are those of it. They are made when
// something of a cluster or of a dump is first read: to make them takes longer than most of
// what a plugin does before.
var (
	Scheme = sync.OnceValue(func() *runtime.Scheme {
		scheme := runtime.NewScheme()
		metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
		for _, add := range []func(*runtime.Scheme) error{
			admissionv1.AddToScheme,
			appsv1.AddToScheme,
			authenticationv1.AddToScheme,
			authorizationv1.AddToScheme,
			coordinationv1.AddToScheme,
			corev1.AddToScheme,
			discoveryv1.AddToScheme,
			networkingv1.AddToScheme,
			rbacv1.AddToScheme,
		} {
			utilruntime.Must(add(scheme))
		}
		AddCustom(scheme)
		return scheme
	})
	Codecs = sync.OnceValue(func() serializer.CodecFactory { return serializer.NewCodecFactory(Scheme()) })
)

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
		}
	}
	custom = append(custom, add)
}

// AddCustom adds the custom kinds to another scheme.
func AddCustom(scheme *runtime.Scheme) {
	for _, add := range custom {
		add(scheme)
	}
}
