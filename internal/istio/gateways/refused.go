package gateways

import (
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// refused says of a gateway without pods that the API server refuses them; false where no
// event says so.
func (g gateway) refused(p pass, f *finding.Finding) bool {
	r, ok := g.Refused()
	if !ok {
		return false
	}
	f.Title = "the API server refuses the gateway's pods" + because(r.Cause)
	f.Evidence = append(f.Evidence, evidence.Refusal(r, p.Model.Fleet.At))
	f.Fix = g.letPodsBeMade(r)
	if r.Cause.ByWebhook() {
		f.CausedBy = model.Cause(p, g.Cluster.Context, finding.Object{}, "PR014", "CP024")
	}
	return true
}

// because is the cause of a refusal, for a title.
func because(cause model.RefusalCause) string {
	switch {
	case cause.ByWebhook():
		return ": the injection webhook fails"
	case cause == model.SecurityContext:
		return ": no security context constraint allows them"
	case cause == model.PodSecurity:
		return ": the namespace's Pod Security level forbids them"
	case cause == model.Quota:
		return ": the namespace's quota is used up, or asks for limits"
	case cause == model.NoServiceAccount:
		return ": their service account does not exist"
	}
	return ""
}

// letPodsBeMade are the steps after which the API server lets the gateway's pods be made.
func (g gateway) letPodsBeMade(r model.Refusal) []finding.Step {
	context, namespace := g.Cluster.Context, r.Of.Namespace
	kubectl := func(args ...string) finding.Command {
		return finding.Kubectl(context, append([]string{"-n", namespace}, args...)...)
	}
	again := remedy.RestartWorkloads(context, []istio.WorkloadRef{r.Of})
	switch {
	case r.Cause.ByWebhook():
		return remedy.ByItsCause()
	case r.Cause == model.SecurityContext:
		return append([]finding.Step{
			finding.Say("Set global.platform to openshift in the values of the gateway's installation (Istio 1.24 or later)."),
			finding.Say("Or let all service accounts of the namespace run as any user, which also other pods there may do then:").By(
				kubectl(
					"create",
					"rolebinding",
					"istio-anyuid",
					"--clusterrole=system:openshift:scc:anyuid",
					"--group=system:serviceaccounts:"+namespace,
				),
			),
		}, again...)
	case r.Cause == model.PodSecurity:
		return append([]finding.Step{
			finding.Say("Install Istio with its CNI plugin, with which pods need no privileges to be injected."),
			finding.Say("Or allow more in the namespace, also to other pods there:").By(
				finding.Kubectl(context, "label", "namespace/"+namespace, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")),
		}, again...)
	case r.Cause == model.Quota:
		return []finding.Step{finding.Say("See what the quota allows and what is used, then raise it, or lower what the gateway asks for:").
			By(kubectl("describe", "resourcequotas"))}
	case r.Cause == model.NoServiceAccount:
		return []finding.Step{finding.Say("Install the gateway again: its chart makes the service account that is missing.")}
	}
	return []finding.Step{finding.Say("See what the API server says:").By(kubectl("describe", strings.ToLower(r.Of.Kind)+"/"+r.Of.Name),
		kubectl("get", "events", "--field-selector=reason=FailedCreate"))}
}
