package primaryremote

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// mostRefusals is how many workloads are evidence of a webhook that fails.
const mostRefusals = 3

// refusedByWebhook: the API server creates no pods of some workloads because it cannot call
// the injection webhook.
func refusedByWebhook(p pass) {
	for _, c := range model.Able(p) {
		by := map[model.RefusalCause][]model.Refusal{}
		var causes []model.RefusalCause
		for _, r := range c.Refusals() {
			if !r.Cause.ByWebhook() {
				continue
			}
			if by[r.Cause] == nil {
				causes = append(causes, r.Cause)
			}
			by[r.Cause] = append(by[r.Cause], r)
		}
		for _, cause := range causes {
			bundle, names := untrustedFor(p, c, cause)
			f := finding.Finding{
				Code: "PR014", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("injection webhook"),
				Title:    remedy.WebhookFails(cause),
				Effect:   fmt.Sprintf("pods of %s are not created", finding.Plural(len(by[cause]), "workload")),
				CausedBy: model.Cause(p, c.Context, finding.Object{}, "PR012", "PR002", "PR001"),
			}
			if len(bundle) > 0 {
				f.Title, f.Evidence = titleOtherBundle+": pods are refused", bundle
			} else if len(names) > 0 {
				f.Title, f.Evidence = "istiod's certificate lacks the name by which the API server calls it: pods are refused", names
			}
			if f.CausedBy == "" && c.CallsNobody(by[cause][0]) {
				f.Title = "the API server calls an injector that nobody runs any more: pods are refused"
				f.CausedBy = model.Cause(p, c.Context, finding.Object{}, "CP026")
			}
			for i, r := range by[cause] {
				if i < mostRefusals {
					f.Evidence = append(f.Evidence, evidence.Refusal(r, p.Model.Fleet.At))
				}
			}
			if n := len(by[cause]) - mostRefusals; n > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "further workloads", Value: fmt.Sprint(n)})
			}
			switch f.Fix = remedy.CallableWebhook(c, cause); {
			case f.CausedBy != "":
				f.Fix = remedy.ByItsCause()
			case len(bundle) > 0:
				f.Fix = []finding.Step{readLog("the CA bundle", c.ConfiguredBy())}
			case len(names) > 0:
				f.Fix = []finding.Step{finding.Say("Have the webhook call istiod by one of the names in its certificate. Or add the name to "+
					"%s in values.pilot.env of istiod's installation, which restarts istiod.", istio.EnvCustomHost)}
			case c.CallsNobody(by[cause][0]):
				f.Fix = []finding.Step{remedy.SeeWebhooks(c)}
			}
			p.Report(f)
		}
	}
}

// untrustedFor says why the API server of a remote cluster does not trust the injector, as far as what was
// read shows it: webhooks have a CA bundle of somebody else, or call a name that istiod's certificate lacks.
func untrustedFor(p pass, c *model.Cluster, cause model.RefusalCause) (bundle, names []finding.Evidence) {
	if cause != model.WebhookUntrusted || !c.RemoteWatched() {
		return nil, nil
	}
	r := remote{c, c.ConfiguredBy()}
	if good, sure := r.certificateNames(); sure {
		names = r.wrongInjection(p, fitting(good))
	}
	return r.otherBundles(p), names
}
