package network

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Options are what the caller knows beside the facts.
type Options struct {
	// Hosts are the addresses of host names of gateways, as they were resolved;
	// nil where none was tried, and then nothing is said of them. One that does not
	// exist has none; HostFailures says of others why there was no answer.
	Hosts        map[string][]string
	HostFailures map[string]string
	// Trials are what came of trying the addresses of gateways; nil where none was
	// tried, and then nothing is said of that.
	Trials []Trial
}

// check judges the fleet by one or several codes.
type check struct {
	codes []finding.Code
	// needs is what has to have been read of a cluster for it to be judged.
	needs need
	// judge is given the clusters that can be judged.
	judge func(*judgement, []*member)
}

// rules are in the order in which they run: one that explains another's
// findings comes before it.
var rules = []check{
	{[]finding.Code{"NET006"}, pods | namespaces | webhooks, judgeInjected},
	{[]finding.Code{"NET001"}, pods | namespaces | meshConfigs | remoteSecrets, judgeSystemNamespace},
	{[]finding.Code{"NET002", "NET005"}, pods, judgeClientNetwork},
	{[]finding.Code{"NET003"}, pods, judgeLabelAndEnvironment},
	{[]finding.Code{"NET004", "NET030"}, pods | namespaces | services, judgeForeignPods},
	{[]finding.Code{"NET007"}, pods | nodes | namespaces, judgeFlat},
	{[]finding.Code{"NET011"}, services | workloadEntries | serviceEntries | istiods | remoteSecrets, judgeWorkloadEntries},
	{[]finding.Code{"NET031"}, pods, judgeMeshIDs},
	{[]finding.Code{"NET009"}, meshConfigs | namespaces | services | remoteSecrets, judgeMeshNetworks},
	{[]finding.Code{"NET010"}, meshConfigs | remoteSecrets, judgeSameMeshNetworks},
	{[]finding.Code{"NET014"}, services | pods, judgeStray},
	{[]finding.Code{"NET013"}, services | pods, judgeGatewayNetwork},
	{[]finding.Code{"GW034"}, services | pods | namespaces | webhooks, judgeForeignGateway},
	{[]finding.Code{"NET012"}, services | pods, judgeNetworkView},
	{[]finding.Code{"GW017"}, services | namespaces | meshConfigs | remoteSecrets, judgeHidden},
	{[]finding.Code{"GW008", "GW007"}, services | istiods, judgePorts},
	{[]finding.Code{"GW002", "GW004", "GW030"}, services, judgeType},
	{[]finding.Code{"GW005", "GW006"}, services | nodes, judgeNodes},
	{[]finding.Code{"GW003"}, services | istiods, judgeHostnames},
	{[]finding.Code{"GW009"}, services | istiods, judgeNodePortHBONE},
	{[]finding.Code{"GW012"}, services | pods, judgeBackends},
	{[]finding.Code{"GW032"}, services | pods | nodes, judgeLocalPolicy},
	{[]finding.Code{"GW010", "GW011", "GW019"}, services | pods | istiods | gateways | kubernetesGateways, judgeListeners},
	{[]finding.Code{"GW019"}, services | pods | networkPolicies, judgePolicies},
	{[]finding.Code{"GW014"}, services | pods, judgeLoadBalancer},
	{[]finding.Code{"GW035"}, services | nodes, judgeExternalIPs},
	{[]finding.Code{"GW016"}, kubernetesGateways | istiods, judgeKubernetesGateways},
	{[]finding.Code{"AMB001"}, istiods | kubernetesGateways, judgeAmbientGate},
	{[]finding.Code{"AMB003"}, services | kubernetesGateways, judgeEastWest},
	{[]finding.Code{"AMB030"}, services | istiods | kubernetesGateways | namespaces | remoteSecrets, judgeEastWestAddress},
	{[]finding.Code{"AMB008", "AMB010"}, services | pods | nodes | namespaces | kubernetesGateways | meshConfigs | remoteSecrets, judgeKinds},
	{[]finding.Code{"AMB002", "AMB009"}, services | pods | namespaces | istiods | meshConfigs | remoteSecrets, judgeGlobalServices},
	{[]finding.Code{"AMB005"}, pods | namespaces | istiods | remoteSecrets, judgeZtunnels},
	{[]finding.Code{"AMB006"}, istiods | meshConfigs | remoteSecrets, judgeAmbientTrustDomains},
	{[]finding.Code{"AMB007"}, istiods | kubernetesGateways | namespaces | remoteSecrets, judgeSeveralGateways},
	{[]finding.Code{"AMB011"}, pods | istiods | remoteSecrets, judgeNodeAccounts},
	{[]finding.Code{"AMB013"}, services | pods | namespaces | istiods | remoteSecrets, judgeAmbientNamespaces},
	{[]finding.Code{"PR002", "PR012"}, services | istiods | webhooks, judgeInjectionService},
	{[]finding.Code{"PR003"}, istiods | webhooks, judgeInjectionPath},
	{[]finding.Code{"PR005", "PR004"}, istiods | namespaces | webhooks, judgeClaim},
	{[]finding.Code{"PR009"}, services | pods | istiods | webhooks, judgeTwoControlPlanes},
	{[]finding.Code{"PR001"}, services | pods | istiods | webhooks | remoteSecrets, judgePrimaryAddress},
	{[]finding.Code{"PR006"}, services | pods | istiods | webhooks | remoteSecrets | gateways, judgeExposure},
	{[]finding.Code{"PR007"}, istiods | namespaces | webhooks | remoteSecrets, judgeTokens},
	{[]finding.Code{"PR008"}, istiods | namespaces | webhooks | remoteSecrets | meshConfigs, judgeRemoteRoot},
	{[]finding.Code{"PR010"}, services | pods, judgeDiscoveryAddress},
	{[]finding.Code{"PR011"}, istiods | namespaces | webhooks | remoteSecrets, judgeLeading},
	{[]finding.Code{"PR013"}, services | pods | istiods | webhooks | remoteSecrets | meshConfigs, judgeServerNames},
	{[]finding.Code{"NET032"}, pods | istiods | remoteSecrets, judgeClusterIDs},
	{[]finding.Code{"GW031"}, services | nodes | kubernetesGateways | meshConfigs | remoteSecrets, judgeSameAddress},
	{[]finding.Code{"GW015"}, services | nodes, judgeRanges},
	{[]finding.Code{"GW020"}, services | meshConfigs | remoteSecrets, judgeStaticAddresses},
	{[]finding.Code{"GW018"}, services | pods | nodes | kubernetesGateways | meshConfigs | remoteSecrets, judgeFamilies},
	{[]finding.Code{"GW033", "GW001"}, services | pods | nodes | namespaces | kubernetesGateways | meshConfigs | remoteSecrets, judgeReached},
}

