package survey

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Every function here makes a new object of what rules read, rather than taking
// things out of the old one: what is not named here is not kept. Trimming a
// trimmed object changes nothing.

func trimMeta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	out := metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, Labels: m.Labels,
		CreationTimestamp: m.CreationTimestamp, DeletionTimestamp: m.DeletionTimestamp,
	}
	for _, f := range m.ManagedFields {
		out.ManagedFields = append(out.ManagedFields, metav1.ManagedFieldsEntry{Manager: f.Manager, Operation: f.Operation, Time: f.Time})
	}
	return out
}

// trimCASecret keeps what is public of a Secret with a CA, and of its private
// keys the fingerprints of the public halves.
func trimCASecret(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: trimMeta(&s.ObjectMeta), Type: s.Type, Data: map[string][]byte{}}
	for k, v := range s.Data {
		out.Data[k] = pki.Redact(v)
	}
	for k, v := range s.StringData { // only in manifests that people write
		out.Data[k] = pki.Redact([]byte(v))
	}
	return out
}

// trimConfigMap keeps the root of a ConfigMap istio-ca-root-cert. istiod
// writes there whatever root-cert.pem holds, a private key not excepted.
func trimConfigMap(c *corev1.ConfigMap) *corev1.ConfigMap {
	out := &corev1.ConfigMap{ObjectMeta: trimMeta(&c.ObjectMeta)}
	if v, ok := c.Data[istio.RootCertKey]; ok {
		out.Data = map[string]string{istio.RootCertKey: string(pki.Redact([]byte(v)))}
	}
	return out
}

func trimMeshConfig(c *corev1.ConfigMap) *corev1.ConfigMap {
	out := &corev1.ConfigMap{ObjectMeta: trimMeta(&c.ObjectMeta)}
	if v, ok := c.Data[istio.MeshConfigKey]; ok {
		out.Data = map[string]string{istio.MeshConfigKey: istio.ReduceMeshConfig(v, pki.Redact)}
	}
	if v, ok := c.Data[istio.MeshNetworksKey]; ok {
		if out.Data == nil {
			out.Data = map[string]string{}
		}
		out.Data[istio.MeshNetworksKey] = istio.ReduceMeshNetworks(v)
	}
	return out
}

func trimNamespace(n *corev1.Namespace) *corev1.Namespace {
	out := &corev1.Namespace{ObjectMeta: trimMeta(&n.ObjectMeta), Status: corev1.NamespaceStatus{Phase: n.Status.Phase}}
	out.UID, out.ManagedFields = n.UID, nil
	for k, v := range n.Annotations {
		if strings.HasPrefix(k, "topology.istio.io/") || k == istio.AnnotationTrafficDistribution {
			metav1.SetMetaDataAnnotation(&out.ObjectMeta, k, v)
		}
	}
	return out
}

func trimDeployment(d *appsv1.Deployment) *appsv1.Deployment {
	out := &appsv1.Deployment{ObjectMeta: trimMeta(&d.ObjectMeta)}
	out.ManagedFields = nil
	out.Spec.Template.Spec.Containers = trimContainers(istio.ReduceProxyConfig, d.Spec.Template.Spec.Containers, istio.DiscoveryEnv)
	for i, c := range out.Spec.Template.Spec.Containers {
		out.Spec.Template.Spec.Containers[i].Args = clusterAliases(d.Spec.Template.Spec.Containers[i].Args, c.Name)
	}
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.Name == istio.CACertsSecret { // of another kind only that it is one: its attributes can hold anything
			kept := corev1.Volume{Name: v.Name}
			if from := v.Secret; from != nil {
				kept.Secret = &corev1.SecretVolumeSource{SecretName: from.SecretName, Optional: from.Optional, DefaultMode: from.DefaultMode}
			}
			out.Spec.Template.Spec.Volumes = append(out.Spec.Template.Spec.Volumes, kept)
		}
	}
	out.Status = appsv1.DeploymentStatus{Replicas: d.Status.Replicas, ReadyReplicas: d.Status.ReadyReplicas}
	return out
}

