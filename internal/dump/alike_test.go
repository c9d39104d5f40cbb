package dump

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	linkerd "github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Of folders without an index: a custom kind that one cluster has, the others have none of; of
// what every cluster has, and of what nobody wrote, nothing is known; what is rare is not there.
func TestFoldersOfOneFleet(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	fleet, err := Read(fstest.MapFS{
		"east/links.yaml":      file("apiVersion: multicluster.linkerd.io/v1alpha3\nkind: Link\nmetadata: {name: west, namespace: linkerd-multicluster}\n"),
		"east/services.yaml":   file("apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}\n"),
		"west/namespaces.yaml": file("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"),
	}, "istio-system", time.Now(), resource.Join(istio.All, linkerd.All))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		row  resource.Resource
		in   int
		want facts.State
	}{
		{linkerd.Links, 0, facts.OK}, {linkerd.Links, 1, linkerd.Links.Empty()},
		{istio.Services, 0, facts.OK}, {istio.Services, 1, facts.NotAsked},
		{linkerd.Servers, 0, facts.NotAsked}, {linkerd.Servers, 1, facts.NotAsked},
		{linkerd.ServerAuthorizations, 1, linkerd.ServerAuthorizations.Empty()},
	} {
		if got, why := c.row.State(&fleet.Clusters[c.in]); got != c.want {
			t.Errorf("%s of %s: %v (%s), want %v", c.row.About().Name, fleet.Clusters[c.in].Context, got, why, c.want)
		}
	}
}
