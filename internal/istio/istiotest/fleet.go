package istiotest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Now is when fleets are made: certificates are dated from it, and it is the
// time at which unit tests judge.
var Now = time.Now().Truncate(time.Second)

// System is the system namespace of all fleets.
const System = istio.SystemNamespace

// Fleet is the clusters of a test.
type Fleet struct {
	Clusters []*Cluster
}

// Cluster is one cluster: change it, then take its Objects or the fleet's Facts.
type Cluster struct {
	Name   string
	Server string // URL of its API server

	// Signer is the CA that Plug has plugged in.
	Signer *Authority
	// CACerts is the data of Secret cacerts; nil for none.
	CACerts map[string]string
	// CASecret is the data of Secret istio-ca-secret; nil for none.
	CASecret map[string]string
	// Published is the root in every namespace; "" for no ConfigMap.
	Published string
	// PublishedIn overrides Published in a namespace; "" for no ConfigMap there.
	PublishedIn map[string]string
	// Mesh is the mesh config by ConfigMap name.
	Mesh map[string]map[string]any
	// Image is the tag of istiod; "" for a cluster without control plane.
	Image string
	// Env are variables of istiod.
	Env map[string]string
	// Aliases is istiod's argument for further names of clusters; "" for none.
	Aliases string
	// Revision of istiod; "" for the default.
	Revision string
	// Namespaces with their labels, beside those that every cluster has.
	Namespaces map[string]map[string]string
	// Remotes are the clusters that this one has a remote secret for.
	Remotes []*Cluster
	// RemoteKeys are data keys of remote secrets that are not the cluster's name.
	RemoteKeys map[string]string
	// ReaderDenied: the reader's role does not cover ConfigMaps.
	ReaderDenied bool
	// Denied are those of the rights of a control plane elsewhere that its reader
	// lacks in this cluster.
	Denied []istio.Right
	// Sidecars are the variables of sidecars, a pod each.
	Sidecars []map[string]string
	// CACertsWritten is when Secret cacerts was last written.
	CACertsWritten time.Time
	// Socket is the CSI driver by which sidecars have their certificates; "" for none.
	Socket string
	// Further objects are in the cluster.
	Further []runtime.Object
	// Change changes each object, after it is made.
	Change func(runtime.Object)
	// NoIstio: nothing of the mesh is there.
	NoIstio bool
	// UID of namespace kube-system.
	UID string
	// SystemLabels are those of the system namespace.
	SystemLabels map[string]string
	// SystemAnnotations are those of the system namespace.
	SystemAnnotations map[string]string
	// InjectsBy changes the injection webhook of a cluster without control plane.
	InjectsBy func(*admissionv1.WebhookClientConfig)
	// MeshNetworks are the mesh networks, YAML; "" for none.
	MeshNetworks string
	// InjectedNetwork is the network in the injector's values; nil for that of Network.
	InjectedNetwork *string
	// Network is what the cluster has of workloads and of gateways; nil for nothing.
	Network *Network
}

// Get returns the cluster of a name.
func (f *Fleet) Get(name string) *Cluster {
	return f.Clusters[slices.IndexFunc(f.Clusters, func(c *Cluster) bool { return c.Name == name })]
}

// Healthy makes a multi-primary mesh with one root and an intermediate for
// each cluster.
func Healthy(names ...string) *Fleet {
	root := Root(Spec{Name: "Root CA"})
	f := &Fleet{}
	for _, name := range names {
		c := &Cluster{
			Name: name, Server: "https://" + name + ".example:6443", Image: "1.29.1",
			Env:         map[string]string{istio.EnvClusterID: name},
			Mesh:        map[string]map[string]any{"istio": {"trustDomain": "cluster.local"}},
			Namespaces:  map[string]map[string]string{"sample": {"istio-injection": "enabled"}},
			PublishedIn: map[string]string{}, CACertsWritten: Now.Add(-72 * time.Hour), UID: "uid-" + name,
		}
		c.Plug(root.Sub(Spec{Name: "Intermediate CA " + name}))
		f.Clusters = append(f.Clusters, c)
	}
	for _, c := range f.Clusters {
		for _, other := range f.Clusters {
			if c != other {
				c.Remotes = append(c.Remotes, other)
			}
		}
	}
	return f
}

