package primaryremote

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// injectionServiceMissing finds webhooks that call a Service which does not exist: those of
// remote clusters, and of clusters with a control plane those that a namespace asks. What
// nobody asks does no harm there: an uninstalled revision left it.
func injectionServiceMissing(p pass) {
	for _, c := range model.Able(p) {
		if c.Primary() {
			injectorGone(p, c)
		}
	}
	for _, r := range remotes(p) {
		for _, i := range r.Injectors() {
			name, ok := i.Service()
			if !ok || r.Service(name.Namespace, name.Name) != nil {
				continue
			}
			service := name.Namespace + "/" + name.Name
			f := finding.Finding{
				Code:     "PR012",
				Severity: finding.Error,
				Clusters: []string{r.Context},
				Object:   i.Object(),
				Title:    "the injection webhook calls a Service that does not exist",
				Evidence: []finding.Evidence{
					{Field: i.Object().String() + ", service", Value: service}, {Field: "service " + service, Value: "does not exist"},
				},
				Effect: "pods in namespaces with injection are not created",
				Fix: []finding.Step{
					finding.Say("Install the remote profile with the revision of the primary: it makes the Service that its webhook calls."),
				},
			}
			if others := istiodServices(r.Cluster); len(others) > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "services of istiod", Value: strings.Join(others, ", ")})
			}
			var revisions []string
			for _, cp := range r.by {
				revisions = append(revisions, cp.Istiod.Revision)
			}
			f.Evidence = append(f.Evidence, finding.Evidence{
				Cluster: r.by[0].Context, Field: "revisions of the primary", Value: strings.Join(finding.Distinct(revisions), ", "),
			})
			if len(r.Injectors()) > 1 {
				f.Fix = append(
					f.Fix,
					finding.Say("If an old installation left the webhook, uninstall that with the tool that made it. See first which "+
						"namespaces choose its revision:").By(finding.Kubectl(r.Context, "get", "namespaces", "-L", "istio-injection,istio.io/rev")),
				)
			} else {
				f.Fix = append(f.Fix, finding.Say("Do not delete the webhook: no other one injects pods here."))
			}
			if o := owner.Of(&i.Meta); o.Known() {
				f.Fix = append(f.Fix, o.Step(r.Context, i.Object()))
			}
			p.Report(f)
		}
	}
}

// injectorGone finds webhooks of a cluster with a control plane that call the Service of
// another revision, which is not there any more.
func injectorGone(p pass, c *model.Cluster) {
	for _, i := range c.Injectors() {
		name, ok := i.Service()
		asking := c.AskedBy(i)
		if !ok || len(asking) == 0 || c.Service(name.Namespace, name.Name) != nil {
			continue
		}
		service := name.Namespace + "/" + name.Name
		p.Report(finding.Finding{
			Code: "PR012", Severity: finding.Error, Clusters: []string{c.Context}, Object: i.Object(),
			Title: "the injection webhook calls a Service that does not exist",
			Evidence: []finding.Evidence{
				{Field: i.Object().String() + ", service", Value: service}, {Field: "service " + service, Value: "does not exist"},
				{Field: "namespaces that are labeled for it", Value: finding.List(asking)},
				{Field: "Services of injectors that exist", Value: evidence.OrNone(strings.Join(injectorServices(c), ", "))},
			},
			Effect: "pods in " + finding.List(asking) + " are not created",
			Fix: []finding.Step{
				finding.Say(
					"If it is a revision tag, let it point to a revision that is there: istioctl --context=%s tag set TAG --revision REVISION "+
						"--overwrite, or revisionTags in the values of that installation.", c.Context,
				),
				finding.Say("Else label the namespaces with the revision or tag that is there, and restart their workloads."),
			},
		})
	}
}

// injectorServices are the Services that webhooks of the cluster call and that exist.
func injectorServices(c *model.Cluster) []string {
	var out []string
	for _, i := range c.Injectors() {
		if name, ok := i.Service(); ok && c.Service(name.Namespace, name.Name) != nil {
			out = append(out, name.Namespace+"/"+name.Name)
		}
	}
	return finding.Distinct(out)
}

// injectionServiceIsName finds webhooks of remote clusters that call a Service of type
// ExternalName, which API servers refuse.
func injectionServiceIsName(p pass) {
	for _, r := range remotes(p) {
		for _, i := range r.Injectors() {
			name, ok := i.Service()
			if !ok {
				continue
			}
			s := r.Service(name.Namespace, name.Name)
			if s == nil || s.Spec.Type != corev1.ServiceTypeExternalName {
				continue
			}
			service := name.Namespace + "/" + name.Name
			p.Report(finding.Finding{
				Code: "PR002", Severity: finding.Error, Clusters: []string{r.Context}, Object: i.Object(),
				Title: "the injection webhook calls a Service of type ExternalName, which API servers refuse",
				Evidence: []finding.Evidence{
					{Field: i.Object().String() + ", service", Value: service},
					{Field: "service " + service + ", externalName", Value: evidence.OrNone(s.Spec.ExternalName)},
				},
				Effect: "pods in namespaces with injection are not created: unsupported service type \"ExternalName\"",
				Fix: []finding.Step{
					finding.Say("Set global.remotePilotAddress to an IPv4 address in the values of the remote installation."),
					finding.Say("Or set istiodRemote.injectionURL to https://%s:15017%s there.",
						cmp.Or(s.Spec.ExternalName, "HOST"), cmp.Or(i.Path(), "/inject")),
				},
			})
		}
	}
}

// injectionPath finds webhooks of remote clusters whose path does not name the cluster
// and its network: the injector then gives pods those of the primary
// (pkg/kube/inject/webhook.go, parseInjectEnvs).
func injectionPath(p pass) {
	for _, r := range remotes(p) {
		for _, i := range r.Injectors() {
			id := istio.InjectedCluster(i.Path())
			var wrong []finding.Evidence
			expected := r.ID
			for _, cp := range r.by {
				if !slices.Contains(cp.Names(r.Cluster), id) {
					expected = cp.IDOf(r.Cluster)
					wrong = append(wrong, finding.Evidence{Cluster: cp.Context, Field: "cluster ID for " + cp.String(), Value: expected})
				}
			}
			if istio.InjectedNetwork(i.Path()) == "" && p.Model.Several() {
				wrong = append(wrong, finding.Evidence{Field: "networks of the fleet", Value: strings.Join(p.Model.Networks(), ", ")})
			}
			if len(wrong) == 0 {
				continue
			}
			p.Report(finding.Finding{
				Code: "PR003", Severity: finding.Error, Clusters: []string{r.Context}, Object: i.Object(),
				Title: "the path of the injection webhook does not name the cluster and its network",
				Evidence: append([]finding.Evidence{
					{Cluster: r.Context, Field: i.Object().String() + ", path", Value: evidence.OrNone(i.Path())},
				}, wrong...),
				Effect: "pods take themselves for those of another cluster or network: istiod refuses their identity, " +
					"or they are reached by wrong addresses",
				Fix: []finding.Step{
					finding.Say("Set istiodRemote.injectionPath to /inject/cluster/%s/net/%s in the values of the remote installation.",
						cmp.Or(expected, "CLUSTER"), cmp.Or(r.Network().Home(), "NETWORK")),
					finding.Say("Then restart the workloads."),
				},
			})
		}
	}
}
