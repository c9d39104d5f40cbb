// Package probetest has real servers on 127.0.0.1 for what can be at the address of
// a gateway: one for each way in which an attempt to reach it can end.
package probetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// Leaf makes a certificate that ca has signed, with its chain: of a workload for
// a URI such as spiffe://cluster.local/ns/shop/sa/cart, else of a host. It is good
// for an hour from now, and from notAfter on no longer if that is given.
func Leaf(t testing.TB, ca *istiotest.Authority, name string, notAfter ...time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, at := range notAfter {
		leaf.NotAfter = at
	}
	if strings.HasPrefix(name, "spiffe://") {
		u, err := url.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		leaf.URIs = []*url.URL{u}
	} else {
		leaf.Subject, leaf.DNSNames = pkix.Name{CommonName: name}, []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca.Cert, key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	out := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	for ; ca.Issuer != nil; ca = ca.Issuer {
		out.Certificate = append(out.Certificate, ca.Cert.Raw)
	}
	return out
}

// alpn is what sidecars ask a gateway for.
var alpn = []string{"istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"}

// Gateway is a gateway that passes TLS through to a workload: for the server name,
// and whoever asks for a protocol of the mesh, it has the workload's certificate,
// and wants one of the client; on others it closes the connection.
func Gateway(t testing.TB, certificate tls.Certificate, serverName string) netip.AddrPort {
	return GatewayOn(t, listen(t), certificate, serverName)
}

// GatewayOn is Gateway on an address of the test's choice.
func GatewayOn(t testing.TB, l net.Listener, certificate tls.Certificate, serverName string) netip.AddrPort {
	passes := func(hello *tls.ClientHelloInfo) bool {
		return hello.ServerName == serverName &&
			slices.ContainsFunc(hello.SupportedProtos, func(p string) bool { return slices.Contains(alpn, p) })
	}
	return serveTLS(t, l, &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if !passes(hello) {
				_ = hello.Conn.Close()
				return nil, errors.New("no filter chain")
			}
			return nil, nil
		},
	})
}

// HBONE is a gateway of ambient networks, which ends TLS itself.
func HBONE(t testing.TB, certificate tls.Certificate) netip.AddrPort {
	return serveTLS(
		t,
		listen(t),
		&tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"h2"}},
	)
}

// Istiod is a control plane with the certificate, for proxies or for API servers. It
// takes whatever server name, and asks for a certificate without wanting one.
func Istiod(t testing.TB, certificate tls.Certificate) netip.AddrPort {
	return IstiodOn(t, listen(t), certificate)
}

// IstiodOn is Istiod on an address of the test's choice.
func IstiodOn(t testing.TB, l net.Listener, certificate tls.Certificate) netip.AddrPort {
	return serveTLS(
		t,
		l,
		&tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert, NextProtos: []string{"h2"}},
	)
}

func serveTLS(t testing.TB, l net.Listener, config *tls.Config) netip.AddrPort {
	return serveOn(t, l, func(conn net.Conn) {
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		c := tls.Server(conn, config)
		_ = c.Handshake()
		_, _ = io.Copy(io.Discard, c)
	})
}

// HTTPS is an ordinary web server with the certificate. It refuses protocols that
// it does not know, as web servers do.
func HTTPS(t testing.TB, certificate tls.Certificate) netip.AddrPort {
	return serveHTTP(t, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}})
}

// HTTP is a web server without TLS.
func HTTP(t testing.TB) netip.AddrPort { return serveHTTP(t, nil) }

func serveHTTP(t testing.TB, config *tls.Config) netip.AddrPort {
	l := listen(t)
	s := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0), TLSConfig: config}
	go func() {
		if config == nil {
			_ = s.Serve(l)
		} else {
			_ = s.ServeTLS(l, "", "")
		}
	}()
	t.Cleanup(func() { _ = s.Close() })
	return address(l)
}

// Resets accepts connections and resets them once something was said.
func Resets(t testing.TB) netip.AddrPort {
	return serve(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
}

// Closes accepts connections and closes them once something was said.
func Closes(t testing.TB) netip.AddrPort {
	return serve(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1<<16)) })
}

// Silent accepts connections and says nothing.
func Silent(t testing.TB) netip.AddrPort {
	return serve(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}

// Babbles says random bytes without end.
func Babbles(t testing.TB) netip.AddrPort {
	return serve(t, func(conn net.Conn) { _, _ = io.Copy(conn, rand.Reader) })
}

// Closed is an address at which nothing listens: a port that was closed just now could
// be given to another test.
func Closed(testing.TB) netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:1") }

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func address(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

func serve(t testing.TB, handle func(net.Conn)) netip.AddrPort { return serveOn(t, listen(t), handle) }

func serveOn(t testing.TB, l net.Listener, handle func(net.Conn)) netip.AddrPort {
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				handle(conn)
			}()
		}
	}()
	return address(l)
}
