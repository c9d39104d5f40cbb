package topology

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// SystemObjects are what an installation of Istio puts into a resolved cluster,
// but for what depends on running servers: the webhook, the remote secrets and
// the control plane's own pod. CA is the data of Secret cacerts; without any,
// istiod signs with a root that it makes up.
func (c Cluster) SystemObjects(ca map[string][]byte) ([]runtime.Object, error) {
	objects := []runtime.Object{c.systemNamespace()}
	objects = append(objects, c.readerObjects()...)
	if c.RemoteOf != "" {
		return objects, nil
	}
	injector, err := c.injectorConfig()
	if err != nil {
		return nil, err
	}
	mesh, err := c.meshConfig()
	if err != nil {
		return nil, err
	}
	objects = append(objects, injector, mesh)
	if ca != nil {
		objects = append(objects, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: SystemNamespace, Name: "cacerts"},
			Data:       ca,
		})
	}
	return objects, nil
}

// systemNamespace is the namespace of the control plane.
func (c Cluster) systemNamespace() *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        SystemNamespace,
		Labels:      map[string]string{},
		Annotations: map[string]string{},
	}}
	for _, n := range c.Namespaces {
		if n.Name == SystemNamespace {
			for key, value := range n.Labels {
				namespace.Labels[key] = value
			}
			for key, value := range n.Annotations {
				namespace.Annotations[key] = value
			}
		}
	}
	if c.NamespaceNetwork != "" {
		namespace.Labels[NetworkLabel] = c.NamespaceNetwork
	}
	if c.RemoteOf != "" && namespace.Annotations[controlPlanesAnnotation] == "" {
		namespace.Annotations[controlPlanesAnnotation] = c.primaryID
	}
	return namespace
}

// meshConfig is the ConfigMap of the mesh config, which istiod watches.
func (c Cluster) meshConfig() (*corev1.ConfigMap, error) {
	data := map[string]string{}
	for key, text := range map[string]*string{"mesh": c.MeshConfig, "meshNetworks": c.MeshNetworks} {
		content := "{}"
		if text != nil && strings.TrimSpace(*text) != "" {
			content = *text
		}
		var parsed map[string]any
		if err := yaml.Unmarshal([]byte(content), &parsed); err != nil {
			return nil, fmt.Errorf("cluster %s: %s: %w", c.Name, key, err)
		}
		if key == "meshNetworks" && parsed["networks"] == nil {
			content = "networks: {}"
		}
		data[key] = content
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: SystemNamespace, Name: "istio", Labels: map[string]string{revisionLabel: Revision},
		},
		Data: data,
	}, nil
}

// injectorConfig is the ConfigMap of the injector.
func (c Cluster) injectorConfig() (*corev1.ConfigMap, error) {
	values, err := json.Marshal(map[string]any{
		"global": map[string]any{
			"hub":            "example.com/istio",
			"tag":            IstioVersion,
			"istioNamespace": SystemNamespace,
			"meshID":         "mesh1",
			"network":        c.InjectedNetwork,
			"multiCluster":   map[string]any{"clusterName": c.ID},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cluster %s: write the values of the injector: %w", c.Name, err)
	}
	templates := map[string]string{"sidecar": sidecarTemplate}
	if c.Ambient {
		templates["waypoint"] = waypointTemplate
	}
	config, err := yaml.Marshal(map[string]any{
		"policy":           "enabled",
		"defaultTemplates": []string{"sidecar"},
		"templates":        templates,
	})
	if err != nil {
		return nil, fmt.Errorf("cluster %s: write the template of the injector: %w", c.Name, err)
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: SystemNamespace, Name: "istio-sidecar-injector", Labels: map[string]string{revisionLabel: Revision},
		},
		Data: map[string]string{"config": string(config), "values": string(values)},
	}, nil
}

// ReaderToken asks the controllers for a token of other control planes, as istioctl
// does. They drop it if they do not know the service account yet.
func ReaderToken() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: SystemNamespace, Name: ReaderTokenSecret,
			Annotations: map[string]string{corev1.ServiceAccountNameKey: ReaderServiceAccount},
		},
		Type: corev1.SecretTypeServiceAccountToken,
	}
}

// readerObjects are the identity of other clusters' control planes and its rights,
// which are those of Istio's own chart.
func (c Cluster) readerObjects() []runtime.Object {
	const role = "istio-reader-clusterrole-" + SystemNamespace
	account := metav1.ObjectMeta{Namespace: SystemNamespace, Name: ReaderServiceAccount}
	return []runtime.Object{
		&corev1.ServiceAccount{ObjectMeta: account},
		&rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: role, Labels: map[string]string{"app": "istio-reader"}},
			Rules:      readerRules(c.RemoteOf != ""),
		},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role, Labels: map[string]string{"app": "istio-reader"}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{
				{Kind: rbacv1.ServiceAccountKind, Namespace: SystemNamespace, Name: ReaderServiceAccount},
			},
		},
	}
}

// readerRules are the rights of a reader. One of a remote cluster may write what
// its control plane writes there.
func readerRules(remote bool) []rbacv1.PolicyRule {
	read := []string{"get", "list", "watch"}
	rules := []rbacv1.PolicyRule{
		{
			APIGroups: []string{
				"authentication.istio.io", "config.istio.io", "extensions.istio.io", "networking.istio.io",
				"rbac.istio.io", "security.istio.io", "telemetry.istio.io",
			},
			Resources: []string{rbacv1.ResourceAll},
			Verbs:     read,
		},
		{
			APIGroups: []string{""},
			Resources: []string{
				"configmaps", "endpoints", "namespaces", "nodes", "pods", "replicationcontrollers", "secrets", "services",
			},
			Verbs: read,
		},
		{
			APIGroups: []string{"gateway.networking.k8s.io", "networking.x-k8s.io"},
			Resources: []string{"gateways"},
			Verbs:     read,
		},
		{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: read},
		{APIGroups: []string{"apps"}, Resources: []string{"replicasets"}, Verbs: read},
		{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
		{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
		{
			APIGroups: []string{"multicluster.x-k8s.io"},
			Resources: []string{"serviceexports"},
			Verbs:     append([]string{"create", "delete"}, read...),
		},
		{APIGroups: []string{"multicluster.x-k8s.io"}, Resources: []string{"serviceimports"}, Verbs: read},
	}
	if remote {
		rules = append(rules,
			rbacv1.PolicyRule{
				APIGroups: []string{""},
				Resources: []string{"configmaps"},
				Verbs:     append([]string{"create", "update"}, read...),
			},
			rbacv1.PolicyRule{
				APIGroups: []string{"admissionregistration.k8s.io"},
				Resources: []string{"mutatingwebhookconfigurations"},
				Verbs:     append([]string{"patch", "update"}, read...),
			},
			rbacv1.PolicyRule{
				APIGroups: []string{"admissionregistration.k8s.io"},
				Resources: []string{"validatingwebhookconfigurations"},
				Verbs:     append([]string{"update"}, read...),
			},
		)
	}
	return rules
}
