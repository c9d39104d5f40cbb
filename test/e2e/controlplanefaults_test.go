package e2e

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// Resources that are planted or changed.
var (
	events       = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	podObjects   = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	namespaces   = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	configMaps   = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	serviceKind  = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	deployments  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	validators   = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
	injectors    = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}
	definitions  = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	envoyFilters = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1alpha3", Resource: "envoyfilters"}
	peerPolicies = schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "peerauthentications"}
	apiGateways  = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}
)

// planter changes the objects of a cluster, and puts back what was there.
type planter struct {
	t       *testing.T
	ctx     context.Context
	cluster *bed.Cluster
	client  dynamic.Interface
	undo    []func()
}

func newPlanter(t *testing.T, ctx context.Context, fleet *bed.Fleet, cluster string) *planter {
	t.Helper()
	client, err := dynamic.NewForConfig(fleet.Cluster(cluster).RESTConfig(bed.Admin))
	if err != nil {
		t.Fatal(err)
	}
	return &planter{t: t, ctx: ctx, cluster: fleet.Cluster(cluster), client: client}
}

func (p *planter) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// keep has an object as it is put back at the end, or deleted where there is none.
func (p *planter) keep(kind schema.GroupVersionResource, namespace, name string) {
	p.t.Helper()
	at := p.client.Resource(kind).Namespace(namespace)
	was, err := at.Get(p.ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		was, err = nil, nil
	}
	p.check(err)
	p.undo = append(p.undo, func() {
		now, err := at.Get(p.ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) && was == nil:
			return
		case apierrors.IsNotFound(err):
			fresh := was.DeepCopy()
			fresh.SetResourceVersion("")
			fresh.SetUID("")
			_, err = at.Create(p.ctx, fresh, metav1.CreateOptions{})
		case err != nil:
		case was == nil:
			err = at.Delete(p.ctx, name, metav1.DeleteOptions{})
		default:
			back := was.DeepCopy()
			back.SetResourceVersion(now.GetResourceVersion())
			back, err = at.Update(p.ctx, back, metav1.UpdateOptions{})
			if status, has := was.Object["status"]; err == nil && has {
				back.Object["status"] = status
				_, err = at.UpdateStatus(p.ctx, back, metav1.UpdateOptions{})
				if apierrors.IsNotFound(err) {
					err = nil // the kind has no status of its own
				}
			}
		}
		p.check(err)
	})
}

// plant makes an object.
func (p *planter) plant(kind schema.GroupVersionResource, object runtime.Object) {
	p.t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	p.check(err)
	made := &unstructured.Unstructured{Object: content}
	p.keep(kind, made.GetNamespace(), made.GetName())
	_, err = p.client.Resource(kind).Namespace(made.GetNamespace()).Create(p.ctx, made, metav1.CreateOptions{})
	p.check(err)
}

// patch changes an object, or its status.
func (p *planter) patch(kind schema.GroupVersionResource, namespace, name, patch string, parts ...string) {
	p.t.Helper()
	p.keep(kind, namespace, name)
	_, err := p.client.Resource(kind).Namespace(namespace).Patch(p.ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, parts...)
	p.check(err)
}

func (p *planter) delete(kind schema.GroupVersionResource, namespace, name string) {
	p.t.Helper()
	p.keep(kind, namespace, name)
	zero := int64(0)
	p.check(p.client.Resource(kind).Namespace(namespace).Delete(p.ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &zero}))
}

// recover puts back what was there.
func (p *planter) recover() {
	for _, undo := range slices.Backward(p.undo) {
		undo()
	}
	p.undo = nil
}

// planted is one fault of a running mesh of two clusters, planted in west.
type planted struct {
	name  string
	plant func(p *planter)
	// code is found, and no other; "" for nothing.
	finds finding.Code
	// also is what is said beside it, with the clusters.
	also map[string]string
	// code is set where the printed fix is pasted, after which nothing is found.
	code finding.Code
	// follows does after the fix what Kubernetes would do.
	follows func(p *planter)
}

const system = topology.SystemNamespace

// young is how long something has to be there until it counts.
const young = 125 * time.Second

