package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// RemoteSecret is one data key of a remote secret of a primary.
type RemoteSecret struct {
	facts.RemoteSecret
	// In is the cluster that has it.
	In *Cluster
	// To is the cluster to which it leads; nil where that was not reached, is none of the
	// fleet, or is not known. Origin is what tells it; "" where nothing does.
	To     *Cluster
	Origin Origin
	// Unreached is the cluster of the fleet to which it leads where that was not reached;
	// else nil.
	Unreached *facts.Cluster
	// UID is that of the cluster to which it leads; "" where it is not known.
	UID string
	// Ignored is why a control plane of In makes no cluster of it, of the first that does
	// not; nil where all use it.
	Ignored *Ignored
	// PointsToSelf: it leads In to itself under its own name, which does nothing.
	PointsToSelf bool

	ignored map[*ControlPlane]*Ignored
	drifts  func() map[string]Drift
}

// Origin is what tells to which cluster a remote secret leads.
type Origin string

// The origins, from the surest to the least sure.
const (
	ByConnecting Origin = "uid of kube-system"
	ByServer     Origin = "server"
	ByAccount    Origin = "uid of the service account"
	ByKey        Origin = "data key"
)

// Key names it.
func (r *RemoteSecret) Key() facts.SecretKey {
	return facts.SecretKey{Context: r.In.Context, Namespace: r.Namespace, Name: r.Name, ClusterID: r.ClusterID}
}

// SecretName is namespace/name of the Secret.
func (r *RemoteSecret) SecretName() string { return r.Namespace + "/" + r.Name }

// Sure reports whether it is known to which cluster it leads. A data key alone can be wrong.
func (r *RemoteSecret) Sure() bool { return r.To != nil && r.Origin != ByKey }

// Object is the Secret.
func (r *RemoteSecret) Object() finding.Object { return finding.In("secret", r.Namespace, r.Name) }

// Misnaming is how the data key of a remote secret differs from the ID of the cluster to
// which it leads. The key is the cluster's name, for the identity of its proxies
// (security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go) and for rules by cluster.
type Misnaming string

// The ways to be misnamed; "" is none.
const (
	// OtherName: it is no cluster's ID.
	OtherName Misnaming = "another name"
	// OtherCluster: it is the ID of another cluster of the fleet: see Named.
	OtherCluster Misnaming = "the ID of another cluster"
	// RefusesProxies: the cluster is a remote one, whose proxies give an ID that istiod
	// does not know.
	RefusesProxies Misnaming = "not the ID that the proxies give"
	// SharedID: the cluster has the ID of the one that holds the secret, so that no secret there
	// can have it.
	SharedID Misnaming = "not the ID, which two clusters have"
)

// Misnamed says whether the control plane of In knows the cluster to which the secret
// leads by another name than its own.
func (r *RemoteSecret) Misnamed() Misnaming {
	switch {
	case !r.Sure(), r.To == r.In, r.To.ID == "", r.To.ID == r.ClusterID, r.To.IsOwnID(r.ClusterID):
		return ""
	case r.In.IsOwnID(r.ClusterID), r.Invalid != "", r.Name == istio.ExternalKubeconfig:
		return "" // istiod ignores it, or has its own reason for the key
	case r.Named() != nil:
		return OtherCluster
	case r.In.IsOwnID(r.To.ID):
		return SharedID
	case r.To.WithoutControlPlane():
		return RefusesProxies
	}
	return OtherName
}

// Named is the one other cluster that has the data key as its ID, and to which the secret does
// not lead; nil where there is none.
func (r *RemoteSecret) Named() *Cluster {
	if c := r.In.mesh.Named(r.ClusterID); c != r.In && c != r.To {
		return c
	}
	return nil
}

// Expires is when the credential does; zero for never, or where that is not known.
func (r *RemoteSecret) Expires() time.Time {
	if t := r.Access.Token; t != nil {
		return t.Expires
	}
	return r.Access.CertificateEnds
}

// Siblings are the data keys of the same Secret, this one among them.
func (r *RemoteSecret) Siblings() []*RemoteSecret {
	var out []*RemoteSecret
	for _, o := range r.In.Remotes {
		if o.SecretName() == r.SecretName() {
			out = append(out, o)
		}
	}
	return out
}

// remotesOf are the data keys of a primary in the order in which istiod mostly takes
// them at its start: that of the names, of namespace and name each for itself.
func (m *Mesh) remotesOf(c *Cluster) []*RemoteSecret {
	secrets := slices.Clone(resources.RemoteSecrets.Of(c.Cluster).Value)
	slices.SortStableFunc(secrets, func(a, b facts.RemoteSecret) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.ClusterID, b.ClusterID))
	})
	var out []*RemoteSecret
	for _, s := range secrets {
		r := &RemoteSecret{RemoteSecret: s, In: c, ignored: map[*ControlPlane]*Ignored{}}
		r.drifts = sync.OnceValue(r.findDrifts)
		m.resolve(r)
		if r.To != nil && r.UID == "" {
			r.UID = r.To.UID
		}
		r.PointsToSelf = r.To == c && c.IsOwnID(r.ClusterID)
		out = append(out, r)
	}
	for _, r := range out {
		r.PointsToSelf = r.PointsToSelf || r.isOwnCopy(out)
	}
	return out
}

