package fleet_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
)

// listen is a TCP server that does to each connection what it is told.
func listen(t *testing.T, do func(net.Conn)) entry {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				do(conn)
			}()
		}
	}()
	return entry{server: "https://" + l.Addr().String()}
}

// answer is a server that answers every request alike.
func answer(t *testing.T, code int, contentType, body string) entry {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	})
}

func status(code int, reason, message string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"%s"}`, reason, code, strings.ReplaceAll(message, `"`, `\"`))
}

func TestEveryWayToFailIsExplained(t *testing.T) {
	t.Parallel()
	good := serve(t, namespaces)
	plainHTTP := httptest.NewServer(http.HandlerFunc(namespaces))
	t.Cleanup(plainHTTP.Close)
	closed := listen(t, func(net.Conn) {})
	{
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		closed.server = "https://" + l.Addr().String()
		_ = l.Close()
	}
	otherCA := serve(t, namespaces)
	otherCA.ca = good.ca
	wrongName := serveWith(t, namespaces, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"a.example", "b.example"} }, nil)
	expired := serveWith(t, namespaces, func(c *x509.Certificate) { c.NotAfter = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC) }, nil)
	expired2 := serveWith(t, namespaces, func(c *x509.Certificate) { c.NotBefore = c.NotAfter.Add(-time.Minute) }, nil)
	wantsCert := serveWith(t, namespaces, func(*x509.Certificate) {}, &tls.Config{ClientAuth: tls.RequireAnyClientCert})

	for name, tc := range map[string]struct {
		entry entry
		kind  facts.UnreachedKind
		want  string // AT is the server
	}{
		"closed port":         {closed, facts.NoConnection, "AT refuses connections: nothing listens there"},
		"no such host":        {entry{server: "https://api.prod.invalid"}, facts.NoConnection, "the name api.prod.invalid does not resolve"},
		"hangs up":            {listen(t, func(net.Conn) {}), facts.NoConnection, "AT closed the connection without an answer"},
		"hangs":               {serve(t, hang), facts.TimedOut, "no answer from AT within 1.5s"},
		"hangs before TLS":    {listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), facts.TimedOut, "no answer from AT within 1.5s"},
		"another CA":          {otherCA, facts.Untrusted, "the certificate of AT is signed by an unknown authority: not by the certificate-authority of the kubeconfig (issuer CN=test-server)"},
		"another name":        {wrongName, facts.Untrusted, "the certificate of AT has the wrong name: it is for a.example, b.example, not for 127.0.0.1"},
		"expired":             {expired, facts.Untrusted, "the certificate of AT expired at 2020-01-02T03:04:05Z"},
		"not yet valid":       {expired2, facts.Untrusted, "the certificate of AT is not valid before "},
		"plain HTTP":          {entry{server: "https" + strings.TrimPrefix(plainHTTP.URL, "http")}, facts.ServerError, "AT speaks plain HTTP, and the kubeconfig says https://"},
		"http to HTTPS":       {entry{server: "http" + strings.TrimPrefix(good.server, "https")}, facts.ServerError, "AT speaks HTTPS, and the kubeconfig says http://"},
		"not TLS":             {listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n") }), facts.ServerError, "AT does not speak TLS"},
		"wants a certificate": {wantsCert, facts.Unauthorized, "AT does not accept the client certificate: "},
		"401": {answer(t, 401, "application/json", status(401, "Unauthorized", "Unauthorized")), facts.Unauthorized,
			"AT does not accept the credentials (401 Unauthorized): they may have expired"},
		"403": {answer(t, 403, "application/json", status(403, "Forbidden", `namespaces is forbidden: User "me" cannot list resource "namespaces"`)), facts.NoRights,
			`not allowed: namespaces is forbidden: User "me" cannot list resource "namespaces"`},
		"404":             {answer(t, 404, "text/html", "<h1>nginx</h1>"), facts.ServerError, "AT does not answer as a Kubernetes API server (404): "},
		"429":             {answer(t, 429, "text/plain", "later"), facts.ServerError, "AT is overloaded (429): "},
		"500":             {answer(t, 500, "application/json", status(500, "InternalError", `etcdserver: \u001b[31mno leader`)), facts.ServerError, `AT answered 500 Internal Server Error: etcdserver: \x1b[31mno leader`},
		"503 in HTML":     {answer(t, 503, "text/html", strings.Repeat("<h1>no backend</h1>", 90)), facts.ServerError, "AT answered 503 Service Unavailable: "},
		"a web page":      {answer(t, 200, "text/html", "<html>log in</html>"), facts.ServerError, "AT does not answer as a Kubernetes API server"},
		"another service": {answer(t, 200, "application/json", `{"kind":"Hello","apiVersion":"example.com/v1"}`), facts.ServerError, "AT does not answer as a Kubernetes API server"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := selectAll(t, map[string]entry{"prod-a": tc.entry})
			r := fleet.Each(t.Context(), members, 1500*time.Millisecond, nil, get)[0]
			got := r.Unreached()
			want := strings.ReplaceAll(tc.want, "AT", members[0].Server)
			if got == nil || got.Kind != tc.kind || !strings.HasPrefix(got.Reason, want) {
				t.Errorf("got  %+v\nwant %s %s\nfrom %v", got, tc.kind, want, errors.Unwrap(r.Err))
				return
			}
			if err := r.Err.Error(); err != `context "prod-a": `+got.Reason {
				t.Errorf("the error reads %q", err)
			}
			if n := len([]rune(got.Reason)); n > 300 {
				t.Errorf("%d characters", n)
			}
			checkShown(t, got.Reason)
		})
	}
}

