// Package topology draws random fleets for tests: what each cluster of a mesh
// consists of, as ordinary objects, with the mistakes that people make in it.
package topology

import (
	"fmt"
	"math/rand/v2"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// System is the system namespace of all clusters.
const System = istio.SystemNamespace

// start is when everything was made, the first object of all.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Fleet is a mesh of some clusters.
type Fleet struct {
	Seed     uint64
	Clusters []*Cluster
	// Hosts are the addresses of the host names that gateways have; those of
	// which there is no entry cannot be resolved.
	Hosts map[string][]string
}

// Cluster is one cluster of it.
type Cluster struct {
	// Context is the user's name for it, ID its own name.
	Context, ID string
	Server      string
	// Primary: istiod runs there.
	Primary bool
	// Network is the one that most of its pods and its system namespace have.
	Network string
	// Objects are those of Kubernetes and those of internal/istio/api.
	Objects []runtime.Object
}

// Facts are what a survey of the fleet would have read, by a user who may read everything.
func (f *Fleet) Facts() *facts.Fleet {
	out := &facts.Fleet{At: start.AddDate(0, 1, 0)}
	for _, c := range f.Clusters {
		var objects []runtime.Object
		for _, o := range c.Objects {
			objects = append(objects, o.DeepCopyObject())
		}
		objects = append(objects, &authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}})
		cluster := facts.Cluster{Context: c.Context, Server: c.Server, SystemNamespace: System}
		dump.Fill(&cluster, objects, resources.All)
		out.Clusters = append(out.Clusters, cluster)
	}
	return out
}

// Draw draws a fleet: the same for the same seed.
func Draw(seed uint64) *Fleet {
	d := &draw{Rand: rand.New(rand.NewPCG(seed, 1)), fleet: &Fleet{Seed: seed, Hosts: map[string][]string{}}}
	d.networks = []string{"north", "south", "west"}[:1+d.IntN(3)]
	d.shapes = d.services()
	n := 1 + d.IntN(4)
	for i := range n {
		c := &Cluster{
			Context: fmt.Sprintf("context-%d", i), ID: fmt.Sprintf("cluster-%d", i), Server: fmt.Sprintf("https://10.99.0.%d:6443", i+1),
			Primary: i == 0 || d.chance(0.6), Network: d.networks[d.IntN(len(d.networks))],
		}
		if d.chance(0.1) && i == 0 {
			c.ID = istio.DefaultClusterID
		}
		d.fleet.Clusters = append(d.fleet.Clusters, c)
	}
	d.selective = d.chance(0.15)
	for i, c := range d.fleet.Clusters {
		d.at, d.c = i, c
		d.cluster()
	}
	for i, c := range d.fleet.Clusters {
		if d.at, d.c = i, c; c.Primary {
			d.controlPlane()
		}
	}
	for i, c := range d.fleet.Clusters {
		if d.at, d.c = i, c; c.Primary {
			d.sidecars()
		}
	}
	return d.fleet
}

// draw is a fleet in the making.
type draw struct {
	*rand.Rand
	fleet     *Fleet
	networks  []string
	shapes    []shape
	selective bool // control planes have discovery selectors
	made      int  // objects so far

	at    int // the cluster in the making
	c     *Cluster
	nodes []string
}

func (d *draw) chance(p float64) bool { return d.Float64() < p }

// pick takes one of some, the earlier the more likely.
func pick[T any](d *draw, some ...T) T {
	for _, s := range some[:len(some)-1] {
		if d.chance(0.5) {
			return s
		}
	}
	return some[len(some)-1]
}

// anyOf takes one of some.
func anyOf[T any](d *draw, some ...T) T { return some[d.IntN(len(some))] }

func (d *draw) meta(namespace, name string, labels map[string]string) metav1.ObjectMeta {
	d.made++
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, Labels: labels, UID: uid(d.c.ID, d.made),
		CreationTimestamp: metav1.NewTime(start.Add(time.Duration(d.IntN(50)) * time.Minute)),
	}
}

func (d *draw) put(objects ...runtime.Object) { d.c.Objects = append(d.c.Objects, objects...) }

// cluster fills a cluster with what is there with or without a control plane.
func (d *draw) cluster() {
	labels := map[string]string{"kubernetes.io/metadata.name": System, "discover": "yes"}
	switch {
	case d.chance(0.7):
		labels[istio.LabelNetwork] = d.c.Network
	case d.chance(0.3):
		labels[istio.LabelNetwork] = anyOf(d, append(d.networks, "elsewhere")...)
	}
	if d.chance(0.1) {
		delete(labels, "discover")
	}
	d.put(&corev1.Namespace{ObjectMeta: d.meta("", System, labels)})
	for _, name := range []string{"kube-system", "default", "shop", "edge"} {
		labels := map[string]string{"kubernetes.io/metadata.name": name}
		if d.chance(0.8) {
			labels["discover"] = "yes"
		}
		ns := &corev1.Namespace{ObjectMeta: d.meta("", name, labels)}
		if d.chance(0.05) {
			ns.Annotations = map[string]string{istio.AnnotationTrafficDistribution: anyOf(d, "PreferClose", "prefersamenode", "Nonsense")}
		}
		d.put(ns)
	}
	d.placeNodes()
	for _, s := range d.shapes {
		if d.chance(0.85) {
			d.placeService(s)
		}
	}
	d.gatewayServices()
	d.kubernetesGateways()
}

// controlPlane adds istiod, its configuration and its remote secrets.
func (d *draw) controlPlane() {
	labels := map[string]string{"app": "istiod", "istio.io/rev": "default"}
	deployment := &appsv1.Deployment{ObjectMeta: d.meta(System, "istiod", labels)}
	deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "istiod"}}
	deployment.Spec.Template.Labels = labels
	deployment.Spec.Template.Spec.Containers = []corev1.Container{{
		Name: istio.DiscoveryContainer, Image: "registry.example/istio/pilot:1.31.0",
		Env: []corev1.EnvVar{{Name: istio.EnvClusterID, Value: d.c.ID}, {Name: istio.EnvRevision, Value: "default"}},
	}}
	d.put(deployment, &corev1.ConfigMap{ObjectMeta: d.meta(System, istio.MeshConfigMap, nil), Data: map[string]string{
		istio.MeshConfigKey: marshal(d.meshConfig()), istio.MeshNetworksKey: marshal(d.meshNetworks()),
	}})
	d.policies()
	d.remoteSecrets()
}

func marshal(v any) string {
	text, err := yaml.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}
