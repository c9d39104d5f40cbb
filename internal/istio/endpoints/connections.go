package endpoints

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// stepConnected is about where the proxy of the source is connected.
const stepConnected = "connection"

const (
	// settle is how long a proxy, or an istiod, may take until they are connected.
	settle = 2 * time.Minute
	// mostLookedAt is how many pods of a cluster are looked at again.
	mostLookedAt = 8
	// localInjector is a Service of remote clusters whose own istiod only injects: their
	// proxies are connected to the primary.
	localInjector = "istiod-remote"
)

// place is where a proxy is connected: a replica of the control plane of a cluster.
type place struct{ primary, replica, id string }

// connections are the proxies that control planes say are connected to them.
type connections struct {
	fleet *facts.Fleet
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

func newConnections(fleet *facts.Fleet, views map[string]facts.Read[[]facts.IstiodView]) *connections {
	c := &connections{
		fleet: fleet, expected: map[string][]string{}, own: map[string]bool{}, ids: map[string]map[string]bool{},
		at: map[[2]string][]place{}, stray: map[[2]string][]place{}, unread: map[string][]finding.Reason{},
		revisions: map[[2]string]string{},
	}
	reads := map[string]map[string]string{} // by primary and cluster ID: the context
	readers := map[string][]string{}
	for _, v := range istio.Views(fleet) {
		if reads[v.Context] == nil {
			reads[v.Context] = map[string]string{}
		}
		reads[v.Context][v.Istiod.ClusterID()] = v.Context
		watched, _ := v.Clusters()
		for _, w := range watched {
			if w.Context == "" {
				continue
			}
			if reads[v.Context][w.ID] == "" {
				reads[v.Context][w.ID] = w.Context
			}
			if c.ids[w.Context] == nil {
				c.ids[w.Context] = map[string]bool{}
			}
			c.ids[w.Context][w.ID] = true
			if !slices.Contains(readers[w.Context], v.Context) {
				readers[w.Context] = append(readers[w.Context], v.Context)
			}
		}
	}
	for i := range fleet.Clusters {
		k := &fleet.Clusters[i]
		switch {
		case k.Unreached != nil:
			c.unread[k.Context] = []finding.Reason{finding.ClusterUnreached}
			continue
		case !resources.Istiods.Of(k).Known():
			c.unread[k.Context] = []finding.Reason{rule.Unread("deployments", resources.Istiods.Of(k).State, resources.Istiods.Of(k).Why())}
			continue
		}
		injects := slices.ContainsFunc(resources.Services.Of(k).Value, func(s corev1.Service) bool { return s.Name == localInjector && s.Namespace == k.SystemNamespace })
		if c.own[k.Context] = len(istio.Istiods(k)) > 0 && !injects; c.own[k.Context] {
			c.expected[k.Context] = []string{k.Context}
		} else {
			c.expected[k.Context] = readers[k.Context]
		}
		for _, i := range resources.Istiods.Of(k).Value {
			if i.Namespace != k.SystemNamespace {
				c.unread[k.Context] = append(c.unread[k.Context], finding.Reason{
					Kind: finding.NotRead,
					Text: fmt.Sprintf("istiod %s is in namespace %s, and those of %s alone are asked", i.Name, i.Namespace, k.SystemNamespace),
				})
			}
		}
		for _, p := range resources.IstiodPods.Of(k).Value {
			c.revisions[[2]string{k.Context, p.Name}] = p.Labels[istio.LabelRevision]
		}
		if len(istio.Istiods(k)) > 0 {
			c.read(k.Context, views[k.Context], reads[k.Context])
		}
	}
	return c
}

// read notes what the replicas of one control plane say.
func (c *connections) read(primary string, views facts.Read[[]facts.IstiodView], contexts map[string]string) {
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
func (c *connections) where(k *facts.Cluster, p *facts.Pod) []place {
	pod := key(p.Namespace, p.Name)
	out := slices.Clone(c.at[[2]string{k.Context, pod}])
	if own := istio.ClusterID(k); own != "" {
		out = append(out, c.stray[[2]string{own, pod}]...)
	}
	return out
}

// miscalled are the places at which a pod's proxy is connected under the ID of another
// cluster, which has no such pod.
func (c *connections) miscalled(k *facts.Cluster, p *facts.Pod) []place {
	said := istio.ProxyEnvOf(p)[istio.EnvProxyClusterID]
	if said == "" || said == istio.ClusterID(k) || c.ids[k.Context][said] {
		return nil
	}
	pod := key(p.Namespace, p.Name)
	out := slices.Clone(c.stray[[2]string{said, pod}])
	for i := range c.fleet.Clusters {
		o := &c.fleet.Clusters[i]
		at := slices.DeleteFunc(slices.Clone(c.at[[2]string{o.Context, pod}]), func(at place) bool { return at.id != said })
		if o.Context != k.Context && len(at) > 0 && resources.Pods.Of(o).Known() && !slices.ContainsFunc(resources.Pods.Of(o).Value, func(q facts.Pod) bool { return q.Name == p.Name && q.Namespace == p.Namespace }) {
			out = append(out, at...)
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

// primaries are the clusters of places.
func primaries(places []place) []string {
	var out []string
	for _, p := range places {
		out = append(out, p.primary)
	}
	return finding.Distinct(out)
}

// settled reports whether a pod's proxy has had the time to connect.
func (c *connections) settled(p *facts.Pod) bool {
	for _, s := range p.Statuses {
		if s.Name == istio.ProxyContainer && c.fleet.At.Sub(s.Started) < settle {
			return false // it was restarted
		}
	}
	return p.IsReady() && p.Deleted.IsZero() && !p.Started.IsZero() && c.fleet.At.Sub(p.Started) >= settle
}

// directedElsewhere reports whether a pod's proxy was told of an istiod of another namespace,
// or outside of clusters, which is not asked.
func directedElsewhere(p *facts.Pod, namespace string) bool {
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
	return slices.ContainsFunc(c.fleet.Clusters, func(k facts.Cluster) bool {
		start := istio.LatestStart(&k)
		return !start.IsZero() && c.fleet.At.Sub(start) < settle
	})
}

// unconnected are the pods of a cluster whose proxies should be connected, and are at no
// control plane that was asked; total is how many should.
func (c *connections) unconnected(k *facts.Cluster) (pods []*facts.Pod, total int) {
	if len(c.expected[k.Context]) == 0 {
		return nil, 0
	}
	for i := range resources.Pods.Of(k).Value {
		p := &resources.Pods.Of(k).Value[i]
		if !isProxy(p) || !c.settled(p) || directedElsewhere(p, k.SystemNamespace) {
			continue
		}
		if total++; len(c.where(k, p))+len(c.miscalled(k, p)) == 0 {
			pods = append(pods, p)
		}
	}
	return pods, total
}

// Unconnected are pods, as namespace/name by context, whose proxies no control plane says
// are connected to it: a few of each cluster, to be looked at again.
func Unconnected(fleet *facts.Fleet, seen facts.Seen) map[string][]string {
	c, out := newConnections(fleet, seen.Istiods), map[string][]string{}
	if len(c.unread) > 0 || c.fresh() {
		return nil
	}
	for i := range fleet.Clusters {
		k := &fleet.Clusters[i]
		pods, total := c.unconnected(k)
		if len(pods) == total && !c.own[k.Context] {
			continue // a control plane that is none of the fleet may direct them
		}
		for _, p := range pods[:min(len(pods), mostLookedAt)] {
			out[k.Context] = append(out[k.Context], key(p.Namespace, p.Name))
		}
	}
	return out
}

// judgeConnections: a proxy obeys the control plane to which it is connected, which
// should be that of its cluster (pilot/pkg/xds/debug.go, Syncz).
func (j *judgement) judgeConnections() {
	if j.Seen == nil {
		return
	}
	for i := range j.fleet.Clusters {
		if k := &j.fleet.Clusters[i]; j.Seen.NotAsked != "" && k.Unreached == nil && len(istio.Istiods(k)) > 0 {
			j.unknown.NotChecked(k.Context, finding.Reason{Kind: finding.NotAsked, Text: j.Seen.NotAsked}, "EP020")
		}
	}
	if j.Seen.NotAsked != "" {
		return
	}
	for context, reasons := range j.connections.unread {
		for _, reason := range reasons {
			j.unknown.NotChecked(context, reason, "EP020")
		}
	}
	for _, c := range j.clusters {
		if c.apart {
			continue
		}
		if reason, lacks := rule.Lack("pods", resources.Pods.Of(c.Cluster)); lacks {
			j.unknown.NotChecked(c.Context, reason, "EP020")
			continue
		}
		j.misplaced(c)
		if f, why := j.lone(c); why != (finding.Reason{}) {
			j.unknown.NotChecked(c.Context, why, "EP020")
		} else if f.Code != "" {
			j.add("", f)
		}
	}
}

// misplaced adds the findings about proxies of a cluster that are connected elsewhere.
func (j *judgement) misplaced(c *cluster) {
	pods := map[string][]*facts.Pod{}
	of := map[string]finding.Finding{}
	for i := range resources.Pods.Of(c.Cluster).Value {
		p := &resources.Pods.Of(c.Cluster).Value[i]
		if !isProxy(p) {
			continue
		}
		if f := j.connection(c, p); f.Code != "" {
			of[f.ID()], pods[f.ID()] = f, append(pods[f.ID()], p)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(of)) {
		f := of[id]
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: "such proxies", Value: namesOf(pods[id])})
		j.add("", f)
	}
}

func namesOf(pods []*facts.Pod) string {
	var out []string
	for _, p := range pods {
		out = append(out, key(p.Namespace, p.Name))
	}
	slices.Sort(out)
	return fmt.Sprintf("%d: %s", len(out), finding.List(out))
}

// connection is the finding about a proxy that is connected elsewhere than it should;
// without code where there is none.
func (j *judgement) connection(c *cluster, p *facts.Pod) finding.Finding {
	where, others := j.connections.where(c.Cluster, p), j.connections.miscalled(c.Cluster, p)
	at, expected := primaries(where), j.connections.expected[c.Context]
	f := finding.Finding{Code: "EP020", Severity: finding.Warning, Clusters: finding.Distinct(append(slices.Clone(at), c.Context))}
	pod := "pod " + key(p.Namespace, p.Name)
	for _, w := range where {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: w.primary, Field: "istiod " + w.replica + ", connected", Value: pod + " as of cluster " + w.id})
	}
	if config, ok := istio.ProxyConfigOf(p); ok {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: pod + ", discoveryAddress", Value: config.DiscoveryAddress})
	}
	f.Effect = "they obey the mesh config, policies and remote secrets there, and not those of " + cmp.Or(strings.Join(expected, " or "), "their own cluster")
	f.Fix = []finding.Step{
		finding.Say("See which control plane injects the pods there, and with which discoveryAddress:").By(
			finding.Shell("kubectl", "mesh-network", "verify", "--contexts", strings.Join(f.Clusters, ","))),
		recreate(c, p),
	}
	switch {
	case len(where) == 0 && len(others) > 0:
		f.Severity, f.Clusters = finding.Error, finding.Distinct(append(primaries(others), c.Context))
		f.Object = finding.Named("cluster", others[0].id)
		f.Title = fmt.Sprintf("proxies of %s are connected to istiod of %s as proxies of cluster %s", c.Context, finding.List(primaries(others)), others[0].id)
		f.Evidence = append([]finding.Evidence{
			{Cluster: others[0].primary, Field: "istiod " + others[0].replica + ", connected", Value: pod + " as of cluster " + others[0].id},
			{Cluster: c.Context, Field: pod + ", " + istio.EnvProxyClusterID, Value: others[0].id},
			{Cluster: c.Context, Field: "cluster ID", Value: cmp.Or(istio.ClusterID(c.Cluster), "not known")},
		}, f.Evidence...)
		f.Effect = "istiod takes them for pods of another cluster: what is local, and to which network they belong, is wrong"
		return f
	case len(at) > 1:
		f.Title = fmt.Sprintf("proxies of %s are connected to the control planes of several clusters: %s", c.Context, finding.List(at))
		f.Effect = "what they are told is of the one or of the other, or one of the connections has ended unnoticed"
		return f
	case len(at) == 1 && len(expected) > 0 && !slices.Contains(expected, at[0]):
		f.Title = fmt.Sprintf("proxies of %s are connected to istiod of %s, and not to that of %s", c.Context, at[0], finding.List(expected))
		return f
	}
	if w, ok := j.connections.otherRevision(p, where); ok {
		own, there := p.Labels[istio.LabelRevision], j.connections.revisions[[2]string{w.primary, w.replica}]
		f.Object = finding.Named("revision", own)
		f.Title = fmt.Sprintf("proxies of %s that were injected for revision %s are connected to istiod of revision %s", c.Context, own, there)
		f.Evidence = append(f.Evidence,
			finding.Evidence{Cluster: c.Context, Field: pod + ", label " + istio.LabelRevision, Value: own},
			finding.Evidence{Cluster: w.primary, Field: "istiod " + w.replica + ", label " + istio.LabelRevision, Value: there})
		f.Effect = fmt.Sprintf("they obey the mesh config of revision %s, and what its version makes of the mesh, and not those of %s", there, own)
		f.Fix = []finding.Step{
			finding.Say("Remove the discoveryAddress that leads there: it is set in meshConfig.defaultConfig of revision %s, "+
				"or in annotation proxy.istio.io/config of the pods.", own),
			recreate(c, p),
		}
		return f
	}
	return finding.Finding{}
}

