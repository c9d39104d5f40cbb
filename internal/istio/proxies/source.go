// Package proxies says which proxies stand for the clusters of a fleet, and sets what
// they have beside what they should have: the endpoints that they were really given, and
// those that follow from the API objects. Everything in it is pure.
package proxies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Source is a proxy that asks for endpoints.
type Source struct {
	// Context is that of its cluster, ClusterID the name that its control plane has for that.
	Context, ClusterID string
	Namespace, Pod     string
	// Network is what the proxy says its network is; "" where it does not.
	Network string
	// View is what its control plane makes of the fleet.
	View *istio.View

	proxy istio.Source
}

// String is context/namespace/pod.
func (s Source) String() string { return s.Context + "/" + s.Namespace + "/" + s.Pod }

// Gap is a cluster of which something could not be told.
type Gap struct {
	Cluster string `json:"cluster"`
	Reason  string `json:"reason"`
}

// Service is what sources send to.
type Service struct{ Namespace, Name string }

// Labels of pods.
const (
	labelGateway        = "istio" // which gateways have by convention, and sidecars never
	controlPlaneCluster = "topology.istio.io/controlPlaneClusters"
)

// Representatives are one proxy for each cluster and network, which stands for the
// others there: of a pod that is ready and has a sidecar; in the namespace of the service
// if there is one, and then rather a client of the service than one of its own
// pods; and the first by name. Gateways, which have a network of their own more often than
// not, stand for a cluster only where it has no sidecar. Of clusters without any such pod
// there is a gap.
func Representatives(fleet *facts.Fleet, views []*istio.View, to Service) ([]Source, []Gap) {
	var out []Source
	var gaps []Gap
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		switch {
		case c.Unreached != nil:
			gaps = append(gaps, Gap{c.Context, "the cluster was not reached: " + c.Unreached.Reason})
			continue
		case !resources.Pods.Of(c).Known():
			gaps = append(gaps, Gap{c.Context, "pods: " + resources.Pods.Of(c).Why()})
			continue
		}
		found, gap := representatives(fleet, views, c, to)
		if out = append(out, found...); gap != "" {
			gaps = append(gaps, Gap{c.Context, gap})
		}
	}
	return out, gaps
}

func representatives(fleet *facts.Fleet, views []*istio.View, c *facts.Cluster, to Service) (out []Source, gap string) {
	behind := endpointsOf(c, to)
	rank := func(p *facts.Pod) int {
		switch {
		case p.Namespace != to.Namespace:
			return 2
		case behind[p.Name]:
			return 1
		}
		return 0
	}
	sidecars, gateways := map[string]*facts.Pod{}, map[string]*facts.Pod{} // the best by network
	for i := range resources.Pods.Of(c).Value {
		p := &resources.Pods.Of(c).Value[i]
		env := istio.ProxyEnvOf(p)
		if !istio.HasEnvoy(p) || !isReady(p) || env[istio.EnvProxyNetworkView] != "" {
			continue
		}
		best, network := sidecars, env[istio.EnvProxyNetwork]
		if p.Labels[labelGateway] != "" || p.Labels[istio.LabelGatewayName] != "" {
			best = gateways
		}
		b := best[network]
		if b == nil || cmp.Or(cmp.Compare(rank(p), rank(b)), strings.Compare(p.Namespace, b.Namespace), strings.Compare(p.Name, b.Name)) < 0 {
			best[network] = p
		}
	}
	best := sidecars
	if len(best) == 0 {
		best = gateways
	}
	for _, p := range best {
		s, why := newSource(fleet, views, c, p)
		if why != "" {
			gap = why
			continue
		}
		out = append(out, s)
	}
	if len(best) == 0 {
		gap = "it has no ready pod with a sidecar"
	}
	slices.SortFunc(out, func(a, b Source) int { return strings.Compare(a.Network, b.Network) })
	return out, gap
}

// Find is the proxy of a pod. The error says what is wrong with the pod, and what can be done.
func Find(fleet *facts.Fleet, views []*istio.View, context, namespace, pod string) (Source, error) {
	name := context + "/" + namespace + "/" + pod
	at := slices.IndexFunc(fleet.Clusters, func(c facts.Cluster) bool { return c.Context == context })
	if at < 0 {
		names := make([]string, len(fleet.Clusters))
		for i, c := range fleet.Clusters {
			names[i] = c.Context
		}
		return Source{}, fmt.Errorf(
			"source %s: %q is not one of the contexts of this run (%s); name it in --contexts",
			name,
			context,
			strings.Join(names, ", "),
		)
	}
	c := &fleet.Clusters[at]
	switch {
	case c.Unreached != nil:
		return Source{}, fmt.Errorf("source %s: the cluster was not reached: %s", name, c.Unreached.Reason)
	case !resources.Pods.Of(c).Known():
		return Source{}, fmt.Errorf("source %s: the pods of the cluster could not be read (%s)", name, resources.Pods.Of(c).Why())
	}
	for i := range resources.Pods.Of(c).Value {
		p := &resources.Pods.Of(c).Value[i]
		if p.Namespace != namespace || p.Name != pod {
			continue
		}
		if !istio.HasProxy(p) {
			return Source{}, fmt.Errorf(
				"source %s: the pod has no container %s: no proxy asks for endpoints on its behalf; name a pod with a sidecar",
				name,
				istio.ProxyContainer,
			)
		}
		s, why := newSource(fleet, views, c, p)
		if why != "" {
			return Source{}, fmt.Errorf("source %s: %s", name, why)
		}
		return s, nil
	}
	return Source{}, fmt.Errorf("source %s: there is no such pod; see kubectl --context=%s -n %s get pods", name, context, namespace)
}

