package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// Further resources that are planted.
var (
	leases           = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
	virtualServices  = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "virtualservices"}
	destinationRules = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "destinationrules"}
	grpcRoutes       = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "grpcroutes"}
	nodes            = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	podMetrics       = schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "pods"}
)

// released gives the istiod of west a release: the bed's is built from source, and what such a one reads is not known.
func released(p *planter, release string) {
	p.t.Helper()
	p.keep(deployments, system, "istiod")
	patch := `[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"example.com/istio/pilot:` + release + `"}]`
	_, err := p.client.Resource(deployments).Namespace(system).Patch(p.ctx, "istiod", types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	p.check(err)
}

// namespace makes a namespace. Nothing removes it in the end, as no controller does: it loses its labels.
func (p *planter) namespace(name string, labels map[string]string) {
	p.t.Helper()
	p.plant(namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	p.undo = append(p.undo, func() {
		_, err := p.client.Resource(namespaces).Patch(p.ctx, name, types.MergePatchType, []byte(`{"metadata":{"labels":null}}`), metav1.PatchOptions{})
		p.check(err)
	})
}

// inShop is an object of namespace shop.
func inShop(apiVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name, "namespace": "shop"}, "spec": spec,
	}}
}

// failedCreate is the event, three minutes old, by which Kubernetes says that it cannot make pods.
func failedCreate(namespace, replicaSet, message string) *corev1.Event {
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: replicaSet + ".1", Namespace: namespace}, Type: corev1.EventTypeWarning, Reason: "FailedCreate", Count: 9,
		Message: message, InvolvedObject: corev1.ObjectReference{Kind: "ReplicaSet", APIVersion: "apps/v1", Namespace: namespace, Name: replicaSet},
		FirstTimestamp: metav1.NewTime(time.Now().Add(-5 * time.Minute)), LastTimestamp: metav1.NewTime(time.Now().Add(-3 * time.Minute)),
		Source: corev1.EventSource{Component: "replicaset-controller"},
	}
}

// proxyOf has the status of a proxy changed in that of a pod of shop/cart.
func (p *planter) proxyOf(change string) {
	p.patch(podObjects, "shop", "cart-0", `{"status":{"containerStatuses":[{"name":"istio-proxy","image":"","imageID":"",`+change+`}]}}`, "status")
}

