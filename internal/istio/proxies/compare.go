package proxies

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// lister lists what one source gets.
type lister struct {
	Source
	fleet    *facts.Fleet
	options  Options
	actual   []envoy.Cluster
	unknown  string // why actual is not known
	unread   []string
	contexts map[string]string // by the control plane's names for clusters
	gateways []istio.Gateway
	hosts    []istio.GatewayHost
	// standIns are addresses for host names that were not resolved, so that what is behind
	// them is not taken for what is reached directly.
	standIns map[string]string
	pods     map[string][]place // by address; nil until it is needed
}

func newLister(fleet *facts.Fleet, s Source, options Options) *lister {
	l := &lister{Source: s, fleet: fleet, options: options, unread: []string{}, contexts: map[string]string{}, hosts: s.View.GatewayHosts()}
	switch r, asked := options.Actual[s.String()]; {
	case !asked:
		l.unknown = cmp.Or(options.NotAsked, "it was not asked")
	case r.State == facts.OK:
		l.actual = r.Value
	case r.State == facts.Absent:
		l.unknown = "the pod is gone"
	default:
		l.unknown = r.Why()
	}
	watched, _ := s.View.Clusters()
	for _, w := range watched {
		l.contexts[w.ID] = cmp.Or(w.Context, w.ID)
	}
	for _, u := range s.View.Unread() {
		l.unread = append(l.unread, l.context(u.Cluster)+": "+u.What+": "+u.Why)
	}
	l.standIn()
	l.gateways = l.View.Gateways()
	return l
}

// standIn gives host names that were not resolved an address.
func (l *lister) standIn() {
	for _, h := range l.hosts {
		if len(l.View.Hosts[h.Name]) == 0 {
			l.unread = append(l.unread, "the addresses of "+h.Name+", a gateway of network "+h.Network)
		}
	}
	six := len(l.proxy.Addresses) > 0 && !slices.ContainsFunc(l.proxy.Addresses, func(a string) bool { return !strings.Contains(a, ":") })
	l.View, l.standIns = l.View.StandIn(six) // other sources have the same view
}

// context is the context of a cluster, or its ID where none leads there.
func (l *lister) context(id string) string { return cmp.Or(l.contexts[id], id) }

func (l *lister) destination(p corev1.ServicePort) Destination {
	d := Destination{Port: int(p.Port), PortName: p.Name, Endpoints: []Endpoint{}, Withheld: []Withheld{}}
	want := l.View.Endpoints(
		l.proxy,
		istio.Destination{Namespace: l.options.Service.Namespace, Service: l.options.Service.Name, Port: int(p.Port)},
	)
	direct := want.Direct && !l.proxy.Gateway && want.Absent == ""
	var expected []*expectation
	if direct {
		d.Note = "the service is headless: sidecars send to whichever pod the client asks for, and never through a gateway"
	} else {
		d.Note, expected = want.Absent, collapse(want.Endpoints)
		for _, w := range withheld(want) {
			d.Withheld = append(d.Withheld, Withheld{Backend: l.backend(w.Backend), Reason: string(w.Reason), Detail: w.Detail})
		}
	}
	for _, e := range expected {
		d.Endpoints = append(d.Endpoints, l.expected(e))
	}
	if l.unknown != "" {
		d.Verdict = Unknown
		order(d.Endpoints)
		return d
	}
	have := envoy.Find(l.actual, envoy.Destination{Host: want.Host, Port: int(p.Port)})
	switch {
	case have == nil && (direct || want.Absent != ""):
		d.Verdict = Same
		return d
	case have == nil:
		d.Note = "the proxy has no such destination: it was not told yet, or a Sidecar resource hides it"
		if l.options.Istiod {
			d.Note = "istiod has told the proxy of no such destination: a Sidecar resource may hide it"
		}
		d.Verdict = Different
	default:
		d.Verdict = Same
	}
	given := map[string]*envoy.Endpoint{}
	if have != nil {
		for i, e := range have.Endpoints {
			given[key(e.Address, e.Port)] = &have.Endpoints[i]
		}
	}
	for i, x := range expected {
		l.compare(&d.Endpoints[i], x, given[x.key])
		delete(given, x.key)
	}
	for _, k := range slices.Sorted(maps.Keys(given)) {
		d.Endpoints = append(d.Endpoints, l.unexpected(*given[k], want))
	}
	for _, e := range d.Endpoints {
		switch {
		case e.Verdict == Same:
		case e.Verdict == Unknown && d.Verdict != Different:
			d.Verdict = Unknown
		case e.Verdict != Unknown:
			d.Verdict = Different
		}
	}
	if d.Verdict == Different && len(l.unread) > 0 {
		d.Verdict = Unknown
	}
	order(d.Endpoints)
	return d
}

