package istiotest

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// waits lets istiod run and not get ready.
func (c *Cluster) waits() {
	c.down()
	c.istiodStatus(func(s *corev1.ContainerStatus) { s.State.Running.StartedAt = ago(25 * time.Minute) })
}

// oldKinds has the kinds of Istio served in an old version alone.
func oldKinds(f *facts.Fleet) {
	for _, row := range []interface {
		SetServed(c *facts.Cluster, version string)
	}{
		resources.VirtualServices, resources.DestinationRules, resources.Gateways, resources.ServiceEntries, resources.Sidecars,
		resources.PeerAuthentications, resources.AuthorizationPolicies,
	} {
		row.SetServed(&f.Clusters[0], "v1beta1")
	}
}

// stableRoutes has routes for TLS served in their stable version alone.
func stableRoutes(f *facts.Fleet) { resources.TLSRoutes.SetServed(&f.Clusters[0], "v1") }

// defined is the definition of a kind of the Gateway API, as a release of that has it.
func defined(resources, release string) *kubernetes.Definition {
	d := &kubernetes.Definition{ObjectMeta: meta("", resources+"."+api.GatewayGroup, nil)}
	if release != "" {
		d.Annotations = map[string]string{istio.AnnotationBundle: release}
	}
	return d
}

// shopGateway is a Gateway that a controller has made.
func shopGateway(class string) *api.KubernetesGateway {
	k := waypointGateway(metav1.ConditionTrue, "Programmed")
	k.Name, k.Spec.GatewayClassName = "shop", class
	k.Spec.Listeners = []api.Listener{{Name: "tls", Port: 443, Protocol: "TLS"}}
	return k
}

func toShop() api.AttachedSpec { return api.AttachedSpec{ParentRefs: []api.ParentRef{{Name: "shop"}}} }

// limited gives istiod a limit of memory of 2 GiB, of which it uses so many MiB.
func (c *Cluster) limited(used string) {
	limits := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}
	c.EachIstiod(func(d *appsv1.Deployment, p *corev1.Pod) {
		for _, containers := range [][]corev1.Container{d.Spec.Template.Spec.Containers, p.Spec.Containers} {
			for i := range containers {
				containers[i].Resources.Limits = limits
			}
		}
	})
	c.Network.add(&resources.PodMetrics{
		ObjectMeta: meta(System, c.istiodName()+"-0", map[string]string{"app": "istiod"}),
		Containers: []resources.ContainerMetrics{{Name: istio.DiscoveryContainer, Usage: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(used)}}},
	})
}

// headless serves the pods of helloworld without an address of the Service. The second of them has no
// proxy, on purpose, where bare.
func (c *Cluster) headless(bare bool) {
	c.Serve("helloworld")
	c.Service("helloworld").Spec.ClusterIP = corev1.ClusterIPNone
	if bare {
		p := c.Network.Pods[1]
		inject(p, "")
		delete(p.Labels, istio.LabelTLSMode)
		p.Labels[istio.InjectKey] = "false"
		p.Spec.Containers[0].Name, p.Status.ContainerStatuses[0].Name = "app", "app"
	}
}

// definitionFaults are about what istiod reads, and how much of it it can hold.
var definitionFaults = []ControlPlaneCase{
	{Case: Case{
		Name: "definitions of Istio that are older than istiod", Fleet: installed((*Cluster).waits),
		Want: []string{"CP001 error east < CP004", "CP004 error east < CP013", "CP013 error east", "CP022 error east < CP001", "CP022 error east < CP001"},
	}, Read: oldKinds},
	{Case: Case{Name: "definitions of Istio that were set back", Fleet: installed(func(*Cluster) {}), Want: []string{"CP013 error east"}}, Read: oldKinds},
	cp("routes for TLS that istiod does not read by itself", installed(func(c *Cluster) {
		c.Network.add(defined("tlsroutes", "v1.4.1"), shopGateway(api.ClassIstio), &api.TLSRoute{ObjectMeta: inSample("shop"), Spec: toShop()})
	}), "CP014 error east"),
	cp("routes for TLS of a newer Gateway API than istiod reads", installed(func(c *Cluster) {
		c.Image, c.Env[istio.EnvAlphaGatewayAPI] = "1.29.4", "true"
		c.Network.add(defined("tlsroutes", "v1.5.0"), shopGateway(api.ClassIstio), &api.TLSRoute{ObjectMeta: inSample("shop"), Spec: toShop()})
	}), "CP014 error east"),
	cp("routes of gRPC of an older Gateway API than istiod reads", installed(func(c *Cluster) {
		c.Network.add(defined("grpcroutes", "v1.0.0"), shopGateway(api.ClassIstio), &api.GRPCRoute{ObjectMeta: inSample("shop"), Spec: toShop()})
	}), "CP014 error east"),
	cp("a policy about backends whose definition does not say its release", installed(func(c *Cluster) {
		c.Network.add(defined("backendtlspolicies", ""), shopGateway(api.ClassIstio), &api.BackendTLSPolicy{
			ObjectMeta: inSample("shop"), Spec: api.AttachedSpec{TargetRefs: []api.TargetRef{{Kind: "Service", Name: "helloworld"}}},
		})
	}), "CP014 error east"),
	{Case: Case{Name: "an istiod that waits for routes for TLS", Fleet: installed(func(c *Cluster) {
		c.waits()
		c.Env[istio.EnvAlphaGatewayAPI] = "true"
		c.Network.add(defined("tlsroutes", "v1.5.1"))
	}), Want: []string{"CP001 error east < CP004", "CP004 error east < CP014", "CP014 error east", "CP022 error east < CP001", "CP022 error east < CP001"}}, Read: stableRoutes},
	{Case: Case{Name: "an istiod that will wait for routes for TLS", Fleet: installed(func(c *Cluster) {
		c.Env[istio.EnvAlphaGatewayAPI] = "true"
		c.Network.add(defined("tlsroutes", "v1.5.1"))
	}), Want: []string{"CP014 warning east"}}, Read: stableRoutes},
	cp("an istiod that uses nearly all of its memory", installed(func(c *Cluster) { c.limited("1950Mi") }), "CP070 warning east"),
	cp("resources of proxies in the mesh config", installed(func(c *Cluster) {
		c.Mesh["istio"]["defaultConfig"] = map[string]any{"resources": map[string]any{"limits": map[string]any{"memory": "1Gi"}}}
	}), "CP072 warning east"),
	cp("a field of the mesh config in other letters", installed(func(c *Cluster) {
		c.Mesh["istio"]["enableAutoMTLS"], c.Mesh["istio"]["holdApplicationUntilProxyStarts"] = true, true
	}), "CP072 warning east"),
	cp("a headless Service with one pod without a proxy, and STRICT", installed(func(c *Cluster) {
		c.headless(true)
		c.Network.add(strict())
	}), "CP061 error east"),
}

