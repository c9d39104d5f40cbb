package endpoints

import (
	"runtime"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// service is the one for which requests are.
type service struct {
	namespace, name string
	// single: one cluster has it, and only those of the others want to know of it that reach it
	// without a name, or by one that proxies answer for.
	single bool
	// from is the namespace of clients that ask for it; that of the service where it is "".
	from string
}

// String is name.namespace.
func (s service) String() string { return s.name + "." + s.namespace }

// key is namespace/name.
func (s service) key() string { return key(s.namespace, s.name) }

// in is the Service in a cluster; nil for none.
func (s service) in(c *model.Cluster) *corev1.Service { return c.Service(s.namespace, s.name) }

// object is the Service as a finding names it.
func (s service) object() finding.Object { return finding.In(kindService, s.namespace, s.name) }

// text is the Service as evidence names it.
func (s service) text() string { return s.object().String() }

// kindService is the kind of the object of findings about one service.
const kindService = "service"

// evaluator evaluates paths. Nothing of it changes once it is made, except what it keeps
// for all that evaluate at once.
type evaluator struct {
	Options
	mesh *model.Mesh
	// clusters are those between which paths are.
	clusters []*model.Cluster
	known    *causes
	looks    *looks
	// asked: somebody asked for this one service.
	asked bool
	// managedBy are the control planes that manage the proxies of clusters.
	managedBy map[*model.Cluster]*model.ControlPlane
	// unread is what the predictions of control planes need of clusters that they watch.
	unread map[*model.ControlPlane]map[*model.Cluster][]model.Unread

	sources  memo[sourceKey, source]
	gateways memo[gatewayKey, []gateway]
	hops     memo[hopsKey, []model.Hop]
	ztunnels memo[*model.Cluster, bool]
	clients  memo[*model.Cluster, []source]
	scoped   memo[*model.ControlPlane, bool]
	dns      memo[*model.Cluster, bool]
	routings memo[*model.ControlPlane, routing]
}

func newEvaluator(mesh *model.Mesh, clusters []*model.Cluster, known *causes, options Options) *evaluator {
	e := &evaluator{
		Options: options, mesh: mesh, clusters: clusters, known: known, looks: looksOf(mesh),
		managedBy: map[*model.Cluster]*model.ControlPlane{}, unread: map[*model.ControlPlane]map[*model.Cluster][]model.Unread{},
	}
	for _, c := range mesh.Clusters {
		if cp := c.ManagedBy(); cp != nil {
			e.managedBy[c] = cp
		}
	}
	for _, cp := range mesh.ControlPlanes {
		e.unread[cp] = map[*model.Cluster][]model.Unread{}
		for _, c := range cp.WatchedClusters() {
			e.unread[cp][c] = cp.UnreadOf(c)
		}
	}
	return e
}

// sharedServices are the services that more than one cluster has, except those that every
// cluster has for itself.
func sharedServices(clusters []*model.Cluster, options Options) []service {
	count := map[istio.ObjectName]int{}
	for _, c := range clusters {
		for name, s := range c.ServicesByName() {
			if options.wants(s) && !isOwnEverywhere(c, s) {
				count[name]++
			}
		}
	}
	var out []service
	for name, n := range count {
		if n > 1 {
			out = append(out, service{namespace: name.Namespace, name: name.Name})
		}
	}
	slices.SortFunc(out, func(a, b service) int { return strings.Compare(a.key(), b.key()) })
	return out
}

// services are those to evaluate where nobody asks for one: those that several clusters have,
// those of one cluster that clients of others know, and those of the system namespace to which
// VirtualServices lead, such as an egress gateway.
func (e *evaluator) services() []service {
	out := sharedServices(e.clusters, e.Options)
	known := map[istio.ObjectName]bool{}
	for _, s := range out {
		known[istio.ObjectName{Namespace: s.namespace, Name: s.name}] = true
	}
	routed := map[string]string{}
	for _, cp := range e.mesh.ControlPlanes {
		for host, namespace := range cp.Prediction().RoutedHosts() {
			routed[host] = namespace
		}
	}
	for _, c := range e.clusters {
		for name, s := range c.ServicesByName() {
			if known[name] || !e.wants(s) {
				continue
			}
			if isOwnEverywhere(c, s) {
				from := routed[istio.Host(name.Namespace, name.Name)]
				if s.Namespace == c.SystemNamespace && s.Labels[istio.LabelNetwork] == "" && from != "" {
					known[name] = true
					out = append(out, service{namespace: name.Namespace, name: name.Name, from: from})
				}
				continue
			}
			if e.isKnownElsewhere(c, name) {
				known[name] = true
				out = append(out, service{namespace: name.Namespace, name: name.Name, single: true})
			}
		}
	}
	slices.SortFunc(out, func(a, b service) int { return strings.Compare(a.key(), b.key()) })
	return out
}

// isKnownElsewhere reports whether clients of another cluster than the only one with a service
// may reach it: their proxies answer for its name, or a gateway has a route to it.
func (e *evaluator) isKnownElsewhere(only *model.Cluster, name istio.ObjectName) bool {
	return slices.ContainsFunc(e.clusters, func(c *model.Cluster) bool {
		if c == only || e.managedBy[c] == nil {
			return false
		}
		leads := func(g source) bool { return len(g.routes[istio.Host(name.Namespace, name.Name)]) > 0 }
		return e.answersDNS(c) || slices.ContainsFunc(e.gatewayClients(c), leads)
	})
}

// answersDNS reports whether the sidecars of a cluster answer for the names of services.
func (e *evaluator) answersDNS(c *model.Cluster) bool {
	return e.dns.get(c, func() bool {
		cp := e.managedBy[c]
		if len(c.ClientNetworks()) == 0 {
			return false
		}
		return istio.CapturesDNS(cp.Mesh.DefaultConfig.ProxyMetadata) || slices.ContainsFunc(c.ClientNetworks(), func(network string) bool {
			return istio.CapturesDNS(istio.ProxyEnvOf(c.Client(network, "")))
		})
	})
}

// isOwnEverywhere reports whether a Service is one that each cluster has for itself: of
// Kubernetes, of the control plane, or a gateway.
func isOwnEverywhere(c *model.Cluster, s *corev1.Service) bool {
	switch {
	case strings.HasPrefix(s.Namespace, "kube-"), s.Namespace == c.SystemNamespace, s.Namespace == "default" && s.Name == "kubernetes":
		return true
	}
	return s.Labels[istio.LabelNetwork] != ""
}

// evaluateAll evaluates the paths of services on all processors. What is found is in the
// order of the services, as if one had been evaluated after another.
func (e *evaluator) evaluateAll(services []service) *notes {
	parts := make([]part, min(len(services), runtime.GOMAXPROCS(0)))
	var wait sync.WaitGroup
	for at := range parts {
		own := services[at*len(services)/len(parts) : (at+1)*len(services)/len(parts)]
		wait.Go(func() { parts[at] = e.evaluatePart(own) })
	}
	wait.Wait()
	out := newNotes()
	for _, p := range parts {
		if p.panicked != nil {
			panic(p.panicked)
		}
		out.merge(p.notes)
	}
	return out
}

// part is what one processor came to; panicked where it did not come to an end.
type part struct {
	notes    *notes
	panicked any
}

func (e *evaluator) evaluatePart(services []service) (out part) {
	defer func() { out.panicked = recover() }()
	out.notes = newNotes()
	var memory istio.Memory
	for _, s := range services {
		if e.ofMesh(s) {
			e.evaluate(s, out.notes, &memory)
			memory.Reset() // findings are all that is kept
		}
	}
	return out
}

// ofMesh reports whether a cluster has pods of a service that are part of the mesh, or ought
// to be. What none has in the mesh, as the monitoring of each cluster, is used within it.
func (e *evaluator) ofMesh(s service) bool {
	return slices.ContainsFunc(e.clusters, func(c *model.Cluster) bool {
		at := s.in(c)
		return !e.skips(c, s) && at != nil && c.OfMesh(at)
	})
}

// evaluation is that of one service.
type evaluation struct {
	*evaluator
	*notes
	service service
	memory  *istio.Memory
	// answers are what proxies are given for the service, views what control planes have
	// of it.
	views   map[*model.ControlPlane]*istio.ServiceView
	answers map[question]istio.Endpoints
	routed  map[routeKey][]routeTo
}

// question is what is asked of a control plane: for a proxy by its cluster and name.
type question struct {
	cp      *model.ControlPlane
	context string
	proxy   string
	network string
	port    int
	subset  string
}

// ask is what a proxy is given for a port of the service.
func (v *evaluation) ask(q question, proxy istio.Source) istio.Endpoints {
	answer, ok := v.answers[q]
	if !ok {
		if v.views[q.cp] == nil {
			v.views[q.cp] = q.cp.Prediction().ServiceView(v.service.namespace, v.service.name, v.memory)
		}
		answer = v.views[q.cp].Endpoints(proxy, q.port, q.subset)
		v.answers[q] = answer
	}
	return answer
}

// evaluate evaluates the paths of one service between all clusters.
func (e *evaluator) evaluate(s service, n *notes, memory *istio.Memory) *Diagnosis {
	v := &evaluation{e, n, s, memory, map[*model.ControlPlane]*istio.ServiceView{}, map[question]istio.Endpoints{}, map[routeKey][]routeTo{}}
	d := &Diagnosis{Namespace: s.namespace, Name: s.name, Host: istio.Host(s.namespace, s.name), Paths: []Path{}}
	if e.asked {
		d.Clusters = presences(e.clusters, s)
	}
	for _, from := range e.clusters {
		if e.skips(from, s) {
			continue
		}
		for _, to := range e.clusters {
			if from == to || e.skips(to, s) || !e.asked && (hasNothing(to, s) || e.mesh.KnownApart(from, to)) {
				continue
			}
			for _, src := range e.clientsOf(from, s) {
				w := &walk{evaluation: v, from: src, source: from, to: to, cp: e.managedBy[from]}
				if w.cp != nil {
					w.id = w.cp.IDOf(to)
				}
				if path := w.run(); e.asked {
					d.Paths = append(d.Paths, path)
				}
			}
		}
	}
	return d
}

// hasNothing reports whether it is known that a cluster has nothing of a service.
func hasNothing(c *model.Cluster, s service) bool {
	return s.in(c) == nil && len(c.Slices(s.namespace, s.name)) == 0 && resources.Services.Of(c.Cluster).Known()
}

// skips reports whether a cluster has nothing to do with the others: it is not part of the
// mesh. One that has a control plane and the service may only lack its remote secrets,
// which those want to know who ask for the service.
func (e *evaluator) skips(c *model.Cluster, s service) bool {
	return c.Membership.State == model.Outside && (!e.asked || e.managedBy[c] == nil || s.in(c) == nil)
}

// presences are what clusters have of a service.
func presences(clusters []*model.Cluster, s service) []Presence {
	out := []Presence{}
	for _, c := range clusters {
		p := Presence{Cluster: c.Context, Service: s.in(c) != nil}
		for _, slice := range c.Slices(s.namespace, s.name) {
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready == nil || *e.Conditions.Ready {
					p.Ready++
				} else {
					p.NotReady++
				}
			}
		}
		if p.Service || p.Ready+p.NotReady > 0 {
			out = append(out, p)
		}
	}
	return out
}
