package network

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
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// injectedNetworks: the injector writes another network into pods than the label of the
// system namespace says, which decides for all other pods. The injector does not look at
// the label (pkg/kube/inject/webhook.go, applyMetadata).
func injectedNetworks(p *rule.Pass[*model.Mesh]) {
	for _, c := range model.Able(p) {
		if why, lacks := rule.Lacks(c.Cluster, resources.Injectors); lacks && c.Primary() {
			p.NotChecked(c.Context, why) // of new pods
		}
		n := c.Network()
		if !p.Model.Several() || n.Namespace == "" {
			continue
		}
		for _, injected := range []struct{ network, from string }{
			{n.Pods, "most sidecars, " + istio.EnvProxyNetwork}, {n.InjectionPath, "injection webhook, net"}, {n.Injector, ""},
		} {
			if injected.network != "" && injected.network != n.Namespace {
				f := injectedOther(c, injected.network, injected.from)
				if n.InjectionPath == "" { // the injector gives the pods of other clusters its own network
					if f.CausedBy = model.Cause(p, c.Context, finding.Object{}, "PR003"); f.CausedBy != "" {
						f.Fix = remedy.ByItsCause()
					}
				}
				p.Report(f)
				break
			}
		}
	}
}

// injectedOther says that pods are injected with another network than that of the system
// namespace. from is what shows it; "" for the values of the injector.
func injectedOther(c *model.Cluster, network, from string) finding.Finding {
	n := c.Network()
	f := finding.Finding{
		Code: "NET006", Severity: finding.Error, Clusters: []string{c.Context},
		Object:   finding.Named("namespace", c.SystemNamespace),
		Title:    fmt.Sprintf("the system namespace says network %s, and pods are injected with %s", n.Namespace, network),
		Evidence: []finding.Evidence{evidence.SystemLabel(c)},
		Effect: fmt.Sprintf("istiod puts pods with a sidecar on %s and all others on %s: where the gateway leads to one of them only, "+
			"requests to the others fail", network, n.Namespace),
		Fix: []finding.Step{
			finding.Say("If the network of the pods is right, give it to the system namespace, and do nothing else:").
				By(remedy.LabelNamespace(c.Context, c.SystemNamespace, istio.LabelNetwork, network)),
			finding.Say("If the label is right, or was changed after the pods had started, follow the next steps instead.").Otherwise(),
			remedy.SetInjectedNetwork(n.Namespace),
		},
	}
	if from != "" {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: from, Value: network})
	}
	if n.InjectorKnown {
		f.Evidence = append(f.Evidence, injectorValues(c))
	}
	switch {
	case from == "":
		f.Title = fmt.Sprintf("the system namespace says network %s, and new pods are injected with %s", n.Namespace, network)
		f.Fix = []finding.Step{remedy.SetInjectedNetwork(n.Namespace)} // the pods that run have that of the label
	case n.InjectorKnown && n.Injector == n.Namespace:
		f.Title = fmt.Sprintf("the network was changed after pods had started: they are on %s, and the cluster is on %s",
			network, n.Namespace)
		f.Fix = []finding.Step{finding.Say("Change no setting: the injector gives new pods the new network.")}
	}
	on := 0
	for _, p := range c.ProxyPods() {
		if model.Variable(p, istio.EnvProxyNetwork) == network {
			on++
		}
	}
	if on > 0 {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "pods with " + network, Value: fmt.Sprint(on)})
		f.Fix = append(f.Fix, relabel(c, network, n.Namespace)...)
		f.Fix = append(f.Fix, restartProxies(c)...)
	}
	return f
}

// relabel is the step that gives the network of a cluster's proxies to the Services of its
// gateways, whose pods get it when they are restarted; none where no Service has the old one.
func relabel(c *model.Cluster, old, network string) []finding.Step {
	var commands []finding.Command
	for _, g := range c.NetworkGateways() {
		if g.Service != nil && g.Service.Labels[istio.LabelNetwork] == old {
			commands = append(commands, finding.Kubectl(c.Context, "-n", g.Service.Namespace, "label", "service/"+g.Service.Name,
				istio.LabelNetwork+"="+network, "--overwrite"))
		}
	}
	if len(commands) == 0 {
		return nil
	}
	return []finding.Step{finding.Say("Give the gateway's Service the same network, as its pods get it with the restart:").By(commands...)}
}

// injectorValues is the network in the values of the cluster's injectors.
func injectorValues(c *model.Cluster) finding.Evidence {
	return finding.Evidence{
		Field: "configmap " + c.SystemNamespace + "/" + c.Installed()[0].InjectorConfigMap() + ", global.network",
		Value: evidence.OrNone(c.Network().Injector),
	}
}