// Plug gives the cluster a plugged-in CA that is in use.
func (c *Cluster) Plug(a *Authority) {
	c.Signer, c.CACerts, c.CASecret, c.Published = a, a.CACerts(), nil, a.Top().PEM()
}

// PlugTLS is Plug with the other layout.
func (c *Cluster) PlugTLS(a *Authority) {
	c.CACerts, c.CASecret, c.Published = a.TLSCACerts(), nil, a.Top().PEM()
}

// SelfSign gives the cluster a CA that istiod made, as istiod names it.
func (c *Cluster) SelfSign() {
	root := Root(Spec{Name: "cluster.local"})
	c.CACerts, c.Published = nil, root.PEM()
	c.CASecret = map[string]string{
		"ca-cert.pem": root.PEM(), "ca-key.pem": root.KeyPEM(), "cert-chain.pem": "", "key.pem": "", "root-cert.pem": root.PEM(),
	}
}

// NoControlPlane makes the cluster a remote one of primary.
func (c *Cluster) NoControlPlane(primary *Cluster) {
	c.Image, c.CACerts, c.CASecret, c.Remotes, c.Published = "", nil, nil, nil, primary.Published
	c.Mesh = map[string]map[string]any{"istio": {"trustDomain": "cluster.local"}}
	primary.Env[istio.EnvExternalIstiod] = "true"
	c.SystemAnnotations = map[string]string{"topology.istio.io/controlPlaneClusters": primary.Name}
}

// Objects are what the cluster consists of, fit for an API server.
func (c *Cluster) Objects() []runtime.Object {
	out := append(c.objects(), c.Further...)
	for _, o := range out {
		if c.Change != nil {
			c.Change(o)
		}
	}
	return out
}

func (c *Cluster) objects() []runtime.Object {
	names := append([]string{"default", "kube-public", "kube-system", System}, slices.Sorted(maps.Keys(c.Namespaces))...)
	var out []runtime.Object
	for _, name := range names {
		if c.NoIstio && name == System {
			continue
		}
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: c.Namespaces[name], CreationTimestamp: metav1.NewTime(Now.Add(-96 * time.Hour))}}
		switch name {
		case "kube-system":
			ns.UID = types.UID(c.UID)
		case System:
			ns.Labels, ns.Annotations = c.SystemLabels, c.SystemAnnotations
		}
		out = append(out, ns)
	}
	if c.NoIstio {
		return out
	}
	for _, name := range names {
		root, ok := c.PublishedIn[name]
		if !ok {
			root = c.Published
		}
		if root != "" && name != "kube-public" {
			out = append(out, &corev1.ConfigMap{
				ObjectMeta: meta(name, istio.RootCertConfigMap, map[string]string{"istio.io/config": "true"}),
				Data:       map[string]string{istio.RootCertKey: root},
			})
		}
	}
	if c.CACerts != nil {
		s := secret(istio.CACertsSecret, c.CACerts)
		s.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl-create", Operation: metav1.ManagedFieldsOperationUpdate, Time: &metav1.Time{Time: c.CACertsWritten}}}
		out = append(out, s)
	}
	if c.CASecret != nil {
		s := secret(istio.CASecret, c.CASecret)
		s.Type = "istio.io/ca-root"
		out = append(out, s)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Mesh)) {
		text, err := yaml.Marshal(c.Mesh[name])
		if err != nil {
			panic(err)
		}
		out = append(out, &corev1.ConfigMap{ObjectMeta: meta(System, name, nil), Data: map[string]string{"mesh": string(text), "meshNetworks": cmp.Or(c.MeshNetworks, "networks: {}")}})
	}
	if c.Image != "" {
		out = append(out, c.istiod(), c.istiodPod())
		if c.Network != nil {
			out = append(out, c.injector())
		}
	} else {
		out = append(out, c.webhook())
	}
	for _, r := range c.Remotes {
		out = append(out, remoteSecret(r, cmp.Or(c.RemoteKeys[r.Name], r.Name)))
	}
	for i, env := range c.Sidecars {
		out = append(out, sidecar(i, env, c.Socket))
	}
	return append(append(out, c.Network.objects()...), c.readerRole()...)
}

