package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgeEastWestAddress: ambient workloads are sent to the address in the status of
// the Gateway, which is one of the cluster's own as long as its load balancer is
// pending (pilot/pkg/config/kube/gateway/conversion.go, reportGatewayStatus), and
// always to port 15008 (pilot/pkg/serviceregistry/ambient/multicluster.go,
// createSplitHorizonWorkload).
func judgeEastWestAddress(j *judgement, members []*member) {
	if !j.several {
		return
	}
	for _, m := range members {
		for _, k := range m.eastWest() {
			network := k.Labels[istio.LabelNetwork]
			if len(lacking(k)) > 0 || !slices.ContainsFunc(m.viewers, func(v *view) bool {
				return v.own != m && v.own.label != network && ambientNetworks([]*view{v})
			}) {
				continue
			}
			object := kubernetesObject(k)
			var evidence []finding.Evidence
			var fix []finding.Step
			if inside := m.inside(k); len(inside) > 0 {
				evidence = append(evidence, finding.Evidence{
					Field: object.String() + ", status.addresses", Value: strings.Join(inside, ", ") + ", which only the cluster itself knows",
				})
				for _, c := range k.Status.Conditions {
					if c.Type == "Programmed" {
						evidence = append(evidence, finding.Evidence{Field: object.String() + ", condition Programmed", Value: conditionText(c)})
					}
				}
				fix = append(fix, finding.Say("Give the Service of the Gateway an address that other clusters reach. This is the Service:").
					By(finding.Kubectl(m.Context, "-n", k.Namespace, "get", "services", "-l", istio.LabelGatewayName+"="+k.Name)))
			}
			if at := slices.IndexFunc(k.Spec.Listeners, istio.IsEastWestListener); k.Spec.Listeners[at].Port != istio.HBONEPort {
				evidence = append(evidence, finding.Evidence{
					Field: object.String() + ", listener " + k.Spec.Listeners[at].Name + ", port",
					Value: fmt.Sprintf("%d, and clients go to %d", k.Spec.Listeners[at].Port, istio.HBONEPort),
				})
				fix = append(fix, finding.Say("Set the port of the listener of protocol HBONE to %d:", istio.HBONEPort).By(editGateway(m, k)))
			}
			if len(evidence) == 0 {
				continue
			}
			f := finding.Finding{
				Code: "AMB030", Severity: finding.Error, Clusters: []string{m.Context}, Object: object,
				Title: "ambient workloads of other clusters are sent to where the gateway is not", Evidence: evidence,
				Effect: fmt.Sprintf("their requests to %s fail, or reach what has the address in their own cluster", network), Fix: fix,
				CausedBy: j.of(m.Context, m.serviceOf(k), "GW002", "GW004", "GW030", "GW007"),
			}
			if f.CausedBy != "" {
				f.Fix = []finding.Step{finding.Say("Fix the cause: the status of the Gateway then follows.")}
			}
			j.Add(f)
		}
	}
}

// inside are the addresses in the status of a Gateway that are of its Service
// within the cluster.
func (m *member) inside(k *api.KubernetesGateway) []string {
	var out []string
	for _, a := range k.Status.Addresses {
		if !istio.IsGatewayAddress(a) {
			continue
		}
		for _, s := range resources.Services.Of(m.Cluster).Value {
			if s.Namespace != k.Namespace || s.Labels[istio.LabelGatewayName] != k.Name {
				continue
			}
			if a.Value == s.Spec.ClusterIP || slices.Contains(s.Spec.ClusterIPs, a.Value) || strings.HasPrefix(a.Value, s.Name+"."+s.Namespace+".svc.") {
				out = append(out, a.Value)
				break
			}
		}
	}
	return out
}

func editGateway(m *member, k *api.KubernetesGateway) finding.Command {
	return gatewayCommand(m, k, "edit")
}
