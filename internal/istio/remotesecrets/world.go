// Package remotesecrets holds the rules behind mesh-endpoints about remote secrets: whether
// each control plane reads the clusters that it should, and whether it still does.
// Everything in it is pure.
package remotesecrets

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// world is what the rules read.
type world struct {
	members []*member
	by      map[string]*member // by context
	entries []*entry           // of all primaries
}

// member is one cluster that was reached.
type member struct {
	*facts.Cluster
	istiods []istio.Istiod
	// id is the name that the mesh has for the cluster; "" where nothing says it.
	id string
	// uid is that of namespace kube-system; "" where it is not known.
	uid     string
	roots   []string
	entries []*entry
	// elsewhere says why the remote secrets of this cluster are not those that its
	// control plane reads; "" where they are.
	elsewhere string
}

// primary reports whether the cluster has a control plane.
func (m *member) primary() bool { return len(m.istiods) > 0 }

// remote reports whether it is known that the cluster has no control plane.
func (m *member) remote() bool { return resources.Istiods.Of(m.Cluster).Known() && !m.primary() }

// own reports whether an ID is that of the cluster itself for its control plane.
func (m *member) own(id string) bool {
	return slices.ContainsFunc(m.istiods, func(i istio.Istiod) bool { return i.ClusterID() == id })
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

// entry is one data key of a remote secret of a primary.
type entry struct {
	facts.RemoteSecret
	in *member
	// to is the cluster to which it leads; nil where that is none of the fleet, or
	// not known. from is what tells it.
	to   *member
	from Origin
	// uid of the cluster to which it leads, where it was connected to and is none of the fleet.
	uid string
	// ignored says why the control plane makes no cluster of it; the zero value where it does.
	ignored ignored
	// selfish: it leads the control plane to its own cluster under the name that it has for it, which does nothing.
	selfish bool
}

func (e *entry) key() facts.SecretKey {
	return facts.SecretKey{Context: e.in.Context, Namespace: e.Namespace, Name: e.Name, ClusterID: e.ClusterID}
}

func (e *entry) object() finding.Object { return finding.In("secret", e.Namespace, e.Name) }

// sure reports whether it is known to which cluster the entry leads.
func (e *entry) sure() bool { return e.to != nil && e.from != ByKey }

func newWorld(fleet *facts.Fleet, seen facts.Seen) *world {
	w := &world{by: map[string]*member{}}
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		if c.Unreached != nil {
			continue
		}
		m := &member{Cluster: c, istiods: istio.Istiods(c), id: istio.ClusterID(c), roots: rootsOf(c)}
		for _, ns := range resources.Namespaces.Of(c).Value {
			if ns.Name == "kube-system" {
				m.uid = string(ns.UID)
			}
		}
		if side := seen.Sides[c.Context]; m.uid == "" && side.Value.UID.State == facts.OK {
			m.uid = side.Value.UID.Value
		}
		m.elsewhere = m.external()
		w.members, w.by[c.Context] = append(w.members, m), m
	}
	for _, m := range w.members {
		if !m.primary() {
			continue
		}
		taken := map[string]string{}
		for _, s := range sorted(resources.RemoteSecrets.Of(m.Cluster).Value) {
			e := &entry{RemoteSecret: s, in: m}
			w.lead(e, seen)
			e.ignored = m.ignores(s, taken)
			e.selfish = m.own(s.ClusterID) && e.to == m
			if e.ignored == (ignored{}) {
				taken[s.ClusterID] = s.Namespace + "/" + s.Name
			}
			m.entries, w.entries = append(m.entries, e), append(w.entries, e)
		}
	}
	return w
}

// sorted puts remote secrets into the order in which istiod mostly takes them.
func sorted(secrets []facts.RemoteSecret) []facts.RemoteSecret {
	out := slices.Clone(secrets)
	slices.SortStableFunc(out, func(a, b facts.RemoteSecret) int {
		return strings.Compare(a.Namespace+"/"+a.Name+"/"+a.ClusterID, b.Namespace+"/"+b.Name+"/"+b.ClusterID)
	})
	return out
}

// ignores says why the control plane makes no cluster of an entry
// (pkg/kube/multicluster/secretcontroller.go, addRemoteConfig).
func (m *member) ignores(s facts.RemoteSecret, taken map[string]string) ignored {
	switch {
	case m.own(s.ClusterID):
		return ignored{cause: istio.OwnClusterID}
	case taken[s.ClusterID] != "":
		return ignored{istio.DuplicateClusterID, taken[s.ClusterID]}
	case s.Invalid != "":
		return ignored{istio.InvalidKubeconfig, s.Invalid}
	}
	if ways := m.refuses(s); len(ways) > 0 {
		return ignored{istio.ForbiddenAuthentication, strings.Join(ways, ", ")}
	}
	return ignored{}
}

