package linkerdmesh_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

// Views list what there is, and name what the rules find.
func TestViews(t *testing.T) {
	f := linkerdtest.Healthy(t)
	drop(f, east, resources.Credentials, func(s *corev1.Secret) bool { return s.Namespace == "linkerd" })
	change(f, west, resources.Services, service("linkerd-gateway"), func(s *corev1.Service) { s.Status = corev1.ServiceStatus{} })
	for view, want := range map[mesh.View][][]string{
		mesh.Peerings: {
			{"east", "linkerd-multicluster/west", "west", "192.0.2.20:4143", "runs", "https://127.0.0.1:21002", "missing", "3", "EP102"},
			{"west", "linkerd-multicluster/east", "east", "192.0.2.10:4143", "runs", "https://127.0.0.1:21001", "https://127.0.0.1:21001", "1", "ok"},
		},
		mesh.Gateways: {
			{"east", "linkerd-multicluster/linkerd-gateway", "192.0.2.10", "4143", "4191", "1/1", "west", "ok"},
			{"west", "linkerd-multicluster/linkerd-gateway", "pending", "4143", "4191", "1/1", "east", "NET101"},
		},
		mesh.Certificates: {
			{"east", "root", "CN=root.linkerd.cluster.local", "5e48f9def02a", "2036-11-26"},
			{"east", "issuer", "CN=identity.linkerd.cluster.local", "", "2027-11-29"},
			{"west", "root", "CN=root.linkerd.cluster.local", "5e48f9def02a", "2036-11-26"},
			{"west", "issuer", "CN=identity.linkerd.cluster.local", "", "2027-11-29"},
		},
	} {
		got := linkerdmesh.Mesh{}.View(view, &mesh.Run{Fleet: f})
		for i, row := range got.Rows {
			if view == mesh.Certificates && row[1] == "issuer" {
				got.Rows[i][3] = ""
			}
			if len(row) != len(got.Header) {
				t.Errorf("%s: %d columns of %d", view, len(row), len(got.Header))
			}
		}
		if diff := cmp.Diff(want, got.Rows); diff != "" {
			t.Errorf("%s (-want +got):\n%s", view, diff)
		}
		if len(got.Names) != len(got.Rows) || len(got.Gaps) > 0 {
			t.Errorf("%s: %v %v", view, got.Names, got.Gaps)
		}
	}
}

// Services that the user does not want are left out; what is about Links stays.
func TestServicesThatAreWanted(t *testing.T) {
	f := linkerdtest.Healthy(t)
	drop(f, east, resources.MirrorEndpoints, func(e *corev1.Endpoints) bool { return e.Name == "web-west" })
	drop(f, east, resources.Credentials, func(s *corev1.Secret) bool { return s.Namespace == "linkerd" })
	for name, c := range map[string]struct {
		services mesh.Services
		want     []string
	}{
		"all":               {mesh.Services{}, []string{"EP102 error east", "EP111 error east"}},
		"its namespace":     {mesh.Services{Namespace: "shop"}, []string{"EP102 error east", "EP111 error east"}},
		"another namespace": {mesh.Services{Namespace: "bank"}, []string{"EP102 error east"}},
		"its label":         {mesh.Services{Selects: func(l map[string]string) bool { return l["app"] == "web" }}, []string{"EP102 error east", "EP111 error east"}},
		"another label":     {mesh.Services{Selects: func(l map[string]string) bool { return l["app"] == "cart" }}, []string{"EP102 error east"}},
	} {
		got, err := linkerdmesh.Mesh{}.Verify(t.Context(), &mesh.Run{Fleet: f, Areas: []mesh.Area{mesh.Endpoints}, Wishes: []any{c.services}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, summarize(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
