// Package remotesecrets holds the rules about remote secrets: whether each control plane
// watches the clusters that it should, and whether it still follows them. It also says what
// has to be asked live for that, and lists who watches whom. Everything in it is pure.
package remotesecrets

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

type pass = rule.Pass[*model.Mesh]

// Rules are those about remote secrets, in the order in which they run. All of them check
// clusters that no remote secret links to others, too: that is what may be wrong with them.
func Rules() []*rule.Rule[*model.Mesh] {
	// What tells where a remote secret leads, and which clusters are of one mesh.
	known := []rule.Need{resources.RemoteSecrets, resources.Namespaces, resources.Webhooks, resources.RootCert, resources.MeshConfigs}
	// What tells that a control plane has the endpoints of a cluster, and the gateways.
	endpoints := []rule.Need{resources.IstiodPods, resources.Services, resources.EndpointSlices, questions.Istiods, questions.RemoteSides}
	// What replicas of istiod, the other end of a secret, and API servers say.
	said, side, token := rule.Need(questions.Istiods), rule.Need(questions.RemoteSides), rule.Need(questions.TokenReviews)
	reports := func(all ...rule.Report) []rule.Report { return all }
	after := func(codes ...finding.Code) []finding.Code { return codes }
	uses := func(further ...rule.Need) []rule.Need { return append(known[:len(known):len(known)], further...) }
	out := []*rule.Rule[*model.Mesh]{
		{Reports: reports(rule.May("SEC024", finding.Error, finding.Note)), Uses: uses(resources.SystemSecrets), Run: externalControlPlanes},
		{Reports: reports(rule.May("SEC002", finding.Error, finding.Warning)), Uses: uses(resources.StraySecrets), Run: misplacedSecrets},
		{Reports: reports(rule.May("SEC003", finding.Error)), Uses: uses(resources.StraySecrets, resources.SystemSecrets), Run: unlabeledSecrets},
		{Reports: reports(rule.May("SEC026", finding.Note), rule.May("SEC008", finding.Error)), Uses: uses(), Run: unusableKubeconfigs},
		{Reports: reports(rule.May("SEC009", finding.Error)), Uses: uses(), Run: refusedAuthentication},
		{Reports: reports(rule.May("SEC006", finding.Error)), Uses: uses(), Run: ownClusterIDs},
		{Reports: reports(rule.May("SEC005", finding.Error, finding.Warning)), Uses: uses(), Run: sharedClusterIDs},
		{Reports: reports(rule.May("SEC007", finding.Error)), Uses: uses(), Run: clustersWatchedTwice},
		{Reports: reports(rule.May("SEC004", finding.Error, finding.Warning)), Uses: uses(side), Run: misnamedClusters},
		{
			Reports: reports(rule.May("SEC027", finding.Error, finding.Warning)),
			Uses:    uses(resources.IstiodPods, said, token),
			Run:     proxiedServers,
		},
		{Reports: reports(rule.May("SEC010", finding.Error)), Uses: uses(resources.IstiodPods, said), Run: unreachableAddresses},
		{
			Reports: reports(rule.May("SEC011", finding.Error, finding.Warning)),
			Uses:    uses(resources.IstiodPods, said, token),
			After:   after("SEC027"),
			Run:     untrustedServers,
		},
		{Reports: reports(rule.May("SEC013", finding.Error, finding.Warning)), Uses: uses(side, token), Run: endingCredentials},
		{
			Reports: reports(rule.May("SEC012", finding.Error)), Uses: uses(said, side, token),
			After: after("SEC027", "SEC013"), Run: refusedCredentials,
		},
		{
			Reports: reports(rule.May("SEC014", finding.Error, finding.Warning)),
			Uses:    uses(resources.KubernetesGateways, side), Run: missingRights,
		},
		{Reports: reports(rule.May("SEC018", finding.Error, finding.Warning)), Uses: uses(endpoints...), Run: missedChanges},
		{
			Reports: reports(rule.May("SEC015", finding.Error), rule.May("SEC016", finding.Error), rule.May("SEC017", finding.Error),
				rule.May("SEC021", finding.Error), rule.May("SEC025", finding.Error, finding.Warning)),
			Uses:  uses(resources.IstiodPods, said, side, token),
			After: after("SEC027", "SEC010", "SEC011", "SEC013", "SEC012", "SEC014", "SEC018"), Run: statesOfClusters,
		},
		{Reports: reports(rule.May("SEC022", finding.Warning)), Uses: uses(resources.IstiodPods, said), Run: clustersLeft},
		{
			Reports: reports(rule.May("SEC020", finding.Error)), Uses: uses(resources.IstiodPods, said),
			After: after("SEC018", "SEC017", "SEC016", "SEC015", "SEC021"), Run: replicasThatDisagree,
		},
		{
			Reports: reports(rule.May("SEC019", finding.Error)), Uses: uses(endpoints...),
			After: after("SEC018", "SEC017", "SEC012", "SEC013", "SEC011", "SEC010", "SEC014", "SEC015"), Run: staleEndpoints,
		},
		{
			Reports: reports(rule.May("AMB014", finding.Error)), Uses: uses(resources.KubernetesGateways, said),
			After: after("SEC018", "SEC012", "SEC013", "SEC011", "SEC010", "SEC014", "SEC019"), Run: untoldGateways,
		},
		{
			Reports: reports(rule.May("GW044", finding.Error, finding.Warning, finding.Note)),
			Uses:    uses(resources.IstiodPods, resources.Services, resources.Nodes, resources.KubernetesGateways, said, side),
			After:   after("SEC018", "SEC012", "SEC013", "SEC011", "SEC010", "SEC014", "SEC019"), Run: gatewaysThatDiffer,
		},
		{
			Reports: reports(rule.May("SEC001", finding.Error, finding.Note), rule.May("SEC023", finding.Error, finding.Note)),
			Uses: uses(
				resources.StraySecrets,
				resources.SystemSecrets,
				resources.ServiceEntries,
				resources.Services,
				side,
			),
			After: after("SEC002", "SEC003", "SEC004"),
			Run:   missingSecrets,
		},
	}
	for _, r := range out {
		r.Needs, r.Everywhere = []rule.Need{resources.Istiods}, true
	}
	return out
}

