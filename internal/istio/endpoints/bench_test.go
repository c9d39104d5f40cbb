package endpoints

import (
	"fmt"
	"maps"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// large is a fleet of five clusters, each with as many services and pods as are said.
func large(services, pods int) *facts.Fleet {
	fleet := istiotest.Networked("c0", "c1", "c2", "c3", "c4").Facts()
	for at := range fleet.Clusters {
		c := &fleet.Clusters[at]
		var sidecar facts.Pod
		for _, p := range resources.Pods.Of(c).Value {
			if p.Labels["app"] == "helloworld" {
				sidecar = p
			}
		}
		for i := range services {
			name := fmt.Sprintf("service-%d", i)
			resources.Services.Edit(c).Value = append(resources.Services.Of(c).Value, corev1.Service{Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.96.0.7", Selector: map[string]string{"app": name},
				Ports: []corev1.ServicePort{{Name: "http", Port: 80}},
			}})
			s := &resources.Services.Of(c).Value[len(resources.Services.Of(c).Value)-1]
			s.Namespace, s.Name = "sample", name
			port, portName := int32(8080), "http"
			slice := discoveryv1.EndpointSlice{
				AddressType: discoveryv1.AddressTypeIPv4,
				Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &port}},
			}
			slice.Namespace, slice.Name, slice.Labels = "sample", name+"-1", map[string]string{discoveryv1.LabelServiceName: name}
			template := *sidecar.PodTemplate
			template.Labels = maps.Clone(template.Labels)
			template.Labels["app"] = name
			for k := range pods / services {
				p := sidecar
				p.PodTemplate = &template
				p.Name, p.IPs = fmt.Sprintf("%s-%d", name, k), []string{fmt.Sprintf("10.%d.%d.%d", at, i%250, k)}
				resources.Pods.Edit(c).Value = append(resources.Pods.Of(c).Value, p)
				slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
					Addresses: p.IPs, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name},
				})
			}
			resources.EndpointSlices.Edit(c).Value = append(resources.EndpointSlices.Of(c).Value, slice)
		}
	}
	return fleet
}

// BenchmarkVerify judges a mesh of 5 clusters, 1,000 services in each, and 10,000 pods in each.
func BenchmarkVerify(b *testing.B) {
	fleet := large(1000, 10000)
	b.ReportAllocs()
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		result := rule.Run(model.New(fleet, model.Options{}), Rules(), rule.Options{})
		runtime.GC()
		runtime.ReadMemStats(&after)
		if len(result.Findings) > 0 {
			b.Fatalf("%+v", result)
		}
	}
	b.ReportMetric(float64(before.HeapAlloc)/(1<<20), "MB-facts")
	b.ReportMetric(float64(after.HeapAlloc)/(1<<20), "MB-after")
}
