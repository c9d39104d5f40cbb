package network

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgeHidden: the discovery selectors of a control plane count in all clusters
// that it reads, the namespace of the gateway not excepted
// (pkg/kube/namespace/filter.go).
func judgeHidden(j *judgement, members []*member) {
	if !j.gatewaysMatter() {
		return
	}
	for _, m := range members {
		for _, g := range m.gateways {
			ns := m.namespaces[g.service.Namespace]
			if g.stray || !g.labelled || ns == nil {
				continue
			}
			var blind []*view
			for _, v := range m.viewers {
				if !v.Mesh.Selects(ns.Labels) {
					blind = append(blind, v)
				}
			}
			if len(blind) == 0 {
				continue
			}
			f := g.finding("GW017", finding.Error, "discovery selectors hide the gateway")
			for _, v := range blind {
				g.concern(&f, v.Context)
				f.Evidence = append(f.Evidence, finding.Evidence{
					Cluster: v.Context, Field: v.configMap().String() + ", discoverySelectors",
					Value: "do not select namespace " + ns.Name + " of " + m.Context,
				})
			}
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "namespace " + ns.Name + ", labels", Value: orNone(inline(ns.Labels))})
			f.Effect = fmt.Sprintf("to %s the network %s has no such gateway: its clients try addresses of pods there, and time out", blind[0].name(), g.network)
			f.Fix = []finding.Step{finding.Say("Give the namespace a label that the discovery selectors ask for.")}
			for _, s := range blind[0].Mesh.DiscoverySelectors {
				if s != nil && len(s.MatchLabels) > 0 {
					f.Fix = []finding.Step{finding.Say("Give the namespace a label that the discovery selectors ask for:").
						By(finding.Kubectl(m.Context, append([]string{"label", "namespace/" + ns.Name, "--"}, pairs(s.MatchLabels)...)...))}
					break
				}
			}
			j.Add(f)
		}
	}
}

// judgePorts: from 1.29 on istiod takes a Service only on a port that it has, and
// before it announces one where nothing listens; which one it is a label says and no annotation
// (pilot/pkg/serviceregistry/kube/controller/network.go, getGatewayDetails).
func judgePorts(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		label, annotation := g.service.Labels[istio.LabelGatewayPort], g.service.Annotations[istio.LabelGatewayPort]
		misses := !g.has(g.port()) && !g.has(istio.HBONEPort)
		_, err := strconv.Atoi(label)
		var wrong []finding.Evidence
		switch {
		case !g.labelled:
		case label != "" && err != nil:
			wrong = []finding.Evidence{{Field: g.at("label " + istio.LabelGatewayPort), Value: label + ": it is not a number, and 15443 counts"}}
		case label == "" && annotation != "" && annotation != strconv.Itoa(istio.DefaultGatewayPort):
			wrong = []finding.Evidence{g.annotation(istio.LabelGatewayPort, annotation+": only a label of that name counts")}
		}
		ports := finding.Evidence{Field: g.at("ports"), Value: portsOf(g.service)}
		if len(wrong) > 0 {
			f := g.finding("GW008", finding.Warning, "the port of the gateway is set in a way that does not count")
			f.Evidence = append(wrong, ports)
			f.Effect = fmt.Sprintf("istiod takes port %d", g.port())
			if misses {
				f.Severity, f.Effect = g.severity(), g.lost()
			}
			port := annotation
			if _, err := strconv.Atoi(port); err != nil {
				port = "15443"
			}
			f.Fix = []finding.Step{finding.Say("Set the port by a label:").By(g.kubectl("label", istio.LabelGatewayPort+"="+port, "--overwrite"))}
			j.Add(f)
		}
		if !misses {
			continue
		}
		f := g.finding("GW007", g.severity(), fmt.Sprintf("the gateway's Service does not have port %d", g.port()))
		f.Evidence = []finding.Evidence{{Field: "port of the gateway", Value: g.portSource()}, ports}
		f.Effect = g.lost()
		if k := g.eastWest(); k != nil {
			// The Service has the ports of the Gateway's listeners.
			f.Title = fmt.Sprintf("the gateway's Service does not have port %d", istio.HBONEPort)
			f.Evidence[0].Value = fmt.Sprintf("%d, as its Gateway is of class %s", istio.HBONEPort, k.Spec.GatewayClassName)
			f.Effect = fmt.Sprintf("ambient clients on other networks go to port %d all the same: their connections to %s are refused", istio.HBONEPort, g.network)
			f.Fix = []finding.Step{finding.Say("Give the listener of protocol HBONE port %d:", istio.HBONEPort).By(editGateway(g.member, k))}
			j.Add(f)
			continue
		}
		if slices.ContainsFunc(g.member.viewers, func(v *view) bool { c, ok := g.seen[v]; return ok && c.Problem == "" && c.Port != 0 }) {
			f.Effect = fmt.Sprintf("istiod announces port %d all the same: connections from other networks to %s are refused", g.port(), g.network)
		}
		name := "tls"
		if slices.ContainsFunc(g.service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == name }) {
			name = "tls-networks"
		}
		added := []any{map[string]any{"name": name, "port": g.port(), "targetPort": g.port()}}
		f.Fix = []finding.Step{finding.Say("Add the port:").By(g.patch(map[string]any{"ports": added}))}
		if f.CausedBy = j.of(g.member.Context, g.object(), "GW008"); f.CausedBy != "" {
			f.Fix = causeFixes
		}
		j.Add(f)
	}
}

