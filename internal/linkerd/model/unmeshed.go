package model

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// Entrance is who decides about clients at a port of a meshed pod, and what it says of one that is not in the
// mesh.
type Entrance struct {
	Admission Admission
	// Server is the one that is about the port; nil where the default policy of the pod decides.
	Server *api.Server
	// Policies are the names of those that apply to the Server.
	Policies []string
	// Default is the default policy, where it decides.
	Default string
}

// Unmeshed is what becomes of a client without an identity of the mesh, from an address that is not known, at a port of
// a meshed pod. name is that of the container's port, or "" where it is not known
// (policy-controller/k8s/index/src/inbound/index.rs, client_authzs and default_inbound_server).
func (c *Cluster) Unmeshed(p *facts.Pod, number int32, name string) Entrance {
	skipped, known := c.skipsProxy(p, number)
	switch {
	case skipped:
		return Entrance{Admission: Admitted}
	case !known:
		return Entrance{Admission: Undecided}
	}
	servers, known := c.serversAbout(p, number, name)
	if !known {
		return Entrance{Admission: Undecided}
	}
	if len(servers) == 0 {
		return c.unmeshedByDefault(p, number)
	}
	out := Entrance{}
	for _, s := range servers { // of several one is used
		admission, policies := c.admitsUnmeshed(s)
		if out.Server == nil || admission > out.Admission {
			out = Entrance{Admission: admission, Server: s, Policies: policies}
		}
	}
	return out
}

// skipsProxy reports whether the traffic of a port does not go through the proxy; known is false where that is in the
// configuration of the CNI plugin, which is not read.
// An annotation replaces what the installation says (pkg/inject/inject.go of linkerd2, and linkerd2-proxy-init).
func (c *Cluster) skipsProxy(p *facts.Pod, number int32) (skips, known bool) {
	listed, own := p.Annotations[resources.AnnotationSkipInbound]
	if !own {
		listed = c.Values.IgnoredInboundPorts()
	}
	return listsPort(listed, number), own || !c.Values.CNIEnabled
}

func listsPort(listed string, number int32) bool {
	return slices.ContainsFunc(strings.Split(listed, ","), func(part string) bool {
		return within(strings.TrimSpace(part), strconv.Itoa(int(number)), "")
	})
}

// serversAbout are the Servers of a port of a pod; false where one is about a port by a name that is not known here.
func (c *Cluster) serversAbout(p *facts.Pod, number int32, name string) ([]*api.Server, bool) {
	all := resources.Servers.Of(c.Cluster).Value
	var out []*api.Server
	for i := range all {
		s := &all[i]
		if s.Namespace != p.Namespace || s.Spec.PodSelector == nil || !matches(s.Spec.PodSelector, p.Labels) {
			continue
		}
		switch {
		case s.Spec.Port.Type == intstr.Int && s.Spec.Port.IntVal == number, s.Spec.Port.Type == intstr.String && s.Spec.Port.StrVal == name:
			out = append(out, s)
		case s.Spec.Port.Type == intstr.String && slices.Contains(proxyPorts, s.Spec.Port.StrVal):
		case s.Spec.Port.Type == intstr.String && name == "":
			return nil, false
		}
	}
	return out, true
}

// proxyPorts are the names of the ports of the proxy itself.
var proxyPorts = []string{"linkerd-proxy", "linkerd-admin"}

// DeniesAll reports whether the default policy of all pods of a Service denies everybody at a port: no Server is about it.
func (c *Cluster) DeniesAll(s *corev1.Service, number int32, name string) bool {
	if !c.ValuesKnown {
		return false
	}
	denied := false
	for _, p := range c.Selected(s) {
		if !Meshed(p) {
			continue
		}
		servers, known := c.serversAbout(p, number, name)
		skips, read := c.skipsProxy(p, number)
		if !known || !read || skips || len(servers) > 0 || c.inboundPolicy(p) != "deny" {
			return false
		}
		denied = true
	}
	return denied
}

