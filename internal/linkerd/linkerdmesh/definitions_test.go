package linkerdmesh_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// definitions are the schemas of Linkerd's kinds as edge-26.8.3 has them: what they do not name is refused.
func definitions(t *testing.T) map[schema.GroupVersionKind]*spec.Schema {
	t.Helper()
	files := os.DirFS("testdata/definitions")
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[schema.GroupVersionKind]*spec.Schema{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		var of struct {
			Spec struct {
				Group    string                `json:"group"`
				Names    struct{ Kind string } `json:"names"`
				Versions []struct {
					Name   string `json:"name"`
					Schema struct {
						OpenAPIV3Schema spec.Schema `json:"openAPIV3Schema"`
					} `json:"schema"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(text, &of); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, v := range of.Spec.Versions {
			s := v.Schema.OpenAPIV3Schema
			for _, field := range []string{"apiVersion", "kind", "metadata"} {
				s.SetProperty(field, spec.Schema{})
			}
			closed(&s)
			out[schema.GroupVersionKind{Group: of.Spec.Group, Version: v.Name, Kind: of.Spec.Names.Kind}] = &s
		}
	}
	if len(out) < 10 {
		t.Fatalf("there are only %d definitions", len(out))
	}
	return out
}

// closed has a schema refuse fields that it does not name, as the API server drops them.
func closed(s *spec.Schema) {
	if open, _ := s.Extensions.GetBool("x-kubernetes-preserve-unknown-fields"); open {
		return
	}
	for name := range s.Properties {
		p := s.Properties[name]
		closed(&p)
		s.Properties[name] = p
	}
	if s.Items != nil && s.Items.Schema != nil {
		closed(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		closed(s.AdditionalProperties.Schema)
	}
	if len(s.Properties) > 0 && s.AdditionalProperties == nil {
		s.AdditionalProperties = &spec.SchemaOrBool{}
	}
}

// exact says what is wrong with an object of Linkerd, or of Kubernetes itself; false for one of another product, of which
// there is no definition here.
func exact(of map[schema.GroupVersionKind]*spec.Schema, text []byte) (string, bool) {
	var meta metav1.TypeMeta
	if err := json.Unmarshal(text, &meta); err != nil {
		return err.Error(), true
	}
	kind := meta.GroupVersionKind()
	if s := of[kind]; s != nil {
		var object any
		if err := json.Unmarshal(text, &object); err != nil {
			return err.Error(), true
		}
		var wrong []string
		for _, err := range validate.NewSchemaValidator(s, nil, "", strfmt.Default).Validate(object).Errors {
			wrong = append(wrong, err.Error())
		}
		return strings.Join(wrong, "; "), true
	}
	if strings.HasSuffix(kind.Group, "linkerd.io") {
		return "there is no such kind", true
	}
	if !scheme.Scheme.Recognizes(kind) {
		return "", false
	}
	strict := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, serializer.SerializerOptions{Strict: true})
	if _, _, err := strict.Decode(text, nil, nil); err != nil {
		return err.Error(), true
	}
	return "", true
}

// All objects of recorded fleets and of cases are as their definitions have them, field by field.
func TestObjectsAreExact(t *testing.T) {
	of, counted := definitions(t), map[string]int{}
	for _, dir := range []fs.FS{os.DirFS("../linkerdtest/testdata/recorded"), os.DirFS("../../../cases")} {
		all, err := cases.All(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if strings.HasPrefix(c.Source[0], "recorded") == strings.Contains(c.Name, "linkerd") { // of another mesh
				continue
			}
			files, err := c.Dump(dir, resources.All)
			if err != nil {
				t.Fatal(err)
			}
			names, err := fs.Glob(files, "*/objects.yaml")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				text, err := fs.ReadFile(files, name)
				if err != nil {
					t.Fatal(err)
				}
				for document := range strings.SplitSeq("\n"+string(text), "\n---\n") {
					object, err := yaml.YAMLToJSON([]byte(document))
					if err != nil || string(object) == "null" {
						continue
					}
					wrong, known := exact(of, object)
					if wrong != "" {
						t.Errorf("%s: %s: %s\n%s", c.Name, name, wrong, object)
					}
					if known {
						var meta metav1.TypeMeta
						if err := json.Unmarshal(object, &meta); err != nil {
							t.Fatal(err)
						}
						counted[meta.GroupVersionKind().Group]++
					}
				}
			}
		}
	}
	if counted[api.MulticlusterGroup] < 40 || counted[api.PolicyGroup] < 300 || counted[""] < 3000 {
		t.Errorf("compared: %v", counted)
	}
}

// The fields that rules read are named as the definitions name them.
func TestFieldsAreAsDefined(t *testing.T) {
	of := definitions(t)
	for kind, object := range map[schema.GroupVersionKind]any{
		{Group: api.MulticlusterGroup, Version: "v1alpha3", Kind: "Link"}:            api.Link{},
		{Group: api.PolicyGroup, Version: "v1beta3", Kind: "Server"}:                 api.Server{},
		{Group: api.PolicyGroup, Version: "v1alpha1", Kind: "AuthorizationPolicy"}:   api.AuthorizationPolicy{},
		{Group: api.PolicyGroup, Version: "v1alpha1", Kind: "MeshTLSAuthentication"}: api.MeshTLSAuthentication{},
		{Group: api.PolicyGroup, Version: "v1alpha1", Kind: "NetworkAuthentication"}: api.NetworkAuthentication{},
		{Group: api.PolicyGroup, Version: "v1beta1", Kind: "ServerAuthorization"}:    api.ServerAuthorization{},
		{Group: api.PolicyGroup, Version: "v1alpha1", Kind: "EgressNetwork"}:         api.EgressNetwork{},
		{Group: api.ProfileGroup, Version: "v1alpha2", Kind: "ServiceProfile"}:       api.ServiceProfile{},
	} {
		s := of[kind]
		if s == nil {
			t.Errorf("there is no definition of %s", kind)
			continue
		}
		for _, missing := range undefined(reflect.TypeOf(object), s, kind.Kind) {
			t.Errorf("the definition has no %s", missing)
		}
	}
}

// undefined are the fields of a type that a schema does not have.
func undefined(of reflect.Type, s *spec.Schema, at string) []string {
	switch of.Kind() {
	case reflect.Pointer:
		return undefined(of.Elem(), s, at)
	case reflect.Slice:
		if s.Items == nil || s.Items.Schema == nil {
			return []string{at + " that is a list"}
		}
		return undefined(of.Elem(), s.Items.Schema, at)
	case reflect.Struct:
	default:
		return nil
	}
	if of.PkgPath() != reflect.TypeFor[api.Link]().PkgPath() { // of Kubernetes itself
		return nil
	}
	var out []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "metadata" {
			continue
		}
		p, ok := s.Properties[name]
		if !ok {
			out = append(out, at+"."+name)
			continue
		}
		out = append(out, undefined(field.Type, &p, at+"."+name)...)
	}
	return out
}

// What the commands of fixes apply is as the definitions have it.
func TestAppliedObjectsAreExact(t *testing.T) {
	of, applied := definitions(t), 0
	for name, f := range fleets(t) {
		for _, x := range judge(t, model.New(f, model.Options{})).Findings {
			for _, c := range finding.Commands(x.Fix) {
				if c.Args[0] != "printf" {
					continue
				}
				text := []byte(c.Args[len(c.Args)-1])
				var list struct {
					Items []json.RawMessage `json:"items"`
				}
				if err := json.Unmarshal(text, &list); err != nil {
					t.Fatalf("%s: %s: %v", name, x.ID(), err)
				}
				for _, object := range append(list.Items, json.RawMessage(text)) {
					if len(list.Items) > 0 && slices.Equal(object, text) {
						continue
					}
					applied++
					if wrong, known := exact(of, object); wrong != "" || !known {
						t.Errorf("%s: %s applies what is not exact: %s\n%s", name, x.ID(), wrong, object)
					}
				}
			}
		}
	}
	if applied < 3 {
		t.Errorf("%d objects are applied", applied)
	}
}
