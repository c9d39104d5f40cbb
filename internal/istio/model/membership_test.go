package model

import (
	"io/fs"
	"os"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// two is the dumped fleet of two primaries on networks of their own, without the remote
// secrets that were read of them. It says nothing of the values of injectors.
func two(t *testing.T, change func(f *facts.Fleet)) *facts.Fleet {
	t.Helper()
	dir, files := os.DirFS("../../../plugins/kubectl-mesh_endpoints/testdata/fleets/two"), fstest.MapFS{}
	err := fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(dir, path)
		if d.Name() == "secrets-remote.yaml" {
			text = nil
		}
		files[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := dump.Read(files, istiotest.System, time.Now(), resources.All)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(fleet)
	}
	return fleet
}

// withRoot gives a cluster another root.
func withRoot(c *facts.Cluster) {
	root := resources.RootCert.Of(c).Value.DeepCopy()
	root.Data[istio.RootCertKey] = istiotest.Root(istiotest.Spec{Name: "another"}).PEM()
	resources.RootCert.Edit(c).Value = root
}

// withoutNetworks takes the label of the system namespace away.
func withoutNetworks(f *facts.Fleet) {
	for i := range f.Clusters {
		list := slices.Clone(resources.Namespaces.Of(&f.Clusters[i]).Value)
		for k := range list {
			if list[k].Name == istiotest.System {
				list[k] = *list[k].DeepCopy()
				delete(list[k].Labels, istio.LabelNetwork)
			}
		}
		resources.Namespaces.Edit(&f.Clusters[i]).Value = list
	}
}

// trustDomain gives a cluster a mesh config.
func trustDomain(c *facts.Cluster, domain string) {
	cm := resources.MeshConfigs.Of(c).Value[0].DeepCopy()
	cm.Data[istio.MeshConfigKey] = "trustDomain: " + domain
	resources.MeshConfigs.Edit(c).Value = []corev1.ConfigMap{*cm}
}

// injects gives a cluster values of its injector.
func injects(c *facts.Cluster, values string) {
	cm := corev1.ConfigMap{Data: map[string]string{istio.InjectorValuesKey: values}}
	cm.Name, cm.Namespace = istio.InjectorConfigMap, istiotest.System
	resources.Injectors.Set(c, facts.Read[[]corev1.ConfigMap]{State: facts.OK, Value: []corev1.ConfigMap{cm}})
}

// Two primaries without any remote secret: whether they ought to be one mesh, all agree.
func TestMembershipOfPrimaries(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(f *facts.Fleet)
		state    MembershipState
		reason   MembershipReason
		link     LinkKind
		expected bool
		watch    WatchStatus
	}{
		"one root":                      {nil, Member, Linked, LinkRoot, true, Missing},
		"different roots, networks set": {func(f *facts.Fleet) { withRoot(&f.Clusters[1]) }, Member, Linked, LinkSettings, true, Missing},
		"different roots, network only in the injector": {func(f *facts.Fleet) {
			withRoot(&f.Clusters[1])
			withoutNetworks(f)
			for i := range f.Clusters {
				injects(&f.Clusters[i], `{"global":{"network":"n"}}`)
			}
		}, Member, Linked, LinkSettings, true, Missing},
		"different roots, no network": {func(f *facts.Fleet) {
			withRoot(&f.Clusters[1])
			withoutNetworks(f)
		}, Outside, NotLinked, "", false, NotExpected},
		"one root, no network": {withoutNetworks, Member, Linked, LinkRoot, true, Missing},
		"different roots and trust domains": {func(f *facts.Fleet) {
			withRoot(&f.Clusters[1])
			trustDomain(&f.Clusters[1], "west.example")
		}, Outside, NotLinked, "", false, NotExpected},
		"different roots and mesh IDs": {func(f *facts.Fleet) {
			withRoot(&f.Clusters[1])
			injects(&f.Clusters[0], `{"global":{"meshID":"one"}}`)
			injects(&f.Clusters[1], `{"global":{"meshID":"two"}}`)
		}, Outside, NotLinked, "", false, NotExpected},
		"different roots, a mesh ID and the default": {func(f *facts.Fleet) {
			withRoot(&f.Clusters[1])
			injects(&f.Clusters[0], `{"global":{"meshID":"one"}}`)
			injects(&f.Clusters[1], `{"global":{}}`)
		}, Outside, NotLinked, "", false, NotExpected},
		"one root, different mesh IDs": {func(f *facts.Fleet) {
			injects(&f.Clusters[0], `{"global":{"meshID":"one"}}`)
			injects(&f.Clusters[1], `{"global":{"meshID":"two"}}`)
		}, Member, Linked, LinkRoot, true, Missing},
		"secrets not readable, one root": {func(f *facts.Fleet) {
			resources.RemoteSecrets.Set(&f.Clusters[0], facts.Read[[]facts.RemoteSecret]{State: facts.Forbidden})
		}, Member, Linked, LinkRoot, true, Unknown},
		"secrets not readable, networks set": {func(f *facts.Fleet) {
			withRoot(&f.Clusters[1])
			trustDomain(&f.Clusters[1], "west.example")
			resources.RemoteSecrets.Set(&f.Clusters[0], facts.Read[[]facts.RemoteSecret]{State: facts.Forbidden})
		}, Member, OwnNetwork, "", false, Unknown},
		"secrets not readable, root not readable": {func(f *facts.Fleet) {
			withoutNetworks(f)
			resources.Pods.Edit(&f.Clusters[0]).Value = nil
			resources.Services.Edit(&f.Clusters[0]).Value = nil
			resources.RootCert.Set(&f.Clusters[0], facts.Read[*corev1.ConfigMap]{State: facts.Forbidden})
		}, Unclear, NotRead, "", false, Unknown},
		"secrets not readable, nothing else in common": {func(f *facts.Fleet) {
			withRoot(&f.Clusters[1])
			withoutNetworks(f)
			resources.Pods.Edit(&f.Clusters[0]).Value = nil
			resources.Services.Edit(&f.Clusters[0]).Value = nil
			resources.RemoteSecrets.Set(&f.Clusters[0], facts.Read[[]facts.RemoteSecret]{State: facts.Forbidden})
		}, Unclear, NotRead, "", false, Unknown},
		"mesh config not readable, networks set": {func(f *facts.Fleet) {
			withRoot(&f.Clusters[1])
			resources.MeshConfigs.Set(&f.Clusters[0], facts.Read[[]corev1.ConfigMap]{State: facts.Forbidden})
		}, Member, OwnNetwork, "", false, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(two(t, c.change), Options{})
			east, west := m.Clusters[0], m.Clusters[1]
			if got := east.Membership; got.State != c.state || got.Reason != c.reason ||
				(c.link != "") != slices.ContainsFunc(got.Links, func(l Link) bool { return l.By == c.link }) {
				t.Errorf("membership %+v: %s", got, got)
			}
			if m.Expects(east, west) != c.expected || m.Expects(west, east) != c.expected || m.Same(east, west) != c.expected {
				t.Errorf("expects %v, %v, same %v", m.Expects(east, west), m.Expects(west, east), m.Same(east, west))
			}
			if w := m.Watch(east, west); w.Status != c.watch || w.String() == "" {
				t.Errorf("watch %s: %s", w.Status, w)
			}
			if len(m.Networks()) == 0 && c.state == Member && east.Network().Homes() != nil {
				t.Errorf("no networks of members")
			}
		})
	}
}

