// Package resources has the rows of the resource table that Linkerd's rules read: its own
// kinds and, so that rules need one import, those that every mesh reads. Of a cluster without
// ConfigMap linkerd-config nothing else is asked.
package resources

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// The rows that every mesh reads.
var (
	Namespaces     = kubernetes.Namespaces
	Services       = kubernetes.Services
	EndpointSlices = kubernetes.EndpointSlices
	Pods           = kubernetes.Pods
	Nodes          = kubernetes.Nodes
	// MutatingWebhooks, ValidatingWebhooks and APIServices are what the API server calls: Linkerd's own
	// injector, and what others have in the mesh.
	MutatingWebhooks   = kubernetes.MutatingWebhooks
	ValidatingWebhooks = kubernetes.ValidatingWebhooks
	APIServices        = kubernetes.APIServices
	// NodeLeases tell the clocks of nodes.
	NodeLeases = kubernetes.Leases
)

// Clock is that of a node.
type Clock = kubernetes.Clock

// Clocks and MostClocks read them.
var (
	Clocks     = kubernetes.Clocks
	MostClocks = kubernetes.MostClocks
)

var v1 = []string{"v1"}

func byName(name string) string { return fields.OneTermEqualSelector("metadata.name", name).String() }

// configMaps is a row of the ConfigMaps of one name, of all namespaces.
func configMaps(file, name, selector string, trim func(*corev1.ConfigMap) *corev1.ConfigMap,
	where resource.Resource) *resource.Row[[]corev1.ConfigMap] {
	is := func(m *corev1.ConfigMap) bool { return m.Name == name }
	return resource.List[corev1.ConfigMapList](resource.About{
		Name: "configmaps " + name, File: file, Kind: "ConfigMap", Resource: "configmaps", Versions: v1, Fields: selector, Where: where,
	}, resource.Belonging[*corev1.ConfigMap]{
		Belongs: func(_ *facts.Cluster, m *corev1.ConfigMap) bool { return is(m) }, Shows: is,
	}, trim)
}

// keeping is a trim of ConfigMaps that keeps some keys.
func keeping(keys ...string) func(*corev1.ConfigMap) *corev1.ConfigMap {
	return func(c *corev1.ConfigMap) *corev1.ConfigMap {
		out := &corev1.ConfigMap{ObjectMeta: resource.Meta(&c.ObjectMeta)}
		for _, key := range keys {
			if v, ok := c.Data[key]; ok {
				if out.Data == nil {
					out.Data = map[string]string{}
				}
				out.Data[key] = string(pki.Redact([]byte(v)))
			}
		}
		return out
	}
}

// verbatim is a trim of ConfigMaps that keeps some keys as they are.
func verbatim(keys ...string) func(*corev1.ConfigMap) *corev1.ConfigMap {
	return func(c *corev1.ConfigMap) *corev1.ConfigMap {
		out := &corev1.ConfigMap{ObjectMeta: resource.BareMeta(&c.ObjectMeta)}
		for _, key := range keys {
			if v, ok := c.Data[key]; ok {
				if out.Data == nil {
					out.Data = map[string]string{}
				}
				out.Data[key] = v
			}
		}
		return out
	}
}

// Config are the ConfigMaps linkerd-config. That there is one shows that the cluster has Linkerd,
// and in which namespace.
var Config = configMaps("configmaps-linkerd-config", ConfigMapConfig, byName(ConfigMapConfig), trimConfig, nil)

// The other ConfigMaps.
var (
	// TrustRoots are the certificates that proxies trust.
	TrustRoots = configMaps("configmaps-linkerd-roots", ConfigMapRoots, byName(ConfigMapRoots), keeping(KeyRoots), Config)
	// RootCAs are the authorities of the API server.
	RootCAs = configMaps("configmaps-kube-root-ca", ConfigMapRootCA, byName(ConfigMapRootCA)+",metadata.namespace=kube-system",
		keeping(KeyRootCA), Config)
	// ArgoConfigs say how Argo CD knows what it owns.
	ArgoConfigs = configMaps("configmaps-argocd", ConfigMapArgo, byName(ConfigMapArgo),
		verbatim(KeyArgoLabel, KeyArgoTracking), Config)
	// CiliumConfigs say whether Cilium answers for Services before the proxy sees the connection.
	CiliumConfigs = configMaps("configmaps-cilium", ConfigMapCilium, byName(ConfigMapCilium),
		verbatim(KeyCiliumReplacement, KeyCiliumSocket, KeyCiliumHostOnly), Config)
)

