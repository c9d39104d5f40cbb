package simulate

import (
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// role is a ClusterRole that a command has created. Rights add up: what one grants no other
// one takes away.
type role struct {
	context, name    string
	verbs, resources []string
}

func (r role) grants(a *authorizationv1.ResourceAttributes) bool {
	called := strings.TrimSuffix(a.Resource+"."+a.Group, ".")
	return slices.Contains(r.verbs, a.Verb) && slices.Contains(r.resources, called)
}

// grant creates a ClusterRole, or binds one: the answers to the questions that were asked
// of the API server then become others.
func (w *World) grant(k kubectl) Outcome {
	c := w.Cluster(k.context)
	if c == nil {
		return outcome(NotRead, "cluster %s was not read", k.context)
	}
	if k.words[0] == "clusterrole" {
		w.roles = append(w.roles, role{
			k.context, k.words[1], strings.Split(k.flag("--verb"), ","), strings.Split(k.flag("--resource"), ","),
		})
		return done
	}
	i := slices.IndexFunc(w.roles, func(r role) bool { return r.context == k.context && r.name == k.flag("--clusterrole") })
	if i < 0 {
		return outcome(NotRead, "roles are not read")
	}
	var users []string
	for _, account := range k.flags["--serviceaccount"] {
		users = append(users, "system:serviceaccount:"+account)
	}
	users = append(users, k.flags["--user"]...)
	for _, row := range w.rows {
		if state, _ := row.State(c); !row.About().Answers || state != facts.OK {
			continue
		}
		for _, o := range row.Objects(c) {
			review, ok := o.(*authorizationv1.SubjectAccessReview)
			if !ok || review.Spec.ResourceAttributes == nil || !slices.Contains(users, review.Spec.User) ||
				!w.roles[i].grants(review.Spec.ResourceAttributes) {
				continue
			}
			changed := review.DeepCopy()
			changed.Status.Allowed, changed.Status.Denied = true, false
			w.put(c, row, changed, true)
		}
	}
	return done
}
