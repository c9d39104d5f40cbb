package attack

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// timeout is the --timeout of a try.
const timeout = 3 * time.Second

// way is one in which an API server fails.
type way struct {
	name string
	// serve answers a request; good is how it would be answered.
	serve func(w http.ResponseWriter, r *http.Request, good http.Handler)
	// wire is what is at the address instead of a server of HTTP; nil for one.
	wire func(net.Conn)
	// tls changes how the server speaks TLS.
	tls func(*httptest.Server)
	// refused: nothing is at the address.
	refused bool
}

// text answers with a body as it is.
func text(code int, kind, body string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

const (
	asJSON = "application/json"
	asHTML = "text/html"
)

// only is a way in which requests for one resource alone are answered badly.
func only(resource string, bad func(http.ResponseWriter, *http.Request, http.Handler)) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, good http.Handler) {
		if resource == r.URL.Path || slices.Contains(strings.Split(r.URL.Path, "/"), resource) {
			bad(w, r, good)
			return
		}
		good.ServeHTTP(w, r)
	}
}

func status(code int32, reason, message string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		apitest.Answer(w, int(code), metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: code,
			Reason: metav1.StatusReason(reason), Message: message,
		})
	}
}

func hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

func abort(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// with changes the header of good answers.
func with(name, value string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, good http.Handler) {
		w.Header().Set(name, value)
		good.ServeHTTP(w, r)
	}
}

// pages answers lists with pages that go on with a token each.
func pages(next func(page int64) string, last func(http.ResponseWriter)) func(http.ResponseWriter, *http.Request, http.Handler) {
	var page atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, good http.Handler) {
		if !strings.HasSuffix(r.URL.Path, "/pods") {
			good.ServeHTTP(w, r)
			return
		}
		if r.URL.Query().Get("continue") != "" && last != nil {
			last(w)
			return
		}
		apitest.Answer(w, http.StatusOK, apitest.List(schema.GroupVersion{Version: "v1"}, "PodList", next(page.Add(1))))
	}
}

// drip writes a little at a time, for ever.
func drip(what string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", asJSON)
		for flusher, _ := w.(http.Flusher); r.Context().Err() == nil; time.Sleep(50 * time.Millisecond) {
			if _, err := io.WriteString(w, what); err != nil {
				return
			}
			flusher.Flush()
		}
	}
}

// flood writes without end.
func flood(head, unit string) func(http.ResponseWriter, *http.Request, http.Handler) {
	block := strings.Repeat(unit, 1+(1<<20)/len(unit))
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", asJSON)
		_, err := io.WriteString(w, head)
		for err == nil {
			_, err = io.WriteString(w, block)
		}
	}
}

func bomb() func(http.ResponseWriter, *http.Request, http.Handler) {
	var packed bytes.Buffer
	g, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		panic(err)
	}
	for range 64 {
		_, _ = g.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	_ = g.Close()
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", asJSON)
		w.Header().Set("Content-Encoding", "gzip")
		for err := error(nil); err == nil; {
			_, err = w.Write(packed.Bytes())
		}
	}
}

