package command

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// The clusters that are named are asked, with the means to reach them; what one
// of them answers does not depend on the others.
func TestAsk(t *testing.T) {
	l := serve(t, "east", "west", "north")
	f := &Frame{
		IOStreams: genericiooptions.IOStreams{ErrOut: io.Discard}, Plugin: plugin, Fleet: fleet.NewFlags(),
		Namespace: "mesh-system", progress: fleet.ProgressOn(io.Discard),
	}
	f.Fleet.KubeConfig = kubeconfig(t, "east", l.urls)
	f.Fleet.Contexts = []string{"east", "west", "north"}
	if _, err := f.Gather(t.Context(), resources.RootCert.Rows()); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	answers := survey.Ask(t.Context(), f, []string{"west", "north", "south"}, func(_ context.Context, c survey.Cluster) (string, error) {
		if c.Config.Host != l.urls[c.Context] || c.Namespace != "mesh-system" {
			t.Errorf("%s was asked at %s for %s", c.Context, c.Config.Host, c.Namespace)
		}
		if c.Context == "north" {
			return "", refused
		}
		return "here is " + c.Context, nil
	})
	if diff := cmp.Diff([]string{"north", "west"}, slices.Sorted(maps.Keys(answers))); diff != "" {
		t.Fatalf("answers (-want +got):\n%s", diff)
	}
	if a := answers["west"]; a.Err != nil || a.Value != "here is west" {
		t.Errorf("west: %+v", a)
	}
	if a := answers["north"]; !errors.Is(a.Err, refused) {
		t.Errorf("north: %+v", a)
	}

	f.From = []string{"dump"}
	for context, a := range survey.Ask(t.Context(), f, []string{"east"}, func(context.Context, survey.Cluster) (string, error) { return "asked", nil }) {
		if !errors.Is(a.Err, survey.ErrDump) {
			t.Errorf("%s of a dump: %+v", context, a)
		}
	}
}
