package endpoints

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// admits: the policies of the cluster let the source in. Only what is certain is found:
// by policies that allow some, and of those by what asks who the client is
// (pilot/pkg/security/authz/model).
func (w *walk) admits() Verdict {
	cp := w.managedBy[w.to]
	if cp == nil || w.from.Pod == "" || !w.read(cp.Cluster, resources.AuthorizationPolicies, "EP019") {
		return goesOn
	}
	labels := w.labelsThere()
	if labels == nil {
		return goesOn
	}
	var denying []*api.AuthorizationPolicy
	policies := resources.AuthorizationPolicies.Of(cp.Cluster.Cluster).Value
	for i := range policies {
		a := &policies[i]
		inScope := cp.Istiod.Reads(a.Labels) && (a.Namespace == w.service.namespace || a.Namespace == cp.Mesh.RootNamespace)
		if !inScope || a.Spec.Selector != nil && !covered(a.Spec.Selector.MatchLabels, labels) ||
			cmp.Or(a.Spec.Action, api.ActionAllow) != api.ActionAllow {
			continue
		}
		if w.admitted(a, cp) {
			return w.ok(stepPolicy, "AuthorizationPolicy %s lets clients in %s in", key(a.Namespace, a.Name), w.from.proxy.Namespace)
		}
		denying = append(denying, a)
	}
	// A policy that also keeps this client out in its own cluster is meant.
	for _, a := range denying {
		if why := w.foreign(a, cp); why != "" {
			w.warn(w.onlyOwnClients(a, cp, why))
			return goesOn
		}
	}
	return w.ok(stepPolicy, "no AuthorizationPolicy distinguishes clusters")
}

// onlyOwnClients is the finding about a policy that lets in clients of its own cluster, and
// not the same ones of the source.
func (w *walk) onlyOwnClients(a *api.AuthorizationPolicy, cp *model.ControlPlane, why string) finding.Finding {
	name, object := key(a.Namespace, a.Name), finding.In("authorizationpolicy", a.Namespace, a.Name)
	return finding.Finding{
		Code: "EP019", Severity: finding.Warning, Clusters: []string{cp.Context}, Object: object,
		Title: fmt.Sprintf("AuthorizationPolicy %s refuses clients of %s: %s",
			name, w.source.Context, why),
		Evidence: []finding.Evidence{
			{Cluster: cp.Context, Field: object.String() + ", rules", Value: remedy.JSON(a.Spec.Rules)},
			{Cluster: w.source.Context, Field: "trust domain", Value: w.cp.Mesh.TrustDomain},
		},
		Effect: fmt.Sprintf("requests of those clients in %s are answered with 403 (RBAC: access denied)", w.source.Context),
		Fix: []finding.Step{finding.Say("Name the clients by namespaces, or by principals of every trust domain:").By(
			edit(cp.Context, object.Kind, object.Namespace, object.Name))},
	}
}

// labelsThere are the labels of a pod of the cluster behind the service; nil for none.
func (w *walk) labelsThere() map[string]string {
	for _, p := range w.ports {
		for _, e := range slices.Concat(p.direct, p.via) {
			name := e.Pod
			for _, b := range e.Behind {
				if b.Cluster == w.id {
					name = b.Pod
				}
			}
			if pod := w.to.Pod(cut(name)); pod != nil {
				return pod.Labels
			}
		}
	}
	return nil
}

// admitted reports whether any rule may let the source in.
func (w *walk) admitted(a *api.AuthorizationPolicy, cp *model.ControlPlane) bool {
	for _, r := range a.Spec.Rules {
		if len(r.From) == 0 {
			return true
		}
		for _, f := range r.From {
			if f.Source == nil || w.mayBe(f.Source, w.cp.Mesh.TrustDomain, cp, w.usesGateway()) {
				return true
			}
		}
	}
	return false
}

// mayBe reports whether a client of the source's namespace can match.
func (w *walk) mayBe(s *api.AuthorizationSource, trustDomain string, cp *model.ControlPlane, through bool) bool {
	isPrincipal := func(p string) bool { return w.isPrincipal(p, trustDomain, cp) }
	if len(s.Principals) > 0 && !slices.ContainsFunc(s.Principals, isPrincipal) {
		return false
	}
	if len(s.Namespaces) > 0 && !slices.ContainsFunc(s.Namespaces, func(n string) bool { return wild(n, w.from.proxy.Namespace) }) {
		return false
	}
	return len(s.IPBlocks) == 0 || slices.ContainsFunc(s.IPBlocks, func(b string) bool { return w.inBlock(b, through) })
}

// isPrincipal reports whether a pattern can match an identity of the source's namespace. Where
// the pattern names the trust domain of the server, those of its aliases match as well
// (pilot/pkg/security/trustdomain/bundle.go).
func (w *walk) isPrincipal(pattern, trustDomain string, cp *model.ControlPlane) bool {
	if strings.Contains(pattern, "*") {
		return true
	}
	td, rest, _ := strings.Cut(pattern, "/")
	domains := append([]string{cp.Mesh.TrustDomain, "cluster.local"}, cp.Mesh.TrustDomainAliases...)
	same := td == trustDomain || slices.Contains(domains, td) && slices.Contains(domains, trustDomain)
	return same && strings.HasPrefix(rest, "ns/"+w.from.proxy.Namespace+"/")
}

// inBlock reports whether the address that the server sees may be in a range: that of the
// client, or of a gateway's pod.
func (w *walk) inBlock(block string, through bool) bool {
	prefix, err := netip.ParsePrefix(block)
	if err != nil {
		return true // a single address, or none
	}
	addresses := w.from.proxy.Addresses
	if through {
		addresses = nil
		for _, p := range w.ports {
			for _, e := range p.via {
				for _, g := range w.gatewaysOf(e) {
					addresses = append(addresses, g.proxy.Addresses...)
				}
			}
		}
	}
	return len(addresses) == 0 || slices.ContainsFunc(addresses, func(a string) bool {
		ip, err := netip.ParseAddr(a)
		return err != nil || prefix.Contains(ip)
	})
}

// usesGateway reports whether requests go through a gateway.
func (w *walk) usesGateway() bool {
	return slices.ContainsFunc(w.ports, func(p *port) bool { return len(p.via) > 0 })
}

// foreign says why a policy keeps out the source and would let in its like of the
// server's own cluster; "" where it keeps out both.
func (w *walk) foreign(a *api.AuthorizationPolicy, cp *model.ControlPlane) string {
	for _, r := range a.Spec.Rules {
		for _, f := range r.From {
			if f.Source == nil {
				continue
			}
			if w.mayBe(f.Source, cp.Mesh.TrustDomain, cp, w.usesGateway()) {
				return "their trust domain is " + w.cp.Mesh.TrustDomain
			}
			if w.usesGateway() && w.mayBe(f.Source, w.cp.Mesh.TrustDomain, cp, false) {
				return "they come from the address of a gateway"
			}
		}
	}
	return ""
}

// wild matches a pattern with a * at one end.
func wild(pattern, s string) bool {
	switch {
	case pattern == "*":
		return true
	case strings.HasPrefix(pattern, "*"):
		return strings.HasSuffix(s, pattern[1:])
	case strings.HasSuffix(pattern, "*"):
		return strings.HasPrefix(s, strings.TrimSuffix(pattern, "*"))
	default:
		return pattern == s
	}
}
