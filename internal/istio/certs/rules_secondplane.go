package certs

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// rival is a control plane of another namespace that writes roots into the same ConfigMaps.
type rival struct {
	istio.Istiod
	// roots are those of its CA, as far as they are known.
	roots []pki.Certificate
}

// rivals are the control planes of other namespaces whose CA is known to be another one, or
// of which it is not known. A control plane writes its roots into all namespaces that its
// discoverySelectors select, whoever else does (pilot/pkg/serviceregistry/kube/controller/
// namespacecontroller.go). One for another cluster, or with another name for the ConfigMap,
// is none.
func (a *authority) rivals() []rival {
	ca := a.current()
	if ca == nil {
		return nil
	}
	name := func(i istio.Istiod) string { return orElse(i.Env(istio.EnvRootCertConfigMap), istio.RootCertConfigMap) }
	var out []rival
	for _, o := range istio.OtherIstiods(a.Cluster) {
		if o.ScaledDown || o.On(istio.EnvExternalIstiod) && o.ClusterID() != a.istiods[0].ClusterID() || o.On(istio.EnvClusterTrustBundles) ||
			name(o) != name(a.istiods[0]) || !o.Setting(istio.EnvEnableCAServer, true) {
			continue
		}
		r := rival{Istiod: o, roots: a.rootsOfWebhooks(o.Namespace)}
		if !sharesRoot(r.roots, ca.root.Certificates) {
			out = append(out, r)
		}
	}
	return out
}

// rootsOfWebhooks are the CAs of the injection webhooks that call a namespace: its control
// plane writes its roots there.
func (a *authority) rootsOfWebhooks(namespace string) []pki.Certificate {
	var out []pki.Certificate
	for _, configuration := range resources.Webhooks.Of(a.Cluster).Value {
		for _, w := range configuration.Webhooks {
			if s := w.ClientConfig.Service; s != nil && s.Namespace == namespace {
				out = append(out, pki.ParseBundle(w.ClientConfig.CABundle).Certificates...)
			}
		}
	}
	return pki.Unique(out)
}

// sharesRoot reports whether two lists have a CA in common.
func sharesRoot(a, b []pki.Certificate) bool {
	return slices.ContainsFunc(a, func(c pki.Certificate) bool { return holds(b, c) })
}

// takenOver are the namespaces that the cluster's control plane selects, and that hold
// another root than its own: the rival's, where that is known.
func (a *authority) takenOver(r rival) []string {
	var out []string
	theirs := r.roots
	for _, cm := range resources.RootCerts.Of(a.Cluster).Value {
		if cm.Namespace == r.Namespace && len(theirs) == 0 {
			theirs = pki.ParseBundle([]byte(cm.Data[istio.RootCertKey])).Certificates
		}
	}
	own := a.current().root.Certificates
	for _, cm := range resources.RootCerts.Of(a.Cluster).Value {
		roots := pki.ParseBundle([]byte(cm.Data[istio.RootCertKey])).Certificates
		if a.selectsNamed(cm.Namespace) && sharesRoot(roots, theirs) && !sharesRoot(roots, own) {
			out = append(out, cm.Namespace)
		}
	}
	return out
}

// selectsNamed reports whether the cluster's control planes select a namespace.
func (a *authority) selectsNamed(name string) bool {
	return slices.ContainsFunc(resources.Namespaces.Of(a.Cluster).Value, func(ns corev1.Namespace) bool {
		return ns.Name == name && a.selects(ns)
	})
}

// secondControlPlanes: two control planes with different CAs write the same ConfigMaps.
func secondControlPlanes(p *pass) {
	for _, a := range able(p) {
		for _, r := range a.rivals() {
			taken := a.takenOver(r)
			// Without a trace of it in the ConfigMaps it is certain only where it is known that
			// the CAs differ, and that this one writes into the other's namespace.
			certain := len(r.roots) > 0 && a.selectsNamed(r.Namespace)
			if len(taken) == 0 && !certain {
				continue
			}
			p.Report(a.secondControlPlane(r, taken))
		}
	}
}

func (a *authority) secondControlPlane(r rival, taken []string) finding.Finding {
	deployment := finding.In("deployment", r.Namespace, r.Name)
	f := finding.Finding{
		Code: "CERT038", Severity: finding.Warning, Clusters: []string{a.Context}, Object: deployment,
		Title: fmt.Sprintf("a second control plane, in namespace %s, writes another root into the same namespaces", r.Namespace),
		Evidence: []finding.Evidence{
			{Field: "root of namespace " + a.SystemNamespace, Value: describeAll(a.current().root.Certificates)},
			{Field: "root of namespace " + r.Namespace, Value: orElse(describeAll(r.roots), "not known")},
		},
		Effect: "whichever wrote last decides which of the two proxies trust: the others lose istiod and their peers",
	}
	for _, mesh := range a.meshes {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Field: "configmap " + mesh.ConfigMap + ", discoverySelectors", Value: selectorsOf(mesh),
		})
	}
	if len(taken) > 0 {
		f.Severity = finding.Error
		f.Evidence = append(f.Evidence, finding.Evidence{
			Field: "configmap " + istio.RootCertConfigMap + " holds the other root in", Value: finding.List(taken),
		})
	}
	labels := finding.Say("Careful: a namespace that is not selected gets no configuration and no root any more. " +
		"Label the namespaces of each control plane first.")
	apart := finding.Say("Separate the two: set discoverySelectors in both mesh configs, so that each selects its own namespaces alone:")
	for _, i := range a.istiods {
		apart = apart.By(remedy.EditMeshConfig(a.Context, i))
	}
	f.Fix = []finding.Step{
		labels, apart.By(remedy.EditMeshConfig(a.Context, r.Istiod)),
		finding.Say("Or give both CAs that have one root, as clusters of one mesh have."),
	}
	if r.AtLeast("1.27.0") {
		f.Fix = append(f.Fix, finding.Say("Or, from 1.27 on, give the second one another name for its configmap, in variable %s "+
			"of its installation.", istio.EnvRootCertConfigMap))
	}
	f.Fix = append(f.Fix, finding.Say("Careful: if the second control plane is left over, remove it with the tool that installed it. "+
		"Workloads that are connected to it stop getting configuration."))
	return f
}

// foreign reports whether what is published is the root of another control plane, which was
// found to write there.
func foreign(p *pass, a *authority) string {
	if a.current() == nil || sharesRoot(a.published.Certificates, a.current().root.Certificates) {
		return ""
	}
	return cause(p, []string{a.Context}, "CERT038")
}
