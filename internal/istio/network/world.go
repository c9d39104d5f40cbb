package network

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// world is what the rules read: the clusters that were reached, the control
// planes, and what both make of networks.
type world struct {
	members []*member
	views   []*view
	// networks are those that belong to somebody: to a cluster, a gateway or the mesh networks.
	networks []string
	// several: the fleet is meant to have more than one network. In a fleet that
	// is not, neither labels nor gateways decide anything.
	several bool
	// incomplete says why networks may be missing among them; nothing where none is.
	incomplete finding.Reason
	// partial: control planes watch clusters of which nothing was read, so that
	// there may be further networks.
	partial bool
	// subjects are the entries of mesh networks and the gateways that findings by
	// these IDs are about, where their objects do not say it alone.
	subjects map[string][]subject
}

// subject is one of several gateways that a finding is about.
type subject struct {
	cluster string
	object  finding.Object
	address string
}

// concerns notes what a finding is about.
func (w *world) concerns(f finding.Finding, subjects ...subject) {
	if w.subjects == nil {
		w.subjects = map[string][]subject{}
	}
	w.subjects[f.ID()] = append(w.subjects[f.ID()], subjects...)
}

// view is what one control plane makes of the fleet.
type view struct {
	*istio.View
	own        *member
	members    []*member          // that it reads, its own first
	ids        map[*member]string // their names for it
	contexts   map[string]string  // the contexts by those names
	candidates []istio.Candidate
	gateways   []istio.Gateway
}

func newWorld(fleet *facts.Fleet, options Options) *world {
	w := &world{}
	by := map[string]*member{}
	for i := range fleet.Clusters {
		if c := &fleet.Clusters[i]; c.Unreached == nil {
			m := newMember(c)
			w.members, by[c.Context] = append(w.members, m), m
		}
	}
	for _, iv := range istio.Views(fleet) {
		if by[iv.Context] == nil {
			continue
		}
		iv.Hosts = options.Hosts
		v := &view{View: iv, own: by[iv.Context], ids: map[*member]string{}, contexts: map[string]string{}}
		watched, _ := iv.Clusters()
		for _, c := range watched {
			v.contexts[c.ID] = c.Context
			if m := by[c.Context]; m != nil {
				v.members, v.ids[m] = append(v.members, m), c.ID
				m.viewers = append(m.viewers, v)
			} else {
				w.partial = true
			}
		}
		v.candidates, v.gateways = iv.Candidates(), iv.Gateways()
		w.views = append(w.views, v)
	}
	for _, m := range w.members {
		m.findGateways()
		m.countInjected()
	}
	for _, m := range w.members {
		m.apart, m.doubt = w.isApart(m)
	}
	w.findNetworks(fleet)
	return w
}

// isApart reports whether a cluster of a fleet of several neither reads nor is
// read by another one: it was named by mistake, or is not in this mesh. Where that
// is not known, one that has a network of its own counts as in the mesh; of
// another one nothing can be said, for the reason that is returned.
func (w *world) isApart(m *member) (apart bool, doubt finding.Reason) {
	if len(m.istiods) == 0 && len(resources.Webhooks.Of(m.Cluster).Value) == 0 && len(m.viewers) == 0 && m.lacks(istiods|webhooks) == nothing {
		return true, nothing
	}
	if len(w.members) < 2 {
		return false, nothing
	}
	for _, v := range w.views {
		if v.own == m && len(v.contexts) > 1 || v.own != m && v.ids[m] != "" {
			return false, nothing
		}
	}
	for _, o := range w.members {
		if why := o.lacks(istiods | remoteSecrets); why != nothing {
			if m.home() != "" {
				return false, nothing
			}
			why = within(why, o.Context)
			why.Text = "whether it belongs to the same mesh is not known: " + why.Text
			return false, why
		}
	}
	return true, nothing
}

func (w *world) findNetworks(fleet *facts.Fleet) {
	if len(w.members) < len(fleet.Clusters) {
		w.incomplete = finding.Reason{Kind: finding.Unreached, Text: "not all clusters were reached"}
	}
	var names []string
	for _, m := range w.members {
		why := m.lacks(pods | services | namespaces | istiods | meshConfigs | webhooks | kubernetesGateways)
		if why != nothing && w.incomplete == nothing {
			w.incomplete = within(why, m.Context)
			w.incomplete.Text = "not all networks are known: " + w.incomplete.Text
		}
		if m.apart {
			continue
		}
		names = append(names, m.homes()...)
		for _, g := range m.gateways {
			names = append(names, g.network)
		}
		for _, g := range resources.KubernetesGateways.Of(m.Cluster).Value {
			names = append(names, g.Labels[istio.LabelNetwork])
		}
	}
	for _, v := range w.views {
		for name, n := range v.MeshNetworks.Networks {
			if !v.own.apart && len(n.Endpoints)+len(n.Gateways) > 0 {
				names = append(names, name)
			}
		}
	}
	w.networks = finding.Distinct(names)
	w.several = len(w.networks) > 1
}

// gatewaysMatter reports whether gateways are judged: in a fleet of which all is
// known, and which is one network, nobody goes through them.
func (w *world) gatewaysMatter() bool { return w.several || w.partial }

// registry are the networks that the mesh networks give to a cluster.
func (v *view) registry(m *member) []string {
	var out []string
	for name, n := range v.MeshNetworks.Networks {
		if slices.ContainsFunc(n.Endpoints, func(e istio.NetworkEndpoints) bool { return e.FromRegistry != "" && e.FromRegistry == v.ids[m] }) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// network is that of a pod as an endpoint.
func (v *view) network(m *member, p *facts.Pod) string {
	return v.NetworkOf(v.ids[m], p.IP(), p.Labels).Name
}

// programs reports whether the proxies of a cluster are this control plane's:
// those of its own cluster, and of clusters that have no control plane.
func (v *view) programs(m *member) bool {
	return v.own == m || v.ids[m] != "" && len(m.istiods) == 0 && resources.Istiods.Of(m.Cluster).Known()
}

// name tells control planes apart.
func (v *view) name() string {
	if len(v.own.istiods) > 1 {
		return "istiod " + v.Istiod.Name + " of " + v.Context
	}
	return "istiod of " + v.Context
}
