package controlplane

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// istioKinds are the kinds of Istio that istiod reads in version v1 since 1.24
// (pkg/config/schema/gvr/resources.gen.go), and that are read here anyway.
var istioKinds = resource.Set{
	resources.VirtualServices, resources.DestinationRules, resources.Gateways, resources.ServiceEntries, resources.Sidecars,
	resources.PeerAuthentications, resources.AuthorizationPolicies,
}

// readsV1 is the first release of istiod that does not get ready where a kind of Istio is not served in
// version v1: its informer waits for it for ever.
const readsV1 = "1.24"

// oldDefinitions: kinds of Istio are not served in the version in which istiod reads them.
func oldDefinitions(p pass) {
	for _, c := range clusters(p) {
		var old []finding.Evidence
		for _, row := range istioKinds {
			if served := row.Served(c.Cluster); served != "" {
				about := row.About()
				old = append(old, finding.Evidence{Field: about.Resource + "." + about.Group + ", newest version that is served", Value: served})
			}
		}
		for _, i := range c.Installations() {
			if len(old) == 0 || !i.Used() || !i.Istiod.AtLeast(readsV1) || i.Istiod.IsExternal(c.Cluster) {
				continue
			}
			f := finding.Finding{
				Code: "CP013", Severity: finding.Error, Clusters: []string{c.Context}, Object: i.Object(),
				Title:    fmt.Sprintf("the definitions of Istio's kinds are too old for istiod %s", i.Istiod.Version),
				Evidence: append([]finding.Evidence{{Field: "version in which istiod reads them", Value: "v1"}}, old...),
				Effect:   "istiod does not get ready: it waits for these kinds for ever",
				Fix:      []finding.Step{upgradeBase(c, i)},
			}
			if i.Ready() > 0 {
				f.Effect = "istiod gets no changes of these objects, and does not get ready at its next start"
			}
			p.Report(f)
		}
	}
}

// upgradeBase is the step that installs the definitions of an istiod's own release. The file is that
// which chart base installs.
func upgradeBase(c *model.Cluster, i model.Installation) finding.Step {
	return finding.Say("Upgrade chart istio/base to the release of istiod, or apply its definitions:").By(
		finding.Kubectl(c.Context, "apply", "--server-side", "--force-conflicts", "-f",
			"https://raw.githubusercontent.com/istio/istio/"+i.Istiod.Version.String()+"/manifests/charts/base/files/crd-all.gen.yaml"))
}

// notRead: objects of the Gateway API are there that istiod does not read, since the definition of their
// kind is of another release than it knows; or istiod waits for them for ever.
func notRead(p pass) {
	for _, c := range clusters(p) {
		for _, kind := range istio.BundleKinds {
			bundle, there := kind.Bundle(c.Cluster)
			if !there {
				continue
			}
			for _, i := range c.Installations() {
				why, reads := i.Istiod.ReadsBundle(kind.Kind, bundle)
				if reads || !i.Used() || i.Istiod.IsExternal(c.Cluster) {
					continue
				}
				if unread := c.Unread(kind.Objects); len(unread) > 0 {
					p.NotChecked(c.Context, unread[0].Reason)
					continue
				}
				if f, wrong := unreadKind(c, kind, i, bundle, why); wrong {
					p.Gather(f)
				}
			}
		}
	}
}

