package linkerdmesh_test

import (
	"crypto/elliptic"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// The clusters of the healthy fleet.
const east, west = 0, 1

// change finds the objects of a row to change.
func change[T any](f *facts.Fleet, at int, row interface {
	Edit(*facts.Cluster) *facts.Read[[]T]
}, is func(*T) bool, to func(*T)) {
	read := row.Edit(&f.Clusters[at])
	read.Value = slices.Clone(read.Value)
	found := false
	for i := range read.Value {
		if is(&read.Value[i]) {
			to(&read.Value[i])
			found = true
		}
	}
	if !found {
		panic("there is no such object")
	}
}

func add[T any](f *facts.Fleet, at int, row interface {
	Edit(*facts.Cluster) *facts.Read[[]T]
}, o T) {
	read := row.Edit(&f.Clusters[at])
	read.State, read.Value = facts.OK, append(slices.Clone(read.Value), o)
}

func drop[T any](f *facts.Fleet, at int, row interface {
	Edit(*facts.Cluster) *facts.Read[[]T]
}, is func(*T) bool) {
	read := row.Edit(&f.Clusters[at])
	read.Value = slices.DeleteFunc(slices.Clone(read.Value), func(o T) bool { return is(&o) })
}

func service(name string) func(*corev1.Service) bool {
	return func(s *corev1.Service) bool { return s.Name == name }
}

func roots(f *facts.Fleet, at int, text string) {
	change(f, at, resources.TrustRoots, func(*corev1.ConfigMap) bool { return true }, func(m *corev1.ConfigMap) {
		m.Data = map[string]string{resources.KeyRoots: text}
	})
}

func rootsOf(f *facts.Fleet, at int) string {
	return resources.TrustRoots.Of(&f.Clusters[at]).Value[0].Data[resources.KeyRoots]
}

// trusted adds a root to those that all proxies of both clusters trust.
func trusted(f *facts.Fleet, root *linkerdtest.Authority) {
	for _, at := range []int{east, west} {
		text := rootsOf(f, at) + "\n" + string(root.PEM)
		roots(f, at, text)
		values(f, at, "identity:\n", "identity:\n  externalCA: true\n")
		pod(f, at, "", func(p *facts.Pod) {
			for _, containers := range []*[]corev1.Container{&p.Containers, &p.InitContainers} {
				*containers = slices.Clone(*containers)
				for i := range *containers {
					c := &(*containers)[i]
					c.Env = slices.Clone(c.Env)
					for e := range c.Env {
						if c.Env[e].Name == resources.EnvTrustAnchors && c.Env[e].Value != "" {
							c.Env[e].Value = text
						}
					}
				}
			}
		})
	}
}

func issuer(f *facts.Fleet, at int, certificate, key []byte) {
	change(f, at, resources.Issuers, func(*corev1.Secret) bool { return true }, func(s *corev1.Secret) {
		trimmed := resources.Issuers.Trim(&corev1.Secret{ObjectMeta: s.ObjectMeta, Type: s.Type, Data: map[string][]byte{"crt.pem": certificate, "key.pem": key}})
		*s = *trimmed.(*corev1.Secret)
	})
}

func values(f *facts.Fleet, at int, from, to string) {
	change(f, at, resources.Config, func(*corev1.ConfigMap) bool { return true }, func(m *corev1.ConfigMap) {
		m.Data = map[string]string{resources.KeyValues: strings.ReplaceAll(m.Data[resources.KeyValues], from, to)}
	})
}

func link(f *facts.Fleet, to func(*api.Link)) {
	change(f, east, resources.Links, func(*api.Link) bool { return true }, to)
}

// token replaces what is kept of the kubeconfig of both copies.
func token(f *facts.Fleet, claims string) {
	change(f, east, resources.Credentials, func(*corev1.Secret) bool { return true }, func(s *corev1.Secret) {
		const key = "access.kubectl-mesh.dev/kubeconfig"
		s.Annotations = map[string]string{
			key:                               strings.Replace(s.Annotations[key], `"kind":"token"`, `"kind":"token","token":`+claims, 1),
			resources.AnnotationTrustDomain:   "cluster.local",
			resources.AnnotationClusterDomain: "cluster.local",
		}
	})
}

func pod(f *facts.Fleet, at int, prefix string, to func(*facts.Pod)) {
	change(f, at, resources.Pods, func(p *facts.Pod) bool { return strings.HasPrefix(p.Name, prefix) }, func(p *facts.Pod) {
		template := *p.PodTemplate
		p.PodTemplate = &template
		to(p)
	})
}

func condition(f *facts.Fleet, ready int32) {
	change(f, west, resources.ControlPlanes, func(d *appsv1.Deployment) bool { return d.Name == "linkerd-destination" }, func(d *appsv1.Deployment) {
		d.Status.ReadyReplicas = ready
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}}
	})
}

func isDefault(n *corev1.Namespace) bool { return n.Name == "default" }

// identitySays is an event of linkerd-identity, so long ago.
func identitySays(f *facts.Fleet, reason string, ago time.Duration) corev1.Event {
	return corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "linkerd", Name: "linkerd-identity." + reason}, Reason: reason, LastTimestamp: metav1.NewTime(f.At.Add(-ago)),
		InvolvedObject: corev1.ObjectReference{Kind: "Deployment", Namespace: "linkerd", Name: resources.DeploymentIdentity},
		Message:        "Skipping issuer update as certs could not be read from disk: failed to verify issuer credentials for 'identity' with trust anchors",
	}
}

