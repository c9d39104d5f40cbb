package model

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Namespace is that of a name; nil where there is none.
func (c *Cluster) Namespace(name string) *corev1.Namespace { return c.namespaces()[name] }

// NamespaceLabels are those of a namespace; nil where there is none.
func (c *Cluster) NamespaceLabels(name string) map[string]string {
	if ns := c.Namespace(name); ns != nil {
		return ns.Labels
	}
	return nil
}

// Service is that of a name; nil where there is none.
func (c *Cluster) Service(namespace, name string) *corev1.Service {
	return c.services()[istio.ObjectName{Namespace: namespace, Name: name}]
}

// ServicesByName are all Services. The map is not to be changed.
func (c *Cluster) ServicesByName() map[istio.ObjectName]*corev1.Service { return c.services() }

// Slices are the EndpointSlices of a Service. Where not all were read, those of the
// system namespace may have been.
func (c *Cluster) Slices(namespace, service string) []*discoveryv1.EndpointSlice {
	return c.endpointSlices()[istio.ObjectName{Namespace: namespace, Name: service}]
}

// Pod is that of a name; nil where there is none.
func (c *Cluster) Pod(namespace, name string) *facts.Pod {
	return c.pods()[istio.ObjectName{Namespace: namespace, Name: name}]
}

// PodsIn are the pods of a namespace.
func (c *Cluster) PodsIn(namespace string) []*facts.Pod { return c.podsIn()[namespace] }

// SelectedPods are the pods that run and that the selector of a Service takes.
func (c *Cluster) SelectedPods(s *corev1.Service) []*facts.Pod {
	var fewest []*facts.Pod // those with one of the labels: many rules ask for each of thousands of Services
	first := true
	for k, v := range s.Spec.Selector {
		if pods := c.podsWith()[label{s.Namespace, k, v}]; first || len(pods) < len(fewest) {
			fewest, first = pods, false
		}
	}
	var out []*facts.Pod
	for _, p := range fewest {
		if Runs(p) && facts.Selects(s.Spec.Selector, p.Labels) {
			out = append(out, p)
		}
	}
	return out
}

// label is one that pods of a namespace have.
type label struct{ namespace, key, value string }

// index prepares the indexes. Each is made when it is first asked for: large clusters
// have many pods, and most rules need one or two of them.
func (c *Cluster) index() {
	c.namespaces = sync.OnceValue(func() map[string]*corev1.Namespace {
		out := make(map[string]*corev1.Namespace, len(resources.Namespaces.Of(c.Cluster).Value))
		for i := range resources.Namespaces.Of(c.Cluster).Value {
			out[resources.Namespaces.Of(c.Cluster).Value[i].Name] = &resources.Namespaces.Of(c.Cluster).Value[i]
		}
		return out
	})
	c.services = sync.OnceValue(func() map[istio.ObjectName]*corev1.Service {
		out := make(map[istio.ObjectName]*corev1.Service, len(resources.Services.Of(c.Cluster).Value))
		for i := range resources.Services.Of(c.Cluster).Value {
			s := &resources.Services.Of(c.Cluster).Value[i]
			out[istio.ObjectName{Namespace: s.Namespace, Name: s.Name}] = s
		}
		return out
	})
	c.endpointSlices = sync.OnceValue(func() map[istio.ObjectName][]*discoveryv1.EndpointSlice {
		list := resources.EndpointSlices.Of(c.Cluster).Value
		if !resources.EndpointSlices.Of(c.Cluster).Known() {
			list = resources.SystemSlices.Of(c.Cluster).Value
		}
		out := make(map[istio.ObjectName][]*discoveryv1.EndpointSlice, len(list))
		for i := range list {
			if service := list[i].Labels[discoveryv1.LabelServiceName]; service != "" {
				name := istio.ObjectName{Namespace: list[i].Namespace, Name: service}
				out[name] = append(out[name], &list[i])
			}
		}
		return out
	})
	c.pods = sync.OnceValue(func() map[istio.ObjectName]*facts.Pod {
		out := make(map[istio.ObjectName]*facts.Pod, len(resources.Pods.Of(c.Cluster).Value))
		for i := range resources.Pods.Of(c.Cluster).Value {
			p := &resources.Pods.Of(c.Cluster).Value[i]
			out[istio.ObjectName{Namespace: p.Namespace, Name: p.Name}] = p
		}
		return out
	})
	c.podsIn = sync.OnceValue(func() map[string][]*facts.Pod {
		out := map[string][]*facts.Pod{}
		for i := range resources.Pods.Of(c.Cluster).Value {
			p := &resources.Pods.Of(c.Cluster).Value[i]
			out[p.Namespace] = append(out[p.Namespace], p)
		}
		return out
	})
	c.podsWith = sync.OnceValue(func() map[label][]*facts.Pod {
		out := map[label][]*facts.Pod{}
		for i := range resources.Pods.Of(c.Cluster).Value {
			p := &resources.Pods.Of(c.Cluster).Value[i]
			for k, v := range p.Labels {
				of := label{p.Namespace, k, v}
				out[of] = append(out[of], p)
			}
		}
		return out
	})
}
