// Package ambient has the rules about ambient mode across clusters: whether control
// planes tell ambient workloads of other networks, whether the gateways there are used,
// whether clusters agree on which services are global, and whether ztunnel fits. All of
// it is pure.
package ambient

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Rules are those about ambient mode, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	kinds := []rule.Need{
		resources.Services, resources.Pods, resources.Nodes, resources.Namespaces, resources.KubernetesGateways,
		resources.MeshConfigs, resources.RemoteSecrets,
	}
	global := []rule.Need{
		resources.Services, resources.Pods, resources.Namespaces, resources.Istiods, resources.MeshConfigs, resources.RemoteSecrets,
	}
	gateways := []rule.Need{resources.Istiods, resources.KubernetesGateways, resources.Namespaces, resources.RemoteSecrets}
	return []*rule.Rule[*model.Mesh]{
		{
			Reports: []rule.Report{rule.May("AMB001", finding.Error)},
			Needs:   []rule.Need{resources.Istiods, resources.KubernetesGateways},
			Run:     turnedOff,
		},
		{
			Reports: []rule.Report{rule.May("AMB003", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Services, resources.KubernetesGateways},
			After:   []finding.Code{"GW002", "GW012", "GW038"},
			Run:     ignoredGateways,
		},
		{
			Reports: []rule.Report{rule.May("AMB030", finding.Error)},
			Needs:   append([]rule.Need{resources.Services}, gateways...),
			After:   []finding.Code{"GW002", "GW004", "GW030", "GW007"},
			Run:     wrongAddresses,
		},
		{
			Reports: []rule.Report{rule.May("AMB008", finding.Error)},
			Needs:   kinds,
			Uses:    []rule.Need{questions.Hostnames},
			Run:     sidecarsWithoutGateway,
		},
		{
			Reports: []rule.Report{rule.May("AMB010", finding.Error)},
			Needs:   kinds,
			Uses:    []rule.Need{questions.Hostnames},
			After:   []finding.Code{"AMB003"},
			Run:     ambientWithoutGateway,
		},
		{
			Reports: []rule.Report{rule.May("AMB002", finding.Error, finding.Warning)},
			Needs:   global,
			Run:     notGlobalEverywhere,
		},
		{
			Reports: []rule.Report{rule.May("AMB009", finding.Error, finding.Warning)},
			Needs:   global,
			Run:     waypointsInOneCluster,
		},
		{
			Reports: []rule.Report{rule.May("AMB005", finding.Error)},
			Needs:   []rule.Need{resources.Pods, resources.Namespaces, resources.Istiods, resources.RemoteSecrets},
			Run:     wrongZtunnels,
		},
		{
			Reports: []rule.Report{rule.May("AMB006", finding.Error)},
			Needs:   []rule.Need{resources.Istiods, resources.MeshConfigs, resources.RemoteSecrets},
			Run:     differentTrustDomains,
		},
		{
			Reports: []rule.Report{rule.May("AMB007", finding.Note)},
			Needs:   gateways,
			Run:     severalGateways,
		},
		{
			Reports: []rule.Report{rule.May("AMB011", finding.Error)},
			Needs:   []rule.Need{resources.Pods, resources.Istiods, resources.RemoteSecrets},
			Run:     untrustedZtunnels,
		},
		{
			Reports: []rule.Report{rule.May("AMB015", finding.Error, finding.Warning)},
			Needs:   global,
			Run:     keptByWaypoints,
		},
		{
			Reports: []rule.Report{rule.May("AMB016", finding.Note)},
			Needs:   global,
			Run:     behindGlobalWaypoints,
		},
		{
			Reports: []rule.Report{rule.May("AMB017", finding.Warning)},
			Needs:   []rule.Need{resources.ServiceEntries, resources.Istiods},
			Run:     globalServiceEntries,
		},
		{
			Reports: []rule.Report{rule.May("AMB013", finding.Warning)},
			Needs:   []rule.Need{resources.Services, resources.Pods, resources.Namespaces, resources.Istiods, resources.RemoteSecrets},
			Run:     namespacesInOneCluster,
		},
	}
}
