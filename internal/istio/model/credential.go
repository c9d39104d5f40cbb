package model

import (
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// expirySoon is how long before its end a credential is worth a warning, and a fifth of
// its life is too.
const expirySoon = 7 * 24 * time.Hour

// Review is what an API server says of the token of the remote secret, and of the CA in it.
func (r *RemoteSecret) Review() facts.Review { return r.In.mesh.Seen.Reviews[r.Key()] }

// Tried is what became of using the credential from this machine.
func (r *RemoteSecret) Tried() facts.Connected { return r.In.mesh.Seen.Connected[r.Key()] }

// Reviewed reports whether an API server reviewed the token, and whether it accepts it.
func (r *RemoteSecret) Reviewed() (accepted, reviewed bool) {
	review := r.Review()
	return review.Token.State == facts.OK && review.Refused == "", review.Token.State == facts.OK
}

// Accepted reports whether an API server accepts the credential.
func (r *RemoteSecret) Accepted() bool {
	accepted, _ := r.Reviewed()
	return accepted || r.Tried().Outcome == facts.ConnectAccepted
}

// Refused reports whether an API server refuses the credential.
func (r *RemoteSecret) Refused() bool {
	accepted, reviewed := r.Reviewed()
	return reviewed && !accepted || r.Tried().Outcome == facts.ConnectRefused
}

// Expiry is the end of a credential.
type Expiry struct {
	// What is "token" or "client certificate".
	What string
	End  time.Time
	// Begin is zero where it is not known.
	Begin time.Time
}

// Expiries are the ends of what the remote secret authenticates with, as it says itself.
func (r *RemoteSecret) Expiries() []Expiry {
	var out []Expiry
	if t := r.Access.Token; t != nil && !t.Expires.IsZero() {
		out = append(out, Expiry{"token", t.Expires, t.IssuedAt})
	}
	if end := r.Access.CertificateEnds; !end.IsZero() {
		out = append(out, Expiry{What: "client certificate", End: end})
	}
	return out
}

// Expired are those of Expiries that are over; none where an API server accepts the
// credential nonetheless.
func (r *RemoteSecret) Expired() []Expiry {
	var out []Expiry
	for _, e := range r.Expiries() {
		if !e.End.After(r.In.mesh.Fleet.At) && !r.Accepted() {
			out = append(out, e)
		}
	}
	return out
}

// ExpiresSoon are those of Expiries that come soon, for how long the credential lives.
func (r *RemoteSecret) ExpiresSoon() []Expiry {
	var out []Expiry
	for _, e := range r.Expiries() {
		left := e.End.Sub(r.In.mesh.Fleet.At)
		soon := left < expirySoon
		if !e.Begin.IsZero() {
			life := e.End.Sub(e.Begin)
			soon = left < life/5 || soon && life > 2*expirySoon
		}
		if soon && left > 0 {
			out = append(out, e)
		}
	}
	return out
}

// Side is what the cluster to which the remote secret leads says of those who watch it.
func (r *RemoteSecret) Side() facts.Read[facts.RemoteSide] {
	if r.To == nil {
		return facts.Read[facts.RemoteSide]{}
	}
	return r.In.mesh.Seen.Sides[r.To.Context]
}

// Account is what that cluster says of the service account in the remote secret; false
// where nobody was asked, or it is not known to which cluster it leads.
func (r *RemoteSecret) Account() (facts.Account, bool) {
	if side := r.Side(); side.State == facts.OK && r.Identity != "" && r.Origin != ByKey {
		a, ok := side.Value.Accounts[r.Identity]
		return a, ok
	}
	return facts.Account{}, false
}

// AccountProblem is why the token of a remote secret is worth nothing, or soon will be: a
// token lives no longer than its service account and the Secret that it is from.
type AccountProblem string

// The problems; "" is none.
const (
	AccountGone      AccountProblem = "service account gone"
	AccountRecreated AccountProblem = "service account recreated"
	TokenSecretGone  AccountProblem = "secret of the token gone"
	// TokenUnused: Kubernetes is about to clean it up. It still works.
	TokenUnused AccountProblem = "token about to be cleaned up"
)

// AccountProblem says what is wrong with the service account of the token.
func (r *RemoteSecret) AccountProblem() AccountProblem {
	t := r.Access.Token
	a, ok := r.Account()
	if t == nil || !ok {
		return ""
	}
	secret := a.TokenSecrets[t.Secret]
	if accepted, _ := r.Reviewed(); accepted {
		if secret.Value.InvalidSince != "" {
			return TokenUnused
		}
		return ""
	}
	switch {
	case !a.UID.Known():
		return ""
	case a.UID.State == facts.Absent:
		return AccountGone
	case t.AccountUID != "" && a.UID.Value != t.AccountUID:
		return AccountRecreated
	case t.Secret != "" && secret.State == facts.Absent:
		return TokenSecretGone
	}
	return ""
}
