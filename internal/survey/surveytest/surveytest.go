// Package surveytest has API servers for the tests of what is read of clusters.
package surveytest

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Serve starts an API server without TLS.
func Serve(t *testing.T, handler http.Handler) survey.Cluster {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return At(&rest.Config{Host: server.URL})
}

// ServeTLS starts an API server with TLS and HTTP/2, which counts its handshakes.
func ServeTLS(t *testing.T, handler http.Handler) (cluster survey.Cluster, handshakes *atomic.Int32) {
	t.Helper()
	handshakes = new(atomic.Int32)
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{VerifyConnection: func(tls.ConnectionState) error {
		handshakes.Add(1)
		return nil
	}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return At(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{
		CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
	}}), handshakes
}

// At is the cluster that a config leads to, without a limit on requests.
func At(config *rest.Config) survey.Cluster {
	config.QPS = -1
	return survey.Cluster{Context: "east", Config: config, Namespace: istiotest.System}
}

// Read reads rows of a cluster, and fails the test where it cannot be reached.
func Read(t *testing.T, cluster survey.Cluster, rows ...resource.Rows) facts.Cluster {
	t.Helper()
	got, err := survey.Read(t.Context(), cluster, rows...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
