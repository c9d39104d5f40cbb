package remedy

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// WebhookFails says how the API server fails to call the injector, which is why it refuses pods.
func WebhookFails(cause model.RefusalCause) string {
	switch cause {
	case model.WebhookUntrusted:
		return "the API server does not trust istiod's certificate: pods are refused"
	case model.WebhookTimeout:
		return fmt.Sprintf("the API server gets no answer from port %d of istiod: pods are refused", model.PortInjection)
	case model.WebhookUnreachable:
		return "the API server does not reach istiod: pods are refused"
	case model.WebhookWithoutTarget:
		return "the injection webhook calls a Service that does not exist: pods are refused"
	default:
		return "the injection webhook fails: pods are refused"
	}
}

// SeeWebhooks is the step that shows what all webhooks of a cluster call, those of old installations among them.
func SeeWebhooks(c *model.Cluster) finding.Step {
	return finding.Say("See which webhook calls it. Without its installation nothing needs it:").
		By(finding.Kubectl(c.Context, "get", "mutatingwebhookconfigurations", "-o", "yaml"))
}

// CallableWebhook are the steps after which the API server of a cluster can call the injector.
func CallableWebhook(c *model.Cluster, cause model.RefusalCause) []finding.Step {
	see := finding.Say("See what the webhook calls:").
		By(finding.Kubectl(c.Context, "get", "mutatingwebhookconfigurations", "-l", istio.InjectorSelector, "-o", "yaml"))
	switch cause {
	case model.WebhookUntrusted:
		return []finding.Step{finding.Say("See whether the caBundle of the webhook is the root of the istiod that it calls:").
			By(VerifyCertificates([]string{c.Context}))}
	case model.WebhookTimeout:
		if !c.Primary() {
			return []finding.Step{finding.Say("Let the API server connect to TCP port %d of the primary's gateway.", model.PortInjection), see}
		}
		return []finding.Step{
			finding.Say(
				"Let the API server connect to TCP port %d of the nodes: by a firewall rule on GKE with private nodes, by the security group "+
					"of the nodes on EKS. Where it has no route to pods, as with an overlay network on EKS, run istiod on the network of its node.",
				model.PortInjection,
			),
			see,
		}
	case model.WebhookUnreachable:
		if c.Primary() {
			return []finding.Step{finding.Say("See why istiod is not ready:").
				By(finding.Kubectl(c.Context, "-n", c.SystemNamespace, "get", "pods", "-l", istio.IstiodSelector)), see}
		}
	default:
	}
	return []finding.Step{see}
}
