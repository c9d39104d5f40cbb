package istio_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// deployment is one as the istiod chart makes it, and what was done to it.
func deployment(do ...func(*appsv1.Deployment)) appsv1.Deployment {
	d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "istiod", Labels: map[string]string{"app": "istiod"}}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "discovery", Image: "docker.io/istio/pilot:1.29.1"}}
	d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "cacerts", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "cacerts"}}}}
	for _, f := range do {
		f(&d)
	}
	return d
}

func env(name, value string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		c := &d.Spec.Template.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
	}
}

func label(name, value string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Labels[name] = value }
}

func image(name string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = name }
}

func volume(v corev1.Volume) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Spec.Template.Spec.Volumes = []corev1.Volume{v} }
}

func named(namespace, name string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Namespace, d.Name = namespace, name }
}

func cluster(istiods ...appsv1.Deployment) *facts.Cluster {
	return resources.Istiods.With(&facts.Cluster{SystemNamespace: "istio-system"}, facts.Read[[]appsv1.Deployment]{State: facts.OK, Value: istiods})
}

// control is what Istiods says of a deployment.
type control struct {
	Name, Revision, Version, ClusterID, MeshConfigMap, CACertsVolume string
}

func controls(c *facts.Cluster) []control {
	var out []control
	for _, i := range istio.Istiods(c) {
		one := control{Name: i.Namespace + "/" + i.Name, Revision: i.Revision, ClusterID: i.ClusterID(), MeshConfigMap: i.MeshConfigMap(), CACertsVolume: i.CACertsVolume}
		if i.Version != nil {
			one.Version = i.Version.String()
		}
		out = append(out, one)
	}
	return out
}