// Keys of the ConfigMaps of others.
const (
	KeyArgoLabel         = "application.instanceLabelKey"
	KeyArgoTracking      = "application.resourceTrackingMethod"
	KeyCiliumReplacement = "kube-proxy-replacement"
	KeyCiliumSocket      = "bpf-lb-sock"
	KeyCiliumHostOnly    = "bpf-lb-sock-hostns-only"
)

// secrets is a row of Secrets.
func secrets(about resource.About, is func(*corev1.Secret) bool, trim func(*corev1.Secret) *corev1.Secret) *resource.Row[[]corev1.Secret] {
	about.Kind, about.Resource, about.Versions, about.Where = "Secret", "secrets", v1, Config
	return resource.List[corev1.SecretList](about, resource.Belonging[*corev1.Secret]{
		Belongs: func(_ *facts.Cluster, s *corev1.Secret) bool { return is(s) }, Shows: is,
	}, trim)
}

// The Secrets.
var (
	// Issuers are the certificates that sign those of the proxies.
	Issuers = secrets(resource.About{
		Name: "secrets " + SecretIssuer, File: "secrets-linkerd-issuer", Fields: byName(SecretIssuer),
	}, func(s *corev1.Secret) bool { return s.Name == SecretIssuer }, trimIssuer)
	// Credentials are kubeconfigs of other clusters: of each one there are two, in the namespace
	// of the Link and in that of the control plane.
	Credentials = secrets(resource.About{
		Name: "credentials of other clusters", File: "secrets-linkerd-credentials", Fields: "type=" + TypeCredentials,
	}, func(s *corev1.Secret) bool {
		return s.Type == TypeCredentials || strings.HasPrefix(s.Name, PrefixCredentials)
	}, trimCredentials)
	// Tokens are the Secrets of the accounts that other clusters use.
	Tokens = secrets(resource.About{
		Name: "tokens for other clusters", File: "secrets-linkerd-tokens", Labels: LabelExtension + "=" + ExtensionMulticluster,
		Filtered: true,
	}, func(s *corev1.Secret) bool {
		return s.Type == corev1.SecretTypeServiceAccountToken && s.Labels[LabelExtension] == ExtensionMulticluster
	}, trimToken)
)

// trimIssuer keeps what is public of the issuer, and of its key the fingerprint of the public half.
func trimIssuer(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: resource.Meta(&s.ObjectMeta), Type: s.Type, Data: map[string][]byte{}}
	for k, v := range s.Data {
		out.Data[k] = pki.Redact(v)
	}
	return out
}

// trimToken keeps whose token it is, and who signs for its API server.
func trimToken(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: resource.BareMeta(&s.ObjectMeta), Type: s.Type}
	for _, key := range []string{corev1.ServiceAccountNameKey, corev1.ServiceAccountUIDKey} {
		if v, ok := s.Annotations[key]; ok {
			metav1.SetMetaDataAnnotation(&out.ObjectMeta, key, v)
		}
	}
	if v, ok := s.Data[KeyRootCA]; ok {
		out.Data = map[string][]byte{KeyRootCA: pki.Redact(v)}
	}
	return out
}

// Deployments of the control plane, and of the multicluster extension.
var (
	ControlPlanes = deployments("deployments of the control plane", "deployments-linkerd", LabelComponent,
		func(d *appsv1.Deployment) bool { return d.Labels[LabelComponent] != "" })
	Extensions = deployments("deployments of the multicluster extension", "deployments-multicluster",
		LabelExtension+"="+ExtensionMulticluster,
		func(d *appsv1.Deployment) bool { return d.Labels[LabelExtension] == ExtensionMulticluster })
)

