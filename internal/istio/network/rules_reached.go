package network

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// complete reports whether all that a control plane reads is among the clusters.
func (v *view) complete(members []*member) bool {
	return !slices.ContainsFunc(v.members, func(m *member) bool { return !slices.Contains(members, m) })
}

// judgeSameAddress: one address leads to one network.
func judgeSameAddress(j *judgement, members []*member) {
	if !j.several {
		return
	}
	seen := map[string]bool{}
	for _, v := range j.viewsOf(members) {
		by := map[string][]istio.Gateway{}
		for _, g := range v.gateways {
			key := fmt.Sprintf("%s port %d", g.Address, max(g.Port, g.HBONEPort))
			by[key] = append(by[key], g)
		}
		for _, key := range slices.Sorted(maps.Keys(by)) {
			var networks, clusters []string
			var evidence []finding.Evidence
			var named []subject
			for _, g := range by[key] {
				networks = append(networks, g.Network)
				context := cmp.Or(v.contexts[g.Cluster], v.Context)
				clusters = append(clusters, context)
				for _, c := range g.Candidates {
					object := refObject(v, c)
					evidence = append(evidence, finding.Evidence{Cluster: context, Field: object.String(), Value: "gateway of " + g.Network})
					named = append(named, subject{cluster: context, object: object, address: g.Address})
				}
			}
			if networks = finding.Distinct(networks); len(networks) < 2 || seen[key] {
				continue
			}
			seen[key] = true
			f := finding.Finding{
				Code: "GW031", Severity: finding.Error, Clusters: finding.Distinct(clusters), Object: finding.Named("address", key),
				Title:    fmt.Sprintf("%s is the gateway of %s at once", key, finding.List(networks)),
				Evidence: evidence,
				Effect:   "requests for one of the networks come to the gateway of another, which does not know the service and resets the connection",
				Fix: []finding.Step{
					finding.Say("Give each gateway its own address, or correct label %s of the one whose network is wrong.", istio.LabelNetwork),
				},
			}
			j.Add(f)
			j.concerns(f, named...)
		}
	}
}

// privateRanges are those between which addresses are usually not reached.
var privateRanges = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
}

// judgeRanges: every client is given all addresses of a network; there is none
// that is for some clients only.
func judgeRanges(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		by := map[string][]string{}
		var all []string
		for _, a := range g.addresses() {
			ip, err := netip.ParseAddr(a.Address)
			if err != nil || !ip.Is4() {
				continue
			}
			in := "public"
			for _, p := range privateRanges {
				if p.Contains(ip) {
					in = p.String()
				}
			}
			by[in] = append(by[in], a.Address)
			all = append(all, a.Address)
		}
		// Between two networks alone there are no clients of different kinds.
		if len(by) < 2 || by["public"] == nil && len(j.networks) < 3 {
			continue
		}
		seen := j.rangesSeen(g, all)
		if seen.reached {
			continue
		}
		f := g.finding("GW015", finding.Warning, "the gateway has addresses in different ranges, and every client uses all of them")
		if seen.split != nil {
			f.Severity, f.Title = finding.Error, "clients on another network do not reach all addresses of the gateway, and use all of them"
		}
		for _, in := range slices.Sorted(maps.Keys(by)) {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "addresses, " + in, Value: strings.Join(by[in], ", ")})
		}
		f.Evidence = append(f.Evidence, evidenceOfTrials(seen.split)...)
		f.Effect = "a client that cannot reach one of the ranges loses that share of its requests"
		f.Fix = []finding.Step{finding.Say("Leave the Service only the addresses that clients of all networks reach:").By(g.kubectl("edit"))}
		j.Add(f)
	}
}

