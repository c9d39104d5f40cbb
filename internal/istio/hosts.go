package istio

import "strings"

// domainSuffix is that of the hosts of Services, unless istiod is started with
// another one, which nothing else would understand.
const domainSuffix = "cluster.local"

// hostname is the host of a Service in the mesh.
func hostname(namespace, name string) string { return name + "." + namespace + ".svc." + domainSuffix }

// fullHost completes the host of a configuration in a namespace
// (pilot/pkg/model/context.go, ResolveShortnameToFQDN).
func fullHost(host, namespace string) string {
	if host == "" || host == "*" || strings.Contains(host, ".") || isAddress(host) {
		return host
	}
	return hostname(namespace, host)
}

// mostSpecific finds the entry for a host: that of the host itself, else of the
// longest wildcard that covers it (pilot/pkg/model/push_context.go, MostSpecificHostMatch).
func mostSpecific[V any](host string, specific, wildcard map[string]V) (V, bool) {
	if v, ok := specific[host]; ok {
		return v, true
	}
	best := ""
	for pattern := range wildcard {
		longer := len(pattern) > len(best) || len(pattern) == len(best) && pattern < best
		if strings.HasSuffix(host, pattern[1:]) && (best == "" || longer) {
			best = pattern
		}
	}
	v, ok := wildcard[best]
	return v, ok
}

// isClusterLocal reports whether only endpoints of the client's own cluster count
// for a host (pilot/pkg/model/cluster_local.go).
func isClusterLocal(i Istiod, m MeshConfig, host string) bool {
	defaults := []string{"*.kube-system.svc." + domainSuffix, hostname("default", "kubernetes"), discoveryHost(m)}
	specific, wildcard := map[string]bool{}, map[string]bool{}
	put := func(host string, local bool) {
		if strings.HasPrefix(host, "*") {
			wildcard[host] = local
		} else {
			specific[host] = local
		}
	}
	for _, s := range m.ServiceSettings {
		local := s.Settings != nil && s.Settings.ClusterLocal
		for _, h := range s.Hosts {
			for i, d := range defaults {
				if !local && d != "" && (h == d || strings.HasPrefix(d, "*") && strings.HasSuffix(h, d[1:])) {
					defaults[i] = ""
				}
			}
			if local || !i.Has(BugSharedHosts) {
				put(h, local)
			}
		}
	}
	for _, d := range defaults {
		if d != "" {
			put(d, true)
		}
	}
	local, ok := mostSpecific(host, specific, wildcard)
	return ok && local
}

// discoveryHost is the host of istiod itself, which is never shared.
func discoveryHost(m MeshConfig) string {
	host := m.DefaultConfig.DiscoveryAddress
	if at := strings.LastIndex(host, ":"); at >= 0 {
		host = host[:at]
	}
	if host != "" && !strings.HasSuffix(host, domainSuffix) {
		host += "." + domainSuffix
	}
	return host
}
