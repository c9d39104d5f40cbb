package bed

import (
	"context"
	"crypto/tls"
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// kwokConfig are the rules by which kwok makes nodes and pods ready, and lets
// commands run in pods.
//
//go:embed kwok.yaml
var kwokConfig []byte

// startKwok starts what plays the kubelets of a cluster and waits until it
// serves. Commands in pods are those in programs.
func startKwok(ctx context.Context, c *Cluster, binary, kubeconfig, programs string, ports portSource) (*process, error) {
	file := func(name string) string { return filepath.Join(c.server.dir, name) }
	if err := os.WriteFile(file("kwok.yaml"), kwokConfig, 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration of kwok: %w", err)
	}
	if err := c.server.ca.issueServing(file("kubelet.crt"), file("kubelet.key")); err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: c.server.ca.pool(), MinVersion: tls.VersionTLS12},
	}}
	defer client.CloseIdleConnections()

	return withFreePort(ports, func(port int) (*process, error) {
		address := fmt.Sprintf("127.0.0.1:%d", port)
		p, err := startProcessIn("kwok", c.server.dir, []string{"PATH=" + programs, "HOME=" + c.server.dir}, binary,
			"--kubeconfig="+kubeconfig,
			"--config=kwok.yaml",
			"--manage-all-nodes",
			"--node-ip=127.0.0.1",
			fmt.Sprintf("--node-port=%d", port),
			"--server-address="+address,
			"--tls-cert-file=kubelet.crt",
			"--tls-private-key-file=kubelet.key",
			"--node-lease-duration-seconds=0",
			"--enable-crds=ClusterExec,ClusterPortForward",
		)
		if err != nil {
			return nil, err
		}
		err = awaitReady(ctx, p, func(ctx context.Context) error {
			return getOK(ctx, client, "https://"+address+"/healthz")
		})
		if err != nil {
			p.stop(0)
			return nil, fmt.Errorf("start the kubelets: %w", err)
		}
		return p, nil
	})
}