// trialRules judge what came of trying addresses, where that was asked for.
var trialRules = []check{
	{[]finding.Code{"GW013", "GW036", "GW037"}, services, judgeTrials},
	{[]finding.Code{"GW013", "PR004", "PR006", "PR008", "PR013"}, services | pods | istiods | webhooks | remoteSecrets, judgePlaneTrials},
	{[]finding.Code{"NET008"}, pods, judgeDirectTrials},
}

// Codes are all codes that Verify can find.
func Codes() []finding.Code { return codesOfRules(slices.Concat(rules, trialRules)) }

func codesOfRules(rules []check) []finding.Code {
	var out []finding.Code
	for _, r := range rules {
		out = append(out, r.codes...)
	}
	slices.Sort(out)
	return slices.Compact(out) // one code can be of two rules
}

// judgement is one run of the rules.
type judgement struct {
	Options
	finding.Result
	fleet *facts.Fleet
	*world
}

// Verify judges the networks and gateways of a fleet by all rules.
func Verify(fleet *facts.Fleet, options Options) finding.Result {
	return verify(newWorld(fleet, options), fleet, options)
}

func verify(w *world, fleet *facts.Fleet, options Options) finding.Result {
	j := &judgement{Options: options, fleet: fleet, world: w}
	inForce := rules
	if options.Trials != nil {
		inForce = slices.Concat(rules, trialRules)
	}
	for i := range fleet.Clusters {
		if c := &fleet.Clusters[i]; c.Unreached != nil {
			j.NotChecked(c.Context, finding.ClusterUnreached, codesOfRules(inForce)...)
		}
	}
	for _, r := range inForce {
		var able []*member
		for _, m := range w.members {
			if why := m.lacks(r.needs); why != nothing {
				j.NotChecked(m.Context, why, r.codes...)
			} else if m.doubt != nothing {
				j.NotChecked(m.Context, m.doubt, r.codes...)
			} else if !m.apart {
				able = append(able, m)
			}
		}
		r.judge(j, able)
	}
	j.Sort()
	return j.Result
}

// of returns the ID of the first finding with one of the codes, in their order,
// that is about an object of a cluster, the zero one for any; "" when there is none.
func (j *judgement) of(context string, object finding.Object, codes ...finding.Code) string {
	for _, code := range codes {
		for _, f := range j.Findings {
			if f.Code == code && slices.Contains(f.Clusters, context) && (object == finding.Object{} || f.Object == object) {
				return f.ID()
			}
		}
	}
	return ""
}