// withheld are the endpoints that are not given, each once: those of the other ports of a
// pod are none of this one.
func withheld(want istio.Endpoints) []istio.Dropped {
	type spot struct{ cluster, address string }
	told := map[spot]bool{}
	for _, e := range want.Endpoints {
		if !e.Gateway() {
			told[spot{e.Cluster, e.Address}] = true
		}
		for _, b := range e.Behind {
			told[spot{b.Cluster, b.Address}] = true
		}
	}
	var out []istio.Dropped
	for _, otherPort := range []bool{false, true} {
		for _, d := range want.Dropped {
			if at := (spot{d.Cluster, d.Address}); (d.Reason == istio.OtherPort) == otherPort && !told[at] {
				told[at] = true
				out = append(out, d)
			}
		}
	}
	return out
}

// expectation is an address that is expected, once for each locality and priority in which
// istiod sends it.
type expectation struct {
	key    string
	sent   []istio.Endpoint
	behind []istio.Backend
}

func (x *expectation) first() istio.Endpoint { return x.sent[0] }

// collapse puts what is sent for one address together: of that, Envoy keeps the first.
func collapse(endpoints []istio.Endpoint) []*expectation {
	var out []*expectation
	by := map[string]*expectation{}
	for _, e := range endpoints {
		k := key(e.Address, e.Port)
		x := by[k]
		if x == nil {
			x = &expectation{key: k}
			by[k], out = x, append(out, x)
		}
		x.sent, x.behind = append(x.sent, e), append(x.behind, e.Behind...)
	}
	return out
}

func (l *lister) expected(x *expectation) Endpoint {
	e := x.first()
	out := Endpoint{
		Address: cmp.Or(l.standIns[e.Address], e.Address), Port: e.Port, Verdict: Unknown, Kind: Pod,
		Cluster: l.context(e.Cluster), Network: e.Network,
		Pod: e.Pod, Route: string(e.Route), Expected: settingsOf(e),
	}
	switch {
	case e.Gateway():
		out.Kind = Gateway
		for _, b := range x.behind {
			out.Behind = append(out.Behind, l.backend(b))
		}
		slices.SortFunc(out.Behind, func(a, b Backend) int {
			return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Pod, b.Pod), strings.Compare(a.Address, b.Address))
		})
	case e.Pod == "":
		out.Kind = Other
	}
	return out
}

func settingsOf(e istio.Endpoint) *Settings {
	return &Settings{
		Locality: e.Locality.String(),
		Priority: e.Priority,
		Weight:   max(e.Weight, 1),
		Health:   cmp.Or(e.Health, istio.Healthy),
		MTLS:     e.MTLS,
	}
}

func actualSettings(e envoy.Endpoint) *Settings {
	return &Settings{
		Locality: e.Locality,
		Priority: e.Priority,
		Weight:   e.Weight,
		Health:   e.Health,
		Flags:    e.Flags,
		MTLS:     e.MTLS(),
		Tunnel:   e.Tunnel,
	}
}

