package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgeInjected: what the injector writes into pods, and the label of the system
// namespace, which counts for all other pods, have to agree. The injector does
// not look at the label (pkg/kube/inject/webhook.go, applyMetadata).
func judgeInjected(j *judgement, members []*member) {
	for _, m := range members {
		if why := m.lacks(injectorValues); why != nothing && len(m.istiods) > 0 {
			j.NotChecked(m.Context, why, "NET006") // of new pods
		}
		for _, injected := range []struct{ network, from string }{
			{m.injected, "most sidecars, " + istio.EnvProxyNetwork}, {m.webhook, "injection webhook, net"}, {m.setting, ""},
		} {
			if !j.several || m.label == "" || injected.network == "" || injected.network == m.label {
				continue
			}
			n := len(slices.DeleteFunc(slices.Clone(m.proxies), func(p *facts.Pod) bool { return variable(p, istio.EnvProxyNetwork) != injected.network }))
			f := finding.Finding{
				Code: "NET006", Severity: finding.Error, Clusters: []string{m.Context},
				Object:   finding.Named("namespace", m.SystemNamespace),
				Title:    fmt.Sprintf("the system namespace says network %s, and pods are injected with %s", m.label, injected.network),
				Evidence: []finding.Evidence{m.systemLabel(), {Field: injected.from, Value: injected.network}},
				Effect: fmt.Sprintf("pods with a sidecar are taken to be on %s and all others on %s: where the gateway leads to one of them only, "+
					"requests to the others fail", injected.network, m.label),
				Fix: []finding.Step{
					finding.Say("If the network of the pods is right, give it to the system namespace, and do nothing else:").
						By(m.labelNamespace(injected.network)),
					finding.Say("If the label is right, or was changed after the pods had started, follow the next steps instead."),
					setInjected(m.label),
				},
			}
			if m.set {
				f.Evidence = append(f.Evidence, m.values())
			}
			switch {
			case injected.from == "":
				f.Evidence = slices.Delete(f.Evidence, 1, 2) // the values say it
				f.Title = fmt.Sprintf("the system namespace says network %s, and new pods are injected with %s", m.label, injected.network)
			case m.set && m.setting == m.label:
				f.Title = fmt.Sprintf("the network was changed after pods had started: they are on %s, and the cluster is on %s", injected.network, m.label)
				f.Fix = []finding.Step{finding.Say("Change no setting: the injector gives new pods the new network.")}
			}
			if n > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "pods with " + injected.network, Value: fmt.Sprint(n)})
				groups := byWorkload(m.proxies, func(*facts.Pod) string { return "" })
				f.Fix = append(f.Fix, restarts(m.Context, groups)...)
			}
			j.Add(f)
			break
		}
	}
}

// judgeSystemNamespace: in a fleet of several networks the label of the system
// namespace says where a cluster's pods are that have no label of their own,
// unless the mesh networks say it (pilot/pkg/serviceregistry/kube/controller/
// controller.go, Network).
func judgeSystemNamespace(j *judgement, members []*member) {
	if !j.several {
		return
	}
	for _, m := range members {
		if m.label != "" {
			continue
		}
		if len(m.viewers) == 0 {
			j.NotChecked(m.Context, finding.Because("no control plane that was read watches this cluster"), "NET001")
			continue
		}
		if why := m.unseen(); why != nothing {
			j.NotChecked(m.Context, why, "NET001")
			continue
		}
		lost, others, ambient := m.withoutNetwork()
		if len(lost)+others+ambient == 0 && len(m.viewers) > 0 && m.networksCover() {
			continue
		}
		f := finding.Finding{
			Code: "NET001", Severity: finding.Warning, Clusters: []string{m.Context}, Object: finding.Named("namespace", m.SystemNamespace),
			Title:    "the system namespace has no network, in a fleet of several",
			Evidence: []finding.Evidence{m.systemLabel(), {Field: "networks of the fleet", Value: strings.Join(j.networks, ", ")}},
			Effect: "pods without a network of their own, such as those without a sidecar, count as reachable from everywhere: " +
				"clients on other networks send requests to their addresses, and time out",
			Fix: []finding.Step{
				finding.Say("Label the system namespace, which takes effect at once, without a restart:").
					By(m.labelNamespace(cmp.Or(m.home(), "NETWORK"))),
			},
		}
		if len(lost) > 0 || ambient > 0 {
			f.Severity = finding.Error
		}
		if len(lost) > 0 {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "pods with a sidecar and without a network", Value: fmt.Sprint(len(lost))})
		}
		if ambient > 0 {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "pods in ambient mode without a network", Value: fmt.Sprint(ambient)})
		}
		if m.injected == "" && m.webhook == "" && len(m.proxies) > 0 {
			f.Fix = append(f.Fix, finding.Say("Fix NET002 as well: sidecars need the network for themselves."))
			if m.setting == "" {
				f.Fix = append(f.Fix, setInjected(cmp.Or(m.home(), "NETWORK")))
			}
			f.Fix = append(f.Fix, restarts(m.Context, byWorkload(m.proxies, func(*facts.Pod) string { return "" }))...)
		}
		j.Add(f)
	}
}

