package istio

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// meshGateway stands for all sidecars in the gateways of a VirtualService.
const meshGateway = "mesh"

// RoutedTo is where a VirtualService sends requests of a source.
type RoutedTo struct {
	// By is the VirtualService.
	By ObjectName
	// Host is the destination's; Port is 0 where the VirtualService names none.
	Host   string
	Subset string
	Port   int
	// Conditional: only requests go there that have a certain path or header, or the like.
	Conditional bool
}

// routing are the VirtualServices of a control plane, those of sidecars by host.
type routing struct {
	mesh     MeshConfig
	specific map[string][]*api.VirtualService // the oldest first
	wildcard map[string][]*api.VirtualService
	gateways []*api.VirtualService // those that are bound to gateways
	targets  map[string]bool       // the hosts to which any sends requests
	// leading are those of sidecars, by the hosts to which they send requests.
	leading map[string][]*api.VirtualService
}

func newRouting(v *View) *routing {
	r := &routing{mesh: v.Mesh, specific: map[string][]*api.VirtualService{}, wildcard: map[string][]*api.VirtualService{},
		targets: map[string]bool{}, leading: map[string][]*api.VirtualService{}}
	own := v.own()
	if own == nil {
		return r
	}
	var all []*api.VirtualService
	for i := range resources.VirtualServices.Of(own.facts).Value {
		if vs := &resources.VirtualServices.Of(own.facts).Value[i]; own.selects(vs.Namespace) && v.Istiod.Reads(vs.Labels) {
			all = append(all, vs)
		}
	}
	slices.SortFunc(all, func(a, b *api.VirtualService) int { return byAge(&a.ObjectMeta, &b.ObjectMeta) })
	for _, vs := range all {
		for _, t := range vs.Targets() {
			r.targets[fullHost(t.Host, vs.Namespace)] = true
		}
		if slices.ContainsFunc(vs.Spec.Gateways, func(g string) bool { return g != meshGateway }) {
			r.gateways = append(r.gateways, vs)
		}
		if len(vs.Spec.Gateways) > 0 && !slices.Contains(vs.Spec.Gateways, meshGateway) {
			continue
		}
		for _, t := range vs.Targets() {
			if host := fullHost(t.Host, vs.Namespace); !slices.Contains(r.leading[host], vs) {
				r.leading[host] = append(r.leading[host], vs)
			}
		}
		for _, host := range vs.Spec.Hosts {
			host = strings.ToLower(fullHost(host, vs.Namespace))
			hosts := r.specific
			if strings.HasPrefix(host, "*") {
				hosts = r.wildcard
			}
			hosts[host] = append(hosts[host], vs)
		}
	}
	return r
}

// audienceOf is the one by which a namespace may use a VirtualService: of several for one host istiod takes the
// narrowest first (pilot/pkg/model/virtualservice.go, SelectVirtualServices).
func (r *routing) audienceOf(vs *api.VirtualService, namespace string) audience {
	to := vs.Spec.ExportTo
	if len(to) == 0 {
		to = r.mesh.DefaultVirtualServiceExportTo
	}
	return audienceOf(to, vs.Namespace, namespace)
}

// of are the VirtualServices for the requests of a sidecar for a host, the one that counts first
// (pilot/pkg/networking/core/route/route.go, separateVSHostsAndServices).
func (r *routing) of(source Source, host string) []*api.VirtualService {
	visible := func(all []*api.VirtualService) []*api.VirtualService {
		out := slices.DeleteFunc(slices.Clone(all), func(vs *api.VirtualService) bool { return r.audienceOf(vs, source.Namespace) == nobody })
		slices.SortStableFunc(out, func(a, b *api.VirtualService) int {
			return cmp.Compare(r.audienceOf(a, source.Namespace), r.audienceOf(b, source.Namespace))
		})
		return out
	}
	if found := visible(r.specific[host]); len(found) > 0 {
		return found
	}
	best := ""
	for pattern, all := range r.wildcard {
		longer := len(pattern) > len(best) || len(pattern) == len(best) && pattern < best
		if strings.HasSuffix(host, pattern[1:]) && (best == "" || longer) && len(visible(all)) > 0 {
			best = pattern
		}
	}
	return visible(r.wildcard[best])
}

