package bed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// pods are the pods of a cluster, and webhooks what injects them.
var (
	pods     = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	webhooks = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}
)

// inject makes the pods of a cluster, through the injector where there is one
// that works.
func (m *Mesh) inject(ctx context.Context, c *Cluster, spec topology.Cluster) error {
	plane := spec.Name
	if spec.RemoteOf != "" {
		plane = spec.RemoteOf
	}
	istiod := m.Istiod(plane)
	webhook := spec.Webhook(istiod.injectURL(spec.InjectPath()))
	if m.injects(spec) {
		if err := c.apply(ctx, webhook); err != nil {
			return err
		}
		if err := c.awaitInjector(ctx, webhook.Name); err != nil {
			return istiod.failure(err)
		}
	}
	if err := c.awaitNodes(ctx, spec); err != nil {
		return err
	}
	objects, err := m.topology.PlaneObjects(spec, istiod.env)
	if err != nil {
		return err
	}
	for _, pod := range spec.Pods() {
		objects = append(objects, pod)
	}
	if err := c.apply(ctx, objects...); err != nil {
		return err
	}
	for key, labels := range spec.Relabels() {
		if err := c.relabel(ctx, key[0], key[1], labels); err != nil {
			return err
		}
	}
	if !m.injects(spec) {
		// Only now: it would let no pod pass.
		if err := c.apply(ctx, webhook); err != nil {
			return err
		}
	}
	if spec.RemoteOf == "" {
		return c.forward(ctx, istiod.forwards()...)
	}
	return nil
}

// injects reports whether a control plane can inject the pods of a cluster: of a
// remote one it has to know the cluster.
func (m *Mesh) injects(spec topology.Cluster) bool {
	if spec.RemoteOf == "" {
		return true
	}
	for _, secret := range m.topology.RemoteSecrets {
		if secret.In == spec.RemoteOf && secret.Of == spec.Name && secret.Key == spec.ID && !secret.Broken() {
			return true
		}
	}
	return false
}

// awaitInjector waits until the API server has pods injected: until the control
// plane has filled its CA in, and the API server has heard of all that. Of 600 control planes
// one did not notice the webhook; a change of it is noticed.
func (c *Cluster) awaitInjector(ctx context.Context, webhook string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("not after %s", settleTimeout))
	defer cancel()
	probe, err := toUnstructured(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: topology.SystemNamespace, Name: "bed-probe",
			Labels: map[string]string{"sidecar.istio.io/inject": "true"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "example.com/probe:1"}}},
	})
	if err != nil {
		return err
	}
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	var last error
	changed := time.Now()
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		answer, err := c.client.dynamic.Resource(pods).Namespace(topology.SystemNamespace).Create(ctx, probe, options)
		if err != nil {
			if last = err; time.Since(changed) < 5*time.Second {
				return false, nil
			}
			changed = time.Now()
			change := fmt.Sprintf(`{"metadata":{"annotations":{"changed":%q}}}`, changed.Format(time.RFC3339))
			_, err = c.client.dynamic.Resource(webhooks).Patch(ctx, webhook, types.MergePatchType, []byte(change), metav1.PatchOptions{})
			return false, err
		}
		_, injected := answer.GetAnnotations()["sidecar.istio.io/status"]
		if !injected {
			last = errors.New("the pod was not injected")
		}
		return injected, nil
	})
	if err != nil {
		return fmt.Errorf("wait until pods are injected: %w (last: %v)", err, last)
	}
	return nil
}

// awaitNodes waits until kwok has taken the nodes of a cluster: pods that it
// knows no node of have the node's address.
func (c *Cluster) awaitNodes(ctx context.Context, spec topology.Cluster) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("not ready after %s", settleTimeout))
	defer cancel()
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		for _, n := range spec.Nodes {
			var node corev1.Node
			if err := c.get(ctx, nodes, "", n.Name, &node); err != nil {
				return false, err
			}
			if node.Status.DaemonEndpoints.KubeletEndpoint.Port == 0 {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return c.kubelets.kwok.failure(fmt.Errorf("wait for the nodes: %w", err))
	}
	return nil
}

// nodes are the nodes of a cluster.
var nodes = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}

// get reads an object.
func (c *Cluster) get(ctx context.Context, resource schema.GroupVersionResource, namespace, name string, into any) error {
	object, err := c.client.at(resource, objectKey{namespace: namespace}).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into)
}

// list reads all objects of a kind in all namespaces.
func list[T any](ctx context.Context, c *Cluster, resource schema.GroupVersionResource) ([]T, error) {
	listed, err := c.client.dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	items := make([]T, len(listed.Items))
	for i := range listed.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(listed.Items[i].Object, &items[i]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// relabel changes labels of a pod; an empty value takes one away.
func (c *Cluster) relabel(ctx context.Context, namespace, name string, labels map[string]string) error {
	values := map[string]any{}
	for key, value := range labels {
		if values[key] = value; value == "" {
			values[key] = nil
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": values}})
	if err != nil {
		return fmt.Errorf("relabel pod %s/%s: %w", namespace, name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	_, err = c.client.dynamic.Resource(pods).Namespace(namespace).
		Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("relabel pod %s/%s: %w", namespace, name, err)
	}
	return nil
}
