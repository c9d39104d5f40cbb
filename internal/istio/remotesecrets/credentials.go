package remotesecrets

import (
	"cmp"
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// endingCredentials (SEC013): a credential expires soon, or what a token comes from is
// gone: it lives no longer than its service account and the Secret that it is from.
func endingCredentials(p *pass) {
	for _, r := range used(p) {
		for _, e := range r.ExpiresSoon() {
			left := e.End.Sub(p.Model.Fleet.At)
			f := about(r, "SEC013", finding.Warning, fmt.Sprintf("the %s of a remote secret expires in %s", e.What, span(left)))
			f.Evidence = []finding.Evidence{keyOf(r, ", "+e.What+", until", stamp(e.End))}
			f.Effect = "after that, " + staleEffect(r)
			f.Fix = renew(r)
			p.Gather(f)
		}
		if r.Access.Token == nil {
			continue
		}
		if why := accountNotChecked(p.Model, r); why != (finding.Reason{}) {
			p.NotChecked(r.In.Context, why)
			continue
		}
		if problem := r.AccountProblem(); problem != "" {
			p.Gather(invalidAccount(r, problem))
		}
	}
}

// accountNotChecked says why it is not known whether the service account of a token, and
// its Secret, are there; the zero Reason where it is.
func accountNotChecked(m *model.Mesh, r *model.RemoteSecret) finding.Reason {
	a, ok := r.Account()
	if !ok {
		return sideUnknown(m, r)
	}
	accepted, _ := r.Reviewed()
	if !accepted && !a.UID.Known() {
		return rule.Unread("service account of "+r.To.Context, a.UID.State, a.UID.Why())
	}
	if problem := r.AccountProblem(); problem != "" && problem != model.TokenUnused {
		return finding.Reason{}
	}
	name := r.Access.Token.Secret
	if of, asked := a.TokenSecrets[name]; asked && !of.Known() {
		namespace, _, _ := istio.ServiceAccount(r.Identity)
		return rule.Unread(fmt.Sprintf("secret %s/%s of %s", namespace, name, r.To.Context), of.State, of.Why())
	}
	return finding.Reason{}
}

func invalidAccount(r *model.RemoteSecret, problem model.AccountProblem) finding.Finding {
	a, _ := r.Account()
	t := r.Access.Token
	namespace, name, _ := istio.ServiceAccount(r.Identity)
	account := "serviceaccount " + namespace + "/" + name
	there := func(field, value string) finding.Evidence {
		return finding.Evidence{Cluster: r.To.Context, Field: field, Value: value}
	}
	f := about(r, "SEC013", finding.Error, "")
	f.Effect, f.Fix = staleEffect(r), renew(r)
	switch problem {
	case model.TokenUnused:
		f.Severity, f.Title = finding.Warning, "Kubernetes is about to clean up the token of a remote secret"
		f.Evidence = []finding.Evidence{
			there("secret "+t.Secret+", label kubernetes.io/legacy-token-invalid-since", a.TokenSecrets[t.Secret].Value.InvalidSince),
		}
	case model.AccountGone:
		f.Title, f.Evidence = "the service account of a remote secret is gone", []finding.Evidence{there(account, "does not exist")}
		reinstall := finding.Say("Reinstall Istio's base or istiod chart in %s: it creates the service account and its role.", r.To.Context)
		f.Fix = append([]finding.Step{reinstall}, f.Fix...)
	case model.AccountRecreated:
		f.Title = "the service account of a remote secret was recreated"
		f.Evidence = []finding.Evidence{keyOf(r, ", token for the uid", t.AccountUID), there(account+", uid", a.UID.Value)}
	case model.TokenSecretGone:
		f.Title = "the Secret of a remote secret's token is gone"
		f.Evidence = []finding.Evidence{there("secret "+namespace+"/"+t.Secret, "does not exist")}
	}
	return f
}

// refusedCredentials (SEC012): istiod does not notice that a credential is no longer
// accepted: the cluster stays synced, and its endpoints as they were.
func refusedCredentials(p *pass) {
	for _, r := range used(p) {
		if expired := r.Expired(); r.Refused() || len(expired) > 0 {
			p.Gather(refusedCredential(p, r, expired))
			continue
		}
		_, reviewed := r.Reviewed()
		switch tried := r.Tried(); {
		case reviewed, tried.Outcome == facts.ConnectAccepted:
		case tried.Outcome != "":
			reason := finding.Because(fmt.Sprintf("from this machine, secret for %s: %s", r.ClusterID, cmp.Or(tried.Reason, "not tried")))
			if tried.Outcome == facts.ConnectNotReached {
				reason.Kind = finding.Failed
			}
			p.NotChecked(r.In.Context, reason)
		default:
			p.NotChecked(r.In.Context, notReviewed(p.Model, r))
		}
	}
}

func refusedCredential(p *pass, r *model.RemoteSecret, expired []model.Expiry) finding.Finding {
	f := about(r, "SEC012", finding.Error, fmt.Sprintf("the credential by which istiod watches %s is not accepted", nameOf(r)))
	f.Effect, f.Fix = staleEffect(r), renew(r)
	f.CausedBy = cause(p, r, "SEC013")
	for _, e := range expired {
		f.Title = fmt.Sprintf("the credential by which istiod watches %s has expired", nameOf(r))
		f.Evidence = append(f.Evidence, keyOf(r, ", "+e.What+", until", stamp(e.End)))
	}
	if accepted, reviewed := r.Reviewed(); reviewed && !accepted {
		f.Evidence = append(f.Evidence,
			finding.Evidence{Cluster: r.To.Context, Field: "review of the token by the API server", Value: r.Review().Refused})
	}
	if tried := r.Tried(); tried.Outcome == facts.ConnectRefused {
		f.Evidence = append(f.Evidence,
			finding.Evidence{Cluster: r.In.Context, Field: "use of the credential from this machine", Value: tried.Reason})
	}
	for _, v := range r.In.IstiodReplicas() {
		if v.Known() && v.StateOf(r) != model.NotThere {
			f.Evidence = append(f.Evidence, saidBy(v, r))
		}
	}
	return f
}

// notReviewed says why a credential was not reviewed.
func notReviewed(m *model.Mesh, r *model.RemoteSecret) finding.Reason {
	if reason := sideUnknown(m, r); reason != (finding.Reason{}) {
		return reason
	}
	switch review := r.Review(); {
	case r.Access.Kind != "token" && r.Access.Kind != "":
		return finding.Because(fmt.Sprintf("the %s for %s is not used without --connect", r.Access.Kind, r.ClusterID))
	case review.Token.State != facts.NotAsked:
		return rule.Unread("review of the token by "+r.To.Context, review.Token.State, review.Token.Why())
	}
	return finding.Because(fmt.Sprintf("the token for %s could not be read to be reviewed", r.ClusterID))
}