func TestMembership(t *testing.T) {
	remote := func(f *istiotest.Fleet) { f.Clusters[len(f.Clusters)-1].NoControlPlane(f.Clusters[0]) }
	for name, c := range map[string]struct {
		fleet  func() *facts.Fleet
		of     string
		state  MembershipState
		reason MembershipReason
	}{
		"multi-primary": {func() *facts.Fleet { return istiotest.Networked("east", "west").Facts() }, "west", Member, Linked},
		"a remote cluster": {func() *facts.Fleet {
			f := istiotest.Networked("east", "west")
			remote(f)
			return f.Facts()
		}, "west", Member, Linked},
		"a remote cluster that nobody watches": {func() *facts.Fleet {
			f := istiotest.Networked("east", "west")
			remote(f)
			f.Clusters[0].Remotes = nil
			f.Clusters[1].Published = ""
			return f.Facts()
		}, "west", Member, Linked},
		"a remote cluster that names one of two primaries": {func() *facts.Fleet {
			f := istiotest.Networked("east", "north", "west")
			remote(f)
			for _, c := range f.Clusters {
				c.Remotes = nil
			}
			f.Clusters[2].Published = ""
			return f.Facts()
		}, "west", Member, Linked},
		"a remote cluster that names none of two primaries": {func() *facts.Fleet {
			f := istiotest.Networked("east", "north", "west")
			remote(f)
			for _, c := range f.Clusters {
				c.Remotes = nil
			}
			f.Clusters[2].Published, f.Clusters[2].SystemAnnotations = "", nil
			return f.Facts()
		}, "west", Outside, NotLinked},
		"nothing of Istio": {func() *facts.Fleet {
			f := istiotest.Networked("east", "west", "plain")
			f.Get("plain").NoIstio = true
			for _, c := range f.Clusters {
				c.Remotes = slices.DeleteFunc(c.Remotes, func(r *istiotest.Cluster) bool { return r.Name == "plain" })
			}
			f.Get("plain").Remotes = nil
			return f.Facts()
		}, "plain", Outside, NothingOfIstio},
		"independent meshes": {func() *facts.Fleet {
			f := istiotest.Networked("east", "west")
			f.Clusters = append(f.Clusters, istiotest.OneNetwork("", "other").Clusters...)
			return f.Facts()
		}, "other", Outside, NotLinked},
		"a cluster of its own name, and nothing else": {func() *facts.Fleet {
			f := istiotest.Healthy("east", "west")
			for _, c := range f.Clusters {
				c.SelfSign()
				c.Remotes = nil
			}
			return f.Facts()
		}, "west", Outside, NotLinked},
		"a secret out of the fleet": {func() *facts.Fleet {
			f := istiotest.Healthy("east", "west")
			fleet := f.Facts()
			withRoot(&fleet.Clusters[1])
			resources.RemoteSecrets.Of(&fleet.Clusters[0]).Value[0].Server, resources.RemoteSecrets.Of(&fleet.Clusters[0]).Value[0].ClusterID = "https://far.example", "far"
			resources.RemoteSecrets.Edit(&fleet.Clusters[1]).Value = nil
			return fleet
		}, "east", Member, WatchesUnknown},
		"one cluster": {func() *facts.Fleet { return istiotest.Networked("east").Facts() }, "east", Member, OnlyCluster},
		"one cluster without Istio": {func() *facts.Fleet {
			f := istiotest.Healthy("east")
			f.Clusters[0].NoIstio = true
			return f.Facts()
		}, "east", Outside, NothingOfIstio},
		"deployments not readable": {func() *facts.Fleet {
			f := istiotest.Healthy("east", "west").Facts()
			withRoot(&f.Clusters[1])
			resources.RemoteSecrets.Edit(&f.Clusters[0]).Value = nil
			resources.RemoteSecrets.Edit(&f.Clusters[1]).Value = nil
			resources.Istiods.Set(&f.Clusters[1], facts.Read[[]appsv1.Deployment]{State: facts.Forbidden})
			return f
		}, "west", Unclear, NotRead},
		"webhooks not readable": {func() *facts.Fleet {
			f := istiotest.Healthy("east", "west").Facts()
			f.Clusters[1] = *resources.Istiods.With(
				resources.Webhooks.With(
					resources.RemoteSecrets.With(
						&facts.Cluster{Context: "west", SystemNamespace: istiotest.System},
						facts.Read[[]facts.RemoteSecret]{State: facts.OK},
					),
					facts.Read[[]admissionv1.MutatingWebhookConfiguration]{State: facts.Failed, Reason: "timeout"},
				),
				facts.Read[[]appsv1.Deployment]{State: facts.OK},
			)
			resources.RemoteSecrets.Edit(&f.Clusters[0]).Value = nil
			return f
		}, "west", Unclear, NotRead},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(c.fleet(), Options{})
			if got := m.Cluster(c.of).Membership; got.State != c.state || got.Reason != c.reason || got.String() == "" {
				t.Errorf("%+v: %s", got, got)
			}
			if outside := !slices.Contains(m.Members(), m.Cluster(c.of)); outside != (c.state == Outside) {
				t.Errorf("among the members: %v", !outside)
			}
		})
	}
}
