package certs

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// forbidSecrets leaves what a user without access to secrets can read.
func forbidSecrets(c *facts.Cluster) {
	forbidden := facts.Read[*corev1.Secret]{State: facts.Forbidden, Reason: "forbidden"}
	resources.CACerts.Set(c, forbidden)
	resources.CASecret.Set(c, forbidden)
	resources.RemoteSecrets.Set(c, facts.Read[[]facts.RemoteSecret]{State: facts.Forbidden, Reason: "forbidden"})
}

func TestWithoutSecretsTheRestIsJudged(t *testing.T) {
	for name, c := range map[string]struct {
		fleet *istiotest.Fleet
		want  []string
	}{
		"healthy": {istiotest.Healthy("east", "west"), nil},
		"no shared root": {func() *istiotest.Fleet {
			f := istiotest.Healthy("east", "west")
			f.Get("west").Plug(istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}))
			return f
		}(), []string{"CERT002 error east,west"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.fleet.Facts()
			for i := range f.Clusters {
				forbidSecrets(&f.Clusters[i])
			}
			r := run(t, f, Options{ExpiryWarn: DefaultExpiryWarn})
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			want := []finding.Code{
				"CERT001", "CERT004", "CERT005", "CERT006", "CERT007", "CERT008", "CERT009", "CERT010", "CERT011", "CERT012", "CERT013",
				"CERT018", "CERT019", "CERT020", "CERT030", "CERT031", "CERT032", "CERT033", "CERT034",
			}
			if diff := cmp.Diff(want, ruletest.Unchecked(r, "west")); diff != "" {
				t.Errorf("not checked (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever cannot be read, nothing is taken for absent, and nothing for fine.
func TestNothingReadIsNothingFound(t *testing.T) {
	for _, state := range []facts.State{facts.NotAsked, facts.Forbidden, facts.Failed} {
		f := istiotest.Healthy("east", "west").Facts()
		c := &f.Clusters[1]
		forbidSecrets(c)
		resources.CACerts.Edit(c).State = state
		resources.CASecret.Edit(c).State = state
		resources.RemoteSecrets.Edit(c).State = state
		resources.RootCert.Set(c, facts.Read[*corev1.ConfigMap]{State: state})
		resources.RootCerts.Set(c, facts.Read[[]corev1.ConfigMap]{State: state})
		resources.MeshConfigs.Set(c, facts.Read[[]corev1.ConfigMap]{State: state})
		resources.Istiods.Set(c, facts.Read[[]appsv1.Deployment]{State: state})
		resources.IstiodPods.Set(c, facts.Read[[]facts.Pod]{State: state})
		resources.Namespaces.Set(c, facts.Read[[]corev1.Namespace]{State: state})
		r := run(t, f, Options{ExpiryWarn: DefaultExpiryWarn, Proxies: map[string]facts.Read[[]facts.ProxyMaterial]{
			"east": {State: facts.OK}, "west": {State: state},
		}})
		if len(r.Findings) > 0 {
			t.Errorf("%q: %v", state, istiotest.Summarize(r))
		}
		if diff := cmp.Diff(rule.CodesOf(Rules()), ruletest.Unchecked(r, "west")); diff != "" {
			t.Errorf("%q: not checked (-want +got):\n%s", state, diff)
		}
	}
}

func TestAnUnreachedClusterHidesNothingOfTheOthers(t *testing.T) {
	f := istiotest.Healthy("east", "north", "west")
	f.Get("west").Plug(istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}))
	got := f.Facts()
	got.Clusters[1] = facts.Cluster{Context: "north", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
	everybody := map[string]facts.Read[[]facts.ProxyMaterial]{"east": {State: facts.OK}, "west": {State: facts.OK}}
	for _, proxies := range []map[string]facts.Read[[]facts.ProxyMaterial]{nil, everybody} {
		r := run(t, got, Options{ExpiryWarn: DefaultExpiryWarn, Proxies: proxies})
		if diff := cmp.Diff([]string{"CERT002 error east,west"}, istiotest.Summarize(r)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		// What nobody asked for is not unknown.
		want := slices.DeleteFunc(rule.CodesOf(Rules()), func(code finding.Code) bool { return code == "CERT015" && proxies == nil })
		if diff := cmp.Diff(want, ruletest.Unchecked(r, "north")); diff != "" {
			t.Errorf("not checked (-want +got):\n%s", diff)
		}
	}
}

// A Secret that changed a moment ago may not have reached istiod yet.
func TestAFreshSecretIsNotJudged(t *testing.T) {
	f := istiotest.Healthy("east", "west")
	west := f.Get("west")
	west.CACerts, west.CACertsWritten = istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}).CACerts(), istiotest.Now
	r := run(t, f.Facts(), Options{ExpiryWarn: DefaultExpiryWarn})
	if diff := cmp.Diff([]string(nil), istiotest.Summarize(r)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]finding.Code{"CERT004"}, ruletest.Unchecked(r, "west")); diff != "" {
		t.Errorf("not checked (-want +got):\n%s", diff)
	}
}

// With twenty clusters and one odd one there is one finding, not 38.
func TestOneOddClusterOfTwentyIsOneFinding(t *testing.T) {
	names := []string{"odd"}
	for i := range 19 {
		names = append(names, string(rune('a'+i)))
	}
	f := istiotest.Healthy(names...)
	f.Get("odd").Plug(istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}))
	r := run(t, f.Facts(), Options{ExpiryWarn: DefaultExpiryWarn})
	if len(r.Findings) != 1 || r.Findings[0].Title != "no trust between odd on the one side and a, b, c and 16 more on the other" {
		t.Errorf("%v: %s", istiotest.Summarize(r), r.Findings[0].Title)
	}
}
