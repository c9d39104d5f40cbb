package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// judgePlaneTrials: what was seen of control planes at the addresses at which remote
// clusters are told to find them.
func judgePlaneTrials(j *judgement, members []*member) {
	for _, m := range members {
		by := map[[2]string][]Trial{}
		var owners [][2]string
		for _, t := range j.Trials {
			if t.For != m.Context {
				continue
			}
			owner := [2]string{t.Cluster, t.Object}
			if by[owner] == nil {
				owners = append(owners, owner)
			}
			by[owner] = append(by[owner], t)
		}
		for _, owner := range owners {
			trials := by[owner]
			j.planeUnreached(m, trials)
			j.notPlane(m, trials)
			j.otherName(m, trials)
			j.otherRootOfPlane(m, trials)
			j.planeUnseen(m, trials)
		}
	}
}

// trusted reports whether a remote cluster was seen to find its control plane at one
// of the addresses; port 0 is any.
func (j *judgement) trusted(m *member, port int, addresses []string) bool {
	return slices.ContainsFunc(j.Trials, func(t Trial) bool {
		return t.For == m.Context && t.Result == Trusted && (port == 0 || int(t.Port) == port) && slices.Contains(addresses, t.Address)
	})
}

// certain reports whether a trial shows what the client sees. From a pod the way of the
// API server is not seen; but a certificate of the client's own root is not mistaken,
// unless the address leads elsewhere from elsewhere.
func (r Trial) certain() bool {
	if r.Result == OtherName && r.target.authority.why == "" && !isPrivate(addressOf(cmp.Or(r.IP, r.Address))) {
		return true
	}
	return r.elsewhere && (r.Purpose == Discovery || r.Certificate != nil)
}

// ofPlane makes a finding of the attempts with one of the verdicts; ok is false where
// there are none.
func ofPlane(trials []Trial, code finding.Code, purpose Purpose, verdicts ...Verdict) (f finding.Finding, bad []Trial, ok bool) {
	f = finding.Finding{Code: code, Severity: finding.Warning}
	for _, t := range trials {
		if slices.Contains(verdicts, t.Result) && !t.doubtful && (purpose == "" || t.Purpose == purpose) {
			bad = append(bad, t)
			if t.certain() {
				f.Severity = finding.Error
			}
		}
	}
	if len(bad) == 0 {
		return f, nil, false
	}
	f.Evidence = evidenceOfTrials(slices.DeleteFunc(slices.Clone(trials), func(t Trial) bool { return purpose != "" && t.Purpose != purpose }))
	return f, bad, true
}

// place says of which clusters a finding is, and that its object is that of the trial.
func place(f *finding.Finding, m *member, t Trial) {
	f.Clusters, f.Object = finding.Distinct([]string{m.Context, t.Cluster}), t.Object
	if len(f.Clusters) > 1 {
		f.ObjectIn = t.Cluster
	}
}

// sayEffect completes a finding: what this machine saw is a hint.
func (j *judgement) sayEffect(f *finding.Finding, m *member, bad []Trial, effect string) {
	f.Effect = effect
	if f.Severity == finding.Error {
		return
	}
	f.Title += ", seen from " + bad[0].From
	f.Effect = fmt.Sprintf("if %s sees the same, %s", m.Context, effect)
	if from := j.fromPodOf([]*member{m}); from != "" && !slices.ContainsFunc(bad, func(t Trial) bool { return t.Pod() != "" }) {
		f.Fix = append(f.Fix, "# see whether a pod of the remote cluster reaches it:", from)
	}
}

