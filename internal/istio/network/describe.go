package network

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// group is a workload with those of its pods that are alike.
type group struct {
	istio.WorkloadRef
	says string
	pods int
}

// byWorkload counts pods by workload, and by what is said of each.
func byWorkload(pods []*facts.Pod, says func(*facts.Pod) string) []group {
	var out []group
	at := map[[2]string]int{}
	for _, p := range pods {
		w, text := istio.WorkloadOf(p), says(p)
		key := [2]string{w.String(), text}
		i, ok := at[key]
		if !ok {
			i, at[key] = len(out), len(out)
			out = append(out, group{WorkloadRef: w, says: text})
		}
		out[i].pods++
	}
	slices.SortFunc(out, func(a, b group) int {
		return cmp.Or(strings.Compare(a.String(), b.String()), strings.Compare(a.says, b.says))
	})
	return out
}

// evidenceOf is a line for each workload.
func evidenceOf(groups []group) []finding.Evidence {
	var out []finding.Evidence
	for _, g := range groups {
		out = append(out, finding.Evidence{Field: g.String(), Value: g.says + ", " + finding.Plural(g.pods, "pod")})
	}
	return out
}

// mostRestarts is how many workloads a fix restarts by name.
const mostRestarts = 8

// restarts are the steps that recreate the pods of workloads.
func restarts(context string, groups []group) []finding.Step {
	var commands []finding.Command
	var further []finding.Step
	seen := map[string]bool{}
	for _, g := range groups {
		if seen[g.String()] {
			continue
		}
		if len(seen) == mostRestarts {
			further = append(further, finding.Say("Restart the other workloads too: -o wide lists them all."))
			break
		}
		seen[g.String()] = true
		switch g.Kind {
		case "deployment", "statefulset", "daemonset":
			commands = append(commands, finding.Kubectl(context, "-n", g.Namespace, "rollout", "restart", g.Kind+"/"+g.Name))
		default:
			further = append(further, finding.Say("Recreate the pods of %s.", g.WorkloadRef))
		}
	}
	if len(commands) == 0 {
		return further
	}
	return append([]finding.Step{finding.Say("Restart the workloads:").By(commands...)}, further...)
}

// setInjected says how what the injector gives to sidecars is set: there is no
// command for it that fits every installation.
func setInjected(network string) finding.Step {
	return finding.Say("Set global.network to %s in the values of istiod's installation.", network)
}

// within is a reason that holds in a cluster, for what is said of another one.
func within(why finding.Reason, context string) finding.Reason {
	why.Text += " in " + context
	return why
}

func orNone(s string) string { return cmp.Or(s, "none") }

// networkSource is evidence of a label.
func labelEvidence(what, value string) finding.Evidence {
	return finding.Evidence{Field: what + ", label " + istio.LabelNetwork, Value: orNone(value)}
}

func (m *member) systemLabel() finding.Evidence {
	return labelEvidence("namespace "+m.SystemNamespace, m.label)
}

// labelNamespace is the command that gives the system namespace its network.
func (m *member) labelNamespace(network string) finding.Command {
	return finding.Kubectl(m.Context, "label", "namespace/"+m.SystemNamespace, istio.LabelNetwork+"="+network, "--overwrite")
}

// document is a value of maps, strings and numbers as JSON.
func document(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // of such values there is none
	}
	return string(text)
}

// apply is the command that applies an object.
func apply(context string, object any) finding.Command {
	return finding.Shell("printf", "%s", document(object)).To(finding.Kubectl(context, "apply", "-f", "-"))
}

// causeFixes is the fix of what another finding explains.
var causeFixes = []finding.Step{finding.Say("Fixing the cause fixes this.")}

// toLoadBalancer is the command that makes a Service a load balancer.
func (g *gateway) toLoadBalancer() finding.Command {
	return g.patch(map[string]any{"type": corev1.ServiceTypeLoadBalancer})
}

// patch is the command that changes the spec of the Service.
func (g *gateway) patch(spec map[string]any) finding.Command {
	return g.kubectl("patch", "-p", document(map[string]any{"spec": spec}))
}

// kubectl is a command about the Service of a gateway.
func (g *gateway) kubectl(verb string, rest ...string) finding.Command {
	return finding.Kubectl(g.member.Context, append([]string{"-n", g.service.Namespace, verb, "service/" + g.service.Name}, rest...)...)
}

// at names a part of the Service of a gateway in evidence.
func (g *gateway) at(part string) string { return g.object().String() + ", " + part }

// annotation is evidence of an annotation of the Service.
func (g *gateway) annotation(name, value string) finding.Evidence {
	return finding.Evidence{Field: g.at("annotation " + name), Value: value}
}

// finding begins a finding about the Service of a gateway.
func (g *gateway) finding(code finding.Code, severity finding.Severity, title string) finding.Finding {
	return finding.Finding{Code: code, Severity: severity, Clusters: []string{g.member.Context}, Object: g.object(), Title: title}
}

// concern makes a finding about the Service one about another cluster too.
func (g *gateway) concern(f *finding.Finding, context string) {
	if f.Clusters = finding.Distinct(append(f.Clusters, context)); len(f.Clusters) > 1 {
		f.ObjectIn = g.member.Context
	}
}

// lost is what goes wrong where a gateway is none.
func (g *gateway) lost() string {
	if !g.takesSidecars() {
		return "ambient clients on other networks do not go through it to " + g.network
	}
	return fmt.Sprintf("clients on other networks do not go through it to %s: they try addresses of pods, and time out", g.network)
}

// severity of a fault with which istiod makes no gateway of a Service: another
// gateway of the same network does what this one should.
func (g *gateway) severity() finding.Severity {
	if g.replaced() {
		return finding.Warning
	}
	return finding.Error
}
