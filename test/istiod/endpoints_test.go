package istiod

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
)

// endpoint is what a proxy is told of an endpoint.
type endpoint struct {
	Address        string
	Port           int
	Cluster        string
	Locality       string
	Priority       int
	Weight         int
	LocalityWeight int
	Unhealthy      bool
	MTLS           bool
	Gateway        bool
}

// holdEndpoints compares what the proxies that connect to a control plane are given for
// every port and subset of every service.
func holdEndpoints(t *testing.T, ctx context.Context, v *istio.View, istiod *bed.Istiod, pods podIndex, n *tally) {
	t.Helper()
	for _, p := range sources(v, pods) {
		source, ok := v.SourceOf(p.Cluster, p.Namespace, p.Pod)
		if !ok {
			continue
		}
		proxy, err := proxyOf(source, pods.of(p))
		if err != nil {
			t.Fatal(err)
		}
		connection, err := ads.Connect(ctx, istiod.GRPC(), proxy)
		if err != nil {
			t.Errorf("%s/%s of %s: %v", p.Namespace, p.Pod, p.Cluster, err)
			continue
		}
		n.sources++
		for _, to := range destinations(v) {
			predicted := v.Endpoints(source, to)
			known := slices.Contains(connection.Config().Services(), ads.Service{Host: predicted.Host, Port: to.Port, Subset: to.Subset})
			if predicted.Direct || to.Subset != "" && !known {
				continue // sidecars are not told, or no DestinationRule speaks of the subset
			}
			want := ofPrediction(predicted.Endpoints)
			n.services++
			n.endpoints += len(want)
			eventually(t, ctx, "endpoints of "+predicted.Host+" "+to.Subset+" for "+p.Namespace+"/"+p.Pod+" of "+p.Cluster+" at "+v.Context, func(context.Context) (string, error) {
				return differ(want, ofIstiod(connection.Config().Endpoints(predicted.Host, to.Port, to.Subset))), nil
			})
		}
		n.routes += holdRoutes(t, ctx, v, source, connection)
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	}
}

// sources are one pod with a proxy of each cluster, network, locality and type, and one gateway of
// each name, of those that a control plane serves: those of its own cluster, and of the clusters
// that have none. Proxies of the Gateway API are told only of the Services that use them, in clusters
// of another kind: waypoints are here to be no gateways between networks.
func sources(v *istio.View, pods podIndex) []istio.PodNetwork {
	seen := map[string]bool{}
	var out []istio.PodNetwork
	for _, p := range v.PodNetworks() {
		pod := pods.of(p)
		source, ok := v.SourceOf(p.Cluster, p.Namespace, p.Pod)
		if !ok || p.Namespace != "shop" && !source.Gateway || !pods.served[p.Cluster] || !hasProxy(pod) ||
			pod.Labels[istio.LabelGatewayName] != "" {
			continue
		}
		key := p.Cluster + " " + source.Network + " " + source.Locality.String()
		if source.Gateway {
			key = p.Cluster + " " + pod.Namespace + " " + pod.Labels["app"]
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, p)
		}
	}
	return out
}

func hasProxy(pod *corev1.Pod) bool {
	isProxy := func(c corev1.Container) bool { return c.Name == istio.ProxyContainer }
	return slices.ContainsFunc(pod.Spec.Containers, isProxy) || slices.ContainsFunc(pod.Spec.InitContainers, isProxy)
}

// destinations are the ports of services, by themselves and of two subsets.
func destinations(v *istio.View) []istio.Destination {
	var out []istio.Destination
	for _, s := range v.Services() {
		if s.Namespace != "shop" && s.Namespace != "bare" {
			continue
		}
		for _, port := range s.Ports {
			for _, subset := range []string{"", "v1", "v2"} {
				out = append(out, istio.Destination{Namespace: s.Namespace, Service: s.Name, Port: port, Subset: subset})
			}
		}
	}
	return out
}

// proxyOf is the proxy of a pod, as it speaks of itself to istiod.
func proxyOf(s istio.Source, pod *corev1.Pod) (ads.Proxy, error) {
	p, err := ads.FromPod(pod)
	p.Labels, p.Locality = s.Labels, s.Locality.String()
	if s.Gateway {
		p.Type = "router"
	}
	return p, err
}

func ofPrediction(in []istio.Endpoint) []endpoint {
	var out []endpoint
	for _, e := range in {
		out = append(out, endpoint{
			Address: e.Address, Port: int(e.Port), Cluster: e.Cluster, Locality: strings.TrimRight(e.Locality.String(), "/"), Priority: int(e.Priority),
			Weight: int(max(e.Weight, 1)), LocalityWeight: int(e.LocalityWeight), Unhealthy: e.Health == "UNHEALTHY", MTLS: e.MTLS, Gateway: e.Gateway(),
		})
	}
	return sorted(out)
}

func ofIstiod(in []ads.Endpoint) []endpoint {
	var out []endpoint
	for _, e := range in {
		out = append(out, endpoint{
			Address: e.Address, Port: e.Port, Cluster: e.Cluster, Locality: e.Locality, Priority: e.Priority, Weight: e.Weight,
			LocalityWeight: e.LocalityWeight, Unhealthy: e.Health == "UNHEALTHY", MTLS: e.TLSMode == "istio", Gateway: e.Gateway,
		})
	}
	return sorted(out)
}

func sorted(endpoints []endpoint) []endpoint {
	slices.SortFunc(endpoints, func(a, b endpoint) int {
		return cmp.Or(
			cmp.Compare(a.Priority, b.Priority), strings.Compare(a.Locality, b.Locality), strings.Compare(a.Address, b.Address),
			cmp.Compare(a.Port, b.Port), strings.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Weight, b.Weight),
		)
	})
	return endpoints
}
