package simulate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// controllers is a mesh that notes what it is told.
type controllers struct{ told *[]string }

func (controllers) Program(_ *simulate.World, args []string) ([]byte, simulate.Outcome, bool) {
	return []byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"printed"}}`), simulate.Outcome{Kind: simulate.Reads}, args[0] == "mesh"
}

func (c controllers) Restarted(_ *simulate.World, _ string, of simulate.Workload, settings []simulate.Setting) simulate.Outcome {
	note := of.Kind + " " + of.Namespace + "/" + of.Name
	for _, s := range settings {
		note += " " + s.Container + " " + s.Name + "=" + s.Value
		if s.Remove {
			note += "-"
		}
	}
	*c.told = append(*c.told, note)
	return simulate.Outcome{Kind: simulate.Done}
}

func (c controllers) Created(_ *simulate.World, _ string, o runtime.Object) {
	if m, ok := o.(metav1.Object); ok {
		*c.told = append(*c.told, "new "+m.GetName())
	}
}

func (controllers) Removed(*simulate.World, string, runtime.Object) simulate.Outcome {
	return simulate.Outcome{Kind: simulate.Done}
}

// A fleet of two clusters that serve sample/helloworld, as a world, and what its mesh is told.
func world() (*facts.Fleet, *simulate.World, *[]string) {
	fleet := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	told := &[]string{}
	return fleet, simulate.New(fleet, resources.All, controllers{told}), told
}

// service is one of west.
func service(f *facts.Fleet, key string) *corev1.Service {
	for _, s := range resources.Services.Of(&f.Clusters[1]).Value {
		if s.Namespace+"/"+s.Name == key {
			return &s
		}
	}
	return nil
}

// namespace is one of west.
func namespace(f *facts.Fleet, name string) *corev1.Namespace {
	for _, ns := range resources.Namespaces.Of(&f.Clusters[1]).Value {
		if ns.Name == name {
			return &ns
		}
	}
	return nil
}

// slice is what the slices of west's helloworld say: ports, then addresses.
func slice(f *facts.Fleet) string {
	var out []string
	for _, s := range resources.EndpointSlices.Of(&f.Clusters[1]).Value {
		if s.Labels["kubernetes.io/service-name"] != "helloworld" {
			continue
		}
		for _, p := range s.Ports {
			out = append(out, *p.Name)
		}
		for _, e := range s.Endpoints {
			out = append(out, e.Addresses...)
		}
	}
	return strings.Join(out, " ")
}

func k(args ...string) finding.Command { return finding.Kubectl("west", args...) }

func inSample(args ...string) finding.Command {
	return k(append([]string{"-n", "sample"}, args...)...)
}

func piped(text string, into finding.Command) finding.Command {
	return finding.Shell("printf", "%s", text).To(into)
}

// What commands do to objects.
func TestCommands(t *testing.T) {
	const helloworld = "sample/helloworld"
	before := slice(istiotest.Serving(istiotest.Networked("east", "west")).Facts())
	for name, c := range map[string]struct {
		commands []finding.Command
		is       func(f *facts.Fleet) any
		want     any
	}{
		"a label": {[]finding.Command{k("label", "namespace/sample", "a=b")}, func(f *facts.Fleet) any { return namespace(f, "sample").Labels["a"] }, "b"},
		"a label after two dashes": {[]finding.Command{k("label", "namespace/sample", "--", "a=b")},
			func(f *facts.Fleet) any { return namespace(f, "sample").Labels["a"] }, "b"},
		"a label that goes": {[]finding.Command{k("label", "namespace", "sample", "istio-injection-")},
			func(f *facts.Fleet) any { return len(namespace(f, "sample").Labels) }, 0},
		"an annotation": {[]finding.Command{inSample("annotate", "service/helloworld", "networking.istio.io/exportTo=.")},
			func(f *facts.Fleet) any { return service(f, helloworld).Annotations["networking.istio.io/exportTo"] }, "."},
		"a JSON patch": {[]finding.Command{inSample("patch", "service/helloworld", "--type=json", "-p", `[{"op":"replace","path":"/spec/ports/0/name","value":"tcp"}]`)},
			slicePorts, strings.Replace(before, "http", "tcp", 1)},
		"a strategic merge": {[]finding.Command{inSample("patch", "service/helloworld", "-p", `{"spec":{"ports":[{"name":"more","port":81,"targetPort":8081}]}}`)},
			func(f *facts.Fleet) any { return len(service(f, helloworld).Spec.Ports) }, 2},
		"a strategic merge of what is there": {[]finding.Command{inSample("patch", "service/helloworld", "-p", `{"spec":{"ports":[{"port":5000,"appProtocol":"http2"}]}}`)},
			func(f *facts.Fleet) any {
				p := service(f, helloworld).Spec.Ports
				return []any{len(p), p[0].Name, *p[0].AppProtocol}
			}, []any{1, "http", "http2"}},
		"a merge": {[]finding.Command{k("-n", "istio-system", "patch", "gateways.networking.istio.io/cross-network-gateway", "--type=merge", "-p", `{"spec":{"selector":{"a":"b","istio":null}}}`)},
			func(f *facts.Fleet) any { return resources.Gateways.Of(&f.Clusters[1]).Value[0].Spec.Selector["a"] }, "b"},
		"another selector": {[]finding.Command{inSample("patch", "service/helloworld", "--type=json", "-p", `[{"op":"add","path":"/spec/selector","value":{"app":"none"}}]`)}, slicePorts, "http"},
		"apply creates": {[]finding.Command{piped(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"new"}}`, k("apply", "-f", "-"))},
			func(f *facts.Fleet) any { return namespace(f, "new").Status.Phase }, corev1.NamespaceActive},
		"apply changes": {[]finding.Command{piped(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"sample","labels":{"a":"b"}}}`, k("apply", "-f", "-"))},
			func(f *facts.Fleet) any { return len(namespace(f, "sample").Labels) }, 2},
		"delete, and create again": {[]finding.Command{
			inSample("delete", "service/helloworld"),
			piped(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"helloworld","namespace":"sample"},"spec":{"selector":{"app":"helloworld"},"ports":[{"name":"http","port":5000}]}}`, k("apply", "-f", "-")),
		}, slicePorts, before},
		"a copy of a spec": {[]finding.Command{inSample("get", "service/helloworld", "-o", `jsonpath={"[{\"op\":\"add\",\"path\":\"/spec\",\"value\":"}{.spec}{"}]"}`).
			To(inSample("patch", "service/httpbin", "--type=json", "--patch-file=/dev/stdin"))}, func(*facts.Fleet) any { return "" }, ""},
		"a program of the mesh": {[]finding.Command{finding.Shell("mesh", "print").To(k("apply", "-f", "-"))}, func(f *facts.Fleet) any { return namespace(f, "printed") != nil }, true},
		"files": {[]finding.Command{
			{Args: k("-n", "istio-system", "get", "configmap", "istio-ca-root-cert", "-o", `go-template={{index .data "root-cert.pem"}}`).Args, Into: "a"},
			{Args: []string{"cat", "a", "a"}, Into: "b"},
			k("-n", "sample", "create", "configmap", "unread", "--from-literal=a=b"),
			k("-n", "istio-system", "create", "secret", "generic", "cacerts", "--from-file=root-cert.pem=b", "--dry-run=client", "-o", "yaml").
				To(k("-n", "istio-system", "patch", "secret", "cacerts", "--patch-file=/dev/stdin")),
		}, func(f *facts.Fleet) any {
			return strings.Count(string(resources.CACerts.Of(&f.Clusters[1]).Value.Data["root-cert.pem"]), "BEGIN CERTIFICATE")
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			fleet, w, _ := world()
			w.Run(c.commands...)
			after := w.Fleet()
			if diff := cmp.Diff(c.want, c.is(after)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(istiotest.Serving(istiotest.Networked("east", "west")).Facts().Clusters, fleet.Clusters, istiotest.CompareClusters, ignoreKeys); diff != "" {
				t.Errorf("the fleet itself was changed:\n%s", diff)
			}
		})
	}
}

