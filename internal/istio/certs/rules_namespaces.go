package certs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// newborn is how long istiod may take to write its root into a new namespace,
// and a changed root into all of them.
const newborn = time.Minute

// ignoredNamespaces get no ConfigMap from istiod (pkg/util/sets and
// pilot/pkg/serviceregistry/kube/controller/namespacecontroller.go; kube-system does get one).
var ignoredNamespaces = []string{"kube-public", "kube-node-lease", "local-path-storage"}

// namespacesWithoutRoot: every namespace has to hold the root that the system namespace
// holds, since a pod mounts that of its own.
func namespacesWithoutRoot(p *pass) {
	for _, a := range able(p) {
		switch {
		case !resources.RootCert.Of(a.Cluster).Known():
			p.NotChecked(a.Context, a.rootCertUnread())
			continue
		case len(a.istiods) == 0 && len(resources.RootCerts.Of(a.Cluster).Value) == 0:
			continue // no mesh here, or none that gives roots: FLT008 says so
		case slices.ContainsFunc(a.istiods, func(i istio.Istiod) bool { return i.On(istio.EnvClusterTrustBundles) }):
			continue // roots come by ClusterTrustBundle
		}
		if !a.publishedKnown {
			if len(a.istiods) > 0 && a.mode != UnknownMode && !a.newborn() {
				p.Report(systemRootMissing(a))
			}
			continue
		}
		missing, stale := a.lagging()
		if len(missing) > 0 {
			p.Report(missingIn(p, a, missing))
		}
		if len(stale) > 0 {
			f := staleIn(a, stale)
			if f.CausedBy = cause(p, []string{a.Context}, "CERT038"); f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
	}
}

// lagging are the mesh namespaces without a root, and the namespaces with
// another one than the system namespace has.
func (a *authority) lagging() (missing, stale []string) {
	if changed := lastWritten(resources.RootCert.Of(a.Cluster).Value); a.now.Sub(changed) < newborn {
		return nil, nil // istiod may still be writing it into the others
	}
	roots := map[string]pki.Bundle{}
	for _, cm := range resources.RootCerts.Of(a.Cluster).Value {
		roots[cm.Namespace] = pki.ParseBundle([]byte(cm.Data[istio.RootCertKey]))
	}
	for _, ns := range resources.Namespaces.Of(a.Cluster).Value {
		if slices.Contains(ignoredNamespaces, ns.Name) || ns.DeletionTimestamp != nil || ns.Status.Phase == corev1.NamespaceTerminating ||
			a.now.Sub(ns.CreationTimestamp.Time) < newborn || !a.selects(ns) {
			continue
		}
		root, ok := roots[ns.Name]
		switch {
		case !ok && inMesh(ns):
			missing = append(missing, ns.Name)
		case ok && !sameSet(root.Certificates, a.published.Certificates):
			stale = append(stale, ns.Name)
		}
	}
	return missing, stale
}

// newborn reports whether istiod may not yet have written its root, since it or
// its namespace has only just been made.
func (a *authority) newborn() bool {
	for _, ns := range resources.Namespaces.Of(a.Cluster).Value {
		if ns.Name == a.SystemNamespace && a.now.Sub(ns.CreationTimestamp.Time) < newborn {
			return true
		}
	}
	return slices.ContainsFunc(resources.Istiods.Of(a.Cluster).Value, func(d appsv1.Deployment) bool {
		return a.now.Sub(d.CreationTimestamp.Time) < newborn
	})
}

// selects reports whether any control plane of the cluster gives the namespace a root.
func (a *authority) selects(ns corev1.Namespace) bool {
	return len(a.meshes) == 0 || slices.ContainsFunc(a.meshes, func(mesh istio.MeshConfig) bool { return mesh.Selects(ns.Labels) })
}

// inMesh reports whether the namespace's labels ask for sidecars or for ambient
// mode: only there do pods need the root.
func inMesh(ns corev1.Namespace) bool {
	return ns.Labels["istio-injection"] == "enabled" || ns.Labels[istio.LabelRevision] != "" ||
		ns.Labels["istio.io/dataplane-mode"] == "ambient"
}

func systemRootMissing(a *authority) finding.Finding {
	object := finding.In("configmap", a.SystemNamespace, istio.RootCertConfigMap)
	var logs []finding.Command
	for _, i := range a.istiods {
		logs = append(logs, finding.Kubectl(a.Context, "-n", i.Namespace, "logs", "deployment/"+i.Name, "--tail=50"))
	}
	return finding.Finding{
		Code: "CERT014", Severity: finding.Error, Clusters: []string{a.Context}, Object: object,
		Title:    "configmap istio-ca-root-cert is missing in the system namespace: istiod publishes no root",
		Evidence: []finding.Evidence{{Field: object.String(), Value: "does not exist"}},
		Effect:   "new pods with a sidecar do not start, since they mount it",
		Fix: []finding.Step{
			finding.Say("Read the log of istiod, which says why the ConfigMap is missing:").By(logs...),
			restart(a, "Then restart istiod, which writes it when it starts:"),
		},
	}
}

func missingIn(p *pass, a *authority, namespaces []string) finding.Finding {
	f := finding.Finding{
		Code: "CERT014", Severity: finding.Error, Clusters: []string{a.Context}, Object: finding.Kind("configmaps missing"),
		Title:    fmt.Sprintf("configmap istio-ca-root-cert is missing in %s", count(namespaces)),
		Evidence: []finding.Evidence{{Field: "missing in", Value: strings.Join(namespaces, ", ")}},
		Effect:   "new pods with a sidecar do not start there, since they mount it",
	}
	if a.selectedBySome(namespaces) {
		f.Title = fmt.Sprintf("configmap istio-ca-root-cert is missing in %s, which only some of the revisions select", count(namespaces))
		for _, mesh := range a.meshes {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Field: "configmap " + mesh.ConfigMap + ", discoverySelectors", Value: selectorsOf(mesh),
			})
		}
		f.Fix = a.selectAlike(namespaces)
		return f
	}
	if len(a.istiods) > 0 {
		f.Fix = []finding.Step{restart(a, "Restart istiod, which writes it when it starts. If it does not, its log says why:")}
		return f
	}
	more, fix := fromPrimary(p.Model.Cluster(a.Context))
	f.Evidence, f.Fix = append(f.Evidence, more...), fix
	return f
}

