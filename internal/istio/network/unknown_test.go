package network

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

func codesOf(r finding.Result, cluster string) []finding.Code {
	var out []finding.Code
	for _, u := range r.Unknowns {
		if u.Cluster == cluster {
			out = append(out, u.Codes...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Whatever cannot be read, nothing is taken for absent, and nothing for fine.
func TestNothingReadIsNothingFound(t *testing.T) {
	for _, state := range []facts.State{facts.NotAsked, facts.Forbidden, facts.Failed} {
		f := istiotest.Networked("east", "west").Facts()
		f.Clusters[1] = *resources.MeshConfigs.With(resources.Istiods.With(resources.Namespaces.With(resources.RemoteSecrets.With(resources.Webhooks.With(resources.Services.With(resources.Pods.With(resources.Nodes.With(resources.Gateways.With(resources.KubernetesGateways.With(resources.NetworkPolicies.With(resources.Injectors.With(resources.WorkloadEntries.With(resources.ServiceEntries.With(&facts.Cluster{Context: "west", Server: f.Clusters[1].Server, SystemNamespace: istiotest.System}, facts.Read[[]api.ServiceEntry]{State: state}), facts.Read[[]api.WorkloadEntry]{State: state}), facts.Read[[]corev1.ConfigMap]{State: state}), facts.Read[[]networkingv1.NetworkPolicy]{State: state}), facts.Read[[]api.KubernetesGateway]{State: state}), facts.Read[[]api.Gateway]{State: state}), facts.Read[[]corev1.Node]{State: state}), facts.Read[[]facts.Pod]{State: state}), facts.Read[[]corev1.Service]{State: state}), facts.Read[[]admissionv1.MutatingWebhookConfiguration]{State: state}), facts.Read[[]facts.RemoteSecret]{State: state}), facts.Read[[]corev1.Namespace]{State: state}), facts.Read[[]appsv1.Deployment]{State: state}), facts.Read[[]corev1.ConfigMap]{State: state})
		r := Verify(f, Options{})
		if len(r.Findings) > 0 {
			t.Errorf("%q: %v", state, istiotest.Summarize(r))
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(codesOfRules(rules))), codesOf(r, "west")); diff != "" {
			t.Errorf("%q: not checked (-want +got):\n%s", state, diff)
		}
	}
}

// forbidden takes one thing each away that may be read of a cluster.
var forbidden = map[string]func(*facts.Cluster){
	"pods": func(c *facts.Cluster) { resources.Pods.Set(c, facts.Read[[]facts.Pod]{State: facts.Forbidden}) },
	"services": func(c *facts.Cluster) {
		resources.Services.Set(c, facts.Read[[]corev1.Service]{State: facts.Forbidden})
	},
	"namespaces": func(c *facts.Cluster) {
		resources.Namespaces.Set(c, facts.Read[[]corev1.Namespace]{State: facts.Forbidden})
	},
	"nodes": func(c *facts.Cluster) { resources.Nodes.Set(c, facts.Read[[]corev1.Node]{State: facts.Forbidden}) },
	"mesh configs": func(c *facts.Cluster) {
		resources.MeshConfigs.Set(c, facts.Read[[]corev1.ConfigMap]{State: facts.Forbidden})
	},
	"deployments": func(c *facts.Cluster) {
		resources.Istiods.Set(c, facts.Read[[]appsv1.Deployment]{State: facts.Forbidden})
	},
	"remote secrets": func(c *facts.Cluster) {
		resources.RemoteSecrets.Set(c, facts.Read[[]facts.RemoteSecret]{State: facts.Forbidden})
	},
	"gateways": func(c *facts.Cluster) { resources.Gateways.Set(c, facts.Read[[]api.Gateway]{State: facts.Forbidden}) },
	"kubernetes gateways": func(c *facts.Cluster) {
		resources.KubernetesGateways.Set(c, facts.Read[[]api.KubernetesGateway]{State: facts.Forbidden})
	},
	"network policies": func(c *facts.Cluster) {
		resources.NetworkPolicies.Set(c, facts.Read[[]networkingv1.NetworkPolicy]{State: facts.Forbidden})
	},
	"injectors": func(c *facts.Cluster) {
		resources.Injectors.Set(c, facts.Read[[]corev1.ConfigMap]{State: facts.Forbidden})
	},
	"workload entries": func(c *facts.Cluster) {
		resources.WorkloadEntries.Set(c, facts.Read[[]api.WorkloadEntry]{State: facts.Forbidden})
	},
	"service entries": func(c *facts.Cluster) {
		resources.ServiceEntries.Set(c, facts.Read[[]api.ServiceEntry]{State: facts.Forbidden})
	},
}

// Each read that is forbidden makes rules unknown, and none find anything.
func TestEachReadAlone(t *testing.T) {
	type made struct {
		name  string
		fleet *istiotest.Fleet
		facts *facts.Fleet
	}
	var healthy []made
	for _, c := range istiotest.NetworkHealthy {
		f := c.Fleet()
		healthy = append(healthy, made{c.Name, f, f.Facts()})
	}
	for name, forbid := range forbidden {
		t.Run(name, func(t *testing.T) {
			for _, c := range healthy {
				for at := range c.fleet.Clusters {
					f := *c.facts
					f.Clusters = slices.Clone(f.Clusters)
					forbid(&f.Clusters[at])
					r := Verify(&f, Options{})
					if len(r.Findings) > 0 {
						t.Errorf("%s: %v", c.name, r.Findings)
					}
					if name == "injectors" && (c.fleet.Clusters[at].Image == "" || c.fleet.Clusters[at].Name == "other") {
						continue // pods there are injected from elsewhere, or not of this mesh
					}
					if len(codesOf(r, f.Clusters[at].Context)) == 0 {
						t.Errorf("%s: everything was judged", c.name)
					}
				}
			}
		})
	}
}

func TestAnUnreachedClusterHidesNothingOfTheOthers(t *testing.T) {
	f := istiotest.Networked("east", "north", "west")
	f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress = nil
	got := f.Facts()
	got.Clusters[1] = facts.Cluster{Context: "north", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
	r := Verify(got, Options{})
	if diff := cmp.Diff([]string{"GW002 error west"}, istiotest.Summarize(r)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(codesOfRules(rules))), codesOf(r, "north")); diff != "" {
		t.Errorf("not checked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]finding.Code{"GW001"}, codesOf(r, "east")); diff != "" {
		t.Errorf("not checked (-want +got):\n%s", diff)
	}
}

// Where host names lead is seen by control planes, and here only if it was tried.
func TestHostnames(t *testing.T) {
	for name, c := range map[string]struct {
		hosts   map[string][]string
		want    []string
		unknown []finding.Code
	}{
		"not tried":  {nil, nil, []finding.Code{"GW003"}},
		"no answer":  {map[string][]string{"east-1234.elb.example.com": {"198.51.100.1"}}, nil, []finding.Code{"GW003"}},
		"no network": {map[string][]string{}, nil, []finding.Code{"GW003"}},
		"resolved":   {map[string][]string{"east-1234.elb.example.com": {"198.51.100.1"}, "west-1234.elb.example.com": {"198.51.100.2", "198.51.100.3"}}, nil, nil},
		"one does not resolve": {
			map[string][]string{"east-1234.elb.example.com": {"198.51.100.1"}, "west-1234.elb.example.com": nil},
			[]string{"GW003 warning west"}, nil,
		},
		"private": {
			map[string][]string{"east-1234.elb.example.com": {"198.51.100.1"}, "west-1234.elb.example.com": {"10.0.0.1", "100.64.0.1", "fd00::1"}},
			[]string{"GW003 note west"}, nil,
		},
		"private and loopback": {
			map[string][]string{"east-1234.elb.example.com": {"198.51.100.1"}, "west-1234.elb.example.com": {"10.0.0.1", "::1"}},
			[]string{"GW003 error west"}, nil,
		},
		"loopback": {
			map[string][]string{"east-1234.elb.example.com": {"198.51.100.1"}, "west-1234.elb.example.com": {"127.0.0.1"}},
			[]string{"GW003 error west"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := Verify(istiotest.HostnameGateways().Facts(), Options{Hosts: c.hosts})
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.unknown, codesOf(r, "west")); diff != "" {
				t.Errorf("not checked (-want +got):\n%s", diff)
			}
		})
	}
}

// Of many pods there is one finding with a line for each workload.
func TestManyPodsAreOneFinding(t *testing.T) {
	f := istiotest.Networked("east", "west")
	west := f.Get("west")
	for i := range 400 {
		p := west.Network.Pods[2].DeepCopy()
		p.Name, p.Status.PodIP, p.Status.PodIPs = fmt.Sprintf("curl-5d5c8b9f7-1%04d", i), fmt.Sprintf("10.1.%d.%d", 10+i/200, i%200), nil
		istiotest.SetEnv(p, "ISTIO_META_NETWORK", "")
		west.Network.Pods = append(west.Network.Pods, p)
	}
	r := Verify(f.Facts(), Options{})
	if len(r.Findings) != 1 || len(r.Findings[0].Evidence) != 2 || r.Findings[0].Evidence[0].Value != "no ISTIO_META_NETWORK, 400 pods" {
		t.Errorf("%+v", r.Findings)
	}
}

// A single cluster is judged as far as it goes: its gateway may be meant for others.
func TestOneClusterOfAMesh(t *testing.T) {
	f := istiotest.Networked("east", "west")
	f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress = nil
	got := f.Facts()
	got.Clusters = got.Clusters[1:]
	if diff := cmp.Diff([]string{"GW002 error west"}, istiotest.Summarize(Verify(got, Options{}))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
