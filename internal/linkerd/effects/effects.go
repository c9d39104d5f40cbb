// Package effects says what Linkerd makes of a change: what its injector gives to new pods, what its
// service mirrors write, and what its program prints. It is for package simulate, and holds only what is
// certain; of what depends on files of a person, or on what was not read, it says so.
package effects

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// Linkerd is the simulate.Mesh of Linkerd.
type Linkerd struct{}

var (
	_ simulate.Mesh    = Linkerd{}
	_ simulate.Settler = Linkerd{}
)

var done = simulate.Outcome{Kind: simulate.Done}

// Created says nothing: what service mirrors make of a new object Settle does.
func (Linkerd) Created(*simulate.World, string, runtime.Object) {}

// Removed says nothing for the same reason.
func (Linkerd) Removed(*simulate.World, string, runtime.Object) simulate.Outcome { return done }

// Restarted has the pods of a workload created again: what reads something when it starts has read it, and
// the injector has given them what it gives now.
func (Linkerd) Restarted(w *simulate.World, context string, of simulate.Workload, settings []simulate.Setting) simulate.Outcome {
	c := w.Cluster(context)
	switch {
	case c == nil:
		return simulate.NotRead.Because("cluster " + context + " was not read")
	case len(settings) > 0:
		return simulate.Uncertain.Because("what a variable of a workload does is not known here")
	case resources.Pods.Of(c).State != facts.OK:
		return simulate.NotRead.Because("pods were not read")
	}
	fleet := w.Fleet()
	m := model.New(fleet, model.Options{}).Cluster(context)
	pods := slices.Clone(resources.Pods.Of(c).Value)
	found := false
	for i := range pods {
		p := &pods[i]
		itself := of.Kind == "pod" && p.Namespace == of.Namespace && p.Name == of.Name
		if !itself && !isOf(p, of) {
			continue
		}
		if itself && p.Owner.Name == "" {
			return simulate.Uncertain.Because("nothing recreates the pod")
		}
		found = true
		fresh, result := recreated(m, p)
		if result.Kind != simulate.Done {
			return result
		}
		fresh.Created, fresh.Started = fleet.At, fleet.At
		for k := range fresh.Statuses {
			s := &fresh.Statuses[k]
			*s = facts.ContainerStatus{Name: s.Name, Image: s.Image, Init: s.Init, Ready: s.Ready, Started: fleet.At}
		}
		pods[i] = *fresh
	}
	if !found && !hasDeployment(c, of) {
		return simulate.NotRead.Because("no pod of it is among what was read")
	}
	resources.Pods.Edit(c).Value = pods
	renewed(c, m, of, fleet.At)
	return done
}

// isOf reports whether a pod is one of a workload. The hash of a template is at the end of the name of a
// ReplicaSet, also where no label has it.
func isOf(p *facts.Pod, of simulate.Workload) bool {
	w := model.WorkloadOf(p)
	if w.Kind == "replicaset" && of.Kind == "deployment" {
		w.Kind, w.Name = of.Kind, w.Name[:max(strings.LastIndexByte(w.Name, '-'), 0)]
	}
	return w.Kind == of.Kind && w.Namespace == of.Namespace && w.Name == of.Name
}

// renewed has a service mirror that starts take the Lease of its Link.
func renewed(c *facts.Cluster, m *model.Cluster, of simulate.Workload, at time.Time) {
	for _, l := range m.Links {
		if l.Lease == nil || !slices.ContainsFunc(l.Controllers, func(d *appsv1.Deployment) bool {
			return of.Kind == "deployment" && d.Namespace == of.Namespace && d.Name == of.Name
		}) {
			continue
		}
		all := slices.Clone(resources.Leases.Of(c).Value)
		for i := range all {
			if all[i].Namespace == l.Lease.Namespace && all[i].Name == l.Lease.Name {
				lease := all[i].DeepCopy()
				lease.Spec.RenewTime = &metav1.MicroTime{Time: at}
				all[i] = *lease
			}
		}
		resources.Leases.Edit(c).Value = all
	}
}

func hasDeployment(c *facts.Cluster, of simulate.Workload) bool {
	return of.Kind == "deployment" && slices.ContainsFunc(
		slices.Concat(resources.ControlPlanes.Of(c).Value, resources.Extensions.Of(c).Value),
		func(d appsv1.Deployment) bool { return d.Namespace == of.Namespace && d.Name == of.Name },
	)
}

// recreated is a pod after it went through the injector again.
func recreated(c *model.Cluster, p *facts.Pod) (*facts.Pod, simulate.Outcome) {
	out := *p
	template := *p.PodTemplate
	template.Containers, template.InitContainers = slices.Clone(p.Containers), slices.Clone(p.InitContainers)
	template.Annotations, template.Labels = maps.Clone(p.Annotations), maps.Clone(p.Labels)
	out.PodTemplate, out.Statuses = &template, slices.Clone(p.Statuses)
	if c == nil {
		return &out, done
	}
	if !model.Meshed(&out) && c.WantsProxy(p) {
		proxy, native := someProxy(c)
		if proxy == nil {
			return nil, simulate.Uncertain.Because("no pod shows what the injector gives")
		}
		if native {
			template.InitContainers = append(template.InitContainers, *proxy)
		} else {
			template.Containers = append(template.Containers, *proxy)
		}
	}
	if version := cmp.Or(p.Annotations[resources.AnnotationProxyChosen], c.Values.ProxyVersion()); model.Meshed(&out) && version != "" &&
		p.Labels[resources.LabelComponent] == "" {
		if template.Annotations == nil {
			template.Annotations = map[string]string{}
		}
		template.Annotations[resources.AnnotationProxyVersion] = version // pkg/inject/inject.go
	}
	if c.Roots == nil {
		return &out, done
	}
	roots := c.Roots.Data[resources.KeyRoots]
	for _, containers := range [][]corev1.Container{template.Containers, template.InitContainers} {
		for i := range containers {
			containers[i].Env = slices.Clone(containers[i].Env)
			for k := range containers[i].Env {
				if e := &containers[i].Env[k]; e.Name == resources.EnvTrustAnchors && e.Value != "" {
					e.Value = roots
				}
			}
		}
	}
	return &out, done
}

// someProxy is the proxy of some pod of a cluster, and whether it is one that starts before the others.
func someProxy(c *model.Cluster) (proxy *corev1.Container, native bool) {
	for _, p := range c.Pods() {
		for i := range p.InitContainers {
			if p.InitContainers[i].Name == resources.ProxyContainer {
				return p.InitContainers[i].DeepCopy(), true
			}
		}
		for i := range p.Containers {
			if p.Containers[i].Name == resources.ProxyContainer {
				return p.Containers[i].DeepCopy(), false
			}
		}
	}
	return nil, false
}

// Program is what linkerd multicluster link-gen prints; of other programs nothing is known.
func (Linkerd) Program(w *simulate.World, args []string) ([]byte, simulate.Outcome, bool) {
	if len(args) < 4 || args[0] != "linkerd" || args[2] != "multicluster" || args[3] != "link-gen" {
		return nil, simulate.Outcome{}, false
	}
	flags := map[string]string{}
	for _, arg := range args[1:] {
		if name, value, ok := strings.Cut(arg, "="); ok {
			flags[name] = value
		}
	}
	out, result := linkGen(w, flags)
	return out, result, true
}
