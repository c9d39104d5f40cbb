package endpoints

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Rules are those about requests for services, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{
		{
			// Where requests of a path stop is one look. Where something was not read, only what
			// it decides is unknown: the rule says it by itself.
			Reports: pathReports(),
			Uses: []rule.Need{
				resources.MeshConfigs, resources.Istiods, resources.Namespaces, resources.RemoteSecrets, resources.Webhooks,
				resources.Services, resources.EndpointSlices, resources.Pods, resources.Nodes, resources.KubernetesGateways,
				resources.PeerAuthentications, resources.DestinationRules, resources.VirtualServices, resources.Sidecars,
				resources.AuthorizationPolicies, resources.NetworkPolicies, resources.ServiceExports, resources.ReaderAccess, resources.Gateways,
				questions.Hostnames, questions.RemoteSides, questions.Istiods, questions.TokenReviews,
			},
			After: append(causeCodes(), injectionCodes...),
			Run:   requestsStop,
		},
		{
			Reports: []rule.Report{rule.May("EP018", finding.Warning)},
			Needs:   []rule.Need{resources.Services},
			Uses:    configRows(),
			Run:     configDiffers,
		},
		{
			Reports: []rule.Report{rule.May("EP050", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Services},
			Uses:    addressRows(),
			Run:     sharedAddresses,
		},
		{
			Reports: []rule.Report{rule.May("EP054", finding.Warning, finding.Note)},
			Needs:   []rule.Need{resources.DestinationRules, resources.Services, resources.VirtualServices},
			Uses:    inertRows(),
			Run:     inertSettings,
		},
		{
			Reports: []rule.Report{rule.May("EP043", finding.Error)},
			Needs:   []rule.Need{resources.ServiceEntries, resources.DestinationRules, resources.Services, resources.Istiods, resources.Namespaces},
			Uses:    []rule.Need{resources.Nodes, resources.Pods, resources.Gateways, resources.MeshConfigs},
			Run:     plainToGateways,
		},
		{
			Reports: []rule.Report{rule.May("EP020", finding.Error, finding.Warning)},
			Needs:   []rule.Need{resources.Pods, resources.Services},
			Uses:    []rule.Need{resources.Istiods, resources.IstiodPods, resources.RemoteSecrets, questions.Istiods},
			After:   []finding.Code{"CP044"},
			Run:     proxiesElsewhere,
		},
	}
}

// pathReports are what can be found on a path. What only matters to those who want the
// service is an error where they ask for it, and else a note or a warning.
func pathReports() []rule.Report {
	return []rule.Report{
		rule.May("EP001", finding.Error, finding.Note),
		rule.May("EP002", finding.Error, finding.Note),
		rule.May("EP003", finding.Error),
		rule.May("EP004", finding.Error),
		rule.May("EP005", finding.Error),
		rule.May("EP006", finding.Error, finding.Note),
		rule.May("EP007", finding.Error, finding.Note),
		rule.May("EP008", finding.Error, finding.Note),
		rule.May("EP009", finding.Error, finding.Note),
		rule.May("EP010", finding.Error),
		rule.May("EP011", finding.Error, finding.Note),
		rule.May("EP012", finding.Error, finding.Note),
		rule.May("EP013", finding.Note),
		rule.May("EP014", finding.Error, finding.Note),
		rule.May("EP015", finding.Error, finding.Note),
		rule.May("EP016", finding.Note),
		rule.May("EP017", finding.Note),
		rule.May("EP019", finding.Warning),
		rule.May("EP021", finding.Error),
		rule.May("EP022", finding.Warning),
		rule.May("EP023", finding.Error, finding.Warning),
		rule.May("EP024", finding.Error, finding.Note),
		rule.May("EP030", finding.Error, finding.Warning, finding.Note),
		rule.May("EP031", finding.Error),
		rule.May("EP032", finding.Error),
		rule.May("EP033", finding.Error, finding.Warning),
		rule.May("EP034", finding.Error),
		rule.May("EP035", finding.Error, finding.Warning, finding.Note),
		rule.May("EP036", finding.Error, finding.Note),
		rule.May("EP037", finding.Error),
		rule.May("EP038", finding.Error, finding.Warning),
		rule.May("EP039", finding.Note),
		rule.May("EP040", finding.Error),
		rule.May("EP041", finding.Note),
		rule.May("EP042", finding.Warning),
		rule.May("EP051", finding.Note),
		rule.May("EP052", finding.Warning, finding.Note),
		rule.May("EP053", finding.Warning, finding.Note),
	}
}