// newSource finds the control plane of a proxy; why says that there is none.
func newSource(fleet *facts.Fleet, views []*istio.View, c *facts.Cluster, p *facts.Pod) (s Source, why string) {
	view, id, why := ControlPlane(views, c, p)
	if why != "" {
		return s, why
	}
	if view == nil {
		if !resources.Istiods.Of(c).Known() {
			return s, "which control plane its proxies have is not known: deployments: " + resources.Istiods.Of(c).Why()
		}
		for _, o := range fleet.Clusters {
			if o.Unreached != nil || !resources.Istiods.Of(&o).Known() {
				return s, "which control plane its proxies have is not known: " + o.Context + " could not be read"
			}
		}
		return s, "no control plane of these clusters serves its proxies"
	}
	proxy, ok := view.SourceOf(id, p.Namespace, p.Name)
	if !ok {
		return s, "its control plane does not look at namespace " + p.Namespace + " (discoverySelectors)"
	}
	return Source{
		Context: c.Context, ClusterID: id, Namespace: p.Namespace, Pod: p.Name, Network: proxy.Network, View: view, proxy: proxy,
	}, ""
}

// ControlPlane is the control plane that serves a proxy, and its ID for the proxy's cluster:
// one in the same cluster, else one that the cluster names as its own (annotation
// topology.istio.io/controlPlaneClusters of the system namespace;
// pilot/pkg/serviceregistry/kube/controller/multicluster.go, shouldLead), else one that reads
// the cluster; of these the one of the revision that has injected the pod. Where there is
// none, why says so as far as that is known: a control plane that does not read a cluster lets none of
// its proxies in (security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go).
func ControlPlane(views []*istio.View, c *facts.Cluster, p *facts.Pod) (v *istio.View, id, why string) {
	has, _ := istio.HasControlPlane(c)
	owners := ownersOf(c)
	if has {
		owners = nil
	}
	best, known := -1, false
	for _, view := range views {
		owner := slices.Contains(owners, view.Istiod.ClusterID())
		if has && view.Context != c.Context || len(owners) > 0 && !owner {
			continue
		}
		known = known || owner
		watched, _ := view.Clusters()
		at := slices.IndexFunc(watched, func(w istio.Watched) bool { return w.Context == c.Context })
		if at < 0 {
			continue
		}
		rank := 0
		if p.Labels[istio.LabelRevision] == view.Istiod.Revision {
			rank = 1
		}
		if rank > best {
			v, id, best = view, watched[at].ID, rank
		}
	}
	switch {
	case v != nil || len(owners) == 0:
		return v, id, ""
	case known:
		return nil, "", "its control plane, that of cluster " + strings.Join(owners, ", ") +
			", has no remote secret for it, and so lets none of its proxies in"
	}
	return nil, "", "its control plane is that of cluster " + strings.Join(owners, ", ") + ", which is not one of these clusters"
}

// ownersOf are the IDs of the clusters whose control planes a cluster names as its own; none
// where any may be.
func ownersOf(c *facts.Cluster) []string {
	for _, ns := range resources.Namespaces.Of(c).Value {
		if ns.Name != c.SystemNamespace {
			continue
		}
		owners := strings.FieldsFunc(ns.Annotations[controlPlaneCluster], func(r rune) bool { return r == ',' || r == ' ' })
		if !slices.Contains(owners, "*") {
			return owners
		}
	}
	return nil
}

// Istiods are the pods of a source's control plane that are ready, by name, and the
// context of their cluster.
func Istiods(fleet *facts.Fleet, v *istio.View) []*facts.Pod {
	var out []*facts.Pod
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		if c.Context != v.Context {
			continue
		}
		for j := range resources.Pods.Of(c).Value {
			p := &resources.Pods.Of(c).Value[j]
			rev := p.Labels[istio.LabelRevision]
			if p.Namespace == v.Istiod.Namespace && p.Labels["app"] == "istiod" && isReady(p) && (rev == "" || rev == v.Istiod.Revision) {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b *facts.Pod) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Mistakable names a pod whose proxy a control plane could take for that of the source:
// it finds a proxy by any part of its name, which does not begin with the pod's. "" where
// there is none.
func Mistakable(fleet *facts.Fleet, s Source) string {
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		for j := range resources.Pods.Of(c).Value {
			p := &resources.Pods.Of(c).Value[j]
			same := c.Context == s.Context && p.Name == s.Pod
			if same || p.Namespace != s.Namespace || !strings.HasSuffix(p.Name, s.Pod) || !istio.HasProxy(p) {
				continue
			}
			if v, _, _ := ControlPlane([]*istio.View{s.View}, c, p); v != nil {
				return c.Context + "/" + p.Namespace + "/" + p.Name
			}
		}
	}
	return ""
}

// endpointsOf are the names of the pods behind a service in a cluster.
func endpointsOf(c *facts.Cluster, s Service) map[string]bool {
	out := map[string]bool{}
	for _, slice := range resources.EndpointSlices.Of(c).Value {
		if slice.Namespace != s.Namespace || slice.Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		for _, e := range slice.Endpoints {
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				out[e.TargetRef.Name] = true
			}
		}
	}
	return out
}

func isReady(p *facts.Pod) bool {
	return p.Deleted.IsZero() && p.Phase == corev1.PodRunning && p.IsReady()
}