// ways are those in which a cluster can fail. elsewhere is another server, which nobody may ask.
func ways(elsewhere, elsewherePlain string) []way {
	const escapes = "\x1b[31mred\x1b]0;title\x07\u009b31m\u202e"
	out := []way{
		{name: "nothing listens", refused: true},
		{name: "never answers", wire: func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
		{name: "closes at once", wire: func(net.Conn) {}},
		{name: "resets", wire: func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }},
		{name: "answers in another language", wire: func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n") }},
		{name: "answers garbage", wire: func(c net.Conn) { _, _ = c.Write(bytes.Repeat([]byte{0xff, 0, 0x16}, 5000)) }},
		{name: "a byte at a time", wire: func(c net.Conn) {
			for _, err := c.Write([]byte{0x16}); err == nil; time.Sleep(50 * time.Millisecond) {
				_, err = c.Write([]byte{3})
			}
		}},
		{name: "a handshake without end", wire: func(c net.Conn) {
			for _, err := c.Write([]byte{0x16, 3, 3, 0x40, 0}); err == nil; {
				_, err = c.Write(bytes.Repeat([]byte{2, 0xff, 0xff, 0xff}, 0x1000))
			}
		}},
		{name: "plain HTTP", wire: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		}},
		{name: "HTTP/1.1 alone", tls: func(s *httptest.Server) { s.EnableHTTP2 = false }},
		{name: "certificate of another CA", tls: certificate(time.Hour, "127.0.0.1", false)},
		{name: "certificate that expired", tls: certificate(-time.Hour, "127.0.0.1", true)},
		{name: "certificate of another host", tls: certificate(time.Hour, "203.0.113.9", true)},
		{name: "TLS 1.1 alone", tls: func(s *httptest.Server) {
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} // #nosec G402 -- that is the attack
		}},
		{name: "wants a client certificate", tls: func(s *httptest.Server) {
			s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
		}},

		{name: "hangs", serve: hang},
		{name: "breaks each stream", serve: abort},
		{name: "empty body", serve: text(200, asJSON, "")},
		{name: "null", serve: text(200, asJSON, "null")},
		{name: "a list of JSON", serve: text(200, asJSON, "[]")},
		{name: "a string", serve: text(200, asJSON, `"`+secret+`"`)},
		{name: "a number", serve: text(200, asJSON, "1e999")},
		{name: "an empty object", serve: text(200, asJSON, "{}")},
		{name: "half a document", serve: text(200, asJSON, `{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a`)},
		{name: "another kind", serve: text(200, asJSON, `{"apiVersion":"v1","kind":"NodeList","items":[{"metadata":{"name":"x"}}]}`)},
		{name: "another version", serve: text(200, asJSON, `{"apiVersion":"v0","kind":"List","items":[]}`)},
		{name: "items are null", serve: text(200, asJSON, `{"apiVersion":"v1","kind":"PodList","items":null}`)},
		{name: "items are numbers", serve: text(200, asJSON, `{"apiVersion":"v1","kind":"PodList","items":[1,2,3]}`)},
		{name: "items are empty", serve: text(200, asJSON, `{"apiVersion":"v1","kind":"PodList","items":[{},{},null]}`)},
		{name: "deep", serve: text(200, asJSON, strings.Repeat(`{"a":[`, 200_000))},
		{name: "no UTF-8", serve: text(200, asJSON, "{\"apiVersion\":\"v1\",\"kind\":\"\xff\xfe\"}")},
		{name: "zero bytes", serve: text(200, asJSON, strings.Repeat("\x00", 5000))},
		{name: "a byte order mark", serve: text(200, asJSON, "\ufeff{}")},
		{name: "a page of HTML", serve: text(200, asHTML, "<html><title>Log in</title>"+escapes+"</html>")},
		{name: "a page of HTML as an error", serve: text(403, asHTML, "<html>"+escapes+"</html>")},
		{name: "JSON that says protobuf", serve: text(200, "application/vnd.kubernetes.protobuf", "{}")},
		{name: "protobuf that is none", serve: text(200, "application/vnd.kubernetes.protobuf", "k8s\x00"+strings.Repeat("\xff", 300))},
		{name: "gzip that is none", serve: with("Content-Encoding", "gzip")},
		{name: "escapes in an error", serve: status(500, escapes, escapes)},
		{name: "a token in an error", serve: status(403, "Forbidden", "token "+secret+" may not")},
		{name: "an error that succeeded", serve: status(200, "", "")},
		{name: "no content", serve: text(204, asJSON, "")},
		{name: "a part", serve: text(206, asJSON, "{")},
		{name: "not modified", serve: text(304, asJSON, "")},
		{name: "a list without end", serve: flood(`{"apiVersion":"v1","kind":"PodList","items":[`, `{"metadata":{"name":"n","labels":{"a":"`+strings.Repeat("x", 1000)+`"}}},`)},
		{name: "a string without end", serve: flood(`{"apiVersion":"`, "x")},
		{name: "blanks without end", serve: flood(`{`, "          ")},
		{name: "a bomb of gzip", serve: bomb()},
		{name: "drips", serve: drip(" ")},
		{name: "drips a list", serve: drip(`{"apiVersion":"v1",`)},
		{name: "the same page for ever", serve: pages(func(int64) string { return "again" }, nil)},
		{name: "pages without end", serve: pages(func(n int64) string { return strconv.FormatInt(n, 10) }, nil)},
		{name: "the second page has gone", serve: pages(func(int64) string { return "gone" }, func(w http.ResponseWriter) {
			apitest.Refuse(w, http.StatusGone, metav1.StatusReasonExpired)
		})},
		{name: "large headers", serve: with("X-Large", strings.Repeat("h", 300<<10))},
		{name: "a warning with escapes", serve: with("Warning", `299 - "`+strings.Map(func(r rune) rune {
			if r < ' ' {
				return -1
			}
			return r
		}, escapes)+`"`)},
		{name: "a length that is too long", serve: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, "{}")
		}},
		{name: "another protocol", serve: text(http.StatusUpgradeRequired, asJSON, "{}")},
		{name: "early hints for ever", serve: func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			for r.Context().Err() == nil {
				w.WriteHeader(http.StatusEarlyHints)
				time.Sleep(10 * time.Millisecond)
			}
		}},
		{name: "each answer takes a second", serve: func(w http.ResponseWriter, r *http.Request, good http.Handler) {
			time.Sleep(time.Second)
			good.ServeHTTP(w, r)
		}},
	}
	for _, code := range []int32{400, 401, 403, 404, 405, 406, 408, 409, 410, 415, 418, 422, 429, 451, 500, 501, 502, 503, 504, 507, 511, 599} {
		out = append(out, way{name: fmt.Sprint("answers ", code), serve: status(code, http.StatusText(int(code)), "refused")})
	}
	for _, after := range []string{"1", "3600", "-1", "soon", "Fri, 01 Jan 2100 00:00:00 GMT"} {
		for _, code := range []int32{429, 503} {
			refuse := status(code, "TooManyRequests", "later")
			out = append(out, way{name: fmt.Sprintf("answers %d, Retry-After %s", code, after), serve: func(w http.ResponseWriter, r *http.Request, good http.Handler) {
				w.Header().Set("Retry-After", after)
				refuse(w, r, good)
			}})
		}
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		for to, where := range map[string]string{"elsewhere": elsewhere, "without TLS": elsewherePlain, "nowhere": "", "itself": "/", "a file": "file:///etc/passwd"} {
			out = append(out, way{name: fmt.Sprintf("redirects %d to %s", code, to), serve: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				if where != "" {
					w.Header().Set("Location", where)
				}
				w.WriteHeader(code)
			}})
		}
	}
	for _, resource := range []string{
		"configmaps", "secrets", "pods", "services", "namespaces", "deployments", "nodes", "mutatingwebhookconfigurations", "gateways",
		"destinationrules", "endpointslices", "events", "/apis", "/version",
	} {
		out = append(out,
			way{name: "hangs for " + resource, serve: only(resource, hang)}, way{name: "breaks the stream of " + resource, serve: only(resource, abort)},
			way{name: "forbids " + resource, serve: only(resource, status(403, "Forbidden", "forbidden"))},
			way{name: "null for " + resource, serve: only(resource, text(200, asJSON, "null"))},
		)
	}
	return out
}

