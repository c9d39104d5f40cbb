package simulate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// applying is a fleet with its world, in which manifests are taken in.
func applying() (*facts.Fleet, *simulate.World, *[]string) {
	fleet := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	told := &[]string{}
	return fleet, simulate.Applying(fleet, resources.All, simulate.Several{controllers{told}}), told
}

// take takes in documents in west, and is what became of each.
func take(t *testing.T, w *simulate.World, text string) []simulate.Outcome {
	t.Helper()
	manifests, err := simulate.Manifests([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var out []simulate.Outcome
	for _, m := range manifests {
		out = append(out, w.Take("west", m))
	}
	return out
}

func TestManifests(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // objects
		err  string
	}{
		"documents": {"a: 1\n", nil, "not a Kubernetes object"},
		"YAML": {
			"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n# nothing\n---\napiVersion: v1\nkind: Service\n" +
				"metadata: {namespace: shop, name: cart}\n",
			[]string{"namespace shop", "service shop/cart"}, "",
		},
		"a List": {
			`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}]}`,
			[]string{"namespace shop"}, "",
		},
		"a list of a kind": {
			`{"apiVersion":"v1","kind":"NamespaceList","items":[{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}]}`,
			[]string{"namespace shop"}, "",
		},
		"no YAML":        {"secret: [", nil, "it is not YAML or JSON"},
		"a list of text": {`{"apiVersion":"v1","kind":"List","items":["hunter2"]}`, nil, "not a Kubernetes object"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := simulate.Manifests([]byte(c.text))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			var objects []string
			for _, m := range got {
				objects = append(objects, m.Object().String())
			}
			if diff := cmp.Diff(c.want, objects); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

// What cannot be taken in is said, and changes nothing.
func TestNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		kind simulate.Kind
		why  string
	}{
		"no name":       {"apiVersion: v1\nkind: Service\nmetadata: {namespace: sample}\n", simulate.Refused, "it has no name"},
		"no namespace":  {"apiVersion: v1\nkind: Service\nmetadata: {name: new}\n", simulate.Refused, "names no namespace"},
		"its namespace": {"apiVersion: v1\nkind: Service\nmetadata: {namespace: nowhere, name: new}\n", simulate.Refused, "there is no namespace nowhere"},
		"a mistyped field": {
			"apiVersion: v1\nkind: Namespace\nmetadata: {name: sample, lables: {a: b}}\n", simulate.Refused, `Namespace has no field "lables"`,
		},
		"a type": {
			"apiVersion: v1\nkind: Secret\nmetadata: {namespace: sample, name: new}\ndata: {key: [hunter2]}\n", simulate.Refused, "not of the type",
		},
		"a version":  {"apiVersion: v9\nkind: Namespace\nmetadata: {name: new}\n", simulate.Refused, "there is no Namespace of v9"},
		"a workload": {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {namespace: sample, name: new}\n", simulate.NotRead, "pods that come of it"},
		"a pod":      {"apiVersion: v1\nkind: Pod\nmetadata: {namespace: sample, name: new}\n", simulate.Uncertain, "before it runs"},
		"a custom kind": {
			"apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {namespace: sample, name: new}\n", simulate.NotRead, "controller",
		},
		"a kind that no rule reads": {
			"apiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: sample, name: new}\n", simulate.Unused, "no rule here reads it",
		},
		"an object that no rule reads": {
			"apiVersion: v1\nkind: Secret\nmetadata: {namespace: sample, name: new}\n", simulate.Unused, "no rule here reads it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, w, _ := applying()
			got := take(t, w, c.text)
			if len(got) != 1 || got[0].Kind != c.kind || !strings.Contains(got[0].Why, c.why) || strings.Contains(got[0].Why, "hunter2") {
				t.Errorf("%+v, want %s: %s", got, c.kind, c.why)
			}
			for i := range before.Clusters {
				was := resources.Services.Of(&before.Clusters[i]).Value
				if diff := cmp.Diff(was, resources.Services.Of(&w.Fleet().Clusters[i]).Value); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	_, w, _ := applying()
	if got := w.Take("nowhere", simulate.Manifest{}); got.Kind != simulate.NotRead {
		t.Errorf("%+v", got)
	}
}

// A namespace that the file itself makes is there for what follows.
func TestTakeInOrder(t *testing.T) {
	_, w, told := applying()
	got := take(t, w, `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: cart, resourceVersion: "12", creationTimestamp: "2020-01-01T00:00:00Z"}
spec: {selector: {app: cart}, ports: [{port: 80}]}
`)
	if got[0].Kind != simulate.Done || got[1].Kind != simulate.Done {
		t.Fatalf("%+v", got)
	}
	if !slices.Equal(*told, []string{"new shop", "new cart"}) {
		t.Errorf("the mesh is told %v", *told)
	}
	s := service(w.Fleet(), "shop/cart")
	if s == nil || s.Spec.ClusterIP == "" || s.Spec.Type != corev1.ServiceTypeClusterIP || !s.CreationTimestamp.Time.Equal(istiotest.Now) {
		t.Errorf("%+v", s)
	}
}

// The cluster gives a gateway its address later, unless the file says it.
func TestAddressesOfTheCluster(t *testing.T) {
	const text = `
apiVersion: v1
kind: Service
metadata: {namespace: sample, name: gateway}
spec: {type: LoadBalancer, ports: [{name: tls, port: 15443}]}
`
	_, w, _ := applying()
	if got := take(t, w, text); got[0].Kind != simulate.InPart || !strings.Contains(got[0].Why, "status.loadBalancer") {
		t.Errorf("%+v", got)
	}
	s := service(w.Fleet(), "sample/gateway")
	if s == nil || s.Spec.Ports[0].NodePort < 30000 || len(s.Status.LoadBalancer.Ingress) != 0 {
		t.Errorf("%+v", s)
	}
	_, w, _ = applying()
	if got := take(t, w, text+"status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}\n"); got[0].Kind != simulate.Done {
		t.Errorf("%+v", got)
	}
	if s = service(w.Fleet(), "sample/gateway"); s == nil || len(s.Status.LoadBalancer.Ingress) != 1 {
		t.Errorf("%+v", s)
	}
}

// A template that is another one rolls out; one that is the same does not.
func TestRollOut(t *testing.T) {
	_, w, told := applying()
	env := func(value string) string {
		return `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: istio-system, name: istiod, labels: {app: istiod}}
spec: {template: {spec: {containers: [{name: discovery, env: [{name: PILOT_SKIP_VALIDATE_TRUST_DOMAIN, value: "` + value + `"}]}]}}}
`
	}
	for _, value := range []string{"true", "true", "false"} {
		if got := take(t, w, env(value)); got[0].Kind != simulate.Done {
			t.Fatalf("%+v", got)
		}
	}
	if want := []string{"deployment istio-system/istiod", "deployment istio-system/istiod"}; !slices.Equal(*told, want) {
		t.Errorf("the mesh is told %v, want %v", *told, want)
	}
}

// A remote secret that takes the place of another one leads where it says, as whom it says; nothing of its
// token is kept.
func TestRemoteSecretTakesThePlaceOfAnother(t *testing.T) {
	fleet, w, _ := applying()
	old := resources.RemoteSecrets.Of(&fleet.Clusters[1]).Value[0]
	got := take(t, w, `
apiVersion: v1
kind: Secret
metadata: {namespace: `+old.Namespace+`, name: `+old.Name+`, labels: {istio/multiCluster: "true"}}
stringData:
  `+old.ClusterID+`: |
    apiVersion: v1
    kind: Config
    clusters: [{name: c, cluster: {server: "https://new.example:6443"}}]
    contexts: [{name: c, context: {cluster: c, user: c}}]
    current-context: c
    users: [{name: c, user: {token: hunter2}}]
`)
	if got[0].Kind != simulate.Done {
		t.Fatalf("%+v", got)
	}
	after := resources.RemoteSecrets.Of(&w.Fleet().Clusters[1]).Value
	i := slices.IndexFunc(after, func(r facts.RemoteSecret) bool { return r.Name == old.Name })
	if i < 0 || after[i].Server != "https://new.example:6443" || after[i].Identity != "" {
		t.Errorf("%+v, and before %+v", after, old)
	}
	for _, o := range resources.RemoteSecrets.Objects(w.Cluster("west")) {
		for _, data := range o.(*corev1.Secret).Data {
			if strings.Contains(string(data), "hunter2") {
				t.Error("the token is kept")
			}
		}
	}
}
