package endpoints

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// mutual is the value of the label that says that an endpoint takes mutual TLS.
const mutual = "istio"

// plainToGateways (EP043): an endpoint of a ServiceEntry is a gateway between networks, and does not take
// mutual TLS for all that istiod knows: only its label, or a service account, says that
// (pilot/pkg/serviceregistry/serviceentry/conversion.go, getTLSModeFromWorkloadEntry). Clients then send
// what they have as it is (pilot/pkg/networking/core/cluster_tls.go, defaultTransportSocketMatch), and
// the gateway, which chooses by the server name of TLS alone, closes the connection. A DestinationRule
// with TLS decides for all endpoints, whatever their labels.
func plainToGateways(p *rule.Pass[*model.Mesh]) {
	options, _ := model.Given[Options](p.Model)
	for _, cp := range model.AbleControlPlanes(p) {
		if _, doubt := cp.RunsIn.MeshConfigDoubt(); doubt || !slices.ContainsFunc(cp.WatchedClusters(), func(c *model.Cluster) bool {
			return cp.Configures(c) && len(c.ProxyPods()) > 0
		}) {
			continue
		}
		entries := resources.ServiceEntries.Of(cp.Cluster.Cluster).Value
		for i := range entries {
			s := &entries[i]
			if !options.wants(&corev1.Service{ObjectMeta: s.ObjectMeta}) || !cp.Istiod.Reads(s.Labels) ||
				!cp.Sees(cp.IDOf(cp.Cluster), s.Namespace) {
				continue
			}
			if f, ok := plainToGateway(p, cp, s); ok {
				p.Gather(f)
			}
		}
	}
}

// plainPort is a port of an endpoint at which a gateway waits for mutual TLS.
type plainPort struct {
	at      int // of the endpoint
	address string
	port    uint32
	number  uint32 // of the ServiceEntry's port
	gateway *model.Gateway
}

func plainToGateway(p *rule.Pass[*model.Mesh], cp *model.ControlPlane, s *api.ServiceEntry) (finding.Finding, bool) {
	if len(s.Spec.Hosts) == 0 || slices.ContainsFunc(s.Spec.Hosts, func(h string) bool { return originatesTLS(cp, h) }) {
		return finding.Finding{}, false
	}
	var plain []plainPort
	for at, e := range s.Spec.Endpoints {
		if takesMutualTLS(e) || e.Network != "" { // istiod leaves one of another network out, which has no mutual TLS
			continue
		}
		for _, port := range s.Spec.Ports {
			if !isHTTPProtocol(port.Protocol) {
				continue
			}
			number := cmp.Or(e.Ports[port.Name], port.TargetPort, port.Number)
			g, known := passthroughAt(p.Model, e.Address, number)
			if !known {
				why := fmt.Sprintf("it is not known whether %s is a gateway, and which listeners it has", e.Address)
				p.NotChecked(cp.Cluster.Context, finding.Because(why))
				continue
			}
			if g != nil {
				plain = append(plain, plainPort{at, e.Address, number, port.Number, g})
			}
		}
	}
	if len(plain) == 0 {
		return finding.Finding{}, false
	}
	first := plain[0]
	object := finding.In("serviceentry", s.Namespace, s.Name)
	f := finding.Finding{
		Code: "EP043", Severity: finding.Error, Clusters: []string{cp.Cluster.Context}, Object: object,
		Title: fmt.Sprintf("clients send plain text to port %d of a gateway, which takes mutual TLS alone", first.port),
		Effect: fmt.Sprintf("the gateway of %s closes connections for %s at once: requests fail with 503",
			first.gateway.Cluster.Context, s.Spec.Hosts[0]),
	}
	for _, e := range plain {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Field: fmt.Sprintf("%s, endpoints[%d]", object, e.at),
			Value: fmt.Sprintf("%s is %s of %s, label %s: %s", net.JoinHostPort(e.address, strconv.FormatUint(uint64(e.port), 10)),
				e.gateway.Object(), e.gateway.Cluster.Context, istio.LabelTLSMode, cmp.Or(s.Spec.Endpoints[e.at].Labels[istio.LabelTLSMode], "none")),
		})
	}
	f.Fix = takeMutualTLS(cp, s, plain)
	return f, true
}

