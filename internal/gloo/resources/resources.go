// Package resources has the rows of the resource table that Gloo Mesh's rules read: its own kinds,
// those of Istio, which it drives, and those that every mesh reads. Of a cluster whose API server serves
// no group of Gloo Mesh nothing of its own kinds is asked.
package resources

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kubeconfig"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// The rows of others.
var (
	Namespaces = kubernetes.Namespaces
	Services   = kubernetes.Services
	Pods       = kubernetes.Pods
	Nodes      = kubernetes.Nodes

	CACerts        = istio.CACerts
	RootCert       = istio.RootCert
	IstiodPods     = istio.IstiodPods
	Istiods        = istio.Istiods
	ServiceEntries = istio.ServiceEntries
	Gateways       = istio.Gateways
	RemoteSecrets  = istio.RemoteSecrets
)

var v1 = []string{"v1"}

// Groups are the groups of Gloo Mesh that an API server serves. That there is one shows that the cluster
// has something of Gloo Mesh. Everybody who may log in may ask.
var Groups = resource.Grouped[api.GroupsList](resource.About{
	Name: "groups of Gloo Mesh", File: "gloo-groups", Kind: "GlooGroups", Group: "kubectl-mesh.dev", Resource: "gloogroups", Versions: v1,
	Path: "/apis", Filtered: true, Rare: true,
}, resource.Belonging[*api.Groups]{
	Belongs: func(_ *facts.Cluster, g *api.Groups) bool { return slices.ContainsFunc(g.Groups, isGloo) },
}, func(g *api.Groups) *api.Groups {
	out := &api.Groups{ObjectMeta: metav1.ObjectMeta{Name: "gloo-mesh"}}
	for _, group := range g.Groups {
		if isGloo(group) || group.Name == api.ClustersGroup {
			out.Groups = append(out.Groups, group)
		}
	}
	return out
}, func(g *api.Groups) []api.Group { return g.Groups }, func(groups []api.Group) []*api.Groups {
	if len(groups) == 0 {
		return nil
	}
	return []*api.Groups{{ObjectMeta: metav1.ObjectMeta{Name: "gloo-mesh"}, Groups: groups}}
})

// isGloo reports whether a group is one of Gloo Mesh. Gloo Edge has others, and shares the one of the
// registrations.
func isGloo(g api.Group) bool {
	return strings.HasSuffix(g.Name, "."+api.HubDomain) || strings.HasSuffix(g.Name, "."+api.MeshDomain) ||
		g.Name == api.AdminGroup || g.Name == api.InternalGroup
}

