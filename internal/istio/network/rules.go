// Package network has the rules about which network is which: whether the system
// namespaces, the pods, the injectors and meshNetworks of a fleet agree, and what is on
// none. All of it is pure.
package network

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Rules are those about networks, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{
		{
			Reports: []rule.Report{rule.May("NET006", finding.Error)},
			Needs:   []rule.Need{resources.Pods, resources.Namespaces, resources.Webhooks},
			Uses:    []rule.Need{resources.Injectors},
			After:   []finding.Code{"PR003"},
			Run:     injectedNetworks,
		},
		{
			Reports: []rule.Report{rule.May("NET001", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Pods, resources.Namespaces, resources.MeshConfigs, resources.RemoteSecrets},
			Uses:    []rule.Need{resources.Injectors},
			Run:     unlabeledSystemNamespaces,
		},
		{
			Reports: []rule.Report{rule.May("NET002", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Pods},
			Uses:    []rule.Need{resources.Injectors},
			After:   []finding.Code{"NET001"},
			Run:     proxiesWithoutNetwork,
		},
		{
			Reports: []rule.Report{rule.May("NET005", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Pods},
			Run:     proxiesBeforeNetwork,
		},
		{
			Reports: []rule.Report{rule.May("NET003", finding.Error)},
			Needs:   []rule.Need{resources.Pods},
			Run:     labelAgainstProxy,
		},
		{
			Reports: []rule.Report{rule.May("NET004", finding.Error)},
			Needs:   []rule.Need{resources.Pods, resources.Namespaces, resources.Services},
			Run:     podsOnUnknownNetwork,
		},
		{
			Reports: []rule.Report{rule.May("NET030", finding.Error)},
			Needs:   []rule.Need{resources.Pods, resources.Namespaces, resources.Services},
			Run:     podsOnNetworkOfOthers,
		},
		{
			Reports: []rule.Report{rule.May("NET007", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Pods, resources.Nodes, resources.Namespaces},
			Uses:    []rule.Need{resources.RemoteSecrets},
			Run:     addressesTwice,
		},
		{
			Reports: []rule.Report{rule.May("NET011", finding.Warning)},
			Needs: []rule.Need{
				resources.Services, resources.WorkloadEntries, resources.ServiceEntries, resources.Istiods, resources.RemoteSecrets,
			},
			Run: workloadsWithoutNetwork,
		},
		{
			Reports: []rule.Report{rule.May("NET031", finding.Note)},
			Needs:   []rule.Need{resources.Pods},
			Run:     differentMeshIDs,
		},
		{
			Reports: []rule.Report{rule.May("NET009", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.MeshConfigs, resources.Namespaces, resources.Services, resources.RemoteSecrets},
			Run:     ineffectiveMeshNetworks,
		},
		{
			Reports: []rule.Report{rule.May("NET010", finding.Error)},
			Needs:   []rule.Need{resources.MeshConfigs, resources.RemoteSecrets},
			Run:     differentMeshNetworks,
		},
		{
			Reports: []rule.Report{rule.May("NET032", finding.Error)},
			Needs:   []rule.Need{resources.Pods, resources.Istiods, resources.RemoteSecrets},
			After:   []finding.Code{"PR003"},
			Run:     differentClusterIDs,
		},
		directRule(),
	}
}

// is says that there are some of a noun that takes an s: "1 pod is", "2 pods are".
func is(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return fmt.Sprintf("%d %ss are", n, noun)
}
