package istiotest

import (
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// leading is the webhook of a tag that leads to the only istiod.
func (c *Cluster) leading(name string) *admissionv1.MutatingWebhookConfiguration {
	w := c.Injector("", "istiod")
	w.Name, w.Labels[istio.LabelTag] = "istio-revision-tag-"+name, name
	return w
}

// upgrading is a cluster in the middle of a canary upgrade: a second istiod whose third pod has just
// started, half of the workloads on it, and namespaces of both.
func upgrading(c *Cluster) {
	deployment := c.istiod()
	deployment.Name, deployment.Labels = "istiod-1-30-0", map[string]string{"app": "istiod", istio.LabelRevision: "1-30-0"}
	for i := range deployment.Spec.Template.Spec.Containers[0].Env {
		if e := &deployment.Spec.Template.Spec.Containers[0].Env[i]; e.Name == "REVISION" {
			e.Value = "1-30-0"
		}
	}
	deployment.Spec.Template.Spec.Containers[0].Image = "registry.example/istio/pilot:1.30.0"
	deployment.Spec.Replicas = ptr(int32(2))
	ready, starting := c.istiodPod(), c.istiodPod()
	for _, p := range []*corev1.Pod{ready, starting} {
		p.Labels = map[string]string{"app": "istiod", istio.LabelRevision: "1-30-0"}
		p.Spec.Containers[0].Image = "registry.example/istio/pilot:1.30.0"
	}
	ready.Name, starting.Name = "istiod-1-30-0-0", "istiod-1-30-0-1"
	starting.CreationTimestamp = ago(50 * time.Second)
	starting.Status.ContainerStatuses[0].Ready = false
	starting.Status.ContainerStatuses[0].State.Running.StartedAt = ago(40 * time.Second)
	c.Network.add(deployment, ready, starting, c.Injector("1-30-0", "istiod-1-30-0"), &corev1.Service{
		ObjectMeta: meta(System, "istiod-1-30-0", map[string]string{"app": "istiod", istio.LabelRevision: "1-30-0"}),
		Spec:       corev1.ServiceSpec{ClusterIP: "10.100.254.30", Selector: map[string]string{"app": "istiod", istio.LabelRevision: "1-30-0"}},
	}, &corev1.ConfigMap{ObjectMeta: meta(System, "istio-1-30-0", nil), Data: map[string]string{"mesh": "trustDomain: cluster.local\n"}},
		&corev1.ConfigMap{ObjectMeta: meta(System, istio.InjectorConfigMap+"-1-30-0", nil), Data: map[string]string{"config": "templates: {}", "values": "{}"}})
	slice := c.sliceOf("istiod-1-30-0")
	slice.Namespace = System
	slice.Endpoints = c.systemSliceOf("istiod").DeepCopy().Endpoints
	slice.Endpoints[0].TargetRef.Name = "istiod-1-30-0-0"
	c.Network.add(slice)
	c.Namespaces["sample"] = map[string]string{istio.LabelRevision: "1-30-0"}
	c.eachProxy(func(p *corev1.Pod, _ *corev1.ContainerStatus) {
		p.Spec.Containers[0].Image = "registry.example/istio/proxyv2:1.30.0"
		p.Labels[istio.LabelRevision] = "1-30-0"
	})
	c.Also(func(o runtimeObject) {
		if p, ok := o.(*corev1.Pod); ok && p.Name == "istiod-1-30-0-1" {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		}
	})
}

// ControlPlaneHealthy are clusters in which nothing is wrong and that resemble faults. What is worth
// a note is wanted.
var ControlPlaneHealthy = slices.Concat(controlPlanesHealthy, definitionsHealthy)

var controlPlanesHealthy = []ControlPlaneCase{
	cp("one cluster", installed(func(*Cluster) {})),
	cp("three clusters", func() *Fleet { return Installed("east", "north", "west") }),
	cp("a cluster in ambient mode", installedAmbient(func(c *Cluster) { c.cni("1.29.1") })),
	cp("a canary upgrade half way", installed(upgrading)),
	cp("an istiod that has just started", installed(func(c *Cluster) {
		c.down()
		c.EachIstiod(func(_ *appsv1.Deployment, p *corev1.Pod) {
			p.CreationTimestamp = ago(time.Minute)
			if len(p.Status.ContainerStatuses) > 0 {
				p.Status.ContainerStatuses[0].State.Running.StartedAt = ago(50 * time.Second)
			}
		})
	})),
	cp("an istiod that was stopped, and one that failed last week", installed(func(c *Cluster) {
		c.istiodStatus(func(s *corev1.ContainerStatus) {
			s.RestartCount, s.LastTerminationState.Terminated = 4, exit(1, "Error", 7*24*time.Hour)
		})
		stopped := c.istiodPod()
		stopped.Name, stopped.Status.ContainerStatuses[0].LastTerminationState.Terminated = "istiod-1", exit(143, "Error", time.Hour)
		c.Network.add(stopped)
	})),
	cp("a revision that nobody uses, scaled to 0", installed(func(c *Cluster) {
		old := c.istiod()
		old.Name, old.Labels, old.Spec.Replicas = "istiod-1-28-0", map[string]string{"app": "istiod", istio.LabelRevision: "1-28-0"}, ptr(int32(0))
		old.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "REVISION", Value: "1-28-0"}}
		c.Network.add(old)
	})),
	cp("a replica more than fits, at a peak", installed(func(c *Cluster) {
		second := c.istiodPod()
		second.Name, second.Status = "istiod-1", corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/2 nodes are available", LastTransitionTime: ago(10 * time.Minute),
		}}}
		c.Network.add(second)
		c.Also(func(o runtimeObject) {
			if p, ok := o.(*corev1.Pod); ok && p.Name == "istiod-1" {
				p.Status.Conditions = []corev1.PodCondition{{
					Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/2 nodes are available", LastTransitionTime: ago(10 * time.Minute),
				}}
			}
		})
	}), "CP003 note east"),
	cp("a Deployment with the labels of istiod", installed(func(c *Cluster) {
		other := c.istiod()
		other.Name, other.Spec.Replicas = "istio-gateway", ptr(int32(0))
		other.Spec.Template.Spec.Containers = []corev1.Container{{Name: istio.ProxyContainer, Image: "auto"}}
		c.Network.add(other)
	})),

	cp("pods that were refused and are there now, or long ago", installed(func(c *Cluster) {
		again, old := Refused("httpbin", timedOut), Refused("cart", timedOut)
		again.LastTimestamp = ago(25 * time.Hour)
		again.InvolvedObject.Name = "httpbin-5d5c8b9f7"
		old.LastTimestamp = ago(50 * time.Minute)
		new := c.pod("sample", "pay", 0, "10.0.0.77", map[string]string{"app": "pay", istio.LabelTLSMode: "istio"})
		new.CreationTimestamp = ago(time.Minute)
		c.Network.add(again, old, Refused("pay", timedOut), new)
	})),
	cp("pods that another product's webhook refuses, and a level that forbids the application", installed(func(c *Cluster) {
		c.Network.add(Refused("cart", `admission webhook "validate.kyverno.svc-fail" denied the request: no latest tags`),
			Refused("pay", `pods "pay-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true (container "pay" must set it)`),
			Refused("mail", `pods "mail-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4`))
	})),
	cp("a refusal of a moment", installed(func(c *Cluster) {
		e := Refused("cart", timedOut)
		e.CreationTimestamp, e.LastTimestamp = ago(30*time.Second), ago(20*time.Second)
		c.Network.add(e)
	})),
	cp("a validating webhook that is open on purpose", installed(func(c *Cluster) {
		v := c.Validator("istiod-default-validator")
		v.Webhooks[0].FailurePolicy = ptr(admissionv1.Ignore)
		v.ManagedFields[0].Time = ptr(ago(time.Hour))
	}), "CP027 note east"),
	cp("webhooks that are called by a URL", installed(func(c *Cluster) {
		url := "https://istiod.example.com:15017/validate"
		v := c.Validator("istiod-default-validator")
		v.Webhooks[0].ClientConfig = admissionv1.WebhookClientConfig{URL: &url}
	})),

	cp("a tag named default", installed(func(c *Cluster) {
		c.named(map[string]string{"istio-injection": "enabled"})
		c.Network.add(c.leading("default"))
	})),
	cp("a vendor's requirement that leaves out no namespace with injection", installed(func(c *Cluster) {
		for i := range c.Webhook("istio-sidecar-injector").Webhooks {
			s := c.Webhook("istio-sidecar-injector").Webhooks[i].NamespaceSelector
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: "control-plane", Operator: metav1.LabelSelectorOpDoesNotExist})
		}
		c.Namespaces["gatekeeper-system"] = map[string]string{"control-plane": "controller-manager"}
	})),
	cp("an ambient namespace with the revision of its waypoint", installedAmbient(func(c *Cluster) {
		c.Namespaces["sample"][istio.LabelRevision] = "1-28-0"
	})),
	cp("a namespace with a label of each kind for one revision", installed(func(c *Cluster) {
		c.Namespaces["sample"][istio.LabelRevision] = "stable"
		w := c.leading("stable")
		for i := range w.Webhooks {
			for k := range w.Webhooks[i].NamespaceSelector.MatchExpressions {
				if e := &w.Webhooks[i].NamespaceSelector.MatchExpressions[k]; e.Key == istio.LabelRevision && len(e.Values) > 0 {
					e.Values = []string{"stable"}
				}
			}
		}
		c.Network.add(w)
	})),
	cp("pods that are not to have a proxy", installed(func(c *Cluster) {
		for i, change := range []func(*corev1.Pod){
			func(p *corev1.Pod) { p.Spec.HostNetwork = true },
			func(p *corev1.Pod) { p.Labels[istio.InjectKey] = "false" },
			func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, istio.InjectKey, "false") },
			func(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, istio.AnnotationMirror, "x") },
			func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded },
			func(p *corev1.Pod) { p.DeletionTimestamp = ptr(ago(time.Second)) },
			func(p *corev1.Pod) { p.CreationTimestamp = ago(time.Minute) },
			func(p *corev1.Pod) { p.Namespace = "default" },
		} {
			p := c.pod("sample", "plain", i, "10.0.1.9", map[string]string{"app": "plain"})
			p.Spec.Containers[0].Name = "app"
			change(p)
			c.Network.add(p)
		}
	})),
	cp("native sidecars", installed(func(c *Cluster) {
		for _, p := range c.Network.Pods {
			Native(p)
			p.Status.ContainerStatuses[0].Name = "app"
		}
	})),
	cp("injection that is turned off in a namespace with a revision", installed(func(c *Cluster) {
		c.Namespaces["batch"] = map[string]string{"istio-injection": "disabled", istio.LabelRevision: "default"}
	})),
	cp("a pod that the CNI plugin is about to repair", installed(func(c *Cluster) {
		c.cni("1.29.1")
		c.eachProxy(func(p *corev1.Pod, s *corev1.ContainerStatus) {
			p.CreationTimestamp, p.Status.StartTime, p.Status.Phase = ago(time.Minute), ptr(ago(time.Minute)), corev1.PodPending
			unready(p, s)
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}
			p.Spec.InitContainers = []corev1.Container{{Name: istio.ValidateContainer}}
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: istio.ValidateContainer, LastTerminationState: corev1.ContainerState{Terminated: exit(126, "Error", time.Minute)}}}
		})
	})),
	cp("jobs that run, and that have a native sidecar", installed(func(c *Cluster) {
		for i, p := range c.Network.Pods[:2] {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "report", UID: "0", Controller: ptr(true)}}
			if i == 0 {
				Native(p)
				p.Status.ContainerStatuses[0] = corev1.ContainerStatus{Name: "app", State: corev1.ContainerState{Terminated: exit(0, "Completed", time.Hour)}}
				continue
			}
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
				Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: ago(time.Hour)}},
			})
		}
	})),
	cp("applications that are not ready, and proxies of jobs and of pods that leave", installed(func(c *Cluster) {
		c.Network.Pods[0].Status.Conditions[0].Status = corev1.ConditionFalse
		unready(c.Network.Pods[1], &c.Network.Pods[1].Status.ContainerStatuses[0])
		c.Network.Pods[1].DeletionTimestamp = ptr(ago(10 * time.Second))
		unready(c.Network.Pods[2], &c.Network.Pods[2].Status.ContainerStatuses[0])
		c.Network.Pods[2].OwnerReferences[0].Kind = "Job"
		unready(c.Network.Pods[3], &c.Network.Pods[3].Status.ContainerStatuses[0])
		c.Network.Pods[3].Status.StartTime = ptr(ago(30 * time.Second))
	})),
	cp("proxies one release behind, by digest, and of no release", installed(func(c *Cluster) {
		for i, image := range []string{"proxyv2:1.28.4-distroless", "proxyv2:1.28.4@sha256:0123", "proxyv2:latest", "proxyv2@sha256:0123"} {
			c.Network.Pods[i].Spec.Containers[0].Image = "registry.example/istio/" + image
		}
	})),
	cp("an application that runs out of memory, and a proxy that did so long ago", installed(func(c *Cluster) {
		c.eachProxy(func(p *corev1.Pod, s *corev1.ContainerStatus) {
			s.RestartCount, s.LastTerminationState.Terminated = 1, exit(137, "OOMKilled", 48*time.Hour)
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
				Name: "app", RestartCount: 9, LastTerminationState: corev1.ContainerState{Terminated: exit(137, "OOMKilled", time.Minute)},
			})
		})
	})),
	cp("a node that is drained", installedAmbient(func(c *Cluster) {
		c.Network.Nodes[0].Spec.Unschedulable = true
		c.eachZtunnel(func(p *corev1.Pod) {
			if p.Spec.NodeName == "east-node-0" {
				p.Status.Conditions[0].Status = corev1.ConditionFalse
			}
		})
	})),
	cp("ambient pods that are left out, or new", installedAmbient(func(c *Cluster) {
		c.Network.Pods[0].Annotations, c.Network.Pods[0].Labels[istio.LabelDataplaneMode] = nil, "none"
		c.Network.Pods[1].Annotations, c.Network.Pods[1].CreationTimestamp = nil, ago(time.Minute)
		c.Network.Pods[2].Annotations, c.Network.Pods[2].Spec.HostNetwork = nil, true
	})),
	cp("waypoints that are there, new or of nobody", installedAmbient(func(c *Cluster) {
		c.Namespaces["sample"][istio.LabelWaypoint] = "none"
		c.Namespaces["other"] = map[string]string{istio.LabelWaypoint: "waypoint"}
		c.Namespaces["young"] = map[string]string{istio.LabelDataplaneMode: "ambient", istio.LabelWaypoint: "waypoint", "istio.io/use-waypoint-namespace": "sample"}
		k := waypointGateway(metav1.ConditionUnknown, "Pending")
		k.CreationTimestamp = ago(30 * time.Second)
		c.Network.add(k)
	})),
	cp("policies that let ambient clients in, or nobody", installedAmbient(func(c *Cluster) {
		nobody := ingressOnly()
		nobody.Name, nobody.Spec.PodSelector = "nobody", metav1.LabelSelector{MatchLabels: map[string]string{"app": "httpbin"}}
		c.Network.add(ingressOnly(5000, istio.HBONEPort), nobody)
	})),
	cp("STRICT, and a webhook that is spared", installed(func(c *Cluster) {
		c.admits(admissionv1.Fail)
		c.eachProxy(func(p *corev1.Pod, _ *corev1.ContainerStatus) {
			metav1.SetMetaDataAnnotation(&p.ObjectMeta, istio.AnnotationExcludedInbound, "9443, 5000")
		})
		c.Network.add(strict())
	})),
	cp("STRICT, and a webhook with a port for the API server", installed(func(c *Cluster) {
		c.admits(admissionv1.Fail)
		spared := peers(api.MTLSStrict)
		spared.Name, spared.Spec.Selector = "httpbin", &api.WorkloadSelector{MatchLabels: map[string]string{"app": "httpbin"}}
		spared.Spec.PortLevelMTLS = map[string]api.MutualTLS{"5000": {Mode: api.MTLSPermissive}}
		c.Network.add(strict(), spared)
	})),
	cp("rules about TLS that fit", installed(func(c *Cluster) {
		c.Serve("helloworld")
		c.Serve("httpbin")
		hidden := rule(&api.TrafficPolicy{TLS: &api.ClientTLS{Mode: "DISABLE"}})
		hidden.Namespace, hidden.Spec.Host, hidden.Spec.ExportTo = "default", "helloworld.sample.svc.cluster.local", []string{"."}
		c.Network.add(strict(), rule(&api.TrafficPolicy{TLS: &api.ClientTLS{Mode: api.TLSIstioMutual}}), hidden)
	})),
	cp("hosts and gateways that are elsewhere", func() *Fleet {
		f := Installed("east", "west")
		east, west := f.Clusters[0], f.Clusters[1]
		west.Serve("helloworld")
		east.listens("ingress", "shop")
		east.Network.add(&corev1.Service{ObjectMeta: meta(System, "istio-ingress", nil), Spec: corev1.ServiceSpec{
			ClusterIP: "10.100.7.7", Selector: map[string]string{"app": "istio-ingress", "istio": "ingress"},
		}}, &api.Gateway{ObjectMeta: inSample("unused"), Spec: api.GatewaySpec{Selector: map[string]string{"istio": "nobody"}}},
			&api.VirtualService{ObjectMeta: inSample("outside"), Spec: api.VirtualServiceSpec{
				Hosts: []string{"api.example.com"}, HTTP: []api.Route{{Route: []api.RouteDestination{
					{Destination: &api.RouteTarget{Host: "api.example.com"}}, {Destination: &api.RouteTarget{Host: "ledger"}},
					{Destination: &api.RouteTarget{Host: "cart.shop.svc.company.example"}},
				}}},
			}}, &api.ServiceEntry{ObjectMeta: inSample("ledger"), Spec: api.ServiceEntrySpec{Hosts: []string{"ledger.sample.svc.cluster.local"}}})
		return f
	}),
	cp("a kubelet that is late, and nodes that are not ready", func() *Fleet {
		f := Installed("east", "west")
		f.Clusters[0].Clock("east-node-0", -45*time.Second)
		f.Clusters[1].Clock("west-node-0", -3*time.Hour)
		f.Clusters[1].Network.Nodes[0].Status.Conditions[0].Status = corev1.ConditionUnknown
		return f
	}),
	cp("gateways of others, and one that has just started", installed(func(c *Cluster) {
		p := c.ingressPod()
		p.Status.Conditions[0].Status, p.CreationTimestamp = corev1.ConditionFalse, ago(time.Minute)
		other := waypointGateway(metav1.ConditionFalse, "Invalid")
		other.Name, other.Spec.GatewayClassName = "nginx", "nginx"
		c.Network.add(other)
	})),
}
