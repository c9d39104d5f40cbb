package bed

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// put makes an object what target says, its status included. It returns what
// there was of the object before, and whether anything was written: that may be
// so even if it fails.
func (c *client) put(ctx context.Context, t *target) (before origin, written bool, err error) {
	before = origin{resource: t.resource, finalizers: len(t.object.GetFinalizers()) > 0}
	live, err := c.create(ctx, t)
	if apierrors.IsAlreadyExists(err) {
		live, before.object, err = c.replace(ctx, t)
	}
	written = err == nil || before.object != nil
	if err != nil {
		return before, written, fmt.Errorf("apply %s: %w", t.key, err)
	}
	if t.statesStatus() {
		if err := c.putStatus(ctx, t, live); err != nil {
			return before, written, fmt.Errorf("apply the status of %s: %w", t.key, err)
		}
	}
	return before, written, nil
}

// create creates an object. Its namespace may have been deleted and made again
// a moment ago, and the API server not have noticed the latter yet.
func (c *client) create(ctx context.Context, t *target) (live *unstructured.Unstructured, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	_ = poll(ctx, func(ctx context.Context) (bool, error) {
		live, err = c.at(t.resource, t.key).Create(ctx, t.object, metav1.CreateOptions{})
		return !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), nil
	})
	return live, err
}

// replace updates an object, or deletes it and creates it anew if no update
// makes it what it shall be.
func (c *client) replace(ctx context.Context, t *target) (live, replaced *unstructured.Unstructured, err error) {
	objects := c.at(t.resource, t.key)
	for {
		replaced, err = objects.Get(ctx, t.key.name, metav1.GetOptions{})
		if err != nil {
			return nil, nil, err
		}
		if t.losesStatus(replaced) {
			live, err = c.recreate(ctx, t, replaced)
			return live, replaced, err
		}
		update := t.object.DeepCopy()
		update.SetResourceVersion(replaced.GetResourceVersion())
		live, err = objects.Update(ctx, update, metav1.UpdateOptions{})
		switch {
		case apierrors.IsConflict(err):
			continue
		case apierrors.IsInvalid(err):
			live, err = c.recreate(ctx, t, replaced)
		}
		return live, replaced, err
	}
}

// recreate deletes an object and creates it as it shall be.
func (c *client) recreate(ctx context.Context, t *target, old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if err := c.remove(ctx, t.resource, t.key, len(old.GetFinalizers()) > 0); err != nil {
		return nil, err
	}
	return c.create(ctx, t)
}

// putStatus writes the status of an object.
func (c *client) putStatus(ctx context.Context, t *target, live *unstructured.Unstructured) error {
	objects := c.at(t.resource, t.key)
	for {
		update := live.DeepCopy()
		update.Object["status"] = t.object.Object["status"]
		_, err := objects.UpdateStatus(ctx, update, metav1.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			return err
		}
		if live, err = objects.Get(ctx, t.key.name, metav1.GetOptions{}); err != nil {
			return err
		}
	}
}

// statesStatus reports whether there is a status to write. Definitions come with
// one that only the server can know.
func (t *target) statesStatus() bool {
	return t.hasStatus && t.key.kind != crds.GroupResource() && hasContent(t.object.Object["status"])
}

// losesStatus reports whether the object shall not have the status that the live
// one has. What a status is at first is known to the server only, and so is the
// whole status of namespaces and definitions.
func (t *target) losesStatus(live *unstructured.Unstructured) bool {
	switch t.key.kind {
	case namespaces.GroupResource(), crds.GroupResource():
		return false
	}
	return t.hasStatus && !t.statesStatus() && hasContent(live.Object["status"])
}
