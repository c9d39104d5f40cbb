package remotesecrets

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// expiryWarn is how long before its end a credential is worth a warning, and a fifth of its
// life is too.
const expiryWarn = 7 * 24 * time.Hour

// side is what the cluster to which an entry leads says of those who read it.
func (j *judgement) side(e *entry) facts.Read[facts.RemoteSide] {
	if e.to == nil {
		return facts.Read[facts.RemoteSide]{}
	}
	return j.seen.Sides[e.to.Context]
}

// account is what the cluster to which an entry leads says of its service account.
func (j *judgement) account(e *entry) (facts.Account, bool) {
	if side := j.side(e); side.State == facts.OK && e.Identity != "" && e.from != ByKey {
		a, ok := side.Value.Accounts[e.Identity]
		return a, ok
	}
	return facts.Account{}, false
}

// beyond says why nobody was asked about an entry; the zero Reason where somebody was.
func (j *judgement) beyond(e *entry) finding.Reason {
	if j.seen.NotAsked != "" {
		return j.notAsked()
	}
	if !e.sure() {
		nowhere := fmt.Sprintf("no context of the fleet leads to cluster %s at %s", e.ClusterID, e.address())
		return cmp.Or(j.unrecognised(e), finding.Because(nowhere))
	}
	if side := j.side(e); side.State != facts.OK {
		return rule.Unread("service accounts of "+e.to.Context, side.State, side.Why())
	}
	return finding.Reason{}
}

// notAsked says why no control plane and no API server was asked.
func (j *judgement) notAsked() finding.Reason {
	return finding.Reason{Kind: finding.NotAsked, Text: j.seen.NotAsked}
}

// unrecognised says which cluster could not be asked for the service account by which it would be
// known that an entry leads there; the zero Reason where all were.
func (j *judgement) unrecognised(e *entry) finding.Reason {
	if e.Access.Token == nil || e.Access.Token.AccountUID == "" {
		return finding.Reason{}
	}
	for _, m := range j.members {
		a, asked := j.seen.Sides[m.Context].Value.Accounts[e.Identity]
		if asked && m != e.in && !a.UID.Known() {
			namespace, name, _ := istio.ServiceAccount(e.Identity)
			what := fmt.Sprintf("whether the secret for %s leads to %s: serviceaccount %s/%s there", e.ClusterID, m.Context, namespace, name)
			return rule.Unread(what, a.UID.State, a.UID.Why())
		}
	}
	return finding.Reason{}
}

// judgeTLS: what signs the certificate of the API server has to be in the kubeconfig.
func judgeTLS(j *judgement, m *member) {
	for _, e := range m.used() {
		if e.Access.Insecure {
			f := e.about("SEC011", finding.Warning, "a remote secret turns off the check of the API server's certificate")
			f.Evidence = []finding.Evidence{e.evidence(", insecure-skip-tls-verify", "true")}
			f.Effect = "whoever is between istiod and the API server can take the credential and make up endpoints"
			f.Fix = e.renew()
			j.Gather(f)
			continue
		}
		chain := j.seen.Reviews[e.key()].Chain
		why, from := chain.Value, "the connection by the context of "+e.named()
		if c := j.seen.Connected[e.key()]; c.Outcome == facts.ConnectUntrusted {
			why, from = c.Reason, "the try from this machine"
		} else if c.Outcome == facts.ConnectAccepted || c.Outcome == facts.ConnectRefused {
			continue
		} else if chain.State != facts.OK {
			unseen := fmt.Sprintf("the certificate at %s, which the secret for %s names, was not seen", e.Server, e.ClusterID)
			reason := cmp.Or(j.beyond(e), finding.Because(unseen))
			if j.syncedBy(e) {
				continue // istiod has seen it
			}
			j.NotChecked(m.Context, reason, "SEC011")
			continue
		}
		if why == "" {
			continue
		}
		f := e.about("SEC011", finding.Error, "the API server's certificate does not belong to the CA in a remote secret")
		f.Evidence = []finding.Evidence{
			e.where(), e.evidence(", certificate-authority-data", "sha256 "+some(short(e.Access.CA), 2)),
			{Cluster: m.Context, Field: from, Value: why},
		}
		f.Effect = e.unread()
		f.Fix = e.renew()
		j.Gather(f)
	}
}

func short(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s[:min(12, len(s))]
	}
	return out
}

