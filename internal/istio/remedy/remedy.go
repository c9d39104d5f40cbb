// Package remedy has the commands, and steps, that fixes of several areas share: each
// thing is done in one way, whichever rule says it.
package remedy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// ByItsCause is the fix of what another finding explains.
func ByItsCause() []finding.Step { return []finding.Step{finding.Say("Fixing the cause fixes this.")} }

// RestartIstiod is the command that restarts a control plane of a cluster.
func RestartIstiod(context string, i istio.Istiod) finding.Command {
	return finding.Kubectl(context, "-n", i.Namespace, "rollout", "restart", "deployment/"+i.Name)
}

// RestartIstiods are the commands that restart control planes of a cluster.
func RestartIstiods(context string, istiods []istio.Istiod) []finding.Command {
	var out []finding.Command
	for _, i := range istiods {
		out = append(out, RestartIstiod(context, i))
	}
	return out
}

// RestartWorkload is the command that recreates the pods of a workload; false where
// kubectl has none for its kind.
func RestartWorkload(context string, w istio.WorkloadRef) (finding.Command, bool) {
	switch w.Kind {
	case "deployment", "statefulset", "daemonset":
		return finding.Kubectl(context, "-n", w.Namespace, "rollout", "restart", w.Kind+"/"+w.Name), true
	}
	return finding.Command{}, false
}

// mostRestarts is how many workloads a fix restarts by name.
const mostRestarts = 8

// RestartWorkloads are the steps that recreate the pods of workloads, each once.
func RestartWorkloads(context string, workloads []istio.WorkloadRef) []finding.Step {
	var commands []finding.Command
	var further []finding.Step
	seen := map[istio.WorkloadRef]bool{}
	for _, w := range workloads {
		if seen[w] {
			continue
		}
		if len(seen) == mostRestarts {
			further = append(further, finding.Say("Restart the other workloads too: -o wide lists them all."))
			break
		}
		seen[w] = true
		if command, ok := RestartWorkload(context, w); ok {
			commands = append(commands, command)
		} else {
			further = append(further, finding.Say("Recreate the pods of %s.", w))
		}
	}
	if len(commands) == 0 {
		return further
	}
	return append([]finding.Step{finding.Say("Restart the workloads:").By(commands...)}, further...)
}

// RestartGroups are the steps that recreate the pods of workloads of a cluster. Those of
// gateways hold connections of many.
func RestartGroups(c *model.Cluster, groups []model.WorkloadGroup) []finding.Step {
	workloads := model.WorkloadsOf(groups)
	out := RestartWorkloads(c.Context, workloads)
	for _, g := range c.NetworkGateways() {
		if slices.ContainsFunc(g.Pods, func(p *facts.Pod) bool { return slices.Contains(workloads, istio.WorkloadOf(p)) }) {
			return append([]finding.Step{finding.Say("Careful: a gateway is restarted too, which closes its connections.")}, out...)
		}
	}
	return out
}

// RemoteSecret says which remote secret is to be created.
type RemoteSecret struct {
	// Watched is the context of the cluster to which it leads, ID the cluster's name in
	// the mesh, and ReaderNamespace where the service account is that it speaks for.
	Watched, ID, ReaderNamespace string
	// Context and Namespace are where the control plane is that watches the cluster.
	Context, Namespace string
}

// Create is the command that creates a remote secret, or replaces the one that has the
// name which istioctl gives it. flags are further ones of istioctl.
func (s RemoteSecret) Create(flags ...string) finding.Command {
	args := append([]string{"istioctl", "create-remote-secret", "--context=" + s.Watched, "--name=" + s.ID}, flags...)
	args = append(args, "-n", s.Namespace)
	if s.ReaderNamespace != istio.SystemNamespace {
		args = append(args, "-i", s.ReaderNamespace)
	}
	return finding.Shell(args...).To(finding.Kubectl(s.Context, "apply", "-f", "-"))
}

// LabelNamespace is the command that sets a label of a namespace.
func LabelNamespace(context, namespace, label, value string) finding.Command {
	return finding.Kubectl(context, "label", "namespace/"+namespace, label+"="+value, "--overwrite")
}

// SomeNetwork stands for a network that nobody but a person knows.
const SomeNetwork = "NETWORK"

// Network is a command with the name of a network in it, which a person fills in where it
// is not known.
func Network(name string, command func(name string) finding.Command) finding.Command {
	if name == "" {
		return command(SomeNetwork).Blank(SomeNetwork)
	}
	return command(name)
}

// NamePrimary is the command that names a primary, by its cluster ID, in the system namespace
// of a remote cluster, beside those that are named there.
func NamePrimary(context, namespace string, named []string, id string) finding.Command {
	ids := strings.Join(append(append([]string{}, named...), id), ",")
	return finding.Kubectl(context, "annotate", "namespace/"+namespace, istio.AnnotationControlPlanes+"="+ids, "--overwrite")
}

// SetInjectedNetwork says how the network is set that the injector gives to sidecars:
// no command for it fits every installation.
func SetInjectedNetwork(network string) finding.Step {
	return finding.Say("Set global.network to %s in the values of istiod's installation.", network)
}

// JSON is a value of maps, slices, strings and numbers as text for kubectl.
func JSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // of such values there is none
	}
	return string(text)
}

// Removal is the JSON patch that removes a field, by the names on the way to it.
func Removal(path ...string) string {
	type operation struct {
		Op   string `json:"op"`
		Path string `json:"path"`
	}
	pointer := ""
	for _, p := range path {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	return JSON([]operation{{"remove", pointer}})
}

// Apply is the command that applies an object, given as what JSON takes.
func Apply(context string, object any) finding.Command {
	return finding.Shell("printf", "%s", JSON(object)).To(finding.Kubectl(context, "apply", "-f", "-"))
}
