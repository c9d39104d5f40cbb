package bed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// apiServer is the process that is a cluster.
type apiServer struct {
	*process
	dir string
	url string
	ca  *authority
}

// startAPIServer starts a kube-apiserver and waits until it is ready.
func startAPIServer(ctx context.Context, config clusterConfig) (*apiServer, error) {
	ca, err := writeServerFiles(config)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS12},
	}}
	defer client.CloseIdleConnections()

	return withFreePort(config.ports, func(port int) (*apiServer, error) {
		p, err := startProcess("kube-apiserver", config.dir, config.binary, serverFlags(config, port)...)
		if err != nil {
			return nil, err
		}
		url := fmt.Sprintf("https://127.0.0.1:%d", port)
		err = awaitReady(ctx, p, func(ctx context.Context) error {
			return getOK(ctx, client, url+"/readyz")
		})
		if err != nil {
			p.stop(0)
			return nil, err
		}
		return &apiServer{process: p, dir: config.dir, url: url, ca: ca}, nil
	})
}

// writeServerFiles writes the files that the flags name.
func writeServerFiles(config clusterConfig) (*authority, error) {
	ca, err := newAuthority(config.name)
	if err != nil {
		return nil, err
	}
	file := func(name string) string { return filepath.Join(config.dir, name) }
	if err := ca.issueServing(file("serving.crt"), file("serving.key")); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file("ca.crt"), ca.pem, 0o600); err != nil {
		return nil, fmt.Errorf("write the CA: %w", err)
	}
	if err := newKeyFile(file("sa.key")); err != nil {
		return nil, err
	}
	if err := writeTokenFile(file("tokens.csv"), config.tokens); err != nil {
		return nil, err
	}
	return ca, nil
}

// serverFlags are the flags of the API server, which runs in the directory of
// its files.
func serverFlags(config clusterConfig, port int) []string {
	const issuer = "https://kubernetes.default.svc"
	return []string{
		"--etcd-servers=" + config.etcd,
		"--etcd-prefix=/" + config.name,
		fmt.Sprintf("--secure-port=%d", port),
		"--bind-address=127.0.0.1",
		"--tls-cert-file=serving.crt",
		"--tls-private-key-file=serving.key",
		"--cert-dir=.",
		"--token-auth-file=tokens.csv",
		"--authorization-mode=RBAC",
		"--service-account-key-file=sa.key",
		"--service-account-signing-key-file=sa.key",
		"--service-account-issuer=" + issuer,
		"--api-audiences=" + issuer + ",istio-ca",
		"--service-cluster-ip-range=10.96.0.0/12",
		// No controller makes the service accounts that pods would need.
		"--disable-admission-plugins=ServiceAccount",
		// The default service would lead to an address outside this machine.
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		// Where kwok plays the kubelets: names of nodes are nobody's.
		"--kubelet-preferred-address-types=InternalIP",
		// What a fleet that lives for minutes has no use for.
		"--profiling=false",
		"--etcd-compaction-interval=0",
		"--etcd-count-metric-poll-period=0",
	}
}

// pool is a pool of only this authority.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}
