package survey

import (
	"context"
	"net"
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// API is one cluster's API server: one connection for all groups.
type API struct {
	Core, Authentication, Authorization, Discovery, RBAC rest.Interface
	// client makes the client for a group.
	client func(group, version string) (rest.Interface, error)
}

// Connect prepares the clients; nothing is sent yet.
func Connect(config *rest.Config) (*API, error) {
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
	a := &API{}
	a.client = func(group, version string) (rest.Interface, error) {
		c := *config
		c.GroupVersion, c.APIPath = &schema.GroupVersion{Group: group, Version: version}, "/apis"
		if group == corev1.GroupName {
			c.APIPath = "/api"
		}
		if !kinds.BuiltIn(group) { // there is nothing else
			c.ContentType, c.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
		}
		return rest.RESTClientForConfigAndClient(&c, client)
	}
	for group, into := range map[schema.GroupVersion]*rest.Interface{
		corev1.SchemeGroupVersion:           &a.Core,
		authenticationv1.SchemeGroupVersion: &a.Authentication,
		authorizationv1.SchemeGroupVersion:  &a.Authorization,
		discoveryv1.SchemeGroupVersion:      &a.Discovery,
		rbacv1.SchemeGroupVersion:           &a.RBAC,
	} {
		if *into, err = a.client(group.Group, group.Version); err != nil {
			return nil, err
		}
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

// Get reads one object and keeps of it what trim keeps.
func Get[T any, P interface {
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
