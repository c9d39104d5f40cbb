package primaryremote

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// gatewayCauses are the codes about the Service of a gateway that say why nothing is to be
// reached behind it, in the order in which they are asked.
var gatewayCauses = []finding.Code{"GW012", "GW002", "GW019", "GW014", "GW032", "GW007"}

// trials finds what is wrong with what was seen of control planes at the addresses at
// which remote clusters are told to find them.
func trials(p pass) {
	all := probing.Given(p.Model)
	for _, c := range model.Able(p) {
		type place struct {
			cluster string
			object  finding.Object
		}
		by := map[place]probing.Trials{}
		var owners []place
		for _, t := range all {
			if t.For != c.Context {
				continue
			}
			owner := place{t.Cluster, t.Object}
			if by[owner] == nil {
				owners = append(owners, owner)
			}
			by[owner] = append(by[owner], t)
		}
		for _, owner := range owners {
			s := seen{p, remote{c, c.ConfiguredBy()}, by[owner]}
			s.unreached()
			s.notIstiod()
			s.otherName()
			s.distrusted()
			s.unfitBundle()
			s.notSeen()
		}
	}
}

// seen is what was seen of the control planes of a remote cluster at the addresses of one
// object.
type seen struct {
	p      pass
	r      remote
	trials probing.Trials
}

// certain reports whether a trial shows what the client sees. From a pod the way of the
// API server is not seen; but a certificate of the client's own root is not mistaken,
// unless the address leads elsewhere from elsewhere.
func certain(t probing.Trial) bool {
	if t.Result == probing.OtherName && t.Target.CheckedBy.Why == "" &&
		!model.IsPrivateAddress(model.AddressOf(cmp.Or(t.IP, t.Address))) {
		return true
	}
	return t.AsClient && (t.Purpose == probing.Discovery || t.Certificate != nil)
}

// found begins a finding of the trials with one of the verdicts; ok is false where there
// are none. Purpose "" is any.
func (s seen) found(
	code finding.Code, purpose probing.Purpose, verdicts ...probing.Verdict,
) (f finding.Finding, bad probing.Trials, ok bool) {
	f = finding.Finding{Code: code, Severity: finding.Warning, Clusters: []string{s.r.Context}}
	about := slices.DeleteFunc(slices.Clone(s.trials), func(t probing.Trial) bool { return purpose != "" && t.Purpose != purpose })
	for _, t := range about {
		if !t.Doubtful && slices.Contains(verdicts, t.Result) {
			bad = append(bad, t)
			if certain(t) {
				f.Severity = finding.Error
			}
		}
	}
	f.Evidence = about.Evidence()
	return f, bad, len(bad) > 0
}

// locate says of which clusters a finding is, and that its object is that of the trial.
func (s seen) locate(f *finding.Finding, t probing.Trial) {
	f.Clusters, f.Object = finding.Distinct([]string{s.r.Context, t.Cluster}), t.Object
	if len(f.Clusters) > 1 {
		f.ObjectIn = t.Cluster
	}
}

// report completes a finding: what this machine saw is a hint.
func (s seen) report(f finding.Finding, bad probing.Trials, effect string) {
	f.Effect = effect
	if f.Severity != finding.Error {
		f.Title += ", seen from " + bad[0].From
		f.Effect = fmt.Sprintf("if %s sees the same, %s", s.r.Context, effect)
		from, ok := probing.FromPodOf(s.p.Model, []*model.Cluster{s.r.Cluster})
		if ok && !slices.ContainsFunc(bad, func(t probing.Trial) bool { return t.Pod() != "" }) {
			f.Fix = append(f.Fix, finding.Say("See whether a pod of the remote cluster reaches it:").By(from))
		}
	}
	s.p.Gather(f)
}

