package istiotest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// Installed makes a healthy mesh of networks with all that an installation of Istio leaves in a
// cluster: the Service and the webhooks of istiod, and what Kubernetes says of its pods.
func Installed(names ...string) *Fleet {
	f := Networked(names...)
	for i, c := range f.Clusters {
		c.install(i)
	}
	return f
}

// InstalledAmbient is Installed for a mesh in ambient mode, whose pods are captured.
func InstalledAmbient(names ...string) *Fleet {
	f := Networked(names...)
	ambient(f)
	for i, c := range f.Clusters {
		for _, p := range c.Network.Pods {
			metav1.SetMetaDataAnnotation(&p.ObjectMeta, istio.AnnotationRedirection, "enabled")
		}
		c.install(i)
	}
	return f
}

// Also changes objects after what changes them already.
func (c *Cluster) Also(change func(runtime.Object)) {
	before := c.Change
	c.Change = func(o runtime.Object) {
		if before != nil {
			before(o)
		}
		change(o)
	}
}

// EachIstiod changes the Deployment of istiod and its pod.
func (c *Cluster) EachIstiod(change func(d *appsv1.Deployment, p *corev1.Pod)) {
	c.Also(func(o runtime.Object) {
		switch o := o.(type) {
		case *appsv1.Deployment:
			change(o, &corev1.Pod{})
		case *corev1.Pod:
			if o.Labels["app"] == "istiod" {
				change(&appsv1.Deployment{}, o)
			}
		}
	})
}

// add puts objects before the last one, which stays where it is.
func (n *Network) add(objects ...runtime.Object) {
	at := max(len(n.More)-1, 0)
	n.More = append(append(n.More[:at:at], objects...), n.More[at:]...)
}

func (c *Cluster) install(at int) {
	address := fmt.Sprintf("10.%d.0.220", at)
	for _, p := range c.Network.allPods() {
		started := p.CreationTimestamp
		p.Status.StartTime = &started
		p.Status.Conditions[0].LastTransitionTime = started
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: p.Spec.Containers[0].Name, Image: p.Spec.Containers[0].Image, Ready: true, Started: ptr(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
		}}
	}
	for i, n := range c.Network.Nodes {
		n.Status.NodeInfo.KubeletVersion, n.Status.NodeInfo.OperatingSystem = "v1.34.1", "linux"
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: n.Name}}
		lease.Spec.RenewTime = ptr(metav1.NewMicroTime(Now.Add(-time.Duration(2+3*i+at) * time.Second)))
		c.Network.add(lease)
	}
	name := c.istiodName()
	service := &corev1.Service{ObjectMeta: meta(System, name, map[string]string{"app": "istiod", "istio.io/rev": "default"})}
	service.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, ClusterIP: fmt.Sprintf("10.%d.254.1", 100+at), Selector: map[string]string{"app": "istiod"},
		Ports: []corev1.ServicePort{
			{Name: "https-dns", Port: 15012, TargetPort: intstr.FromInt32(15012), Protocol: corev1.ProtocolTCP},
			{Name: "https-webhook", Port: 443, TargetPort: intstr.FromInt32(15017), Protocol: corev1.ProtocolTCP},
		},
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  meta(System, name+"-2kq7x", map[string]string{discoveryv1.LabelServiceName: name, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"}),
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr("https-webhook"), Port: ptr(int32(15017)), Protocol: ptr(corev1.ProtocolTCP)}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: System, Name: name + "-0"},
		}},
	}
	c.Network.add(service, slice, c.Injector("", name), c.validator("istio-validator-"+System, true), c.validator("istiod-default-validator", false),
		&kubernetes.ServerVersion{GitVersion: "v1.34.1"})
	c.EachIstiod(func(d *appsv1.Deployment, p *corev1.Pod) {
		if d.Spec.Replicas == nil {
			d.Spec.Replicas = ptr(int32(1))
		}
		d.Status = appsv1.DeploymentStatus{Replicas: 1, ReadyReplicas: 1, UpdatedReplicas: 1, Conditions: []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(Now.Add(-48 * time.Hour)),
		}}}
		p.Status.PodIP, p.Status.PodIPs = address, []corev1.PodIP{{IP: address}}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	})
}

// allPods are those of workloads and gateways, and the others.
func (n *Network) allPods() []*corev1.Pod {
	out := append(append([]*corev1.Pod{}, n.GatewayPods...), n.Pods...)
	for _, o := range n.More {
		if p, ok := o.(*corev1.Pod); ok {
			out = append(out, p)
		}
	}
	return out
}

