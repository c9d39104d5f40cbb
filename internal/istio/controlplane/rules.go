// Package controlplane has the rules about the mesh of one cluster: does istiod run, do its webhooks
// work, do pods get their proxies, and are those content? They are for a fleet of one cluster as well.
// A symptom makes a finding, a setting alone explains one. Everything in it is pure.
package controlplane

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// pass is one rule's run.
type pass = *rule.Pass[*model.Mesh]

// Rules are those about control planes, injection and proxies, in the order in which they run. They
// check each cluster by itself, also one that is not part of the mesh of the others.
func Rules() []*rule.Rule[*model.Mesh] {
	var out []*rule.Rule[*model.Mesh]
	for _, rules := range [][]*rule.Rule[*model.Mesh]{controlPlaneRules(), webhookRules(), podRules(), proxyRules(), trafficRules()} {
		for _, r := range rules {
			r.Everywhere = true
			out = append(out, r)
		}
	}
	return out
}

// runs is what tells how an istiod runs, and who needs it.
var runs = []rule.Need{
	resources.Istiods,
	resources.IstiodPods,
	resources.Pods,
	resources.Namespaces,
	resources.MutatingWebhooks,
	resources.Services,
}

func with(needs ...rule.Need) []rule.Need { return append(append([]rule.Need{}, runs...), needs...) }

// controlPlaneRules are those about istiod itself.
func controlPlaneRules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("CP003", finding.Error, finding.Warning, finding.Note)},
		Needs:   runs,
		Run:     waitsForNode,
	}, {
		Reports: []rule.Report{rule.May("CP002", finding.Error, finding.Warning)},
		Needs:   runs,
		Uses:    []rule.Need{resources.RemoteSecrets},
		After:   []finding.Code{"CERT005", "CERT006", "CERT007", "CERT008", "CERT010", "SEC025"},
		Run:     restarts,
	}, {
		Reports: []rule.Report{rule.May("CP013", finding.Error)},
		Needs: with(
			resources.VirtualServices, resources.DestinationRules, resources.Gateways, resources.ServiceEntries, resources.Sidecars,
			resources.PeerAuthentications, resources.AuthorizationPolicies,
		),
		Run: oldDefinitions,
	}, {
		Reports: []rule.Report{rule.May("CP014", finding.Error, finding.Warning)},
		Needs: with(
			resources.TLSRouteDefinition, resources.TCPRouteDefinition, resources.GRPCRouteDefinition, resources.BackendTLSPolicyDefinition,
			resources.KubernetesGateways,
		),
		Uses: []rule.Need{resources.TLSRoutes, resources.TCPRoutes, resources.GRPCRoutes, resources.BackendTLSPolicies},
		Run:  notRead,
	}, {
		Reports: []rule.Report{rule.May("CP004", finding.Error, finding.Warning)},
		Needs:   runs,
		Uses:    []rule.Need{resources.RemoteSecrets},
		After:   []finding.Code{"SEC025", "CP013", "CP014"},
		Run:     notReady,
	}, {
		Reports: []rule.Report{rule.May("CP001", finding.Error)},
		Needs:   runs,
		After:   []finding.Code{"CP003", "CP002", "CP004"},
		Run:     noneReady,
	}, {
		Reports: []rule.Report{rule.May("CP012", finding.Error, finding.Warning)},
		Needs:   with(resources.Version),
		Run:     tooOld,
	}, {
		Reports: []rule.Report{rule.May("CP015", finding.Warning)},
		Needs:   runs,
		Uses:    []rule.Need{resources.RemoteSecrets},
		Run:     apart,
	}, {
		Reports: []rule.Report{rule.May("CP071", finding.Error, finding.Warning)},
		Needs:   []rule.Need{resources.Leases, resources.Nodes},
		Run:     clocksApart,
	}, {
		Reports: []rule.Report{rule.May("CP072", finding.Warning)},
		Needs:   []rule.Need{resources.Istiods, resources.MeshConfigs},
		Run:     unreadFields,
	}, {
		Reports: []rule.Report{rule.May("CP070", finding.Warning)},
		Needs:   runs,
		Uses:    []rule.Need{resources.Usage},
		Run:     nearLimit,
	}}
}

