package model

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Watch is whether the control plane of a cluster watches another one.
type Watch struct {
	From *Cluster
	// To is nil only of a Watch by a remote secret of which it is not known where it leads,
	// or that leads to a cluster that was not reached.
	To     *Cluster
	Status WatchStatus
	// Why is what decides the status, the root where one thing follows from another; ""
	// for one that is watched.
	Why WatchReason
	// Remark is what is wrong with one that is watched and does no harm yet, or none that is
	// certain; "" for nothing.
	Remark WatchReason
	// Secret is the remote secret by which it is, or would be, watched; nil for none. Of
	// MayLeadThere it is one that may be for the cluster, of LeadsElsewhere the one that has
	// its ID.
	Secret *RemoteSecret
	// Loose is the secret that was meant to be the remote secret; only of SecretMisplaced
	// and SecretUnlabeled.
	Loose *facts.LooseSecret
	// Replicas are what the replicas of istiod say of Secret; none where none was asked.
	Replicas []Replica
	// Confirmed: somebody who knows says that it is watched, or could be: a replica of
	// istiod, or the API server of the cluster. Else it follows from the API objects.
	Confirmed bool
	// Unread is what was not read; only of WasNotRead.
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
	Stale WatchStatus = "stale"
	// Impaired: it is watched, and something that depends on it goes wrong nonetheless.
	Impaired    WatchStatus = "impaired"
	Unknown     WatchStatus = "unknown"
	NotExpected WatchStatus = "not-expected"
)

// Broken reports whether something is wrong with it for certain.
func (s WatchStatus) Broken() bool {
	return s == Missing || s == IsIgnored || s == Stale || s == Impaired
}

// WatchReason is what decides a status, or what there is to remark.
type WatchReason string

// The reasons.
const (
	// Of NotExpected.
	SameCluster    WatchReason = "same cluster"
	NoControlPlane WatchReason = "no control plane"
	NoIstio        WatchReason = "nothing of Istio"
	OtherMesh      WatchReason = "other mesh"
	// Apart: neither of two primaries watches the other, and both are part of the mesh by others.
	Apart WatchReason = "neither watches the other"
	// OnlyWatched: it watches none, as no cluster does that the other one watches.
	OnlyWatched WatchReason = "only watched"
	// Joined: neither of two primaries watches the other, and they are federated; see findJoins.
	Joined WatchReason = "federated"
	// Of Missing.
	NoSecret        WatchReason = "no remote secret"
	SecretMisplaced WatchReason = "remote secret in another namespace" // see Loose
	SecretUnlabeled WatchReason = "remote secret without label"        // see Loose
	LeadsElsewhere  WatchReason = "remote secret leads to another cluster"
	// Of IsIgnored: see Secret.Ignored.
	SecretIgnored WatchReason = "remote secret ignored"
	// Of Stale: what is wrong with the remote secret.
	AddressUnreachable WatchReason = "address not reachable"     // see Secret.Unreachable
	ThroughProxy       WatchReason = "address of a proxy"        // see Secret.Proxied; also a Remark
	ServerUntrusted    WatchReason = "API server not trusted"    // see Secret.Untrusted
	AccountInvalid     WatchReason = "service account not valid" // see Secret.AccountProblem
	CredentialRefused  WatchReason = "credential refused"
	CredentialExpired  WatchReason = "credential expired"
	ChangeNotPickedUp  WatchReason = "change not picked up" // see Secret.ChangeMissed; also a Remark
	// Of Stale: what a replica says, or has.
	SaysTimeout     WatchReason = "timeout"
	SaysSyncing     WatchReason = "syncing"
	SaysClosed      WatchReason = "closed"
	SaysNothing     WatchReason = "istiod does not know it"
	EndpointsDiffer WatchReason = "endpoints differ" // see Secret.Drift
	// Of Impaired; of Stale where istiod itself says that it does not follow.
	NamedAsAnother WatchReason = "has the ID of another cluster"
	ProxiesRefused WatchReason = "not the ID that its proxies give"
	RightsMissing  WatchReason = "rights missing"           // see Secret.MissingRights; also a Remark
	GatewaysUntold WatchReason = "ambient gateways missing" // see Secret.Untold
	// Remarks alone.
	NamedDifferently      WatchReason = "not the cluster's own ID"
	ServerUnchecked       WatchReason = "API server not checked"
	CredentialExpiresSoon WatchReason = "credential expires soon"
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
	case Apart:
		return fmt.Sprintf("neither %s nor %s has a remote secret for the other; both are part of the mesh by other clusters",
			w.From.Context, w.To.Context)
	case Joined:
		return fmt.Sprintf("neither %s nor %s has a remote secret for the other; ServiceEntries or a remote Gateway lead from one to the other",
			w.From.Context, w.To.Context)
	case OnlyWatched:
		return fmt.Sprintf("%s watches clusters of which none watches another one", w.To.Context)
	case NoSecret, SecretMisplaced, SecretUnlabeled, LeadsElsewhere:
		return fmt.Sprintf("istiod of %s has no remote secret for %s", w.From.Context, w.name())
	case SecretIgnored:
		return fmt.Sprintf("istiod ignores secret %s: %s", w.Secret.SecretName(), w.Secret.Ignored)
	case CredentialRefused:
		return fmt.Sprintf("%s refuses the credential in secret %s", w.name(), w.Secret.SecretName())
	case CredentialExpired:
		return fmt.Sprintf("the credential in secret %s expired", w.Secret.SecretName())
	case EndpointsDiffer:
		return fmt.Sprintf("istiod of %s does not have the endpoints that %s has", w.From.Context, w.name())
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
	case SaysTimeout, SaysSyncing, SaysClosed, SaysNothing:
		return "istiod says: " + string(w.Why)
	default:
		return fmt.Sprintf("secret %s: %s", w.Secret.SecretName(), w.Why)
	}
}

