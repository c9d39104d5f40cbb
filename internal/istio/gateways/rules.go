package gateways

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Rules are those about gateways between networks, in the order in which they run: first
// what a Service says of itself, then whether istiod uses it, its pods and its load
// balancer, then what networks get of it, and last what came of trying addresses.
func Rules() []*rule.Rule[*model.Mesh] {
	return slices.Concat(networkRules(), serviceRules(), podRules(), reachRules(), probeRules())
}

// fails are the severities of a fault for which istiod does not use a gateway, see
// gateway.severity, and of what is an error only where clients are seen to suffer.
var fails = []finding.Severity{finding.Error, finding.Warning}

// networkRules are those about the network of a gateway.
func networkRules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{
		{
			Reports: []rule.Report{rule.May("NET014", finding.Error, finding.Note)},
			Needs:   []rule.Need{resources.Services, resources.Pods},
			Run:     labeledByAccident,
		},
		{
			Reports: []rule.Report{rule.May("NET013", finding.Error)},
			Needs:   []rule.Need{resources.Services, resources.Pods},
			Run:     otherNetwork,
		},
		{
			Reports: []rule.Report{rule.May("GW034", finding.Error)},
			Needs:   []rule.Need{resources.Services, resources.Pods, resources.Namespaces, resources.Webhooks},
			Uses:    []rule.Need{resources.MeshConfigs},
			After:   []finding.Code{"NET013"},
			Run:     networkOfNobody,
		},
		{
			Reports: []rule.Report{rule.May("NET012", finding.Warning)},
			Needs:   []rule.Need{resources.Services, resources.Pods},
			After:   []finding.Code{"NET013"},
			Run:     forwardsEverywhere,
		},
		{
			Reports: []rule.Report{rule.May("GW039", finding.Error, finding.Warning)},
			Needs: []rule.Need{
				resources.Services,
				resources.Namespaces,
				resources.KubernetesGateways,
				resources.MeshConfigs,
				resources.RemoteSecrets,
			},
			Uses: []rule.Need{questions.Hostnames},
			Run:  waypoints,
		},
		{
			Reports: []rule.Report{rule.May("GW017", finding.Error)},
			Needs:   []rule.Need{resources.Services, resources.Namespaces, resources.MeshConfigs, resources.RemoteSecrets},
			Run:     hidden,
		},
	}
}

// serviceRules are those about what the Service of a gateway, or a Gateway, says.
func serviceRules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("GW008", fails...)},
		Needs:   []rule.Need{resources.Services, resources.Istiods},
		Run:     ignoredPort,
	}, {
		Reports: []rule.Report{rule.May("GW007", fails...)},
		Needs:   []rule.Need{resources.Services, resources.Istiods},
		Uses:    []rule.Need{resources.KubernetesGateways},
		After:   []finding.Code{"GW008"},
		Run:     missingPort,
	}, {
		Reports: []rule.Report{rule.May("GW002", fails...)},
		Needs:   []rule.Need{resources.Services},
		Uses:    []rule.Need{resources.GatewayEvents},
		Run:     pending,
	}, {
		Reports: []rule.Report{rule.May("GW004", fails...)},
		Needs:   []rule.Need{resources.Services},
		Uses:    []rule.Need{resources.Nodes},
		Run:     withoutNodeSelector,
	}, {
		Reports: []rule.Report{rule.May("GW030", fails...)},
		Needs:   []rule.Need{resources.Services},
		Run:     internalType,
	}, {
		Reports: []rule.Report{rule.May("GW005", fails...)},
		Needs:   []rule.Need{resources.Services, resources.Nodes},
		Run:     noExternalIP,
	}, {
		Reports: []rule.Report{rule.May("GW006", fails...)},
		Needs:   []rule.Need{resources.Services, resources.Nodes},
		Run:     noNodeSelected,
	}, {
		Reports: []rule.Report{rule.May("GW035", finding.Warning)},
		Needs:   []rule.Need{resources.Services, resources.Nodes},
		Run:     externalIPs,
	}, {
		Reports: []rule.Report{rule.May("GW009", finding.Error)},
		Needs:   []rule.Need{resources.Services, resources.Istiods},
		Run:     unmappedHBONE,
	}, {
		Reports: []rule.Report{rule.May("GW003", finding.Error, finding.Warning, finding.Note)},
		Needs:   []rule.Need{resources.Services, resources.Istiods},
		Uses:    []rule.Need{questions.Hostnames},
		Run:     hostNames,
	}, {
		Reports: []rule.Report{rule.May("GW038", finding.Error)},
		Needs:   []rule.Need{resources.KubernetesGateways, resources.Istiods, resources.Namespaces, resources.Webhooks, resources.Services},
		Run:     unclaimed,
	}, {
		Reports: []rule.Report{rule.May("GW016", finding.Error)},
		Needs:   []rule.Need{resources.KubernetesGateways, resources.Istiods},
		Run:     withoutAddress,
	}}
}

