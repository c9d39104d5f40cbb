package istiod

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// patience is how long istiod may take to come to what is predicted. It gathers
// changes for a tenth of a second or more before it tells them.
const patience = 15 * time.Second

// tally is what was compared.
type tally struct{ topologies, planes, clusters, gateways, pods, sources, services, endpoints, routes int }

// TestTopologies draws topologies and holds the predictions of each against its
// istiods.
func TestTopologies(t *testing.T) {
	var n tally
	for i := range *topologies {
		seed := *seed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			top := draw(seed)
			n.topologies++
			hold(t, top, &n)
			if t.Failed() {
				text, err := yaml.Marshal(top)
				t.Logf("the topology, which -run TestTopologies -topologies 1 -seed %d draws again: %v\n%s", seed, err, text)
			}
		})
	}
	t.Logf("held against istiod: %d topologies with %d control planes: %d clusters, %d gateways, the networks of %d pods, %d endpoints of %d services for %d sources, %d routes",
		n.topologies, n.planes, n.clusters, n.gateways, n.pods, n.endpoints, n.services, n.sources, n.routes)
}

func hold(t *testing.T, top topology.Topology, n *tally) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	mesh := start(t, ctx, top)
	defer func() {
		if err := mesh.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	settle(t, ctx, mesh)
	read := readFleet(t, ctx, mesh)
	for _, istiod := range mesh.Istiods() {
		v := istio.ViewOf(read, istiod.Cluster().Name())
		if v == nil {
			t.Fatalf("no control plane is seen in %s", istiod.Cluster().Name())
		}
		v.Hosts = mesh.Topology().Hosts
		n.planes++
		n.clusters += holdClusters(t, ctx, v, istiod, mesh.Topology())
		n.gateways += holdGateways(t, ctx, v, istiod)
		pods := indexPods(read, mesh.Topology(), v)
		n.pods += holdNetworks(t, ctx, v, istiod, pods)
		holdEndpoints(t, ctx, v, istiod, pods, n)
	}
}

// start starts the mesh of a topology, again where a busy machine was not in time.
func start(t *testing.T, ctx context.Context, top topology.Topology) *bed.Mesh {
	t.Helper()
	var failures error
	for range 3 {
		within, cancel := context.WithTimeout(ctx, 90*time.Second)
		t.Cleanup(cancel)
		mesh, err := fleet.StartMesh(within, top)
		if err == nil {
			return mesh
		}
		failures = errors.Join(failures, err)
	}
	t.Fatal(failures)
	return nil
}

// settle lets the control planes see every Service and EndpointSlice once more:
// what istiod makes of them at its start depends in places on which it saw first
// (docs/istiod.md).
func settle(t *testing.T, ctx context.Context, mesh *bed.Mesh) {
	t.Helper()
	patch := []byte(`{"metadata":{"annotations":{"settled":"` + time.Now().Format(time.RFC3339Nano) + `"}}}`)
	for _, spec := range mesh.Topology().Clusters {
		client, err := kubernetes.NewForConfig(fleet.Cluster(spec.Name).RESTConfig(bed.Admin))
		if err != nil {
			t.Fatal(err)
		}
		services, err := client.CoreV1().Services("").List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		slices, err := client.DiscoveryV1().EndpointSlices("").List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range services.Items {
			if _, err := client.CoreV1().Services(s.Namespace).Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range slices.Items {
			if _, err := client.DiscoveryV1().EndpointSlices(s.Namespace).Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// readFleet reads all clusters of a mesh as the plugins do.
func readFleet(t *testing.T, ctx context.Context, mesh *bed.Mesh) *facts.Fleet {
	t.Helper()
	out := &facts.Fleet{At: time.Now()}
	for _, spec := range mesh.Topology().Clusters {
		cluster := survey.Cluster{Context: spec.Name, Config: fleet.Cluster(spec.Name).RESTConfig(bed.Admin), Namespace: topology.SystemNamespace}
		c, err := survey.Read(ctx, cluster, resources.Mesh, resources.Policies)
		if err != nil {
			t.Fatalf("reading %s: %v", spec.Name, err)
		}
		// That a secret's credential or address does not work is not in the objects.
		resources.RemoteSecrets.Edit(&c).Value = slices.DeleteFunc(resources.RemoteSecrets.Of(&c).Value, func(s facts.RemoteSecret) bool {
			return slices.ContainsFunc(broken(mesh.Topology(), spec.Name), func(b topology.RemoteSecret) bool { return b.Name == s.Name })
		})
		out.Clusters = append(out.Clusters, c)
	}
	return out
}

// broken are the remote secrets in a cluster that cannot work.
func broken(top topology.Topology, in string) []topology.RemoteSecret {
	return slices.DeleteFunc(slices.Clone(top.RemoteSecrets), func(s topology.RemoteSecret) bool { return s.In != in || !s.Broken() })
}

// podIndex finds the pods that a control plane sees.
type podIndex struct {
	pods   map[string]*corev1.Pod
	served map[string]bool // cluster IDs whose proxies connect to it
}

func indexPods(read *facts.Fleet, top topology.Topology, v *istio.View) podIndex {
	index := podIndex{pods: map[string]*corev1.Pod{}, served: map[string]bool{}}
	watched, _ := v.Clusters()
	for _, w := range watched {
		for i := range read.Clusters {
			c := &read.Clusters[i]
			if c.Context != w.Context {
				continue
			}
			spec := top.Clusters[slices.IndexFunc(top.Clusters, func(s topology.Cluster) bool { return s.Name == c.Context })]
			index.served[w.ID] = c.Context == v.Context || spec.RemoteOf == v.Context
			for k := range resources.Pods.Of(c).Value {
				p := resources.Pods.Of(c).Value[k].Object()
				index.pods[w.ID+" "+p.Namespace+"/"+p.Name] = p
			}
		}
	}
	return index
}

func (i podIndex) of(p istio.PodNetwork) *corev1.Pod {
	return i.pods[p.Cluster+" "+p.Namespace+"/"+p.Pod]
}

// eventually compares until there is no difference, and fails when there still is
// one after patience has run out.
func eventually(t *testing.T, ctx context.Context, what string, compare func(context.Context) (string, error)) {
	t.Helper()
	wait := patience
	if t.Failed() {
		wait = time.Second // what is wrong already may well be the cause
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	diff := "never asked"
	for ctx.Err() == nil {
		found, err := compare(ctx)
		if err == nil && found == "" {
			return
		}
		if ctx.Err() == nil {
			diff = found
			if err != nil {
				diff = err.Error()
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Errorf("%s (-predicted +istiod):\n%s", what, diff)
}

func differ[T any](predicted, istiod []T) string {
	return cmp.Diff(predicted, istiod, cmpopts.EquateEmpty())
}
