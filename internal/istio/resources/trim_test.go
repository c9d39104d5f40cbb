package resources_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// fill sets every field of an object, strings to their own path.
func fill(v reflect.Value, path string) {
	switch value := v.Addr().Interface().(type) {
	case *metav1.Time:
		*value = metav1.NewTime(time.Unix(1e9, 0))
		return
	case *metav1.MicroTime:
		*value = metav1.NewMicroTime(time.Unix(1e9, 0))
		return
	case *resource.Quantity:
		*value = resource.MustParse("7")
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(path)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), path)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(path))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), path+"[]")
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key := reflect.New(v.Type().Key()).Elem()
		key.SetString("key")
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element, path+"[key]")
		v.SetMapIndex(key, element)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(v.Field(i), strings.TrimPrefix(path+"."+f.Name, "."))
			}
		}
	default:
		panic(fmt.Sprintf("%s is of kind %s", path, v.Kind()))
	}
}

// leaves are the paths of all that is set.
func leaves(v reflect.Value, path string) []string {
	if v.Type() == reflect.TypeFor[metav1.Time]() || v.Type() == reflect.TypeFor[resource.Quantity]() {
		if v.IsZero() {
			return nil
		}
		return []string{path}
	}
	var out []string
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			out = leaves(v.Elem(), path)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if v.Len() > 0 {
				return []string{path}
			}
			return nil
		}
		for i := range v.Len() {
			out = append(out, leaves(v.Index(i), path+"[]")...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			out = append(out, leaves(v.MapIndex(k), path+"["+k.String()+"]")...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				out = append(out, leaves(v.Field(i), strings.TrimPrefix(path+"."+f.Name, "."))...)
			}
		}
	default:
		if !v.IsZero() {
			out = []string{path}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// filled is a new object with every field set, and then changed.
func filled[T any](change func(*T)) *T {
	out := new(T)
	fill(reflect.ValueOf(out).Elem(), "")
	if change != nil {
		change(out)
	}
	return out
}

// ofEvery are the fields of ObjectMeta that every object keeps, labels by themselves.
var ofEvery = []string{
	"ObjectMeta.CreationTimestamp", "ObjectMeta.DeletionTimestamp", "ObjectMeta.Labels[key]", "ObjectMeta.Name", "ObjectMeta.Namespace",
}

// owned says who owns an object, so that a fix can name him.
var owned = []string{
	"ObjectMeta.OwnerReferences[].APIVersion", "ObjectMeta.OwnerReferences[].Kind", "ObjectMeta.OwnerReferences[].Name",
}

// written says who wrote an object and when, and not what.
var written = []string{"ObjectMeta.ManagedFields[].Manager", "ObjectMeta.ManagedFields[].Operation", "ObjectMeta.ManagedFields[].Time"}

// What is kept of an object is this and nothing else. Every field that is added here
// has to be one that cannot hold a secret.
func TestWhatIsKept(t *testing.T) {
	// Two variables: one that rules read, and one that they do not.
	env := func(c *corev1.Container, known string) {
		c.Env = append(c.Env, corev1.EnvVar{Name: known, Value: "v", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "f"}}})
	}
	for name, c := range map[string]struct {
		object runtime.Object
		want   []string
	}{
		"Secret cacerts": {
			filled(func(s *corev1.Secret) { s.Name = istio.CACertsSecret }),
			slices.Concat(ofEvery, owned, written, []string{"Data[key]", "Type"}),
		},
		"Secret istio-ca-secret": {
			filled(func(s *corev1.Secret) { s.Name = istio.CASecret }),
			slices.Concat(ofEvery, owned, written, []string{"Data[key]", "Type"}),
		},
		"a remote secret": {
			filled(func(s *corev1.Secret) { s.Labels = map[string]string{istio.MultiClusterLabel: "true"} }),
			slices.Concat(ofEvery[:2], []string{"ObjectMeta.Labels[istio/multiCluster]"}, ofEvery[3:], owned, written,
				[]string{"Data[key]", "ObjectMeta.Annotations[invalid.kubectl-mesh.dev/key]"}),
		},
		"ConfigMap istio-ca-root-cert": {
			filled(func(m *corev1.ConfigMap) { m.Name, m.Data["root-cert.pem"] = istio.RootCertConfigMap, "x" }),
			slices.Concat(ofEvery, owned, written, []string{"Data[root-cert.pem]"}),
		},
		"a ConfigMap with a mesh config": {
			filled(func(m *corev1.ConfigMap) { m.Data["mesh"], m.Data["values"] = "trustDomain: x", "secret" }),
			slices.Concat(ofEvery, owned, written, []string{"Data[mesh]"}),
		},
		"a Namespace": {
			filled(func(n *corev1.Namespace) { n.Annotations["topology.istio.io/controlPlaneClusters"] = "*" }),
			slices.Concat(ofEvery, owned, []string{"ObjectMeta.Annotations[topology.istio.io/controlPlaneClusters]", "ObjectMeta.UID", "Status.Phase"}),
		},
		"a Deployment": {
			filled(func(d *appsv1.Deployment) {
				env(&d.Spec.Template.Spec.Containers[0], istio.EnvClusterID)
				d.Spec.Template.Spec.Volumes[0].Name = "cacerts"
			}),
			slices.Concat(ofEvery, owned, []string{
				"Spec.Replicas", "Spec.Template.Spec.Containers[].Env[].Name", "Spec.Template.Spec.Containers[].Env[].Value",
				"Spec.Template.Spec.Containers[].Image", "Spec.Template.Spec.Containers[].Name",
				"Spec.Template.Spec.Volumes[].Name",
				"Spec.Template.Spec.Volumes[].VolumeSource.Secret.DefaultMode",
				"Spec.Template.Spec.Volumes[].VolumeSource.Secret.Optional", "Spec.Template.Spec.Volumes[].VolumeSource.Secret.SecretName",
				"Status.Conditions[].LastTransitionTime", "Status.Conditions[].Message", "Status.Conditions[].Reason",
				"Status.Conditions[].Status", "Status.Conditions[].Type",
				"Status.ReadyReplicas", "Status.Replicas", "Status.UpdatedReplicas",
			}),
		},
		"a MutatingWebhookConfiguration": {
			filled[admissionv1.MutatingWebhookConfiguration](nil),
			slices.Concat(ofEvery, owned, []string{
				"Webhooks[].ClientConfig.CABundle", "Webhooks[].ClientConfig.Service.Name", "Webhooks[].ClientConfig.Service.Namespace",
				"Webhooks[].ClientConfig.Service.Path", "Webhooks[].ClientConfig.Service.Port", "Webhooks[].ClientConfig.URL",
				"Webhooks[].FailurePolicy", "Webhooks[].Name",
				"Webhooks[].NamespaceSelector.MatchExpressions[].Key", "Webhooks[].NamespaceSelector.MatchExpressions[].Operator",
				"Webhooks[].NamespaceSelector.MatchExpressions[].Values[]", "Webhooks[].NamespaceSelector.MatchLabels[key]",
				"Webhooks[].ObjectSelector.MatchExpressions[].Key", "Webhooks[].ObjectSelector.MatchExpressions[].Operator",
				"Webhooks[].ObjectSelector.MatchExpressions[].Values[]", "Webhooks[].ObjectSelector.MatchLabels[key]",
				"Webhooks[].Rules[].Operations[]", "Webhooks[].Rules[].Rule.APIGroups[]", "Webhooks[].Rules[].Rule.Resources[]",
				"Webhooks[].Rules[].Rule.Scope",
			}),
		},
		"a SubjectAccessReview": {
			filled[authorizationv1.SubjectAccessReview](nil),
			[]string{
				"ObjectMeta.Name", "Spec.Groups[]",
				"Spec.ResourceAttributes.FieldSelector.RawSelector", "Spec.ResourceAttributes.FieldSelector.Requirements[].Key",
				"Spec.ResourceAttributes.FieldSelector.Requirements[].Operator", "Spec.ResourceAttributes.FieldSelector.Requirements[].Values[]",
				"Spec.ResourceAttributes.Group",
				"Spec.ResourceAttributes.LabelSelector.RawSelector", "Spec.ResourceAttributes.LabelSelector.Requirements[].Key",
				"Spec.ResourceAttributes.LabelSelector.Requirements[].Operator", "Spec.ResourceAttributes.LabelSelector.Requirements[].Values[]",
				"Spec.ResourceAttributes.Name", "Spec.ResourceAttributes.Namespace",
				"Spec.ResourceAttributes.Resource", "Spec.ResourceAttributes.Subresource", "Spec.ResourceAttributes.Verb", "Spec.ResourceAttributes.Version",
				"Spec.User", "Status.Allowed", "Status.Denied",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := leaves(reflect.ValueOf(resources.Trim(c.object)), "")
			if diff := cmp.Diff(slices.Sorted(slices.Values(c.want)), got); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}

	t.Run("no other Secret", func(t *testing.T) {
		if got := resources.Trim(filled[corev1.Secret](nil)); got != nil {
			t.Errorf("%+v", got)
		}
	})
	t.Run("no kind that no rule reads", func(t *testing.T) {
		if got := resources.Trim(filled[corev1.ServiceAccount](nil)); got != nil {
			t.Errorf("%+v", got)
		}
	})
}

// Whatever the kind: these hold what somebody else wrote, in any form.
func TestWhatIsNeverKept(t *testing.T) {
	never := []string{".FieldsV1", ".Command[", ".Args[", ".EnvFrom[", ".ValueFrom", ".Lifecycle", "Probe", ".SecurityContext"}
	seen := 0
	for kind, typ := range kinds.Scheme().AllKnownTypes() {
		object, ok := reflect.New(typ).Interface().(runtime.Object)
		if !ok || strings.HasSuffix(kind.Kind, "List") || recursive(typ, nil) {
			continue
		}
		fill(reflect.ValueOf(object).Elem(), "")
		m, err := meta.Accessor(object)
		if err != nil {
			continue
		}
		m.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "all of it again", "example.com/note": "anything"})
		if pod, ok := object.(*corev1.Pod); ok {
			pod.Spec.Containers[0].Name, pod.Spec.InitContainers[0].Name = istio.ProxyContainer, istio.ProxyContainer
		}
		kept := resources.Trim(object)
		if kept == nil {
			continue
		}
		seen++
		for _, path := range leaves(reflect.ValueOf(kept), "") {
			if slices.ContainsFunc(never, func(s string) bool { return strings.Contains(path, s) }) || strings.HasPrefix(path, "ObjectMeta.Annotations[") {
				t.Errorf("%s: %s is kept", kind.Kind, path)
			}
			if _, isPod := object.(*corev1.Pod); isPod && (strings.Contains(path, "Volume") || strings.Contains(path, ".Message")) {
				t.Errorf("%s: %s is kept", kind.Kind, path)
			}
		}
	}
	if seen < 6 {
		t.Errorf("only %d kinds were looked at", seen)
	}
}