// restartProxies are the steps that recreate all pods with a proxy of a cluster.
func restartProxies(c *model.Cluster) []finding.Step {
	groups := model.ByWorkload(c.ProxyPods(), func(*facts.Pod) string { return "" })
	return remedy.RestartGroups(c, groups)
}

// unlabeledSystemNamespaces: in a fleet of several networks the system namespace has no
// label that says the network of the cluster's pods, which decides for those that have no
// label of their own, and meshNetworks do not say it either
// (pilot/pkg/serviceregistry/kube/controller/controller.go, Network).
func unlabeledSystemNamespaces(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	for _, c := range model.Able(p) {
		if c.Network().Namespace != "" {
			continue
		}
		if len(c.WatchedBy) == 0 {
			p.NotChecked(c.Context, finding.Because("no control plane that was read watches this cluster"))
			continue
		}
		if unread := c.MeshNetworksUnread(); len(unread) > 0 {
			p.NotChecked(c.Context, unread[0].Elsewhere())
			continue
		}
		lost := findLost(c)
		if lost == (without{}) && meshNetworksCover(c) {
			continue
		}
		p.Report(unlabeled(p.Model, c, lost))
	}
}

// unlabeled says that the system namespace of a cluster has no network.
func unlabeled(m *model.Mesh, c *model.Cluster, lost without) finding.Finding {
	n := c.Network()
	home := cmp.Or(n.Home(), remedy.SomeNetwork)
	f := finding.Finding{
		Code: "NET001", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Named("namespace", c.SystemNamespace),
		Title:    "the system namespace has no network, in a fleet of several networks",
		Evidence: []finding.Evidence{evidence.SystemLabel(c), fleetNetworks(m)},
		Effect: "istiod takes pods without a network of their own, such as those without a sidecar, for reachable from everywhere: " +
			"clients on other networks send requests to their addresses, and time out",
		Fix: []finding.Step{
			finding.Say("Label the system namespace, which takes effect at once, without a restart:").
				By(remedy.Network(n.Home(), func(home string) finding.Command {
					return remedy.LabelNamespace(c.Context, c.SystemNamespace, istio.LabelNetwork, home)
				})),
		},
	}
	if lost.proxies > 0 {
		f.Severity = finding.Error
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "pods with a sidecar and without a network", Value: fmt.Sprint(lost.proxies)})
	}
	if lost.ambient > 0 {
		f.Severity = finding.Error
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "pods in ambient mode without a network", Value: fmt.Sprint(lost.ambient)})
	}
	if n.Pods == "" && n.InjectionPath == "" && len(c.ProxyPods()) > 0 {
		f.Fix = append(f.Fix, finding.Say("Fix NET002 as well: sidecars need the network for themselves."))
		if n.Injector == "" {
			f.Fix = append(f.Fix, remedy.SetInjectedNetwork(home))
		}
		f.Fix = append(f.Fix, restartProxies(c)...)
	}
	return f
}

// fleetNetworks are the networks that the fleet has.
func fleetNetworks(m *model.Mesh) finding.Evidence {
	return finding.Evidence{Field: "networks of the fleet", Value: strings.Join(m.Networks(), ", ")}
}

// meshNetworksCover reports whether the meshNetworks of every control plane that watches
// a cluster give it a network.
func meshNetworksCover(c *model.Cluster) bool {
	return !slices.ContainsFunc(c.WatchedBy, func(cp *model.ControlPlane) bool {
		if cp.Cluster == c && onlyOn(cp, c.Network().Home()) {
			return false // its clients are on that network themselves
		}
		for _, n := range cp.MeshNetworks.Networks {
			if slices.ContainsFunc(n.Endpoints, func(e istio.NetworkEndpoints) bool { return e.FromCIDR != "" }) {
				return false
			}
		}
		return len(cp.RegistryNetworks(c)) == 0
	})
}

// without is how many pods of a cluster have no network for some control plane.
type without struct{ proxies, ambient, others int }

func findLost(c *model.Cluster) without {
	var out without
	pods := resources.Pods.Of(c.Cluster).Value
	for i := range pods {
		p := &pods[i]
		none := func(cp *model.ControlPlane) bool { return cp.PodNetwork(c, p) == "" }
		if !model.Runs(p) || p.IP() == "" || p.HostNetwork || !slices.ContainsFunc(c.WatchedBy, none) {
			continue
		}
		switch {
		case model.IsProxy(p):
			out.proxies++
		case c.IsAmbient(p):
			out.ambient++
		case p.Namespace != c.SystemNamespace && p.Namespace != "kube-system":
			out.others++
		}
	}
	return out
}
