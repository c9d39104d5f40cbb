package probing

import (
	"cmp"
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Vantage checks that a pod is among those of the fleet, where they were read, and
// finds the container to try things from: that of the proxy, whose own traffic
// nothing intercepts, or the one that is asked for.
func Vantage(m *model.Mesh, context, namespace, name, container string) (facts.Vantage, error) {
	out := facts.Vantage{Context: context, Namespace: namespace, Pod: name, Container: container}
	c := m.Cluster(context)
	if c == nil || !resources.Pods.Of(c.Cluster).Known() {
		return out, nil
	}
	p := c.Pod(namespace, name)
	if p == nil {
		return out, fmt.Errorf("there is no pod %s in namespace %s of %s; \"kubectl --context=%s get pods -n %s\" lists those that there are",
			name, namespace, context, context, namespace)
	}
	switch sidecar := model.IsProxy(p); {
	case !model.Runs(p):
		return out, fmt.Errorf("pod %s/%s of %s has ended", namespace, name, context)
	case p.HostNetwork:
	case sidecar && container == "":
		out.Container = istio.ProxyContainer
	case sidecar:
		out.Proxied = container != istio.ProxyContainer
	default:
		out.Proxied = model.IsAmbientNamespace(c.Namespace(namespace))
	}
	return out, nil
}

// podNetwork is the network that a pod takes itself to be on; "" where that is not known.
func podNetwork(m *model.Mesh, v facts.Vantage) string {
	c := m.Cluster(v.Context)
	if v.Pod == "" || c == nil {
		return ""
	}
	own := ""
	if p := c.Pod(v.Namespace, v.Pod); p != nil {
		own = model.Variable(p, istio.EnvProxyNetwork)
	}
	return cmp.Or(own, c.Network().Namespace)
}