// selectedBySome reports whether all of some namespaces are selected by a revision and not
// by another one. All revisions share one lease, and the one that holds it writes roots into
// the namespaces that it selects itself (pilot/pkg/serviceregistry/kube/controller/
// multicluster.go, NamespaceController; pilot/pkg/leaderelection).
func (a *authority) selectedBySome(namespaces []string) bool {
	if len(a.meshes) < 2 || len(a.istiods) < 2 {
		return false
	}
	for _, ns := range resources.Namespaces.Of(a.Cluster).Value {
		if !slices.Contains(namespaces, ns.Name) {
			continue
		}
		if !slices.ContainsFunc(a.meshes, func(mesh istio.MeshConfig) bool { return !mesh.Selects(ns.Labels) }) {
			return false
		}
	}
	return true
}

// selectorsOf are the discoverySelectors of a mesh config for people.
func selectorsOf(mesh istio.MeshConfig) string {
	if len(mesh.DiscoverySelectors) == 0 {
		return "none: all namespaces"
	}
	var out []string
	for _, s := range mesh.DiscoverySelectors {
		out = append(out, metav1.FormatLabelSelector(s))
	}
	return strings.Join(out, " or ")
}

// selectAlike are the steps that let each revision select the namespaces of the others.
func (a *authority) selectAlike(namespaces []string) []finding.Step {
	step := finding.Say("All revisions share the lease for these configmaps, and the one that holds it writes only where it selects. " +
		"Let the discoverySelectors of each revision select the namespaces of all of them, or remove them from all. A restart does not help:")
	var owned []finding.Step
	for _, i := range a.istiods {
		at := slices.IndexFunc(a.meshes, func(mesh istio.MeshConfig) bool { return mesh.ConfigMap == i.MeshConfigMap() })
		if at < 0 || !slices.ContainsFunc(resources.Namespaces.Of(a.Cluster).Value, func(ns corev1.Namespace) bool {
			return slices.Contains(namespaces, ns.Name) && !a.meshes[at].Selects(ns.Labels)
		}) {
			continue
		}
		object := finding.In("configmap", i.Namespace, i.MeshConfigMap())
		by := owner.Owner{}
		for _, cm := range resources.MeshConfigs.Of(a.Cluster).Value {
			if cm.Name == object.Name {
				by = owner.Of(&cm.ObjectMeta)
			}
		}
		if by.WritesAgain() {
			owned = append(owned, by.Step(a.Context, object))
			continue
		}
		step = step.By(remedy.EditMeshConfig(a.Context, i))
	}
	return append([]finding.Step{step}, owned...)
}

