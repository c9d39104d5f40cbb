package ambient

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
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// missing is what istiod asks of the gateway of an ambient network and does not find; it
// ignores such a gateway (pilot/pkg/serviceregistry/ambient/networks.go).
func missing(k *api.KubernetesGateway) []finding.Evidence {
	object := model.GatewayObject(k).String()
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

// isUsed reports whether istiod uses the gateway of an ambient network.
func isUsed(k *api.KubernetesGateway) bool { return model.LeadsAmbient(k) }

// conditionText is what a condition says.
func conditionText(c metav1.Condition) string {
	return strings.TrimSpace(string(c.Status) + " " + cmp.Or(c.Message, c.Reason))
}

// ignoredGateways: istiod ignores the gateway of an ambient network, because something
// of it is missing.
func ignoredGateways(p *rule.Pass[*model.Mesh]) {
	able := model.Able(p)
	for _, c := range able {
		for _, k := range c.EastWest() {
			seen := missing(k)
			if len(seen) == 0 {
				continue
			}
			f := finding.Finding{
				Code:     "AMB003",
				Severity: finding.Error,
				Clusters: []string{c.Context},
				Object:   model.GatewayObject(k),
				Title:    "istiod ignores the gateway of an ambient network",
				Evidence: seen,
				Effect:   fmt.Sprintf("ambient workloads of other clusters do not reach services of %s", c.Context),
				Fix: []finding.Step{
					finding.Say("Read what the conditions of the Gateway say:").By(remedy.KubernetesGateway(c.Context, k, "describe")),
				},
				CausedBy: cmp.Or(
					model.Cause(p, c.Context, model.GatewayObject(k), "GW038"),
					model.Cause(p, c.Context, serviceOf(c, k), "GW002", "GW012"),
				),
			}
			home := c.Network().Home()
			if k.Labels[istio.LabelNetwork] == "" {
				label := finding.Say("Label the Gateway with its network:").By(remedy.Network(home, func(network string) finding.Command {
					return remedy.KubernetesGateway(c.Context, k, "label", istio.LabelNetwork+"="+network)
				}))
				if len(seen) > 1 {
					f.Fix = append([]finding.Step{label}, f.Fix...) // that alone does not fix it
				} else {
					f.Fix = []finding.Step{label}
				}
			}
			if network := cmp.Or(k.Labels[istio.LabelNetwork], home); hasAnother(able, k, network) {
				f.Severity = finding.Warning
				f.Effect = "ambient workloads of other clusters go only through another gateway of " + network
			}
			p.Report(f)
		}
	}
}

// hasAnother reports whether the ambient workloads of a network have another gateway
// that istiod uses.
func hasAnother(clusters []*model.Cluster, k *api.KubernetesGateway, network string) bool {
	return slices.ContainsFunc(clusters, func(c *model.Cluster) bool {
		return slices.ContainsFunc(c.EastWest(), func(o *api.KubernetesGateway) bool {
			return o != k && o.Labels[istio.LabelNetwork] == network && isUsed(o)
		})
	})
}

// serviceOf is the Service that istiod has made of a Gateway; one without a name where
// there is none.
func serviceOf(c *model.Cluster, k *api.KubernetesGateway) finding.Object {
	for _, g := range c.NetworkGateways() {
		if g.Service.Namespace == k.Namespace && g.Service.Labels[istio.LabelGatewayName] == k.Name {
			return finding.In("service", g.Service.Namespace, g.Service.Name)
		}
	}
	return finding.Kind("service")
}

// kind is a kind of clients, which needs gateways of its own
// (pilot/pkg/xds/endpoints/ep_filters.go; pilot/pkg/serviceregistry/ambient/networks.go).
type kind struct {
	code    finding.Code
	clients string
	// in are the clients of the kind.
	in model.Count
	// needs reports whether clients of the kind need a gateway to a network, and suits
	// whether a gateway of it is for them.
	needs func(network string) bool
	suits func(istio.Gateway) bool
	// title says that a network, %s, has no gateway for them, and gateways what there is.
	title, gateways, effect string
	fix                     finding.Step
}

// sidecarsWithoutGateway: a network has gateways, and none for sidecars.
func sidecarsWithoutGateway(p *rule.Pass[*model.Mesh]) {
	withoutGateway(p, func(cp *model.ControlPlane) kind {
		return kind{
			code: "AMB008", clients: "sidecars", in: cp.Demand().Sidecars,
			needs: func(string) bool { return true },
			suits: func(g istio.Gateway) bool { return g.Port != 0 && g.Port != g.HBONEPort },
			title: "sidecars have no gateway to %s: its gateways take ambient proxies only", gateways: "for ambient proxies only",
			effect: "requests of sidecars to it fail",
			fix: finding.Say("Give the network an east-west gateway with port %d besides the ambient one, "+
				"or move the clients to ambient mode.", istio.DefaultGatewayPort),
		}
	})
}

// ambientWithoutGateway: a network with ambient workloads has gateways, and istiod uses
// none of them for ambient clients.
func ambientWithoutGateway(p *rule.Pass[*model.Mesh]) {
	withoutGateway(p, func(cp *model.ControlPlane) kind {
		k := kind{
			code: "AMB010", clients: "ambient workloads", in: cp.Demand().Ambient,
			needs: func(network string) bool {
				return cp.Istiod.On(istio.EnvAmbientMultiNetwork) && len(cp.Demand().AmbientEndpoints[network]) > 0 &&
					!leadsAmbient(cp, network)
			},
			suits:    func(istio.Gateway) bool { return false },
			title:    "ambient workloads have no gateway to %s that istiod uses for them",
			gateways: "and no Gateway of class " + api.ClassEastWest + " that istiod uses",
			effect:   "istiod gives ambient clients no endpoints there",
			fix:      finding.Say("Give the network a gateway of class %s with port %d as well.", api.ClassEastWest, istio.HBONEPort),
		}
		return k
	})
}

// leadsAmbient reports whether a control plane tells ambient workloads of a gateway to a
// network: one of class istio-east-west in another cluster, or of class istio-remote in
// its own.
func leadsAmbient(cp *model.ControlPlane, network string) bool {
	return len(cp.AmbientGateways(network)) > 0
}

// withoutGateway finds networks that have gateways, and none for a kind of clients.
func withoutGateway(p *rule.Pass[*model.Mesh], kindFor func(*model.ControlPlane) kind) {
	if !p.Model.Several() {
		return
	}
	for _, cp := range model.AbleControlPlanes(p) {
		if !model.AbleWatched(p, cp) {
			continue
		}
		k := kindFor(cp)
		for _, network := range slices.Sorted(maps.Keys(cp.Demand().Endpoints)) {
			gateways := slices.DeleteFunc(slices.Clone(cp.Gateways()), func(g istio.Gateway) bool { return g.Network != network })
			if len(gateways) == 0 || !k.needs(network) || slices.ContainsFunc(gateways, k.suits) {
				continue
			}
			clusters, clients := clientsElsewhere(k, network)
			if len(clusters) == 0 {
				continue
			}
			has := evidence.Gateways(cp, network)
			has.Cluster, has.Value = cp.Cluster.Context, has.Value+", "+k.gateways
			f := finding.Finding{
				Code: k.code, Severity: finding.Error, Clusters: clusters, Object: finding.Named("network", network),
				Title: fmt.Sprintf(k.title, network), Evidence: append([]finding.Evidence{has}, clients...),
				Effect: k.effect, Fix: []finding.Step{k.fix},
			}
			if k.code == "AMB010" {
				f.CausedBy = ignoredOf(p, cp, network)
			}
			p.Gather(f)
		}
	}
}

// ignoredOf is the ID of the finding that says that istiod ignores a gateway of a cluster
// with endpoints on a network; "" where there is none.
func ignoredOf(p *rule.Pass[*model.Mesh], cp *model.ControlPlane, network string) string {
	for _, c := range cp.WatchedClusters() {
		if cp.Demand().Endpoints[network][c] == 0 {
			continue
		}
		if id := model.Cause(p, c.Context, finding.Object{}, "AMB003"); id != "" {
			return id
		}
	}
	return ""
}

// clientsElsewhere are the clusters with clients of a kind on other networks than one, and
// a line for each of these.
func clientsElsewhere(k kind, network string) (clusters []string, lines []finding.Evidence) {
	for other, in := range k.in {
		if other == network {
			continue
		}
		for c, n := range in {
			clusters = append(clusters, c.Context)
			lines = append(lines, finding.Evidence{Cluster: c.Context, Field: k.clients + " on " + other, Value: finding.Plural(n, "pod")})
		}
	}
	slices.SortFunc(lines, func(a, b finding.Evidence) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Field, b.Field))
	})
	return finding.Distinct(clusters), lines
}

