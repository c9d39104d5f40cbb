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
	configs   map[string]string // proxy configs, and what was kept of them
	key       []byte
}

func newPodTrimmer() *podTrimmer {
	return &podTrimmer{templates: map[string]*facts.PodTemplate{}, configs: map[string]string{}}
}

// reduce is istio.ReduceProxyConfig, which reads YAML, once for equal ones.
func (t *podTrimmer) reduce(config string) string {
	reduced, ok := t.configs[config]
	if !ok {
		reduced = istio.ReduceProxyConfig(config)
		t.configs[config] = reduced
	}
	return reduced
}

// trim keeps of a pod the workload that it belongs to, the containers that
// are the mesh's, and what tells whether and where it is reached.
func (t *podTrimmer) trim(o *corev1.Pod) *facts.Pod {
	p := facts.PodOf(o)
	p.Namespace, p.Node, p.Phase, p.Ready = once(p.Namespace), once(p.Node), once(p.Phase), once(p.Ready)
	p.Containers = trimContainers(t.reduce, p.Containers, podEnv, istio.ProxyContainer, istio.DiscoveryContainer)
	p.InitContainers = trimContainers(t.reduce, p.InitContainers, podEnv, istio.ProxyContainer)
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

// trimContainers keeps of containers with one of the names, or of all if there are none,
// the name, the image and the variables in env: an environment can hold anything. reduce is
// istio.ReduceProxyConfig.
func trimContainers(reduce func(string) string, containers []corev1.Container, env []string, names ...string) []corev1.Container {
	var out []corev1.Container
	for i := range containers {
		c := &containers[i]
		if len(names) > 0 && !slices.Contains(names, c.Name) {
			continue
		}
		trimmed := corev1.Container{Name: once(c.Name), Image: once(c.Image)}
		for i := range c.Env {
			e := &c.Env[i]
			if !slices.Contains(env, e.Name) {
				continue
			}
			value := e.Value
			if e.Name == istio.EnvProxyConfig { // it can hold tokens of tracers
				value = reduce(value)
			}
			trimmed.Env = append(trimmed.Env, corev1.EnvVar{Name: once(e.Name), Value: once(value)})
		}
		out = append(out, trimmed)
	}
	return out
}