// recursive reports whether a type holds itself, and so cannot be filled.
func recursive(t reflect.Type, within []reflect.Type) bool {
	if slices.Contains(within, t) {
		return true
	}
	within = append(slices.Clone(within), t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return recursive(t.Elem(), within)
	case reflect.Interface, reflect.Func, reflect.Chan:
		return true
	case reflect.Struct:
		if t == reflect.TypeFor[metav1.Time]() || t == reflect.TypeFor[metav1.MicroTime]() || t == reflect.TypeFor[resource.Quantity]() {
			return false
		}
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && recursive(f.Type, within) {
				return true
			}
		}
	}
	return false
}

// strayKey is a private key that somebody has put where it does not belong.
var strayKey = istiotest.Root(istiotest.Spec{}).KeyPEM()

// noisy adds to an object what kubectl and controllers leave on every object.
func noisy(o runtime.Object) runtime.Object {
	o = o.DeepCopyObject()
	m, err := meta.Accessor(o)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	m.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(text)})
	m.SetManagedFields(append(m.GetManagedFields(), metav1.ManagedFieldsEntry{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1(string(text))}))
	switch o := o.(type) {
	case *corev1.ConfigMap:
		o.Data["notes"] = string(text)
		o.BinaryData = map[string][]byte{"notes": text}
	case *appsv1.Deployment:
		c := &o.Spec.Template.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: "TOKEN", Value: istiotest.Token("env")})
		c.Args = []string{"--token=" + istiotest.Token("args")}
	case *admissionv1.MutatingWebhookConfiguration:
		o.Webhooks[0].ClientConfig.CABundle = []byte(strayKey)
	case *corev1.Pod:
		c := &o.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: "TOKEN", Value: istiotest.Token("env")})
		c.Command = []string{"sh", "-c", istiotest.Token("command")}
	}
	return o
}

