package istio

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// GatewayHost is a host name that a gateway has in place of an address.
type GatewayHost struct{ Name, Network string }

// GatewayHosts are the host names that the control plane resolves; none where it
// is told to ignore them.
func (v *View) GatewayHosts() []GatewayHost {
	if !v.Istiod.Setting(EnvResolveHostnames, true) {
		return nil
	}
	var out []GatewayHost
	for _, c := range v.candidates {
		if c.Problem != "" {
			continue
		}
		for _, a := range c.Addresses {
			if h := (GatewayHost{a.Address, c.Network}); !isAddress(a.Address) && !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	return out
}

// isNoService reports whether a host name is that of a Service which the cluster of the
// control plane does not have: its name servers say that there is no such name.
func (v *View) isNoService(host string) bool {
	own := v.own()
	parts := strings.Split(strings.TrimSuffix(host, "."+domainSuffix), ".")
	if own == nil || own.facts.Context != v.Context || len(parts) != 3 || parts[2] != "svc" || !resources.Services.Of(own.facts).Known() {
		return false
	}
	return !slices.ContainsFunc(resources.Services.Of(own.facts).Value, func(s corev1.Service) bool {
		return s.Namespace == parts[1] && s.Name == parts[0]
	})
}

// StandIn is the view with an address that nobody has for each host name of a gateway
// that Hosts does not resolve, and the names by these addresses: the control plane has name servers of its
// own, so that what is behind such a gateway is not expected to be reached directly.
// They are of the block 240.0.0.0/4 (RFC 1112), or, with six, of 100::/64 (RFC 6666).
func (v *View) StandIn(six bool) (*View, map[string]string) {
	out, names := *v, map[string]string{}
	if out.Hosts = maps.Clone(v.Hosts); out.Hosts == nil {
		out.Hosts = map[string][]string{}
	}
	block := "240.0.0."
	if six {
		block = "100::"
	}
	for _, h := range v.GatewayHosts() {
		if len(out.Hosts[h.Name]) == 0 && !v.isNoService(h.Name) {
			address := fmt.Sprintf("%s%d", block, len(names)+1)
			out.Hosts[h.Name], names[address] = []string{address}, h.Name
		}
	}
	return &out, names
}