// judgeStaticAddresses: an address in the mesh networks beside gateways that are
// found by their Services is most likely one that they once had.
func judgeStaticAddresses(j *judgement, members []*member) {
	for _, v := range j.viewsOf(members) {
		if !v.complete(members) || len(v.members) < len(v.contexts) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(v.MeshNetworks.Networks)) {
			var current []string
			for _, c := range v.candidates {
				if c.Network != name || c.Kind == "MeshNetworks" || c.Problem != "" {
					continue
				}
				for _, a := range c.Addresses {
					current = append(current, a.Address)
				}
			}
			hosts := slices.ContainsFunc(current, func(a string) bool { _, err := netip.ParseAddr(a); return err != nil })
			for i, g := range v.MeshNetworks.Networks[name].Gateways {
				if _, err := netip.ParseAddr(g.Address); err != nil || len(current) == 0 || hosts || slices.Contains(current, g.Address) {
					continue
				}
				f := finding.Finding{
					Code: "GW020", Severity: finding.Warning, Clusters: []string{v.Context}, Object: v.configMap(),
					Title: "the mesh networks have an address that no gateway has",
					Evidence: []finding.Evidence{
						{Field: fmt.Sprintf("%s, networks.%s.gateways[%d]", istio.MeshNetworksKey, name, i), Value: g.Address},
						{Field: "addresses of the gateways of " + name, Value: strings.Join(finding.Distinct(current), ", ")},
					},
					Effect: "a share of the requests to the network goes to that address",
					Fix:    []finding.Step{finding.Say("Remove the address, unless something at it forwards to the gateway:").By(v.edit())},
				}
				j.Gather(f)
				j.concerns(f, subject{cluster: v.Context, object: f.Object, address: g.Address})
			}
		}
	}
}

// traffic is who is where, as one control plane knows it.
type traffic struct {
	endpoints map[string]map[*member]int // pods that take mutual TLS, by network
	clients   map[string]map[*member]int // those whose requests it directs, by network
	// Of the clients those with a sidecar and those in ambient mode, and of the
	// endpoints those in ambient mode.
	sidecars, ambient, ambientEndpoints map[string]map[*member]int
}

// traffic counts, those pods aside that are gateways themselves.
func (v *view) traffic() traffic {
	none := func() map[string]map[*member]int { return map[string]map[*member]int{} }
	t := traffic{none(), none(), none(), none(), none()}
	count := func(in map[string]map[*member]int, network string, m *member) {
		if network == "" {
			return
		}
		if in[network] == nil {
			in[network] = map[*member]int{}
		}
		in[network][m]++
	}
	for _, m := range v.members {
		for i := range resources.Pods.Of(m.Cluster).Value {
			p := &resources.Pods.Of(m.Cluster).Value[i]
			proxy, ambient := isProxy(p), runs(p) && isAmbient(m.namespaces[p.Namespace])
			if !proxy && !ambient || m.isGatewayPod(p) || p.IP() == "" {
				continue
			}
			network := v.network(m, p)
			count(t.endpoints, network, m)
			if !proxy {
				count(t.ambientEndpoints, network, m)
			}
			switch own := variable(p, istio.EnvProxyNetwork); {
			case !v.programs(m):
			case !proxy:
				count(t.clients, m.label, m)
				count(t.ambient, m.label, m)
			case p.Labels[istio.LabelTLSMode] != "":
				count(t.sidecars, own, m)
				fallthrough
			default:
				count(t.clients, own, m)
			}
		}
	}
	return t
}

// isGatewayPod reports whether a pod is that of a gateway between networks.
func (m *member) isGatewayPod(p *facts.Pod) bool {
	return slices.ContainsFunc(m.gateways, func(g *gateway) bool { return !g.stray && slices.Contains(g.pods, p) })
}

// judgeFamilies: a client is given the gateways of its own family of addresses;
// before 1.30 it is given the others as well, which it cannot reach
// (pilot/pkg/xds/endpoints/ep_filters.go).
func judgeFamilies(j *judgement, members []*member) {
	if !j.several {
		return
	}
	for _, v := range j.viewsOf(members) {
		if !v.complete(members) {
			continue
		}
		has := map[string][2]bool{} // IPv4, IPv6
		for _, g := range v.gateways {
			if ip, err := netip.ParseAddr(g.Address); err == nil && g.Port != 0 {
				f := has[g.Network]
				f[0], f[1] = f[0] || ip.Is4(), f[1] || ip.Is6()
				has[g.Network] = f
			}
		}
		for _, m := range v.members {
			if !v.programs(m) {
				continue
			}
			for _, network := range slices.Sorted(maps.Keys(has)) {
				lacking := map[int][]*facts.Pod{}
				for _, p := range m.proxies {
					own := variable(p, istio.EnvProxyNetwork)
					if family := onlyFamily(p); own != "" && own != network && family >= 0 && !has[network][family] && !m.isGatewayPod(p) {
						lacking[family] = append(lacking[family], p)
					}
				}
				for family, name := range []string{"IPv4", "IPv6"} {
					if len(lacking[family]) == 0 {
						continue
					}
					groups := byWorkload(lacking[family], func(*facts.Pod) string { return "only " + name })
					j.Gather(finding.Finding{
						Code: "GW018", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.Named("network", network),
						Title:    fmt.Sprintf("pods with %s alone have no %s gateway to %s", name, name, network),
						Evidence: append([]finding.Evidence{{Field: "gateways of " + network + " for " + v.name(), Value: v.show(network)}}, evidenceOf(groups)...),
						Effect:   fmt.Sprintf("their requests do not reach %s", network),
						Fix: []finding.Step{
							finding.Say("Give the gateway of %s an %s address too (ipFamilyPolicy: RequireDualStack), or the pods an address "+
								"of the gateway's family.", network, name),
						},
					})
				}
			}
		}
	}
}

