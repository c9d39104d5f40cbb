package istiotest

import (
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// ControlPlaneCase is a fleet, and what its control planes answer: Answer changes what the one of a
// cluster says of a proxy; nil for that all is well.
type ControlPlaneCase struct {
	Case
	Answer func(context string, p *facts.ConnectedProxy)
	// Later changes what control planes answer at the second look; nil for that they say the same.
	Later func(l *facts.Later)
	// Read changes what was read of the fleet; nil for nothing.
	Read func(f *facts.Fleet)
}

// Make makes the fleet's facts, and the answers. What is refused is refused twice.
func (c ControlPlaneCase) Make() (*facts.Fleet, facts.Seen) {
	f := c.Fleet().Facts()
	for i := range f.Clusters { // no gateway is without pods, so that these events are not asked for
		resources.GatewayEvents.SetState(&f.Clusters[i], facts.NotAsked, "")
	}
	if c.Read != nil {
		c.Read(f)
	}
	seen := Connected(f, c.Answer)
	seen.Again = &facts.Later{Istiods: seen.Istiods, Pods: map[string]map[string]bool{}}
	if c.Later != nil {
		c.Later(seen.Again)
	}
	return f, seen
}

// installed is a healthy cluster as an installation leaves it, with something done to it.
func installed(do func(c *Cluster)) func() *Fleet {
	return func() *Fleet {
		f := Installed("east")
		do(f.Clusters[0])
		return f
	}
}

func installedAmbient(do func(c *Cluster)) func() *Fleet {
	return func() *Fleet {
		f := InstalledAmbient("east")
		do(f.Clusters[0])
		return f
	}
}

func cp(name string, fleet func() *Fleet, want ...string) ControlPlaneCase {
	return ControlPlaneCase{Case: Case{Name: name, Fleet: fleet, Want: want}}
}

func ago(d time.Duration) metav1.Time { return metav1.NewTime(Now.Add(-d)) }

// down takes istiod's pods out of its Services.
func (c *Cluster) down() {
	for _, o := range c.Network.More {
		if s := c.systemSlice(o); s != nil {
			s.Endpoints[0].Conditions.Ready = ptr(false)
		}
	}
	c.EachIstiod(func(d *appsv1.Deployment, p *corev1.Pod) {
		d.Status.ReadyReplicas = 0
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, LastTransitionTime: ago(20 * time.Minute)}}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		if len(p.Status.ContainerStatuses) > 0 {
			p.Status.ContainerStatuses[0].Ready = false
		}
	})
}

// istiodStatus changes what the kubelet says of istiod's container.
func (c *Cluster) istiodStatus(change func(*corev1.ContainerStatus)) {
	c.EachIstiod(func(_ *appsv1.Deployment, p *corev1.Pod) {
		if len(p.Status.ContainerStatuses) > 0 {
			change(&p.Status.ContainerStatuses[0])
		}
	})
}

func exit(code int32, reason string, at time.Duration) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, StartedAt: ago(at + time.Hour), FinishedAt: ago(at)}
}

// eachProxy changes the pods of workload httpbin of namespace sample, and the state of their proxies.
func (c *Cluster) eachProxy(change func(*corev1.Pod, *corev1.ContainerStatus)) {
	for _, p := range c.Network.Pods {
		if p.Labels["app"] == "httpbin" {
			change(p, &p.Status.ContainerStatuses[0])
		}
	}
}

// bare takes the proxy away from the pods of workload httpbin.
func (c *Cluster) bare() {
	c.eachProxy(func(p *corev1.Pod, s *corev1.ContainerStatus) {
		inject(p, "")
		delete(p.Labels, istio.LabelTLSMode)
		p.Spec.Containers[0].Name, s.Name = "app", "app"
	})
}

func unready(p *corev1.Pod, s *corev1.ContainerStatus) {
	s.Ready = false
	p.Status.Conditions[0].Status = corev1.ConditionFalse
}

// ingressPod gives the cluster an ingress gateway, as Istio's chart makes it.
func (c *Cluster) ingressPod() *corev1.Pod {
	const label = "ingress"
	p := c.pod(System, "istio-"+label, 0, "10.0.0.150", map[string]string{"app": "istio-" + label, "istio": label})
	p.Status.StartTime = &p.CreationTimestamp
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: istio.ProxyContainer, Image: p.Spec.Containers[0].Image, Ready: true,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: p.CreationTimestamp}},
	}}
	c.Network.add(p)
	return p
}