// Injector is the webhook of a revision that calls a Service of istiod, as Istio's chart makes it; ""
// for the default revision.
func (c *Cluster) Injector(revision, service string) *admissionv1.MutatingWebhookConfiguration {
	name, label := "istio-sidecar-injector", istio.DefaultRevision
	if revision != "" {
		name, label = name+"-"+revision, revision
	}
	expression := func(key string, operator metav1.LabelSelectorOperator, values ...string) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: key, Operator: operator, Values: values}
	}
	const in, notIn, none = metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpDoesNotExist
	hook := func(prefix string, namespaces, pods []metav1.LabelSelectorRequirement) admissionv1.MutatingWebhook {
		return admissionv1.MutatingWebhook{
			Name: prefix + "sidecar-injector.istio.io", FailurePolicy: ptr(admissionv1.Fail), SideEffects: ptr(admissionv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			ClientConfig: admissionv1.WebhookClientConfig{CABundle: []byte(c.Published), Service: &admissionv1.ServiceReference{
				Namespace: System, Name: service, Path: ptr("/inject"), Port: ptr(int32(443)),
			}},
			Rules: []admissionv1.RuleWithOperations{{Operations: []admissionv1.OperationType{admissionv1.Create}, Rule: admissionv1.Rule{
				APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"},
			}}},
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: namespaces}, ObjectSelector: &metav1.LabelSelector{MatchExpressions: pods},
		}
	}
	wanted := expression(istio.InjectKey, notIn, "false")
	w := &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: meta("", name, map[string]string{"app": "sidecar-injector", istio.LabelRevision: label}),
		Webhooks: []admissionv1.MutatingWebhook{
			hook("rev.namespace.", []metav1.LabelSelectorRequirement{expression(istio.LabelRevision, in, label), expression("istio-injection", none)},
				[]metav1.LabelSelectorRequirement{wanted}),
			hook("rev.object.", []metav1.LabelSelectorRequirement{expression(istio.LabelRevision, none), expression("istio-injection", none)},
				[]metav1.LabelSelectorRequirement{wanted, expression(istio.LabelRevision, in, label)}),
		},
	}
	if revision == "" {
		w.Webhooks = append(w.Webhooks,
			hook("namespace.", []metav1.LabelSelectorRequirement{expression("istio-injection", in, "enabled")}, []metav1.LabelSelectorRequirement{wanted}),
			hook("object.", []metav1.LabelSelectorRequirement{expression("istio-injection", none), expression(istio.LabelRevision, none)},
				[]metav1.LabelSelectorRequirement{expression(istio.InjectKey, in, "true"), expression(istio.LabelRevision, none)}))
	}
	return w
}

// validator is a validating webhook of istiod, closed by it; of one revision, or of all objects.
func (c *Cluster) validator(name string, ofRevision bool) *admissionv1.ValidatingWebhookConfiguration {
	w := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: meta("", name, map[string]string{"app": "istiod", "istio": "istiod", istio.LabelRevision: istio.DefaultRevision})}
	written := metav1.NewTime(Now.Add(-48 * time.Hour))
	w.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "helm", Operation: metav1.ManagedFieldsOperationUpdate, Time: ptr(metav1.NewTime(Now.Add(-72 * time.Hour)))},
		{Manager: "pilot-discovery", Operation: metav1.ManagedFieldsOperationUpdate, Time: &written},
	}
	hook := admissionv1.ValidatingWebhook{
		Name: "validation.istio.io", FailurePolicy: ptr(admissionv1.Fail), SideEffects: ptr(admissionv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		ClientConfig: admissionv1.WebhookClientConfig{CABundle: []byte(c.Published), Service: &admissionv1.ServiceReference{
			Namespace: System, Name: c.istiodName(), Path: ptr("/validate"),
		}},
		Rules: []admissionv1.RuleWithOperations{{
			Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
			Rule: admissionv1.Rule{
				APIGroups: []string{"security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"}, APIVersions: []string{"*"}, Resources: []string{"*"},
			},
		}},
	}
	if ofRevision {
		hook.Name = "rev." + hook.Name
		hook.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key: istio.LabelRevision, Operator: metav1.LabelSelectorOpIn, Values: []string{istio.DefaultRevision},
		}}}
	}
	w.Webhooks = []admissionv1.ValidatingWebhook{hook}
	return w
}

// Webhook is the configuration of a name that injects; nil for none.
func (c *Cluster) Webhook(name string) *admissionv1.MutatingWebhookConfiguration {
	for _, o := range c.Network.More {
		if w, ok := o.(*admissionv1.MutatingWebhookConfiguration); ok && w.Name == name {
			return w
		}
	}
	return nil
}

// Validator is the configuration of a name that validates; nil for none.
func (c *Cluster) Validator(name string) *admissionv1.ValidatingWebhookConfiguration {
	for _, o := range c.Network.More {
		if w, ok := o.(*admissionv1.ValidatingWebhookConfiguration); ok && w.Name == name {
			return w
		}
	}
	return nil
}

