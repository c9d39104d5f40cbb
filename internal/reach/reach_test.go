package reach_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

func TestJudge(t *testing.T) {
	down := func(kind facts.UnreachedKind) func(*facts.Fleet) {
		return func(f *facts.Fleet) {
			f.Clusters[1] = facts.Cluster{Context: "west", Server: "https://west", Unreached: &facts.Unreached{Kind: kind, Reason: "a reason"}}
		}
	}
	for name, c := range map[string]struct {
		change func(*facts.Fleet)
		want   []string
	}{
		"healthy":       {func(*facts.Fleet) {}, nil},
		"no connection": {down(facts.NoConnection), []string{"FLT001 error west"}},
		"timed out":     {down(facts.TimedOut), []string{"FLT002 error west"}},
		"unauthorized":  {down(facts.Unauthorized), []string{"FLT003 error west"}},
		"no rights":     {down(facts.NoRights), []string{"FLT004 error west"}},
		"untrusted":     {down(facts.Untrusted), []string{"FLT005 error west"}},
		"plugin":        {down(facts.PluginFailed), []string{"FLT006 error west"}},
		"bad context":   {down(facts.BadContext), []string{"FLT010 error west"}},
		"server error":  {down(facts.ServerError), []string{"FLT011 error west"}},
		"a new kind":    {down("something-new"), []string{"FLT011 error west"}},
		"beyond": {func(f *facts.Fleet) {
			f.Beyond = []facts.BeyondReach{{Context: "east", Secret: "istio-system/s", ClusterID: "north", Server: "https://north"}}
		}, []string{"FLT007 warning east"}},
		"no Istio": {func(f *facts.Fleet) {
			m := istiotest.Healthy("west")
			m.Clusters[0].NoIstio, m.Clusters[0].Image = true, ""
			f.Clusters[1] = m.Facts().Clusters[0]
		}, []string{"FLT008 warning west"}},
		"no Istio in a cluster to which no other leads": {func(f *facts.Fleet) {
			m := istiotest.Healthy("hub")
			m.Clusters[0].NoIstio, m.Clusters[0].Image = true, ""
			f.Clusters = append(f.Clusters, m.Facts().Clusters[0])
		}, []string{"FLT008 note hub"}},
		"no Istio, as far as may be read": {func(f *facts.Fleet) {
			m := istiotest.Healthy("west")
			m.Clusters[0].NoIstio, m.Clusters[0].Image = true, ""
			f.Clusters[1] = m.Facts().Clusters[0]
			resources.Istiods.Set(&f.Clusters[1], facts.Read[[]appsv1.Deployment]{State: facts.Forbidden})
		}, nil},
		"Istio elsewhere": {func(f *facts.Fleet) {
			m := istiotest.Healthy("west")
			m.Clusters[0].NoIstio, m.Clusters[0].Image = true, ""
			f.Clusters[1] = m.Facts().Clusters[0]
			resources.Istiods.Edit(&f.Clusters[1]).Value = []appsv1.Deployment{{ObjectMeta: metav1.ObjectMeta{Namespace: "mesh", Name: "istiod"}}}
		}, []string{"FLT008 warning west"}},
		"one cluster twice": {func(f *facts.Fleet) {
			resources.Namespaces.Set(&f.Clusters[1], resources.Namespaces.Of(&f.Clusters[0]))
		}, []string{"FLT009 warning east,west"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Healthy("east", "west").Facts()
			c.change(f)
			r := reach.Check(f, rules.Meshes())
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, found := range r.Findings {
				if !declared(found) || found.Title == "" || found.Effect == "" || len(found.Evidence) == 0 || len(found.Fix) == 0 {
					t.Errorf("incomplete: %+v", found)
				}
			}
		})
	}
}

// declared reports whether a finding is one that may be found, so bad.
func declared(f finding.Finding) bool {
	return slices.ContainsFunc(reach.Reports(), func(r rule.Report) bool { return r.Code == f.Code && slices.Contains(r.Severities, f.Severity) })
}

// A remote secret that says nothing of where its cluster is, is not shown as if it did.
func TestBeyondReachWithoutServer(t *testing.T) {
	for server, want := range map[string]string{
		"https://north": "names cluster north at https://north",
		"":              "names cluster north in a kubeconfig that cannot be used",
	} {
		r := reach.Check(&facts.Fleet{Beyond: []facts.BeyondReach{{Context: "east", Secret: "istio-system/s", ClusterID: "north", Server: server}}}, rules.Meshes())
		if got := r.Findings[0].Evidence[0].Value; got != want {
			t.Errorf("at %q: %q, want %q", server, got, want)
		}
	}
}

// Whether there is no Istio is not known where the webhooks of a remote cluster
// may not be read.
func TestPerhapsNoIstio(t *testing.T) {
	m := istiotest.Healthy("west")
	m.Clusters[0].NoIstio, m.Clusters[0].Image = true, ""
	f := m.Facts()
	resources.Webhooks.Set(&f.Clusters[0], facts.Read[[]admissionv1.MutatingWebhookConfiguration]{State: facts.Forbidden})
	want := finding.Result{Unknowns: []finding.Unknown{{Cluster: "west", Codes: []finding.Code{"FLT008"}, Reason: finding.Reason{Kind: finding.Forbidden, Text: "mutatingwebhookconfigurations: forbidden"}}}}
	if diff := cmp.Diff(want, reach.Check(f, rules.Meshes())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
