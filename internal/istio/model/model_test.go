package model

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// made is a fleet of a test, and what was asked of it.
type made struct {
	name  string
	fleet *facts.Fleet
	seen  facts.Seen
}

// everyFleet are the fleets of all rules' tests. Those about remote secrets come twice:
// as the API objects alone tell of them, and with what was asked.
func everyFleet() []made {
	var out []made
	for _, list := range [][]istiotest.Case{istiotest.HealthyCases, istiotest.Faults, istiotest.NetworkHealthy, istiotest.NetworkFaults} {
		for _, c := range list {
			out = append(out, made{c.Name, c.Fleet().Facts(), facts.Seen{}})
		}
	}
	for _, c := range slices.Concat(istiotest.EndpointHealthy, istiotest.EndpointFaults) {
		out = append(out, made{c.Name, c.Fleet().Facts(), facts.Seen{}})
	}
	for _, c := range slices.Concat(istiotest.RemoteHealthy, istiotest.RemoteFaults) {
		fleet, seen := c.Make()
		out = append(out, made{c.Name, fleet, facts.Seen{}}, made{c.Name + ", asked", fleet, seen})
	}
	return out
}

// What the model says of remote secrets is what the views say that predict endpoints:
// those of the model by all that is known, and, where nothing was asked, also those that
// package istio makes of the fleet alone.
func TestAgreesWithTheViews(t *testing.T) {
	for _, f := range everyFleet() {
		m := New(f.fleet, Options{Seen: f.seen})
		views := istio.Views(f.fleet)
		for i, cp := range m.ControlPlanes {
			watched, ignored := cp.Clusters()
			if diff := cmp.Diff(summary(watched, ignored), cp.summary()); diff != "" {
				t.Errorf("%s: %s: the model and its view (-view +model):\n%s", f.name, cp.Context, diff)
			}
			if f.seen.Sides != nil {
				continue
			}
			watched, ignored = views[i].Clusters()
			if diff := cmp.Diff(summary(watched, ignored), cp.summary()); diff != "" {
				t.Errorf("%s: %s: the model and the view of the fleet (-view +model):\n%s", f.name, cp.Context, diff)
			}
			if len(views[i].Unread()) != len(cp.unread()) {
				t.Errorf("%s: %s: not read: %v, and by the view %v", f.name, cp.Context, cp.unread(), views[i].Unread())
			}
		}
	}
}

func summary(watched []istio.Watched, ignored []istio.Ignored) []string {
	var out []string
	for _, w := range watched {
		out = append(out, fmt.Sprintf("watches %s by %s: %s, %s", w.ID, w.Secret, w.Context, w.State))
	}
	for _, i := range ignored {
		out = append(out, fmt.Sprintf("ignores %s of %s", i.ID, i.Secret))
	}
	return out
}

func (cp *ControlPlane) summary() []string {
	var out []string
	for _, w := range cp.Watches {
		context, secret := "", ""
		if w.Cluster != nil {
			context = w.Cluster.Context
		}
		if w.Secret != nil {
			secret = w.Secret.SecretName()
			if w.Secret.Unreached != nil {
				context = w.Secret.Unreached.Context
			}
		}
		out = append(out, fmt.Sprintf("watches %s by %s: %s, %s", w.ID, secret, context, w.State))
	}
	for _, r := range cp.IgnoredSecrets() {
		out = append(out, fmt.Sprintf("ignores %s of %s", r.ClusterID, r.SecretName()))
	}
	return out
}

// unread is what the predictions need and that was not read, of all watched clusters.
func (cp *ControlPlane) unread() []Unread {
	var out []Unread
	for _, w := range cp.Watches {
		if w.Cluster == nil {
			out = append(out, Unread{})
			continue
		}
		unread := cp.UnreadOf(w.Cluster)
		if w.Secret != nil && w.Cluster == cp.Cluster { // as another cluster it needs no settings
			unread = slices.DeleteFunc(unread, func(u Unread) bool {
				return slices.Contains([]resource.Resource{resources.MeshConfigs, resources.RemoteSecrets, resources.PeerAuthentications, resources.DestinationRules}, u.Resource)
			})
		}
		out = append(out, unread...)
	}
	return out
}

// In healthy fleets every pair that should watch does, no cluster is in doubt, and the
// networks are known.
func TestHealthyFleets(t *testing.T) {
	for _, list := range [][]istiotest.Case{istiotest.HealthyCases, istiotest.NetworkHealthy} {
		for _, c := range list {
			check(t, c.Name, New(c.Fleet().Facts(), Options{}))
		}
	}
	for _, c := range istiotest.RemoteHealthy {
		fleet, seen := c.Make()
		m := New(fleet, Options{Seen: seen})
		check(t, c.Name, m)
		for _, a := range m.Clusters {
			for _, b := range m.Clusters {
				if w := m.Watch(a, b); w.Status == IsWatched && !w.Confirmed {
					t.Errorf("%s: %s watches %s, and nobody says so", c.Name, a.Context, b.Context)
				}
			}
		}
	}
	for seed := range uint64(40) {
		check(t, fmt.Sprint("random ", seed), New(istiotest.RandomHealthy(seed).Facts(), Options{}))
	}
}

