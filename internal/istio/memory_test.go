package istio_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Answers made in memory that was used before are those that are made in memory of their own.
func TestMemoryIsUsedAgain(t *testing.T) {
	fleet := istiotest.Serving(istiotest.Networked("east", "west", "north")).Facts()
	var memory istio.Memory
	asked := 0
	for _, view := range istio.Views(fleet) {
		for i := range fleet.Clusters {
			c := &fleet.Clusters[i]
			for _, pod := range resources.Pods.Of(c).Value {
				source, ok := view.SourceOf(istio.ClusterID(c), pod.Namespace, pod.Name)
				if !ok {
					continue
				}
				for _, s := range resources.Services.Of(c).Value {
					again := view.ServiceView(s.Namespace, s.Name, &memory)
					for _, port := range s.Spec.Ports {
						to := istio.Destination{Namespace: s.Namespace, Service: s.Name, Port: int(port.Port)}
						want, got := view.Endpoints(source, to), again.Endpoints(source, to.Port, "")
						if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
							t.Errorf("%s of %s for %s (-own memory +used memory):\n%s", s.Name, view.Context, pod.Name, diff)
						}
						asked += len(got.Endpoints)
					}
					memory.Reset()
				}
			}
		}
	}
	if asked < 50 {
		t.Errorf("only %d endpoints", asked)
	}
}
