//go:build unix

package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
)

const (
	name     = "outbound_.5000_._.helloworld.sample.svc.cluster.local"
	identity = "spiffe://cluster.local/ns/sample/sa/helloworld"
)

// seen is what a test looks at of an attempt.
type seen struct {
	Outcome facts.Outcome
	Detail  string
	Shown   string // the certificate
	Asks    bool
}

func see(a facts.Attempt) seen {
	s := seen{Outcome: a.Outcome, Detail: a.Detail, Asks: a.AsksForCertificate}
	if len(a.Certificates) > 0 {
		c := a.Certificates[0]
		for _, u := range c.URIs {
			s.Shown = u.String()
		}
		s.Shown += strings.Join(c.DNSNames, ",")
	}
	return s
}

// server is a real server, and what comes of an attempt at it: from this machine,
// and from a pod with openssl and with curl, where that differs.
type server struct {
	name      string
	start     func(testing.TB) netip.AddrPort
	probe     facts.Probe
	want      seen
	byOpenSSL *seen
	byCurl    seen
	byConnect seen
	// slow: it is tried until time is up.
	slow bool
}

// wait is how long it is tried: where something answers, longer than that takes on
// the busiest machine.
func (s server) wait() time.Duration {
	if s.slow {
		return time.Second
	}
	return 30 * time.Second
}