func meta(namespace, name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels, CreationTimestamp: metav1.NewTime(Now.Add(-72 * time.Hour))}
}

func secret(name string, data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: meta(System, name, nil), Type: corev1.SecretTypeOpaque, Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

func (c *Cluster) istiodName() string {
	if c.Revision == "" {
		return "istiod"
	}
	return "istiod-" + c.Revision
}

func (c *Cluster) container() corev1.Container {
	env := maps.Clone(c.Env)
	env["REVISION"] = "default"
	if c.Revision != "" {
		env["REVISION"] = c.Revision
	}
	container := corev1.Container{Name: "discovery", Image: "registry.example/istio/pilot:" + c.Image, TerminationMessagePolicy: "File", ImagePullPolicy: "IfNotPresent"}
	if c.Aliases != "" {
		container.Args = []string{"discovery", istio.ArgClusterAliases + "=" + c.Aliases}
	}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		container.Env = append(container.Env, corev1.EnvVar{Name: k, Value: env[k]})
	}
	return container
}

func (c *Cluster) istiod() *appsv1.Deployment {
	labels := map[string]string{"app": "istiod", "istio.io/rev": "default"}
	optional := true
	d := &appsv1.Deployment{ObjectMeta: meta(System, c.istiodName(), labels)}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "istiod"}}
	d.Spec.Template.Labels = labels
	d.Spec.Template.Spec.Containers = []corev1.Container{c.container()}
	d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "cacerts", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: "cacerts", Optional: &optional},
	}}}
	return d
}

func (c *Cluster) istiodPod() *corev1.Pod {
	started := metav1.NewTime(Now.Add(-48 * time.Hour))
	p := &corev1.Pod{ObjectMeta: meta(System, c.istiodName()+"-0", map[string]string{"app": "istiod", "istio.io/rev": "default"})}
	p.Spec.Containers = []corev1.Container{c.container()}
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &started,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "discovery", Ready: true, Image: "registry.example/istio/pilot:" + c.Image, ImageID: "sha256:0",
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
		}},
	}
	return p
}

// injector is the ConfigMap with the values of the injector.
func (c *Cluster) injector() *corev1.ConfigMap {
	network := c.Network.Name
	if c.InjectedNetwork != nil {
		network = *c.InjectedNetwork
	}
	name := istio.InjectorConfigMap
	if c.Revision != "" {
		name += "-" + c.Revision
	}
	values, err := json.Marshal(map[string]any{"global": map[string]any{
		"network": network, "meshID": "mesh1", "multiCluster": map[string]string{"clusterName": c.Env[istio.EnvClusterID]},
		"imagePullSecrets": []string{"pull"},
	}})
	if err != nil {
		panic(err)
	}
	return &corev1.ConfigMap{ObjectMeta: meta(System, name, nil), Data: map[string]string{istio.InjectorValuesKey: string(values), "config": "templates: {}"}}
}

func sidecar(n int, env map[string]string, driver string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: meta("sample", fmt.Sprintf("app-%d", n), map[string]string{"security.istio.io/tlsMode": "istio"})}
	c := corev1.Container{Name: "istio-proxy", Image: "registry.example/istio/proxyv2:1.29.1", TerminationMessagePolicy: "File", ImagePullPolicy: "IfNotPresent"}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		c.Env = append(c.Env, corev1.EnvVar{Name: k, Value: env[k]})
	}
	p.Spec.Containers = []corev1.Container{{Name: "app", Image: "registry.example/app:1", TerminationMessagePolicy: "File", ImagePullPolicy: "IfNotPresent"}, c}
	if driver != "" {
		p.Spec.Volumes = []corev1.Volume{{Name: istio.WorkloadSocket, VolumeSource: corev1.VolumeSource{
			CSI: &corev1.CSIVolumeSource{Driver: driver, ReadOnly: ptr(true)},
		}}}
	}
	return p
}