func TestIstiods(t *testing.T) {
	usual := control{
		Name: "istio-system/istiod", Revision: "default", Version: "1.29.1",
		ClusterID: "Kubernetes", MeshConfigMap: "istio", CACertsVolume: "cacerts",
	}
	with := func(do func(*control)) []control {
		c := usual
		do(&c)
		return []control{c}
	}
	version := func(v string) []control { return with(func(c *control) { c.Version = v }) }
	ca := func(secret string) []control { return with(func(c *control) { c.CACertsVolume = secret }) }
	for name, c := range map[string]struct {
		in   []appsv1.Deployment
		want []control
	}{
		"no deployment is no control plane":                 {nil, nil},
		"a deployment without variables runs on defaults":   {[]appsv1.Deployment{deployment()}, []control{usual}},
		"a deployment of another namespace does not count":  {[]appsv1.Deployment{deployment(named("istio-canary", "istiod"))}, nil},
		"a deployment without the container is known by it": {[]appsv1.Deployment{deployment(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Name = "pilot" }, env("CLUSTER_ID", "east"))}, version("")},
		"each revision counts": {
			[]appsv1.Deployment{
				deployment(env("REVISION", "default"), env("CLUSTER_ID", "east")),
				deployment(named("istio-system", "istiod-canary"), env("REVISION", "canary"), env("CLUSTER_ID", "east"), image("docker.io/istio/pilot:1.30.0-distroless")),
			},
			[]control{
				{"istio-system/istiod", "default", "1.29.1", "east", "istio", "cacerts"},
				{"istio-system/istiod-canary", "canary", "1.30.0", "east", "istio-canary", "cacerts"},
			},
		},
		"a revision by label alone": {
			[]appsv1.Deployment{deployment(label("istio.io/rev", "stable"))},
			with(func(c *control) { c.Revision, c.MeshConfigMap = "stable", "istio-stable" }),
		},
		"the variable goes before the label": {
			[]appsv1.Deployment{deployment(env("REVISION", "stable"), label("istio.io/rev", "canary"))},
			with(func(c *control) { c.Revision, c.MeshConfigMap = "stable", "istio-stable" }),
		},
		"the variables of other containers do not count": {
			[]appsv1.Deployment{deployment(func(d *appsv1.Deployment) {
				other := corev1.Container{Name: "istio-proxy", Image: "proxyv2:1.10.0", Env: []corev1.EnvVar{{Name: "CLUSTER_ID", Value: "other"}}}
				d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, other)
			})},
			[]control{usual},
		},
		"of a variable that is set twice the last one counts, as in the container": {
			[]appsv1.Deployment{deployment(env("CLUSTER_ID", "east"), env("CLUSTER_ID", "west"))},
			with(func(c *control) { c.ClusterID = "west" }),
		},

		"a version with a variant":             {[]appsv1.Deployment{deployment(image("docker.io/istio/pilot:1.28.3-distroless"))}, version("1.28.3")},
		"a version with v":                     {[]appsv1.Deployment{deployment(image("pilot:v1.28.3"))}, version("1.28.3")},
		"a version and a digest":               {[]appsv1.Deployment{deployment(image("docker.io/istio/pilot:1.28.3@sha256:abcdef"))}, version("1.28.3")},
		"a digest alone":                       {[]appsv1.Deployment{deployment(image("docker.io/istio/pilot@sha256:abcdef"))}, version("")},
		"a registry with a port is no version": {[]appsv1.Deployment{deployment(image("registry.example:5000/pilot"))}, version("")},
		"a tag that is no version":             {[]appsv1.Deployment{deployment(image("pilot:latest"))}, version("")},
		"no tag, and the chart's label":        {[]appsv1.Deployment{deployment(image("pilot"), label("app.kubernetes.io/version", "1.27.0"))}, version("1.27.0")},
		"the tag goes before the label":        {[]appsv1.Deployment{deployment(label("app.kubernetes.io/version", "1.27.0"))}, version("1.29.1")},

		"another secret is mounted as the CA": {
			[]appsv1.Deployment{deployment(volume(corev1.Volume{Name: "cacerts", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "my-ca"}}}))},
			ca("my-ca"),
		},
		"what is mounted as the CA is no secret": {
			[]appsv1.Deployment{deployment(volume(corev1.Volume{Name: "cacerts", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "csi.cert-manager.io"}}}))},
			ca(""),
		},
		// istiod then reads Secret cacerts through the API server
		// (pilot/pkg/bootstrap/istio_ca.go, loadCACerts).
		"nothing is mounted as the CA": {
			[]appsv1.Deployment{deployment(volume(corev1.Volume{Name: "extracacerts", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "other"}}}))},
			ca("cacerts"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, controls(cluster(c.in...))); diff != "" {
				t.Errorf("control planes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnotherSystemNamespace(t *testing.T) {
	c := cluster(deployment(), deployment(named("mesh", "istiod-mesh")))
	c.SystemNamespace = "mesh"
	got := controls(c)
	if len(got) != 1 || got[0].Name != "mesh/istiod-mesh" {
		t.Errorf("control planes of namespace mesh: %+v", got)
	}
}

// A variable counts as on for the values that pkg/env/var.go (BoolVar.Lookup)
// accepts; what it cannot read is the default, which is off.
func TestOn(t *testing.T) {
	for value, want := range map[string]bool{
		"true": true, "True": true, "TRUE": true, "t": true, "T": true, "1": true,
		"false": false, "0": false, "f": false, "": false,
		"yes": false, "on": false, "tRuE": false, " true": false, "2": false,
	} {
		i := istio.Istiods(cluster(deployment(env(istio.EnvMultiRoot, value))))[0]
		if got := i.On(istio.EnvMultiRoot); got != want {
			t.Errorf("%q is on: %t", value, got)
		}
		if got := i.Env(istio.EnvMultiRoot); got != value {
			t.Errorf("%q became %q", value, got)
		}
		if i.On(istio.EnvExternalCA) || i.Env(istio.EnvExternalCA) != "" {
			t.Error("a variable that is not set has a value")
		}
	}
}

func TestVersionsThatAreNotKnownAreNeitherEarlierNorLater(t *testing.T) {
	for tag, c := range map[string]struct{ atLeast, before bool }{
		"1.29.0": {true, false}, "1.29.1": {true, false}, "1.30.0": {true, false}, "1.28.9": {false, true},
		"1.29": {true, false}, "1.29.0-alpha.1": {true, false}, "latest": {false, false},
	} {
		i := istio.Istiods(cluster(deployment(image("pilot:" + tag))))[0]
		if i.AtLeast("1.29.0") != c.atLeast || i.Before("1.29.0") != c.before {
			t.Errorf("%s: at least 1.29.0: %t, before 1.29.0: %t", tag, i.AtLeast("1.29.0"), i.Before("1.29.0"))
		}
	}
}

// As getMeshConfigMapName has it (pilot/pkg/bootstrap/mesh.go).
func TestMeshConfigMapOf(t *testing.T) {
	for revision, want := range map[string]string{"": "istio", "default": "istio", "canary": "istio-canary", "1-29": "istio-1-29"} {
		if got := istio.MeshConfigMapOf(revision); got != want {
			t.Errorf("revision %q: %s, want %s", revision, got, want)
		}
	}
}

func TestHasControlPlane(t *testing.T) {
	for name, c := range map[string]struct {
		cluster    *facts.Cluster
		has, known bool
	}{
		"one":                         {cluster(deployment()), true, true},
		"none":                        {cluster(), false, true},
		"one of another namespace":    {cluster(deployment(named("other", "istiod"))), false, true},
		"deployments are not allowed": {resources.Istiods.With(&facts.Cluster{}, facts.Read[[]appsv1.Deployment]{State: facts.Forbidden}), false, false},
		"nobody asked":                {&facts.Cluster{}, false, false},
	} {
		if has, known := istio.HasControlPlane(c.cluster); has != c.has || known != c.known {
			t.Errorf("%s: has %t, known %t", name, has, known)
		}
	}
}

// webhooks are injection webhooks that lead to a URL or, where it begins with a
// slash, to a path of a service.
func webhooks(to ...string) *facts.Cluster {
	c := cluster()
	for _, address := range to {
		w := admissionv1.MutatingWebhook{}
		switch {
		case address == "":
		case address[0] == '/':
			w.ClientConfig.Service = &admissionv1.ServiceReference{Namespace: "istio-system", Name: "istiod", Path: &address}
		default:
			w.ClientConfig.URL = &address
		}
		resources.Webhooks.Edit(c).Value = append(resources.Webhooks.Of(c).Value, admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{w}})
	}
	return c
}

