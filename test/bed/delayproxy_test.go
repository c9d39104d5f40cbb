package bed

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"
)

// dial connects with a listener.
func dial(t *testing.T, l *Listener) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", l.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// echoProxy is a proxy of a server that answers with what it is sent.
func echoProxy(t *testing.T, rtt time.Duration) *Proxy {
	t.Helper()
	echo, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	echo.serve(func(conn *net.TCPConn) { _, _ = io.Copy(conn, conn) })
	t.Cleanup(func() { _ = echo.Close() })
	proxy, err := DelayProxy(echo.Address(), rtt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	return proxy
}

// within fails unless something took at least some time, and not much more: a
// busy machine may add some.
func within(t *testing.T, what string, took, want time.Duration) {
	t.Helper()
	t.Logf("%s took %s, want %s", what, took, want)
	if took < want || took > want+want/2+100*time.Millisecond {
		t.Errorf("%s took %s, want %s", what, took, want)
	}
}

func TestDelayProxyTiming(t *testing.T) {
	const rtt = 200 * time.Millisecond
	proxy := echoProxy(t, rtt)
	conn := dial(t, proxy.Listener)
	for i, want := range []time.Duration{
		2 * rtt, // the handshake and the request
		rtt,     // the next request
	} {
		start := time.Now()
		if _, err := conn.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 4)
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "ping" {
			t.Fatalf("got %q, %v", answer, err)
		}
		within(t, []string{"the first request", "the second request"}[i], time.Since(start), want)
	}
	if n := proxy.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if sent, received := proxy.Bytes(); sent != 8 || received != 8 {
		t.Errorf("%d bytes sent, %d received", sent, received)
	}
}

// Many writes are on their way at once: they take no longer than one, whatever
// their size, and arrive in order.
func TestDelayProxyPipelines(t *testing.T) {
	const rtt = 200 * time.Millisecond
	proxy := echoProxy(t, rtt)
	conn := dial(t, proxy.Listener)
	data := make([]byte, 4<<20)
	for i := range data {
		data[i] = byte(i / 7)
	}
	start := time.Now()
	go func() {
		for piece := range slices.Chunk(data, 100_000) {
			if _, err := conn.Write(piece); err != nil {
				return
			}
		}
		_ = conn.CloseWrite()
	}()
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the stream", time.Since(start), 2*rtt)
	if !bytes.Equal(data, answer) {
		t.Error("the answer is not what was sent")
	}
}

func TestDelayProxyOfARequest(t *testing.T) {
	const rtt = 150 * time.Millisecond
	proxy, err := DelayProxy(fleet.Cluster("east").URL(), rtt)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	path := t.TempDir() + "/kubeconfig"
	if err := fleet.WriteKubeconfig(path, []Context{{Cluster: "east", Server: proxy.URL()}}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := listNamespaces(t, path, "east", time.Minute); err != nil {
		t.Fatal(err)
	}
	within(t, "a request over a new TLS connection", time.Since(start), 3*rtt)
}

func TestDelayProxyCloses(t *testing.T) {
	proxy := echoProxy(t, time.Hour)
	conn := dial(t, proxy.Listener)
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	if err := proxy.Close(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("there was an answer")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the proxy took %s to close", took)
	}
}

func TestDelayProxyWithoutTarget(t *testing.T) {
	if _, err := DelayProxy("nowhere", time.Second); err == nil {
		t.Error("a target without a port is no error")
	}
	gone, err := HangingServer()
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	proxy, err := DelayProxy(gone.Address(), 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	_, err = dial(t, proxy.Listener).Read(make([]byte, 1))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

func TestHangingServer(t *testing.T) {
	server, err := HangingServer()
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, server)
	if _, err := conn.Write(make([]byte, 1<<20)); err != nil {
		t.Errorf("it does not read: %v", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("it answered, or closed the connection: %v", err)
	}
	if n := server.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := (&net.Dialer{}).DialContext(ctx, "tcp", server.Address()); err == nil {
		t.Error("it still accepts connections")
	}
}
