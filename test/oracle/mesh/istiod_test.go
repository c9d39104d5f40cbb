package mesh

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	meshapi "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pilot/pkg/serviceregistry"
	kube "istio.io/istio/pilot/pkg/serviceregistry/kube/controller"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	"istio.io/istio/pkg/config/schema/gvr"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/mcs"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// istiod is what of istiod decides about networks and endpoints, run on the
// objects of some clusters.
type istiod struct {
	*core.ConfigGenTest
	registries map[string]*kube.FakeController
	clients    map[string]kubelib.Client
	pods       map[string]*corev1.Pod // by cluster/namespace/name
}

// late passes events on to an updater that is made after those that send them.
type late struct{ model.XDSUpdater }

// start runs it for the control plane of a cluster, which reads the clusters of
// the view in the view's order.
func start(t testing.TB, fleet *topology.Fleet, own *topology.Cluster, clusters []istio.Watched) *istiod {
	t.Helper()
	config := configMap(own)
	meshConfig, err := mesh.ApplyMeshConfigDefaults(config[istio.MeshConfigKey])
	if err != nil {
		t.Fatal(err)
	}
	networks, err := mesh.ParseMeshNetworks(config[istio.MeshNetworksKey])
	if err != nil {
		networks = &meshapi.MeshNetworks{}
	}
	watcher := meshwatcher.NewFixedNetworksWatcher(networks)
	updater := &late{}
	i := &istiod{registries: map[string]*kube.FakeController{}, clients: map[string]kubelib.Client{}, pods: map[string]*corev1.Pod{}}
	var registries []serviceregistry.Instance
	for _, w := range clusters {
		c := byContext(fleet, w.Context)
		if c == nil {
			t.Fatalf("there is no cluster %q for %s", w.Context, w.ID)
		}
		for _, o := range c.Objects {
			if p, ok := o.(*corev1.Pod); ok {
				i.pods[w.ID+"/"+p.Namespace+"/"+p.Name] = p
			}
		}
		client := kubelib.NewFakeClient(kubernetesObjects(t, c)...)
		i.clients[w.ID] = client
		registry, _ := kube.NewFakeControllerWithOptions(t, kube.FakeControllerOptions{
			Client: client, CRDs: []schema.GroupVersionResource{gvr.KubernetesGateway, mcs.ServiceExportGVR},
			ClusterID: cluster.ID(w.ID), DomainSuffix: "cluster.local", SystemNamespace: topology.System,
			MeshWatcher: meshwatcher.NewTestWatcher(meshConfig), NetworksWatcher: watcher, XDSUpdater: updater,
			ConfigCluster: c == own, SkipRun: true,
		})
		export(t, client, c)
		i.registries[w.ID] = registry
		registries = append(registries, registry)
	}
	i.ConfigGenTest = core.NewConfigGenTest(t, core.TestOptions{
		Configs: policies(t, own, i.clients[clusters[0].ID].ObjectFilter().Filter), MeshConfig: meshConfig, NetworksWatcher: watcher,
		ServiceRegistries: registries, ClusterID: cluster.ID(clusters[0].ID), XDSUpdater: updater, SkipRun: true,
	})
	updater.XDSUpdater = model.NewEndpointIndexUpdater(i.Env().EndpointIndex)
	i.Run()
	for _, w := range clusters {
		i.settle(t, w.ID, i.clients[w.ID], byContext(fleet, w.Context))
	}
	if err := i.Env().InitNetworksManager(updater); err != nil {
		t.Fatal(err)
	}
	i.PushContext().InitContext(i.Env(), nil, nil)
	return i
}

func byContext(fleet *topology.Fleet, context string) *topology.Cluster {
	for _, c := range fleet.Clusters {
		if c.Context == context {
			return c
		}
	}
	return nil
}

// configMap is the data of the mesh config of a cluster.
func configMap(c *topology.Cluster) map[string]string {
	for _, o := range c.Objects {
		if cm, ok := o.(*corev1.ConfigMap); ok && cm.Name == istio.MeshConfigMap {
			return cm.Data
		}
	}
	return nil
}

// kubernetesObjects are those that istiod's clients for Kubernetes serve.
func kubernetesObjects(t testing.TB, c *topology.Cluster) []runtime.Object {
	var out []runtime.Object
	for _, o := range c.Objects {
		switch groupOf(t, o) {
		case "", "discovery.k8s.io":
			out = append(out, o.DeepCopyObject())
		case "gateway.networking.k8s.io":
			gateway, _, err := kubelib.IstioCodec.UniversalDeserializer().Decode(manifest(t, o), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, gateway)
		}
	}
	return out
}

// policies are the configuration that istiod reads in its own cluster, of the
// namespaces that its discovery selectors leave.
func policies(t testing.TB, own *topology.Cluster, selected func(any) bool) []config.Config {
	var out []config.Config
	for _, o := range own.Objects {
		switch groupOf(t, o) {
		case "security.istio.io", "networking.istio.io":
			configs, _, err := crd.ParseInputs(string(manifest(t, o)))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range configs {
				if c.Domain = "cluster.local"; selected(c.Namespace) {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

func groupOf(t testing.TB, o runtime.Object) string {
	gvks, _, err := kinds.Scheme().ObjectKinds(o)
	if err != nil {
		t.Fatal(err)
	}
	return gvks[0].Group
}

// manifest is an object as people write it.
func manifest(t testing.TB, o runtime.Object) []byte {
	o = o.DeepCopyObject()
	gvks, _, err := kinds.Scheme().ObjectKinds(o)
	if err != nil {
		t.Fatal(err)
	}
	o.GetObjectKind().SetGroupVersionKind(gvks[0])
	text, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
