package model

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Ports of istiod, as its gateway takes them: for proxies, and for API servers.
const (
	PortDiscovery = 15012
	PortInjection = 15017
	// PortPlainDiscovery is the one for proxies without TLS.
	PortPlainDiscovery = 15010
)

// RemoteWatched reports whether the pods of the cluster are injected by a control plane
// elsewhere, and a control plane watches it.
func (c *Cluster) RemoteWatched() bool { return c.Remote() && len(c.WatchedBy) > 0 }

// Injector is one webhook that injects sidecars.
type Injector struct {
	// Configuration is the name of its MutatingWebhookConfiguration.
	Configuration string
	// Meta is that of the configuration, which says who writes it.
	Meta metav1.ObjectMeta
	admissionv1.MutatingWebhook
}

// Injectors are those of the cluster, of each configuration the first: the others differ
// in what they select alone.
func (c *Cluster) Injectors() []Injector {
	var out []Injector
	for _, w := range resources.Webhooks.Of(c.Cluster).Value {
		if len(w.Webhooks) > 0 {
			out = append(out, Injector{w.Name, w.ObjectMeta, w.Webhooks[0]})
		}
	}
	return out
}

// AskedBy are the namespaces whose labels have the API server call the webhooks of the
// injector's configuration, sorted (manifests/charts/istio-control/istio-discovery/templates,
// mutatingwebhook.yaml and revision-tags-mwc.yaml).
func (c *Cluster) AskedBy(i Injector) []string {
	revision, isDefault := "", false
	for _, w := range resources.Webhooks.Of(c.Cluster).Value {
		if w.Name != i.Configuration {
			continue
		}
		revision = cmp.Or(w.Labels[labelTag], w.Labels[istio.LabelRevision])
		isDefault = slices.ContainsFunc(w.Webhooks, func(h admissionv1.MutatingWebhook) bool { return h.Name == defaultHook })
	}
	var out []string
	for _, ns := range resources.Namespaces.Of(c.Cluster).Value {
		injection, labelled := ns.Labels[LabelInjection]
		if injection == "enabled" && isDefault || !labelled && revision != "" && ns.Labels[istio.LabelRevision] == revision {
			out = append(out, ns.Name)
		}
	}
	slices.Sort(out)
	return out
}

// labelTag is the label of the webhooks of a revision tag, defaultHook the name of the
// webhook that answers the label istio-injection, and defaultRevision what that label asks.
const (
	labelTag        = "istio.io/tag"
	defaultHook     = "namespace.sidecar-injector.istio.io"
	defaultRevision = "default"
)

// Object names the configuration.
func (i Injector) Object() finding.Object {
	return finding.Named("mutatingwebhookconfiguration", i.Configuration)
}

// Service is the name of the Service that it calls; false where it calls a URL.
func (i Injector) Service() (istio.ObjectName, bool) {
	if s := i.ClientConfig.Service; s != nil {
		return istio.ObjectName{Namespace: s.Namespace, Name: s.Name}, true
	}
	return istio.ObjectName{}, false
}

// Path is that of the request that the API server makes.
func (i Injector) Path() string {
	if url := i.ClientConfig.URL; url != nil {
		_, after, _ := strings.Cut(*url, "://")
		if at := strings.Index(after, "/"); at >= 0 {
			return after[at:]
		}
		return ""
	}
	if s := i.ClientConfig.Service; s != nil && s.Path != nil {
		return *s.Path
	}
	return ""
}

// Host is the name by which the API server calls it; "" for an address of its own machine.
func (i Injector) Host() string {
	if s := i.ClientConfig.Service; s != nil {
		return s.Name + "." + s.Namespace + ".svc"
	}
	if i.ClientConfig.URL == nil {
		return ""
	}
	u, err := url.Parse(*i.ClientConfig.URL)
	if err != nil || IsLoopback(u.Hostname()) {
		return ""
	}
	return u.Hostname()
}

// IsLoopback reports whether a host is an address of whoever uses it.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// ServiceOfHost takes apart the name of a Service of Kubernetes: NAME.NAMESPACE.svc, and
// what may follow; false for another name.
func ServiceOfHost(host string) (istio.ObjectName, bool) {
	parts := strings.Split(host, ".")
	if len(parts) < 3 || parts[2] != "svc" {
		return istio.ObjectName{}, false
	}
	return istio.ObjectName{Namespace: parts[1], Name: parts[0]}, true
}

