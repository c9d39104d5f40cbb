package ask

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// heardServer answers over TLS, and remembers what it was asked.
func heardServer(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *[]*http.Request) {
	t.Helper()
	var heard []*http.Request
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard = append(heard, r)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server, &heard
}

func caOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func clusterAt(server *httptest.Server) string {
	return fmt.Sprintf(`{"server":%q,"certificate-authority-data":%q}`, server.URL, base64.StdEncoding.EncodeToString(caOf(server)))
}

func apiServer(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer good" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/api/v1/namespaces/kube-system":
		fmt.Fprint(w, `{"metadata":{"name":"kube-system","uid":"u-1"}}`)
	case "/apis/authentication.k8s.io/v1/selfsubjectreviews":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"status":{"userInfo":{"username":"system:serviceaccount:a:b"}}}`)
	}
}

func TestTry(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // nothing picks a proxy
	server, heard := heardServer(t, apiServer)
	away, _ := heardServer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, server.URL, http.StatusFound) })
	flood, _ := heardServer(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 64 {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<16))
		}
	})
	closed := httptest.NewTLSServer(http.HandlerFunc(apiServer))
	closed.Close()
	for name, c := range map[string]struct {
		cluster, user string
		strange       bool // no context leads there
		want          facts.Connected
	}{
		"accepted":       {clusterAt(server), `{"token":"good"}`, false, facts.Connected{Outcome: facts.ConnectAccepted, UID: "u-1", User: "system:serviceaccount:a:b"}},
		"refused":        {clusterAt(server), `{"token":"bad"}`, false, facts.Connected{Outcome: facts.ConnectRefused, Reason: "the API server answered 401 Unauthorized"}},
		"nobody there":   {strings.Replace(clusterAt(server), server.URL, closed.URL, 1), `{"token":"good"}`, false, facts.Connected{Outcome: facts.ConnectNotReached, Reason: "the connection failed"}},
		"a strange name": {strings.Replace(clusterAt(server), `{"server"`, `{"tls-server-name":"west.example","server"`, 1), `{"token":"good"}`, false, facts.Connected{Outcome: facts.ConnectUntrusted, Reason: "the server's certificate is not signed by the CA in the kubeconfig for its address"}},
		"a redirect":     {clusterAt(away), `{"token":"good"}`, false, facts.Connected{Outcome: facts.ConnectOther, Reason: "the server answered 302, and not as an API server does"}},
		"a flood":        {clusterAt(flood), `{"token":"good"}`, false, facts.Connected{Outcome: facts.ConnectOther, Reason: "the server answered 502, and not as an API server does"}},
		"this machine":   {clusterAt(server), `{"token":"good"}`, true, facts.Connected{Outcome: facts.ConnectNotTried, Reason: "its address is this machine's, link-local or that of a metadata service, to which nothing is sent"}},
		"metadata":       {`{"server":"https://169.254.169.254"}`, `{"token":"good"}`, true, facts.Connected{Outcome: facts.ConnectNotTried, Reason: "its address is this machine's, link-local or that of a metadata service, to which nothing is sent"}},
		"plain text":     {`{"server":"http://127.0.0.1:1"}`, `{"token":"good"}`, false, facts.Connected{Outcome: facts.ConnectNotTried, Reason: "a credential is sent over https only, to a server that is a plain URL"}},
		"a program":      {clusterAt(server), `{"exec":{"apiVersion":"client.authentication.k8s.io/v1","command":"touch","args":["/tmp/no"]}}`, false, facts.Connected{Outcome: facts.ConnectNotTried, Reason: "a credential of kind exec is not used from here"}},
		"a file":         {clusterAt(server), `{"tokenFile":"/etc/passwd"}`, false, facts.Connected{Outcome: facts.ConnectNotTried, Reason: "a credential of kind token file is not used from here"}},
		"a CA file":      {fmt.Sprintf(`{"server":%q,"certificate-authority":"/etc/passwd"}`, server.URL), `{"token":"good"}`, false, facts.Connected{Outcome: facts.ConnectNotTried, Reason: "the kubeconfig names a file, which is not read here"}},
		"a proxy":        {strings.Replace(clusterAt(server), `{"server"`, `{"proxy-url":"http://127.0.0.1:1","server"`, 1), `{"token":"good"}`, false, facts.Connected{Outcome: facts.ConnectNotTried, Reason: "the kubeconfig names a proxy, which is not used from here"}},
		"impersonation":  {clusterAt(server), `{"token":"good","as":"admin"}`, false, facts.Connected{Outcome: facts.ConnectNotTried, Reason: "the kubeconfig impersonates somebody, which is not done from here"}},
	} {
		t.Run(name, func(t *testing.T) {
			one, ok := newCredential(kubeconfigOf(c.cluster, c.user))
			if !ok {
				t.Fatal("no credential")
			}
			key := facts.SecretKey{Context: "east"}
			servers := []string{server.URL, away.URL, flood.URL, closed.URL}
			if c.strange {
				servers = nil
			}
			got := (&Credentials{of: map[facts.SecretKey]credential{key: one}}).Try(t.Context(), key, servers)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, r := range *heard {
		if r.Header.Get("Authorization") == "" || r.Header.Get("Impersonate-User") != "" {
			t.Errorf("%s %s with %v", r.Method, r.URL, r.Header)
		}
	}
	// What its context ends is not waited for.
	ended, end := context.WithCancel(t.Context())
	end()
	if got := (&Credentials{}).Try(ended, facts.SecretKey{}, nil); got.Outcome != facts.ConnectNotTried {
		t.Errorf("%+v", got)
	}
}

func TestForbiddenAddresses(t *testing.T) {
	for address, want := range map[string][2]bool{ // unknown, known
		"10.0.0.1": {false, false}, "203.0.113.9": {false, false}, "127.0.0.1": {true, false}, "::1": {true, false}, "::ffff:127.0.0.1": {true, false},
		"169.254.169.254": {true, true}, "::ffff:169.254.169.254": {true, true}, "fe80::1": {true, true}, "fe80::1%eth0": {true, true}, "0.0.0.0": {true, true}, "::": {true, true},
		"100.100.100.200": {true, true}, "fd00:ec2::254": {true, true}, "224.0.0.1": {true, true}, "fd00::1": {false, false},
		"64:ff9b::169.254.169.254": {true, true}, "64:ff9b::127.0.0.1": {true, false}, "64:ff9b::10.0.0.1": {false, false},
	} {
		a := netip.MustParseAddr(address)
		if got := [2]bool{forbidden(a, false), forbidden(a, true)}; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
