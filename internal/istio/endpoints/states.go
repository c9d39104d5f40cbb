package endpoints

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// stores are ports of data stores, with what listens there by custom.
var stores = map[int32]string{
	1433: "SQL Server", 1521: "Oracle", 2379: "etcd", 3306: "MySQL", 5432: "PostgreSQL", 5984: "CouchDB", 6379: "Redis", 7687: "Neo4j",
	8086: "InfluxDB", 9042: "Cassandra", 9092: "Kafka", 9200: "Elasticsearch", 26257: "CockroachDB", 27017: "MongoDB",
}

// databases are those of stores of which one pod alone holds all data that it serves.
var databases = []int32{1433, 1521, 3306, 5432, 5984, 7687, 8086, 27017}

// oneState: what several clusters serve by one name is one thing. Pods of a StatefulSet, and data
// stores, have data of their own in each cluster, and requests go to any of them.
func (w *walk) oneState() Verdict {
	here, there := w.service.in(w.source), w.service.in(w.to)
	if here == nil || there == nil || !hasReady(w.source, w.service) {
		return goesOn
	}
	why := stateful(w.source, here)
	if why == "" || stateful(w.to, there) == "" || slices.Equal(endpointsOf(w.source, here), endpointsOf(w.to, there)) {
		return goesOn // or the clusters share it
	}
	f := finding.Finding{
		Code: "EP053", Severity: finding.Note, Clusters: finding.Distinct([]string{w.source.Context, w.to.Context}), Object: w.service.object(),
		Title: fmt.Sprintf("%s is one service for two that have data of their own, in %s and %s", w.service, w.source.Context, w.to.Context),
		Evidence: []finding.Evidence{
			{Cluster: w.source.Context, Field: w.service.text(), Value: why},
			{Cluster: w.to.Context, Field: w.service.text(), Value: stateful(w.to, there)},
		},
		Effect: "requests go to either: what is written in one cluster is not found in the other",
		Fix: []finding.Step{
			finding.Say("If the data are not the same, keep each in its cluster: put this into the mesh config of %s, in the values of istiod's "+
				"installation. serviceSettings: [{settings: {clusterLocal: true}, hosts: [%q]}].",
				finding.List(finding.Distinct(w.controlPlanes())), istio.Host(w.service.namespace, w.service.name)),
			finding.Say("See what the mesh config says now:").
				By(finding.Kubectl(w.cp.Context, "-n", w.cp.Istiod.Namespace, "get", "configmap", w.cp.Istiod.MeshConfigMap(), "-o", "yaml")),
		},
	}
	if w.ports[0].reached() > 0 && len(w.ports[0].via) == 0 && w.separate(here, there) {
		f.Severity = finding.Warning
	}
	w.warn(f)
	return goesOn
}

// controlPlanes are the contexts of those that clients of the two clusters ask.
func (w *walk) controlPlanes() []string {
	out := []string{w.cp.Context}
	if cp := w.managedBy[w.to]; cp != nil {
		out = append(out, cp.Context)
	}
	return out
}

// separate reports whether it is certain that the two are databases that know nothing of one
// another: each is one pod, or the addresses that somebody gave it.
func (w *walk) separate(here, there *corev1.Service) bool {
	if !slices.ContainsFunc(here.Spec.Ports, func(p corev1.ServicePort) bool { return slices.Contains(databases, p.Port) }) {
		return false
	}
	alone := func(c *model.Cluster, s *corev1.Service) bool {
		return len(s.Spec.Selector) == 0 || len(c.SelectedPods(s)) == 1
	}
	return alone(w.source, here) && alone(w.to, there)
}

// stateful says by what a Service has data of its own in a cluster; "" where nothing shows it.
func stateful(c *model.Cluster, s *corev1.Service) string {
	if s.Spec.ClusterIP == corev1.ClusterIPNone {
		return "" // its pods have names of their own
	}
	pods := c.SelectedPods(s)
	at := slices.IndexFunc(pods, func(p *facts.Pod) bool { return p.Owner.Kind == "StatefulSet" })
	if at >= 0 {
		return fmt.Sprintf("%s of %s", finding.Plural(len(pods), "pod"), istio.WorkloadOf(pods[at]))
	}
	for _, p := range s.Spec.Ports {
		what := stores[p.Port]
		if what == "" || isHTTP(p) && p.Port != 9200 && p.Port != 5984 && p.Port != 8086 {
			continue
		}
		if len(s.Spec.Selector) > 0 {
			return fmt.Sprintf("port %d, by custom %s, and %s", p.Port, what, finding.Plural(len(pods), "pod"))
		}
		if endpoints := endpointsOf(c, s); len(endpoints) > 0 {
			return fmt.Sprintf("port %d, by custom %s, at %s", p.Port, what, strings.Join(endpoints, ", "))
		}
	}
	return ""
}

// endpointsOf are the addresses of a Service in a cluster, sorted.
func endpointsOf(c *model.Cluster, s *corev1.Service) []string {
	var out []string
	for _, slice := range c.Slices(s.Namespace, s.Name) {
		for _, e := range slice.Endpoints {
			out = append(out, e.Addresses...)
		}
	}
	return finding.Distinct(out)
}

// hasReady reports whether a cluster has ready endpoints of a service.
func hasReady(c *model.Cluster, s service) bool {
	for _, slice := range c.Slices(s.namespace, s.name) {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				return true
			}
		}
	}
	return false
}
