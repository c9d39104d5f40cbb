package model

import (
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	table "github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// resource is a row as the table has it, to compare rows of different types.
func resource(row table.Resource) table.Resource { return row }

// Cluster is a cluster that Gloo Mesh has to do with.
type Cluster struct {
	*facts.Cluster
	Mesh *Mesh
	// Planes are the management planes that run in it.
	Planes []*Plane
	// Registered are the registrations that lead to it.
	Registered []*Registration

	services map[string]*corev1.Service
	// uid is that of namespace kube-system, which is a cluster's identity; "" where it is not known.
	uid string
}

func newCluster(m *Mesh, f *facts.Cluster) *Cluster {
	c := &Cluster{Cluster: f, Mesh: m, services: map[string]*corev1.Service{}}
	services := resources.Services.Of(f).Value
	for i := range services {
		c.services[key(services[i].Namespace, services[i].Name)] = &services[i]
	}
	for _, ns := range resources.Namespaces.Of(f).Value {
		if ns.Name == metav1.NamespaceSystem {
			c.uid = string(ns.UID)
		}
	}
	return c
}

// is reports whether it is known that two contexts lead to one cluster.
func (c *Cluster) is(other *Cluster) bool { return c == other || c.uid != "" && c.uid == other.uid }

// Now is when the facts were read.
func (c *Cluster) Now() time.Time { return c.Mesh.fleet.At }

// all are the objects of a row.
func (c *Cluster) all(row resources.Row) []*api.Object {
	if row == nil {
		return nil
	}
	values := row.Of(c.Cluster).Value
	out := make([]*api.Object, len(values))
	for i := range values {
		out[i] = &values[i]
	}
	return out
}

// find is the object of a row with a name; nil where there is none.
func (c *Cluster) find(row resources.Row, namespace, name string) *api.Object {
	for _, o := range c.all(row) {
		if o.Namespace == namespace && o.Name == name {
			return o
		}
	}
	return nil
}

// Deployment is the one of a name with that label app; nil where there is none.
func (c *Cluster) Deployment(namespace, name string) *appsv1.Deployment {
	for _, d := range c.Deployments(name) {
		if d.Namespace == namespace {
			return d
		}
	}
	return nil
}

// Deployments are those with one of some values of label app.
func (c *Cluster) Deployments(apps ...string) []*appsv1.Deployment {
	all := resources.Deployments.Of(c.Cluster).Value
	var out []*appsv1.Deployment
	for i := range all {
		if slices.Contains(apps, all[i].Labels["app"]) {
			out = append(out, &all[i])
		}
	}
	return out
}

// Agents are the Deployments of agents.
func (c *Cluster) Agents() []*appsv1.Deployment { return c.Deployments(resources.Agents...) }

// Service is a Service; nil where there is none.
func (c *Cluster) Service(namespace, name string) *corev1.Service {
	return c.services[key(namespace, name)]
}

// Services are all Services, in the order in which they were read.
func (c *Cluster) Services() []corev1.Service { return resources.Services.Of(c.Cluster).Value }

// Selected are the pods that have some labels, of those that have not ended and do not end.
func (c *Cluster) Selected(namespace string, labels map[string]string) []*facts.Pod {
	pods := resources.Pods.Of(c.Cluster).Value
	var out []*facts.Pod
	for i := range pods {
		p := &pods[i]
		if p.Namespace == namespace && facts.Selects(labels, p.Labels) && p.Deleted.IsZero() && p.Phase != corev1.PodSucceeded &&
			p.Phase != corev1.PodFailed {
			out = append(out, p)
		}
	}
	return out
}

// Entries are the ServiceEntries that a management plane wrote, by the values of its label.
func (c *Cluster) Entries(g *resources.Generation) []*istio.ServiceEntry {
	all := resources.ServiceEntries.Of(c.Cluster).Value
	var out []*istio.ServiceEntry
	for i := range all {
		if _, ok := all[i].Labels[g.OwnerLabel()]; ok {
			out = append(out, &all[i])
		}
	}
	return out
}

// writtenAs are the names that management planes call the cluster by, as far as what they wrote to it
// shows.
func (c *Cluster) writtenAs(g *resources.Generation, namespace string) []string {
	names := map[string]bool{}
	note := func(m *metav1.ObjectMeta) {
		if m.Labels[g.OwnerLabel()] == namespace && m.Labels[resources.LabelCluster] != "" {
			names[m.Labels[resources.LabelCluster]] = true
		}
	}
	for _, row := range g.Issuing() {
		for _, o := range c.all(row) {
			note(&o.ObjectMeta)
		}
	}
	for _, e := range c.Entries(g) {
		note(&e.ObjectMeta)
	}
	return slices.Sorted(maps.Keys(names))
}

// Owners are the management planes that wrote objects to the cluster, by their label and its value, each with
// one of the objects.
func (c *Cluster) Owners() map[string]finding.Object {
	out := map[string]finding.Object{}
	for _, g := range resources.Generations {
		note := func(kind string, m *metav1.ObjectMeta) {
			if v, ok := m.Labels[g.OwnerLabel()]; ok {
				by := g.OwnerLabel() + "=" + v
				if _, known := out[by]; !known {
					out[by] = finding.In(kind, m.Namespace, m.Name)
				}
			}
		}
		for _, row := range g.Issuing() {
			for _, o := range c.all(row) {
				note(strings.ToLower(row.About().Kind), &o.ObjectMeta)
			}
		}
		for _, e := range c.Entries(g) {
			note("serviceentry", &e.ObjectMeta)
		}
	}
	return out
}

// LastWrite is when somebody wrote an object last, as far as that is known.
func LastWrite(m *metav1.ObjectMeta) time.Time {
	last := m.CreationTimestamp.Time
	for _, f := range m.ManagedFields {
		if f.Time != nil && f.Time.After(last) {
			last = f.Time.Time
		}
	}
	return last
}

// Older reports whether an object was written last longer ago than some time.
func (c *Cluster) Older(m *metav1.ObjectMeta, than time.Duration) bool {
	return c.Now().Sub(LastWrite(m)) > than
}

// Serves are the versions in which the cluster serves a group; none where it does not.
func (c *Cluster) Serves(group string) []string { return resources.Served(c.Cluster, group) }

// OtherCertificates are the groups of certificates of other generations that the cluster serves.
func (c *Cluster) OtherCertificates(than *resources.Generation) []string {
	var out []string
	for _, g := range resources.Generations {
		if g != than && len(c.Serves(g.Certificates)) > 0 {
			out = append(out, g.Certificates)
		}
	}
	return out
}

// Claims are the Secrets that IssuedCertificates are for, each with these.
func (c *Cluster) Claims() map[string][]string {
	out := map[string][]string{}
	for _, g := range resources.Generations {
		for _, o := range c.all(g.IssuedCertificates) {
			if ref := o.Spec.Ref("issuedCertificateSecret"); ref.Name != "" {
				to := key(ref.Namespace, ref.Name)
				out[to] = append(out[to], key(o.Namespace, o.Name))
			}
		}
	}
	return out
}

// Certificates are the IssuedCertificates of a generation.
func (c *Cluster) Certificates(g *resources.Generation) []*api.Object {
	return c.all(g.IssuedCertificates)
}

// Bounces are the PodBounceDirectives of a generation.
func (c *Cluster) Bounces(g *resources.Generation) []*api.Object {
	return c.all(g.Bounces)
}

// HasCA reports whether an istiod may have a CA in the cluster: not where there is neither a Secret with one, nor a
// root that istiod published.
func (c *Cluster) HasCA() bool {
	return resources.RootCert.Of(c.Cluster).State != facts.Absent || resources.CACerts.Of(c.Cluster).State != facts.Absent
}

// WithoutRemoteSecrets reports whether no control plane is told by a Secret to watch another cluster.
func (c *Cluster) WithoutRemoteSecrets() bool {
	secrets := resources.RemoteSecrets.Of(c.Cluster)
	return secrets.Known() && len(secrets.Value) == 0
}