// webhookRules are those about what the API server calls, and what keeps pods from being created.
func webhookRules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("CP022", finding.Error, finding.Warning)},
		Needs:   with(resources.AllValidatingWebhooks, resources.EndpointSlices),
		After:   []finding.Code{"CP001", "PR012"},
		Run:     withoutEndpoints,
	}, {
		Reports: []rule.Report{rule.May("CP026", finding.Error, finding.Note)},
		Needs:   with(resources.AllValidatingWebhooks),
		Run:     leftOver,
	}, {
		Reports: []rule.Report{rule.May("CP025", finding.Error)},
		Needs:   with(resources.Injectors, resources.RefusedPods),
		Run:     withoutTemplate,
	}, {
		Reports: []rule.Report{rule.May("CP024", finding.Error)},
		Needs:   with(resources.RefusedPods),
		After:   []finding.Code{"CP001", "PR012", "PR002", "PR001", "CP022", "CP026", "CERT037", "CP025", "PR014"},
		Run:     podsRefused,
	}, {
		Reports: []rule.Report{rule.May("CP024", finding.Warning)},
		Needs:   with(resources.AllValidatingWebhooks),
		Run:     staysOpen,
	}, {
		Reports: []rule.Report{rule.May("CP034", finding.Error)},
		Needs:   []rule.Need{resources.RefusedPods, resources.Pods, resources.Namespaces},
		Run:     podSecurity,
	}, {
		Reports: []rule.Report{rule.May("CP037", finding.Error)},
		Needs:   []rule.Need{resources.RefusedPods, resources.Pods, resources.Namespaces, resources.MutatingWebhooks},
		Run:     sidecarSpoiled,
	}}
}

// podRules are those about which pods get a proxy.
func podRules() []*rule.Rule[*model.Mesh] {
	pods := []rule.Need{resources.Namespaces, resources.Pods, resources.MutatingWebhooks, resources.Webhooks}
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("CP020", finding.Error, finding.Warning)},
		Needs:   pods,
		Run:     notTaken,
	}, {
		Reports: []rule.Report{rule.May("CP021", finding.Warning)},
		Needs:   pods,
		Run:     takenTwice,
	}, {
		Reports: []rule.Report{rule.May("CP030", finding.Error, finding.Warning)},
		Needs:   append(pods[:len(pods):len(pods)], resources.Istiods, resources.Injectors, resources.PeerAuthentications),
		Run:     withoutProxy,
	}, {
		Reports: []rule.Report{rule.May("CP031", finding.Warning)},
		Needs:   []rule.Need{resources.Namespaces, resources.MutatingWebhooks},
		Run:     contradicting,
	}, {
		Reports: []rule.Report{rule.May("CP032", finding.Warning)},
		Needs:   []rule.Need{resources.Namespaces},
		Run:     withoutEffect,
	}, {
		Reports: []rule.Report{rule.May("CP033", finding.Error)},
		Needs:   pods,
		After:   []finding.Code{"CP020"},
		Run:     autoImage,
	}, {
		Reports: []rule.Report{rule.May("CP035", finding.Error)},
		Needs:   []rule.Need{resources.Pods},
		Run:     notSetUp,
	}, {
		Reports: []rule.Report{rule.May("CP036", finding.Warning)},
		Needs:   []rule.Need{resources.Pods},
		Uses:    []rule.Need{resources.Nodes},
		Run:     endlessJobs,
	}, {
		Reports: []rule.Report{rule.May("CP050", finding.Error)},
		Needs:   []rule.Need{resources.Pods, resources.Nodes, resources.Namespaces},
		Uses:    []rule.Need{resources.Istiods, resources.RefusedPods},
		Run:     withoutZtunnel,
	}, {
		Reports: []rule.Report{rule.May("CP051", finding.Error)},
		Needs:   []rule.Need{resources.Pods, resources.Nodes, resources.Namespaces},
		After:   []finding.Code{"CP050"},
		Run:     withoutCNI,
	}, {
		Reports: []rule.Report{rule.May("CP052", finding.Error, finding.Warning)},
		Needs:   []rule.Need{resources.Pods, resources.Namespaces, resources.PeerAuthentications, resources.AuthorizationPolicies},
		Run:     notCaptured,
	}, {
		Reports: []rule.Report{rule.May("CP055", finding.Warning)},
		Needs:   runs,
		Run:     agents,
	}}
}

