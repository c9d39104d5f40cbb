package endpoints

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Diagnose says what becomes of requests for a service from each cluster to each other one: by its
// own name, by that of a mirror, or by that of a federated service. found is what the rules about
// certificates, networks and endpoints say. The result has what of it is about the service.
func Diagnose(m *model.Mesh, found finding.Result, namespace, name string) (*view.Diagnosis, finding.Result) {
	d := &view.Diagnosis{
		Namespace: namespace, Name: name, Host: name + "." + namespace + ".svc." + domain(m), Clusters: []view.Presence{}, Paths: []view.Path{},
	}
	var result finding.Result
	add := func(paths ...view.Path) {
		d.Paths = append(d.Paths, paths...)
		for _, f := range found.Findings {
			said := slices.ContainsFunc(result.Findings, func(o finding.Finding) bool { return o.ID() == f.ID() })
			about := slices.ContainsFunc(paths, func(p view.Path) bool { return p.Cause == f.ID() || slices.Contains(p.Findings, f.ID()) })
			if about && !said {
				result.Findings = append(result.Findings, f)
			}
		}
	}
	for _, w := range ways(m, namespace, name) {
		w.found = found
		add(w.path())
		for _, u := range w.unknowns() {
			if !slices.ContainsFunc(result.Unknowns, func(o finding.Unknown) bool { return o.Cluster == u.Cluster && o.Reason == u.Reason }) {
				result.Unknowns = append(result.Unknowns, u)
			}
		}
	}
	for _, c := range m.Clusters {
		add(orphaned(c, found, namespace, name)...)
		s := c.Service(namespace, name)
		if s == nil {
			continue
		}
		ready, all := c.ReadyAddresses(namespace, name)
		d.Clusters = append(d.Clusters, view.Presence{Cluster: c.Context, Service: true, Ready: ready, NotReady: all - ready})
		if s.Labels[resources.LabelMirrored] == "" {
			add(unlinked(m, c, d.Paths)...)
		}
	}
	add(unreached(m, d)...)
	result.Sort()
	return d, result
}

func domain(m *model.Mesh) string {
	for _, c := range m.Clusters {
		if c.ValuesKnown {
			return c.Values.Domain()
		}
	}
	return "cluster.local"
}

// way is how clients of a Link's source get to a service of its target.
type way struct {
	link *model.Link
	mode model.Mode
	// service is the one in the target, and mirror the Service in the source that stands for
	// it; nil where it is not there, or not known.
	service *corev1.Service
	mirror  *model.Mirror
	// name is that of the mirror, whether or not it is there.
	name  string
	found finding.Result
}

// ways are those to a service by all Links: where it is exported, where its mirror is left, and
// where it is not exported.
func ways(m *model.Mesh, namespace, name string) []*way {
	var out []*way
	for _, l := range m.Links {
		var known []*model.Mirror
		for _, e := range l.Exports() {
			if e.Namespace != namespace || e.Name != name && l.Mirror(e) != name {
				continue
			}
			w := &way{link: l, mode: e.Mode, service: e.Service, name: l.Mirror(e)}
			if s := l.Source.Service(namespace, w.name); s != nil {
				w.mirror = mirrorOf(l.Source, s)
			}
			out, known = append(out, w), append(known, w.mirror)
		}
		for _, mirror := range left(l, namespace, name, known) {
			w := &way{link: l, mode: modeOf(mirror), mirror: mirror, name: mirror.Service.Name}
			if l.Target != nil {
				w.service = l.Target.Service(cmp.Or(mirror.RemoteNamespace, namespace), cmp.Or(mirror.RemoteName, name))
			}
			out, known = append(out, w), append(known, mirror)
		}
		if l.Target == nil || len(known) > 0 {
			continue
		}
		if s := l.Target.Service(namespace, name); s != nil && s.Labels[resources.LabelMirrored] == "" {
			out = append(out, &way{link: l, service: s, name: name})
		}
	}
	return out
}