// onlyFamily is 0 for a pod that has only IPv4, 1 for only IPv6, else -1.
func onlyFamily(p *facts.Pod) int {
	v4, v6 := false, false
	for _, a := range p.IPs {
		if ip, err := netip.ParseAddr(a); err == nil {
			v4, v6 = v4 || ip.Is4(), v6 || ip.Is6()
		}
	}
	switch {
	case v4 && !v6:
		return 0
	case v6 && !v4:
		return 1
	default:
		return -1
	}
}

// show writes the gateways that a control plane has for a network.
func (v *view) show(network string) string {
	var out []string
	for _, g := range v.gateways {
		if g.Network == network {
			out = append(out, netip.AddrPortFrom(addressOf(g.Address), uint16(max(g.Port, g.HBONEPort))).String())
		}
	}
	return orNone(strings.Join(out, ", "))
}

func addressOf(s string) netip.Addr {
	ip, _ := netip.ParseAddr(s)
	return ip
}

// explains are the codes that say why a network has no gateway, in the order in
// which they are asked.
var explains = []finding.Code{"GW017", "NET013", "GW034", "GW007", "GW008", "GW002", "GW004", "GW005", "GW006", "GW030", "GW003"}

// judgeReached: a network on which there is something, which is not the clients'
// own, and to which there is no gateway.
func judgeReached(j *judgement, members []*member) {
	if !j.several {
		return
	}
	type gap struct {
		views    []*view
		in, from map[*member]int
	}
	gaps := map[string]*gap{}
	for _, v := range j.viewsOf(members) {
		if v.own.apart || !v.complete(members) {
			continue
		}
		t := v.traffic()
		for network, in := range t.endpoints {
			if !slices.Contains(j.networks, network) || v.leadsTo(network) {
				continue
			}
			from := map[*member]int{}
			for other, clients := range t.clients {
				if other != network {
					for m, n := range clients {
						from[m] += n
					}
				}
			}
			if len(from) == 0 {
				continue
			}
			if len(v.members) < len(v.contexts) {
				why := "clusters that it reads were not read here: one of them may have a gateway to " + network
				j.NotChecked(v.Context, finding.Reason{Kind: finding.NotRead, Text: why}, "GW001")
				continue
			}
			if gaps[network] == nil {
				gaps[network] = &gap{in: map[*member]int{}, from: map[*member]int{}}
			}
			gaps[network].views = append(gaps[network].views, v)
			maps.Copy(gaps[network].in, in)
			maps.Copy(gaps[network].from, from)
		}
	}
	for _, network := range slices.Sorted(maps.Keys(gaps)) {
		gap := gaps[network]
		f := finding.Finding{
			Code: "GW001", Severity: finding.Error, Object: finding.Named("network", network),
			Title:  fmt.Sprintf("network %s has no gateway", network),
			Effect: fmt.Sprintf("clients on other networks are given addresses of pods on %s, and their requests time out; ambient ones are given none", network),
		}
		var in []*member
		for _, m := range j.members {
			if n := gap.in[m]; n > 0 {
				in = append(in, m)
				f.Clusters = append(f.Clusters, m.Context)
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "on " + network, Value: finding.Plural(n, "pod")})
			}
		}
		for _, m := range j.members {
			if n := gap.from[m]; n > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "on other networks", Value: finding.Plural(n, "pod")})
			}
		}
		for _, v := range gap.views {
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: v.Context, Field: "gateways of " + network + " for " + v.name(), Value: "none"})
		}
		slices.Sort(f.Clusters)
		f.CausedBy = j.whyNone(network, in)
		if f.CausedBy == "" {
			f.CausedBy = j.unlabelled(network, in)
		}
		if slices.ContainsFunc(in, func(m *member) bool { return j.of(m.Context, finding.Object{}, "AMB030") != "" }) {
			f.Effect = fmt.Sprintf("clients on other networks are given addresses within %s, and their requests fail", strings.Join(finding.Distinct(f.Clusters), ", "))
		}
		f.Fix = causeFixes
		if f.CausedBy == "" {
			list := finding.Say("See which Services are labeled as gateways there:")
			for _, m := range in {
				list = list.By(finding.Kubectl(m.Context, "get", "services", "-A", "-l", istio.LabelNetwork))
			}
			f.Fix = []finding.Step{
				finding.Say("Install an east-west gateway there. Its Service needs label %s=%s and port %d.", istio.LabelNetwork, network,
					istio.DefaultGatewayPort), list,
			}
		}
		j.Add(f)
	}
}