// recreate is the step that has a pod injected again.
func recreate(c *cluster, p *facts.Pod) finding.Step {
	if p.Owner.Name == "" {
		return finding.Say("Recreate pod %s: it has no workload that does.", key(p.Namespace, p.Name))
	}
	return finding.Say("Careful: this ends the requests that the pod serves. Its workload recreates it, and the injector runs again:").By(
		finding.Kubectl(c.Context, "-n", p.Namespace, "delete", "pod/"+p.Name))
}

// lone is the finding about proxies of a cluster that are connected nowhere, or why that
// cannot be told.
func (j *judgement) lone(c *cluster) (finding.Finding, finding.Reason) {
	pods, total := j.connections.unconnected(c.Cluster)
	switch {
	case len(pods) == 0:
		return finding.Finding{}, finding.Reason{}
	case len(j.connections.unread) > 0:
		return finding.Finding{}, finding.Because("not all replicas of all control planes said which proxies are connected to them")
	case j.connections.fresh():
		return finding.Finding{}, finding.Because("a control plane has just started, and proxies may be about to connect")
	case len(pods) == total && !j.connections.own[c.Context]:
		return finding.Finding{}, finding.Because("no proxy is connected to a control plane of the fleet: one that is none of it may direct them")
	case j.Seen.Again == nil || j.Seen.Again.Pods[c.Context] == nil:
		return finding.Finding{}, finding.Because("istiod was asked once only, and proxies may be about to connect")
	}
	first, _ := j.before.unconnected(c.Cluster)
	both := slices.DeleteFunc(slices.Clone(pods), func(p *facts.Pod) bool { return !slices.Contains(first, p) })
	there := func(p *facts.Pod) bool { return j.Seen.Again.Pods[c.Context][key(p.Namespace, p.Name)] }
	at := slices.IndexFunc(both, there)
	if at < 0 {
		return finding.Finding{}, finding.Reason{} // gone meanwhile, or connected
	}
	p := both[at]
	f := finding.Finding{
		Code: "EP020", Severity: finding.Error, Clusters: []string{c.Context},
		Title: fmt.Sprintf("%d of %d proxies of %s are connected to no istiod", len(both), total, c.Context),
		Evidence: []finding.Evidence{
			{Field: "proxies that are connected to none", Value: namesOf(both)},
			{Field: "replicas of istiod that were asked", Value: finding.List(j.connections.asked)},
		},
		Effect: "they keep what they were told last: new and gone endpoints, and changed policies, pass them by",
		Fix:    []finding.Step{finding.Say("Look in its log for why it does not connect:").By(logsOf(c, p.Namespace, p.Name))},
	}
	if config, ok := istio.ProxyConfigOf(p); ok {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "pod " + key(p.Namespace, p.Name) + ", discoveryAddress", Value: config.DiscoveryAddress})
	}
	return f, finding.Reason{}
}