// left are the mirrors of a service that no export of the target is for, as far as that is known.
func left(l *model.Link, namespace, name string, known []*model.Mirror) []*model.Mirror {
	var out []*model.Mirror
	for _, m := range l.Source.Mirrors {
		member := slices.ContainsFunc(m.Members, func(f model.Member) bool { return f.Cluster == l.TargetName() })
		if m.Service.Namespace != namespace || slices.Contains(known, m) || m.Target != l.TargetName() && !member {
			continue
		}
		named := m.Service.Name == name || m.RemoteName == name ||
			slices.Contains(m.Members, model.Member{Name: name, Cluster: l.TargetName()})
		if named {
			out = append(out, m)
		}
	}
	return out
}

func mirrorOf(c *model.Cluster, s *corev1.Service) *model.Mirror {
	i := slices.IndexFunc(c.Mirrors, func(m *model.Mirror) bool { return m.Service == s })
	if i < 0 {
		return nil
	}
	return c.Mirrors[i]
}

func modeOf(m *model.Mirror) model.Mode {
	switch m.Kind {
	case model.Remote:
		return model.RemoteDiscovery
	case model.Federated:
		return model.FederatedMember
	default:
		return model.ByGateway
	}
}

// to is the context of the target, or its name where that is none of the fleet.
func (w *way) to() string {
	if w.link.Target != nil {
		return w.link.Target.Context
	}
	return w.link.TargetName()
}

// The steps of a path, in their order.
const (
	stepLink       = "Link"
	stepExport     = "export"
	stepTrust      = "trust"
	stepController = "service mirror"
	stepMirror     = "mirror"
	stepWatch      = "remote discovery"
	stepGateway    = "gateway"
	stepEndpoints  = "endpoints"
	stepPolicy     = "policy"
)

// steps are those of the way's mode.
func (w *way) steps() []view.Check {
	l := w.link
	out := []view.Check{
		{Name: stepLink, Codes: []finding.Code{"EP117", "EP119", "EP120"}, Well: l.Object().String() + " leads to " + w.to()},
		{Name: stepExport, Codes: []finding.Code{"EP118", "EP124"}, Well: fmt.Sprintf("%s exports the service (%s)", w.to(), w.mode)},
	}
	if w.mode == model.None {
		return out
	}
	out = append(out,
		view.Check{
			Name: stepTrust, Codes: []finding.Code{"CERT101", "CERT105", "CERT106", "CERT108", "CERT109", "NET111"},
			Well: "the clusters trust each other",
		},
		view.Check{
			Name: stepMirror, Codes: []finding.Code{"EP122", "EP110", "EP109", "EP121"}, Well: fmt.Sprintf("service %s stands for it", w.name),
		},
		view.Check{
			Name: stepController, Codes: []finding.Code{"EP101", "EP103", "EP105", "EP107", "EP108"},
			Well: "its controller runs, and can read " + w.to(),
		},
	)
	if w.mode != model.ByGateway {
		return append(out,
			view.Check{
				Name: stepWatch, Codes: []finding.Code{"EP102", "EP106"}, Well: "the destination controller watches " + w.to(),
			},
			view.Check{Name: stepEndpoints, Codes: []finding.Code{"EP115", "EP116"}, Well: "clients are given pods of " + w.to()},
		)
	}
	return append(out,
		view.Check{
			Name: stepGateway,
			Codes: []finding.Code{
				"NET101", "NET107", "NET102", "NET103", "NET104", "NET106", "NET110", "NET109", "NET108", "NET115",
			},
			Well: "the gateway is at " + net.JoinHostPort(l.Spec.GatewayAddress, l.Spec.GatewayPort),
		},
		view.Check{Name: stepEndpoints, Codes: []finding.Code{"EP111", "EP112"}, Well: "clients are given the gateway"},
		view.Check{Name: stepPolicy, Codes: []finding.Code{"EP123"}, Well: "no policy keeps the gateway from the service"},
	)
}

