// Package probe really tries the addresses of gateways: it resolves names,
// connects, and begins TLS as a proxy of the mesh would. It believes nothing that
// answers, and judges nothing. The network is passed in.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Dialer opens connections; *net.Dialer is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Resolver finds the addresses of host names; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Network is what attempts go through.
type Network struct {
	Dialer   Dialer
	Resolver Resolver
	// Timeout is for each step of an attempt: name, connection, TLS.
	Timeout time.Duration
}

// ThisMachine is the network as this machine sees it.
func ThisMachine(timeout time.Duration) Network {
	return Network{Dialer: &net.Dialer{}, Resolver: net.DefaultResolver, Timeout: timeout}
}

const (
	// atOnce is how many addresses are tried at the same time.
	atOnce = 32
	// mostAddresses is how many addresses of one host name are tried.
	mostAddresses = 16
	// mostRead is how much is read of one server, in bytes.
	mostRead = 1 << 18
)

// Try tries all addresses side by side, those of a host name each, and returns
// the attempts at each probe, at least one. An attempt is one connection, and a
// second one where the server refuses TLS in words.
func (n Network) Try(ctx context.Context, probes []facts.Probe) [][]facts.Attempt {
	out := make([][]facts.Attempt, len(probes))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, p := range probes {
		all.Go(func() {
			slots <- struct{}{}
			addresses, took, failed := n.addresses(ctx, p)
			<-slots
			if failed != nil {
				out[i] = []facts.Attempt{*failed}
				return
			}
			out[i] = make([]facts.Attempt, len(addresses))
			var each sync.WaitGroup
			for k, ip := range addresses {
				each.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					out[i][k] = n.try(ctx, p, ip)
					out[i][k].Name = took
				})
			}
			each.Wait()
		})
	}
	all.Wait()
	return out
}

// addresses are those of a probe, or the attempt that failed for want of any.
func (n Network) addresses(ctx context.Context, p facts.Probe) (out []string, took time.Duration, failed *facts.Attempt) {
	if _, err := netip.ParseAddr(p.Address); err == nil {
		return []string{p.Address}, 0, nil
	}
	begin := time.Now()
	out, err := n.lookup(ctx, p.Address)
	took = time.Since(begin)
	if err != nil {
		return nil, took, &facts.Attempt{Probe: p, Outcome: facts.Unresolved, Detail: err.Error(), Name: took}
	}
	return out[:min(len(out), mostAddresses)], took, nil
}

// try makes one attempt.
func (n Network) try(ctx context.Context, p facts.Probe, ip string) facts.Attempt {
	a := facts.Attempt{Probe: p, IP: ip}
	conn := n.connect(ctx, &a)
	if conn == nil {
		return a
	}
	defer func() { _ = conn.Close() }()
	if p.Protocol == "" {
		a.Outcome = facts.Opened
		return a
	}
	n.handshake(ctx, conn, &a, p.ServerName, p.Protocol)
	if a.Outcome != facts.Foreign || !strings.HasPrefix(a.Detail, refuses) {
		return a
	}
	// What answers may show who it is to one that asks for nothing.
	again := facts.Attempt{Probe: p, IP: ip}
	if conn := n.connect(ctx, &again); conn != nil {
		defer func() { _ = conn.Close() }()
		n.handshake(ctx, conn, &again, "", "")
		if again.Outcome == facts.Answered {
			a.Certificates, a.AsksForCertificate = again.Certificates, again.AsksForCertificate
		}
	}
	return a
}

func (n Network) connect(ctx context.Context, a *facts.Attempt) net.Conn {
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	begin := time.Now()
	conn, err := n.Dialer.DialContext(ctx, "tcp", net.JoinHostPort(a.IP, strconv.Itoa(int(a.Port))))
	a.Connect = time.Since(begin)
	if err != nil {
		a.Outcome, a.Detail = notConnected(err)
		return nil
	}
	return conn
}

