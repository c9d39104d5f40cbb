package network

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// istioctl looks for Istio in namespace istio-system of the cluster that is read, unless it
// is told of another one.
func TestRemoteSecretOfANamespace(t *testing.T) {
	for namespace, want := range map[string]string{
		"istio-system": "istioctl create-remote-secret --context=west --name=west -n mesh | kubectl --context=east apply -f -",
		"istio west":   "istioctl create-remote-secret --context=west --name=west -n mesh -i 'istio west' | kubectl --context=east apply -f -",
	} {
		west := &member{Cluster: &facts.Cluster{Context: "west", SystemNamespace: namespace}}
		east := &member{Cluster: &facts.Cluster{Context: "east", SystemNamespace: "mesh"}}
		if got := west.readBy(east).String(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
