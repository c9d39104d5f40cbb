package istiomesh_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// A thousand services of ten pods in each of three clusters are checked in seconds: a rule that goes
// through all pods for each service and each path takes a minute.
func TestLargeFleet(t *testing.T) {
	if raceDetector {
		t.Skip("it is about time")
	}
	const most = 20 * time.Second // it is two on an idle machine
	fleet := istiotest.Serving(istiotest.Installed("east", "north", "west")).Facts()
	for i := range fleet.Clusters {
		multiply(&fleet.Clusters[i], i)
	}
	start := time.Now()
	result := istiomesh.Judge(model.New(fleet, model.Options{}), rule.Options{}, mesh.Certs, mesh.Network, mesh.Endpoints, mesh.ControlPlane)
	if took := time.Since(start); took > most {
		t.Errorf("it took %s, more than %s", took, most)
	}
	if len(result.Findings) > 0 {
		t.Errorf("a healthy fleet has %d findings, the first %s", len(result.Findings), result.Findings[0].ID())
	}
}

// multiply gives a cluster a thousand services like helloworld, with ten pods each.
func multiply(c *facts.Cluster, at int) {
	const services, each = 1000, 10
	name := func(n int) string { return fmt.Sprintf("service-%04d", n) }
	address := func(n, k int) string { return fmt.Sprintf("10.%d.%d.%d", 50+at*20+n/250, n%250, k+1) }
	pods, list, endpoints := resources.Pods.Of(c), resources.Services.Of(c), resources.EndpointSlices.Of(c)
	pod := pods.Value[slices.IndexFunc(pods.Value, func(p facts.Pod) bool { return p.Labels["app"] == "helloworld" })]
	service := list.Value[0]
	for _, s := range list.Value {
		if s.Name == "helloworld" {
			service = s
		}
	}
	slice := endpoints.Value[0]
	for _, s := range endpoints.Value {
		if s.Labels[discoveryv1.LabelServiceName] == "helloworld" {
			slice = s
		}
	}
	for n := range services {
		s := service.DeepCopy()
		s.Name, s.Spec.Selector, s.Spec.ClusterIP = name(n), map[string]string{"app": name(n)}, fmt.Sprintf("10.97.%d.%d", n/250, n%250)
		list.Value = append(list.Value, *s)
		copied := slice.DeepCopy()
		copied.Name, copied.Labels[discoveryv1.LabelServiceName], copied.Endpoints = name(n)+"-x", name(n), nil
		for k := range each {
			p := pod
			p.Labels = maps.Clone(p.Labels)
			p.Name, p.Labels["app"], p.IPs = fmt.Sprintf("%s-%d", name(n), k), name(n), []string{address(n, k)}
			pods.Value = append(pods.Value, p)
			e := slice.Endpoints[0].DeepCopy()
			e.Addresses, e.TargetRef.Name = p.IPs, p.Name
			copied.Endpoints = append(copied.Endpoints, *e)
		}
		endpoints.Value = append(endpoints.Value, *copied)
	}
	resources.Pods.Set(c, pods)
	resources.Services.Set(c, list)
	resources.EndpointSlices.Set(c, endpoints)
}
