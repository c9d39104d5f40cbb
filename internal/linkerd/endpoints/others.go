package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// matchLabels are what a selector wants by value; none where it wants something else too.
func matchLabels(s *metav1.LabelSelector) map[string]string {
	if s == nil || len(s.MatchExpressions) > 0 {
		return nil
	}
	return s.MatchLabels
}

// argoLabel is the label by which Argo CD knows its objects unless its ConfigMap says otherwise.
const argoLabel = "app.kubernetes.io/instance"

// prunedMirrors: the service mirror copies labels of the exported service, and with them the one by
// which Argo CD of the mirror's cluster takes an object for its own. It deletes what is in none of its
// manifests.
func prunedMirrors(p *pass) {
	for _, c := range model.Able(p) {
		for _, config := range resources.ArgoConfigs.Of(c.Cluster).Value {
			// Since Argo CD 3.0 the usual method goes by an annotation, which names the original.
			method := config.Data[resources.KeyArgoTracking]
			if method != "label" {
				continue
			}
			key := config.Data[resources.KeyArgoLabel]
			if key == "" {
				key = argoLabel
			}
			for _, l := range c.Links {
				prunedOf(p, c, l, key, config.Namespace)
			}
		}
	}
}

func prunedOf(p *pass, c *model.Cluster, l *model.Link, key, namespace string) {
	if slices.Contains(l.Spec.ExcludedLabels, key) {
		return
	}
	report := func(object finding.Object, value string, evidence finding.Evidence) {
		excluded := append(slices.Clone(l.Spec.ExcludedLabels), key)
		p.Gather(finding.Finding{
			Code: "EP122", Severity: finding.Error, Clusters: []string{c.Context}, Object: object,
			Title: fmt.Sprintf("Argo CD of %s deletes the mirror: it has the label of an Application", c.Context),
			Evidence: []finding.Evidence{
				evidence,
				{Field: "application " + namespace + "/" + value, Value: "prunes what is in none of its manifests"},
			},
			Effect: "the mirror comes and goes: it is deleted at each synchronization, and made again by the service mirror",
			Fix: []finding.Step{
				finding.Say("Let the Link leave the label out (Link v1alpha3, since 2.18):").By(finding.Kubectl(c.Context, "-n", l.Namespace, "patch",
					"links.multicluster.linkerd.io/"+l.Name, "--type=merge", "-p", `{"spec":{"excludedLabels":["`+strings.Join(excluded, `","`)+`"]}}`)),
				finding.Say("Or let Argo CD track by annotation: application.resourceTrackingMethod of ConfigMap %s/%s.", namespace,
					resources.ConfigMapArgo),
			},
		})
	}
	for _, m := range l.Mirrors {
		if value := m.Service.Labels[key]; value != "" && prunes(c, value) {
			report(m.Object(), value, finding.Evidence{Field: "label " + key, Value: value})
		}
	}
	if l.Target == nil || !p.Able(l.Target.Context) {
		return
	}
	for _, e := range l.Exports() {
		value := e.Labels[key]
		if _, there := l.Known(e); there || value == "" || !prunes(c, value) {
			continue
		}
		if condition := conditionOf(l, e); condition != nil && condition.Status == "True" {
			report(finding.In("service", e.Namespace, l.Mirror(e)), value, finding.Evidence{
				Cluster: l.Target.Context, Field: serviceObject(e.Service).String() + ", label " + key, Value: value,
			})
		}
	}
}

// prunes reports whether an Application of a name deletes what is in none of its manifests.
func prunes(c *model.Cluster, name string) bool {
	return slices.ContainsFunc(resources.Applications.Of(c.Cluster).Value, func(a api.Application) bool {
		return a.Name == name && a.Spec.SyncPolicy != nil && a.Spec.SyncPolicy.Automated != nil && a.Spec.SyncPolicy.Automated.Prune
	})
}

