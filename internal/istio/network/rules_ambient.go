package network

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// eastWest are the gateways of ambient networks in a cluster.
func (m *member) eastWest() []*api.KubernetesGateway {
	var out []*api.KubernetesGateway
	for i := range resources.KubernetesGateways.Of(m.Cluster).Value {
		if k := &resources.KubernetesGateways.Of(m.Cluster).Value[i]; k.Spec.GatewayClassName == api.ClassEastWest {
			out = append(out, k)
		}
	}
	return out
}

// gatewayCommand is a command about a Gateway of the Gateway API.
func gatewayCommand(m *member, k *api.KubernetesGateway, verb string, rest ...string) finding.Command {
	return finding.Kubectl(m.Context, append([]string{"-n", k.Namespace, verb, "gateways.gateway.networking.k8s.io/" + k.Name}, rest...)...)
}

// judgeAmbientGate: in every control plane a setting decides whether ambient
// workloads know of other networks (pilot/pkg/features/ambient.go).
func judgeAmbientGate(j *judgement, members []*member) {
	at := slices.IndexFunc(members, func(m *member) bool { return len(m.eastWest()) > 0 })
	if at < 0 {
		return
	}
	for _, m := range members {
		for _, i := range m.istiods {
			if i.On(istio.EnvAmbientMultiNetwork) && i.On(istio.EnvAmbient) {
				continue
			}
			k := members[at].eastWest()[0]
			j.Add(finding.Finding{
				Code: "AMB001", Severity: finding.Error, Clusters: []string{m.Context},
				Object: finding.In("deployment", i.Namespace, i.Name),
				Title:  "the control plane does not know of ambient mode across networks",
				Evidence: []finding.Evidence{
					{Cluster: m.Context, Field: "istiod " + i.Name + ", " + istio.EnvAmbient, Value: orNone(i.Env(istio.EnvAmbient))},
					{Cluster: m.Context, Field: "istiod " + i.Name + ", " + istio.EnvAmbientMultiNetwork, Value: orNone(i.Env(istio.EnvAmbientMultiNetwork))},
					{Cluster: members[at].Context, Field: kubernetesObject(k).String(), Value: "of class " + api.ClassEastWest},
				},
				Effect: "ambient workloads there do not find services of other clusters, and gateways of that class are not made",
				Fix: []finding.Step{
					finding.Say("Set %s to true in values.pilot.env of istiod's installation, with profile ambient.", istio.EnvAmbientMultiNetwork),
					finding.Say("To set it at once, until the next installation; this restarts istiod:").
						By(finding.Kubectl(m.Context, "-n", i.Namespace, "set", "env", "deployment/"+i.Name, istio.EnvAmbientMultiNetwork+"=true")),
				},
			})
		}
	}
}

// lacking is what istiod asks of the gateway of an ambient network and does not
// find; it passes such a gateway over (pilot/pkg/serviceregistry/ambient/networks.go).
func lacking(k *api.KubernetesGateway) []finding.Evidence {
	object := kubernetesObject(k).String()
	var out []finding.Evidence
	bad := func(field, value string) {
		out = append(out, finding.Evidence{Field: object + ", " + field, Value: value})
	}
	if k.Labels[istio.LabelNetwork] == "" {
		bad("label "+istio.LabelNetwork, "none")
	}
	switch at := slices.IndexFunc(k.Spec.Listeners, func(l api.Listener) bool { return l.Protocol == "HBONE" }); {
	case at < 0:
		bad("listeners", "none of protocol HBONE")
	case k.Spec.GatewayClassName == api.ClassEastWest && !slices.ContainsFunc(k.Spec.Listeners, istio.IsEastWestListener):
		bad("listener "+cmp.Or(k.Spec.Listeners[at].Name, "HBONE")+", tls.mode", "not Terminate")
	}
	if !slices.ContainsFunc(k.Status.Addresses, istio.IsGatewayAddress) {
		bad("status.addresses", "none of type IPAddress or Hostname")
		for _, c := range k.Status.Conditions {
			if c.Type == "Programmed" && c.Status != metav1.ConditionTrue {
				bad("condition Programmed", conditionText(c))
			}
		}
	}
	return out
}

// conditionText is what a condition says.
func conditionText(c metav1.Condition) string {
	return strings.TrimSpace(string(c.Status) + " " + cmp.Or(c.Message, c.Reason))
}

// leadsAmbient reports whether a control plane tells ambient workloads of a
// gateway to a network: of class istio-east-west elsewhere, istio-remote at home.
func (v *view) leadsAmbient(network string) bool {
	for _, m := range v.members {
		class := api.ClassEastWest
		if m == v.own {
			class = api.ClassRemote
		}
		for i := range resources.KubernetesGateways.Of(m.Cluster).Value {
			if k := &resources.KubernetesGateways.Of(m.Cluster).Value[i]; k.Spec.GatewayClassName == class && k.Labels[istio.LabelNetwork] == network && len(lacking(k)) == 0 {
				return true
			}
		}
	}
	return false
}

