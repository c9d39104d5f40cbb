package bed

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	services   = schema.GroupVersionResource{Version: "v1", Resource: "services"}
)

// builtinNamespaces are those that every API server makes and keeps.
var builtinNamespaces = []string{"default", "kube-node-lease", "kube-public", "kube-system"}

// awaitBuiltins waits for what an API server puts into its cluster some time
// after it has become ready: no test should see it appear.
func (c *Cluster) awaitBuiltins(ctx context.Context) error {
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		for _, name := range builtinNamespaces {
			_, err := c.client.dynamic.Resource(namespaces).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return false, ignoreNotFound(err)
			}
		}
		_, err := c.client.dynamic.Resource(services).Namespace("default").Get(ctx, "kubernetes", metav1.GetOptions{})
		return err == nil, ignoreNotFound(err)
	})
	if err != nil {
		return fmt.Errorf("wait for the built-in namespaces and service: %w", err)
	}
	return nil
}

// ignoreNotFound returns nil for the error that says that an object is absent.
func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
