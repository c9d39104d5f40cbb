package facts

import (
	"crypto/x509"
	"net"
	"strconv"
	"time"
)

// Probe is an address to be tried.
type Probe struct {
	// Address is an IP address or a host name.
	Address string
	Port    uint32
	// Protocol is what TLS asks for (ALPN); "" where TLS is not to be tried.
	Protocol string
	// ServerName is what TLS asks for (SNI); "" for none.
	ServerName string
}

// String is the address and the port.
func (p Probe) String() string { return net.JoinHostPort(p.Address, strconv.Itoa(int(p.Port))) }

// Vantage is from where an address was tried: a pod, or, where there is none,
// this machine.
type Vantage struct {
	Context, Namespace, Pod, Container string
	// Proxied: what the container sends goes through a proxy of the mesh, which
	// accepts connections before it makes its own.
	Proxied bool
}

// ThisMachine is the Vantage of the program itself.
var ThisMachine = Vantage{}

func (v Vantage) String() string {
	if v.Pod == "" {
		return "this machine"
	}
	return "pod " + v.Namespace + "/" + v.Pod + " of " + v.Context
}

// Outcome is how far an attempt came.
type Outcome string

// The outcomes.
const (
	// NotTried: there was nothing to try it with, or no time.
	NotTried Outcome = "not-tried"
	// Unresolved: the host name has no address.
	Unresolved Outcome = "unresolved"
	Refused    Outcome = "refused"
	NoRoute    Outcome = "no-route"
	// Unanswered: no connection within the time allowed.
	Unanswered Outcome = "unanswered"
	// Opened: TLS was not tried, or not in the way that would tell.
	Opened Outcome = "connected"
	// Silent: connected, and no answer to TLS within the time allowed.
	Silent Outcome = "silent"
	// Reset: connected, and closed without an answer to TLS.
	Reset Outcome = "reset"
	// Foreign: what answers does not speak TLS, or refuses it in words.
	Foreign Outcome = "foreign"
	// Answered: the server showed its certificate.
	Answered Outcome = "answered"
)

// Attempt is one try of an address, and what came of it.
type Attempt struct {
	Probe
	From Vantage
	// IP is the address that was tried; "" where it is not known.
	IP      string
	Outcome Outcome
	// Detail is what was seen, in a few words fit to be shown; it can be empty.
	Detail string
	// Tool is the command with which it was tried in a pod.
	Tool string
	// Certificates are those that the server showed, its own first.
	Certificates []*x509.Certificate
	// AsksForCertificate: the server wanted one of the client.
	AsksForCertificate bool
	// Name, Connect and Handshake are how long each step took; 0 for one that was
	// not taken, or not timed.
	Name, Connect, Handshake time.Duration
}