// compare sets what the source has beside one expected endpoint.
func (l *lister) compare(row *Endpoint, x *expectation, found *envoy.Endpoint) {
	if found == nil {
		row.Verdict, row.Reason = Missing, "the proxy does not have it"
		if l.options.Istiod {
			row.Reason = "istiod has not sent it"
		}
		if l.standIns[x.first().Address] != "" {
			row.Verdict, row.Reason = Unknown, "its addresses could not be found from this machine"
		} else if h := l.hostOf(row); h != "" {
			row.Verdict, row.Reason = Unknown, "it is an address of "+h+" as seen from this machine; istiod may see others"
		}
		return
	}
	row.Actual, row.Verdict = actualSettings(*found), Same
	var least []string
	for i, e := range x.sent {
		if differences := l.differences(settingsOf(e), found); i == 0 || len(differences) < len(least) {
			least, row.Expected = differences, settingsOf(e)
		}
	}
	if len(least) > 0 {
		row.Verdict, row.Reason = Different, strings.Join(least, "; ")
	}
}

// hostOf is the host name of which a gateway's address is one; "" for other endpoints.
func (l *lister) hostOf(e *Endpoint) string {
	for _, g := range l.gateways {
		if e.Kind == Gateway && g.Address == e.Address && g.Host != "" {
			return g.Host
		}
	}
	return ""
}

// differences say in words how an endpoint is not as expected.
func (l *lister) differences(want *Settings, e *envoy.Endpoint) []string {
	var out []string
	if e.Priority != want.Priority {
		out = append(out, fmt.Sprintf("priority %d, expected %d", e.Priority, want.Priority))
	}
	if e.Locality != want.Locality {
		out = append(out, fmt.Sprintf("locality %s, expected %s", cmp.Or(e.Locality, "none"), cmp.Or(want.Locality, "none")))
	}
	// How many addresses a host name has for istiod, among which the weight is divided, is not known.
	if e.Weight != want.Weight && len(l.hosts) == 0 {
		out = append(out, fmt.Sprintf("weight %d, expected %d", e.Weight, want.Weight))
	}
	if e.MTLS() != want.MTLS {
		out = append(out, fmt.Sprintf("%s, expected %s", tlsWords(e.MTLS()), tlsWords(want.MTLS)))
	}
	told, known := l.told(e)
	if usable := want.Health == istio.Healthy; known && told != usable {
		health := e.Health
		if !told {
			health = cmp.Or(e.Told, e.Health)
		}
		out = append(out, fmt.Sprintf("%s, expected %s", strings.ToLower(health), strings.ToLower(want.Health)))
	}
	return out
}

// told reports whether the control plane calls an endpoint usable: what the proxy holds
// against it itself is no difference.
func (l *lister) told(e *envoy.Endpoint) (usable, known bool) {
	switch {
	case l.options.Istiod || e.Usable():
		return e.Usable(), true
	case e.Told == "":
		return false, false
	}
	return e.Told == envoy.Healthy || e.Told == envoy.Degraded || e.Told == envoy.Unknown, true
}

func tlsWords(on bool) string {
	if on {
		return "mutual TLS"
	}
	return "plaintext"
}

// unexpected is an endpoint that the source has and should not have: what it is, and why not.
func (l *lister) unexpected(e envoy.Endpoint, want istio.Endpoints) Endpoint {
	row := Endpoint{Address: e.Address, Port: e.Port, Verdict: Unexpected, Kind: Other, Actual: actualSettings(e)}
	if id := e.Workload.Cluster; id != "" {
		row.Cluster = l.context(id)
	}
	is := func(b istio.Backend) bool { return sameAddress(b.Address, e.Address) && b.Port == e.Port }
	known := func(b istio.Backend) {
		row.Cluster, row.Network, row.Pod = l.context(b.Cluster), b.Network.Name, b.Pod
		if b.Pod != "" {
			row.Kind = Pod
		}
	}
	for _, d := range want.Dropped {
		if is(d.Backend) {
			known(d.Backend)
			row.Reason = "should be withheld: " + string(d.Reason)
			return row
		}
	}
	for _, x := range want.Endpoints {
		if at := slices.IndexFunc(x.Behind, is); at >= 0 {
			known(x.Behind[at])
			row.Reason = "expected through " + cmp.Or(l.standIns[x.Address], x.Address) + ", the gateway of its network " + x.Network
			return row
		}
	}
	for _, g := range l.gateways {
		if sameAddress(g.Address, e.Address) && (g.Port == e.Port || g.HBONEPort == e.Port) {
			row.Kind, row.Cluster, row.Network = Gateway, l.context(g.Cluster), g.Network
			row.Reason = "no endpoint is expected behind this gateway"
			for _, x := range want.Endpoints {
				if x.Network == g.Network && !x.Gateway() {
					row.Reason = "no endpoint is expected behind this gateway: they are reached " + string(x.Route)
				}
			}
			return row
		}
	}
	if c, p := l.podAt(e); p != nil {
		row.Kind, row.Cluster, row.Pod = Pod, c.Context, p.Namespace+"/"+p.Name
		row.Reason = "the pod is no longer an endpoint of the service"
		return row
	}
	row.Reason = "no pod and no gateway that could be read has this address"
	if h := l.hostFor(e); h.Name != "" {
		row.Kind, row.Network, row.Verdict = Gateway, h.Network, Unknown
		row.Reason = "may be an address of " + h.Name + " as istiod sees it; this machine sees others, or none"
	}
	return row
}

