package gloomesh_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// beside puts clusters of a mesh of plain Istio, with a root of its own, beside those of a fleet.
func beside(f *glootest.Fleet, names ...string) {
	f.Istio.Clusters = append(f.Istio.Clusters, istiotest.Healthy(names...).Clusters...)
}

// Of clusters that Gloo Mesh has nothing to do with nothing of it is said, not even that something was not checked; and they are
// no reason to say anything else of those that it drives.
func TestBesidePlainIstio(t *testing.T) {
	for _, r := range releases() {
		for name, c := range map[string]struct {
			do   func(*glootest.Fleet)
			want []string
		}{
			"healthy": {func(*glootest.Fleet) {}, nil},
			"no agent": {func(f *glootest.Fleet) {
				i := slices.IndexFunc(glootest.Faults, func(c glootest.Fault) bool { return c.Name == "no agent is known" })
				glootest.Faults[i].Do(f)
			}, []string{"CERT201 error west"}},
		} {
			f := glootest.Healthy(r, glootest.Members...)
			c.do(f)
			beside(f, "first", "second")
			fleet := f.Facts()
			var got []string
			for _, found := range alarms(judge(t, fleet)) {
				got = append(got, summary(found))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", r.Tag, name, diff)
			}
			own := gloomesh.Judge(model.New(fleet), options(t))
			plain := func(context string) bool { return context == "first" || context == "second" }
			for _, found := range own.Findings {
				if slices.ContainsFunc(found.Clusters, plain) {
					t.Errorf("%s, %s: %s", r.Tag, name, line(found))
				}
			}
			if slices.ContainsFunc(own.Unknowns, func(u finding.Unknown) bool { return plain(u.Cluster) }) {
				t.Errorf("%s, %s: not checked: %+v", r.Tag, name, own.Unknowns)
			}
		}
	}
}