// inboundPolicy is the default policy of a pod: that of its annotation, or of the installation.
func (c *Cluster) inboundPolicy(p *facts.Pod) string {
	if own := p.Annotations[resources.AnnotationInboundPolicy]; slices.Contains(inboundPolicies, own) {
		return own
	}
	return c.Values.Proxy.DefaultInboundPolicy
}

// unmeshedByDefault is what the default policy of a pod says.
func (c *Cluster) unmeshedByDefault(p *facts.Pod, number int32) Entrance {
	policy := c.inboundPolicy(p)
	out := Entrance{Default: policy}
	switch policy {
	case "all-authenticated", "cluster-authenticated", "deny":
		out.Admission = Denied
	case "cluster-unauthenticated":
		out.Admission = Undecided // it depends on the API server's address
	default:
		out.Admission = Admitted
	}
	if policy != "audit" && out.Admission != Denied && listsPort(p.Annotations[resources.AnnotationRequireIdentity], number) {
		out = Entrance{Admission: Denied, Default: policy + ", with an identity by annotation " + resources.AnnotationRequireIdentity}
	}
	return out
}

// inboundPolicies are the values of the annotation that are used (policy-controller/k8s/index/src/defaults.rs).
var inboundPolicies = []string{
	"all-authenticated", "all-unauthenticated", "cluster-authenticated", "cluster-unauthenticated", "deny", "audit",
}

// admitsUnmeshed says whether a Server admits a client without an identity from an address that is not known; policies
// are the names of those that apply to it.
func (c *Cluster) admitsUnmeshed(s *api.Server) (Admission, []string) {
	out := Denied
	switch s.Spec.AccessPolicy {
	case "all-unauthenticated", "audit":
		return Admitted, nil
	case "cluster-unauthenticated":
		out = Undecided
	}
	var names []string
	for _, p := range resources.AuthorizationPolicies.Of(c.Cluster).Value {
		ref := p.Spec.TargetRef
		switch {
		case p.Namespace != s.Namespace:
			continue
		case ref.Group == api.PolicyGroup && ref.Kind == "Server" && ref.Name == s.Name, ref.Group == "" && ref.Kind == "Namespace":
		case ref.Kind == "HTTPRoute" || ref.Kind == "GRPCRoute":
			out = max(out, Undecided)
			continue
		default:
			continue
		}
		names = append(names, p.Name)
		admission := c.authenticatesUnmeshed(p.Namespace, p.Spec.RequiredAuthenticationRefs)
		if admission == Admitted {
			return Admitted, names
		}
		out = max(out, admission)
	}
	for _, a := range resources.ServerAuthorizations.Of(c.Cluster).Value {
		if a.Namespace != s.Namespace || a.Spec.Server.Name != s.Name && (a.Spec.Server.Selector == nil || !matches(a.Spec.Server.Selector,
			s.Labels)) {
			continue
		}
		names = append(names, a.Name)
		if m := a.Spec.Client.MeshTLS; a.Spec.Client.Unauthenticated || m != nil && m.UnauthenticatedTLS {
			out = max(out, Undecided) // it may name networks
		}
	}
	return out, names
}

// authenticatesUnmeshed reports whether such a client meets all requirements of a policy: only addresses are none of
// an identity.
func (c *Cluster) authenticatesUnmeshed(namespace string, refs []api.PolicyRef) Admission {
	out := Admitted
	for _, ref := range refs {
		in := ref.Namespace
		if in == "" {
			in = namespace
		}
		switch ref.Kind {
		case "NetworkAuthentication":
			all := resources.NetworkAuthentications.Of(c.Cluster).Value
			i := slices.IndexFunc(all, func(n api.NetworkAuthentication) bool { return n.Namespace == in && n.Name == ref.Name })
			switch {
			case i < 0:
				return Denied
			case !slices.ContainsFunc(all[i].Spec.Networks, func(n api.Network) bool { return n.CIDR == "0.0.0.0/0" && len(n.Except) == 0 }):
				out = Undecided
			}
		case "MeshTLSAuthentication", "ServiceAccount":
			return Denied
		default:
			out = Undecided
		}
	}
	return out
}
