package endpoints

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// proxiesElsewhere: a proxy is connected to another control plane than the one of its
// cluster, which it then obeys, or to none (pilot/pkg/xds/debug.go, Syncz).
func proxiesElsewhere(p *rule.Pass[*model.Mesh]) {
	if why, asked := wereAsked(p.Model); !asked {
		for _, c := range model.Able(p) {
			if c.Primary() {
				p.NotChecked(c.Context, why)
			}
		}
		return
	}
	l := looksOf(p.Model)
	for _, c := range model.Able(p) {
		for _, reason := range l.last.unread[c.Context] {
			p.NotChecked(c.Context, reason)
		}
		for _, f := range l.misconnected(c) {
			p.Report(f)
		}
		if f, why := l.unconnected(c); why != (finding.Reason{}) {
			p.NotChecked(c.Context, why)
		} else if f.Code != "" {
			if f.CausedBy = model.Cause(p, c.Context, finding.Object{}, "CP044"); f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
	}
}

// misconnected are the findings about proxies of a cluster that are connected elsewhere.
func (l *looks) misconnected(c *model.Cluster) []finding.Finding {
	pods := map[string][]*facts.Pod{}
	of := map[string]finding.Finding{}
	for i := range resources.Pods.Of(c.Cluster).Value {
		p := &resources.Pods.Of(c.Cluster).Value[i]
		if !model.NeedsConfig(p) {
			continue
		}
		if f := l.connection(c, p); f.Code != "" {
			of[f.ID()], pods[f.ID()] = f, append(pods[f.ID()], p)
		}
	}
	var out []finding.Finding
	for _, id := range slices.Sorted(maps.Keys(of)) {
		f := of[id]
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: "such proxies", Value: namesOf(pods[id])})
		out = append(out, f)
	}
	return out
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
func (l *looks) connection(c *model.Cluster, p *facts.Pod) finding.Finding {
	where, others := l.last.where(c, p), l.last.miscalled(c, p)
	at, expected := primariesOf(where), l.last.expected[c.Context]
	switch {
	case len(where) == 0 && len(others) > 0:
		return l.asOtherCluster(c, p, others)
	case len(at) > 1:
		f := l.elsewhere(c, p, where)
		f.Title = fmt.Sprintf("proxies of %s are connected to the control planes of several clusters: %s", c.Context, finding.List(at))
		f.Effect = "what they are told is of the one or of the other, or one of the connections has ended unnoticed"
		return f
	case len(at) == 1 && len(expected) > 0 && !slices.Contains(expected, at[0]):
		f := l.elsewhere(c, p, where)
		f.Title = fmt.Sprintf("proxies of %s are connected to istiod of %s, and not to that of %s", c.Context, at[0], finding.List(expected))
		return f
	}
	if w, ok := l.last.otherRevision(p, where); ok {
		return l.ofOtherRevision(c, p, where, w)
	}
	return finding.Finding{}
}

// elsewhere begins a finding about a proxy that is connected elsewhere than it should.
func (l *looks) elsewhere(c *model.Cluster, p *facts.Pod, where []place) finding.Finding {
	pod := "pod " + key(p.Namespace, p.Name)
	f := finding.Finding{
		Code: "EP020", Severity: finding.Warning, Clusters: finding.Distinct(append(primariesOf(where), c.Context)),
		Effect: "they obey the mesh config, policies and remote secrets there, and not those of " +
			cmp.Or(strings.Join(l.last.expected[c.Context], " or "), "their own cluster"),
	}
	for _, w := range where {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: w.primary, Field: "istiod " + w.replica + ", connected", Value: pod + " as of cluster " + w.id,
		})
	}
	if config, ok := istio.ProxyConfigOf(p); ok {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: pod + ", discoveryAddress", Value: config.DiscoveryAddress})
	}
	f.Fix = []finding.Step{
		finding.Say("See which control plane injects the pods there, and with which discoveryAddress:").By(
			finding.Shell("kubectl", "mesh-network", "verify", "--contexts", strings.Join(f.Clusters, ","))),
		recreate(c, p),
	}
	return f
}

// asOtherCluster is the finding about a proxy that is connected under the ID of another
// cluster.
func (l *looks) asOtherCluster(c *model.Cluster, p *facts.Pod, others []place) finding.Finding {
	id, pod := others[0].id, "pod "+key(p.Namespace, p.Name)
	f := l.elsewhere(c, p, nil)
	f.Evidence = append([]finding.Evidence{
		{Cluster: others[0].primary, Field: "istiod " + others[0].replica + ", connected", Value: pod + " as of cluster " + id},
		{Cluster: c.Context, Field: pod + ", " + istio.EnvProxyClusterID, Value: id},
		{Cluster: c.Context, Field: "cluster ID", Value: cmp.Or(c.ID, "not known")},
	}, f.Evidence...)
	f.Severity, f.Object = finding.Error, finding.Named("cluster", id)
	f.Clusters = finding.Distinct(append(primariesOf(others), c.Context))
	f.Title = fmt.Sprintf("proxies of %s are connected to istiod of %s as proxies of cluster %s",
		c.Context, finding.List(primariesOf(others)), id)
	f.Effect = "istiod takes them for pods of another cluster: what is local, and to which network they belong, is wrong"
	return f
}

