// Package remedy has the commands, and steps, that fixes of several areas share: each thing is
// done in one way, whichever rule says it.
package remedy

import (
	"encoding/json"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
)

// ByItsCause is the fix of what another finding explains.
func ByItsCause() []finding.Step { return []finding.Step{finding.Say("Fixing the cause fixes this.")} }

// someContext stands for the context of a cluster that is none of the fleet.
const someContext = "TARGET_CONTEXT"

// Generate is the command that makes a Link anew of what its target has now. It also makes both
// Secrets with credentials.
func Generate(l *model.Link, flags ...string) finding.Command {
	args := []string{"linkerd", "--context=" + context(l), "multicluster", "link-gen", "--cluster-name=" + l.TargetName()}
	if !l.HasGateway() {
		args = append(args, "--gateway=false")
	}
	args = append(args, flags...)
	out := finding.Shell(args...).To(finding.Kubectl(l.Source.Context, "apply", "-f", "-"))
	if l.Target == nil {
		out = out.Blank(someContext)
	}
	return out
}

func context(l *model.Link) string {
	if l.Target == nil {
		return someContext
	}
	return l.Target.Context
}

// RestartDestination is the command that makes the destination controller read all credentials
// anew.
func RestartDestination(c *model.Cluster) finding.Command {
	return Restart(c.Context, finding.In("deployment", c.Namespace, "linkerd-destination"))
}

// Restart is the command that recreates the pods of a workload.
func Restart(context string, workload finding.Object) finding.Command {
	return finding.Kubectl(context, "-n", workload.Namespace, "rollout", "restart", workload.Kind+"/"+workload.Name)
}

// RestartControllers are the commands that restart the service mirrors of a Link.
func RestartControllers(l *model.Link) []finding.Command {
	var out []finding.Command
	for _, d := range l.Working() {
		out = append(out, Restart(l.Source.Context, finding.In("deployment", d.Namespace, d.Name)))
	}
	return out
}

// mostRestarts is how many workloads a fix restarts by name.
const mostRestarts = 8

// RestartWorkloads are the steps that recreate the pods of workloads.
func RestartWorkloads(context string, workloads []finding.Object) []finding.Step {
	var commands []finding.Command
	var further []finding.Step
	for i, w := range workloads {
		if i == mostRestarts {
			further = append(further, finding.Say("Restart the other workloads too: -o wide lists them all."))
			break
		}
		switch w.Kind {
		case "deployment", "statefulset", "daemonset":
			commands = append(commands, Restart(context, w))
		default:
			further = append(further, finding.Say("Recreate %s.", w))
		}
	}
	if len(commands) == 0 {
		return further
	}
	return append([]finding.Step{finding.Say("Restart the workloads:").By(commands...)}, further...)
}

// Apply is the command that applies objects, given as what JSON takes.
func Apply(context string, objects ...any) finding.Command {
	object := any(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	if len(objects) == 1 {
		object = objects[0]
	}
	text, err := json.Marshal(object)
	if err != nil {
		panic(err) // they are plain maps
	}
	return finding.Shell("printf", "%s", string(text)).To(finding.Kubectl(context, "apply", "-f", "-"))
}