// takeMutualTLS are the steps that have clients use mutual TLS.
func takeMutualTLS(cp *model.ControlPlane, s *api.ServiceEntry, plain []plainPort) []finding.Step {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	var patch []operation
	if s.Spec.Location != api.MeshInternal {
		patch = append(patch, operation{"add", "/spec/location", api.MeshInternal})
	}
	done := map[int]bool{}
	for _, e := range plain {
		labels := fmt.Sprintf("/spec/endpoints/%d/labels", e.at)
		switch {
		case done[e.at]:
		case s.Spec.Endpoints[e.at].Labels == nil:
			patch = append(patch, operation{"add", labels, map[string]string{istio.LabelTLSMode: mutual}})
		default:
			patch = append(patch, operation{"add", labels + "/" + strings.ReplaceAll(istio.LabelTLSMode, "/", "~1"), mutual})
		}
		done[e.at] = true
	}
	entry := "serviceentries." + api.NetworkingGroup + "/" + s.Name
	out := []finding.Step{finding.Say("Label the endpoints: then clients use mutual TLS, with the server name that the gateway looks for:").
		By(finding.Kubectl(cp.Cluster.Context, "-n", s.Namespace, "patch", entry, "--type=json", "-p", remedy.JSON(patch)))}
	for _, e := range plain {
		if name, ok := model.ServiceOfHost(s.Spec.Hosts[0]); ok && e.gateway.Cluster.Service(name.Namespace, name.Name) != nil {
			continue
		}
		return append(out, finding.Say("The gateway of %s knows services by their names there. "+
			"If %s has another name there, create a DestinationRule for it "+
			"with trafficPolicy.tls: mode ISTIO_MUTUAL and sni outbound_.PORT_._.SERVICE.NAMESPACE.svc.cluster.local.",
			e.gateway.Cluster.Context, s.Spec.Hosts[0]))
	}
	return out
}

// takesMutualTLS reports whether istiod takes an endpoint for one that takes mutual TLS.
func takesMutualTLS(e api.WorkloadEntrySpec) bool {
	if mode, ok := e.Labels[istio.LabelTLSMode]; ok {
		return mode == mutual
	}
	return e.ServiceAccount != ""
}

// isHTTPProtocol reports whether proxies speak HTTP themselves at a port of a ServiceEntry. With other
// protocols clients may send TLS with a server name of their own.
func isHTTPProtocol(protocol string) bool {
	return slices.Contains([]string{"HTTP", "HTTP2", "GRPC", "GRPC-WEB"}, strings.ToUpper(protocol))
}

// originatesTLS reports whether a DestinationRule that may be for a host has clients use TLS.
func originatesTLS(cp *model.ControlPlane, host string) bool {
	is := func(t *api.ClientTLS) bool { return t != nil && t.Mode != "" && t.Mode != "DISABLE" }
	policy := func(t *api.TrafficPolicy) bool {
		return t != nil && (is(t.TLS) || slices.ContainsFunc(t.PortLevelSettings, func(p api.PortTrafficPolicy) bool { return is(p.TLS) }))
	}
	return slices.ContainsFunc(resources.DestinationRules.Of(cp.Cluster.Cluster).Value, func(d api.DestinationRule) bool {
		return mayBeFor(d.Spec.Host, host) &&
			(policy(d.Spec.TrafficPolicy) || slices.ContainsFunc(d.Spec.Subsets, func(s api.Subset) bool { return policy(s.TrafficPolicy) }))
	})
}

// mayBeFor reports whether the host of a DestinationRule, which may be short, can mean a host.
func mayBeFor(rule, host string) bool {
	rule, host = strings.ToLower(rule), strings.ToLower(host)
	if suffix, ok := strings.CutPrefix(rule, "*"); ok {
		return strings.HasSuffix(host, suffix)
	}
	return rule == host || strings.HasPrefix(host, rule+".") || strings.HasPrefix(host, "*")
}

// passthroughAt is the gateway between networks that an address and port lead to, and that passes on by
// server names all that comes there; nil where there is none. It is not known where gateways, or the
// listeners of this one, were not read.
func passthroughAt(m *model.Mesh, address string, port uint32) (*model.Gateway, bool) {
	at, known := m.GatewaysAt(address)
	for _, a := range at {
		if a.Port != port {
			continue
		}
		by := a.Gateway.Cluster.ManagedBy()
		if by == nil || len(a.Gateway.Pods) == 0 || len(by.Cluster.Unread(resources.Gateways)) > 0 {
			return nil, false
		}
		if passesAll(a.Gateway, by) {
			return a.Gateway, true
		}
		return nil, true
	}
	return nil, known || port != istio.DefaultGatewayPort
}

// passesAll reports whether all that listens at the port of a gateway wants TLS, and one of it passes it on
// by its server name.
func passesAll(g *model.Gateway, cp *model.ControlPlane) bool {
	passes := false
	for _, l := range g.Listeners(cp, g.Port()) {
		switch {
		case !l.Applies():
		case l.Server.TLS == nil:
			return false
		default:
			passes = passes || l.Mode() == model.AutoPassthrough
		}
	}
	return passes
}
