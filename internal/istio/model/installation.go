package model

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Installation is a Deployment of istiod in the system namespace of a cluster, with its pods.
type Installation struct {
	In         *Cluster
	Istiod     istio.Istiod
	Deployment *appsv1.Deployment
	// Pods are those that are there for good.
	Pods []*facts.Pod
	// Only: the cluster has no other one.
	Only bool
}

// Installations are those of the cluster, in the order of ControlPlanes. Gateways that copied
// the labels of istiod are none.
func (c *Cluster) Installations() []Installation {
	var out []Installation
	deployments := resources.Istiods.Of(c.Cluster).Value
	pods := c.istiodPods()
	for _, i := range c.Installed() {
		at := slices.IndexFunc(deployments, func(d appsv1.Deployment) bool { return d.Namespace == i.Namespace && d.Name == i.Name })
		if at < 0 {
			continue
		}
		d := &deployments[at]
		containers := d.Spec.Template.Spec.Containers
		if len(containers) > 0 && !slices.ContainsFunc(containers, func(k corev1.Container) bool { return k.Name == istio.DiscoveryContainer }) {
			continue
		}
		in := Installation{In: c, Istiod: i, Deployment: d}
		for _, p := range pods {
			if in.has(p) && Runs(p) {
				in.Pods = append(in.Pods, p)
			}
		}
		out = append(out, in)
	}
	for i := range out {
		out[i].Only = len(out) == 1
	}
	return out
}

// istiodPods are the pods of all istiods of the system namespace.
func (c *Cluster) istiodPods() []*facts.Pod {
	own := resources.IstiodPods.Of(c.Cluster)
	if !own.Known() {
		return slices.DeleteFunc(slices.Clone(c.PodsIn(c.SystemNamespace)), func(p *facts.Pod) bool { return p.Labels["app"] != "istiod" })
	}
	var out []*facts.Pod
	for i := range own.Value {
		out = append(out, &own.Value[i])
	}
	return out
}

func (i Installation) has(p *facts.Pod) bool {
	if p.Owner.Name != "" {
		w := istio.WorkloadOf(p)
		return w.Namespace == i.Deployment.Namespace && w.Name == i.Deployment.Name
	}
	return p.Labels[istio.LabelRevision] == i.Deployment.Labels[istio.LabelRevision]
}

// Object names the Deployment.
func (i Installation) Object() finding.Object {
	return finding.In("deployment", i.Deployment.Namespace, i.Deployment.Name)
}

// Wanted is how many replicas there are to be.
func (i Installation) Wanted() int {
	if i.Deployment.Spec.Replicas == nil {
		return 1
	}
	return int(*i.Deployment.Spec.Replicas)
}

// Ready is how many replicas are ready.
func (i Installation) Ready() int {
	n := 0
	for _, p := range i.Pods {
		if IstiodIsReady(p) {
			n++
		}
	}
	return n
}

// IstiodIsReady reports whether a pod of istiod is ready. In a manifest that says nothing of the
// pod its container tells.
func IstiodIsReady(p *facts.Pod) bool {
	s := p.Status(istio.DiscoveryContainer)
	return p.IsReady() || p.Ready == "" && s != nil && s.Ready
}

// Condition is one of the Deployment, by its type; nil where there is none.
func (i Installation) Condition(kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for k := range i.Deployment.Status.Conditions {
		if c := &i.Deployment.Status.Conditions[k]; c.Type == kind {
			return c
		}
	}
	return nil
}

// Since is for how long no replica may have been ready: the time since the newest pod was made,
// or, without pods, since the Deployment says so; 0 where nothing tells.
func (i Installation) Since() time.Duration {
	now := i.In.mesh.Fleet.At
	if len(i.Pods) == 0 {
		if c := i.Condition(appsv1.DeploymentAvailable); c != nil && c.Status == corev1.ConditionFalse {
			return now.Sub(c.LastTransitionTime.Time)
		}
		return 0
	}
	newest := i.Pods[0].Created
	for _, p := range i.Pods {
		if p.Created.After(newest) {
			newest = p.Created
		}
	}
	return now.Sub(newest)
}

// Proxies are the pods of a cluster whose proxies its control plane configures.
func (i Installation) Proxies() []*facts.Pod {
	var out []*facts.Pod
	for _, p := range i.In.ProxyPods() {
		by := i.In.ProgrammedBy(p)
		if len(by) == 1 && by[0].RunsIn == i.In && by[0].Istiod.Name == i.Istiod.Name {
			out = append(out, p) // of several revisions without a word of which, it is none's
		}
	}
	return out
}

// Namespaces are those whose pods the installation injects.
func (i Installation) Namespaces() []string {
	var out []string
	for k := range resources.Namespaces.Of(i.In.Cluster).Value {
		ns := &resources.Namespaces.Of(i.In.Cluster).Value[k]
		if _, _, asks := AsksForSidecars(ns); asks && slices.ContainsFunc(i.In.InjectorHooks(), func(h Hook) bool {
			return h.Takes(ns, nil) && i.Answers(h)
		}) {
			out = append(out, ns.Name)
		}
	}
	return finding.Distinct(out)
}

// Used reports whether anybody needs the installation: it is the only one, or injects a
// namespace, or configures proxies. One that nobody uses is left over, or not yet in use.
func (i Installation) Used() bool { return i.Only || len(i.Namespaces()) > 0 || len(i.Proxies()) > 0 }

// Answers reports whether the Service that a webhook calls is that of the installation.
func (i Installation) Answers(h Hook) bool {
	name, _, ok := h.Service()
	if !ok {
		return false
	}
	if s := i.In.Service(name.Namespace, name.Name); s != nil && len(i.Pods) > 0 {
		return slices.ContainsFunc(i.Pods, func(p *facts.Pod) bool { return facts.Selects(s.Spec.Selector, p.Labels) })
	}
	return name.Namespace == i.Istiod.Namespace && name.Name == ServiceOf(i.Istiod.Revision)
}

// ServiceOf is the name of the Service of a revision of istiod.
func ServiceOf(revision string) string {
	if revision == "" || revision == istio.DefaultRevision {
		return "istiod"
	}
	return "istiod-" + revision
}

// AnsweredBy is the installation that a webhook calls; false where there is none in the cluster.
func (c *Cluster) AnsweredBy(h Hook) (Installation, bool) {
	for _, i := range c.Installations() {
		if i.Answers(h) {
			return i, true
		}
	}
	return Installation{}, false
}
