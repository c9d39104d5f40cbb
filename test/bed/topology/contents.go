package topology

import (
	"cmp"
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// NodeObjects are the nodes of a resolved cluster. Their status is left to kwok,
// but for external addresses.
func (c Cluster) NodeObjects() []runtime.Object {
	var objects []runtime.Object
	for _, n := range c.Nodes {
		labels := map[string]string{"kubernetes.io/hostname": n.Name}
		if n.Region != "" {
			labels[regionLabel] = n.Region
		}
		if n.Zone != "" {
			labels[zoneLabel] = n.Zone
		}
		maps.Copy(labels, n.Labels)
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: labels},
			Spec:       corev1.NodeSpec{PodCIDR: c.PodCIDR, PodCIDRs: []string{c.PodCIDR}},
		}
		if n.ExternalIP != "" {
			node.Status.Addresses = []corev1.NodeAddress{
				{Type: corev1.NodeExternalIP, Address: n.ExternalIP},
				{Type: corev1.NodeInternalIP, Address: "127.0.0.1"},
			}
		}
		objects = append(objects, node)
	}
	return objects
}

// NamespaceObjects are the namespaces that a resolved cluster describes, beside
// that of the control plane.
func (c Cluster) NamespaceObjects() []runtime.Object {
	var objects []runtime.Object
	for _, n := range c.Namespaces {
		if n.Name == SystemNamespace {
			continue
		}
		objects = append(objects, &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.Labels, Annotations: n.Annotations},
		})
	}
	return objects
}

// ServiceObjects are the services of a resolved cluster, gateways included, with
// what load balancers have given them.
func (c Cluster) ServiceObjects() []runtime.Object {
	var objects []runtime.Object
	for _, s := range c.Services {
		objects = append(objects, s.object())
	}
	for _, g := range c.Gateways {
		if g.Class == "" {
			objects = append(objects, g.object())
		}
	}
	return objects
}

func (s Service) object() *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: s.Name, Labels: s.Labels, Annotations: s.Annotations,
		},
		Spec: corev1.ServiceSpec{
			Type:                     corev1.ServiceType(cmp.Or(s.Type, "ClusterIP")),
			Selector:                 s.Selector,
			ExternalIPs:              s.ExternalIPs,
			PublishNotReadyAddresses: s.NotReadyToo,
		},
		Status: loadBalancer(s.IPs, s.Hostnames),
	}
	if s.Headless {
		service.Spec.ClusterIP = corev1.ClusterIPNone
	}
	for i, p := range s.Ports {
		port := corev1.ServicePort{
			Name:       p.Name,
			Port:       p.Port,
			TargetPort: intstr.FromInt32(cmp.Or(p.Target, p.Port)),
			NodePort:   p.NodePort,
			Protocol:   corev1.Protocol(cmp.Or(p.Protocol, "TCP")),
		}
		if p.AppProtocol != "" {
			port.AppProtocol = &s.Ports[i].AppProtocol
		}
		service.Spec.Ports = append(service.Spec.Ports, port)
	}
	return service
}

func (g Gateway) object() *corev1.Service {
	labels := map[string]string{"app": g.Name, "istio": "eastwestgateway"}
	if g.Network != "" {
		labels[NetworkLabel] = g.Network
	}
	maps.Copy(labels, g.Labels)
	return Service{
		Namespace:   g.Namespace,
		Name:        g.Name,
		Labels:      labels,
		Annotations: g.Annotations,
		Selector:    map[string]string{"app": g.Name, "istio": "eastwestgateway"},
		Ports:       g.Ports,
		Type:        g.Type,
		IPs:         g.IPs,
		Hostnames:   g.Hostnames,
		ExternalIPs: g.ExternalIPs,
	}.object()
}

// loadBalancer is the status of a service that has these addresses.
func loadBalancer(ips, hostnames []string) corev1.ServiceStatus {
	var status corev1.ServiceStatus
	for _, ip := range ips {
		status.LoadBalancer.Ingress = append(status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: ip})
	}
	for _, hostname := range hostnames {
		status.LoadBalancer.Ingress = append(status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{Hostname: hostname})
	}
	return status
}

// workloads are the workloads of a resolved cluster, those of its gateways
// included.
func (c Cluster) workloads() []Workload {
	all := append([]Workload(nil), c.Workloads...)
	for _, g := range c.Gateways {
		if g.Alone {
			continue
		}
		labels := map[string]string{"istio": "eastwestgateway", revisionLabel: Revision}
		if g.Network != "" {
			labels[NetworkLabel] = g.Network
		}
		if g.Class != "" {
			labels = g.podLabels()
		}
		var ports []int32
		for _, p := range g.Ports {
			ports = append(ports, cmp.Or(p.Target, p.Port))
		}
		all = append(all, Workload{
			Namespace: g.Namespace, Name: g.Name, Labels: labels, Ports: ports, ServiceAccount: g.Name,
			Uninjected: true, Router: true, made: g.Class != "",
		}.withDefaults())
	}
	return all
}

