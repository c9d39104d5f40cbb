// Package effects says what Istio makes of a change: which pods the injector gives, what
// istiod writes when it starts, and what istioctl prints. It is for package simulate, and
// holds only what is certain; of what depends on a cloud, on files of a person or on the
// workloads' own manifests, which nobody has read, it says so.
package effects

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// Istio is the simulate.Mesh of Istio.
type Istio struct{}

var _ simulate.Mesh = Istio{}

var done = simulate.Outcome{Kind: simulate.Done}

// Created has istiod write its root into a new namespace
// (pilot/pkg/serviceregistry/kube/controller/namespacecontroller.go).
func (Istio) Created(w *simulate.World, context string, o runtime.Object) {
	c := w.Cluster(context)
	root := resources.RootCert.Of(c)
	if ns, ok := o.(*corev1.Namespace); ok && root.State == facts.OK && root.Value != nil && !slices.Contains(ignoredNamespaces, ns.Name) {
		publish(c, ns.Name, root.Value.Data[istio.RootCertKey], w.Fleet())
	}
}

// Removed says what follows: a control plane writes its root again where it is gone, also in the remote
// clusters that it manages, and of another cluster nobody knows here whether it does.
func (Istio) Removed(_ *simulate.World, _ string, o runtime.Object) simulate.Outcome {
	if cm, ok := o.(*corev1.ConfigMap); ok && cm.Name == istio.RootCertConfigMap {
		return simulate.Uncertain.Because("a control plane has to write it again")
	}
	return done
}

// Restarted says what follows: an istiod reads its CA and writes its root when it starts; other pods go
// through the injector again.
func (Istio) Restarted(w *simulate.World, context string, of simulate.Workload, settings []simulate.Setting) simulate.Outcome {
	c := w.Cluster(context)
	if c == nil {
		return simulate.NotRead.Because("cluster " + context + " was not read")
	}
	at := w.Fleet().At
	if of.Kind == "deployment" && resources.Istiods.Of(c).State == facts.OK {
		deployments := resources.Istiods.Of(c).Value
		if i := slices.IndexFunc(deployments, func(d deployment) bool { return d.Namespace == of.Namespace && d.Name == of.Name }); i >= 0 {
			return restartIstiod(c, i, settings, w.Fleet())
		}
	}
	if resources.Pods.Of(c).State != facts.OK {
		return simulate.NotRead.Because("pods were not read")
	}
	pods := slices.Clone(resources.Pods.Of(c).Value)
	found := false
	for i := range pods {
		workload := istio.WorkloadOf(&pods[i])
		itself := of.Kind == "pod" && pods[i].Namespace == of.Namespace && pods[i].Name == of.Name
		if workload != istio.WorkloadRef(of) && !itself {
			continue
		}
		if itself && pods[i].Owner.Name == "" {
			return simulate.Uncertain.Because("nothing recreates the pod")
		}
		found = true
		p, result := recreated(c, &pods[i], settings)
		if result.Kind != simulate.Done {
			return result
		}
		p.Created, p.Started = at, at
		for k := range p.Statuses {
			s := &p.Statuses[k]
			*s = facts.ContainerStatus{Name: s.Name, Image: s.Image, Init: s.Init, Ready: s.Ready, Started: at}
		}
		pods[i] = *p
	}
	if !found {
		return simulate.NotRead.Because("no pod of it is among what was read")
	}
	resources.Pods.Set(c, facts.Read[[]facts.Pod]{State: facts.OK, Value: pods})
	return done
}

// recreated is a pod after it went through the injector again.
func recreated(c *facts.Cluster, p *facts.Pod, settings []simulate.Setting) (*facts.Pod, simulate.Outcome) {
	out := *p
	template := *p.PodTemplate
	template.Containers, template.InitContainers = slices.Clone(p.Containers), slices.Clone(p.InitContainers)
	out.PodTemplate, out.Statuses = &template, slices.Clone(p.Statuses)
	switch {
	case istio.HasProxy(&out):
		if result := inject(c, p, &out); result.Kind != simulate.Done {
			return nil, result
		}
	case p.HostNetwork || p.Labels["app"] == istio.ZtunnelName:
	case injects(c, p):
		template.Containers = append(template.Containers, corev1.Container{Name: istio.ProxyContainer})
		out.Labels = with(p.Labels, istio.LabelTLSMode, "istio")
		if result := inject(c, p, &out); result.Kind != simulate.Done {
			return nil, result
		}
	}
	for _, s := range settings {
		for _, containers := range [][]corev1.Container{template.Containers, template.InitContainers} {
			set(containers, s)
		}
	}
	return &out, done
}

