package probing

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// protocolControlPlane is what TLS asks istiod for: gRPC and webhooks both go by it.
const protocolControlPlane = "h2"

// Authority is by what a client checks istiod.
type Authority struct {
	Roots []pki.Certificate
	// From is where they were read, for people, and Object the object that holds them.
	From   string
	Object finding.Object
	// Why says that they are not known; "" where they are.
	Why string
}

// controlPlaneTargets are the addresses at which remote clusters are told to find
// their control plane, for the proxies and for the API server of each.
func controlPlaneTargets(m *model.Mesh) []Target {
	var out []Target
	for _, c := range m.Members() {
		by := c.ConfiguredBy()
		if !c.RemoteWatched() || len(by) == 0 {
			continue
		}
		for _, t := range append(discoveryTargets(c, by), injectionTargets(c)...) {
			t.For, t.Protocol = c.Context, protocolControlPlane
			t.findOwner(by)
			if !slices.ContainsFunc(out, func(o Target) bool {
				return o.For == t.For && o.Purpose == t.Purpose && o.Probe == t.Probe && o.CheckedBy.Object == t.CheckedBy.Object
			}) {
				out = append(out, t)
			}
		}
	}
	return out
}

// findOwner finds whose address it is: that of a Service in the cluster of a control
// plane, else the control plane's own.
func (t *Target) findOwner(by []*model.ControlPlane) {
	first := by[0]
	t.Cluster, t.Network = first.Context, first.Cluster.Network().Home()
	t.Object = finding.In("deployment", first.Istiod.Namespace, first.Istiod.Name)
	for _, cp := range by {
		if s := cp.RunsIn.ServiceAt([]string{t.Address}); s != nil {
			t.Cluster, t.Object = cp.Context, finding.In("service", s.Namespace, s.Name)
			t.Network = cmp.Or(s.Labels[istio.LabelNetwork], cp.RunsIn.Network().Home())
			return
		}
	}
}

// discoveryTargets are where proxies are told to find istiod; in a cluster without
// any, where the Service of the injector leads.
func discoveryTargets(c *model.Cluster, by []*model.ControlPlane) []Target {
	root := publishedRoot(c, by)
	var out []Target
	type place struct {
		host, namespace string
		port            uint32
	}
	told, seen := false, map[place]bool{}
	add := func(host string, port uint32, s *corev1.Service) {
		for _, p := range placesOf(c, host, port, s) {
			out = append(out, Target{Probe: p, Purpose: Discovery, Host: host, CheckedBy: root})
		}
	}
	for _, p := range c.ProxyPods() {
		host, port, known := model.DiscoveryOf(p)
		told = told || known
		at := place{host, p.Namespace, port}
		if !known || seen[at] || port == model.PortPlainDiscovery || model.IsLoopback(host) || checksOtherwise(p) {
			continue
		}
		seen[at] = true
		s, inside := c.ServiceNamed(host, p.Namespace)
		if s == nil && inside {
			continue
		}
		add(host, port, s)
	}
	if told {
		return out
	}
	for _, s := range c.ControlPlaneServices() {
		add(s.Name+"."+s.Namespace+".svc", model.PortDiscovery, s)
	}
	return out
}

// checksOtherwise reports whether a proxy checks istiod in a way of its own.
func checksOtherwise(p *facts.Pod) bool {
	return model.Variable(p, istio.EnvXDSRootCA) != "" || model.Variable(p, istio.EnvIstiodSAN) != ""
}

// publishedRoot is that by which proxies of a remote cluster check istiod, unless it
// is given to them in another way.
func publishedRoot(c *model.Cluster, by []*model.ControlPlane) Authority {
	object := finding.In("configmap", c.SystemNamespace, istio.RootCertConfigMap)
	a := Authority{From: object.String(), Object: object}
	for _, cp := range by {
		_, known := cp.CertificateNames()
		if !known || cp.Istiod.Env(istio.EnvRootCertConfigMap) != "" || cp.Istiod.On(istio.EnvClusterTrustBundles) {
			a.Why = "by what proxies check " + cp.String() + " is not among what is read"
			return a
		}
	}
	switch root := resources.RootCert.Of(c.Cluster); {
	case root.State == facts.OK && root.Value != nil:
		a.Roots = pki.ParseBundle([]byte(root.Value.Data[istio.RootCertKey])).Certificates
		if len(a.Roots) == 0 {
			a.Why = a.From + " holds no certificate"
		}
	case root.State == facts.Absent:
		a.Why = a.From + " does not exist"
	default:
		a.Why = a.From + ": " + root.Why()
	}
	return a
}

// injectionTargets are where webhooks call the injector. API servers check it by the
// webhook's bundle alone (k8s.io/apiserver/pkg/util/webhook/client.go).
func injectionTargets(c *model.Cluster) []Target {
	var out []Target
	for _, i := range c.Injectors() {
		by := Authority{
			From: "caBundle of " + i.Object().String(), Object: i.Object(), Roots: pki.ParseBundle(i.ClientConfig.CABundle).Certificates,
		}
		if len(by.Roots) == 0 {
			by.Why = by.From + ": none, so that the API server uses its own roots"
		}
		host, port := i.Host(), uint32(443)
		var s *corev1.Service
		if name, ok := i.Service(); ok {
			if ref := i.ClientConfig.Service; ref.Port != nil {
				port = uint32(*ref.Port)
			}
			s = c.Service(name.Namespace, name.Name)
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
		for _, p := range placesOf(c, host, port, s) {
			out = append(out, Target{Probe: p, Purpose: Injection, Host: host, CheckedBy: by})
		}
	}
	return out
}

// placesOf are what a host and port stand for outside of the cluster: the endpoints
// that somebody wrote for a Service, or the host itself where there is none. TLS asks
// for the host, unless that is an address (crypto/tls, hostnameInSNI).
func placesOf(c *model.Cluster, host string, port uint32, s *corev1.Service) []facts.Probe {
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
	case !model.LeadsOut(s):
		return nil
	}
	i := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return uint32(p.Port) == port })
	if i < 0 {
		return nil
	}
	var out []facts.Probe
	for _, slice := range c.Slices(s.Namespace, s.Name) {
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
