package bed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// Istiod is a running control plane.
type Istiod struct {
	*process
	cluster *Cluster
	env     map[string]string
	ports   istiodPorts
}

// istiodPorts are the ports of a control plane, all on 127.0.0.1.
type istiodPorts struct {
	http, grpc, secureGRPC, https, monitoring int
}

// istiodConfig is what a control plane is started with.
type istiodConfig struct {
	binary, kubeconfig string
	env                map[string]string
	// nameServer is what it asks for the addresses of gateways.
	nameServer string
}

// startIstiod starts the control plane of a cluster and waits until it is ready.
func startIstiod(ctx context.Context, c *Cluster, spec topology.Cluster, config istiodConfig) (*Istiod, error) {
	dir := filepath.Join(c.server.dir, "istiod")
	// What an earlier one was given is not for this one.
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("empty the directory of istiod: %w", err)
	}
	if err := c.mountSecret(ctx, "cacerts", filepath.Join(dir, "cacerts")); err != nil {
		return nil, err
	}
	return withFreePort(freePort, func(int) (*Istiod, error) {
		var ports istiodPorts
		for _, port := range []*int{&ports.http, &ports.grpc, &ports.secureGRPC, &ports.https, &ports.monitoring} {
			var err error
			if *port, err = freePort(); err != nil {
				return nil, err
			}
		}
		p, err := startProcessIn("istiod", dir, config.environ(dir), config.binary, istiodFlags(spec, ports, config.kubeconfig)...)
		if err != nil {
			return nil, err
		}
		i := &Istiod{process: p, cluster: c, env: config.env, ports: ports}
		err = awaitReady(ctx, p, func(ctx context.Context) error {
			return getOK(ctx, http.DefaultClient, i.URL()+"/ready")
		})
		if err != nil {
			p.stop(0)
			return nil, err
		}
		return i, nil
	})
}

// mountSecret writes the files of a secret of the control plane, if there is one,
// as a kubelet would.
func (c *Cluster) mountSecret(ctx context.Context, name, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of secret %s: %w", name, err)
	}
	var secret corev1.Secret
	if err := c.get(ctx, secrets, topology.SystemNamespace, name, &secret); ignoreNotFound(err) != nil {
		return fmt.Errorf("mount secret %s: %w", name, err)
	}
	for file, content := range secret.Data {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			return fmt.Errorf("mount secret %s: %w", name, err)
		}
	}
	return nil
}

// environ is the environment of the process, which runs in dir.
func (c istiodConfig) environ(dir string) []string {
	environ := []string{
		"HOME=" + dir,
		"TMPDIR=" + dir,
		"ROOT_CA_DIR=" + filepath.Join(dir, "cacerts"),
		"BED_DNS_SERVER=" + c.nameServer,
	}
	for name, value := range c.env {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// istiodFlags are the flags of a control plane. It finds its configuration where
// users have theirs, in the ConfigMaps of its cluster.
func istiodFlags(spec topology.Cluster, ports istiodPorts, kubeconfig string) []string {
	address := func(flag string, port int) string { return fmt.Sprintf("--%s=127.0.0.1:%d", flag, port) }
	return []string{
		"discovery",
		"--kubeconfig=" + kubeconfig,
		"--clusterID=" + spec.ID,
		address("httpAddr", ports.http),
		address("grpcAddr", ports.grpc),
		address("secureGRPCAddr", ports.secureGRPC),
		address("httpsAddr", ports.https),
		address("monitoringAddr", ports.monitoring),
		"--ctrlz_address=127.0.0.1",
		"--ctrlz_port=0",
		"--shutdownDuration=0s",
		"--kubernetesApiQPS=1000",
		"--kubernetesApiBurst=1000",
	}
}

// Cluster is the cluster of the control plane.
func (i *Istiod) Cluster() *Cluster { return i.cluster }

// URL is where the control plane serves its debug endpoints.
func (i *Istiod) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", i.ports.http) }

// GRPC is the host and port at which it serves xDS in plain text.
func (i *Istiod) GRPC() string { return fmt.Sprintf("127.0.0.1:%d", i.ports.grpc) }

// SecureGRPC is the host and port at which it serves xDS, and signs certificates,
// over TLS.
func (i *Istiod) SecureGRPC() string { return fmt.Sprintf("127.0.0.1:%d", i.ports.secureGRPC) }

// injectURL is where it injects pods. Its certificate is for this name.
func (i *Istiod) injectURL(path string) string {
	return fmt.Sprintf("https://localhost:%d%s", i.ports.https, path)
}

// forwards lead port-forwards to its pod to it.
func (i *Istiod) forwards() []Forward {
	var forwards []Forward
	for port, to := range map[int32]int{
		8080: i.ports.http, 15010: i.ports.grpc, 15012: i.ports.secureGRPC, 15014: i.ports.monitoring, 15017: i.ports.https,
	} {
		forwards = append(forwards, Forward{
			Name:       fmt.Sprintf("istiod-%d", port),
			Namespaces: []string{topology.SystemNamespace},
			Pods:       []string{topology.IstiodPod},
			Port:       port,
			To:         fmt.Sprintf("127.0.0.1:%d", to),
		})
	}
	return forwards
}

// Debug returns what a debug endpoint says, such as /debug/clusterz.
func (i *Istiod) Debug(ctx context.Context, path string) ([]byte, error) {
	url := i.URL() + "/" + strings.TrimPrefix(path, "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask istiod of %s for %s: %w", i.cluster.name, path, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask istiod of %s for %s: %w", i.cluster.name, path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("ask istiod of %s for %s: %w", i.cluster.name, path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask istiod of %s for %s: %s: %s", i.cluster.name, path, resp.Status, lastLines(string(body), 3))
	}
	return body, nil
}