// ofOtherRevision is the finding about a proxy that is connected to another revision than
// the one that injected it.
func (l *looks) ofOtherRevision(c *model.Cluster, p *facts.Pod, where []place, w place) finding.Finding {
	own, there := p.Labels[istio.LabelRevision], l.last.revisions[[2]string{w.primary, w.replica}]
	f := l.elsewhere(c, p, where)
	f.Object = finding.Named("revision", own)
	f.Title = fmt.Sprintf("proxies of %s that were injected for revision %s are connected to istiod of revision %s", c.Context, own, there)
	f.Evidence = append(f.Evidence,
		finding.Evidence{Cluster: c.Context, Field: "pod " + key(p.Namespace, p.Name) + ", label " + istio.LabelRevision, Value: own},
		finding.Evidence{Cluster: w.primary, Field: "istiod " + w.replica + ", label " + istio.LabelRevision, Value: there})
	f.Effect = fmt.Sprintf("they obey the mesh config of revision %s, and what its version makes of the mesh, and not those of %s", there, own)
	f.Fix = []finding.Step{
		finding.Say("Remove the discoveryAddress that leads there: it is set in meshConfig.defaultConfig of revision %s, "+
			"or in annotation proxy.istio.io/config of the pods.", own),
		recreate(c, p),
	}
	return f
}

// unconnected is the finding about proxies of a cluster that are connected nowhere, or why
// that cannot be told.
func (l *looks) unconnected(c *model.Cluster) (finding.Finding, finding.Reason) {
	again := l.last.mesh.Seen.Again
	pods, total := l.last.unconnected(c)
	switch {
	case len(pods) == 0:
		return finding.Finding{}, finding.Reason{}
	case len(l.last.unread) > 0:
		return finding.Finding{}, finding.Because("not all replicas of all control planes said which proxies are connected to them")
	case l.last.fresh():
		return finding.Finding{}, finding.Because("a control plane has just started, and proxies may be about to connect")
	case len(pods) == total && !l.last.own[c.Context]:
		return finding.Finding{}, finding.Because("no proxy is connected to a control plane of the fleet: one outside of it may configure them")
	case again == nil || again.Pods[c.Context] == nil:
		return finding.Finding{}, finding.Because("istiod was only asked once, and proxies may be about to connect")
	}
	first, _ := l.before.unconnected(c)
	both := slices.DeleteFunc(pods, func(p *facts.Pod) bool { return !slices.Contains(first, p) })
	at := slices.IndexFunc(both, func(p *facts.Pod) bool { return again.Pods[c.Context][key(p.Namespace, p.Name)] })
	if at < 0 {
		return finding.Finding{}, finding.Reason{} // gone meanwhile, or connected
	}
	p := both[at]
	f := finding.Finding{
		Code: "EP020", Severity: finding.Error, Clusters: []string{c.Context},
		Title: fmt.Sprintf("%d of %d proxies of %s are connected to no istiod", len(both), total, c.Context),
		Evidence: []finding.Evidence{
			{Field: "proxies that are connected to none", Value: namesOf(both)},
			{Field: "replicas of istiod that were asked", Value: finding.List(l.last.asked)},
		},
		Effect: "they keep what they were told last: they do not receive new and gone endpoints, or changed policies",
		Fix:    []finding.Step{finding.Say("Look in its log for why it does not connect:").By(logsOf(c, p.Namespace, p.Name))},
	}
	if config, ok := istio.ProxyConfigOf(p); ok {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Field: "pod " + key(p.Namespace, p.Name) + ", discoveryAddress", Value: config.DiscoveryAddress,
		})
	}
	return f, finding.Reason{}
}

// isConnected: the proxy of the source is connected to the control plane that manages it:
// what it is given is what that one says.
func (w *walk) isConnected() Verdict {
	if _, asked := wereAsked(w.mesh); !w.asked || !asked || w.from.Pod == "" {
		return goesOn
	}
	l, p := w.looks, w.source.Pod(cut(w.from.Pod))
	where := l.last.where(w.source, p)
	if f := l.connection(w.source, p); f.Code != "" {
		w.warn(f)
		at := primariesOf(append(where, l.last.miscalled(w.source, p)...))
		if !slices.Contains(at, w.cp.Context) {
			verdict := w.unclear(stepConnected, w.source.Context, finding.Because(f.Title))
			w.path.Code, w.path.Cause, w.path.Summary = f.Code, f.ID(), f.Title
			return verdict
		}
		return w.ok(stepConnected, "%s (%s)", f.Title, f.Code)
	}
	if len(where) > 0 {
		return w.ok(stepConnected, "the proxy of pod %s is connected to %s of %s", w.from.Pod, where[0].replica, where[0].primary)
	}
	for _, context := range l.last.expected[w.source.Context] {
		for _, reason := range l.last.unread[context] {
			w.unknown.NotChecked(context, reason, "EP020")
		}
	}
	if pods, _ := l.last.unconnected(w.source); !slices.Contains(pods, p) {
		return goesOn // too young to tell
	}
	f, why := l.unconnected(w.source)
	switch {
	case f.Code != "":
		w.warn(f)
		return w.ok(stepConnected, "%s (%s)", f.Title, f.Code)
	case why != (finding.Reason{}) && len(l.last.unread) == 0:
		w.unknown.NotChecked(w.source.Context, why, "EP020")
	}
	return goesOn
}