// networksCover reports whether the mesh networks of every control plane that
// reads the cluster give it a network.
func (m *member) networksCover() bool {
	for _, v := range m.viewers {
		ranges := false
		for _, n := range v.MeshNetworks.Networks {
			ranges = ranges || slices.ContainsFunc(n.Endpoints, func(e istio.NetworkEndpoints) bool { return e.FromCIDR != "" })
		}
		if len(v.registry(m)) == 0 && !ranges {
			return false
		}
	}
	return true
}

// withoutNetwork are the pods whose network is "" for some control plane: those
// with a proxy, and how many others and in ambient mode there are.
func (m *member) withoutNetwork() (proxies []*facts.Pod, others, ambient int) {
	for i := range resources.Pods.Of(m.Cluster).Value {
		p := &resources.Pods.Of(m.Cluster).Value[i]
		if !runs(p) || p.IP() == "" || p.HostNetwork ||
			!slices.ContainsFunc(m.viewers, func(v *view) bool { return v.network(m, p) == "" }) {
			continue
		}
		switch {
		case isProxy(p):
			proxies = append(proxies, p)
		case isAmbient(m.namespaces[p.Namespace]):
			ambient++
		case p.Namespace != m.SystemNamespace && p.Namespace != "kube-system":
			others++
		}
	}
	return proxies, others, ambient
}

