package istiotest

import (
	"maps"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// owned marks the Secret of a name as one that cert-manager makes of a Certificate.
func owned(secret, certificate string) func(runtime.Object) {
	return func(o runtime.Object) {
		if s, ok := o.(*corev1.Secret); ok && s.Name == secret {
			metav1.SetMetaDataAnnotation(&s.ObjectMeta, "cert-manager.io/certificate-name", certificate)
			s.ManagedFields = nil
		}
	}
}

// ownWebhooks are the injection and validation webhooks of a primary. No object matches
// them, so that API servers do not call them.
func ownWebhooks(name, namespace, bundle string) []runtime.Object {
	ignore, fail, none, path := admissionv1.Ignore, admissionv1.Fail, admissionv1.SideEffectClassNone, "/inject"
	nothing := &metav1.LabelSelector{MatchLabels: map[string]string{"no-object": "has-this"}}
	client := admissionv1.WebhookClientConfig{
		Service: &admissionv1.ServiceReference{Namespace: namespace, Name: "istiod", Path: &path}, CABundle: []byte(bundle),
	}
	return []runtime.Object{
		&admissionv1.MutatingWebhookConfiguration{
			ObjectMeta: meta("", "istio-sidecar-injector"+name, map[string]string{"app": "sidecar-injector"}),
			Webhooks: []admissionv1.MutatingWebhook{{
				Name: "rev.namespace.sidecar-injector.istio.io", ClientConfig: client, ObjectSelector: nothing,
				FailurePolicy: &ignore, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			}},
		},
		&admissionv1.ValidatingWebhookConfiguration{
			ObjectMeta: meta("", "istio-validator"+name, map[string]string{"app": "istiod"}),
			Webhooks: []admissionv1.ValidatingWebhook{{
				Name: "rev.validation.istio.io", ClientConfig: client, ObjectSelector: nothing,
				FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			}},
		},
	}
}

// deployment is one of a single container.
func deployment(namespace, name string, labels map[string]string, c corev1.Container) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: meta(namespace, name, labels)}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	d.Spec.Template.Labels = map[string]string{"app": name}
	d.Spec.Template.Spec.Containers = []corev1.Container{c}
	return d
}

// secondIstiod gives the cluster a control plane in a namespace of its own, with a CA of its
// own making, and its webhooks.
func (c *Cluster) secondIstiod(env map[string]string) *Authority {
	const namespace = "istio-second"
	root := Root(Spec{Name: "cluster.local"})
	c.Namespaces[namespace] = nil
	second := c.container()
	second.Env = []corev1.EnvVar{{Name: istio.EnvClusterID, Value: c.Env[istio.EnvClusterID]}}
	for k, v := range env {
		second.Env = append(second.Env, corev1.EnvVar{Name: k, Value: v})
	}
	c.Further = append(c.Further, deployment(namespace, "istiod", map[string]string{"app": "istiod"}, second))
	c.Further = append(c.Further, ownWebhooks("-second", namespace, root.PEM())...)
	return root
}

// signsByIstioCSR gives the cluster's proxies certificates of istio-csr, which publishes a
// root.
func (c *Cluster) signsByIstioCSR(root string, args ...string) {
	const address = "cert-manager-istio-csr.cert-manager.svc:443"
	c.CACerts, c.CASecret, c.Published, c.Env[istio.EnvEnableCAServer] = nil, nil, root, "false"
	c.Sidecars = []map[string]string{{istio.EnvCAAddress: address, istio.EnvProxyClusterID: c.Name}}
	c.Namespaces["cert-manager"] = nil
	container := corev1.Container{
		Name: istio.IstioCSRName, Image: "registry.example/cert-manager-istio-csr:v0.14.3", Args: args,
		TerminationMessagePolicy: "File", ImagePullPolicy: "IfNotPresent",
	}
	labels := map[string]string{"app.kubernetes.io/name": istio.IstioCSRName}
	c.Further = append(c.Further, deployment("cert-manager", istio.IstioCSRName, labels, container))
}

// CertElsewhere are healthy fleets whose certificates and roots come from elsewhere: who
// trusts whom cannot be checked.
var CertElsewhere = []Case{
	{Name: "SPIRE makes the certificates", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.SelfSign()
			c.Socket, c.Sidecars = "csi.spiffe.io", []map[string]string{{}, {}}
			c.Mesh["istio"]["caCertificates"] = []any{map[string]any{
				"spiffeBundleUrl": "https://spire.example/keys", "trustDomains": []string{"cluster.local"},
			}}
		}
	})},
	{Name: "a CA of the cloud makes the certificates", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.SelfSign()
			c.Sidecars = []map[string]string{{istio.EnvCAAddress: "meshca.googleapis.com:443", istio.EnvCAProvider: "GoogleCA"}}
		}
	})},
	{Name: "a CA at an address in the mesh config", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.SelfSign()
			c.Mesh["istio"]["defaultConfig"] = map[string]any{"proxyMetadata": map[string]string{istio.EnvCAAddress: "ca.example:443"}}
		}
	})},
}