// concerns reports whether a finding is about the way.
func (w *way) concerns(f finding.Finding) bool {
	l := w.link
	source, target := l.Source.Context, w.to()
	here, there := slices.Contains(f.Clusters, source), slices.Contains(f.Clusters, target)
	service := w.service != nil && f.Object == serviceObject(w.service)
	mirror := f.Object.Namespace == w.namespace() && f.Object.Name == w.name && (f.Object.Kind == "service" || f.Object.Kind == "endpoints")
	switch f.Code {
	case "CERT101", "NET111":
		return here && there && (f.Code != "NET111" || w.mode != model.ByGateway)
	case "CERT105", "CERT106", "CERT108":
		return here || there
	case "CERT109":
		return here || there && f.Object.Namespace == w.namespace()
	case "EP117":
		return here && slices.ContainsFunc(l.Source.Links, func(o *model.Link) bool {
			return o.TargetName() == l.TargetName() && f.Object == o.Object()
		})
	case "EP120":
		return here && f.Object == l.Object() && w.mode != model.ByGateway
	case "EP119":
		return here && f.Object == l.Object() && (w.mode == model.ByGateway || l.Target != nil && l.Target.Namespace != l.Source.Namespace)
	case "EP124":
		return here && f.Object == l.Object() && w.mode == model.None && w.service != nil && w.service.Labels[resources.LabelExported] == "true"
	case "EP118", "EP109":
		return there && service && (f.Code == "EP118" || here)
	case "EP110", "EP122", "EP111", "EP112", "EP115":
		return here && mirror
	case "EP121":
		return there && (service || f.Object.Kind == "serviceprofile" && w.service != nil &&
			strings.HasPrefix(f.Object.Name, w.service.Name+"."+w.service.Namespace+".svc."))
	case "EP116":
		return here && mirror && w.service != nil && w.mirror != nil &&
			(w.service.Spec.ClusterIP == corev1.ClusterIPNone || len(lacking(w.mirror.Service, w.service)) > 0)
	case "EP123":
		return there && slices.Contains(w.refusing(), f.Object)
	case "EP105":
		return there && w.lacksRights()
	case "NET110":
		return there && w.closed(f.Object)
	case "NET115":
		return here
	}
	return here && slices.Contains(w.objects(), f.Object) || there && l.Gateway() != nil &&
		(f.Object == l.Gateway().Object() || f.Object == l.Gateway().Workload())
}

// namespace is that of the service and of its mirror; "" of a Link as a whole.
func (w *way) namespace() string {
	switch {
	case w.service != nil:
		return w.service.Namespace
	case w.mirror != nil:
		return w.mirror.Service.Namespace
	default:
		return ""
	}
}

// objects are those of the source by which the way leads.
func (w *way) objects() []finding.Object {
	l := w.link
	out := []finding.Object{l.Object(), finding.In("lease", l.Namespace, resources.LeasePrefix+l.Name)}
	for _, d := range l.Controllers {
		out = append(out, finding.In("deployment", d.Namespace, d.Name))
	}
	if l.Credentials != nil {
		out = append(out, l.Credentials.Object())
	}
	if w.mode == model.ByGateway {
		return append(out, finding.In("service", l.Namespace, l.ProbeService()))
	}
	if l.Destination != nil {
		out = append(out, l.Destination.Object())
	}
	return append(out, finding.In("secret", l.Source.Namespace, resources.PrefixCredentials+l.TargetName()))
}

// lacksRights reports whether the account of the Link may not read what the way takes.
func (w *way) lacksRights() bool {
	r, ok := w.link.Rights()
	if !ok || r.Undecided {
		return false
	}
	mirror, destination := r.MissingRights()
	return len(mirror) > 0 || len(destination) > 0 && w.mode != model.ByGateway
}

