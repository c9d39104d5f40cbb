package istio

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// ObjectName names an object of a namespace.
type ObjectName struct{ Namespace, Name string }

// Leads are what the facts of a fleet suggest to read further of a cluster.
type Leads struct {
	// Pending are the gateways whose load balancer has no address: their events say why.
	Pending []ObjectName
	// Podless: a gateway, or a namespace with injection, has Services that select pods, and no
	// pod: events may say that the API server refuses them.
	Podless bool
	// Injectors are the ConfigMaps of injectors of further revisions.
	Injectors []string
	// Routes: the control plane looks after clusters that have none, to which
	// VirtualServices lead it.
	Routes bool
	// Remote: the control plane is in another cluster. Identity is the user as
	// which it reads this one.
	Remote   bool
	Identity string
	// Unread are the kinds of the Gateway API that are there and that istiod does not read: it matters
	// whether there are objects of them.
	Unread []resource.Resource
	// Limited: the pods of istiod may use so much memory and no more, so that it matters how much they use.
	Limited bool
}

// None reports whether nothing further is to be read.
func (l Leads) None() bool {
	return len(l.Pending) == 0 && !l.Podless && len(l.Injectors) == 0 && !l.Routes && !l.Remote &&
		len(l.Unread) == 0 && !l.Limited
}

// LeadsOf returns the leads of each cluster that was reached, by context.
func LeadsOf(fleet *facts.Fleet) map[string]Leads {
	out, remote := map[string]Leads{}, false
	for i := range fleet.Clusters {
		remote = remote || IsRemote(&fleet.Clusters[i])
	}
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		if c.Unreached != nil {
			continue
		}
		istiods := Istiods(c)
		l := Leads{Pending: pendingGateways(c), Podless: isPodless(c), Remote: IsRemote(c), Routes: remote && len(istiods) > 0}
		l.Unread, l.Limited = unreadKinds(c, istiods), hasLimit(c)
		for _, istiod := range istiods {
			if name := istiod.InjectorConfigMap(); name != InjectorConfigMap {
				l.Injectors = append(l.Injectors, name)
			}
		}
		if l.Remote {
			l.Identity = "system:serviceaccount:" + c.SystemNamespace + ":" + ReaderIdentity
			for k := range fleet.Clusters {
				for _, s := range resources.RemoteSecrets.Of(&fleet.Clusters[k]).Value {
					if s.Identity != "" && FindCluster(fleet, s) == i {
						l.Identity = s.Identity
					}
				}
			}
		}
		out[c.Context] = l
	}
	return out
}

// IsRemote reports whether a cluster is one whose pods are injected by a control
// plane elsewhere.
func IsRemote(c *facts.Cluster) bool {
	has, known := HasControlPlane(c)
	return known && !has && len(resources.Webhooks.Of(c).Value) > 0
}

// pendingGateways are the Services that are labelled as gateways of networks and
// whose load balancer has given them no address.
func pendingGateways(c *facts.Cluster) []ObjectName {
	var out []ObjectName
	for i := range resources.Services.Of(c).Value {
		if s := &resources.Services.Of(c).Value[i]; s.Labels[LabelNetwork] != "" && IsPending(s) {
			out = append(out, ObjectName{s.Namespace, s.Name})
		}
	}
	return out
}

// isPodless reports whether a gateway, or a namespace with injection, has Services that
// select pods, and no pod.
func isPodless(c *facts.Cluster) bool {
	if !resources.Pods.Of(c).Known() {
		return false
	}
	injects, has := map[string]bool{}, map[string]bool{}
	for i := range resources.Namespaces.Of(c).Value {
		ns := &resources.Namespaces.Of(c).Value[i]
		injects[ns.Name] = ns.Labels["istio-injection"] == "enabled" || ns.Labels[LabelRevision] != ""
	}
	pods := resources.Pods.Of(c).Value
	for i := range pods {
		has[pods[i].Namespace] = true
	}
	for i := range resources.Services.Of(c).Value {
		s := &resources.Services.Of(c).Value[i]
		if len(s.Spec.Selector) == 0 {
			continue
		}
		if injects[s.Namespace] && !has[s.Namespace] {
			return true
		}
		if s.Labels[LabelNetwork] != "" && !slices.ContainsFunc(pods, func(p facts.Pod) bool {
			return p.Namespace == s.Namespace && subsetOf(s.Spec.Selector, p.Labels)
		}) {
			return true
		}
	}
	return false
}

// IsPending reports whether a Service waits for the address of a load balancer.
func IsPending(s *corev1.Service) bool {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer || len(s.Spec.ExternalIPs) > 0 {
		return false
	}
	for _, i := range s.Status.LoadBalancer.Ingress {
		if i.IP != "" || i.Hostname != "" {
			return false
		}
	}
	return true
}

// Right is something that one may do in all namespaces.
type Right struct{ Verb, Group, Resource string }

func (r Right) String() string { return r.Verb + "-" + r.Resource }

// The rights that a control plane needs in a cluster without one, beside those to
// read: to check the tokens of proxies (security/pkg/k8s/tokenreview), to lead
// elections and to publish its root (pilot/pkg/leaderelection; security/pkg/k8s),
// and to write its CA into the webhook (pkg/webhooks/webhookpatch.go).
var (
	RightTokenReviews     = Right{"create", "authentication.k8s.io", "tokenreviews"}
	RightCreateConfigMaps = Right{"create", "", "configmaps"}
	RightUpdateConfigMaps = Right{"update", "", "configmaps"}
	RightUpdateWebhooks   = Right{"update", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"}
	RemoteRights          = []Right{RightTokenReviews, RightCreateConfigMaps, RightUpdateConfigMaps, RightUpdateWebhooks}
)

// ServiceAccountNamespace is that of a user name system:serviceaccount:NAMESPACE:NAME;
// "" for another user.
func ServiceAccountNamespace(user string) string {
	if parts := strings.Split(user, ":"); len(parts) == 4 && parts[0] == "system" && parts[1] == "serviceaccount" {
		return parts[2]
	}
	return ""
}