func servers(t testing.TB) []server {
	t.Helper()
	ca := istiotest.Root(istiotest.Spec{Name: "Root"}).Sub(istiotest.Spec{Name: "CA of west"})
	mesh := probetest.Leaf(t, ca, identity)
	web := probetest.Leaf(t, istiotest.Root(istiotest.Spec{Name: "Web CA"}), "www.example.com")
	sidecar := facts.Probe{Protocol: "istio", ServerName: name}
	plane := facts.Probe{Protocol: "h2", ServerName: "istiod.istio-system.svc"}
	istiod := probetest.Leaf(t, ca, plane.ServerName)
	connected := seen{Outcome: facts.Opened, Detail: "the tool only connects"}
	mute := seen{Outcome: facts.Opened, Detail: "curl cannot ask for the protocol of the mesh"}
	late := seen{Outcome: facts.Unanswered, Detail: "or it accepts connections and then says nothing: openssl does not tell"}
	return []server{
		{
			name: "gateway", probe: sidecar, start: func(t testing.TB) netip.AddrPort { return probetest.Gateway(t, mesh, name) },
			want: seen{Outcome: facts.Answered, Shown: identity, Asks: true}, byCurl: mute, byConnect: connected,
		},
		{
			name: "gateway that does not know the service", probe: sidecar,
			start: func(t testing.TB) netip.AddrPort { return probetest.Gateway(t, mesh, "another") },
			want:  seen{Outcome: facts.Reset}, byCurl: mute, byConnect: connected,
		},
		{
			name: "gateway of ambient networks", probe: facts.Probe{Protocol: "h2"},
			start: func(t testing.TB) netip.AddrPort { return probetest.HBONE(t, mesh) },
			want:  seen{Outcome: facts.Answered, Shown: identity, Asks: true}, byConnect: connected,
			byCurl: seen{Outcome: facts.Answered, Shown: identity, Asks: true},
		},
		{
			name: "istiod", probe: plane, start: func(t testing.TB) netip.AddrPort { return probetest.Istiod(t, istiod) },
			want: seen{Outcome: facts.Answered, Shown: plane.ServerName, Asks: true}, byConnect: connected,
			byCurl: seen{Outcome: facts.Answered, Shown: plane.ServerName, Asks: true},
		},
		{
			name: "web server in place of istiod", probe: plane, start: func(t testing.TB) netip.AddrPort { return probetest.HTTPS(t, web) },
			want: seen{Outcome: facts.Answered, Shown: "www.example.com"}, byConnect: connected,
			byCurl: seen{Outcome: facts.Answered, Shown: "www.example.com"},
		},
		{
			name: "plain text in place of istiod", probe: plane, start: probetest.HTTP,
			want:      seen{Outcome: facts.Foreign, Detail: "it answers in plain text: HTTP/1.1 400 Bad Request"},
			byOpenSSL: &seen{Outcome: facts.Foreign, Detail: "it does not speak TLS"},
			byCurl:    seen{Outcome: facts.Foreign, Detail: "it does not speak TLS"}, byConnect: connected,
		},
		{name: "reset in place of istiod", probe: plane, start: probetest.Resets, want: seen{Outcome: facts.Reset}, byCurl: seen{Outcome: facts.Reset}, byConnect: connected},
		{
			name: "closed port in place of istiod", probe: plane, start: probetest.Closed,
			want: seen{Outcome: facts.Refused}, byCurl: seen{Outcome: facts.Refused}, byConnect: seen{Outcome: facts.Refused},
		},
		{name: "silent in place of istiod", slow: true, probe: plane, start: probetest.Silent, want: seen{Outcome: facts.Silent}, byOpenSSL: &late, byCurl: seen{Outcome: facts.Silent}, byConnect: connected},
		{
			name: "firewall before istiod", slow: true, probe: plane, start: probetest.Unanswering,
			want: seen{Outcome: facts.Unanswered}, byOpenSSL: &late, byCurl: seen{Outcome: facts.Unanswered}, byConnect: seen{Outcome: facts.Unanswered},
		},
		{
			name: "gateway, TLS not tried", start: func(t testing.TB) netip.AddrPort { return probetest.Gateway(t, mesh, name) },
			want: seen{Outcome: facts.Opened}, byOpenSSL: &seen{Outcome: facts.Opened}, byCurl: seen{Outcome: facts.Opened}, byConnect: connected,
		},
		{
			name: "web server", probe: sidecar, start: func(t testing.TB) netip.AddrPort { return probetest.HTTPS(t, web) },
			want:      seen{Outcome: facts.Foreign, Detail: "it refuses TLS: no application protocol", Shown: "www.example.com"},
			byCurl:    seen{Outcome: facts.Foreign, Detail: "a TLS server with the certificate of CN=www.example.com, issued by O=Istio; CN=Web CA"},
			byConnect: connected,
		},
		{
			name: "web server without TLS", probe: sidecar, start: probetest.HTTP,
			want:      seen{Outcome: facts.Foreign, Detail: "it answers in plain text: HTTP/1.1 400 Bad Request"},
			byOpenSSL: &seen{Outcome: facts.Foreign, Detail: "it does not speak TLS"},
			byCurl:    seen{Outcome: facts.Foreign, Detail: "it does not speak TLS"}, byConnect: connected,
		},
		{
			name: "random bytes", probe: sidecar, start: probetest.Babbles,
			want:      seen{Outcome: facts.Foreign, Detail: "it does not speak TLS"},
			byOpenSSL: &seen{Outcome: facts.Foreign, Detail: "it does not speak TLS"},
			byCurl:    seen{Outcome: facts.Foreign, Detail: "it does not speak TLS"}, byConnect: connected,
		},
		{
			name: "closed port", probe: sidecar, start: probetest.Closed,
			want: seen{Outcome: facts.Refused}, byCurl: seen{Outcome: facts.Refused}, byConnect: seen{Outcome: facts.Refused},
		},
		{name: "reset", probe: sidecar, start: probetest.Resets, want: seen{Outcome: facts.Reset}, byCurl: mute, byConnect: connected},
		{name: "closed without a word", probe: sidecar, start: probetest.Closes, want: seen{Outcome: facts.Reset}, byCurl: mute, byConnect: connected},
		{name: "silent", slow: true, probe: sidecar, start: probetest.Silent, want: seen{Outcome: facts.Silent}, byOpenSSL: &late, byCurl: mute, byConnect: connected},
		{
			name: "firewall", slow: true, probe: sidecar, start: probetest.Unanswering,
			want: seen{Outcome: facts.Unanswered}, byOpenSSL: &late, byCurl: seen{Outcome: facts.Unanswered}, byConnect: seen{Outcome: facts.Unanswered},
		},
	}
}

