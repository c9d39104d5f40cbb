package linkerdmesh_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

const gatewayIdentity = "linkerd-gateway.linkerd-multicluster.serviceaccount.identity.linkerd.cluster.local"

// proxy is a server that shows a certificate to clients that have none, as the proxy of a gateway does, for what they
// ask by its name alone.
func proxy(t *testing.T, chain ...*linkerdtest.Authority) (port string) {
	t.Helper()
	var text []byte
	for _, a := range chain {
		text = append(text, a.PEM...)
	}
	certificate, err := tls.X509KeyPair(text, chain[0].Key(t))
	if err != nil {
		t.Fatal(err)
	}
	return listen(t, func(c net.Conn) {
		_ = tls.Server(c, &tls.Config{
			Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13, NextProtos: []string{"transport.l5d.io/v1"},
			ClientAuth: tls.RequestClientCert,
		}).HandshakeContext(context.Background())
	})
}

// listen answers connections.
func listen(t *testing.T, answer func(net.Conn)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer(c)
			_ = c.Close()
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// The ports of a gateway are tried as clients of other clusters reach them, without credentials; what is shown is
// judged by their roots.
func TestProbe(t *testing.T) {
	now := time.Now()
	made := func(name string, names ...string) linkerdtest.Made {
		return linkerdtest.Made{Name: name, From: now.Add(-time.Hour), To: now.Add(time.Hour), Leaf: len(names) > 0, Names: names}
	}
	root := linkerdtest.Issue(t, nil, made("root"))
	issuer := linkerdtest.Issue(t, root, made("issuer"))
	other := linkerdtest.Issue(t, nil, made("other root"))
	gone := made("gone", gatewayIdentity)
	gone.To = now.Add(-time.Minute)
	closed := listen(t, func(net.Conn) {})
	for name, c := range map[string]struct {
		traffic, probe string
		want           []string
		failed         bool
	}{
		"trusted, at both ports": {
			proxy(t, linkerdtest.Issue(t, issuer, made("gateway", gatewayIdentity)), issuer),
			proxy(t, linkerdtest.Issue(t, root, made("gateway", gatewayIdentity))),
			[]string{"ok traffic: reachable, trusted by east", "ok probe: reachable, trusted by east"}, false,
		},
		"of another root, and of another identity": {
			proxy(t, linkerdtest.Issue(t, other, made("gateway", gatewayIdentity))),
			proxy(t, linkerdtest.Issue(t, issuer, made("web", "web.shop.serviceaccount.identity.linkerd.cluster.local")), issuer),
			[]string{
				"broken traffic: no root of east has issued its certificate, which is issued by CN=other root",
				"broken probe: web.shop.serviceaccount.identity.linkerd.cluster.local answers, and the Link has " + gatewayIdentity,
			}, true,
		},
		"expired, and without its issuer": {
			proxy(t, linkerdtest.Issue(t, issuer, gone), issuer),
			proxy(t, linkerdtest.Issue(t, issuer, made("gateway", gatewayIdentity))),
			[]string{
				"broken traffic: its certificate has expired",
				"broken probe: no root of east has issued its certificate, which is issued by CN=issuer",
			}, true,
		},
		"closed, and in plain text": {
			closed,
			listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH\r\n") }),
			[]string{
				"broken traffic: it accepts connections, and closes them",
				"broken probe: it is not a proxy of Linkerd: it answers in plain text: SSH-2.0-OpenSSH",
			}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := linkerdtest.Healthy(t)
			roots(f, east, string(root.PEM))
			drop(f, west, resources.Links, func(*api.Link) bool { return true })
			link(f, func(l *api.Link) {
				l.Spec.GatewayAddress, l.Spec.GatewayPort, l.Spec.ProbeSpec.Port = "127.0.0.1", c.traffic, c.probe
			})
			got := linkerdmesh.Mesh{}.Probe(t.Context(), &mesh.Run{Fleet: f}, mesh.Probing{Wait: 2 * time.Second})
			var rows []string
			for _, row := range got.Rows {
				if len(row) != len(got.Header) || row[0] != "west" || !strings.HasPrefix(row[3], "127.0.0.1:") {
					t.Errorf("a row %q", row)
				}
				rows = append(rows, row[1]+" "+row[2]+": "+row[5])
			}
			if diff := cmp.Diff(c.want, rows); diff != "" || got.Failed != c.failed {
				t.Errorf("failed: %v; (-want +got):\n%s", got.Failed, diff)
			}
		})
	}
}

// Clusters that are linked without a gateway have none to try.
func TestProbeWithoutGateway(t *testing.T) {
	f := recordedAs("43-healthy-gatewayless-link")(t)
	drop(f, west, resources.Links, func(*api.Link) bool { return true })
	if got := (linkerdmesh.Mesh{}).Probe(t.Context(), &mesh.Run{Fleet: f}, mesh.Probing{Wait: time.Second}); len(got.Rows) > 0 || got.Failed {
		t.Errorf("it tries %v", got.Rows)
	}
}
