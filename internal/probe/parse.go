package probe

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// failures are the words of C libraries and of Go for what goes wrong before there
// is a connection. What comes first counts.
var failures = []struct {
	text    string
	outcome facts.Outcome
}{
	{"name or service not known", facts.Unresolved},
	{"name does not resolve", facts.Unresolved},
	{"nodename nor servname", facts.Unresolved},
	{"temporary failure in name resolution", facts.Unresolved},
	{"try again", facts.Unresolved},
	{"no address associated with", facts.Unresolved},
	{"could not resolve", facts.Unresolved},
	{"unable to resolve", facts.Unresolved},
	{"bad address", facts.Unresolved},
	{"no such host", facts.Unresolved},
	{"connection refused", facts.Refused},
	{"no route to host", facts.NoRoute},
	{"network is unreachable", facts.NoRoute},
	{"host is unreachable", facts.NoRoute},
	{"network unreachable", facts.NoRoute},
	{"connection timed out", facts.Unanswered},
	{"operation timed out", facts.Unanswered},
	{"i/o timeout", facts.Unanswered},
	{"timed out", facts.Unanswered},
}

// failure finds why there was no connection; "" where nothing says so.
func failure(text string) facts.Outcome {
	text = strings.ToLower(text)
	for _, f := range failures {
		if strings.Contains(text, f.text) {
			return f.outcome
		}
	}
	return ""
}

// notUnderstood is an attempt of which a tool said nothing that is known here.
func notUnderstood(text string, code int) facts.Attempt {
	return facts.Attempt{
		Outcome: facts.NotTried,
		Detail:  fmt.Sprintf("what the tool says is not understood: %s (code %d)", clip(lastLine(text)), code),
	}
}

// parseOpenSSL reads the output of s_client with -showcerts.
func parseOpenSSL(text string, code int) facts.Attempt {
	text, again, _ := strings.Cut(text, "without protocol\n")
	certificates := pemCertificates(text)
	lower := strings.ToLower(text)
	asks := strings.Contains(text, "Acceptable client certificate CA names") || strings.Contains(text, "Client Certificate Types")
	switch connected := strings.Contains(text, "CONNECTED("); {
	case len(certificates) > 0:
		return facts.Attempt{Outcome: facts.Answered, Certificates: certificates, AsksForCertificate: asks}
	case !connected:
		if outcome := failure(text); outcome != "" {
			return facts.Attempt{Outcome: outcome}
		}
		if timedOut(code) { // what it printed before it was ended is lost
			return facts.Attempt{Outcome: facts.Unanswered, Detail: "or it accepts connections and then says nothing: openssl does not tell"}
		}
		return notUnderstood(text, code)
	case strings.Contains(lower, "alert"):
		return facts.Attempt{Outcome: facts.Foreign, Detail: refuses + alert(text), Certificates: pemCertificates(again)}
	case speaksOther(lower):
		return facts.Attempt{Outcome: facts.Foreign, Detail: noTLS}
	case timedOut(code):
		return facts.Attempt{Outcome: facts.Silent}
	case contains(lower, "errno=", "unexpected eof", "connection reset", "no peer certificate available"):
		return facts.Attempt{Outcome: facts.Reset}
	default:
		return notUnderstood(text, code)
	}
}

// speaksOther reports whether OpenSSL, in lower case, says that it heard no TLS.
func speaksOther(lower string) bool {
	return contains(lower, "wrong version number", "packet length too long", ":http request", "unknown protocol", "record layer failure")
}

// protocolHTTP2 is what curl asks for by itself.
const protocolHTTP2 = "h2"

// parseCurl reads the output of curl -v. It cannot ask for the protocol of a mesh, so
// that a gateway closes the connection on it. With HTTP/2, and from version 7.88 on, it
// shows the certificates.
func parseCurl(text string, code int, protocol string) facts.Attempt {
	tls := protocol != ""
	if protocol == protocolHTTP2 {
		if a, ok := parseCurlHTTP2(text, code); ok {
			return a
		}
	}
	lower := strings.ToLower(text)
	connected := contains(text, "Connected to ", "Established connection to ")
	if !connected {
		return notConnectedBy(text, code)
	}
	subject, issuer := after(text, "subject:"), after(text, "issuer:")
	switch {
	case tls && subject != "" && subject != "[NONE]": // workloads have no subject
		return facts.Attempt{
			Outcome: facts.Foreign,
			Detail:  fmt.Sprintf("a TLS server with the certificate of %s, issued by %s", subject, issuer),
		}
	case tls && subject == "" && speaksOther(lower):
		return facts.Attempt{Outcome: facts.Foreign, Detail: noTLS}
	case !tls && strings.Contains(text, "< HTTP/"):
		return facts.Attempt{Outcome: facts.Foreign, Detail: inText + "HTTP/" + after(text, "< HTTP/")}
	case tls:
		return facts.Attempt{Outcome: facts.Opened, Detail: "curl cannot ask for the protocol of the mesh"}
	default:
		return facts.Attempt{Outcome: facts.Opened}
	}
}

// curlTimedOut is the code with which curl ends when time is up.
const curlTimedOut = 28

