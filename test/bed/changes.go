package bed

import (
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// origin is what there was of an object before a test changed it.
type origin struct {
	resource schema.GroupVersionResource
	// object is the object, or nil if there was none.
	object *unstructured.Unstructured
	// finalizers is whether the test has given the object any.
	finalizers bool
}

// changes is the origin of each object that a test has changed.
type changes struct {
	mutex   sync.Mutex
	origins map[objectKey]origin
}

// note remembers the origin of an object, unless it has changed before.
func (c *changes) note(key objectKey, before origin) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if first, changed := c.origins[key]; changed {
		first.finalizers = first.finalizers || before.finalizers
		c.origins[key] = first
		return
	}
	if c.origins == nil {
		c.origins = map[objectKey]origin{}
	}
	c.origins[key] = before
}

// of returns the origin of an object, and whether it has changed.
func (c *changes) of(key objectKey) (origin, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	before, changed := c.origins[key]
	return before, changed
}

// forget ends the memory of an object that is as it was.
func (c *changes) forget(key objectKey) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.origins, key)
}

// all returns a copy of all origins.
func (c *changes) all() map[objectKey]origin {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return maps.Clone(c.origins)
}

// forgetAll ends the memory of all objects.
func (c *changes) forgetAll() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.origins = nil
}

// take returns all origins and ends the memory of them.
func (c *changes) take() map[objectKey]origin {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	taken := c.origins
	c.origins = nil
	return taken
}

// giveBack remembers origins that were taken: they are older than those of the
// same objects that have been noted since.
func (c *changes) giveBack(taken map[objectKey]origin) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.origins == nil {
		c.origins = map[objectKey]origin{}
	}
	for key, first := range taken {
		first.finalizers = first.finalizers || c.origins[key].finalizers
		c.origins[key] = first
	}
}
