package bed

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// client reads and writes objects of any kind.
type client struct {
	dynamic   dynamic.Interface
	discovery discovery.CachedDiscoveryInterface
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	// controllers is whether the cluster has any.
	controllers bool
}

func newClient(config *rest.Config) (*client, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of %s: %w", config.Host, err)
	}
	dynamicClient, err := dynamic.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make a client of %s: %w", config.Host, err)
	}
	discoveryClient, err := discovery.NewDiscoveryClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make a client of %s: %w", config.Host, err)
	}
	cached := memory.NewMemCacheClient(discoveryClient)
	return &client{
		dynamic:   dynamicClient,
		discovery: cached,
		mapper:    restmapper.NewDeferredDiscoveryRESTMapper(cached),
	}, nil
}

// objectKey identifies an object whichever version of its kind it is written in.
type objectKey struct {
	kind      schema.GroupResource
	namespace string
	name      string
}

func (k objectKey) String() string {
	if k.namespace == "" {
		return fmt.Sprintf("%s %s", k.kind, k.name)
	}
	return fmt.Sprintf("%s %s/%s", k.kind, k.namespace, k.name)
}

// target is an object as it shall be, and where in the API it belongs.
type target struct {
	key       objectKey
	resource  schema.GroupVersionResource
	object    *unstructured.Unstructured
	hasStatus bool // whether status is a subresource
}

// target finds out where an object belongs, and strips it of what the server
// sets.
func (c *client) target(object runtime.Object) (*target, error) {
	u, err := toUnstructured(object)
	if err != nil {
		return nil, err
	}
	gvk := u.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", gvk.Kind, u.GetName(), err)
	}
	switch {
	case u.GetName() == "":
		return nil, fmt.Errorf("an object of kind %s has no name", gvk.Kind)
	case mapping.Scope.Name() != "namespace":
		u.SetNamespace("")
	case u.GetNamespace() == "":
		u.SetNamespace(metav1.NamespaceDefault)
	}
	hasStatus, err := c.hasStatus(mapping.Resource)
	if err != nil {
		return nil, err
	}
	stripServerFields(u)
	return &target{
		key:       objectKey{mapping.Resource.GroupResource(), u.GetNamespace(), u.GetName()},
		resource:  mapping.Resource,
		object:    u,
		hasStatus: hasStatus,
	}, nil
}

// hasStatus reports whether status is a subresource of a resource.
func (c *client) hasStatus(resource schema.GroupVersionResource) (bool, error) {
	served, err := c.discovery.ServerResourcesForGroupVersion(resource.GroupVersion().String())
	if err != nil {
		return false, fmt.Errorf("discover %s: %w", resource.GroupVersion(), err)
	}
	for _, r := range served.APIResources {
		if name, found := strings.CutSuffix(r.Name, "/status"); found && name == resource.Resource {
			return true, nil
		}
	}
	return false, nil
}

// at is the client of the objects of a resource beside key.
func (c *client) at(resource schema.GroupVersionResource, key objectKey) dynamic.ResourceInterface {
	if key.namespace == "" {
		return c.dynamic.Resource(resource)
	}
	return c.dynamic.Resource(resource).Namespace(key.namespace)
}