func anyOf[T any](*T) bool { return true }

// ofRelease has the proxies of west's web be of a release.
func ofRelease(f *facts.Fleet, version string) {
	annotated(f, resources.AnnotationProxyVersion, version)
}

// annotated has the pods of west's web have an annotation.
func annotated(f *facts.Fleet, key, value string) {
	pod(f, west, "web-", func(p *facts.Pod) {
		p.Annotations = maps.Clone(p.Annotations)
		p.Annotations[key] = value
	})
}

// clocks has west have further nodes, of which the clock of the last one is off.
func clocks(f *facts.Fleet, by time.Duration) {
	for i, off := range []time.Duration{0, time.Second, by} {
		name := fmt.Sprintf("west-node-%d", i+2)
		add(f, west, resources.Nodes, corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
		})
		renewed := metav1.NewMicroTime(f.At.Add(off))
		add(f, west, resources.NodeLeases, lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: name}, Spec: coordinationv1.LeaseSpec{RenewTime: &renewed},
		})
	}
}

// calledAtWeb has west's API server call its web.
func calledAtWeb(f *facts.Fleet) {
	port := int32(80)
	add(f, west, resources.ValidatingWebhooks, admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "shop"},
		Webhooks: []admissionv1.ValidatingWebhook{{ClientConfig: admissionv1.WebhookClientConfig{
			Service: &admissionv1.ServiceReference{Namespace: "shop", Name: "web", Port: &port},
		}}},
	})
}

// serverOfWeb has a Server be about the port of west's web.
func serverOfWeb(f *facts.Fleet, access string) {
	add(f, west, resources.Servers, api.Server{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: api.ServerSpec{
			PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Port: intstr.FromInt32(8080), AccessPolicy: access,
		},
	})
}

// admitting has a policy of that Server admit addresses.
func admitting(f *facts.Fleet, network string) {
	add(f, west, resources.NetworkAuthentications, api.NetworkAuthentication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "api-server"},
		Spec:       api.NetworkAuthenticationSpec{Networks: []api.Network{{CIDR: network}}},
	})
	add(f, west, resources.AuthorizationPolicies, api.AuthorizationPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "api-server"},
		Spec: api.AuthorizationPolicySpec{
			TargetRef:                  api.TargetRef{Group: api.PolicyGroup, Kind: "Server", Name: "web"},
			RequiredAuthenticationRefs: []api.PolicyRef{{Group: api.PolicyGroup, Kind: "NetworkAuthentication", Name: "api-server"}},
		},
	})
}

func unready(p *facts.Pod) { p.Ready = corev1.ConditionFalse }