func (g *gateway) portSource() string {
	for _, v := range g.member.viewers {
		if c, ok := g.seen[v]; ok && !g.labelled {
			return fmt.Sprintf("%d, %s", g.port(), strings.TrimPrefix(c.PortFrom, "nodePort of "))
		}
	}
	if _, err := strconv.Atoi(g.service.Labels[istio.LabelGatewayPort]); err == nil {
		return fmt.Sprintf("%d, by label %s", g.port(), istio.LabelGatewayPort)
	}
	return fmt.Sprintf("%d, as no label %s says otherwise", g.port(), istio.LabelGatewayPort)
}

func portsOf(s *corev1.Service) string {
	var out []string
	for _, p := range s.Spec.Ports {
		text := strconv.Itoa(int(p.Port))
		if p.Name != "" {
			text += " (" + p.Name + ")"
		}
		out = append(out, text)
	}
	return orNone(strings.Join(out, ", "))
}

// judgeType: where the addresses of a Service come from depends on its type
// (pilot/pkg/serviceregistry/kube/conversion.go, ConvertService).
func judgeType(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		s := g.service
		_, annotated := s.Annotations[istio.AnnotationNodeSelector]
		kind := cmp.Or(string(s.Spec.Type), string(corev1.ServiceTypeClusterIP))
		typed := finding.Evidence{Field: g.at("type"), Value: kind}
		switch {
		case len(s.Spec.ExternalIPs) > 0:
		case s.Spec.Type == corev1.ServiceTypeLoadBalancer:
			if !istio.IsPending(s) {
				continue
			}
			f := g.finding("GW002", g.severity(), "the gateway has no external address: the load balancer is pending")
			f.Evidence = []finding.Evidence{typed, {
				Field: g.at("status.loadBalancer.ingress"), Value: "none, " + Age(j.fleet.At.Sub(s.CreationTimestamp.Time)) + " after it was made",
			}}
			f.Evidence = append(f.Evidence, g.events(j.fleet.At)...)
			f.Effect = g.lost()
			f.Fix = []finding.Step{
				finding.Say("See what the load balancer's controller says:").
					By(finding.Kubectl(g.member.Context, "-n", s.Namespace, "events", "--for=service/"+s.Name)),
				finding.Say("If the cluster has no such controller, install one (for example MetalLB), or make the Service a NodePort (GW004)."),
			}
			j.Add(f)
		case s.Spec.Type == corev1.ServiceTypeNodePort && !annotated:
			f := g.finding("GW004", g.severity(), "the gateway is a NodePort Service that does not say on which nodes")
			f.Evidence = []finding.Evidence{typed, g.annotation(istio.AnnotationNodeSelector, "none")}
			f.Effect = g.lost()
			f.Fix = []finding.Step{
				finding.Say("Select the nodes of which istiod advertises the ExternalIP; {} selects all:").
					By(g.kubectl("annotate", istio.AnnotationNodeSelector+"={}")),
			}
			j.Add(f)
		case s.Spec.Type != corev1.ServiceTypeNodePort:
			f := g.finding("GW030", g.severity(), fmt.Sprintf("the gateway is a Service of type %s, which has no address outside of the cluster", kind))
			f.Evidence = []finding.Evidence{typed, {Field: g.at("externalIPs"), Value: "none"}}
			f.Effect = g.lost()
			f.Fix = []finding.Step{finding.Say("Make the Service a load balancer:").By(g.toLoadBalancer())}
			j.Add(f)
		}
	}
}

// mostEvents is how many events of a Service are evidence, and longestEvent how
// much of what one says, in letters.
const (
	mostEvents   = 2
	longestEvent = 200
)

