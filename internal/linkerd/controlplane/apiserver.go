package controlplane

import (
	"cmp"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// call is a Service that the API server calls.
type call struct {
	object          finding.Object
	namespace, name string
	port            int32
	// fails: where it does not answer the API server refuses something.
	fails  bool
	effect string
}

// callOf is what the API server calls for a webhook; false for one that it calls by a URL.
func callOf(object finding.Object, client admissionv1.WebhookClientConfig, policy *admissionv1.FailurePolicyType) (call, bool) {
	s := client.Service
	if s == nil {
		return call{}, false
	}
	out := call{object: object, namespace: s.Namespace, name: s.Name, port: 443, fails: policy == nil || *policy == admissionv1.Fail}
	if s.Port != nil {
		out.port = *s.Port
	}
	out.effect = "the API server cannot ask it: what it is called for is refused"
	if !out.fails {
		out.effect = "the API server cannot ask it, and lets everything pass unasked"
	}
	return out, true
}

// calls are what the API server of a cluster calls inside of it.
func calls(c *model.Cluster) []call {
	var out []call
	add := func(k call, ok bool) {
		if ok {
			out = append(out, k)
		}
	}
	for _, w := range resources.MutatingWebhooks.Of(c.Cluster).Value {
		for i := range w.Webhooks {
			add(callOf(finding.Named("mutatingwebhookconfiguration", w.Name), w.Webhooks[i].ClientConfig, w.Webhooks[i].FailurePolicy))
		}
	}
	for _, w := range resources.ValidatingWebhooks.Of(c.Cluster).Value {
		for i := range w.Webhooks {
			add(callOf(finding.Named("validatingwebhookconfiguration", w.Name), w.Webhooks[i].ClientConfig, w.Webhooks[i].FailurePolicy))
		}
	}
	for _, a := range resources.APIServices.Of(c.Cluster).Value {
		if s := a.Spec.Service; s != nil {
			k := call{object: finding.Named("apiservice", a.Name), namespace: s.Namespace, name: s.Name, port: 443, fails: true}
			if s.Port != nil {
				k.port = *s.Port
			}
			k.effect = "the API server cannot serve the API " + a.Spec.Group + ": kubectl get of its kinds fails, and what reads them"
			out = append(out, k)
		}
	}
	return out
}

// refusesAPIServer: pods that the API server calls admit meshed clients alone, and it has no identity of the mesh. Probes of
// the kubelet are admitted anyway.
func refusesAPIServer(p *pass) {
	for _, c := range model.Able(p) {
		if !c.ValuesKnown {
			continue
		}
		seen := map[finding.Object]bool{}
		for _, k := range calls(c) {
			s := c.Service(k.namespace, k.name)
			if s == nil || seen[k.object] {
				continue
			}
			for _, pod := range c.Selected(s) {
				number, name := targetOf(c, s, k.port)
				if number == 0 || !pod.IsReady() || pod.HostNetwork || !model.Meshed(pod) {
					continue
				}
				e := c.Unmeshed(pod, number, name)
				if e.Admission == model.Denied {
					seen[k.object] = true
					p.Report(refused(c, k, s, pod, number, e))
				}
				break // the others are of the same template, or about to be
			}
		}
	}
}

// targetOf is the number of the pods' port behind a port of a Service, and its name where the Service says it; 0 where
// it is not known.
func targetOf(c *model.Cluster, s *corev1.Service, port int32) (int32, string) {
	i := slices.IndexFunc(s.Spec.Ports, func(sp corev1.ServicePort) bool { return sp.Port == port })
	if i < 0 {
		return 0, ""
	}
	sp := s.Spec.Ports[i]
	if sp.TargetPort.Type == intstr.Int {
		return cmp.Or(sp.TargetPort.IntVal, sp.Port), ""
	}
	for _, slice := range c.Slices(s.Namespace, s.Name) {
		for _, ep := range slice.Ports {
			if ep.Port != nil && (ep.Name == nil && sp.Name == "" || ep.Name != nil && *ep.Name == sp.Name) {
				return *ep.Port, sp.TargetPort.StrVal
			}
		}
	}
	return 0, ""
}

// refused is what to say of pods that do not admit the API server.
func refused(c *model.Cluster, k call, s *corev1.Service, pod *facts.Pod, number int32, e model.Entrance) finding.Finding {
	f := finding.Finding{
		Code: "CP115", Severity: finding.Error, Clusters: []string{c.Context}, Object: k.object,
		Title:  "the API server calls pods that admit meshed clients alone",
		Effect: k.effect,
		Evidence: []finding.Evidence{
			{Field: k.object.String() + ", service", Value: fmt.Sprintf("%s/%s, port %d", k.namespace, k.name, k.port)},
		},
	}
	if !k.fails {
		f.Severity = finding.Warning
	}
	w := model.WorkloadOf(pod)
	name := s.Name + "-api-server"
	everybody := map[string]any{
		"apiVersion": api.PolicyGroup + "/v1alpha1", "kind": "NetworkAuthentication",
		"metadata": map[string]any{"name": name, "namespace": s.Namespace},
		"spec":     map[string]any{"networks": []any{map[string]any{"cidr": "0.0.0.0/0"}, map[string]any{"cidr": "::/0"}}},
	}
	switch {
	case e.Server != nil:
		f.Evidence = append(f.Evidence, finding.Evidence{
			Field: fmt.Sprintf("server %s/%s of port %d of %s, accessPolicy", e.Server.Namespace, e.Server.Name, number, w),
			Value: cmp.Or(e.Server.Spec.AccessPolicy, "deny, as none is set"),
		}, finding.Evidence{Field: "policies of the Server", Value: cmp.Or(finding.List(e.Policies), "none")})
		f.Fix = []finding.Step{
			finding.Say("Admit all clients at this port, as the API server has no identity. The webhook's own TLS stays as it is:").
				By(remedy.Apply(c.Context, everybody, map[string]any{
					"apiVersion": api.PolicyGroup + "/v1alpha1", "kind": "AuthorizationPolicy",
					"metadata": map[string]any{"name": name, "namespace": s.Namespace},
					"spec": map[string]any{
						"targetRef":                  map[string]any{"group": api.PolicyGroup, "kind": "Server", "name": e.Server.Name},
						"requiredAuthenticationRefs": []any{map[string]any{"group": api.PolicyGroup, "kind": "NetworkAuthentication", "name": name}},
					},
				})),
		}
	default:
		f.Evidence = append(f.Evidence, finding.Evidence{
			Field: fmt.Sprintf("default inbound policy of %s, for port %d", w, number), Value: e.Default,
		})
		if resources.Servers.Served(c.Cluster) == "" {
			f.Fix = []finding.Step{
				finding.Say("Admit all clients at this port, as the API server has no identity. The webhook's own TLS stays as it is:").
					By(remedy.Apply(c.Context, map[string]any{
						"apiVersion": api.PolicyGroup + "/v1beta3", "kind": "Server",
						"metadata": map[string]any{"name": name, "namespace": s.Namespace},
						"spec": map[string]any{
							"podSelector": map[string]any{"matchLabels": s.Spec.Selector}, "port": number, "accessPolicy": "all-unauthenticated",
						},
					})),
			}
		}
	}
	around := fmt.Sprintf("the port around the proxy: annotate the template of %s with %s=%d. That recreates its pods.", w,
		resources.AnnotationSkipInbound, number)
	if len(f.Fix) == 0 {
		f.Fix = []finding.Step{finding.Say("Lead %s", around)}
		return f
	}
	f.Fix = append(f.Fix, finding.Say("Or lead %s", around).Otherwise())
	return f
}