// logsOf is the command that prints what the proxy of a pod logged last.
func logsOf(c *cluster, namespace, pod string) finding.Command {
	return finding.Kubectl(c.Context, "-n", namespace, "logs", "pod/"+pod, "-c", istio.ProxyContainer, "--tail=100")
}

// connected is where the proxy of the source is connected: what it is given is what the
// control plane there says.
func (w *walk) connected() bool {
	if !w.asked || w.Seen == nil || w.Seen.NotAsked != "" || w.from.Pod == "" {
		return true
	}
	p := w.source.pods[w.from.Pod]
	if f := w.connection(w.source, p); f.Code != "" {
		w.warn(f)
		at := primaries(append(w.connections.where(w.source.Cluster, p), w.connections.miscalled(w.source.Cluster, p)...))
		if !slices.Contains(at, w.v.Context) {
			w.unclear(stepConnected, w.source.Context, finding.Because(f.Title))
			w.path.Code, w.path.Cause, w.path.Summary = f.Code, f.ID(), f.Title
			return false
		}
		return w.ok(stepConnected, "%s (%s)", f.Title, f.Code)
	}
	where := w.connections.where(w.source.Cluster, p)
	if len(where) > 0 {
		return w.ok(stepConnected, "the proxy of pod %s is connected to %s of %s", w.from.Pod, where[0].replica, where[0].primary)
	}
	for _, context := range w.connections.expected[w.source.Context] {
		for _, reason := range w.connections.unread[context] {
			w.unknown.NotChecked(context, reason, "EP020")
		}
	}
	if pods, _ := w.connections.unconnected(w.source.Cluster); !slices.Contains(pods, p) {
		return true // too young to tell
	}
	f, why := w.lone(w.source)
	switch {
	case f.Code != "":
		w.warn(f)
		return w.ok(stepConnected, "%s (%s)", f.Title, f.Code)
	case why != (finding.Reason{}) && len(w.connections.unread) == 0:
		w.unknown.NotChecked(w.source.Context, why, "EP020")
	}
	return true
}