// CertHealthy are further fleets in which nothing is to be found, about certificates.
var CertHealthy = []Case{
	{Name: "istio-csr with its intermediate beside the root", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		for _, c := range []*Cluster{east, west} {
			c.signsByIstioCSR(root.Sub(Spec{}).PEM()+root.PEM(), "--cluster-id="+c.Name)
		}
	})},
	{Name: "cert-manager renews the intermediate in time", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		for _, c := range []*Cluster{east, west} {
			c.Plug(root.Sub(Spec{NotBefore: Now.Add(-45 * day), NotAfter: Now.Add(15 * day)}))
			c.Change = owned(istio.CACertsSecret, "istio-ca")
		}
	})},
	{Name: "an intermediate that lives for two weeks, and is new", Fleet: intermediate(Spec{NotAfter: Now.Add(13 * day)})},
	{Name: "an intermediate that outlives its root by a moment", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{NotAfter: Now.AddDate(10, 0, 0)})
		for _, c := range []*Cluster{east, west} {
			c.Plug(root.Sub(Spec{NotAfter: Now.AddDate(10, 0, 0).Add(9e9)}))
		}
	})},
	{Name: "two roots of one name that are told apart", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		a, b := Root(Spec{Name: "Root CA"}), Root(Spec{Name: "Root CA"})
		for c, root := range map[*Cluster]*Authority{east: a, west: b} {
			c.Plug(root.Sub(Spec{}))
			c.trust(a, b)
		}
	})},
	{Name: "a control plane for another cluster", Fleet: change(func(_ *Fleet, host, config *Cluster) {
		host.Env[istio.EnvExternalIstiod], host.Env[istio.EnvLocalSecretWatcher] = "true", "true"
		host.CACerts, host.Published = nil, Root(Spec{}).PEM()
		host.Remotes, config.Remotes = nil, nil
		config.SelfSign()
		published := config.Published
		config.NoControlPlane(host)
		host.Env[istio.EnvClusterID], config.Published, config.SystemAnnotations = config.Name, published, nil
	})},
	{Name: "webhooks with the root of their control plane", Fleet: change(func(_ *Fleet, east, _ *Cluster) {
		east.Further = ownWebhooks("", System, east.Published)
	})},
	{Name: "a webhook of which somebody else makes the certificate", Fleet: change(func(_ *Fleet, east, _ *Cluster) {
		east.Env[istio.EnvCertProvider] = "kubernetes"
		east.Further = ownWebhooks("", System, Root(Spec{}).PEM())
	})},
	{Name: "a second control plane that is kept apart", Fleet: change(func(_ *Fleet, _, west *Cluster) {
		root := west.secondIstiod(nil)
		west.Mesh["istio"]["discoverySelectors"] = []any{map[string]any{"matchLabels": map[string]string{"istio-injection": "enabled"}}}
		west.PublishedIn["istio-second"] = root.PEM()
	})},
	{Name: "a second control plane with another name for its configmap", Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.secondIstiod(map[string]string{istio.EnvRootCertConfigMap: "istio-ca-root-cert-second"})
	})},
	{Name: "a second control plane under the same root", Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.secondIstiod(nil)
		west.Further = west.Further[:1]
		west.Further = append(west.Further, ownWebhooks("-second", "istio-second", west.Published)...)
	})},
	{Name: "caCertificates in an ambient mesh of one root", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.Env[istio.EnvMultiRoot] = "true"
			c.Namespaces["sample"] = map[string]string{istio.LabelDataplaneMode: "ambient"}
			c.Mesh["istio"]["caCertificates"] = []any{map[string]any{"pem": Root(Spec{}).PEM()}}
			c.Mesh["istio"]["defaultConfig"] = map[string]any{"proxyMetadata": map[string]string{istio.EnvXDSAgent: "true"}}
		}
	})},
}

