// Package effects says what Gloo Mesh makes of a change: what its management plane writes to the clusters when it starts. It
// is for package simulate, and holds only what is certain: what discovery finds, and which certificates are signed, is not.
package effects

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	networking "github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// Gloo is the simulate.Mesh of Gloo Mesh.
type Gloo struct{}

var _ simulate.Mesh = Gloo{}

var done = simulate.Outcome{Kind: simulate.Done}

// Program knows none: what meshctl installs is not known here.
func (Gloo) Program(*simulate.World, []string) (printed []byte, result simulate.Outcome, known bool) {
	return nil, simulate.Outcome{}, false
}

// Created says nothing: what the management plane makes of a new object it decides by what it discovers.
func (Gloo) Created(*simulate.World, string, runtime.Object) {}

// Removed says nothing for the same reason.
func (Gloo) Removed(*simulate.World, string, runtime.Object) simulate.Outcome { return done }

// Restarted has the management plane write again what it writes, and workloads ask for new certificates. What agents and
// discovery do when they start others decide: who signs, and what there is.
func (Gloo) Restarted(w *simulate.World, context string, of simulate.Workload, settings []simulate.Setting) simulate.Outcome {
	c := w.Cluster(context)
	switch {
	case c == nil:
		return simulate.NotRead.Because("cluster " + context + " was not read")
	case len(settings) > 0:
		return simulate.Uncertain.Because("what a variable of a workload does is not known here")
	case of.Name == "":
		return recreate(w, c, of.Namespace)
	}
	fleet := w.Fleet()
	for _, p := range model.New(fleet).Planes {
		main := p.Main()
		if p.Cluster.Context != context || main.Name != of.Name || p.Installed != of.Namespace {
			continue
		}
		if !p.Works() || !p.Connects() {
			return simulate.Uncertain.Because("whether it starts, and reaches its clusters, is not known")
		}
		for _, m := range p.Members {
			write(w, fleet.At, p, m)
		}
		return done
	}
	return simulate.Uncertain.Because("what it does when it starts is not known here")
}

// recreate has the pods of a namespace that somebody recreates started again.
func recreate(w *simulate.World, c *facts.Cluster, namespace string) simulate.Outcome {
	again := func(pods []facts.Pod) []facts.Pod {
		out := slices.Clone(pods)
		for i := range out {
			if out[i].Namespace == namespace && model.IsWorkload(&out[i]) {
				out[i].Created, out[i].Started = w.Fleet().At, w.Fleet().At
				out[i].Statuses = nil
			}
		}
		return out
	}
	if !resources.Sidecars.Of(c).Known() {
		return simulate.NotRead.Because("pods were not read")
	}
	resources.Sidecars.Edit(c).Value = again(resources.Sidecars.Of(c).Value)
	if resources.Pods.Of(c).Known() {
		resources.Pods.Edit(c).Value = again(resources.Pods.Of(c).Value)
	}
	return done
}