func deployments(name, file, selector string, is func(*appsv1.Deployment) bool) *resource.Row[[]appsv1.Deployment] {
	return resource.List[appsv1.DeploymentList](resource.About{
		Name: name, File: file, Kind: "Deployment", Group: appsv1.GroupName, Resource: "deployments", Versions: v1,
		Labels: selector, Where: Config,
	}, resource.Belonging[*appsv1.Deployment]{
		Belongs: func(_ *facts.Cluster, d *appsv1.Deployment) bool { return is(d) }, Shows: is,
	}, trimDeployment)
}

func trimDeployment(d *appsv1.Deployment) *appsv1.Deployment {
	out := &appsv1.Deployment{ObjectMeta: resource.OwnedMeta(&d.ObjectMeta)}
	out.Spec.Replicas, out.Spec.Selector = d.Spec.Replicas, d.Spec.Selector
	out.Spec.Template.Labels = d.Spec.Template.Labels
	if v, ok := d.Spec.Template.Annotations[AnnotationInject]; ok {
		out.Spec.Template.Annotations = map[string]string{AnnotationInject: v}
	}
	out.Spec.Template.Spec.ServiceAccountName = d.Spec.Template.Spec.ServiceAccountName
	for i := range d.Spec.Template.Spec.Containers {
		c := &d.Spec.Template.Spec.Containers[i]
		kept := corev1.Container{Name: c.Name, Image: c.Image}
		for _, arg := range c.Args {
			if keptArg(arg) {
				kept.Args = append(kept.Args, arg)
			}
		}
		out.Spec.Template.Spec.Containers = append(out.Spec.Template.Spec.Containers, kept)
	}
	out.Status.Replicas, out.Status.ReadyReplicas, out.Status.AvailableReplicas = d.Status.Replicas, d.Status.ReadyReplicas,
		d.Status.AvailableReplicas
	for _, c := range d.Status.Conditions {
		out.Status.Conditions = append(out.Status.Conditions, appsv1.DeploymentCondition{
			Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message,
		})
	}
	return out
}

// keptArg reports whether an argument of a controller is read: the program, the name of a Link, and a
// few flags.
func keptArg(arg string) bool {
	if !strings.HasPrefix(arg, "-") {
		return true
	}
	for _, flag := range []string{"-probe-service=", "-enable-headless-services", "-local-mirror", "-namespace=",
		"-enable-namespace-creation"} {
		if strings.HasPrefix(strings.Replace(arg, "--", "-", 1), flag) {
			return true
		}
	}
	return false
}

// Leases say which pod of a service mirror works.
var Leases = resource.List[coordinationv1.LeaseList](resource.About{
	Name: "leases of service mirrors", File: "linkerd-leases", Kind: "Lease", Group: coordinationv1.GroupName, Resource: "leases",
	Versions: v1, Fields: "metadata.namespace!=kube-node-lease", FromCache: true, Filtered: true, Where: Config,
}, resource.Belonging[*coordinationv1.Lease]{
	Belongs: func(_ *facts.Cluster, l *coordinationv1.Lease) bool { return isMirrorLease(l) }, Shows: isMirrorLease,
}, func(l *coordinationv1.Lease) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: resource.BareMeta(&l.ObjectMeta), Spec: coordinationv1.LeaseSpec{
		HolderIdentity: l.Spec.HolderIdentity, LeaseDurationSeconds: l.Spec.LeaseDurationSeconds, RenewTime: l.Spec.RenewTime,
	}}
})

func isMirrorLease(l *coordinationv1.Lease) bool {
	return l.Name == LeaseLocal || strings.HasPrefix(l.Name, LeasePrefix)
}

