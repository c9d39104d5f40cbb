package endpoints

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// copyOf is the command that creates the same Service elsewhere.
func copyOf(s *corev1.Service, context string) finding.Command {
	type portSpec struct {
		Name        string  `json:"name,omitempty"`
		Port        int32   `json:"port"`
		TargetPort  any     `json:"targetPort,omitempty"`
		AppProtocol *string `json:"appProtocol,omitempty"`
	}
	var ports []portSpec
	for _, p := range s.Spec.Ports {
		target := any(p.TargetPort.String())
		if n := p.TargetPort.IntValue(); n != 0 {
			target = n
		}
		if p.TargetPort.String() == "0" {
			target = nil
		}
		ports = append(ports, portSpec{p.Name, p.Port, target, p.AppProtocol})
	}
	spec := map[string]any{"selector": s.Spec.Selector, "ports": ports}
	switch {
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		spec = map[string]any{"type": s.Spec.Type, "externalName": s.Spec.ExternalName}
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		spec["clusterIP"] = corev1.ClusterIPNone
	}
	return remedy.Apply(context, map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]string{"name": s.Name, "namespace": s.Namespace}, "spec": spec,
	})
}

// copySpec is the command that gives an object of one cluster the spec that it has in another.
func copySpec(o finding.Object, from, to string) finding.Command {
	return specOf(o, from, `[{"op":"replace","path":"/spec","value":`, `}]`).To(
		finding.Kubectl(to, "-n", o.Namespace, "patch", o.Kind+"/"+o.Name, "--type=json", "--patch-file=/dev/stdin"))
}

// copyRule is the command that creates a DestinationRule of one cluster in another.
func copyRule(key, from, to string) finding.Command {
	namespace, name := cut(key)
	head := fmt.Sprintf(`{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":%s,"spec":`,
		remedy.JSON(map[string]string{"name": name, "namespace": namespace}))
	return specOf(finding.In("destinationrule", namespace, name), from, head, "}").To(finding.Kubectl(to, "apply", "-f", "-"))
}

// specOf is the command that prints the spec of an object, JSON, between what is put
// before and after it.
func specOf(o finding.Object, context, before, after string) finding.Command {
	return finding.Kubectl(context, "-n", o.Namespace, "get", o.Kind+"/"+o.Name, "-o", "jsonpath="+literal(before)+"{.spec}"+literal(after))
}

// literal is text as it stands in a JSONPath template of kubectl.
func literal(text string) string {
	return `{"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"}`
}

// edit is the command that opens an object in an editor.
func edit(context, kind, namespace, name string) finding.Command {
	return finding.Kubectl(context, "-n", namespace, "edit", kind+"/"+name)
}

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// patch is the command that changes a field of the service in a cluster.
func (s service) patch(context string, o operation) finding.Command {
	return finding.Kubectl(context, "-n", s.namespace, "patch", "service/"+s.name, "--type=json", "-p", remedy.JSON([]operation{o}))
}

// annotate is the command that annotates the service in a cluster.
func (s service) annotate(context string, args ...string) finding.Command {
	return finding.Kubectl(context, append([]string{"-n", s.namespace, "annotate", "service/" + s.name}, args...)...)
}

// label is the command that labels the service in a cluster.
func (s service) label(context string, args ...string) finding.Command {
	return finding.Kubectl(context, append([]string{"-n", s.namespace, "label", "service/" + s.name}, args...)...)
}

// restart are the steps that recreate the pods of the workload of a pod.
func restart(c *model.Cluster, p *facts.Pod) []finding.Step {
	return remedy.RestartWorkloads(c.Context, []istio.WorkloadRef{istio.WorkloadOf(p)})
}

// recreate is the step that has a pod injected again.
func recreate(c *model.Cluster, p *facts.Pod) finding.Step {
	if p.Owner.Name == "" {
		return finding.Say("Recreate pod %s: it has no workload that does.", key(p.Namespace, p.Name))
	}
	return finding.Say("Careful: this ends the requests that the pod serves. Its workload recreates it, and the injector runs again:").By(
		finding.Kubectl(c.Context, "-n", p.Namespace, "delete", "pod/"+p.Name))
}

// logsOf is the command that prints what the proxy of a pod logged last.
func logsOf(c *model.Cluster, namespace, pod string) finding.Command {
	return finding.Kubectl(c.Context, "-n", namespace, "logs", "pod/"+pod, "-c", istio.ProxyContainer, "--tail=100")
}
