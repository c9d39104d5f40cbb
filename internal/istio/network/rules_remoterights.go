package network

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// denied reports whether the reader was refused a right; false also where it is not known.
func (m *member) denied(right istio.Right) bool {
	for _, r := range resources.ReaderRights.Of(m.Cluster).Value {
		if r.Name == right.String() {
			return !r.Status.Allowed
		}
	}
	return false
}

func (m *member) reader() string {
	for _, r := range resources.ReaderRights.Of(m.Cluster).Value {
		return r.Spec.User
	}
	return istio.ReaderIdentity
}

// judgeTokens: the primary has the tokens of a remote cluster's proxies checked by
// its API server, with the credential of the remote secret
// (security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go).
func judgeTokens(j *judgement, members []*member) {
	for _, m := range members {
		if !m.isRemote() || len(m.serving()) == 0 {
			continue
		}
		if !resources.ReaderRights.Of(m.Cluster).Known() {
			j.NotChecked(m.Context, lack("what the control plane may do there", resources.ReaderRights.Of(m.Cluster)), "PR007", "PR011")
			continue
		}
		if !m.denied(istio.RightTokenReviews) {
			continue
		}
		j.Add(finding.Finding{
			Code: "PR007", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.Kind("reader"),
			Title:    "the control plane may not check the tokens of the remote cluster's proxies",
			Evidence: []finding.Evidence{{Field: "may " + m.reader() + " create tokenreviews", Value: "no"}},
			Effect:   "istiod refuses the proxies there: they get no certificates and no configuration",
			Fix: []finding.Step{
				finding.Say("Apply the reader's role of the installed version (istio-reader-clusterrole of chart istiod)."),
				finding.Say("To grant the right at once:").By(
					m.grant("kubectl-mesh-tokenreviews", "create", "tokenreviews.authentication.k8s.io"), m.bind("kubectl-mesh-tokenreviews")),
			},
		})
	}
	j.unread()
}

func (m *member) grant(role, verbs, resource string) finding.Command {
	return finding.Kubectl(m.Context, "create", "clusterrole", role, "--verb="+verbs, "--resource="+resource)
}

func (m *member) bind(role string) finding.Command {
	subject := "--user=" + m.reader()
	if parts := strings.Split(m.reader(), ":"); istio.ServiceAccountNamespace(m.reader()) != "" {
		subject = "--serviceaccount=" + parts[2] + ":" + parts[3]
	}
	return finding.Kubectl(m.Context, "create", "clusterrolebinding", role, "--clusterrole="+role, subject)
}

// readBy is the command that makes the remote secret by which the control planes of
// another cluster read this one.
func (m *member) readBy(o *member) finding.Command {
	name := cmp.Or(istio.ClusterID(m.Cluster), m.Context)
	words := []string{"istioctl", "create-remote-secret", "--context=" + m.Context, "--name=" + name, "-n", o.SystemNamespace}
	if m.SystemNamespace != istio.SystemNamespace {
		words = append(words, "-i", m.SystemNamespace)
	}
	return finding.Shell(words...).To(finding.Kubectl(o.Context, "apply", "-f", "-"))
}

// unread finds remote clusters that name a control plane of the fleet as theirs, which
// has no remote secret for them.
func (j *judgement) unread() {
	for _, m := range j.members {
		ns := m.namespaces[m.SystemNamespace]
		if !istio.IsRemote(m.Cluster) || len(m.viewers) > 0 || ns == nil {
			continue
		}
		for _, o := range j.members {
			if o.lacks(istiods|remoteSecrets) != nothing || len(o.istiods) == 0 || !sharesRoot(resources.RootCert.Of(m.Cluster), resources.RootCert.Of(o.Cluster)) {
				continue
			}
			id := o.istiods[0].ClusterID()
			if !slices.Contains(strings.Split(ns.Annotations[annotationControlPlanes], ","), id) {
				continue
			}
			j.Add(finding.Finding{
				Code: "PR007", Severity: finding.Error, Clusters: finding.Distinct([]string{m.Context, o.Context}),
				Object: finding.Named("remote secret for", m.Context),
				Title:  "the primary has no remote secret for a remote cluster that names it",
				Evidence: []finding.Evidence{
					{Cluster: m.Context, Field: "namespace " + ns.Name + ", annotation " + annotationControlPlanes, Value: ns.Annotations[annotationControlPlanes]},
					{Cluster: o.Context, Field: "cluster ID of istiod", Value: id},
					{Cluster: o.Context, Field: "remote secrets that lead to " + m.Context, Value: "none"},
				},
				Effect: "istiod refuses the proxies there, and knows none of its services",
				Fix:    []finding.Step{finding.Say("Create the remote secret:").By(m.readBy(o))},
			})
			break
		}
	}
}

// judgeLeading: a primary that takes a remote cluster for its own writes there.
func judgeLeading(j *judgement, members []*member) {
	for _, m := range members {
		if !m.isRemote() || len(m.serving()) == 0 || !resources.ReaderRights.Of(m.Cluster).Known() || j.of(m.Context, finding.Object{}, "PR005") != "" {
			continue
		}
		var evidence []finding.Evidence
		var grants []finding.Command
		for _, right := range []istio.Right{istio.RightCreateConfigMaps, istio.RightUpdateConfigMaps, istio.RightUpdateWebhooks} {
			if m.denied(right) {
				evidence = append(evidence, finding.Evidence{Field: "may " + m.reader() + " " + right.Verb + " " + right.Resource, Value: "no"})
				role := "kubectl-mesh-" + right.String()
				grants = append(grants, m.grant(role, right.Verb, resourceOf(right)), m.bind(role))
			}
		}
		if len(evidence) == 0 {
			continue
		}
		f := finding.Finding{
			Code: "PR011", Severity: finding.Warning, Clusters: []string{m.Context}, Object: finding.Kind("reader"),
			Title: "the control plane may not write its root and its CA into the remote cluster", Evidence: evidence,
			Effect: "new namespaces get no root, and pods stop starting when the root changes",
			Fix: []finding.Step{
				finding.Say("Apply the reader's role of the installed version, with istiodRemote.enabled (istio-reader-clusterrole of chart istiod)."),
				finding.Say("To grant the rights at once:").By(grants...),
			},
		}
		if resources.RootCert.Of(m.Cluster).State == facts.Absent {
			f.Severity = finding.Error
		}
		j.Add(f)
	}
}

func resourceOf(r istio.Right) string {
	if r.Group == "" {
		return r.Resource
	}
	return r.Resource + "." + r.Group
}
