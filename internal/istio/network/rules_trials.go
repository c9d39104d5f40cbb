package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// judgeTrials: what was seen of gateways by trying them. Only a pod of another
// network sees what clients see; from this machine, which is none, it is a hint.
func judgeTrials(j *judgement, members []*member) {
	if !j.gatewaysMatter() {
		return
	}
	for _, m := range members {
		by := map[finding.Object][]Trial{}
		var objects []finding.Object
		for _, t := range j.Trials {
			if t.Cluster == m.Context && t.Purpose == Requests {
				if by[t.Object] == nil {
					objects = append(objects, t.Object)
				}
				by[t.Object] = append(by[t.Object], t)
			}
		}
		for _, object := range objects {
			j.unreachable(m, object, by[object])
			j.foreign(m, object, by[object])
			j.otherRoot(m, object, by[object])
			j.unseen(m, by[object])
		}
	}
}

// unseen notes which attempts tell nothing.
func (j *judgement) unseen(m *member, trials []Trial) {
	for _, t := range trials {
		switch {
		case t.Result == NotTried || t.doubtful && t.Certificate == nil:
			j.NotChecked(m.Context, t.reason(), "GW013", "GW036", "GW037")
		case t.Result == Unresolved:
			j.NotChecked(m.Context, t.reason(), "GW013")
		case t.Result == Reachable && t.unanswered:
			j.NotChecked(m.Context, t.reason(), "GW036")
		case t.Result == Reachable:
			j.NotChecked(m.Context, t.reason(), "GW036", "GW037")
		}
	}
}

// reason says what an attempt that tells nothing was.
func (r Trial) reason() finding.Reason { return finding.Because(r.seen() + ": " + r.Says()) }

// seen names what was tried, and from where.
func (r Trial) seen() string {
	if r.Purpose != Requests {
		return r.Where() + ", for " + r.Use() + ", from " + r.From
	}
	return r.Where() + ", from " + r.From
}

// found makes a finding of the attempts with one of the verdicts, beside which the
// others are shown; ok is false where there are none.
func (j *judgement) found(
	m *member, object finding.Object, trials []Trial, code finding.Code, verdicts ...Verdict,
) (f finding.Finding, bad []Trial, ok bool) {
	f = finding.Finding{Code: code, Severity: finding.Warning, Clusters: []string{m.Context}, Object: object}
	for _, t := range trials {
		if slices.Contains(verdicts, t.Result) && !t.doubtful {
			bad = append(bad, t)
			if t.elsewhere {
				f.Severity = finding.Error
			}
		}
	}
	f.Evidence = evidenceOfTrials(trials)
	return f, bad, len(bad) > 0
}

// hint completes the effect of what this machine saw, and how to see more.
func (j *judgement) hint(f *finding.Finding, bad []Trial, effect string) {
	if f.Severity == finding.Error {
		f.Effect = effect
		return
	}
	f.Title += ", seen from " + bad[0].From
	f.Effect = "if clients on other networks see the same, " + effect
	if from, ok := j.tryFrom(bad[0].target); ok && !slices.ContainsFunc(bad, func(t Trial) bool { return t.Pod() != "" }) {
		f.Fix = append(f.Fix, finding.Say("See whether a pod on another network reaches it:").By(from))
	}
}

// tryFrom is the command that tries from a pod of another network; false where none
// is known.
func (j *judgement) tryFrom(t Target) (finding.Command, bool) {
	return j.fromPodOf(slices.DeleteFunc(slices.Clone(j.members), func(m *member) bool {
		return m.apart || m.home() == "" || m.home() == t.Network
	}))
}

// fromPodOf is the command that tries from a pod of one of the clusters; false where
// they have none that can.
func (j *judgement) fromPodOf(members []*member) (finding.Command, bool) {
	var contexts []string
	for _, m := range j.members {
		if !m.apart {
			contexts = append(contexts, m.Context)
		}
	}
	for _, sidecars := range []bool{true, false} { // the pods of gateways come last
		for _, m := range members {
			for _, p := range m.proxies {
				if p.IsReady() && (p.Labels[istio.LabelTLSMode] != "") == sidecars {
					return finding.Shell("kubectl", "mesh-network", "probe", "--contexts="+strings.Join(contexts, ","),
						"--from-pod="+m.Context+"/"+p.Namespace+"/"+p.Name), true
				}
			}
		}
	}
	return finding.Command{}, false
}

// listening is the advice about an address at which nothing listens.
var listening = finding.Say("Check that the Service has endpoints, and that the load balancer sends its port to them: nothing listens there.")