// judgeClientNetwork: a proxy without a network counts as being on all of them,
// and is given addresses of pods that it cannot reach; since 1.30 it is given
// gateways (pilot/pkg/model/context.go, InNetwork; pilot/pkg/xds/endpoints/ep_filters.go).
func judgeClientNetwork(j *judgement, members []*member) {
	if !j.several {
		return
	}
	for _, m := range members {
		var first time.Time // when the first pod with a network was made
		for _, p := range m.proxies {
			if at := p.Created; variable(p, istio.EnvProxyNetwork) != "" && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
		var without, old []*facts.Pod
		for _, p := range m.proxies {
			switch {
			case variable(p, istio.EnvProxyNetwork) != "":
			case !first.IsZero() && p.Created.Before(first):
				old = append(old, p)
			default:
				without = append(without, p)
			}
		}
		severity, effect := finding.Error, "they are given addresses of pods on other networks instead of gateways: a share of their requests times out"
		if m.forcesGateways() {
			severity, effect = finding.Warning, "istiod of 1.30 and later sends them to gateways for every network, their own included, where it has one"
		}
		says := func(*facts.Pod) string { return "no " + istio.EnvProxyNetwork }
		if len(without) > 0 {
			groups := byWorkload(without, says)
			f := finding.Finding{
				Code: "NET002", Severity: severity, Clusters: []string{m.Context}, Object: finding.Kind("sidecars"),
				Title:    fmt.Sprintf("%s does not know its network", finding.Plural(len(without), "proxy")),
				Evidence: evidenceOf(groups), Effect: effect,
				Fix: append([]finding.Step{setInjected(cmp.Or(m.home(), "NETWORK"))}, restarts(m.Context, groups)...),
			}
			if len(without) > 1 {
				f.Title = fmt.Sprintf("%d proxies do not know their network", len(without))
			}
			if m.set {
				f.Evidence = append(f.Evidence, m.values())
			}
			if m.set && m.setting != "" {
				f.Fix = append([]finding.Step{finding.Say("Change no setting: the injector gives new pods a network.")}, restarts(m.Context, groups)...)
			}
			if m.injected == "" && m.label == "" {
				f.CausedBy = j.of(m.Context, finding.Object{}, "NET001")
			}
			j.Add(f)
		}
		if len(old) > 0 {
			groups := byWorkload(old, says)
			j.Add(finding.Finding{
				Code: "NET005", Severity: severity, Clusters: []string{m.Context}, Object: finding.Kind("sidecars"),
				Title: fmt.Sprintf("%s older than the setting of the network, and without one", isAre(len(old), "pod")),
				Evidence: append([]finding.Evidence{
					{Field: "first pod with " + istio.EnvProxyNetwork, Value: "made " + first.UTC().Format(time.RFC3339)},
				}, evidenceOf(groups)...),
				Effect: effect, Fix: restarts(m.Context, groups),
			})
		}
	}
}

// forcesGateways reports whether every control plane whose proxies a cluster has
// gives gateways to a proxy without a network.
func (m *member) forcesGateways() bool {
	n := 0
	for _, v := range m.viewers {
		if !v.programs(m) {
			continue
		}
		if n++; !v.Istiod.AtLeast("1.30.0") {
			return false
		}
	}
	return n > 0
}

// judgeLabelAndEnvironment: a pod is on the network of its label for others, and
// on that of its environment for itself; the injector writes both.
func judgeLabelAndEnvironment(j *judgement, members []*member) {
	if !j.several {
		return
	}
	for _, m := range members {
		var odd []*facts.Pod
		for _, p := range m.proxies {
			label, env := p.Labels[istio.LabelNetwork], variable(p, istio.EnvProxyNetwork)
			if label != "" && env != "" && label != env {
				odd = append(odd, p)
			}
		}
		if len(odd) == 0 {
			continue
		}
		groups := byWorkload(odd, func(p *facts.Pod) string {
			return fmt.Sprintf("label %s, %s %s", p.Labels[istio.LabelNetwork], istio.EnvProxyNetwork, variable(p, istio.EnvProxyNetwork))
		})
		j.Add(finding.Finding{
			Code: "NET003", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.Kind("pods"),
			Title:    fmt.Sprintf("%s on one network for others, and on another for %s", isAre(len(odd), "pod"), itselfThemselves(len(odd))),
			Evidence: evidenceOf(groups),
			Effect:   "others reach them by the gateway of the one network, they reach others as if they were on the other: requests fail in one direction",
			Fix: append([]finding.Step{
				finding.Say("Remove label %s and proxyMetadata (annotation proxy.istio.io/config) from the workload: the injector sets both.",
					istio.LabelNetwork),
			}, restarts(m.Context, groups)...),
		})
	}
}

// judgeForeignPods: pods on a network that is nobody's, or on that of another cluster.
func judgeForeignPods(j *judgement, members []*member) {
	for _, m := range members {
		gatewayPods := map[*facts.Pod]bool{}
		own := m.homes()
		for _, g := range m.gateways {
			own = append(own, g.network)
			for _, p := range g.pods {
				gatewayPods[p] = true
			}
		}
		var orphans, strangers []*facts.Pod
		for _, p := range m.proxies {
			label, env := p.Labels[istio.LabelNetwork], variable(p, istio.EnvProxyNetwork)
			network := cmp.Or(env, label)
			switch {
			case network == "" || gatewayPods[p] || label != "" && env != "" && label != env:
			case !slices.Contains(j.networks, network):
				orphans = append(orphans, p)
			case !slices.Contains(own, network) && len(m.homes()) > 0:
				strangers = append(strangers, p)
			}
		}
		network := func(p *facts.Pod) string {
			return cmp.Or(variable(p, istio.EnvProxyNetwork), p.Labels[istio.LabelNetwork])
		}
		says := func(p *facts.Pod) string { return "network " + network(p) }
		if len(orphans) > 0 && j.incomplete != nothing {
			j.NotChecked(m.Context, j.incomplete, "NET004")
		} else if len(orphans) > 0 && (j.several || len(m.gateways) > 0) {
			groups := byWorkload(orphans, says)
			f := finding.Finding{
				Code: "NET004", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.Kind("pods"),
				Title:    fmt.Sprintf("%s on a network that nothing else is on", isAre(len(orphans), "pod")),
				Evidence: append(evidenceOf(groups), finding.Evidence{Field: "networks of the fleet", Value: strings.Join(j.networks, ", ")}),
				Effect:   "others are given their addresses and no gateway, and they go through gateways even to their own cluster",
				Fix: append([]finding.Step{
					finding.Say("Correct the network where the workload sets it (label %s, proxyMetadata).", istio.LabelNetwork),
				}, restarts(m.Context, groups)...),
			}
			if near := nearest(network(orphans[0]), j.networks); near != "" {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "meant is perhaps", Value: near})
			}
			j.Add(f)
		}
		if why := m.unseen(); len(strangers) > 0 && why != nothing {
			j.NotChecked(m.Context, why, "NET030")
		} else if len(strangers) > 0 && j.several {
			groups := byWorkload(strangers, says)
			j.Add(finding.Finding{
				Code: "NET030", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.Kind("pods"),
				Title:    fmt.Sprintf("%s on a network of other clusters, which has no gateway here", isAre(len(strangers), "pod")),
				Evidence: append(evidenceOf(groups), finding.Evidence{Field: "network of the cluster", Value: strings.Join(m.homes(), ", ")}),
				Effect:   "others go to them directly or through gateways of other clusters, and they go to their own cluster through its gateway",
				Fix: append([]finding.Step{
					finding.Say("Remove the network from the workload (label %s, proxyMetadata), unless its nodes really are on that network.",
						istio.LabelNetwork),
				}, restarts(m.Context, groups)...),
			})
		}
	}
}

// nearest is the name that differs from another one by no more than two letters.
func nearest(name string, names []string) string {
	best, at := "", 3
	for _, other := range names {
		if d := distance(name, other); d < at {
			best, at = other, d
		}
	}
	return best
}

// distance is how many letters have to be put in, taken out or replaced.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for k := range len(b) {
			cost := diagonal
			if a[i] != b[k] {
				cost++
			}
			diagonal = row[k+1]
			row[k+1] = min(cost, row[k]+1, row[k+1]+1)
		}
	}
	return row[len(b)]
}

func isAre(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return fmt.Sprintf("%d %ss are", n, noun)
}

func itselfThemselves(n int) string {
	if n == 1 {
		return "itself"
	}
	return "themselves"
}
