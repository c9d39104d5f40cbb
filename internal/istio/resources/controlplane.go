package resources

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Istiods are the Deployments labelled app=istiod, of all namespaces where the reader may
// list them, else of the system namespace. They may come from the API server's cache: what
// istiod runs with is behind its Deployment by a rollout anyway.
var Istiods = resource.List[appsv1.DeploymentList](resource.About{
	Name: "deployments", File: "deployments-istiod", Kind: "Deployment", Group: appsv1.GroupName, Resource: "deployments", Versions: v1,
	Scope: resource.ClusterElseSystem, Labels: config.IstiodSelector, FromCache: true,
}, resource.Belonging[*appsv1.Deployment]{
	Belongs: func(_ *facts.Cluster, d *appsv1.Deployment) bool { return d.Labels["app"] == "istiod" },
}, trimDeployment)

// IstiodPods are the pods labelled app=istiod of the system namespace.
var IstiodPods = kubernetes.PodRow(resource.About{
	Name: "pods of istiod", File: "pods-istiod", Scope: resource.System, Labels: config.IstiodSelector,
}, resource.Belonging[*corev1.Pod]{
	Belongs: func(c *facts.Cluster, p *corev1.Pod) bool {
		return p.Labels["app"] == "istiod" && p.Namespace == c.SystemNamespace
	},
})

// Proxies is a sample of the pods with a sidecar, read only where a rule needs it: a
// setting of the mesh shows in any few of them.
var Proxies = kubernetes.PodRow(resource.About{
	Name: "pods with a sidecar", File: "pods-with-sidecar", Labels: config.LabelTLSMode + "=istio", Sample: 50,
}, resource.Belonging[*corev1.Pod]{
	Belongs: func(_ *facts.Cluster, p *corev1.Pod) bool { return p.Labels[config.LabelTLSMode] == "istio" },
})

// Webhooks are the MutatingWebhookConfigurations labelled app=sidecar-injector.
var Webhooks = resource.List[admissionv1.MutatingWebhookConfigurationList](resource.About{
	Name: "mutatingwebhookconfigurations", File: "mutatingwebhookconfigurations", Kind: "MutatingWebhookConfiguration",
	Group: admissionv1.GroupName, Resource: "mutatingwebhookconfigurations", Versions: v1, Labels: config.InjectorSelector,
}, resource.Belonging[*admissionv1.MutatingWebhookConfiguration]{
	Belongs: func(_ *facts.Cluster, w *admissionv1.MutatingWebhookConfiguration) bool {
		return w.Labels["app"] == "sidecar-injector"
	},
}, trimWebhook)

func trimDeployment(d *appsv1.Deployment) *appsv1.Deployment {
	out := &appsv1.Deployment{ObjectMeta: resource.OwnedMeta(&d.ObjectMeta)}
	for i := range d.Spec.Template.Spec.Containers {
		out.Spec.Template.Spec.Containers = append(out.Spec.Template.Spec.Containers, trimContainer(&d.Spec.Template.Spec.Containers[i]))
	}
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.Name == config.CACertsSecret { // of another kind only that it is one: its attributes can hold anything
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

// trimContainer keeps of a container the name, the image, istiod's variables and the
// argument that gives clusters further names.
func trimContainer(c *corev1.Container) corev1.Container {
	out := corev1.Container{Name: c.Name, Image: c.Image, Args: clusterAliases(c.Args, c.Name)}
	for _, e := range c.Env {
		if slices.Contains(config.DiscoveryEnv, e.Name) {
			out.Env = append(out.Env, corev1.EnvVar{Name: e.Name, Value: e.Value})
		}
	}
	return out
}

// clusterAliases are the arguments of istiod that give clusters further names.
func clusterAliases(args []string, container string) []string {
	if container != config.DiscoveryContainer {
		return nil
	}
	var out []string
	for i, arg := range args {
		switch {
		case strings.HasPrefix(arg, config.ArgClusterAliases+"="):
			out = append(out, arg)
		case arg == config.ArgClusterAliases && i+1 < len(args):
			out = append(out, arg, args[i+1])
		}
	}
	return out
}

func trimWebhook(w *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
	out := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: resource.OwnedMeta(&w.ObjectMeta)}
	for _, h := range w.Webhooks {
		kept := admissionv1.MutatingWebhook{Name: h.Name, ClientConfig: h.ClientConfig}
		if ca := h.ClientConfig.CABundle; ca != nil {
			kept.ClientConfig.CABundle = pki.Redact(ca)
		}
		if url := h.ClientConfig.URL; url != nil {
			shown := serverurl.Shown(*url)
			kept.ClientConfig.URL = &shown
		}
		out.Webhooks = append(out.Webhooks, kept)
	}
	return out
}
