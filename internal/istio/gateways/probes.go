package gateways

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// tried is what has addresses of a gateway, which were tried. Only a pod of another network
// sees what clients see; from this machine, which is none, it is a hint.
type tried struct {
	cluster *model.Cluster
	object  finding.Object
	trials  probing.Trials
}

// gatewaysTried are those of the clusters that a rule can check.
func gatewaysTried(p pass) []tried {
	if !p.Model.GatewaysMatter() {
		return nil
	}
	var out []tried
	for _, c := range model.Able(p) {
		for _, t := range probing.Given(p.Model) {
			if t.Cluster != c.Context || t.Purpose != probing.Requests {
				continue
			}
			at := slices.IndexFunc(out, func(o tried) bool { return o.cluster == c && o.object == t.Object })
			if at < 0 {
				at, out = len(out), append(out, tried{cluster: c, object: t.Object})
			}
			out[at].trials = append(out[at].trials, t)
		}
	}
	return out
}

// inconclusive says which trials tell nothing: of any code, or where they ended with one of
// the verdicts.
func (g tried) inconclusive(p pass, tells func(probing.Trial) bool) {
	for _, t := range g.trials {
		if t.Result == probing.NotTried || t.Doubtful && t.Certificate == nil || !tells(t) {
			p.NotChecked(g.cluster.Context, t.Reason())
		}
	}
}

// with are the trials that ended with one of the verdicts.
func (g tried) with(verdicts ...probing.Verdict) probing.Trials {
	return slices.DeleteFunc(slices.Clone(g.trials), func(t probing.Trial) bool {
		return t.Doubtful || !slices.Contains(verdicts, t.Result)
	})
}

// finding begins a finding about what was seen, with all that was.
func (g tried) finding(code finding.Code, bad probing.Trials, title string) finding.Finding {
	f := finding.Finding{
		Code: code, Severity: finding.Warning, Clusters: []string{g.cluster.Context}, Object: g.object, Title: title,
		Evidence: g.trials.Evidence(),
	}
	if slices.ContainsFunc(bad, func(t probing.Trial) bool { return t.AsClient }) {
		f.Severity = finding.Error
	}
	return f
}

// complete says the effect of what was seen. What this machine saw is a hint, and how to
// see more is a step.
func (g tried) complete(p pass, f *finding.Finding, bad probing.Trials, effect string) {
	if f.Severity == finding.Error {
		f.Effect = effect
		return
	}
	f.Title += ", seen from " + bad[0].From
	f.Effect = "if clients on other networks see the same, " + effect
	if slices.ContainsFunc(bad, func(t probing.Trial) bool { return t.Pod() != "" }) {
		return
	}
	if from, ok := probing.FromOtherNetworks(p.Model, bad[0].Target.Network); ok {
		f.Fix = append(f.Fix, finding.Say("See whether a pod on another network reaches it:").By(from))
	}
}

// unreachable: the address of a gateway does not answer as a gateway would: at all, or to
// TLS.
func unreachable(p pass) {
	for _, g := range gatewaysTried(p) {
		g.inconclusive(p, func(t probing.Trial) bool { return t.Result != probing.Unresolved })
		bad := g.with(probing.Refused, probing.TimedOut, probing.Reset, probing.NoRoute)
		if len(bad) == 0 {
			continue
		}
		worst := bad[0]
		kind := map[probing.Verdict]string{
			probing.Refused: "refuses connections", probing.TimedOut: "does not answer in time",
			probing.Reset: "resets connections", probing.NoRoute: "has no route to it",
		}[worst.Result]
		f := g.finding("GW013", bad, fmt.Sprintf("the gateway's address %s %s", worst.Address, kind))
		switch worst.Result {
		case probing.Refused:
			f.Fix = []finding.Step{probing.Listening()}
		case probing.Reset:
			f.Fix = []finding.Step{
				finding.Say("Check the listeners of the gateway's pods. The gateway does not know the service that was asked for, " +
					"or what is in front of it closes connections."),
			}
		default:
			f.Fix = []finding.Step{worst.LetThrough("clients")}
		}
		if g.object.Kind == "service" {
			f.Fix = append(f.Fix, finding.Say("See its endpoints and events:").By(remedy.DescribeService(g.cluster.Context, g.object)))
		}
		g.complete(p, &f, bad, fmt.Sprintf("requests from other networks to %s fail", worst.Network))
		f.CausedBy = model.Cause(p, g.cluster.Context, g.object, whyUnreachable()...)
		if f.CausedBy == "" && slices.ContainsFunc(g.trials, probing.Trial.Passed) { // some addresses are reached and others not
			f.CausedBy = model.Cause(p, g.cluster.Context, g.object, "GW015")
		}
		p.Report(f)
	}
}

// notGateway: something else answers at the address of a gateway: a load balancer that ends
// TLS itself, or another server. Where annotations of the load balancer say it already,
// their finding does.
func notGateway(p pass) {
	for _, g := range gatewaysTried(p) {
		g.inconclusive(p, func(t probing.Trial) bool { return t.Result != probing.Reachable || t.TrustUnknown })
		bad := g.with(probing.NotMesh)
		if len(bad) == 0 || model.Cause(p, g.cluster.Context, g.object, "GW014") != "" {
			continue
		}
		f := g.finding("GW037", bad, fmt.Sprintf("what answers at the gateway's address %s is not a gateway of the mesh", bad[0].Address))
		f.Fix = []finding.Step{
			finding.Say("Make the load balancer pass TCP through as it is: no TLS certificate, no HTTP and no proxy protocol in its annotations."),
		}
		if g.object.Kind == "service" {
			f.Fix = append(f.Fix, finding.Say("See its annotations:").By(finding.Kubectl(g.cluster.Context, "-n", g.object.Namespace,
				"get", "service/"+g.object.Name, "-o", "jsonpath={.metadata.annotations}")))
		}
		g.complete(p, &f, bad, fmt.Sprintf("requests from other networks to %s fail with TLS errors", bad[0].Network))
		p.Report(f)
	}
}

// distrusted: clusters on other networks do not accept the certificates of workloads behind
// a gateway.
func distrusted(p pass) {
	for _, g := range gatewaysTried(p) {
		g.inconclusive(p, func(t probing.Trial) bool { return t.Result != probing.Reachable })
		bad := g.with(probing.OtherRoot)
		if len(bad) == 0 {
			continue
		}
		refusing := bad[0].DistrustedBy
		do := "do"
		if len(refusing) == 1 {
			do = "does"
		}
		f := g.finding("GW036", bad, fmt.Sprintf("%s %s not trust the certificate behind the gateway", finding.List(refusing), do))
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificate, sha256", Value: bad[0].Certificate.SHA256})
		f.Fix = []finding.Step{
			finding.Say("Give the clusters a common root. See what they have:").
				By(remedy.VerifyCertificates(append([]string{g.cluster.Context}, refusing...))),
		}
		g.complete(p, &f, bad, fmt.Sprintf("requests from there to %s fail: CERTIFICATE_VERIFY_FAILED", bad[0].Network))
		p.Report(f)
	}
}