// listens gives the cluster a Gateway for an ingress gateway, and a VirtualService that uses it.
func (c *Cluster) listens(selector, gateway string) {
	c.Network.add(
		&api.Gateway{ObjectMeta: inSample("shop"), Spec: api.GatewaySpec{
			Selector: map[string]string{"istio": selector},
			Servers:  []api.Server{{Port: &api.ServerPort{Number: 80, Name: "http", Protocol: "HTTP"}, Hosts: []string{"shop.example.com"}}},
		}},
		&api.VirtualService{ObjectMeta: inSample("shop"), Spec: api.VirtualServiceSpec{
			Hosts: []string{"shop.example.com"}, Gateways: []string{gateway},
			HTTP: []api.Route{{Route: []api.RouteDestination{{Destination: &api.RouteTarget{Host: "helloworld"}}}}},
		}})
}

// admits gives the cluster a webhook of another product, behind the pods of workload httpbin.
func (c *Cluster) admits(policy admissionv1.FailurePolicyType) {
	const workload = "httpbin"
	c.Serve(workload)
	s := c.Service(workload)
	s.Spec.Ports[0].Port, s.Spec.Ports[0].Name = 443, ""
	c.Slice(workload).Ports[0].Name = ptr("")
	c.Network.add(&admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: meta("", "policies.example.com", nil),
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "policies.example.com", FailurePolicy: &policy, SideEffects: ptr(admissionv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
			ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "sample", Name: workload}},
			Rules: []admissionv1.RuleWithOperations{{Operations: []admissionv1.OperationType{admissionv1.Create}, Rule: admissionv1.Rule{
				APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"},
			}}},
		}},
	})
}

func ingressOnly(ports ...int32) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: inSample("helloworld")}
	p.Spec.PodSelector = metav1.LabelSelector{MatchLabels: map[string]string{"app": "helloworld"}}
	p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	if len(ports) > 0 {
		rule := networkingv1.NetworkPolicyIngressRule{}
		for _, port := range ports {
			rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{Protocol: ptr(corev1.ProtocolTCP), Port: ptr(intstr.FromInt32(port))})
		}
		p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{rule}
	}
	return p
}

// cni gives each node of the cluster a pod of the CNI plugin, and each ztunnel its release.
func (c *Cluster) cni(tag string) {
	for i := range c.Network.Nodes {
		p := c.pod(System, "istio-cni-node", i, ip(c.Network.Pods[i].Status.PodIP)+"1", map[string]string{"k8s-app": "istio-cni-node"})
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "istio-cni-node", UID: "0", Controller: ptr(true)}}
		p.Spec.Containers[0].Name, p.Spec.Containers[0].Image = "install-cni", "registry.example/istio/install-cni:"+tag
		c.Network.add(p)
	}
}

// named makes east's workloads ask for a revision that has a name.
func (c *Cluster) named(injection map[string]string) {
	c.Network.Drop(c.Webhook("istio-sidecar-injector"))
	c.Network.add(c.Injector("1-29-1", "istiod"))
	c.Namespaces["sample"] = injection
}

// canaryService is one more Service of istiod.
func canaryService() *corev1.Service {
	return &corev1.Service{ObjectMeta: meta(System, "istiod-canary", map[string]string{"app": "istiod"}), Spec: corev1.ServiceSpec{
		ClusterIP: "10.100.254.9", Selector: map[string]string{"app": "istiod"},
	}}
}

func waypointGateway(status metav1.ConditionStatus, reason string) *api.KubernetesGateway {
	return &api.KubernetesGateway{
		ObjectMeta: meta("sample", "waypoint", nil),
		Spec:       api.KubernetesGatewaySpec{GatewayClassName: api.ClassWaypoint, Listeners: []api.Listener{{Name: "mesh", Port: istio.HBONEPort, Protocol: "HBONE"}}},
		Status: api.KubernetesGatewayStatus{Conditions: []metav1.Condition{{
			Type: "Programmed", Status: status, Reason: reason, Message: "why", LastTransitionTime: ago(time.Hour),
		}}},
	}
}

const timedOut = `Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": failed to call webhook: ` +
	`Post "https://istiod.istio-system.svc:443/inject?timeout=10s": context deadline exceeded`

