package bed

import (
	"context"
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNameServer(t *testing.T) {
	server, err := startNameServer(map[string][]string{"Known.example": {"127.0.3.1", "127.0.3.2", "::1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.close()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.address())
	}}
	got, err := resolver.LookupHost(t.Context(), "known.example.")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"127.0.3.1", "127.0.3.2", "::1"}, got); err != nil || diff != "" {
		t.Errorf("%v: %s", err, diff)
	}
	if got, err := resolver.LookupHost(t.Context(), "unknown.example."); err == nil {
		t.Errorf("got %v", got)
	}
}
