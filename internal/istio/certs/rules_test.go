package certs

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
)

// area is the rules under test.
func area() ruletest.Area { return ruletest.Area{Rules: Rules(), BareNotes: true} }

func TestHealthyFleets(t *testing.T) {
	for _, c := range istiotest.HealthyCases {
		t.Run(c.Name, func(t *testing.T) { area().Check(t, c) })
	}
}

// Of certificates that come from elsewhere it is said that they are not checked, and why.
func TestCertificatesFromElsewhere(t *testing.T) {
	for _, c := range istiotest.CertElsewhere {
		t.Run(c.Name, func(t *testing.T) {
			result := run(t, c.Fleet().Facts(), Options{ExpiryWarn: DefaultExpiryWarn})
			if len(result.Findings) > 0 || len(result.Unknowns) != 2 {
				t.Errorf("%v, unknowns %+v", istiotest.Summarize(result), result.Unknowns)
			}
		})
	}
}

func TestFaults(t *testing.T) { area().Faults(t, istiotest.Faults) }

// What istiod has had no time to write is not missing.
func TestNewbornSystem(t *testing.T) {
	i := slices.IndexFunc(istiotest.Faults, func(c istiotest.Case) bool { return c.Name == "no root published at all" })
	for name, age := range map[string]func(c *facts.Cluster, at metav1.Time){
		"namespace": func(c *facts.Cluster, at metav1.Time) {
			for i := range resources.Namespaces.Of(c).Value {
				resources.Namespaces.Of(c).Value[i].CreationTimestamp = at
			}
		},
		"istiod": func(c *facts.Cluster, at metav1.Time) {
			for i := range resources.Istiods.Of(c).Value {
				resources.Istiods.Of(c).Value[i].CreationTimestamp = at
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for ago, want := range map[time.Duration]int{time.Second: 0, 2 * time.Minute: 1} {
				fleet := istiotest.Faults[i].Fleet().Facts()
				for i := range fleet.Clusters {
					age(&fleet.Clusters[i], metav1.NewTime(fleet.At.Add(-ago)))
				}
				if result := run(t, fleet, Options{ExpiryWarn: DefaultExpiryWarn}); len(result.Findings) != want {
					t.Errorf("%s after: %+v", ago, result.Findings)
				}
			}
		})
	}
}
