package bed

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Reset undoes Apply and Delete: it deletes what they created, and restores what
// they replaced or deleted. What else a test did with other clients stays.
func (c *Cluster) Reset(ctx context.Context) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err := c.undo(ctx, c.changes.all()); err != nil {
		return fmt.Errorf("reset cluster %s: %w", c.name, err)
	}
	return nil
}

// Keep makes what the cluster holds now that which Reset returns to. It is for
// definitions of custom resources: the API server makes whoever creates a first
// custom resource wait until the definition is two seconds old.
func (c *Cluster) Keep() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.changes.forgetAll()
}

// Delete deletes objects, of which only kind, namespace and name matter. With a
// namespace goes what Apply has put there. It is an error if an object does not
// exist.
func (c *Cluster) Delete(ctx context.Context, objects ...runtime.Object) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	targets, err := c.targets(objects)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", c.name, err)
	}
	var errs []error
	for _, t := range targets {
		errs = append(errs, c.delete(ctx, t))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cluster %s: %w", c.name, err)
	}
	return nil
}

// delete deletes one object, and remembers it if Apply has not created it.
func (c *Cluster) delete(ctx context.Context, t *target) error {
	live, err := c.client.at(t.resource, t.key).Get(ctx, t.key.name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("delete %s: %w", t.key, err)
	}
	if t.key.kind == namespaces.GroupResource() {
		inside := c.changes.all()
		for key := range inside {
			if key.namespace != t.key.name {
				delete(inside, key)
			}
		}
		if err := c.undo(ctx, inside); err != nil {
			return err
		}
	}
	if err := c.client.remove(ctx, t.resource, t.key, len(live.GetFinalizers()) > 0); err != nil {
		return err
	}
	if before, changed := c.changes.of(t.key); changed && before.object == nil {
		c.changes.forget(t.key)
	} else {
		c.changes.note(t.key, origin{resource: t.resource, object: live})
	}
	return nil
}

// undo makes objects what they were. First goes what was created, from the
// inside out; then comes back what there was, from the outside in.
func (c *Cluster) undo(ctx context.Context, origins map[objectKey]origin) error {
	var created, replaced [3][]objectKey
	for key, before := range origins {
		layer := layerOf(key)
		if before.object == nil {
			created[layer] = append(created[layer], key)
		} else {
			replaced[layer] = append(replaced[layer], key)
		}
	}
	for layer := len(created) - 1; layer >= 0; layer-- {
		err := inParallel(writesAtOnce, created[layer], func(key objectKey) error {
			before := origins[key]
			err := c.client.remove(ctx, before.resource, key, before.finalizers)
			if err := ignoreNotFound(err); err != nil {
				return err
			}
			c.changes.forget(key)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, keys := range replaced {
		if err := inParallel(writesAtOnce, keys, func(key objectKey) error {
			return c.restore(ctx, key, origins[key])
		}); err != nil {
			return err
		}
	}
	return nil
}

// restore makes an object what it was.
func (c *Cluster) restore(ctx context.Context, key objectKey, before origin) error {
	t, err := c.client.target(before.object)
	if err != nil {
		return fmt.Errorf("restore %s: %w", key, err)
	}
	if _, _, err := c.client.put(ctx, t); err != nil {
		return fmt.Errorf("restore %s: %w", key, err)
	}
	if key.kind == crds.GroupResource() {
		if err := c.awaitServed(ctx, []*target{t}); err != nil {
			return err
		}
	}
	c.changes.forget(key)
	return nil
}

// The layers of a cluster: what is in a layer needs those before it.
const (
	layerNamespaces = iota
	layerDefinitions
	layerOthers
)

// layerOf returns the layer that an object belongs to.
func layerOf(key objectKey) int {
	switch key.kind {
	case namespaces.GroupResource():
		return layerNamespaces
	case crds.GroupResource():
		return layerDefinitions
	default:
		return layerOthers
	}
}
