package model

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kubeconfig"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// Link leads from one cluster to another.
type Link struct {
	*api.Link
	Source *Cluster
	// Target is the cluster that it leads to; nil where that is none of the fleet, or not known.
	Target *Cluster
	// Credentials are those that the service mirror uses; nil where there are none.
	Credentials *Credentials
	// Destination are those that the destination controller has for the target's name, or
	// ought to have; nil where there are none.
	Destination *Credentials
	// Controllers are the Deployments that mirror by it.
	Controllers []*appsv1.Deployment
	// Lease says which pod of them works; nil where there is none.
	Lease *coordinationv1.Lease
	// Mirrors are those that bear the name of its target.
	Mirrors []*Mirror
}

// Credentials are a Secret with a kubeconfig of another cluster.
type Credentials struct {
	*corev1.Secret
	Kubeconfig kubeconfig.Kubeconfig
}

// Object names the Secret.
func (c *Credentials) Object() finding.Object { return finding.In("secret", c.Namespace, c.Name) }

// Owner is who writes the Secret.
func (c *Credentials) Owner() owner.Owner { return owner.Of(&c.ObjectMeta) }

// Object names the Link.
func (l *Link) Object() finding.Object { return finding.In("link", l.Namespace, l.Name) }

// TargetName is the name by which its mirrors call the target.
func (l *Link) TargetName() string { return l.Spec.TargetClusterName }

// HasGateway reports whether services come through a gateway. Without an address there is
// none; other fields of it can be there all the same, because the definition has defaults.
func (l *Link) HasGateway() bool { return l.Spec.GatewayAddress != "" }

// GatewayAddresses are the addresses of the gateway.
func (l *Link) GatewayAddresses() []string {
	var out []string
	for a := range strings.SplitSeq(l.Spec.GatewayAddress, ",") {
		out = append(out, strings.TrimSpace(a))
	}
	return distinct(out)
}

func (c *Cluster) findLinks() {
	all := resources.Links.Of(c.Cluster).Value
	for i := range all {
		l := &Link{Link: &all[i], Source: c}
		l.Credentials = c.credentials(func(s *corev1.Secret) bool {
			return s.Namespace == l.Namespace && s.Name == l.Spec.ClusterCredentialsSecret
		})
		l.Destination = c.destination(l.TargetName(), l.Spec.ClusterCredentialsSecret)
		for at := range resources.Extensions.Of(c.Cluster).Value {
			if d := &resources.Extensions.Of(c.Cluster).Value[at]; d.Namespace == l.Namespace && mirrorsFor(d, l.Name) {
				l.Controllers = append(l.Controllers, d)
			}
		}
		for at := range resources.Leases.Of(c.Cluster).Value {
			if lease := &resources.Leases.Of(c.Cluster).Value[at]; lease.Namespace == l.Namespace && lease.Name == resources.LeasePrefix+l.Name {
				l.Lease = lease
			}
		}
		c.Links = append(c.Links, l)
	}
	slices.SortStableFunc(c.Links, func(a, b *Link) int { return byKey(key(a.Namespace, a.Name), key(b.Namespace, b.Name)) })
}

// mirrorsFor reports whether a Deployment is a service mirror for a Link: its last argument names
// the Link. The gateway and the mirror of local services have no label with a cluster.
func mirrorsFor(d *appsv1.Deployment, link string) bool {
	if d.Labels[resources.LabelCluster] == "" {
		return false
	}
	for i := range d.Spec.Template.Spec.Containers {
		if args := d.Spec.Template.Spec.Containers[i].Args; len(args) > 1 && args[0] == "service-mirror" {
			return args[len(args)-1] == link
		}
	}
	return d.Labels[resources.LabelCluster] == link
}

func (c *Cluster) credentials(is func(*corev1.Secret) bool) *Credentials {
	all := resources.Credentials.Of(c.Cluster).Value
	for i := range all {
		if is(&all[i]) {
			return &Credentials{Secret: &all[i], Kubeconfig: kubeconfig.Of(&all[i])}
		}
	}
	return nil
}

// destination are the credentials in the control plane's namespace for a cluster: by the label by
// which the destination controller finds them, else by their name.
func (c *Cluster) destination(target, secret string) *Credentials {
	found := c.credentials(func(s *corev1.Secret) bool {
		return s.Namespace == c.Namespace && target != "" && s.Labels[resources.LabelCredentials] == target
	})
	if found != nil {
		return found
	}
	return c.credentials(func(s *corev1.Secret) bool {
		return s.Namespace == c.Namespace && (s.Name == secret && secret != "" || target != "" && s.Name == resources.PrefixCredentials+target)
	})
}

