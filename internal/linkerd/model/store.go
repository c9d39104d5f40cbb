package model

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// Fault is why the destination controller does not use credentials, whatever is in them.
func (c *Credentials) Fault() (lacks []string) {
	if c.Type != resources.TypeCredentials {
		lacks = append(lacks, "type "+resources.TypeCredentials)
	}
	if c.Labels[resources.LabelCredentials] == "" {
		lacks = append(lacks, "label "+resources.LabelCredentials)
	}
	for _, key := range []string{resources.AnnotationTrustDomain, resources.AnnotationClusterDomain} {
		if c.Annotations[key] == "" {
			lacks = append(lacks, "annotation "+key)
		}
	}
	return lacks
}

// Written is when the Secret was written last, Changed whether that was after it was made.
func (c *Credentials) Written() (at time.Time, changed bool) {
	at = resources.WrittenAt(c.Secret)
	return at, at.After(c.CreationTimestamp.Add(time.Second))
}

// Component are the pods of a component of the control plane.
func (c *Cluster) Component(name string) []*facts.Pod {
	var out []*facts.Pod
	for _, p := range c.Pods() {
		if p.Namespace == c.Namespace && p.Labels[resources.LabelComponent] == name {
			out = append(out, p)
		}
	}
	return out
}

// StartedAt is when a container of a pod began to run, as far as that is known; zero else.
func StartedAt(p *facts.Pod, container string) time.Time {
	for _, s := range p.Statuses {
		if s.Name == container && !s.Started.IsZero() {
			return s.Started
		}
	}
	return p.Started
}

// Stale reports whether a pod of the destination controller runs since before the Secret with the
// credentials was changed: it reads a Secret once, when it first sees it
// (controller/api/destination/watcher/cluster_store.go). since is when that pod began.
func (l *Link) Stale() (since time.Time, stale bool) {
	if l.Destination == nil {
		return time.Time{}, false
	}
	at, changed := l.Destination.Written()
	if !changed {
		return time.Time{}, false
	}
	for _, p := range l.Source.Component("destination") {
		if started := StartedAt(p, resources.DestinationContainer); !started.IsZero() && started.Before(at) {
			return started, true
		}
	}
	return time.Time{}, false
}

// Rights are what an account for other clusters may do in its own cluster.
type Rights struct {
	// Account is whose they are.
	Account finding.Object
	// Role is the one that gives them; "" where none is bound.
	Role string
	// Undecided says that roles are bound that were not read.
	Undecided bool
	rules     []rbacv1.PolicyRule
}

// Account is the service account that the credentials of a Link speak for: the one that the token
// names, else the only one that there is in the target.
func (l *Link) Account() (namespace, name string, ok bool) {
	for _, k := range l.kubeconfigs() {
		if k.Token == nil {
			continue
		}
		if rest, is := strings.CutPrefix(k.Token.Subject, "system:serviceaccount:"); is {
			namespace, name, ok = strings.Cut(rest, ":")
			return namespace, name, ok
		}
	}
	if l.Target == nil {
		return "", "", false
	}
	tokens := resources.Tokens.Of(l.Target.Cluster).Value
	if len(tokens) != 1 {
		return "", "", false
	}
	return tokens[0].Namespace, tokens[0].Annotations[corev1.ServiceAccountNameKey], true
}

// Rights are those of the account of a Link; false where it is not known which one that is.
func (l *Link) Rights() (Rights, bool) {
	namespace, name, ok := l.Account()
	if !ok || l.Target == nil {
		return Rights{}, false
	}
	out := Rights{Account: finding.In("serviceaccount", namespace, name)}
	roles := resources.ClusterRoles.Of(l.Target.Cluster).Value
	for _, b := range resources.ClusterRoleBindings.Of(l.Target.Cluster).Value {
		if !slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return bindsAccount(s, namespace, name) }) {
			continue
		}
		i := slices.IndexFunc(roles, func(r rbacv1.ClusterRole) bool { return r.Name == b.RoleRef.Name })
		if i < 0 {
			// The API server binds all accounts to roles that allow none of this.
			out.Undecided = out.Undecided || !strings.HasPrefix(b.RoleRef.Name, "system:")
			continue
		}
		out.Role, out.rules = roles[i].Name, append(out.rules, roles[i].Rules...)
	}
	// Bindings of accounts by names of their own are not read.
	out.Undecided = out.Undecided || out.Role == "" && !strings.Contains(name, "service-mirror")
	return out, true
}

func bindsAccount(s rbacv1.Subject, namespace, name string) bool {
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		return s.Namespace == namespace && s.Name == name
	case rbacv1.GroupKind:
		return s.Name == "system:serviceaccounts" || s.Name == "system:serviceaccounts:"+namespace
	}
	return false
}

// Allowed reports whether a verb on all objects of a resource is allowed.
func (r Rights) Allowed(group, resource, verb string) bool {
	has := func(list []string, what string) bool {
		return slices.Contains(list, what) || slices.Contains(list, "*")
	}
	return slices.ContainsFunc(r.rules, func(p rbacv1.PolicyRule) bool {
		return len(p.ResourceNames) == 0 && has(p.APIGroups, group) && has(p.Resources, resource) && has(p.Verbs, verb)
	})
}

// need is a kind that a controller lists and watches in the other cluster.
type need struct{ group, resource string }

// What the two users of the credentials watch (controller/api/destination/watcher/cluster_store.go,
// multicluster/service-mirror/cluster_watcher.go).
var (
	mirrorNeeds      = []need{{"", "services"}, {"", "endpoints"}}
	destinationNeeds = []need{
		{"", "services"}, {"", "pods"}, {"discovery.k8s.io", "endpointslices"}, {"policy.linkerd.io", "servers"}, {"apps", "replicasets"},
	}
)

// MissingRights are what the account of a Link may not do: for the service mirror, and for the
// destination controller.
func (r Rights) MissingRights() (mirror, destination []string) {
	missing := func(needs []need) []string {
		var out []string
		for _, n := range needs {
			for _, verb := range []string{"list", "watch"} {
				if !r.Allowed(n.group, n.resource, verb) {
					out = append(out, verb+" "+strings.TrimSuffix(n.resource+"."+n.group, "."))
				}
			}
		}
		return out
	}
	return missing(mirrorNeeds), missing(destinationNeeds)
}

// Watches reports whether the destination controller of the source watches the target.
func (l *Link) Watches() bool {
	if l.Destination == nil || len(l.Destination.Fault()) > 0 || l.Destination.Labels[resources.LabelCredentials] != l.TargetName() {
		return false
	}
	if l.Destination.Kubeconfig.Problem != "" {
		return false
	}
	if _, stale := l.Stale(); stale {
		return false
	}
	if rights, ok := l.Rights(); ok && !rights.Undecided {
		if _, missing := rights.MissingRights(); len(missing) > 0 {
			return false
		}
	}
	return true
}