// faults are changes of the healthy fleet, and what has to be found: that alone.
var faults = []struct {
	name string
	do   func(*testing.T, *facts.Fleet)
	want []string
}{
	{"nothing", func(*testing.T, *facts.Fleet) {}, nil},
	{"no roots", func(_ *testing.T, f *facts.Fleet) {
		drop(f, west, resources.TrustRoots, func(*corev1.ConfigMap) bool { return true })
	}, []string{"CERT103 error west"}},
	{"text after the roots", func(_ *testing.T, f *facts.Fleet) {
		roots(f, west, rootsOf(f, west)+"\n\n")
		change(f, west, resources.TrustRoots, func(*corev1.ConfigMap) bool { return true }, func(m *corev1.ConfigMap) {
			m.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Time: &metav1.Time{Time: f.At}}}
		})
	}, []string{"CERT103 error west", "CERT110 note west"}},
	{"text after the roots, with which identity has started", func(_ *testing.T, f *facts.Fleet) { roots(f, west, rootsOf(f, west)+"\n\n") }, nil},
	{"one line break after the roots", func(_ *testing.T, f *facts.Fleet) { roots(f, west, rootsOf(f, west)+"\n") }, nil},
	{"a comment before the roots", func(_ *testing.T, f *facts.Fleet) { roots(f, west, "# ours\n"+rootsOf(f, west)) }, nil},
	{"the roots twice", func(_ *testing.T, f *facts.Fleet) { roots(f, west, rootsOf(f, west)+"\n"+rootsOf(f, west)) }, nil},
	{"a foreign block before the root", func(_ *testing.T, f *facts.Fleet) {
		roots(f, west, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"+rootsOf(f, west))
	}, []string{"CERT103 error west"}},
	{"old values", func(t *testing.T, f *facts.Fleet) {
		other := linkerdtest.Issue(t, nil, linkerdtest.Made{Name: "old", From: f.At.Add(-time.Hour), To: f.At.Add(1e5 * time.Hour)})
		values(f, west, "identityTrustAnchorsPEM: |", "identityTrustAnchorsPEM: |\n  "+strings.ReplaceAll(strings.TrimSpace(string(other.PEM)), "\n", "\n  ")+"\nignored: |")
	}, []string{"CERT104 warning west"}},
	{"an issuer of nobody", func(t *testing.T, f *facts.Fleet) {
		root := linkerdtest.Issue(t, nil, linkerdtest.Made{Name: "other", From: f.At.Add(-time.Hour), To: f.At.Add(1e5 * time.Hour)})
		i := linkerdtest.Issue(t, root, linkerdtest.Made{Name: "issuer", From: f.At.Add(-time.Hour), To: f.At.Add(1e4 * time.Hour)})
		issuer(f, west, i.PEM, i.Key(t))
	}, []string{"CERT101 error east,west", "CERT105 error west"}},
	{"an issuer that is no CA", func(t *testing.T, f *facts.Fleet) {
		root := linkerdtest.Issue(t, nil, linkerdtest.Made{Name: "root", From: f.At.Add(-time.Hour), To: f.At.Add(1e5 * time.Hour)})
		leaf := linkerdtest.Issue(t, root, linkerdtest.Made{Name: "leaf", From: f.At.Add(-time.Hour), To: f.At.Add(1e4 * time.Hour), Leaf: true})
		trusted(f, root)
		issuer(f, west, leaf.PEM, leaf.Key(t))
	}, []string{"CERT105 error west"}},
	{"another key", func(t *testing.T, f *facts.Fleet) {
		a := linkerdtest.Issue(t, nil, linkerdtest.Made{Name: "a", From: f.At, To: f.At.Add(time.Hour)})
		issuer(f, west, resources.Issuers.Of(&f.Clusters[west]).Value[0].Data["crt.pem"], a.Key(t))
	}, []string{"CERT106 error west"}},
	{"no issuer", func(_ *testing.T, f *facts.Fleet) {
		drop(f, west, resources.Issuers, func(*corev1.Secret) bool { return true })
	}, []string{"CERT106 error west"}},
	{"P-384", func(t *testing.T, f *facts.Fleet) {
		root := linkerdtest.Issue(t, nil, linkerdtest.Made{Name: "p384", From: f.At.Add(-time.Hour), To: f.At.Add(1e5 * time.Hour), Curve: elliptic.P384()})
		trusted(f, root)
	}, []string{"CERT107 note east", "CERT107 note west"}},
	{"an old root that has expired", func(t *testing.T, f *facts.Fleet) {
		root := linkerdtest.Issue(t, nil, linkerdtest.Made{Name: "gone", From: f.At.Add(-9 * time.Hour), To: f.At.Add(-time.Hour)})
		roots(f, west, rootsOf(f, west)+"\n"+string(root.PEM))
		values(f, west, "identity:\n", "identity:\n  externalCA: true\n")
	}, []string{"CERT102 note east,west", "CERT108 note west"}},
	{"an issuer that ends soon", func(_ *testing.T, f *facts.Fleet) { f.At = time.Date(2027, 11, 15, 0, 0, 0, 0, time.UTC) }, []string{
		"CERT108 warning east", "CERT108 warning west",
	}},
	{"another trust domain in the credentials", func(_ *testing.T, f *facts.Fleet) {
		change(f, east, resources.Credentials, func(s *corev1.Secret) bool { return s.Namespace == "linkerd" }, func(s *corev1.Secret) {
			s.Annotations = map[string]string{
				resources.AnnotationTrustDomain: "other", resources.AnnotationClusterDomain: "cluster.local",
				"access.kubectl-mesh.dev/kubeconfig": s.Annotations["access.kubectl-mesh.dev/kubeconfig"],
			}
		})
	}, []string{"CERT112 error east"}},
	{"identity before the roots", func(_ *testing.T, f *facts.Fleet) {
		change(f, west, resources.TrustRoots, func(*corev1.ConfigMap) bool { return true }, func(m *corev1.ConfigMap) {
			m.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Time: &metav1.Time{Time: f.At}}}
		})
	}, []string{"CERT110 note west"}},
	{"a probe without a path", func(_ *testing.T, f *facts.Fleet) { link(f, func(l *api.Link) { l.Spec.ProbeSpec.Path = "" }) }, []string{"NET105 warning east"}},
	{"a probe without a unit", func(_ *testing.T, f *facts.Fleet) { link(f, func(l *api.Link) { l.Spec.ProbeSpec.Period = "3" }) }, []string{"NET105 warning east"}},
	{"another identity", func(_ *testing.T, f *facts.Fleet) {
		link(f, func(l *api.Link) {
			l.Spec.GatewayIdentity = "gateway.linkerd-multicluster.serviceaccount.identity.linkerd.cluster.local"
		})
	}, []string{"EP112 error east", "EP112 error east", "NET106 error east"}},
	{"old addresses", func(_ *testing.T, f *facts.Fleet) {
		change(f, east, resources.MirrorEndpoints, func(e *corev1.Endpoints) bool { return e.Name == "web-west" }, func(e *corev1.Endpoints) {
			e.Subsets = []corev1.EndpointSubset{{Addresses: []corev1.EndpointAddress{{IP: "192.0.2.99"}}}}
		})
	}, []string{"NET109 error east"}},
	{"the same pod addresses", func(_ *testing.T, f *facts.Fleet) {
		pod(f, west, "orders-", func(p *facts.Pod) { p.IPs = []string{"10.10.0.7"} })
	}, []string{"NET111 error east,west"}},
	{"Cilium in the sockets", func(_ *testing.T, f *facts.Fleet) {
		add(f, east, resources.CiliumConfigs, corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "cilium-config"}, Data: map[string]string{resources.KeyCiliumReplacement: "true"},
		})
	}, []string{"NET115 error east"}},
	{"Cilium that leaves the sockets alone", func(_ *testing.T, f *facts.Fleet) {
		add(f, east, resources.CiliumConfigs, corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "cilium-config"},
			Data:       map[string]string{resources.KeyCiliumReplacement: "true", resources.KeyCiliumHostOnly: "true"},
		})
	}, nil},
	{"no gateway policy", func(_ *testing.T, f *facts.Fleet) {
		drop(f, west, resources.AuthorizationPolicies, func(a *api.AuthorizationPolicy) bool { return a.Name == "linkerd-gateway" })
	}, []string{"NET110 error west"}},
	{"no credentials", func(_ *testing.T, f *facts.Fleet) {
		drop(f, east, resources.Credentials, func(s *corev1.Secret) bool { return s.Namespace == "linkerd-multicluster" })
	}, []string{"EP101 error east"}},
	{"an expired token", func(_ *testing.T, f *facts.Fleet) {
		token(f, `{"subject":"system:serviceaccount:linkerd-multicluster:linkerd-service-mirror-remote-access-default","expires":"2026-11-01T00:00:00Z"}`)
	}, []string{"EP103 error east", "EP103 error east"}},
	{"a token that ends soon", func(_ *testing.T, f *facts.Fleet) {
		token(f, fmt.Sprintf(`{"subject":"system:serviceaccount:linkerd-multicluster:linkerd-service-mirror-remote-access-default","expires":%q}`, f.At.Add(time.Hour).Format(time.RFC3339)))
	}, []string{"EP103 warning east", "EP103 warning east"}},
	{"a recreated account", func(_ *testing.T, f *facts.Fleet) {
		token(f, `{"subject":"system:serviceaccount:linkerd-multicluster:linkerd-service-mirror-remote-access-default","accountUID":"before"}`)
	}, []string{"EP103 error east", "EP103 error east"}},
	{"a token that nobody uses", func(_ *testing.T, f *facts.Fleet) {
		change(f, west, resources.Tokens, func(*corev1.Secret) bool { return true }, func(s *corev1.Secret) {
			s.Labels = map[string]string{resources.LabelExtension: resources.ExtensionMulticluster}
			s.CreationTimestamp = metav1.NewTime(f.At)
		})
	}, []string{"EP103 error east"}},
	{"no account", func(_ *testing.T, f *facts.Fleet) {
		drop(f, west, resources.Tokens, func(*corev1.Secret) bool { return true })
		drop(f, west, resources.Accounts, func(a *corev1.ServiceAccount) bool { return strings.Contains(a.Name, "remote-access") })
	}, []string{"EP103 error east"}},
	{"a Lease that nobody renews", func(_ *testing.T, f *facts.Fleet) {
		change(f, east, resources.Leases, func(l *lease) bool { return l.Name == "service-mirror-write-west" }, func(l *lease) {
			l.Spec.RenewTime = &metav1.MicroTime{Time: f.At.Add(-time.Hour)}
		})
	}, []string{"EP108 warning east"}},
	{"a Service of one's own", func(_ *testing.T, f *facts.Fleet) {
		change(f, east, resources.Services, service("web-west"), func(s *corev1.Service) { s.Labels = nil })
	}, []string{"EP110 error east"}},
	{"no Endpoints", func(_ *testing.T, f *facts.Fleet) {
		drop(f, east, resources.MirrorEndpoints, func(e *corev1.Endpoints) bool { return e.Name == "web-west" })
	}, []string{"EP111 error east"}},
	{"no identity", func(_ *testing.T, f *facts.Fleet) {
		change(f, east, resources.MirrorEndpoints, func(e *corev1.Endpoints) bool { return e.Name == "web-west" }, func(e *corev1.Endpoints) { e.Annotations = nil })
	}, []string{"EP112 error east"}},
	{"other ports", func(_ *testing.T, f *facts.Fleet) {
		change(f, west, resources.Services, service("web"), func(s *corev1.Service) { s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 81}} })
	}, []string{"EP113 warning east"}},
	{"a mirror of what is gone", func(_ *testing.T, f *facts.Fleet) { drop(f, west, resources.Services, service("web")) }, []string{"EP114 warning east"}},
	{"remote pods that are not ready", func(_ *testing.T, f *facts.Fleet) {
		change(f, west, resources.EndpointSlices, func(s *slice) bool { return s.Labels["kubernetes.io/service-name"] == "orders" }, func(s *slice) {
			no := false
			s.Endpoints = slices.Clone(s.Endpoints)
			for i := range s.Endpoints {
				s.Endpoints[i].Conditions.Ready = &no
			}
		})
	}, []string{"EP115 error east"}},
	{"a name with a dot", func(_ *testing.T, f *facts.Fleet) {
		link(f, func(l *api.Link) { l.Spec.TargetClusterName = "west.example" })
	}, []string{
		"EP102 note east", "EP109 error east,west < EP117", "EP109 error east,west < EP117", "EP109 error east,west < EP117",
		"EP109 error east,west < EP117", "EP114 warning east", "EP117 error east",
	}},
	{"an old target", func(_ *testing.T, f *facts.Fleet) { values(f, west, "edge-26.8.3", "stable-2.14.10") }, []string{
		"CP108 warning west", "EP120 error east,west", "EP120 note west,east",
	}},
	{"another namespace of the control plane", func(_ *testing.T, f *facts.Fleet) {
		link(f, func(l *api.Link) { l.Spec.TargetClusterLinkerdNamespace = "other" })
	}, []string{"EP119 note east"}},
	{"no pod of the injector is ready", func(_ *testing.T, f *facts.Fleet) { pod(f, west, "linkerd-proxy-injector-", unready) }, []string{"CP101 error west"}},
	{"a quota", func(_ *testing.T, f *facts.Fleet) { condition(f, 0); pod(f, west, "linkerd-destination-", unready) }, []string{
		"CP101 error west < CP103", "CP103 error west",
	}},
	{"a quota for some", func(_ *testing.T, f *facts.Fleet) { condition(f, 1) }, []string{"CP103 warning west"}},
	{"restarts", func(_ *testing.T, f *facts.Fleet) {
		pod(f, west, "linkerd-destination-", func(p *facts.Pod) {
			p.Statuses = []facts.ContainerStatus{{Name: "destination", Restarts: 7, Started: f.At.Add(-time.Minute)}}
		})
	}, []string{"CP102 warning west"}},
	{"proxies of two versions before", func(_ *testing.T, f *facts.Fleet) { ofRelease(f, "edge-25.10.7") }, []string{"CP108 warning west"}},
	{"proxies of two releases, and a digest", func(_ *testing.T, f *facts.Fleet) {
		ofRelease(f, "edge-25.10.7@sha256:0123")
		pod(f, west, "orders-", func(p *facts.Pod) {
			p.Annotations = map[string]string{resources.AnnotationProxyVersion: "enterprise-2.18.2"}
		})
	}, []string{"CP108 warning west", "CP108 warning west"}},
	{"proxies of the version before, and one of somebody's own", func(_ *testing.T, f *facts.Fleet) {
		ofRelease(f, "edge-26.6.3")
		pod(f, west, "orders-", func(p *facts.Pod) {
			p.Annotations = map[string]string{resources.AnnotationProxyVersion: "git-0123abcd"}
		})
	}, nil},
	{"a control plane of somebody's own", func(_ *testing.T, f *facts.Fleet) {
		values(f, west, "edge-26.8.3", "dev-0123abcd")
		ofRelease(f, "stable-2.12.0")
	}, []string{"EP120 note east,west", "EP120 note west,east"}},
	{"proxies that a workload keeps at a release", func(_ *testing.T, f *facts.Fleet) {
		ofRelease(f, "stable-2.14.10")
		pod(f, west, "web-", func(p *facts.Pod) {
			p.Annotations = maps.Clone(p.Annotations)
			p.Annotations[resources.AnnotationProxyChosen] = "stable-2.14.10"
		})
	}, []string{"CP108 warning west"}},
	{"proxies that the installation keeps at a release", func(_ *testing.T, f *facts.Fleet) {
		values(f, west, "proxy:\n", "proxy:\n  image:\n    version: stable-2.14.10\n")
		ofRelease(f, "stable-2.14.10")
	}, []string{"CP108 warning west"}},
	{"a kind that the control plane waits for", func(_ *testing.T, f *facts.Fleet) {
		resources.EgressNetworks.SetState(&f.Clusters[west], facts.Absent, "")
		pod(f, west, "linkerd-destination-", func(p *facts.Pod) {
			unready(p)
			p.Statuses = []facts.ContainerStatus{{Name: "destination", Restarts: 7, Started: f.At.Add(-time.Minute)}}
		})
	}, []string{"CP101 error west < CP112", "CP102 warning west < CP112", "CP112 error west"}},
	{"a kind that is served in an older version than the next pod of the control plane reads", func(_ *testing.T, f *facts.Fleet) {
		resources.Servers.SetServed(&f.Clusters[west], "v1beta2")
	}, []string{"CP112 warning west"}},
	{"older kinds under an older control plane", func(_ *testing.T, f *facts.Fleet) {
		values(f, west, "edge-26.8.3", "enterprise-2.15.7")
		resources.Servers.SetServed(&f.Clusters[west], "v1beta2")
		resources.EgressNetworks.SetState(&f.Clusters[west], facts.Absent, "")
	}, []string{"CP108 warning west", "EP120 error east,west", "EP120 note west,east"}},
	{"a clock that is behind", func(_ *testing.T, f *facts.Fleet) { clocks(f, -80*time.Second) }, []string{"CP114 warning west"}},
	{"a clock that is far behind", func(_ *testing.T, f *facts.Fleet) { clocks(f, -5*time.Minute) }, []string{"CP114 error west"}},
	{"a lease that is late", func(_ *testing.T, f *facts.Fleet) { clocks(f, -55*time.Second) }, nil},
	{"a clock that is behind by less than the installation allows", func(_ *testing.T, f *facts.Fleet) {
		values(f, west, "clockSkewAllowance: 20s", "clockSkewAllowance: 10m")
		clocks(f, -5*time.Minute)
	}, nil},
	{"a clock that is ahead where nothing is signed", func(_ *testing.T, f *facts.Fleet) { clocks(f, 5*time.Minute) }, nil},
	{"a clock that is ahead where certificates are signed", func(_ *testing.T, f *facts.Fleet) {
		clocks(f, 5*time.Minute)
		pod(f, west, "linkerd-identity-", func(p *facts.Pod) { p.Node = "west-node-4" })
	}, []string{"CP114 error west"}},
	{"a clock of a node that is not ready", func(_ *testing.T, f *facts.Fleet) {
		clocks(f, -5*time.Minute)
		change(f, west, resources.Nodes, func(n *corev1.Node) bool { return n.Name == "west-node-4" }, func(n *corev1.Node) { n.Status.Conditions = nil })
	}, nil},
	{"a webhook whose pods admit meshed clients alone", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		annotated(f, resources.AnnotationInboundPolicy, "all-authenticated")
	}, []string{"CP115 error west"}},
	{"a webhook that fails open, and a port that requires an identity", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		change(f, west, resources.ValidatingWebhooks, anyOf[admissionv1.ValidatingWebhookConfiguration], func(w *admissionv1.ValidatingWebhookConfiguration) {
			open := admissionv1.Ignore
			w.Webhooks[0].FailurePolicy = &open
		})
		annotated(f, resources.AnnotationRequireIdentity, "8000-8099")
	}, []string{"CP115 warning west"}},
	{"a webhook behind a Server that admits meshed clients alone", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		serverOfWeb(f, "all-authenticated")
	}, []string{"CP115 error west"}},
	{"a webhook behind a Server in a cluster that knows no newer ones", func(_ *testing.T, f *facts.Fleet) {
		values(f, west, "edge-26.8.3", "enterprise-2.15.7")
		values(f, west, "defaultInboundPolicy: all-unauthenticated", "defaultInboundPolicy: cluster-authenticated")
		resources.Servers.SetServed(&f.Clusters[west], "v1beta2")
		calledAtWeb(f)
	}, []string{"CP108 warning west", "CP115 error west", "EP120 error east,west", "EP120 note west,east"}},
	{"an API whose pods admit meshed clients alone", func(_ *testing.T, f *facts.Fleet) {
		port := int32(80)
		add(f, west, resources.APIServices, kubernetes.APIService{ObjectMeta: metav1.ObjectMeta{Name: "v1.shop.example"}, Spec: kubernetes.APIServiceSpec{
			Group: "shop.example", Version: "v1", Service: &kubernetes.ServiceReference{Namespace: "shop", Name: "web", Port: &port},
		}})
		annotated(f, resources.AnnotationInboundPolicy, "cluster-authenticated")
	}, []string{"CP115 error west"}},
	{"a webhook at a port around the proxy", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		values(f, west, "defaultInboundPolicy: all-unauthenticated", "defaultInboundPolicy: all-authenticated")
		annotated(f, resources.AnnotationSkipInbound, "25,8000-8099")
	}, nil},
	{"a webhook at a port that the installation leads around proxies", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		values(f, west, "defaultInboundPolicy: all-unauthenticated", "defaultInboundPolicy: all-authenticated\nproxyInit:\n  ignoreInboundPorts: 4567,8080")
	}, nil},
	{"a webhook whose port the CNI plugin may lead around the proxy", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		values(f, west, "clusterDomain: cluster.local\n", "clusterDomain: cluster.local\ncniEnabled: true\n")
		annotated(f, resources.AnnotationInboundPolicy, "all-authenticated")
	}, nil},
	{"a webhook whose pods admit all, against the installation", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		values(f, west, "defaultInboundPolicy: all-unauthenticated", "defaultInboundPolicy: all-authenticated")
		annotated(f, resources.AnnotationInboundPolicy, "all-unauthenticated")
	}, nil},
	{"a webhook whose pods admit the cluster's addresses", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		annotated(f, resources.AnnotationInboundPolicy, "cluster-unauthenticated")
	}, nil},
	{"a webhook behind a Server that admits all", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		annotated(f, resources.AnnotationInboundPolicy, "all-authenticated")
		serverOfWeb(f, "all-unauthenticated")
	}, nil},
	{"a webhook behind a Server with a policy of all addresses", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		serverOfWeb(f, "all-authenticated")
		admitting(f, "0.0.0.0/0")
	}, nil},
	{"a webhook behind a Server with a policy of some addresses", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		serverOfWeb(f, "all-authenticated")
		admitting(f, "10.0.0.0/8")
	}, nil},
	{"a webhook whose pods have no proxy", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		values(f, west, "defaultInboundPolicy: all-unauthenticated", "defaultInboundPolicy: all-authenticated")
		pod(f, west, "web-", func(p *facts.Pod) {
			p.Containers, p.InitContainers, p.Annotations = nil, nil, map[string]string{resources.AnnotationInject: "disabled"}
		})
	}, nil},
	{"a webhook by a URL", func(_ *testing.T, f *facts.Fleet) {
		calledAtWeb(f)
		annotated(f, resources.AnnotationInboundPolicy, "all-authenticated")
		change(f, west, resources.ValidatingWebhooks, anyOf[admissionv1.ValidatingWebhookConfiguration], func(w *admissionv1.ValidatingWebhookConfiguration) {
			url := "https://webhook.example"
			w.Webhooks[0].ClientConfig = admissionv1.WebhookClientConfig{URL: &url}
		})
	}, nil},
	{"pods that admit nobody by default", func(_ *testing.T, f *facts.Fleet) {
		annotated(f, resources.AnnotationInboundPolicy, "deny")
	}, []string{"EP123 error west"}},
	{"pods that admit nobody by default, at a port around the proxy", func(_ *testing.T, f *facts.Fleet) {
		annotated(f, resources.AnnotationInboundPolicy, "deny")
		annotated(f, resources.AnnotationSkipInbound, "8080")
	}, nil},
	{"pods that admit nobody by default, and a Server that admits meshed clients", func(_ *testing.T, f *facts.Fleet) {
		annotated(f, resources.AnnotationInboundPolicy, "deny")
		serverOfWeb(f, "all-authenticated")
	}, nil},
	{"a workload without proxies", func(_ *testing.T, f *facts.Fleet) {
		pod(f, west, "web-", func(p *facts.Pod) { p.Containers, p.InitContainers = nil, nil })
	}, []string{"CP104 warning west"}},
	{"another CA in the webhook", func(t *testing.T, f *facts.Fleet) {
		ca := linkerdtest.Issue(t, nil, linkerdtest.Made{Name: "ca", From: f.At.Add(-time.Hour), To: f.At.Add(time.Hour)})
		served := linkerdtest.Issue(t, ca, linkerdtest.Made{Name: "served", From: f.At.Add(-time.Hour), To: f.At.Add(time.Hour), Leaf: true})
		old := linkerdtest.Issue(t, nil, linkerdtest.Made{Name: "old", From: f.At.Add(-time.Hour), To: f.At.Add(time.Hour)})
		add(f, west, resources.InjectorSecrets, corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "linkerd", Name: resources.SecretInjector}, Data: map[string][]byte{corev1.TLSCertKey: served.PEM},
		})
		w := admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "linkerd-proxy-injector-webhook-config"}}
		w.Webhooks = []admissionv1.MutatingWebhook{{ClientConfig: admissionv1.WebhookClientConfig{
			Service: &admissionv1.ServiceReference{Namespace: "linkerd", Name: "linkerd-proxy-injector"}, CABundle: old.PEM,
		}}}
		w.Labels = map[string]string{resources.LabelComponent: resources.InjectorContainer}
		add(f, west, resources.MutatingWebhooks, w)
	}, []string{"CP106 error west"}},
	{"a label in the place of the annotation", func(_ *testing.T, f *facts.Fleet) {
		change(f, west, resources.Namespaces, isDefault, func(n *corev1.Namespace) {
			n.Labels = map[string]string{resources.AnnotationInject: "enabled"}
		})
	}, []string{"CP105 warning west"}},
	{"a value that the injector does not know", func(_ *testing.T, f *facts.Fleet) {
		change(f, west, resources.Namespaces, isDefault, func(n *corev1.Namespace) {
			n.Annotations = map[string]string{resources.AnnotationInject: "true"}
		})
	}, []string{"CP105 warning west"}},
	{"a label that asks for no proxies, and one beside the annotation", func(_ *testing.T, f *facts.Fleet) {
		change(f, west, resources.Namespaces, isDefault, func(n *corev1.Namespace) {
			n.Labels = map[string]string{resources.AnnotationInject: "disabled"}
		})
		change(f, east, resources.Namespaces, isDefault, func(n *corev1.Namespace) {
			n.Labels, n.Annotations = map[string]string{resources.AnnotationInject: "true"}, map[string]string{resources.AnnotationInject: "enabled"}
		})
	}, nil},
	{"pods that the CNI plugin did not set up", func(_ *testing.T, f *facts.Fleet) {
		f.At = f.At.Add(time.Hour)
		pod(f, west, "web-", func(p *facts.Pod) {
			unready(p)
			p.Statuses = []facts.ContainerStatus{{
				Name: resources.ValidatorContainer, Init: true, Waiting: "CrashLoopBackOff", Restarts: 4, Last: &facts.Ended{Code: 95, Reason: "Error", At: f.At},
			}}
		})
	}, []string{"CP110 error west"}},
	{"a pod that was set up at the second try", func(_ *testing.T, f *facts.Fleet) {
		f.At = f.At.Add(time.Hour)
		pod(f, west, "web-", func(p *facts.Pod) {
			p.Statuses = []facts.ContainerStatus{{
				Name: resources.ValidatorContainer, Init: true, Ready: true, Restarts: 1, Last: &facts.Ended{Code: 95, Reason: "Error", At: f.At},
				Ended: &facts.Ended{Reason: "Completed", At: f.At},
			}}
		})
	}, nil},
	{"pods and Services outside of the networks of the cluster", func(_ *testing.T, f *facts.Fleet) {
		values(f, west, "10.0.0.0/8,100.64.0.0/10", "198.18.0.0/15")
	}, []string{"CP113 error west"}},
	{"an issuer that identity did not take", func(_ *testing.T, f *facts.Fleet) {
		add(f, west, resources.IdentityEvents, identitySays(f, resources.EventIssuerSkipped, time.Minute))
	}, []string{"CERT111 error west"}},
	{"an issuer that identity took later", func(_ *testing.T, f *facts.Fleet) {
		add(f, west, resources.IdentityEvents, identitySays(f, resources.EventIssuerSkipped, 2*time.Minute))
		add(f, west, resources.IdentityEvents, identitySays(f, resources.EventIssuerUpdated, time.Minute))
	}, nil},
	{"an issuer that is another one now", func(_ *testing.T, f *facts.Fleet) {
		add(f, west, resources.IdentityEvents, identitySays(f, resources.EventIssuerSkipped, 2*time.Minute))
		change(f, west, resources.Issuers, func(*corev1.Secret) bool { return true }, func(s *corev1.Secret) {
			s.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Time: &metav1.Time{Time: f.At.Add(-time.Minute)}}}
		})
	}, nil},
	{"proxies that are not ready", func(_ *testing.T, f *facts.Fleet) {
		f.At = f.At.Add(time.Hour)
		pod(f, west, "web-", func(p *facts.Pod) {
			unready(p)
			p.Statuses = []facts.ContainerStatus{{Name: resources.ProxyContainer}}
		})
	}, []string{"CP109 warning west"}},
}