// CertFaults are further fleets with a fault, about certificates.
var CertFaults = []Case{
	{
		Name: "two roots of one name, trusted everywhere, that nothing tells apart", Want: []string{"CERT035 error east,west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			a, b := Root(Spec{Name: "Root CA"}), Root(Spec{Name: "Root CA"})
			for c, root := range map[*Cluster]*Authority{east: a, west: b} {
				c.Plug(root.Sub(Spec{NoKeyID: true}))
				c.trust(a, b)
			}
		}),
	},
	{
		Name: "istio-csr signs for another cluster ID", Want: []string{"CERT036 error east", "CERT036 error west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			root := Root(Spec{}).PEM()
			east.signsByIstioCSR(root)
			west.signsByIstioCSR(root, "--cluster-id", "east")
		}),
	},
	{
		Name: "istio-csr signs for another trust domain", Want: []string{"CERT036 error west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			root := Root(Spec{}).PEM()
			east.signsByIstioCSR(root, "--cluster-id=east")
			west.signsByIstioCSR(root, "--cluster-id=west", "--trust-domain=prod.example")
		}),
	},
	{
		Name: "webhooks with the CA of before", Want: []string{"CERT037 error west", "CERT037 error west"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) {
			west.Further = ownWebhooks("", System, Root(Spec{}).PEM())
		}),
	},
	{
		Name: "an injection webhook without a CA", Want: []string{"CERT037 error west"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) { west.Further = ownWebhooks("", System, "") }),
	},
	{
		Name: "a second control plane that wrote last", Want: []string{"CERT038 error west", "CERT002 error east,west < CERT038"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) { west.Published = west.secondIstiod(nil).PEM() }),
	},
	{
		Name: "a second control plane that will write", Want: []string{"CERT038 warning west"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) { west.secondIstiod(nil) }),
	},
	{
		Name: "a second control plane that wrote into some namespaces", Want: []string{"CERT038 error west", "CERT014 error west < CERT038"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) { west.PublishedIn["sample"] = west.secondIstiod(nil).PEM() }),
	},
	{
		Name: "different intermediates of one root, each taken for a root",
		Want: []string{"CERT031 error east", "CERT031 error west", "CERT002 error east,west < CERT031"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			root := Root(Spec{})
			for _, c := range []*Cluster{east, west} {
				c.signsByIstioCSR(root.Sub(Spec{}).PEM(), "--cluster-id="+c.Name)
			}
		}),
	},
	{
		Name: "caCertificates that ambient workloads do not get",
		Want: []string{"CERT016 error east", "CERT016 error west", "CERT002 error east,west < CERT016"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			a, b := Root(Spec{}), Root(Spec{})
			for c, roots := range map[*Cluster][2]*Authority{east: {a, b}, west: {b, a}} {
				c.Plug(roots[0].Sub(Spec{}))
				c.Env[istio.EnvMultiRoot] = "true"
				c.Namespaces["sample"] = map[string]string{istio.LabelDataplaneMode: "ambient"}
				c.Mesh["istio"]["caCertificates"] = []any{map[string]any{"pem": roots[1].PEM()}}
				c.Mesh["istio"]["defaultConfig"] = map[string]any{"proxyMetadata": map[string]string{istio.EnvXDSAgent: "true"}}
			}
		}),
	},
	{
		Name: "trust domains that clients of an older istiod do not expect", Want: []string{"CERT017 error east,west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			for _, c := range []*Cluster{east, west} {
				c.Image, c.Mesh["istio"]["trustDomain"], c.Env[istio.EnvSkipTrustDomain] = "1.28.3", c.Name+".local", "true"
			}
		}),
	},
	{
		Name: "revisions that select different namespaces", Want: []string{"CERT014 error west"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) {
			selects := func(team string) map[string]any {
				return map[string]any{"trustDomain": "cluster.local", "discoverySelectors": []any{map[string]any{"matchLabels": map[string]string{"team": team}}}}
			}
			west.Mesh = map[string]map[string]any{"istio": selects("a"), "istio-canary": selects("b")}
			west.Namespaces["sample"]["team"] = "a"
			west.Namespaces["other"] = map[string]string{istio.LabelRevision: "canary", "team": "b"}
			west.PublishedIn["other"] = ""
			west.SystemLabels = map[string]string{"team": "a"}
			canary := west.container()
			env := []corev1.EnvVar{{Name: istio.EnvClusterID, Value: west.Name}, {Name: istio.EnvRevision, Value: "canary"}}
			canary.Env = env
			labels := map[string]string{"app": "istiod", istio.LabelRevision: "canary"}
			west.Further = append(west.Further, deployment(System, "istiod-canary", labels, canary))
		}),
	},
	{
		Name: "a remote cluster that names no primary, and a new namespace there", Want: []string{"CERT014 error west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			west.NoControlPlane(east)
			west.SystemAnnotations = nil
			west.Namespaces = maps.Clone(west.Namespaces)
			west.Namespaces["new"] = map[string]string{"istio-injection": "enabled"}
			west.PublishedIn["new"] = ""
		}),
	},
	{
		Name: "cacerts that istiod passed over at its start", Want: []string{"CERT004 error west", "CERT002 error east,west < CERT004"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) {
			plugged := west.CACerts
			west.SelfSign()
			west.CACerts = plugged
		}),
	},
	{
		Name: "an intermediate that cert-manager should have renewed", Want: []string{"CERT010 error west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			root := Root(Spec{})
			east.Plug(root.Sub(Spec{}))
			west.Plug(root.Sub(Spec{NotBefore: Now.Add(-57 * day), NotAfter: Now.Add(3 * day)}))
			west.Change = owned(istio.CACertsSecret, "istio-ca")
		}),
	},
}

func init() {
	HealthyCases = append(HealthyCases, CertHealthy...)
	Faults = append(Faults, CertFaults...)
}