// MirrorEndpoints are the Endpoints that service mirrors write: those of mirrors, and of the
// Services by which gateways are probed.
var MirrorEndpoints = resource.List[corev1.EndpointsList](resource.About{
	Name: "endpoints of mirrors", File: "endpoints-mirrors", Kind: "Endpoints", Resource: "endpoints", Versions: v1,
	Labels: LabelCluster, Where: Config,
}, resource.Belonging[*corev1.Endpoints]{
	Belongs: func(_ *facts.Cluster, e *corev1.Endpoints) bool { return isMirrorEndpoints(e) }, Shows: isMirrorEndpoints,
}, trimEndpoints)

func isMirrorEndpoints(e *corev1.Endpoints) bool { return e.Labels[LabelCluster] != "" }

func trimEndpoints(e *corev1.Endpoints) *corev1.Endpoints {
	out := &corev1.Endpoints{ObjectMeta: resource.BareMeta(&e.ObjectMeta)}
	for _, key := range []string{AnnotationRemoteIdentity, AnnotationRemoteName} {
		if v, ok := e.Annotations[key]; ok {
			metav1.SetMetaDataAnnotation(&out.ObjectMeta, key, v)
		}
	}
	addresses := func(in []corev1.EndpointAddress) []corev1.EndpointAddress {
		var out []corev1.EndpointAddress
		for _, a := range in {
			out = append(out, corev1.EndpointAddress{IP: a.IP, Hostname: a.Hostname})
		}
		return out
	}
	for _, s := range e.Subsets {
		kept := corev1.EndpointSubset{Addresses: addresses(s.Addresses), NotReadyAddresses: addresses(s.NotReadyAddresses)}
		for _, p := range s.Ports {
			kept.Ports = append(kept.Ports, corev1.EndpointPort{Name: p.Name, Port: p.Port, Protocol: p.Protocol})
		}
		out.Subsets = append(out.Subsets, kept)
	}
	return out
}

// custom describes the custom resources of all namespaces; absent where their kind is not installed.
func custom(group, kind, resources, file string, versions ...string) resource.About {
	return resource.About{
		Name: resources + "." + group, File: file, Kind: kind, Title: kind + "." + group, Group: group, Resource: resources,
		Versions: versions, Where: Config,
	}
}

