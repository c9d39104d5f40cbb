// Package primaryremote has the rules about remote clusters, whose pods are injected and
// configured by a control plane in another cluster: how they find it, whether they trust
// it, and what it may do there. Everything in it is pure.
package primaryremote

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// pass is one rule's run.
type pass = *rule.Pass[*model.Mesh]

// Rules are those about remote clusters and the addresses of their control planes, in the
// order in which they run. The rules about gateways are to be given first: what keeps
// clients of a gateway out is the cause of what keeps proxies from a control plane behind it.
func Rules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{
		{
			Reports: []rule.Report{rule.May("PR012", finding.Error)},
			Needs:   []rule.Need{resources.Services, resources.Istiods, resources.Webhooks, resources.Namespaces},
			Uses:    []rule.Need{resources.RemoteSecrets},
			Run:     injectionServiceMissing,
		},
		{
			Reports: []rule.Report{rule.May("PR002", finding.Error)},
			Needs:   []rule.Need{resources.Services, resources.Istiods, resources.Webhooks},
			Uses:    []rule.Need{resources.RemoteSecrets},
			Run:     injectionServiceIsName,
		},
		{
			Reports: []rule.Report{rule.May("PR003", finding.Error)},
			Needs:   []rule.Need{resources.Istiods, resources.Webhooks},
			Uses:    []rule.Need{resources.RemoteSecrets},
			Run:     injectionPath,
		},
		{
			Reports: []rule.Report{rule.May("PR005", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Istiods, resources.Namespaces, resources.Webhooks},
			Uses:    []rule.Need{resources.RootCert, resources.RemoteSecrets},
			Run:     notManaged,
		},
		{
			Reports: []rule.Report{rule.May("PR004", finding.Error)},
			Needs:   []rule.Need{resources.Istiods, resources.Namespaces, resources.Webhooks},
			Uses:    []rule.Need{resources.RemoteSecrets},
			After:   []finding.Code{"PR005"},
			Run:     noBundle,
		},
		{
			Reports: []rule.Report{rule.May("PR004", finding.Error)},
			Needs: []rule.Need{
				resources.Istiods, resources.Namespaces, resources.Webhooks, resources.RootCert, resources.MeshConfigs, resources.RemoteSecrets,
			},
			Uses:  []rule.Need{resources.Pods, resources.GatewayEvents},
			After: []finding.Code{"PR005"},
			Run:   otherBundle,
		},
		{
			Reports: []rule.Report{rule.May("PR009", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Services, resources.Pods, resources.Istiods, resources.Webhooks},
			Uses:    []rule.Need{resources.RemoteSecrets},
			Run:     formerControlPlane,
		},
		{
			Reports: []rule.Report{rule.May("PR001", finding.Error)},
			Needs:   []rule.Need{resources.Services, resources.Pods, resources.Istiods, resources.Webhooks, resources.RemoteSecrets},
			Uses:    []rule.Need{resources.SystemSlices, resources.Nodes, resources.MeshConfigs, questions.Hostnames, questions.Trials},
			Run:     primaryAddress,
		},
		{
			Reports: []rule.Report{rule.May("PR015", finding.Error)},
			Needs:   []rule.Need{resources.Services, resources.Pods, resources.Istiods, resources.Webhooks, resources.RemoteSecrets},
			Uses:    []rule.Need{resources.SystemSlices, resources.Nodes, questions.Trials},
			Run:     nodesAddress,
		},
		{
			Reports: []rule.Report{rule.May("PR006", finding.Error)},
			Needs: []rule.Need{
				resources.Services, resources.Pods, resources.Istiods, resources.Webhooks, resources.RemoteSecrets, resources.Gateways,
			},
			Uses: []rule.Need{resources.SystemSlices, resources.VirtualServices, questions.Trials},
			Run:  exposure,
		},
		{
			Reports: []rule.Report{rule.May("PR007", finding.Error)},
			Needs:   []rule.Need{resources.Istiods, resources.Namespaces, resources.Webhooks, resources.RemoteSecrets},
			Uses:    []rule.Need{resources.ReaderRights},
			Run:     tokenReviews,
		},
		{
			Reports: []rule.Report{rule.May("PR007", finding.Error)},
			Needs:   []rule.Need{resources.Istiods, resources.Namespaces, resources.Webhooks},
			Uses:    []rule.Need{resources.RemoteSecrets, resources.RootCert},
			Run:     namedWithoutSecret,
		},
		{
			Reports: []rule.Report{rule.May("PR008", finding.Error)},
			Needs: []rule.Need{
				resources.Istiods, resources.Namespaces, resources.Webhooks, resources.RemoteSecrets, resources.MeshConfigs,
			},
			Uses:  []rule.Need{resources.RootCert},
			After: []finding.Code{"PR005"},
			Run:   otherRoot,
		},
		{
			Reports: []rule.Report{rule.May("PR010", finding.Error)},
			Needs:   []rule.Need{resources.Services, resources.Pods},
			Uses:    []rule.Need{resources.RemoteSecrets},
			Run:     discoveryServiceMissing,
		},
		{
			Reports: []rule.Report{rule.May("PR011", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Istiods, resources.Namespaces, resources.Webhooks, resources.RemoteSecrets},
			Uses:    []rule.Need{resources.ReaderRights, resources.RootCert},
			After:   []finding.Code{"PR005"},
			Run:     writeRights,
		},
		{
			Reports: []rule.Report{rule.May("PR013", finding.Error)},
			Needs: []rule.Need{
				resources.Services, resources.Pods, resources.Istiods, resources.Webhooks, resources.RemoteSecrets, resources.MeshConfigs,
			},
			Uses: []rule.Need{resources.RootCert, resources.GatewayEvents, questions.Trials},
			Run:  serverNames,
		},
		{
			Reports: []rule.Report{
				rule.May("GW013", finding.Error, finding.Warning), rule.May("PR004", finding.Error, finding.Warning),
				rule.May("PR006", finding.Error, finding.Warning), rule.May("PR008", finding.Error, finding.Warning),
				rule.May("PR013", finding.Error, finding.Warning),
			},
			Needs: []rule.Need{resources.Services, resources.Pods, resources.Istiods, resources.Webhooks, resources.RemoteSecrets},
			Uses:  []rule.Need{questions.Trials},
			After: append([]finding.Code{"PR001", "PR005"}, gatewayCauses...),
			When:  probing.Topic,
			Run:   trials,
		},
		{
			Reports: []rule.Report{rule.May("PR014", finding.Error)},
			Needs:   []rule.Need{resources.Pods, resources.Istiods},
			Uses: []rule.Need{
				resources.GatewayEvents, resources.Services, resources.Webhooks, resources.RootCert,
				resources.MeshConfigs, resources.RemoteSecrets, questions.Trials,
			},
			After: []finding.Code{"PR012", "PR002", "PR001", "CP026"},
			Run:   refusedByWebhook,
		},
	}
}

// remote is a cluster whose pods are injected by a control plane elsewhere.
type remote struct {
	*model.Cluster
	// by are the control planes that configure its proxies, one at least.
	by []*model.ControlPlane
}

// remotes are the remote clusters that a rule can check and that a control plane watches.
func remotes(p pass) []remote {
	var out []remote
	for _, c := range model.Able(p) {
		if c.RemoteWatched() {
			out = append(out, remote{c, c.ConfiguredBy()})
		}
	}
	return out
}

// cause is the ID of the first finding about the cluster with one of the codes; "" where
// there is none.
func (r remote) cause(p pass, codes ...finding.Code) string {
	return model.Cause(p, r.Context, finding.Object{}, codes...)
}

// lacks says why one of the codes of the rule is not checked in the cluster; false where
// the row was read.
func (r remote) lacks(p pass, row rule.Need) bool {
	why, lacks := rule.Lacks(r.Cluster.Cluster, row)
	if lacks {
		p.NotChecked(r.Context, why)
	}
	return lacks
}
