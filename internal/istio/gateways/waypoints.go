package gateways

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// waypoints: a control plane makes a gateway of a network of a waypoint: of a Gateway with
// the label of a network and an address in its spec, or of a Service that istiod has made for
// a waypoint and that is reached from outside (pilot/pkg/serviceregistry/kube/controller/
// network.go, handleGatewayResource and getGatewayDetails, which ask for no class).
func waypoints(p pass) {
	if !p.Model.Several() {
		return
	}
	var found []finding.Finding
	for _, w := range p.Model.AdvertisedWaypoints() {
		if !p.Able(w.In.Context) {
			continue
		}
		object := w.ControlPlane.CandidateObject(w.CandidateRef)
		var addresses []string
		for _, a := range w.Addresses {
			addresses = append(addresses, a.Address)
		}
		f := finding.Finding{
			Code:     "GW039",
			Severity: finding.Error,
			Clusters: []string{w.In.Context},
			Object:   object,
			Title:    fmt.Sprintf("istiod advertises a waypoint as a gateway of %s", w.Network),
			Evidence: []finding.Evidence{
				{Cluster: w.In.Context, Field: object.String() + ", label " + istio.LabelNetwork, Value: w.Network},
				{
					Cluster: w.In.Context,
					Field:   "advertised",
					Value:   fmt.Sprintf("%s, port %d", strings.Join(addresses, ", "), cmp.Or(w.Port, w.HBONEPort)),
				},
			},
			Effect: fmt.Sprintf(
				"a share of the requests from other networks for %s goes to the waypoint, which is not a gateway, and fails",
				w.Network,
			),
			Fix: withoutNetwork(w),
		}
		if !w.Found {
			f.Severity, f.Title = finding.Warning, fmt.Sprintf(
				"istiod takes a waypoint for a gateway of %s, by a name that has no address yet",
				w.Network,
			)
			f.Effect = fmt.Sprintf(
				"as soon as another cluster has a Service of that name, a share of the requests for %s goes there, and fails",
				w.Network,
			)
		}
		found = append(found, f)
	}
	// Several control planes can advertise one: what fails for one of them comes first.
	slices.SortStableFunc(found, func(a, b finding.Finding) int {
		return slices.Index(finding.Severities, a.Severity) - slices.Index(finding.Severities, b.Severity)
	})
	seen := map[finding.Object]bool{}
	for _, f := range found {
		if !seen[f.Object] {
			seen[f.Object] = true
			p.Report(f)
		}
	}
}

// withoutNetwork are the steps after which nobody makes a gateway of a waypoint.
func withoutNetwork(w model.Waypoint) []finding.Step {
	if w.Kind == "Service" {
		s := w.In.Service(w.Namespace, w.Name)
		return []finding.Step{
			finding.Say("Careful: what reaches the waypoint by its address outside of the cluster stops. " +
				"Make its Service one of the cluster alone; " +
				"istiod itself sets the label of the network:").
				By(finding.Kubectl(w.In.Context, "-n", w.Namespace, "annotate",
					"gateways.gateway.networking.k8s.io/"+cmp.Or(s.Labels[istio.LabelGatewayName], "NAME"),
					"networking.istio.io/service-type=ClusterIP", "--overwrite")),
		}
	}
	out := []finding.Step{
		finding.Say("Remove the label from the waypoint:").By(finding.Kubectl(w.In.Context, "-n", w.Namespace, "label",
			"gateways.gateway.networking.k8s.io/"+w.Name, istio.LabelNetwork+"-")),
	}
	gateways := resources.KubernetesGateways.Of(w.In.Cluster).Value
	for i := range gateways {
		k := &gateways[i]
		if o := owner.Of(&k.ObjectMeta); k.Namespace == w.Namespace && k.Name == w.Name && o.Known() {
			out = append(out, o.Step(w.In.Context, model.GatewayObject(k)))
		}
	}
	return out
}
