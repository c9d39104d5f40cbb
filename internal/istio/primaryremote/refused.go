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
			f := finding.Finding{
				Code: "PR014", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("injection webhook"),
				Title:    webhookFails(cause),
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
			if f.Fix = callable(c, cause); f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
	}
}

// webhookFails says how a webhook fails.
func webhookFails(cause model.RefusalCause) string {
	switch cause {
	case model.WebhookUntrusted:
		return "the API server does not trust istiod's certificate, so that pods are not created"
	case model.WebhookTimeout:
		return fmt.Sprintf("the API server gets no answer from port %d of istiod, so that pods are not created", model.PortInjection)
	case model.WebhookUnreachable:
		return "the API server does not reach istiod, so that pods are not created"
	case model.WebhookWithoutTarget:
		return "the injection webhook calls a Service that does not exist, so that pods are not created"
	default:
		return "the injection webhook fails, so that pods are not created"
	}
}

// callable are the steps after which the API server can call the injection webhook.
func callable(c *model.Cluster, cause model.RefusalCause) []finding.Step {
	out := []finding.Step{finding.Say("See what the webhook calls:").
		By(finding.Kubectl(c.Context, "get", "mutatingwebhookconfigurations", "-l", istio.InjectorSelector, "-o", "yaml"))}
	switch cause {
	case model.WebhookUntrusted:
		return []finding.Step{finding.Say("See whether the caBundle of the webhook is the root of the istiod that it calls:").
			By(remedy.VerifyCertificates([]string{c.Context}))}
	case model.WebhookTimeout:
		text := "Let the API server connect to TCP port %d of the nodes: by a firewall rule on GKE with private nodes, by the security group " +
			"of the nodes on EKS."
		if !c.Primary() {
			text = "Let the API server connect to TCP port %d of the primary's gateway."
		}
		return append(out, finding.Say(text, model.PortInjection))
	case model.WebhookUnreachable:
		if c.Primary() {
			return []finding.Step{finding.Say("See why istiod is not ready:").
				By(finding.Kubectl(c.Context, "-n", c.SystemNamespace, "get", "pods", "-l", istio.IstiodSelector))}
		}
	default:
	}
	return out
}
