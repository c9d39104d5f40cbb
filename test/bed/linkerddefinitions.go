package bed

import "k8s.io/apimachinery/pkg/runtime"

// linkerdKinds are the resources of Linkerd that rules about it read, by group. The first of the
// versions is the stored one.
var linkerdKinds = []struct {
	group, kind, plural string
	versions            []string
}{
	{"multicluster.linkerd.io", "Link", "links", []string{"v1alpha3", "v1alpha2", "v1alpha1"}},
	{"policy.linkerd.io", "Server", "servers", []string{"v1beta3", "v1beta2", "v1beta1"}},
	{"policy.linkerd.io", "AuthorizationPolicy", "authorizationpolicies", []string{"v1alpha1"}},
	{"policy.linkerd.io", "MeshTLSAuthentication", "meshtlsauthentications", []string{"v1alpha1"}},
	{"policy.linkerd.io", "NetworkAuthentication", "networkauthentications", []string{"v1alpha1"}},
	{"policy.linkerd.io", "ServerAuthorization", "serverauthorizations", []string{"v1beta1", "v1alpha1"}},
	{"policy.linkerd.io", "EgressNetwork", "egressnetworks", []string{"v1alpha1"}},
	{"linkerd.io", "ServiceProfile", "serviceprofiles", []string{"v1alpha2", "v1alpha1"}},
	{"argoproj.io", "Application", "applications", []string{"v1alpha1"}},
}

// LinkerdDefinitions are the definitions of all custom resources that rules about Linkerd read. They
// let every content pass.
func LinkerdDefinitions() []runtime.Object {
	var objects []runtime.Object
	for _, k := range linkerdKinds {
		objects = append(objects, definition(k.group, k.kind, k.plural, "Namespaced", k.versions...))
	}
	return objects
}
