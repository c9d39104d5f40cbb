package primaryremote

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
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
			f := finding.Finding{
				Code: "PR014", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("injection webhook"),
				Title:    remedy.WebhookFails(cause),
				Effect:   fmt.Sprintf("pods of %s are not created", finding.Plural(len(by[cause]), "workload")),
				CausedBy: model.Cause(p, c.Context, finding.Object{}, "PR012", "PR002", "PR001"),
			}
			for i, r := range by[cause] {
				if i < mostRefusals {
					f.Evidence = append(f.Evidence, evidence.Refusal(r, p.Model.Fleet.At))
				}
			}
			if n := len(by[cause]) - mostRefusals; n > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "further workloads", Value: fmt.Sprint(n)})
			}
			if f.Fix = remedy.CallableWebhook(c, cause); f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
	}
}
