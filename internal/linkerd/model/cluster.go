package model

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Cluster is a cluster with Linkerd.
type Cluster struct {
	*facts.Cluster
	Mesh *Mesh
	// Namespace is that of the control plane.
	Namespace string
	// Values are those of the installation; ValuesKnown is false where they were not read.
	Values      resources.Values
	ValuesKnown bool
	// Roots are the certificates that its proxies trust, as ConfigMap linkerd-identity-trust-roots
	// has them; nil where it is not there.
	Roots *Roots
	// Issuer signs the certificates of its proxies; nil where it is not there.
	Issuer *Issuer
	// Links lead to other clusters, Incoming are those that lead to this one.
	Links, Incoming []*Link
	// Gateways are those through which other clusters come in.
	Gateways []*Gateway
	// Mirrors are the Services that stand for those of other clusters.
	Mirrors []*Mirror

	services  map[string]*corev1.Service
	slices    map[string][]*discoveryv1.EndpointSlice
	endpoints map[string]*corev1.Endpoints
	pods      map[string]*facts.Pod
}

func newCluster(m *Mesh, f *facts.Cluster) *Cluster {
	c := &Cluster{
		Cluster: f, Mesh: m, Namespace: usualNamespace, services: map[string]*corev1.Service{}, slices: map[string][]*discoveryv1.EndpointSlice{},
		endpoints: map[string]*corev1.Endpoints{}, pods: map[string]*facts.Pod{},
	}
	c.findNamespace()
	services := resources.Services.Of(f).Value
	for i := range services {
		c.services[key(services[i].Namespace, services[i].Name)] = &services[i]
	}
	all := resources.EndpointSlices.Of(f).Value
	for i := range all {
		at := key(all[i].Namespace, all[i].Labels[discoveryv1.LabelServiceName])
		c.slices[at] = append(c.slices[at], &all[i])
	}
	endpoints := resources.MirrorEndpoints.Of(f).Value
	for i := range endpoints {
		c.endpoints[key(endpoints[i].Namespace, endpoints[i].Name)] = &endpoints[i]
	}
	pods := resources.Pods.Of(f).Value
	for i := range pods {
		c.pods[key(pods[i].Namespace, pods[i].Name)] = &pods[i]
	}
	c.Roots, c.Issuer = c.findRoots(), c.findIssuer()
	c.findGateways()
	return c
}

// findNamespace finds the namespace of the control plane: the one with its ConfigMap and, where
// there are several, with the label.
func (c *Cluster) findNamespace() {
	labelled := map[string]bool{}
	for _, ns := range resources.Namespaces.Of(c.Cluster).Value {
		if ns.Labels[resources.LabelControlPlane] == "true" {
			labelled[ns.Name] = true
			c.Namespace = ns.Name
		}
	}
	configs := resources.Config.Of(c.Cluster).Value
	at := slices.IndexFunc(configs, func(m corev1.ConfigMap) bool { return labelled[m.Namespace] })
	if at < 0 {
		at = 0
	}
	if at < len(configs) {
		c.Namespace = configs[at].Namespace
		c.Values, c.ValuesKnown = resources.ValuesOf(&configs[at])
	}
}

// Now is when the facts were read.
func (c *Cluster) Now() time.Time { return c.Mesh.fleet.At }

// Service is a Service; nil where there is none.
func (c *Cluster) Service(namespace, name string) *corev1.Service {
	return c.services[key(namespace, name)]
}

// Services are all Services, in the order in which they were read.
func (c *Cluster) Services() []corev1.Service { return resources.Services.Of(c.Cluster).Value }

// MirrorEndpoints are the Endpoints that a service mirror wrote; nil where there are none.
func (c *Cluster) MirrorEndpoints(namespace, name string) *corev1.Endpoints {
	return c.endpoints[key(namespace, name)]
}

// Slices are the EndpointSlices of a Service.
func (c *Cluster) Slices(namespace, name string) []*discoveryv1.EndpointSlice {
	return c.slices[key(namespace, name)]
}

// Pod is a pod; nil where there is none.
func (c *Cluster) Pod(namespace, name string) *facts.Pod { return c.pods[key(namespace, name)] }

