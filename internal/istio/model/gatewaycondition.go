package model

import (
	"encoding/json"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// What can be wrong with a gateway, each with what shows it. Fault says it in a few words,
// and rules in sentences.

// HiddenFrom are the control planes that watch the cluster, and whose discovery selectors
// do not select the gateway's namespace (pkg/kube/namespace/filter.go).
func (g *Gateway) HiddenFrom() []*ControlPlane {
	ns := g.Cluster.Namespace(g.Service.Namespace)
	if ns == nil || !g.Labeled {
		return nil
	}
	var out []*ControlPlane
	for _, cp := range g.Cluster.WatchedBy {
		if !cp.Mesh.Selects(ns.Labels) {
			out = append(out, cp)
		}
	}
	return out
}

// PodsElsewhere are those of its pods that are on another network than the one to which it
// leads.
func (g *Gateway) PodsElsewhere() []*facts.Pod {
	return slices.DeleteFunc(slices.Clone(g.Pods), func(p *facts.Pod) bool {
		own := Variable(p, istio.EnvProxyNetwork)
		return own == "" || own == g.Network
	})
}

// IsAlone reports whether the cluster is on other networks than the gateway, and no other
// pod there is on its one: by a label, or by ranges of addresses in meshNetworks. Where
// those were not read it may be, see MeshNetworksUnread.
func (g *Gateway) IsAlone() bool {
	homes := g.Cluster.Network().Homes()
	if len(homes) == 0 || slices.Contains(homes, g.Network) {
		return false
	}
	pods := resources.Pods.Of(g.Cluster.Cluster).Value
	for i := range pods {
		if pods[i].Labels[istio.LabelNetwork] == g.Network && !slices.Contains(g.Pods, &pods[i]) {
			return false
		}
	}
	return !slices.ContainsFunc(g.Cluster.WatchedBy, func(cp *ControlPlane) bool {
		return slices.ContainsFunc(cp.MeshNetworks.Networks[g.Network].Endpoints, func(e istio.NetworkEndpoints) bool {
			return e.FromCIDR != ""
		})
	})
}

// ForwardingPods are those of its pods that know gateways of other networks, to which they
// send requests on (pilot/pkg/model/proxy_view.go).
func (g *Gateway) ForwardingPods() []*facts.Pod {
	if !g.TakesSidecars() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(g.Pods), func(p *facts.Pod) bool {
		return !IsProxy(p) || Variable(p, istio.EnvProxyNetworkView) == g.Network
	})
}

// LacksPorts reports whether the Service has neither of the ports that other networks
// connect to.
func (g *Gateway) LacksPorts() bool { return !g.HasPort(g.Port()) && !g.HasPort(istio.HBONEPort) }

// MisleadsSidecars is the control plane that sends sidecars of other networks to a gateway of
// ambient proxies, at a port that its Service does not have: before 1.29 istiod does not look
// which ports a labeled Service has; nil where none does
// (pilot/pkg/serviceregistry/kube/controller/network.go, getGatewayDetails).
func (g *Gateway) MisleadsSidecars() *ControlPlane {
	if !g.Labeled || g.HasPort(g.Port()) || !g.HasPort(istio.HBONEPort) {
		return nil
	}
	for _, cp := range g.KnownTo() {
		if c, _ := g.Candidate(cp); cp.Istiod.Before("1.29.0") && c.Problem == "" && c.Port != 0 && len(cp.Demand().Sidecars.Off(g.Network)) > 0 {
			return cp
		}
	}
	return nil
}

// PortIgnored is how the port of a gateway can be set so that istiod does not see it.
type PortIgnored string

// The ways (pilot/pkg/serviceregistry/kube/controller/network.go, getGatewayDetails).
const (
	// PortNotNumber: the label is not a number.
	PortNotNumber PortIgnored = "label"
	// PortAnnotated: it is in an annotation, and not in a label.
	PortAnnotated PortIgnored = "annotation"
)

// PortIgnored is how the port is set so that istiod ignores it; "" where it is not.
func (g *Gateway) PortIgnored() PortIgnored {
	label, annotation := g.Service.Labels[istio.LabelGatewayPort], g.Service.Annotations[istio.LabelGatewayPort]
	_, err := strconv.Atoi(label)
	switch {
	case !g.Labeled:
	case label != "" && err != nil:
		return PortNotNumber
	case label == "" && annotation != "" && annotation != strconv.Itoa(istio.DefaultGatewayPort):
		return PortAnnotated
	}
	return ""
}

// Type is that of the Service.
func (g *Gateway) Type() corev1.ServiceType {
	if g.Service.Spec.Type == "" {
		return corev1.ServiceTypeClusterIP
	}
	return g.Service.Spec.Type
}

// IsOn reports whether its addresses are those of what a type of Service has: of a load
// balancer, or of nodes. Where it has externalIPs those are (pilot/pkg/serviceregistry/kube/
// conversion.go, ConvertService).
func (g *Gateway) IsOn(kind corev1.ServiceType) bool {
	return g.Type() == kind && len(g.Service.Spec.ExternalIPs) == 0
}