// ControlPlaneFaults are healthy clusters with one thing wrong.
var ControlPlaneFaults = slices.Concat(istiodFaults, webhookFaults, injectionFaults, proxyFaults, trafficFaults, definitionFaults)

var istiodFaults = []ControlPlaneCase{
	cp("istiod is scaled to 0", installed(func(c *Cluster) {
		c.down()
		c.EachIstiod(func(d *appsv1.Deployment, p *corev1.Pod) {
			d.Spec.Replicas, p.Status.Phase = ptr(int32(0)), corev1.PodSucceeded
		})
	}), "CP001 error east", "CP022 error east < CP001", "CP022 error east < CP001"),
	cp("istiod's image is not there", installed(func(c *Cluster) {
		c.down()
		c.istiodStatus(func(s *corev1.ContainerStatus) {
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}
		})
	}), "CP001 error east", "CP022 error east < CP001", "CP022 error east < CP001"),
	cp("no node takes istiod", installed(func(c *Cluster) {
		c.down()
		c.EachIstiod(func(_ *appsv1.Deployment, p *corev1.Pod) {
			p.Status.Phase, p.Status.ContainerStatuses = corev1.PodPending, nil
			p.Status.Conditions = []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/2 nodes are available: 2 Insufficient memory.",
				LastTransitionTime: ago(10 * time.Minute),
			}, {Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		})
	}), "CP001 error east < CP003", "CP003 error east", "CP022 error east < CP001", "CP022 error east < CP001"),
	cp("istiod runs out of memory", installed(func(c *Cluster) {
		c.down()
		c.EachIstiod(func(d *appsv1.Deployment, _ *corev1.Pod) {
			for i := range d.Spec.Template.Spec.Containers {
				d.Spec.Template.Spec.Containers[i].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}
			}
		})
		c.istiodStatus(func(s *corev1.ContainerStatus) {
			s.RestartCount = 57
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
			s.LastTerminationState.Terminated = exit(137, "OOMKilled", 3*time.Minute)
		})
	}), "CP001 error east < CP002", "CP002 error east", "CP022 error east < CP001", "CP022 error east < CP001"),
	cp("istiod was restarted once", installed(func(c *Cluster) {
		c.istiodStatus(func(s *corev1.ContainerStatus) {
			s.RestartCount, s.LastTerminationState.Terminated = 1, exit(1, "Error", 5*time.Hour)
		})
	}), "CP002 warning east"),
	cp("istiod does not get ready", installed(func(c *Cluster) {
		c.down()
		c.istiodStatus(func(s *corev1.ContainerStatus) { s.State.Running.StartedAt = ago(25 * time.Minute) })
	}), "CP001 error east < CP004", "CP004 error east", "CP022 error east < CP001", "CP022 error east < CP001"),
	cp("Kubernetes is too old", installed(func(c *Cluster) {
		c.Also(func(o runtimeObject) {
			if v, ok := o.(*kubernetes.ServerVersion); ok {
				v.GitVersion = "v1.28.9-eks-036c24b"
			}
		})
	}), "CP012 warning east"),
	cp("a node whose clock is five minutes behind", func() *Fleet {
		f := Installed("east", "west")
		f.Clusters[1].Clock("west-node-1", -5*time.Minute)
		return f
	}, "CP071 error west"),
	cp("a node whose clock is ahead", func() *Fleet {
		f := Installed("east", "west")
		f.Clusters[0].Clock("east-node-0", 45*time.Second)
		return f
	}, "CP071 warning east"),
	cp("control planes three releases apart", func() *Fleet {
		f := Installed("east", "west")
		west := f.Clusters[1]
		west.Image = "1.26.4"
		for _, p := range west.Network.allPods() {
			p.Spec.Containers[0].Image = "registry.example/istio/proxyv2:1.26.4"
		}
		return f
	}, "CP015 warning west,east"),
}

