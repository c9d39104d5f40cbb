package controlplane

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// gatewayWorkload is a workload whose proxies are those of a gateway.
type gatewayWorkload struct {
	istio.WorkloadRef
	pods []*facts.Pod
}

func (g gatewayWorkload) object() finding.Object { return finding.In(g.Kind, g.Namespace, g.Name) }

// gatewayWorkloads are those of a cluster but for waypoints and gateways between networks, which have
// rules of their own. The injector gives sidecars alone the label that says how they take mutual TLS.
func gatewayWorkloads(c *model.Cluster) []gatewayWorkload {
	var out []gatewayWorkload
	for _, pod := range podsOf(c) {
		if !model.IsProxy(pod) || pod.Labels[istio.LabelTLSMode] != "" || model.IsWaypoint(pod) || c.IsGatewayPod(pod) {
			continue
		}
		w := istio.WorkloadOf(pod)
		i := slices.IndexFunc(out, func(g gatewayWorkload) bool { return g.WorkloadRef == w })
		if i < 0 {
			i, out = len(out), append(out, gatewayWorkload{WorkloadRef: w})
		}
		out[i].pods = append(out[i].pods, pod)
	}
	return out
}

// deadGateways: no pod of a gateway is ready, or a Gateway of the Gateway API is not programmed.
func deadGateways(p pass) {
	now := p.Model.Fleet.At
	for _, c := range clusters(p) {
		for _, g := range gatewayWorkloads(c) {
			if slices.ContainsFunc(
				g.pods,
				func(pod *facts.Pod) bool { return pod.Ready != corev1.ConditionFalse || now.Sub(pod.Created) < settled },
			) {
				continue
			}
			f := finding.Finding{
				Code: "CP065", Severity: finding.Error, Clusters: []string{c.Context}, Object: g.object(),
				Title:    "no pod of the gateway is ready",
				Evidence: []finding.Evidence{{Field: g.String() + ", pods", Value: fmt.Sprintf("%d, none of them ready", len(g.pods))}},
				Effect:   "whatever comes to the gateway is refused, or waits",
				CausedBy: model.Cause(p, c.Context, g.object(), "CP003", "CP033"),
				Fix: []finding.Step{finding.Say("See why they are not ready:").By(
					finding.Kubectl(c.Context, "-n", g.Namespace, "describe", "pod/"+g.pods[0].Name))},
			}
			if f.CausedBy == "" && slices.ContainsFunc(g.pods, func(pod *facts.Pod) bool { return c.ProxyIsUnready(pod) }) {
				f.CausedBy = model.Cause(p, c.Context, finding.Object{}, "CP040")
			}
			if f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
		notProgrammed(p, c)
	}
}

// notProgrammed finds Gateways of the Gateway API that istiod has not made, and says why. Those that
// no control plane takes, and those of networks, have rules of their own.
func notProgrammed(p pass, c *model.Cluster) {
	all := resources.KubernetesGateways.Of(c.Cluster).Value
	for i := range all {
		k := &all[i]
		condition := programmed(k)
		if k.Spec.GatewayClassName != api.ClassIstio || k.Labels[istio.LabelNetwork] != "" || condition == nil ||
			condition.Status != metav1.ConditionFalse || p.Model.Fleet.At.Sub(condition.LastTransitionTime.Time) < settled {
			continue
		}
		f := finding.Finding{
			Code:     "CP065",
			Severity: finding.Error,
			Clusters: []string{c.Context},
			Object:   model.GatewayObject(k),
			Title:    "istiod has not made the Gateway: " + orUnknown(condition.Reason),
			Evidence: []finding.Evidence{
				{Field: model.GatewayObject(k).String() + ", condition Programmed", Value: evidence.OrNone(line(condition.Message))},
			},
			Effect: "it takes no requests, or not all that it is meant for",
			Fix:    []finding.Step{finding.Say("Correct what the message names:").By(remedy.EditKubernetesGateway(c.Context, k))},
		}
		if strings.HasPrefix(condition.Reason, "Address") {
			f.Severity, f.Title = finding.Warning, "the Gateway has no address that it asks for"
			f.Effect = "clients from outside do not reach it by such an address"
			f.Fix = []finding.Step{
				finding.Say("See why its Service gets none: a load balancer that is pending, or that the cluster does not have:").By(
					finding.Kubectl(c.Context, "-n", k.Namespace, "describe", "services", "-l", istio.LabelGatewayName+"="+k.Name)),
			}
		}
		p.Report(f)
	}
}

func orUnknown(reason string) string {
	if reason == "" {
		return "no reason is given"
	}
	return line(reason)
}

// programmed is the condition of a Gateway that says whether istiod has made it; nil for none.
func programmed(k *api.KubernetesGateway) *metav1.Condition {
	for i := range k.Status.Conditions {
		if k.Status.Conditions[i].Type == "Programmed" {
			return &k.Status.Conditions[i]
		}
	}
	return nil
}

// user is what is to be reached through a waypoint: a Service, or all of a namespace.
type user struct {
	object    finding.Object
	labels    map[string]string
	namespace string
}

// waypointUsers are the Services and ambient namespaces of a cluster that name a waypoint, by its
// namespace and name.
func waypointUsers(c *model.Cluster) map[istio.ObjectName][]user {
	out := map[istio.ObjectName][]user{}
	add := func(u user) {
		name := u.labels[istio.LabelWaypoint]
		if name == "" || name == "none" {
			return
		}
		in := u.namespace
		if other := u.labels[model.LabelWaypointNamespace]; other != "" {
			in = other
		}
		key := istio.ObjectName{Namespace: in, Name: name}
		out[key] = append(out[key], u)
	}
	for _, ns := range namespacesOf(c) {
		if model.IsAmbientNamespace(ns) {
			add(user{finding.Named("namespace", ns.Name), ns.Labels, ns.Name})
		}
	}
	services := resources.Services.Of(c.Cluster).Value
	for i := range services {
		if s := &services[i]; model.IsAmbientNamespace(c.Namespace(s.Namespace)) {
			add(user{finding.In("service", s.Namespace, s.Name), s.Labels, s.Namespace})
		}
	}
	return out
}

// deadWaypoints: something is to be reached through a waypoint that is not there, not made, or without
// ready pods. Requests then go past it, and what it enforces is not
// (pilot/pkg/serviceregistry/ambient/waypoints.go, fetchWaypointForTarget).
func deadWaypoints(p pass) {
	now := p.Model.Fleet.At
	for _, c := range clusters(p) {
		for name, users := range waypointUsers(c) {
			object := finding.In("gateway", name.Namespace, name.Name)
			f := finding.Finding{
				Code: "CP053", Severity: finding.Warning, Clusters: []string{c.Context}, Object: object,
				Effect: "requests go past it: what it routes, retries and allows is not in effect",
			}
			at := slices.IndexFunc(resources.KubernetesGateways.Of(c.Cluster).Value, func(k api.KubernetesGateway) bool {
				return k.Namespace == name.Namespace && k.Name == name.Name
			})
			var k *api.KubernetesGateway
			if at >= 0 {
				k = &resources.KubernetesGateways.Of(c.Cluster).Value[at]
			}
			switch {
			case k == nil && c.Service(name.Namespace, name.Name) != nil:
				continue // what was read of it is not all
			case k == nil:
				f.Title = "the waypoint does not exist"
				f.Fix = []finding.Step{
					finding.Say("Create it:").By(
						finding.Shell("istioctl", "waypoint", "apply", "--context="+c.Context, "--namespace="+name.Namespace, "--name="+name.Name),
					),
				}
			case now.Sub(k.CreationTimestamp.Time) < settled:
				continue
			default:
				if !wrongWith(p, c, k, &f) {
					continue
				}
			}
			for i, u := range users {
				if i < mostShares {
					f.Evidence = append(
						f.Evidence,
						finding.Evidence{Field: u.object.String() + ", label " + istio.LabelWaypoint, Value: u.labels[istio.LabelWaypoint]},
					)
				}
			}
			if n := len(users) - mostShares; n > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "further Services and namespaces", Value: fmt.Sprint(n)})
			}
			if policy := enforcedBy(c, object, users); policy != "" {
				f.Severity = finding.Error
				f.Effect = "requests go past it: authorization policies that it is to enforce are not enforced"
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "authorizationpolicy", Value: policy})
			}
			p.Report(f)
		}
	}
}