// unreadKind says what comes of a kind that an istiod does not read; false where nobody misses it.
func unreadKind(
	c *model.Cluster,
	kind istio.BundleKind,
	i model.Installation,
	bundle *version.Version,
	why istio.BundleFault,
) (finding.Finding, bool) {
	release := "none is said"
	if bundle != nil {
		release = bundle.String()
	}
	f := finding.Finding{
		Code: "CP014", Severity: finding.Error, Clusters: []string{c.Context},
		Object: definitionOf(kind),
		Evidence: []finding.Evidence{
			{Field: "release of the Gateway API that it is of", Value: release},
			{Field: i.Object().String(), Value: "istiod " + i.Istiod.Version.String()},
		},
	}
	missed := missedBy(c, kind)
	switch {
	case why.Stuck:
		if kind.Objects.Served(c.Cluster) == "" {
			return f, false // the version that it reads is still served
		}
		f.Title = fmt.Sprintf("istiod %s waits for %ss in a version that the cluster does not serve", i.Istiod.Version, kind.Kind)
		f.Effect = "istiod does not get ready (istio/istio#59443)"
		if i.Ready() > 0 {
			f.Severity, f.Effect = finding.Warning, "istiod does not get ready at its next start (istio/istio#59443)"
		}
		f.Fix = []finding.Step{
			finding.Say("Upgrade istiod to 1.28.6, 1.29.2 or later. Until then let it leave them out, which restarts it:").
				By(remedy.SetIstiodVariable(c.Context, i.Istiod, istio.EnvAlphaGatewayAPI, "false")),
		}
		return f, true
	case len(missed) == 0:
		return f, false
	}
	f.Title = fmt.Sprintf("istiod %s does not read the %ss of this cluster", i.Istiod.Version, kind.Kind)
	f.Evidence = append(f.Evidence, finding.Evidence{Field: kind.Kind + "s that are for Istio", Value: finding.List(missed)})
	f.Effect = "what they say has no effect, and no status of them tells it"
	switch {
	case why.Off:
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "variable " + istio.EnvAlphaGatewayAPI + " of istiod", Value: "not true"})
		f.Fix = []finding.Step{
			finding.Say("Let istiod read the kinds of the Gateway API that are not stable, which restarts it. " +
				"Set it in the values of its installation as well:").
				By(remedy.SetIstiodVariable(c.Context, i.Istiod, istio.EnvAlphaGatewayAPI, "true")),
		}
	case why.Least != "":
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "oldest release of the Gateway API that istiod reads it of", Value: why.Least})
		f.Fix = []finding.Step{
			finding.Say("Upgrade the Gateway API to %s or later, as its guide tells. Which releases the other kinds are of:", why.Least).
				By(bundles(c)),
		}
	default:
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "newest release of the Gateway API that istiod reads it of", Value: why.Most})
		f.Fix = []finding.Step{
			finding.Say("Upgrade istiod to 1.30 or later. Which releases of the Gateway API the other kinds are of:").By(bundles(c)),
		}
	}
	return f, true
}

// definitionOf names the definition of a kind.
func definitionOf(kind istio.BundleKind) finding.Object {
	return finding.Named("customresourcedefinition", kind.Definition.About().Object)
}

// bundles is the command that shows of which release of the Gateway API the definitions are.
func bundles(c *model.Cluster) finding.Command {
	return finding.Kubectl(c.Context, "get", "customresourcedefinitions",
		"-o", `custom-columns=NAME:.metadata.name,RELEASE:.metadata.annotations.gateway\.networking\.k8s\.io/bundle-version`)
}

// missedBy are the objects of a kind that are for Istio: routes of its gateways, and policies that no
// other controller has taken, where Istio has a gateway. Routes of Services are of the mesh that takes
// them, which nothing says.
func missedBy(c *model.Cluster, kind istio.BundleKind) []string {
	gateways := map[istio.ObjectName]bool{}
	for _, k := range resources.KubernetesGateways.Of(c.Cluster).Value {
		if strings.HasPrefix(k.Spec.GatewayClassName, api.ClassIstio) {
			gateways[istio.ObjectName{Namespace: k.Namespace, Name: k.Name}] = true
		}
	}
	var out []string
	for _, o := range kind.Attached(c.Cluster) {
		routed := slices.ContainsFunc(o.Spec.ParentRefs, func(ref api.ParentRef) bool {
			name := istio.ObjectName{Namespace: o.Namespace, Name: ref.Name}
			if ref.Namespace != nil && *ref.Namespace != "" {
				name.Namespace = *ref.Namespace
			}
			return (ref.Kind == nil || *ref.Kind == "" || *ref.Kind == "Gateway") && gateways[name]
		})
		others := slices.ContainsFunc(o.Status.Ancestors, func(by api.TakenBy) bool { return !strings.HasPrefix(by.ControllerName, "istio.io/") })
		if routed || len(o.Spec.TargetRefs) > 0 && len(gateways) > 0 && !others {
			out = append(out, o.Namespace+"/"+o.Name)
		}
	}
	return out
}
