package network

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgeStray: every Service with the label counts as a gateway, whatever its name
// and wherever it is (pilot/pkg/serviceregistry/kube/controller/network.go,
// getGatewayDetails).
func judgeStray(j *judgement, members []*member) {
	if !j.gatewaysMatter() {
		return
	}
	for _, m := range members {
		severity := finding.Note
		effect := "nothing today, as no address of theirs can be reached from outside; with one, a share of the requests from other networks would go there"
		var evidence []finding.Evidence
		remove := finding.Say("Remove the label:")
		for _, g := range m.gateways {
			if !g.stray {
				continue
			}
			value := "label " + istio.LabelNetwork + "=" + g.network + ", selects " + strings.Join(workloads(g.pods), ", ")
			if addresses := g.addresses(); len(addresses) > 0 {
				severity, effect = finding.Error, "requests from other networks go there instead of to a gateway, as large a share as it has of the network's addresses, and fail"
				value += ", counts as gateway " + addresses[0].Address
			}
			evidence = append(evidence, finding.Evidence{Field: g.object().String(), Value: value})
			remove = remove.By(g.kubectl("label", istio.LabelNetwork+"-"))
		}
		if len(evidence) == 0 {
			continue
		}
		j.Add(finding.Finding{
			Code: "NET014", Severity: severity, Clusters: []string{m.Context}, Object: finding.Kind("services"),
			Title:    fmt.Sprintf("%s labelled as gateways of a network, and are none", isAre(len(evidence), "service")),
			Evidence: evidence, Effect: effect, Fix: []finding.Step{remove},
		})
	}
}

func workloads(pods []*facts.Pod) []string {
	var out []string
	for _, g := range byWorkload(pods, func(*facts.Pod) string { return "" }) {
		out = append(out, g.String())
	}
	return out
}

// judgeGatewayNetwork: a gateway is itself on the network to which it leads.
func judgeGatewayNetwork(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		var odd []*facts.Pod
		for _, p := range g.pods {
			if env := variable(p, istio.EnvProxyNetwork); env != "" && env != g.network {
				odd = append(odd, p)
			}
		}
		if len(odd) == 0 {
			continue
		}
		own := variable(odd[0], istio.EnvProxyNetwork)
		groups := byWorkload(odd, func(p *facts.Pod) string {
			return istio.EnvProxyNetwork + " " + variable(p, istio.EnvProxyNetwork)
		})
		f := g.finding("NET013", finding.Error, fmt.Sprintf("the gateway leads to %s by its label, and is on %s itself", g.network, own))
		f.Evidence = append([]finding.Evidence{labelEvidence(g.object().String(), g.network)}, evidenceOf(groups)...)
		f.Evidence = append(f.Evidence, g.member.systemLabel())
		f.Effect = fmt.Sprintf("requests for %s come to a gateway that takes the pods of %s for its own, and forwards them to other gateways or not at all", g.network, own)
		if slices.Contains(g.member.homes(), own) && g.labelled {
			f.Fix = []finding.Step{finding.Say("Give the Service the network of its pods:").By(g.labelNetwork(own))}
		} else {
			f.Fix = append([]finding.Step{
				finding.Say("Give the gateway's pods label %s with the network of the Service, %s.", istio.LabelNetwork, g.network),
			}, restarts(g.member.Context, groups)...)
		}
		j.Add(f)
	}
}

// judgeForeignGateway: a gateway and its pods agree, and nothing else in the
// cluster is on their network.
func judgeForeignGateway(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		m := g.member
		if len(m.homes()) == 0 || slices.Contains(m.homes(), g.network) || j.of(m.Context, g.object(), "NET013") != "" {
			continue
		}
		others := slices.ContainsFunc(resources.Pods.Of(m.Cluster).Value, func(p facts.Pod) bool {
			return p.Labels[istio.LabelNetwork] == g.network && !slices.ContainsFunc(g.pods, func(o *facts.Pod) bool { return o.Namespace == p.Namespace && o.Name == p.Name })
		})
		if others || slices.ContainsFunc(m.viewers, func(v *view) bool { return v.ranges(g.network) }) {
			continue
		}
		if why := m.unseen(); why != nothing {
			j.NotChecked(m.Context, why, "GW034")
			continue
		}
		own := m.home()
		f := g.finding("GW034", finding.Error, fmt.Sprintf("the gateway leads to %s, and nothing in the cluster is on it", g.network))
		f.Evidence = []finding.Evidence{
			labelEvidence(g.object().String(), g.network), {Field: "network of the cluster", Value: strings.Join(m.homes(), ", ")},
		}
		f.Effect = fmt.Sprintf("requests from other networks for %s come here and end here, and %s is not reached through it", g.network, own)
		if g.labelled {
			f.Fix = []finding.Step{
				finding.Say("Give the Service the network of the cluster:").By(g.labelNetwork(own)),
				finding.Say("Give its pods the same network: global.network and networkGateway in the values of the gateway's installation."),
			}
		} else {
			f.Fix = []finding.Step{finding.Say("Remove the gateway from meshNetworks in the mesh config.")}
		}
		j.Add(f)
	}
}

// labelNetwork is the command that gives the Service of a gateway a network.
func (g *gateway) labelNetwork(network string) finding.Command {
	return g.kubectl("label", istio.LabelNetwork+"="+network, "--overwrite")
}

