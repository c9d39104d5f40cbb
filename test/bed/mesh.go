package bed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// Mesh is a topology that runs in the clusters of a fleet: with controllers,
// kubelets, and a control plane in each cluster that has one of its own.
type Mesh struct {
	fleet    *Fleet
	topology topology.Topology
	root     *meshCA
	binaries meshBinaries
	names    *nameServer

	mutex   sync.Mutex
	istiods map[string]*Istiod
	// changes are what the mesh has done to each cluster. Reset undoes only
	// what comes after.
	changes map[string]map[objectKey]origin
}

// StartMesh makes clusters of the fleet what a topology says, and returns when
// the control planes are ready, know each other's clusters, and the endpoints of
// all services are those of the pods. The first mesh of a cluster makes it wait
// for its controllers; they remain for the next. A fleet has one mesh at a time.
func (f *Fleet) StartMesh(ctx context.Context, t topology.Topology) (*Mesh, error) {
	resolved, err := t.Resolve()
	if err != nil {
		return nil, err
	}
	for _, c := range resolved.Clusters {
		if f.Cluster(c.Name) == nil {
			return nil, fmt.Errorf("the topology has a cluster %s, and the fleet has not", c.Name)
		}
	}
	f.meshMutex.Lock()
	defer f.meshMutex.Unlock()
	if f.mesh != nil {
		return nil, errors.New("the fleet has a mesh already; stop it first")
	}
	m := &Mesh{fleet: f, topology: resolved, istiods: map[string]*Istiod{}, changes: map[string]map[objectKey]origin{}}
	if m.binaries, err = buildMesh(ctx, f.log); err != nil {
		return nil, err
	}
	if m.root, err = newMeshCA(); err != nil {
		return nil, err
	}
	if m.names, err = startNameServer(resolved.Hosts); err != nil {
		return nil, err
	}
	f.mesh = m
	if err := m.start(ctx); err != nil {
		f.mesh = nil
		return nil, fmt.Errorf("start the mesh: %w", errors.Join(err, m.end(context.WithoutCancel(ctx))))
	}
	return m, nil
}

