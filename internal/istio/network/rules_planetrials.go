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
		type place struct {
			cluster string
			object  finding.Object
		}
		by := map[place][]Trial{}
		var owners []place
		for _, t := range j.Trials {
			if t.For != m.Context {
				continue
			}
			owner := place{t.Cluster, t.Object}
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
	if from, ok := j.fromPodOf([]*member{m}); ok && !slices.ContainsFunc(bad, func(t Trial) bool { return t.Pod() != "" }) {
		f.Fix = append(f.Fix, finding.Say("See whether a pod of the remote cluster reaches it:").By(from))
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
	first := letThrough(m.Context, worst)
	if worst.Result == Refused {
		first = listening
	}
	f.Fix = []finding.Step{first, m.showPlace(worst)}
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
	f.Fix = []finding.Step{
		finding.Say("Make Service, Gateway and VirtualService pass TLS on to istiod, as the release's samples/multicluster do. See them:").
			By(finding.Kubectl(worst.Cluster, "get", "gateways.networking.istio.io,virtualservices.networking.istio.io", "-A")),
		m.showPlace(worst),
	}
	if f.CausedBy = j.whyNoPlane(m, worst); f.CausedBy == f.ID() {
		f.CausedBy = ""
	}
	j.sayEffect(&f, m, bad, j.without(bad))
	j.Gather(f)
}

// showPlace shows what belongs to an address: the Service that has it, or where the
// remote cluster was told of it.
func (m *member) showPlace(t Trial) finding.Step {
	if t.Object.Kind == "service" {
		return finding.Say("See the endpoints and events of the Service:").By(describeService(t.Cluster, t.Object))
	}
	written := finding.Say("Check the address where it is written: no Service of %s is known to have it:", t.Cluster)
	if t.Purpose == Injection {
		return written.By(finding.Kubectl(m.Context, "get", "mutatingwebhookconfigurations", "-l", "app=sidecar-injector", "-o", "yaml"))
	}
	return written.By(finding.Kubectl(m.Context, "-n", m.SystemNamespace, "get", "services,endpointslices", "-o", "wide"))
}

// whyNoPlane finds what explains that a control plane is not there; "" where nothing
// that was read does.
func (j *judgement) whyNoPlane(m *member, t Trial) string {
	if id := j.of(m.Context, finding.Object{}, "PR001"); id != "" {
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
		f.Clusters, f.Object = []string{m.Context}, bad[0].target.authority.object
		f.Title = "proxies of the remote cluster do not trust the certificate that istiod shows"
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificate, sha256", Value: bad[0].Certificate.SHA256})
		f.Fix = []finding.Step{
			finding.Say("See which roots the clusters have, and which of them istiod's certificate is from:").
				By(verifyCertificates([]string{m.Context, bad[0].Cluster})),
		}
		f.CausedBy = j.of(m.Context, finding.Object{}, "PR005")
		j.sayEffect(&f, m, bad, "proxies there do not trust istiod, and get no configuration and no certificates: x509")
		j.Gather(f)
	}
	if f, bad, ok := ofPlane(trials, "PR004", Injection, OtherRoot); ok {
		f.Clusters, f.Object = []string{m.Context}, finding.Kind("mutatingwebhookconfigurations")
		f.Title = "the CA bundle of the injection webhook does not fit the certificate that the injector shows"
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificate, sha256", Value: bad[0].Certificate.SHA256})
		v := m.planeOf(bad[0])
		f.Fix = []finding.Step{
			finding.Say("The primary writes the bundle in clusters that it manages (PR005). See in its log why it does not:").
				By(finding.Kubectl(v.Context, "-n", v.Istiod.Namespace, "logs", "deployment/"+v.Istiod.Name, "--since=1h")),
		}
		if f.CausedBy = j.of(m.Context, finding.Object{}, "PR005"); f.CausedBy == "" {
			f.CausedBy = j.of(m.Context, finding.Object{}, "PR008") // nobody there accepts it
		}
		j.sayEffect(&f, m, bad, "the API server does not trust the injector: pods in namespaces with injection are not created, x509")
		j.Gather(f)
	}
}

// planeUnseen notes which attempts tell nothing.
func (j *judgement) planeUnseen(m *member, trials []Trial) {
	for _, t := range trials {
		why := t.reason()
		root := finding.Code("PR008")
		if t.Purpose == Injection {
			root = "PR004"
		}
		switch {
		case t.Result == NotTried || t.doubtful && t.Certificate == nil:
			j.NotChecked(m.Context, why, "GW013", "PR013", root)
		case t.Result == Unresolved:
			j.NotChecked(m.Context, why, "GW013")
		case t.Result == Reachable && t.unanswered:
			j.NotChecked(m.Context, why, root)
		case t.Result == Reachable:
			j.NotChecked(m.Context, why, "PR013", root)
		}
	}
}