// DiscoveryOf is the host and the port at which a pod's proxy looks for istiod; false
// where they are not known.
func DiscoveryOf(p *facts.Pod) (host string, port uint32, known bool) {
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

// DiscoveryHost is the host by which a pod's proxy reaches istiod; "" where it is not known.
func DiscoveryHost(p *facts.Pod) string {
	host, _, _ := DiscoveryOf(p)
	return host
}

// ServiceNamed is the Service that a host means in a namespace of the cluster; inside
// tells a name that only means something in the cluster, whether or not there is such a
// Service.
func (c *Cluster) ServiceNamed(host, namespace string) (s *corev1.Service, inside bool) {
	if name, ok := ServiceOfHost(host); ok {
		return c.Service(name.Namespace, name.Name), true
	}
	switch parts := strings.Split(host, "."); len(parts) {
	case 1:
		s = c.Service(namespace, host)
	case 2:
		s = c.Service(parts[1], parts[0])
	}
	return s, s != nil
}

// ControlPlaneServices are the Services by which the webhooks and the proxies of the
// cluster reach istiod, those that there are.
func (c *Cluster) ControlPlaneServices() []*corev1.Service {
	var names []istio.ObjectName
	for _, i := range c.Injectors() {
		if name, ok := i.Service(); ok {
			names = append(names, name)
		}
	}
	for _, p := range c.ProxyPods() {
		if name, ok := ServiceOfHost(DiscoveryHost(p)); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var out []*corev1.Service
	for _, name := range names {
		if s := c.Service(name.Namespace, name.Name); s != nil && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// LeadsOut reports whether a Service leads out of its cluster by addresses that somebody
// wrote.
func LeadsOut(s *corev1.Service) bool {
	return len(s.Spec.Selector) == 0 && s.Spec.Type != corev1.ServiceTypeExternalName
}

// ExternalAddresses are the addresses of a Service outside of its cluster, and its host
// names.
func ExternalAddresses(s *corev1.Service) (addresses, hosts []string) {
	addresses = slices.Clone(s.Spec.ExternalIPs)
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		for _, i := range s.Status.LoadBalancer.Ingress {
			addresses, hosts = append(addresses, i.IP), append(hosts, i.Hostname)
		}
	}
	return distinct(addresses), distinct(hosts)
}

// ServiceAt is the first Service of the cluster that has one of some addresses or host
// names outside of it; nil where there is none.
func (c *Cluster) ServiceAt(addresses []string) *corev1.Service {
	for i := range resources.Services.Of(c.Cluster).Value {
		s := &resources.Services.Of(c.Cluster).Value[i]
		theirs, names := ExternalAddresses(s)
		if slices.ContainsFunc(slices.Concat(theirs, names), func(a string) bool { return slices.Contains(addresses, a) }) {
			return s
		}
	}
	return nil
}

// CertificateNames are those for which istiod has its certificate made, where clients
// refuse it for all others (pilot/pkg/bootstrap/server.go, getDNSNames); false where it
// may have another one.
func (cp *ControlPlane) CertificateNames() ([]string, bool) {
	if p := cp.Istiod.Env(istio.EnvCertProvider); p != "" && p != "istiod" || !cp.Istiod.Setting(istio.EnvEnableCAServer, true) {
		return nil, false
	}
	out := strings.Split(cp.Istiod.Env(istio.EnvCustomHost), ",")
	known := []string{"istiod", "istiod-remote", "istio-pilot"}
	if r := cp.Istiod.Revision; r != "" && r != "default" {
		known = append(known, "istiod-"+r)
	}
	for _, name := range known {
		out = append(out, name+"."+cp.Istiod.Namespace+".svc")
	}
	host, _, _ := strings.Cut(cp.Mesh.DefaultConfig.DiscoveryAddress, ":")
	return distinct(append(out, host)), true
}

// String tells control planes apart.
func (cp *ControlPlane) String() string {
	if len(cp.RunsIn.istiods) > 1 {
		return "istiod " + cp.Istiod.Name + " of " + cp.Context
	}
	return "istiod of " + cp.Context
}