func at(s server, t testing.TB) facts.Probe {
	address := s.start(t)
	p := s.probe
	p.Address, p.Port = address.Addr().String(), uint32(address.Port())
	return p
}

func TestTry(t *testing.T) {
	for _, s := range servers(t) {
		p := at(s, t)
		got := ThisMachine(s.wait()).Try(t.Context(), []facts.Probe{p})
		if len(got[0]) != 1 {
			t.Errorf("%s: %d attempts", s.name, len(got[0]))
			continue
		}
		a := got[0][0]
		if s.name == "random bytes" && strings.HasPrefix(a.Detail, "TLS with it fails") {
			a.Detail = noTLS // random bytes can begin as a record does
		}
		if diff := cmp.Diff(s.want, see(a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
		if a.IP != p.Address || a.Connect <= 0 || (a.Handshake > 0) != (s.probe.Protocol != "" && a.Outcome != facts.Refused && a.Outcome != facts.Unanswered) {
			t.Errorf("%s: at %s, connected after %s, TLS after %s", s.name, a.IP, a.Connect, a.Handshake)
		}
	}
}

// Many are tried at the same time, and the attempts are in the order of the probes.
func TestTryMany(t *testing.T) {
	ca := istiotest.Root(istiotest.Spec{Name: "Root"})
	var probes []facts.Probe
	for i := range 3 * atOnce {
		address := probetest.Closed(t)
		if i%2 == 0 {
			address = probetest.Gateway(t, probetest.Leaf(t, ca, identity), name)
		}
		probes = append(probes, facts.Probe{Address: address.Addr().String(), Port: uint32(address.Port()), Protocol: "istio", ServerName: name})
	}
	for i, got := range ThisMachine(30*time.Second).Try(t.Context(), probes) {
		want := facts.Refused
		if i%2 == 0 {
			want = facts.Answered
		}
		if len(got) != 1 || got[0].Outcome != want || got[0].Port != probes[i].Port {
			t.Errorf("%d: %+v", i, got)
		}
	}
}

// resolver answers from a table, by the name that it is asked for.
type resolver map[string]any

func (r resolver) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	if network != "ip" {
		return nil, fmt.Errorf("asked for %s", network)
	}
	switch v := r[host].(type) {
	case []netip.Addr:
		return v, nil
	case error:
		return nil, v
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func TestNames(t *testing.T) {
	local := netip.MustParseAddr("127.0.0.1")
	n := Network{Dialer: &net.Dialer{}, Timeout: time.Second, Resolver: resolver{
		"two.example.":  []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("::ffff:127.0.0.1"), local},
		"none.example":  []netip.Addr{local}, // asked for as a name of a search domain
		"slow.example.": &net.DNSError{Err: "i/o timeout", IsTimeout: true}, "ill.example.": &net.DNSError{Err: "server misbehaving", IsTemporary: true},
		"odd.example.": errors.New("odd"), "localhost": []netip.Addr{local},
	}}
	want := Names{
		Addresses: map[string][]string{"two.example": {"127.0.0.1", "127.0.0.2"}, "none.example": nil, "localhost": {"127.0.0.1"}},
		Failed: map[string]string{
			"slow.example": "no name server answered in time", "ill.example": "the name server says: server misbehaving", "odd.example": "odd",
		},
	}
	got := n.Resolve(t.Context(), []string{"two.example", "none.example", "slow.example", "ill.example", "odd.example", "localhost"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	port := uint32(probetest.Closed(t).Port())
	attempts := n.Try(t.Context(), []facts.Probe{{Address: "two.example", Port: port}, {Address: "none.example", Port: port}})
	if len(attempts[0]) != 2 || attempts[0][0].IP != "127.0.0.1" || attempts[0][1].IP != "127.0.0.2" || attempts[0][0].Outcome != facts.Refused {
		t.Errorf("of two addresses: %+v", attempts[0])
	}
	if diff := cmp.Diff(seen{Outcome: facts.Unresolved, Detail: "there is no such name"}, see(attempts[1][0])); diff != "" || len(attempts[1]) != 1 {
		t.Errorf("of none (-want +got):\n%s", diff)
	}
}

func TestTryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	for _, start := range []func(testing.TB) netip.AddrPort{probetest.Silent, probetest.Unanswering} {
		address := start(t)
		ThisMachine(time.Minute).Try(ctx, []facts.Probe{{Address: address.Addr().String(), Port: uint32(address.Port()), Protocol: "istio"}})
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// local runs commands on this machine with only some tools, as if it were a pod.
func local(t testing.TB, tools ...string) Run {
	t.Helper()
	path := t.TempDir()
	for _, tool := range append([]string{"sleep", "kill"}, tools...) {
		found, err := exec.LookPath(tool)
		if err != nil {
			if tool == "kill" {
				continue // of the shell itself
			}
			t.Skipf("this machine has no %s", tool)
		}
		if err := os.Symlink(found, filepath.Join(path, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return func(ctx context.Context, command []string) (Output, error) {
		if command[0] != "sh" {
			return Output{Code: 127}, nil
		}
		cmd := exec.CommandContext(ctx, "/bin/sh", command[1:]...)
		cmd.Env = []string{"PATH=" + path, "https_proxy=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1"}
		cmd.WaitDelay = 10 * time.Second
		out, err := cmd.Output()
		exit := &exec.ExitError{}
		if errors.As(err, &exit) {
			return Output{Stdout: out, Stderr: exit.Stderr, Code: exit.ExitCode()}, nil
		}
		return Output{Stdout: out}, err
	}
}

// curlShows reports whether the curl of this machine can show certificates: 7.88 can.
func curlShows(t testing.TB) bool {
	t.Helper()
	out, err := exec.Command("curl", "-V").Output()
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "curl %d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major > 7 || major == 7 && minor >= 88
}

// What a pod would run runs here, with each of the tools that containers have.
func TestFromPod(t *testing.T) {
	for _, tools := range [][]string{{"openssl", "curl", "timeout"}, {"openssl"}, {"curl", "timeout"}, {"bash", "timeout"}} {
		t.Run(strings.Join(tools, " and "), func(t *testing.T) {
			run := local(t, tools...)
			pod := facts.Vantage{Context: "east", Namespace: "sample", Pod: "curl-1"}
			for _, s := range servers(t) {
				p := at(s, t)
				a, want, tool := FromPod(t.Context(), pod, run, s.wait(), []facts.Probe{p})[0][0], s.want, tools[0]
				switch {
				case tool == "bash":
					want = s.byConnect
				case tool == "curl":
					want = s.byCurl
				case s.byOpenSSL != nil:
					want = *s.byOpenSSL
				}
				if tool == "curl" && s.probe.Protocol == "h2" && want.Shown != "" && !curlShows(t) {
					want = seen{Outcome: facts.Opened, Detail: "this curl does not show certificates"}
				}
				if tool == "openssl" && s.probe.Protocol == "" {
					if tools[len(tools)-1] != "timeout" {
						want, tool = seen{Outcome: facts.NotTried, Detail: a.Detail}, ""
					} else {
						tool = "curl"
					}
				}
				if tool != "curl" && tool != "bash" && want.Asks {
					a.AsksForCertificate = true // old versions of OpenSSL do not say
				}
				if diff := cmp.Diff(want, see(a)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", s.name, diff)
				}
				if a.Tool != tool || a.From != pod || a.Address != p.Address {
					t.Errorf("%s: by %q from %s at %s", s.name, a.Tool, a.From, a.Address)
				}
			}
		})
	}
}
