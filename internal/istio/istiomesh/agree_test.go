package istiomesh_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// fleet is one over which commands are compared.
type fleet struct {
	name  string
	facts *facts.Fleet
	seen  facts.Seen
	hosts map[string][]string
	// random: it was drawn; missed: what is found of a reported case is not yet what is the matter.
	random, missed bool
}

// fleets are all fixtures, recorded fleets, the cases and random ones.
func fleets(t *testing.T) []fleet {
	t.Helper()
	var out []fleet
	for _, list := range [][]istiotest.Case{istiotest.HealthyCases, istiotest.Faults, istiotest.NetworkHealthy, istiotest.NetworkFaults} {
		for _, c := range list {
			out = append(out, fleet{name: c.Name, facts: c.Fleet().Facts()})
		}
	}
	for _, list := range [][]istiotest.EndpointCase{istiotest.EndpointHealthy, istiotest.EndpointFaults} {
		for _, c := range list {
			out = append(out, fleet{name: c.Name, facts: c.Fleet().Facts()})
		}
	}
	for _, list := range [][]istiotest.RemoteCase{istiotest.RemoteHealthy, istiotest.RemoteFaults} {
		for _, c := range list {
			f, seen := c.Make()
			out = append(out, fleet{name: c.Name, facts: f, seen: seen})
		}
	}
	for _, list := range [][]istiotest.ControlPlaneCase{istiotest.ControlPlaneHealthy, istiotest.ControlPlaneFaults} {
		for _, c := range list {
			f, seen := c.Make()
			out = append(out, fleet{name: c.Name, facts: f, seen: seen})
		}
	}
	for _, pattern := range []string{"../../../examples/*", "../../../plugins/*/testdata/fleets/*"} {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			if f, err := dump.Read(os.DirFS(folder), istiotest.System, time.Now(), resources.All); err == nil {
				out = append(out, fleet{name: folder, facts: f})
			}
		}
	}
	corpus := os.DirFS("../../../cases")
	reported, err := cases.All(corpus)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range reported {
		f, err := c.Facts(corpus, resources.All)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fleet{name: "case " + c.Name, facts: f, missed: c.Missed != ""})
	}
	random := uint64(300)
	if testing.Short() {
		random = 30
	}
	for seed := range random {
		f := topology.Draw(seed)
		out = append(out, fleet{name: fmt.Sprintf("seed %d", seed), facts: f.Facts(), hosts: f.Hosts, random: true})
	}
	return out
}

// said is what all commands say of a fleet.
type said struct {
	mesh    *model.Mesh
	result  finding.Result
	picture views.NetworkMap
	secrets remotesecrets.Listing
}

func say(f fleet) said {
	m := f.model()
	result := judge(m)
	return said{m, result, views.Map(m, result), remotesecrets.List(m, result)}
}

func (f fleet) model() *model.Mesh {
	return model.New(f.facts, model.Options{Seen: f.seen, Hosts: f.hosts})
}

// judge is what the rules of all areas say of a model.
func judge(m *model.Mesh) finding.Result {
	return istiomesh.Judge(m, rule.Options{}, mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints)
}

// No two commands disagree about a pair of clusters, or about who is part of the mesh.
func TestCommandsAgree(t *testing.T) {
	fleets := fleets(t)
	pairs, services := 0, 0
	for _, f := range fleets {
		s := say(f)
		disagree := func(format string, args ...any) { t.Errorf("%s: %s", f.name, fmt.Sprintf(format, args...)) }
		s.membership(disagree)
		for _, r := range s.picture.Routes {
			pairs++
			s.route(r, disagree)
		}
		for _, key := range s.shared() {
			services++
			namespace, name, _ := strings.Cut(key, "/")
			d, _, err := endpoints.Diagnose(s.mesh, s.result, namespace, name, endpoints.Options{})
			if err != nil {
				disagree("diagnose %s: %v", key, err)
				continue
			}
			for _, p := range d.Paths {
				s.path(key, p, disagree)
			}
		}
	}
	if pairs < 200 || services < 100 {
		t.Errorf("only %d pairs of clusters and %d services were compared", pairs, services)
	}
	t.Logf("%d fleets, %d pairs of clusters, %d services", len(fleets), pairs, services)
}

