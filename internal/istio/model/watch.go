package model

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// settling is how long istiod may take for a change of a remote secret.
const settling = time.Minute

// Watch is whether the control plane of a cluster watches another one.
type Watch struct {
	From, To *Cluster
	Status   WatchStatus
	// Why is what decides the status; "" for one that is watched.
	Why WatchReason
	// Secret is the remote secret by which it is, or would be, watched; nil for none. Of
	// MayLead it is one that may be for the cluster.
	Secret *RemoteSecret
	// Replicas are what the replicas of istiod say of Secret; none where none was asked.
	Replicas []Replica
	// Confirmed: somebody who knows says that it is watched, or could be: a replica of
	// istiod, or the API server of the cluster. Else it follows from the API objects.
	Confirmed bool
	// Unread is what was not read; only of Unread reasons.
	Unread []Unread
}

// WatchStatus is how it stands with a Watch.
type WatchStatus string

// The statuses.
const (
	IsWatched WatchStatus = "watched"
	// Missing: it should be watched, and there is no remote secret.
	Missing WatchStatus = "missing"
	// IsIgnored: there is a remote secret, and a control plane ignores it.
	IsIgnored WatchStatus = "ignored"
	// Stale: istiod does not follow the cluster any more, or never did: it has what it
	// read before, or nothing.
	Stale       WatchStatus = "stale"
	Unknown     WatchStatus = "unknown"
	NotExpected WatchStatus = "not-expected"
)

// WatchReason is what decides a status.
type WatchReason string

// The reasons.
const (
	// Of NotExpected.
	SameCluster    WatchReason = "same cluster"
	NoControlPlane WatchReason = "no control plane"
	NoIstio        WatchReason = "nothing of Istio"
	OtherMesh      WatchReason = "other mesh"
	// Of Missing.
	NoSecret WatchReason = "no remote secret"
	// Of IsIgnored: see Secret.Ignored.
	SecretIgnored WatchReason = "remote secret ignored"
	// Of Stale: what a replica says, or the API server of the credential.
	SaysTimeout       WatchReason = "timeout"
	SaysSyncing       WatchReason = "syncing"
	SaysClosed        WatchReason = "closed"
	SaysNothing       WatchReason = "not known to istiod"
	CredentialRefused WatchReason = "credential refused"
	CredentialExpired WatchReason = "credential expired"
	EndpointsDiffer   WatchReason = "endpoints differ" // see Secret.Drift
	// Of Unknown.
	WasNotRead           WatchReason = "not read"
	ExternalControlPlane WatchReason = "external control plane"
	MayLeadThere         WatchReason = "remote secret may lead there"
	JustChanged          WatchReason = "just changed"
)

// String says why to people.
func (w Watch) String() string {
	switch w.Why {
	case "":
		return "watched"
	case SameCluster:
		return "it is the same cluster"
	case NoControlPlane:
		return w.From.Context + " has no control plane"
	case NoIstio:
		return "nothing of Istio is in " + w.To.Context
	case OtherMesh:
		return "they are not of one mesh"
	case NoSecret:
		return fmt.Sprintf("istiod of %s has no remote secret for %s", w.From.Context, w.To.Context)
	case SecretIgnored:
		return fmt.Sprintf("istiod ignores secret %s: %s", w.Secret.SecretName(), w.Secret.Ignored)
	case CredentialRefused:
		return fmt.Sprintf("%s refuses the credential in secret %s", w.To.Context, w.Secret.SecretName())
	case CredentialExpired:
		return fmt.Sprintf("the credential in secret %s expired", w.Secret.SecretName())
	case EndpointsDiffer:
		return fmt.Sprintf("istiod of %s does not have the endpoints that %s has", w.From.Context, w.To.Context)
	case ExternalControlPlane:
		return "the control plane is external, and reads the remote secrets in the cluster that it configures"
	case MayLeadThere:
		return fmt.Sprintf("the remote secret for %s leads to %s, which may be %s", w.Secret.ClusterID,
			cmp.Or(w.Secret.Server, "an address that is not known"), w.To.Context)
	case JustChanged:
		return "the remote secret or istiod is younger than a minute"
	case WasNotRead:
		u := w.Unread[0]
		return fmt.Sprintf("%s in %s", u, u.Context)
	default:
		return "istiod says: " + string(w.Why)
	}
}

