package ads

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Service is a port of a service, or of a subset of it, that a proxy can send to.
type Service struct {
	// Host is the name, such as shop.default.svc.cluster.local.
	Host string
	Port int
	// Subset is that of a destination rule, or empty.
	Subset string
}

// ClusterName is what istiod calls the service in a proxy's configuration.
func (s Service) ClusterName() string {
	return strings.Join([]string{"outbound", strconv.Itoa(s.Port), s.Subset, s.Host}, "|")
}

// parseClusterName is the reverse of ClusterName.
func parseClusterName(name string) (Service, bool) {
	parts := strings.Split(name, "|")
	if len(parts) != 4 || parts[0] != "outbound" {
		return Service{}, false
	}
	port, err := strconv.Atoi(parts[1])
	if err != nil {
		return Service{}, false
	}
	return Service{Host: parts[3], Port: port, Subset: parts[2]}, true
}

// Discovery is how the proxy finds the endpoints of a service, in the words of
// Envoy, or empty if it does not know the service. With EDS, STATIC and the DNS
// types there are Endpoints, be it names; with ORIGINAL_DST, as istiod has it for
// headless services, there are none: requests go where the client addressed them.
func (c *Config) Discovery(service Service) string {
	if cluster := c.cluster(service.ClusterName()); cluster != nil {
		return cluster.GetType().String()
	}
	return ""
}

// Services are the services that the proxy can send to, by host, port and
// subset, whether they have endpoints or not.
func (c *Config) Services() []Service {
	var services []Service
	for _, cluster := range c.Clusters() {
		if service, ok := parseClusterName(cluster.GetName()); ok {
			services = append(services, service)
		}
	}
	slices.SortFunc(services, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Subset, b.Subset))
	})
	return services
}
