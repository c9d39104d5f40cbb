package bed

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Cluster is one running API server, and what a test has put into it.
type Cluster struct {
	name   string
	server *apiServer
	tokens map[string]string
	client *client

	// mutex makes Apply, Delete and Reset one after the other.
	mutex sync.Mutex
	// changes are what Reset has to undo.
	changes changes

	// kubelets make the cluster more than an API server. They are nil until
	// the cluster is part of a mesh.
	kubelets *kubelets
}

// clusterConfig is what it takes to start a cluster.
type clusterConfig struct {
	name   string
	binary string
	dir    string
	etcd   string
	tokens map[string]string
	ports  portSource
}

// startCluster starts an API server and waits until the cluster holds what
// every cluster does.
func startCluster(ctx context.Context, config clusterConfig) (_ *Cluster, err error) {
	if err := os.MkdirAll(config.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the cluster: %w", err)
	}
	server, err := startAPIServer(ctx, config)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			server.stop(0)
		}
	}()
	c := &Cluster{name: config.name, server: server, tokens: config.tokens}
	if c.client, err = newClient(c.RESTConfig(Admin)); err != nil {
		return nil, err
	}
	if err := c.awaitBuiltins(ctx); err != nil {
		return nil, server.failure(err)
	}
	if err := c.grantViewer(ctx, namespaces.GroupResource()); err != nil {
		return nil, server.failure(err)
	}
	return c, nil
}

// stop ends all processes of the cluster.
func (c *Cluster) stop(grace time.Duration) {
	if c.kubelets != nil {
		c.kubelets.stop()
	}
	c.server.stop(grace)
}

// Name is the name of the cluster.
func (c *Cluster) Name() string { return c.name }

// URL is the address of the API server.
func (c *Cluster) URL() string { return c.server.url }

// CA is the certificate, in PEM, that the API server's own is signed with.
func (c *Cluster) CA() []byte { return c.server.ca.pem }

// RESTConfig returns how a client connects as one of the users, without a limit
// to its requests. A user that does not exist gets no credentials.
func (c *Cluster) RESTConfig(user string) *rest.Config {
	return &rest.Config{
		Host:            c.server.url,
		BearerToken:     c.tokens[user],
		TLSClientConfig: rest.TLSClientConfig{CAData: c.server.ca.pem},
		QPS:             -1,
	}
}