// lost says what the remote cluster lacks; where some trials are certain, for these alone.
func (s seen) lost(bad probing.Trials) string {
	sure := slices.ContainsFunc(bad, certain)
	var out []string
	for _, t := range bad {
		if sure && !certain(t) {
			continue
		}
		some := slices.ContainsFunc(probing.Given(s.p.Model), func(o probing.Trial) bool {
			return o.For == t.For && o.Purpose == t.Purpose && o.Result == probing.Trusted
		})
		switch {
		case t.Purpose == probing.Discovery && some:
			out = append(out, fmt.Sprintf("proxies of %s lose a share of their connections to istiod", t.For))
		case t.Purpose == probing.Discovery:
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

// unreached finds addresses that no connection reaches.
func (s seen) unreached() {
	f, bad, ok := s.found("GW013", "", probing.Refused, probing.TimedOut, probing.NoRoute)
	if !ok {
		return
	}
	worst := bad[0]
	s.locate(&f, worst)
	f.Title = fmt.Sprintf("the control plane's address %s %s", worst.Address, map[probing.Verdict]string{
		probing.Refused: "refuses connections", probing.TimedOut: "does not answer in time", probing.NoRoute: "has no route to it",
	}[worst.Result])
	first := worst.LetThrough(s.r.Context)
	if worst.Result == probing.Refused {
		first = probing.Listening()
	}
	f.Fix = []finding.Step{first, s.showPlace(worst)}
	f.CausedBy = s.whyNotThere(worst)
	own := finding.Finding{Code: "GW013", Clusters: []string{worst.Cluster}, Object: worst.Object}
	if f.CausedBy == "" && s.has(own) && own.ID() != f.ID() {
		f.CausedBy = own.ID() // clients of the gateway do not reach it either
	}
	s.report(f, bad, s.lost(bad))
}

// notIstiod finds addresses at which something answers that is not istiod, or nothing
// does by TLS.
func (s seen) notIstiod() {
	f, bad, ok := s.found("PR006", "", probing.Reset, probing.NotControlPlane)
	if !ok {
		return
	}
	worst := bad[0]
	s.locate(&f, worst)
	f.Title = fmt.Sprintf("what answers at the control plane's address %s is not istiod", worst.Address)
	if worst.Result == probing.Reset {
		f.Title = fmt.Sprintf("the control plane's address %s resets connections", worst.Address)
	}
	f.Fix = []finding.Step{
		finding.Say("Make Service, Gateway and VirtualService pass TLS on to istiod, as the release's samples/multicluster do. See them:").
			By(finding.Kubectl(worst.Cluster, "get", "gateways.networking.istio.io,virtualservices.networking.istio.io", "-A")),
		s.showPlace(worst),
	}
	if f.CausedBy = s.whyNotThere(worst); f.CausedBy == f.ID() {
		f.CausedBy = ""
	}
	s.report(f, bad, s.lost(bad))
}

// showPlace shows what belongs to an address: the Service that has it, or where the
// remote cluster was told of it.
func (s seen) showPlace(t probing.Trial) finding.Step {
	if t.Object.Kind == "service" {
		return finding.Say("See the endpoints and events of the Service:").By(remedy.DescribeService(t.Cluster, t.Object))
	}
	written := finding.Say("Check the address where it is written: no Service of %s that was read has it:", t.Cluster)
	if t.Purpose == probing.Injection {
		return written.By(finding.Kubectl(s.r.Context, "get", "mutatingwebhookconfigurations", "-l", "app=sidecar-injector", "-o", "yaml"))
	}
	return written.By(finding.Kubectl(s.r.Context, "-n", s.r.SystemNamespace, "get", "services,endpointslices", "-o", "wide"))
}

// whyNotThere finds what explains that a control plane is not there; "" where nothing
// that was read does.
func (s seen) whyNotThere(t probing.Trial) string {
	if id := s.r.cause(s.p, "PR001"); id != "" {
		return id
	}
	exposed := finding.Finding{Code: "PR006", Clusters: finding.Distinct([]string{s.r.Context, t.Cluster}), Object: t.Object}
	if s.has(exposed) {
		return exposed.ID()
	}
	return model.Cause(s.p, t.Cluster, t.Object, gatewayCauses...)
}

// has reports whether a finding has the ID of another one.
func (s seen) has(f finding.Finding) bool {
	return slices.ContainsFunc(s.p.Found(f.Code), func(o finding.Finding) bool { return o.ID() == f.ID() })
}

// otherName finds an istiod whose certificate is not for the name by which the remote
// cluster calls it.
func (s seen) otherName() {
	f, bad, ok := s.found("PR013", "", probing.OtherName)
	if !ok {
		return
	}
	f.Object, f.Title, f.Fix = objectServerNames, titleServerNames, callableBy(s.controlPlane(bad[0]), bad[0].Target.Host)
	s.report(f, bad, effectServerNames)
}

// controlPlane is that of the remote cluster to which a trial belongs.
func (s seen) controlPlane(t probing.Trial) *model.ControlPlane {
	for _, cp := range s.r.by {
		if cp.Context == t.Cluster {
			return cp
		}
	}
	return s.r.by[0]
}

// distrusted finds an istiod whose certificate the proxies of the remote cluster do not
// accept.
func (s seen) distrusted() {
	f, bad, ok := s.found("PR008", probing.Discovery, probing.OtherRoot)
	if !ok {
		return
	}
	f.Object = bad[0].Target.CheckedBy.Object
	f.Title = "proxies of the remote cluster do not trust the certificate that istiod shows"
	f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificate, sha256", Value: bad[0].Certificate.SHA256})
	f.Fix = []finding.Step{
		finding.Say("See which roots the clusters have, and which of them istiod's certificate is from:").
			By(remedy.VerifyCertificates([]string{s.r.Context, bad[0].Cluster})),
	}
	f.CausedBy = s.r.cause(s.p, "PR005")
	s.report(f, bad, "proxies there do not trust istiod, and get no configuration and no certificates: x509")
}

// unfitBundle finds an injector whose certificate the API server of the remote cluster
// does not accept.
func (s seen) unfitBundle() {
	f, bad, ok := s.found("PR004", probing.Injection, probing.OtherRoot)
	if !ok {
		return
	}
	f.Object = objectBundles
	f.Title = "the CA bundle of the injection webhook does not fit the certificate that the injector shows"
	f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificate, sha256", Value: bad[0].Certificate.SHA256})
	f.Fix = []finding.Step{
		finding.Say("The primary writes the bundle in clusters that it manages (PR005). See in its log why it does not:").
			By(logOf(s.controlPlane(bad[0]))),
	}
	f.CausedBy = s.r.cause(s.p, "PR005", "PR008") // with PR008 nobody there accepts it
	s.report(f, bad, "the API server does not trust the injector: pods in namespaces with injection are not created, x509")
}

// notSeen notes which trials tell nothing.
func (s seen) notSeen() {
	for _, t := range s.trials {
		root := finding.Code("PR008")
		if t.Purpose == probing.Injection {
			root = "PR004"
		}
		switch {
		case t.Result == probing.NotTried || t.Doubtful && t.Certificate == nil:
			s.p.NotChecked(s.r.Context, t.Reason(), "GW013", "PR013", root)
		case t.Result == probing.Unresolved:
			s.p.NotChecked(s.r.Context, t.Reason(), "GW013")
		case t.Result == probing.Reachable && t.TrustUnknown:
			s.p.NotChecked(s.r.Context, t.Reason(), root)
		case t.Result == probing.Reachable:
			s.p.NotChecked(s.r.Context, t.Reason(), "PR013", root)
		}
	}
}
