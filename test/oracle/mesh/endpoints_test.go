package mesh

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/util"
	"istio.io/istio/pilot/pkg/xds/endpoints"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/host"
	"istio.io/istio/pkg/network"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// holdEndpoints compares what every proxy gets for every port and subset of
// every Service.
func holdEndpoints(t *testing.T, v *istio.View, live *istiod, n *tally) {
	for _, p := range v.PodNetworks() {
		source, ok := v.SourceOf(p.Cluster, p.Namespace, p.Pod)
		if !ok || !hasProxy(live, p) {
			continue
		}
		proxy := live.proxy(source)
		for _, to := range destinations(v) {
			predicted := v.Endpoints(source, to)
			got := live.endpoints(proxy, to)
			n.questions++
			n.endpoints += len(got)
			n.dropped += len(predicted.Dropped)
			for _, e := range predicted.Endpoints {
				if e.Gateway() {
					n.through++
				}
			}
			if diff := gocmp.Diff(told(predicted.Endpoints), told(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: endpoints of %s.%s:%d subset %q for %s/%s of %s (network %q) (-predicted +istiod):\n%s\npredicted: %+v",
					v.Context, to.Service, to.Namespace, to.Port, to.Subset, p.Namespace, p.Pod, p.Cluster, source.Network, diff, predicted)
			}
		}
	}
}

// destinations are the ports that some cluster's Service has, and one that none has.
func destinations(v *istio.View) []istio.Destination {
	var out []istio.Destination
	for _, s := range v.Services() {
		for _, port := range append(s.Ports, 7) {
			for _, subset := range []string{"", "v1", "v2"} {
				out = append(out, istio.Destination{Namespace: s.Namespace, Service: s.Name, Port: port, Subset: subset})
			}
		}
	}
	return out
}

func hasProxy(live *istiod, p istio.PodNetwork) bool {
	pod := live.pods[p.Cluster+"/"+p.Namespace+"/"+p.Pod]
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == istio.ProxyContainer })
}

// proxy is a source as istiod has it after it connected (pilot/pkg/xds/ads.go, initializeProxy).
func (i *istiod) proxy(s istio.Source) *model.Proxy {
	kind := model.SidecarProxy
	if s.Gateway {
		kind = model.Router
	}
	return i.SetupProxy(&model.Proxy{
		Type: kind, ConfigNamespace: s.Namespace, IPAddresses: s.Addresses, Labels: s.Labels,
		Locality: &corev3.Locality{Region: s.Locality.Region, Zone: s.Locality.Zone, SubZone: s.Locality.Subzone},
		Metadata: &model.NodeMetadata{
			Namespace: s.Namespace, Network: network.ID(s.Network), ClusterID: cluster.ID(s.Cluster), Labels: s.Labels, NodeName: s.Node,
			RequestedNetworkView: s.NetworkView,
		},
	})
}

// endpoints are what EDS gives a proxy.
func (i *istiod) endpoints(proxy *model.Proxy, to istio.Destination) []istio.Endpoint {
	name := model.BuildSubsetKey(model.TrafficDirectionOutbound, to.Subset, host.Name(to.Service+"."+to.Namespace+".svc.cluster.local"), to.Port)
	b := endpoints.NewEndpointBuilder(name, proxy, i.PushContext())
	var out []istio.Endpoint
	for _, group := range b.BuildClusterLoadAssignment(i.Env().EndpointIndex).Endpoints {
		for _, e := range group.LbEndpoints {
			found := istio.Endpoint{
				Priority: group.Priority, Weight: e.GetLoadBalancingWeight().GetValue(),
				LocalityWeight: group.GetLoadBalancingWeight().GetValue(), Health: e.HealthStatus.String(),
				Locality: istio.Locality{Region: group.Locality.GetRegion(), Zone: group.Locality.GetZone(), Subzone: group.Locality.GetSubZone()},
			}
			if pipe := e.GetEndpoint().GetAddress().GetPipe(); pipe != nil { // what a gateway is told of one without port
				found.Address = pipe.Path
			} else {
				address := e.GetEndpoint().GetAddress().GetSocketAddress()
				found.Address, found.Port = address.GetAddress(), address.GetPortValue()
			}
			found.MTLS = e.Metadata.GetFilterMetadata()[util.EnvoyTransportSocketMetadataKey].GetFields()[model.TLSModeLabelShortname].GetStringValue() == model.IstioMutualTLSModeLabel
			out = append(out, found)
		}
	}
	return out
}

// told leaves of endpoints what Envoy is told.
func told(in []istio.Endpoint) []istio.Endpoint {
	var out []istio.Endpoint
	for _, e := range in {
		e.Pod, e.Cluster, e.Network, e.NetworkFrom, e.Route, e.Behind, e.More, e.Plain = "", "", "", "", "", nil, nil, istio.Decider{}
		if e.Health == "UNKNOWN" {
			e.Health = istio.Healthy
		}
		if ip := net.ParseIP(e.Address); ip != nil {
			e.Address = ip.String()
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b istio.Endpoint) int {
		return cmp.Or(
			cmp.Compare(a.Priority, b.Priority), strings.Compare(a.Locality.String(), b.Locality.String()),
			strings.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Weight, b.Weight), strings.Compare(a.Health, b.Health),
		)
	})
	return out
}
