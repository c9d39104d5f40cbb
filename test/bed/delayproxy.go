package bed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy is a TCP proxy that plays a long link to its target.
type Proxy struct {
	*Listener
	target   string
	delay    time.Duration
	closing  chan struct{}
	close    sync.Once
	sent     atomic.Int64
	received atomic.Int64
}

// DelayProxy returns a proxy to a target, a host and port or an https URL, that
// behaves like a link of that round-trip time and of unlimited bandwidth: each
// byte arrives half the time after it was sent, in order, however many are on
// their way. The first bytes of a client take a whole round trip longer: the
// handshake that they would have waited for costs nothing on this machine.
func DelayProxy(target string, rtt time.Duration) (*Proxy, error) {
	target = strings.TrimPrefix(target, "https://")
	if _, _, err := net.SplitHostPort(target); err != nil {
		return nil, fmt.Errorf("proxy to %q: %w", target, err)
	}
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	p := &Proxy{Listener: listener, target: target, delay: rtt / 2, closing: make(chan struct{})}
	p.serve(p.relay)
	return p, nil
}

// Bytes is how many bytes clients have sent through the proxy, and how many they
// were sent.
func (p *Proxy) Bytes() (sent, received int64) { return p.sent.Load(), p.received.Load() }

// Close closes the proxy and all its connections, and waits for their end.
func (p *Proxy) Close() error {
	p.close.Do(func() { close(p.closing) })
	return p.Listener.Close()
}

// relay connects a client with the target until both sides have ended.
func (p *Proxy) relay(client *net.TCPConn) {
	conn, err := net.Dial("tcp", p.target)
	if err != nil {
		// The client hears of it when it would over the link.
		p.sleepUntil(time.Now().Add(2 * p.delay))
		_ = client.SetLinger(0)
		return
	}
	target := conn.(*net.TCPConn)
	if !p.track(target) {
		return
	}
	defer p.untrack(target)

	var directions sync.WaitGroup
	directions.Go(func() { p.carry(target, client, 2*p.delay, &p.sent) })
	directions.Go(func() { p.carry(client, target, 0, &p.received) })
	directions.Wait()
}

// carry delivers what src sends to dst. The first bytes are held longer.
func (p *Proxy) carry(dst, src *net.TCPConn, hold time.Duration, count *atomic.Int64) {
	link := newLink()
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, 32<<10)
		for {
			n, err := src.Read(buffer)
			link.push(chunk{data: bytes.Clone(buffer[:n]), due: time.Now().Add(p.delay + hold), err: err})
			if err != nil {
				return
			}
			hold = 0
		}
	})
	if p.deliver(dst, link, count) {
		// The other direction may go on.
		_ = dst.CloseWrite()
	} else {
		_ = dst.Close()
		_ = src.Close()
	}
	reading.Wait()
}

// deliver writes what comes out of a link to dst. It returns true after the end
// of what there is to deliver, and false if the connection broke.
func (p *Proxy) deliver(dst io.Writer, link *link, count *atomic.Int64) bool {
	for {
		next := link.pop()
		if !p.sleepUntil(next.due) {
			return false
		}
		// Counted first: who has received bytes shall find them counted.
		count.Add(int64(len(next.data)))
		_, err := dst.Write(next.data)
		switch {
		case err != nil:
			return false
		case next.err != nil:
			return errors.Is(next.err, io.EOF)
		}
	}
}

// sleepUntil returns false when the proxy was closed before then.
func (p *Proxy) sleepUntil(due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.closing:
		return false
	}
}
