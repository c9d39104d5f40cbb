package gateways

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// labeledByAccident: Services of ordinary workloads have the label of a gateway. istiod
// uses every Service with the label as a gateway, whatever its name and wherever it is
// (pilot/pkg/serviceregistry/kube/controller/network.go, getGatewayDetails).
func labeledByAccident(p pass) {
	if !p.Model.GatewaysMatter() {
		return
	}
	for _, c := range model.Able(p) {
		f := finding.Finding{
			Code: "NET014", Severity: finding.Note, Clusters: []string{c.Context}, Object: finding.Kind("services"),
			Effect: "nothing today, as no address of theirs can be reached from outside; with one, a share of the requests from other " +
				"networks would go there",
		}
		remove := finding.Say("Remove the label:")
		for _, m := range c.NetworkGateways() {
			g := gateway{m}
			if !g.Accidental {
				continue
			}
			value := "label " + istio.LabelNetwork + "=" + g.Network + ", selects " + strings.Join(workloads(g.Pods), ", ")
			if addresses := g.Addresses(); len(addresses) > 0 {
				f.Severity = finding.Error
				f.Effect = "requests from other networks go there instead of to a gateway, as large a share as it has of the network's " +
					"addresses, and fail"
				value += ", istiod uses it as gateway " + addresses[0].Address
			}
			f.Evidence = append(f.Evidence, finding.Evidence{Field: g.Object().String(), Value: value})
			remove = remove.By(g.kubectl("label", istio.LabelNetwork+"-"))
		}
		if n := len(f.Evidence); n > 0 {
			f.Title, f.Fix = "a Service is labeled as a network gateway but is not one", []finding.Step{remove}
			if n > 1 {
				f.Title = fmt.Sprintf("%d Services are labeled as network gateways but are not", n)
			}
			p.Report(f)
		}
	}
}

func workloads(pods []*facts.Pod) []string {
	var out []string
	for _, g := range model.ByWorkload(pods, func(*facts.Pod) string { return "" }) {
		out = append(out, g.String())
	}
	return out
}

// otherNetwork: the pods of a gateway are on another network than the one to which it leads.
func otherNetwork(p pass) {
	for _, g := range intended(p) {
		pods := g.PodsElsewhere()
		if len(pods) == 0 {
			continue
		}
		own := model.Variable(pods[0], istio.EnvProxyNetwork)
		groups := model.ByWorkload(pods, func(p *facts.Pod) string {
			return istio.EnvProxyNetwork + " " + model.Variable(p, istio.EnvProxyNetwork)
		})
		f := g.finding("NET013", finding.Error, fmt.Sprintf("the gateway is labeled for network %s but its pods are on %s", g.Network, own))
		f.Evidence = append([]finding.Evidence{g.label()}, evidence.OfWorkloads(groups)...)
		f.Evidence = append(f.Evidence, evidence.SystemLabel(g.Cluster))
		f.Effect = fmt.Sprintf(
			"requests for %s come to a gateway that treats the pods of %s as local, and forwards requests for others to other "+
				"gateways or not at all",
			g.Network,
			own,
		)
		if slices.Contains(g.Cluster.Network().Homes(), own) && g.Labeled {
			f.Fix = []finding.Step{finding.Say("Give the Service the network of its pods:").By(g.labelNetwork(own))}
		} else {
			f.Fix = append([]finding.Step{
				finding.Say("Give the gateway's pods label %s with the network of the Service, %s.", istio.LabelNetwork, g.Network),
			}, remedy.RestartGroups(g.Cluster, groups)...)
		}
		p.Report(f)
	}
}

// networkOfNobody: a gateway and its pods are on a network that nothing else in the cluster
// is on.
func networkOfNobody(p pass) {
	for _, g := range intended(p) {
		c := g.Cluster
		if !g.IsAlone() || g.cause(p, "NET013") != "" {
			continue
		}
		if unread := c.MeshNetworksUnread(); len(unread) > 0 {
			p.NotChecked(c.Context, unread[0].Elsewhere())
			continue
		}
		own := c.Network().Home()
		f := g.finding("GW034", finding.Error, fmt.Sprintf("the gateway leads to %s, and nothing in the cluster is on it", g.Network))
		f.Evidence = []finding.Evidence{g.label(), {Field: "network of the cluster", Value: strings.Join(c.Network().Homes(), ", ")}}
		f.Effect = fmt.Sprintf(
			"requests from other networks for %s come here and end here, and %s is not reached through it",
			g.Network,
			own,
		)
		if g.Labeled {
			f.Fix = []finding.Step{finding.Say("Give the Service the network of the cluster:").By(g.labelNetwork(own))}
			if len(g.Pods) > 0 && model.Variable(g.Pods[0], istio.EnvProxyNetwork) != own {
				// The Service alone would lead to pods that take the cluster for another network (NET013).
				f.Fix = []finding.Step{
					finding.Say("Set networkGateway to %s in the values of the gateway's installation, and global.network "+
						"where it is set there: its Service and its pods then get the network of the cluster together.", own),
				}
			}
		} else {
			f.Fix = []finding.Step{finding.Say("Remove the gateway from meshNetworks in the mesh config.")}
		}
		p.Report(f)
	}
}