var webhookFaults = []ControlPlaneCase{
	cp("the API server does not reach istiod", installed(func(c *Cluster) { c.Network.add(Refused("cart", timedOut), Refused("pay", timedOut)) }), "CP024 error east"),
	cp("a quota that counts the proxy", installed(func(c *Cluster) {
		c.Network.add(Refused("cart", "pods \"cart-7d9f8b6c5d-x\" is forbidden: failed quota: small: must specify limits.cpu for: istio-init,istio-proxy"))
	}), "CP024 error east"),
	cp("a validating webhook that istiod cannot close", installed(func(c *Cluster) {
		c.Validator("istiod-default-validator").Webhooks[0].FailurePolicy = ptr(admissionv1.Ignore)
	}), "CP024 warning east", "CP027 note east"),
	cp("Pod Security forbids istio-init", installed(func(c *Cluster) {
		c.Namespaces["sample"]["pod-security.kubernetes.io/enforce"] = "baseline"
		c.Network.add(Refused("cart", `pods "cart-7d9f8b6c5d-x" is forbidden: violates PodSecurity "baseline:latest": non-default capabilities (container "istio-init" must not include "NET_ADMIN", "NET_RAW")`))
	}), "CP034 error east"),
	cp("another webhook drops restartPolicy", installed(func(c *Cluster) {
		other := c.Injector("", "agent")
		other.Name, other.Labels = "agent.example.com", nil
		other.Webhooks = other.Webhooks[2:3]
		other.Webhooks[0].Name = "agent.example.com"
		c.Network.add(other, Refused("cart", `Pod "cart-7d9f8b6c5d-x" is invalid: spec.initContainers[1].startupProbe: Forbidden: may not be set for init containers without restartPolicy=Always`))
	}), "CP037 error east"),
	cp("the injector's Service selects nothing", installed(func(c *Cluster) {
		c.Also(func(o runtimeObject) {
			if s, ok := o.(*corev1.Service); ok && s.Name == "istiod" {
				s.Spec.Selector = map[string]string{"app": "pilot"}
			}
		})
		for _, o := range c.Network.More {
			if s := c.systemSlice(o); s != nil {
				s.Endpoints = nil
			}
		}
	}), "CP022 error east", "CP022 error east"),
	cp("an injector without a template", installed(func(c *Cluster) {
		c.Also(func(o runtimeObject) {
			if m, ok := o.(*corev1.ConfigMap); ok && m.Name == istio.InjectorConfigMap {
				delete(m.Data, istio.InjectorConfigKey)
			}
		})
		c.Network.add(Refused("cart", `Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": failed to call webhook: the server could not serve it (404)`))
	}), "CP024 error east < CP025", "CP025 error east"),
	cp("the default validator calls a removed revision", installed(func(c *Cluster) {
		c.Validator("istiod-default-validator").Webhooks[0].ClientConfig.Service.Name = "istiod-1-28-0"
	}), "CP026 error east"),
	cp("the injector of a removed installation", installed(func(c *Cluster) {
		old := c.Injector("", "istio-sidecar-injector")
		old.Name, old.Labels = "istio-sidecar-injector-istio-system", map[string]string{"app": "sidecarInjectorWebhook"}
		c.Network.add(old, &corev1.Service{
			ObjectMeta: meta(System, "istio-sidecar-injector", nil), Spec: corev1.ServiceSpec{Selector: map[string]string{"istio": "sidecar-injector"}},
		}, &discoveryv1.EndpointSlice{
			ObjectMeta:  meta(System, "istio-sidecar-injector-1", map[string]string{discoveryv1.LabelServiceName: "istio-sidecar-injector"}),
			AddressType: discoveryv1.AddressTypeIPv4,
		})
	}), "CP021 warning east", "CP026 error east"),
	cp("the validator of a removed revision", installed(func(c *Cluster) {
		old := c.validator("istio-validator-1-28-0-istio-system", true)
		old.Webhooks[0].ClientConfig.Service.Name = "istiod-1-28-0"
		c.Network.add(old)
	}), "CP026 note east"),
}

