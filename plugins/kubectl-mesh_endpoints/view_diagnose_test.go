package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// What a person sees of what istiods say: a credential that is refused while istiod still
// has the endpoints, and a proxy that is connected elsewhere.
func TestDiagnosisOfWhatIstiodsSay(t *testing.T) {
	fleet := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	held, proxies := facts.Addresses{}, map[string][]facts.ConnectedProxy{}
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		for _, p := range resources.Pods.Of(c).Value {
			if p.Container(istio.ProxyContainer) == nil || p.Namespace != "sample" {
				continue
			}
			proxies[c.Context] = append(proxies[c.Context], facts.ConnectedProxy{Cluster: c.Context, Namespace: p.Namespace, Pod: p.Name})
			if c.Context == "west" && p.Labels["app"] == "helloworld" {
				held.Add("sample/helloworld", p.IP(), true)
			}
		}
	}
	replica := func(proxies ...facts.ConnectedProxy) facts.Read[[]facts.IstiodView] {
		return facts.Read[[]facts.IstiodView]{State: facts.OK, Value: []facts.IstiodView{{
			Pod: "istiod-7d5c8b9f7-x2x4z", Clusters: facts.Read[[]facts.ClusterState]{State: facts.OK},
			Shards:  facts.Read[map[string]facts.Addresses]{State: facts.OK, Value: map[string]facts.Addresses{"west": held}},
			Proxies: facts.Read[[]facts.ConnectedProxy]{State: facts.OK, Value: proxies},
		}}}
	}
	secret := finding.In("secret", "istio-system", "istio-remote-secret-west")
	refused := finding.Result{Findings: []finding.Finding{{
		Code: "SEC012", Severity: finding.Error, Clusters: []string{"east", "west"}, Object: secret,
		Title:    "the credential by which istiod reads west is not accepted",
		Evidence: []finding.Evidence{{Cluster: "west", Field: "review of the token by the API server", Value: "[invalid bearer token]"}},
		Effect:   "east keeps sending to the endpoints that west had then",
		Fix: []finding.Step{finding.Run(
			finding.Shell("istioctl", "create-remote-secret", "--context=west", "--name=west", "-n", "istio-system").To(
				finding.Kubectl("east", "apply", "-f", "-")))},
	}}}
	unusable := finding.Result{Findings: []finding.Finding{{
		Code: "SEC008", Severity: finding.Error, Clusters: []string{"east", "west"}, Object: secret,
		Title:    "istiod cannot use the kubeconfig of a remote secret",
		Evidence: []finding.Evidence{{Cluster: "east", Field: "secret istio-system/istio-remote-secret-west", Value: "the kubeconfig is empty"}},
		Effect:   "east gets no endpoints of west", Fix: refused.Findings[0].Fix,
	}}}
	for name, c := range map[string]struct {
		known   finding.Result
		istiods map[string]facts.Read[[]facts.IstiodView]
	}{
		"frozen":    {refused, map[string]facts.Read[[]facts.IstiodView]{"east": replica(proxies["east"]...), "west": replica(proxies["west"]...)}},
		"unusable":  {unusable, map[string]facts.Read[[]facts.IstiodView]{"east": replica(proxies["east"]...), "west": replica(proxies["west"]...)}},
		"elsewhere": {finding.Result{}, map[string]facts.Read[[]facts.IstiodView]{"east": replica(append(proxies["east"], proxies["west"]...)...), "west": replica()}},
	} {
		for i := range fleet.Clusters {
			for k := range resources.RemoteSecrets.Of(&fleet.Clusters[i]).Value {
				s := &resources.RemoteSecrets.Of(&fleet.Clusters[i]).Value[k]
				if s.Invalid = ""; name == "unusable" && fleet.Clusters[i].Context == "east" {
					s.Invalid = "the kubeconfig is empty"
				}
			}
		}
		fleet.At = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		seen := facts.Seen{Istiods: c.istiods}
		if name == "frozen" {
			key := facts.SecretKey{Context: "east", Namespace: secret.Namespace, Name: secret.Name, ClusterID: "west"}
			seen.Connected = map[facts.SecretKey]facts.Connected{key: {Outcome: facts.ConnectRefused, Reason: "401"}}
		}
		m := model.New(fleet, model.Options{Seen: seen})
		d, result, err := endpoints.Diagnose(m, c.known, "sample", "helloworld", endpoints.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, wide := range []bool{false, true} {
			write(t, fmt.Sprintf("diagnose-%s-%t.txt", name, wide), func(p *report.Page) error { return diagnosisPage(p, d, result, wide) }, 80, false)
		}
	}
}
