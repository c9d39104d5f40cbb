package endpoints

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Whatever cannot be read of a cluster of a healthy fleet, nothing is found, and it is said.
func TestEachReadAlone(t *testing.T) {
	// These decide nothing in the first of the fleets, of which all clusters are primaries.
	idle := resource.Set{
		resources.KubernetesGateways, resources.ServiceExports, resources.Webhooks, resources.ReaderAccess, resources.IstiodPods,
	}
	for i, c := range istiotest.EndpointHealthy {
		made := c.Fleet().Facts()
		for _, row := range area().Reads() {
			for at := range made.Clusters {
				f := *made
				f.Clusters = slices.Clone(f.Clusters)
				row.SetState(&f.Clusters[at], facts.Forbidden, "")
				r := verify(t, &f, Options{})
				if len(r.Findings) > 0 {
					t.Errorf("%s, %s of %s: %v", c.Name, row, f.Clusters[at].Context, istiotest.Summarize(r))
				}
				if i == 0 && len(r.Unknowns) == 0 && !idle.Has(row) {
					t.Errorf("%s, %s of %s: everything was checked", c.Name, row, f.Clusters[at].Context)
				}
			}
		}
	}
}

// Whoever asks for a service hears no error of a cluster that may not be of the mesh.
func TestUnclearMembership(t *testing.T) {
	f := fleetOf(t, "a cluster that was named by mistake").Facts()
	resources.RootCert.SetState(&f.Clusters[0], facts.Forbidden, "")
	d, result := diagnose(t, f, finding.Result{}, facts.Seen{}, Options{})
	if len(result.Findings) > 0 {
		t.Errorf("%v", istiotest.Summarize(result))
	}
	if !slices.Contains(paths(d), "north > east: unknown") {
		t.Errorf("%v", paths(d))
	}
}

// What is of two meshes does not have to reach one another.
func TestTwoMeshes(t *testing.T) {
	f := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	other := istiotest.Serving(istiotest.Networked("north", "south"))
	for _, c := range other.Clusters {
		c.Mesh["istio"]["trustDomain"] = "other.local"
	}
	f.Clusters = append(f.Clusters, other.Facts().Clusters...)
	result := verify(t, f, Options{})
	if len(result.Findings)+len(result.Unknowns) > 0 {
		t.Errorf("%+v", result)
	}
}

// A rule that fails while it evaluates many services at once is unknown, and ends nothing else.
func TestPanic(t *testing.T) {
	fleet := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	bad := Options{Selects: func(map[string]string) bool { return true }}
	m := model.New(fleet, model.Options{Given: []any{bad}})
	e := newEvaluator(m, m.Clusters, newCauses(finding.Result{}), bad)
	e.known = nil // what a walk reads of every path
	defer func() {
		if recover() == nil {
			t.Error("the panic is lost")
		}
	}()
	e.evaluateAll(sharedServices(m.Clusters, bad))
}

// One processor or many: what is found is the same.
func TestInParts(t *testing.T) {
	f := istiotest.Networked("east", "west")
	for _, c := range f.Clusters {
		for _, name := range []string{"helloworld", "httpbin", "curl"} {
			c.Serve(name)
		}
	}
	f.Get("west").Service("httpbin").Spec.Ports[0].Name = "other"
	f.Get("west").Slice("httpbin").Ports[0].Name = &f.Get("west").Service("httpbin").Spec.Ports[0].Name
	m := model.New(f.Facts(), model.Options{})
	services := sharedServices(m.Clusters, Options{})
	e := newEvaluator(m, m.Clusters, newCauses(finding.Result{}), Options{})
	one := e.evaluatePart(services).notes.folded()
	if diff := cmp.Diff(one, e.evaluateAll(services).folded(), cmp.AllowUnexported(finding.Command{})); diff != "" || len(one) == 0 {
		t.Errorf("(-one +many):\n%s", diff)
	}
	result := rule.Run(m, Rules(), rule.Options{})
	if diff := cmp.Diff([]string{"EP003 error west"}, istiotest.Summarize(result)); diff != "" {
		t.Error(diff)
	}
}
