package ask

import (
	"context"
	"slices"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Deepen reads what only the facts of the whole fleet show to be needed: mesh
// configs of further revisions, and a sample of the pods with a sidecar. It costs
// one round trip on a new connection, and nothing where there is nothing to ask.
func Deepen(ctx context.Context, cluster survey.Cluster, c *facts.Cluster, meshConfigMaps []string, proxies bool) {
	proxies = proxies && resources.Proxies.Of(c).State == facts.NotAsked
	if len(meshConfigMaps) == 0 && !proxies {
		return
	}
	a, err := survey.Connect(cluster.Config)
	if err != nil {
		return // Read has been through this, and its outcome says so
	}
	defer a.Close()
	r := survey.NewReader(ctx)
	further := make([]*survey.RowRead, len(meshConfigMaps))
	for i, name := range meshConfigMaps {
		further[i] = r.Row(a, resources.MeshConfigs, cluster.Namespace, name)
	}
	var sample *survey.RowRead
	if proxies {
		sample = r.Row(a, resources.Proxies, cluster.Namespace, "")
	}
	_ = r.Finish() // what could not be read is noted in each outcome
	if sample != nil {
		sample.Store(c)
	}
	addFurther(c, resources.MeshConfigs, further)
}

// Followed are the rows that Follow reads.
var Followed = resource.Join(resources.Leads, resources.Injectors, resources.VirtualServices, resources.UnreadRoutes, resources.Usage)

// Follow reads of a cluster what the facts of the whole fleet lead to, all at the
// same time. It costs one round trip on a new connection, beside Deepen's, and
// nothing where there is nothing to ask. What could not be read is noted in the facts.
func Follow(ctx context.Context, cluster survey.Cluster, c *facts.Cluster, leads istio.Leads) {
	if leads.None() {
		return
	}
	a, err := survey.Connect(cluster.Config)
	if err != nil {
		return // Read has been through this, and its outcome says so
	}
	defer a.Close()
	r := survey.NewReader(ctx)
	var events facts.Read[[]corev1.Event]
	wantsEvents := len(leads.Pending) > 0 || leads.Podless
	if wantsEvents {
		survey.Beside(r, &events, func() ([]corev1.Event, error) {
			out, err := serviceEvents(ctx, a, leads.Pending)
			if err != nil || !leads.Podless {
				return out, err
			}
			refused, err := refusedPods(ctx, a)
			return append(out, refused...), err
		})
	}
	injectors := make([]*survey.RowRead, len(leads.Injectors))
	for i, name := range leads.Injectors {
		injectors[i] = r.Row(a, resources.Injectors, cluster.Namespace, name)
	}
	var lists []*survey.RowRead
	if leads.Routes {
		lists = append(lists, r.Row(a, resources.VirtualServices, cluster.Namespace, ""))
	}
	for _, row := range leads.Unread {
		lists = append(lists, r.Row(a, row, cluster.Namespace, ""))
	}
	if leads.Limited {
		lists = append(lists, r.Row(a, resources.Usage, cluster.Namespace, ""))
	}
	var rights facts.Read[[]authorizationv1.SubjectAccessReview]
	if leads.Remote {
		lists = append(lists, r.Row(a, resources.SystemSlices, cluster.Namespace, ""))
		survey.Beside(r, &rights, func() ([]authorizationv1.SubjectAccessReview, error) {
			return readerRights(ctx, a, leads.Identity)
		})
	}
	_ = r.Finish() // what could not be read is noted in each outcome
	if wantsEvents {
		resources.GatewayEvents.Set(c, events)
	}
	for _, l := range lists {
		l.Store(c)
	}
	if leads.Remote {
		resources.ReaderRights.Set(c, rights)
	}
	addFurther(c, resources.Injectors, injectors)
}

// addFurther adds objects that were read one by one to the list of a row. One that is not
// known is not made good by another.
func addFurther[T any](c *facts.Cluster, row *resource.Row[[]T], reads []*survey.RowRead) {
	if len(reads) == 0 {
		return
	}
	all := row.Of(c)
	for _, read := range reads {
		var one facts.Cluster
		read.Store(&one)
		all.Value = append(slices.Clip(all.Value), row.Of(&one).Value...)
		if !read.Known() {
			all.State, all.Reason = read.State, read.Reason
		}
	}
	row.Set(c, all)
}

// Unfollowed notes that what leads lead to could not be asked for.
func Unfollowed(c *facts.Cluster, leads istio.Leads, reason string) {
	var rows []resource.Resource
	if len(leads.Pending) > 0 || leads.Podless {
		rows = append(rows, resources.GatewayEvents)
	}
	if len(leads.Injectors) > 0 {
		rows = append(rows, resources.Injectors)
	}
	if leads.Routes {
		rows = append(rows, resources.VirtualServices)
	}
	if leads.Remote {
		rows = append(rows, resources.SystemSlices, resources.ReaderRights)
	}
	rows = append(rows, leads.Unread...)
	if leads.Limited {
		rows = append(rows, resources.Usage)
	}
	for _, row := range rows {
		row.SetFailed(c, reason)
	}
}

// serviceEvents lists the events of some Services: a request for each.
func serviceEvents(ctx context.Context, a *survey.API, services []istio.ObjectName) ([]corev1.Event, error) {
	var out []corev1.Event
	for _, s := range services {
		about := fields.Set{"involvedObject.kind": "Service", "involvedObject.name": s.Name}
		events, err := survey.List[corev1.EventList](
			ctx,
			a.Core,
			"events",
			s.Namespace,
			metav1.ListOptions{FieldSelector: about.String()},
			resources.TrimEvent,
		)
		if err != nil {
			return nil, err
		}
		out = append(out, events...)
	}
	return out, nil
}

// refusedPods lists the events of all namespaces that say that a workload cannot make its
// pods: one request.
func refusedPods(ctx context.Context, a *survey.API) ([]corev1.Event, error) {
	about := fields.Set{"reason": resources.FailedCreate}
	return survey.List[corev1.EventList](ctx, a.Core, "events", "", metav1.ListOptions{FieldSelector: about.String()}, resources.TrimEvent)
}

// readerRights asks what an identity may do: a request for each right, all at the
// same time. A review writes nothing.
func readerRights(ctx context.Context, a *survey.API, identity string) ([]authorizationv1.SubjectAccessReview, error) {
	out, errs := make([]authorizationv1.SubjectAccessReview, len(istio.RemoteRights)), make([]error, len(istio.RemoteRights))
	var asking sync.WaitGroup
	for i, right := range istio.RemoteRights {
		asking.Go(func() {
			review, answer := reviewOf(identity, right), &authorizationv1.SubjectAccessReview{}
			errs[i] = survey.Into(survey.Do(ctx, a.Authorization.Post().Resource("subjectaccessreviews").Body(review)), answer)
			answer.Spec, answer.Name = review.Spec, right.String()
			out[i] = *resources.TrimReview(answer)
		})
	}
	asking.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func reviewOf(identity string, right istio.Right) *authorizationv1.SubjectAccessReview {
	groups := []string{"system:serviceaccounts", "system:authenticated"}
	if namespace := istio.ServiceAccountNamespace(identity); namespace != "" {
		groups = append(groups, "system:serviceaccounts:"+namespace)
	}
	return &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: identity, Groups: groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: right.Verb, Group: right.Group, Resource: right.Resource},
	}}
}
