package endpoints

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

const (
	// settle is how long a proxy, or an istiod, may take until they are connected.
	settle = 2 * time.Minute
	// mostLookedAt is how many pods of a cluster are looked at again.
	mostLookedAt = 8
)

// looks are what control planes said of themselves.
type looks struct {
	// istiods is what they said last.
	istiods map[string]facts.Read[[]facts.IstiodView]
	// last are the proxies that are connected to them, before those of an earlier look.
	last, before *connections
}

// looksOf is what control planes said, worked out once a run.
func looksOf(mesh *model.Mesh) *looks {
	return model.Derived(mesh, func(m *model.Mesh) *looks {
		l := &looks{istiods: m.Seen.Last(), before: newConnections(m, m.Seen.Istiods)}
		if l.last = l.before; m.Seen.Again != nil {
			l.last = newConnections(m, l.istiods)
		}
		return l
	})
}

// wereAsked reports whether control planes were asked which proxies are connected to them;
// else why not.
func wereAsked(m *model.Mesh) (why finding.Reason, asked bool) {
	switch {
	case m.Seen.NotAsked != "":
		return finding.Reason{Kind: finding.NotAsked, Text: m.Seen.NotAsked}, false
	case m.Seen.Istiods == nil:
		return finding.Reason{Kind: finding.NotAsked, Text: "istiod was not asked which proxies are connected to it"}, false
	}
	return finding.Reason{}, true
}

// place is where a proxy is connected: a replica of the control plane of a cluster.
type place struct{ primary, replica, id string }

// connections are the proxies that control planes say are connected to them.
type connections struct {
	mesh *model.Mesh
	// expected are the clusters whose control plane a cluster's proxies should be
	// connected to, and own those that have their own.
	expected map[string][]string
	own      map[string]bool
	// ids are the names of clusters, by their context, that some control plane has for them.
	ids map[string]map[string]bool
	// at are places by context and pod, stray those of clusters that the control plane does
	// not know, by cluster ID and pod.
	at, stray map[[2]string][]place
	// unread says by context why the connections of a control plane are not known.
	unread map[string][]finding.Reason
	asked  []string // replicas that answered
	// revisions are those of replicas, by primary and pod.
	revisions map[[2]string]string
}

func newConnections(m *model.Mesh, views map[string]facts.Read[[]facts.IstiodView]) *connections {
	c := &connections{
		mesh: m, expected: map[string][]string{}, own: map[string]bool{}, ids: map[string]map[string]bool{},
		at: map[[2]string][]place{}, stray: map[[2]string][]place{}, unread: map[string][]finding.Reason{},
		revisions: map[[2]string]string{},
	}
	watched := map[string]map[string]string{} // by primary and cluster ID: the context
	for _, cp := range m.ControlPlanes {
		if watched[cp.Context] == nil {
			watched[cp.Context] = map[string]string{}
		}
		for _, w := range cp.Watches {
			context := contextOf(w)
			if context == "" {
				continue
			}
			if watched[cp.Context][w.ID] == "" {
				watched[cp.Context][w.ID] = context
			}
			if c.ids[context] == nil {
				c.ids[context] = map[string]bool{}
			}
			c.ids[context][w.ID] = true
		}
	}
	for i := range m.Fleet.Clusters {
		k := &m.Fleet.Clusters[i]
		if k.Unreached != nil {
			c.unread[k.Context] = []finding.Reason{finding.ClusterUnreached}
		} else if why, lacks := rule.Lacks(k, resources.Istiods); lacks {
			c.unread[k.Context] = []finding.Reason{why}
		} else {
			c.take(m.Cluster(k.Context), views[k.Context], watched[k.Context])
		}
	}
	return c
}

// contextOf is the context of a watched cluster, be it one that was not reached; "" where it
// is not of the fleet.
func contextOf(w model.Watched) string {
	switch {
	case w.Cluster != nil:
		return w.Cluster.Context
	case w.Secret != nil && w.Secret.Unreached != nil:
		return w.Secret.Unreached.Context
	}
	return ""
}

// take notes which control planes there are for a cluster, and what its own say.
func (c *connections) take(k *model.Cluster, views facts.Read[[]facts.IstiodView], contexts map[string]string) {
	if c.own[k.Context] = k.Primary() && !k.OnlyInjects(); c.own[k.Context] {
		c.expected[k.Context] = []string{k.Context}
	} else {
		for _, cp := range k.WatchedBy {
			if !slices.Contains(c.expected[k.Context], cp.Context) {
				c.expected[k.Context] = append(c.expected[k.Context], cp.Context)
			}
		}
	}
	for _, i := range resources.Istiods.Of(k.Cluster).Value {
		if i.Namespace != k.SystemNamespace {
			c.unread[k.Context] = append(c.unread[k.Context], finding.Reason{
				Kind: finding.NotRead,
				Text: fmt.Sprintf("istiod %s is in namespace %s, and only those of %s are asked", i.Name, i.Namespace, k.SystemNamespace),
			})
		}
	}
	for _, p := range resources.IstiodPods.Of(k.Cluster).Value {
		c.revisions[[2]string{k.Context, p.Name}] = p.Labels[istio.LabelRevision]
	}
	if k.Primary() {
		c.hear(k.Context, views, contexts)
	}
}

