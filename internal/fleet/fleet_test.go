package fleet_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
)

// secret is put wherever a kubeconfig keeps a credential; it may appear nowhere.
const secret = "hunter2-do-not-show"

// TestMain keeps the developer's own kubeconfig and kuberc out of the tests.
func TestMain(m *testing.M) {
	_ = os.Setenv("KUBECONFIG", filepath.Join(os.TempDir(), "there-is-no-such-kubeconfig"))
	_ = os.Setenv("KUBERC", "off")
	os.Exit(m.Run())
}

// entry is a context with a cluster and a user of its own.
type entry struct {
	server string
	ca     []byte
	user   *clientcmdapi.AuthInfo
}

func writeConfig(t *testing.T, current string, entries map[string]entry) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.CurrentContext = current
	for name, e := range entries {
		if e.user == nil {
			e.user = &clientcmdapi.AuthInfo{Token: secret}
		}
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
		config.Clusters[name] = &clientcmdapi.Cluster{Server: e.server, CertificateAuthorityData: e.ca}
		config.AuthInfos[name] = e.user
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// names is a kubeconfig with contexts that nobody connects to.
func names(names ...string) map[string]entry {
	entries := map[string]entry{}
	for _, name := range names {
		entries[name] = entry{server: "https://" + strings.ReplaceAll(strings.ReplaceAll(strings.Map(hostRune, name), "[", ""), "]", "") + ".example"}
	}
	return entries
}

func hostRune(r rune) rune {
	if strings.ContainsRune(":/_*?@ \x1b", r) {
		return '-'
	}
	return r
}

func load(t *testing.T, file string, set func(*fleet.Flags)) *fleet.Kubeconfig {
	t.Helper()
	k, err := tryLoad(file, set, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func tryLoad(file string, set func(*fleet.Flags), stderr io.Writer) (*fleet.Kubeconfig, error) {
	flags := fleet.NewFlags()
	flags.KubeConfig = file
	if set != nil {
		set(flags)
	}
	return fleet.Load(flags, stderr)
}

func all(f *fleet.Flags) { f.AllContexts = true }

func selectAll(t *testing.T, entries map[string]entry) []fleet.Member {
	t.Helper()
	members, _, err := load(t, writeConfig(t, "", entries), all).Select()
	if err != nil {
		t.Fatal(err)
	}
	return members
}

// get asks a member's API server for its namespaces.
func get(ctx context.Context, m fleet.Member) (string, error) {
	config, err := m.Config()
	if err != nil {
		return "", err
	}
	config.APIPath, config.GroupVersion = "/api", &schema.GroupVersion{Version: "v1"}
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return "", err
	}
	err = client.Get().Resource("namespaces").MaxRetries(0).Do(ctx).Into(&corev1.NamespaceList{})
	return "answered", err
}

// serve starts a TLS server; its certificate is signed by the CA that is returned.
func serve(t *testing.T, handler http.HandlerFunc) entry {
	t.Helper()
	return serveWith(t, handler, func(*x509.Certificate) {}, nil)
}

func serveWith(t *testing.T, handler http.HandlerFunc, edit func(*x509.Certificate), tlsConfig *tls.Config) entry {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test-server"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	edit(cert)
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	if tlsConfig == nil {
		tlsConfig = &tls.Config{}
	}
	tlsConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	server.TLS = tlsConfig
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return entry{server: server.URL, ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// namespaces answers as an API server does.
func namespaces(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"kind":"NamespaceList","apiVersion":"v1","items":[]}`)
}

// hang answers when the client is gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// script is an exec credential plugin; ten lines of shell are enough for one.
func script(t *testing.T, body string) *clientcmdapi.AuthInfo {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the plugins of this test are shell scripts")
	}
	file := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return execUser(file)
}

func execUser(command string) *clientcmdapi.AuthInfo {
	return &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		Command: command, Args: []string{secret}, Env: []clientcmdapi.ExecEnvVar{{Name: "SECRET", Value: secret}},
		APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.IfAvailableExecInteractiveMode,
	}}
}

const givesToken = `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"` + secret + `"}}'`

// safeBuffer is a buffer that several goroutines may write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// checkShown fails if a message has in it what no message may have.
func checkShown(t *testing.T, message string) {
	t.Helper()
	if strings.Contains(message, secret) {
		t.Errorf("a credential is shown: %s", message)
	}
	if i := strings.IndexFunc(message, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		t.Errorf("a control character is shown: %q", message)
	}
}