// definitionsHealthy are what resembles them, and is well.
var definitionsHealthy = []ControlPlaneCase{
	{Case: Case{Name: "an istiod that refuses others than the proxies that are there", Fleet: installed(func(*Cluster) {})},
		Later: refusing(facts.RefusalCount{Unauthenticated: 230, Unsigned: 9}, false)},
	{Case: Case{Name: "an istiod that refused proxies long ago, and one proxy that cannot reach it", Fleet: installed(func(*Cluster) {}), Want: []string{"EP020 error east"}},
		Answer: gone, Later: refusing(facts.RefusalCount{Unauthenticated: 200, Unsigned: 4}, true)},
	cp("definitions of the Gateway API that nobody uses", installed(func(c *Cluster) {
		c.Network.add(defined("tlsroutes", "v1.4.1"), defined("tcproutes", "v1.4.1"), defined("grpcroutes", "v1.0.0"), defined("backendtlspolicies", "v1.2.0"))
	})),
	cp("routes of another controller", installed(func(c *Cluster) {
		other := toShop()
		other.ParentRefs[0].Kind = ptr("Gateway")
		c.Network.add(defined("tlsroutes", "v1.4.1"), defined("backendtlspolicies", "v1.2.0"), shopGateway("nginx"), &api.TLSRoute{ObjectMeta: inSample("shop"), Spec: other},
			&api.BackendTLSPolicy{ObjectMeta: inSample("shop"), Spec: api.AttachedSpec{TargetRefs: []api.TargetRef{{Kind: "Service", Name: "helloworld"}}}})
	})),
	cp("a policy that another controller has taken, beside a gateway of Istio", installed(func(c *Cluster) {
		c.Network.add(defined("backendtlspolicies", "v1.2.0"), shopGateway(api.ClassIstio), &api.BackendTLSPolicy{
			ObjectMeta: inSample("shop"), Spec: api.AttachedSpec{TargetRefs: []api.TargetRef{{Kind: "Service", Name: "helloworld"}}},
			Status: api.AttachedStatus{Ancestors: []api.TakenBy{{ControllerName: "gateway.envoyproxy.io/gatewayclass-controller"}}},
		})
	})),
	cp("routes that istiod reads, of a release before the release", installed(func(c *Cluster) {
		c.Env[istio.EnvAlphaGatewayAPI] = "true"
		c.Network.add(defined("tlsroutes", "v1.4.1"), defined("tcproutes", "v1.4.1"), defined("grpcroutes", "v1.1.0-rc.1"), shopGateway(api.ClassIstio),
			&api.TLSRoute{ObjectMeta: inSample("shop"), Spec: toShop()}, &api.TCPRoute{ObjectMeta: inSample("shop"), Spec: toShop()},
			&api.GRPCRoute{ObjectMeta: inSample("shop"), Spec: toShop()})
	})),
	cp("routes for TLS that are still served in the version that istiod reads", installed(func(c *Cluster) {
		c.Env[istio.EnvAlphaGatewayAPI] = "true"
		c.Network.add(defined("tlsroutes", "v1.5.1"), shopGateway(api.ClassIstio), &api.TLSRoute{ObjectMeta: inSample("shop"), Spec: toShop()})
	})),
	cp("an istiod with memory to spare", installed(func(c *Cluster) { c.limited("1200Mi") })),
	cp("fields of the mesh config in the letters of the message, and of old releases", installed(func(c *Cluster) {
		c.Mesh["istio"]["enable_auto_mtls"], c.Mesh["istio"]["disablePolicyChecks"], c.Mesh["istio"]["sds_uds_path"] = true, true, ""
		c.Mesh["istio"]["default_config"] = map[string]any{"whatever": 1}
		c.Mesh["istio"]["defaultConfig"] = map[string]any{"hold_application_until_proxy_starts": true, "tracingServiceName": "APP_LABEL_ONLY"}
	})),
	cp("a headless Service whose pods all have a proxy, and STRICT", installed(func(c *Cluster) {
		c.headless(false)
		c.Network.add(strict())
	})),
	cp("a headless Service with one pod without a proxy", installed(func(c *Cluster) { c.headless(true) })),
	cp("a headless Service with one pod without a proxy, and a rule for it", installed(func(c *Cluster) {
		c.headless(true)
		c.Network.add(strict(), rule(&api.TrafficPolicy{TLS: &api.ClientTLS{Mode: api.TLSIstioMutual}}))
	})),
}
