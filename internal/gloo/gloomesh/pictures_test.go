package gloomesh_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

func pictures(t *testing.T, f *facts.Fleet) (view.NetworkMap, *view.Diagnosis, finding.Result) {
	t.Helper()
	m, err := gloomesh.Mesh{}.Map(t.Context(), &mesh.Run{Fleet: f})
	if err != nil {
		t.Fatal(err)
	}
	d, result, err := gloomesh.Mesh{}.Diagnose(t.Context(), &mesh.Run{Fleet: f}, "shop", "reviews")
	if err != nil {
		t.Fatal(err)
	}
	return m, d, result
}

// ill are the routes and paths that are not well, with the first code of each.
func ill(m view.NetworkMap, d *view.Diagnosis) (routes, paths []string) {
	for _, r := range m.Routes {
		if r.Status != view.RouteOK {
			routes = append(routes, fmt.Sprintf("%s > %s %s %s", r.From, r.To, r.Status, r.CodeList()))
		}
	}
	for _, p := range d.Paths {
		if p.Verdict != view.Reaches {
			paths = append(paths, strings.TrimSpace(fmt.Sprintf("%s > %s %s %s", p.From.Cluster, p.To, p.Verdict, p.Code)))
		}
	}
	return routes, paths
}

// The ways by federated names are those that rules say something of, and no others.
func TestPictures(t *testing.T) {
	both := func(client, owner, routes, paths string) [2][]string {
		return [2][]string{{client + " > " + owner + " " + routes}, {client + " > " + owner + " " + paths}}
	}
	for name, want := range map[string][2][]string{
		"the address has changed, and discovery has not seen it": {
			{"east > west broken NET204, NET205", "north > west broken NET204, NET205"},
			{"east > west broken NET204", "north > west broken NET204"},
		},
		"an old address in a client's cluster":            both(east, west, "broken NET205", "broken NET205"),
		"one of two addresses is old":                     both(east, west, "partial NET205", "partial NET205"),
		"no ServiceEntry":                                 both(east, west, "broken EP206", "broken EP206"),
		"a ServiceEntry without endpoints":                both(east, west, "broken EP207", "broken EP207"),
		"a mesh that does not exist":                      {},
		"a policy that is refused":                        {},
		"no kubeconfig":                                   {},
		"networking is gone":                              {},
		"an object could not be written":                  both(east, west, "broken EP201, EP206", "broken EP201"),
		"no pod of a federated service is ready":          {nil, {"east > west broken EP211", "north > west broken EP211"}},
		"the gateway finds pods that are gone":            {nil, {"east > west broken EP212", "north > west broken EP212"}},
		"the gateway finds pods of which some are gone":   {nil, {"east > west partial EP212", "north > west partial EP212"}},
		"a service with a sidecar that is not discovered": {nil, {"east > west broken EP213", "north > west broken EP213"}},
		"no pod of the gateway": {
			{"east > west broken NET203", "north > west broken NET203"}, {"east > west broken NET203", "north > west broken NET203"},
		},
		"nobody signs": {
			{"east > west broken CERT203", "west > east broken CERT203", "west > north broken CERT203", "north > west broken CERT203"},
			{"east > west broken CERT203", "west > east broken CERT203", "west > north broken CERT203", "north > west broken CERT203"},
		},
		"a mesh in two VirtualMeshes": {
			{
				"east > west partial EP204", "east > north partial EP204", "west > east partial EP204", "west > north partial EP204",
				"north > east partial EP204", "north > west partial EP204",
			},
			{
				"east > west partial EP204", "east > north partial EP204", "west > east partial EP204", "west > north partial EP204",
				"north > east partial EP204", "north > west partial EP204",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(glootest.Faults, func(c glootest.Fault) bool { return c.Name == name })
			f := glootest.Healthy(glootest.Gloo11, glootest.Members...)
			glootest.Faults[i].Do(f)
			m, d, _ := pictures(t, f.Facts())
			routes, paths := ill(m, d)
			for _, lines := range [][]string{routes, paths, want[0], want[1]} {
				slices.Sort(lines)
			}
			if diff := cmp.Diff(want[0], routes); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want[1], paths); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}

// In healthy fleets, and in those that look like a fault, all ways are well, and stand in for Istio's.
func TestPicturesOfHealthyFleets(t *testing.T) {
	unlike := []string{"a federated service that is scaled down", "a federated service whose pods start"}
	const unfederated = "a VirtualMesh that federates nothing, and a gateway without an address"
	cases := append([]glootest.Lookalike{{Name: "healthy", Do: func(*glootest.Fleet) {}}}, glootest.Lookalikes...)
	for _, c := range cases {
		for _, r := range releases() {
			t.Run(c.Name+"/"+r.Tag, func(t *testing.T) {
				f := glootest.Healthy(r, glootest.Members...)
				c.Do(f)
				m, d, result := pictures(t, f.Facts())
				broken, failing := ill(m, d)
				if len(broken) > 0 || len(failing) > 0 && !slices.Contains(unlike, c.Name) {
					t.Errorf("%v, %v", broken, failing)
				}
				for _, p := range d.Paths {
					if p.Verdict.Failed() {
						t.Errorf("%s > %s: %s", p.From.Cluster, p.To, p.Summary)
					}
				}
				ways, paths, in := 6, 6, 3
				switch {
				case c.Name == unfederated && r.East:
					ways, paths, in = 0, 0, 0
				case c.Name == "a management cluster that is a member": // which has clients of the service only
					ways, paths = 12, 9
				}
				if len(m.Routes) != ways || len(d.Paths) != paths || len(d.Clusters) != in {
					t.Errorf("%d routes, %d paths, %d clusters", len(m.Routes), len(d.Paths), len(d.Clusters))
				}
				if slices.ContainsFunc(m.Routes, func(r view.Route) bool { return !r.Instead }) {
					t.Error("a route stands beside one of Istio")
				}
				for _, found := range result.Findings {
					if found.Severity != finding.Note {
						t.Errorf("%s", line(found))
					}
				}
			})
		}
	}
}

// Of what was not read nothing is drawn as well.
func TestPicturesOfUnknown(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo11, east, west).Facts()
	f.Clusters[2] = facts.Cluster{Context: west, Server: f.Clusters[2].Server, Unreached: &facts.Unreached{Kind: facts.TimedOut}}
	m, d, _ := pictures(t, f)
	_, paths := ill(m, d)
	if diff := cmp.Diff([]string{"east > west unknown", "west > east unknown"}, paths); diff != "" || len(m.Routes) > 0 {
		t.Errorf("routes %v, paths (-want +got):\n%s", m.Routes, diff)
	}
	f = glootest.Healthy(glootest.Gloo11, east, west).Facts()
	for i := range f.Clusters {
		row := gloomesh.Mesh{}.Table()
		for _, r := range row {
			if r.About().Kind == "ServiceEntry" {
				r.SetState(&f.Clusters[i], facts.Forbidden, "")
			}
		}
	}
	m, d, _ = pictures(t, f)
	routes, paths := ill(m, d)
	if len(routes) != 2 || len(paths) != 2 || !strings.Contains(routes[0], "unknown") || !strings.Contains(paths[0], "unknown") {
		t.Errorf("%v, %v", routes, paths)
	}
}

// What mesh-network reads suffices for a map, and what a diagnosis reads for a diagnosis.
func TestPicturesOfWhatIsRead(t *testing.T) {
	only := func(f *facts.Fleet, rows resource.Set) *facts.Fleet {
		for i := range f.Clusters {
			for _, row := range resource.Join(istio.All, gloomesh.Mesh{}.Table()).Without(rows) {
				row.SetState(&f.Clusters[i], facts.NotAsked, "")
			}
		}
		return f
	}
	f := glootest.Healthy(glootest.Gloo11, east, west)
	m, _, _ := pictures(t, only(f.Facts(), resource.Join(istio.NetworkRules, gloomesh.Mesh{}.Resources(nil, mesh.Network))))
	if routes, _ := ill(m, &view.Diagnosis{}); len(routes) > 0 || len(m.Routes) != 2 {
		t.Errorf("%v of %v", routes, m.Routes)
	}
	_, d, _ := pictures(t, only(f.Facts(), gloomesh.Mesh{}.DiagnosisResources()))
	if _, paths := ill(view.NetworkMap{}, d); len(paths) > 0 || len(d.Paths) != 2 {
		t.Errorf("%v of %v", paths, d.Paths)
	}
}
