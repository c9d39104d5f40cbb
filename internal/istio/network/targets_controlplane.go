package network

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// protocolControlPlane is what TLS asks istiod for: gRPC and webhooks both go by it.
const protocolControlPlane = "h2"

// authority is by what a client checks istiod.
type authority struct {
	roots []pki.Certificate
	// from is where they were read, for people, and object the object that holds them.
	from   string
	object finding.Object
	// why says that they are not known.
	why string
}

// controlPlaneTargets are the addresses at which remote clusters are told to find
// their control plane, for the proxies and for the API server of each.
func (w *world) controlPlaneTargets() []Target {
	var out []Target
	for _, m := range w.members {
		planes := m.serving()
		if m.apart || !m.isRemote() || len(planes) == 0 {
			continue
		}
		for _, t := range append(m.discoveryTargets(planes), m.injectionTargets()...) {
			t.For, t.Protocol = m.Context, protocolControlPlane
			t.owner(planes)
			if !slices.ContainsFunc(out, func(o Target) bool {
				return o.For == t.For && o.Purpose == t.Purpose && o.Probe == t.Probe && o.authority.object == t.authority.object
			}) {
				out = append(out, t)
			}
		}
	}
	return out
}

// owner finds whose address it is: that of a Service in the cluster of a control
// plane, else the control plane's own.
func (t *Target) owner(planes []*view) {
	v := planes[0]
	t.Cluster, t.Network, t.Object = v.Context, v.own.home(), finding.In("deployment", v.Istiod.Namespace, v.Istiod.Name)
	for _, v := range planes {
		if g := v.gatewayAt([]string{t.Address}); g != nil {
			t.Cluster, t.Object = v.Context, g.object()
			t.Network = v.own.home()
			if g.network != "" {
				t.Network = g.network
			}
			return
		}
	}
}

// discoveryTargets are where proxies are told to find istiod; in a cluster without
// any, where the Service of the injector leads.
func (m *member) discoveryTargets(planes []*view) []Target {
	root := m.publishedRoot(planes)
	var out []Target
	type place struct {
		host, namespace string
		port            uint32
	}
	told, seen := false, map[place]bool{}
	add := func(host string, port uint32, s *corev1.Service) {
		for _, p := range m.placesOf(host, port, s) {
			out = append(out, Target{Probe: p, Purpose: Discovery, Host: host, authority: root})
		}
	}
	for _, p := range m.proxies {
		host, port, known := discoveryOf(p)
		told = told || known
		at := place{host, p.Namespace, port}
		if !known || seen[at] || port == portPlainDiscovery || isLoopback(host) || variable(p, istio.EnvXDSRootCA) != "" || variable(p, istio.EnvIstiodSAN) != "" {
			continue // the last ones check istiod in ways of their own
		}
		seen[at] = true
		s, inside := m.serviceNamed(host, p.Namespace)
		if s == nil && inside {
			continue
		}
		add(host, port, s)
	}
	if told {
		return out
	}
	for _, s := range m.controlPlaneServices() {
		add(s.Name+"."+s.Namespace+".svc", portDiscovery, s)
	}
	return out
}

// publishedRoot is that by which proxies of a remote cluster check istiod, unless it
// is given to them in another way.
func (m *member) publishedRoot(planes []*view) authority {
	object := finding.In("configmap", m.SystemNamespace, istio.RootCertConfigMap)
	a := authority{from: object.String(), object: object}
	for _, v := range planes {
		if _, known := v.names(); !known || v.Istiod.Env(istio.EnvRootCertConfigMap) != "" || v.Istiod.On(istio.EnvClusterTrustBundles) {
			a.why = "by what proxies check " + v.name() + " is not among what is read"
			return a
		}
	}
	switch {
	case resources.RootCert.Of(m.Cluster).State == facts.OK && resources.RootCert.Of(m.Cluster).Value != nil:
		a.roots = pki.ParseBundle([]byte(resources.RootCert.Of(m.Cluster).Value.Data[istio.RootCertKey])).Certificates
		if len(a.roots) == 0 {
			a.why = a.from + " holds no certificate"
		}
	case resources.RootCert.Of(m.Cluster).State == facts.Absent:
		a.why = a.from + " does not exist"
	default:
		a.why = a.from + ": " + resources.RootCert.Of(m.Cluster).Why()
	}
	return a
}

