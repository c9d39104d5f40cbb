package certs

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// run checks a fleet by the rules, those on what proxies answered only where options have
// it. What a rule does and did not declare fails the test.
func run(t *testing.T, fleet *facts.Fleet, options Options) finding.Result {
	t.Helper()
	var topics []rule.Topic
	if options.Proxies != nil {
		topics = append(topics, TopicProxies)
	}
	return area().Run(t, fleet, model.Options{Given: []any{options}}, topics...)
}

func TestRulesAreDeclared(t *testing.T) {
	if err := rule.Validate(Rules()); err != nil {
		t.Error(err)
	}
	for _, r := range Rules() {
		if !r.Everywhere {
			t.Errorf("%v does not compare all clusters that the user named", r.Codes())
		}
	}
}

// Where the run gives no choices, certificates are reported as by default, and nobody
// asks proxies.
func TestWithoutOptions(t *testing.T) {
	for _, c := range istiotest.Faults {
		want := run(t, c.Fleet().Facts(), Options{ExpiryWarn: DefaultExpiryWarn})
		got := area().Run(t, c.Fleet().Facts(), model.Options{})
		if diff := cmp.Diff(istiotest.Summarize(want), istiotest.Summarize(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Name, diff)
		}
	}
}

// Without an answer of any proxy, what the run asked for is unknown.
func TestProxiesThatNobodyAsked(t *testing.T) {
	r := area().Run(t, istiotest.Healthy("east").Facts(), model.Options{}, TopicProxies)
	if diff := cmp.Diff([]finding.Code{"CERT015"}, ruletest.Unchecked(r, "east")); diff != "" || len(r.Findings) > 0 {
		t.Errorf("not checked (-want +got):\n%s\n%+v", diff, r.Findings)
	}
}

// Two remote secrets for one cluster have one fault, and both are evidence of it.
func TestOneFindingForOneReader(t *testing.T) {
	f := istiotest.Healthy("east", "west")
	f.Get("west").ReaderDenied = true
	fleet := f.Facts()
	secrets := resources.RemoteSecrets.Edit(&fleet.Clusters[0])
	second := secrets.Value[0]
	second.Name += "-again"
	secrets.Value = append(secrets.Value, second)
	found := only(t, fleet, "CERT018")
	r := run(t, fleet, Options{ExpiryWarn: DefaultExpiryWarn})
	if len(r.Findings) != 1 || len(found.Evidence) != 4 {
		t.Errorf("%v: %+v", istiotest.Summarize(r), found.Evidence)
	}
}
