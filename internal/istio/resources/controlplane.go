package resources

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
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

// Proxies is a sample of the pods with a sidecar: a setting of the mesh shows in any few
// of them.
var Proxies = kubernetes.PodRow(resource.About{
	Name: "pods with a sidecar", File: "pods-with-sidecar", Labels: config.LabelTLSMode + "=istio", Sample: 50,
}, resource.Belonging[*corev1.Pod]{
	Belongs: func(_ *facts.Cluster, p *corev1.Pod) bool { return p.Labels[config.LabelTLSMode] == "istio" },
})

// Webhooks are the MutatingWebhookConfigurations labelled app=sidecar-injector.
var Webhooks = resource.List[admissionv1.MutatingWebhookConfigurationList](resource.About{
	Name: kubernetes.MutatingWebhookResource, File: kubernetes.MutatingWebhookResource, Kind: "MutatingWebhookConfiguration",
	Group: admissionv1.GroupName, Resource: kubernetes.MutatingWebhookResource, Versions: v1, Labels: config.InjectorSelector,
}, resource.Belonging[*admissionv1.MutatingWebhookConfiguration]{
	Belongs: func(_ *facts.Cluster, w *admissionv1.MutatingWebhookConfiguration) bool {
		return w.Labels["app"] == "sidecar-injector"
	},
}, kubernetes.TrimMutatingWebhook)

// ValidatingWebhooks are the ValidatingWebhookConfigurations of Istio's control planes. They
// may come from the API server's cache, as Istiods may.
var ValidatingWebhooks = resource.List[admissionv1.ValidatingWebhookConfigurationList](resource.About{
	Name: kubernetes.ValidatingWebhookResource, File: kubernetes.ValidatingWebhookResource, Kind: "ValidatingWebhookConfiguration",
	Group: admissionv1.GroupName, Resource: kubernetes.ValidatingWebhookResource, Versions: v1, Labels: config.IstiodSelector, FromCache: true,
}, resource.Belonging[*admissionv1.ValidatingWebhookConfiguration]{
	Belongs: func(_ *facts.Cluster, w *admissionv1.ValidatingWebhookConfiguration) bool {
		return w.Labels["app"] == "istiod"
	},
}, kubernetes.TrimValidatingWebhook)

// IstioCSRs are the Deployments of istio-csr, which signs in the place of istiod. They may
// come from the API server's cache.
var IstioCSRs = resource.List[appsv1.DeploymentList](resource.About{
	Name: "deployments of istio-csr", File: "deployments-istio-csr", Kind: "Deployment", Group: appsv1.GroupName,
	Resource: "deployments", Versions: v1, Labels: config.IstioCSRSelector, FromCache: true,
}, resource.Belonging[*appsv1.Deployment]{
	Belongs: func(_ *facts.Cluster, d *appsv1.Deployment) bool {
		return d.Labels["app.kubernetes.io/name"] == config.IstioCSRName
	},
}, trimDeployment)

func trimDeployment(d *appsv1.Deployment) *appsv1.Deployment {
	out := &appsv1.Deployment{ObjectMeta: resource.OwnedMeta(&d.ObjectMeta)}
	for i := range d.Spec.Template.Spec.Containers {
		out.Spec.Template.Spec.Containers = append(out.Spec.Template.Spec.Containers, trimContainer(&d.Spec.Template.Spec.Containers[i]))
	}
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.ConfigMap != nil && v.ConfigMap.Name == config.RootCertConfigMap { // the roots by which istiod may have to go
			out.Spec.Template.Spec.Volumes = append(out.Spec.Template.Spec.Volumes, corev1.Volume{Name: v.Name, VolumeSource: corev1.VolumeSource{
				ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: v.ConfigMap.Name}},
			}})
			continue
		}
		if v.Name == config.CACertsSecret { // of another kind only that it is one: its attributes can hold anything
			kept := corev1.Volume{Name: v.Name}
			if from := v.Secret; from != nil {
				kept.Secret = &corev1.SecretVolumeSource{SecretName: from.SecretName, Optional: from.Optional, DefaultMode: from.DefaultMode}
			}
			out.Spec.Template.Spec.Volumes = append(out.Spec.Template.Spec.Volumes, kept)
		}
	}
	out.Spec.Replicas = d.Spec.Replicas
	out.Status = appsv1.DeploymentStatus{
		Replicas: d.Status.Replicas, ReadyReplicas: d.Status.ReadyReplicas, UpdatedReplicas: d.Status.UpdatedReplicas,
	}
	for _, c := range d.Status.Conditions {
		out.Status.Conditions = append(out.Status.Conditions, appsv1.DeploymentCondition{
			Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message, LastTransitionTime: c.LastTransitionTime,
		})
	}
	return out
}

// trimContainer keeps of a container the name, the image, the limit of memory, istiod's variables,
// where it has its certificates from and the arguments that rules read.
func trimContainer(c *corev1.Container) corev1.Container {
	out := corev1.Container{Name: c.Name, Image: c.Image, Args: keptArguments(c.Args, c.Name)}
	if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok {
		out.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: limit}
	}
	for _, m := range c.VolumeMounts {
		if c.Name == config.DiscoveryContainer {
			out.VolumeMounts = append(out.VolumeMounts, corev1.VolumeMount{Name: m.Name, MountPath: m.MountPath, SubPath: m.SubPath})
		}
	}
	for _, e := range c.Env {
		if slices.Contains(config.DiscoveryEnv, e.Name) {
			out.Env = append(out.Env, corev1.EnvVar{Name: e.Name, Value: e.Value})
		}
	}
	return out
}

// keptArguments are the arguments of a container that rules read. Each has its value in it,
// or in the one that follows.
func keptArguments(args []string, container string) []string {
	var out []string
	for i, arg := range args {
		for _, name := range config.Arguments[container] {
			switch {
			case strings.HasPrefix(arg, name+"="):
				out = append(out, arg)
			case arg == name && i+1 < len(args):
				out = append(out, arg, args[i+1])
			}
		}
	}
	return out
}