// Routes are where VirtualServices send the requests of a sidecar for a port of a Service: none
// where none is for them, and requests go to the Service itself, or where a VirtualService
// leaves it to another one.
func (v *View) Routes(source Source, namespace, name string, port corev1.ServicePort) []RoutedTo {
	host := hostname(namespace, name)
	for _, vs := range v.routing.of(source, host) {
		q := routeQuestion{vs: vs, source: source, port: int(port.Port), gateways: []string{meshGateway}}
		kind, http := vs.Spec.HTTP, true
		switch protocol := ProtocolOf(port); {
		case IsHTTP(protocol):
		case protocol == "https" || protocol == "tls":
			kind, http = vs.Spec.TLS, false
		case protocol == UnnamedProtocol && len(vs.Spec.HTTP) > 0: // it is found out for each connection
		default:
			kind, http = vs.Spec.TCP, false
		}
		if slices.ContainsFunc(kind, func(r api.Route) bool { return r.Delegate != nil }) {
			return nil
		}
		if routes := q.follow(kind, http); len(routes) > 0 {
			return routes
		}
	}
	return nil
}

// RoutesTo are where VirtualServices of other hosts, in the namespace of a sidecar, send its requests,
// as far as that is a Service.
func (v *View) RoutesTo(source Source, namespace, name string) []RoutedTo {
	host := hostname(namespace, name)
	var out []RoutedTo
	for _, vs := range v.routing.leading[host] {
		own := slices.ContainsFunc(vs.Spec.Hosts, func(h string) bool { return covers(strings.ToLower(fullHost(h, vs.Namespace)), host) })
		if own || vs.Namespace != source.Namespace || v.routing.audienceOf(vs, source.Namespace) == nobody {
			continue
		}
		q := routeQuestion{vs: vs, source: source, gateways: []string{meshGateway}}
		for i, kind := range [][]api.Route{vs.Spec.HTTP, vs.Spec.TCP, vs.Spec.TLS} {
			for _, r := range q.follow(kind, i == 0) {
				if r.Host == host {
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// RoutedHosts are the hosts to which VirtualServices send requests of sidecars, and the namespace of
// the oldest VirtualService that does.
func (v *View) RoutedHosts() map[string]string {
	out := map[string]string{}
	for host, services := range v.routing.leading {
		out[host] = services[0].Namespace
	}
	return out
}

// GatewayRoutes are all places to which VirtualServices send the requests that come to a gateway,
// on any port that it takes requests at: those VirtualServices that its namespace may use
// (pilot/pkg/model/push_context.go, VirtualServicesForGateway).
func (v *View) GatewayRoutes(source Source) []RoutedTo {
	served := v.gatewaysOf(source)
	if len(served) == 0 {
		return nil
	}
	var routes []RoutedTo
	for _, vs := range v.routing.gateways {
		if v.routing.audienceOf(vs, source.Namespace) == nobody {
			continue
		}
		for _, g := range vs.Spec.Gateways {
			for _, port := range served[gatewayName(g, vs.Namespace)] {
				q := routeQuestion{vs: vs, source: source, port: port, gateways: []string{g}}
				for i, kind := range [][]api.Route{vs.Spec.HTTP, vs.Spec.TCP, vs.Spec.TLS} {
					for _, r := range q.follow(kind, i == 0) {
						routes = addRoute(routes, r)
					}
				}
			}
		}
	}
	return routes
}

// addRoute adds a target to others. One that is reached under a condition and without one counts once,
// without.
func addRoute(routes []RoutedTo, to RoutedTo) []RoutedTo {
	at := slices.IndexFunc(routes, func(o RoutedTo) bool {
		return o.By == to.By && o.Host == to.Host && o.Subset == to.Subset && o.Port == to.Port
	})
	if at < 0 {
		return append(routes, to)
	}
	routes[at].Conditional = routes[at].Conditional && to.Conditional
	return routes
}

// gatewayName completes the name of a Gateway as a VirtualService of a namespace has it.
func gatewayName(name, namespace string) string {
	if strings.Contains(name, "/") {
		return strings.Replace(name, "./", namespace+"/", 1)
	}
	return namespace + "/" + name
}

// gatewaysOf are the ports of the Gateways that a proxy serves, by namespace/name
// (pilot/pkg/model/push_context.go, mergeGateways).
func (v *View) gatewaysOf(source Source) map[string][]int {
	own := v.own()
	if own == nil {
		return nil
	}
	out := map[string][]int{}
	for i := range resources.Gateways.Of(own.facts).Value {
		g := &resources.Gateways.Of(own.facts).Value[i]
		if v.Istiod.On(EnvScopeGateways) && g.Namespace != source.Namespace {
			continue
		}
		if own.selects(g.Namespace) && v.Istiod.Reads(g.Labels) && len(g.Spec.Selector) > 0 && subsetOf(g.Spec.Selector, source.Labels) {
			name := g.Namespace + "/" + g.Name
			for _, server := range g.Spec.Servers {
				if server.Port != nil && !slices.Contains(out[name], int(server.Port.Number)) {
					out[name] = append(out[name], int(server.Port.Number))
				}
			}
		}
	}
	return out
}

// routeQuestion asks a VirtualService for the routes of a source.
type routeQuestion struct {
	vs       *api.VirtualService
	source   Source
	port     int // 0 is any
	gateways []string
}

// follow are the targets of routes, to the first that takes all that is left
// (pilot/pkg/networking/core/route/route.go, BuildHTTPRoutesForVirtualService).
func (q routeQuestion) follow(routes []api.Route, http bool) []RoutedTo {
	var out []RoutedTo
	add := func(r api.Route, conditional bool) {
		for _, d := range r.Route {
			if d.Destination == nil || len(r.Route) > 1 && d.Weight == 0 {
				continue
			}
			to := RoutedTo{
				By: ObjectName{q.vs.Namespace, q.vs.Name}, Host: fullHost(d.Destination.Host, q.vs.Namespace),
				Subset: d.Destination.Subset, Conditional: conditional,
			}
			if d.Destination.Port != nil {
				to.Port = int(d.Destination.Port.Number)
			}
			out = addRoute(out, to)
		}
	}
	for _, r := range routes {
		if len(r.Match) == 0 {
			add(r, false)
			return out
		}
		for _, m := range r.Match {
			if !q.matches(m, http) {
				continue
			}
			all := m.TakesAll()
			add(r, !all)
			if all {
				return out
			}
		}
	}
	return out
}

// matches reports whether what istiod decides of a match holds (sourceMatchHTTP, and
// pilot/pkg/networking/core/tls.go, matchTLS and matchTCP).
func (q routeQuestion) matches(m api.RouteMatch, http bool) bool {
	if m.Port != 0 && q.port != 0 && int(m.Port) != q.port {
		return false
	}
	named := slices.ContainsFunc(m.Gateways, func(g string) bool { return slices.Contains(q.gateways, g) })
	labels := subsetOf(m.SourceLabels, q.source.Labels) && (m.SourceNamespace == "" || m.SourceNamespace == q.source.Namespace)
	switch {
	case len(m.Gateways) == 0:
		return labels
	case http:
		return named // labels do not count then
	default:
		return named && labels
	}
}

// UnnamedProtocol is that of a port of which nothing says it: istiod finds out.
const UnnamedProtocol = "of no named protocol"

// IsHTTP reports whether a protocol of ProtocolOf is one whose requests are routed one by one.
func IsHTTP(protocol string) bool {
	return slices.Contains([]string{"http", "http2", "grpc", "grpc-web"}, protocol)
}

// ProtocolOf is what istiod takes a port for: by appProtocol, else by what its name
// begins with (pkg/config/kube/conversion.go, ConvertProtocol).
func ProtocolOf(p corev1.ServicePort) string {
	name := strings.ToLower(p.Name)
	if p.AppProtocol != nil && *p.AppProtocol != "" {
		name = strings.ToLower(strings.TrimPrefix(*p.AppProtocol, "kubernetes.io/"))
		switch name {
		case "h2c":
			return "http2"
		case "ws":
			return "http"
		case "wss":
			return "https"
		}
	}
	prefix, _, _ := strings.Cut(name, "-")
	switch {
	case strings.HasPrefix(name, "grpc-web"):
		return "grpc-web"
	case slices.Contains([]string{"http", "http2", "https", "grpc", "tcp", "tls", "mongo", "redis", "mysql", "udp", "hbone"}, prefix):
		return prefix
	default:
		return UnnamedProtocol
	}
}