// summarize writes findings as faults have them.
func summarize(r finding.Result) []string {
	var out []string
	for _, f := range r.Findings {
		s := fmt.Sprintf("%s %s %s", f.Code, f.Severity, strings.Join(f.Clusters, ","))
		if f.CausedBy != "" {
			cause, _, _ := strings.Cut(f.CausedBy, "/")
			s += " < " + cause
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func TestFaults(t *testing.T) {
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			f := linkerdtest.Healthy(t)
			c.do(t, f)
			r := judge(t, model.New(f, model.Options{}))
			if diff := cmp.Diff(c.want, summarize(r)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%+v", diff, r.Findings)
			}
			complete(t, r)
		})
	}
}

// complete reports findings that lack what a tired person needs, or of which two are the same.
func complete(t *testing.T, r finding.Result) {
	t.Helper()
	ids := map[string]bool{}
	for _, f := range r.Findings {
		if ids[f.ID()] {
			t.Errorf("two findings are %s", f.ID())
		}
		ids[f.ID()] = true
		if f.Title == "" || f.Effect == "" || len(f.Evidence) == 0 || len(f.Fix) == 0 {
			t.Errorf("it lacks something: %+v", f)
		}
		for _, e := range f.Evidence {
			if e.Field == "" || e.Value == "" || strings.TrimSpace(e.Value) != e.Value {
				t.Errorf("%s: evidence %+v", f.ID(), e)
			}
		}
		for _, s := range f.Fix {
			end := "."
			if len(s.Run) > 0 {
				end = ":"
			}
			if !strings.HasSuffix(s.Say, end) || strings.Contains(s.Say, "kubectl") {
				t.Errorf("%s: a step that says %q", f.ID(), s.Say)
			}
			for _, c := range s.Run {
				if slices.Contains(c.Args, "delete") && !strings.Contains(s.Say, "Careful: ") {
					t.Errorf("%s: it deletes without a warning: %s", f.ID(), c)
				}
			}
		}
	}
}