// closed reports whether a Server of the gateway that lets some protocol alone pass, or nobody, is
// one that keeps the service's requests out.
func (w *way) closed(server finding.Object) bool {
	for _, s := range resources.Servers.Of(w.link.Target.Cluster).Value {
		if server == finding.In("server", s.Namespace, s.Name) && s.Spec.ProxyProtocol != "" && s.Spec.ProxyProtocol != "unknown" {
			return w.service != nil && len(w.link.Target.OpaquePorts(w.service)) > 0
		}
	}
	return true
}

// refusing are the policies and Servers that do not admit the gateway to the service.
func (w *way) refusing() []finding.Object {
	g := w.link.Gateway()
	if g == nil || w.service == nil || w.mode != model.ByGateway {
		return nil
	}
	client, ok := g.AsClient()
	if !ok {
		return nil
	}
	var out []finding.Object
	for _, r := range refusals(w.link.Target, w.service, client) {
		out = append(out, r.object)
	}
	return out
}

// inPart reports whether a code is of what keeps some requests from arriving: a mirror that is there
// works on as it is.
func (w *way) inPart(code finding.Code) bool {
	stays := w.mirror != nil || w.service == nil
	switch code {
	case "CERT109", "EP121":
		return true
	case "EP107", "EP108", "EP101":
		return stays
	case "EP103", "EP105":
		return stays && w.mode == model.ByGateway
	case "EP116":
		return w.service.Spec.ClusterIP != corev1.ClusterIPNone
	case "EP117": // the mirrors of two Links come and go
		return stays
	}
	return false
}

// unknowns are what was not checked of the way.
func (w *way) unknowns() []finding.Unknown {
	return view.Unchecked(w.steps(), w.found, w.link.Source.Context, w.to())
}

// path is the verdict on the way.
func (w *way) path() view.Path {
	p := view.Path{
		From: w.source(), To: w.to(), Verdict: view.Reaches, Steps: []view.Step{}, Ports: []view.Port{}, Findings: []string{},
	}
	var decides *finding.Finding
	for _, s := range w.steps() {
		found := w.foundAt(s)
		for _, f := range found {
			p.Findings = append(p.Findings, f.ID())
		}
		if p.StoppedAt != "" {
			continue
		}
		i := slices.IndexFunc(found, func(f finding.Finding) bool { return f.Severity == finding.Error })
		if i < 0 {
			p.Steps = append(p.Steps, view.Step{Name: s.Name, Outcome: view.Passed, Detail: s.Well})
			if s.Name == stepExport && w.mode == model.None {
				return w.ends(p, view.Nothing, fmt.Sprintf("%s does not export it to %s", w.to(), w.link.Source.Context))
			}
			continue
		}
		f := found[i]
		p.Steps = append(p.Steps, view.Step{Name: s.Name, Outcome: view.Fault, Detail: f.Title, Code: f.Code})
		if w.inPart(f.Code) {
			p.Verdict = view.Partial
		} else {
			p.Verdict, p.StoppedAt = view.Broken, s.Name
		}
		if decides == nil || p.Verdict == view.Broken {
			decides = &f
		}
	}
	w.ports(&p)
	if decides != nil {
		root := w.found.Root(*decides)
		p.Code, p.Cause, p.Summary = root.Code, root.ID(), w.name+": "+root.Title
		return p
	}
	return w.unbroken(p)
}

// foundAt are the findings about the way that belong to a step, root causes first.
func (w *way) foundAt(s view.Check) []finding.Finding {
	return s.At(w.found, w.concerns, func(a, b finding.Finding) int { return cmp.Compare(len(a.CausedBy), len(b.CausedBy)) })
}