// certificate makes a server show a certificate for a host that ends after some time; trusted: the
// kubeconfig has it as its CA.
func certificate(ends time.Duration, host string, trusted bool) func(*httptest.Server) {
	return func(s *httptest.Server) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(ends),
			IPAddresses: []net.IP{net.ParseIP(host)}, IsCA: trusted, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
		if err != nil {
			panic(err)
		}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	}
}

// start starts what fails in a way, and returns its address and the CA that a kubeconfig has for it.
func (a way) start(t *testing.T, good http.Handler) (address string, ca []byte) {
	t.Helper()
	if a.wire != nil || a.refused {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if a.refused {
			_ = l.Close()
		} else {
			t.Cleanup(func() { _ = l.Close() })
			go accept(l, a.wire)
		}
		return "https://" + l.Addr().String(), nil
	}
	handler := good
	if a.serve != nil {
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			a.serve(w, r, good)
		})
	}
	return secure(t, handler, a.tls)
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			serve(c)
			_ = c.Close()
		}()
	}
}

// secure serves a handler over TLS and HTTP/2.
func secure(t *testing.T, handler http.Handler, change func(*httptest.Server)) (address string, ca []byte) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if change != nil {
		change(s)
	}
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// fleet is a healthy mesh of east, north and west, in which north fails in some way.
func fleet(t *testing.T, a way) (kubeconfig string) {
	t.Helper()
	mesh := istiotest.Networked("east", "north", "west")
	config := clientcmdapi.NewConfig()
	servers := map[string]*apitest.Server{}
	for _, c := range mesh.Clusters {
		servers[c.Name] = &apitest.Server{}
		serve := way{}
		if c.Name == "north" {
			serve = a
		}
		var ca []byte
		c.Server, ca = serve.start(t, servers[c.Name])
		config.Clusters[c.Name] = &clientcmdapi.Cluster{Server: c.Server, CertificateAuthorityData: ca}
		config.AuthInfos[c.Name] = &clientcmdapi.AuthInfo{Token: secret}
		config.Contexts[c.Name] = &clientcmdapi.Context{Cluster: c.Name, AuthInfo: c.Name}
	}
	for _, c := range mesh.Clusters {
		servers[c.Name].Objects = c.Objects()
	}
	config.CurrentContext = "east"
	file := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// unchecked are the codes that were not checked in a cluster for reasons of its own.
func (d document) unchecked(cluster string) []string {
	var out []string
	for _, u := range d.Unknowns {
		if u.Cluster == cluster && !strings.Contains(u.Reason.Text, "north") {
			out = append(out, u.Codes...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A cluster that fails, however it does, costs what is read of it: the two others are checked as they
// are when nothing is at its address.
func TestClusters(t *testing.T) {
	var asked atomic.Int64
	other := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		apitest.Refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound)
	})
	elsewhere, _ := secure(t, other, nil)
	plain := httptest.NewServer(other)
	t.Cleanup(plain.Close)
	verify := func(plugin, kubeconfig string) try {
		args := []string{"verify"}
		if plugin == check {
			args = nil
		}
		return try{
			area: "a cluster that fails, " + plugin, plugin: plugin, env: []string{"KUBECONFIG=" + kubeconfig}, codes: []int{0, 1},
			args:  append(args, "--contexts", "east,north,west", "--timeout", timeout.String(), "-o", "json"),
			never: []string{"PRIVATE KEY"}, most: timeout*12/10 + 4*time.Second,
		}
	}
	gone := fleet(t, way{refused: true})
	without := map[string]document{}
	for _, plugin := range plugins {
		without[plugin] = verify(plugin, gone).do(t).document(t)
	}
	t.Run("ways", func(t *testing.T) {
		for i, a := range part(ways(elsewhere, plain.URL), 4) {
			of := plugins
			if !*all {
				of = plugins[i%len(plugins):][:1]
			}
			for _, plugin := range of {
				t.Run(plugin+" "+a.name, func(t *testing.T) {
					t.Parallel()
					got := verify(plugin, fleet(t, a)).do(t).document(t)
					for _, cluster := range []string{"east", "west"} {
						before := without[plugin].unchecked(cluster)
						more := slices.DeleteFunc(got.unchecked(cluster), func(code string) bool { return slices.Contains(before, code) })
						if len(more) > 0 {
							t.Errorf("%s was not checked for %v", cluster, more)
						}
					}
					for _, c := range got.Clusters {
						if c.Context != "north" && !c.Reached {
							t.Errorf("%s was not reached", c.Context)
						}
					}
				})
			}
		}
	})
	if n := asked.Load(); n > 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}
