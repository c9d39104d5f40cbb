package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// ReadSide asks a cluster who it is, and what it knows of service accounts that remote
// secrets of other clusters speak for: whether they are there, with the Secrets that
// their tokens are from, and what they may do. users has the names of those Secrets by user name. All is
// asked at once: one request for the cluster, two and one for each Secret for an account, and
// one for each right; where reviews are forbidden two more, in a second round trip.
func ReadSide(ctx context.Context, cluster survey.Cluster, users map[string][]string) (facts.RemoteSide, error) {
	out := facts.RemoteSide{Accounts: map[string]facts.Account{}}
	a, err := survey.Connect(cluster.Config)
	if err != nil {
		return out, err
	}
	defer a.Close()
	r := survey.NewReader(ctx)
	survey.Beside(r, &out.UID, func() (string, error) {
		ns, err := survey.Get(ctx, a.Core, "namespaces", "", metav1.NamespaceSystem, kubernetes.TrimNamespace)
		if err != nil {
			return "", err
		}
		return string(ns.UID), nil
	})
	var mu sync.Mutex
	for user, tokenSecrets := range users {
		namespace, name, ok := istio.ServiceAccount(user)
		if !ok {
			continue
		}
		r.Go(func() {
			account := readAccount(ctx, a, user, namespace, name, tokenSecrets)
			mu.Lock()
			defer mu.Unlock()
			out.Accounts[user] = account
		})
	}
	if err := r.Finish(); err != nil && !errors.Is(err, survey.ErrNoRights) {
		return out, err
	}
	return out, nil
}

func readAccount(ctx context.Context, a *survey.API, user, namespace, name string, tokenSecrets []string) facts.Account {
	out := facts.Account{TokenSecrets: map[string]facts.Read[facts.TokenSecret]{}}
	r := survey.NewReader(ctx)
	survey.Beside(r, &out.UID, func() (string, error) {
		account, err := survey.Get(ctx, a.Core, "serviceaccounts", namespace, name, func(s *corev1.ServiceAccount) *corev1.ServiceAccount {
			return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{UID: s.UID}}
		})
		if err != nil {
			return "", err
		}
		return string(account.UID), nil
	})
	secrets := make([]facts.Read[facts.TokenSecret], len(tokenSecrets))
	for i, secret := range tokenSecrets {
		survey.Beside(r, &secrets[i], func() (facts.TokenSecret, error) { return tokenSecret(ctx, a, namespace, secret) })
	}
	survey.Beside(r, &out.Rights, func() ([]facts.Right, error) { return reviewRights(ctx, a, user, namespace) })
	_ = r.Finish() // what could not be read is noted in each outcome
	if out.Rights.State == facts.Forbidden {
		if rights, err := rightsByRoles(ctx, a, user, namespace, name); err == nil {
			out.Rights, out.ByRoles = facts.Read[[]facts.Right]{State: facts.OK, Value: rights}, true
		}
	}
	for i, secret := range tokenSecrets {
		out.TokenSecrets[secret] = secrets[i]
	}
	return out
}

// tokenSecret reads the metadata of a Secret; the token in it is not sent.
func tokenSecret(ctx context.Context, a *survey.API, namespace, name string) (facts.TokenSecret, error) {
	text, err := survey.Raw(survey.Do(ctx, a.Core.Get().Namespace(namespace).Resource("secrets").Name(name).
		SetHeader("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json")))
	if err != nil {
		return facts.TokenSecret{}, err
	}
	var m metav1.PartialObjectMetadata
	if json.Unmarshal(text, &m) != nil {
		return facts.TokenSecret{}, fmt.Errorf("the metadata of a secret cannot be read")
	}
	return facts.TokenSecret{
		AccountUID:   resource.Clipped(m.Annotations[corev1.ServiceAccountUIDKey]),
		InvalidSince: resource.Clipped(m.Labels["kubernetes.io/legacy-token-invalid-since"]),
	}, nil
}

func groupsOf(namespace string) []string {
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"}
}

// reviewRights asks for each right by itself, all at once.
func reviewRights(ctx context.Context, a *survey.API, user, namespace string) ([]facts.Right, error) {
	rights := istio.ReaderRights()
	errs := make([]error, len(rights))
	var wait sync.WaitGroup
	for i := range rights {
		wait.Go(func() {
			right := &rights[i]
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: user, Groups: groupsOf(namespace),
				ResourceAttributes: &authorizationv1.ResourceAttributes{Group: right.Group, Resource: right.Resource, Verb: right.Verb},
			}}
			answer := &authorizationv1.SubjectAccessReview{}
			errs[i] = survey.Into(survey.Do(ctx, a.Authorization.Post().Resource("subjectaccessreviews").Body(review)), answer)
			right.Allowed = answer.Status.Allowed
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return rights, nil
}

// rightsByRoles finds what the cluster roles bound to an account allow.
func rightsByRoles(ctx context.Context, a *survey.API, user, namespace, name string) ([]facts.Right, error) {
	var bindings []rbacv1.ClusterRoleBinding
	var roles []rbacv1.ClusterRole
	var bindingsErr, rolesErr error
	var wait sync.WaitGroup
	wait.Go(func() {
		bindings, bindingsErr = survey.List[rbacv1.ClusterRoleBindingList](ctx, a.RBAC, "clusterrolebindings", "", metav1.ListOptions{},
			func(b *rbacv1.ClusterRoleBinding) *rbacv1.ClusterRoleBinding {
				return &rbacv1.ClusterRoleBinding{Subjects: b.Subjects, RoleRef: b.RoleRef}
			})
	})
	wait.Go(func() {
		roles, rolesErr = survey.List[rbacv1.ClusterRoleList](ctx, a.RBAC, "clusterroles", "", metav1.ListOptions{},
			func(r *rbacv1.ClusterRole) *rbacv1.ClusterRole {
				return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: r.Name}, Rules: r.Rules}
			})
	})
	wait.Wait()
	if bindingsErr != nil {
		return nil, bindingsErr
	}
	if rolesErr != nil {
		return nil, rolesErr
	}
	var rules []rbacv1.PolicyRule
	for _, b := range bindings {
		if !slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return isSubject(s, user, namespace, name) }) {
			continue
		}
		for _, r := range roles {
			if r.Name == b.RoleRef.Name {
				rules = append(rules, r.Rules...)
			}
		}
	}
	rights := istio.ReaderRights()
	for i := range rights {
		rights[i].Allowed = slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool { return allows(r, rights[i]) })
	}
	return rights, nil
}

func isSubject(s rbacv1.Subject, user, namespace, name string) bool {
	switch s.Kind {
	case rbacv1.ServiceAccountKind:
		return s.Namespace == namespace && s.Name == name
	case rbacv1.UserKind:
		return s.Name == user
	case rbacv1.GroupKind:
		return slices.Contains(groupsOf(namespace), s.Name)
	}
	return false
}

// allows reports whether a rule gives a right on all objects.
func allows(rule rbacv1.PolicyRule, right facts.Right) bool {
	has := func(list []string, one string) bool { return slices.Contains(list, "*") || slices.Contains(list, one) }
	return len(rule.ResourceNames) == 0 && has(rule.Verbs, right.Verb) && has(rule.APIGroups, right.Group) &&
		has(rule.Resources, right.Resource)
}
