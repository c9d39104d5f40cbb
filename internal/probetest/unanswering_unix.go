//go:build unix

package probetest

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// Unanswering is an address at which connections neither come about nor fail, as
// behind a firewall: a listener whose queue is full.
func Unanswering(t testing.TB) netip.AddrPort {
	l := listen(t)
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = syscall.Listen(int(fd), 0) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	for range 8 {
		conn, err := net.DialTimeout("tcp", l.Addr().String(), 200*time.Millisecond)
		if err != nil {
			return address(l)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the queue of the listener does not fill")
	return netip.AddrPort{}
}
