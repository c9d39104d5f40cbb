package bed

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// endpointSlices are the addresses of services.
var endpointSlices = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}

// settle waits until pods run, services have their addresses, and the control
// plane of the cluster knows the other clusters.
func (m *Mesh) settle(ctx context.Context, c *Cluster, spec topology.Cluster) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not after %s", startTimeout))
	defer cancel()
	if err := c.awaitEndpoints(ctx); err != nil {
		return err
	}
	if istiod := m.Istiod(spec.Name); istiod != nil {
		return m.awaitClusters(ctx, istiod, spec)
	}
	return nil
}

// AwaitEndpoints waits until all pods of a cluster of a mesh run, and the
// addresses of its services are those of the pods that they select.
func (c *Cluster) AwaitEndpoints(ctx context.Context) error {
	if err := c.awaitEndpoints(ctx); err != nil {
		return fmt.Errorf("cluster %s: %w", c.name, err)
	}
	return nil
}

func (c *Cluster) awaitEndpoints(ctx context.Context) error {
	lacks := ""
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		all, err := list[corev1.Pod](ctx, c, pods)
		if err != nil {
			return false, err
		}
		for _, pod := range all {
			if pod.Status.PodIP == "" {
				lacks = fmt.Sprintf("pod %s/%s has no address", pod.Namespace, pod.Name)
				return false, nil
			}
		}
		if lacks, err = c.lacksEndpoints(ctx, all); err != nil {
			return false, err
		}
		return lacks == "", nil
	})
	if err != nil {
		return fmt.Errorf("wait for pods and endpoints: %w (%s)", err, lacks)
	}
	return nil
}

// lacksEndpoints says which service has not yet the addresses of its pods.
func (c *Cluster) lacksEndpoints(ctx context.Context, all []corev1.Pod) (string, error) {
	selecting, err := list[corev1.Service](ctx, c, services)
	if err != nil {
		return "", err
	}
	given, err := list[discoveryv1.EndpointSlice](ctx, c, endpointSlices)
	if err != nil {
		return "", err
	}
	for _, service := range selecting {
		if len(service.Spec.Selector) == 0 || service.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		want, have := map[string]bool{}, map[string]bool{}
		selector := labels.SelectorFromSet(service.Spec.Selector)
		for _, pod := range all {
			if pod.Namespace == service.Namespace && pod.DeletionTimestamp == nil && selector.Matches(labels.Set(pod.Labels)) {
				want[pod.Status.PodIP] = service.Spec.PublishNotReadyAddresses || isReady(pod)
			}
		}
		for _, slice := range given {
			if slice.Namespace != service.Namespace || slice.Labels[discoveryv1.LabelServiceName] != service.Name {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				for _, address := range endpoint.Addresses {
					have[address] = endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
				}
			}
		}
		if !maps.Equal(want, have) {
			return fmt.Sprintf("service %s/%s has %d addresses of %d", service.Namespace, service.Name, len(have), len(want)), nil
		}
	}
	return "", nil
}

// isReady reports whether a pod is ready.
func isReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// awaitClusters waits until a control plane has read all clusters that its
// remote secrets let it read.
func (m *Mesh) awaitClusters(ctx context.Context, istiod *Istiod, spec topology.Cluster) error {
	want := map[string]bool{}
	for _, secret := range m.topology.RemoteSecrets {
		if secret.In != spec.Name || secret.Key == spec.ID {
			continue
		}
		works, given := want[secret.Key]
		want[secret.Key] = !secret.Broken() && (works || !given)
	}
	var last []ClusterState
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		states, err := istiod.Clusters(ctx)
		if err != nil {
			return false, err
		}
		last = states
		for id, works := range want {
			if works && !slices.ContainsFunc(states, func(s ClusterState) bool { return s.ID == id && s.Status == "synced" }) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return istiod.failure(fmt.Errorf("wait until it has read the other clusters: %w (last: %v)", err, last))
	}
	return nil
}
