package model

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
)

// Refusal is that the API server refuses the pods of a workload, by the last event of it.
type Refusal struct {
	Of    istio.WorkloadRef
	Cause RefusalCause
	// Message is what the API server says, and At when it last did.
	Message string
	At      time.Time
}

// RefusalCause is why the API server refuses pods.
type RefusalCause string

// The causes. Those of the injection webhook are the mesh's own.
const (
	RefusedOther         RefusalCause = ""
	SecurityContext      RefusalCause = "security context constraints" // of OpenShift
	PodSecurity          RefusalCause = "pod security"
	Quota                RefusalCause = "quota"
	NoServiceAccount     RefusalCause = "service account missing"
	SpoiledSidecar       RefusalCause = "native sidecar spoiled" // by a webhook that drops restartPolicy
	WebhookUntrusted     RefusalCause = "webhook not trusted"
	WebhookTimeout       RefusalCause = "webhook timeout"
	WebhookUnreachable   RefusalCause = "webhook not reachable"
	WebhookWithoutTarget RefusalCause = "webhook without service"
	WebhookOther         RefusalCause = "webhook"
)

// ByWebhook reports whether it is the injection webhook that fails.
func (c RefusalCause) ByWebhook() bool {
	return slices.Contains([]RefusalCause{WebhookUntrusted, WebhookTimeout, WebhookUnreachable, WebhookWithoutTarget, WebhookOther}, c)
}

// calledService is the Service in the address at which the API server called a webhook.
var calledService = pattern.Of(`https://([a-z0-9-]+)\.([a-z0-9-]+)\.svc[.:/]`)

// Called is the Service that the API server called, where its message names one.
func (r Refusal) Called() (istio.ObjectName, bool) {
	m := calledService().FindStringSubmatch(r.Message)
	if m == nil {
		return istio.ObjectName{}, false
	}
	return istio.ObjectName{Namespace: m[2], Name: m[1]}, true
}

// Abandoned reports whether a Service of the cluster selects pods, and there is none, nor an installation of
// istiod that has its name: what selects other pods by mistake is not abandoned.
func (c *Cluster) Abandoned(name istio.ObjectName) bool {
	s := c.Service(name.Namespace, name.Name)
	if s == nil || len(s.Spec.Selector) == 0 || len(c.SelectedPods(s)) > 0 {
		return false
	}
	return !slices.ContainsFunc(c.Installations(), func(i Installation) bool {
		return i.Istiod.Namespace == name.Namespace && ServiceOf(i.Istiod.Revision) == name.Name
	})
}

// CallsNobody reports whether the API server called a Service of the cluster behind which no
// control plane is: one that an installation left over.
func (c *Cluster) CallsNobody(r Refusal) bool {
	name, ok := r.Called()
	return ok && c.Abandoned(name)
}

// refusedFor is how long an event of a refusal says how things are: the controllers of
// workloads try again within less than 17 minutes.
const refusedFor = 20 * time.Minute

// Refusals are the workloads of which the API server lets no pod be made: there is a recent
// event of it, and no pod. Of each there is one.
func (c *Cluster) Refusals() []Refusal {
	var out []Refusal
	for _, e := range resources.GatewayEvents.Of(c.Cluster).Value {
		if e.Reason != resources.FailedCreate || !c.isLasting(e) {
			continue
		}
		owner := facts.Owner{Kind: e.InvolvedObject.Kind, Name: e.InvolvedObject.Name}
		if slices.ContainsFunc(resources.Pods.Of(c.Cluster).Value, func(p facts.Pod) bool {
			return p.Namespace == e.InvolvedObject.Namespace && p.Owner == owner
		}) {
			continue
		}
		r := Refusal{
			Of:      workloadOfOwner(e.InvolvedObject.Namespace, owner),
			Cause:   causeOf(e.Message),
			Message: e.Message,
			At:      e.LastTimestamp.Time,
		}
		switch at := slices.IndexFunc(out, func(o Refusal) bool { return o.Of == r.Of }); {
		case at < 0:
			out = append(out, r)
		case out[at].At.Before(r.At):
			out[at] = r
		}
	}
	return out
}

