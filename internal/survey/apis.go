package survey

import (
	"context"
	"net"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// apis is one cluster's API server: one connection for all groups.
type apis struct {
	core, apps, admission, authentication, authorization, discovery, networking, rbac rest.Interface
	// custom makes the client for a group of custom resources.
	custom func(group, version string) (rest.Interface, error)
}

// connect prepares the clients; nothing is sent yet.
func connect(config *rest.Config) (*apis, error) {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = kinds.Codecs.WithoutConversion()
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if config.Dial == nil {
		// A dialer of its own gives the cluster a transport of its own, which
		// can be changed before it is used.
		config.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	oneConnection(client.Transport)
	if config.ExecProvider != nil {
		client.Transport = &firstAlone{next: client.Transport}
	}
	a := &apis{}
	for _, group := range []struct {
		gv   schema.GroupVersion
		path string
		into *rest.Interface
	}{
		{corev1.SchemeGroupVersion, "/api", &a.core},
		{appsv1.SchemeGroupVersion, "/apis", &a.apps},
		{admissionv1.SchemeGroupVersion, "/apis", &a.admission},
		{authenticationv1.SchemeGroupVersion, "/apis", &a.authentication},
		{authorizationv1.SchemeGroupVersion, "/apis", &a.authorization},
		{rbacv1.SchemeGroupVersion, "/apis", &a.rbac},
		{discoveryv1.SchemeGroupVersion, "/apis", &a.discovery},
		{networkingv1.SchemeGroupVersion, "/apis", &a.networking},
	} {
		c := *config
		c.GroupVersion, c.APIPath = &group.gv, group.path
		if *group.into, err = rest.RESTClientForConfigAndClient(&c, client); err != nil {
			return nil, err
		}
	}
	a.custom = func(group, version string) (rest.Interface, error) {
		c := *config
		c.GroupVersion, c.APIPath = &schema.GroupVersion{Group: group, Version: version}, "/apis"
		c.ContentType, c.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON // there is nothing else
		return rest.RESTClientForConfigAndClient(&c, client)
	}
	return a, nil
}

// oneConnection lets all requests wait for the first one's connection, which
// HTTP/2 then shares: otherwise each of them would do a TLS handshake of its own.
func oneConnection(t http.RoundTripper) {
	for {
		switch transport := t.(type) {
		case *http.Transport:
			transport.MaxConnsPerHost = 1
			return
		case utilnet.RoundTripperWrapper:
			t = transport.WrappedRoundTripper()
		default:
			return
		}
	}
}

// firstAlone holds all requests back until the first one was answered. With an
// exec credential plugin the first request runs it; were they sent together,
// a plugin that fails would run once for each of them, one after another.
type firstAlone struct {
	next http.RoundTripper
	gate gate
}

func (f *firstAlone) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := f.gate.enter(request.Context()); err != nil {
		return nil, err
	}
	response, err := f.next.RoundTrip(request)
	f.gate.leave(err)
	return response, err
}

// get reads one object and keeps of it what trim keeps.
func get[T any, P interface {
	*T
	runtime.Object
}](ctx context.Context, c rest.Interface, resource, namespace, name string, trim func(P) *T) (*T, error) {
	object := P(new(T))
	err := c.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name).Do(ctx).Into(object)
	if err != nil {
		return nil, err
	}
	return trim(object), nil
}

// meshConfigs reads the mesh config of one revision: none where it does not exist.
func meshConfigs(ctx context.Context, a *apis, namespace, name string) ([]corev1.ConfigMap, error) {
	cm, err := get(ctx, a.core, "configmaps", namespace, name, trimMeshConfig)
	if apierrors.IsNotFound(err) && fromAPIServer(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []corev1.ConfigMap{*cm}, nil
}

// istiods lists the control planes of all namespaces, or, where that is
// forbidden, those of the system namespace. The API server may answer from its
// cache, which spares it a question to etcd: what istiod runs with is behind its
// Deployment by a rollout anyway.
func istiods(ctx context.Context, a *apis, namespace string) ([]appsv1.Deployment, error) {
	labelled := metav1.ListOptions{LabelSelector: istio.IstiodSelector, ResourceVersion: "0"}
	out, err := list[appsv1.DeploymentList](ctx, a.apps, "deployments", "", labelled, trimDeployment)
	if apierrors.IsForbidden(err) {
		return list[appsv1.DeploymentList](ctx, a.apps, "deployments", namespace, labelled, trimDeployment)
	}
	return out, err
}

func remoteSecrets(ctx context.Context, a *apis, namespace string) ([]facts.RemoteSecret, error) {
	labelled := metav1.ListOptions{LabelSelector: istio.MultiClusterLabel + "=true"}
	secrets, err := list[corev1.SecretList](ctx, a.core, "secrets", namespace, labelled, trimRemoteSecret)
	if err != nil {
		return nil, err
	}
	var out []facts.RemoteSecret
	for i := range secrets {
		out = append(out, RemoteSecretsOf(&secrets[i])...)
	}
	return out, nil
}

// readerAccess asks whether the identity with which other control planes read
// this cluster may read its mesh config. A review writes nothing.
func readerAccess(ctx context.Context, a *apis, namespace string) (*authorizationv1.SubjectAccessReview, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               "system:serviceaccount:" + namespace + ":" + istio.ReaderIdentity,
		Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "list", Resource: "configmaps"},
	}}
	answer := &authorizationv1.SubjectAccessReview{}
	if err := a.authorization.Post().Resource("subjectaccessreviews").Body(review).Do(ctx).Into(answer); err != nil {
		return nil, err
	}
	answer.Spec = review.Spec
	return trimReview(answer), nil
}

// proxies to look at: a setting of the mesh shows in any few of them.
const sample = 50

func proxySample(ctx context.Context, a *apis) ([]facts.Pod, error) {
	pods := &corev1.PodList{}
	options := metav1.ListOptions{LabelSelector: "security.istio.io/tlsMode=istio", Limit: sample}
	err := a.core.Get().Resource("pods").VersionedParams(&options, kinds.ParameterCodec).Do(ctx).Into(pods)
	if err != nil {
		return nil, err
	}
	out, trimmer := make([]facts.Pod, len(pods.Items)), newPodTrimmer()
	for i := range pods.Items {
		out[i] = *trimmer.trim(&pods.Items[i])
	}
	return out, nil
}
