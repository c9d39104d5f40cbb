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

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// API is one cluster's API server: one connection for all groups.
type API struct {
	Core, Authentication, Authorization, Discovery, RBAC rest.Interface
	// client makes the client for a group.
	client func(group, version string) (rest.Interface, error)
	wire   *wire
}

// Connect prepares the clients; nothing is sent yet.
func Connect(config *rest.Config) (*API, error) {
	if config == nil {
		return nil, ErrDump
	}
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = kinds.Codecs().WithoutConversion()
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if config.Dial == nil {
		// A dialer of its own gives the cluster a transport of its own, which
		// can be changed before it is used.
		config.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	a := &API{}
	plugin := &gate{}
	config.WrapTransport = transport.Wrappers(func(t http.RoundTripper) http.RoundTripper {
		a.wire = newWire(t)
		if config.ExecProvider != nil {
			a.wire.reached = func() { plugin.leave(nil) }
		}
		return a.wire
	}, config.WrapTransport)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	if config.ExecProvider != nil {
		client.Transport = &firstAlone{next: client.Transport, gate: plugin}
	}
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

// Close ends the connections to the API server that nobody uses.
func (a *API) Close() { a.wire.close() }

// Get reads one object and keeps of it what trim keeps.
func Get[T any, P interface {
	*T
	runtime.Object
}](ctx context.Context, c rest.Interface, resource, namespace, name string, trim func(P) *T) (*T, error) {
	object := P(new(T))
	err := one(Do(ctx, c.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name)), object, name)
	if err != nil {
		return nil, err
	}
	return trim(object), nil
}
