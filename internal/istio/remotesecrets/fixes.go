package remotesecrets

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// placeholder stands for a context that is not known.
const placeholder = "CONTEXT"

// ownServer is the flag by which istioctl is told the address of an API server.
const ownServer = "--server=https://HOST:6443"

// create is the command that makes the remote secret by which a control plane watches
// a cluster, or replaces the one of that name.
func create(in, to *model.Cluster, id string) finding.Command {
	if to.NeedsServer() {
		return createFor(in, to.Context, id, to.SystemNamespace, ownServer)
	}
	return createFor(in, to.Context, id, to.SystemNamespace)
}

// creating is the step with create. Where the context leads through a proxy, or is of this
// machine alone, istioctl would write that address into the secret, with the CA and the token
// of the cluster, which are not the proxy's.
func creating(in, to *model.Cluster, id, say string, args ...any) finding.Step {
	if to.NeedsServer() {
		say, args = strings.TrimSuffix(say, ":")+". "+setHost, append(args, to.Context, in.Context)
	}
	return finding.Say(say, args...).By(create(in, to, id))
}

// setHost says what HOST is, in which cluster and for whom.
const setHost = "Set HOST to the address of the API server of %s itself, not of a proxy, that pods of %s reach:"

func createFor(in *model.Cluster, context, id, namespace string, flags ...string) finding.Command {
	command := remedy.RemoteSecret{
		Watched: context, ID: id, ReaderNamespace: namespace, Context: in.Context, Namespace: in.SystemNamespace,
	}.Create(flags...)
	if context == placeholder {
		command = command.Blank(placeholder)
	}
	if slices.Contains(flags, ownServer) {
		command = command.Blank("HOST")
	}
	return command
}

// renew is how the credential of a remote secret is replaced.
func renew(r *model.RemoteSecret) []finding.Step {
	if r.To != nil {
		return replace(r, creating(r.In, r.To, r.ClusterID, "Recreate the remote secret:"))
	}
	return replace(r, finding.Say("Recreate the remote secret. Set CONTEXT to the context of %s:", cmp.Or(r.Server, "that cluster")).
		By(createFor(r.In, placeholder, r.ClusterID, r.In.SystemNamespace)))
}

// replace are the steps that put a new remote secret, which a step creates, in the place of
// one for the same cluster ID. A Secret that a tool writes is changed there. One that has
// another name than istioctl gives has to go first: istiod ignores a second one for its ID.
func replace(r *model.RemoteSecret, create finding.Step) []finding.Step {
	if r.Owner.WritesAgain() {
		command := create.Run[0]
		command.Pipe, command.Into = nil, "remote-secret.yaml"
		return append([]finding.Step{
			{Say: create.Say, Run: []finding.Command{command}},
			r.Owner.Step(r.In.Context, r.Object()),
			finding.Say("Then delete the file, which holds a credential:").By(finding.Shell("rm", command.Into)),
		}, afterChange(r.In)...)
	}
	var out []finding.Step
	if !isSecretFor(r, r.ClusterID) && r.Invalid == "" {
		out = remove(
			r,
			nil,
			"Careful: until the next step is done istiod has no endpoints of %s, and requests to them stop. Remove the secret:",
			nameOf(r),
		)
	}
	out = append(out, create)
	if r.Owner.Known() {
		out = append(out, r.Owner.Step(r.In.Context, r.Object()))
	}
	return append(out, afterChange(r.In)...)
}

// remove are the steps that take a remote secret away, once those for other cluster IDs have
// been created; a sentence says what comes of it. A Secret that a tool writes is changed there.
func remove(r *model.RemoteSecret, created []string, say string, args ...any) []finding.Step {
	step := finding.Say(say, args...).By(removeKey(r, created...))
	if !r.Owner.Known() {
		return []finding.Step{step}
	}
	if r.Owner.WritesAgain() {
		step = finding.Say(strings.TrimSuffix(say, ":")+".", args...)
	}
	return []finding.Step{step, r.Owner.Step(r.In.Context, r.Object())}
}

// afterChange is what has to follow the change of a remote secret where istiod does not
// pick it up.
func afterChange(c *model.Cluster) []finding.Step {
	var out []finding.Step
	for _, i := range c.Installed() {
		if bug := model.RotationBugOf(i); bug != "" {
			out = append(
				out,
				finding.Say("Then restart istiod: when a remote secret is changed, version %s %s (SEC018):", i.Version, afterwards(bug)).
					By(remedy.RestartIstiod(c.Context, i)),
			)
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
