package linkerdmesh_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// named are the services of a fleet by every name that people use, exported or not.
func named(m *model.Mesh) [][2]string {
	var out [][2]string
	for _, c := range m.Clusters {
		for i := range c.Services() {
			s := &c.Services()[i]
			if at := [2]string{s.Namespace, s.Name}; !strings.HasPrefix(s.Namespace, "linkerd") && !slices.Contains(out, at) {
				out = append(out, at)
			}
		}
	}
	return out
}

// byWay are codes that are about services through the gateway alone, and about those whose pods are
// asked for alone.
var byWay = map[finding.Code]bool{
	"NET101": true, "NET102": true, "NET103": true, "NET107": true, "NET108": true, "EP111": true, "EP123": true,
	"EP102": false, "EP106": false, "EP116": false,
}

// errs are the errors that concern what a line of a diagnosis is about, told by their clusters and by
// the kinds and names of their objects alone.
func errs(m *model.Mesh, all []finding.Finding, p view.Path, namespace, name string) []string {
	mirror, _, _ := strings.Cut(p.Summary, ":")
	through := kindOf(m, p.From.Cluster, namespace, mirror) == model.Through
	exported := false
	if s := m.Cluster(p.To).Service(namespace, name); s != nil {
		exported = s.Labels[resources.LabelExported] == "true"
	}
	var out []string
	for _, f := range all {
		from, to := slices.Contains(f.Clusters, p.From.Cluster), slices.Contains(f.Clusters, p.To)
		foreign := slices.ContainsFunc(f.Clusters, func(c string) bool { return c != p.From.Cluster && c != p.To })
		if gateway, limited := byWay[f.Code]; f.Severity != finding.Error || foreign || limited && gateway != through {
			continue
		}
		concerns := false
		switch at := f.Object; {
		case f.Code == "CERT101", f.Code == "CERT108":
			concerns = true
		case f.Code == "EP118":
			concerns = to && at.Name == name
		case f.Code == "EP124":
			concerns = from && exported
		case at.Namespace == namespace && at.Name == mirror:
			concerns = from
		case at.Namespace == namespace:
			concerns = to && (at.Name == name || strings.HasPrefix(mirror, at.Name+"-"))
		case at.Kind == "service" && !strings.HasPrefix(at.Namespace, "linkerd"): // of another namespace
		case at.Kind == "link", at.Kind == "secret", f.Code == "EP107":
			concerns = from
		default: // a gateway, what makes its pods, or a role for other clusters
			concerns = to
		}
		if concerns {
			out = append(out, f.ID())
		}
	}
	return out
}

func kindOf(m *model.Mesh, context, namespace, name string) model.MirrorKind {
	for _, mirror := range m.Cluster(context).Mirrors {
		if mirror.Service.Namespace == namespace && mirror.Service.Name == name {
			return mirror.Kind
		}
	}
	return -1
}

// A diagnosis says that something is broken where verify has an error about it, and nowhere else; what it
// says that clients are given is what the real controllers gave them.
func TestDiagnosisAgreesWithVerify(t *testing.T) {
	failed := 0
	for _, f := range linkerdtest.AllRecorded(t) {
		m := model.New(f.Facts(t), model.Options{})
		said := judge(t, m)
		for _, at := range named(m) {
			d, result := endpoints.Diagnose(m, said, at[0], at[1])
			for _, p := range d.Paths {
				where := fmt.Sprintf("%s: %s/%s %s → %s: %s %s %s", f.Name, at[0], at[1], p.From.Cluster, p.To, p.Verdict, p.Code, p.Summary)
				want := errs(m, said.Findings, p, at[0], at[1])
				if p.Verdict.Failed() != (len(want) > 0) {
					t.Errorf("%s\n\tof verify: %v", where, want)
				}
				if p.Verdict == view.Unknown {
					t.Errorf("%s: everything was read", where)
				}
				if !p.Verdict.Failed() {
					continue
				}
				failed++
				if !slices.ContainsFunc(result.Findings, func(o finding.Finding) bool { return o.ID() == p.Cause }) {
					t.Errorf("%s: its cause is not among the findings", where)
				}
			}
		}
	}
	if failed < 50 {
		t.Errorf("%d paths fail", failed)
	}
}

// What a diagnosis says that clients of a mirror are given, by gateway or remote discovery, is what the
// real destination controllers told a new client.
func TestDiagnosisPredictsAnswers(t *testing.T) {
	compared := 0
	for _, f := range linkerdtest.AllRecorded(t) {
		m := model.New(f.Facts(t), model.Options{})
		for context, answers := range f.Answers {
			for _, a := range answers {
				host, port, _ := strings.Cut(a.Authority, ":")
				parts := strings.SplitN(host, ".", 3)
				kind := kindOf(m, context, parts[1], parts[0])
				if kind != model.Through && kind != model.Remote || f.Name == "16-two-links-one-target-name" {
					continue // two controllers write that one's in turn
				}
				d, _ := endpoints.Diagnose(m, finding.Result{}, parts[1], parts[0])
				var want, got []string
				for _, address := range a.Addresses {
					want = append(want, address.Address)
				}
				for _, p := range d.Paths {
					for _, o := range p.Ports {
						for _, e := range o.Endpoints {
							if p.From.Cluster == context && fmt.Sprint(o.Port) == port {
								got = append(got, fmt.Sprintf("%s:%d", e.Address, e.Port))
							}
						}
					}
				}
				slices.Sort(want)
				slices.Sort(got)
				left := f.Name == "19-orphaned-mirrors" // no Link leads there any more, and no path is drawn
				if !left && !slices.Equal(want, got) {
					t.Errorf("%s: %s in %s: %v, and the controller answered %v", f.Name, a.Authority, context, got, want)
				}
				compared++
			}
		}
	}
	if compared < 100 {
		t.Errorf("%d answers were compared", compared)
	}
}