// judgeEastWest: whether the gateways of ambient networks count.
func judgeEastWest(j *judgement, members []*member) {
	for _, m := range members {
		for _, k := range m.eastWest() {
			evidence := lacking(k)
			if len(evidence) == 0 {
				continue
			}
			f := finding.Finding{
				Code: "AMB003", Severity: finding.Error, Clusters: []string{m.Context}, Object: kubernetesObject(k),
				Title: "the gateway of an ambient network does not count", Evidence: evidence,
				Effect: fmt.Sprintf("ambient workloads of other clusters do not reach services of %s", m.Context),
				Fix:    []finding.Step{finding.Say("Read what the conditions of the Gateway say:").By(gatewayCommand(m, k, "describe"))},
			}
			if k.Labels[istio.LabelNetwork] == "" {
				f.Fix = []finding.Step{
					finding.Say("Label the Gateway with its network:").
						By(gatewayCommand(m, k, "label", istio.LabelNetwork+"="+cmp.Or(m.home(), "NETWORK"))),
				}
			}
			if network := cmp.Or(k.Labels[istio.LabelNetwork], m.home()); othersLead(members, k, network) {
				f.Severity, f.Effect = finding.Warning, "no ambient workload of another cluster goes through it: another gateway of "+network+" counts"
			}
			f.CausedBy = j.of(m.Context, m.serviceOf(k), "GW002", "GW012")
			j.Add(f)
		}
	}
}

// othersLead reports whether there is another gateway that counts to the ambient
// workloads of a network.
func othersLead(members []*member, k *api.KubernetesGateway, network string) bool {
	return slices.ContainsFunc(members, func(m *member) bool {
		return slices.ContainsFunc(m.eastWest(), func(o *api.KubernetesGateway) bool {
			return o != k && o.Labels[istio.LabelNetwork] == network && len(lacking(o)) == 0
		})
	})
}

// serviceOf is the Service that istiod has made of a Gateway; one without a name where
// there is none.
func (m *member) serviceOf(k *api.KubernetesGateway) finding.Object {
	for _, g := range m.gateways {
		if g.service.Namespace == k.Namespace && g.service.Labels[istio.LabelGatewayName] == k.Name {
			return g.object()
		}
	}
	return finding.Kind("service")
}

// judgeKinds: sidecars and ambient proxies each need a gateway of their kind
// (pilot/pkg/xds/endpoints/ep_filters.go; pilot/pkg/serviceregistry/ambient/networks.go).
func judgeKinds(j *judgement, members []*member) {
	if !j.several {
		return
	}
	type lack struct {
		code     finding.Code
		clients  string
		title    string
		gateways string
		effect   string
		fix      finding.Step
	}
	lacks := []lack{
		{
			"AMB008", "sidecars", "sidecars have no gateway to %s: those that there are take other proxies",
			"for ambient proxies alone", "requests of sidecars to it fail",
			finding.Say("Give the network an east-west gateway with port 15443 besides the ambient one, or move the clients to ambient mode."),
		},
		{
			"AMB010", "ambient workloads", "ambient workloads have no gateway to %s that counts for them",
			"and no Gateway of class " + api.ClassEastWest + " that counts", "ambient clients are given no endpoints there",
			finding.Say("Give the network a gateway of class %s with port %d as well.", api.ClassEastWest, istio.HBONEPort),
		},
	}
	for _, v := range j.viewsOf(members) {
		if !v.complete(members) {
			continue
		}
		t := v.traffic()
		for _, network := range slices.Sorted(maps.Keys(t.endpoints)) {
			var ofIt []istio.Gateway
			for _, g := range v.gateways {
				if g.Network == network {
					ofIt = append(ofIt, g)
				}
			}
			if len(ofIt) == 0 {
				continue
			}
			for i, l := range lacks {
				clients, suits := t.sidecars, func(g istio.Gateway) bool { return g.Port != 0 && g.Port != g.HBONEPort }
				if i == 1 {
					clients, suits = t.ambient, func(istio.Gateway) bool { return v.leadsAmbient(network) }
					if !v.Istiod.On(istio.EnvAmbientMultiNetwork) || len(t.ambientEndpoints[network]) == 0 {
						continue
					}
				}
				if slices.ContainsFunc(ofIt, suits) {
					continue
				}
				var clusters []string
				evidence := []finding.Evidence{{Cluster: v.Context, Field: "gateways of " + network + " for " + v.name(), Value: v.show(network) + ", " + l.gateways}}
				for other, in := range clients {
					for m, n := range in {
						if other != network {
							clusters = append(clusters, m.Context)
							evidence = append(evidence, finding.Evidence{Cluster: m.Context, Field: l.clients + " on " + other, Value: finding.Plural(n, "pod")})
						}
					}
				}
				if len(clusters) == 0 {
					continue
				}
				slices.SortFunc(evidence[1:], func(a, b finding.Evidence) int { return strings.Compare(a.Cluster+a.Field, b.Cluster+b.Field) })
				f := finding.Finding{
					Code: l.code, Severity: finding.Error, Clusters: finding.Distinct(clusters), Object: finding.Named("network", network),
					Title: fmt.Sprintf(l.title, network), Evidence: evidence,
					Effect: l.effect, Fix: []finding.Step{l.fix},
				}
				for _, m := range v.members {
					if i == 1 && f.CausedBy == "" && t.endpoints[network][m] > 0 {
						f.CausedBy = j.of(m.Context, finding.Object{}, "AMB003")
					}
				}
				j.Gather(f)
			}
		}
	}
}