// The custom resources.
var (
	// Links lead to other clusters. All versions are served together, and older releases
	// have the older ones alone.
	Links = resource.All[api.LinkList](custom(api.MulticlusterGroup, "Link", "links", "links", "v1alpha3", "v1alpha2", "v1alpha1"),
		func(l *api.Link) *api.Link {
			out := &api.Link{ObjectMeta: resource.Meta(&l.ObjectMeta), Spec: l.Spec, Status: l.Status}
			if v, ok := l.Annotations[AnnotationCreatedBy]; ok {
				metav1.SetMetaDataAnnotation(&out.ObjectMeta, AnnotationCreatedBy, v)
			}
			return out
		})
	Servers = resource.All[api.ServerList](custom(api.PolicyGroup, "Server", "servers", "linkerd-servers", "v1beta3", "v1beta2", "v1beta1"),
		func(s *api.Server) *api.Server {
			return &api.Server{ObjectMeta: resource.OwnedMeta(&s.ObjectMeta), Spec: s.Spec}
		})
	AuthorizationPolicies = resource.All[api.AuthorizationPolicyList](
		custom(api.PolicyGroup, "AuthorizationPolicy", "authorizationpolicies", "linkerd-authorizationpolicies", "v1alpha1"),
		func(a *api.AuthorizationPolicy) *api.AuthorizationPolicy {
			return &api.AuthorizationPolicy{ObjectMeta: resource.OwnedMeta(&a.ObjectMeta), Spec: a.Spec}
		})
	MeshTLSAuthentications = resource.All[api.MeshTLSAuthenticationList](
		custom(api.PolicyGroup, "MeshTLSAuthentication", "meshtlsauthentications", "linkerd-meshtlsauthentications", "v1alpha1"),
		func(m *api.MeshTLSAuthentication) *api.MeshTLSAuthentication {
			return &api.MeshTLSAuthentication{ObjectMeta: resource.OwnedMeta(&m.ObjectMeta), Spec: m.Spec}
		})
	NetworkAuthentications = resource.All[api.NetworkAuthenticationList](
		custom(api.PolicyGroup, "NetworkAuthentication", "networkauthentications", "linkerd-networkauthentications", "v1alpha1"),
		func(n *api.NetworkAuthentication) *api.NetworkAuthentication {
			return &api.NetworkAuthentication{ObjectMeta: resource.OwnedMeta(&n.ObjectMeta), Spec: n.Spec}
		})
	ServerAuthorizations = resource.All[api.ServerAuthorizationList](
		rare(custom(api.PolicyGroup, "ServerAuthorization", "serverauthorizations", "linkerd-serverauthorizations", "v1beta1", "v1alpha1")),
		func(s *api.ServerAuthorization) *api.ServerAuthorization {
			return &api.ServerAuthorization{ObjectMeta: resource.OwnedMeta(&s.ObjectMeta), Spec: s.Spec}
		})
	ServiceProfiles = resource.All[api.ServiceProfileList](
		rare(custom(api.ProfileGroup, "ServiceProfile", "serviceprofiles", "linkerd-serviceprofiles", "v1alpha2", "v1alpha1")),
		func(s *api.ServiceProfile) *api.ServiceProfile {
			return &api.ServiceProfile{ObjectMeta: resource.OwnedMeta(&s.ObjectMeta), Spec: s.Spec}
		})
	// EgressNetworks only tell whether the kind is there: the newest of those that the control plane waits for.
	EgressNetworks = resource.All[api.EgressNetworkList](
		rare(custom(api.PolicyGroup, "EgressNetwork", "egressnetworks", "linkerd-egressnetworks", "v1alpha1")),
		func(e *api.EgressNetwork) *api.EgressNetwork {
			return &api.EgressNetwork{ObjectMeta: resource.BareMeta(&e.ObjectMeta)}
		})
	Applications = resource.All[api.ApplicationList](
		rare(custom(api.ArgoGroup, "Application", "applications", "argocd-applications", "v1alpha1")),
		func(a *api.Application) *api.Application {
			return &api.Application{ObjectMeta: resource.BareMeta(&a.ObjectMeta), Spec: a.Spec}
		},
	)
)

// rare is a row of a kind of which most clusters have no object.
func rare(about resource.About) resource.About {
	about.Rare = true
	return about
}

// Accounts, and what the accounts that other clusters use may do.
var (
	Accounts = resource.List[corev1.ServiceAccountList](resource.About{
		Name: "accounts of the multicluster extension", File: "serviceaccounts-multicluster", Kind: "ServiceAccount",
		Resource: "serviceaccounts", Versions: v1, Labels: LabelExtension + "=" + ExtensionMulticluster, Where: Config,
	}, resource.Belonging[*corev1.ServiceAccount]{
		Belongs: func(_ *facts.Cluster, s *corev1.ServiceAccount) bool { return isExtension(s.Labels) },
		Shows:   func(s *corev1.ServiceAccount) bool { return isExtension(s.Labels) },
	}, func(s *corev1.ServiceAccount) *corev1.ServiceAccount {
		out := &corev1.ServiceAccount{ObjectMeta: resource.BareMeta(&s.ObjectMeta)}
		out.UID = s.UID
		return out
	})
	ClusterRoles = resource.List[rbacv1.ClusterRoleList](resource.About{
		Name:     "cluster roles of the multicluster extension",
		File:     "clusterroles-multicluster",
		Kind:     "ClusterRole",
		Group:    rbacv1.GroupName,
		Resource: "clusterroles",
		Versions: v1,
		Labels:   LabelExtension + "=" + ExtensionMulticluster,
		Where:    Config,
	}, resource.Belonging[*rbacv1.ClusterRole]{
		Belongs: func(_ *facts.Cluster, r *rbacv1.ClusterRole) bool { return isExtension(r.Labels) },
		Shows:   func(r *rbacv1.ClusterRole) bool { return isExtension(r.Labels) },
	}, func(r *rbacv1.ClusterRole) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{ObjectMeta: resource.OwnedMeta(&r.ObjectMeta), Rules: r.Rules}
	})
	ClusterRoleBindings = resource.List[rbacv1.ClusterRoleBindingList](resource.About{
		Name: "bindings of accounts for other clusters", File: "clusterrolebindings-multicluster", Kind: "ClusterRoleBinding",
		Group: rbacv1.GroupName, Resource: "clusterrolebindings", Versions: v1, Filtered: true, FromCache: true, Where: Config,
	}, resource.Belonging[*rbacv1.ClusterRoleBinding]{
		Belongs: func(_ *facts.Cluster, b *rbacv1.ClusterRoleBinding) bool { return bindsAccounts(b) },
		Shows:   bindsAccounts,
	}, func(b *rbacv1.ClusterRoleBinding) *rbacv1.ClusterRoleBinding {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: resource.OwnedMeta(&b.ObjectMeta), RoleRef: b.RoleRef, Subjects: b.Subjects}
	})
)