// Mode is how a service of another cluster is made available.
type Mode string

// The modes.
const (
	None            Mode = ""
	ByGateway       Mode = "gateway"          // its addresses are those of the gateway
	RemoteDiscovery Mode = "remote discovery" // its addresses are pods of the other cluster
	FederatedMember Mode = "federated"        // it is one of several that are one
)

// Modes are the ways in which a Link makes a service of the target available.
func (l *Link) Modes(s *corev1.Service) []Mode {
	var out []Mode
	for _, of := range []struct {
		selector *metav1.LabelSelector
		mode     Mode
	}{
		{l.Spec.Selector, ByGateway}, {l.Spec.RemoteDiscoverySelector, RemoteDiscovery},
		{l.Spec.FederatedServiceSelector, FederatedMember},
	} {
		if Selects(of.selector, s.Labels) {
			out = append(out, of.mode)
		}
	}
	return out
}

// Selects reports whether a selector of a Link takes labels: one that is nil, empty or not valid
// takes none.
func Selects(selector *metav1.LabelSelector, l map[string]string) bool {
	if selector == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		return false
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(l))
}

// Exports are the services of the target that a Link takes, with the first mode of each, and
// without mirrors of a third cluster.
func (l *Link) Exports() []Export {
	if l.Target == nil {
		return nil
	}
	var out []Export
	for i := range l.Target.Services() {
		s := &l.Target.Services()[i]
		if s.Labels[resources.LabelMirrored] != "" {
			continue
		}
		for _, mode := range l.Modes(s) {
			out = append(out, Export{s, mode})
		}
	}
	return out
}

// Export is a service that a Link takes.
type Export struct {
	*corev1.Service
	Mode Mode
}

// Mirror is the name of its mirror.
func (l *Link) Mirror(e Export) string {
	if e.Mode == FederatedMember {
		return e.Name + "-federated"
	}
	return e.Name + "-" + l.TargetName()
}

// UsesDestination reports whether clients need the destination controller to watch the target, and
// for which services.
func (l *Link) UsesDestination() []string {
	var out []string
	for _, m := range l.Source.Mirrors {
		switch m.Kind {
		case Remote:
			if m.Service.Labels[resources.LabelRemoteDiscovery] == l.TargetName() {
				out = append(out, key(m.Service.Namespace, m.Service.Name))
			}
		case Federated:
			if slices.ContainsFunc(m.Members, func(f Member) bool { return f.Cluster == l.TargetName() }) {
				out = append(out, key(m.Service.Namespace, m.Service.Name))
			}
		default: // the gateway is asked
		}
	}
	return distinct(out)
}

// Available reports whether one of its controllers runs.
func (l *Link) Available() bool {
	return slices.ContainsFunc(l.Controllers, func(d *appsv1.Deployment) bool { return d.Status.AvailableReplicas > 0 })
}

// ProbeService is the Service that its controller asks whether the gateway lives: the one that the
// holder of the Lease is told, if that is known.
func (l *Link) ProbeService() string {
	for _, d := range l.Working() {
		for i := range d.Spec.Template.Spec.Containers {
			for _, arg := range d.Spec.Template.Spec.Containers[i].Args {
				if _, name, ok := strings.Cut(arg, "-probe-service="); ok {
					return name
				}
			}
		}
	}
	return ""
}

// Working are its controllers, the one first whose pod holds the Lease.
func (l *Link) Working() []*appsv1.Deployment {
	holder := ""
	if l.Lease != nil && l.Lease.Spec.HolderIdentity != nil {
		holder = *l.Lease.Spec.HolderIdentity
	}
	out := slices.Clone(l.Controllers)
	slices.SortStableFunc(out, func(a, b *appsv1.Deployment) int { return rank(a, holder) - rank(b, holder) })
	return out
}

func rank(d *appsv1.Deployment, holder string) int {
	switch {
	case holder != "" && strings.HasPrefix(holder, d.Name+"-"):
		return 0
	case d.Status.AvailableReplicas > 0:
		return 1
	default:
		return 2
	}
}