// Clock sets the clock of a node.
func (c *Cluster) Clock(node string, off time.Duration) {
	for _, o := range c.Network.More {
		if l, ok := o.(*coordinationv1.Lease); ok && l.Name == node {
			l.Spec.RenewTime = ptr(metav1.NewMicroTime(Now.Add(off)))
		}
	}
}

// Refused is the event that says that the API server refuses the pods of a workload of namespace
// sample.
func Refused(workload, message string) *corev1.Event {
	e := &corev1.Event{ObjectMeta: meta("sample", workload+".17f0", nil), Type: corev1.EventTypeWarning, Reason: "FailedCreate", Message: message, Count: 14}
	e.CreationTimestamp, e.LastTimestamp = metav1.NewTime(Now.Add(-40*time.Minute)), metav1.NewTime(Now.Add(-3*time.Minute))
	e.InvolvedObject = corev1.ObjectReference{Kind: "ReplicaSet", Namespace: "sample", Name: workload + "-7d9f8b6c5d"}
	return e
}

// Connected are the answers of the control planes of a fleet to which all proxies are connected: each to
// a replica of its revision in its cluster, or to one of the first cluster.
func Connected(f *facts.Fleet, change func(context string, p *facts.ConnectedProxy)) facts.Seen {
	seen := facts.Seen{Istiods: map[string]facts.Read[[]facts.IstiodView]{}}
	revisions := map[string][]string{}
	first := ""
	for i := range f.Clusters {
		c := &f.Clusters[i]
		if len(istio.Istiods(c)) == 0 {
			continue
		}
		if first == "" {
			first = c.Context
		}
		clusters := facts.Read[[]facts.ClusterState]{State: facts.OK, Value: []facts.ClusterState{{ID: istio.ClusterID(c), Status: "synced"}}}
		for _, s := range resources.RemoteSecrets.Of(c).Value {
			clusters.Value = append(clusters.Value, facts.ClusterState{ID: s.ClusterID, Secret: s.Namespace + "/" + s.Name, Status: "synced"})
		}
		views := facts.Read[[]facts.IstiodView]{State: facts.OK}
		for _, p := range resources.IstiodPods.Of(c).Value {
			if p.Phase != corev1.PodRunning {
				continue
			}
			views.Value = append(views.Value, facts.IstiodView{
				Pod: p.Name, Clusters: clusters, Shards: facts.Read[map[string]facts.Addresses]{State: facts.Failed, Reason: "not asked"},
				Proxies: facts.Read[[]facts.ConnectedProxy]{State: facts.OK},
			})
			revisions[c.Context] = append(revisions[c.Context], p.Labels[istio.LabelRevision])
		}
		seen.Istiods[c.Context] = views
	}
	for i := range f.Clusters {
		c := &f.Clusters[i]
		to := c.Context
		if _, primary := seen.Istiods[to]; !primary {
			to = first
		}
		views := seen.Istiods[to].Value
		for _, p := range podsOf(c) {
			if !istio.HasEnvoy(p) || len(views) == 0 {
				continue
			}
			_, version, _ := strings.Cut(p.Container(istio.ProxyContainer).Image, ":")
			connected := facts.ConnectedProxy{Cluster: istio.ClusterID(c), Namespace: p.Namespace, Pod: p.Name, Version: version}
			if change != nil {
				change(c.Context, &connected)
			}
			if connected.Pod == "" {
				continue // to no istiod
			}
			at := max(slices.Index(revisions[to], p.Labels[istio.LabelRevision]), 0)
			views[at].Proxies.Value = append(views[at].Proxies.Value, connected)
		}
	}
	return seen
}

func podsOf(c *facts.Cluster) []*facts.Pod {
	var out []*facts.Pod
	pods := kubernetes.Pods.Of(c).Value
	for i := range pods {
		out = append(out, &pods[i])
	}
	return out
}

// runtimeObject is any object.
type runtimeObject = runtime.Object

// systemSlice is an object that is an EndpointSlice of the system namespace; nil for another.
func (c *Cluster) systemSlice(o runtime.Object) *discoveryv1.EndpointSlice {
	if s, ok := o.(*discoveryv1.EndpointSlice); ok && s.Namespace == System {
		return s
	}
	return nil
}

// systemSliceOf has the endpoints of a Service of the system namespace.
func (c *Cluster) systemSliceOf(service string) *discoveryv1.EndpointSlice {
	for _, o := range c.Network.More {
		if s := c.systemSlice(o); s != nil && s.Labels[discoveryv1.LabelServiceName] == service {
			return s
		}
	}
	return nil
}