// unbroken is the verdict where no rule says that something is wrong.
func (w *way) unbroken(p view.Path) view.Path {
	l := w.link
	_, lost := l.Lost()
	given := slices.ContainsFunc(p.Ports, func(o view.Port) bool { return len(o.Endpoints) > 0 })
	switch unknowns := w.unknowns(); {
	case l.Target == nil:
		return w.ends(p, view.Unknown, fmt.Sprintf("cluster %s is not among those that were read", l.TargetName()))
	case w.service == nil || len(l.Modes(w.service)) == 0:
		return w.ends(p, view.Nothing, fmt.Sprintf("%s: %s no longer exports the service", w.name, w.to()))
	case len(unknowns) > 0:
		return w.ends(p, view.Unknown, fmt.Sprintf("not known of %s: %s", unknowns[0].Cluster, unknowns[0].Reason.Text))
	case w.mirror == nil:
		return w.ends(p, view.Unknown, "the service is new, and may not have been mirrored yet")
	case given && w.mode == model.ByGateway:
		p.Summary = fmt.Sprintf("%s: through the gateway %s", w.name, net.JoinHostPort(l.Spec.GatewayAddress, l.Spec.GatewayPort))
	case given:
		p.Summary = fmt.Sprintf("%s: %s of %s, by remote discovery", w.name, finding.Plural(count(p.Ports), "pod"), w.to())
		if w.mode == model.FederatedMember {
			p.Summary = fmt.Sprintf("%s: %s of %s, as a member", w.name, finding.Plural(count(p.Ports), "pod"), w.to())
		}
	case lost:
		return w.ends(p, view.Unknown, w.name+": its addresses are not ready")
	default:
		return w.ends(p, view.Nothing, fmt.Sprintf("%s: the service has no pod that is ready in %s", w.name, w.to()))
	}
	return p
}

// count counts the addresses of the port that has most.
func count(ports []view.Port) int {
	n := 0
	for _, p := range ports {
		n = max(n, len(p.Endpoints))
	}
	return n
}

func (w *way) ends(p view.Path, verdict view.Verdict, summary string) view.Path {
	p.Verdict, p.Summary = verdict, summary
	return p
}

// source is a pod that stands for the clients of a cluster: one with a proxy, of the service's
// namespace if there is one.
func (w *way) source() view.Source {
	out := view.Source{Cluster: w.link.Source.Context}
	best := 0
	for _, pod := range w.link.Source.Pods() {
		rank := 0
		switch {
		case !model.Meshed(pod) || !pod.IsReady() || pod.Namespace == w.link.Source.Namespace || pod.Namespace == w.link.Namespace:
			continue
		case pod.Namespace == w.namespace():
			rank = 2
		default:
			rank = 1
		}
		if rank > best {
			best, out.Pod = rank, pod.Namespace+"/"+pod.Name
		}
	}
	return out
}

// ports are what clients are given for each port of the mirror, of the target alone.
func (w *way) ports(p *view.Path) {
	if w.mirror == nil {
		return
	}
	l := w.link
	for _, sp := range w.mirror.Service.Spec.Ports {
		port := view.Port{Port: int(sp.Port), Name: sp.Name, Endpoints: []view.Address{}, Dropped: []view.DroppedEndpoint{}}
		for _, e := range l.Source.Destination(w.mirror.Service.Namespace, w.name, sp.Port).Endpoints {
			host, number, err := net.SplitHostPort(e.Address)
			if err != nil {
				continue
			}
			n, _ := strconv.ParseUint(number, 10, 16)
			address := view.Address{Address: host, Port: uint32(n), Route: "gateway", Health: "ready", MTLS: e.Identity != ""}
			if w.mode != model.ByGateway {
				address.Route, address.Pod = "direct", podAt(l.Target, host)
				if address.Pod == "" {
					continue // of another member
				}
			}
			port.Endpoints = append(port.Endpoints, address)
		}
		p.Ports = append(p.Ports, port)
	}
}

// podAt is the pod of a cluster with an address; "" where it has none.
func podAt(c *model.Cluster, ip string) string {
	if c == nil {
		return ""
	}
	for _, pod := range c.Pods() {
		if slices.Contains(pod.IPs, ip) {
			return pod.Namespace + "/" + pod.Name
		}
	}
	return ""
}

