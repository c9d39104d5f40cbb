package controlplane

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Share is how many of some are as they should be.
type Share struct {
	Good, All int
	// Known: they were read; else both numbers mean nothing.
	Known bool
}

// String is "2/3", and "-" where it is not known.
func (s Share) String() string {
	if !s.Known {
		return "-"
	}
	return fmt.Sprintf("%d/%d", s.Good, s.All)
}

func (s Share) plus(o Share) Share { return Share{s.Good + o.Good, s.All + o.All, s.Known && o.Known} }

// ClusterOverview is how the mesh of one cluster is. All numbers are of one snapshot, and add up:
// the proxies are those of Injected, and ready, connected or old ones are among them.
type ClusterOverview struct {
	Context string
	// Network is the one that most of the cluster is on; "" for none, or where that is not known.
	Network string
	// Istiod are the versions of the control planes that run in the cluster, each once; none of a remote cluster.
	Istiod []string
	// Kubernetes is the version of the API server, as "1.34"; "" where it is not known.
	Kubernetes string
	// Istiods are the replicas of istiod that are ready, of those that there are to be.
	Istiods Share
	// Restarts is how often containers of istiod ended badly within a day.
	Restarts int
	// Proxies are the pods with a proxy whose proxy is ready, of all of them; gateways are among them.
	Proxies Share
	// Injected are the pods that have their proxy, of those that should; Namespaces is in how many they are.
	Injected   Share
	Namespaces int
	// Connected are the proxies that are connected to an istiod that was asked, of all.
	Connected Share
	// Refusing is how many of them do not accept what they are sent.
	Refusing int
	// Old are the proxies of another version than their istiod: those that an injection now would change.
	// Versions is how many proxies there are of each version.
	Old      int
	Versions map[string]int
	// Ambient is how many pods ztunnel is to speak for, Ztunnels those that are ready.
	Ambient  int
	Ztunnels Share
}

// Overview is how the meshes of a fleet are: what is well, too.
type Overview struct {
	// Clusters are those that were reached and have something of Istio, in the order of the fleet.
	Clusters []ClusterOverview
	// Since is how far back restarts count.
	Since time.Duration
}

// NewOverview counts what there is in a fleet.
func NewOverview(m *model.Mesh) Overview {
	out := Overview{Since: recent(m)}
	for _, c := range m.Clusters {
		if c.HasIstio() {
			out.Clusters = append(out.Clusters, overviewOf(m, c))
		}
	}
	return out
}

// saidProxies reports whether all replicas of istiod said which proxies are connected to them.
func saidProxies(m *model.Mesh) bool {
	said := false
	for _, read := range m.Seen.Last() {
		for _, v := range read.Value {
			if v.Proxies.State != facts.OK {
				return false
			}
			said = true
		}
	}
	return said
}

func overviewOf(m *model.Mesh, c *model.Cluster) ClusterOverview {
	now := m.Fleet.At
	out := ClusterOverview{Context: c.Context, Network: c.Network().Home(), Versions: map[string]int{}}
	if v := kubernetesOf(c); v != nil {
		out.Kubernetes = fmt.Sprintf("%d.%d", v.Major(), v.Minor())
	}
	out.Istiods.Known = resources.Istiods.Of(c.Cluster).Known() &&
		(resources.IstiodPods.Of(c.Cluster).Known() || resources.Pods.Of(c.Cluster).Known())
	for _, i := range c.Installations() {
		if i.Istiod.Version != nil {
			out.Istiod = append(out.Istiod, i.Istiod.Version.String())
		}
		ready := i.Ready()
		out.Istiods.Good += min(ready, max(i.Wanted(), 0))
		out.Istiods.All += i.Wanted()
		for _, pod := range i.Pods {
			out.Restarts += badEnds(pod, now, recent(m))
		}
	}
	out.Istiod = finding.Distinct(out.Istiod)
	known := resources.Pods.Of(c.Cluster).Known()
	_, asked := wasAsked(m)
	asked = asked && saidProxies(m)
	out.Proxies.Known, out.Injected.Known, out.Ztunnels.Known, out.Connected.Known = known, known &&
		knowsInjection(c), known, known &&
		asked
	in := map[string]bool{}
	for _, pod := range c.ProxyPods() {
		if !model.NeedsConfig(pod) {
			continue
		}
		out.Proxies.All++
		if proxyIsReady(pod) {
			out.Proxies.Good++
		}
		in[pod.Namespace] = true
		connections := c.Connections(pod)
		if len(connections) > 0 {
			out.Connected.Good++
		}
		if slices.ContainsFunc(connections, func(k model.Connection) bool { return len(k.Rejects) > 0 }) {
			out.Refusing++
		}
		if v := c.ProxyVersion(pod); v != nil {
			out.Versions[v.String()]++
			if isOld(c, pod, v.String()) {
				out.Old++
			}
		}
	}
	out.Connected.All = out.Proxies.All
	without := lacking(c, now)
	for _, pod := range without {
		in[pod.Namespace] = true
	}
	out.Injected.Good, out.Injected.All, out.Namespaces = out.Proxies.All, out.Proxies.All+len(without), len(in)
	for _, pods := range ambientPods(c) {
		out.Ambient += len(pods)
	}
	for _, z := range c.Ztunnels() {
		out.Ztunnels.All++
		if z.IsReady() {
			out.Ztunnels.Good++
		}
	}
	return out
}

// knowsInjection reports whether what tells which pods should have a proxy was read.
func knowsInjection(c *model.Cluster) bool {
	return len(c.Unread(resources.Namespaces, resources.MutatingWebhooks)) == 0
}