// loops: what comes in by a gateway is routed by the service's profile. Where that leads to a
// mirror, it goes to another gateway, which has the same identity as the first and refuses it.
func loops(p *pass) {
	for _, c := range model.Able(p) {
		for _, sp := range resources.ServiceProfiles.Of(c.Cluster).Value {
			service, namespace, ok := serviceOf(c, sp.Name)
			if !ok {
				continue
			}
			s := c.Service(namespace, service)
			if s == nil || !slices.ContainsFunc(c.Incoming, func(l *model.Link) bool { return slices.Contains(l.Modes(s), model.ByGateway) }) {
				continue
			}
			for _, o := range sp.Spec.DstOverrides {
				name, in, ok := serviceOf(c, strings.TrimSuffix(hostOf(o.Authority), "."))
				if !ok {
					continue
				}
				i := slices.IndexFunc(c.Mirrors, func(m *model.Mirror) bool {
					return m.Kind == model.Through && m.Service.Namespace == in && m.Service.Name == name
				})
				if i < 0 {
					continue
				}
				p.Gather(finding.Finding{
					Code: "EP121", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.In("serviceprofile", sp.Namespace, sp.Name),
					Title: "an exported service is split to a mirror of another cluster",
					Evidence: []finding.Evidence{
						{Field: "spec.dstOverrides", Value: o.Authority},
						{Field: "service " + in + "/" + name, Value: "mirror through the gateway of " + c.Mirrors[i].Target},
					},
					Effect: "requests of other clusters go through two gateways, and the second one refuses them: 508 Loop Detected",
					Fix: []finding.Step{finding.Say("Split under a name of its own that is not exported, with the service and the mirror behind it. " +
						"Then take the override out of the profile:").By(finding.Kubectl(c.Context, "-n", sp.Namespace, "edit",
						"serviceprofiles.linkerd.io/"+sp.Name))},
				})
			}
		}
		mirroredAgain(p, c)
	}
}

// mirroredAgain: a mirror that another cluster mirrors.
func mirroredAgain(p *pass, c *model.Cluster) {
	for _, m := range c.Mirrors {
		if m.Kind != model.Through {
			continue
		}
		for _, l := range c.Incoming {
			if !slices.Contains(l.Modes(m.Service), model.ByGateway) {
				continue
			}
			p.Gather(finding.Finding{
				Code: "EP121", Severity: finding.Error, Clusters: []string{c.Context}, Object: m.Object(),
				Title:    "a mirror is exported again",
				Evidence: []finding.Evidence{{Field: "label " + resources.LabelExported, Value: orNothing(m.Service.Labels[resources.LabelExported])}},
				Effect:   "requests of " + l.Source.Context + " go through two gateways, and the second one refuses them: 508 Loop Detected",
				Fix: []finding.Step{finding.Say("Take the label away, and mirror the service from its own cluster:").
					By(finding.Kubectl(c.Context, "-n", m.Service.Namespace, "label", "service/"+m.Service.Name, resources.LabelExported+"-"))},
			})
		}
	}
}

func hostOf(authority string) string {
	host, _, ok := strings.Cut(authority, ":")
	if !ok {
		return authority
	}
	return host
}

// serviceOf is the service of a name like cart.shop.svc.cluster.local.
func serviceOf(c *model.Cluster, host string) (service, namespace string, ok bool) {
	host = strings.TrimSuffix(host, ".")
	before, ok := strings.CutSuffix(host, ".svc."+c.Values.Domain())
	if !ok {
		return "", "", false
	}
	service, namespace, ok = strings.Cut(before, ".")
	return service, namespace, ok && !strings.Contains(namespace, ".")
}

// policies: what comes through the gateway has the gateway's identity, whoever the client is.
func policies(p *pass) {
	for _, c := range model.Able(p) {
		done := map[finding.Object]bool{}
		for _, l := range c.Incoming {
			g := l.Gateway()
			if !p.Able(l.Source.Context) || g == nil {
				continue
			}
			client, ok := g.AsClient()
			if !ok {
				continue
			}
			for _, e := range l.Exports() {
				if e.Mode == model.ByGateway {
					refused(p, c, l, e.Service, client, done)
				}
			}
		}
	}
}