var moreControlPlaneFaults = []planted{
	{
		name: "Service istiod selects no pod, and a webhook calls it", finds: "CP022",
		plant: func(p *planter) {
			p.plant(validators, validatorOf("istio-validator-istio-system", topology.Revision, "istiod"))
			p.patch(serviceKind, system, "istiod", `{"spec":{"selector":{"istio":"pilots"}}}`)
		},
	},
	{
		name: "two webhooks that inject the same pods", finds: "CP021",
		plant: func(p *planter) {
			is, err := p.client.Resource(injectors).Get(p.ctx, topology.WebhookName, metav1.GetOptions{})
			p.check(err)
			hooks, _, err := unstructured.NestedSlice(is.Object, "webhooks")
			p.check(err)
			for _, h := range hooks {
				client := map[string]any{"service": map[string]any{"namespace": system, "name": "istiod", "path": "/inject", "port": int64(443)}}
				client["caBundle"] = h.(map[string]any)["clientConfig"].(map[string]any)["caBundle"]
				h.(map[string]any)["clientConfig"] = client
			}
			p.plant(injectors, &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": is.GetAPIVersion(), "kind": is.GetKind(), "webhooks": hooks,
				"metadata": map[string]any{"name": "istio-sidecar-injector-second", "labels": map[string]any{"app": "sidecar-injector", "istio.io/rev": topology.Revision}},
			}})
		},
	},
	{
		name: "labels that contradict one another", finds: "CP031",
		plant: func(p *planter) {
			p.patch(namespaces, "", "shop", `{"metadata":{"labels":{"istio.io/dataplane-mode":"ambient"}}}`)
		},
	},
	{
		name: "a value that Istio ignores", finds: "CP032",
		plant: func(p *planter) {
			p.namespace("legacy", map[string]string{"istio-injection": "true"})
		},
	},
	{
		name: "a Pod Security level that forbids what is injected", finds: "CP034",
		plant: func(p *planter) {
			p.patch(namespaces, "", "shop", `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"baseline"}}}`)
			p.plant(events, failedCreate("shop", "late-7d4c8b9f7", `Error creating: pods "late-7d4c8b9f7-x2x4z" is forbidden: violates PodSecurity "baseline:latest": `+
				`non-default capabilities (container "istio-init" must not include "NET_ADMIN", "NET_RAW" in securityContext.capabilities.add)`))
		},
	},
	{
		name: "a webhook that spoils native sidecars", finds: "CP037",
		plant: func(p *planter) {
			p.plant(events, failedCreate("shop", "late-7d4c8b9f7", `Error creating: Pod "late-7d4c8b9f7-x2x4z" is invalid: spec.initContainers[1].startupProbe: `+
				`Forbidden: may not be set for init containers without restartPolicy=Always`))
		},
	},
	{
		name: "proxies that are not ready", finds: "CP040",
		plant: func(p *planter) {
			p.proxyOf(`"ready":false,"restartCount":0,"state":{"running":{"startedAt":"` + time.Now().Add(-10*time.Minute).UTC().Format(time.RFC3339) + `"}}`)
		},
	},
	{
		name: "a proxy that runs out of memory", finds: "CP045",
		plant: func(p *planter) {
			at := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
			p.proxyOf(`"ready":true,"restartCount":3,"state":{"running":{"startedAt":"` + at(2*time.Hour) + `"}},
				"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","startedAt":"` + at(3*time.Hour) + `","finishedAt":"` + at(2*time.Hour) + `"}}`)
		},
	},
	{
		name: "a VirtualService of a gateway that is not there", finds: "CP064",
		plant: func(p *planter) {
			p.plant(virtualServices, inShop("networking.istio.io/v1", "VirtualService", "ingress", map[string]any{
				"hosts": []any{"shop.example.com"}, "gateways": []any{"shop/none"},
				"http": []any{map[string]any{"route": []any{map[string]any{"destination": map[string]any{"host": "cart.shop.svc.cluster.local"}}}}},
			}))
		},
	},
	{
		name: "clients in plain text of pods that refuse it", finds: "CP061",
		plant: func(p *planter) {
			cart, err := p.client.Resource(serviceKind).Namespace("shop").Get(p.ctx, "cart", metav1.GetOptions{})
			p.check(err)
			spec := cart.Object["spec"].(map[string]any)
			p.plant(serviceKind, inShop("v1", "Service", "solo", map[string]any{"selector": spec["selector"], "ports": spec["ports"]}))
			p.plant(destinationRules, inShop("networking.istio.io/v1", "DestinationRule", "solo", map[string]any{
				"host": "solo.shop.svc.cluster.local", "trafficPolicy": map[string]any{"tls": map[string]any{"mode": "DISABLE"}},
			}))
			p.plant(peerPolicies, inShop("security.istio.io/v1", "PeerAuthentication", "default", map[string]any{"mtls": map[string]any{"mode": "STRICT"}}))
		},
	},
	{
		name: "a replica of istiod for which no node has had room for hours", finds: "CP003",
		plant: func(p *planter) {
			p.patch(deployments, system, "istiod", `{"spec":{"replicas":2}}`)
			p.waits("Unschedulable", "0/2 nodes are available: 2 Insufficient memory.")
		},
	},
	{
		name: "an istiod that runs and does not get ready", finds: "CP004",
		plant: func(p *planter) {
			at := time.Now().Add(-20 * time.Minute).UTC().Format(time.RFC3339)
			p.patch(podObjects, system, topology.IstiodPod, `{"status":{"conditions":[{"type":"Ready","status":"False","lastTransitionTime":"`+at+`"}],
				"containerStatuses":[{"name":"discovery","image":"example.com/istio/pilot:`+topology.IstioVersion+`","imageID":"","ready":false,"restartCount":0,
				"state":{"running":{"startedAt":"`+at+`"}}}]}}`, "status")
		},
	},
	{
		name: "an image that nobody replaced", finds: "CP033",
		plant: func(p *planter) {
			p.namespace("ingress", map[string]string{"team": "edge"})
			pod := &corev1.Pod{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: metav1.ObjectMeta{Name: "ingress-0", Namespace: "ingress", Labels: map[string]string{"app": "ingress"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "istio-proxy", Image: "auto"}}},
			}
			p.plant(podObjects, pod)
			time.Sleep(young)
		},
	},
	{
		name: "a node whose clock is ten minutes ahead", finds: "CP071",
		plant: func(p *planter) {
			for i, name := range []string{"ahead", "right", "right-too", "right-as-well"} { // of two nobody knows which one is right
				node := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: name}}
				p.plant(nodes, node)
				p.patch(nodes, "", name, `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`, "status")
				at := metav1.NewMicroTime(time.Now())
				if i == 0 {
					at = metav1.NewMicroTime(time.Now().Add(10 * time.Minute))
				}
				p.plant(leases, &coordinationv1.Lease{
					TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
					ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-node-lease"}, Spec: coordinationv1.LeaseSpec{RenewTime: &at},
				})
			}
		},
	},
	{
		name: "a mesh config with a field that no istiod reads", finds: "CP072",
		plant: func(p *planter) {
			released(p, "1.31.0")
			is, err := p.client.Resource(configMaps).Namespace(system).Get(p.ctx, "istio", metav1.GetOptions{})
			p.check(err)
			text, _, err := unstructured.NestedString(is.Object, "data", "mesh")
			p.check(err)
			p.keep(configMaps, system, "istio")
			var config map[string]any
			p.check(yaml.Unmarshal([]byte(text), &config))
			config["protocolDetectionTimeOut"] = "5s" // it is protocolDetectionTimeout
			changed, err := yaml.Marshal(config)
			p.check(err)
			p.check(unstructured.SetNestedField(is.Object, string(changed), "data", "mesh"))
			_, err = p.client.Resource(configMaps).Namespace(system).Update(p.ctx, is, metav1.UpdateOptions{})
			p.check(err)
		},
	},
	{
		name: "routes of a Gateway API that is older than istiod reads", finds: "CP014",
		plant: func(p *planter) {
			released(p, "1.31.0")
			p.gatewayAPI()
			p.plant(definitions, definition("gateway.networking.k8s.io", "grpcroutes", "GRPCRoute", "v1",
				map[string]any{"gateway.networking.k8s.io/bundle-version": "v1.0.0", "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/1"}))
			p.gatewayOfEast()
			p.soon(func() error {
				route := inShop("gateway.networking.k8s.io/v1", "GRPCRoute", "cart", map[string]any{
					"parentRefs": []any{map[string]any{"name": "shop"}}, "rules": []any{},
				})
				_, err := p.client.Resource(grpcRoutes).Namespace("shop").Create(p.ctx, route, metav1.CreateOptions{})
				return err
			})
		},
	},
	{ // The last one: its pod is a young one afterwards.
		name: "an istiod that uses nearly all of its memory", finds: "CP070",
		plant: func(p *planter) {
			is, err := p.client.Resource(podObjects).Namespace(system).Get(p.ctx, topology.IstiodPod, metav1.GetOptions{})
			p.check(err)
			p.plant(definitions, definition("metrics.k8s.io", "pods", "PodMetrics", "v1beta1", map[string]any{"api-approved.kubernetes.io": "unapproved, of a test"}))
			metrics := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
				"metadata":   map[string]any{"name": topology.IstiodPod, "namespace": system, "labels": map[string]any{"app": "istiod"}},
				"containers": []any{map[string]any{"name": "discovery", "usage": map[string]any{"cpu": "10m", "memory": "980Mi"}}},
			}}
			p.soon(func() error {
				_, err := p.client.Resource(podMetrics).Namespace(system).Create(p.ctx, metrics, metav1.CreateOptions{})
				return err
			})
			p.delete(podObjects, system, topology.IstiodPod)
			again := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": topology.IstiodPod, "namespace": system}, "spec": is.Object["spec"],
			}}
			again.SetLabels(is.GetLabels())
			containers, _, err := unstructured.NestedSlice(again.Object, "spec", "containers")
			p.check(err)
			containers[0].(map[string]any)["resources"] = map[string]any{"limits": map[string]any{"memory": "1Gi"}}
			p.check(unstructured.SetNestedSlice(again.Object, containers, "spec", "containers"))
			p.soon(func() error { // what plays the kubelet may take the first one for the one that was deleted
				_, err := p.client.Resource(podObjects).Namespace(system).Create(p.ctx, again, metav1.CreateOptions{})
				if err != nil && !apierrors.IsAlreadyExists(err) {
					return err
				}
				time.Sleep(4 * time.Second)
				_, err = p.client.Resource(podObjects).Namespace(system).Get(p.ctx, topology.IstiodPod, metav1.GetOptions{})
				return err
			})
			p.undo = append(p.undo, func() {
				zero := int64(0)
				err := p.client.Resource(podObjects).Namespace(system).Delete(p.ctx, topology.IstiodPod, metav1.DeleteOptions{GracePeriodSeconds: &zero})
				if !apierrors.IsNotFound(err) {
					p.check(err)
				}
			})
		},
	},
}