// hostFor is a gateway with a host name that could have the address; "" for none. istiod says
// of a gateway in which cluster it is, and names no workload.
func (l *lister) hostFor(e envoy.Endpoint) istio.GatewayHost {
	if e.Workload.Name != "" || !e.MTLS() {
		return istio.GatewayHost{}
	}
	for _, c := range l.View.Candidates() {
		for _, h := range l.hosts {
			named := slices.ContainsFunc(c.Addresses, func(a istio.CandidateAddress) bool { return a.Address == h.Name })
			if named && c.Port == e.Port && (e.Workload.Cluster == "" || c.Cluster == "" || c.Cluster == e.Workload.Cluster) {
				return h
			}
		}
	}
	return istio.GatewayHost{}
}

// place is a pod in a cluster.
type place struct {
	cluster *facts.Cluster
	pod     *facts.Pod
}

// podAt is the pod with an address; nil where it is not one pod.
func (l *lister) podAt(e envoy.Endpoint) (*facts.Cluster, *facts.Pod) {
	if l.pods == nil {
		l.pods = map[string][]place{}
		for i := range l.fleet.Clusters {
			c := &l.fleet.Clusters[i]
			for j := range resources.Pods.Of(c).Value {
				if p := &resources.Pods.Of(c).Value[j]; !p.HostNetwork && p.Phase == corev1.PodRunning {
					l.pods[key(p.IP(), 0)] = append(l.pods[key(p.IP(), 0)], place{c, p})
				}
			}
		}
	}
	found := slices.DeleteFunc(slices.Clone(l.pods[key(e.Address, 0)]), func(p place) bool {
		return e.Workload.Cluster != "" && l.context(e.Workload.Cluster) != p.cluster.Context
	})
	if len(found) != 1 {
		return nil, nil
	}
	return found[0].cluster, found[0].pod
}

func (l *lister) backend(b istio.Backend) Backend {
	return Backend{Cluster: l.context(b.Cluster), Address: b.Address, Port: b.Port, Pod: b.Pod, Network: b.Network.Name}
}

// order puts first what a source tries first, and in that pods before gateways.
func order(endpoints []Endpoint) {
	rank := map[Kind]int{Pod: 0, Other: 1, Gateway: 2}
	slices.SortStableFunc(endpoints, func(a, b Endpoint) int {
		return cmp.Or(
			cmp.Compare(a.Settings().Priority, b.Settings().Priority), cmp.Compare(rank[a.Kind], rank[b.Kind]),
			strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Pod, b.Pod), strings.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port),
		)
	})
}

// key tells the endpoints of a destination apart.
func key(address string, port uint32) string {
	if a, err := netip.ParseAddr(address); err == nil {
		address = a.Unmap().String()
	}
	return fmt.Sprintf("%s %d", address, port)
}

// sameAddress compares addresses, which IPv6 can spell in several ways.
func sameAddress(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	return errX == nil && errY == nil && x.Unmap() == y.Unmap()
}
