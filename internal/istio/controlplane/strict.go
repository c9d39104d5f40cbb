package controlplane

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// call is something that the API server calls.
type call struct {
	object finding.Object
	to     istio.ObjectName
	port   int32
	// fails: where it does not answer the API server refuses something.
	fails  bool
	effect string
}

// calls are what the API server of a cluster calls inside of it.
func calls(c *model.Cluster) []call {
	var out []call
	for _, h := range c.Hooks() {
		if name, port, ok := h.Service(); ok {
			effect := "the API server cannot ask it: what it is called for is refused (EOF, or connection reset)"
			if !h.Fails {
				effect = "the API server cannot ask it, and lets everything pass unasked"
			}
			out = append(out, call{h.Object, name, port, h.Fails, effect})
		}
	}
	for _, a := range resources.APIServices.Of(c.Cluster).Value {
		if s := a.Spec.Service; s != nil {
			port := int32(443)
			if s.Port != nil {
				port = *s.Port
			}
			out = append(out, call{
				finding.Named("apiservice", a.Name), istio.ObjectName{Namespace: s.Namespace, Name: s.Name}, port, true,
				"the API server cannot serve the API " + a.Spec.Group + ": kubectl get of its kinds fails, and what reads them",
			})
		}
	}
	return out
}

// strictBeforeAPIServer: what the API server calls takes mutual TLS of the mesh alone, which the API
// server does not speak.
func strictBeforeAPIServer(p pass) {
	for _, c := range clusters(p) {
		cp := c.ManagedBy()
		if cp == nil {
			continue
		}
		seen := map[finding.Object]bool{}
		for _, k := range calls(c) {
			service := c.Service(k.to.Namespace, k.to.Name)
			if service == nil || seen[k.object] {
				continue
			}
			for _, pod := range c.SelectedPods(service) {
				port, known := targetOf(c, service, k.port)
				if !known || !pod.IsReady() || pod.HostNetwork || !takesMTLS(c, pod) || excluded(pod, port) {
					continue
				}
				a := cp.Acceptance(pod.Namespace, pod.Labels, port)
				if a.Mode != api.MTLSStrict {
					break
				}
				seen[k.object] = true
				f := finding.Finding{
					Code: "CP060", Severity: finding.Error, Clusters: []string{c.Context}, Object: k.object,
					Title: "the API server calls pods that take mutual TLS of the mesh alone",
					Evidence: []finding.Evidence{
						{Field: k.object.String() + ", service", Value: fmt.Sprintf("%s/%s, port %d", k.to.Namespace, k.to.Name, k.port)},
						{
							Field: istio.WorkloadOf(pod).String() + fmt.Sprintf(", mode of port %d", port),
							Value: a.Mode + ", by peerauthentication " + a.From,
						},
					},
					Effect: k.effect,
					Fix:    permissive(c, cp, service, pod, port),
				}
				if !k.fails {
					f.Severity = finding.Warning
				}
				p.Report(f)
				break
			}
		}
	}
}

// targetOf is the port of the pods behind a port of a Service, as its endpoints have it.
func targetOf(c *model.Cluster, s *corev1.Service, port int32) (int, bool) {
	for _, sp := range s.Spec.Ports {
		if sp.Port != port {
			continue
		}
		for _, slice := range c.Slices(s.Namespace, s.Name) {
			for _, ep := range slice.Ports {
				if ep.Port != nil && (ep.Name == nil && sp.Name == "" || ep.Name != nil && *ep.Name == sp.Name) {
					return int(*ep.Port), true
				}
			}
		}
		if n := sp.TargetPort.IntValue(); n > 0 {
			return n, true
		}
		return int(sp.Port), sp.TargetPort.StrVal == ""
	}
	return 0, false
}

// takesMTLS reports whether a proxy of a pod, or ztunnel, answers for it.
func takesMTLS(c *model.Cluster, p *facts.Pod) bool {
	return istio.HasProxy(p) && p.Labels[istio.LabelTLSMode] == "istio" || c.IsAmbient(p) && p.Labels[istio.LabelDataplaneMode] != "none"
}

