package endpoints

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// notEssential are the rows without which what a control plane makes of a cluster is still
// of use.
var notEssential = resource.Set{resources.Nodes, resources.KubernetesGateways, resources.ServiceExports, resources.RemoteSecrets}

// hasService: the cluster has the service.
func (w *walk) hasService() Verdict {
	if w.service.in(w.to) == nil && resources.Services.Of(w.to.Cluster).Known() {
		return w.nothing(stepService, fmt.Sprintf("%s has no Service %s", w.to.Context, w.service))
	}
	return goesOn
}

// isWatched: the control plane of the source watches the cluster.
func (w *walk) isWatched() Verdict {
	if w.cp == nil {
		reason, lacks := rule.Lacks(w.source.Cluster, resources.Istiods, resources.Webhooks)
		if !lacks {
			reason = finding.Because("no control plane was found")
		}
		return w.unclear(stepReads, w.source.Context, reason)
	}
	watched, ok := w.watched(w.to)
	name, served := w.cp.NameOf(w.source)
	if reason, lacks := rule.Lacks(w.cp.RunsIn.Cluster, resources.RemoteSecrets); (!ok || !served) && lacks {
		return w.unclear(stepReads, w.cp.Context, reason)
	}
	if own := w.source.ID; w.source != w.cp.Cluster && own != "" && own != name {
		return w.fault(stepReads, w.refusedProxies(own, name))
	}
	if why := w.unidentified(); !ok && why != (finding.Reason{}) {
		return w.unclear(stepReads, w.to.Context, why)
	}
	if !ok {
		return w.isNotWatched()
	}
	if v := w.isFollowed(watched); v != goesOn {
		return v
	}
	for _, c := range []*model.Cluster{w.cp.Cluster, w.source, w.to} {
		for _, u := range w.unread[w.cp][c] {
			if !notEssential.Has(u.Resource) {
				return w.unclear(stepReads, c.Context, u.Reason)
			}
		}
	}
	switch {
	case w.stale != nil:
		return goesOn // hasCurrentEndpoints tells of it
	case w.to.ID != "" && w.to.ID != w.id:
		return w.ok(stepReads, "%s watches it, as cluster %s though it is %s", istiodOf(w.cp), w.id, w.to.ID)
	case watched.Secret == nil:
		return w.ok(stepReads, "it is the cluster of %s", istiodOf(w.cp))
	default:
		return w.ok(stepReads, "%s watches it, by secret %s", istiodOf(w.cp), watched.Secret.SecretName())
	}
}

// watched is what the control plane of the source says of a cluster, by the first of its
// names; false where it does not watch it.
func (w *walk) watched(c *model.Cluster) (model.Watched, bool) {
	for _, watched := range w.cp.Watches {
		if watched.Cluster == c {
			return watched, true
		}
	}
	return model.Watched{}, false
}

// unidentified says why it is not known that none of the remote secrets of the source's
// control plane leads to the cluster: there is one that leads to no other, and the
// cluster's own ID was not read; the zero Reason where it is known.
func (w *walk) unidentified() finding.Reason {
	reason, lacks := rule.Lacks(w.to.Cluster, resources.Istiods)
	if lacks &&
		slices.ContainsFunc(
			w.cp.Watches,
			func(o model.Watched) bool { return o.Cluster == nil && o.Secret != nil && o.Secret.Unreached == nil },
		) {
		return reason
	}
	return finding.Reason{}
}

// isNotWatched ends the walk: there is no remote secret, or istiod ignores it. It is unknown
// where a secret may lead there, or the clusters may not be of one mesh.
func (w *walk) isNotWatched() Verdict {
	ignored := w.ignoredSecret()
	if ignored == nil {
		watch := w.mesh.Watch(w.cp.RunsIn, w.to)
		inDoubt := watch.Why == model.MayLeadThere || watch.Why == model.ExternalControlPlane ||
			watch.From.Membership.State == model.Unclear || watch.To.Membership.State == model.Unclear
		if watch.Status == model.Unknown && inDoubt {
			return w.unclear(stepReads, w.cp.Context, finding.Because(watch.String()))
		}
		if watch.ByChoice() {
			f := w.notWatched(fmt.Sprintf("%s has no remote secret for %s, by choice of the mesh", istiodOf(w.cp), w.to.Context))
			f.Evidence = []finding.Evidence{{Field: "remote secrets", Value: secretsOf(w.cp.RunsIn)}}
			f.Fix = w.recreateSecret(w.to, cmp.Or(w.to.ID, w.to.Context), "")
			return w.answer(stepReads, f)
		}
		return w.fault(stepReads, w.unwatched(nil))
	}
	if code := ignoredCode(ignored.IgnoredBy(w.cp)); code == "SEC008" || code == "SEC009" {
		if held, known := w.held(ignored.ClusterID); known && len(held) > 0 {
			return w.outlives(w.unwatched(ignored), held)
		}
	}
	return w.fault(stepReads, w.unwatched(ignored))
}

