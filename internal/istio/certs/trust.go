package certs

import (
	"slices"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// trust is the CAs of the clusters that were reached, and who trusts whom. It is worked
// out once a run.
type trust struct {
	now  time.Time
	mesh *model.Mesh
	// authorities are in the order of the fleet.
	authorities []*authority
	// relations are indexed [from][to] like authorities.
	relations [][]Relation
	// certificates are the CA certificates in use, each once.
	certificates func() []*held
}

func trustOf(m *model.Mesh) *trust { return model.Derived(m, newTrust) }

func newTrust(m *model.Mesh) *trust {
	t := &trust{now: m.Fleet.At, mesh: m}
	for i := range m.Fleet.Clusters {
		if m.Fleet.Clusters[i].Unreached == nil {
			t.authorities = append(t.authorities, newAuthority(m.Fleet, i))
		}
	}
	t.relations = relate(t.authorities)
	t.certificates = sync.OnceValue(t.certificatesInUse)
	return t
}

// of is the CA of a cluster.
func (t *trust) of(c *model.Cluster) *authority {
	i := slices.IndexFunc(t.authorities, func(a *authority) bool { return a.Context == c.Context })
	return t.authorities[i]
}

// ofTwoMeshes reports whether two clusters are of two meshes, or of none: they need not trust one
// another.
func (t *trust) ofTwoMeshes(x, y int) bool {
	return t.mesh.KnownApart(t.mesh.Cluster(t.authorities[x].Context), t.mesh.Cluster(t.authorities[y].Context))
}

// refuses reports whether the workloads of one cluster refuse the certificates of
// another. Where one has no root at all, trust is not what has to be fixed.
func (t *trust) refuses(from, to int) bool {
	return t.distrusts(from, to) && !t.ofTwoMeshes(from, to)
}

// distrusts is refuses for clusters that need not be of one mesh.
func (t *trust) distrusts(from, to int) bool {
	r := t.relations[from][to]
	return from != to && r.Verdict == Distrusts && !r.Confused && !t.authorities[from].rootless() && !t.authorities[to].rootless()
}

// refuseOneAnother reports whether two clusters refuse one another's certificates.
func (t *trust) refuseOneAnother(x, y int) bool { return t.refuses(x, y) && t.refuses(y, x) }

// refusedWhere are the clusters that ok accepts together with another one that they
// refuse, and that refuses them, and those others.
func (t *trust) refusedWhere(ok func(a, other *authority) bool) (these, others []int) {
	for i, a := range t.authorities {
		for k, other := range t.authorities {
			if t.refuseOneAnother(i, k) && ok(a, other) {
				these, others = append(these, i), append(others, k)
			}
		}
	}
	for _, s := range []*[]int{&these, &others} {
		slices.Sort(*s)
		*s = slices.Compact(*s)
	}
	others = slices.DeleteFunc(others, func(i int) bool { return slices.Contains(these, i) })
	return these, others
}
