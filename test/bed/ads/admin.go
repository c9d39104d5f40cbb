package ads

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Source is what an Admin shows: a Connection, whose newest configuration it
// is, or a Config.
type Source interface {
	Config() *Config
}

// Admin answers like the admin interface of an Envoy that has been told what
// its source has.
type Admin struct {
	source   Source
	health   health
	started  time.Time
	listener net.Listener
	server   *http.Server
	serving  sync.WaitGroup
	close    func() error
}

// ServeAdmin serves a source on a free port of 127.0.0.1 until Close.
func ServeAdmin(source Source) (*Admin, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for an admin interface: %w", err)
	}
	a := &Admin{source: source, started: time.Now(), listener: listener}
	a.server = &http.Server{Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second}
	a.close = sync.OnceValue(a.stop)
	a.serving.Go(func() { _ = a.server.Serve(listener) })
	return a, nil
}

// Address is where it listens: 127.0.0.1 and a port.
func (a *Admin) Address() string { return a.listener.Addr().String() }

// Port is the port of Address.
func (a *Admin) Port() int { return a.listener.Addr().(*net.TCPAddr).Port }

// Close ends all that the interface has started. Further calls do nothing.
func (a *Admin) Close() error { return a.close() }

func (a *Admin) stop() error {
	err := a.server.Close()
	a.serving.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close an admin interface: %w", err)
	}
	return nil
}

func (a *Admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /clusters", a.serveClusters)
	mux.HandleFunc("GET /config_dump", a.serveConfigDump)
	mux.HandleFunc("GET /server_info", a.serveServerInfo)
	mux.HandleFunc("GET /ready", a.serveReady)
	return mux
}