// orphaned are the paths by mirrors that are left of a cluster to which no Link leads any more.
func orphaned(c *model.Cluster, found finding.Result, namespace, name string) []view.Path {
	var out []view.Path
	for _, m := range c.Mirrors {
		if m.Service.Namespace != namespace || m.Service.Name != name && m.RemoteName != name {
			continue
		}
		targets := []string{m.Target}
		for _, member := range m.Members {
			targets = append(targets, member.Cluster)
		}
		for _, target := range finding.Distinct(targets) {
			if hasTarget(c, target) {
				continue
			}
			p := view.Path{
				From: view.Source{Cluster: c.Context}, To: target, Verdict: view.Nothing,
				Summary: fmt.Sprintf("%s: no Link leads to %s any more", m.Service.Name, target),
				Steps:   []view.Step{}, Ports: []view.Port{}, Findings: []string{},
			}
			for _, f := range found.Findings {
				if f.Code == "EP114" && slices.Contains(f.Clusters, c.Context) && f.Object == finding.Named("mirrors", target) {
					p.Code, p.Cause, p.Findings = f.Code, f.ID(), []string{f.ID()}
				}
			}
			out = append(out, p)
		}
	}
	return out
}

// unlinked are the paths to a service of a cluster from clusters that have no Link to it.
func unlinked(m *model.Mesh, to *model.Cluster, known []view.Path) []view.Path {
	var out []view.Path
	for _, from := range m.Clusters {
		has := slices.ContainsFunc(known, func(p view.Path) bool { return p.From.Cluster == from.Context && p.To == to.Context })
		if from == to || has {
			continue
		}
		p := view.Path{
			From: view.Source{Cluster: from.Context}, To: to.Context, Verdict: view.Nothing,
			Summary: fmt.Sprintf("no Link leads from %s to %s", from.Context, to.Context),
			Steps:   []view.Step{}, Ports: []view.Port{}, Findings: []string{},
		}
		if why, lacks := rule.Lacks(from.Cluster, resources.Links); lacks {
			p.Verdict, p.Summary = view.Unknown, fmt.Sprintf("not known of %s: %s", from.Context, why.Text)
		}
		out = append(out, p)
	}
	return out
}

// unreached are the paths between the clusters that have the service and those that were not
// reached.
func unreached(m *model.Mesh, d *view.Diagnosis) []view.Path {
	var out []view.Path
	for _, f := range m.Facts().Clusters {
		if f.Unreached == nil {
			continue
		}
		for _, c := range d.Clusters {
			for _, at := range [][2]string{{c.Cluster, f.Context}, {f.Context, c.Cluster}} {
				if !slices.ContainsFunc(d.Paths, func(p view.Path) bool { return p.From.Cluster == at[0] && p.To == at[1] }) {
					out = append(out, view.Path{
						From: view.Source{Cluster: at[0]}, To: at[1], Verdict: view.Unknown,
						Summary: fmt.Sprintf("not known of %s: the cluster was not reached", f.Context),
						Steps:   []view.Step{}, Ports: []view.Port{}, Findings: []string{},
					})
				}
			}
		}
	}
	return out
}

// LinkFaults are the errors about a Link as a whole: those of a way, root causes first. broken says that
// nothing arrives by that way.
func LinkFaults(l *model.Link, found finding.Result, mode model.Mode) (faults []finding.Finding, broken bool) {
	w := &way{link: l, mode: mode, found: found}
	for _, s := range w.steps() {
		for _, f := range w.foundAt(s) {
			if f.Severity != finding.Error {
				continue
			}
			broken = broken || !w.inPart(f.Code)
			if root := w.found.Root(f); !slices.ContainsFunc(faults, func(o finding.Finding) bool { return o.ID() == root.ID() }) {
				faults = append(faults, root)
			}
		}
	}
	return faults, broken
}

// LinkUnknowns are what of a way by a Link was not checked.
func LinkUnknowns(l *model.Link, found finding.Result, mode model.Mode) []finding.Unknown {
	return (&way{link: l, mode: mode, found: found}).unknowns()
}