var injectionFaults = []ControlPlaneCase{
	cp("a revision with a name, and namespaces that ask for none", installed(func(c *Cluster) {
		c.named(map[string]string{"istio-injection": "enabled"})
		c.bare()
	}), "CP020 error east"),
	cp("a revision that is gone, before the next restart", installed(func(c *Cluster) {
		c.Namespaces["sample"] = map[string]string{istio.LabelRevision: "1-28-0"}
	}), "CP020 warning east"),
	cp("a vendor's requirement that leaves a namespace out", installed(func(c *Cluster) {
		for i := range c.Webhook("istio-sidecar-injector").Webhooks {
			s := c.Webhook("istio-sidecar-injector").Webhooks[i].NamespaceSelector
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: "control-plane", Operator: metav1.LabelSelectorOpDoesNotExist})
		}
		c.Namespaces["sample"]["control-plane"] = "kubeflow"
		c.bare()
	}), "CP020 error east"),
	cp("two webhooks for one namespace", installed(func(c *Cluster) {
		other := c.Injector("", "istiod-canary")
		other.Name, other.Labels[istio.LabelRevision] = "istio-sidecar-injector-canary", "canary"
		c.Network.add(other, canaryService())
	}), "CP021 warning east"),
	cp("a pod without its proxy", installed(func(c *Cluster) { c.bare() }), "CP030 warning east"),
	cp("a pod without its proxy, and STRICT", installed(func(c *Cluster) {
		c.bare()
		c.Network.add(strict())
	}), "CP030 error east"),
	cp("labels for two revisions", installed(func(c *Cluster) {
		c.Network.add(c.Injector("canary", "istiod-canary"), canaryService())
		c.Namespaces["sample"][istio.LabelRevision] = "canary"
	}), "CP031 warning east"),
	cp("a label that Istio ignores", installed(func(c *Cluster) {
		c.Namespaces["batch"] = map[string]string{"istio-injection": "true"}
	}), "CP032 warning east"),
	cp("a gateway that nothing injected", installed(uninjected), "CP033 error east", "CP065 error east < CP033"),
	cp("a gateway that nothing injected, in a fleet of two networks", func() *Fleet {
		f := Installed("east", "west")
		uninjected(f.Get("east"))
		return f
	}, "CP033 error east", "CP065 error east < CP033"),
	cp("pods that the CNI plugin did not set up", installed(func(c *Cluster) {
		c.cni("1.29.1")
		c.eachProxy(func(p *corev1.Pod, s *corev1.ContainerStatus) {
			p.Spec.InitContainers = []corev1.Container{{Name: istio.ValidateContainer, Image: "registry.example/istio/proxyv2:1.29.1"}}
			p.Status.Phase = corev1.PodPending
			unready(p, s)
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{
				Name: istio.ValidateContainer, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
				LastTerminationState: corev1.ContainerState{Terminated: exit(126, "Error", time.Minute)},
			}}
		})
	}), "CP035 error east"),
	cp("a job that cannot end", installed(func(c *Cluster) {
		c.eachProxy(func(p *corev1.Pod, _ *corev1.ContainerStatus) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "report", UID: "0", Controller: ptr(true)}}
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
				Name: "report", State: corev1.ContainerState{Terminated: exit(0, "Completed", time.Hour)},
			})
		})
	}), "CP036 warning east"),
	cp("a node without ztunnel", installedAmbient(func(c *Cluster) {
		c.eachZtunnel(func(p *corev1.Pod) {
			if p.Spec.NodeName == "east-node-0" {
				p.Status.Conditions[0].Status = corev1.ConditionFalse
			}
		})
	}), "CP050 error east"),
	cp("ambient pods and no ztunnel", installedAmbient(func(c *Cluster) {
		c.Env[istio.EnvAmbient] = "true"
		c.Network.More = slices.DeleteFunc(c.Network.More, func(o runtimeObject) bool {
			p, ok := o.(*corev1.Pod)
			return ok && p.Labels["app"] == istio.ZtunnelName
		})
	}), "CP050 error east"),
	cp("a node without the CNI plugin", installedAmbient(func(c *Cluster) {
		c.cni("1.29.1")
		for _, p := range c.Network.allPods() {
			if p.Labels["k8s-app"] == "istio-cni-node" && p.Spec.NodeName == "east-node-1" {
				p.Status.Conditions[0].Status = corev1.ConditionFalse
			}
		}
	}), "CP051 error east"),
	cp("an ambient pod that is not captured", installedAmbient(func(c *Cluster) {
		c.eachProxy(func(p *corev1.Pod, _ *corev1.ContainerStatus) { p.Annotations = nil })
	}), "CP052 warning east"),
	cp("a CNI plugin of another release than ztunnel", installedAmbient(func(c *Cluster) { c.cni("1.27.3") }), "CP055 warning east"),
}

const unknownExtension = `Error adding/updating listener(s) 10.0.0.11_8080: Didn't find a registered implementation for 'istio.stats'`