// excluded reports whether what comes to a port does not go through the sidecar.
func excluded(p *facts.Pod, port int) bool {
	has := func(list string) bool {
		return slices.ContainsFunc(strings.Split(list, ","), func(s string) bool {
			s = strings.TrimSpace(s)
			return s == "*" || s == strconv.Itoa(port)
		})
	}
	included, chosen := p.Annotations[istio.AnnotationIncludedInbound]
	return has(p.Annotations[istio.AnnotationExcludedInbound]) || chosen && !has(included)
}

// permissive are the steps after which a port takes plain text too.
func permissive(c *model.Cluster, cp *model.ControlPlane, s *corev1.Service, p *facts.Pod, port int) []finding.Step {
	say := finding.Say("Let port %d take plain text as well. The webhook's own TLS stays as it is:", port)
	modes := map[string]any{strconv.Itoa(port): map[string]any{"mode": api.MTLSPermissive}}
	peers := resources.PeerAuthentications.Of(cp.Cluster.Cluster).Value
	for i := range peers {
		pa := &peers[i]
		if pa.Namespace != p.Namespace || pa.Spec.Selector == nil || len(pa.Spec.Selector.MatchLabels) == 0 ||
			!within(pa.Spec.Selector.MatchLabels, p.Labels) {
			continue
		}
		return []finding.Step{
			say.By(finding.Kubectl(cp.Cluster.Context, "-n", pa.Namespace, "patch", "peerauthentications."+api.SecurityGroup+"/"+pa.Name,
				"--type=merge", "-p", remedy.JSON(map[string]any{"spec": map[string]any{"portLevelMtls": modes}}))),
		}
	}
	if cp.Cluster != c {
		say = finding.Say("Let port %d take plain text as well, in %s, whose control plane configures the pods:", port, cp.Cluster.Context)
	}
	return []finding.Step{say.By(remedy.Apply(cp.Cluster.Context, map[string]any{
		"apiVersion": api.SecurityGroup + "/v1", "kind": "PeerAuthentication",
		"metadata": map[string]any{"name": s.Name + "-api-server", "namespace": p.Namespace},
		"spec":     map[string]any{"selector": map[string]any{"matchLabels": s.Spec.Selector}, "portLevelMtls": modes},
	}))}
}

func within(some, all map[string]string) bool {
	for k, v := range some {
		if all[k] != v {
			return false
		}
	}
	return true
}

// disagreeing: sidecars of a cluster and the pods of a Service in it do not agree about mutual TLS:
// clients send plain text to pods that take nothing else, or mutual TLS to pods that do not know it.
// What the rules about services of several clusters say of a Service is not said again.
func disagreeing(p pass) {
	for _, c := range clusters(p) {
		cp := c.ManagedBy()
		if cp == nil || cp.Cluster != c {
			continue
		}
		clients := namespacesWithSidecars(c)
		services := resources.Services.Of(c.Cluster).Value
		for i := range services {
			s := &services[i]
			object := finding.In("service", s.Namespace, s.Name)
			pods := slices.DeleteFunc(c.SelectedPods(s), func(pod *facts.Pod) bool { return !pod.IsReady() || pod.HostNetwork })
			if len(pods) == 0 || len(clients) == 0 || model.Cause(p, c.Context, object, "EP008", "EP009", "EP007", "EP002") != "" {
				continue
			}
			for _, sp := range s.Spec.Ports {
				if sp.Protocol == corev1.ProtocolUDP {
					continue
				}
				f, wrong := disagreement(c, cp, s, sp, pods, clients)
				if !wrong {
					f, wrong = mixed(c, cp, s, sp, pods, clients)
				}
				if wrong {
					p.Report(f)
					break
				}
			}
		}
	}
}

// namespacesWithSidecars are those from which sidecars of a cluster call.
func namespacesWithSidecars(c *model.Cluster) []string {
	var out []string
	for _, pod := range c.ProxyPods() {
		if model.IsClient(pod) {
			out = append(out, pod.Namespace)
		}
	}
	return finding.Distinct(out)
}