// webhook of a remote cluster. It points nowhere that an API server would dial:
// no object matches it.
func (c *Cluster) webhook() *admissionv1.MutatingWebhookConfiguration {
	url, ignore, none := "https://127.0.0.1:15017/inject/cluster/"+c.Name+"/net/"+c.Network.injected(), admissionv1.Ignore, admissionv1.SideEffectClassNone
	config := admissionv1.WebhookClientConfig{URL: &url}
	if c.InjectsBy != nil {
		c.InjectsBy(&config)
	}
	return &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: meta("", "istio-sidecar-injector", map[string]string{"app": "sidecar-injector"}),
		Webhooks: []admissionv1.MutatingWebhook{{
			Name: "rev.namespace.sidecar-injector.istio.io", ClientConfig: config,
			FailurePolicy: &ignore, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"no-object": "has-this"}},
		}},
	}
}

// Token is what stands for a credential in tests: an output that holds it has leaked.
func Token(cluster string) string {
	claims := `{"sub":"system:serviceaccount:` + System + `:istio-reader-service-account"}`
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2lnbmF0dXJl" + base64.RawURLEncoding.EncodeToString([]byte(cluster))
}

func remoteSecret(to *Cluster, key string) *corev1.Secret {
	kubeconfig := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": to.Name,
		"clusters": []any{map[string]any{"name": to.Name, "cluster": map[string]any{"server": to.Server}}},
		"contexts": []any{map[string]any{"name": to.Name, "context": map[string]any{"cluster": to.Name, "user": to.Name}}},
		"users":    []any{map[string]any{"name": to.Name, "user": map[string]any{"token": Token(to.Name)}}},
	}
	text, err := yaml.Marshal(kubeconfig)
	if err != nil {
		panic(err)
	}
	s := secret("istio-remote-secret-"+to.Name, map[string]string{key: string(text)})
	s.Labels = map[string]string{istio.MultiClusterLabel: "true"}
	return s
}

func (c *Cluster) readerRole() []runtime.Object {
	readable := []string{"endpoints", "pods", "services", "nodes", "namespaces", "secrets"}
	if !c.ReaderDenied {
		readable = append(readable, "configmaps")
	}
	name := "istio-reader-clusterrole-" + System
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: readable, Verbs: []string{"get", "list", "watch"}}}
	for _, r := range istio.RemoteRights {
		if c.Image == "" && !slices.Contains(c.Denied, r) {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: []string{r.Resource}, Verbs: []string{r.Verb}})
		}
	}
	return []runtime.Object{
		&rbacv1.ClusterRole{ObjectMeta: meta("", name, nil), Rules: rules},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: meta("", name, nil), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: istio.ReaderIdentity, Namespace: System}},
		},
	}
}

// Facts are what a survey of the fleet would have read, by a user who may read everything.
func (f *Fleet) Facts() *facts.Fleet {
	out := &facts.Fleet{At: Now}
	for _, c := range f.Clusters {
		objects := c.Objects()
		objects = append(objects, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:" + System + ":" + istio.ReaderIdentity,
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: System, Verb: "list", Resource: "configmaps"},
			},
			Status: authorizationv1.SubjectAccessReviewStatus{Allowed: !c.ReaderDenied},
		})
		for _, r := range istio.RemoteRights {
			if c.Image == "" {
				objects = append(objects, &authorizationv1.SubjectAccessReview{
					ObjectMeta: metav1.ObjectMeta{Name: r.String()},
					Spec: authorizationv1.SubjectAccessReviewSpec{
						User:               "system:serviceaccount:" + System + ":" + istio.ReaderIdentity,
						ResourceAttributes: &authorizationv1.ResourceAttributes{Group: r.Group, Verb: r.Verb, Resource: r.Resource},
					},
					Status: authorizationv1.SubjectAccessReviewStatus{Allowed: !slices.Contains(c.Denied, r)},
				})
			}
		}
		cluster := facts.Cluster{Context: c.Name, Server: c.Server, SystemNamespace: System}
		dump.Fill(&cluster, objects, resources.All)
		out.Clusters = append(out.Clusters, cluster)
	}
	return out
}
