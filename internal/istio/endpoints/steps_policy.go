package endpoints

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

func cut(name string) (namespace, rest string) {
	namespace, rest, _ = strings.Cut(name, "/")
	return namespace, rest
}

// near: nothing that the source prefers is nearer
// (pilot/pkg/networking/core/loadbalancer/loadbalancer.go).
func (w *walk) near() bool {
	p := w.ports[0]
	if p.all(istio.OtherLocality) {
		return w.answer(stepLocality, w.prefers(p, "requests are kept from "+w.to.Context+" on purpose"))
	}
	if p.reached() == 0 {
		return true
	}
	best, mine := uint32(0), uint32(0)
	first := true
	for _, e := range p.given.Endpoints {
		if e.Health == istio.Healthy && (first || e.Priority < best) {
			best, first = e.Priority, false
		}
	}
	for i, e := range slices.Concat(p.direct, p.via) {
		if i == 0 || e.Priority < mine {
			mine = e.Priority
		}
	}
	if mine > best {
		return w.answer(stepLocality, w.prefers(p, "requests go to "+w.to.Context+" only when nearer endpoints fail, on purpose"))
	}
	if p.given.Preference != "" {
		return w.ok(stepLocality, "%s ranks it first", p.given.Preference)
	}
	return w.ok(stepLocality, "nothing prefers near endpoints")
}

func (w *walk) prefers(p *port, title string) finding.Finding {
	by := cmp.Or(p.given.Preference, "the mesh config")
	return finding.Finding{
		Code: "EP016", Clusters: []string{w.v.Context}, Object: w.service.object(), Title: title + ": " + by,
		Evidence: []finding.Evidence{
			{Field: "decides", Value: by}, {Cluster: w.source.Context, Field: "locality of clients", Value: cmp.Or(w.from.proxy.Locality.String(), "none")},
		},
		Effect: fmt.Sprintf("clients in %s use endpoints nearer than %s", w.source.Context, w.to.Context),
		Fix:    []finding.Step{finding.Say("If that is not intended, change %s.", by)},
	}
}

// admits: the policies of the cluster let the source in. Judged is what is certain:
// policies that allow some, and of those what asks who the client is
// (pilot/pkg/security/authz/model).
func (w *walk) admits() bool {
	v := w.to.view
	if v == nil || w.from.Pod == "" {
		return true
	}
	own := w.by[v.Context]
	if !judgeable(w, own, resources.AuthorizationPolicies.Of(own.Cluster), "authorizationpolicies", "EP019") {
		return true
	}
	var denying []*api.AuthorizationPolicy
	pod := w.podThere()
	if pod == nil {
		return true
	}
	for i := range resources.AuthorizationPolicies.Of(own.Cluster).Value {
		a := &resources.AuthorizationPolicies.Of(own.Cluster).Value[i]
		inScope := a.Namespace == w.service.namespace || a.Namespace == v.Mesh.RootNamespace
		if !inScope || a.Spec.Selector != nil && !covered(a.Spec.Selector.MatchLabels, pod) || cmp.Or(a.Spec.Action, api.ActionAllow) != api.ActionAllow {
			continue
		}
		if w.admitted(a, v) {
			return w.ok(stepPolicy, "AuthorizationPolicy %s lets clients in %s in", key(a.Namespace, a.Name), w.from.proxy.Namespace)
		}
		denying = append(denying, a)
	}
	// A policy that keeps this client out in its own cluster too is meant.
	for _, a := range denying {
		if why := w.foreign(a, v); why != "" {
			name, object := key(a.Namespace, a.Name), finding.In("authorizationpolicy", a.Namespace, a.Name)
			w.warn(finding.Finding{
				Code: "EP019", Severity: finding.Warning, Clusters: []string{v.Context}, Object: object,
				Title: fmt.Sprintf("AuthorizationPolicy %s lets in clients of its own cluster, and the same ones of %s not: %s", name, w.source.Context, why),
				Evidence: []finding.Evidence{
					{Cluster: v.Context, Field: object.String() + ", rules", Value: compact(a.Spec.Rules)},
					{Cluster: w.source.Context, Field: "trust domain", Value: w.v.Mesh.TrustDomain},
				},
				Effect: fmt.Sprintf("requests of those clients in %s are answered with 403 (RBAC: access denied)", w.source.Context),
				Fix: []finding.Step{finding.Say("Name the clients by namespaces, or by principals of every trust domain:").By(
					edit(v.Context, object.Kind, object.Namespace, object.Name))},
			})
			return true
		}
	}
	return w.ok(stepPolicy, "no AuthorizationPolicy tells clusters apart")
}

// podThere are the labels of a pod behind the service.
func (w *walk) podThere() map[string]string {
	for _, p := range w.ports {
		for _, e := range slices.Concat(p.direct, p.via) {
			name := e.Pod
			for _, b := range e.Behind {
				if b.Cluster == w.id {
					name = b.Pod
				}
			}
			if pod := w.to.pods[name]; pod != nil {
				return pod.Labels
			}
		}
	}
	return nil
}

// admitted reports whether any rule may let the source in.
func (w *walk) admitted(a *api.AuthorizationPolicy, v *view) bool {
	for _, r := range a.Spec.Rules {
		if len(r.From) == 0 {
			return true
		}
		for _, f := range r.From {
			if f.Source == nil || w.mayBe(f.Source, w.v.Mesh.TrustDomain, v, w.throughGateway()) {
				return true
			}
		}
	}
	return false
}

// mayBe reports whether a client of the source's namespace can match.
func (w *walk) mayBe(s *api.AuthorizationSource, trustDomain string, v *view, through bool) bool {
	if len(s.Principals) > 0 && !slices.ContainsFunc(s.Principals, func(p string) bool { return w.isPrincipal(p, trustDomain, v) }) {
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
func (w *walk) isPrincipal(pattern, trustDomain string, v *view) bool {
	if strings.Contains(pattern, "*") {
		return true
	}
	td, rest, _ := strings.Cut(pattern, "/")
	domains := append([]string{v.Mesh.TrustDomain, "cluster.local"}, v.Mesh.TrustDomainAliases...)
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
	if len(addresses) == 0 {
		return true
	}
	return slices.ContainsFunc(addresses, func(a string) bool { ip, err := netip.ParseAddr(a); return err != nil || prefix.Contains(ip) })
}

func (w *walk) throughGateway() bool {
	return slices.ContainsFunc(w.ports, func(p *port) bool { return len(p.via) > 0 })
}

// foreign says why a policy keeps out the source and would let in its like of the
// server's own cluster; "" where it keeps out both.
func (w *walk) foreign(a *api.AuthorizationPolicy, v *view) string {
	for _, r := range a.Spec.Rules {
		for _, f := range r.From {
			if f.Source == nil {
				continue
			}
			if w.mayBe(f.Source, v.Mesh.TrustDomain, v, w.throughGateway()) {
				return "their trust domain is " + w.v.Mesh.TrustDomain
			}
			if w.throughGateway() && w.mayBe(f.Source, w.v.Mesh.TrustDomain, v, false) {
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