// isFollowed: istiod can use the remote secret, and follows what changes in the cluster.
func (w *walk) isFollowed(watched model.Watched) Verdict {
	cause := ""
	// Another remote secret may lead there that is ignored or out of use, and does no harm.
	if watch := w.mesh.Watch(w.cp.RunsIn, w.to); watch.Status == model.Stale || watch.Status == model.Impaired {
		cause = cmp.Or(
			w.known.ofWatching(w.cp.Context, w.to.Context, notFollowed...),
			w.known.ofWatching(w.cp.Context, w.to.Context, "SEC019"))
	}
	if cause != "" && !w.isElsewhere(cause) {
		f := w.notWatched(fmt.Sprintf("%s cannot read %s: its clients get no endpoints there, or old ones", istiodOf(w.cp), w.to.Context))
		f.Effect = fmt.Sprintf("requests from %s reach no pod in %s, or only those that it had when istiod last read it",
			w.source.Context, w.to.Context)
		f.CausedBy, f.Fix = cause, remedy.ByItsCause()
		f.Evidence = []finding.Evidence{{Cluster: w.cp.Context, Field: "remote secret", Value: "none"}}
		if watched.Secret != nil {
			f.Evidence[0].Value = watched.Secret.SecretName()
		}
		if w.stale = w.staleBy(f); w.stale == nil {
			return w.fault(stepReads, f)
		}
	}
	if w.asked { // else what the rules themselves could not check says it
		w.doubt(w.cp.Context, "EP030", notFollowed...)
	}
	return goesOn
}

// notWatched begins a finding about a cluster that a control plane does not watch.
func (w *walk) notWatched(title string) finding.Finding {
	return finding.Finding{
		Code: "EP030", Severity: finding.Error, Clusters: []string{w.cp.Context}, Object: finding.Named("cluster", w.to.Context), Title: title,
		Effect: fmt.Sprintf("requests from %s reach no pod in %s", w.source.Context, w.to.Context),
	}
}

// unwatched: there is no remote secret for the cluster, or istiod ignores it
// (pkg/kube/multicluster/secretcontroller.go).
func (w *walk) unwatched(ignored *model.RemoteSecret) finding.Finding {
	var f finding.Finding
	code, instead := finding.Code("SEC001"), ""
	if ignored == nil {
		f = w.notWatched(fmt.Sprintf("%s has no remote secret for %s, so it does not know its pods", istiodOf(w.cp), w.to.Context))
		f.Evidence = []finding.Evidence{{
			Field: fmt.Sprintf("secrets with label %s=true in %s", istio.MultiClusterLabel, w.cp.Istiod.Namespace), Value: secretsOf(w.cp.RunsIn),
		}}
	} else {
		why := ignored.IgnoredBy(w.cp)
		code, instead = ignoredCode(why), ignored.SecretName()
		f = w.notWatched(fmt.Sprintf("%s ignores the remote secret for %s: %s", istiodOf(w.cp), w.to.Context, why))
		f.Evidence = []finding.Evidence{{Field: "secret " + instead, Value: why.String()}}
	}
	f.Evidence = append(f.Evidence, finding.Evidence{Field: "cluster ID of " + w.cp.Context, Value: w.cp.Istiod.ClusterID()})
	if w.to.ID != "" {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: w.to.Context, Field: "cluster ID", Value: w.to.ID})
	}
	if w.to.ID != "" && w.to.ID == w.cp.Istiod.ClusterID() {
		f.Fix = []finding.Step{
			finding.Say("Give each cluster its own ID in the values of istiod's installation: global.multiCluster.clusterName."),
			finding.Say("Then recreate its pods and the remote secrets."),
		}
	} else {
		f.Fix = w.recreateSecret(w.to, cmp.Or(w.to.ID, w.to.Context), instead)
	}
	f.CausedBy = cmp.Or(
		w.known.ofWatching(w.cp.Context, w.to.Context, secretCodes...),
		w.known.about(finding.Object{}, []string{w.cp.Context}, code))
	w.leaveToCause(&f)
	return f
}