// proxyIsReady reports whether the proxy of a pod is ready; where nothing is said of it, whether the pod is.
func proxyIsReady(p *facts.Pod) bool {
	if s := p.Status(istio.ProxyContainer); s != nil {
		return s.Ready
	}
	return p.IsReady()
}

// isOld reports whether the proxy of a pod is of a version that none of its control planes has.
func isOld(c *model.Cluster, p *facts.Pod, v string) bool {
	by := c.ProgrammedBy(p)
	return len(by) > 0 && !slices.ContainsFunc(by, func(cp *model.ControlPlane) bool {
		return cp.Istiod.Version == nil || cp.Istiod.Version.String() == v
	})
}

// badEnds is how often the container of a pod of istiod is known to have ended badly since then.
func badEnds(p *facts.Pod, now time.Time, since time.Duration) int {
	s := p.Status(istio.DiscoveryContainer)
	if s == nil {
		return 0
	}
	n := 0
	for _, e := range []*facts.Ended{s.Last, s.Ended} {
		if e != nil && e.Code != 0 && e.Code != 143 && now.Sub(e.At) <= since {
			n++
		}
	}
	return n
}

// Says is what there is to say of an area in a sentence where nothing is wrong with it; "" for an area
// of which it knows nothing, or of which nothing was read.
func (o Overview) Says(area finding.Area) string {
	switch area {
	case finding.ControlPlane:
		return o.saysControlPlane()
	case finding.Versions:
		return o.saysVersions()
	case finding.Injection:
		return o.saysInjection()
	case finding.Proxies:
		return o.saysProxies()
	default:
		return ""
	}
}

// sum adds up what is known of all clusters; Known is whether it is of any.
func (o Overview) sum(of func(ClusterOverview) Share) Share {
	out, any := Share{Known: true}, false
	for _, c := range o.Clusters {
		if s := of(c); s.Known {
			out, any = out.plus(s), true
		}
	}
	out.Known = any
	return out
}

func (o Overview) saysControlPlane() string {
	s := o.sum(func(c ClusterOverview) Share { return c.Istiods })
	if !s.Known {
		return ""
	}
	restarts := 0
	for _, c := range o.Clusters {
		restarts += c.Restarts
	}
	text := fmt.Sprintf("%d of %s ready, ", s.Good, plural(s.All, "istiod", "istiods"))
	within := o.Since.String()
	if hours := o.Since.Hours(); o.Since%time.Hour == 0 {
		within = finding.Plural(int(hours), "hour")
	}
	if restarts == 0 {
		return text + "no restart in " + within
	}
	return text + finding.Plural(restarts, "restart") + " in " + within
}

// istiods are the versions of all control planes, each once.
func (o Overview) istiods() []string {
	var out []string
	for _, c := range o.Clusters {
		out = append(out, c.Istiod...)
	}
	return finding.Distinct(out)
}

func (o Overview) saysVersions() string {
	versions := o.istiods()
	if len(versions) == 0 {
		return ""
	}
	text := "istiod " + finding.List(versions)
	if len(versions) == 1 && len(o.Clusters) > 1 {
		text += " everywhere"
	}
	of, total, old := map[string]int{}, 0, 0
	for _, c := range o.Clusters {
		for v, n := range c.Versions {
			of[v] += n
			total += n
		}
		old += c.Old
	}
	switch {
	case total == 0:
		return text
	case old == 0:
		return text + fmt.Sprintf("; %s of the same version", plural(total, "proxy", "proxies"))
	}
	var others []string
	for _, v := range slices.Sorted(maps.Keys(of)) {
		if !slices.Contains(versions, v) {
			others = append(others, fmt.Sprintf("%d have %s", of[v], v))
		}
	}
	if len(others) == 0 {
		return text + fmt.Sprintf("; %d of %s have another version than their istiod", old, plural(total, "proxy", "proxies"))
	}
	return text + fmt.Sprintf("; of %s %s", plural(total, "proxy", "proxies"), strings.Join(others, ", "))
}

func (o Overview) saysInjection() string {
	s := o.sum(func(c ClusterOverview) Share { return c.Injected })
	if !s.Known {
		return ""
	}
	namespaces, ambient := 0, 0
	for _, c := range o.Clusters {
		namespaces += c.Namespaces
		ambient += c.Ambient
	}
	text := fmt.Sprintf(
		"%d of %s have their proxy, in %s",
		s.Good,
		plural(s.All, "pod", "pods"),
		plural(namespaces, "namespace", "namespaces"),
	)
	if s.All == 0 {
		text = "no pod is to have a proxy"
	}
	if ambient > 0 {
		text += fmt.Sprintf("; %s in ambient mode", plural(ambient, "pod", "pods"))
	}
	return text
}

func (o Overview) saysProxies() string {
	ready, connected := o.sum(
		func(c ClusterOverview) Share { return c.Proxies },
	), o.sum(
		func(c ClusterOverview) Share { return c.Connected },
	)
	if !ready.Known {
		return ""
	}
	text := fmt.Sprintf("%d of %d ready", ready.Good, ready.All)
	if !connected.Known {
		return text + "; whether they are connected was not asked"
	}
	refusing := 0
	for _, c := range o.Clusters {
		refusing += c.Refusing
	}
	text += fmt.Sprintf(", %d connected", connected.Good)
	if refusing == 0 {
		return text + ", none refuses what it is sent"
	}
	return text + fmt.Sprintf(", %d refuse what they are sent", refusing)
}