// disagreement says how sidecars and the pods behind a port of a Service disagree; false where they do
// not, for any client.
func disagreement(
	c *model.Cluster,
	cp *model.ControlPlane,
	s *corev1.Service,
	sp corev1.ServicePort,
	pods []*facts.Pod,
	clients []string,
) (finding.Finding, bool) {
	port, known := targetOf(c, s, sp.Port)
	if !known {
		return finding.Finding{}, false
	}
	object := finding.In("service", s.Namespace, s.Name)
	f := finding.Finding{Code: "CP061", Severity: finding.Error, Clusters: []string{c.Context}, Object: object}
	var strict, bare []*facts.Pod
	var a istio.Acceptance
	for _, pod := range pods {
		switch {
		case !takesMTLS(c, pod):
			bare = append(bare, pod)
		case istio.HasProxy(pod) && !excluded(pod, port):
			if of := cp.Acceptance(pod.Namespace, pod.Labels, port); of.Mode == api.MTLSStrict {
				strict, a = append(strict, pod), of
			}
		}
	}
	for _, client := range clients {
		mode, from, set := cp.ClientTLS(client, s.Namespace, s.Name, int(sp.Port))
		rule := finding.Evidence{Field: "destinationrule " + strings.Join(from, ", ") + ", mode for clients in " + client, Value: mode}
		takes := finding.Evidence{Field: fmt.Sprintf("peerauthentication %s, mode of port %d", a.From, port), Value: a.Mode}
		switch {
		case len(strict) == len(pods) && set && mode != api.TLSIstioMutual:
			f.Title = "a DestinationRule turns mutual TLS off for pods that take nothing else"
			f.Evidence = []finding.Evidence{rule, takes}
			f.Effect = fmt.Sprintf("requests of sidecars in %s are reset", client)
			f.Fix = []finding.Step{
				editRule(
					cp,
					from[0],
					"Set its TLS mode to "+api.TLSIstioMutual+", or remove tls from it: sidecars then use mutual TLS by themselves:",
				),
			}
			return f, true
		case len(strict) == len(pods) && !set && cp.MeshWide(s.Namespace).Mode == api.MTLSDisable:
			wide := cp.MeshWide(s.Namespace)
			f.Title = "sidecars send plain text to pods that take mutual TLS alone"
			f.Evidence = []finding.Evidence{{Field: "peerauthentication " + wide.From + ", mode of the namespace", Value: wide.Mode}, takes}
			f.Effect = "istiod lets clients go by the mode of the namespace: their requests are reset (istio/istio#56084)"
			f.Fix = []finding.Step{
				finding.Say("Tell sidecars to use mutual TLS for the Service:").By(remedy.Apply(cp.Cluster.Context, map[string]any{
					"apiVersion": api.NetworkingGroup + "/v1", "kind": "DestinationRule",
					"metadata": map[string]any{"name": s.Name + "-mtls", "namespace": s.Namespace},
					"spec": map[string]any{
						"host":          s.Name + "." + s.Namespace + ".svc.cluster.local",
						"trafficPolicy": map[string]any{"tls": map[string]any{"mode": api.TLSIstioMutual}},
					},
				})),
			}
			return f, true
		case len(bare) == len(pods) && set && mode == api.TLSIstioMutual:
			f.Title = "a DestinationRule asks for mutual TLS, and no pod of the Service has a proxy"
			f.Evidence = append([]finding.Evidence{rule}, evidenceOf(sharesOf(bare, pods))...)
			f.Effect = fmt.Sprintf("requests of sidecars in %s are refused: connection failure, or WRONG_VERSION_NUMBER", client)
			f.Fix = []finding.Step{editRule(cp, from[0], "Remove tls from it: sidecars then use mutual TLS where pods know it:"),
				finding.Say("Or give the pods a proxy: label their namespace for injection, and restart them.").Otherwise()}
			return f, true
		}
	}
	return finding.Finding{}, false
}