// leadsTo reports whether a control plane has a gateway of a network, or may
// have one by a host name, which only it can resolve for certain.
func (v *view) leadsTo(network string) bool {
	if slices.ContainsFunc(v.gateways, func(g istio.Gateway) bool { return g.Network == network }) {
		return true
	}
	if !v.Istiod.Setting(istio.EnvResolveHostnames, true) {
		return false
	}
	return slices.ContainsFunc(v.candidates, func(c istio.Candidate) bool {
		return c.Network == network && c.Problem == "" && len(c.Addresses) > 0
	})
}

// whyNone finds what explains that a network has no gateway: what is wrong with
// the Services that are meant to be, or should have been.
func (j *judgement) whyNone(network string, in []*member) string {
	for _, code := range explains {
		for _, m := range j.members {
			for _, g := range m.gateways {
				if g.network == network || slices.Contains(in, m) {
					if id := j.of(m.Context, g.object(), code); id != "" {
						return id
					}
				}
			}
		}
	}
	for _, m := range j.members {
		for _, k := range resources.KubernetesGateways.Of(m.Cluster).Value {
			if k.Labels[istio.LabelNetwork] == network {
				if id := j.of(m.Context, kubernetesObject(&k), "GW016"); id != "" {
					return id
				}
			}
		}
		if slices.Contains(in, m) {
			if id := j.of(m.Context, finding.Object{}, "AMB003"); id != "" {
				return id
			}
		}
	}
	for _, v := range j.views {
		if _, ok := v.MeshNetworks.Networks[network]; ok || len(v.Problems) > 0 {
			if id := j.of(v.Context, v.configMap(), "NET009"); id != "" {
				return id
			}
		}
	}
	return ""
}

// unlabelled: a Service that looks like the gateway of a network that has none,
// and lacks the label that makes it one.
func (j *judgement) unlabelled(network string, in []*member) string {
	for _, m := range j.members {
		if slices.ContainsFunc(m.gateways, func(g *gateway) bool { return g.network == network && !g.stray }) {
			return ""
		}
	}
	for _, m := range in {
		for i := range resources.Services.Of(m.Cluster).Value {
			s := &resources.Services.Of(m.Cluster).Value[i]
			listens := slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == istio.DefaultGatewayPort })
			if s.Labels[istio.LabelNetwork] != "" || !listens && s.Labels["istio"] != "eastwestgateway" {
				continue
			}
			g := m.newGateway(s, network, true)
			f := g.finding("GW033", finding.Error, "the Service of the gateway lacks the label that says to which network it leads")
			f.Evidence = []finding.Evidence{labelEvidence(g.object().String(), ""), {Field: g.at("ports"), Value: portsOf(s)}, m.systemLabel()}
			f.Effect = g.lost()
			f.Fix = []finding.Step{finding.Say("Give the Service the label:").By(g.kubectl("label", istio.LabelNetwork+"="+network))}
			j.Add(f)
			return f.ID()
		}
	}
	return ""
}

// Age is a time as kubectl shows it, for people.
func Age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", max(0, d/time.Second))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
}