func notConnected(err error) (facts.Outcome, string) {
	text := err.Error()
	switch {
	case errors.Is(err, context.Canceled):
		return facts.NotTried, "interrupted"
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || os.IsTimeout(err):
		return facts.Unanswered, ""
	case errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(text, "refused"):
		return facts.Refused, ""
	case isReset(err):
		return facts.Reset, "while connecting"
	case errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) || strings.Contains(text, "unreachable"):
		return facts.NoRoute, ""
	default:
		return facts.NoRoute, reason(err)
	}
}

// Details of what answers in another way than a gateway does.
const (
	noTLS   = "it does not speak TLS"
	inText  = "it answers in plain text: "
	refuses = "it refuses TLS: "
)

// handshake begins TLS and keeps what the server shows. A server that wants a
// certificate of the client has shown its own before it can refuse.
func (n Network) handshake(ctx context.Context, conn net.Conn, a *facts.Attempt, serverName, protocol string) {
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	heard := &recorder{Conn: conn}
	config := &tls.Config{
		ServerName: serverName, MinVersion: tls.VersionTLS10,
		InsecureSkipVerify: true, //nolint:gosec // what is shown is judged by the mesh's roots, and nothing is sent
		VerifyConnection: func(state tls.ConnectionState) error {
			a.Certificates = append(a.Certificates, state.PeerCertificates...)
			return nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			a.AsksForCertificate = true
			return &tls.Certificate{}, nil
		},
	}
	if protocol != "" {
		config.NextProtos = []string{protocol}
	}
	begin := time.Now()
	err := tls.Client(heard, config).HandshakeContext(ctx)
	a.Handshake = time.Since(begin)
	if len(a.Certificates) > 0 {
		a.Outcome, a.Detail = facts.Answered, ""
		return
	}
	a.Outcome, a.Detail = notAnswered(err, heard.first)
}

func notAnswered(err error, first []byte) (facts.Outcome, string) {
	header := tls.RecordHeaderError{}
	remote := &net.OpError{}
	switch {
	case errors.Is(err, context.Canceled):
		return facts.NotTried, "interrupted"
	case errors.As(err, &header):
		if line := firstLine(first); line != "" {
			return facts.Foreign, inText + line
		}
		return facts.Foreign, noTLS
	case errors.As(err, &remote) && remote.Op == "remote error":
		return facts.Foreign, refuses + strings.TrimPrefix(remote.Err.Error(), "tls: ")
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || os.IsTimeout(err):
		return facts.Silent, ""
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err):
		return facts.Reset, ""
	default:
		return facts.Foreign, "TLS with it fails: " + reason(err)
	}
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || strings.Contains(err.Error(), "forcibly closed")
}

// reason is the innermost text of an error, without addresses.
func reason(err error) string {
	if op := (&net.OpError{}); errors.As(err, &op) {
		err = op.Err
	}
	return printable.Line(strings.TrimPrefix(err.Error(), "tls: "))
}

// firstLine is the beginning of what a server said, if that is text.
func firstLine(b []byte) string {
	const most = 60
	line, _, _ := strings.Cut(string(b[:min(len(b), 4*most)]), "\n")
	line = strings.TrimSpace(line)
	for _, r := range line {
		if r < ' ' || r > '~' {
			return ""
		}
	}
	if len(line) > most {
		line = line[:most] + "…"
	}
	return line
}

// recorder keeps the beginning of what is read, and reads no more than mostRead.
type recorder struct {
	net.Conn
	first []byte
	read  int
}

func (r *recorder) Read(p []byte) (int, error) {
	if r.read >= mostRead {
		return 0, fmt.Errorf("it sends more than %d bytes", mostRead)
	}
	n, err := r.Conn.Read(p)
	r.read += n
	if room := 256 - len(r.first); room > 0 {
		r.first = append(r.first, p[:min(n, room)]...)
	}
	return n, err
}