// StartTopology is Start for the clusters of a topology, beside those of the
// configuration, and StartMesh.
func StartTopology(ctx context.Context, t topology.Topology, config Config) (*Fleet, error) {
	config = config.withDefaults()
	if _, err := t.Resolve(); err != nil {
		return nil, err
	}
	// What takes long comes first.
	if _, err := buildMesh(ctx, config.Log); err != nil {
		return nil, err
	}
	names := append(slices.Clone(config.Clusters), t.Names()...)
	slices.Sort(names)
	config.Clusters = slices.Compact(names)
	fleet, err := Start(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := fleet.StartMesh(ctx, t); err != nil {
		return nil, errors.Join(err, fleet.Stop())
	}
	return fleet, nil
}

// Mesh is the mesh that runs in the fleet, or nil.
func (f *Fleet) Mesh() *Mesh {
	f.meshMutex.Lock()
	defer f.meshMutex.Unlock()
	return f.mesh
}

// Topology is the topology of the mesh, with its defaults filled in.
func (m *Mesh) Topology() topology.Topology { return m.topology }

// Istiod is the control plane of a cluster, or nil if the cluster has none of
// its own.
func (m *Mesh) Istiod(cluster string) *Istiod {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.istiods[cluster]
}

// Istiods are the control planes, in the order of the clusters.
func (m *Mesh) Istiods() []*Istiod {
	var all []*Istiod
	for _, c := range m.topology.Clusters {
		if i := m.Istiod(c.Name); i != nil {
			all = append(all, i)
		}
	}
	return all
}

// Freeze ends the controllers of all clusters for good: EndpointSlices stay as they are,
// also those that were not made by them.
func (m *Mesh) Freeze() {
	for _, c := range m.fleet.Clusters() {
		if c.kubelets != nil {
			c.kubelets.controllers.stop(stopGrace)
		}
	}
}

// start does what StartMesh says. What needs nothing of other clusters happens
// in all of them at once.
func (m *Mesh) start(ctx context.Context) error {
	for _, step := range []func(context.Context, *Cluster, topology.Cluster) error{
		m.prepare, m.startPlane, m.inject, m.settle,
	} {
		err := inParallel(len(m.topology.Clusters), m.topology.Clusters, func(spec topology.Cluster) error {
			cluster := m.fleet.Cluster(spec.Name)
			if err := step(ctx, cluster, spec); err != nil {
				return fmt.Errorf("cluster %s: %w", spec.Name, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, spec := range m.topology.Clusters {
		m.changes[spec.Name] = m.fleet.Cluster(spec.Name).changes.take()
	}
	return nil
}

// prepare gives a cluster its kubelets and what other clusters' control planes
// need of it.
func (m *Mesh) prepare(ctx context.Context, c *Cluster, spec topology.Cluster) error {
	kubeconfig, err := m.fleet.ownKubeconfig(c)
	if err != nil {
		return err
	}
	if err := c.ensureKubelets(ctx, m.binaries, kubeconfig); err != nil {
		return err
	}
	root := m.root
	if spec.OwnRoot {
		if root, err = newMeshCA(); err != nil {
			return err
		}
	}
	ca, err := root.issue(spec.Name)
	if err != nil {
		return err
	}
	system, err := spec.SystemObjects(ca)
	if err != nil {
		return err
	}
	if err := c.apply(ctx, append(system, localExec())...); err != nil {
		return err
	}
	return c.issueReaderToken(ctx)
}

// startPlane starts the control plane of a cluster, with its remote secrets,
// while the cluster is filled with all but pods.
func (m *Mesh) startPlane(ctx context.Context, c *Cluster, spec topology.Cluster) error {
	objects, err := contents(spec)
	if err != nil {
		return err
	}
	var filling sync.WaitGroup
	var fillErr error
	filling.Go(func() { fillErr = c.apply(ctx, objects...) })
	if spec.RemoteOf == "" {
		err = m.startIstiod(ctx, c, spec)
	}
	filling.Wait()
	return errors.Join(err, fillErr)
}

// startIstiod gives a cluster its remote secrets and starts its control plane.
func (m *Mesh) startIstiod(ctx context.Context, c *Cluster, spec topology.Cluster) error {
	for _, secret := range m.topology.RemoteSecrets {
		if secret.In != spec.Name {
			continue
		}
		object, err := m.fleet.remoteSecret(ctx, secret)
		if err != nil {
			return err
		}
		if err := c.apply(ctx, object); err != nil {
			return err
		}
	}
	kubeconfig, err := m.fleet.ownKubeconfig(c)
	if err != nil {
		return err
	}
	istiod, err := startIstiod(ctx, c, spec, istiodConfig{
		binary:     m.binaries.istiod,
		kubeconfig: kubeconfig,
		env:        m.topology.IstiodEnv(spec),
		nameServer: m.names.address(),
	})
	if err != nil {
		return err
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.istiods[spec.Name] = istiod
	return nil
}

// contents is all that a cluster holds but pods.
func contents(spec topology.Cluster) ([]runtime.Object, error) {
	manifests, err := parseManifests([]byte(spec.Manifests))
	if err != nil {
		return nil, fmt.Errorf("manifests: %w", err)
	}
	return slices.Concat(spec.NodeObjects(), spec.NamespaceObjects(), spec.ServiceObjects(),
		spec.GatewayResources(), spec.DeploymentObjects(), asObjects(manifests)), nil
}

// asObjects are objects of any kind.
func asObjects(manifests []*unstructured.Unstructured) []runtime.Object {
	objects := make([]runtime.Object, len(manifests))
	for i, object := range manifests {
		objects[i] = object
	}
	return objects
}

// Stop ends the control planes and empties the clusters of all that the mesh has
// put into them. Controllers and kubelets remain for the next mesh.
func (m *Mesh) Stop(ctx context.Context) error {
	m.fleet.meshMutex.Lock()
	defer m.fleet.meshMutex.Unlock()
	if m.fleet.mesh != m {
		return nil
	}
	m.fleet.mesh = nil
	if err := m.end(ctx); err != nil {
		return fmt.Errorf("stop the mesh: %w", err)
	}
	return nil
}

// end does what Stop says.
func (m *Mesh) end(ctx context.Context) error {
	m.stopPlanes()
	return inParallel(len(m.topology.Clusters), m.topology.Clusters, func(spec topology.Cluster) error {
		c := m.fleet.Cluster(spec.Name)
		c.changes.giveBack(m.changes[spec.Name])
		if err := c.sweep(ctx); err != nil {
			return fmt.Errorf("cluster %s: %w", spec.Name, err)
		}
		return c.Reset(ctx)
	})
}

// stopPlanes ends the control planes.
func (m *Mesh) stopPlanes() {
	var stopping sync.WaitGroup
	for _, istiod := range m.Istiods() {
		// It would take its time to hand over what nobody takes.
		stopping.Go(func() { istiod.stop(0) })
	}
	stopping.Wait()
	m.names.close()
}

// ownKubeconfig is the path of a kubeconfig of one cluster for the servers that
// belong to it.
func (f *Fleet) ownKubeconfig(c *Cluster) (string, error) {
	path := strings.Join([]string{c.server.dir, "admin.kubeconfig"}, "/")
	return path, f.WriteKubeconfig(path, []Context{{Cluster: c.name, User: Admin}})
}
