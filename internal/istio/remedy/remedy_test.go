package remedy_test

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

func TestCommands(t *testing.T) {
	secret := remedy.RemoteSecret{Watched: "west", ID: "w", ReaderNamespace: "istio-system", Context: "east", Namespace: "mesh"}
	elsewhere := secret
	elsewhere.ReaderNamespace = "readers"
	for want, c := range map[string]finding.Command{
		"kubectl --context=east -n istio-system rollout restart deployment/istiod-1-30":                                                        remedy.RestartIstiod("east", istio.Istiod{Namespace: "istio-system", Name: "istiod-1-30"}),
		"istioctl create-remote-secret --context=west --name=w -n mesh | kubectl --context=east apply -f -":                                    secret.Create(),
		"istioctl create-remote-secret --context=west --name=w --server=https://w:6443 -n mesh -i readers | kubectl --context=east apply -f -": elsewhere.Create("--server=https://w:6443"),
		"kubectl --context=east label namespace/istio-system topology.istio.io/network=n1 --overwrite":                                         remedy.LabelNamespace("east", "istio-system", "topology.istio.io/network", "n1"),
		`printf %s '{"kind":"x;y"}' | kubectl --context=east apply -f -`:                                                                       remedy.Apply("east", map[string]string{"kind": "x;y"}),
	} {
		if got := c.String(); got != want && got != "printf '%s' "+want[len("printf %s "):] {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	if got, want := remedy.Removal("data", "a/b~c"), `[{"op":"remove","path":"/data/a~1b~0c"}]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Each workload is restarted once, those that kubectl cannot restart are named, and a
// long list ends.
func TestRestartWorkloads(t *testing.T) {
	cart := istio.WorkloadRef{Kind: "deployment", Namespace: "shop", Name: "cart"}
	job := istio.WorkloadRef{Kind: "job", Namespace: "shop", Name: "once"}
	steps := remedy.RestartWorkloads("east", []istio.WorkloadRef{cart, job, cart})
	var got []string
	for _, s := range steps {
		got = append(got, s.Say)
		for _, c := range s.Run {
			got = append(got, c.String())
		}
	}
	want := []string{"Restart the workloads:", "kubectl --context=east -n shop rollout restart deployment/cart", "Recreate the pods of job shop/once."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var many []istio.WorkloadRef
	for i := range 20 {
		many = append(many, istio.WorkloadRef{Kind: "deployment", Namespace: "shop", Name: "w" + strconv.Itoa(i)})
	}
	steps = remedy.RestartWorkloads("east", many)
	if len(steps) != 2 || len(steps[0].Run) != 8 {
		t.Errorf("20 workloads: %d steps, %d commands", len(steps), len(steps[0].Run))
	}
}
