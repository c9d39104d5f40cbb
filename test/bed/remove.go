package bed

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// settleTimeout is how long the API server may take to follow up on a change by
// itself: it takes milliseconds, unless the machine is very busy.
const settleTimeout = 30 * time.Second

// remove deletes an object at once, whatever would hold its deletion up in a
// cluster with controllers. It returns the NotFound of the API server for an
// object that does not exist.
func (c *client) remove(ctx context.Context, resource schema.GroupVersionResource, key objectKey, finalizers bool) error {
	objects := c.at(resource, key)
	if finalizers {
		_, err := objects.Patch(ctx, key.name, types.MergePatchType,
			[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		if err != nil {
			return fmt.Errorf("take the finalizers from %s: %w", key, err)
		}
	}
	background, now := metav1.DeletePropagationBackground, int64(0)
	err := objects.Delete(ctx, key.name, metav1.DeleteOptions{
		GracePeriodSeconds: &now,
		PropagationPolicy:  &background,
	})
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	switch key.kind {
	case namespaces.GroupResource():
		if c.controllers {
			// They have put things there that nobody here knows of.
			if err := c.empty(ctx, []string{key.name}); err != nil {
				return err
			}
		}
		return c.finalizeNamespace(ctx, key.name)
	case crds.GroupResource():
		if err := c.awaitGone(ctx, resource, key); err != nil {
			return err
		}
		c.mapper.Reset()
	}
	return nil
}

// finalizeNamespace does what the namespace controller does once a deleted
// namespace is empty.
func (c *client) finalizeNamespace(ctx context.Context, name string) error {
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "Namespace",
		"metadata":   map[string]any{"name": name},
		"spec":       map[string]any{"finalizers": []any{}},
	}}
	_, err := c.dynamic.Resource(namespaces).Update(ctx, namespace, metav1.UpdateOptions{}, "finalize")
	if err := ignoreNotFound(err); err != nil {
		return fmt.Errorf("finalize namespace %s: %w", name, err)
	}
	return nil
}

// awaitGone waits until a deleted object is gone.
func (c *client) awaitGone(ctx context.Context, resource schema.GroupVersionResource, key objectKey) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("still there after %s", settleTimeout))
	defer cancel()
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		_, err := c.at(resource, key).Get(ctx, key.name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), ignoreNotFound(err)
	})
	if err != nil {
		return fmt.Errorf("wait until %s is gone: %w", key, err)
	}
	return nil
}