// hear notes what the replicas of one control plane say.
func (c *connections) hear(primary string, views facts.Read[[]facts.IstiodView], contexts map[string]string) {
	switch {
	case views.State != facts.OK:
		c.unread[primary] = append(c.unread[primary], rule.Unread("istiod", views.State, views.Why()))
	case len(views.Value) == 0:
		c.unread[primary] = append(c.unread[primary], finding.Because("no pod of istiod is running"))
	}
	for _, v := range views.Value {
		if v.Proxies.State != facts.OK {
			c.unread[primary] = append(c.unread[primary], rule.Unread(v.Pod, v.Proxies.State, v.Proxies.Why()))
			continue
		}
		c.asked = append(c.asked, v.Pod+" of "+primary)
		for _, p := range v.Proxies.Value {
			at, pod := place{primary, v.Pod, p.Cluster}, key(p.Namespace, p.Pod)
			if context := contexts[p.Cluster]; context != "" {
				c.at[[2]string{context, pod}] = append(c.at[[2]string{context, pod}], at)
			} else {
				c.stray[[2]string{p.Cluster, pod}] = append(c.stray[[2]string{p.Cluster, pod}], at)
			}
		}
	}
}

// where are the places at which a pod's proxy is connected as one of its own cluster.
func (c *connections) where(k *model.Cluster, p *facts.Pod) []place {
	pod := key(p.Namespace, p.Name)
	out := slices.Clone(c.at[[2]string{k.Context, pod}])
	if k.ID != "" {
		out = append(out, c.stray[[2]string{k.ID, pod}]...)
	}
	return out
}

// miscalled are the places at which a pod's proxy is connected under the ID of another
// cluster, which has no such pod.
func (c *connections) miscalled(k *model.Cluster, p *facts.Pod) []place {
	said := model.Variable(p, istio.EnvProxyClusterID)
	if said == "" || said == k.ID || c.ids[k.Context][said] {
		return nil
	}
	pod := key(p.Namespace, p.Name)
	out := slices.Clone(c.stray[[2]string{said, pod}])
	for _, o := range c.mesh.Clusters {
		if o == k || !resources.Pods.Of(o.Cluster).Known() || o.Pod(p.Namespace, p.Name) != nil {
			continue
		}
		for _, at := range c.at[[2]string{o.Context, pod}] {
			if at.id == said {
				out = append(out, at)
			}
		}
	}
	return out
}

// otherRevision is a replica to which a pod's proxy is connected though it was injected for
// another revision, which its control plane has.
func (c *connections) otherRevision(p *facts.Pod, at []place) (place, bool) {
	own := p.Labels[istio.LabelRevision]
	for _, w := range at {
		there := c.revisions[[2]string{w.primary, w.replica}]
		if own == "" || there == "" || there == own {
			continue
		}
		for replica, revision := range c.revisions {
			if replica[0] == w.primary && revision == own {
				return w, true
			}
		}
	}
	return place{}, false
}

// primariesOf are the clusters of places.
func primariesOf(places []place) []string {
	var out []string
	for _, p := range places {
		out = append(out, p.primary)
	}
	return finding.Distinct(out)
}

// settled reports whether a pod's proxy has had the time to connect.
func (c *connections) settled(p *facts.Pod) bool {
	at := c.mesh.Fleet.At
	for _, s := range p.Statuses {
		if s.Name == istio.ProxyContainer && at.Sub(s.Started) < settle {
			return false // it was restarted
		}
	}
	return p.IsReady() && p.Deleted.IsZero() && !p.Started.IsZero() && at.Sub(p.Started) >= settle
}

// toldOfOther reports whether a pod's proxy was told of an istiod of another namespace, or
// outside of clusters, which is not asked.
func toldOfOther(p *facts.Pod, namespace string) bool {
	config, ok := istio.ProxyConfigOf(p)
	if !ok {
		return false
	}
	host, _, _ := strings.Cut(config.DiscoveryAddress, ":")
	_, rest, _ := strings.Cut(host, ".")
	in, domain, _ := strings.Cut(rest, ".")
	return in != namespace || domain != "svc" && !strings.HasPrefix(domain, "svc.")
}

// fresh reports whether a control plane of the fleet has just started.
func (c *connections) fresh() bool {
	return slices.ContainsFunc(c.mesh.Fleet.Clusters, func(k facts.Cluster) bool {
		start := istio.LatestStart(&k)
		return !start.IsZero() && c.mesh.Fleet.At.Sub(start) < settle
	})
}

// unconnected are the pods of a cluster whose proxies should be connected, and are at no
// control plane that was asked; total is how many should.
func (c *connections) unconnected(k *model.Cluster) (pods []*facts.Pod, total int) {
	if len(c.expected[k.Context]) == 0 {
		return nil, 0
	}
	for i := range resources.Pods.Of(k.Cluster).Value {
		p := &resources.Pods.Of(k.Cluster).Value[i]
		if !model.NeedsConfig(p) || !c.settled(p) || toldOfOther(p, k.SystemNamespace) {
			continue
		}
		if total++; len(c.where(k, p))+len(c.miscalled(k, p)) == 0 {
			pods = append(pods, p)
		}
	}
	return pods, total
}
