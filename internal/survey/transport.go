package survey

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// The bounds of what one cluster may send, in bytes and unpacked. A page of 500 pods has a few
// megabytes.
const (
	mostBody = 32 << 20 // of one answer
	mostOpen = 64 << 20 // of all answers that are on their way at once
)

// connections is how many are opened to a server that does not speak HTTP/2.
const connections = 8

// retries are how often a request is sent again that was refused for now (429, 503 with
// Retry-After), or whose connection broke. client-go waits a second before each.
const retries = 2

// errTooLarge is an answer, or several at once, that are larger than anything an API server
// has to say.
var errTooLarge = errors.New("the answer is larger than " + strconv.Itoa(mostBody>>20) + " MB")

// RedirectError is an answer that leads elsewhere, which is not followed: credentials are for
// the server of the kubeconfig alone.
type RedirectError struct {
	// Status is the HTTP status, and To the host that it leads to; "" where it names none.
	Status int
	To     string
}

func (e *RedirectError) Error() string {
	if e.To == "" {
		return fmt.Sprintf("it answers with a redirect (%d) and not as an API server: a login page?", e.Status)
	}
	return fmt.Sprintf("it answers with a redirect (%d) to %s: a login page, or another address of the API server?", e.Status, e.To)
}

// Do sends a request, and sends it again a few times where the server asks for that.
func Do(ctx context.Context, request *rest.Request) rest.Result {
	return request.MaxRetries(retries).Do(ctx)
}

// wire is how the requests of one cluster travel: over one connection, which they share with
// HTTP/2, since each would else do a TLS handshake of its own; over several as soon as the first
// turns out to speak HTTP/1.1, where each would else wait for the one before.
type wire struct {
	one, several http.RoundTripper
	transports   []*http.Transport
	// reached hears of the first request: its credentials are there.
	reached func()

	started atomic.Bool
	once    sync.Once
	known   chan struct{} // closed when it is known which HTTP the server speaks
	http1   bool

	open atomic.Int64 // bytes of answers that are on their way
}

// newWire makes the wire of a cluster out of its transport.
func newWire(t http.RoundTripper) *wire {
	w := &wire{one: t, several: t, known: make(chan struct{}), reached: func() {}}
	for below := t; below != nil; {
		switch transport := below.(type) {
		case *http.Transport:
			more := transport.Clone()
			transport.MaxConnsPerHost, more.MaxConnsPerHost, more.MaxIdleConnsPerHost = 1, connections, connections
			w.several, w.transports = more, []*http.Transport{transport, more}
			below = nil
		case utilnet.RoundTripperWrapper:
			below = transport.WrappedRoundTripper()
		default:
			below = nil
		}
	}
	return w
}

// close ends the connections that nobody uses.
func (w *wire) close() {
	for _, t := range w.transports {
		t.CloseIdleConnections()
	}
}

// settle notes which HTTP the server speaks; the first one knows.
func (w *wire) settle(http1 bool) {
	w.once.Do(func() {
		w.http1 = http1
		close(w.known)
	})
}

// RoundTrip sends a request. It follows no redirect, and bounds the answer.
func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	w.reached()
	response, err := w.send(request)
	if err != nil {
		return nil, err
	}
	if status := response.StatusCode; status >= 300 && status < 400 && status != http.StatusNotModified {
		_ = response.Body.Close()
		e := &RedirectError{Status: status}
		if to, err := url.Parse(response.Header.Get("Location")); err == nil {
			e.To = to.Host
		}
		return nil, e
	}
	notTooLate(request.Context(), response)
	if response.StatusCode != http.StatusSwitchingProtocols && !isWatch(request) {
		response.Body = &bounded{ReadCloser: response.Body, wire: w}
	}
	return response, nil
}

// isWatch reports whether the answer has no end: each of its events is bounded instead.
func isWatch(request *http.Request) bool { return request.URL.Query().Get("watch") == "true" }

// unlimited lets as many connections be opened as there are requests: of watches none ends before the next one.
func (w *wire) unlimited() {
	for _, t := range w.transports {
		t.MaxConnsPerHost = 0
	}
}

func (w *wire) send(request *http.Request) (*http.Response, error) {
	if w.started.CompareAndSwap(false, true) {
		defer w.settle(false) // it failed: the others find out by themselves
		traced := httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			secure, ok := got.Conn.(interface{ ConnectionState() tls.ConnectionState })
			w.settle(!ok || secure.ConnectionState().NegotiatedProtocol != "h2")
		}})
		return w.one.RoundTrip(request.WithContext(traced))
	}
	select {
	case <-w.known:
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
	if w.http1 {
		return w.several.RoundTrip(request)
	}
	return w.one.RoundTrip(request)
}

// notTooLate makes an answer final that asks to be asked again after the time is over: what
// it says is then the reason, and not that there was no answer.
func notTooLate(ctx context.Context, response *http.Response) {
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if deadline, ok := ctx.Deadline(); err == nil && ok && time.Now().Add(time.Duration(seconds)*time.Second).After(deadline) {
		response.Header.Del("Retry-After")
	}
}

// bounded is the body of an answer that is not read beyond what an API server says.
type bounded struct {
	io.ReadCloser
	wire *wire
	read int64
	once sync.Once
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if open := b.wire.open.Add(int64(n)); b.read > mostBody || open > mostOpen {
		return 0, errTooLarge
	}
	return n, err
}

func (b *bounded) Close() error {
	b.once.Do(func() { b.wire.open.Add(-b.read) })
	return b.ReadCloser.Close()
}

// firstAlone holds all requests back until the first one has its credentials. With an exec
// credential plugin that one runs the plugin; were they sent together, a plugin that fails would run
// once for each of them, one after another. What the plugin fails with is everybody's failure;
// what the server answers to the first is its own.
type firstAlone struct {
	next http.RoundTripper
	gate *gate
}

func (f *firstAlone) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := f.gate.enter(request.Context()); err != nil {
		return nil, err
	}
	response, err := f.next.RoundTrip(request)
	f.gate.leave(err) // of no effect where the request got as far as the wire
	return response, err
}