// inject gives the proxy of a pod the network and the cluster that the injector writes now:
// those in the path of the webhook before those of its values, and a label of the workload
// before both (pkg/kube/inject/inject.go, extractClusterAndNetwork).
func inject(c *facts.Cluster, before, p *facts.Pod) simulate.Outcome {
	network, cluster, known := injected(c)
	if !known {
		return simulate.Uncertain.Because("the values of the injector were not read, or those of several differ")
	}
	old := istio.ProxyEnvOf(before)[istio.EnvProxyNetwork]
	label, labeled := before.Labels[istio.LabelNetwork]
	if labeled && label != old || label != "" && label != commonest(c) || !labeled && old != "" && old != network && old != commonest(c) {
		return simulate.Uncertain.Because("whether the workload sets its network itself was not read")
	}
	for _, s := range []simulate.Setting{
		{Container: istio.ProxyContainer, Name: istio.EnvProxyNetwork, Value: network, Remove: network == ""},
		{Container: istio.ProxyContainer, Name: istio.EnvProxyClusterID, Value: cluster, Remove: cluster == ""},
	} {
		set(p.Containers, s)
		set(p.InitContainers, s)
	}
	if network != "" && (labeled || istio.HasProxy(before)) {
		p.Labels = with(p.Labels, istio.LabelNetwork, network)
	}
	return done
}

// injected are the network and the cluster that new pods are given.
func injected(c *facts.Cluster) (network, cluster string, known bool) {
	istiods := istio.Istiods(c)
	for n, i := range istiods {
		values, ok := istio.InjectorValuesOf(c, i)
		if !ok || n > 0 && (values.Global.Network != network || values.Global.MultiCluster.ClusterName != cluster) {
			return "", "", false
		}
		network, cluster = values.Global.Network, values.Global.MultiCluster.ClusterName
	}
	if len(istiods) > 0 {
		return network, cluster, true
	}
	for _, path := range istio.InjectionPaths(c) {
		if strings.Contains(path, "/net/") {
			return istio.InjectedNetwork(path), istio.InjectedCluster(path), true
		}
	}
	return "", "", false
}

// commonest is the network that most proxies of a cluster were given.
func commonest(c *facts.Cluster) string {
	count, best := map[string]int{}, ""
	pods := resources.Pods.Of(c).Value
	for i := range pods {
		if istio.HasProxy(&pods[i]) {
			network := istio.ProxyEnvOf(&pods[i])[istio.EnvProxyNetwork]
			if count[network]++; count[network] > count[best] {
				best = network
			}
		}
	}
	return best
}

// injects reports whether the labels of a pod, or else of its namespace, ask for a sidecar.
func injects(c *facts.Cluster, p *facts.Pod) bool {
	switch p.Labels["sidecar.istio.io/inject"] {
	case "true":
		return true
	case "false":
		return false
	}
	for _, ns := range resources.Namespaces.Of(c).Value {
		if ns.Name == p.Namespace {
			return ns.Labels["istio-injection"] == "enabled" ||
				ns.Labels["istio-injection"] == "" && (ns.Labels[istio.LabelRevision] != "" || p.Labels[istio.LabelRevision] != "")
		}
	}
	return false
}

// set sets a variable of containers.
func set(containers []corev1.Container, s simulate.Setting) {
	for i := range containers {
		if s.Container != "" && containers[i].Name != s.Container {
			continue
		}
		env := slices.DeleteFunc(slices.Clone(containers[i].Env), func(e corev1.EnvVar) bool { return e.Name == s.Name })
		if !s.Remove {
			env = append(env, corev1.EnvVar{Name: s.Name, Value: s.Value})
		}
		containers[i].Env = env
	}
}

// with is a map with one more entry; the one that it is made of stays as it is.
func with(labels map[string]string, key, value string) map[string]string {
	m := metav1.ObjectMeta{}
	for k, v := range labels {
		metav1.SetMetaDataLabel(&m, k, v)
	}
	metav1.SetMetaDataLabel(&m, key, value)
	return m.Labels
}