// Pods are all pods that have not ended and do not end.
func (c *Cluster) Pods() []*facts.Pod {
	pods := resources.Pods.Of(c.Cluster).Value
	var out []*facts.Pod
	for i := range pods {
		if p := &pods[i]; Lives(p) {
			out = append(out, p)
		}
	}
	return out
}

// Lives reports whether a pod has not ended and is not about to.
func Lives(p *facts.Pod) bool {
	return p.Phase != corev1.PodSucceeded && p.Phase != corev1.PodFailed && p.Deleted.IsZero()
}

// Selected are the pods of a Service.
func (c *Cluster) Selected(s *corev1.Service) []*facts.Pod {
	if len(s.Spec.Selector) == 0 {
		return nil
	}
	var out []*facts.Pod
	for _, p := range c.Pods() {
		if p.Namespace == s.Namespace && hasAll(p.Labels, s.Spec.Selector) {
			out = append(out, p)
		}
	}
	return out
}

func hasAll(labels, wanted map[string]string) bool {
	for k, v := range wanted {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// HasNamespace reports whether there is a namespace; true where that is not known.
func (c *Cluster) HasNamespace(name string) bool {
	read := resources.Namespaces.Of(c.Cluster)
	return !read.Known() || slices.ContainsFunc(read.Value, func(n corev1.Namespace) bool { return n.Name == name })
}

// ReadyAddresses counts the endpoints of a Service that are ready, and all of them.
func (c *Cluster) ReadyAddresses(namespace, name string) (ready, all int) {
	for _, s := range c.Slices(namespace, name) {
		for _, e := range s.Endpoints {
			all += len(e.Addresses)
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready += len(e.Addresses)
			}
		}
	}
	return ready, all
}

// Meshed reports whether a pod has Linkerd's proxy.
func Meshed(p *facts.Pod) bool { return p.Container(resources.ProxyContainer) != nil }

// Env is a variable of a pod's proxy; false where it has none, or it comes from elsewhere.
func Env(p *facts.Pod, name string) (string, bool) {
	c := p.Container(resources.ProxyContainer)
	if c == nil {
		return "", false
	}
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value, e.Value != ""
		}
	}
	return "", false
}

// Identity is the name in the certificate of a pod's proxy.
func (c *Cluster) Identity(p *facts.Pod) string {
	account := p.ServiceAccount
	if account == "" {
		account = "default"
	}
	return c.IdentityOf(p.Namespace, account)
}

// IdentityOf is the name in the certificates of proxies with a service account.
func (c *Cluster) IdentityOf(namespace, account string) string {
	return account + "." + namespace + ".serviceaccount.identity." + c.Namespace + "." + c.Values.TrustDomain()
}

// APICertificates are the fingerprints of the authorities of the cluster's API server, as far as
// something of Linkerd's shows them.
func (c *Cluster) APICertificates() []string {
	var out []string
	for _, s := range resources.Tokens.Of(c.Cluster).Value {
		out = append(out, fingerprintsOf(s.Data[resources.KeyRootCA])...)
	}
	for _, m := range resources.RootCAs.Of(c.Cluster).Value {
		out = append(out, fingerprintsOf([]byte(m.Data[resources.KeyRootCA]))...)
	}
	return distinct(out)
}

func fingerprintsOf(text []byte) []string {
	var out []string
	for _, cert := range pki.ParseBundle(text).Certificates {
		out = append(out, cert.SHA256)
	}
	return out
}

// WorkloadOf is the workload that made a pod.
func WorkloadOf(p *facts.Pod) finding.Object {
	kind, name := strings.ToLower(p.Owner.Kind), p.Owner.Name
	switch kind {
	case "replicaset":
		if hash := p.Labels["pod-template-hash"]; hash != "" {
			if trimmed, ok := strings.CutSuffix(name, "-"+hash); ok {
				return finding.In("deployment", p.Namespace, trimmed)
			}
		}
		return finding.In("replicaset", p.Namespace, name)
	case "":
		return finding.In("pod", p.Namespace, p.Name)
	default:
		return finding.In(kind, p.Namespace, name)
	}
}