// recreateSecret are the steps that give the control plane a remote secret for a cluster,
// under a cluster ID; instead of another one, namespace/name, unless that is "".
func (w *walk) recreateSecret(watched *model.Cluster, id, instead string) []finding.Step {
	secret := remedy.RemoteSecret{
		Watched: watched.Context, ID: id, ReaderNamespace: watched.SystemNamespace, Context: w.cp.Context, Namespace: w.cp.Istiod.Namespace,
	}
	create := finding.Say("Create the remote secret:").By(secret.Create())
	if watched.NeedsServer() {
		create = finding.Say(
			"Create the remote secret. Set HOST to the address of the API server of %s itself, not of a proxy, that pods of %s reach:",
			watched.Context, w.cp.Context).By(secret.Create("--server=https://HOST:6443"))
	}
	namespace, name := cut(instead)
	if instead == "" || name == istio.RemoteSecretPrefix+id {
		return []finding.Step{create} // it takes the place of one of the same name
	}
	return []finding.Step{
		create,
		finding.Say("Careful: if istiod of %s does not watch %s by the new secret yet, requests to it stop. Delete the old one:",
			w.cp.Context, watched.Context).By(finding.Kubectl(w.cp.Context, "-n", namespace, "delete", "secret/"+name)),
	}
}

// ignoredSecret is the remote secret that leads to the cluster, or has its ID and leads to
// no other, and that the control plane ignores; nil where there is none.
func (w *walk) ignoredSecret() *model.RemoteSecret {
	for _, r := range w.cp.IgnoredSecrets() {
		if r.To == w.to || r.To == nil && r.Unreached == nil && r.UID == "" && r.ClusterID == w.to.ID {
			return r
		}
	}
	return nil
}

// ignoredCode is the code for a remote secret that istiod ignores.
func ignoredCode(why *model.Ignored) finding.Code {
	switch why.Cause {
	case model.OwnID:
		return "SEC006"
	case model.SameID:
		return "SEC005"
	case model.NotAllowed:
		return "SEC009"
	default:
		return "SEC008"
	}
}

// secretsOf names the remote secrets of a cluster.
func secretsOf(c *model.Cluster) string {
	var out []string
	for _, r := range c.Remotes {
		out = append(out, r.Name+" for "+r.ClusterID)
	}
	return cmp.Or(finding.List(finding.Distinct(out)), "none")
}

// refusedProxies: a control plane checks the token of a proxy in the cluster that the proxy
// names, and does not have one of that name (security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go).
func (w *walk) refusedProxies(own, name string) finding.Finding {
	f := finding.Finding{
		Code: "EP030", Severity: finding.Error, Clusters: []string{w.cp.Context}, Object: finding.Named("cluster", w.source.Context),
		Title: fmt.Sprintf("%s refuses the proxies of %s: it knows the cluster as %s", istiodOf(w.cp), w.source.Context, name),
		Evidence: []finding.Evidence{
			{Field: "remote secrets", Value: secretsOf(w.cp.RunsIn)},
			{Cluster: w.source.Context, Field: "cluster ID of its proxies", Value: own},
		},
		Effect: fmt.Sprintf("new and restarted proxies in %s get no certificate and no endpoints", w.source.Context),
	}
	if name == "" {
		f.Title = fmt.Sprintf("%s has no remote secret for %s, and refuses its proxies", istiodOf(w.cp), w.source.Context)
	}
	instead := ""
	if watched, ok := w.watched(w.source); ok && watched.Secret != nil {
		instead = watched.Secret.SecretName()
	}
	f.Fix = w.recreateSecret(w.source, own, instead)
	f.CausedBy = w.known.about(finding.Object{}, []string{w.cp.Context}, "SEC004")
	w.leaveToCause(&f)
	return f
}

// leaveToCause names the error that causes that a cluster is not watched, where it was
// found, and leaves the command that fixes it to it: what both delete and recreate cannot
// be pasted twice.
func (w *walk) leaveToCause(f *finding.Finding) {
	cause, ok := w.known.byID[f.CausedBy]
	if ok {
		f.Title += fmt.Sprintf(" (%s)", cause.Code)
	}
	if len(cause.Fix) > 0 {
		f.Fix = remedy.ByItsCause()
	}
}