// Pods are those of its controllers.
func (l *Link) Pods() []*facts.Pod {
	var out []*facts.Pod
	for _, p := range l.Source.Pods() {
		w := WorkloadOf(p)
		if slices.ContainsFunc(l.Controllers, func(d *appsv1.Deployment) bool { return w == finding.In("deployment", d.Namespace, d.Name) }) {
			out = append(out, p)
		}
	}
	return out
}

// Gateway is the gateway of the target that the Link leads to: the one that has its address, else
// the one that its identity names, else the only one. nil where there is none, or it is not known.
func (l *Link) Gateway() *Gateway {
	if l.Target == nil || !l.HasGateway() {
		return nil
	}
	for _, is := range []func(*Gateway) bool{
		func(g *Gateway) bool { return intersects(g.Addresses(), l.GatewayAddresses()) },
		func(g *Gateway) bool {
			return strings.HasPrefix(l.Spec.GatewayIdentity, g.Name+"."+g.Namespace+".serviceaccount.")
		},
		func(*Gateway) bool { return true },
	} {
		var found []*Gateway
		for _, g := range l.Target.Gateways {
			if is(g) {
				found = append(found, g)
			}
		}
		if len(found) == 1 {
			return found[0]
		}
	}
	return nil
}

func intersects(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// Hop is one fact by which a Link is known to lead to a cluster.
func (l *Link) findTarget() {
	var all []*Cluster
	for _, c := range l.Source.Mesh.Clusters {
		if c != l.Source {
			all = append(all, c)
		}
	}
	for _, narrow := range []func(*Cluster) bool{l.byAccount, l.byAuthority, l.byServer} {
		var found []*Cluster
		for _, c := range all {
			if narrow(c) {
				found = append(found, c)
			}
		}
		if len(found) == 1 {
			l.lead(found[0])
			return
		}
		if len(found) > 1 {
			all = found // several clusters can share an authority
		}
	}
	for _, narrow := range []func(*Cluster) bool{l.byName, l.byTail, l.byGateway} {
		var found []*Cluster
		for _, c := range all {
			if narrow(c) {
				found = append(found, c)
			}
		}
		if len(found) == 1 {
			l.lead(found[0])
			return
		}
	}
}

func (l *Link) lead(to *Cluster) {
	l.Target = to
	to.Incoming = append(to.Incoming, l)
}

// kubeconfigs are those of both copies of the credentials.
func (l *Link) kubeconfigs() []kubeconfig.Kubeconfig {
	var out []kubeconfig.Kubeconfig
	for _, c := range []*Credentials{l.Credentials, l.Destination} {
		if c != nil && c.Kubeconfig.Server != "" {
			out = append(out, c.Kubeconfig)
		}
	}
	return out
}

// byAccount: the token is of a service account of the cluster, whose uid no other has.
func (l *Link) byAccount(c *Cluster) bool {
	for _, k := range l.kubeconfigs() {
		if k.Token == nil || k.Token.AccountUID == "" {
			continue
		}
		for _, s := range resources.Tokens.Of(c.Cluster).Value {
			if s.Annotations[corev1.ServiceAccountUIDKey] == k.Token.AccountUID {
				return true
			}
		}
		for _, a := range resources.Accounts.Of(c.Cluster).Value {
			if string(a.UID) == k.Token.AccountUID {
				return true
			}
		}
	}
	return false
}

// byAuthority: the kubeconfig trusts who signs for the API server of the cluster.
func (l *Link) byAuthority(c *Cluster) bool {
	for _, k := range l.kubeconfigs() {
		if intersects(k.CA, c.APICertificates()) {
			return true
		}
	}
	return false
}

func (l *Link) byServer(c *Cluster) bool {
	for _, k := range l.kubeconfigs() {
		if c.Server != "" && hostPart(c.Server) == hostPart(k.Server) {
			return true
		}
	}
	return false
}

func (l *Link) byName(c *Cluster) bool { return c.Context == l.TargetName() || c.Context == l.Name }

// byTail: contexts have names like kind-west, admin@west and region/west.
func (l *Link) byTail(c *Cluster) bool {
	name := l.TargetName()
	rest, ok := strings.CutSuffix(c.Context, name)
	return ok && name != "" && rest != "" && strings.ContainsAny(rest[len(rest)-1:], "-_@/.:")
}

func (l *Link) byGateway(c *Cluster) bool {
	return slices.ContainsFunc(c.Gateways, func(g *Gateway) bool { return intersects(g.Balanced(), l.GatewayAddresses()) })
}