// letThrough is the advice about an address to which something does not let clients.
func letThrough(clients string, t Trial) finding.Step {
	return finding.Say("Let %s through to port %d: check firewalls, security groups, loadBalancerSourceRanges and network policies.",
		clients, int(t.Port))
}

// unreachable finds addresses that do not answer as a gateway would: at all, or
// to TLS.
func (j *judgement) unreachable(m *member, object finding.Object, trials []Trial) {
	f, bad, ok := j.found(m, object, trials, "GW013", Refused, TimedOut, Reset, NoRoute)
	if !ok {
		return
	}
	worst, network := bad[0], bad[0].Network
	kind := map[Verdict]string{Refused: "refuses connections", TimedOut: "does not answer in time", Reset: "resets connections", NoRoute: "has no route to it"}[worst.Result]
	f.Title = fmt.Sprintf("the gateway's address %s %s", worst.Address, kind)
	switch worst.Result {
	case Refused:
		f.Fix = []finding.Step{listening}
	case Reset:
		f.Fix = []finding.Step{
			finding.Say("Check the listeners of the gateway's pods. The gateway does not know the service that was asked for, " +
				"or what is in front of it closes connections."),
		}
	default:
		f.Fix = []finding.Step{letThrough("clients", worst)}
	}
	if object.Kind == "service" {
		f.Fix = append(f.Fix, finding.Say("See its endpoints and events:").By(describeService(m.Context, object)))
	}
	j.hint(&f, bad, fmt.Sprintf("requests from other networks to %s fail", network))
	causes := []finding.Code{"GW012", "GW010", "GW011", "GW014", "GW019", "GW032", "GW007"}
	if slices.ContainsFunc(trials, Trial.passed) {
		causes = append(causes, "GW015") // some addresses are reached and others not
	}
	f.CausedBy = j.of(m.Context, object, causes...)
	j.Add(f)
}

// foreign finds addresses at which something else answers: a load balancer that
// ends TLS itself, or another server.
func (j *judgement) foreign(m *member, object finding.Object, trials []Trial) {
	f, bad, ok := j.found(m, object, trials, "GW037", NotMesh)
	if !ok {
		return
	}
	if id := j.of(m.Context, object, "GW014"); id != "" {
		// What was read already says so.
		at := slices.IndexFunc(j.Findings, func(f finding.Finding) bool { return f.ID() == id })
		j.Findings[at].Evidence = append(j.Findings[at].Evidence, f.Evidence...)
		return
	}
	f.Title = fmt.Sprintf("what answers at the gateway's address %s is no gateway of the mesh", bad[0].Address)
	f.Fix = []finding.Step{
		finding.Say("Make the load balancer pass TCP through as it is: no TLS certificate, no HTTP and no proxy protocol in its annotations."),
	}
	if object.Kind == "service" {
		f.Fix = append(f.Fix, finding.Say("See its annotations:").
			By(finding.Kubectl(m.Context, "-n", object.Namespace, "get", "service/"+object.Name, "-o", "jsonpath={.metadata.annotations}")))
	}
	j.hint(&f, bad, fmt.Sprintf("requests from other networks to %s fail with TLS errors", bad[0].Network))
	j.Add(f)
}

// otherRoot finds workloads behind a gateway whose certificates clusters on other
// networks do not accept.
func (j *judgement) otherRoot(m *member, object finding.Object, trials []Trial) {
	f, bad, ok := j.found(m, object, trials, "GW036", OtherRoot)
	if !ok {
		return
	}
	refusing := bad[0].DistrustedBy
	f.Title = fmt.Sprintf("behind the gateway is a certificate that %s %s not accept", finding.List(refusing), does(len(refusing)))
	f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificate, sha256", Value: bad[0].Certificate.SHA256})
	f.Fix = []finding.Step{
		finding.Say("Give the clusters a common root. See what they have:").By(verifyCertificates(append([]string{m.Context}, refusing...))),
	}
	j.hint(&f, bad, fmt.Sprintf("requests from there to %s fail: CERTIFICATE_VERIFY_FAILED", bad[0].Network))
	j.Add(f)
}

// describeService is the command that shows a Service.
func describeService(context string, object finding.Object) finding.Command {
	return finding.Kubectl(context, "-n", object.Namespace, "describe", "service/"+object.Name)
}

// verifyCertificates is the command that compares the roots of clusters.
func verifyCertificates(contexts []string) finding.Command {
	return finding.Shell("kubectl", "mesh-certs", "verify", "--contexts="+strings.Join(finding.Distinct(contexts), ","))
}

func does(n int) string {
	if n == 1 {
		return "does"
	}
	return "do"
}