// forwardsEverywhere: a gateway knows the gateways of other networks than its own, and
// sends requests on to them (pilot/pkg/model/proxy_view.go).
func forwardsEverywhere(p pass) {
	for _, g := range intended(p) {
		pods := g.ForwardingPods()
		if len(pods) == 0 || g.cause(p, "NET013") != "" {
			continue
		}
		groups := model.ByWorkload(pods, func(p *facts.Pod) string {
			return istio.EnvProxyNetworkView + " " + evidence.OrNone(model.Variable(p, istio.EnvProxyNetworkView))
		})
		f := g.finding("NET012", finding.Warning, "the gateway forwards to other networks than its own")
		f.Evidence = append([]finding.Evidence{g.label()}, evidence.OfWorkloads(groups)...)
		f.Effect = "requests that came for this network are sent on to gateways of others: detours, and loops between gateways"
		set := finding.Say("Careful: this restarts the gateway, which closes its connections. Let it forward to its own network alone:")
		for _, w := range groups {
			if w.Kind == "deployment" || w.Kind == "daemonset" {
				set = set.By(finding.Kubectl(g.Cluster.Context, "-n", w.Namespace, "set", "env", w.Kind+"/"+w.Name,
					"-c", istio.ProxyContainer, istio.EnvProxyNetworkView+"="+g.Network))
			}
		}
		if len(set.Run) > 0 {
			f.Fix = []finding.Step{set}
		}
		f.Fix = append(
			f.Fix,
			finding.Say("Set networkGateway to %s in the values of the gateway's installation, so that it stays.", g.Network),
		)
		p.Report(f)
	}
}

// otherCluster is the ID of the finding that says that the proxies of all pods of the gateway
// name another cluster than istiod has for them, with which they get no configuration and
// are not ready; "" where that is not so.
func (g gateway) otherCluster(p pass) string {
	if len(g.Pods) == 0 || slices.ContainsFunc(g.Pods, func(pod *facts.Pod) bool {
		id := model.Variable(pod, istio.EnvProxyClusterID)
		return id == "" || g.Cluster.IsCalled(id)
	}) {
		return ""
	}
	return model.Cause(p, g.Cluster.Context, finding.Object{}, "NET032")
}

// uninjectable is the ID of the finding that says that the injection webhook calls a Service
// which cannot answer, with which no pod of the gateway is created; "" where that is not so.
func (g gateway) uninjectable(p pass) string {
	if len(g.Pods) > 0 || g.EastWest() != nil {
		return ""
	}
	return model.Cause(p, g.Cluster.Context, finding.Object{}, "PR012", "PR002")
}

// notStarted is the ID of the finding that says why none of the gateway's pods gets ready: no node takes
// them, nothing injects them, or their proxies wait for something; "" where nothing says so.
func (g gateway) notStarted(p pass) string {
	if len(g.Pods) == 0 {
		return ""
	}
	w := istio.WorkloadOf(g.Pods[0])
	if id := model.Cause(p, g.Cluster.Context, finding.In(w.Kind, w.Namespace, w.Name), "CP003", "CP033"); id != "" {
		return id
	}
	if slices.ContainsFunc(g.Pods, g.Cluster.ProxyIsUnready) {
		return model.Cause(p, g.Cluster.Context, finding.Object{}, "CP040")
	}
	return ""
}

// noReadyPod: no pod behind a gateway is ready. istiod advertises it whether or not
// anything is behind it.
func noReadyPod(p pass) {
	for _, g := range intended(p) {
		selector := g.Service.Spec.Selector
		if len(selector) == 0 || g.Ready() > 0 {
			continue
		}
		f := g.finding("GW012", g.severity(), "no pod behind the gateway is ready")
		f.Evidence = []finding.Evidence{
			{Field: g.at("selector"), Value: inline(selector)},
			{Field: "pods", Value: fmt.Sprintf("%d, none of them ready", len(g.Pods))},
		}
		f.Effect = fmt.Sprintf("istiod advertises it all the same: requests from other networks for %s are refused or time out", g.Network)
		show := finding.Kubectl(g.Cluster.Context, "-n", g.Service.Namespace, "get", "pods", "-l", inline(selector))
		if f.CausedBy = cmp.Or(g.otherCluster(p), g.uninjectable(p), g.notStarted(p)); f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		} else if len(g.Pods) > 0 {
			f.Fix = []finding.Step{finding.Say("See why they are not ready:").
				By(show, finding.Kubectl(g.Cluster.Context, "-n", g.Pods[0].Namespace, "describe", "pod/"+g.Pods[0].Name))}
		} else if f.Evidence[1].Value = "none"; !g.refused(p, &f) {
			f.Fix = []finding.Step{
				finding.Say("Scale the gateway's workload up, or correct the selector, so that this lists its pods:").By(show),
			}
		}
		p.Report(f)
	}
}
