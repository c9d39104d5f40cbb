package linkerdmesh_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"

	corev1 "k8s.io/api/core/v1"
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