// refused reports the Servers and policies of a service that do not admit the gateway, each once.
func refused(p *pass, c *model.Cluster, l *model.Link, s *corev1.Service, client model.Client, done map[finding.Object]bool) {
	for _, r := range refusals(c, s, client) {
		if done[r.object] {
			continue
		}
		done[r.object] = true
		if r.server == nil {
			p.Report(deniedByDefault(c, l, s, client, r))
			continue
		}
		p.Report(finding.Finding{
			Code: "EP123", Severity: finding.Error, Clusters: []string{c.Context}, Object: r.object,
			Title: fmt.Sprintf("the policy of %s does not admit the gateway", name(s)),
			Evidence: []finding.Evidence{
				{Field: "server " + r.server.Namespace + "/" + r.server.Name + ", policies", Value: orNothing(strings.Join(r.by, ", "))},
				{Field: "identity of the gateway", Value: client.Identity},
			},
			Effect: fmt.Sprintf("clients of %s in %s are refused: what comes through the gateway has its identity",
				l.Mirror(model.Export{Service: s, Mode: model.ByGateway}), l.Source.Context),
			Fix: admit(c, r.server, r.by, s, client),
		})
	}
}

// refusal is a Server of pods behind a service that does not admit a client; by are the names of
// its policies, and object is what to change. Without a Server the default policy of the pods denies everybody at some ports.
type refusal struct {
	server *api.Server
	by     []string
	object finding.Object
	ports  []int32
}

// deniedByDefault is what to say of pods that admit nobody at a port which no Server is about. The Server of the fix admits
// the gateway alone: others are denied as before.
func deniedByDefault(c *model.Cluster, l *model.Link, s *corev1.Service, client model.Client, r refusal) finding.Finding {
	identity := s.Name + "-gateway"
	ref := func(kind, name string) map[string]any {
		return map[string]any{"group": api.PolicyGroup, "kind": kind, "name": name}
	}
	object := func(version, kind, name string, spec map[string]any) any {
		return map[string]any{
			"apiVersion": api.PolicyGroup + "/" + version, "kind": kind,
			"metadata": map[string]any{"name": name, "namespace": s.Namespace}, "spec": spec,
		}
	}
	apply := []any{object("v1alpha1", "MeshTLSAuthentication", identity, map[string]any{"identities": []any{client.Identity}})}
	var ports []string
	for _, port := range r.ports {
		ports = append(ports, fmt.Sprint(port))
		server := fmt.Sprintf("%s-%d", s.Name, port)
		apply = append(apply,
			object(cmp.Or(resources.Servers.Served(c.Cluster), "v1beta3"), "Server", server, map[string]any{
				"podSelector": map[string]any{"matchLabels": s.Spec.Selector}, "port": port,
			}),
			object("v1alpha1", "AuthorizationPolicy", server+"-gateway", map[string]any{
				"targetRef":                  ref("Server", server),
				"requiredAuthenticationRefs": []any{ref("MeshTLSAuthentication", identity)},
			}))
	}
	return finding.Finding{
		Code: "EP123", Severity: finding.Error, Clusters: []string{c.Context}, Object: r.object,
		Title: fmt.Sprintf("the default policy of %s does not admit the gateway", name(s)),
		Evidence: []finding.Evidence{
			{Field: "default inbound policy of " + r.object.String(), Value: "deny"},
			{Field: "Servers of its port " + finding.List(ports), Value: "none"},
			{Field: "identity of the gateway", Value: client.Identity},
		},
		Effect: fmt.Sprintf("clients of %s in %s are refused, as all clients are",
			l.Mirror(model.Export{Service: s, Mode: model.ByGateway}), l.Source.Context),
		Fix: []finding.Step{finding.Say("Admit the gateway, which admits all clients of all clusters that are linked:").
			By(remedy.Apply(c.Context, apply...))},
	}
}