func TestClassifyExplainsErrorsThatEachDidNotWrap(t *testing.T) {
	const server = "https://me:" + secret + "@api.example:6443"
	request := func(err error) error {
		return fmt.Errorf("listing: %w", &url.Error{Op: "Get", URL: "https://api.example:6443/api?x=" + secret, Err: err})
	}
	dial := func(op string, err error) error {
		return &net.OpError{Op: op, Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 3128}, Err: err}
	}
	for name, tc := range map[string]struct {
		err  error
		want *facts.Unreached
	}{
		"nothing":     {nil, nil},
		"deadline":    {request(context.DeadlineExceeded), &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer from https://api.example:6443"}},
		"interrupted": {request(context.Canceled), &facts.Unreached{Kind: facts.TimedOut, Reason: "the run was interrupted before https://api.example:6443 answered"}},
		"no route":    {request(dial("dial", syscall.EHOSTUNREACH)), &facts.Unreached{Kind: facts.NoConnection, Reason: "there is no route to https://api.example:6443 from here"}},
		"reset":       {request(dial("read", syscall.ECONNRESET)), &facts.Unreached{Kind: facts.NoConnection, Reason: "https://api.example:6443 closed the connection without an answer"}},
		"proxy refuses": {request(&net.OpError{Op: "proxyconnect", Net: "tcp", Err: dial("dial", syscall.ECONNREFUSED)}),
			&facts.Unreached{Kind: facts.NoConnection, Reason: "the proxy 10.0.0.9:3128 refuses connections: nothing listens there"}},
		"no local port": {request(dial("dial", syscall.EADDRNOTAVAIL)),
			&facts.Unreached{Kind: facts.NoConnection, Reason: "no connection to https://api.example:6443: cannot assign requested address"}},
		"DNS server silent": {request(&net.DNSError{Name: "api.example", IsTimeout: true}),
			&facts.Unreached{Kind: facts.NoConnection, Reason: "the name api.example does not resolve: the DNS server did not answer"}},
		"DNS server fails": {request(&net.DNSError{Name: "api.example", Err: "server misbehaving"}),
			&facts.Unreached{Kind: facts.NoConnection, Reason: "the name api.example does not resolve: server misbehaving"}},
		"forbidden": {fmt.Errorf("pods: %w", apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no"))),
			&facts.Unreached{Kind: facts.NoRights, Reason: "not allowed: pods is forbidden: no"}},
		"not an authority": {request(x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}),
			&facts.Unreached{Kind: facts.Untrusted, Reason: "the certificate of https://api.example:6443 is not valid: certificate is not authorized to sign other certificates"}},
		"the system's own verdict": {request(&tls.CertificateVerificationError{Err: errors.New("x509: “x” certificate is not trusted")}),
			&facts.Unreached{Kind: facts.Untrusted, Reason: "the certificate of https://api.example:6443 does not verify: “x” certificate is not trusted"}},
		"policy without a file": {request(errors.New(`getting credentials: plugin "aws" not allowed: policy set to "DenyAll"`)),
			&facts.Unreached{Kind: facts.PluginFailed, Reason: "the credential plugin is not permitted by the policy in the user's kuberc file"}},
		"unheard of": {request(errors.New("Bearer " + secret + " is\nodd")),
			&facts.Unreached{Kind: facts.ServerError, Reason: "https://api.example:6443: listing: [redacted] is odd"}},
		"no server": {errors.New("x"), &facts.Unreached{Kind: facts.ServerError, Reason: "https://api.example:6443: x"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := fleet.Classify(tc.err, server)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := fleet.Classify(context.DeadlineExceeded, "").Reason; got != "no answer from the API server" {
		t.Errorf("without a server: %q", got)
	}
}

func TestAContextsNameIsQuotedForTheShell(t *testing.T) {
	user := script(t, givesToken)
	user.Exec.InteractiveMode = "Always"
	members := selectAll(t, map[string]entry{"it's mine": with(serve(t, namespaces), user), "other": {server: "https://x.example"}})
	got := fleet.Each(t.Context(), members[:1], 10*time.Second, nil, get)[0].Unreached()
	if want := `kubectl --context='it'\''s mine' version`; got == nil || !strings.HasSuffix(got.Reason, want) {
		t.Errorf("got %+v, want %s", got, want)
	}
}