// refuses are the ways to authenticate in a kubeconfig that a control plane of the
// cluster does not allow (pkg/kube/util.go, sanitizeKubeConfig).
func (m *member) refuses(s facts.RemoteSecret) []string {
	var out []string
	for _, way := range s.Insecure {
		for _, i := range m.istiods {
			if !slices.Contains(strings.Split(i.Env(istio.EnvInsecureKubeconfigs), ","), way) && !slices.Contains(out, way) {
				out = append(out, way)
			}
		}
	}
	return out
}

// lead finds the cluster to which an entry leads: where it was connected to, by the
// address of the API server, by the service account, which no other cluster has,
// else by the ID that only one cluster has.
func (w *world) lead(e *entry, seen facts.Seen) {
	if c := seen.Connected[e.key()]; c.UID != "" {
		e.from, e.uid = ByConnecting, c.UID
		for _, m := range w.members {
			if m.uid == c.UID {
				e.to = m
				return
			}
		}
		return
	}
	for _, m := range w.members {
		if serverurl.Same(m.Server, e.Server) {
			e.to, e.from = m, ByServer
			return
		}
	}
	if t := e.Access.Token; t != nil && t.AccountUID != "" {
		for _, m := range w.members {
			if a := seen.Sides[m.Context].Value.Accounts[t.Subject].UID; a.State == facts.OK && a.Value == t.AccountUID {
				e.to, e.from = m, ByAccount
				return
			}
		}
	}
	for _, m := range w.members {
		if m.id != "" && m.id == e.ClusterID && m != e.in {
			if e.to != nil {
				e.to, e.from = nil, ""
				return
			}
			e.to, e.from = m, ByKey
		}
	}
}

// external says why an external control plane reads the remote secrets of another
// cluster (pilot/pkg/bootstrap/server.go, initMulticluster).
func (m *member) external() string {
	for _, i := range m.istiods {
		if !i.On(istio.EnvExternalIstiod) || i.On(istio.EnvLocalSecretWatcher) {
			continue
		}
		named := func(name string) bool { return name == istio.ExternalKubeconfig }
		if slices.ContainsFunc(resources.SystemSecrets.Of(m.Cluster).Value, func(s facts.LooseSecret) bool { return named(s.Name) }) ||
			slices.ContainsFunc(resources.RemoteSecrets.Of(m.Cluster).Value, func(s facts.RemoteSecret) bool { return named(s.Name) }) {
			return "istiod " + i.Name + " is the control plane of another cluster, and reads the remote secrets there"
		}
	}
	return ""
}

// rootsOf are the certificates that the cluster's workloads trust, as texts that can
// be compared.
func rootsOf(c *facts.Cluster) []string {
	var out []string
	if resources.RootCert.Of(c).State == facts.OK && resources.RootCert.Of(c).Value != nil {
		for _, block := range strings.SplitAfter(resources.RootCert.Of(c).Value.Data[istio.RootCertKey], "-----END CERTIFICATE-----") {
			if text := strings.Join(strings.Fields(block), ""); text != "" {
				out = append(out, text)
			}
		}
	}
	return out
}

// meshOf puts the clusters into meshes: those that a remote secret of one leads to the
// other, that trust a root in common, or of which one injects for the other.
func (w *world) meshOf() map[*member]int {
	mesh := map[*member]int{}
	for i, m := range w.members {
		mesh[m] = i
	}
	join := func(a, b *member) {
		from, to := mesh[a], mesh[b]
		for m, n := range mesh {
			if n == from {
				mesh[m] = to
			}
		}
	}
	for _, e := range w.entries {
		if e.to != nil {
			join(e.in, e.to)
		}
	}
	var primaries []*member
	for _, m := range w.members {
		if m.primary() {
			primaries = append(primaries, m)
		}
	}
	for i, a := range w.members {
		if len(primaries) == 1 && !a.primary() && a.inMesh() {
			join(a, primaries[0])
		}
		for _, b := range w.members[i+1:] {
			if slices.ContainsFunc(a.roots, func(r string) bool { return slices.Contains(b.roots, r) }) {
				join(a, b)
			}
		}
	}
	return mesh
}

// inMesh reports whether anything of a mesh is in the cluster.
func (m *member) inMesh() bool { return m.primary() || len(resources.Webhooks.Of(m.Cluster).Value) > 0 }

// expects reports whether a control plane should read a cluster: another one of its
// mesh. Between control planes each reads the other.
func (w *world) expects(mesh map[*member]int, from, to *member) bool {
	return from != to && from.primary() && to.inMesh() && mesh[from] == mesh[to] && (from.uid == "" || from.uid != to.uid)
}

// reads is the entry by which a control plane is meant to read a cluster, a good one
// before others; nil where there is none.
func (m *member) reads(to *member) *entry {
	rank := func(e *entry) int {
		n := 0
		for i, good := range []bool{e.sure(), to.id != "" && (e.ClusterID == to.id || to.own(e.ClusterID)), e.ignored == (ignored{})} {
			if good {
				n |= 1 << i
			}
		}
		return n
	}
	var found *entry
	for _, e := range m.entries {
		if !e.selfish && e.to == to && (found == nil || rank(e) > rank(found)) {
			found = e
		}
	}
	return found
}
