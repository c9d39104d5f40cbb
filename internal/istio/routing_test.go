package istio_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Of VirtualServices for one host the one counts that is exported least, and of those alike the oldest.
func TestVirtualServicesOfOneHost(t *testing.T) {
	for name, c := range map[string]struct {
		first, second []string
		want          string
	}{
		"both to everyone":           {nil, []string{"*"}, "v1"},
		"the second to its own":      {nil, []string{"."}, "v2"},
		"its own by name":            {[]string{"*"}, []string{"shop", "elsewhere"}, "v2"},
		"both to its own":            {[]string{"."}, []string{"."}, "v1"},
		"the first elsewhere":        {[]string{"elsewhere"}, nil, "v2"},
		"the first to nobody":        {[]string{"~", "."}, nil, "v2"},
		"everyone and its own":       {[]string{"*", "."}, []string{"."}, "v2"},
		"the second elsewhere alone": {[]string{"."}, []string{"elsewhere"}, "v1"},
	} {
		f := twoNetworks()
		var all []api.VirtualService
		for i, to := range [][]string{c.first, c.second} {
			vs := api.VirtualService{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: []string{"a", "b"}[i], CreationTimestamp: metav1.Unix(int64(1000+i), 0),
			}}
			vs.Spec.Hosts, vs.Spec.ExportTo = []string{"cart"}, to
			vs.Spec.HTTP = []api.Route{{Route: []api.RouteDestination{{Destination: &api.RouteTarget{Host: "cart", Subset: []string{"v1", "v2"}[i]}}}}}
			all = append(all, vs)
		}
		resources.VirtualServices.Set(&f.Clusters[0], read(all...))
		v := istio.ViewOf(f, "east")
		source, _ := v.SourceOf("east", "shop", "cart-0")
		got := v.Routes(source, "shop", "cart", corev1.ServicePort{Name: "http", Port: 80})
		if len(got) != 1 || got[0].Subset != c.want {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}

// ingress is a gateway of Istio's chart: neither a label of the Gateway API nor a view of networks
// tells that it is one.
func ingress() *corev1.Pod {
	p := pod("10.0.0.9", "east")
	p.Name, p.Labels = "ingress-0", map[string]string{"istio": "ingressgateway"}
	return p
}

func TestChartGatewayIsNoSidecar(t *testing.T) {
	f := twoNetworks()
	east := &f.Clusters[0]
	resources.Pods.Set(east, read(append(resources.Pods.Of(east).Value, facts.PodOf(ingress()))...))
	v := istio.ViewOf(f, "east")
	for name, want := range map[string]bool{"ingress-0": true, "cart-0": false} {
		namespace := "shop"
		source, ok := v.SourceOf("east", namespace, name)
		if !ok || source.Gateway != want || source.IsIngress() != want {
			t.Errorf("%s: known %t, gateway %t, ingress %t; want %t", name, ok, source.Gateway, source.IsIngress(), want)
		}
	}
}

func TestGatewayRoutesOfItsPorts(t *testing.T) {
	to := func(subset string) []api.RouteDestination {
		return []api.RouteDestination{{Destination: &api.RouteTarget{Host: "cart", Subset: subset}}}
	}
	f := twoNetworks()
	east := &f.Clusters[0]
	resources.Pods.Set(east, read(append(resources.Pods.Of(east).Value, facts.PodOf(ingress()))...))
	resources.Gateways.Set(east, read(api.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ingress"},
		Spec: api.GatewaySpec{Selector: map[string]string{"istio": "ingressgateway"}, Servers: []api.Server{
			{Port: &api.ServerPort{Number: 80, Protocol: "HTTP"}, Hosts: []string{"*"}},
			{Port: &api.ServerPort{Number: 8080, Protocol: "HTTP"}, Hosts: []string{"*"}},
		}},
	}))
	vs := api.VirtualService{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"}}
	vs.Spec.Hosts, vs.Spec.Gateways = []string{"*"}, []string{"ingress"}
	vs.Spec.HTTP = []api.Route{
		{Match: []api.RouteMatch{{Port: 9000}}, Route: to("never")},
		{Match: []api.RouteMatch{{Port: 8080}}, Route: to("v2")},
		{Route: to("v1")},
	}
	resources.VirtualServices.Set(east, read(vs))
	v := istio.ViewOf(f, "east")
	source, _ := v.SourceOf("east", "shop", "ingress-0")
	by, host := istio.ObjectName{Namespace: "shop", Name: "cart"}, "cart.shop.svc.cluster.local"
	want := []istio.RoutedTo{{By: by, Host: host, Subset: "v1"}, {By: by, Host: host, Subset: "v2"}}
	if diff := cmp.Diff(want, v.GatewayRoutes(source)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for to, want := range map[string]int{"*": 2, ".": 2, "shop": 2, "elsewhere": 0} {
		resources.VirtualServices.Edit(east).Value[0].Spec.ExportTo = []string{to}
		if got := istio.ViewOf(f, "east").GatewayRoutes(source); len(got) != want {
			t.Errorf("exported to %s: %v", to, got)
		}
	}
}
