package survey

import (
	"slices"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// trimPod keeps of a pod the workload that it belongs to, the containers that
// are the mesh's, and what tells whether and where it is reached. There are many
// pods: what is the same in most of them is kept once.
func trimPod(p *corev1.Pod) *corev1.Pod {
	out := &corev1.Pod{ObjectMeta: trimMeta(&p.ObjectMeta)}
	out.ManagedFields, out.Labels = nil, shared(p.Labels)
	out.Namespace = once(p.Namespace)
	if owner := metav1.GetControllerOf(p); owner != nil {
		out.OwnerReferences = []metav1.OwnerReference{{Kind: once(owner.Kind), Name: once(owner.Name), Controller: owner.Controller}}
	}
	keep := slices.Concat(istio.DiscoveryEnv, istio.ProxyEnv)
	out.Spec.Containers = meshContainers(trimContainers(p.Spec.Containers, keep))
	out.Spec.InitContainers = slices.DeleteFunc(trimContainers(p.Spec.InitContainers, keep), func(c corev1.Container) bool { return c.Name != istio.ProxyContainer })
	out.Spec.NodeName, out.Spec.HostNetwork = once(p.Spec.NodeName), p.Spec.HostNetwork
	if p.Labels["app"] == istio.ZtunnelName { // of others nobody asks
		out.Spec.ServiceAccountName = once(p.Spec.ServiceAccountName)
	}
	out.Status.Phase, out.Status.StartTime = p.Status.Phase, p.Status.StartTime
	out.Status.PodIP, out.Status.PodIPs = p.Status.PodIP, p.Status.PodIPs
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			out.Status.Conditions = []corev1.PodCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	for _, s := range p.Status.ContainerStatuses {
		if !isMeshContainer(s.Name) {
			continue
		}
		trimmed := corev1.ContainerStatus{Name: once(s.Name), Ready: s.Ready, RestartCount: s.RestartCount, Image: once(s.Image)}
		if s.State.Running != nil {
			trimmed.State.Running = &corev1.ContainerStateRunning{StartedAt: s.State.Running.StartedAt}
		}
		out.Status.ContainerStatuses = append(out.Status.ContainerStatuses, trimmed)
	}
	return out
}

func meshContainers(containers []corev1.Container) []corev1.Container {
	return slices.DeleteFunc(containers, func(c corev1.Container) bool { return !isMeshContainer(c.Name) })
}

func isMeshContainer(name string) bool {
	return name == istio.ProxyContainer || name == istio.DiscoveryContainer
}

// once keeps one copy of equal strings.
func once(s string) string { return unique.Make(s).Value() }

func shared(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[once(k)] = once(v)
	}
	return out
}

// trimContainers keeps the names, the images and the named variables: an
// environment can hold anything.
func trimContainers(containers []corev1.Container, env []string) []corev1.Container {
	var out []corev1.Container
	for _, c := range containers {
		trimmed := corev1.Container{Name: once(c.Name), Image: once(c.Image)}
		for _, e := range c.Env {
			if !slices.Contains(env, e.Name) {
				continue
			}
			value := e.Value
			if e.Name == istio.EnvProxyConfig { // it can hold tokens of tracers
				value = istio.ReduceProxyConfig(value)
			}
			trimmed.Env = append(trimmed.Env, corev1.EnvVar{Name: once(e.Name), Value: once(value)})
		}
		out = append(out, trimmed)
	}
	return out
}