// membership: what is not part of the mesh has no finding that is about the mesh.
func (s said) membership(disagree func(string, ...any)) {
	outside := s.picture.Outside()
	for _, f := range s.result.Findings {
		switch rule.Area(f.Code) {
		case "NET", "GW", "PR", "EP":
			for _, c := range f.Clusters {
				if slices.Contains(outside, c) {
					disagree("%s is not part of the mesh for the map, and verify has %s", c, f.ID())
				}
			}
		}
	}
}

// route: the map and the matrix of secrets say the same of who watches whom.
func (s said) route(r views.Route, disagree func(string, ...any)) {
	for _, p := range s.secrets.Pairs {
		if p.Primary != r.From || p.Cluster != r.To {
			continue
		}
		if w := s.mesh.Watch(s.mesh.Cluster(r.From), s.mesh.Cluster(r.To)); p.State == remotesecrets.Broken && r.Status == views.RouteOK &&
			(w.Status == model.Missing || w.Status == model.IsIgnored) {
			disagree("%s → %s is ok in the map; secrets says: %s", r.From, r.To, p.Reason)
		}
	}
	for _, f := range s.result.Findings {
		if f.Code == "SEC001" && slices.Equal(f.Clusters, []string{r.From, r.To}) && r.Status == views.RouteOK {
			disagree("%s → %s is ok in the map; verify has %s", r.From, r.To, f.ID())
		}
	}
}

// path: where a remote secret or a gateway stops requests of a service, the map does
// not say that all is well, and where the map knows of no way, no service has one.
func (s said) path(service string, p endpoints.Path, disagree func(string, ...any)) {
	i := slices.IndexFunc(s.picture.Routes, func(r views.Route) bool { return r.From == p.From.Cluster && r.To == p.To })
	if i < 0 {
		if p.Verdict == endpoints.Reaches {
			disagree("diagnose %s: %s → %s reaches; the map has no such way", service, p.From.Cluster, p.To)
		}
		return
	}
	r := s.picture.Routes[i]
	compared := s.isAlike(p, r)
	switch area := rule.Area(p.Code); {
	case p.Verdict == endpoints.Broken && (area == "SEC" || area == "GW" && compared) && r.Status == views.RouteOK:
		disagree("diagnose %s: %s → %s is broken by %s; the map says ok", service, p.From.Cluster, p.To, p.Code)
	case p.Verdict == endpoints.Reaches && r.Status == views.RouteBroken && compared:
		disagree("diagnose %s: %s → %s reaches (%s); the map says broken: %s %v", service, p.From.Cluster, p.To, p.Summary, r.Reason, r.Codes)
	}
}

// isAlike reports whether a path and a route are between the same networks. The route is
// that of most clients and most workloads of its clusters. The source of a path may be one of
// the other clients, which gets other gateways or none, and all endpoints of the service may
// be on another network, to which other gateways lead, or which is the source's own. Of a
// path without endpoints the route has to explain why.
func (s said) isAlike(p endpoints.Path, r views.Route) bool {
	if !s.mesh.Several() {
		return true
	}
	any, there := false, false
	for _, port := range p.Ports {
		for _, e := range port.Endpoints {
			any, there = true, there || e.Network == r.ToNetwork
		}
	}
	return p.From.Network == r.FromNetwork && (there || !any)
}

// shared are some services that more than one cluster has.
func (s said) shared() []string {
	count := map[string]int{}
	for _, c := range s.mesh.Clusters {
		for _, svc := range resources.Services.Of(c.Cluster).Value {
			if svc.Namespace != istiotest.System && !strings.HasPrefix(svc.Namespace, "kube-") && svc.Namespace != "default" {
				count[svc.Namespace+"/"+svc.Name]++
			}
		}
	}
	var out []string
	for key, n := range count {
		if n > 1 {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), 3)]
}
