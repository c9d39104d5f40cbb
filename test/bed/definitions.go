package bed

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// crds are the definitions of custom resources.
var crds = schema.GroupVersionResource{
	Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
}

// awaitServed waits until the resources that the definitions define are served
// and discovered, and lets the viewer see them.
func (c *Cluster) awaitServed(ctx context.Context, definitions []*target) error {
	if len(definitions) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("not served after %s", settleTimeout))
	defer cancel()
	var kinds []schema.GroupResource
	for _, definition := range definitions {
		if err := c.awaitDefinition(ctx, definition); err != nil {
			return fmt.Errorf("wait for %s: %w", definition.key, err)
		}
		kinds = append(kinds, schema.ParseGroupResource(definition.key.name))
	}
	return c.grantViewer(ctx, kinds...)
}

// awaitDefinition waits until the API server has established a definition, and
// has told so by its discovery.
func (c *Cluster) awaitDefinition(ctx context.Context, definition *target) error {
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		live, err := c.client.dynamic.Resource(crds).Get(ctx, definition.key.name, metav1.GetOptions{})
		return err == nil && established(live), err
	})
	if err != nil {
		return err
	}
	kind, _, err := unstructured.NestedString(definition.object.Object, "spec", "names", "kind")
	if err != nil {
		return err
	}
	group := schema.ParseGroupResource(definition.key.name).Group
	return poll(ctx, func(context.Context) (bool, error) {
		c.client.mapper.Reset()
		_, err := c.client.mapper.RESTMapping(schema.GroupKind{Group: group, Kind: kind})
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// established reports whether a definition has the condition Established.
func established(definition *unstructured.Unstructured) bool {
	return conditionHolds(definition, "Established")
}

// conditionHolds reports whether an object has a condition, and it is true.
func conditionHolds(object *unstructured.Unstructured, name string) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, condition := range conditions {
		if c, ok := condition.(map[string]any); ok && c["type"] == name {
			return c["status"] == "True"
		}
	}
	return false
}