// injectionTargets are where webhooks call the injector. API servers check it by the
// webhook's bundle alone (k8s.io/apiserver/pkg/util/webhook/client.go).
func (m *member) injectionTargets() []Target {
	var out []Target
	for _, i := range m.injectors() {
		by := authority{
			from: "caBundle of " + i.object().String(), object: i.object(), roots: pki.ParseBundle(i.ClientConfig.CABundle).Certificates,
		}
		if len(by.roots) == 0 {
			by.why = by.from + ": none, so that the API server's own roots count"
		}
		host, port := i.host(), uint32(443)
		var s *corev1.Service
		if ref := i.ClientConfig.Service; ref != nil {
			if ref.Port != nil {
				port = uint32(*ref.Port)
			}
			s = m.service(istio.ObjectName{Namespace: ref.Namespace, Name: ref.Name})
			if s == nil || s.Spec.Type == corev1.ServiceTypeExternalName {
				continue // PR012, PR002
			}
		} else if i.ClientConfig.URL != nil {
			if u, err := url.Parse(*i.ClientConfig.URL); err == nil && u.Port() != "" {
				n, err := strconv.ParseUint(u.Port(), 10, 16)
				if err != nil {
					continue
				}
				port = uint32(n)
			}
		}
		if host == "" {
			continue
		}
		for _, p := range m.placesOf(host, port, s) {
			out = append(out, Target{Probe: p, Purpose: Injection, Host: host, authority: by})
		}
	}
	return out
}

// placesOf are what a host and port stand for outside of the cluster: the endpoints
// that somebody wrote for a Service, or the host itself where there is none. TLS asks
// for the host, unless that is an address (crypto/tls, hostnameInSNI).
func (m *member) placesOf(host string, port uint32, s *corev1.Service) []facts.Probe {
	name := host
	if _, err := netip.ParseAddr(host); err == nil {
		name = ""
	}
	at := func(address string, port uint32) facts.Probe {
		return facts.Probe{Address: address, Port: port, ServerName: name, Protocol: protocolControlPlane}
	}
	switch {
	case s == nil:
		return []facts.Probe{at(host, port)}
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		if s.Spec.ExternalName == "" {
			return nil
		}
		return []facts.Probe{at(s.Spec.ExternalName, port)}
	case !isBridge(s):
		return nil
	}
	i := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return uint32(p.Port) == port })
	if i < 0 {
		return nil
	}
	var out []facts.Probe
	for _, slice := range m.slicesOf(s) {
		for _, p := range slice.Ports {
			// A port that has no name is that of a Service with one port.
			if p.Port == nil || p.Name != nil && *p.Name != s.Spec.Ports[i].Name || p.Name == nil && s.Spec.Ports[i].Name != "" {
				continue
			}
			for _, e := range slice.Endpoints {
				for _, address := range e.Addresses {
					out = append(out, at(address, uint32(*p.Port)))
				}
			}
		}
	}
	return out
}

// slicesOf are the EndpointSlices of a Service, from whichever list was read.
func (m *member) slicesOf(s *corev1.Service) []discoveryv1.EndpointSlice {
	all := resources.SystemSlices.Of(m.Cluster).Value
	if !resources.SystemSlices.Of(m.Cluster).Known() || s.Namespace != m.SystemNamespace {
		all = resources.EndpointSlices.Of(m.Cluster).Value
	}
	return slices.DeleteFunc(slices.Clone(all), func(e discoveryv1.EndpointSlice) bool {
		return e.Namespace != s.Namespace || e.Labels[discoveryv1.LabelServiceName] != s.Name
	})
}

// serviceNamed is the Service that a host means in a namespace of the cluster; inside
// tells a name that only means something in the cluster, whether or not there is such
// a Service.
func (m *member) serviceNamed(host, namespace string) (s *corev1.Service, inside bool) {
	if name, ok := serviceOfHost(host); ok {
		return m.service(name), true
	}
	switch parts := strings.Split(host, "."); len(parts) {
	case 1:
		s = m.service(istio.ObjectName{Namespace: namespace, Name: host})
	case 2:
		s = m.service(istio.ObjectName{Namespace: parts[1], Name: parts[0]})
	}
	return s, s != nil
}