// isOwnCopy reports whether a remote secret of the cluster's own ID, of which it is not
// known where it leads, is the cluster's own: no other cluster has the ID, and others of
// the secrets lead to other clusters. Whoever puts all secrets into all clusters has it.
func (r *RemoteSecret) isOwnCopy(all []*RemoteSecret) bool {
	if r.leads() || r.Invalid != "" || !r.In.IsOwnID(r.ClusterID) {
		return false
	}
	namesake := func(c *Cluster) bool { return c != r.In && (c.ID == r.ClusterID || c.IsOwnID(r.ClusterID)) }
	elsewhere := func(o *RemoteSecret) bool { return o.leads() && o.To != r.In }
	return !slices.ContainsFunc(r.In.mesh.Clusters, namesake) && slices.ContainsFunc(all, elsewhere)
}

// resolve finds the cluster to which a remote secret leads: where it was connected to,
// by the address of the API server, unless clusters share it, by the service account, which no other cluster has,
// else by the ID that only one cluster has.
func (m *Mesh) resolve(r *RemoteSecret) {
	if connected := m.Seen.Connected[r.Key()]; connected.UID != "" {
		r.Origin, r.UID = ByConnecting, connected.UID
		for _, c := range m.Clusters {
			if c.UID == connected.UID {
				r.To = c
				return
			}
		}
		return
	}
	if at := istio.ByServer(m.Fleet, r.Server); at >= 0 {
		r.Origin = ByServer
		for i := range m.Fleet.Clusters { // one that was reached, before others of that address
			c := &m.Fleet.Clusters[i]
			switch {
			case !serverurl.Same(c.Server, r.Server):
			case c.Unreached == nil:
				r.To, r.Unreached = m.byContext[c.Context], nil
				return
			case r.Unreached == nil:
				r.Unreached = c
			}
		}
		return
	}
	if t := r.Access.Token; t != nil && t.AccountUID != "" {
		for _, c := range m.Clusters {
			if a := m.Seen.Sides[c.Context].Value.Accounts[t.Subject].UID; a.State == facts.OK && a.Value == t.AccountUID {
				r.To, r.Origin = c, ByAccount
				return
			}
		}
	}
	for _, c := range m.Clusters {
		if c.ID == "" || c.ID != r.ClusterID || c == r.In {
			continue
		}
		if r.To != nil {
			r.To, r.Origin = nil, ""
			return
		}
		r.To, r.Origin = c, ByKey
	}
}

// leads reports whether it is known where a remote secret leads, be it out of the fleet.
func (r *RemoteSecret) leads() bool { return r.To != nil || r.Unreached != nil || r.UID != "" }

// MayLead reports whether a remote secret of which it is not known where it leads may
// lead to a cluster. It does not where the service account of its token is another one.
func (r *RemoteSecret) MayLead(to *Cluster) bool {
	if r.leads() || r.Invalid != "" || r.PointsToSelf {
		return false
	}
	if t := r.Access.Token; t != nil && t.AccountUID != "" {
		a := r.In.mesh.Seen.Sides[to.Context].Value.Accounts[t.Subject].UID
		return a.State != facts.OK || a.Value == t.AccountUID
	}
	return true
}

// SecretFor is the remote secret by which the cluster is meant to watch another one, a
// good one before others; nil where there is none.
func (c *Cluster) SecretFor(to *Cluster) *RemoteSecret {
	var found *RemoteSecret
	best := -1
	for _, r := range c.Remotes {
		if r.PointsToSelf || r.To != to {
			continue
		}
		rank := 0
		for i, good := range []bool{r.Sure(), to.ID != "" && (r.ClusterID == to.ID || to.IsOwnID(r.ClusterID)), r.Ignored == nil} {
			if good {
				rank |= 1 << i
			}
		}
		if rank > best {
			found, best = r, rank
		}
	}
	return found
}

// MayWatch is a remote secret of the cluster that may lead to another one; nil where
// there is none.
func (c *Cluster) MayWatch(to *Cluster) *RemoteSecret {
	for _, r := range c.Remotes {
		if r.MayLead(to) {
			return r
		}
	}
	return nil
}

// resolved is the fleet with addresses of the model's own in place of those of clusters
// and in remote secrets, so that the views of package istio, which know addresses and
// cluster IDs alone, find the clusters to which the secrets are known to lead. All else
// is shared with the fleet.
func (m *Mesh) resolved() *facts.Fleet {
	out := *m.Fleet
	out.Clusters = slices.Clone(out.Clusters)
	at := map[string]string{}
	for i := range out.Clusters {
		at[out.Clusters[i].Context] = addressOf(i)
		out.Clusters[i].Server = addressOf(i)
	}
	// An ID would find its cluster also where it is known that the secret leads out of
	// the fleet: such a secret is led to one that was not reached.
	nowhere := facts.Cluster{Server: addressOf(len(out.Clusters)), Unreached: &facts.Unreached{}}
	for _, c := range m.Clusters {
		if !c.hasIstiod() {
			continue
		}
		own := &out.Clusters[slices.IndexFunc(out.Clusters, func(o facts.Cluster) bool { return o.Context == c.Context })]
		var secrets []facts.RemoteSecret
		for _, r := range c.Remotes {
			s := r.RemoteSecret
			switch {
			case r.To != nil:
				s.Server = at[r.To.Context]
			case r.Unreached != nil:
				s.Server = at[r.Unreached.Context]
			case istio.FindCluster(m.Fleet, r.RemoteSecret) >= 0:
				s.Server = nowhere.Server
			default:
				s.Server = ""
			}
			secrets = append(secrets, s)
		}
		resources.RemoteSecrets.Edit(own).Value = secrets
	}
	out.Clusters = append(out.Clusters, nowhere)
	return &out
}

// addressOf is the model's own address of a cluster of the fleet.
func addressOf(at int) string { return fmt.Sprintf("https://cluster-%d.invalid", at) }