func isExtension(labels map[string]string) bool {
	return labels[LabelExtension] == ExtensionMulticluster
}

// bindsAccounts reports whether a binding is one of those of the extension, or can be for one of
// its accounts: by name or for all accounts. The API server's own groups are left out.
func bindsAccounts(b *rbacv1.ClusterRoleBinding) bool {
	if isExtension(b.Labels) {
		return true
	}
	for _, s := range b.Subjects {
		switch {
		case s.Kind == rbacv1.ServiceAccountKind && strings.Contains(s.Name, "service-mirror"):
			return true
		case s.Kind == rbacv1.GroupKind && strings.HasPrefix(s.Name, "system:serviceaccounts"):
			return true
		}
	}
	return false
}

// InjectorSecrets are what the webhooks serve with that inject proxies.
var InjectorSecrets = secrets(resource.About{
	Name: "secrets " + SecretInjector, File: "secrets-linkerd-injector", Fields: byName(SecretInjector),
}, func(s *corev1.Secret) bool { return s.Name == SecretInjector }, trimIssuer)

// IdentityEvents say what linkerd-identity made of an issuer that changed (pkg/identity/service.go, Run).
var IdentityEvents = resource.List[corev1.EventList](resource.About{
	Name: "events of linkerd-identity", File: "events-linkerd-identity", Kind: "Event", Resource: "events", Versions: v1,
	Fields: "involvedObject.kind=Deployment,involvedObject.name=" + DeploymentIdentity, Sample: 100, Where: Config, Rare: true,
}, resource.Belonging[*corev1.Event]{
	Belongs: func(_ *facts.Cluster, e *corev1.Event) bool { return isOfIdentity(e) }, Shows: isOfIdentity,
}, func(e *corev1.Event) *corev1.Event {
	out := &corev1.Event{ObjectMeta: resource.BareMeta(&e.ObjectMeta), Type: e.Type, Reason: e.Reason, Message: e.Message}
	out.LastTimestamp = e.LastTimestamp
	out.InvolvedObject = corev1.ObjectReference{
		Kind: e.InvolvedObject.Kind, Namespace: e.InvolvedObject.Namespace, Name: e.InvolvedObject.Name,
	}
	if out.LastTimestamp.IsZero() { // events.k8s.io
		out.LastTimestamp.Time = e.EventTime.Time
	}
	return out
})

func isOfIdentity(e *corev1.Event) bool {
	return e.InvolvedObject.Kind == "Deployment" && e.InvolvedObject.Name == DeploymentIdentity
}

// DeploymentIdentity signs the certificates of proxies.
const DeploymentIdentity = "linkerd-identity"

// What linkerd-identity says of an issuer that changed, as reasons of events.
const (
	EventIssuerSkipped = "IssuerUpdateSkipped"
	EventIssuerUpdated = "IssuerUpdated"
)

// SecretInjector is the certificate that the proxy injector serves with.
const SecretInjector = "linkerd-proxy-injector-k8s-tls"

// IsInjector reports whether a webhook configuration is that of a proxy injector
// (charts/linkerd-control-plane/templates/proxy-injector-rbac.yaml).
func IsInjector(w *admissionv1.MutatingWebhookConfiguration) bool {
	return w.Labels[LabelComponent] == InjectorContainer
}