// Refusing are the workloads of which the API server refuses new pods as things stand, be there
// older ones or not: an event says so that is neither a moment's nor an old one, and no pod of the
// workload was made since. Of each there is the last.
func (c *Cluster) Refusing() []Refusal {
	made := map[istio.WorkloadRef]time.Time{}
	pods := resources.Pods.Of(c.Cluster).Value
	for i := range pods {
		w := istio.WorkloadOf(&pods[i])
		if pods[i].Created.After(made[w]) {
			made[w] = pods[i].Created
		}
	}
	var out []Refusal
	for _, e := range resources.RefusedPods.Of(c.Cluster).Value {
		if !c.isLasting(e) {
			continue
		}
		last := e.LastTimestamp.Time
		r := Refusal{
			Of:    workloadOfOwner(e.InvolvedObject.Namespace, facts.Owner{Kind: e.InvolvedObject.Kind, Name: e.InvolvedObject.Name}),
			Cause: causeOf(e.Message), Message: e.Message, At: last,
		}
		if made[r.Of].After(last) {
			continue
		}
		switch at := slices.IndexFunc(out, func(o Refusal) bool { return o.Of == r.Of }); {
		case at < 0:
			out = append(out, r)
		case out[at].At.Before(r.At):
			out[at] = r
		}
	}
	slices.SortFunc(out, func(a, b Refusal) int { return strings.Compare(a.Of.String(), b.Of.String()) })
	return out
}

// isLasting reports whether an event of a refusal is neither a moment's nor an old one.
func (c *Cluster) isLasting(e corev1.Event) bool {
	since, last := c.mesh.Fleet.At.Sub(e.CreationTimestamp.Time), c.mesh.Fleet.At.Sub(e.LastTimestamp.Time)
	return last <= refusedFor && (since >= settledAfter || last >= settledAfter)
}

// settledAfter is how old what is wrong has to be: a mesh is always rolling something.
const settledAfter = 2 * time.Minute

// NamesProxy reports whether the API server's message is about the containers that the injector adds.
func (r Refusal) NamesProxy() bool {
	return slices.ContainsFunc([]string{istio.ProxyContainer, istio.ProxyInitContainer, istio.ValidateContainer}, func(name string) bool {
		return strings.Contains(r.Message, name)
	})
}

// workloadOfOwner is the workload of which an owner makes the pods: a ReplicaSet has the
// name of its Deployment, and a hash.
func workloadOfOwner(namespace string, owner facts.Owner) istio.WorkloadRef {
	p := facts.Pod{PodTemplate: &facts.PodTemplate{Owner: owner}, Namespace: namespace}
	if at := strings.LastIndex(owner.Name, "-"); owner.Kind == "ReplicaSet" && at > 0 {
		p.Labels = map[string]string{"pod-template-hash": owner.Name[at+1:]}
	}
	return istio.WorkloadOf(&p)
}

// causeOf is the cause in what the API server and its admission plugins say. Their messages
// are the only place where they say it; one that is not known is RefusedOther
// (k8s.io/apiserver/pkg/admission/plugin/webhook/mutating; kubernetes/plugin/pkg/admission,
// resourcequota and serviceaccount; k8s.io/pod-security-admission).
func causeOf(message string) RefusalCause {
	has := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(message, t) })
	}
	webhook := has("failed calling webhook") && has("sidecar-injector.istio.io", "/inject")
	switch {
	case webhook && has("x509:", "certificate"):
		return WebhookUntrusted
	case webhook && has("deadline exceeded", "i/o timeout", "Client.Timeout", "request canceled"):
		return WebhookTimeout
	case webhook && has("connection refused", "no endpoints available", "no route to host"):
		return WebhookUnreachable
	case webhook && has("not found"):
		return WebhookWithoutTarget
	case webhook:
		return WebhookOther
	case has("without restartPolicy=Always"):
		return SpoiledSidecar
	case has("security context constraint"):
		return SecurityContext
	case has("violates PodSecurity"):
		return PodSecurity
	case has("exceeded quota", "failed quota"):
		return Quota
	case has("error looking up service account"):
		return NoServiceAccount
	}
	return RefusedOther
}

// Refused is why the API server lets no pod of the gateway be made; false where it does, or
// it is not known. It goes by the names of the workload and the Service, as the labels of
// pods that do not exist are not known.
func (g *Gateway) Refused() (Refusal, bool) {
	if len(g.Pods) > 0 {
		return Refusal{}, false
	}
	selector := g.Service.Spec.Selector
	names := []string{
		g.Service.Name, selector["app"], selector["istio"], selector["app.kubernetes.io/name"], selector[istio.LabelGatewayName],
	}
	for _, r := range g.Cluster.Refusals() {
		if r.Of.Namespace == g.Service.Namespace && slices.Contains(names, r.Of.Name) {
			return r, true
		}
	}
	return Refusal{}, false
}

// Object names the workload.
func (r Refusal) Object() finding.Object { return finding.In(r.Of.Kind, r.Of.Namespace, r.Of.Name) }