var controlPlaneFaults = []planted{
	{
		name: "pods that the API server refuses", finds: "CP024",
		plant: func(p *planter) {
			p.plant(events, &corev1.Event{
				ObjectMeta: metav1.ObjectMeta{Name: "cart.1", Namespace: "shop"}, Type: corev1.EventTypeWarning, Reason: "FailedCreate", Count: 9,
				Message: `Error creating: Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": ` +
					`failed to call webhook: Post "https://istiod.istio-system.svc:443/inject?timeout=10s": context deadline exceeded`,
				InvolvedObject: corev1.ObjectReference{Kind: "ReplicaSet", APIVersion: "apps/v1", Namespace: "shop", Name: "cart-7d4c8b9f7"},
				FirstTimestamp: metav1.NewTime(time.Now().Add(-5 * time.Minute)), LastTimestamp: metav1.Now(),
				Source: corev1.EventSource{Component: "replicaset-controller"},
			})
			time.Sleep(young)
		},
	},
	{
		name: "the validator of an installation that is gone", finds: "CP026",
		code: "CP026",
		plant: func(p *planter) {
			p.plant(validators, validatorOf("istio-validator-1-27-istio-system", "1-27", "istiod-1-27"))
			time.Sleep(young)
		},
	},
	{
		name: "a namespace that asks for a revision that is gone", finds: "CP020",
		code: "CP020",
		plant: func(p *planter) {
			p.patch(namespaces, "", "shop", `{"metadata":{"labels":{"istio-injection":null,"istio.io/rev":"1-28"}}}`)
		},
	},
	{
		name: "an istiod that ends again and again", finds: "CP002",
		plant: func(p *planter) {
			at := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
			p.patch(podObjects, system, topology.IstiodPod, `{"status":{"conditions":[{"type":"Ready","status":"False"}],"containerStatuses":[{
				"name":"discovery","image":"example.com/istio/pilot:`+topology.IstioVersion+`","imageID":"","ready":false,"restartCount":7,
				"state":{"waiting":{"reason":"CrashLoopBackOff"}},
				"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","startedAt":"`+at(20*time.Minute)+`","finishedAt":"`+at(3*time.Minute)+`"}}}]}}`, "status")
		},
	},
	{
		name: "proxies that refuse what an EnvoyFilter makes of their clusters", finds: "CP042", also: map[string]string{"CP027": "west"},
		plant: func(p *planter) {
			p.plant(envoyFilters, &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": map[string]any{"name": "no-time", "namespace": "shop"},
				"spec": map[string]any{"configPatches": []any{map[string]any{
					"applyTo": "CLUSTER", "match": map[string]any{"context": "SIDECAR_OUTBOUND"},
					"patch": map[string]any{"operation": "MERGE", "value": map[string]any{"connect_timeout": "0s"}},
				}}},
			}})
			time.Sleep(3 * time.Second)
		},
	},
	{
		name: "definitions of Istio that are older than istiod", finds: "CP013",
		plant: func(p *planter) {
			for _, name := range []string{
				"virtualservices.networking", "destinationrules.networking", "gateways.networking", "serviceentries.networking", "sidecars.networking",
				"peerauthentications.security", "authorizationpolicies.security",
			} {
				p.unserve(name+".istio.io", "v1")
			}
			time.Sleep(2 * time.Second)
		},
	},
	{
		name: "a Gateway of a revision that is not there", finds: "GW038",
		plant: func(p *planter) {
			p.gatewayAPI()
			p.plant(apiGateways, gatewayObject("nobodys", "istio", map[string]any{"istio.io/rev": "1-20"}))
			time.Sleep(young)
		},
	},
	{
		name: "STRICT before an admission webhook", finds: "CP060",
		code: "CP060",
		plant: func(p *planter) {
			v := validatorOf("policies.example.com", "", "cart")
			v.Labels, v.Webhooks[0].Name = nil, "policies.example.com"
			v.Webhooks[0].ClientConfig.Service.Namespace = "shop"
			v.Webhooks[0].ClientConfig.Service.Port = p.portOf("shop", "cart")
			v.Webhooks[0].Rules[0].APIGroups = []string{"policies.example.com"} // which nobody asks for
			p.plant(validators, v)
			p.keep(peerPolicies, "shop", "cart-api-server")
			p.plant(peerPolicies, &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": map[string]any{"name": "default", "namespace": "shop"},
				"spec": map[string]any{"mtls": map[string]any{"mode": "STRICT"}},
			}})
		},
	},
	{
		name: "a rollout half way",
		plant: func(p *planter) {
			p.patch(deployments, system, "istiod", `{"spec":{"replicas":2}}`)
			p.secondIstiod("istiod-second")
		},
	},
	{ // The last one: its pod is a young one afterwards.
		name: "an istiod that is scaled to 0", finds: "CP001",
		// API servers of the bed are on loopback, and no istiod of west says any more that it reads east's.
		also: map[string]string{"SEC010": "east,west"},
		code: "CP001",
		plant: func(p *planter) {
			p.patch(deployments, system, "istiod", `{"spec":{"replicas":0}}`)
			p.delete(podObjects, system, topology.IstiodPod)
		},
		follows: func(p *planter) {
			d, err := p.client.Resource(deployments).Namespace(system).Get(p.ctx, "istiod", metav1.GetOptions{})
			p.check(err)
			if n, _, _ := unstructured.NestedInt64(d.Object, "spec", "replicas"); n == 1 {
				p.recover()
			}
		},
	},
}