// Each fleet has keys and certificates of its own.
var ignoreKeys = cmp.FilterPath(func(p cmp.Path) bool {
	return slices.ContainsFunc(p, func(s cmp.PathStep) bool {
		return s.Type().String() == "*v1.Secret" || s.Type().String() == "*v1.ConfigMap" || s.Type().String() == "v1.ConfigMap"
	})
}, cmp.Ignore())

func slicePorts(f *facts.Fleet) any { return slice(f) }

// What becomes of commands.
func TestOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		command finding.Command
		want    simulate.Kind
	}{
		"reading":                       {k("-n", "x", "get", "pods"), simulate.Reads},
		"reading on":                    {k("logs", "pod/x").To(finding.Shell("grep", "x")), simulate.Reads},
		"a plugin of ours":              {finding.Shell("kubectl", "mesh-network", "verify"), simulate.Reads},
		"an editor":                     {inSample("edit", "service/helloworld"), simulate.Asks},
		"a blank":                       {inSample("label", "service/helloworld", "a=VALUE").Blank("VALUE"), simulate.Asks},
		"a file":                        {k("apply", "-f", "samples/x.yaml"), simulate.Foreign},
		"another program":               {finding.Shell("helm", "upgrade"), simulate.Foreign},
		"what nobody prints":            {finding.Shell("rm", "x").To(k("apply", "-f", "-")), simulate.Foreign},
		"a kind that is not read":       {k("label", "cronjob/x", "a=b"), simulate.NotRead},
		"an object that is not read":    {k("label", "configmap/x", "a=b"), simulate.NotRead},
		"an object that is not there":   {inSample("label", "service/none", "a=b"), simulate.Refused},
		"a value that is there":         {k("label", "namespace/sample", "istio-injection=disabled"), simulate.Refused},
		"a path that is not there":      {inSample("patch", "service/helloworld", "--type=json", "-p", `[{"op":"replace","path":"/spec/ports/9/name","value":"x"}]`), simulate.Refused},
		"a namespace that is not there": {piped(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"x","namespace":"none"}}`, k("apply", "-f", "-")), simulate.Refused},
		"a secret that is there":        {k("-n", "istio-system", "create", "-f", "-"), simulate.Foreign},
		"a load balancer":               {inSample("patch", "service/helloworld", "-p", `{"spec":{"type":"LoadBalancer"}}`), simulate.Uncertain},
		"no such cluster":               {finding.Kubectl("north", "label", "namespace/sample", "a=b"), simulate.NotRead},
		"a role without its rights":     {k("create", "clusterrolebinding", "x", "--clusterrole=view", "--serviceaccount=a:b"), simulate.NotRead},
	} {
		t.Run(name, func(t *testing.T) {
			fleet, w, _ := world()
			got := w.Run(c.command)[0]
			if got.Kind != c.want {
				t.Errorf("%+v, want %s", got, c.want)
			}
			if diff := cmp.Diff(fleet.Clusters, w.Fleet().Clusters, istiotest.CompareClusters); diff != "" {
				t.Errorf("it changed something:\n%s", diff)
			}
		})
	}
}

// The mesh is told of restarts and of new objects.
func TestMeshIsTold(t *testing.T) {
	_, w, told := world()
	w.Run(
		k("-n", "a", "rollout", "restart", "deployment/x"), k("-n", "a", "set", "env", "daemonset/y", "-c", "z", "A=b", "C-"),
		k("-n", "a", "delete", "pod/p"), piped(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"new"}}`, k("apply", "-f", "-")),
	)
	want := []string{"deployment a/x", "daemonset a/y z A=b z C=-", "pod a/p", "new new"}
	if diff := cmp.Diff(want, *told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A person's value takes the place of a blank.
func TestValues(t *testing.T) {
	_, w, _ := world()
	w.Values = map[string]string{"VALUE": "b"}
	w.Run(k("label", "namespace/sample", "a=VALUE").Blank("VALUE"))
	if got := namespace(w.Fleet(), "sample").Labels["a"]; got != "b" {
		t.Errorf("label %q", got)
	}
}

// Objects are applied as manifests of a file are.
func TestApply(t *testing.T) {
	_, w, _ := world()
	ns := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "sample", Labels: map[string]string{"a": "b"}}}
	if got := w.Apply("west", ns); got[0].Kind != simulate.Done {
		t.Fatalf("%+v", got)
	}
	if got := namespace(w.Fleet(), "sample").Labels; len(got) != 2 || got["a"] != "b" {
		t.Errorf("labels %v", got)
	}
}

// A right that is granted is one that the API server says is there.
func TestRights(t *testing.T) {
	f := istiotest.PrimaryAndRemote("east", "west")
	f.Get("west").Denied = append(f.Get("west").Denied, remoteRight)
	fleet := f.Facts()
	w := simulate.New(fleet, resources.All, nil)
	called := strings.TrimSuffix(remoteRight.Resource+"."+remoteRight.Group, ".")
	w.Run(
		k("create", "clusterrole", "r", "--verb="+remoteRight.Verb, "--resource="+called),
		k("create", "clusterrolebinding", "r", "--clusterrole=r", "--serviceaccount=istio-system:istio-reader-service-account"),
	)
	denied := func(f *facts.Fleet) (n int) {
		for _, r := range resources.ReaderRights.Of(&f.Clusters[1]).Value {
			if !r.Status.Allowed {
				n++
			}
		}
		return n
	}
	if was, is := denied(fleet), denied(w.Fleet()); was != 1 || is != 0 {
		t.Errorf("denied: %d, then %d", was, is)
	}
}

var remoteRight = istio.RemoteRights[0]
