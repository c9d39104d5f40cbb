package istiotest

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// ReleaseCase is a fleet whose istiods are of a release with a known bug, and meet its condition.
type ReleaseCase struct {
	Name string
	// Bug is the one, Image the release, and Fixed the one that the finding tells to go to.
	Bug          istio.Bug
	Image, Fixed string
	// Make makes the fleet with istiods of a release.
	Make func(image string) *facts.Fleet
	// Healthy makes a fleet that resembles it and does not meet the condition.
	Healthy func(image string) *facts.Fleet
	// Want is what is found.
	Want string
}

// released is a fleet whose istiods are of a release.
func released(make func() *Fleet, after func(RemoteWorld)) func(string) *facts.Fleet {
	return func(image string) *facts.Fleet {
		f := make()
		for _, c := range f.Clusters {
			if c.Image != "" {
				c.Image = image
			}
		}
		out := f.Facts()
		if after != nil {
			after(RemoteWorld{out, nil})
		}
		return out
	}
}

func ofSecret(do func(*facts.RemoteSecret)) func(RemoteWorld) {
	return func(w RemoteWorld) {
		for i := range w.Clusters {
			for k := range resources.RemoteSecrets.Of(&w.Clusters[i]).Value {
				do(&resources.RemoteSecrets.Of(&w.Clusters[i]).Value[k])
			}
		}
	}
}