// validatorOf is a validating webhook of istiod, as its chart makes it, that calls a Service.
func validatorOf(name, revision, service string) *admissionv1.ValidatingWebhookConfiguration {
	fail, none, path := admissionv1.Fail, admissionv1.SideEffectClassNone, "/validate"
	return &admissionv1.ValidatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "istiod", "istio.io/rev": revision}},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "rev.validation.istio.io", AdmissionReviewVersions: []string{"v1"}, SideEffects: &none, FailurePolicy: &fail,
			ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: system, Name: service, Path: &path}},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{"networking.istio.io"}, APIVersions: []string{"*"}, Resources: []string{"*"}},
			}},
		}},
	}
}

// secondIstiod makes one more pod of istiod, which nothing starts.
func (p *planter) secondIstiod(name string) {
	p.t.Helper()
	p.keep(podObjects, system, name)
	first, err := p.client.Resource(podObjects).Namespace(system).Get(p.ctx, topology.IstiodPod, metav1.GetOptions{})
	p.check(err)
	second := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": name, "namespace": system}, "spec": first.Object["spec"],
	}}
	second.SetLabels(first.GetLabels())
	unstructured.RemoveNestedField(second.Object, "spec", "nodeName")
	_, err = p.client.Resource(podObjects).Namespace(system).Create(p.ctx, second, metav1.CreateOptions{})
	p.check(err)
}

// portOf is the first port of a Service.
func (p *planter) portOf(namespace, name string) *int32 {
	p.t.Helper()
	s, err := p.client.Resource(serviceKind).Namespace(namespace).Get(p.ctx, name, metav1.GetOptions{})
	p.check(err)
	ports, _, err := unstructured.NestedSlice(s.Object, "spec", "ports")
	p.check(err)
	port := int32(ports[0].(map[string]any)["port"].(int64))
	return &port
}

// unserve lets a definition no longer serve a version.
func (p *planter) unserve(name, version string) {
	p.t.Helper()
	p.keep(definitions, "", name)
	d, err := p.client.Resource(definitions).Get(p.ctx, name, metav1.GetOptions{})
	p.check(err)
	versions, _, err := unstructured.NestedSlice(d.Object, "spec", "versions")
	p.check(err)
	for _, v := range versions {
		if of := v.(map[string]any); of["name"] == version {
			of["served"] = false
		}
	}
	p.check(unstructured.SetNestedSlice(d.Object, versions, "spec", "versions"))
	_, err = p.client.Resource(definitions).Update(p.ctx, d, metav1.UpdateOptions{})
	p.check(err)
}

// gatewayAPI defines Gateways of the Gateway API, which stay.
func (p *planter) gatewayAPI() {
	p.t.Helper()
	p.check(p.cluster.Apply(p.ctx, bed.GatewayDefinitions()[1]))
}

func gatewayObject(name, class string, labels map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
		"metadata": map[string]any{"name": name, "namespace": "shop", "labels": labels},
		"spec": map[string]any{"gatewayClassName": class, "listeners": []any{
			map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"},
		}},
	}}
}

// run plants the fault, and puts back what was there.
func (c planted) run(t *testing.T, ctx context.Context, fleet *bed.Fleet) {
	p := newPlanter(t, ctx, fleet, "west")
	defer p.recover()
	c.plant(p)
	want := map[string]string{}
	if c.finds != "" {
		want[string(c.finds)] = "west"
	}
	maps.Copy(want, c.also)
	doc := awaitCauses(t, fleet, want)
	for _, f := range doc.Findings {
		if string(f.Code) == string(c.finds) && len(f.Evidence) == 0 {
			t.Errorf("%s without evidence: %+v", f.Code, f)
		}
	}
	if c.code == "" {
		p.recover()
		awaitCauses(t, fleet, map[string]string{})
		return
	}
	var fix []string
	for _, f := range doc.Findings {
		if f.Code == c.code {
			fix = commands(f.Fix)
		}
	}
	_, env := kubectl(t)
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", strings.Join(fix, "\n"))
	shell.Dir = t.TempDir()
	shell.Env = append(append(os.Environ(), "KUBECONFIG="+fleet.Kubeconfig()), env...)
	if out, err := shell.CombinedOutput(); err != nil || len(fix) == 0 {
		t.Fatalf("%v\n%s\n%s", err, strings.Join(fix, "\n"), out)
	}
	if c.follows != nil {
		c.follows(p)
	}
	awaitCauses(t, fleet, map[string]string{})
	p.recover()
}

// awaitCauses is what mesh-check says as soon as it finds what is wanted, and no other: control planes take a
// moment to hear of a change.
func awaitCauses(t *testing.T, fleet *bed.Fleet, want map[string]string) report.CheckUp {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(time.Second) {
		doc, _ := checkUp(t, fleet.Kubeconfig(), "--context", "east")
		diff := cmp.Diff(want, causes(doc), cmpopts.EquateEmpty())
		if diff == "" {
			return doc
		}
		if time.Now().After(deadline) {
			t.Fatalf("causes by code, with their clusters (-want +got):\n%s\n%+v", diff, doc.Causes)
		}
	}
}
