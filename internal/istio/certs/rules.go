package certs

import (
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Options are the user's choices.
type Options struct {
	// ExpiryWarn is how long before its end a certificate is reported.
	ExpiryWarn time.Duration
	// Proxies are what proxies of each context present and trust; nil where nobody wants
	// them asked.
	Proxies map[string]facts.Read[[]facts.ProxyMaterial]
}

// DefaultExpiryWarn is the usual ExpiryWarn.
const DefaultExpiryWarn = 30 * 24 * time.Hour

// check judges the fleet by one or several codes.
type check struct {
	codes []finding.Code
	judge func(*judgement)
}

// checks are in the order in which they run: one that explains another's
// findings comes before it.
var checks = []check{
	{bundleCodes, judgeBundles},
	{[]finding.Code{"CERT010", "CERT031", "CERT032", "CERT033"}, judgeCertificates},
	{[]finding.Code{"CERT012"}, judgeLayout},
	{[]finding.Code{"CERT004"}, judgeInUse},
	{[]finding.Code{"CERT034"}, judgeGone},
	{[]finding.Code{"CERT013"}, judgeGenerated},
	{[]finding.Code{"CERT001"}, judgeSelfSigned},
	{[]finding.Code{"CERT020"}, judgeExternal},
	{[]finding.Code{"CERT002"}, judgePairs},
	{[]finding.Code{"CERT021"}, judgeNamesakes},
	{[]finding.Code{"CERT003"}, judgeRootSets},
	{[]finding.Code{"CERT014"}, judgeNamespaces},
	{[]finding.Code{"CERT016"}, judgeMultiRoot},
	{[]finding.Code{"CERT017"}, judgeTrustDomains},
	{[]finding.Code{"CERT018"}, judgeRemoteTrustDomains},
	{[]finding.Code{"CERT015"}, judgeProxies},
}

// Codes are all codes that Verify can find.
func Codes() []finding.Code {
	var out []finding.Code
	for _, c := range checks {
		out = append(out, c.codes...)
	}
	return out
}

// judgement is one run of the rules.
type judgement struct {
	Options
	finding.Result
	now     time.Time
	fleet   *facts.Fleet
	members []*member
	// relations are indexed [from][to] like members.
	relations [][]Relation
	// uses, presented and paths keep what use and presentedIn have found.
	uses      map[*member]use
	presented map[[2]*member][]path
	paths     map[string][]path
}

// Verify judges a fleet by all rules. It makes no difference who calls it and
// when: the time is the facts' own.
func Verify(fleet *facts.Fleet, options Options) finding.Result {
	j := &judgement{
		Options: options, now: fleet.At, fleet: fleet, members: newMembers(fleet),
		uses: map[*member]use{}, presented: map[[2]*member][]path{}, paths: map[string][]path{},
	}
	j.relations = relate(j.members)
	for _, m := range j.members {
		if m.Unreached != nil {
			j.NotChecked(m.Context, finding.ClusterUnreached, Codes()...)
		}
	}
	for _, c := range checks {
		c.judge(j)
	}
	j.Sort()
	return j.Result
}

func newMembers(fleet *facts.Fleet) []*member {
	members := make([]*member, len(fleet.Clusters))
	for i := range fleet.Clusters {
		members[i] = newMember(&fleet.Clusters[i], fleet.At)
	}
	return members
}

// reached are the members that answered.
func (j *judgement) reached() []*member {
	var out []*member
	for _, m := range j.members {
		if m.Unreached == nil {
			out = append(out, m)
		}
	}
	return out
}

// first returns the ID of the first finding with one of the codes, in the
// order of the codes, that is about one of the clusters; "" when there is none.
func (j *judgement) first(clusters []string, codes ...finding.Code) string {
	for _, code := range codes {
		for _, f := range j.Findings {
			if f.Code != code {
				continue
			}
			for _, c := range f.Clusters {
				for _, wanted := range clusters {
					if c == wanted {
						return f.ID()
					}
				}
			}
		}
	}
	return ""
}
