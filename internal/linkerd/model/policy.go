package model

import (
	"net/netip"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// ServersOf are the Servers of a port of a pod: name is that of the container's port, or "".
func (c *Cluster) ServersOf(p *facts.Pod, number int32, name string) []*api.Server {
	all := resources.Servers.Of(c.Cluster).Value
	var out []*api.Server
	for i := range all {
		s := &all[i]
		if s.Namespace != p.Namespace || s.Spec.PodSelector == nil || !matches(s.Spec.PodSelector, p.Labels) {
			continue
		}
		if s.Spec.Port.Type == intstr.String && s.Spec.Port.StrVal == name && name != "" || s.Spec.Port.Type == intstr.Int &&
			s.Spec.Port.IntVal == number {
			out = append(out, s)
		}
	}
	return out
}

// matches is Kubernetes' own reading of a selector: an empty one takes all.
func matches(selector *metav1.LabelSelector, l map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(l))
}

// Client is who comes in.
type Client struct {
	Identity           string
	Namespace, Account string
	Addresses          []string
}

// Admission is whether a Server admits a client.
type Admission int

// The admissions.
const (
	Denied Admission = iota
	Admitted
	// Undecided: policies are about routes, or name what was not read.
	Undecided
)

// Admits says whether a Server admits a client that is meshed; policies are the names of those that
// apply to it.
func (c *Cluster) Admits(s *api.Server, client Client) (Admission, []string) {
	switch s.Spec.AccessPolicy {
	case "", "deny":
	default: // all-authenticated and the like admit a meshed client of the same cluster; audit all
		return Admitted, nil
	}
	var names []string
	outcome := Denied
	for _, p := range resources.AuthorizationPolicies.Of(c.Cluster).Value {
		ref := p.Spec.TargetRef
		switch {
		case ref.Group == api.PolicyGroup && ref.Kind == "Server" && ref.Name == s.Name && p.Namespace == s.Namespace:
		case ref.Group == "" && ref.Kind == "Namespace" && p.Namespace == s.Namespace:
		case ref.Kind == "HTTPRoute" || ref.Kind == "GRPCRoute":
			if p.Namespace == s.Namespace {
				outcome = max(outcome, Undecided)
			}
			continue
		default:
			continue
		}
		names = append(names, p.Name)
		switch c.authenticates(p.Namespace, p.Spec.RequiredAuthenticationRefs, client) {
		case Admitted:
			return Admitted, names
		case Undecided:
			outcome = Undecided
		default: // the next one may
		}
	}
	for _, a := range resources.ServerAuthorizations.Of(c.Cluster).Value {
		if a.Namespace != s.Namespace || a.Spec.Server.Name != s.Name && (a.Spec.Server.Selector == nil || !matches(a.Spec.Server.Selector,
			s.Labels)) {
			continue
		}
		names = append(names, a.Name)
		if c.authorizes(a.Namespace, a.Spec.Client, client) {
			return Admitted, names
		}
	}
	return outcome, names
}

// authenticates reports whether a client meets all requirements of a policy.
func (c *Cluster) authenticates(namespace string, refs []api.PolicyRef, client Client) Admission {
	out := Admitted
	for _, ref := range refs {
		in := ref.Namespace
		if in == "" {
			in = namespace
		}
		switch ref.Kind {
		case "ServiceAccount":
			if ref.Name != client.Account || in != client.Namespace {
				return Denied
			}
		case "MeshTLSAuthentication":
			all := resources.MeshTLSAuthentications.Of(c.Cluster).Value
			i := slices.IndexFunc(all, func(m api.MeshTLSAuthentication) bool { return m.Namespace == in && m.Name == ref.Name })
			if i < 0 || !c.identifies(in, all[i].Spec, client) {
				return Denied
			}
		case "NetworkAuthentication":
			all := resources.NetworkAuthentications.Of(c.Cluster).Value
			i := slices.IndexFunc(all, func(n api.NetworkAuthentication) bool { return n.Namespace == in && n.Name == ref.Name })
			if i < 0 {
				return Denied
			}
			if len(client.Addresses) == 0 {
				out = Undecided
			} else if !slices.ContainsFunc(client.Addresses, func(a string) bool { return inNetworks(all[i].Spec.Networks, a) }) {
				return Denied
			}
		default:
			out = Undecided
		}
	}
	return out
}

func (c *Cluster) identifies(namespace string, spec api.MeshTLSAuthenticationSpec, client Client) bool {
	if slices.ContainsFunc(spec.Identities, func(pattern string) bool { return identityMatches(pattern, client.Identity) }) {
		return true
	}
	return slices.ContainsFunc(spec.IdentityRefs, func(ref api.PolicyRef) bool {
		in := ref.Namespace
		if in == "" {
			in = namespace
		}
		switch ref.Kind {
		case "ServiceAccount":
			return ref.Name == client.Account && in == client.Namespace
		case "Namespace":
			return ref.Name == client.Namespace
		}
		return false
	})
}

// identityMatches: a pattern is a name, or one that ends in what follows an asterisk.
func identityMatches(pattern, identity string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(identity, suffix)
	}
	return pattern == identity
}

func (c *Cluster) authorizes(namespace string, spec api.AuthorizationClient, client Client) bool {
	switch m := spec.MeshTLS; {
	case spec.Unauthenticated:
		return true
	case m == nil:
		return false
	default:
		return m.UnauthenticatedTLS || slices.ContainsFunc(m.Identities, func(p string) bool { return identityMatches(p, client.Identity) }) ||
			slices.ContainsFunc(m.ServiceAccounts, func(ref api.AccountRef) bool {
				in := ref.Namespace
				if in == "" {
					in = namespace
				}
				return ref.Name == client.Account && in == client.Namespace
			})
	}
}

// inNetworks reports whether an address is in one of the networks, and in none of its exceptions.
func inNetworks(networks []api.Network, address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	within := func(cidr string) bool {
		if p, err := netip.ParsePrefix(cidr); err == nil {
			return p.Contains(a.Unmap())
		}
		only, err := netip.ParseAddr(cidr)
		return err == nil && only == a
	}
	return slices.ContainsFunc(networks, func(n api.Network) bool { return within(n.CIDR) && !slices.ContainsFunc(n.Except, within) })
}

// AsClient is the gateway as those behind it see it.
func (g *Gateway) AsClient() (Client, bool) {
	for _, p := range g.Pods {
		if p.ServiceAccount == "" {
			continue
		}
		out := Client{Identity: g.Identity(), Namespace: p.Namespace, Account: p.ServiceAccount}
		for _, pod := range g.Pods {
			out.Addresses = append(out.Addresses, pod.IPs...)
		}
		return out, out.Identity != ""
	}
	return Client{}, false
}