// NodeSelector is the annotation that says of which nodes istiod advertises the addresses.
func (g *Gateway) NodeSelector() (string, bool) {
	text, ok := g.Service.Annotations[istio.AnnotationNodeSelector]
	return text, ok
}

// Selection are the nodes of which istiod advertises the external addresses
// (pilot/pkg/serviceregistry/kube/controller/network.go, updateServiceNodePortAddresses).
type Selection struct {
	// Invalid: the annotation is not JSON, with which it selects all.
	Invalid bool
	// All is how many nodes there are, Nodes are those that are selected, and External
	// those of them with an ExternalIP.
	All             int
	Nodes, External []string
}

// Selection are the nodes that the annotation of a gateway by node ports selects; false
// where it is no such gateway.
func (g *Gateway) Selection() (Selection, bool) {
	text, annotated := g.NodeSelector()
	if !annotated || !g.IsOn(corev1.ServiceTypeNodePort) {
		return Selection{}, false
	}
	selector := map[string]string{}
	nodes := resources.Nodes.Of(g.Cluster.Cluster).Value
	// What of it is not JSON istiod leaves out.
	out := Selection{Invalid: json.Unmarshal([]byte(text), &selector) != nil, All: len(nodes)}
	for _, n := range nodes {
		if len(selector) > 0 && !facts.Selects(selector, n.Labels) {
			continue
		}
		out.Nodes = append(out.Nodes, n.Name)
		if slices.ContainsFunc(n.Status.Addresses, func(a corev1.NodeAddress) bool {
			return a.Type == corev1.NodeExternalIP && a.Address != ""
		}) {
			out.External = append(out.External, n.Name)
		}
	}
	return out, true
}

// UnmappedHBONE is the node port to which the port for ambient proxies is mapped, where
// istiod advertises the port as it is; false where it does not.
func (g *Gateway) UnmappedHBONE() (nodePort int32, ok bool) {
	if _, annotated := g.NodeSelector(); !annotated || !g.IsOn(corev1.ServiceTypeNodePort) {
		return 0, false
	}
	at := slices.IndexFunc(g.Service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == istio.HBONEPort })
	if at < 0 || g.Service.Spec.Ports[at].NodePort == istio.HBONEPort {
		return 0, false
	}
	return g.Service.Spec.Ports[at].NodePort, slices.ContainsFunc(g.Cluster.WatchedBy, func(cp *ControlPlane) bool {
		return cp.Istiod.On(istio.EnvAmbientMultiNetwork)
	})
}

// WithoutPod are those of its addresses that belong to nodes which drop what comes for it:
// with externalTrafficPolicy Local a node without a ready pod does. A load balancer leaves
// such nodes out.
func (g *Gateway) WithoutPod() []istio.CandidateAddress {
	spec := g.Service.Spec
	if spec.Type != corev1.ServiceTypeNodePort || spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal || g.Ready() == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(g.Addresses()), func(a istio.CandidateAddress) bool {
		return a.Node == "" || slices.ContainsFunc(g.Pods, func(p *facts.Pod) bool { return p.IsReady() && p.Node == a.Node })
	})
}

// ByGatewayAPI reports whether a Gateway of the Gateway API makes its pods pass mutual TLS
// on.
func (g *Gateway) ByGatewayAPI() bool {
	for _, p := range g.Pods {
		name := p.Labels[istio.LabelGatewayName]
		for _, k := range resources.KubernetesGateways.Of(g.Cluster.Cluster).Value {
			if name == "" || k.Namespace != p.Namespace || k.Name != name {
				continue
			}
			for _, l := range k.Spec.Listeners {
				if l.TLS != nil && (l.TLS.Options["gateway.istio.io/listener-protocol"] == "auto-passthrough" || int(l.Port) == g.Port()) {
					return true
				}
			}
		}
	}
	return false
}

// ToldBy are the control planes whose Gateways tell its pods where to listen, or the one
// whose should, of each cluster and revision one.
func (g *Gateway) ToldBy() []*ControlPlane {
	all := g.Cluster.ConfiguredBy()
	if cp := g.Cluster.ManagedBy(); len(all) == 0 && cp != nil {
		return []*ControlPlane{cp}
	}
	if len(g.Pods) > 0 {
		all = nil
		for _, p := range g.Pods {
			all = append(all, g.Cluster.ProgrammedBy(p)...)
		}
	}
	var out []*ControlPlane
	for _, cp := range all {
		if !slices.ContainsFunc(out, func(o *ControlPlane) bool {
			return o == cp || o.Cluster == cp.Cluster && o.Istiod.Revision == cp.Istiod.Revision
		}) {
			out = append(out, cp)
		}
	}
	return out
}

// ByRevision are control planes by their revision, in the order in which they are given.
// Those of one revision do the same for a pod, and those of another one for other pods.
func ByRevision(controlPlanes []*ControlPlane) [][]*ControlPlane {
	var out [][]*ControlPlane
	for _, cp := range controlPlanes {
		at := slices.IndexFunc(out, func(o []*ControlPlane) bool { return o[0].Istiod.Revision == cp.Istiod.Revision })
		if at < 0 {
			at, out = len(out), append(out, nil)
		}
		out[at] = append(out[at], cp)
	}
	return out
}