// fleets are healthy ones of every kind, and one whose operators have put private
// keys where none belongs.
var fleets = sync.OnceValue(func() map[string]*istiotest.Fleet {
	out := map[string]*istiotest.Fleet{}
	for _, c := range istiotest.HealthyCases {
		out[c.Name] = c.Fleet()
	}
	careless := istiotest.Healthy("east", "west")
	east := careless.Get("east")
	key := east.Signer.KeyPEM()
	for k := range east.CACerts {
		east.CACerts[k] += key
	}
	east.CACerts["note"] = "the key is\n" + key
	east.CACerts["der"] = string(der(key))
	east.Published += key
	east.Mesh["istio"]["caCertificates"] = []any{map[string]any{"pem": east.Signer.Top().PEM() + key}}
	east.Mesh["istio"]["defaultConfig"] = map[string]any{"proxyMetadata": map[string]string{"TOKEN": istiotest.Token("metadata"), "CA_ADDR": "istiod:15012"}}
	out["keys everywhere"] = careless
	return out
})

func der(key string) []byte {
	block, _ := pem.Decode([]byte(key))
	return block.Bytes
}

// secretsOf are pieces of all that may not leave a fleet's clusters, as they can
// appear in text.
func secretsOf(f *istiotest.Fleet) map[string]string {
	out := map[string]string{}
	for _, c := range f.Clusters {
		out["the signature of the token for "+c.Name] = strings.Split(istiotest.Token(c.Name), ".")[2]
		for _, data := range []map[string]string{c.CACerts, c.CASecret} {
			for k, v := range data {
				for rest := []byte(v); len(rest) > 0; {
					var block *pem.Block
					if block, rest = pem.Decode(rest); block == nil {
						break
					}
					if strings.HasSuffix(block.Type, "PRIVATE KEY") && len(block.Bytes) > 80 {
						piece := private(block.Bytes)
						out["the key of "+c.Name+" in "+k] = base64.StdEncoding.EncodeToString(piece)
						out["the key of "+c.Name+" in "+k+" as DER"] = string(piece)
					}
				}
			}
		}
	}
	out["the key in a webhook"] = base64.StdEncoding.EncodeToString(private(der(strayKey)))
	for _, name := range []string{"env", "args", "command", "metadata"} {
		out["the token in "+name] = strings.Split(istiotest.Token(name), ".")[2]
	}
	return out
}

