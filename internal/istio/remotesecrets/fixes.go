package remotesecrets

import (
	"cmp"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// placeholder stands for a context that is not known.
const placeholder = "CONTEXT"

// create is the command that makes the remote secret by which a control plane watches
// a cluster, or replaces the one of that name.
func create(in, to *model.Cluster, id string) finding.Command {
	return createFor(in, to.Context, id, to.SystemNamespace)
}

func createFor(in *model.Cluster, context, id, namespace string, flags ...string) finding.Command {
	return remedy.RemoteSecret{
		Watched: context, ID: id, ReaderNamespace: namespace, Context: in.Context, Namespace: in.SystemNamespace,
	}.Create(flags...)
}

// renew is how the credential of a remote secret is replaced.
func renew(r *model.RemoteSecret) []finding.Step {
	recreate := finding.Say("Recreate the remote secret. Set CONTEXT to the context of %s:", cmp.Or(r.Server, "that cluster")).
		By(createFor(r.In, placeholder, r.ClusterID, r.In.SystemNamespace))
	if r.To != nil {
		recreate = finding.Say("Recreate the remote secret:").By(create(r.In, r.To, r.ClusterID))
	}
	return append([]finding.Step{recreate}, afterChange(r.In)...)
}

// afterChange is what has to follow the change of a remote secret where istiod does not
// pick it up.
func afterChange(c *model.Cluster) []finding.Step {
	var out []finding.Step
	for _, i := range c.Installed() {
		if bug := model.RotationBugOf(i); bug != "" {
			out = append(out, finding.Say("Then restart istiod: when a remote secret is changed, version %s %s (SEC018):", i.Version, afterwards(bug)).
				By(remedy.RestartIstiod(c.Context, i)))
		}
	}
	return out
}

// restarts are the commands that restart all control planes of the cluster.
func restarts(c *model.Cluster) []finding.Command {
	return remedy.RestartIstiods(c.Context, c.Installed())
}

// restartAll is the step that restarts all control planes of the cluster.
func restartAll(c *model.Cluster) []finding.Step {
	return []finding.Step{finding.Say("Restart istiod, which then reads all remote secrets again:").By(restarts(c)...)}
}

// logOf shows the lines of a replica's log that hold a text.
func logOf(v *model.IstiodReplica, text string) finding.Command {
	return finding.Kubectl(v.In.Context, "-n", v.In.SystemNamespace, "logs", "pod/"+v.Pod, "-c", istio.DiscoveryContainer).
		To(finding.Shell("grep", "-F", "-e", text))
}

// followAgain is what to do about a replica that does not follow a cluster, of which the
// lines of its log have a text.
func followAgain(v *model.IstiodReplica, text string) []finding.Step {
	return []finding.Step{
		finding.Say("Read the log of istiod, which says why it has no new endpoints of the cluster:").By(logOf(v, text)),
		finding.Say("Then restart istiod:").By(restarts(v.In)...),
	}
}

// removeKey is the command that takes one data key out of the Secret, or deletes the
// Secret where that is all that it holds, once the remote secrets for other cluster IDs
// have been created: one of them may have become a key of this very Secret.
func removeKey(r *model.RemoteSecret, created ...string) finding.Command {
	becomes := func(id string) bool { return isSecretFor(r, id) }
	if len(r.Siblings()) > 1 || slices.ContainsFunc(created, becomes) {
		return secret(r.In, "patch", r.Namespace, r.Name, "--type=json", "-p", remedy.Removal("data", r.ClusterID))
	}
	return secret(r.In, "delete", r.Namespace, r.Name)
}

// secret is a kubectl command for one Secret of a cluster.
func secret(c *model.Cluster, verb, namespace, name string, args ...string) finding.Command {
	return finding.Kubectl(c.Context, append([]string{"-n", namespace, verb, "secret/" + name}, args...)...)
}

// isSecretFor reports whether the Secret is the one that istioctl writes for a cluster ID.
func isSecretFor(r *model.RemoteSecret, id string) bool {
	return r.Namespace == r.In.SystemNamespace && r.Name == istio.RemoteSecretPrefix+id
}