// Every code is found in some fleet: recorded, of the corpus, or here.
func TestEveryCodeIsFound(t *testing.T) {
	found := map[finding.Code]bool{}
	for _, c := range faults {
		for _, want := range c.want {
			code, _, _ := strings.Cut(want, " ")
			found[finding.Code(code)] = true
		}
	}
	for _, f := range linkerdtest.AllRecorded(t) {
		r := judge(t, model.New(f.Facts(t), model.Options{}))
		complete(t, r)
		for _, o := range r.Findings {
			found[o.Code] = true
		}
	}
	for _, code := range []finding.Code{"CERT109", "EP119", "EP121", "EP122"} { // in cases, which another test judges
		found[code] = true
	}
	for _, code := range (linkerdmesh.Mesh{}).Codes(areas...) {
		if !found[code] {
			t.Errorf("no fleet has %s", code)
		}
	}
}

// Of a cluster of which nothing was read nothing is found, and every rule is unknown there, in words
// about what was not read.
func TestNothingReadIsNothingFound(t *testing.T) {
	for _, state := range []facts.State{facts.Forbidden, facts.Failed} {
		f := linkerdtest.Healthy(t)
		for _, row := range resources.All {
			if row != rule.Need(resources.Namespaces) { // by which Linkerd may be there
				row.SetState(&f.Clusters[west], state, "")
			}
		}
		r := judge(t, model.New(f, model.Options{}))
		if len(alarms(r)) > 0 {
			t.Errorf("%s: %v", state, summarize(r))
		}
		var unknown []finding.Code
		for _, u := range r.Unknowns {
			if u.Cluster == "west" {
				unknown = append(unknown, u.Codes...)
			}
		}
		slices.Sort(unknown)
		if diff := cmp.Diff((linkerdmesh.Mesh{}).Codes(areas...), slices.Compact(unknown)); diff != "" {
			t.Errorf("%s: not checked (-want +got):\n%s", state, diff)
		}
	}
}