// refusals looks at the Servers of the pods behind a service. The names of the containers' ports are
// not read: where the Service leads to a number, they are taken to be those of the Service's ports.
func refusals(c *model.Cluster, s *corev1.Service, client model.Client) []refusal {
	var out []refusal
	seen := map[*facts.PodTemplate]bool{} // pods of one workload share theirs
	for _, pod := range c.Selected(s) {
		if seen[pod.PodTemplate] || !model.Meshed(pod) {
			continue
		}
		seen[pod.PodTemplate] = true
		var denied []int32
		for _, sp := range s.Spec.Ports {
			if number := numberOf(c, s, sp, pod); number != 0 && c.DeniesAll(s, number, sp.TargetPort.StrVal) {
				denied = append(denied, number)
				continue
			}
			for _, server := range c.ServersOf(pod, numberOf(c, s, sp, pod), cmp.Or(sp.TargetPort.StrVal, sp.Name)) {
				admission, by := c.Admits(server, client)
				if admission != model.Denied {
					continue
				}
				object := finding.In("server", server.Namespace, server.Name)
				if len(by) > 0 && isPolicy(c, server.Namespace, by[0]) {
					object = finding.In("authorizationpolicy", server.Namespace, by[0])
				}
				out = append(out, refusal{server: server, by: by, object: object})
			}
		}
		if len(denied) > 0 {
			out = append(out, refusal{object: model.WorkloadOf(pod), ports: denied})
		}
	}
	return out
}

func isPolicy(c *model.Cluster, namespace, name string) bool {
	return slices.ContainsFunc(resources.AuthorizationPolicies.Of(c.Cluster).Value, func(a api.AuthorizationPolicy) bool {
		return a.Namespace == namespace && a.Name == name
	})
}

// numberOf is the number of the pods' port that a port of a Service leads to; 0 where it is not
// known.
func numberOf(c *model.Cluster, s *corev1.Service, sp corev1.ServicePort, pod *facts.Pod) int32 {
	if sp.TargetPort.Type == intstr.Int && sp.TargetPort.IntVal != 0 {
		return sp.TargetPort.IntVal
	}
	if sp.TargetPort.Type == intstr.Int {
		return sp.Port
	}
	for _, slice := range c.Slices(s.Namespace, s.Name) {
		for _, e := range slice.Endpoints {
			if e.TargetRef == nil || e.TargetRef.Name != pod.Name {
				continue
			}
			for _, ep := range slice.Ports {
				if ep.Name != nil && *ep.Name == sp.Name && ep.Port != nil {
					return *ep.Port
				}
			}
		}
	}
	return 0
}

// admit are the ways to let the gateway in.
func admit(c *model.Cluster, server *api.Server, by []string, s *corev1.Service, client model.Client) []finding.Step {
	var out []finding.Step
	for _, a := range resources.AuthorizationPolicies.Of(c.Cluster).Value {
		if a.Namespace != server.Namespace || !slices.Contains(by, a.Name) || len(a.Spec.RequiredAuthenticationRefs) != 1 {
			continue
		}
		ref := a.Spec.RequiredAuthenticationRefs[0]
		namespace := ref.Namespace
		if namespace == "" {
			namespace = a.Namespace
		}
		all := resources.MeshTLSAuthentications.Of(c.Cluster).Value
		i := slices.IndexFunc(all, func(m api.MeshTLSAuthentication) bool {
			return ref.Kind == "MeshTLSAuthentication" && m.Namespace == namespace && m.Name == ref.Name
		})
		if i < 0 {
			continue
		}
		patch := `[{"op":"add","path":"/spec/identities/-","value":"` + client.Identity + `"}]`
		if len(all[i].Spec.Identities) == 0 {
			patch = `[{"op":"add","path":"/spec/identities","value":["` + client.Identity + `"]}]`
		}
		out = append(out, finding.Say("Admit the gateway, which admits all clients of all clusters that are linked:").
			By(finding.Kubectl(c.Context, "-n", namespace, "patch", "meshtlsauthentications.policy.linkerd.io/"+ref.Name, "--type=json", "-p",
				patch)))
		break
	}
	if out == nil {
		out = append(out, finding.Say("Admit the identity %s by an AuthorizationPolicy of Server %s/%s.", client.Identity, server.Namespace,
			server.Name))
	}
	return append(out, finding.Say("Where pods of the clusters reach one another, clients keep their own identities by remote discovery:").
		By(finding.Kubectl(c.Context, "-n", s.Namespace, "label", "service/"+s.Name, resources.LabelExported+"=remote-discovery",
			"--overwrite")).Otherwise())
}