// mixed says that sidecars send plain text to pods of a headless Service that take mutual TLS alone: one
// endpoint without a proxy, in any cluster, turns it off for the whole port (pilot/pkg/model/push_context.go,
// BestEffortInferServiceMTLSMode); false where they do not, for some client. What ztunnel takes is left out.
func mixed(
	c *model.Cluster,
	cp *model.ControlPlane,
	s *corev1.Service,
	sp corev1.ServicePort,
	pods []*facts.Pod,
	clients []string,
) (finding.Finding, bool) {
	port, known := targetOf(c, s, sp.Port)
	if s.Spec.ClusterIP != corev1.ClusterIPNone || !known || cp.MeshWide(s.Namespace).Mode == api.MTLSDisable {
		return finding.Finding{}, false
	}
	if slices.ContainsFunc(clients, func(client string) bool {
		_, _, set := cp.ClientTLS(client, s.Namespace, s.Name, int(sp.Port))
		return set
	}) {
		return finding.Finding{}, false
	}
	var strict *facts.Pod
	var a istio.Acceptance
	for _, pod := range pods {
		if !istio.HasProxy(pod) || !takesMTLS(c, pod) || excluded(pod, port) {
			continue
		}
		if of := cp.Acceptance(pod.Namespace, pod.Labels, port); of.Mode == api.MTLSStrict {
			strict, a = pod, of
		}
	}
	in, bare := withoutTLS(cp, s)
	if strict == nil || bare == nil {
		return finding.Finding{}, false
	}
	f := finding.Finding{
		Code: "CP061", Severity: finding.Error, Clusters: finding.Distinct([]string{c.Context, in.Context}),
		Object: finding.In("service", s.Namespace, s.Name),
		Title:  "a pod without a proxy turns mutual TLS off for a headless Service, and other pods take nothing else",
		Evidence: []finding.Evidence{
			{Cluster: in.Context, Field: istio.WorkloadOf(bare).String() + ", pod " + bare.Name, Value: "it has no proxy"},
			{
				Cluster: c.Context, Field: istio.WorkloadOf(strict).String() + fmt.Sprintf(", mode of port %d", port),
				Value: a.Mode + ", by peerauthentication " + a.From,
			},
		},
		Effect: "sidecars send plain text to all pods of the Service: those that take mutual TLS alone reset the connection",
	}
	proxy := finding.Say("Give the pods without a proxy one in %s: label their namespace for injection, and restart them.", in.Context)
	if in.WantsSidecar(bare) {
		proxy = finding.Say("Restart the pods without a proxy: they get one when they are created again:")
		if command, ok := remedy.RestartWorkload(in.Context, istio.WorkloadOf(bare)); ok {
			proxy = proxy.By(command)
		} else {
			proxy = proxy.By(finding.Kubectl(in.Context, "-n", bare.Namespace, "delete", "pod/"+bare.Name))
		}
	}
	f.Fix = []finding.Step{proxy, finding.Say("Or let port %d take plain text as well, until they have one:", port).
		By(remedy.Apply(cp.Cluster.Context, map[string]any{
			"apiVersion": api.SecurityGroup + "/v1", "kind": "PeerAuthentication",
			"metadata": map[string]any{"name": s.Name + "-plain-text", "namespace": s.Namespace},
			"spec": map[string]any{
				"selector":      map[string]any{"matchLabels": s.Spec.Selector},
				"portLevelMtls": map[string]any{strconv.Itoa(port): map[string]any{"mode": api.MTLSPermissive}},
			},
		})).Otherwise()}
	return f, true
}

// withoutTLS is a ready pod of a Service for which no proxy answers, and the cluster that it is in, among
// all that a control plane watches; nil where there is none, or ztunnel takes what comes to some pod.
func withoutTLS(cp *model.ControlPlane, s *corev1.Service) (*model.Cluster, *facts.Pod) {
	var in *model.Cluster
	var bare *facts.Pod
	for _, c := range cp.WatchedClusters() {
		here := c.Service(s.Namespace, s.Name)
		if here == nil {
			continue
		}
		for _, pod := range c.SelectedPods(here) {
			switch {
			case !pod.IsReady():
			case c.IsAmbient(pod):
				return nil, nil
			case bare == nil && (!istio.HasProxy(pod) || pod.Labels[istio.LabelTLSMode] != "istio"):
				in, bare = c, pod
			}
		}
	}
	return in, bare
}

// editRule is the step that edits a DestinationRule, namespace/name.
func editRule(cp *model.ControlPlane, rule, say string) finding.Step {
	namespace, name, _ := strings.Cut(rule, "/")
	return finding.Say("%s", say).
		By(finding.Kubectl(cp.Cluster.Context, "-n", namespace, "edit", "destinationrules."+api.NetworkingGroup+"/"+name))
}