// pathCodes are those of pathReports.
func pathCodes() []finding.Code {
	return (&rule.Rule[*model.Mesh]{Reports: pathReports()}).Codes()
}

// What other rules find and what stops requests.
var (
	// secretCodes are about remote secrets.
	secretCodes = []finding.Code{
		"SEC001",
		"SEC002",
		"SEC003",
		"SEC004",
		"SEC005",
		"SEC006",
		"SEC007",
		"SEC008",
		"SEC009",
		"SEC010",
		"SEC011",
		"SEC012",
		"SEC013",
		"SEC014",
		"SEC015",
		"SEC016",
		"SEC017",
		"SEC018",
		"SEC019",
		"SEC020",
		"SEC021",
		"SEC022",
		"SEC023",
		"SEC024",
		"SEC025",
		"SEC026",
		"SEC027",
	}
	// notFollowed are those for which istiod cannot read a cluster. Besides, SEC019 is found
	// where it does not follow one.
	notFollowed = []finding.Code{"SEC027", "SEC008", "SEC009", "SEC012", "SEC013", "SEC010", "SEC011", "SEC014", "SEC015", "SEC017", "SEC021"}
	// keepsWhatWasRead are those about a remote secret that once may have been good: where
	// istiod has read the cluster it goes on with what it read, also when the secret is changed
	// in place (pkg/kube/multicluster/component.go, clusterUpdated).
	keepsWhatWasRead = []finding.Code{"SEC012", "SEC013", "SEC010", "SEC011", "SEC015", "SEC017", "SEC019"}
	// addressFaults are those for which a gateway has no address that istiod uses.
	addressFaults = []finding.Code{
		"GW002", "GW033", "GW030", "GW004", "GW005", "GW006", "GW007", "GW008", "GW003", "GW016", "GW017", "GW018", "AMB008",
	}
	// gatewayFaults are those of a gateway that istiod advertises and that does not work.
	gatewayFaults = []finding.Code{
		"GW010", "GW011", "GW012", "GW013", "GW014", "GW018", "GW019", "GW031", "GW032", "GW034", "GW040", "GW041",
		"NET012", "NET013",
	}
	// elsewhere are those of a gateway that works for a source that is given its address:
	// control planes that do not know it, and ambient workloads, notice them.
	elsewhere = []finding.Code{"GW017"}
	// networkCodes are those for which a network is not known, or is not one.
	networkCodes = []finding.Code{"NET001", "NET002", "NET004", "NET005", "NET007"}
	// ambientCodes are those that keep ambient workloads from clusters.
	ambientCodes = []finding.Code{"AMB001", "AMB002", "AMB003", "AMB005", "AMB006", "AMB010", "AMB011", "AMB015", "AMB030"}
)

// injectionCodes are those that say why pods have no sidecar. Where they are not checked, that pods have
// none is known all the same.
var injectionCodes = []finding.Code{"CP020", "CP030"}

// causeCodes are all codes that may be the cause of what is found on a path.
func causeCodes() []finding.Code {
	out := slices.Concat(secretCodes, addressFaults, gatewayFaults, networkCodes, ambientCodes, []finding.Code{"GW001"})
	slices.Sort(out)
	return slices.Compact(out)
}

// requestsStop: requests for a service that more than one cluster has stop on the way from one
// cluster to another.
func requestsStop(p *rule.Pass[*model.Mesh]) {
	clusters := model.Able(p)
	options, _ := model.Given[Options](p.Model)
	options.Live = nil // it is of one service, for which somebody asks
	known := newCauses(finding.Result{Findings: p.Found(append(causeCodes(), injectionCodes...)...), Unknowns: p.Unknowns(causeCodes()...)})
	e := newEvaluator(p.Model, clusters, known, options)
	n := e.evaluateAll(e.services())
	n.servicesUnknown(clusters)
	for _, u := range n.unknown.Unknowns {
		p.NotChecked(u.Cluster, u.Reason, u.Codes...)
	}
	for _, f := range oneSidedTogether(n.folded()) {
		p.Report(f)
	}
}

// configDiffers: an object that proxies obey differs between clusters that have a control
// plane, in a namespace of a service that more than one cluster has.
func configDiffers(p *rule.Pass[*model.Mesh]) {
	clusters := model.Able(p)
	options, _ := model.Given[Options](p.Model)
	var namespaces []string
	for _, s := range sharedServices(clusters, options) {
		namespaces = append(namespaces, s.namespace)
	}
	differences{p.Model, clusters, p.Report, p.NotChecked}.find(finding.Distinct(namespaces)...)
}