// fromPrimary is how a cluster without a control plane gets its roots: from a primary that
// its system namespace names, and that is told to write into other clusters
// (pilot/pkg/serviceregistry/kube/controller/multicluster.go, checkShouldLead).
func fromPrimary(c *model.Cluster) (seen []finding.Evidence, fix []finding.Step) {
	if c == nil {
		return nil, nil
	}
	named := c.NamedControlPlanes()
	cp := c.ManagedBy()
	if cp == nil {
		return nil, []finding.Step{finding.Say("No istiod runs in %s, and none of the other clusters watches it. "+
			"Let a primary watch and manage it: mesh-network verify says what is missing (PR005).", c.Context)}
	}
	id := cp.Istiod.ClusterID()
	logs := finding.Kubectl(cp.Context, "-n", cp.Istiod.Namespace, "logs", "deployment/"+cp.Istiod.Name, "--tail=200")
	isNamed := cp.IsExternal() && cp.Cluster == c || slices.ContainsFunc(named, func(s string) bool { return s == id || s == "*" })
	seen = []finding.Evidence{
		{
			Field: "namespace " + c.SystemNamespace + ", annotation " + istio.AnnotationControlPlanes,
			Value: orElse(strings.Join(named, ","), "not set"),
		},
		{
			Cluster: cp.Context, Field: "deployment " + cp.Istiod.Name,
			Value: fmt.Sprintf("cluster ID %s, %s %s", id, istio.EnvExternalIstiod, orElse(cp.Istiod.Env(istio.EnvExternalIstiod), "not set")),
		},
	}
	if !isNamed {
		fix = append(fix, finding.Say("No istiod runs in %s: that of %s has to write the configmaps. Name it there, which takes effect at once:",
			c.Context, cp.Context).By(remedy.NamePrimary(c.Context, c.SystemNamespace, named, id)))
	}
	if !cp.Istiod.On(istio.EnvExternalIstiod) {
		fix = append(fix, finding.Say("Set global.externalIstiod to true in the values of istiod's installation in %s, which restarts istiod.",
			cp.Context))
	}
	return seen, append(fix, finding.Say("If the configmap does not come, read the log of the istiod of %s:", cp.Context).By(logs))
}

func staleIn(a *authority, namespaces []string) finding.Finding {
	f := finding.Finding{
		Code: "CERT014", Severity: finding.Error, Clusters: []string{a.Context}, Object: finding.Kind("configmaps stale"),
		Title: fmt.Sprintf("configmap istio-ca-root-cert holds another root in %s than in %s", count(namespaces), a.SystemNamespace),
		Evidence: []finding.Evidence{
			{Field: "in " + a.SystemNamespace, Value: describeAll(a.published.Certificates)},
		},
		Effect: "pods there do not trust istiod, or their peers: no configuration, no certificates, failing mTLS",
		Fix: []finding.Step{
			finding.Say("If the evidence names a second writer, such as the istiod of another mesh, stop that one first."),
			restart(a, "Restart istiod, which writes the right root when it starts:"),
		},
	}
	for _, cm := range resources.RootCerts.Of(a.Cluster).Value {
		if !slices.Contains(namespaces, cm.Namespace) || len(f.Evidence) > 5 {
			continue
		}
		b := pki.ParseBundle([]byte(cm.Data[istio.RootCertKey]))
		value := orElse(describeAll(b.Certificates), b.Problem)
		if by := lastWriter(&cm); by != "" {
			value += ", written by " + by
		}
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "in " + cm.Namespace, Value: value})
	}
	if rest := len(namespaces) - (len(f.Evidence) - 1); rest > 0 {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "and in", Value: strings.Join(namespaces, ", ")})
	}
	return f
}

func lastWriter(cm *corev1.ConfigMap) string {
	var who string
	var last time.Time
	for _, f := range cm.ManagedFields {
		if f.Time != nil && !f.Time.Time.Before(last) {
			who, last = f.Manager, f.Time.Time
		}
	}
	return who
}

func count(namespaces []string) string {
	if len(namespaces) == 1 {
		return "namespace " + namespaces[0]
	}
	return fmt.Sprintf("%d namespaces", len(namespaces))
}
