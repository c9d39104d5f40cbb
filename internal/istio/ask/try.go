package ask

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Bounds of a try.
const (
	tryTimeout = 10 * time.Second
	mostAnswer = 1 << 20
)

// Keys are the data keys that there are credentials of.
func (c *Credentials) Keys() []facts.SecretKey {
	var out []facts.SecretKey
	for key := range c.of {
		out = append(out, key)
	}
	return out
}

// Try uses one credential from this machine, against the server in its kubeconfig alone:
// it reads namespace kube-system, and asks whom the server takes it for. No proxy is used,
// no redirect followed, and no address that belongs to this machine or to its
// link is dialled, but for one of servers, which the user's own contexts lead to. It takes at most ten seconds,
// and costs two requests on a connection of its own.
func (c *Credentials) Try(ctx context.Context, key facts.SecretKey, servers []string) facts.Connected {
	one, ok := c.of[key]
	if !ok {
		return facts.Connected{Outcome: facts.ConnectNotTried, Reason: "the kubeconfig cannot be used"}
	}
	if one.refused != "" {
		return facts.Connected{Outcome: facts.ConnectNotTried, Reason: one.refused}
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	return one.try(ctx, servers)
}

// errAddress is why an address is not dialled.
var errAddress = errors.New("the address is not dialled")

func (c credential) try(ctx context.Context, servers []string) facts.Connected {
	u, err := url.Parse(c.server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return facts.Connected{Outcome: facts.ConnectNotTried, Reason: "a credential is sent over https only, to a server that is a plain URL"}
	}
	known := false
	for _, s := range servers {
		known = known || serverurl.Same(s, c.server)
	}
	dialer := &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err != nil || forbidden(at.Addr(), known) {
			return errAddress
		}
		return nil
	}}
	config := &rest.Config{
		Host:        c.server,
		BearerToken: c.token, Username: c.username, Password: c.password,
		TLSClientConfig: rest.TLSClientConfig{
			CAData:     c.ca,
			Insecure:   c.insecure,
			ServerName: c.serverName,
			CertData:   c.certificate,
			KeyData:    c.key,
		},
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
		Dial:  dialer.DialContext,
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return facts.Connected{Outcome: facts.ConnectNotTried, Reason: "no client can be made of the certificates in the kubeconfig"}
	}
	defer client.CloseIdleConnections()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base := strings.TrimRight(u.Scheme+"://"+u.Host+u.EscapedPath(), "/")

	var ns corev1.Namespace
	status, err := exchange(ctx, client, http.MethodGet, base+"/api/v1/namespaces/kube-system", nil, &ns)
	if outcome, failed := failure(err); failed {
		return outcome
	}
	var who authenticationv1.SelfSubjectReview
	reviewed, _ := exchange(ctx, client, http.MethodPost, base+"/apis/authentication.k8s.io/v1/selfsubjectreviews",
		[]byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`), &who)
	out := facts.Connected{
		Outcome: facts.ConnectAccepted,
		UID:     resource.Clipped(string(ns.UID)),
		User:    resource.Clipped(who.Status.UserInfo.Username),
	}
	switch {
	case status == http.StatusUnauthorized:
		return facts.Connected{Outcome: facts.ConnectRefused, Reason: "the API server answered 401 Unauthorized"}
	case status == http.StatusOK && out.UID != "", status == http.StatusForbidden && reviewed == http.StatusCreated:
		return out
	}
	return facts.Connected{Outcome: facts.ConnectOther, Reason: fmt.Sprintf("the server answered %d, and not as an API server does", status)}
}

// exchange sends a request and decodes an answer of bounded size, if it is a good one.
func exchange(ctx context.Context, client *http.Client, method, address string, body []byte, into any) (int, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return 0, err
	}
	if response.StatusCode/100 == 2 && json.Unmarshal(text, into) != nil {
		return http.StatusBadGateway, nil
	}
	return response.StatusCode, nil
}

// failure says what the error of a request means.
func failure(err error) (facts.Connected, bool) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	switch {
	case err == nil:
		return facts.Connected{}, false
	case errors.Is(err, errAddress):
		return facts.Connected{
			Outcome: facts.ConnectNotTried,
			Reason:  "its address is this machine's, link-local or that of a metadata service, to which nothing is sent",
		}, true
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid), errors.As(err, &verification):
		return facts.Connected{
			Outcome: facts.ConnectUntrusted,
			Reason:  "the server's certificate is not signed by the CA in the kubeconfig for its address",
		}, true
	case errors.Is(err, context.DeadlineExceeded):
		return facts.Connected{Outcome: facts.ConnectNotReached, Reason: "no answer in time"}, true
	}
	var lookup *net.DNSError
	if errors.As(err, &lookup) {
		return facts.Connected{Outcome: facts.ConnectNotReached, Reason: "the name does not resolve"}, true
	}
	return facts.Connected{Outcome: facts.ConnectNotReached, Reason: "the connection failed"}, true
}

// nat64 holds IPv4 addresses in their last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// metadata are addresses of the metadata services of clouds that are not link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("168.63.129.16"),
	netip.MustParseAddr("192.0.0.192"),
}

// forbidden reports whether nothing is sent to an address. Loopback is that of the
// user's own cluster where one of the user's contexts says so.
func forbidden(a netip.Addr, known bool) bool {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		of := a.As16()
		a = netip.AddrFrom4([4]byte(of[12:]))
	}
	for _, m := range metadata {
		if a == m {
			return true
		}
	}
	return a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() && !known
}