// podRules are those about what is behind the Service of a gateway, and before it.
func podRules() []*rule.Rule[*model.Mesh] {
	listeners := []rule.Need{resources.Services, resources.Pods, resources.Istiods, resources.Gateways, resources.KubernetesGateways}
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("GW012", fails...)},
		Needs:   []rule.Need{resources.Services, resources.Pods},
		Uses:    []rule.Need{resources.GatewayEvents},
		After:   []finding.Code{"PR014", "NET032", "PR012", "PR002", "CP003", "CP033", "CP040", "CP024"},
		Run:     noReadyPod,
	}, {
		Reports: []rule.Report{rule.May("GW043", finding.Error)},
		Needs:   append(slices.Clone(listeners), resources.Namespaces, resources.MeshConfigs, resources.RemoteSecrets),
		Uses:    []rule.Need{resources.DestinationRules},
		Run:     repeatedSubsets,
	}, {
		Reports: []rule.Report{rule.May("GW032", fails...)},
		Needs:   []rule.Need{resources.Services, resources.Pods, resources.Nodes},
		Run:     localTrafficPolicy,
	}, {
		Reports: []rule.Report{rule.May("GW010", finding.Error), rule.May("GW019", finding.Error)},
		Needs:   listeners,
		Run:     listener,
	}, {
		Reports: []rule.Report{rule.May("GW011", finding.Error)},
		Needs:   listeners,
		Run:     overlappingListeners,
	}, {
		Reports: []rule.Report{rule.May("GW019", fails...)},
		Needs:   []rule.Need{resources.Services, resources.Pods, resources.NetworkPolicies},
		Run:     blockedByPolicies,
	}, {
		Reports: []rule.Report{rule.May("GW040", finding.Error)},
		Needs:   []rule.Need{resources.Services, resources.Nodes, resources.Pods, resources.Namespaces, resources.RemoteSecrets},
		Run:     otherRegion,
	}, {
		Reports: []rule.Report{rule.May("GW041", fails...)},
		Needs:   listeners,
		Run:     deafHealthCheck,
	}, {
		Reports: []rule.Report{rule.May("GW042", finding.Warning)},
		Needs:   []rule.Need{resources.Services, resources.Nodes, resources.Pods, resources.Namespaces, resources.RemoteSecrets},
		Run:     shutOut,
	}, {
		Reports: []rule.Report{rule.May("GW014", fails...)},
		Needs:   []rule.Need{resources.Services, resources.Pods},
		Uses:    []rule.Need{questions.Trials},
		After:   []finding.Code{"GW010", "GW011", "GW012", "GW019"},
		Run:     altered,
	}}
}

// reachRules are those about what clients get of the gateways of a network.
func reachRules() []*rule.Rule[*model.Mesh] {
	reached := []rule.Need{
		resources.Services, resources.Pods, resources.Nodes, resources.Namespaces, resources.KubernetesGateways, resources.MeshConfigs,
		resources.RemoteSecrets,
	}
	explained := slices.Concat(whyUnused(), []finding.Code{"GW016", "AMB003", "NET009"})
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("GW031", finding.Error)},
		Needs: []rule.Need{
			resources.Services, resources.Nodes, resources.KubernetesGateways, resources.MeshConfigs, resources.RemoteSecrets,
		},
		Uses: []rule.Need{questions.Hostnames},
		Run:  sharedAddress,
	}, {
		Reports: []rule.Report{rule.May("GW015", fails...)},
		Needs:   []rule.Need{resources.Services, resources.Nodes},
		Uses:    []rule.Need{questions.Trials},
		Run:     mixedRanges,
	}, {
		Reports: []rule.Report{rule.May("GW020", finding.Warning)},
		Needs:   []rule.Need{resources.Services, resources.MeshConfigs, resources.RemoteSecrets},
		Run:     unheldAddress,
	}, {
		Reports: []rule.Report{rule.May("GW018", finding.Error)},
		Needs: []rule.Need{
			resources.Services, resources.Pods, resources.Nodes, resources.KubernetesGateways, resources.MeshConfigs, resources.RemoteSecrets,
		},
		Uses: []rule.Need{questions.Hostnames},
		Run:  otherFamily,
	}, {
		Reports: []rule.Report{rule.May("GW033", finding.Error)},
		Needs:   reached,
		Uses:    []rule.Need{questions.Hostnames},
		After:   explained,
		Run:     unlabeled,
	}, {
		Reports: []rule.Report{rule.May("GW001", finding.Error)},
		Needs:   reached,
		Uses:    []rule.Need{questions.Hostnames},
		After:   append(slices.Clone(explained), "GW033", "AMB030"),
		Run:     noGateway,
	}}
}

// probeRules are those about what came of trying the addresses of gateways.
func probeRules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("GW013", fails...)},
		Needs:   []rule.Need{resources.Services},
		Uses:    []rule.Need{questions.Trials},
		After:   append(whyUnreachable(), "GW015"),
		When:    probing.Topic,
		Run:     unreachable,
	}, {
		Reports: []rule.Report{rule.May("GW037", fails...)},
		Needs:   []rule.Need{resources.Services},
		Uses:    []rule.Need{questions.Trials},
		After:   []finding.Code{"GW014"},
		When:    probing.Topic,
		Run:     notGateway,
	}, {
		Reports: []rule.Report{rule.May("GW036", fails...)},
		Needs:   []rule.Need{resources.Services},
		Uses:    []rule.Need{questions.Trials},
		When:    probing.Topic,
		Run:     distrusted,
	}}
}

// whyUnused are the codes that say why istiod does not use what is meant to be a gateway,
// in the order in which they are asked.
func whyUnused() []finding.Code {
	return []finding.Code{"GW017", "NET013", "GW034", "GW007", "GW008", "GW002", "GW004", "GW005", "GW006", "GW030", "GW003"}
}

// whyUnreachable are the codes that say why an address of a gateway does not answer, in the
// order in which they are asked.
func whyUnreachable() []finding.Code {
	return []finding.Code{"GW012", "GW010", "GW011", "GW014", "GW019", "GW032", "GW007"}
}
