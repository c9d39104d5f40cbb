package survey

import (
	"maps"
	"slices"
	"strconv"
	"unique"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// trimPod trims one pod.
func trimPod(p *corev1.Pod) *facts.Pod { return newPodTrimmer().trim(p) }

// podTrimmer trims the pods of one list. There are many: what those of one workload have
// in common is kept once.
type podTrimmer struct {
	templates map[string]*facts.PodTemplate
	key       []byte
}

func newPodTrimmer() *podTrimmer { return &podTrimmer{templates: map[string]*facts.PodTemplate{}} }

// trim keeps of a pod the workload that it belongs to, the containers that
// are the mesh's, and what tells whether and where it is reached.
func (t *podTrimmer) trim(o *corev1.Pod) *facts.Pod {
	p := facts.PodOf(o)
	p.Namespace, p.Node, p.Phase, p.Ready = once(p.Namespace), once(p.Node), once(p.Phase), once(p.Ready)
	p.Containers = meshContainers(trimContainers(p.Containers, podEnv))
	p.InitContainers = slices.DeleteFunc(trimContainers(p.InitContainers, podEnv), func(c corev1.Container) bool { return c.Name != istio.ProxyContainer })
	if p.Labels["app"] != istio.ZtunnelName { // of others nobody asks
		p.ServiceAccount = ""
	}
	p.Statuses = slices.DeleteFunc(p.Statuses, func(s facts.ContainerStatus) bool { return !isMeshContainer(s.Name) })
	for i := range p.Statuses {
		p.Statuses[i].Name, p.Statuses[i].Image = once(p.Statuses[i].Name), once(p.Statuses[i].Image)
	}
	p.Statuses = slices.Clip(p.Statuses)
	p.PodTemplate = t.shared(p.PodTemplate)
	return &p
}

// shared is the template of the pods before that is equal to this one, or this one.
func (t *podTrimmer) shared(template *facts.PodTemplate) *facts.PodTemplate {
	t.key = strconv.AppendBool(t.key[:0], template.HostNetwork)
	t.write(template.Owner.Kind, template.Owner.Name, template.ServiceAccount, strconv.Itoa(len(template.Labels)))
	for _, k := range slices.Sorted(maps.Keys(template.Labels)) {
		t.write(k, template.Labels[k])
	}
	for _, containers := range [][]corev1.Container{template.Containers, template.InitContainers} {
		t.write(strconv.Itoa(len(containers)))
		for i := range containers {
			t.write(containers[i].Name, containers[i].Image, strconv.Itoa(len(containers[i].Env)))
			for _, e := range containers[i].Env {
				t.write(e.Name, e.Value)
			}
		}
	}
	if same, ok := t.templates[string(t.key)]; ok {
		return same
	}
	template.Owner = facts.Owner{Kind: once(template.Owner.Kind), Name: once(template.Owner.Name)}
	template.Labels = shared(template.Labels)
	t.templates[string(t.key)] = template
	return template
}

// podEnv are the environment variables that are kept of a pod.
var podEnv = slices.Concat(istio.DiscoveryEnv, istio.ProxyEnv)

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
func once[S ~string](s S) S { return unique.Make(s).Value() }

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
