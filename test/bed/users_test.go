package bed

import (
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func TestUserRights(t *testing.T) {
	ctx := t.Context()
	east := fleet.Cluster("east")
	list := metav1.ListOptions{}
	actions := map[string]func(kubernetes.Interface) error{
		"list pods": func(c kubernetes.Interface) error {
			_, err := c.CoreV1().Pods("").List(ctx, list)
			return err
		},
		"get the kubernetes service": func(c kubernetes.Interface) error {
			_, err := c.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
			return err
		},
		"watch deployments": func(c kubernetes.Interface) error {
			watch, err := c.AppsV1().Deployments("").Watch(ctx, list)
			if err == nil {
				watch.Stop()
			}
			return err
		},
		"list cluster roles": func(c kubernetes.Interface) error {
			_, err := c.RbacV1().ClusterRoles().List(ctx, list)
			return err
		},
		"list secrets": func(c kubernetes.Interface) error {
			_, err := c.CoreV1().Secrets("kube-system").List(ctx, list)
			return err
		},
		"proxy to the kubernetes service": func(c kubernetes.Interface) error {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: "get", Resource: "services", Subresource: "proxy", Namespace: "default", Name: "kubernetes",
				},
			}}
			answer, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err == nil && !answer.Status.Allowed {
				err = apierrors.NewForbidden(corev1.Resource("services/proxy"), "kubernetes", nil)
			}
			return err
		},
		"create a config map": func(c kubernetes.Interface) error {
			_, err := c.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: named("default", "x")},
				metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err
		},
		"ask for the rights of others": func(c kubernetes.Interface) error {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               Admin,
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"},
			}}
			_, err := c.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			return err
		},
	}
	viewed := []string{"list pods", "get the kubernetes service", "watch deployments", "list cluster roles"}
	allowed := map[string]map[string]bool{Admin: {}, Viewer: {}, Nobody: {}}
	for action := range actions {
		allowed[Admin][action] = true
	}
	for _, action := range viewed {
		allowed[Viewer][action] = true
	}
	for user := range allowed {
		client := clientOf(t, east, user)
		for action, do := range actions {
			switch err := do(client); {
			case allowed[user][action] && err != nil:
				t.Errorf("%s may not %s: %v", user, action, err)
			case !allowed[user][action] && !apierrors.IsForbidden(err):
				t.Errorf("%s may %s, or fails otherwise: %v", user, action, err)
			}
		}
	}
}

func TestUsersAreAuthenticated(t *testing.T) {
	ctx := t.Context()
	for _, user := range []string{Admin, Viewer, Nobody} {
		review, err := clientOf(t, fleet.Cluster("west"), user).AuthenticationV1().SelfSubjectReviews().
			Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			t.Errorf("%s: %v", user, err)
			continue
		}
		info := review.Status.UserInfo
		if info.Username != user || strings.Contains(strings.Join(info.Groups, " "), "system:masters") != (user == Admin) {
			t.Errorf("%s is %s of %v", user, info.Username, info.Groups)
		}
	}
}
