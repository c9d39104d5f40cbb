// Package remedy has the commands, and steps, that fixes of several areas share: each thing is
// done in one way, whichever rule says it.
package remedy

import (
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// ByItsCause is the fix of what another finding explains.
func ByItsCause() []finding.Step { return []finding.Step{finding.Say("Fixing the cause fixes this.")} }

// Restart is the command that recreates the pods of a Deployment.
func Restart(context, namespace, name string) finding.Command {
	return finding.Kubectl(context, "-n", namespace, "rollout", "restart", "deployment/"+name)
}

// Logs is the command that prints the end of what a Deployment says.
func Logs(context, namespace, name string) finding.Command {
	return finding.Kubectl(context, "-n", namespace, "logs", "deployment/"+name, "--tail=50")
}

// PlaneLogs is the command that prints what the Deployment says that writes to the clusters.
func PlaneLogs(p *model.Plane) finding.Command {
	return Logs(p.Cluster.Context, p.Installed, p.Main().Name)
}

// RestartPlane is the command that has the management plane look at everything again.
func RestartPlane(p *model.Plane) finding.Command {
	return Restart(p.Cluster.Context, p.Installed, p.Main().Name)
}

// someContext stands for the context of a cluster that is none of the fleet.
const someContext = "CLUSTER_CONTEXT"

// Register is the step that registers a cluster again: it writes the kubeconfig, and installs the agent.
func Register(r *model.Registration) finding.Step {
	remote := someContext
	if r.Target != nil {
		remote = r.Target.Context
	}
	args := []string{"meshctl", "cluster", "register"}
	switch {
	case r.Plane.Generation == resources.Generations[0]:
		args = append(args, "--cluster-name="+r.Name)
	case !r.Plane.Pulls:
		return finding.Say("Install the agent again with helm, as it was installed, in the release of the management plane.")
	case !r.Plane.Connects():
		args = append(args, "enterprise", r.Name, "--relay-server-address=ADDRESS")
	default:
		args = append(args, "community", r.Name)
	}
	args = append(args, "--mgmt-context="+r.Plane.Cluster.Context, "--remote-context="+remote)
	if flag := "--mgmt-namespace="; r.Plane.Installed != r.Plane.Namespace {
		if r.Plane.Generation == resources.Generations[0] {
			flag = "--federation-namespace="
		}
		args = append(args, flag+r.Plane.Installed)
	}
	command := finding.Shell(args...).Blank("ADDRESS")
	if r.Target == nil {
		command = command.Blank(someContext)
	}
	return finding.Say("Register the cluster again, with the meshctl of the release that runs:").By(command)
}

// Edit is the step that opens an object that people wrote. Where a tool writes it, that one is named.
func Edit(w *model.Written, how string) []finding.Step {
	context := w.Plane.Cluster.Context
	steps := owner.Of(&w.ObjectMeta).Steps(context, w.Called())
	return append(steps, finding.Say(how).By(finding.Kubectl(context, "-n", w.Namespace, "edit", w.Resource()+"/"+w.Name)))
}

// Selector are labels as kubectl takes them.
func Selector(labels map[string]string) string {
	var out []string
	for k, v := range labels {
		out = append(out, k+"="+v)
	}
	return strings.Join(finding.Distinct(out), ",")
}

// Describe is the step that shows why pods of a Deployment do not run.
func Describe(context, namespace, name string) finding.Step {
	return finding.Say("See why:").By(finding.Kubectl(context, "-n", namespace, "describe", "pods", "-l", "app="+name))
}
