// Package network holds the rules about the ways between Linkerd clusters: gateways, what Links
// say of them, and networks that pods reach one another by. Everything in it is pure.
package network

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

type pass = rule.Pass[*model.Mesh]

// Rules are those about gateways and networks, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	needs := func(further ...rule.Need) []rule.Need {
		return append([]rule.Need{resources.Config, resources.Links, resources.Services}, further...)
	}
	// What tells where a Link leads, and whether its controller sees the gateway.
	lead := []rule.Need{
		resources.Credentials, resources.Tokens, resources.RootCAs, resources.Accounts, resources.Namespaces, resources.Pods, resources.Nodes,
		resources.MirrorEndpoints, resources.Extensions, resources.Leases,
	}
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("NET101", finding.Error, finding.Note)}, Needs: needs(), Uses: lead,
		Run: pending,
	}, {
		Reports: []rule.Report{rule.May("NET107", finding.Error, finding.Note)}, Needs: needs(resources.Pods), Uses: lead,
		Run: gatewayPods,
	}, {
		Reports: []rule.Report{rule.May("NET102", finding.Error, finding.Warning, finding.Note)},
		Needs:   needs(resources.Nodes, resources.MirrorEndpoints, resources.Extensions), Uses: lead,
		After: []finding.Code{"NET101"}, Run: address,
	}, {
		Reports: []rule.Report{rule.May("NET103", finding.Error, finding.Note)}, Needs: needs(resources.Nodes), Uses: lead,
		Run: port,
	}, {
		Reports: []rule.Report{rule.May("NET105", finding.Warning)}, Needs: needs(), Uses: lead,
		Run: probeSpec,
	}, {
		Reports: []rule.Report{rule.May("NET104", finding.Error, finding.Warning)},
		Needs:   needs(resources.Extensions, resources.MirrorEndpoints), Uses: lead,
		Run: probePort,
	}, {
		Reports: []rule.Report{rule.May("NET106", finding.Error)}, Needs: needs(resources.Pods), Uses: lead,
		Run: identity,
	}, {
		Reports: []rule.Report{rule.May("NET110", finding.Error, finding.Note)},
		Needs: needs(resources.Pods, resources.Servers, resources.AuthorizationPolicies, resources.MeshTLSAuthentications,
			resources.NetworkAuthentications, resources.ServerAuthorizations),
		Uses: lead, Run: policies,
	}, {
		Reports: []rule.Report{rule.May("NET109", finding.Error)}, Needs: needs(resources.MirrorEndpoints, resources.Extensions), Uses: lead,
		Run: drift,
	}, {
		Reports: []rule.Report{rule.May("NET108", finding.Error)}, Needs: needs(resources.MirrorEndpoints), Uses: lead,
		After: slices.Concat(whyDead(), whyUntrusted()), Run: dead,
	}, {
		Reports: []rule.Report{rule.May("NET111", finding.Error)}, Needs: needs(resources.Pods), Uses: lead,
		Run: overlap,
	}, {
		Reports: []rule.Report{rule.May("NET115", finding.Error)}, Needs: needs(resources.CiliumConfigs), Uses: lead,
		Run: socketBalancing,
	}}
}

// whyDead are the codes that say why a gateway does not answer, in the order in which they are
// asked.
func whyDead() []finding.Code {
	return []finding.Code{"NET101", "NET107", "NET102", "NET103", "NET104", "NET106", "NET110"}
}

// whyUntrusted are the codes that say why clusters refuse each other's certificates.
func whyUntrusted() []finding.Code { return []finding.Code{"CERT108", "CERT105", "CERT106", "CERT101"} }

// throughGateways are the Links of which a rule can check both ends, that lead through a gateway which
// is known.
func throughGateways(p *pass) []*model.Link {
	return slices.DeleteFunc(model.AblePairs(p), func(l *model.Link) bool { return l.Gateway() == nil })
}

// used are the gateways of the clusters that a rule can check, with the Links that lead through
// each.
func used(p *pass) map[*model.Gateway][]*model.Link {
	out := map[*model.Gateway][]*model.Link{}
	for _, l := range throughGateways(p) {
		out[l.Gateway()] = append(out[l.Gateway()], l)
	}
	return out
}

// gateways are those of the clusters that a rule can check.
func gateways(p *pass) []*model.Gateway {
	var out []*model.Gateway
	for _, c := range model.Able(p) {
		out = append(out, c.Gateways...)
	}
	return out
}

// sources are the contexts that Links come from.
func sources(links []*model.Link) []string {
	var out []string
	for _, l := range links {
		out = append(out, l.Source.Context)
	}
	return finding.Distinct(out)
}
