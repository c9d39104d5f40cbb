package effects

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

type deployment = appsv1.Deployment

// ignoredNamespaces get no ConfigMap from istiod
// (pilot/pkg/serviceregistry/kube/controller/namespacecontroller.go).
var ignoredNamespaces = []string{"kube-public", "kube-node-lease", "local-path-storage"}

// restartIstiod has a control plane start again, with some settings changed: its pods have
// what the Deployment says, and the root of its CA is in all namespaces.
func restartIstiod(c *facts.Cluster, at int, settings []simulate.Setting, fleet *facts.Fleet) simulate.Outcome {
	deployments := slices.Clone(resources.Istiods.Of(c).Value)
	d := deployments[at].DeepCopy()
	for _, s := range settings {
		set(d.Spec.Template.Spec.Containers, s)
	}
	deployments[at] = *d
	resources.Istiods.Set(c, facts.Read[[]appsv1.Deployment]{State: facts.OK, Value: deployments})
	resources.IstiodPods.Set(c, restarted(resources.IstiodPods.Of(c), d, fleet))
	resources.Pods.Set(c, restarted(resources.Pods.Of(c), d, fleet))
	if d.Namespace != c.SystemNamespace {
		return done
	}
	root, result := rootOf(c, d)
	if root == "" || result.Kind != simulate.Done {
		return result
	}
	for _, ns := range resources.Namespaces.Of(c).Value {
		if !slices.Contains(ignoredNamespaces, ns.Name) && sees(c, &ns) {
			publish(c, ns.Name, root, fleet)
		}
	}
	return done
}

// sees reports whether any control plane of a cluster gives a namespace its root.
func sees(c *facts.Cluster, ns *corev1.Namespace) bool {
	meshes, _ := istio.MeshConfigs(c)
	return len(meshes) == 0 || slices.ContainsFunc(meshes, func(mesh istio.MeshConfig) bool { return mesh.Selects(ns.Labels) })
}

// restarted are pods of which those of a Deployment are new ones.
func restarted(r facts.Read[[]facts.Pod], d *appsv1.Deployment, fleet *facts.Fleet) facts.Read[[]facts.Pod] {
	if r.State != facts.OK {
		return r
	}
	r.Value = slices.Clone(r.Value)
	for i := range r.Value {
		p := &r.Value[i]
		if p.Namespace != d.Namespace || p.Labels["app"] != "istiod" ||
			p.Owner.Name != "" && istio.WorkloadOf(p).Name != d.Name {
			continue
		}
		template := *p.PodTemplate
		template.Containers = slices.Clone(d.Spec.Template.Spec.Containers)
		p.PodTemplate = &template
		p.Created, p.Started, p.Statuses = fleet.At, fleet.At, slices.Clone(p.Statuses)
		for k := range p.Statuses {
			s := &p.Statuses[k]
			*s = facts.ContainerStatus{Name: s.Name, Image: s.Image, Init: s.Init, Ready: s.Ready, Started: fleet.At}
		}
	}
	return r
}

// rootOf is the root that an istiod publishes when it starts; "" where it publishes none, or
// another one does. Of a CA that it may not load nothing is certain.
func rootOf(c *facts.Cluster, d *appsv1.Deployment) (string, simulate.Outcome) {
	for _, i := range istio.Istiods(c) {
		if i.Name != d.Name {
			continue
		}
		if !i.Setting(istio.EnvEnableCAServer, true) || i.Env(istio.EnvExternalCA) != "" || i.Env(istio.EnvKubernetesSigner) != "" ||
			i.CACertsVolume != istio.CACertsSecret || i.Env(istio.EnvRootCertConfigMap) != "" {
			return "", done
		}
	}
	switch ca, self := resources.CACerts.Of(c), resources.CASecret.Of(c); {
	case ca.State == facts.OK && ca.Value != nil:
		root := ca.Value.Data[istio.RootCertKey]
		keys := []string{"ca-cert.pem", istio.RootCertKey}
		if _, tls := ca.Value.Data[corev1.TLSCertKey]; tls {
			root, keys = ca.Value.Data[corev1.ServiceAccountRootCAKey], []string{corev1.TLSCertKey, corev1.ServiceAccountRootCAKey}
		}
		for _, key := range keys {
			if certs, problem := pki.ParseBundle(ca.Value.Data[key]).Every(); problem != "" || len(certs) == 0 {
				return "", simulate.Uncertain.Because("istiod may not start with what is in secret " + istio.CACertsSecret)
			}
		}
		return string(root), done
	case ca.State == facts.Absent && self.State == facts.OK && self.Value != nil:
		return string(self.Value.Data["ca-cert.pem"]), done
	case ca.State == facts.Absent && self.State == facts.Absent:
		return "", simulate.Uncertain.Because("istiod makes a CA of its own when it starts without one")
	default:
		return "", simulate.NotRead.Because("the CA of istiod was not read")
	}
}

// publish writes a root into a namespace, as istiod does.
func publish(c *facts.Cluster, namespace, root string, fleet *facts.Fleet) {
	if all := resources.RootCerts.Of(c); all.State == facts.OK {
		all.Value = slices.Clone(all.Value)
		i := slices.IndexFunc(all.Value, func(cm corev1.ConfigMap) bool { return cm.Namespace == namespace })
		if i < 0 {
			all.Value = append(all.Value, *newRoot(namespace, fleet))
			i = len(all.Value) - 1
		}
		changed := all.Value[i].DeepCopy()
		changed.Data = map[string]string{istio.RootCertKey: root}
		all.Value[i] = *changed
		resources.RootCerts.Set(c, all)
	}
	if namespace != c.SystemNamespace {
		return
	}
	if own := resources.RootCert.Of(c); own.State == facts.OK || own.State == facts.Absent {
		changed := newRoot(namespace, fleet)
		if own.Value != nil {
			changed = own.Value.DeepCopy()
		}
		changed.Data = map[string]string{istio.RootCertKey: root}
		resources.RootCert.Set(c, facts.Read[*corev1.ConfigMap]{State: facts.OK, Value: changed})
	}
}

func newRoot(namespace string, fleet *facts.Fleet) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: istio.RootCertConfigMap, CreationTimestamp: metav1.NewTime(fleet.At),
	}}
}
