package istiod

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
)

// holdRoutes compares where a proxy is told to send HTTP requests: a sidecar those for each
// Service, and a gateway all that come to it.
func holdRoutes(t *testing.T, ctx context.Context, v *istio.View, source istio.Source, connection *ads.Connection) int {
	t.Helper()
	who := fmt.Sprintf("a proxy of %s in %s of %s at %s", source.Labels["app"], source.Namespace, source.Cluster, v.Context)
	if source.Gateway {
		predicted := v.GatewayRoutes(source)
		eventually(t, ctx, "routes of "+who, func(context.Context) (string, error) {
			got, _ := connection.Config().RouteTargets("", "")
			return differ(routesOf(predicted, nil), routesOf(nil, got)), nil
		})
		return len(predicted)
	}
	n := 0
	for _, s := range v.Services() {
		if s.Namespace != "shop" && s.Namespace != "bare" {
			continue
		}
		for _, number := range s.Ports {
			to := istio.Destination{Namespace: s.Namespace, Service: s.Name, Port: number}
			seen := v.Endpoints(source, to)
			port := corev1.ServicePort{Name: "http", Port: int32(number)}
			if seen.Direct || seen.Absent != "" {
				continue
			}
			predicted := v.Routes(source, s.Namespace, s.Name, port)
			if len(predicted) == 0 {
				predicted = []istio.RoutedTo{{Host: seen.Host}}
			}
			got, known := connection.Config().RouteTargets(strconv.Itoa(number), seen.Host)
			if !known {
				continue // a port of another protocol
			}
			n += len(predicted)
			eventually(t, ctx, fmt.Sprintf("routes to %s:%d of %s", seen.Host, number, who), func(context.Context) (string, error) {
				got, _ = connection.Config().RouteTargets(strconv.Itoa(number), seen.Host)
				return differ(routesOf(predicted, nil), routesOf(nil, got)), nil
			})
		}
	}
	return n
}

// routesOf are targets in words: which port it is only some VirtualServices say, and is a matter of the
// endpoints otherwise.
func routesOf(predicted []istio.RoutedTo, got []ads.RouteTarget) []string {
	var out []string
	add := func(host, subset string, conditional bool) {
		out = append(out, fmt.Sprintf("%s %s%s", host, cmp.Or(subset, "all"), map[bool]string{true: ", some"}[conditional]))
	}
	for _, r := range predicted {
		// A proxy's routes do not say by which VirtualService they are: what takes all requests stands for what takes some.
		always := slices.ContainsFunc(predicted, func(o istio.RoutedTo) bool {
			return o.Host == r.Host && o.Subset == r.Subset && o.Port == r.Port && !o.Conditional
		})
		add(r.Host, r.Subset, r.Conditional && !always)
	}
	for _, r := range got {
		add(r.Host, r.Subset, r.Conditional)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