func check(t *testing.T, name string, m *Mesh) {
	t.Helper()
	if m.NetworksUnknown().Any() {
		t.Errorf("%s: networks not known: %+v", name, m.NetworksUnknown())
	}
	for _, a := range m.Clusters {
		if a.Membership.State == Unclear || a.Membership.String() == "" {
			t.Errorf("%s: %s: %v", name, a.Context, a.Membership)
		}
		for _, b := range m.Clusters {
			w := m.Watch(a, b)
			if w.Status != IsWatched && w.Status != NotExpected {
				t.Errorf("%s: %s of %s: %s, %s", name, a.Context, b.Context, w.Status, w)
			}
			if m.Expects(a, b) && w.Status != IsWatched {
				t.Errorf("%s: %s should watch %s, and does not", name, a.Context, b.Context)
			}
		}
	}
}

// A cluster that was not reached is none of the model, and the others know of it.
func TestUnreached(t *testing.T) {
	f := istiotest.Networked("east", "north", "west").Facts()
	f.Clusters[1] = facts.Cluster{Context: "north", Server: f.Clusters[1].Server, Unreached: &facts.Unreached{Kind: facts.TimedOut}}
	m := New(f, Options{})
	if len(m.Clusters) != 2 || m.Cluster("north") != nil || !m.Partial || !slices.Equal(m.NetworksUnknown().Unreached, []string{"north"}) {
		t.Errorf("%+v", m)
	}
	for _, r := range m.Cluster("east").Remotes {
		if (r.Unreached != nil) != (r.ClusterID == "north") || r.Ignored != nil {
			t.Errorf("%+v", r)
		}
	}
	if w := m.ControlPlanes[0].Watches; len(w) != 3 || w[1].Cluster != nil || w[1].Secret.Unreached == nil || w[1].State != istio.Unknown {
		t.Errorf("%+v", w)
	}
	if got := m.Watch(m.Cluster("east"), m.Cluster("west")); got.Status != IsWatched {
		t.Errorf("%+v", got)
	}
}

// Whatever cannot be read of a cluster, the model can be made and asked.
func TestNothingRead(t *testing.T) {
	f := istiotest.Networked("east", "west").Facts()
	f.Clusters[1] = facts.Cluster{Context: "west", SystemNamespace: istiotest.System}
	m := New(f, Options{})
	west := m.Cluster("west")
	ask(m)
	if m.Expects(m.Cluster("east"), west) || west.Primary() || west.WithoutControlPlane() || west.ManagedBy() != nil {
		t.Errorf("%+v", west)
	}
	if m = New(&facts.Fleet{}, Options{}); len(m.Networks()) > 0 || m.Several() || m.GatewaysMatter() {
		t.Errorf("%+v", m)
	}
	if unread := west.Unread(resources.All...); len(unread) != len(resources.All) || unread[0].String() != resources.All[0].String()+": not read" {
		t.Errorf("%v", unread)
	}
}

// ask asks the model everything that is worked out late.
func ask(m *Mesh) {
	m.Networks()
	m.HostOf("240.0.0.1")
	for _, c := range m.Clusters {
		c.Network()
		c.ClientNetworks()
		c.Ztunnels()
		c.Slices("sample", "helloworld")
		c.MeshNetworksUnread()
		for i := range resources.Pods.Of(c.Cluster).Value {
			p := &resources.Pods.Of(c.Cluster).Value[i]
			c.IsGatewayPod(p)
			c.Pod(p.Namespace, p.Name)
			for _, cp := range c.WatchedBy {
				cp.PodNetwork(c, p)
			}
		}
		for i := range resources.Services.Of(c.Cluster).Value {
			c.HasAmbientPods(&resources.Services.Of(c.Cluster).Value[i])
		}
		for _, o := range m.Clusters {
			_ = m.Watch(c, o).String()
		}
	}
	for _, cp := range m.ControlPlanes {
		cp.SeesSeveral()
		cp.Gateways()
		cp.PredictedGateways()
	}
}

// Many may ask at once.
func TestConcurrent(*testing.T) {
	fleet, seen := istiotest.Seen(istiotest.Networked("east", "north", "west"))
	m := New(fleet, Options{Seen: seen})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { ask(m) })
	}
	wait.Wait()
}
