package podaccess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// complaintLimit is how much, in bytes, is read of why a port could not be reached.
const complaintLimit = 4096

// Dial opens a connection to a port of a pod, one more with each call. It costs two
// round trips on a new connection to the API server. That nothing listens on the
// port shows when the connection is read. The connection knows no deadlines; it
// is closed when the context ends.
func Dial(ctx context.Context, config *rest.Config, pod Pod, port int) (net.Conn, error) {
	type opened struct {
		conn *conn
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		c, err := open(config, pod, port)
		done <- opened{c, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, fmt.Errorf("port-forward to port %d of pod %s: %w", port, pod, o.err)
		}
		o.conn.stop = context.AfterFunc(ctx, func() { _ = o.conn.shut() })
		return o.conn, nil
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				_ = o.conn.shut()
			}
		}()
		return nil, fmt.Errorf("port-forward to port %d of pod %s: %w", port, pod, ctx.Err())
	}
}

// Client is an HTTP client all of whose requests go to one port of a pod, over
// one connection that lives as long as ctx, whatever host their URL names.
// It follows no redirects and uses no proxy of its own.
func Client(ctx context.Context, config *rest.Config, pod Pod, port int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:     func(context.Context, string, string) (net.Conn, error) { return Dial(ctx, config, pod, port) },
			MaxConnsPerHost: 1,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func open(config *rest.Config, pod Pod, port int) (*conn, error) {
	address, err := pod.address(config, "portforward", nil)
	if err != nil {
		return nil, err
	}
	byWebSocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(address, config)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	heard := &heard{next: transport}
	older := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: heard}, http.MethodPost, address)
	session, _, err := portforward.NewFallbackDialerForStreaming(byWebSocket, older, bySPDY).Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, heard.explain(err)
	}
	c, err := stream(session, port)
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	c.pod = pod
	return c, nil
}

// stream asks a session for one connection: a stream for what goes wrong, and
// one for the data.
func stream(session httpstream.Connection, port int) (*conn, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	complaints, err := session.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	_ = complaints.Close() // it is only read
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := session.CreateStream(headers)
	if err != nil {
		return nil, err
	}
	c := &conn{session: session, data: data, port: port, complained: make(chan struct{}), stop: func() bool { return true }}
	go func() {
		defer close(c.complained)
		c.complaint, _ = io.ReadAll(io.LimitReader(complaints, complaintLimit))
	}()
	return c, nil
}

// conn is a connection to a port of a pod.
type conn struct {
	session httpstream.Connection
	data    httpstream.Stream
	pod     Pod
	port    int
	stop    func() bool

	complained chan struct{} // closed when complaint is whole
	complaint  []byte
}

// Read returns, at the end, why the port could not be reached where the API server says so.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.data.Read(b)
	if err == nil || n > 0 {
		return n, err
	}
	select {
	case <-c.complained:
		if len(c.complaint) > 0 {
			return 0, errors.New(printable.Line(string(c.complaint)))
		}
	case <-time.After(time.Second):
	}
	return 0, err
}

func (c *conn) Write(b []byte) (int, error) { return c.data.Write(b) }

func (c *conn) Close() error {
	c.stop()
	return c.shut()
}

func (c *conn) shut() error {
	_ = c.data.Reset()
	return c.session.Close()
}

func (c *conn) LocalAddr() net.Addr  { return address("this machine") }
func (c *conn) RemoteAddr() net.Addr { return address(fmt.Sprintf("%s:%d", c.pod, c.port)) }

func (c *conn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *conn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c *conn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

type address string

func (a address) Network() string { return "portforward" }
func (a address) String() string  { return string(a) }