// ReleaseFaults are fleets with a known bug of their release each.
var ReleaseFaults = func() []ReleaseCase {
	two := func() *Fleet { return Networked("east", "west") }
	expires := ofSecret(func(s *facts.RemoteSecret) {
		s.Access.Token = &facts.TokenClaims{Expires: Now.Add(time.Hour)}
	})
	changed := ofSecret(func(s *facts.RemoteSecret) { s.Modified = Now.Add(-time.Hour) })
	ambient := func(do func(east, west *Cluster)) func() *Fleet {
		return ambientNetworked(func(east, west *Cluster, _, _ *corev1.Service) { do(east, west) })
	}
	nothing := func(_, _ *Cluster) {}
	own := func(east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.Mesh["istio"]["trustDomain"] = "mesh.example.com"
		}
	}
	flat := func(f *Fleet) *Fleet {
		for _, c := range f.Clusters {
			c.Env[istio.EnvAmbient], c.Env[istio.EnvAmbientMultiNetwork] = "true", "true"
		}
		return f
	}
	waypoint := func() *api.KubernetesGateway {
		return &api.KubernetesGateway{ObjectMeta: inSample("waypoint"), Spec: api.KubernetesGatewaySpec{GatewayClassName: api.ClassWaypoint}}
	}
	hosts := func(all string, shared ...string) func() *Fleet {
		return func() *Fleet {
			f := two()
			for _, c := range f.Clusters {
				c.Mesh["istio"]["serviceSettings"] = append(settings(all), map[string]any{"settings": map[string]any{"clusterLocal": false}, "hosts": shared})
			}
			return f
		}
	}
	entry := func(network string, ambient bool) func() *Fleet {
		return func() *Fleet {
			f := two()
			for _, c := range f.Clusters {
				if ambient {
					c.Env[istio.EnvAmbient] = "true"
				}
			}
			f.Clusters[0].Network.More = append(f.Clusters[0].Network.More, &api.WorkloadEntry{
				ObjectMeta: inSample("vm"), Spec: api.WorkloadEntrySpec{Address: "192.0.2.7", Network: network},
			})
			return f
		}
	}
	through := func(value string) func() *Fleet {
		return ambientNetworked(func(_, _ *Cluster, east, west *corev1.Service) {
			for _, s := range []*corev1.Service{east, west} {
				s.Labels[istio.LabelWaypoint], s.Labels[istio.LabelIngressWaypoint] = "waypoint", value
			}
		})
	}
	return []ReleaseCase{
		{
			Name: "hosts that are excluded from clusterLocal", Bug: istio.BugSharedHosts, Image: "1.23.2", Fixed: "1.23.3", Want: "EP070 warning east,west",
			Make:    released(hosts("*.sample.svc.cluster.local", "helloworld.sample.svc.cluster.local"), nil),
			Healthy: released(hosts("*.sample.svc.cluster.local", "helloworld.other.svc.cluster.local"), nil),
		},
		{
			Name: "several remote clusters at once", Bug: istio.BugStoreDeadlock, Image: "1.30.0", Fixed: "1.30.4", Want: "EP070 note east,north,west",
			Make: released(func() *Fleet { return Networked("east", "north", "west") }, nil), Healthy: released(two, nil),
		},
		{
			Name: "credentials that end, and a controller that stops", Bug: istio.BugSecretsStop, Image: "1.29.1", Fixed: "1.29.5", Want: "EP070 warning east,west",
			Make: released(two, expires), Healthy: released(two, nil),
		},
		{
			Name: "credentials that end, and a controller that panics", Bug: istio.BugSecretsPanic, Image: "1.29.4", Fixed: "1.29.5", Want: "EP070 note east,west",
			Make: released(two, expires), Healthy: released(two, nil),
		},
		{
			Name: "credentials that end, and a leak", Bug: istio.BugSecretsLeak, Image: "1.27.1", Fixed: "1.27.2", Want: "EP070 note east,west",
			Make: released(two, expires), Healthy: released(two, nil),
		},
		{
			Name: "credentials that end, and are not taken over", Bug: istio.BugSecretsIgnored, Image: "1.30.2", Fixed: "1.30.4", Want: "EP070 warning east,west",
			Make: released(two, expires), Healthy: released(two, nil),
		},
		{
			Name: "credentials that end, and wipe endpoints", Bug: istio.BugEndpointsWiped, Image: "1.30.3", Fixed: "1.30.4", Want: "EP070 warning east,west",
			Make: released(two, expires), Healthy: released(two, nil),
		},
		{
			Name: "changed secrets of clusters with gateways", Bug: istio.BugGatewaysLost, Image: "1.30.3", Fixed: "1.30.4", Want: "NET040 warning east,west",
			Make: released(two, changed), Healthy: released(func() *Fleet { return OneNetwork("network1", "east", "west") }, changed),
		},
		{
			Name: "a WorkloadEntry on another network", Bug: istio.BugEntryPanic, Image: "1.29.0", Fixed: "1.29.1", Want: "NET040 error east",
			Make: released(entry("network9", true), nil), Healthy: released(entry("network9", false), nil),
		},
		{
			Name: "ambient networks with a trust domain of their own", Bug: istio.BugAmbientDomain, Image: "1.27.3", Fixed: "1.29.7", Want: "NET040 error east,west",
			Make: released(ambient(own), nil), Healthy: released(ambient(nothing), nil),
		},
		{
			Name: "ambient gateways with cached endpoints", Bug: istio.BugAmbientCache, Image: "1.28.0", Fixed: "1.29.7", Want: "NET040 warning east,west",
			Make: released(ambient(nothing), nil), Healthy: released(two, nil),
		},
		{
			Name: "ambient gateways that mix up services", Bug: istio.BugAmbientPool, Image: "1.29.1", Fixed: "1.29.7", Want: "NET040 note east,west",
			Make: released(ambient(nothing), nil), Healthy: released(two, nil),
		},
		{
			Name: "ambient clusters that are not read again", Bug: istio.BugAmbientStuck, Image: "1.28.2", Fixed: "1.29.7", Want: "NET040 note east,west",
			Make: released(ambient(nothing), nil), Healthy: released(two, nil),
		},
		{
			Name: "ambient clusters that are taken for new ones", Bug: istio.BugAmbientUnstable, Image: "1.28.3", Fixed: "1.29.7", Want: "NET040 note east,west",
			Make: released(ambient(nothing), nil), Healthy: released(two, nil),
		},
		{
			Name: "credentials that end, and a leak of ambient mode", Bug: istio.BugAmbientLeak, Image: "1.29.6", Fixed: "1.29.7", Want: "EP070 note east,west",
			Make: released(ambient(nothing), expires), Healthy: released(two, expires),
		},
		{
			Name: "an old state of ambient clusters", Bug: istio.BugAmbientStale, Image: "1.30.2", Fixed: "1.31.0", Want: "NET040 warning east,west",
			Make: released(ambient(nothing), changed), Healthy: released(ambient(nothing), nil),
		},
		{
			Name: "ingress that passes by a waypoint", Bug: istio.BugIngressWaypoint, Image: "1.29.4", Fixed: "1.29.7", Want: "NET040 warning east,west",
			Make: released(through("true"), nil), Healthy: released(through("false"), nil),
		},
		{
			Name: "a global service with a waypoint on a network of two clusters", Bug: istio.BugFlatWaypoint, Image: "1.29.1", Fixed: "1.30.4",
			Want: "NET040 warning east",
			Make: released(func() *Fleet {
				f := flat(OneNetwork("network1", "east", "west"))
				f.Clusters[0].Network.More = append(f.Clusters[0].Network.More, waypoint())
				for _, c := range f.Clusters {
					multiNetwork(c)
					c.Network.More = append(c.Network.More, &corev1.Service{ObjectMeta: meta("sample", "whoami", map[string]string{
						istio.LabelGlobal: "true", istio.LabelWaypoint: "waypoint",
					})})
				}
				return f
			}, nil),
			Healthy: released(func() *Fleet { return flat(OneNetwork("network1", "east", "west")) }, nil),
		},
		{
			Name: "a waypoint on a network of two clusters", Bug: istio.BugFlatWaypoint, Image: "1.29.1", Fixed: "1.30.4", Want: "NET040 note east",
			Make: released(func() *Fleet {
				f := flat(OneNetwork("network1", "east", "west"))
				f.Clusters[0].Network.More = append(f.Clusters[0].Network.More, waypoint())
				return f
			}, nil),
			Healthy: released(func() *Fleet { return flat(OneNetwork("network1", "east", "west")) }, nil),
		},
	}
}()
