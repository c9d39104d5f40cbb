package bed

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// Listener is a TCP server on a port of 127.0.0.1.
type Listener struct {
	listener net.Listener
	running  sync.WaitGroup

	mutex    sync.Mutex
	closed   bool
	accepted int
	open     map[*net.TCPConn]struct{}
}

// HangingServer returns a server that accepts connections, reads what it is sent
// and never answers.
func HangingServer() (*Listener, error) {
	l, err := listen()
	if err != nil {
		return nil, err
	}
	l.serve(func(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) })
	return l, nil
}

// listen returns a server that does not serve yet.
func listen() (*Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on 127.0.0.1: %w", err)
	}
	return &Listener{listener: listener, open: map[*net.TCPConn]struct{}{}}, nil
}

// serve starts to call handle with each connection, which is closed when handle
// returns, or when the listener is closed.
func (l *Listener) serve(handle func(*net.TCPConn)) {
	l.running.Go(func() { l.accept(handle) })
}

// accept handles connections until the listener is closed.
func (l *Listener) accept(handle func(*net.TCPConn)) {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		tcp := conn.(*net.TCPConn)
		l.mutex.Lock()
		l.accepted++
		l.mutex.Unlock()
		if !l.track(tcp) {
			return
		}
		l.running.Go(func() {
			defer l.untrack(tcp)
			handle(tcp)
		})
	}
}

// track remembers an open connection, so that Close closes it. It closes it now
// and returns false if the listener has been closed.
func (l *Listener) track(conn *net.TCPConn) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.closed {
		_ = conn.Close()
		return false
	}
	l.open[conn] = struct{}{}
	return true
}

// untrack closes and forgets a connection.
func (l *Listener) untrack(conn *net.TCPConn) {
	_ = conn.Close()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.open, conn)
}

// Address is the host and port of the server.
func (l *Listener) Address() string { return l.listener.Addr().String() }

// URL is the address as the server of a kubeconfig's cluster.
func (l *Listener) URL() string { return "https://" + l.Address() }

// Connections is how many connections the server has accepted.
func (l *Listener) Connections() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.accepted
}

// Close closes the server and all its connections, and waits for their end.
func (l *Listener) Close() error {
	err := l.listener.Close()
	l.mutex.Lock()
	l.closed = true
	for conn := range l.open {
		_ = conn.Close()
	}
	l.mutex.Unlock()
	l.running.Wait()
	return err
}
