package owner_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// meta is the metadata of a Secret, by what tools leave in it.
func meta(change func(*metav1.ObjectMeta)) *metav1.ObjectMeta {
	m := &metav1.ObjectMeta{Namespace: "istio-system", Name: "cacerts", Labels: map[string]string{}, Annotations: map[string]string{}}
	change(m)
	return m
}

func writtenBy(m *metav1.ObjectMeta, names ...string) {
	for i, name := range names {
		at := metav1.NewTime(time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC))
		m.ManagedFields = append(m.ManagedFields, metav1.ManagedFieldsEntry{Manager: name, Time: &at})
	}
}

func reference(m *metav1.ObjectMeta, version, kind, name string) {
	m.OwnerReferences = append(m.OwnerReferences, metav1.OwnerReference{APIVersion: version, Kind: kind, Name: name, UID: "1"})
}

func TestOf(t *testing.T) {
	for want, change := range map[string]func(*metav1.ObjectMeta){
		"": func(m *metav1.ObjectMeta) { writtenBy(m, "kubectl-create", "kubectl-edit", "manager") },
		"cert-manager (Certificate istio-system/istio-ca)": func(m *metav1.ObjectMeta) {
			m.Annotations["cert-manager.io/certificate-name"] = "istio-ca"
			m.Labels["argocd.argoproj.io/instance"] = "mesh"
			writtenBy(m, "cert-manager-certificates-issuing", "argocd-controller")
		},
		"External Secrets (ExternalSecret istio-system/ca)": func(m *metav1.ObjectMeta) {
			reference(m, "external-secrets.io/v1", "ExternalSecret", "ca")
		},
		"External Secrets (ExternalSecret istio-system/merged)": func(m *metav1.ObjectMeta) {
			writtenBy(m, "kubectl-create", "externalsecrets.external-secrets.io/merged")
		},
		"External Secrets": func(m *metav1.ObjectMeta) { m.Labels["reconcile.external-secrets.io/managed"] = "true" },
		"Sealed Secrets (SealedSecret istio-system/cacerts)": func(m *metav1.ObjectMeta) { reference(m, "bitnami.com/v1alpha1", "SealedSecret", "cacerts") },
		"trust-manager (Bundle roots)":                       func(m *metav1.ObjectMeta) { reference(m, "trust.cert-manager.io/v1alpha1", "Bundle", "roots") },
		"istio-csr":                                          func(m *metav1.ObjectMeta) { writtenBy(m, "pilot-discovery", "cert-manager-istio-csr") },
		"istiod":                                             func(m *metav1.ObjectMeta) { writtenBy(m, "cert-manager-istio-csr", "pilot-discovery") },
		"Argo CD (Application mesh)": func(m *metav1.ObjectMeta) {
			m.Annotations["argocd.argoproj.io/tracking-id"] = "mesh:/Secret:istio-system/cacerts"
		},
		"Argo CD":                               func(m *metav1.ObjectMeta) { writtenBy(m, "argocd-controller") },
		"Flux (HelmRelease flux-system/istiod)": func(m *metav1.ObjectMeta) { flux(m, "kustomize", "all"); flux(m, "helm", "istiod") },
		"Flux (Kustomization flux-system/mesh)": func(m *metav1.ObjectMeta) { flux(m, "kustomize", "mesh") },
		"Secrets Store CSI driver":              func(m *metav1.ObjectMeta) { csi(m) },
		"kubernetes-replicator (source vault/cacerts)": func(m *metav1.ObjectMeta) {
			m.Annotations["replicator.v1.mittwald.de/replicate-from"] = "vault/cacerts"
		},
		"Helm (release istio-system/eastwest)":                   func(m *metav1.ObjectMeta) { helm(m) },
		"istioctl":                                               func(m *metav1.ObjectMeta) { m.Labels["operator.istio.io/component"] = "Pilot" },
		"a controller (OnePasswordItem ca)":                      func(m *metav1.ObjectMeta) { reference(m, "onepassword.com/v1", "OnePasswordItem", "ca") },
		"Sail operator (IstioRevision default)":                  func(m *metav1.ObjectMeta) { reference(m, "sailoperator.io/v1", "IstioRevision", "default") },
		"Vault Secrets Operator (VaultPKISecret istio-system/x)": func(m *metav1.ObjectMeta) { reference(m, "secrets.hashicorp.com/v1beta1", "VaultPKISecret", "x") },
	} {
		m := meta(change)
		got := owner.Of(m)
		if got.String() != want || got.Known() != (want != "") {
			t.Errorf("%q, want %q", got, want)
		}
		var kept metav1.ObjectMeta
		kept.Labels, kept.Namespace, kept.ManagedFields = m.Labels, m.Namespace, m.ManagedFields
		owner.Keep(&kept, m)
		if again := owner.Of(&kept); again != got {
			t.Errorf("after trimming %q, was %q", again, got)
		}
		var marked metav1.ObjectMeta
		owner.Mark(&marked, got)
		if again := owner.Of(&marked); again != got {
			t.Errorf("after a dump %q, was %q", again, got)
		}
	}
}

func flux(m *metav1.ObjectMeta, kind, name string) {
	m.Labels[kind+".toolkit.fluxcd.io/name"], m.Labels[kind+".toolkit.fluxcd.io/namespace"] = name, "flux-system"
}

func csi(m *metav1.ObjectMeta) {
	m.Labels["secrets-store.csi.k8s.io/managed"] = "true"
	reference(m, "apps/v1", "ReplicaSet", "istiod-1")
}

func helm(m *metav1.ObjectMeta) {
	m.Labels["app.kubernetes.io/managed-by"], m.Labels["operator.istio.io/component"] = "Helm", "Pilot"
	m.Annotations["meta.helm.sh/release-name"], m.Annotations["meta.helm.sh/release-namespace"] = "eastwest", "istio-system"
}

// A Secret that people copied from a cluster where cert-manager made it is theirs: nobody
// renews it. That a chart calls an object Helm's says nothing by itself.
func TestNobody(t *testing.T) {
	for name, change := range map[string]func(*metav1.ObjectMeta){
		"copied": func(m *metav1.ObjectMeta) {
			m.Annotations["cert-manager.io/certificate-name"] = "istio-ca"
			writtenBy(m, "kubectl-client-side-apply")
		},
		"rendered": func(m *metav1.ObjectMeta) { m.Labels["app.kubernetes.io/managed-by"] = "Helm" },
		"status": func(m *metav1.ObjectMeta) {
			m.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "pilot-discovery", Subresource: "status"}}
		},
	} {
		if o := owner.Of(meta(change)); o.Known() {
			t.Errorf("%s: %s", name, o)
		}
	}
}

func TestWhatItDoes(t *testing.T) {
	certificate := owner.Of(meta(func(m *metav1.ObjectMeta) { m.Annotations["cert-manager.io/certificate-name"] = "ca" }))
	release := owner.Of(meta(helm))
	if !certificate.WritesAgain() || !certificate.InCluster() || release.WritesAgain() || release.InCluster() || (owner.Owner{}).WritesAgain() {
		t.Errorf("%+v, %+v", certificate, release)
	}
}