// judgeAccount: a token lives no longer than its service account and the Secret that it is from.
func judgeAccount(j *judgement, m *member) {
	for _, e := range m.used() {
		if end := e.Access.CertificateEnds; !end.IsZero() {
			j.expiring(e, "client certificate", end, time.Time{})
		}
		t := e.Access.Token
		if t == nil {
			continue
		}
		if !t.Expires.IsZero() {
			j.expiring(e, "token", t.Expires, t.IssuedAt)
		}
		review := j.seen.Reviews[e.key()]
		a, ok := j.account(e)
		switch {
		case !ok:
			if reason := j.beyond(e); reason != (finding.Reason{}) {
				j.NotChecked(m.Context, reason, "SEC013")
			}
			continue
		case review.Token.State == facts.OK && review.Refused == "":
			if j.unreadToken(e, a) {
				continue
			}
			if since := a.TokenSecrets[t.Secret].Value.InvalidSince; since != "" {
				f := e.about("SEC013", finding.Warning, "Kubernetes is about to clean up the token of a remote secret")
				f.Evidence = []finding.Evidence{{Cluster: e.to.Context, Field: "secret " + t.Secret + ", label kubernetes.io/legacy-token-invalid-since", Value: since}}
				f.Effect, f.Fix = e.frozen(), e.renew()
				j.Gather(f)
			}
			continue
		case !a.UID.Known():
			j.NotChecked(m.Context, rule.Unread("service account of "+e.to.Context, a.UID.State, a.UID.Why()), "SEC013")
			continue
		}
		namespace, name, _ := istio.ServiceAccount(e.Identity)
		secret := a.TokenSecrets[t.Secret]
		f := e.about("SEC013", finding.Error, "")
		gone := finding.Evidence{Cluster: e.to.Context, Field: "serviceaccount " + namespace + "/" + name}
		switch {
		case a.UID.State == facts.Absent:
			f.Title, gone.Value = "the service account of a remote secret is gone", "does not exist"
		case t.AccountUID != "" && a.UID.Value != t.AccountUID:
			f.Title, gone.Field, gone.Value = "the service account of a remote secret was made anew", gone.Field+", uid", a.UID.Value
			f.Evidence = []finding.Evidence{e.evidence(", token for the uid", t.AccountUID)}
		case t.Secret != "" && secret.State == facts.Absent:
			f.Title, gone.Field, gone.Value = "the Secret of a remote secret's token is gone", "secret "+namespace+"/"+t.Secret, "does not exist"
		default:
			j.unreadToken(e, a)
			continue
		}
		f.Evidence = append(f.Evidence, gone)
		f.Effect, f.Fix = e.frozen(), e.renew()
		if a.UID.State == facts.Absent {
			reinstall := finding.Say("Reinstall Istio's base or istiod chart in %s: it creates the service account and its role.", e.to.Context)
			f.Fix = append([]finding.Step{reinstall}, f.Fix...)
		}
		j.Gather(f)
	}
}

// unreadToken notes where the Secret that an entry's token is from could not be read,
// and reports whether that is so.
func (j *judgement) unreadToken(e *entry, a facts.Account) bool {
	t := e.Access.Token
	secret, asked := a.TokenSecrets[t.Secret]
	if !asked || secret.Known() {
		return false
	}
	namespace, _, _ := istio.ServiceAccount(e.Identity)
	what := fmt.Sprintf("secret %s/%s of %s", namespace, t.Secret, e.to.Context)
	j.NotChecked(e.in.Context, rule.Unread(what, secret.State, secret.Why()), "SEC013")
	return true
}

// expiring judges the end of a credential that is still good.
func (j *judgement) expiring(e *entry, what string, end, begin time.Time) {
	left := end.Sub(j.fleet.At)
	if left <= 0 {
		return // SEC012
	}
	near := left < expiryWarn
	if !begin.IsZero() {
		life := end.Sub(begin)
		near = left < life/5 || near && life > 2*expiryWarn
	}
	if !near {
		return
	}
	f := e.about("SEC013", finding.Warning, fmt.Sprintf("the %s of a remote secret expires in %s", what, span(left)))
	f.Evidence = []finding.Evidence{e.evidence(", "+what+", until", stamp(end))}
	f.Effect = "after that, " + e.frozen()
	f.Fix = e.renew()
	j.Gather(f)
}

