package survey

import (
	"context"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// Follow reads of a cluster what the facts of the whole fleet lead to, all at the
// same time. It costs one round trip on a new connection, beside Deepen's, and
// nothing where there is nothing to ask. What could not be read is noted in the facts.
func Follow(ctx context.Context, cluster Cluster, c *facts.Cluster, leads istio.Leads) {
	if leads.None() {
		return
	}
	a, err := connect(cluster.Config)
	if err != nil {
		return // Read has been through this, and its outcome says so
	}
	r := &reader{ctx: ctx}
	if len(leads.Pending) > 0 {
		read(r, &c.GatewayEvents, func() ([]corev1.Event, error) { return serviceEvents(ctx, a, leads.Pending) })
	}
	injectors := make([]facts.Read[[]corev1.ConfigMap], len(leads.Injectors))
	for i, name := range leads.Injectors {
		read(r, &injectors[i], func() ([]corev1.ConfigMap, error) { return injectorOf(ctx, a, cluster.Namespace, name) })
	}
	if leads.Routes {
		read(r, &c.VirtualServices, func() ([]api.VirtualService, error) {
			return custom[api.VirtualServiceList](ctx, a, api.NetworkingGroup, "virtualservices", trimVirtualService)
		})
	}
	if leads.Remote {
		read(r, &c.SystemSlices, func() ([]discoveryv1.EndpointSlice, error) {
			return list[discoveryv1.EndpointSliceList](ctx, a.discovery, "endpointslices", cluster.Namespace, metav1.ListOptions{}, trimEndpointSlice)
		})
		read(r, &c.ReaderRights, func() ([]authorizationv1.SubjectAccessReview, error) {
			return readerRights(ctx, a, leads.Identity)
		})
	}
	_ = r.wait() // what could not be read is noted in each outcome
	for _, f := range injectors {
		c.Injectors.Value = append(c.Injectors.Value, f.Value...)
		if !f.Known() {
			c.Injectors.State, c.Injectors.Reason = f.State, f.Reason
		}
	}
}

// Unfollowed notes that what leads lead to could not be asked for.
func Unfollowed(c *facts.Cluster, leads istio.Leads, reason string) {
	if len(leads.Pending) > 0 {
		c.GatewayEvents.State, c.GatewayEvents.Reason = facts.Failed, reason
	}
	if len(leads.Injectors) > 0 {
		c.Injectors.State, c.Injectors.Reason = facts.Failed, reason
	}
	if leads.Routes {
		c.VirtualServices.State, c.VirtualServices.Reason = facts.Failed, reason
	}
	if leads.Remote {
		c.SystemSlices.State, c.SystemSlices.Reason = facts.Failed, reason
		c.ReaderRights.State, c.ReaderRights.Reason = facts.Failed, reason
	}
}

// injectorOf reads the values of one revision's injector: none where it does not exist.
func injectorOf(ctx context.Context, a *apis, namespace, name string) ([]corev1.ConfigMap, error) {
	cm, err := get(ctx, a.core, "configmaps", namespace, name, trimInjector)
	if apierrors.IsNotFound(err) && fromAPIServer(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []corev1.ConfigMap{*cm}, nil
}

// serviceEvents lists the events of some Services: a request for each.
func serviceEvents(ctx context.Context, a *apis, services []istio.ObjectName) ([]corev1.Event, error) {
	var out []corev1.Event
	for _, s := range services {
		about := fields.Set{"involvedObject.kind": "Service", "involvedObject.name": s.Name}
		events, err := list[corev1.EventList](ctx, a.core, "events", s.Namespace, metav1.ListOptions{FieldSelector: about.String()}, trimEvent)
		if err != nil {
			return nil, err
		}
		out = append(out, events...)
	}
	return out, nil
}

// readerRights asks what an identity may do: a request for each right, all at the
// same time. A review writes nothing.
func readerRights(ctx context.Context, a *apis, identity string) ([]authorizationv1.SubjectAccessReview, error) {
	out, errs := make([]authorizationv1.SubjectAccessReview, len(istio.RemoteRights)), make([]error, len(istio.RemoteRights))
	var asking sync.WaitGroup
	for i, right := range istio.RemoteRights {
		asking.Go(func() {
			review, answer := reviewOf(identity, right), &authorizationv1.SubjectAccessReview{}
			errs[i] = a.authorization.Post().Resource("subjectaccessreviews").Body(review).Do(ctx).Into(answer)
			answer.Spec, answer.Name = review.Spec, right.String()
			out[i] = *trimReview(answer)
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
