package model

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Where a cluster has several revisions of istiod, which of them an object is for: pods by
// the one that they are connected to, configuration by its label (Istiod.Reads), and
// Gateways of the Gateway API by label and tags (Claims).

// ProgrammedBy are the control planes that configure the proxy of a pod of the cluster:
// those that configure the cluster and, of several revisions, that which the pod calls.
func (c *Cluster) ProgrammedBy(p *facts.Pod) []*ControlPlane {
	all := c.ConfiguredBy()
	if len(all) < 2 {
		return all
	}
	for _, revision := range c.revisionsOf(p) {
		if own := slices.DeleteFunc(slices.Clone(all), func(cp *ControlPlane) bool { return cp.Istiod.Revision != revision }); len(own) > 0 {
			return own
		}
	}
	return all
}

// revisionsOf are what tells the revision of a pod's proxy, the surest first: the Service by
// which it calls istiod, and the label that it was injected with.
func (c *Cluster) revisionsOf(p *facts.Pod) []string {
	var out []string
	if name, ok := ServiceOfHost(DiscoveryHost(p)); ok {
		if s := c.Service(name.Namespace, name.Name); s != nil {
			out = append(out, s.Spec.Selector[istio.LabelRevision], s.Labels[istio.LabelRevision])
		}
	}
	out = append(out, p.Labels[istio.LabelRevision])
	return slices.DeleteFunc(out, func(r string) bool { return r == "" })
}

// Tags are the names by which namespaces, pods and Gateways of the Gateway API choose the
// control plane: its revision, and the tags that lead to it (pkg/revisions/tag_watcher.go,
// GetMyTags). Since 1.28 Services are tags as well.
func (cp *ControlPlane) Tags() []string {
	out := []string{cp.Istiod.Revision}
	add := func(m *metav1.ObjectMeta) {
		if m.Labels[istio.LabelRevision] == cp.Istiod.Revision {
			out = append(out, m.Labels[istio.LabelTag])
		}
	}
	webhooks := resources.Webhooks.Of(cp.Cluster.Cluster).Value
	for i := range webhooks {
		add(&webhooks[i].ObjectMeta)
	}
	if !cp.Istiod.Before("1.28.0") {
		services := resources.Services.Of(cp.Cluster.Cluster).Value
		for i := range services {
			if services[i].Namespace == cp.Istiod.Namespace {
				add(&services[i].ObjectMeta)
			}
		}
	}
	return distinct(out)
}

// Claims reports whether the control plane makes the Service and the pods of a Gateway of
// the Gateway API in its cluster, and writes its status (pkg/revisions/tag_watcher.go,
// IsMine). Of one that chooses no revision it is not known: since 1.28 also the revision
// that validates configuration takes it, and that is not read.
func (cp *ControlPlane) Claims(k *api.KubernetesGateway) (claims, known bool) {
	chosen, labeled := k.Labels[istio.LabelRevision]
	if !labeled {
		ns := cp.Cluster.Namespace(k.Namespace)
		if ns == nil {
			return true, true
		}
		chosen = ns.Labels[istio.LabelRevision]
	}
	if chosen != "" {
		return slices.Contains(cp.Tags(), chosen), true
	}
	if slices.Contains(cp.Tags(), istio.DefaultRevision) {
		return true, true
	}
	return false, cp.Istiod.Before("1.28.0")
}

// Unclaimed reports whether a Gateway of the Gateway API waits for a control plane that
// takes it: none of those of its cluster does, or is known to, and none has written its
// status, which the API server fills in so that it says that it waits.
func (c *Cluster) Unclaimed(k *api.KubernetesGateway) bool {
	if !slices.Contains([]string{api.ClassIstio, api.ClassWaypoint, api.ClassEastWest}, k.Spec.GatewayClassName) || len(k.Spec.Addresses) > 0 {
		return false
	}
	for _, condition := range k.Status.Conditions {
		if condition.Status != metav1.ConditionUnknown || condition.Reason != "Pending" {
			return false
		}
	}
	own := slices.DeleteFunc(c.ConfiguredBy(), func(cp *ControlPlane) bool { return cp.Cluster != c })
	return len(own) > 0 && !slices.ContainsFunc(own, func(cp *ControlPlane) bool {
		claims, _ := cp.Claims(k)
		return claims
	})
}
