package kubernetes

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Pods are all of the cluster's.
var Pods = PodRow(resource.About{Name: "pods", File: "pods"}, resource.Belonging[*corev1.Pod]{})

// PodsResource is what API servers call pods, and the metrics API what they use.
const PodsResource = "pods"

// PodRow is a row of pods.
func PodRow(about resource.About, b resource.Belonging[*corev1.Pod]) *resource.Row[[]facts.Pod] {
	about.Kind, about.Resource, about.Versions = "Pod", PodsResource, []string{"v1"}
	return resource.Made[corev1.PodList](about, b, NewPodTrimmer, (*facts.Pod).Object)
}

// podTrimmer trims the pods of one list. There are many: what those of one workload have
// in common is kept once.
type podTrimmer struct {
	templates map[string]*facts.PodTemplate
	values    map[variable]string // of variables that are reduced: what was kept of them
	key       []byte
	// scratch is what is kept of the containers of one pod, and of their variables, until it is known whether
	// another pod has the same.
	scratch struct {
		containers []corev1.Container
		env        []corev1.EnvVar
		names      []string
	}
}

type variable struct{ name, value string }

// NewPodTrimmer makes the function that trims the pods of one list.
func NewPodTrimmer() func(*corev1.Pod) *facts.Pod {
	t := &podTrimmer{templates: map[string]*facts.PodTemplate{}, values: map[variable]string{}}
	return t.trim
}

// reduce is what may be kept of a variable. Reducing reads YAML: it is done once for equal ones.
func (t *podTrimmer) reduce(name, value string) string {
	reduce := reducer(name)
	if reduce == nil {
		return value
	}
	v := variable{name, value}
	reduced, ok := t.values[v]
	if !ok {
		reduced = reduce(value)
		t.values[v] = reduced
	}
	return reduced
}

// trim keeps of a pod the workload that it belongs to, the containers that
// are the meshes', and what tells whether and where it is reached.
func (t *podTrimmer) trim(o *corev1.Pod) *facts.Pod {
	p := facts.PodOf(o)
	p.Namespace, p.Node = resource.Once(p.Namespace), resource.Once(p.Node)
	p.Phase, p.Ready = resource.Once(p.Phase), resource.Once(p.Ready)
	p.Annotations = only((*Wanted).podAnnotation, p.Annotations)
	t.scratch.containers, t.scratch.env = t.scratch.containers[:0], t.scratch.env[:0]
	p.Containers = t.containers(p.Containers, (*Wanted).containers)
	p.InitContainers = t.containers(p.InitContainers, (*Wanted).initContainers)
	p.Volumes = slices.DeleteFunc(p.Volumes, func(v facts.Volume) bool { return !isWanted((*Wanted).volumes, v.Name) })
	if !wantsAccount(p.Labels) {
		p.ServiceAccount = ""
	}
	whole := p.Owner.Kind == "Job" && p.Phase == corev1.PodRunning // which of them has ended tells whether the job has
	p.Statuses = slices.DeleteFunc(p.Statuses, func(s facts.ContainerStatus) bool {
		if s.Init {
			return !isWanted((*Wanted).initContainers, s.Name)
		}
		return !whole && !isWanted((*Wanted).containers, s.Name)
	})
	for i := range p.Statuses {
		s := &p.Statuses[i]
		s.Name, s.Image, s.Waiting = resource.Once(s.Name), resource.Once(s.Image), resource.Once(s.Waiting)
		for _, e := range []*facts.Ended{s.Ended, s.Last} {
			if e != nil {
				e.Reason = resource.Once(e.Reason)
			}
		}
	}
	p.Statuses = slices.Clone(p.Statuses) // without room for those that were left out
	p.PodTemplate = t.shared(p.PodTemplate)
	return &p
}

// containers keeps of containers that a mesh wants the name, the image, the limit of memory and
// the variables.
func (t *podTrimmer) containers(containers []corev1.Container, names func(*Wanted) []string) []corev1.Container {
	first := len(t.scratch.containers)
	for i := range containers {
		c := &containers[i]
		if !isWanted(names, c.Name) {
			continue
		}
		trimmed := corev1.Container{Name: resource.Once(c.Name), Image: resource.Once(c.Image)}
		if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok {
			trimmed.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: limit}
		}
		variables := len(t.scratch.env)
		for i := range c.Env {
			e := &c.Env[i]
			if isWanted((*Wanted).env, e.Name) {
				t.scratch.env = append(t.scratch.env, corev1.EnvVar{Name: resource.Once(e.Name), Value: resource.Once(t.reduce(e.Name, e.Value))})
			}
		}
		trimmed.Env = t.scratch.env[variables:len(t.scratch.env):len(t.scratch.env)]
		t.scratch.containers = append(t.scratch.containers, trimmed)
	}
	return t.scratch.containers[first:len(t.scratch.containers):len(t.scratch.containers)]
}

// cloned are containers that stay when the scratch is used again; nil for none.
func cloned(containers []corev1.Container) []corev1.Container {
	if len(containers) == 0 {
		return nil
	}
	out := slices.Clone(containers)
	for i := range out {
		if len(out[i].Env) == 0 {
			out[i].Env = nil
		}
		out[i].Env = slices.Clone(out[i].Env)
	}
	return out
}

// shared is the template of the pods before that is equal to this one, or this one.
func (t *podTrimmer) shared(template *facts.PodTemplate) *facts.PodTemplate {
	t.key = strconv.AppendBool(t.key[:0], template.HostNetwork)
	t.write(template.Owner.Kind, template.Owner.Name, template.ServiceAccount)
	for _, m := range []map[string]string{template.Labels, template.Annotations} {
		t.write(strconv.Itoa(len(m)))
		t.scratch.names = slices.AppendSeq(t.scratch.names[:0], maps.Keys(m))
		slices.Sort(t.scratch.names)
		for _, k := range t.scratch.names {
			t.write(k, m[k])
		}
	}
	for _, containers := range [][]corev1.Container{template.Containers, template.InitContainers} {
		t.write(strconv.Itoa(len(containers)))
		for i := range containers {
			limit := ""
			if q, ok := containers[i].Resources.Limits[corev1.ResourceMemory]; ok {
				limit = q.String()
			}
			t.write(containers[i].Name, containers[i].Image, limit, strconv.Itoa(len(containers[i].Env)))
			for _, e := range containers[i].Env {
				t.write(e.Name, e.Value)
			}
		}
	}
	t.write(strconv.Itoa(len(template.Volumes)))
	for _, v := range template.Volumes {
		t.write(v.Name, v.Driver)
	}
	if same, ok := t.templates[string(t.key)]; ok {
		return same
	}
	template.Owner = facts.Owner{Kind: resource.Once(template.Owner.Kind), Name: resource.Once(template.Owner.Name)}
	template.Containers, template.InitContainers = cloned(template.Containers), cloned(template.InitContainers)
	template.Labels = resource.Shared(template.Labels)
	template.Annotations = resource.Shared(template.Annotations)
	t.templates[string(t.key)] = template
	return template
}

// write adds words to the key, each with its length before it, so that no others look the same.
func (t *podTrimmer) write(words ...string) {
	for _, w := range words {
		t.key = append(strconv.AppendInt(t.key, int64(len(w)), 10), ':')
		t.key = append(t.key, w...)
	}
}