// wrongWith says what is wrong with a waypoint that exists; false where nothing is.
func wrongWith(p pass, c *model.Cluster, k *api.KubernetesGateway, f *finding.Finding) bool {
	now := p.Model.Fleet.At
	condition := programmed(k)
	var pods []*facts.Pod
	for _, pod := range c.PodsIn(k.Namespace) {
		if model.Runs(pod) && pod.Labels[istio.LabelGatewayName] == k.Name {
			pods = append(pods, pod)
		}
	}
	f.Fix = []finding.Step{finding.Say("See what istiod says of it, and its pods:").By(
		remedy.KubernetesGateway(c.Context, k, "describe"),
		finding.Kubectl(c.Context, "-n", k.Namespace, "describe", "pods", "-l", istio.LabelGatewayName+"="+k.Name))}
	switch {
	case c.Unclaimed(k):
		f.Title = "no control plane takes the waypoint"
		f.CausedBy = model.Cause(p, c.Context, model.GatewayObject(k), "GW038")
		var revisions []string
		for _, i := range c.Installed() {
			revisions = append(revisions, i.Revision)
		}
		f.Evidence = []finding.Evidence{
			{Field: f.Object.String() + ", label " + istio.LabelRevision, Value: evidence.OrNone(k.Labels[istio.LabelRevision])},
			{Field: "revisions that are installed", Value: evidence.OrNone(strings.Join(finding.Distinct(revisions), ", "))},
		}
		label := []string{istio.LabelRevision + "=" + append(finding.Distinct(revisions), "REVISION")[0], "--overwrite"}
		if f.Fix = []finding.Step{finding.Say("Label it with the revision that is to make it:").By(
			remedy.KubernetesGateway(c.Context, k, "label", label...))}; f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		}
	case condition != nil && condition.Status == metav1.ConditionFalse && now.Sub(condition.LastTransitionTime.Time) >= settled:
		f.Title = "istiod has not made the waypoint: " + orUnknown(condition.Reason)
		f.Evidence = []finding.Evidence{
			{Field: f.Object.String() + ", condition Programmed", Value: evidence.OrNone(line(condition.Message))},
		}
	case len(pods) > 0 && !slices.ContainsFunc(pods, func(pod *facts.Pod) bool {
		return pod.Ready != corev1.ConditionFalse || now.Sub(pod.Created) < settled
	}):
		f.Title = "no pod of the waypoint is ready"
		f.Evidence = []finding.Evidence{{Field: "pods of the waypoint", Value: fmt.Sprintf("%d, none of them ready", len(pods))}}
	default:
		return false
	}
	return true
}

// enforcedBy is an authorization policy that a waypoint is to enforce; "" for none.
func enforcedBy(c *model.Cluster, waypoint finding.Object, users []user) string {
	for _, a := range resources.AuthorizationPolicies.Of(c.Cluster).Value {
		for _, ref := range a.Spec.TargetRefs {
			switch {
			case ref.Kind == "Gateway" && a.Namespace == waypoint.Namespace && ref.Name == waypoint.Name:
			case ref.Kind == "Service" && slices.ContainsFunc(users, func(u user) bool {
				return u.object == finding.In("service", a.Namespace, ref.Name) || u.object == finding.Named("namespace", a.Namespace)
			}):
			default:
				continue
			}
			return a.Namespace + "/" + a.Name
		}
	}
	return ""
}