// judgeCredential: istiod does not notice that a credential is no longer accepted: the cluster stays
// synced, and its endpoints as they were.
func judgeCredential(j *judgement, m *member) {
	for _, e := range m.used() {
		f := e.about("SEC012", finding.Error, fmt.Sprintf("the credential by which istiod reads %s is not accepted", e.named()))
		f.Effect, f.Fix = e.frozen(), e.renew()
		f.CausedBy = j.cause(e, "SEC013")
		review, tried := j.seen.Reviews[e.key()], j.seen.Connected[e.key()]
		expired := func(what string, end time.Time) bool {
			if end.IsZero() || end.After(j.fleet.At) || review.Token.State == facts.OK && review.Refused == "" || tried.Outcome == facts.ConnectAccepted {
				return false
			}
			f.Title = fmt.Sprintf("the credential by which istiod reads %s has expired", e.named())
			f.Evidence = append(f.Evidence, e.evidence(", "+what+", until", stamp(end)))
			return true
		}
		bad := e.Access.Token != nil && expired("token", e.Access.Token.Expires)
		bad = expired("client certificate", e.Access.CertificateEnds) || bad
		if review.Token.State == facts.OK && review.Refused != "" {
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: e.to.Context, Field: "review of the token by the API server", Value: review.Refused})
			bad = true
		}
		if tried.Outcome == facts.ConnectRefused {
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "use of the credential from this machine", Value: tried.Reason})
			bad = true
		}
		for _, v := range j.replicas[m] {
			if s := v.status(e); bad && v.known() && s != absent {
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "istiod " + v.Pod + " says of " + e.ClusterID, Value: s})
			}
		}
		switch {
		case bad:
			j.Gather(f)
		case tried.Outcome == facts.ConnectAccepted, review.Token.State == facts.OK:
		case j.seen.Connected != nil && tried.Outcome != "":
			reason := finding.Because(fmt.Sprintf("from this machine, secret for %s: %s", e.ClusterID, cmp.Or(tried.Reason, "not tried")))
			if tried.Outcome == facts.ConnectNotReached {
				reason.Kind = finding.Failed
			}
			j.NotChecked(m.Context, reason, "SEC012")
		default:
			j.NotChecked(m.Context, j.unreviewed(e), "SEC012")
		}
	}
}

// unreviewed says why a credential was not reviewed.
func (j *judgement) unreviewed(e *entry) finding.Reason {
	if reason := j.beyond(e); reason != (finding.Reason{}) {
		return reason
	}
	switch review := j.seen.Reviews[e.key()]; {
	case e.Access.Kind != "token" && e.Access.Kind != "":
		return finding.Because(fmt.Sprintf("the %s for %s is not used without --connect", e.Access.Kind, e.ClusterID))
	case review.Token.State != facts.NotAsked:
		return rule.Unread("review of the token by "+e.to.Context, review.Token.State, review.Token.Why())
	}
	return finding.Because(fmt.Sprintf("the token for %s could not be read to be reviewed", e.ClusterID))
}

// judgeRights: what istiod does in the clusters that it reads.
func judgeRights(j *judgement, m *member) {
	for _, e := range m.used() {
		a, ok := j.account(e)
		switch {
		case ok && a.Rights.State == facts.OK:
		case ok:
			j.NotChecked(m.Context, rule.Unread("rights in "+e.to.Context, a.Rights.State, a.Rights.Why()), "SEC014")
			continue
		default:
			other := fmt.Sprintf("the credential for %s is not that of a service account", e.ClusterID)
			j.NotChecked(m.Context, cmp.Or(j.beyond(e), finding.Because(other)), "SEC014")
			continue
		}
		if a.UID.State == facts.Absent && j.cause(e, "SEC013") != "" {
			continue
		}
		var missing, effects []string
		severity := finding.Warning
		for _, right := range a.Rights.Value {
			if right.Allowed {
				continue
			}
			need, effect := istio.NotNeeded, ""
			for _, i := range m.istiods {
				if n, text := i.Needs(right, !e.to.remote()); n > need {
					need, effect = n, text
				}
			}
			if need == istio.NotNeeded || isGateway(right) && len(resources.KubernetesGateways.Of(e.to.Cluster).Value) == 0 {
				continue
			}
			if need == istio.Vital && !a.ByRoles {
				severity = finding.Error
			}
			missing = append(missing, right.Verb+" "+right.Name())
			effects = add(effects, effect)
		}
		if len(missing) == 0 {
			continue
		}
		f := e.about("SEC014", severity, fmt.Sprintf("istiod may not read all that it needs in %s", e.to.Context))
		asked := "may not, says its API server"
		if a.ByRoles {
			asked = "may not, by the cluster roles bound to it"
		}
		f.Evidence = []finding.Evidence{
			{Cluster: m.Context, Field: e.object().String() + ", identity", Value: e.Identity},
			{Cluster: e.to.Context, Field: asked, Value: some(missing, 12)},
		}
		f.Effect = strings.Join(effects, "; ")
		f.Fix = []finding.Step{
			finding.Say("Istio's charts hold the role: reinstall that of istiod's version in %s. Then look at the role:", e.to.Context).
				By(finding.Kubectl(e.to.Context, "get", "clusterrole,clusterrolebinding", "-l", "app=istio-reader")),
		}
		j.Gather(f)
	}
}

func isGateway(r facts.Right) bool {
	return r.Resource == "gateways" || r.Resource == "customresourcedefinitions"
}

func add(list []string, one string) []string {
	for _, s := range list {
		if s == one {
			return list
		}
	}
	return append(list, one)
}