// severalGateways: a network has several gateways for ambient workloads, of which istiod
// gives one for each service, any of them (pilot/pkg/serviceregistry/ambient/multicluster.go;
// https://github.com/istio/istio/issues/56960).
func severalGateways(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	for _, cp := range model.AbleControlPlanes(p) {
		if !crossesNetworks(cp.Istiod) {
			continue
		}
		by := map[string][]finding.Evidence{}
		for _, c := range cp.WatchedClusters() {
			for _, k := range c.EastWest() {
				network := k.Labels[istio.LabelNetwork]
				if c == cp.Cluster || network == cp.Cluster.Network().Namespace || !isUsed(k) {
					continue
				}
				by[network] = append(by[network], finding.Evidence{
					Cluster: c.Context, Field: model.GatewayObject(k).String(), Value: addressesOf(k),
				})
			}
		}
		for _, network := range slices.Sorted(maps.Keys(by)) {
			if len(by[network]) < 2 {
				continue
			}
			var clusters []string
			for _, e := range by[network] {
				clusters = append(clusters, e.Cluster)
			}
			p.Gather(finding.Finding{
				Code: "AMB007", Severity: finding.Note, Clusters: finding.Distinct(clusters), Object: finding.Named("network", network),
				Title:    fmt.Sprintf("%s has several gateways for ambient workloads; a service uses one", network),
				Evidence: by[network],
				Effect: "all requests of ambient clients on other networks to a service go through one of them, also those for pods of " +
					"other clusters; if it fails, no other one takes over",
				Fix: []finding.Step{finding.Say("Change nothing as long as each of the gateways reaches all clusters of the network.")},
			})
		}
	}
}

// addressesOf are the addresses in the status of a Gateway.
func addressesOf(k *api.KubernetesGateway) string {
	var out []string
	for _, a := range k.Status.Addresses {
		out = append(out, a.Value)
	}
	return evidence.OrNone(strings.Join(finding.Distinct(out), ", "))
}
