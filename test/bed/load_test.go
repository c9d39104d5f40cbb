package bed

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestLoad(t *testing.T) {
	const text = "server: https://west.bed.invalid\nkeep: https://elsewhere.bed.invalid\n"
	secret := func() *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret",
			"metadata":   map[string]any{"name": "remote", "namespace": "default"},
			"stringData": map[string]any{"west": text},
		}}
	}
	given := secret()
	if err := fleet.Load(t.Context(), map[string][]*unstructured.Unstructured{"east": {given}}); err != nil {
		t.Fatal(err)
	}
	east, west := fleet.Cluster("east"), fleet.Cluster("west")
	resetAfter(t, east)
	got, err := clientOf(t, east, Admin).CoreV1().Secrets("default").Get(t.Context(), "remote", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(text, "https://west.bed.invalid", west.URL(), 1)
	if diff := cmp.Diff(want, string(got.Data["west"])); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(secret(), given); diff != "" {
		t.Errorf("the manifest was changed: %s", diff)
	}
	err = fleet.Load(t.Context(), map[string][]*unstructured.Unstructured{"south": {given}})
	if err == nil || !strings.Contains(err.Error(), "cluster south") {
		t.Errorf("a cluster that is not there: %v", err)
	}
}
