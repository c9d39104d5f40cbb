package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// notDecoded is what client-go says of an answer that is no Kubernetes object.
var notDecoded = pattern.Of(
	"couldn't get version/kind|unable to decode|invalid character|serializer for .* doesn't exist|no kind .* is registered",
)

// Classify says in one plain sentence why a cluster at server did not answer,
// and which kind of failure that is; nil for nil. The sentence is fit to be
// shown: short, without control characters, without credentials. It says more
// when err is, or wraps, the *MemberError that Each returns.
func Classify(err error, server string) *facts.Unreached {
	if err == nil {
		return nil
	}
	var about *MemberError
	if !errors.As(err, &about) {
		about = &MemberError{Server: server, Err: err}
	}
	at := serverurl.Shown(server)
	if at == "" {
		at = "the API server"
	}
	kind, reason := about.explain(at)
	return &facts.Unreached{Kind: kind, Reason: clip(redact(printable.Line(reason)), maxReason)}
}

// explain goes through the causes from the most to the least specific.
func (e *MemberError) explain(at string) (facts.UnreachedKind, string) {
	var (
		entry  *ContextError
		crash  *PanicError
		lookup *net.DNSError
		status apierrors.APIStatus
	)
	err := e.Err
	switch {
	case errors.As(err, &entry):
		return facts.BadContext, entry.Reason
	case errors.As(err, &crash):
		return facts.ServerError, crash.Error() + "; please report this"
	}
	if reason := e.pluginFailure(plain(err)); reason != "" {
		return facts.PluginFailed, reason
	}
	if reason := untrusted(err, at); reason != "" {
		return facts.Untrusted, reason
	}
	switch {
	case errors.As(err, &status):
		return e.refusal(status, at)
	case errors.As(err, &lookup):
		return noName(lookup)
	case isTimeout(err):
		return facts.TimedOut, e.timedOut(at)
	case errors.Is(err, context.Canceled):
		return facts.TimedOut, "the run was interrupted before " + at + " answered"
	}
	if reason := noConnection(err, at); reason != "" {
		return facts.NoConnection, reason
	}
	return noAPIServer(err, at)
}

// pluginFailure explains the errors of client-go's exec authenticator. They
// arrive as text: its round tripper wraps none of them.
func (e *MemberError) pluginFailure(text string) string {
	_, cause, ok := strings.Cut(text, "getting credentials: ")
	if !ok {
		return ""
	}
	plugin := "the credential plugin"
	if e.plugin != "" {
		plugin += " " + e.plugin
	}
	policy := "the user's kuberc file"
	if e.kuberc != "" {
		policy = e.kuberc
	}
	said := ""
	if e.said != "" {
		said = ": " + e.said
	}
	switch {
	case strings.Contains(cause, "not allowed: policy set to"), strings.Contains(cause, "not permitted by the credential plugin allowlist"):
		return plugin + " is not permitted by the policy in " + policy
	case strings.Contains(cause, "cannot be resolved for credential plugin allowlist check"):
		return plugin + " cannot be found, so it cannot be checked against the policy in " + policy
	case strings.Contains(cause, "cannot support interactive mode"):
		why := "there is no terminal"
		if strings.Contains(cause, "unavailable") {
			why = "several clusters are read at the same time"
		}
		login := "log in with it first"
		if e.Context != "" {
			login = "log in first, for example with kubectl --context=" + shellWord(e.Context) + " version"
		}
		return fmt.Sprintf("%s insists on asking the user, and %s: %s", plugin, why, login)
	case strings.HasPrefix(cause, "exec: executable ") && strings.Contains(cause, " not found"):
		hint := ""
		if _, own, ok := strings.Cut(cause, "#client-go-credential-plugins"); ok && strings.TrimSpace(own) != "" {
			hint = ": " + clip(strings.Join(strings.Fields(printable.Line(own)), " "), maxQuote)
		}
		return plugin + " is not installed, or not in PATH" + hint
	case strings.Contains(cause, "failed with exit code "):
		_, code, _ := strings.Cut(cause, "failed with exit code ")
		return plugin + " failed with exit code " + code + said
	case strings.HasPrefix(cause, "decoding stdout"):
		// Its output may be a token: not to be repeated.
		return plugin + " did not print an ExecCredential" + said
	}
	return plugin + " failed: " + clip(strings.TrimPrefix(cause, "exec: "), maxQuote) + said
}

// untrusted explains a server certificate that does not verify.
func untrusted(err error, at string) string {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		roots    x509.SystemRootsError
		verified *tls.CertificateVerificationError
	)
	certificate := "the certificate of " + at
	switch {
	case errors.As(err, &unknown):
		return certificate + " is signed by an unknown authority: not by the certificate-authority of the kubeconfig" + issuer(unknown.Cert)
	case errors.As(err, &name):
		return certificate + " has the wrong name: it is for " + namesOf(name.Certificate) + ", not for " + name.Host
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore) {
			return certificate + " is not valid before " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339)
		}
		if invalid.Cert != nil {
			return certificate + " expired at " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339)
		}
		return certificate + " has expired"
	case errors.As(err, &invalid):
		return certificate + " is not valid: " + strings.TrimPrefix(invalid.Error(), "x509: ")
	case errors.As(err, &roots):
		return certificate + " cannot be verified: this machine has no root certificates, and the kubeconfig no certificate-authority"
	case errors.As(err, &verified):
		return certificate + " does not verify: " + strings.TrimPrefix(plain(verified.Err), "x509: ")
	}
	return ""
}