// primaries are the clusters that have a control plane, and whose remote secrets were
// read. Of a cluster without one nothing about its secrets is unknown.
func primaries(p *pass) []*model.Cluster {
	var out []*model.Cluster
	for _, c := range model.Able(p) {
		if !c.Primary() {
			continue
		}
		if why, lacks := rule.Lacks(c.Cluster, resources.RemoteSecrets); lacks {
			p.NotChecked(c.Context, why)
			continue
		}
		out = append(out, c)
	}
	return out
}

// watching are those of primaries whose control plane uses the remote secrets that are
// in the cluster.
func watching(p *pass) []*model.Cluster {
	var out []*model.Cluster
	for _, c := range primaries(p) {
		if cp := c.SecretsElsewhere; cp != nil {
			elsewhere := "istiod " + cp.Istiod.Name + " is the control plane of another cluster, and reads the remote secrets there"
			p.NotChecked(c.Context, finding.Because(elsewhere))
			continue
		}
		out = append(out, c)
	}
	return out
}

// used are the remote secrets of which control planes make a cluster.
func used(p *pass) []*model.RemoteSecret {
	var out []*model.RemoteSecret
	for _, c := range watching(p) {
		out = append(out, c.Used()...)
	}
	return out
}

// all are the remote secrets of all control planes.
func all(p *pass) []*model.RemoteSecret {
	var out []*model.RemoteSecret
	for _, c := range watching(p) {
		out = append(out, c.Remotes...)
	}
	return out
}

// about begins a finding about a remote secret.
func about(r *model.RemoteSecret, code finding.Code, severity finding.Severity, title string) finding.Finding {
	f := finding.Finding{Code: code, Severity: severity, Clusters: []string{r.In.Context}, Object: r.Object(), Title: title}
	if r.To != nil && r.To != r.In {
		f.Clusters = append(f.Clusters, r.To.Context)
	}
	return f
}

// cause is the ID of the first finding about a remote secret with one of the codes, in
// their order; "" where there is none.
func cause(p *pass, r *model.RemoteSecret, codes ...finding.Code) string {
	for _, f := range p.Found(codes...) {
		if f.Clusters[0] == r.In.Context && f.Object == r.Object() &&
			(r.To == nil || r.To == r.In || len(f.Clusters) < 2 || f.Clusters[1] == r.To.Context) {
			return f.ID()
		}
	}
	return ""
}
