package bed

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// writesAtOnce is how many objects are written at the same time.
const writesAtOnce = 16

// Apply creates objects, or replaces those of the same names, and writes the
// status of those that state one. Objects may be typed or unstructured, and may
// have been read from a server: what only the server sets is not sent.
//
// Namespaces come first, then definitions of custom resources, then all others
// in no particular order. Namespaces that objects need and that do not exist are
// made.
func (c *Cluster) Apply(ctx context.Context, objects ...runtime.Object) error {
	if err := c.apply(ctx, objects...); err != nil {
		return fmt.Errorf("cluster %s: %w", c.name, err)
	}
	return nil
}

// apply is Apply, for callers whose errors name the cluster.
func (c *Cluster) apply(ctx context.Context, objects ...runtime.Object) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var nsObjects, crdObjects, others []runtime.Object
	for _, object := range objects {
		u, err := toUnstructured(object)
		if err != nil {
			return err
		}
		switch u.GroupVersionKind().GroupKind() {
		case schema.GroupKind{Kind: "Namespace"}:
			nsObjects = append(nsObjects, u)
		case schema.GroupKind{Group: crds.Group, Kind: "CustomResourceDefinition"}:
			crdObjects = append(crdObjects, u)
		default:
			others = append(others, u)
		}
	}

	if _, err := c.putAll(ctx, nsObjects); err != nil {
		return err
	}
	definitions, err := c.putAll(ctx, crdObjects)
	if err != nil {
		return err
	}
	if err := c.awaitServed(ctx, definitions); err != nil {
		return err
	}
	// Only now is it known which of the others belong into a namespace.
	targets, err := c.targets(others)
	if err != nil {
		return err
	}
	if err := c.putNamespacesOf(ctx, targets); err != nil {
		return err
	}
	return c.putTargets(ctx, targets)
}

// targets finds out where objects belong.
func (c *Cluster) targets(objects []runtime.Object) ([]*target, error) {
	targets := make([]*target, len(objects))
	var errs []error
	for i, object := range objects {
		var err error
		targets[i], err = c.client.target(object)
		errs = append(errs, err)
	}
	return targets, errors.Join(errs...)
}

// putAll writes objects of kinds that every API server has.
func (c *Cluster) putAll(ctx context.Context, objects []runtime.Object) ([]*target, error) {
	targets, err := c.targets(objects)
	if err != nil {
		return nil, err
	}
	return targets, c.putTargets(ctx, targets)
}

// putTargets writes objects, and remembers what there was before.
func (c *Cluster) putTargets(ctx context.Context, targets []*target) error {
	seen := map[objectKey]bool{}
	for _, t := range targets {
		if seen[t.key] {
			return fmt.Errorf("apply %s: it is given twice", t.key)
		}
		seen[t.key] = true
	}
	return inParallel(writesAtOnce, targets, func(t *target) error {
		before, written, err := c.client.put(ctx, t)
		if written {
			c.changes.note(t.key, before)
		}
		return err
	})
}

// putNamespacesOf makes the namespaces of objects that do not exist.
func (c *Cluster) putNamespacesOf(ctx context.Context, targets []*target) error {
	names := map[string]bool{"": true}
	for _, name := range builtinNamespaces {
		names[name] = true
	}
	var missing []runtime.Object
	for _, t := range targets {
		name := t.key.namespace
		if names[name] {
			continue
		}
		names[name] = true
		_, err := c.client.dynamic.Resource(namespaces).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			missing = append(missing, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		case err != nil:
			return fmt.Errorf("look for namespace %s: %w", name, err)
		}
	}
	_, err := c.putAll(ctx, missing)
	return err
}
