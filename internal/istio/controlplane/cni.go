package controlplane

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// notRedirected is with what istio-validation ends where nothing leads traffic through the proxy
// (tools/istio-iptables/pkg/constants, ValidationErrorCode).
const notRedirected = 126

// cniPods are the pods of Istio's CNI plugin, by node.
func cniPods(c *model.Cluster) map[string]*facts.Pod {
	out := map[string]*facts.Pod{}
	for _, p := range podsOf(c) {
		if p.Labels["k8s-app"] == "istio-cni-node" && model.Runs(p) && (out[p.Node] == nil || p.IsReady()) {
			out[p.Node] = p
		}
	}
	return out
}

// notSetUp: the CNI plugin did not set pods up when they were started: it was not ready on their
// node yet. Nothing but a new pod, or its repair, helps.
func notSetUp(p pass) {
	for _, c := range clusters(p) {
		by := map[string][]*facts.Pod{}
		for _, pod := range podsOf(c) {
			if model.Runs(pod) && p.Model.Fleet.At.Sub(pod.Created) >= settled && failsValidation(pod) {
				by[pod.Node] = append(by[pod.Node], pod)
			}
		}
		plugins := cniPods(c)
		for _, node := range slices.Sorted(maps.Keys(by)) {
			f := finding.Finding{
				Code:     "CP035",
				Severity: finding.Error,
				Clusters: []string{c.Context},
				Object:   finding.Named("node", node),
				Title: fmt.Sprintf(
					"%s of node %s do not start: Istio's CNI plugin did not set them up",
					finding.Plural(len(by[node]), "pod"),
					node,
				),
				Evidence: evidenceOf(sharesOf(by[node], by[node])),
				Effect:   "they stay in istio-validation, which finds that their traffic would not go through the proxy",
			}
			if plugin := plugins[node]; plugin == nil {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "istio-cni-node on the node", Value: "none"})
			} else {
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "istio-cni-node on the node",
					Value: fmt.Sprintf("%s, %s, made %s ago", plugin.Name, readiness(plugin), age(p, plugin.Created)),
				})
			}
			remove := finding.Say(
				"Careful: this deletes the pods, which their workloads recreate. Where the CNI plugin is ready on the node:",
			)
			for i, pod := range by[node] {
				if i < mostShares {
					remove = remove.By(finding.Kubectl(c.Context, "-n", pod.Namespace, "delete", "pod/"+pod.Name))
				}
			}
			f.Fix = []finding.Step{
				remove,
				finding.Say(
					"Leave cni.repair on in the values of the CNI plugin's installation, with the rights that its chart gives: it then sets such " +
						"pods up by itself.",
				),
			}
			p.Report(f)
		}
	}
}

func readiness(p *facts.Pod) string {
	if p.IsReady() {
		return "ready"
	}
	return "not ready"
}

// failsValidation reports whether istio-validation ends again and again, and for want of redirection.
func failsValidation(p *facts.Pod) bool {
	s := p.Status(istio.ValidateContainer)
	if s == nil || s.Ready {
		return false
	}
	for _, e := range []*facts.Ended{s.Ended, s.Last} {
		if e != nil && e.Code == notRedirected {
			return true
		}
	}
	return s.Waiting == "CrashLoopBackOff"
}

// ambientPods are the pods for which ztunnel is meant to speak, by node.
func ambientPods(c *model.Cluster) map[string][]*facts.Pod {
	out := map[string][]*facts.Pod{}
	for _, p := range podsOf(c) {
		if c.IsAmbient(p) && !p.HostNetwork && p.Labels[istio.LabelDataplaneMode] != "none" && p.Namespace != c.SystemNamespace &&
			p.Namespace != "kube-system" && p.Node != "" && !model.IsZtunnel(p) {
			out[p.Node] = append(out[p.Node], p)
		}
	}
	return out
}