// Watch says whether the control plane of a cluster watches another one.
func (m *Mesh) Watch(from, to *Cluster) Watch {
	w := Watch{From: from, To: to}
	if from != to && from.Primary() && from.SecretsElsewhere == nil {
		w.Secret = from.SecretFor(to)
	}
	if w.Secret != nil && !sameUID(from, to) {
		w.judge(m)
		return w
	}
	w.Secret = nil
	unread := func(what []Unread) Watch {
		w.Status, w.Why, w.Unread = Unknown, WasNotRead, what
		return w
	}
	end := func(status WatchStatus, why WatchReason) Watch {
		w.Status, w.Why = status, why
		return w
	}
	switch {
	case from == to, sameUID(from, to):
		return end(NotExpected, SameCluster)
	case len(from.Unread(resources.Istiods)) > 0:
		return unread(from.Unread(resources.Istiods))
	case !from.Primary():
		return end(NotExpected, NoControlPlane)
	case len(from.Unread(resources.RemoteSecrets)) > 0:
		return unread(from.Unread(resources.RemoteSecrets))
	case from.SecretsElsewhere != nil:
		return end(Unknown, ExternalControlPlane)
	case len(to.Undecided()) > 0:
		return unread(to.Undecided())
	case !to.HasIstio():
		return end(NotExpected, NoIstio)
	case !m.Same(from, to):
		for _, c := range []*Cluster{from, to} {
			if len(c.Membership.Unread) > 0 {
				return unread(c.Membership.Unread)
			}
		}
		return end(NotExpected, OtherMesh)
	}
	if w.Secret = from.MayWatch(to); w.Secret != nil {
		return end(Unknown, MayLeadThere)
	}
	return end(Missing, NoSecret)
}

// judge says how it stands with a remote secret that leads to the cluster.
func (w *Watch) judge(m *Mesh) {
	r := w.Secret
	w.Status, w.Replicas = IsWatched, r.Replicas()
	if r.Ignored != nil {
		w.Status, w.Why = IsIgnored, SecretIgnored
		return
	}
	if m.refused(r) {
		w.Status, w.Why = Stale, CredentialRefused
		return
	}
	if ends := r.Expires(); !ends.IsZero() && ends.Before(m.Fleet.At) {
		w.Status, w.Why = Stale, CredentialExpired
		return
	}
	for _, said := range w.Replicas {
		why, fresh := WatchReason(""), false
		switch said.State {
		case "synced":
			if d := r.Drift(said.Pod); !d.Any() || !d.Twice || d.CatchingUp {
				w.Confirmed = true
				continue
			}
			why = EndpointsDiffer
		case "timeout":
			why = SaysTimeout
		case "closed":
			why = SaysClosed
		case "syncing":
			why, fresh = SaysSyncing, m.fresh(r)
		case "":
			why, fresh = SaysNothing, m.fresh(r)
		default:
			continue // a state that this version does not know says nothing
		}
		w.Status, w.Why, w.Confirmed = Stale, why, false
		if fresh {
			w.Status, w.Why = Unknown, JustChanged
			continue
		}
		return
	}
	w.Confirmed = w.Status == IsWatched && (w.Confirmed || m.accepted(r))
}

// refused reports whether an API server refuses the credential of a remote secret.
func (m *Mesh) refused(r *RemoteSecret) bool {
	review := m.Seen.Reviews[r.Key()]
	return review.Token.State == facts.OK && review.Refused != "" || m.Seen.Connected[r.Key()].Outcome == facts.ConnectRefused
}

// accepted reports whether an API server accepts the credential of a remote secret.
func (m *Mesh) accepted(r *RemoteSecret) bool {
	review := m.Seen.Reviews[r.Key()]
	return review.Token.State == facts.OK && review.Refused == "" || m.Seen.Connected[r.Key()].Outcome == facts.ConnectAccepted
}

// fresh reports whether a remote secret, or a replica of istiod, is so young that istiod
// may still be at work.
func (m *Mesh) fresh(r *RemoteSecret) bool {
	if m.Fleet.At.Sub(r.Modified) < settling {
		return true
	}
	return slices.ContainsFunc(resources.IstiodPods.Of(r.In.Cluster).Value, func(p facts.Pod) bool {
		return slices.ContainsFunc(p.Statuses, func(s facts.ContainerStatus) bool {
			return !s.Started.IsZero() && m.Fleet.At.Sub(s.Started) < settling
		})
	})
}