// ByChoice reports whether nothing is wrong with it that the cluster is not watched, though it is
// of the mesh: it is built so.
func (w Watch) ByChoice() bool { return w.Why == Apart || w.Why == OnlyWatched || w.Why == Joined }

// name is the cluster for people.
func (w Watch) name() string {
	if w.To != nil {
		return w.To.Context
	}
	return "cluster " + w.Secret.ClusterID
}

// Watch says whether the control plane of a cluster watches another one.
func (m *Mesh) Watch(from, to *Cluster) Watch {
	w := Watch{From: from, To: to}
	if to.isConfigOf(from) {
		w.Status = IsWatched
		return w
	}
	if from != to && from.Primary() && from.SecretsElsewhere == nil {
		w.Secret = from.SecretFor(to)
	}
	if w.Secret != nil && !sameUID(from, to) {
		return w.Secret.Watch()
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
	w.Loose, w.Secret, w.Why = from.lost(to)
	if w.Why == NoSecret {
		switch why, what := m.chosen(from, to); {
		case why != "":
			return end(NotExpected, why)
		case len(what) > 0:
			return unread(what)
		}
	}
	return end(Missing, w.Why)
}

// chosen is why it is a choice of the mesh's that a primary does not watch another one, for
// which it has no remote secret: as in a hub and its edges; "" where it is not. With it comes what
// was not read and would show whether it is.
func (m *Mesh) chosen(from, to *Cluster) (WatchReason, []Unread) {
	if !to.Primary() || to.SecretsElsewhere != nil {
		return "", nil
	}
	links := Derived(m, findWatching)
	joined := links[from] != nil && links[from] == links[to]
	if what := to.Unread(resources.RemoteSecrets); len(what) > 0 {
		// It may be a hub, and one of several that it watches; or it is joined by others alone.
		if joined || !from.watchesOthers() && slices.ContainsFunc(m.Clusters, func(c *Cluster) bool {
			return c != from && c != to && c.Primary() && m.Same(c, to) && !c.watchesOthers()
		}) {
			return "", what
		}
		return "", nil
	}
	if to.SecretFor(from) == nil {
		_, _, why := to.lost(from)
		switch {
		case why != NoSecret || to.MayWatch(from) != nil:
			return "", nil
		case joined:
			return Apart, nil
		case m.federated(from, to):
			return Joined, nil
		}
		return "", nil
	}
	watched, what := 0, []Unread(nil)
	for _, r := range to.Remotes {
		if c := r.To; c != nil && c != to && c.Primary() {
			if watched++; c.watchesOthers() {
				return "", nil
			}
			what = append(what, c.Unread(resources.RemoteSecrets)...)
		}
	}
	switch {
	case watched < 2:
		return "", nil
	case len(what) > 0:
		return "", what
	}
	return OnlyWatched, nil
}

// watchesOthers reports whether the cluster is seen to have remote secrets that are not its own.
func (c *Cluster) watchesOthers() bool {
	return len(c.MisplacedSecrets())+len(c.UnlabeledSecrets()) > 0 ||
		slices.ContainsFunc(c.Remotes, func(r *RemoteSecret) bool { return !r.PointsToSelf })
}

// watching are the clusters that remote secrets join, be it by others, each with one that
// stands for all of them.
type watching map[*Cluster]*Cluster

func findWatching(m *Mesh) watching {
	out := watching{}
	for _, r := range m.RemoteSecrets {
		if r.To == nil || r.To == r.In {
			continue
		}
		for _, c := range []*Cluster{r.In, r.To} {
			if out[c] == nil {
				out[c] = c
			}
		}
		from, to := out[r.In], out[r.To]
		for c, by := range out {
			if by == from {
				out[c] = to
			}
		}
	}
	return out
}

// lost is what was meant to be the remote secret for a cluster and is not, and why.
func (c *Cluster) lost(to *Cluster) (*facts.LooseSecret, *RemoteSecret, WatchReason) {
	if s := firstMeantFor(c.MisplacedSecrets(), to); s != nil {
		return s, nil, SecretMisplaced
	}
	if s := firstMeantFor(c.UnlabeledSecrets(), to); s != nil {
		return s, nil, SecretUnlabeled
	}
	for _, r := range c.Remotes {
		if r.Misnamed() == OtherCluster && r.Named() == to {
			return nil, r, LeadsElsewhere
		}
	}
	return nil, nil, NoSecret
}
