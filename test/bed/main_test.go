package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
)

// fleet is shared by all tests: each resets the clusters that it changes.
var fleet *Fleet

func TestMain(m *testing.M) {
	if base := os.Getenv(holdVariable); base != "" {
		hold(base)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	var err error
	fleet, err = Start(context.Background(), Config{Clusters: []string{"east", "west"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := errors.Join(fleet.Stop(), stopMeshFleet()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

// resetAfter resets a cluster at the end of a test.
func resetAfter(t *testing.T, cluster *Cluster) {
	t.Helper()
	t.Cleanup(func() {
		if err := cluster.Reset(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// clientOf returns a client of a cluster for a user.
func clientOf(t *testing.T, cluster *Cluster, user string) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster.RESTConfig(user))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// named returns the metadata of an object.
func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// parse returns the objects of a manifest.
func parse(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := parseManifests([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
