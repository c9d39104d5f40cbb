// Package podaccess talks to pods through their API server, as kubectl
// port-forward and kubectl exec do. It needs the right to create pods/portforward
// or pods/exec; in the cluster nothing is created.
package podaccess

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/streaming/pkg/httpstream"
)

// Pod is a pod, and one of its containers where that matters.
type Pod struct {
	Namespace, Name string
	// Container is the one to run a command in; "" is the pod's only one, or the
	// one that the API server takes for its first.
	Container string
}

// String is namespace/name, and the container where it is said.
func (p Pod) String() string {
	if p.Container == "" {
		return p.Namespace + "/" + p.Name
	}
	return p.Namespace + "/" + p.Name + "/" + p.Container
}

// address is the URL of a subresource of the pod.
func (p Pod) address(config *rest.Config, subresource string, query url.Values) (*url.URL, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion, c.APIPath = &schema.GroupVersion{Version: "v1"}, "/api"
	base, path, err := rest.DefaultServerUrlFor(c)
	if err != nil {
		return nil, fmt.Errorf("pod %s: %w", p, err)
	}
	out := base.JoinPath(path, "namespaces", p.Namespace, "pods", p.Name, subresource)
	out.RawQuery = query.Encode()
	return out, nil
}

// bySPDY reports whether an API server or a proxy before it cannot do web
// sockets, and should be asked in the older way.
func bySPDY(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}

// heard remembers the status of an API server's refusal, which client-go turns
// into text.
type heard struct {
	next http.RoundTripper
	code int
}

func (h *heard) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := h.next.RoundTrip(request)
	if err == nil {
		h.code = response.StatusCode
	}
	return response, err
}

// explain makes of the error of a request that was refused one that package
// apierrors knows: IsForbidden, IsNotFound, IsUnauthorized and so on.
func (h *heard) explain(err error) error {
	if h.code < http.StatusBadRequest {
		return err
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: int32(h.code), Reason: reasons[h.code],
		Message: strings.TrimPrefix(err.Error(), "unable to upgrade connection: "),
	}}
}

var reasons = map[int]metav1.StatusReason{
	http.StatusBadRequest:          metav1.StatusReasonBadRequest,
	http.StatusUnauthorized:        metav1.StatusReasonUnauthorized,
	http.StatusForbidden:           metav1.StatusReasonForbidden,
	http.StatusNotFound:            metav1.StatusReasonNotFound,
	http.StatusTooManyRequests:     metav1.StatusReasonTooManyRequests,
	http.StatusInternalServerError: metav1.StatusReasonInternalError,
	http.StatusServiceUnavailable:  metav1.StatusReasonServiceUnavailable,
}