// ranges reports whether the mesh networks put ranges of addresses on a network.
func (v *view) ranges(network string) bool {
	return slices.ContainsFunc(v.MeshNetworks.Networks[network].Endpoints, func(e istio.NetworkEndpoints) bool { return e.FromCIDR != "" })
}

// judgeNetworkView: a gateway that knows the gateways of other networks sends
// requests on to them (pilot/pkg/model/proxy_view.go).
func judgeNetworkView(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		if !g.takesSidecars() || j.of(g.member.Context, g.object(), "NET013") != "" {
			continue
		}
		var odd []*facts.Pod
		for _, p := range g.pods {
			if isProxy(p) && variable(p, istio.EnvProxyNetworkView) != g.network {
				odd = append(odd, p)
			}
		}
		if len(odd) == 0 {
			continue
		}
		groups := byWorkload(odd, func(p *facts.Pod) string {
			return istio.EnvProxyNetworkView + " " + orNone(variable(p, istio.EnvProxyNetworkView))
		})
		f := g.finding("NET012", finding.Warning, "the gateway forwards to other networks than its own")
		f.Evidence = append([]finding.Evidence{labelEvidence(g.object().String(), g.network)}, evidenceOf(groups)...)
		f.Effect = "requests that came for this network are sent on to gateways of others: detours, and loops between gateways"
		set := finding.Say("Let the gateway forward to its own network alone:")
		for _, o := range groups {
			if o.Kind == "deployment" || o.Kind == "daemonset" {
				set = set.By(finding.Kubectl(g.member.Context, "-n", o.Namespace, "set", "env", o.Kind+"/"+o.Name,
					"-c", istio.ProxyContainer, istio.EnvProxyNetworkView+"="+g.network))
			}
		}
		if len(set.Run) > 0 {
			f.Fix = []finding.Step{set}
		}
		f.Fix = append(f.Fix, finding.Say("Set networkGateway to %s in the values of the gateway's installation, so that it stays.", g.network))
		j.Add(f)
	}
}

// judgeBackends: a gateway is announced whether or not anything is behind it.
func judgeBackends(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		if len(g.service.Spec.Selector) == 0 || g.ready() > 0 {
			continue
		}
		f := g.finding("GW012", g.severity(), "no pod behind the gateway is ready")
		f.Evidence = []finding.Evidence{
			{Field: g.at("selector"), Value: inline(g.service.Spec.Selector)},
			{Field: "pods", Value: fmt.Sprintf("%d, none of them ready", len(g.pods))},
		}
		if len(g.pods) == 0 {
			f.Evidence[1].Value = "none"
		}
		f.Effect = fmt.Sprintf("istiod announces it all the same: requests from other networks for %s are refused or time out", g.network)
		show := finding.Kubectl(g.member.Context, "-n", g.service.Namespace, "get", "pods", "-l", inline(g.service.Spec.Selector))
		if len(g.pods) > 0 {
			f.Fix = []finding.Step{finding.Say("See why they are not ready:").
				By(show, finding.Kubectl(g.member.Context, "-n", g.pods[0].Namespace, "describe", "pod/"+g.pods[0].Name))}
		} else {
			f.Fix = []finding.Step{finding.Say("Scale the gateway's workload up, or correct the selector, so that this lists its pods:").By(show)}
		}
		j.Add(f)
	}
}

// judgeLocalPolicy: with externalTrafficPolicy Local a node without a pod of the
// gateway drops what comes to its node port. A load balancer leaves such nodes out.
func judgeLocalPolicy(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		if g.service.Spec.Type != corev1.ServiceTypeNodePort || g.service.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal || g.ready() == 0 {
			continue
		}
		var without []string
		for _, a := range g.addresses() {
			if a.Node != "" && !slices.ContainsFunc(g.pods, func(p *facts.Pod) bool { return p.IsReady() && p.Node == a.Node }) {
				without = append(without, a.Node+" ("+a.Address+")")
			}
		}
		if len(without) == 0 {
			continue
		}
		f := g.finding("GW032", finding.Warning, "nodes are announced as gateway that drop what comes for it")
		if len(without) == len(g.addresses()) {
			f.Severity = finding.Error
		}
		f.Evidence = []finding.Evidence{
			{Field: g.at("externalTrafficPolicy"), Value: "Local"},
			{Field: "announced nodes without a ready pod of the gateway", Value: strings.Join(without, ", ")},
		}
		f.Effect = fmt.Sprintf("%d of %d connections from other networks to %s time out", len(without), len(g.addresses()), g.network)
		f.Fix = []finding.Step{
			finding.Say("Let each node send connections on to the pods:").
				By(g.patch(map[string]any{"externalTrafficPolicy": corev1.ServiceExternalTrafficPolicyCluster})),
			finding.Say("Or select only the nodes with pods of the gateway, by annotation %s.", istio.AnnotationNodeSelector),
		}
		j.Add(f)
	}
}

// inline writes labels as a selector on a command line.
func inline(labels map[string]string) string { return strings.Join(pairs(labels), ",") }

// pairs are labels as kubectl label takes them.
func pairs(labels map[string]string) []string {
	var out []string
	for k, v := range labels {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}
