package bed

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// sweep removes all namespaces but those that every cluster has, with all that
// controllers and control planes have put into them, and what they have put into
// the others.
func (c *Cluster) sweep(ctx context.Context) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	all, err := c.client.dynamic.Resource(namespaces).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the namespaces: %w", err)
	}
	var extra []string
	for _, namespace := range all.Items {
		if !slices.Contains(builtinNamespaces, namespace.GetName()) {
			extra = append(extra, namespace.GetName())
		}
	}
	// A namespace that is being deleted takes nothing in.
	err = inParallel(writesAtOnce, extra, func(name string) error {
		err := c.client.dynamic.Resource(namespaces).Delete(ctx, name, metav1.DeleteOptions{})
		return ignoreNotFound(err)
	})
	if err != nil {
		return fmt.Errorf("delete the namespaces: %w", err)
	}
	if err := c.client.empty(ctx, extra); err != nil {
		return err
	}
	for _, name := range builtinNamespaces {
		if err := c.client.emptyOfMesh(ctx, name); err != nil {
			return err
		}
	}
	err = inParallel(writesAtOnce, extra, func(name string) error { return c.client.finalizeNamespace(ctx, name) })
	if err != nil {
		return err
	}
	// With the namespaces went what was in them.
	for key := range c.changes.all() {
		if slices.Contains(extra, key.namespace) || key.kind == namespaces.GroupResource() && slices.Contains(extra, key.name) {
			c.changes.forget(key)
		}
	}
	return nil
}

// empty deletes all objects in some namespaces.
func (c *client) empty(ctx context.Context, names []string) error {
	resources, err := c.namespacedResources()
	if err != nil {
		return err
	}
	return inParallel(writesAtOnce, resources, func(resource schema.GroupVersionResource) error {
		objects, err := c.dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list %s: %w", resource.Resource, err)
		}
		for _, object := range objects.Items {
			if slices.Contains(names, object.GetNamespace()) {
				err := c.deleteNow(ctx, resource, object.GetNamespace(), object.GetName())
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// emptyOfMesh deletes what a mesh leaves in a namespace that stays.
func (c *client) emptyOfMesh(ctx context.Context, namespace string) error {
	left, err := c.dynamic.Resource(endpointSlices).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list endpoint slices: %w", err)
	}
	for _, slice := range left.Items {
		if err := c.deleteNow(ctx, endpointSlices, namespace, slice.GetName()); err != nil {
			return err
		}
	}
	return c.deleteNow(ctx, configMaps, namespace, "istio-ca-root-cert")
}

// configMaps are the config maps of a cluster.
var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// deleteNow deletes an object that may be gone by now.
func (c *client) deleteNow(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) error {
	now := int64(0)
	err := c.dynamic.Resource(resource).Namespace(namespace).
		Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s %s/%s: %w", resource.Resource, namespace, name, err)
	}
	return nil
}

// namespacedResources are the kinds of objects that can be in a namespace.
func (c *client) namespacedResources() ([]schema.GroupVersionResource, error) {
	lists, err := c.discovery.ServerPreferredNamespacedResources()
	if err != nil {
		return nil, fmt.Errorf("find out what can be in a namespace: %w", err)
	}
	var resources []schema.GroupVersionResource
	for _, served := range lists {
		version, err := schema.ParseGroupVersion(served.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("find out what can be in a namespace: %w", err)
		}
		for _, resource := range served.APIResources {
			if slices.Contains(resource.Verbs, "deletecollection") && resource.Name != "endpoints" {
				resources = append(resources, version.WithResource(resource.Name))
			}
		}
	}
	return resources, nil
}