// without says what the remote cluster lacks: where something is certain, for want of
// that.
func (j *judgement) without(bad []Trial) string {
	certain := slices.ContainsFunc(bad, Trial.certain)
	var out []string
	for _, t := range bad {
		if certain && !t.certain() {
			continue
		}
		some := slices.ContainsFunc(j.Trials, func(o Trial) bool { return o.For == t.For && o.Purpose == t.Purpose && o.Result == Trusted })
		switch {
		case t.Purpose == Discovery && some:
			out = append(out, fmt.Sprintf("proxies of %s lose a share of their connections to istiod", t.For))
		case t.Purpose == Discovery:
			out = append(out, fmt.Sprintf("proxies of %s get no configuration and no certificates", t.For))
		case some:
			out = append(out, fmt.Sprintf("a share of the pods with a sidecar is not created in %s", t.For))
		default:
			out = append(out, fmt.Sprintf("pods with a sidecar are not created in %s", t.For))
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", and ")
}

// planeUnreached finds addresses at which there is no connection to be had.
func (j *judgement) planeUnreached(m *member, trials []Trial) {
	f, bad, ok := ofPlane(trials, "GW013", "", Refused, TimedOut, NoRoute)
	if !ok {
		return
	}
	worst := bad[0]
	place(&f, m, worst)
	f.Title = fmt.Sprintf("the control plane's address %s %s", worst.Address, map[Verdict]string{
		Refused: "refuses connections", TimedOut: "does not answer in time", NoRoute: "has no route to it",
	}[worst.Result])
	f.Fix = []string{fmt.Sprintf("# let %s through to port %d: firewall, security group, loadBalancerSourceRanges, NetworkPolicy", m.Context, worst.Port)}
	if worst.Result == Refused {
		f.Fix = []string{"# nothing listens there: see whether the Service has endpoints, and that the load balancer sends its port to them"}
	}
	f.Fix = append(f.Fix, m.showPlace(worst)...)
	f.CausedBy = j.whyNoPlane(m, worst)
	if own := (finding.Finding{Code: "GW013", Clusters: []string{worst.Cluster}, Object: worst.Object}).ID(); f.CausedBy == "" && j.has(own) && own != f.ID() {
		f.CausedBy = own // clients of the gateway do not reach it either
	}
	j.sayEffect(&f, m, bad, j.without(bad))
	j.Gather(f)
}

// notPlane finds addresses at which something answers that is not istiod, or nothing
// does by TLS.
func (j *judgement) notPlane(m *member, trials []Trial) {
	f, bad, ok := ofPlane(trials, "PR006", "", Reset, NotControlPlane)
	if !ok {
		return
	}
	worst := bad[0]
	place(&f, m, worst)
	f.Title = fmt.Sprintf("what answers at the control plane's address %s is not istiod", worst.Address)
	if worst.Result == Reset {
		f.Title = fmt.Sprintf("the control plane's address %s resets connections", worst.Address)
	}
	f.Fix = []string{
		"# Service, Gateway and VirtualService have to pass TLS on to istiod; samples/multicluster of the release does:",
		finding.Kubectl(worst.Cluster, "get gateways.networking.istio.io,virtualservices.networking.istio.io -A"),
	}
	f.Fix = append(f.Fix, m.showPlace(worst)...)
	if f.CausedBy = j.whyNoPlane(m, worst); f.CausedBy == f.ID() {
		f.CausedBy = ""
	}
	j.sayEffect(&f, m, bad, j.without(bad))
	j.Gather(f)
}

// showPlace are the commands that show what belongs to an address: the Service that has
// it, or where the remote cluster was told of it.
func (m *member) showPlace(t Trial) []string {
	kind, rest, _ := strings.Cut(t.Object, " ")
	namespace, name, _ := strings.Cut(rest, "/")
	switch {
	case kind == "service":
		return []string{finding.Kubectl(t.Cluster, "-n %s describe service %s", finding.Quote(namespace), finding.Quote(name))}
	case t.Purpose == Injection:
		return []string{"# no Service of " + t.Cluster + " is known to have that address; it is written in:", finding.Kubectl(m.Context, "get mutatingwebhookconfigurations -l app=sidecar-injector -o yaml")}
	default:
		return []string{"# no Service of " + t.Cluster + " is known to have that address; it is written in:", finding.Kubectl(m.Context, "-n %s get services,endpointslices -o wide", finding.Quote(m.SystemNamespace))}
	}
}

// whyNoPlane finds what explains that a control plane is not there; "" where nothing
// that was read does.
func (j *judgement) whyNoPlane(m *member, t Trial) string {
	if id := j.of(m.Context, "", "PR001"); id != "" {
		return id
	}
	if id := (finding.Finding{Code: "PR006", Clusters: finding.Distinct([]string{m.Context, t.Cluster}), Object: t.Object}).ID(); j.has(id) {
		return id
	}
	return j.of(t.Cluster, t.Object, "GW012", "GW002", "GW019", "GW014", "GW032", "GW007")
}

func (j *judgement) has(id string) bool {
	return slices.ContainsFunc(j.Findings, func(f finding.Finding) bool { return f.ID() == id })
}

// otherName finds an istiod whose certificate is not for the name by which the remote
// cluster calls it.
func (j *judgement) otherName(m *member, trials []Trial) {
	f, bad, ok := ofPlane(trials, "PR013", "", OtherName)
	if !ok {
		return
	}
	f.Clusters, f.Object = []string{m.Context}, objectServerNames
	f.Title, f.Fix = titleServerNames, m.planeOf(bad[0]).callable(bad[0].target.Host)
	j.sayEffect(&f, m, bad, effectServerNames)
	j.Gather(f)
}

// planeOf is the control plane of a remote cluster to which a trial belongs.
func (m *member) planeOf(t Trial) *view {
	planes := m.serving()
	for _, v := range planes {
		if v.Context == t.Cluster {
			return v
		}
	}
	return planes[0]
}

// otherRootOfPlane finds an istiod whose certificate the remote cluster does not accept.
func (j *judgement) otherRootOfPlane(m *member, trials []Trial) {
	if f, bad, ok := ofPlane(trials, "PR008", Discovery, OtherRoot); ok {
		f.Clusters, f.Object = []string{m.Context}, bad[0].target.authority.from
		f.Title = "proxies of the remote cluster do not trust the certificate that istiod shows"
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificate, sha256", Value: bad[0].Certificate.SHA256})
		f.Fix = []string{"# see which roots the clusters have, and which of them istiod has its certificate from:"}
		f.Fix = append(f.Fix, fmt.Sprintf("kubectl mesh-certs verify --contexts %s", finding.Quote(strings.Join(finding.Distinct([]string{m.Context, bad[0].Cluster}), ","))))
		f.CausedBy = j.of(m.Context, "", "PR005")
		j.sayEffect(&f, m, bad, "proxies there do not trust istiod, and get no configuration and no certificates: x509")
		j.Gather(f)
	}
	if f, bad, ok := ofPlane(trials, "PR004", Injection, OtherRoot); ok {
		f.Clusters, f.Object = []string{m.Context}, "mutatingwebhookconfigurations"
		f.Title = "the CA bundle of the injection webhook does not fit the certificate that the injector shows"
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificate, sha256", Value: bad[0].Certificate.SHA256})
		v := m.planeOf(bad[0])
		f.Fix = []string{
			"# the primary writes it into clusters that it takes for its own (PR005); its log says why it does not:",
			finding.Kubectl(v.Context, "-n %s logs deployment/%s --since=1h", finding.Quote(v.Istiod.Namespace), finding.Quote(v.Istiod.Name)),
		}
		if f.CausedBy = j.of(m.Context, "", "PR005"); f.CausedBy == "" {
			f.CausedBy = j.of(m.Context, "", "PR008") // nobody there accepts it
		}
		j.sayEffect(&f, m, bad, "the API server does not trust the injector: pods in namespaces with injection are not created, x509")
		j.Gather(f)
	}
}

// planeUnseen notes which attempts tell nothing.
func (j *judgement) planeUnseen(m *member, trials []Trial) {
	for _, t := range trials {
		why := t.seen() + ": " + t.Says()
		root := finding.Code("PR008")
		if t.Purpose == Injection {
			root = "PR004"
		}
		switch {
		case t.Result == NotTried || t.doubtful && t.Certificate == nil:
			j.CannotJudge(m.Context, why, "GW013", "PR013", root)
		case t.Result == Unresolved:
			j.CannotJudge(m.Context, why, "GW013")
		case t.Result == Reachable && t.unanswered:
			j.CannotJudge(m.Context, why, root)
		case t.Result == Reachable:
			j.CannotJudge(m.Context, why, "PR013", root)
		}
	}
}