// Pods are the pods of a resolved cluster: without status, which kwok writes, and
// without a sidecar, which the injector adds.
func (c Cluster) Pods() []*corev1.Pod {
	var pods []*corev1.Pod
	for _, w := range c.workloads() {
		for i := range *w.Replicas {
			pods = append(pods, c.pod(w, int(i)))
		}
	}
	return pods
}

// pod is a pod of a workload.
func (c Cluster) pod(w Workload, number int) *corev1.Pod {
	annotations := maps.Clone(w.Annotations)
	if w.NotReady {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[NotReadyAnnotation] = "true"
	}
	if c.redirects(w) {
		annotations = maps.Clone(annotations)
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[redirectionAnnotation] = "enabled"
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   w.Namespace,
			Name:        fmt.Sprintf("%s-%d", w.Name, number),
			Labels:      maps.Clone(w.Labels),
			Annotations: annotations,
		},
		Spec: c.podSpec(w, number),
	}
}

func (c Cluster) podSpec(w Workload, number int) corev1.PodSpec {
	container := corev1.Container{Name: w.Name, Image: "example.com/" + w.Name + ":1"}
	for _, port := range w.Ports {
		container.Ports = append(container.Ports, corev1.ContainerPort{ContainerPort: port})
	}
	if w.Router {
		container.Name, container.Image = "istio-proxy", "example.com/istio/proxyv2:"+IstioVersion
		container.Args = []string{"proxy", "router"}
		if w.made {
			container.Args[1] = "waypoint"
		}
		container.Env = []corev1.EnvVar{{Name: "ISTIO_META_CLUSTER_ID", Value: c.ID}}
		if network := w.Labels[NetworkLabel]; network != "" {
			// As the chart of Istio's gateways has it for those between networks.
			container.Env = append(container.Env, corev1.EnvVar{Name: "ISTIO_META_NETWORK", Value: network},
				corev1.EnvVar{Name: "ISTIO_META_REQUESTED_NETWORK_VIEW", Value: network})
		} else if c.InjectedNetwork != "" {
			container.Env = append(container.Env, corev1.EnvVar{Name: "ISTIO_META_NETWORK", Value: c.InjectedNetwork})
		}
	}
	return corev1.PodSpec{
		NodeName:           cmp.Or(w.Node, c.Nodes[number%len(c.Nodes)].Name),
		ServiceAccountName: w.ServiceAccount,
		Containers:         []corev1.Container{container},
	}
}

// Relabels is what Relabel says of each pod, by namespace and name.
func (c Cluster) Relabels() map[[2]string]map[string]string {
	relabels := map[[2]string]map[string]string{}
	for _, w := range c.workloads() {
		for i := range *w.Replicas {
			if len(w.Relabel) > 0 {
				relabels[[2]string{w.Namespace, fmt.Sprintf("%s-%d", w.Name, i)}] = w.Relabel
			}
		}
	}
	return relabels
}

// DeploymentObjects are the Deployments and service accounts of the workloads. No
// controller makes pods of them.
func (c Cluster) DeploymentObjects() []runtime.Object {
	var objects []runtime.Object
	accounts := map[[2]string]bool{}
	for _, w := range c.workloads() {
		if w.made {
			continue
		}
		objects = append(objects, c.deployment(w))
		if w.ServiceAccount == "default" || accounts[[2]string{w.Namespace, w.ServiceAccount}] {
			continue
		}
		accounts[[2]string{w.Namespace, w.ServiceAccount}] = true
		objects = append(objects, &corev1.ServiceAccount{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.ServiceAccount},
		})
	}
	return objects
}

func (c Cluster) deployment(w Workload) *appsv1.Deployment {
	spec := c.podSpec(w, 0)
	spec.NodeName = ""
	ready := *w.Replicas
	if w.NotReady {
		ready = 0
	}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Name, Labels: map[string]string{"app": w.Labels["app"]}},
		Spec: appsv1.DeploymentSpec{
			Replicas: w.Replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": w.Labels["app"]}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: w.Labels, Annotations: w.Annotations},
				Spec:       spec,
			},
		},
		Status: appsv1.DeploymentStatus{
			Replicas: *w.Replicas, UpdatedReplicas: *w.Replicas, ReadyReplicas: ready, AvailableReplicas: ready,
		},
	}
}

// GatewayResources let the requests of other networks pass through the gateways
// of a resolved cluster.
func (c Cluster) GatewayResources() []runtime.Object {
	namespaces := map[string]bool{}
	var objects []runtime.Object
	for _, g := range c.Gateways {
		if g.Class != "" {
			objects = append(objects, g.resource())
			continue
		}
		if g.Alone || namespaces[g.Namespace] {
			continue
		}
		namespaces[g.Namespace] = true
		objects = append(objects, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "networking.istio.io/v1",
			"kind":       "Gateway",
			"metadata":   map[string]any{"namespace": g.Namespace, "name": "cross-network-gateway"},
			"spec": map[string]any{
				"selector": map[string]any{"istio": "eastwestgateway"},
				"servers": []any{map[string]any{
					"port":  map[string]any{"number": int64(15443), "name": "tls", "protocol": "TLS"},
					"tls":   map[string]any{"mode": "AUTO_PASSTHROUGH"},
					"hosts": []any{"*.local"},
				}},
			},
		}})
	}
	return objects
}