// definition is one of custom resources that let every content pass.
func definition(group, plural, kind, version string, annotations map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": plural + "." + group, "annotations": annotations},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced", "names": map[string]any{"plural": plural, "singular": strings.ToLower(kind), "kind": kind, "listKind": kind + "List"},
			"versions": []any{map[string]any{
				"name": version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
}

// gatewayOfEast is a Gateway of Istio's class for which istiod makes nothing: it is served by the gateway between networks.
func (p *planter) gatewayOfEast() {
	g := gatewayObject("shop", "istio", nil)
	g.Object["spec"].(map[string]any)["addresses"] = []any{
		map[string]any{"type": "Hostname", "value": "istio-eastwestgateway." + system + ".svc.cluster.local"},
	}
	p.soon(func() error {
		_, err := p.client.Resource(apiGateways).Namespace("shop").Create(p.ctx, g, metav1.CreateOptions{})
		return err
	})
	p.undo = append(p.undo, func() {
		p.check(p.client.Resource(apiGateways).Namespace("shop").Delete(p.ctx, "shop", metav1.DeleteOptions{}))
	})
}

// soon tries until an API server serves a kind that was just defined.
func (p *planter) soon(try func() error) {
	p.t.Helper()
	err := try()
	for deadline := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(deadline); err = try() {
		time.Sleep(200 * time.Millisecond)
	}
	p.check(err)
}

// waits makes a second pod of istiod that no node takes, for longer than an autoscaler may ask for more than fits.
func (p *planter) waits(reason, message string) {
	p.t.Helper()
	const second = "istiod-second"
	p.secondIstiod(second)
	at := time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339)
	p.patch(podObjects, system, second, `{"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"`+reason+
		`","message":"`+message+`","lastTransitionTime":"`+at+`"}]}}`, "status")
}

// With real API servers and istiods each of these faults alone gives its finding, and no other.
func TestMoreFaultsOfControlPlanes(t *testing.T) {
	t.Parallel() // it waits most of the time, and has a fleet of its own
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	fleet := startTopology(t, ctx, shopOnTwoNetworks("127.1.0.3", "127.1.0.4", ""))
	connectAll(t, ctx, fleet, fleet.Mesh(), "east", "west")
	connectGateway(t, ctx, fleet, "east")
	disconnect := connectGateway(t, ctx, fleet, "west")
	time.Sleep(130 * time.Second) // nothing younger than two minutes counts
	whole := t                    // as long as the fleet is there
	t.Run("credentials that istiod does not accept", func(t *testing.T) {
		calling, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- refusedCalls(calling, fleet.Mesh().Istiod("west").SecureGRPC()) }()
		disconnect()
		awaitCauses(t, fleet, map[string]string{"CP044": "west"})
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		connectGateway(whole, ctx, fleet, "west")
		awaitCauses(t, fleet, map[string]string{})
	})
	for _, c := range moreControlPlaneFaults {
		t.Run(c.name, func(t *testing.T) { c.run(t, ctx, fleet) })
	}
}

// refusedCalls asks an istiod for certificates with a token that it cannot accept, until the context ends.
func refusedCalls(ctx context.Context, address string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for ctx.Err() == nil {
		with := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer of.no.use")
		if err := conn.Invoke(with, "/istio.v1.auth.IstioCertificateService/CreateCertificate", &emptypb.Empty{}, &emptypb.Empty{}); err == nil {
			return errors.New("istiod signs for anybody")
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}