// Deployments are those of management planes and agents. They may come from the API server's cache.
var Deployments = resource.List[appsv1.DeploymentList](resource.About{
	Name: "deployments of Gloo Mesh", File: "gloo-deployments", Kind: "Deployment", Group: appsv1.GroupName, Resource: "deployments",
	Versions: v1, Labels: "app in (" + strings.Join(components(), ",") + ")", FromCache: true, Where: Groups, Rare: true,
}, resource.Belonging[*appsv1.Deployment]{
	Belongs: func(_ *facts.Cluster, d *appsv1.Deployment) bool { return isComponent(d) }, Shows: isComponent,
}, func(d *appsv1.Deployment) *appsv1.Deployment {
	out := &appsv1.Deployment{ObjectMeta: resource.OwnedMeta(&d.ObjectMeta)}
	out.Spec.Replicas = d.Spec.Replicas
	out.Spec.Template.Labels = d.Spec.Template.Labels
	for i := range d.Spec.Template.Spec.Containers {
		c := &d.Spec.Template.Spec.Containers[i]
		out.Spec.Template.Spec.Containers = append(out.Spec.Template.Spec.Containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	out.Status.Replicas, out.Status.ReadyReplicas, out.Status.AvailableReplicas = d.Status.Replicas, d.Status.ReadyReplicas,
		d.Status.AvailableReplicas
	return out
})

// components are the values of label app of the Deployments.
func components() []string {
	return append([]string{Discovery, Networking, EnterpriseNetworking, ManagementServer}, Agents...)
}

func isComponent(d *appsv1.Deployment) bool { return slices.Contains(components(), d.Labels["app"]) }

// TypeKubeconfig is the type of the Secrets with the kubeconfig of a cluster. The name of such a Secret is
// that of its cluster.
const TypeKubeconfig = "solo.io/kubeconfig"

// Kubeconfigs are those of the registered clusters.
var Kubeconfigs = resource.List[corev1.SecretList](resource.About{
	Name: "kubeconfigs of registered clusters", File: "gloo-kubeconfigs", Kind: "Secret", Resource: "secrets", Versions: v1,
	Fields: "type=" + TypeKubeconfig, Where: Groups, Rare: true,
}, resource.Belonging[*corev1.Secret]{
	Belongs: func(_ *facts.Cluster, s *corev1.Secret) bool { return s.Type == TypeKubeconfig },
	Shows:   func(s *corev1.Secret) bool { return s.Type == TypeKubeconfig },
}, func(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: resource.Meta(&s.ObjectMeta), Type: s.Type}
	kubeconfig.Keep(out, s)
	return out
})

// annotationRoot marks what is kept of a Secret with the root of a VirtualMesh: nothing else tells such a Secret from others.
const annotationRoot = "roots.kubectl-mesh.dev/of-virtualmesh"

// The keys of a Secret with the root of a VirtualMesh.
const (
	KeyRoot    = "root-cert.pem"
	KeyRootKey = "key.pem"
)

// RootSecrets are those with the roots that people gave to VirtualMeshes. They are read where a VirtualMesh names one.
var RootSecrets = resource.List[corev1.SecretList](resource.About{
	Name: "secrets with the roots of VirtualMeshes", File: "gloo-root-secrets", Kind: "Secret", Resource: "secrets", Versions: v1,
	Later: true,
}, resource.Belonging[*corev1.Secret]{
	Belongs: func(_ *facts.Cluster, s *corev1.Secret) bool { return isRoot(s) }, Shows: isRoot,
}, TrimRoot)

func isRoot(s *corev1.Secret) bool { return s.Annotations[annotationRoot] != "" }

// TrimRoot keeps of a Secret with a root the certificates, and of the private key the fingerprint of its public half.
func TrimRoot(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: resource.Meta(&s.ObjectMeta), Type: s.Type, Data: map[string][]byte{}}
	metav1.SetMetaDataAnnotation(&out.ObjectMeta, annotationRoot, "true")
	for _, key := range []string{KeyRoot, KeyRootKey} {
		if v, ok := s.Data[key]; ok {
			out.Data[key] = pki.Redact(v)
		}
	}
	return out
}

// LabelSidecar is the label of pods with a proxy of Istio; its value is "istio".
const LabelSidecar = "security.istio.io/tlsMode"

// Sidecars are pods with a proxy of Istio, in clusters with Gloo Mesh: a page of them.
var Sidecars = kubernetes.PodRow(resource.About{
	Name: "pods with a sidecar in clusters of Gloo Mesh", File: "gloo-pods-with-sidecar", Labels: LabelSidecar + "=istio", Where: Groups,
	Sample: 500,
}, resource.Belonging[*corev1.Pod]{
	Belongs: func(_ *facts.Cluster, p *corev1.Pod) bool { return p.Labels[LabelSidecar] == "istio" },
})

// own are the rows of Gloo Mesh itself, in the order in which a dump is written.
func own() resource.Set {
	out := resource.Set{Groups}
	for _, g := range Generations {
		for _, row := range g.rows() {
			out = resource.Join(out, row)
		}
	}
	return append(out, Deployments, Kubeconfigs)
}

// Own are the rows of Gloo Mesh itself.
var Own = own()

// The rows that are read together.
var (
	// Peers tell which other clusters a cluster leads to.
	Peers = resource.Set{Groups, KubernetesClusters, CommercialClusters, Kubeconfigs}
	// Planes is what tells of management planes, of what they manage and of what they say of it.
	Planes = resource.Join(Own, Namespaces)
	// Trust is what the rules about certificates read.
	Trust = resource.Join(Planes, CACerts, RootCert, IstiodPods, Sidecars, RootSecrets)
	// Federation is what the rules about gateways and about what is federated read.
	Federation = resource.Join(Planes, Services, Pods, Nodes, ServiceEntries, Gateways, EnvoyFilters)
	// ControlPlaneRules is what the rules about management planes and agents read.
	ControlPlaneRules = resource.Join(Planes, Istiods, ServiceEntries)
	// All are the rows in the order in which a dump is written.
	All = resource.Join(Trust, Federation, ControlPlaneRules)
)