// All are the rows in the order in which a dump is written: an object that belongs to two of them is
// in the file of the first.
var All = resource.Set{
	Namespaces, Config, TrustRoots, RootCAs, ArgoConfigs, CiliumConfigs, Issuers, Credentials, Tokens, ControlPlanes, Extensions, Leases,
	Links, Services, MirrorEndpoints, EndpointSlices, Pods, Nodes, Servers, AuthorizationPolicies, MeshTLSAuthentications,
	NetworkAuthentications, ServerAuthorizations, ServiceProfiles, Applications, Accounts, ClusterRoles, ClusterRoleBindings,
	InjectorSecrets, IdentityEvents, EgressNetworks, MutatingWebhooks, ValidatingWebhooks, APIServices, NodeLeases,
}

// The rows that are read together.
var (
	// Peers tell which other clusters a cluster leads to.
	Peers = resource.Set{Config, Links, Credentials}
	// Linked is what tells which clusters are linked, and how.
	Linked = resource.Join(Peers, resource.Set{Namespaces, Tokens, RootCAs, Accounts, Services, Pods})
	// Trust is what the rules about certificates read.
	Trust = resource.Join(Linked, resource.Set{TrustRoots, Issuers, IdentityEvents})
	// gateways is what tells of gateways, and of what controllers made of Links.
	gateways = resource.Set{
		Extensions, Leases, MirrorEndpoints, Nodes, Servers, AuthorizationPolicies, MeshTLSAuthentications, NetworkAuthentications,
		ServerAuthorizations,
	}
	// Networks is what the rules about gateways read, and those about certificates.
	Networks = resource.Join(Trust, gateways, CiliumConfigs)
	// EndpointRules is what the rules about Links and mirrors read.
	EndpointRules = resource.Join(Linked, gateways, resource.Set{
		EndpointSlices, ServiceProfiles, ArgoConfigs, Applications, ClusterRoles, ClusterRoleBindings,
	})
	// Waited are the kinds of which the control plane needs to have read all objects before it gets ready, as far as they
	// are read here.
	Waited = resource.Set{
		Servers, AuthorizationPolicies, MeshTLSAuthentications, NetworkAuthentications, ServerAuthorizations, ServiceProfiles, EgressNetworks,
	}
	// ControlPlaneRules is what the rules about the control plane read.
	ControlPlaneRules = resource.Join(
		resource.Set{Config, Namespaces, Pods, ControlPlanes, InjectorSecrets, Services, EndpointSlices}, Waited,
		resource.Set{MutatingWebhooks, ValidatingWebhooks, APIServices, Nodes, NodeLeases},
	)
)

// What Linkerd's rules read of the kinds that every mesh reads.
func init() {
	kubernetes.Keep(kubernetes.Wanted{
		Containers:     []string{ProxyContainer, DestinationContainer, IdentityContainer, InjectorContainer},
		InitContainers: []string{ProxyContainer, ValidatorContainer},
		Env:            []string{EnvTrustAnchors, EnvLocalName, EnvDefaultPolicy, EnvRequireIdentity},
		Reduce: map[string]func(string) string{
			EnvTrustAnchors: func(v string) string { return string(pki.Redact([]byte(v))) },
		},
		ServiceAccount: func(labels map[string]string) bool { return labels[LabelControlPlaneNS] != "" },
		PodAnnotation: func(key string) bool {
			return key == AnnotationInject || key == AnnotationProxyVersion || strings.HasPrefix(key, "config.linkerd.io/")
		},
		NamespaceAnnotation: func(key string) bool {
			return key == AnnotationInject || strings.HasPrefix(key, "config.linkerd.io/")
		},
		ServiceAnnotation: func(key string) bool {
			switch domain, _, _ := strings.Cut(key, "/"); domain {
			case "mirror.linkerd.io", "multicluster.linkerd.io", "config.linkerd.io":
				return true
			}
			return false
		},
	})
}
