package bed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// gatewayAPI is the module of the Gateway API, in the version that istiod is
// compiled with.
const gatewayAPI = "sigs.k8s.io/gateway-api"

// gatewayAPIKinds are the kinds of its standard channel that istiod looks for.
var gatewayAPIKinds = []string{"gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants"}

// k8sGateways are Gateways of the Gateway API.
var k8sGateways = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}

// gatewayAPIDefinitions are the definitions of the Gateway API, from its module.
func gatewayAPIDefinitions(ctx context.Context) ([]runtime.Object, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return nil, err
	}
	cmd := goCommand(ctx, filepath.Join(source, "servers", "istiod"), "mod", "download", "-json", gatewayAPI)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("find the module %s: %w: %s", gatewayAPI, errors.Join(context.Cause(ctx), err), lastLines(complaints.String(), 3))
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return nil, fmt.Errorf("find the module %s: %w", gatewayAPI, err)
	}
	var objects []runtime.Object
	for _, kind := range gatewayAPIKinds {
		path := filepath.Join(module.Dir, "config", "crd", "standard", k8sGateways.Group+"_"+kind+".yaml")
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the definitions of the Gateway API: %w", err)
		}
		parsed, err := parseManifests(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		objects = append(objects, asObjects(parsed)...)
	}
	return objects, nil
}

// program gives the Gateways of a cluster what its load balancers would give the
// Services that istiod makes of them, and waits until istiod has told of it.
func (m *Mesh) program(ctx context.Context, c *Cluster, spec topology.Cluster) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not after %s", startTimeout))
	defer cancel()
	return inParallel(writesAtOnce, spec.ManagedServices(), func(service *corev1.Service) error {
		name := service.Namespace + "/" + service.Name
		err := poll(ctx, func(ctx context.Context) (bool, error) {
			live, err := c.client.dynamic.Resource(services).Namespace(service.Namespace).Get(ctx, service.Name, metav1.GetOptions{})
			if err != nil {
				return false, ignoreNotFound(err)
			}
			addresses, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&service.Status)
			if err != nil {
				return false, err
			}
			live.Object["status"] = addresses
			_, err = c.client.dynamic.Resource(services).Namespace(service.Namespace).UpdateStatus(ctx, live, metav1.UpdateOptions{})
			if apierrors.IsConflict(err) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			return m.Istiod(spec.Name).failure(fmt.Errorf("wait until istiod makes a Service of gateway %s: %w", name, err))
		}
		if len(service.Status.LoadBalancer.Ingress) == 0 {
			return nil
		}
		err = poll(ctx, func(ctx context.Context) (bool, error) {
			live, err := c.client.dynamic.Resource(k8sGateways).Namespace(service.Namespace).Get(ctx, service.Name, metav1.GetOptions{})
			return err == nil && conditionHolds(live, "Programmed"), err
		})
		if err != nil {
			return m.Istiod(spec.Name).failure(fmt.Errorf("wait until gateway %s is programmed: %w", name, err))
		}
		return nil
	})
}
