package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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

// restarts are the commands that have the pods of workloads made anew.
func restarts(context string, groups []group) []string {
	var out []string
	seen := map[string]bool{}
	for _, g := range groups {
		if seen[g.String()] {
			continue
		}
		seen[g.String()] = true
		if len(out) == mostRestarts {
			out = append(out, "# and the other workloads: -o wide lists them all")
			break
		}
		switch g.Kind {
		case "deployment", "statefulset", "daemonset":
			out = append(out, finding.Kubectl(context, "-n %s rollout restart %s/%s", finding.Quote(g.Namespace), g.Kind, finding.Quote(g.Name)))
		default:
			out = append(out, fmt.Sprintf("# and have the pods of %s made anew", g.WorkloadRef))
		}
	}
	return out
}

// setInjected says how what the injector gives to sidecars is set: there is no
// command for it that fits every installation.
func setInjected(network string) string {
	return "# in the values of istiod's installation: global.network: " + network
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
func (m *member) labelNamespace(network string) string {
	return finding.Kubectl(m.Context, "label namespace %s %s=%s --overwrite", finding.Quote(m.SystemNamespace), istio.LabelNetwork, finding.Quote(network))
}

// kubectl is a command about the Service of a gateway.
func (g *gateway) kubectl(verb, rest string) string {
	return finding.Kubectl(g.member.Context, "-n %s %s service %s %s", finding.Quote(g.service.Namespace), verb, finding.Quote(g.service.Name), rest)
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
