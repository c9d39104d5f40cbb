package bed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// kubelets are what makes a cluster of an API server: the controllers, and what
// plays the kubelets of its nodes.
type kubelets struct {
	controllers, kwok *process
	// programs is the folder of the commands that can be run in pods.
	programs string
}

// meshBinaries are the programs that a mesh needs beside those of every fleet.
type meshBinaries struct {
	controllers, kwok, istiod string
}

// buildMesh compiles what a mesh needs.
func buildMesh(ctx context.Context, log io.Writer) (meshBinaries, error) {
	var b meshBinaries
	for name, path := range map[string]*string{
		"kube-controller-manager": &b.controllers, "kwok": &b.kwok, "istiod": &b.istiod,
	} {
		var err error
		if *path, err = Build(ctx, name, log); err != nil {
			return b, err
		}
	}
	return b, nil
}

// ensureKubelets defines the custom resources of a mesh and starts controllers
// and kwok, unless that has been done before. Reset leaves all of that alone.
func (c *Cluster) ensureKubelets(ctx context.Context, binaries meshBinaries, kubeconfig string) error {
	if c.kubelets != nil {
		return nil
	}
	k := &kubelets{programs: c.server.dir + string(os.PathSeparator) + "programs"}
	if err := os.MkdirAll(k.programs, 0o700); err != nil {
		return fmt.Errorf("make the folder of the pods' commands: %w", err)
	}
	var starting sync.WaitGroup
	var controllersErr error
	starting.Go(func() {
		k.controllers, controllersErr = startControllers(ctx, c, binaries.controllers, kubeconfig)
	})
	// kwok watches resources that have to be defined before.
	err := c.keepDefinitions(ctx)
	if err == nil {
		k.kwok, err = startKwok(ctx, c, binaries.kwok, kubeconfig, k.programs, freePort)
	}
	starting.Wait()
	if err := errors.Join(err, controllersErr); err != nil {
		k.stop()
		return err
	}
	c.kubelets, c.client.controllers = k, true
	return nil
}

// keepDefinitions defines the custom resources of a mesh, as if they had always
// been there.
func (c *Cluster) keepDefinitions(ctx context.Context) error {
	if err := c.apply(ctx, meshDefinitions()...); err != nil {
		return fmt.Errorf("define the resources of a mesh: %w", err)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for key := range c.changes.all() {
		if key.kind == crds.GroupResource() {
			c.changes.forget(key)
		}
	}
	return nil
}

// stop ends the processes.
func (k *kubelets) stop() {
	var stopping sync.WaitGroup
	for _, p := range []*process{k.controllers, k.kwok} {
		if p != nil {
			stopping.Go(func() { p.stop(stopGrace) })
		}
	}
	stopping.Wait()
}
