package remotesecrets

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// unreachableAddresses (SEC010): the address in a remote secret means another thing in
// istiod's pod than for the person who created it.
func unreachableAddresses(p *pass) {
	for _, r := range used(p) {
		kind, unread := r.Unreachable()
		if len(unread) > 0 {
			what := fmt.Sprintf("whether %s, in the secret for %s, is where istiod runs: pods of istiod", r.Server, r.ClusterID)
			why, _ := rule.Lack(what, resources.IstiodPods.Of(r.In.Cluster))
			p.NotChecked(r.In.Context, why)
			continue
		}
		if kind == "" {
			continue
		}
		f := about(r, "SEC010", finding.Error, "the address of the API server in a remote secret is not reachable from istiod's pod")
		f.Evidence = []finding.Evidence{serverOf(r), {Cluster: r.In.Context, Field: "which is, for istiod's pod", Value: string(kind)}}
		f.Effect = unwatchedEffect(r.In, nameOf(r))
		recreate := finding.Say("Recreate the remote secret. Set CONTEXT to the context of %s, and HOST to an address that pods of %s reach:",
			nameOf(r), r.In.Context)
		context, namespace := placeholder, r.In.SystemNamespace
		if r.To != nil {
			recreate = finding.Say("Recreate the remote secret. Set HOST to an address that pods of %s reach:", r.In.Context)
			context, namespace = r.To.Context, r.To.SystemNamespace
		}
		command := createFor(r.In, context, r.ClusterID, namespace, ownServer)
		f.Fix = replace(r, recreate.By(command))
		p.Gather(f)
	}
}

// untrustedServers (SEC011): what signs the certificate of the API server has to be in
// the kubeconfig.
func untrustedServers(p *pass) {
	for _, r := range used(p) {
		if r.Access.Insecure {
			f := about(r, "SEC011", finding.Warning, "a remote secret turns off the check of the API server's certificate")
			f.Evidence = []finding.Evidence{keyOf(r, ", insecure-skip-tls-verify", "true")}
			f.Effect = "whoever is between istiod and the API server can take the credential and make up endpoints"
			f.Fix = renew(r)
			p.Gather(f)
			continue
		}
		untrusted, known := r.Untrusted()
		switch {
		case !known && r.Synced(): // istiod has seen it
			continue
		case !known:
			unseen := fmt.Sprintf("the certificate at %s, which the secret for %s names, was not seen", r.Server, r.ClusterID)
			p.NotChecked(r.In.Context, cmp.Or(sideUnknown(p.Model, r), finding.Because(unseen)))
			continue
		case untrusted.Why == "":
			continue
		}
		from := "the connection by the context of " + nameOf(r)
		if untrusted.FromHere {
			from = "the try from this machine"
		}
		f := about(r, "SEC011", finding.Error, "the API server's certificate does not belong to the CA in a remote secret")
		f.Evidence = []finding.Evidence{
			serverOf(r), keyOf(r, ", certificate-authority-data", "sha256 "+some(short(r.Access.CA), 2)),
			{Cluster: r.In.Context, Field: from, Value: untrusted.Why},
		}
		f.Effect = unwatchedEffect(r.In, nameOf(r))
		f.Fix = renew(r)
		if r.To != nil && serverurl.Same(r.To.Server, r.Server) && !r.To.NeedsServer() {
			f.Fix = direct(r) // the plain command makes the same secret again
		}
		if f.CausedBy = cause(p, r, "SEC027"); f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		}
		p.Gather(f)
	}
}

func short(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s[:min(12, len(s))]
	}
	return out
}

// missingRights (SEC014): what istiod does in the clusters that it watches.
func missingRights(p *pass) {
	for _, r := range used(p) {
		missing, known := r.MissingRights()
		a, asked := r.Account()
		switch {
		case known:
		case asked:
			p.NotChecked(r.In.Context, rule.Unread("rights in "+r.To.Context, a.Rights.State, a.Rights.Why()))
			continue
		default:
			other := fmt.Sprintf("the credential for %s is not that of a service account", r.ClusterID)
			p.NotChecked(r.In.Context, cmp.Or(sideUnknown(p.Model, r), finding.Because(other)))
			continue
		}
		if len(missing) == 0 || r.AccountProblem() == model.AccountGone { // which SEC013 says
			continue
		}
		severity, says := finding.Warning, "may not, says its API server"
		if r.LacksVital() {
			severity = finding.Error
		}
		if a.ByRoles {
			says = "may not, by the cluster roles bound to it"
		}
		var verbs, effects []string
		for _, right := range missing {
			verbs = append(verbs, right.Verb+" "+right.Name())
			if !slices.Contains(effects, right.Effect) {
				effects = append(effects, right.Effect)
			}
		}
		f := about(r, "SEC014", severity, fmt.Sprintf("istiod may not read all that it needs in %s", r.To.Context))
		f.Evidence = []finding.Evidence{
			{Cluster: r.In.Context, Field: r.Object().String() + ", identity", Value: r.Identity},
			{Cluster: r.To.Context, Field: says, Value: some(verbs, 12)},
		}
		f.Effect = strings.Join(effects, "; ")
		f.Fix = []finding.Step{
			finding.Say("Istio's charts hold the role: reinstall that of istiod's version in %s. Then look at the role:", r.To.Context).
				By(finding.Kubectl(r.To.Context, "get", "clusterrole,clusterrolebinding", "-l", "app=istio-reader")),
		}
		p.Gather(f)
	}
}
