package survey

import (
	"maps"
	"slices"
	"strconv"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// trimPod trims one pod.
func trimPod(p *corev1.Pod) *corev1.Pod { return newPodTrimmer().trim(p) }

// podTrimmer trims the pods of one list. There are many: what is the same in those of one
// workload (labels, owners, containers with their environment) is kept once, in maps and
// slices that they share and that nobody changes.
type podTrimmer struct {
	labels     map[string]map[string]string
	containers map[string][]corev1.Container
	owners     map[metav1.OwnerReference][]metav1.OwnerReference
	ready      map[corev1.ConditionStatus][]corev1.PodCondition
	key        []byte
}

func newPodTrimmer() *podTrimmer {
	return &podTrimmer{
		labels: map[string]map[string]string{}, containers: map[string][]corev1.Container{},
		owners: map[metav1.OwnerReference][]metav1.OwnerReference{}, ready: map[corev1.ConditionStatus][]corev1.PodCondition{},
	}
}

// controller is the value of a reference's field of this name.
var controller = true

// trim keeps of a pod the workload that it belongs to, the containers that
// are the mesh's, and what tells whether and where it is reached.
func (t *podTrimmer) trim(p *corev1.Pod) *corev1.Pod {
	out := &corev1.Pod{ObjectMeta: trimMeta(&p.ObjectMeta)}
	out.ManagedFields, out.Labels = nil, t.sharedLabels(p.Labels)
	out.Namespace = once(p.Namespace)
	if owner := metav1.GetControllerOf(p); owner != nil {
		reference := metav1.OwnerReference{Kind: once(owner.Kind), Name: once(owner.Name), Controller: &controller}
		out.OwnerReferences = kept(t.owners, reference, func() []metav1.OwnerReference { return []metav1.OwnerReference{reference} })
	}
	out.Spec.Containers = t.sharedContainers(meshContainers(trimContainers(p.Spec.Containers, podEnv)))
	out.Spec.InitContainers = t.sharedContainers(slices.DeleteFunc(trimContainers(p.Spec.InitContainers, podEnv), func(c corev1.Container) bool { return c.Name != istio.ProxyContainer }))
	out.Spec.NodeName, out.Spec.HostNetwork = once(p.Spec.NodeName), p.Spec.HostNetwork
	if p.Labels["app"] == istio.ZtunnelName { // of others nobody asks
		out.Spec.ServiceAccountName = once(p.Spec.ServiceAccountName)
	}
	out.Status.Phase, out.Status.StartTime = p.Status.Phase, p.Status.StartTime
	out.Status.PodIP, out.Status.PodIPs = p.Status.PodIP, p.Status.PodIPs
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			out.Status.Conditions = kept(t.ready, c.Status, func() []corev1.PodCondition {
				return []corev1.PodCondition{{Type: c.Type, Status: c.Status}}
			})
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

// podEnv are the environment variables that are kept of a pod.
var podEnv = slices.Concat(istio.DiscoveryEnv, istio.ProxyEnv)

// kept is the value for a key, made when it is asked for first.
func kept[K comparable, V any](values map[K]V, key K, value func() V) V {
	v, ok := values[key]
	if !ok {
		v = value()
		values[key] = v
	}
	return v
}

func (t *podTrimmer) sharedLabels(labels map[string]string) map[string]string {
	if labels == nil {
		return nil
	}
	t.key = t.key[:0]
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		t.write(k, labels[k])
	}
	if same, ok := t.labels[string(t.key)]; ok {
		return same
	}
	out := shared(labels)
	t.labels[string(t.key)] = out
	return out
}

func (t *podTrimmer) sharedContainers(containers []corev1.Container) []corev1.Container {
	if len(containers) == 0 {
		return nil
	}
	t.key = t.key[:0]
	for i := range containers {
		t.write(containers[i].Name, containers[i].Image, strconv.Itoa(len(containers[i].Env)))
		for _, e := range containers[i].Env {
			t.write(e.Name, e.Value)
		}
	}
	if same, ok := t.containers[string(t.key)]; ok {
		return same
	}
	t.containers[string(t.key)] = containers
	return containers
}

// write adds words to the key, each with its length before it, so that no others look the same.
func (t *podTrimmer) write(words ...string) {
	for _, w := range words {
		t.key = append(strconv.AppendInt(t.key, int64(len(w)), 10), ':')
		t.key = append(t.key, w...)
	}
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