func issuer(cert *x509.Certificate) string {
	if cert == nil || cert.Issuer.String() == "" {
		return ""
	}
	return " (issuer " + clip(cert.Issuer.String(), 80) + ")"
}

func namesOf(cert *x509.Certificate) string {
	var names []string
	if cert != nil {
		names = append(names, cert.DNSNames...)
		for _, ip := range cert.IPAddresses {
			names = append(names, ip.String())
		}
	}
	switch n := len(names); {
	case n == 0:
		return "no name at all"
	case n > 3:
		return clip(strings.Join(names[:3], ", "), 120) + fmt.Sprintf(" and %d more", n-3)
	}
	return clip(strings.Join(names, ", "), 120)
}

// refusal explains an answer of the API server that is an error.
func (e *MemberError) refusal(answer apierrors.APIStatus, at string) (facts.UnreachedKind, string) {
	status := answer.Status()
	message := status.Message
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			if strings.Contains(cause.Message, "HTTP request to an HTTPS server") {
				return facts.ServerError, at + " speaks HTTPS, and the kubeconfig says http://"
			}
		}
	}
	message = clip(message, maxQuote)
	switch status.Code {
	case http.StatusUnauthorized:
		by := ""
		if e.plugin != "" {
			by = " that the plugin " + e.plugin + " gave"
		}
		return facts.Unauthorized, at + " does not accept the credentials" + by + " (401 Unauthorized): they may have expired"
	case http.StatusForbidden:
		return facts.NoRights, "not allowed: " + message
	case http.StatusNotFound:
		return facts.ServerError, at + " does not answer as a Kubernetes API server (404): " + message
	case http.StatusTooManyRequests:
		return facts.ServerError, at + " is overloaded (429): " + message
	case 0:
		return facts.ServerError, at + " answered with an error: " + message
	}
	return facts.ServerError, fmt.Sprintf("%s answered %d %s: %s", at, status.Code, http.StatusText(int(status.Code)), message)
}

func noName(err *net.DNSError) (facts.UnreachedKind, string) {
	switch {
	case err.IsNotFound:
		return facts.NoConnection, "the name " + err.Name + " does not resolve (no such host)"
	case err.IsTimeout:
		return facts.NoConnection, "the name " + err.Name + " does not resolve: the DNS server did not answer"
	}
	return facts.NoConnection, "the name " + err.Name + " does not resolve: " + err.Err
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ETIMEDOUT) || errors.As(err, &network) && network.Timeout()
}

func (e *MemberError) timedOut(at string) string {
	reason := "no answer from " + at
	if e.timeout > 0 {
		reason += " within " + e.timeout.String()
	}
	switch {
	case e.plugin != "" && e.said != "":
		reason += "; its credential plugin " + e.plugin + " says: " + e.said
	case e.plugin != "" && e.abandoned:
		// Requests heed the deadline; waiting for a plugin does not.
		reason += ": its credential plugin " + e.plugin + " did not finish"
	}
	return reason
}

// noConnection explains a connection that did not come about or broke.
func noConnection(err error, at string) string {
	var operation *net.OpError
	isNetwork := errors.As(err, &operation)
	text := plain(err)
	if isNetwork && operation.Op == "proxyconnect" {
		at = "the proxy of " + at
		var dial *net.OpError
		if errors.As(operation.Err, &dial) && dial.Addr != nil {
			at = "the proxy " + dial.Addr.String()
		}
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(text, "refused"):
		return at + " refuses connections: nothing listens there"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no route to " + at + " from here"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return at + " closed the connection without an answer"
	case isNetwork && operation.Op != "remote error":
		return "no connection to " + at + ": " + clip(plain(operation.Err), maxQuote)
	}
	return ""
}

// noAPIServer explains what is left: something answers, and not as an API
// server should.
func noAPIServer(err error, at string) (facts.UnreachedKind, string) {
	var (
		remote *net.OpError
		record tls.RecordHeaderError
	)
	text := plain(err)
	switch {
	case errors.Is(err, http.ErrSchemeMismatch), strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return facts.ServerError, at + " speaks plain HTTP, and the kubeconfig says https://"
	case errors.As(err, &record):
		return facts.ServerError, at + " does not speak TLS"
	case errors.As(err, &remote) && remote.Op == "remote error":
		reason := strings.TrimPrefix(remote.Err.Error(), "tls: ")
		if strings.Contains(reason, "certificate") {
			return facts.Unauthorized, at + " does not accept the client certificate: " + reason
		}
		return facts.ServerError, at + " broke off the TLS handshake: " + reason
	case strings.Contains(text, "malformed HTTP"):
		return facts.ServerError, at + " does not speak HTTP"
	case notDecoded().MatchString(text):
		return facts.ServerError, at + " does not answer as a Kubernetes API server"
	}
	return facts.ServerError, at + ": " + clip(text, maxQuote)
}

// plain is an error's text without the requests in which it happened.
func plain(err error) string {
	if request, ok := err.(*url.Error); ok { //nolint:errorlint // what wraps a request has more to say than the request
		return plain(request.Err)
	}
	return requestLine.ReplaceAllString(err.Error(), "")
}

// shellWord is a context's name as a shell takes it.
func shellWord(s string) string {
	s = printable.Line(s)
	if strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("@%_-+=:,./", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