// withoutZtunnel: ambient pods run on a node that has no ready ztunnel.
func withoutZtunnel(p pass) {
	for _, c := range clusters(p) {
		ztunnels := map[string]*facts.Pod{}
		for _, z := range c.Ztunnels() {
			if ztunnels[z.Node] == nil || z.IsReady() {
				ztunnels[z.Node] = z
			}
		}
		if len(ztunnels) == 0 {
			noZtunnel(p, c)
			continue
		}
		for _, node := range onNodes(c, ambientPods(c)) {
			z := ztunnels[node.name]
			if z != nil && (z.IsReady() || z.Ready == "" || p.Model.Fleet.At.Sub(z.Created) < settled) || node.isNew(p) {
				continue
			}
			f := finding.Finding{
				Code: "CP050", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Named("node", node.name),
				Title:    fmt.Sprintf("node %s has ambient pods and no ready ztunnel", node.name),
				Evidence: append(evidenceOf(sharesOf(node.pods, node.pods)), onNode("ztunnel", z)),
				Effect:   "their traffic stops",
				Fix:      []finding.Step{seeNode(c, node.name, "app="+istio.ZtunnelName)},
			}
			p.Report(f)
		}
	}
}

// noZtunnel: a cluster has ambient pods and a control plane that serves them, and nowhere a ztunnel.
// A label of the namespace alone says nothing: people label namespaces of clusters that have no ambient mode.
func noZtunnel(p pass, c *model.Cluster) {
	serves := slices.ContainsFunc(c.Installed(), func(i istio.Istiod) bool { return i.On(istio.EnvAmbient) })
	var pods []*facts.Pod
	captured := false
	for _, node := range onNodes(c, ambientPods(c)) {
		for _, pod := range node.pods {
			if p.Model.Fleet.At.Sub(pod.Created) >= settled {
				pods = append(pods, pod)
				captured = captured || pod.Annotations[istio.AnnotationRedirection] == "enabled"
			}
		}
	}
	if !serves || len(pods) == 0 {
		return
	}
	f := finding.Finding{
		Code: "CP050", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("ztunnel"),
		Title:    fmt.Sprintf("%s has ambient pods and no ztunnel", c.Context),
		Evidence: []finding.Evidence{{Field: "pods of ztunnel", Value: "none"}},
		Effect:   "they are not part of the mesh: their traffic is in plain text, no policy holds for it, and it stays in the cluster",
		Fix: []finding.Step{finding.Say("Install ztunnel and the CNI plugin. Where they are installed, see why they have no pods:").By(
			finding.Kubectl(c.Context, "get", "daemonsets", "-A", "-l", "app="+istio.ZtunnelName),
			finding.Kubectl(c.Context, "get", "events", "-A", "--field-selector=involvedObject.name="+istio.ZtunnelName))},
	}
	if captured {
		f.Effect = "their traffic is led to ztunnel, and stops"
	}
	for _, e := range resources.RefusedPods.Of(c.Cluster).Value {
		if e.InvolvedObject.Kind == "DaemonSet" && e.InvolvedObject.Name == istio.ZtunnelName {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Field: "event " + e.Reason + " of daemonset " + e.InvolvedObject.Namespace + "/" + e.InvolvedObject.Name, Value: e.Message,
			})
			break
		}
	}
	f.Evidence = append(f.Evidence, evidenceOf(sharesOf(pods, pods))...)
	p.Report(f)
}

// withoutCNI: pods of the mesh run on a node on which Istio's CNI plugin, which other nodes have, is
// not ready.
func withoutCNI(p pass) {
	for _, c := range clusters(p) {
		plugins := cniPods(c)
		if len(plugins) == 0 {
			continue
		}
		by := ambientPods(c)
		for _, pod := range podsOf(c) {
			if model.Runs(pod) && pod.Status(istio.ValidateContainer) != nil && pod.Node != "" {
				by[pod.Node] = append(by[pod.Node], pod)
			}
		}
		for _, node := range onNodes(c, by) {
			plugin := plugins[node.name]
			if plugin != nil && (plugin.IsReady() || plugin.Ready == "" || p.Model.Fleet.At.Sub(plugin.Created) < settled) ||
				node.isNew(p) {
				continue
			}
			p.Report(finding.Finding{
				Code: "CP051", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Named("node", node.name),
				Title:    fmt.Sprintf("node %s has pods of the mesh and no ready istio-cni-node", node.name),
				Evidence: append(evidenceOf(sharesOf(node.pods, node.pods)), onNode("istio-cni-node", plugin)),
				Effect:   "new pods of the mesh on the node do not start, or are not captured",
				CausedBy: model.Cause(p, c.Context, finding.Named("node", node.name), "CP050"),
				Fix:      []finding.Step{seeNode(c, node.name, "k8s-app=istio-cni-node")},
			})
		}
	}
}

