package bed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// stopGrace is how long a server may take to end before it is killed. Nothing
// that it could still do is of use to anybody.
const stopGrace = 2 * time.Second

// Fleet is a set of running clusters.
type Fleet struct {
	dir        *workdir
	tokens     map[string]string
	etcd       *etcd
	clusters   []*Cluster
	kubeconfig string
	stop       sync.Once
	stopErr    error

	log       io.Writer
	meshMutex sync.Mutex
	mesh      *Mesh
}

// Start compiles the servers, if that has not been done before, and starts a
// fleet. The context ends the start, not the fleet: Stop does. If this process
// dies without having stopped the fleet, its servers end all the same.
func Start(ctx context.Context, config Config) (*Fleet, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	etcdBinary, err := Build(ctx, "etcd", config.Log)
	if err != nil {
		return nil, err
	}
	serverBinary, err := Build(ctx, "kube-apiserver", config.Log)
	if err != nil {
		return nil, err
	}
	dir, err := newWorkdir(config.Dir)
	if err != nil {
		return nil, err
	}
	f := &Fleet{dir: dir, tokens: newTokens(), log: config.Log}
	if err := f.start(ctx, config.Clusters, etcdBinary, serverBinary); err != nil {
		return nil, errors.Join(err, f.Stop())
	}
	return f, nil
}

// start starts the servers and writes the kubeconfig.
func (f *Fleet) start(ctx context.Context, names []string, etcdBinary, serverBinary string) error {
	var err error
	if f.etcd, err = startEtcd(ctx, etcdBinary, f.dir.join("etcd"), freePort); err != nil {
		return err
	}

	f.clusters = make([]*Cluster, len(names))
	err = inParallel(len(names), names, func(name string) error {
		cluster, err := startCluster(ctx, clusterConfig{
			name:   name,
			binary: serverBinary,
			dir:    f.dir.join("clusters", name),
			etcd:   f.etcd.url,
			tokens: f.tokens,
			ports:  freePort,
		})
		if err != nil {
			return fmt.Errorf("start cluster %s: %w", name, err)
		}
		f.clusters[slices.Index(names, name)] = cluster
		return nil
	})
	if err != nil {
		return err
	}

	contexts := make([]Context, len(names))
	for i, name := range names {
		contexts[i] = Context{Name: name, Cluster: name, User: Admin}
	}
	f.kubeconfig = f.dir.join("kubeconfig")
	return f.WriteKubeconfig(f.kubeconfig, contexts)
}

// Stop ends all servers and removes the fleet's directory. Further calls do
// nothing.
func (f *Fleet) Stop() error {
	f.stop.Do(func() {
		if mesh := f.Mesh(); mesh != nil {
			mesh.stopPlanes()
		}
		var servers sync.WaitGroup
		for _, cluster := range f.clusters {
			if cluster != nil {
				servers.Go(func() { cluster.stop(stopGrace) })
			}
		}
		servers.Wait()
		if f.etcd != nil {
			f.etcd.stop(stopGrace)
		}
		f.stopErr = f.dir.remove()
	})
	return f.stopErr
}

// Clusters returns the clusters in the order of the configuration.
func (f *Fleet) Clusters() []*Cluster { return slices.Clone(f.clusters) }

// Cluster returns the cluster of that name, or nil if the fleet has none.
func (f *Fleet) Cluster(name string) *Cluster {
	for _, cluster := range f.clusters {
		if cluster.name == name {
			return cluster
		}
	}
	return nil
}

// Kubeconfig is the path of a kubeconfig with a context per cluster, each named
// like its cluster and for the user Admin.
func (f *Fleet) Kubeconfig() string { return f.kubeconfig }
