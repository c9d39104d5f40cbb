// Package owner says who writes an object: a tool that writes it again when somebody
// else changes it, or at its next run. It goes by what such tools leave in the object's
// metadata: owner references, annotations, labels and managed fields. It knows no mesh, and
// is pure.
package owner

import (
	"encoding/json"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Tool is who writes an object.
type Tool string

// The tools that are known by name; of others there is the kind of the owner.
const (
	CertManager     Tool = "cert-manager"
	IstioCSR        Tool = "istio-csr"
	TrustManager    Tool = "trust-manager"
	ExternalSecrets Tool = "External Secrets"
	SealedSecrets   Tool = "Sealed Secrets"
	VaultOperator   Tool = "Vault Secrets Operator"
	SecretsStore    Tool = "Secrets Store CSI driver"
	Replicator      Tool = "kubernetes-replicator"
	Reflector       Tool = "Reflector"
	ArgoCD          Tool = "Argo CD"
	Flux            Tool = "Flux"
	ConfigSync      Tool = "Config Sync"
	RancherFleet    Tool = "Rancher Fleet"
	Karmada         Tool = "Karmada"
	Kyverno         Tool = "Kyverno"
	Kapp            Tool = "kapp"
	Terraform       Tool = "Terraform"
	Pulumi          Tool = "Pulumi"
	OLM             Tool = "Operator Lifecycle Manager"
	Helm            Tool = "Helm"
	Istioctl        Tool = "istioctl"
	Istiod          Tool = "istiod"
	SailOperator    Tool = "Sail operator"
	Controller      Tool = "a controller" // of a kind that is not known by name
)

// Owner is who writes an object, and the object or release to change in its place. The
// zero Owner is nobody: people write the object themselves.
type Owner struct {
	Tool Tool `json:"tool,omitempty"`
	// Kind is that of the object to change, as kubectl takes it
	// ("certificates.cert-manager.io"), or what the tool calls it ("release"); "" where that
	// is not known.
	Kind string `json:"kind,omitempty"`
	// Namespace and Name are those of the object or release; "" where they are not known.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// Known reports whether somebody is known to write the object.
func (o Owner) Known() bool { return o.Tool != "" }

// WritesAgain reports whether the tool is a controller, which undoes what somebody else
// changes; others overwrite it at their next run.
func (o Owner) WritesAgain() bool {
	return !slices.Contains([]Tool{"", Helm, Istioctl, Terraform, Pulumi, Kapp}, o.Tool)
}

// InCluster reports whether the thing to change is an object of the same cluster, which
// kubectl can open.
func (o Owner) InCluster() bool { return o.Name != "" && strings.Contains(o.Kind, ".") }

// String names the owner for people: "cert-manager (Certificate istio-system/ca)".
func (o Owner) String() string {
	if o.Name == "" {
		return string(o.Tool)
	}
	name := o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	return string(o.Tool) + " (" + o.Word() + " " + name + ")"
}

// Word is the kind as its tool writes it: "Certificate".
func (o Owner) Word() string {
	resource, group, _ := strings.Cut(o.Kind, ".")
	for _, k := range kinds {
		if k.resource == resource && k.group == group {
			return k.kind
		}
	}
	return resource
}

// kinds are those of owner references that say which tool it is.
var kinds = []struct {
	group, kind, resource string
	tool                  Tool
}{
	{"cert-manager.io", "Certificate", "certificates", CertManager},
	{"trust.cert-manager.io", "Bundle", "bundles", TrustManager},
	{"external-secrets.io", "ExternalSecret", "externalsecrets", ExternalSecrets},
	{"kubernetes-client.io", "ExternalSecret", "externalsecrets", ExternalSecrets},
	{"bitnami.com", "SealedSecret", "sealedsecrets", SealedSecrets},
	{"secrets.hashicorp.com", "VaultStaticSecret", "vaultstaticsecrets", VaultOperator},
	{"secrets.hashicorp.com", "VaultDynamicSecret", "vaultdynamicsecrets", VaultOperator},
	{"secrets.hashicorp.com", "VaultPKISecret", "vaultpkisecrets", VaultOperator},
	{"kustomize.toolkit.fluxcd.io", "Kustomization", "kustomizations", Flux},
	{"helm.toolkit.fluxcd.io", "HelmRelease", "helmreleases", Flux},
	{"argoproj.io", "Application", "applications", ArgoCD},
	{"sailoperator.io", "Istio", "istios", SailOperator},
	{"sailoperator.io", "IstioRevision", "istiorevisions", SailOperator},
	{"gateway.networking.k8s.io", "Gateway", "gateways", Istiod},
}

// byReference is the owner in an owner reference.
func byReference(r metav1.OwnerReference, namespace string) Owner {
	group, _, versioned := strings.Cut(r.APIVersion, "/")
	if !versioned {
		group = ""
	}
	for _, k := range kinds {
		if k.kind == r.Kind && k.group == group {
			o := Owner{Tool: k.tool, Kind: k.resource + "." + k.group, Namespace: namespace, Name: r.Name}
			if k.tool == TrustManager || k.tool == SailOperator {
				o.Namespace = "" // these are of the cluster
			}
			return o
		}
	}
	if group == "" {
		return Owner{Tool: Controller, Kind: r.Kind, Name: r.Name}
	}
	return Owner{Tool: Controller, Kind: r.Kind + "." + group, Name: r.Name}
}

// What tools leave in annotations and labels.
const (
	certificateName   = "cert-manager.io/certificate-name"
	argoTracking      = "argocd.argoproj.io/tracking-id"
	argoInstance      = "argocd.argoproj.io/instance"
	helmRelease       = "meta.helm.sh/release-name"
	helmNamespace     = "meta.helm.sh/release-namespace"
	configSync        = "configmanagement.gke.io/managed"
	fleetBundle       = "objectset.rio.cattle.io/id"
	kappIdentity      = "kapp.k14s.io/identity"
	externalSecret    = "reconcile.external-secrets.io/managed"
	externalData      = "reconcile.external-secrets.io/data-hash"
	replicatedFrom    = "replicator.v1.mittwald.de/replicate-from"
	reflects          = "reflector.v1.k8s.emberstack.com/reflects"
	secretsStore      = "secrets-store.csi.k8s.io/managed"
	fluxKustomization = "kustomize.toolkit.fluxcd.io/"
	fluxRelease       = "helm.toolkit.fluxcd.io/"
	trustBundle       = "trust.cert-manager.io/bundle"
	karmada           = "work.karmada.io/permanent-id"
	kyvernoPolicy     = "generate.kyverno.io/policy-name"
	olmOwner          = "olm.owner"
	istioctlComponent = "operator.istio.io/component"
	managedBy         = "app.kubernetes.io/managed-by"
)

// mark is the annotation in which a dump keeps the owner of an object that is kept as
// plain data.
const mark = "kubectl-mesh.dev/owner"

// annotations are those that name an owner. Rows keep them: none holds anything else.
var annotations = []string{
	certificateName, argoTracking, helmRelease, helmNamespace, configSync, fleetBundle, kappIdentity, externalData,
	replicatedFrom, reflects, karmada, mark,
}

// IsSign reports whether an annotation says who owns an object.
func IsSign(annotation string) bool { return slices.Contains(annotations, annotation) }

// Of is the owner of an object. One that a tool makes for itself comes before the one
// that brought it into the cluster, since the former is nearer to what has to be changed.
func Of(m *metav1.ObjectMeta) Owner {
	if text := m.Annotations[mark]; text != "" {
		var o Owner
		if json.Unmarshal([]byte(text), &o) == nil {
			return o
		}
	}
	if m.Labels[secretsStore] == "true" { // its references are to the pods that mount it
		return Owner{Tool: SecretsStore}
	}
	for _, r := range m.OwnerReferences {
		return byReference(r, m.Namespace)
	}
	for _, find := range []func(*metav1.ObjectMeta) Owner{bySecretTool, byDeployment, byManager, byInstaller} {
		if o := find(m); o.Known() {
			return o
		}
	}
	return Owner{}
}

// bySecretTool finds those that make the content of an object.
func bySecretTool(m *metav1.ObjectMeta) Owner {
	if name := m.Annotations[certificateName]; name != "" && !onlyByHand(m) {
		return Owner{Tool: CertManager, Kind: "certificates.cert-manager.io", Namespace: m.Namespace, Name: name}
	}
	if name := m.Labels[trustBundle]; name != "" {
		return Owner{Tool: TrustManager, Kind: "bundles.trust.cert-manager.io", Name: name}
	}
	for _, f := range m.ManagedFields {
		if name, ok := strings.CutPrefix(f.Manager, "externalsecrets.external-secrets.io/"); ok {
			return Owner{Tool: ExternalSecrets, Kind: "externalsecrets.external-secrets.io", Namespace: m.Namespace, Name: name}
		}
	}
	if m.Labels[externalSecret] == "true" || m.Annotations[externalData] != "" {
		return Owner{Tool: ExternalSecrets}
	}
	if from := m.Annotations[replicatedFrom]; from != "" {
		return source(Replicator, from)
	}
	if from := m.Annotations[reflects]; from != "" {
		return source(Reflector, from)
	}
	if name := m.Labels[kyvernoPolicy]; name != "" {
		return Owner{Tool: Kyverno, Kind: "policy", Name: name}
	}
	return Owner{}
}

// source is the Secret or ConfigMap of which an object is a copy, written namespace/name.
func source(tool Tool, from string) Owner {
	o := Owner{Tool: tool, Kind: "source", Name: from}
	if namespace, name, ok := strings.Cut(from, "/"); ok {
		o.Namespace, o.Name = namespace, name
	}
	return o
}

// onlyByHand reports whether all who are known to have written an object are people: a
// copy bears the annotations of what it was copied from.
func onlyByHand(m *metav1.ObjectMeta) bool {
	return len(m.ManagedFields) > 0 && !slices.ContainsFunc(m.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
		return !strings.HasPrefix(f.Manager, "kubectl")
	})
}

// byDeployment finds those that bring objects into the cluster and hold them to a source.
func byDeployment(m *metav1.ObjectMeta) Owner {
	if id := m.Annotations[argoTracking]; id != "" { // application:group/kind:namespace/name
		name, _, _ := strings.Cut(id, ":")
		return Owner{Tool: ArgoCD, Kind: "Application", Name: name}
	}
	if name := m.Labels[argoInstance]; name != "" {
		return Owner{Tool: ArgoCD, Kind: "Application", Name: name}
	}
	// A Kustomization brings the HelmRelease that brings the object.
	for _, by := range []struct{ prefix, resource string }{{fluxRelease, "helmreleases"}, {fluxKustomization, "kustomizations"}} {
		if name := m.Labels[by.prefix+"name"]; name != "" {
			kind := by.resource + "." + strings.TrimSuffix(by.prefix, "/")
			return Owner{Tool: Flux, Kind: kind, Namespace: m.Labels[by.prefix+"namespace"], Name: name}
		}
	}
	switch {
	case m.Annotations[configSync] == "enabled":
		return Owner{Tool: ConfigSync}
	case m.Annotations[fleetBundle] != "":
		return Owner{Tool: RancherFleet, Kind: "bundle", Name: m.Annotations[fleetBundle]}
	case m.Annotations[karmada] != "":
		return Owner{Tool: Karmada}
	case m.Labels[olmOwner] != "":
		return Owner{
			Tool: OLM, Kind: "clusterserviceversions.operators.coreos.com", Namespace: m.Labels[olmOwner+".namespace"], Name: m.Labels[olmOwner],
		}
	}
	return Owner{}
}

// managers are the names under which tools write, or what these begin with.
var managers = []struct {
	prefix string
	tool   Tool
}{
	{"cert-manager-istio-csr", IstioCSR},
	{"cert-manager", CertManager},
	{"trust-manager", TrustManager},
	{"external-secrets", ExternalSecrets},
	{"sealed-secrets", SealedSecrets},
	{"vault-secrets-operator", VaultOperator},
	{"argocd", ArgoCD},
	{"kustomize-controller", Flux},
	{"helm-controller", Flux},
	{"configsync", ConfigSync},
	{"fleetagent", RancherFleet},
	{"kapp", Kapp},
	{"Terraform", Terraform},
	{"terraform", Terraform},
	{"HashiCorp", Terraform},
	{"pulumi", Pulumi},
	{"pilot-discovery", Istiod},
}

// byManager goes by who wrote the object last, of those that are known by name. Who
// wrote the status is another matter.
func byManager(m *metav1.ObjectMeta) Owner {
	var out Owner
	var last metav1.Time
	for _, f := range m.ManagedFields {
		if f.Subresource != "" {
			continue
		}
		for _, by := range managers {
			if strings.HasPrefix(f.Manager, by.prefix) {
				if out.Tool == "" || f.Time != nil && last.Before(f.Time) {
					out = Owner{Tool: by.tool}
					if f.Time != nil {
						last = *f.Time
					}
				}
				break
			}
		}
	}
	return out
}

// byInstaller finds those that write an object when somebody runs them. That a chart calls
// its objects Helm's says nothing: they may have been rendered by anything.
func byInstaller(m *metav1.ObjectMeta) Owner {
	switch {
	case m.Annotations[helmRelease] != "":
		return Owner{Tool: Helm, Kind: "release", Namespace: m.Annotations[helmNamespace], Name: m.Annotations[helmRelease]}
	case m.Annotations[kappIdentity] != "":
		return Owner{Tool: Kapp}
	case m.Labels[istioctlComponent] != "" && m.Labels[managedBy] != "Helm":
		return Owner{Tool: Istioctl}
	}
	return Owner{}
}

// Keep puts into one metadata what another says about the owner, so that Of says the same
// of both: references, and the annotations that IsSign knows. Labels are kept anyway, and
// managed fields by those that keep who wrote what.
func Keep(to, from *metav1.ObjectMeta) {
	for _, r := range from.OwnerReferences {
		to.OwnerReferences = append(to.OwnerReferences, metav1.OwnerReference{APIVersion: r.APIVersion, Kind: r.Kind, Name: r.Name})
	}
	for k, v := range from.Annotations {
		if IsSign(k) {
			metav1.SetMetaDataAnnotation(to, k, v)
		}
	}
}

// Mark notes an owner in the metadata of an object that is made anew from plain data.
func Mark(m *metav1.ObjectMeta, o Owner) {
	if !o.Known() {
		return
	}
	if text, err := json.Marshal(o); err == nil {
		metav1.SetMetaDataAnnotation(m, mark, string(text))
	}
}