// A read that is forbidden makes rules unknown in its cluster, and none finds anything by it.
func TestEachReadAlone(t *testing.T) {
	needed := map[rule.Need]bool{}
	for _, area := range areas {
		for _, r := range linkerdmesh.Rules(area) {
			for _, need := range r.Needs {
				needed[need] = true
			}
		}
	}
	healthy := linkerdtest.Healthy(t)
	for _, row := range resources.All {
		for _, at := range []int{east, west} {
			f := *healthy
			f.Clusters = slices.Clone(f.Clusters)
			row.SetState(&f.Clusters[at], facts.Forbidden, "")
			r := judge(t, model.New(&f, model.Options{}))
			if found := alarms(r); len(found) > 0 {
				t.Errorf("%s in %s: %v", row, f.Clusters[at].Context, summarize(r))
			}
			unknown := slices.ContainsFunc(r.Unknowns, func(u finding.Unknown) bool { return u.Cluster == f.Clusters[at].Context })
			if needed[row] && !unknown {
				t.Errorf("%s in %s: everything was checked", row, f.Clusters[at].Context)
			}
		}
	}
}

// An unreached cluster is unknown, and hides nothing of the others.
func TestUnreached(t *testing.T) {
	f := linkerdtest.Healthy(t)
	f.Clusters[west] = facts.Cluster{Context: "west", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
	link(f, func(l *api.Link) { l.Spec.ProbeSpec.Path = "" })
	r := judge(t, model.New(f, model.Options{}))
	if diff := cmp.Diff([]string{"NET105 warning east"}, summarize(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type (
	lease = coordinationv1.Lease
	slice = discoveryv1.EndpointSlice
)