func refuses(pod string) func(string, *facts.ConnectedProxy) {
	return func(_ string, p *facts.ConnectedProxy) {
		if p.Pod == pod {
			p.Rejected = []facts.Rejection{{Type: "Listener", Error: unknownExtension}}
		}
	}
}

// refusedPod is the pod of workload httpbin.
const refusedPod = "httpbin-5d5c8b9f7-00003"

// gone takes the proxy of refusedPod out of the answers of all istiods.
func gone(_ string, p *facts.ConnectedProxy) {
	if p.Pod == refusedPod {
		p.Pod = ""
	}
}

// refusing lets istiod have refused so often at the end of the second look, after 200 and 4 times, and a pod
// be connected to no istiod.
func refusing(after facts.RefusalCount, unconnected bool) func(*facts.Later) {
	return func(l *facts.Later) {
		if unconnected {
			l.Pods["east"] = map[string]bool{"sample/" + refusedPod: true}
		}
		l.Refusals = map[string]facts.Read[[]facts.Refusals]{"east": {State: facts.OK, Value: []facts.Refusals{
			{Pod: "istiod-0", Before: facts.RefusalCount{Unauthenticated: 200, Unsigned: 4}, After: after},
		}}}
	}
}

var proxyFaults = []ControlPlaneCase{
	cp("proxies three releases behind", installed(func(c *Cluster) {
		c.eachProxy(func(p *corev1.Pod, _ *corev1.ContainerStatus) {
			p.Spec.Containers[0].Image = "registry.example/istio/proxyv2:1.26.2"
		})
	}), "CP010 warning east"),
	cp("a proxy ahead of its istiod", installed(func(c *Cluster) {
		c.eachProxy(func(p *corev1.Pod, _ *corev1.ContainerStatus) {
			p.Spec.Containers[0].Image = "registry.example/istio/proxyv2:1.30.0"
		})
	}), "CP010 warning east"),
	{Case: Case{Name: "a proxy that refuses its listeners", Fleet: installed(func(*Cluster) {}), Want: []string{"CP042 error east"}}, Answer: refuses("httpbin-5d5c8b9f7-00003")},
	{Case: Case{Name: "an old proxy that refuses its listeners", Fleet: installed(func(c *Cluster) {
		c.eachProxy(func(p *corev1.Pod, _ *corev1.ContainerStatus) {
			p.Spec.Containers[0].Image = "registry.example/istio/proxyv2:1.26.2"
		})
	}), Want: []string{"CP010 error east", "CP042 error east < CP010"}}, Answer: refuses("httpbin-5d5c8b9f7-00003")},
	{Case: Case{Name: "a proxy that refuses, and nothing checks objects", Fleet: installed(func(c *Cluster) {
		c.Network.Drop(c.Validator("istiod-default-validator"), c.Validator("istio-validator-"+System))
	}), Want: []string{"CP027 warning east", "CP042 error east"}}, Answer: refuses("httpbin-5d5c8b9f7-00003")},
	cp("proxies that are not ready", installed(func(c *Cluster) { c.eachProxy(unready) }), "CP040 error east"),
	{Case: Case{Name: "proxies whose credentials istiod does not accept", Fleet: installed(func(c *Cluster) { c.eachProxy(unready) }), Want: []string{
		"CP040 error east < CP044", "CP044 error east",
	}}, Answer: gone, Later: refusing(facts.RefusalCount{Unauthenticated: 212, Unsigned: 4}, false)},
	{Case: Case{Name: "an istiod that cannot sign", Fleet: installed(func(c *Cluster) { c.eachProxy(unready) }), Want: []string{
		"CP040 error east < CP044", "CP044 error east",
	}}, Answer: gone, Later: refusing(facts.RefusalCount{Unauthenticated: 200, Unsigned: 5}, false)},
	{Case: Case{Name: "a proxy that was ready, and whose credentials istiod does not accept any more", Fleet: installed(func(*Cluster) {}), Want: []string{
		"CP044 error east", "EP020 error east < CP044",
	}}, Answer: gone, Later: refusing(facts.RefusalCount{Unauthenticated: 203, Unsigned: 4}, true)},
	cp("proxies that run out of memory", installed(func(c *Cluster) {
		c.eachProxy(func(_ *corev1.Pod, s *corev1.ContainerStatus) {
			s.RestartCount, s.LastTerminationState.Terminated = 2, exit(137, "OOMKilled", 2*time.Hour)
		})
	}), "CP045 warning east"),
}

