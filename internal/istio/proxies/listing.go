package proxies

import (
	"net"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Listing is what sources get of a service.
type Listing struct {
	Namespace string          `json:"namespace"`
	Service   string          `json:"service"`
	Sources   []SourceListing `json:"sources"`
	Gaps      []Gap           `json:"gaps"`
}

// SourceListing is what one source gets.
type SourceListing struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Network   string `json:"network"`
	// ControlPlane is the context of the cluster with the control plane of the source.
	ControlPlane string `json:"controlPlane"`
	// Unknown says why it is not known what the source really has; "" where it is.
	Unknown string `json:"unknown,omitempty"`
	// Unread is what was not read, so that what is expected may be incomplete.
	Unread       []string      `json:"unread"`
	Destinations []Destination `json:"destinations"`
}

// Destination is a port of the service, for one source.
type Destination struct {
	Port     int    `json:"port"`
	PortName string `json:"portName,omitempty"`
	// Verdict is how what the source has compares with what is expected.
	Verdict Verdict `json:"verdict"`
	// Note says why there are no endpoints, or why nothing can be compared.
	Note      string     `json:"note,omitempty"`
	Endpoints []Endpoint `json:"endpoints"`
	// Withheld are the endpoints that clusters have and the source is not expected to be given.
	Withheld []Withheld `json:"withheld"`
}

// Verdict is how two sets of endpoints compare.
type Verdict string

// The verdicts, of destinations and of endpoints.
const (
	Same      Verdict = "same"
	Different Verdict = "different"
	Unknown   Verdict = "unknown"
	// Missing is an endpoint that is expected and not there, Unexpected the reverse.
	Missing    Verdict = "missing"
	Unexpected Verdict = "unexpected"
)

// Kind is what an endpoint is.
type Kind string

// The kinds of endpoints.
const (
	Pod     Kind = "pod"
	Gateway Kind = "gateway"
	Other   Kind = "unknown"
)

// Endpoint is one address that a source sends to, or should.
type Endpoint struct {
	Address string  `json:"address"`
	Port    uint32  `json:"port"`
	Verdict Verdict `json:"verdict"`
	Kind    Kind    `json:"kind"`
	// Cluster is the context of the cluster in which it is, or its ID where no context leads there.
	Cluster string `json:"cluster,omitempty"`
	Network string `json:"network,omitempty"`
	// Pod is namespace/name.
	Pod string `json:"pod,omitempty"`
	// Behind are the endpoints that a gateway stands for.
	Behind []Backend `json:"behind,omitempty"`
	// Route says why the source is expected to be given this address.
	Route    string    `json:"route,omitempty"`
	Expected *Settings `json:"expected,omitempty"`
	Actual   *Settings `json:"actual,omitempty"`
	// Reason says what the verdict comes from, unless it is Same.
	Reason string `json:"reason,omitempty"`
}

// Settings are how a source uses an endpoint.
type Settings struct {
	Locality string `json:"locality"`
	Priority uint32 `json:"priority"`
	Weight   uint32 `json:"weight"`
	// Health is in the words of Envoy; Flags say what the proxy itself holds against the endpoint.
	Health string   `json:"health"`
	Flags  []string `json:"flags,omitempty"`
	MTLS   bool     `json:"mtls"`
	Tunnel bool     `json:"tunnel,omitempty"`
}

// Backend is an endpoint of a cluster.
type Backend struct {
	Cluster string `json:"cluster"`
	Address string `json:"address"`
	Port    uint32 `json:"port"`
	Pod     string `json:"pod,omitempty"`
	Network string `json:"network,omitempty"`
}

// Withheld is an endpoint of a cluster that a source is not given.
type Withheld struct {
	Backend
	// Reason is the first that there is, Detail names the objects that decided.
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// Options are what to list.
type Options struct {
	Service Service
	// Port is the number of the only port to list; 0 for all.
	Port int
	// Actual are what sources have, by their String; a source that is not among them was not asked.
	Actual map[string]facts.Read[[]envoy.Cluster]
	// NotAsked says why sources were not asked.
	NotAsked string
	// Istiod: the control planes were asked what they have sent, rather than the proxies
	// what they have.
	Istiod bool
}

// List sets what sources have beside what is expected.
func List(fleet *facts.Fleet, sources []Source, options Options) Listing {
	out := Listing{Namespace: options.Service.Namespace, Service: options.Service.Name, Sources: []SourceListing{}, Gaps: []Gap{}}
	ports := Ports(fleet, options.Service)
	for _, s := range sources {
		l := newLister(fleet, s, options)
		row := SourceListing{
			Cluster: s.Context, Namespace: s.Namespace, Pod: s.Pod, Network: s.Network, ControlPlane: s.View.Context,
			Unknown: l.unknown, Unread: l.unread, Destinations: []Destination{},
		}
		for _, p := range ports {
			if options.Port == 0 || options.Port == int(p.Port) {
				row.Destinations = append(row.Destinations, l.destination(p))
			}
		}
		out.Sources = append(out.Sources, row)
	}
	return out
}

// Ports are all ports of a Service by number, in whichever cluster, as far as a proxy
// takes them. The name is that of the first cluster.
func Ports(fleet *facts.Fleet, to Service) []corev1.ServicePort {
	var out []corev1.ServicePort
	for _, c := range fleet.Clusters {
		for _, s := range resources.Services.Of(&c).Value {
			if s.Namespace != to.Namespace || s.Name != to.Name {
				continue
			}
			for _, p := range s.Spec.Ports {
				known := slices.ContainsFunc(out, func(o corev1.ServicePort) bool { return o.Port == p.Port })
				if !known && p.Protocol != corev1.ProtocolUDP {
					out = append(out, p)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b corev1.ServicePort) int { return int(a.Port - b.Port) })
	return out
}

// Hosts are the names that gateways have instead of addresses, in the views of sources.
func Hosts(sources []Source) []string {
	var out []string
	for _, s := range sources {
		for _, h := range s.View.GatewayHosts() {
			if !slices.Contains(out, h.Name) {
				out = append(out, h.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Name is what the person is shown: SERVICE.NAMESPACE.
func (l Listing) Name() string { return l.Service + "." + l.Namespace }

// Title is the port with its name.
func (d Destination) Title() string {
	title := strconv.Itoa(d.Port)
	if d.PortName != "" {
		title += " (" + d.PortName + ")"
	}
	return title
}

// HostPort is address:port.
func (e Endpoint) HostPort() string { return net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port))) }

// Settings are those that it has, else those that are expected.
func (e Endpoint) Settings() Settings {
	switch {
	case e.Actual != nil:
		return *e.Actual
	case e.Expected != nil:
		return *e.Expected
	}
	return Settings{}
}
