package remotesecrets

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// placeholder stands for a context that is not known.
const placeholder = "CONTEXT"

// create is the command that makes the remote secret by which a control plane watches
// a cluster, or replaces the one of that name.
func create(in, to *member, id string) finding.Command {
	return createFor(in, to.Context, id, to.SystemNamespace)
}

func createFor(in *member, context, id, namespace string, flags ...string) finding.Command {
	args := append([]string{"istioctl", "create-remote-secret", "--context=" + context, "--name=" + id}, flags...)
	args = append(args, "-n", in.SystemNamespace)
	if namespace != istio.SystemNamespace {
		args = append(args, "-i", namespace)
	}
	return finding.Shell(args...).To(finding.Kubectl(in.Context, "apply", "-f", "-"))
}

// renew is how the credential of an entry is replaced.
func (e *entry) renew() []finding.Step {
	recreate := finding.Say("Recreate the remote secret. Set CONTEXT to the context of %s:", cmp.Or(e.Server, "that cluster")).
		By(createFor(e.in, placeholder, e.ClusterID, e.in.SystemNamespace))
	if e.to != nil {
		recreate = finding.Say("Recreate the remote secret:").By(create(e.in, e.to, e.ClusterID))
	}
	return append([]finding.Step{recreate}, e.in.afterChange()...)
}

// afterChange is what has to follow the change of a remote secret where istiod does not
// pick it up.
func (m *member) afterChange() []finding.Step {
	var out []finding.Step
	for _, i := range m.istiods {
		if rotationBug(i) != "" {
			out = append(out, finding.Say("Then restart istiod: version %s does not pick up a changed remote secret (SEC018):", i.Version).
				By(m.restart(i)))
		}
	}
	return out
}

func (m *member) restart(i istio.Istiod) finding.Command {
	return finding.Kubectl(m.Context, "-n", i.Namespace, "rollout", "restart", "deployment/"+i.Name)
}

// restarts are the commands that restart all control planes of the cluster.
func (m *member) restarts() []finding.Command {
	var out []finding.Command
	for _, i := range m.istiods {
		out = append(out, m.restart(i))
	}
	return out
}

// restartAll is the step that restarts all control planes of the cluster.
func (m *member) restartAll() []finding.Step {
	return []finding.Step{finding.Say("Restart istiod, which then reads all remote secrets again:").By(m.restarts()...)}
}

// log shows the lines of a replica's log that hold a text.
func (m *member) log(v *replica, text string) finding.Command {
	return finding.Kubectl(m.Context, "-n", m.SystemNamespace, "logs", "pod/"+v.Pod, "-c", istio.DiscoveryContainer).
		To(finding.Shell("grep", "-F", "-e", text))
}

// removeKey is the command that takes one data key out of the Secret, or deletes the
// Secret where that is all that it holds, once the remote secrets for other cluster IDs
// have been created: one of them may have become a key of this very Secret.
func (e *entry) removeKey(created ...string) finding.Command {
	if len(slicesOf(e)) > 1 || slices.ContainsFunc(created, e.isSecretFor) {
		return e.in.secret("patch", e.Namespace, e.Name, "--type=json", "-p", removal("data", e.ClusterID))
	}
	return e.in.secret("delete", e.Namespace, e.Name)
}

// removal is the JSON patch that removes a field.
func removal(path ...string) string {
	type operation struct {
		Op   string `json:"op"`
		Path string `json:"path"`
	}
	pointer := ""
	for _, p := range path {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	patch, _ := json.Marshal([]operation{{"remove", pointer}}) // strings alone: it cannot fail
	return string(patch)
}

// secret is a kubectl command for one Secret of the cluster.
func (m *member) secret(verb, namespace, name string, args ...string) finding.Command {
	return finding.Kubectl(m.Context, append([]string{"-n", namespace, verb, "secret/" + name}, args...)...)
}

// isSecretFor reports whether the Secret of an entry is the one that istioctl writes for
// a cluster ID.
func (e *entry) isSecretFor(id string) bool {
	return e.Namespace == e.in.SystemNamespace && e.Name == istio.RemoteSecretPrefix+id
}

// slicesOf are the entries of the same Secret.
func slicesOf(e *entry) []*entry {
	var out []*entry
	for _, o := range e.in.entries {
		if o.object() == e.object() {
			out = append(out, o)
		}
	}
	return out
}
