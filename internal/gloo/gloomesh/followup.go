package gloomesh

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// followUp are Secrets of a management cluster that VirtualMeshes name.
type followUp []api.Ref

// FollowUps are the Secrets with roots that people gave to VirtualMeshes.
func (Mesh) FollowUps(fleet *facts.Fleet, rows resource.Set) map[string]mesh.FollowUp {
	if !rows.Has(resources.RootSecrets) {
		return nil
	}
	out := map[string]mesh.FollowUp{}
	for context, refs := range model.New(fleet).Roots() {
		out[context] = followUp(refs)
	}
	return out
}

// Read asks for each Secret as a list that it would be in: whoever may list Secrets may do so.
func (f followUp) Read(ctx context.Context, cluster survey.Cluster, c *facts.Cluster) {
	a, err := survey.Connect(cluster.Config)
	if err != nil {
		return // Read has been through this, and its outcome says so
	}
	defer a.Close()
	r := survey.NewReader(ctx)
	reads := make([]facts.Read[[]corev1.Secret], len(f))
	for i, ref := range f {
		survey.Beside(r, &reads[i], func() ([]corev1.Secret, error) {
			named := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", ref.Name).String()}
			return survey.List[corev1.SecretList](ctx, a.Core, "secrets", ref.Namespace, named, resources.TrimRoot)
		})
	}
	_ = r.Finish() // what could not be read is noted in each outcome
	all := facts.Read[[]corev1.Secret]{State: facts.OK}
	for _, read := range reads {
		all.Value = append(all.Value, read.Value...)
		if !read.Known() {
			all.State, all.Reason = read.State, read.Reason
		}
	}
	resources.RootSecrets.Set(c, all)
}

// Fail notes that the Secrets could not be read.
func (f followUp) Fail(c *facts.Cluster, reason string) { resources.RootSecrets.SetFailed(c, reason) }