var trafficFaults = []ControlPlaneCase{
	cp("a waypoint that does not exist", installedAmbient(func(c *Cluster) { c.Namespaces["sample"][istio.LabelWaypoint] = "waypoint" }), "CP053 warning east"),
	cp("a waypoint that is not made, with a policy", installedAmbient(func(c *Cluster) {
		c.Namespaces["sample"][istio.LabelWaypoint] = "waypoint"
		c.Network.add(waypointGateway(metav1.ConditionFalse, "Invalid"), &api.AuthorizationPolicy{ObjectMeta: inSample("readers"), Spec: api.AuthorizationPolicySpec{
			TargetRefs: []api.TargetRef{{Group: api.GatewayGroup, Kind: "Gateway", Name: "waypoint"}},
		}})
	}), "CP053 error east"),
	cp("a policy without the port of ambient clients", installedAmbient(func(c *Cluster) { c.Network.add(ingressOnly(5000)) }), "CP054 error east"),
	cp("STRICT before an admission webhook", installed(func(c *Cluster) {
		c.admits(admissionv1.Fail)
		c.Network.add(strict())
	}), "CP060 error east"),
	cp("STRICT before a webhook that fails open", installed(func(c *Cluster) {
		c.admits(admissionv1.Ignore)
		c.Network.add(strict())
	}), "CP060 warning east"),
	cp("STRICT before an API of the cluster", installed(func(c *Cluster) {
		c.Serve("httpbin")
		c.Network.add(strict(), &kubernetes.APIService{ObjectMeta: meta("", "v1.metrics.example.com", nil), Spec: kubernetes.APIServiceSpec{
			Group: "metrics.example.com", Version: "v1", Service: &kubernetes.ServiceReference{Namespace: "sample", Name: "httpbin", Port: ptr(int32(5000))},
		}})
	}), "CP060 error east"),
	cp("a rule that turns TLS off, and STRICT", installed(func(c *Cluster) {
		c.Serve("helloworld")
		c.Network.add(strict(), rule(&api.TrafficPolicy{TLS: &api.ClientTLS{Mode: "DISABLE"}}))
	}), "CP061 error east"),
	cp("mutual TLS off in the namespace, and STRICT for a workload", installed(func(c *Cluster) {
		c.Serve("helloworld")
		one := peers(api.MTLSStrict)
		one.Name, one.Spec.Selector = "helloworld", &api.WorkloadSelector{MatchLabels: map[string]string{"app": "helloworld"}}
		c.Network.add(peers(api.MTLSDisable), one)
	}), "CP061 error east"),
	cp("a Gateway for a gateway of another name", installed(func(c *Cluster) {
		c.Serve("helloworld")
		c.ingressPod()
		c.listens("ingressgateway", "shop")
	}), "CP064 error east"),
	cp("a VirtualService for a Gateway that is not there", installed(func(c *Cluster) {
		c.Serve("helloworld")
		c.ingressPod()
		c.listens("ingress", "istio-ingress/shop")
	}), "CP064 error east"),
	cp("a VirtualService for a Service that is not there", installed(func(c *Cluster) {
		c.ingressPod()
		c.listens("ingress", "shop")
	}), "CP064 warning east"),
	cp("an ingress gateway that is not ready", installed(func(c *Cluster) {
		p := c.ingressPod()
		p.Status.Conditions[0].Status = corev1.ConditionFalse
	}), "CP065 error east"),
	cp("a Gateway that istiod cannot make", installed(func(c *Cluster) {
		k := waypointGateway(metav1.ConditionFalse, "Invalid")
		k.Name, k.Spec.GatewayClassName = "shop", api.ClassIstio
		c.Network.add(k)
	}), "CP065 error east"),
}

// uninjected leaves the ingress gateway of a cluster as its chart made it.
func uninjected(c *Cluster) {
	p := c.ingressPod()
	p.Spec.Containers[0].Image = "auto"
	p.Spec.Containers[0].Env = nil
	p.Status.Phase = corev1.PodPending
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}
	unready(p, &p.Status.ContainerStatuses[0])
}