// parseCurlHTTP2 reads what curl says of a server that is asked for HTTP/2; false where
// that is no more than of any other.
func parseCurlHTTP2(text string, code int) (facts.Attempt, bool) {
	lower := strings.ToLower(text)
	if certificates := pemCertificates(text); len(certificates) > 0 {
		asks := strings.Contains(text, "TLS handshake, Request CERT")
		return facts.Attempt{Outcome: facts.Answered, Certificates: certificates, AsksForCertificate: asks}, true
	}
	switch connected := contains(text, "Connected to ", "Established connection to "); {
	case !connected:
		return facts.Attempt{}, false
	case speaksOther(lower):
		return facts.Attempt{Outcome: facts.Foreign, Detail: noTLS}, true
	case contains(text, "Server certificate:", "SSL connection using"):
		return facts.Attempt{Outcome: facts.Opened, Detail: "this curl does not show certificates"}, true
	case timedOut(code), code == curlTimedOut:
		return facts.Attempt{Outcome: facts.Silent}, true
	case contains(lower, "ssl_error_syscall", "connection reset", "unexpected eof", "connection was closed"):
		return facts.Attempt{Outcome: facts.Reset}, true
	default:
		return facts.Attempt{Outcome: facts.Opened, Detail: "what came of TLS curl does not tell"}, true
	}
}

// parseWget reads what wget of GNU or busybox says of a request in plain text.
func parseWget(text string, code int) facts.Attempt {
	status := after(text, "awaiting response...") // of GNU, with the code at its beginning
	switch lower := strings.ToLower(text); {
	case strings.Contains(text, "HTTP/1.") || status != "" && status[0] >= '1' && status[0] <= '5' || code == 0:
		return facts.Attempt{Outcome: facts.Foreign, Detail: "it answers in plain text, by HTTP"}
	case contains(lower, "connected.", "error getting response", "connection reset"):
		return facts.Attempt{Outcome: facts.Opened, Detail: "wget cannot ask for the protocol of the mesh"}
	default:
		return notConnectedBy(text, code)
	}
}

// parseConnect reads what a tool says that only connects.
func parseConnect(text string, code int) facts.Attempt {
	if code == 0 {
		return facts.Attempt{Outcome: facts.Opened, Detail: "the tool only connects"}
	}
	return notConnectedBy(text, code)
}

// parsePilotAgent reads what "pilot-agent wait" says in the end: the error of Go's
// HTTP client (pilot/cmd/pilot-agent/app/wait.go).
func parsePilotAgent(text string) facts.Attempt {
	const tool = "pilot-agent"
	_, last, ok := cutLast(text, "Last error: ")
	switch lower := strings.ToLower(last); {
	case !ok && strings.Contains(text, "Envoy is ready"), strings.Contains(last, "HTTP status code"):
		return facts.Attempt{Tool: tool, Outcome: facts.Foreign, Detail: "it answers in plain text, by HTTP"}
	case !ok:
		a := notUnderstood(text, -1)
		a.Tool = tool
		return a
	case contains(lower, "eof", "connection reset", "malformed http"):
		return facts.Attempt{Tool: tool, Outcome: facts.Opened, Detail: "pilot-agent cannot ask for the protocol of the mesh"}
	case strings.Contains(lower, "client.timeout exceeded") || strings.Contains(lower, "deadline exceeded"):
		return facts.Attempt{Tool: tool, Outcome: facts.Unanswered}
	default:
		a := notConnectedBy(last, -1)
		a.Tool = tool
		return a
	}
}

func notConnectedBy(text string, code int) facts.Attempt {
	if outcome := failure(text); outcome != "" {
		return facts.Attempt{Outcome: outcome}
	}
	if timedOut(code) {
		return facts.Attempt{Outcome: facts.Unanswered}
	}
	return notUnderstood(text, code)
}

// mostCertificates is how many are taken of one server.
const mostCertificates = 16

// pemCertificates are the certificates in a text, each once, in their order.
func pemCertificates(text string) []*x509.Certificate {
	var out []*x509.Certificate
	for block, rest := pem.Decode([]byte(text)); block != nil && len(out) < mostCertificates; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != "CERTIFICATE" {
			continue
		}
		known := false
		for _, o := range out {
			known = known || o.Equal(c)
		}
		if !known {
			out = append(out, c)
		}
	}
	return out
}

// alert is what OpenSSL says in its line about an alert, e.g. "no application protocol".
func alert(text string) string {
	for line := range strings.Lines(text) {
		at := strings.Index(strings.ToLower(line), "alert ")
		if at < 0 {
			continue
		}
		said, _, _ := strings.Cut(line[at+len("alert "):], ":")
		return clip(strings.TrimSpace(said))
	}
	return "an alert"
}

// after is the rest of the line behind the first mark.
func after(text, mark string) string {
	_, rest, ok := strings.Cut(text, mark)
	if !ok {
		return ""
	}
	line, _, _ := strings.Cut(rest, "\n")
	if line = strings.TrimSpace(line); line == "" {
		return ""
	}
	return clip(line)
}

func contains(text string, any ...string) bool {
	for _, a := range any {
		if strings.Contains(text, a) {
			return true
		}
	}
	return false
}

func cutLast(text, mark string) (before, after string, ok bool) {
	at := strings.LastIndex(text, mark)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(mark):], true
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// clip makes of what a pod said one short line.
func clip(s string) string {
	const most = 120
	s = printable.Line(s)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	if s == "" {
		return "nothing"
	}
	return s
}
