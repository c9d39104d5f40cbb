// Package endpoints holds the rules about Links and what is mirrored by them: whether the
// controllers can read the other clusters, and whether clients get the endpoints that are there.
// Everything in it is pure.
package endpoints

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

type pass = rule.Pass[*model.Mesh]

// Rules are those about Links and mirrors, in the order in which they run: first whether a Link
// can work, then what became of each service.
func Rules() []*rule.Rule[*model.Mesh] {
	needs := func(further ...rule.Need) []rule.Need {
		return append([]rule.Need{resources.Config, resources.Links}, further...)
	}
	lead := []rule.Need{resources.Tokens, resources.RootCAs, resources.Accounts, resources.Namespaces, resources.Pods, resources.Services,
		resources.Credentials}
	return slices.Concat([]*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("EP117", finding.Error)}, Needs: needs(), Uses: lead,
		Run: names,
	}, {
		Reports: []rule.Report{rule.May("EP101", finding.Error)}, Needs: needs(resources.Credentials), Uses: lead,
		Run: credentials,
	}, {
		Reports: []rule.Report{rule.May("EP102", finding.Error, finding.Warning, finding.Note)},
		Needs:   needs(resources.Credentials, resources.Services), Uses: lead,
		Run: destination,
	}, {
		Reports: []rule.Report{rule.May("EP103", finding.Error, finding.Warning)}, Needs: needs(resources.Credentials),
		Uses: append(slices.Clone(lead), resources.ClusterRoleBindings),
		Run:  tokens,
	}, {
		Reports: []rule.Report{rule.May("EP105", finding.Error, finding.Warning)},
		Needs:   needs(resources.Credentials, resources.ClusterRoles, resources.ClusterRoleBindings, resources.Tokens, resources.Services),
		Uses:    lead,
		Run:     rights,
	}, {
		Reports: []rule.Report{rule.May("EP106", finding.Error, finding.Warning, finding.Note)},
		Needs:   needs(resources.Credentials, resources.Pods, resources.Services), Uses: lead,
		After: []finding.Code{"EP102"}, Run: stale,
	}, {
		Reports: []rule.Report{rule.May("EP107", finding.Error, finding.Note)}, Needs: needs(resources.Extensions),
		Uses: append(slices.Clone(lead), resources.Leases),
		Run:  controllers,
	}, {
		Reports: []rule.Report{rule.May("EP108", finding.Warning)}, Needs: needs(resources.Extensions, resources.Leases, resources.Pods),
		Uses: lead,
		Run:  leases,
	}, {
		Reports: []rule.Report{rule.May("EP119", finding.Error, finding.Note)}, Needs: needs(resources.Services), Uses: lead,
		Run: domains,
	}, {
		Reports: []rule.Report{rule.May("EP120", finding.Error, finding.Note)}, Needs: needs(resources.Services), Uses: lead,
		Run: versions,
	}}, mirrorRules(needs, lead))
}

// mirrorRules are those about services and their mirrors.
func mirrorRules(needs func(...rule.Need) []rule.Need, lead []rule.Need) []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("EP118", finding.Error)}, Needs: needs(resources.Services), Uses: lead,
		Run: exportedWrongly,
	}, {
		Reports: []rule.Report{rule.May("EP124", finding.Error, finding.Note)}, Needs: needs(resources.Services), Uses: lead,
		After: []finding.Code{"EP118"}, Run: unselected,
	}, {
		Reports: []rule.Report{rule.May("EP110", finding.Error)}, Needs: needs(resources.Services), Uses: lead,
		Run: collisions,
	}, {
		Reports: []rule.Report{rule.May("EP122", finding.Error)},
		Needs:   needs(resources.Services, resources.ArgoConfigs, resources.Applications), Uses: lead,
		Run: prunedMirrors,
	}, {
		Reports: []rule.Report{rule.May("EP109", finding.Error)}, Needs: needs(resources.Services, resources.Namespaces), Uses: lead,
		After: []finding.Code{"EP101", "EP103", "EP105", "EP107", "EP110", "EP117", "EP122"},
		Run:   notMirrored,
	}, {
		Reports: []rule.Report{rule.May("EP111", finding.Error, finding.Note)},
		Needs:   needs(resources.Services, resources.MirrorEndpoints, resources.EndpointSlices), Uses: lead,
		After: []finding.Code{"EP107"}, Run: withoutEndpoints,
	}, {
		Reports: []rule.Report{rule.May("EP112", finding.Error)}, Needs: needs(resources.Services, resources.MirrorEndpoints), Uses: lead,
		After: []finding.Code{"EP117"}, Run: withoutIdentity,
	}, {
		Reports: []rule.Report{rule.May("EP113", finding.Warning)}, Needs: needs(resources.Services), Uses: lead,
		After: []finding.Code{"EP107"}, Run: ports,
	}, {
		Reports: []rule.Report{rule.May("EP114", finding.Warning)}, Needs: needs(resources.Services), Uses: lead,
		After: []finding.Code{"EP107"}, Run: orphans,
	}, {
		Reports: []rule.Report{rule.May("EP115", finding.Error)}, Needs: needs(resources.Services, resources.EndpointSlices), Uses: lead,
		Run: remoteServices,
	}, {
		Reports: []rule.Report{rule.May("EP116", finding.Error, finding.Warning)}, Needs: needs(resources.Services), Uses: lead,
		Run: federated,
	}, {
		Reports: []rule.Report{rule.May("EP121", finding.Error)}, Needs: needs(resources.Services, resources.ServiceProfiles), Uses: lead,
		Run: loops,
	}, {
		Reports: []rule.Report{rule.May("EP123", finding.Error)},
		Needs: needs(resources.Services, resources.Pods, resources.EndpointSlices, resources.Servers, resources.AuthorizationPolicies,
			resources.MeshTLSAuthentications, resources.NetworkAuthentications, resources.ServerAuthorizations),
		Uses: lead, Run: policies,
	}}
}
