package bed

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// viewerRole is the name of the viewer's role and of its binding.
const viewerRole = "bed:viewer"

// connectSubresources are those through which a GET acts on what it names.
var connectSubresources = []string{"attach", "exec", "portforward", "proxy"}

// grantViewer lets the viewer see everything but secrets. RBAC has no "all but",
// so the role lists what the cluster serves now: it is granted anew when there
// are new kinds, of which the viewer sees those given when this returns.
func (c *Cluster) grantViewer(ctx context.Context, kinds ...schema.GroupResource) error {
	rules, err := c.viewerRules()
	if err != nil {
		return fmt.Errorf("find out what user %s may see: %w", Viewer, err)
	}
	for _, object := range []runtime.Object{
		&rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: viewerRole},
			Rules:      rules,
		},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: viewerRole},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: viewerRole},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: Viewer}},
		},
	} {
		target, err := c.client.target(object)
		if err != nil {
			return err
		}
		if _, _, err := c.client.put(ctx, target); err != nil {
			return fmt.Errorf("grant user %s its rights: %w", Viewer, err)
		}
	}
	for _, kind := range kinds {
		if err := c.awaitViewer(ctx, kind); err != nil {
			return fmt.Errorf("wait until user %s may list %s: %w", Viewer, kind, err)
		}
	}
	return nil
}

// viewerRules names the core resources one by one, without secrets, and leaves
// all other groups open.
func (c *Cluster) viewerRules() ([]rbacv1.PolicyRule, error) {
	verbs := []string{"get", "list", "watch"}
	served, err := c.client.discovery.ServerResourcesForGroupVersion("v1")
	if err != nil {
		return nil, err
	}
	core := rbacv1.PolicyRule{APIGroups: []string{""}, Verbs: verbs}
	for _, resource := range served.APIResources {
		_, subresource, _ := strings.Cut(resource.Name, "/")
		if resource.Name != "secrets" && !slices.Contains(connectSubresources, subresource) {
			core.Resources = append(core.Resources, resource.Name)
		}
	}
	groups, err := c.client.discovery.ServerGroups()
	if err != nil {
		return nil, err
	}
	others := rbacv1.PolicyRule{Resources: []string{rbacv1.ResourceAll}, Verbs: verbs}
	for _, group := range groups.Groups {
		if group.Name != "" {
			others.APIGroups = append(others.APIGroups, group.Name)
		}
	}
	return []rbacv1.PolicyRule{core, others}, nil
}

// awaitViewer waits until the API server, which hears of roles by a watch of its
// own, lets the viewer list a kind.
func (c *Cluster) awaitViewer(ctx context.Context, kind schema.GroupResource) error {
	viewer, err := newClient(c.RESTConfig(Viewer))
	if err != nil {
		return err
	}
	review, err := toUnstructured(&authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: "list", Group: kind.Group, Resource: kind.Resource,
			},
		},
	})
	if err != nil {
		return err
	}
	reviews := viewer.dynamic.Resource(authorizationv1.SchemeGroupVersion.WithResource("selfsubjectaccessreviews"))
	return poll(ctx, func(ctx context.Context) (bool, error) {
		answer, err := reviews.Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return false, err
		}
		var result authorizationv1.SelfSubjectAccessReview
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(answer.Object, &result); err != nil {
			return false, err
		}
		return result.Status.Allowed, nil
	})
}