// events is what the load balancer's controller said last about the Service, what
// went wrong before all else.
func (g *gateway) events(now time.Time) []finding.Evidence {
	if read := resources.GatewayEvents.Of(g.member.Cluster); !read.Known() && read.State != facts.NotAsked {
		return []finding.Evidence{{Field: "events of the Service, which may say why", Value: read.Why()}}
	}
	var about []corev1.Event
	for _, e := range resources.GatewayEvents.Of(g.member.Cluster).Value {
		if e.InvolvedObject.Namespace == g.service.Namespace && e.InvolvedObject.Name == g.service.Name && strings.TrimSpace(e.Message) != "" {
			about = append(about, e)
		}
	}
	warns := func(e corev1.Event) int {
		if e.Type == corev1.EventTypeWarning {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(about, func(a, b corev1.Event) int {
		return cmp.Or(warns(a)-warns(b), b.LastTimestamp.Compare(a.LastTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	var out []finding.Evidence
	for _, e := range about {
		text := strings.Join(strings.Fields(e.Message), " ")
		if letters := []rune(text); len(letters) > longestEvent {
			text = strings.TrimSpace(string(letters[:longestEvent])) + "…"
		}
		seen := finding.Evidence{Field: "event " + cmp.Or(e.Reason, "without a reason"), Value: strings.Trim(text, " ,;")}
		if !e.LastTimestamp.IsZero() {
			seen.Field += ", " + Age(now.Sub(e.LastTimestamp.Time)) + " ago"
		}
		if out = append(out, seen); len(out) == mostEvents {
			break
		}
	}
	return out
}

// judgeNodes: of a NodePort Service the external addresses of the nodes count
// that its annotation selects (pilot/pkg/serviceregistry/kube/controller/network.go,
// updateServiceNodePortAddresses).
func judgeNodes(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		s := g.service
		text, annotated := s.Annotations[istio.AnnotationNodeSelector]
		if s.Spec.Type != corev1.ServiceTypeNodePort || !annotated || len(s.Spec.ExternalIPs) > 0 {
			continue
		}
		selector := map[string]string{}
		invalid := json.Unmarshal([]byte(text), &selector) != nil
		var matching, external []string
		for _, n := range resources.Nodes.Of(g.member.Cluster).Value {
			if len(selector) > 0 && !selects(selector, n.Labels) {
				continue
			}
			matching = append(matching, n.Name)
			if slices.ContainsFunc(n.Status.Addresses, func(a corev1.NodeAddress) bool { return a.Type == corev1.NodeExternalIP && a.Address != "" }) {
				external = append(external, n.Name)
			}
		}
		written := g.annotation(istio.AnnotationNodeSelector, cmp.Or(text, "empty"))
		if len(matching) == 0 || invalid {
			f := g.finding("GW006", g.severity(), "no node has the labels that the gateway's annotation asks for")
			f.Evidence = []finding.Evidence{written, {Field: "nodes", Value: fmt.Sprintf("%d, none of them selected", len(resources.Nodes.Of(g.member.Cluster).Value))}}
			f.Effect = g.lost()
			if invalid && len(matching) > 0 {
				f.Severity, f.Title = finding.Warning, "the gateway's annotation that selects nodes is not JSON, and selects all"
				f.Evidence[1].Value = fmt.Sprintf("%d of %d selected", len(matching), len(resources.Nodes.Of(g.member.Cluster).Value))
				f.Effect = "nodes are announced that are not meant to be"
			}
			f.Fix = []finding.Step{
				finding.Say("Select nodes that exist; {} selects all:").By(g.kubectl("annotate", istio.AnnotationNodeSelector+"={}", "--overwrite")),
			}
			j.Add(f)
		}
		if len(matching) > 0 && len(external) == 0 {
			f := g.finding("GW005", g.severity(), "no node of the gateway has an ExternalIP")
			f.Evidence = []finding.Evidence{written, {Field: "selected nodes", Value: finding.List(matching) + ", without an address of type ExternalIP"}}
			f.Effect = g.lost()
			f.Fix = []finding.Step{
				finding.Say("Replace ADDRESS by the addresses at which other clusters reach the nodes; istiod never uses an InternalIP:").By(
					g.patch(map[string]any{"externalIPs": []string{"ADDRESS"}}), g.kubectl("annotate", istio.AnnotationNodeSelector+"-"),
				),
			}
			j.Add(f)
		}
	}
}

// refObject is what makes a candidate: a Service, a Gateway, or the mesh networks.
func refObject(v *view, r istio.CandidateRef) finding.Object {
	if r.Kind == "MeshNetworks" {
		return v.configMap()
	}
	return finding.In(strings.ToLower(r.Kind), r.Namespace, r.Name)
}

// judgeNodePortHBONE: the port for ambient proxies is announced as it is, without
// being mapped to the node's.
func judgeNodePortHBONE(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		at := slices.IndexFunc(g.service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == istio.HBONEPort })
		_, annotated := g.service.Annotations[istio.AnnotationNodeSelector]
		if g.service.Spec.Type != corev1.ServiceTypeNodePort || !annotated || at < 0 || len(g.service.Spec.ExternalIPs) > 0 || g.service.Spec.Ports[at].NodePort == istio.HBONEPort {
			continue
		}
		if !slices.ContainsFunc(g.member.viewers, func(v *view) bool { return v.Istiod.On(istio.EnvAmbientMultiNetwork) }) {
			continue
		}
		f := g.finding("GW009", finding.Error, "ambient proxies are sent to port 15008 of nodes, where the gateway does not listen")
		f.Evidence = []finding.Evidence{{Field: g.at("nodePort of 15008"), Value: fmt.Sprint(g.service.Spec.Ports[at].NodePort)}}
		f.Effect = "requests of ambient workloads on other networks are refused"
		f.Fix = []finding.Step{finding.Say("Make the Service a load balancer, which has port %d itself:", istio.HBONEPort).By(g.toLoadBalancer())}
		j.Add(f)
	}
}