// place is a node, and those of its pods that are of the mesh.
type place struct {
	name string
	pods []*facts.Pod
}

// onNodes are the nodes of pods that take part: neither drained nor of Windows.
func onNodes(c *model.Cluster, by map[string][]*facts.Pod) []place {
	apart := map[string]bool{}
	for _, n := range resources.Nodes.Of(c.Cluster).Value {
		apart[n.Name] = n.Spec.Unschedulable || n.Status.NodeInfo.OperatingSystem == "windows"
	}
	var out []place
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if !apart[name] {
			out = append(out, place{name, by[name]})
		}
	}
	return out
}

// isNew reports whether all pods of the mesh on the node are new, as those of a node that has just joined.
func (n place) isNew(p pass) bool {
	return !slices.ContainsFunc(n.pods, func(o *facts.Pod) bool { return p.Model.Fleet.At.Sub(o.Created) >= settled })
}

func onNode(what string, p *facts.Pod) finding.Evidence {
	value := ""
	if p != nil {
		value = p.Name + ", " + readiness(p)
	}
	return finding.Evidence{Field: what + " on the node", Value: evidence.OrNone(value)}
}

func seeNode(c *model.Cluster, node, selector string) finding.Step {
	return finding.Say("See why it is not there, or not ready:").By(
		finding.Kubectl(c.Context, "-n", c.SystemNamespace, "describe", "pods", "-l", selector, "--field-selector=spec.nodeName="+node))
}

// notCaptured: pods of an ambient namespace, of which others are captured, are not: their traffic
// goes past ztunnel. The annotation is no proof of the opposite: after a reboot of the node it stays,
// and the rules do not (istio/istio#60882).
func notCaptured(p pass) {
	for _, c := range clusters(p) {
		var left, all []*facts.Pod
		captured := false
		for _, pods := range ambientPods(c) {
			for _, pod := range pods {
				state := pod.Annotations[istio.AnnotationRedirection]
				captured = captured || state == "enabled"
				all = append(all, pod)
				if state != "enabled" && pod.IsReady() && p.Model.Fleet.At.Sub(pod.Created) >= settled {
					left = append(left, pod)
				}
			}
		}
		if len(left) == 0 || !captured {
			continue // nothing shows that annotations were read
		}
		shares := sharesOf(left, all)
		f := finding.Finding{
			Code: "CP052", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Kind("pods"),
			Title:    finding.Plural(len(left), "pod") + " of ambient namespaces are not captured by ztunnel",
			Evidence: evidenceOf(shares),
			Effect:   "their traffic is in plain text, and no policy holds for it",
		}
		if policed(c, left) {
			f.Severity = finding.Error
		}
		f.Evidence = append(f.Evidence, finding.Evidence{
			Field: "pod " + left[0].Namespace + "/" + left[0].Name + ", annotation " + istio.AnnotationRedirection,
			Value: evidence.OrNone(left[0].Annotations[istio.AnnotationRedirection]),
		})
		remove := finding.Say("Careful: this deletes pods, which their workloads recreate. The CNI plugin of the node then captures them:")
		for i, pod := range left {
			if i < mostShares {
				remove = remove.By(finding.Kubectl(c.Context, "-n", pod.Namespace, "delete", "pod/"+pod.Name))
			}
		}
		f.Fix = []finding.Step{remove}
		p.Report(f)
	}
}

// policed reports whether a policy is meant to hold for pods: mutual TLS alone, or who may call them.
func policed(c *model.Cluster, pods []*facts.Pod) bool {
	cp := c.ManagedBy()
	return slices.ContainsFunc(pods, func(pod *facts.Pod) bool {
		if cp != nil && cp.Acceptance(pod.Namespace, pod.Labels, 0).Mode == "STRICT" {
			return true
		}
		for _, a := range resources.AuthorizationPolicies.Of(c.Cluster).Value {
			if a.Namespace == pod.Namespace || cp != nil && a.Namespace == cp.Mesh.RootNamespace {
				return true
			}
		}
		return false
	})
}