// proxyRules are those about proxies that are there.
func proxyRules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("CP010", finding.Error, finding.Warning)},
		Needs:   []rule.Need{resources.Pods, resources.Istiods, resources.Services, resources.RemoteSecrets},
		Uses:    []rule.Need{questions.Istiods, questions.Rejections},
		Run:     unsupported,
	}, {
		Reports: []rule.Report{rule.May("CP042", finding.Error)},
		Needs:   []rule.Need{resources.Pods, resources.Istiods},
		Uses:    []rule.Need{questions.Istiods, questions.Rejections, resources.IstiodPods, resources.RemoteSecrets},
		After:   []finding.Code{"CP010"},
		Run:     rejected,
	}, {
		Reports: []rule.Report{rule.May("CP027", finding.Warning, finding.Note)},
		Needs:   []rule.Need{resources.Istiods, resources.IstiodPods, resources.AllValidatingWebhooks},
		After:   []finding.Code{"CP042"},
		Run:     unchecked,
	}, {
		Reports: []rule.Report{rule.May("CP045", finding.Error, finding.Warning)},
		Needs:   []rule.Need{resources.Pods},
		Uses:    []rule.Need{resources.Services, resources.Sidecars},
		Run:     outOfLimit,
	}, {
		Reports: []rule.Report{rule.May("CP047", finding.Note)},
		Needs:   []rule.Need{resources.Istiods, resources.IstiodPods},
		Uses:    []rule.Need{questions.Istiods},
		Run:     onOneReplica,
	}, {
		Reports: []rule.Report{rule.May("CP044", finding.Error)},
		Needs:   []rule.Need{resources.Pods, resources.Istiods, resources.IstiodPods},
		Uses:    []rule.Need{questions.Istiods, questions.Refusals, resources.RemoteSecrets},
		After:   []finding.Code{"NET032", "CP071", "CERT005", "CERT006", "CERT007", "CERT008", "CERT010"},
		Run:     refusesProxies,
	}, {
		Reports: []rule.Report{rule.May("CP040", finding.Error, finding.Warning)},
		Needs:   []rule.Need{resources.Pods},
		After:   []finding.Code{"CP042", "CP045", "CP001", "CP044", "NET032", "PR010", "CERT014", "CERT010", "EP020"},
		Run:     proxiesUnready,
	}}
}

// trafficRules are those about policies, and what leads to nothing.
func trafficRules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("CP053", finding.Error, finding.Warning)},
		Needs: []rule.Need{
			resources.Namespaces, resources.Services, resources.Pods, resources.KubernetesGateways, resources.Istiods, resources.Webhooks,
			resources.AuthorizationPolicies,
		},
		After: []finding.Code{"GW038"},
		Run:   deadWaypoints,
	}, {
		Reports: []rule.Report{rule.May("CP065", finding.Error, finding.Warning)},
		Needs:   []rule.Need{resources.Pods, resources.Services, resources.KubernetesGateways},
		After:   []finding.Code{"CP003", "CP033", "CP040"},
		Run:     deadGateways,
	}, {
		Reports: []rule.Report{rule.May("CP054", finding.Error)},
		Needs:   []rule.Need{resources.Pods, resources.Namespaces, resources.NetworkPolicies},
		Run:     keptOut,
	}, {
		Reports: []rule.Report{rule.May("CP060", finding.Error, finding.Warning)},
		Needs: []rule.Need{
			resources.MutatingWebhooks, resources.AllValidatingWebhooks, resources.APIServices, resources.Pods, resources.Services,
			resources.EndpointSlices, resources.Namespaces, resources.PeerAuthentications, resources.MeshConfigs, resources.Istiods,
		},
		Run: strictBeforeAPIServer,
	}, {
		Reports: []rule.Report{rule.May("CP061", finding.Error)},
		Needs: []rule.Need{
			resources.Pods, resources.Services, resources.EndpointSlices, resources.Namespaces, resources.PeerAuthentications,
			resources.DestinationRules, resources.MeshConfigs, resources.Istiods,
		},
		Uses:  []rule.Need{resources.RemoteSecrets, resources.MutatingWebhooks},
		After: []finding.Code{"EP008", "EP009", "EP007", "EP002"},
		Run:   disagreeing,
	}, {
		Reports: []rule.Report{rule.May("CP064", finding.Error, finding.Warning)},
		Needs: []rule.Need{
			resources.Gateways, resources.VirtualServices, resources.ServiceEntries, resources.Services, resources.Pods, resources.Istiods,
			resources.RemoteSecrets,
		},
		Run: danglingReferences,
	}}
}
