package certs

import (
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// TopicProxies is the topic of what proxies themselves present and trust: see
// Options.Proxies.
const TopicProxies rule.Topic = "proxies"

// Options are the user's choices, and what proxies answered. A run gives them to the
// rules by model.Options.Given; without them the rules go by DefaultExpiryWarn.
type Options struct {
	// ExpiryWarn is how long before its end a certificate is reported; with 0 only those
	// that have ended are.
	ExpiryWarn time.Duration
	// Proxies are what proxies of each context present and trust. Rules read it where the
	// run asks for TopicProxies.
	Proxies map[string]facts.Read[[]facts.ProxyMaterial]
}

// DefaultExpiryWarn is the usual ExpiryWarn.
const DefaultExpiryWarn = 30 * 24 * time.Hour

func optionsOf(m *model.Mesh) Options {
	if options, ok := model.Given[Options](m); ok {
		return options
	}
	return Options{ExpiryWarn: DefaultExpiryWarn}
}

// pass is one rule's run.
type pass = rule.Pass[*model.Mesh]

// inBundle are the codes of faults that are inside of Secret cacerts.
var inBundle = []finding.Code{"CERT005", "CERT006", "CERT007", "CERT008", "CERT009", "CERT011", "CERT019", "CERT030"}

// Rules are those about the CA of each cluster and the trust between clusters, in the
// order in which they run. They compare all clusters that the user named, whether or not
// they are of one mesh.
func Rules() []*rule.Rule[*model.Mesh] {
	// That a CA is not istiod's, or that a cluster has none, shows without the Secrets: they
	// are no needs, and a rule says by itself what it cannot check without them.
	// Proxies tell who else may sign, and the others for which cluster a control plane is.
	mode := []rule.Need{
		resources.MeshConfigs, resources.CACerts, resources.CASecret, resources.Proxies, resources.RemoteSecrets, resources.Webhooks,
	}
	published := slices.Concat(mode, []rule.Need{resources.RootCert})
	roots := slices.Concat(published, []rule.Need{resources.Namespaces}) // ambient ones do without caCertificates
	istiods := []rule.Need{resources.Istiods}
	all, inUse := slices.Concat(istiods, roots), slices.Concat(istiods, published)
	one := func(code finding.Code, severities ...finding.Severity) []rule.Report {
		return []rule.Report{rule.May(code, severities...)}
	}
	rules := []*rule.Rule[*model.Mesh]{
		{Reports: bundleReports(), Needs: istiods, Uses: mode, Run: unloadableBundles},
		{
			Reports: []rule.Report{rule.May("CERT010", finding.Error, finding.Warning).BeforeAll()}, Uses: all,
			Run: expiringCertificates,
		},
		{
			Reports: []rule.Report{rule.May("CERT031", finding.Error, finding.Warning), rule.May("CERT012", finding.Error, finding.Warning)},
			Uses:    inUse, Run: rootsNotSelfSigned,
		},
		{Reports: one("CERT032", finding.Warning), Uses: inUse, Run: weakKeys},
		{Reports: one("CERT033", finding.Warning), Uses: inUse, Run: outlivingIssuer},
		{Reports: one("CERT012", finding.Error, finding.Warning), Needs: istiods, Uses: mode, Run: keysOfOtherLayout},
		{
			Reports: one("CERT038", finding.Error, finding.Warning),
			Needs:   []rule.Need{resources.Istiods, resources.RootCerts, resources.Namespaces, resources.Webhooks}, Uses: published,
			Run: secondControlPlanes,
		},
		{
			Reports: one("CERT004", finding.Error, finding.Warning), Needs: istiods,
			Uses:  slices.Concat(published, []rule.Need{resources.IstiodPods}),
			After: slices.Concat(inBundle, []finding.Code{"CERT038"}), Run: bundleNotInUse,
		},
		{
			Reports: one("CERT034", finding.Error), Needs: istiods, Uses: published,
			After: []finding.Code{"CERT038"}, Run: bundleGone,
		},
		{Reports: one("CERT049", finding.Error, finding.Note), Needs: istiods, Uses: roots, Run: lastRootAlone},
		{Reports: one("CERT013", finding.Error), Needs: istiods, Uses: roots, Run: generatedBundles},
		{
			Reports: one("CERT001", finding.Error, finding.Note), Needs: istiods, Uses: roots,
			After: []finding.Code{"CERT004", "CERT013", "CERT016", "CERT038"}, Run: unrelatedSelfSigned,
		},
		{Reports: one("CERT020", finding.Error), Needs: istiods, Uses: roots, Run: externalBesideIstiod},
		{
			Reports: one("CERT016", finding.Error), Needs: istiods, Uses: roots,
			After: append(slices.Clone(inBundle), "CERT010"), Run: furtherRootsNotInEffect,
		},
		{Reports: one("CERT035", finding.Error), Needs: istiods, Uses: roots, Run: namesakes},
		{
			Reports: one("CERT002", finding.Error), Needs: []rule.Need{resources.RootCert}, Uses: all,
			After: slices.Concat([]finding.Code{
				"CERT038", "CERT004", "CERT016", "CERT031", "CERT012", "CERT001", "CERT020", "CERT013", "CERT010", "CERT049",
			}, inBundle),
			Run: refusedCertificates,
		},
		{
			Reports: one("CERT021", finding.Note), Uses: all,
			After: []finding.Code{"CERT002"}, Run: rootsOfOneName,
		},
		{
			Reports: one("CERT003", finding.Warning, finding.Note), Needs: []rule.Need{resources.RootCert}, Uses: all,
			After: []finding.Code{"CERT004"}, Run: differingBundles,
		},
		{
			Reports: one("CERT014", finding.Error),
			Needs:   []rule.Need{resources.RootCert, resources.RootCerts, resources.Namespaces, resources.Istiods},
			Uses:    mode, After: []finding.Code{"CERT038"}, Run: namespacesWithoutRoot,
		},
		{
			Reports: one("CERT036", finding.Error), Needs: []rule.Need{resources.Istiods, resources.IstioCSRs}, Uses: published,
			Run: refusedBySigner,
		},
		{
			Reports: one("CERT037", finding.Error), Needs: []rule.Need{resources.Istiods, resources.Webhooks, resources.RootCert},
			Uses:  slices.Concat(published, []rule.Need{resources.ValidatingWebhooks, resources.Namespaces}),
			After: []finding.Code{"CERT038"}, Run: staleWebhooks,
		},
		{
			Reports: one("CERT017", finding.Error), Needs: istiods,
			Uses: []rule.Need{resources.MeshConfigs, resources.RemoteSecrets, resources.Webhooks, resources.RootCert}, Run: foreignTrustDomains,
		},
		{
			Reports: one("CERT018", finding.Error), Needs: istiods,
			Uses: []rule.Need{resources.RemoteSecrets, resources.ReaderAccess, resources.MeshConfigs}, Run: remoteTrustDomains,
		},
		{
			Reports: one("CERT015", finding.Error, finding.Warning), When: TopicProxies, Needs: istiods,
			Uses: append(slices.Clone(roots), questions.ProxyCertificates), Run: outdatedProxies,
		},
	}
	for _, r := range rules {
		r.Everywhere = true
	}
	return rules
}

// bundleReports are what can be wrong inside of Secret cacerts.
func bundleReports() []rule.Report {
	var out []rule.Report
	for _, code := range inBundle {
		out = append(out, rule.May(code, finding.Error).BeforeAll())
	}
	return append(out, rule.May("CERT032", finding.Error)) // a broken signature is found on the way
}

// able are the CAs of the clusters that a rule can check, in the order of the fleet. What is
// in a cluster that hosts the control plane of another one is no CA of workloads.
func able(p *pass) []*authority {
	var out []*authority
	for _, a := range trustOf(p.Model).authorities {
		if p.Able(a.Context) && a.mode != Hosting {
			out = append(out, a)
		}
	}
	return out
}

// withMode are the CAs of a pass of which the mode is known. Of the others it says that
// codes of the rule could not be checked, all where none is named.
func withMode(p *pass, codes ...finding.Code) []*authority {
	return slices.DeleteFunc(able(p), func(a *authority) bool {
		if a.mode == UnknownMode {
			p.NotChecked(a.Context, a.modeWhy, codes...)
		}
		return a.mode == UnknownMode
	})
}

// pluggedIn are the CAs of a pass that are in Secret cacerts. Where that is not known,
// codes of the rule could not be checked.
func pluggedIn(p *pass, codes ...finding.Code) []*authority {
	return slices.DeleteFunc(withMode(p, codes...), func(a *authority) bool { return a.mode != PluggedIn })
}

// firstAbout is the first finding with one of the codes, in their order, that is about one
// of the contexts.
func firstAbout(p *pass, contexts []string, codes ...finding.Code) (finding.Finding, bool) {
	found := p.Found(codes...)
	i := slices.IndexFunc(found, func(f finding.Finding) bool {
		return slices.ContainsFunc(f.Clusters, func(c string) bool { return slices.Contains(contexts, c) })
	})
	if i < 0 {
		return finding.Finding{}, false
	}
	return found[i], true
}

// cause is the ID of what firstAbout finds; "" for nothing.
func cause(p *pass, contexts []string, codes ...finding.Code) string {
	if f, ok := firstAbout(p, contexts, codes...); ok {
		return f.ID()
	}
	return ""
}

// hasOwnFault reports whether it is found that a cluster's CA is not in use.
func hasOwnFault(p *pass, a *authority) bool { return cause(p, []string{a.Context}, "CERT004") != "" }
