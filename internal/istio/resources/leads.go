package resources

import (
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// Reviews have no lists: each row of them has the review itself in its place.

// ReaderAccess is the API server's answer to whether the identity that other
// control planes use here may list ConfigMaps in the system namespace.
var ReaderAccess = resource.One[authorizationv1.SubjectAccessReview](
	review("access of the reader", "subjectaccessreview-reader", readerQuestion),
	resource.Belonging[*authorizationv1.SubjectAccessReview]{
		Belongs: func(_ *facts.Cluster, r *authorizationv1.SubjectAccessReview) bool { return r.Name == "" },
	}, TrimReview)

// ReaderRights are the API server's answers to what the identity that a control plane
// elsewhere uses may do in a cluster without one, each named after the question.
var ReaderRights = resource.List[authorizationv1.SubjectAccessReview](
	review("rights of the reader", "subjectaccessreviews-control-plane", nil),
	resource.Belonging[*authorizationv1.SubjectAccessReview]{
		Belongs: func(_ *facts.Cluster, r *authorizationv1.SubjectAccessReview) bool { return r.Name != "" },
	}, TrimReview)

// review is what a row of reviews is of: one that is asked with the others, or later.
func review(name, file string, question func(string) runtime.Object) resource.About {
	return resource.About{
		Name: name, File: file, Kind: "SubjectAccessReview",
		Group: authorizationv1.GroupName, Resource: "subjectaccessreviews", Versions: v1,
		Question: question, Answers: true, Later: question == nil,
	}
}

// readerQuestion asks whether the identity with which other control planes read
// this cluster may read its mesh config. A review writes nothing.
func readerQuestion(namespace string) runtime.Object {
	return &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               "system:serviceaccount:" + namespace + ":" + config.ReaderIdentity,
		Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "list", Resource: "configmaps"},
	}}
}

// TrimReview keeps of a review the question and the answer.
func TrimReview(r *authorizationv1.SubjectAccessReview) *authorizationv1.SubjectAccessReview {
	return &authorizationv1.SubjectAccessReview{
		ObjectMeta: metav1.ObjectMeta{Name: r.Name}, // that a question was given here
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: r.Spec.User, Groups: r.Spec.Groups, ResourceAttributes: r.Spec.ResourceAttributes,
		},
		Status: authorizationv1.SubjectAccessReviewStatus{Allowed: r.Status.Allowed, Denied: r.Status.Denied},
	}
}

// SystemSlices are the EndpointSlices of the system namespace of a cluster
// whose control plane is elsewhere.
var SystemSlices = kubernetes.SliceRow(resource.About{
	Name: "endpointslices of the system namespace", File: "endpointslices-system", Scope: resource.System, Later: true,
}, resource.Belonging[*discoveryv1.EndpointSlice]{
	Belongs: func(c *facts.Cluster, s *discoveryv1.EndpointSlice) bool { return s.Namespace == c.SystemNamespace },
})

// FailedCreate is the reason of events of workloads whose pods the API server refuses.
const FailedCreate = "FailedCreate"

// GatewayEvents are those of the gateways whose load balancer is pending, and those of
// workloads whose pods the API server refuses.
var GatewayEvents = resource.List[corev1.EventList](resource.About{
	Name: "events", File: "events-gateways", Kind: "Event", Resource: "events", Versions: v1, Later: true,
}, resource.Belonging[*corev1.Event]{
	Belongs: func(_ *facts.Cluster, e *corev1.Event) bool {
		return e.InvolvedObject.Kind == "Service" || e.Reason == FailedCreate
	},
}, TrimEvent)

// mostRefusals is how many events of refused pods are read: each names a workload, and a few say
// what is the matter with all.
const mostRefusals = 500

// RefusedPods are the events of all namespaces that say that the API server refuses the pods of
// a workload.
var RefusedPods = resource.List[corev1.EventList](resource.About{
	Name: "events of refused pods", File: "events-failed-create", Kind: "Event", Resource: "events", Versions: v1,
	Fields: "reason=" + FailedCreate + ",type=" + corev1.EventTypeWarning, Sample: mostRefusals,
}, resource.Belonging[*corev1.Event]{
	Belongs: func(_ *facts.Cluster, e *corev1.Event) bool { return e.Reason == FailedCreate },
}, TrimEvent)

// TrimEvent keeps what happened to which object, and when last.
func TrimEvent(e *corev1.Event) *corev1.Event {
	out := &corev1.Event{ObjectMeta: resource.BareMeta(&e.ObjectMeta), Type: e.Type, Reason: e.Reason, Message: e.Message, Count: e.Count}
	out.InvolvedObject = corev1.ObjectReference{
		Kind: e.InvolvedObject.Kind, Namespace: e.InvolvedObject.Namespace, Name: e.InvolvedObject.Name,
	}
	out.LastTimestamp = e.LastTimestamp
	if out.LastTimestamp.IsZero() { // events.k8s.io
		out.LastTimestamp.Time = e.EventTime.Time
	}
	if e.Series != nil && e.Series.LastObservedTime.After(out.LastTimestamp.Time) {
		out.LastTimestamp.Time = e.Series.LastObservedTime.Time
	}
	return out
}