// private is a piece of a key, PKCS #8, that its public half does not have too: an
// RSA key begins with that, and an elliptic one ends with it. In PEM it lies within
// a line, of 48 bytes.
func private(der []byte) []byte {
	line := 0
	if len(der) > 300 {
		line = (len(der) - 100) / 48 * 48
	}
	return der[line+39 : line+48]
}

func TestNoSecretIsKept(t *testing.T) {
	for name, f := range fleets() {
		secrets := secretsOf(f)
		found := map[string]bool{} // before: else the test could not fail
		for _, c := range f.Clusters {
			for _, o := range c.Objects() {
				o = noisy(o)
				for _, text := range texts(t, o) {
					for secret, piece := range secrets {
						found[secret] = found[secret] || strings.Contains(text, piece)
					}
				}
				kept := resources.Trim(o)
				if kept == nil {
					continue
				}
				for _, text := range texts(t, kept) {
					for secret, piece := range secrets {
						if strings.Contains(text, piece) {
							t.Errorf("%s: %s is kept of %T", name, secret, o)
						}
					}
					if strings.Contains(text, "last-applied") {
						t.Errorf("%s: %T keeps what was applied", name, o)
					}
				}
			}
		}
		if name == "keys everywhere" {
			for _, secret := range []string{"the key of east in ca-key.pem", "the key of east in ca-key.pem as DER", "the token in env", "the token in metadata", "the signature of the token for west"} {
				if !found[secret] {
					t.Errorf("%s: %s was not there in the first place", name, secret)
				}
			}
		}
	}
}

// texts are the ways in which an object is written down: as JSON, where data is in
// base64, and its data itself.
func texts(t *testing.T, o runtime.Object) []string {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{string(text)}
	switch o := o.(type) {
	case *corev1.Secret:
		for _, v := range o.Data {
			out = append(out, string(v))
		}
	case *admissionv1.MutatingWebhookConfiguration:
		for _, w := range o.Webhooks {
			out = append(out, string(w.ClientConfig.CABundle))
		}
	}
	return out
}

// What a dump holds is trimmed when it is read again.
func TestTrimmingTwiceIsTrimmingOnce(t *testing.T) {
	for name, f := range fleets() {
		for _, c := range f.Clusters {
			for _, o := range c.Objects() {
				once := resources.Trim(noisy(o))
				if once == nil {
					continue
				}
				if diff := cmp.Diff(texts(t, once)[0], texts(t, resources.Trim(once))[0]); diff != "" {
					t.Errorf("%s, %T (-once +twice):\n%s", name, o, diff)
				}
			}
		}
	}
}

// The object that was read is left as it was.
func TestTrimChangesNothing(t *testing.T) {
	for _, o := range istiotest.Healthy("east", "west").Get("east").Objects() {
		before := noisy(o)
		after := before.DeepCopyObject()
		resources.Trim(after)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%T (-before +after):\n%s", o, diff)
		}
	}
}