// clusterAliases are the arguments of istiod that give clusters further names.
func clusterAliases(args []string, container string) []string {
	if container != istio.DiscoveryContainer {
		return nil
	}
	var out []string
	for i, arg := range args {
		switch {
		case strings.HasPrefix(arg, istio.ArgClusterAliases+"="):
			out = append(out, arg)
		case arg == istio.ArgClusterAliases && i+1 < len(args):
			out = append(out, arg, args[i+1])
		}
	}
	return out
}

func trimWebhook(w *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
	out := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: trimMeta(&w.ObjectMeta)}
	out.ManagedFields = nil
	for _, h := range w.Webhooks {
		kept := admissionv1.MutatingWebhook{Name: h.Name, ClientConfig: h.ClientConfig}
		if ca := h.ClientConfig.CABundle; ca != nil {
			kept.ClientConfig.CABundle = pki.Redact(ca)
		}
		out.Webhooks = append(out.Webhooks, kept)
	}
	return out
}

func trimReview(r *authorizationv1.SubjectAccessReview) *authorizationv1.SubjectAccessReview {
	return &authorizationv1.SubjectAccessReview{
		ObjectMeta: metav1.ObjectMeta{Name: r.Name}, // that a question was given here
		Spec:       authorizationv1.SubjectAccessReviewSpec{User: r.Spec.User, Groups: r.Spec.Groups, ResourceAttributes: r.Spec.ResourceAttributes},
		Status:     authorizationv1.SubjectAccessReviewStatus{Allowed: r.Status.Allowed, Denied: r.Status.Denied},
	}
}

// Trim reduces any object that the survey reads, as it would be on its arrival
// from a cluster; nil for one that no rule reads.
func Trim(o runtime.Object) runtime.Object {
	switch o := o.(type) {
	case *corev1.Secret:
		if o.Labels[istio.MultiClusterLabel] == "true" {
			return trimRemoteSecret(o)
		}
		if _, labelled := o.Labels[istio.MultiClusterLabel]; labelled || LooksRemote(&o.ObjectMeta, o.Namespace) {
			return trimLooseSecret(o)
		}
		if o.Name == istio.CACertsSecret || o.Name == istio.CASecret {
			return trimCASecret(o)
		}
	case *corev1.ConfigMap:
		if o.Name == istio.RootCertConfigMap {
			return trimConfigMap(o)
		}
		if istio.IsInjectorConfigMap(o.Name) {
			return trimInjector(o)
		}
		return trimMeshConfig(o)
	case *corev1.Namespace:
		return trimNamespace(o)
	case *appsv1.Deployment:
		return trimDeployment(o)
	case *corev1.Pod:
		return trimPod(o).Object()
	case *admissionv1.MutatingWebhookConfiguration:
		return trimWebhook(o)
	case *corev1.Service:
		return trimService(o)
	case *discoveryv1.EndpointSlice:
		return trimEndpointSlice(o)
	case *corev1.Node:
		return trimNode(o)
	case *api.PeerAuthentication:
		return trimPeerAuthentication(o)
	case *api.DestinationRule:
		return trimDestinationRule(o)
	case *api.Gateway:
		return trimGateway(o)
	case *api.KubernetesGateway:
		return trimKubernetesGateway(o)
	case *api.WorkloadEntry:
		return trimWorkloadEntry(o)
	case *api.ServiceEntry:
		return trimServiceEntry(o)
	case *api.VirtualService:
		return trimVirtualService(o)
	case *networkingv1.NetworkPolicy:
		return trimNetworkPolicy(o)
	case *corev1.Event:
		return trimEvent(o)
	case *api.Sidecar:
		return trimSidecar(o)
	case *api.AuthorizationPolicy:
		return trimAuthorizationPolicy(o)
	case *api.ServiceExport:
		return trimServiceExport(o)
	case *authorizationv1.SubjectAccessReview:
		return trimReview(o)
	}
	return nil
}
