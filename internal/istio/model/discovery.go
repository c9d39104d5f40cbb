package network

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Ports of istiod, as its gateway takes them: for proxies, and for API servers.
const (
	portDiscovery = 15012
	portInjection = 15017
	// portPlainDiscovery is the one for proxies without TLS.
	portPlainDiscovery = 15010
)

const annotationControlPlanes = "topology.istio.io/controlPlaneClusters"

// serving are the control planes whose proxies the cluster has.
func (m *member) serving() []*view {
	var out []*view
	for _, v := range m.viewers {
		if v.programs(m) {
			out = append(out, v)
		}
	}
	return out
}

// serviceOfHost takes apart the name of a Service of Kubernetes: NAME.NAMESPACE.svc,
// and what may follow.
func serviceOfHost(host string) (name istio.ObjectName, ok bool) {
	parts := strings.Split(host, ".")
	if len(parts) < 3 || parts[2] != "svc" {
		return name, false
	}
	return istio.ObjectName{Namespace: parts[1], Name: parts[0]}, true
}

// discoveryOf is the host and the port at which a pod's proxy looks for istiod; false
// where they are not known.
func discoveryOf(p *facts.Pod) (host string, port uint32, known bool) {
	config, known := istio.ProxyConfigOf(p)
	if !known {
		return "", 0, false
	}
	host, text, err := net.SplitHostPort(config.DiscoveryAddress)
	if err != nil || host == "" {
		return "", 0, false
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, false
	}
	return host, uint32(n), true
}

// discoveryHost is the host by which a pod's proxy reaches istiod; "" where that is
// not known.
func discoveryHost(p *facts.Pod) string {
	host, _, _ := discoveryOf(p)
	return host
}

func (m *member) service(name istio.ObjectName) *corev1.Service {
	for i := range resources.Services.Of(m.Cluster).Value {
		if s := &resources.Services.Of(m.Cluster).Value[i]; s.Namespace == name.Namespace && s.Name == name.Name {
			return s
		}
	}
	return nil
}

// controlPlaneServices are the Services by which the webhooks and the proxies of the
// cluster reach istiod, those that there are.
func (m *member) controlPlaneServices() []*corev1.Service {
	var names []istio.ObjectName
	for _, i := range m.injectors() {
		if ref := i.ClientConfig.Service; ref != nil {
			names = append(names, istio.ObjectName{Namespace: ref.Namespace, Name: ref.Name})
		}
	}
	for _, p := range m.proxies {
		if name, ok := serviceOfHost(discoveryHost(p)); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var out []*corev1.Service
	for _, name := range names {
		if s := m.service(name); s != nil && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// isBridge reports whether a Service leads out of its cluster by addresses that
// somebody wrote.
func isBridge(s *corev1.Service) bool {
	return len(s.Spec.Selector) == 0 && s.Spec.Type != corev1.ServiceTypeExternalName
}

// endpointsOf are the addresses and ports to which a Service of the system namespace leads.
func (m *member) endpointsOf(s *corev1.Service) (addresses []string, ports []int) {
	for _, slice := range m.slicesOf(s) {
		for _, e := range slice.Endpoints {
			addresses = append(addresses, e.Addresses...)
		}
		for _, p := range slice.Ports {
			if p.Port != nil {
				ports = append(ports, int(*p.Port))
			}
		}
	}
	slices.Sort(ports)
	return finding.Distinct(addresses), slices.Compact(ports)
}

// external are the addresses of a Service outside of its cluster, and its host names.
func external(s *corev1.Service) (addresses, hosts []string) {
	addresses = slices.Clone(s.Spec.ExternalIPs)
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		for _, i := range s.Status.LoadBalancer.Ingress {
			addresses, hosts = append(addresses, i.IP), append(hosts, i.Hostname)
		}
	}
	return finding.Distinct(addresses), finding.Distinct(hosts)
}

// roots are the fingerprints of a published root.
func roots(r facts.Read[*corev1.ConfigMap]) []string {
	if r.State != facts.OK || r.Value == nil {
		return nil
	}
	return fingerprints([]byte(r.Value.Data[istio.RootCertKey]))
}

func fingerprints(text []byte) []string {
	var out []string
	for _, c := range pki.ParseBundle(text).Certificates {
		out = append(out, c.SHA256)
	}
	return finding.Distinct(out)
}

// sharesRoot reports whether two clusters may trust the same root: only where both
// are known to have none in common they do not.
func sharesRoot(a, b facts.Read[*corev1.ConfigMap]) bool {
	x, y := roots(a), roots(b)
	return len(x) == 0 || len(y) == 0 || slices.ContainsFunc(x, func(f string) bool { return slices.Contains(y, f) })
}

// short are fingerprints as far as people compare them.
func short(fingerprints []string) string {
	var out []string
	for _, f := range fingerprints {
		out = append(out, pki.Short(f))
	}
	return strings.Join(out, ", ")
}

// names are those for which istiod has its certificate made, all others refuse it
// (pilot/pkg/bootstrap/server.go, getDNSNames); false where it may have another one.
func (v *view) names() ([]string, bool) {
	if p := v.Istiod.Env(istio.EnvCertProvider); p != "" && p != "istiod" || !v.Istiod.Setting(istio.EnvEnableCAServer, true) {
		return nil, false
	}
	out := strings.Split(v.Istiod.Env(istio.EnvCustomHost), ",")
	known := []string{"istiod", "istiod-remote", "istio-pilot"}
	if r := v.Istiod.Revision; r != "" && r != "default" {
		known = append(known, "istiod-"+r)
	}
	for _, name := range known {
		out = append(out, name+"."+v.Istiod.Namespace+".svc")
	}
	host, _, _ := strings.Cut(v.Mesh.DefaultConfig.DiscoveryAddress, ":")
	return finding.Distinct(append(out, host)), true
}

// host is the name by which the API server calls the injector; "" for an address
// of this machine.
func (i injector) host() string {
	if s := i.ClientConfig.Service; s != nil {
		return s.Name + "." + s.Namespace + ".svc"
	}
	if i.ClientConfig.URL == nil {
		return ""
	}
	u, err := url.Parse(*i.ClientConfig.URL)
	if err != nil {
		return ""
	}
	if isLoopback(u.Hostname()) {
		return ""
	}
	return u.Hostname()
}

// isLoopback reports whether a host is an address of whoever uses it.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