// The paths are read as istiod does (pkg/kube/inject/webhook.go, parseInjectEnvs).
func TestClusterID(t *testing.T) {
	both := webhooks("/inject/cluster/west/net/n1")
	resources.Istiods.Edit(both).Value = []appsv1.Deployment{deployment(env("CLUSTER_ID", "east"))}
	for name, c := range map[string]struct {
		cluster *facts.Cluster
		want    string
	}{
		"istiod says it":                            {cluster(deployment(env("CLUSTER_ID", "east"))), "east"},
		"istiod's default":                          {cluster(deployment()), "Kubernetes"},
		"istiod goes before the webhook":            {both, "east"},
		"nothing says it":                           {cluster(), ""},
		"the webhook's URL":                         {webhooks("https://east.example:15017/inject/cluster/west/net/n1"), "west"},
		"the webhook's path":                        {webhooks("/inject/cluster/west/net/n1"), "west"},
		"in another order":                          {webhooks("/inject/net/n1/cluster/west"), "west"},
		"a trailing slash":                          {webhooks("/inject/cluster/west/"), "west"},
		"a network that is called cluster":          {webhooks("/inject/net/cluster/cluster/west"), "west"},
		"a cluster that is called cluster":          {webhooks("/inject/cluster/cluster"), "cluster"},
		"a slash in the name":                       {webhooks("/inject/cluster/gke--slash--west/net/n1"), "gke/west"},
		"a quoted character in the URL":             {webhooks("https://east.example/inject/cluster/my%20west"), "my west"},
		"a server that is called inject or cluster": {webhooks("https://inject/cluster/x", "https://cluster/inject/net/n1"), ""},
		"a path without cluster":                    {webhooks("/inject", "/inject/net/n1", "/inject/cluster"), ""},
		"the first webhook that says it":            {webhooks("", "/inject", "/inject/cluster/west", "/inject/cluster/north"), "west"},
	} {
		if got := istio.ClusterID(c.cluster); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestOldestStart(t *testing.T) {
	at := func(hours int) time.Time { return time.Date(2026, 1, 1, hours, 0, 0, 0, time.UTC) }
	pod := func(start, running time.Time, container string) facts.Pod {
		return facts.Pod{Started: start, Statuses: []facts.ContainerStatus{{Name: container, Started: running}}}
	}
	for name, c := range map[string]struct {
		pods []facts.Pod
		want time.Time
	}{
		"no pod":                      {nil, time.Time{}},
		"a pod that has not started":  {[]facts.Pod{{}}, time.Time{}},
		"the oldest of several":       {[]facts.Pod{pod(at(3), at(3), "discovery"), pod(at(1), at(2), "discovery"), {}}, at(2)},
		"a container that restarted":  {[]facts.Pod{pod(at(1), at(5), "discovery")}, at(5)},
		"a container that waits":      {[]facts.Pod{pod(at(1), time.Time{}, "discovery")}, at(1)},
		"another container restarted": {[]facts.Pod{pod(at(1), at(5), "istio-proxy")}, at(1)},
	} {
		got := istio.OldestStart(resources.IstiodPods.With(&facts.Cluster{}, facts.Read[[]facts.Pod]{State: facts.OK, Value: c.pods}))
		if !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestProxyEnvOf(t *testing.T) {
	proxy := corev1.Container{Name: "istio-proxy", Env: []corev1.EnvVar{{Name: istio.EnvXDSAgent, Value: "true"}}}
	app := corev1.Container{Name: "app", Env: []corev1.EnvVar{{Name: istio.EnvCAAddress, Value: "elsewhere"}}}
	want := map[string]string{istio.EnvXDSAgent: "true"}
	for name, c := range map[string]struct {
		pod  facts.PodTemplate
		want map[string]string
	}{
		"a sidecar":        {facts.PodTemplate{Containers: []corev1.Container{app, proxy}}, want},
		"a native sidecar": {facts.PodTemplate{Containers: []corev1.Container{app}, InitContainers: []corev1.Container{proxy}}, want},
		"no sidecar":       {facts.PodTemplate{Containers: []corev1.Container{app}}, nil},
	} {
		if diff := cmp.Diff(c.want, istio.ProxyEnvOf(&facts.Pod{PodTemplate: &c.pod}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWantsProxies(t *testing.T) {
	for name, c := range map[string]struct {
		mesh string
		want bool
	}{
		"no further roots":                       {"trustDomain: cluster.local", false},
		"further roots":                          {"caCertificates: [{pem: a}]", true},
		"further roots, and all sidecars listen": {"caCertificates: [{pem: a}]\ndefaultConfig: {proxyMetadata: {PROXY_CONFIG_XDS_AGENT: 'true'}}", false},
		"a config that cannot be read":           {"[", false},
	} {
		if got := istio.WantsProxies(withMesh(cluster(deployment()), "istio", c.mesh)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// withMesh adds a ConfigMap with a mesh config.
func withMesh(c *facts.Cluster, name, text string) *facts.Cluster {
	resources.MeshConfigs.Edit(c).State = facts.OK
	resources.MeshConfigs.Edit(c).Value = append(resources.MeshConfigs.Of(c).Value, corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"mesh": text}})
	return c
}
