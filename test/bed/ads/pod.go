package ads

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const (
	// proxyContainer is the name of the container that injection adds.
	proxyContainer = "istio-proxy"
	// metadataPrefix begins the names of variables that become node metadata.
	metadataPrefix = "ISTIO_META_"
)

// FromPod returns the proxy of an injected pod: what its istio-proxy container
// would say, as the variables of that container have it. The pod needs its
// address.
func FromPod(pod *corev1.Pod) (Proxy, error) {
	containers := slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
	i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == proxyContainer })
	if i < 0 {
		return Proxy{}, fmt.Errorf("pod %s.%s has no container %s", pod.Name, pod.Namespace, proxyContainer)
	}
	proxy := Proxy{
		Type:           typeOf(containers[i]),
		Pod:            pod.Name,
		Namespace:      pod.Namespace,
		IP:             pod.Status.PodIP,
		Labels:         pod.Labels,
		ServiceAccount: pod.Spec.ServiceAccountName,
		Node:           pod.Spec.NodeName,
		Metadata:       map[string]any{},
	}
	for _, ip := range pod.Status.PodIPs {
		if ip.IP != proxy.IP {
			proxy.MoreIPs = append(proxy.MoreIPs, ip.IP)
		}
	}
	for _, variable := range containers[i].Env {
		if name, ok := strings.CutPrefix(variable.Name, metadataPrefix); ok && variable.Value != "" {
			proxy.set(name, variable.Value)
		}
	}
	return proxy, proxy.validate()
}

// set sets what a variable says.
func (p *Proxy) set(name, value string) {
	switch name {
	case "CLUSTER_ID":
		p.Cluster = value
	case "NETWORK":
		p.Network = value
	case "MESH_ID":
		p.Mesh = value
	case "WORKLOAD_NAME":
		p.Workload = value
	default:
		p.Metadata[name] = value
	}
}

// typeOf is what a container is started as: proxy sidecar, or proxy router.
func typeOf(container corev1.Container) string {
	if len(container.Args) >= 2 && container.Args[0] == "proxy" {
		return container.Args[1]
	}
	return DefaultType
}