// write is what the plane writes to the cluster of a mesh.
func write(w *simulate.World, at time.Time, p *model.Plane, m *model.Member) {
	target := m.Target()
	if target == nil || len(m.VirtualMeshes) == 0 || m.VirtualMeshes[0].Refused() || m.VirtualMeshes[0].Flat() {
		return
	}
	c := w.Cluster(target.Context)
	if resources.ServiceEntries.Of(c).Known() {
		resources.ServiceEntries.Edit(c).Value = entries(p, m)
	}
	v := m.VirtualMeshes[0]
	if _, applied := m.Applied(v); !applied || !m.Reached() || len(m.Gateways()) == 0 || p.Discovered(m) == 0 {
		return
	}
	g := m.Gateways()[0]
	port := g.TLS()
	if port == nil {
		return
	}
	number, known := istio.Target(g.Service, int(port.Port))
	if !known {
		return
	}
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: m.System, Name: name, CreationTimestamp: metav1.NewTime(at),
			Labels: map[string]string{p.OwnerLabel(): p.Installed, resources.LabelCluster: m.ClusterName},
		}
	}
	if resources.Gateways.Of(c).Known() {
		all := slices.DeleteFunc(slices.Clone(resources.Gateways.Of(c).Value), func(o networking.Gateway) bool {
			return o.Labels[p.OwnerLabel()] == p.Installed
		})
		all = append(all, networking.Gateway{
			ObjectMeta: meta(v.Name + "-" + v.Namespace), Spec: networking.GatewaySpec{
				Selector: g.Spec.Selector, Servers: []networking.Server{{
					Port:  &networking.ServerPort{Number: uint32(number), Protocol: "TLS", Name: "tls"},
					Hosts: []string{"*." + v.Suffix()}, TLS: &networking.ServerTLS{Mode: "AUTO_PASSTHROUGH"},
				}},
			},
		})
		resources.Gateways.Edit(c).Value = all
	}
	if p.Rewrites() && resources.EnvoyFilters.Of(c).Known() {
		labels := map[string]any{}
		for k, value := range g.Spec.Selector {
			labels[k] = value
		}
		all := slices.DeleteFunc(slices.Clone(resources.EnvoyFilters.Of(c).Value), func(o api.Object) bool {
			return o.Labels[p.OwnerLabel()] == p.Installed
		})
		all = append(all, api.Object{ObjectMeta: meta(v.Name + "." + v.Namespace), Spec: api.Fields{
			"workloadSelector": map[string]any{"labels": labels},
			"configPatches": []any{map[string]any{
				"match": map[string]any{"listener": map[string]any{"portNumber": int64(number)}},
				"patch": map[string]any{"value": map[string]any{"name": model.Rewrite}},
			}},
		}})
		resources.EnvoyFilters.Edit(c).Value = all
	}
}

// entries are the ServiceEntries of the cluster of a mesh, with those of the plane as it writes them: one for each service
// that is made known there, and none of a cluster that it does not manage.
func entries(p *model.Plane, client *model.Member) []networking.ServiceEntry {
	var out []networking.ServiceEntry
	for _, e := range resources.ServiceEntries.Of(client.Target().Cluster).Value {
		is, ok := p.StandsFor(&e)
		if ok && e.Labels[p.OwnerLabel()] == p.Installed && is.Cluster != client.ClusterName && p.Registration(is.Cluster) == nil {
			continue
		}
		out = append(out, e)
	}
	for _, f := range p.Federated {
		if !slices.Contains(f.Clients, client) || len(f.Owner.Recorded()) == 0 || f.Owner.Target() == nil {
			continue
		}
		s := f.Owner.Target().Service(f.Service.Namespace, f.Service.Name)
		if s == nil {
			continue
		}
		e := networking.ServiceEntry{ObjectMeta: metav1.ObjectMeta{
			Namespace: client.System, Name: f.Host,
			Labels: map[string]string{p.OwnerLabel(): p.Installed, resources.LabelCluster: client.ClusterName},
		}, Spec: networking.ServiceEntrySpec{Hosts: []string{f.Host}, Location: networking.MeshInternal}}
		at := slices.IndexFunc(out, func(o networking.ServiceEntry) bool { return o.Name == f.Host && o.Labels[p.OwnerLabel()] != "" })
		if at >= 0 {
			e = *out[at].DeepCopyObject().(*networking.ServiceEntry)
		} else {
			at, out = len(out), append(out, e)
		}
		e.Spec.Ports, e.Spec.Endpoints = nil, nil
		ports := map[string]int64{}
		for i := range s.Spec.Ports {
			name := s.Spec.Ports[i].Name
			e.Spec.Ports = append(e.Spec.Ports, networking.ServiceEntryPort{
				Name: name, Number: uint32(s.Spec.Ports[i].Port), Protocol: "HTTP",
			})
			ports[name] = 0
		}
		for _, r := range f.Owner.Recorded() {
			for _, address := range r.Addresses {
				to := networking.WorkloadEntrySpec{Address: address, Ports: map[string]uint32{}}
				for name := range ports {
					to.Ports[name] = uint32(r.Port)
				}
				e.Spec.Endpoints = append(e.Spec.Endpoints, to)
			}
		}
		out[at] = e
	}
	return out
}
