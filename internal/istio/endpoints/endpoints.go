// Package endpoints holds the rules about requests for services: why they get from each
// cluster to each other one, or do not. Everything in it is pure. What a proxy is given
// is what package istio predicts.
package endpoints

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Options are what the user chose, and what proxies answered. The rules take them from
// what the run gives to the model: see model.Given.
type Options struct {
	// Namespace narrows the rules to the services of one; "" for all.
	Namespace string
	// Selects narrows the rules to services by their labels; nil for all.
	Selects func(labels map[string]string) bool
	// Live is what proxies have; only Diagnose reads it.
	Live Live
}

// Live is what proxies that stand for sources have, where they were asked.
type Live map[Source]facts.Read[[]envoy.Cluster]

func (o Options) wants(s *corev1.Service) bool {
	return (o.Namespace == "" || s.Namespace == o.Namespace) && (o.Selects == nil || o.Selects(s.Labels))
}

// Diagnose evaluates the paths of one service. found is what the rules about networks,
// gateways, ambient mode and remote secrets found: what of it stops requests is named as
// the cause, and is part of the result. An error means that no cluster that was reached
// has the service.
func Diagnose(mesh *model.Mesh, found finding.Result, namespace, name string, options Options) (*Diagnosis, finding.Result, error) {
	s := service{namespace: namespace, name: name}
	if !slices.ContainsFunc(mesh.Clusters, func(c *model.Cluster) bool { return s.in(c) != nil }) {
		return nil, finding.Result{}, noSuchService(mesh, s)
	}
	e := newEvaluator(mesh, mesh.Clusters, newCauses(found), options)
	e.asked = true
	if cp := e.leading(
		s,
	); cp != nil &&
		slices.ContainsFunc(mesh.Clusters, func(c *model.Cluster) bool { return c.SystemNamespace == namespace }) {
		s.from = cp.Prediction().RoutedHosts()[istio.Host(namespace, name)]
	}
	n := newNotes()
	d := e.evaluate(s, n, new(istio.Memory))
	config := differences{mesh, mesh.Members(), func(f finding.Finding) { n.add("", f) }, n.unknown.NotChecked}
	config.find(namespace)
	aboutService(mesh, s, n)
	n.servicesUnknown(mesh.Members())
	for i := range mesh.Fleet.Clusters {
		if c := &mesh.Fleet.Clusters[i]; c.Unreached != nil {
			n.unknown.NotChecked(c.Context, finding.ClusterUnreached, rule.CodesOf(Rules())...)
		}
	}
	return d, n.withCauses(e.known, found), nil
}

// leading is a control plane with a VirtualService that sends requests of sidecars to the service;
// nil where there is none.
func (e *evaluator) leading(s service) *model.ControlPlane {
	for _, cp := range e.mesh.ControlPlanes {
		if cp.Prediction().RoutedHosts()[istio.Host(s.namespace, s.name)] != "" {
			return cp
		}
	}
	return nil
}

// aboutService notes what other rules than those about paths find about a service.
func aboutService(mesh *model.Mesh, s service, n *notes) {
	for _, c := range mesh.Members() {
		for _, a := range sharedAddressesOf(c) {
			if a.loser.key() == s.key() || a.winner.key() == s.key() {
				n.add("", a.finding())
			}
		}
	}
	host := istio.Host(s.namespace, s.name)
	for _, cp := range mesh.ControlPlanes {
		if cp.Cluster.Membership.State == model.Outside {
			continue
		}
		rules, inert := resources.DestinationRules.Of(cp.Cluster.Cluster), inertOf(cp)
		for i := range rules.Value {
			if d := &rules.Value[i]; istio.FullHost(d.Spec.Host, d.Namespace) == host {
				if f, ok := inert.finding(d); ok {
					n.add("", f)
				}
			}
		}
	}
}

// noSuchService says what there is instead.
func noSuchService(mesh *model.Mesh, s service) error {
	var elsewhere, unread []string
	for _, c := range mesh.Clusters {
		for name := range c.ServicesByName() {
			if name.Name == s.name {
				elsewhere = append(elsewhere, name.Name+"."+name.Namespace)
			}
		}
		if services := resources.Services.Of(c.Cluster); !services.Known() {
			unread = append(unread, c.Context+" ("+services.Why()+")")
		}
	}
	text := fmt.Sprintf("no cluster that was read has a Service %s in namespace %s", s.name, s.namespace)
	if len(unread) > 0 {
		text += "; its Services could not be read of " + strings.Join(unread, ", ")
	}
	if elsewhere = finding.Distinct(elsewhere); len(elsewhere) > 0 {
		text += "; there is " + finding.List(elsewhere)
	}
	return fmt.Errorf("%s", text)
}

// Unconnected are pods, as namespace/name by context, whose proxies no control plane said
// are connected to it when it was asked first: a few of each cluster, to be looked at again.
func Unconnected(mesh *model.Mesh) map[string][]string {
	c, out := newConnections(mesh, mesh.Seen.Istiods), map[string][]string{}
	if len(c.unread) > 0 || c.fresh() {
		return nil
	}
	for _, k := range mesh.Members() {
		pods, total := c.unconnected(k)
		if len(pods) == total && !c.own[k.Context] {
			continue // a control plane outside of the fleet may configure them
		}
		for _, p := range pods[:min(len(pods), mostLookedAt)] {
			out[k.Context] = append(out[k.Context], key(p.Namespace, p.Name))
		}
	}
	return out
}

// key is namespace/name.
func key(namespace, name string) string { return namespace + "/" + name }

// cut takes apart what key made.
func cut(name string) (namespace, rest string) {
	namespace, rest, _ = strings.Cut(name, "/")
	return namespace, rest
}
