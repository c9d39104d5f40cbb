package primaryremote

import (
	"cmp"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// denied reports whether the reader was refused a right; false also where it is not known.
func (r remote) denied(right istio.Right) bool {
	for _, review := range resources.ReaderRights.Of(r.Cluster.Cluster).Value {
		if review.Name == right.String() {
			return !review.Status.Allowed
		}
	}
	return false
}

// reader is the user as which control planes read the cluster.
func (r remote) reader() string {
	for _, review := range resources.ReaderRights.Of(r.Cluster.Cluster).Value {
		return review.Spec.User
	}
	return istio.ReaderIdentity
}

// refusal is evidence that the reader was refused a right.
func (r remote) refusal(right istio.Right) finding.Evidence {
	return finding.Evidence{Field: "may " + r.reader() + " " + right.Verb + " " + right.Resource, Value: "no"}
}

// grant are the commands that give the reader a right.
func (r remote) grant(role string, right istio.Right) []finding.Command {
	resource, subject := right.Resource, "--user="+r.reader()
	if right.Group != "" {
		resource += "." + right.Group
	}
	if namespace, name, ok := istio.ServiceAccount(r.reader()); ok {
		subject = "--serviceaccount=" + namespace + ":" + name
	}
	return []finding.Command{
		finding.Kubectl(r.Context, "create", "clusterrole", role, "--verb="+right.Verb, "--resource="+resource),
		finding.Kubectl(r.Context, "create", "clusterrolebinding", role, "--clusterrole="+role, subject),
	}
}

// tokenReviews finds remote clusters whose API server does not check tokens for the
// primary: it has those of the proxies there checked with the credential of the remote
// secret (security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go).
func tokenReviews(p pass) {
	for _, r := range remotes(p) {
		if r.lacks(p, resources.ReaderRights) || !r.denied(istio.RightTokenReviews) {
			continue
		}
		p.Report(finding.Finding{
			Code: "PR007", Severity: finding.Error, Clusters: []string{r.Context}, Object: finding.Kind("reader"),
			Title:    "the control plane may not check the tokens of the remote cluster's proxies",
			Evidence: []finding.Evidence{r.refusal(istio.RightTokenReviews)},
			Effect:   "istiod refuses the proxies there: they get no certificates and no configuration",
			Fix: []finding.Step{
				finding.Say("Apply the reader's role of the installed version (istio-reader-clusterrole of chart istiod)."),
				finding.Say("To grant the right at once:").By(r.grant("kubectl-mesh-tokenreviews", istio.RightTokenReviews)...),
			},
		})
	}
}

// namedWithoutSecret finds remote clusters that name a control plane of the fleet as
// theirs, which has no remote secret for them.
func namedWithoutSecret(p pass) {
	for _, c := range model.Able(p) {
		ns := c.Namespace(c.SystemNamespace)
		if !c.Remote() || len(c.WatchedBy) > 0 || ns == nil {
			continue
		}
		for _, primary := range p.Model.Primaries() {
			if len(primary.Unread(resources.RemoteSecrets)) > 0 || !c.MayShareRoot(primary) {
				continue
			}
			id := primary.Installed()[0].ClusterID()
			if !slices.Contains(c.NamedControlPlanes(), id) {
				continue
			}
			p.Report(finding.Finding{
				Code: "PR007", Severity: finding.Error, Clusters: finding.Distinct([]string{c.Context, primary.Context}),
				Object: finding.Named("remote secret for", c.Context),
				Title:  "the primary has no remote secret for a remote cluster that names it",
				Evidence: []finding.Evidence{
					{
						Cluster: c.Context, Field: "namespace " + ns.Name + ", annotation " + istio.AnnotationControlPlanes,
						Value: ns.Annotations[istio.AnnotationControlPlanes],
					},
					{Cluster: primary.Context, Field: "cluster ID of istiod", Value: id},
					{Cluster: primary.Context, Field: "remote secrets that lead to " + c.Context, Value: "none"},
				},
				Effect: "istiod refuses the proxies there, and knows none of its services",
				Fix:    []finding.Step{createSecret(primary, c)},
			})
			break
		}
	}
}

// createSecret is the step that lets a primary watch a remote cluster.
func createSecret(primary, c *model.Cluster) finding.Step {
	secret := remedy.RemoteSecret{
		Watched: c.Context, ID: cmp.Or(c.ID, c.Context), ReaderNamespace: c.SystemNamespace,
		Context: primary.Context, Namespace: primary.SystemNamespace,
	}
	if c.NeedsServer() {
		return finding.Say(
			"Create the remote secret. Set HOST to the address of the API server of %s itself, not of a proxy, that pods of %s reach:",
			c.Context, primary.Context).By(secret.Create("--server=https://HOST:6443"))
	}
	return finding.Say("Create the remote secret:").By(secret.Create())
}

// writeRights finds remote clusters in which the primary that manages them may not write.
func writeRights(p pass) {
	for _, r := range remotes(p) {
		if r.lacks(p, resources.ReaderRights) || r.cause(p, "PR005") != "" {
			continue
		}
		var refused []finding.Evidence
		var grants []finding.Command
		for _, right := range []istio.Right{istio.RightCreateConfigMaps, istio.RightUpdateConfigMaps, istio.RightUpdateWebhooks} {
			if r.denied(right) {
				refused = append(refused, r.refusal(right))
				grants = append(grants, r.grant("kubectl-mesh-"+right.String(), right)...)
			}
		}
		if len(refused) == 0 {
			continue
		}
		f := finding.Finding{
			Code: "PR011", Severity: finding.Warning, Clusters: []string{r.Context}, Object: finding.Kind("reader"),
			Title: "the control plane may not write its root and its CA into the remote cluster", Evidence: refused,
			Effect: "new namespaces get no root, and pods stop starting when the root changes",
			Fix: []finding.Step{
				finding.Say("Apply the reader's role of the installed version, with istiodRemote.enabled (istio-reader-clusterrole of chart istiod)."),
				finding.Say("To grant the rights at once:").By(grants...),
			},
		}
		if resources.RootCert.Of(r.Cluster.Cluster).State == facts.Absent {
			f.Severity = finding.Error
		}
		p.Report(f)
	}
}
