package envoy

import (
	"net/url"
	"regexp"
	"strings"
)

// maxHosts is how many hosts a proxy is asked for by name; for more it is asked for everything.
const maxHosts = 20

// HealthPath asks a proxy for the health of all endpoints; there is no way to ask for fewer.
const HealthPath = "/clusters?format=json"

// EndpointsPath asks a proxy for the endpoints of all ports and subsets of hosts; of
// everything where there are many hosts or none.
func EndpointsPath(hosts []string) string {
	query := url.Values{"include_eds": {"true"}, "resource": {"dynamic_endpoint_configs"}}
	if 0 < len(hosts) && len(hosts) <= maxHosts {
		quoted := make([]string, len(hosts))
		for i, h := range hosts {
			quoted[i] = regexp.QuoteMeta(h)
		}
		query.Set("name_regex", `outbound\|[0-9]+\|[^|]*\|(`+strings.Join(quoted, "|")+")")
	}
	return "/config_dump?" + query.Encode()
}

// DebugPath asks istiod for the endpoints that it has sent to a proxy. istiod takes any
// proxy whose ID holds the text: with the dash no longer name begins with it, but one may
// still end with it.
func DebugPath(namespace, pod string) string {
	return "/debug/edsz?" + url.Values{"proxyID": {pod + "." + namespace + "-"}}.Encode()
}

// Of returns the function that wants all ports and subsets of hosts.
func Of(hosts []string) func(name string) bool {
	wanted := map[string]bool{}
	for _, h := range hosts {
		wanted[h] = true
	}
	return func(name string) bool {
		d, ok := ParseName(name)
		return ok && wanted[d.Host]
	}
}
