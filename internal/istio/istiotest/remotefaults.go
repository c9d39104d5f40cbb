package istiotest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Reader is whom remote secrets speak for.
const Reader = "system:serviceaccount:" + System + ":" + istio.ReaderIdentity

// RemoteCase is a fleet, what was asked of it beyond, and what has to be found.
type RemoteCase struct {
	Name string
	// Make makes it, anew for each test.
	Make func() (*facts.Fleet, facts.Seen)
	Want []string
}

// ReaderTokenSecret is the Secret that the tokens in remote secrets are from.
const ReaderTokenSecret = "istio-reader-service-account-istio-remote-secret-token"

// Seen makes what a healthy fleet says when it is asked, and gives it addresses that
// pods can reach, services with endpoints, and remote secrets with all that is known of good ones.
func Seen(f *Fleet) (*facts.Fleet, facts.Seen) {
	for _, c := range f.Clusters {
		c.Server = "https://" + c.Name + ".example:6443"
	}
	out := f.Facts()
	seen := facts.Seen{Sides: map[string]facts.Read[facts.RemoteSide]{}, Reviews: map[facts.SecretKey]facts.Review{}, Istiods: map[string]facts.Read[[]facts.IstiodView]{}}
	addresses := map[string]facts.Addresses{}
	for i := range out.Clusters {
		c := &out.Clusters[i]
		resources.StraySecrets.Set(c, facts.Read[[]facts.LooseSecret]{State: facts.OK})
		resources.SystemSecrets.Set(c, facts.Read[[]facts.LooseSecret]{State: facts.OK})
		ready := true
		resources.Services.Set(c, facts.Read[[]corev1.Service]{State: facts.OK, Value: append(resources.Services.Of(c).Value, corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "sample", Name: "cart"}})})
		resources.EndpointSlices.Set(c, facts.Read[[]discoveryv1.EndpointSlice]{State: facts.OK, Value: []discoveryv1.EndpointSlice{{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "sample", Name: "cart-1", Labels: map[string]string{discoveryv1.LabelServiceName: "cart"}},
			AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Port: ptr(int32(80))}},
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.9.0." + string(rune('1'+i))}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "sample", Name: "cart-0"}}},
		}}})
		addresses[c.Server] = facts.AddressesOf(resources.EndpointSlices.Of(c).Value)
		var rights []facts.Right
		for _, r := range istio.ReaderRights() {
			r.Allowed = true
			rights = append(rights, r)
		}
		seen.Sides[c.Context] = facts.Read[facts.RemoteSide]{State: facts.OK, Value: facts.RemoteSide{
			UID: facts.Read[string]{State: facts.OK, Value: "uid-" + c.Context},
			Accounts: map[string]facts.Account{Reader: {
				UID:          facts.Read[string]{State: facts.OK, Value: "account-" + c.Context},
				TokenSecrets: map[string]facts.Read[facts.TokenSecret]{ReaderTokenSecret: {State: facts.OK, Value: facts.TokenSecret{AccountUID: "account-" + c.Context}}},
				Rights:       facts.Read[[]facts.Right]{State: facts.OK, Value: rights},
			}},
		}}
	}
	for i := range out.Clusters {
		c := &out.Clusters[i]
		for k := range resources.RemoteSecrets.Of(c).Value {
			s := &resources.RemoteSecrets.Of(c).Value[k]
			to, _, _ := strings.Cut(strings.TrimPrefix(s.Server, "https://"), ".")
			s.Access.Created, s.Access.CA = s.Modified, []string{strings.Repeat("ab", 32)}
			s.Access.Token = &facts.TokenClaims{Subject: Reader, Issuer: "kubernetes/serviceaccount", AccountUID: "account-" + to, Secret: ReaderTokenSecret}
		}
		relook(out, &seen, c.Context, addresses)
	}
	return out, seen
}

// relook makes what control planes and API servers say of a cluster's remote secrets what it is
// when all works.
func relook(out *facts.Fleet, seen *facts.Seen, context string, addresses map[string]facts.Addresses) {
	for i := range out.Clusters {
		c := &out.Clusters[i]
		if c.Context != context || len(resources.Istiods.Of(c).Value) == 0 {
			continue
		}
		clusters := []facts.ClusterState{{ID: istio.ClusterID(c), Status: "synced"}}
		shards := map[string]facts.Addresses{istio.ClusterID(c): addresses[c.Server]}
		for _, s := range resources.RemoteSecrets.Of(c).Value {
			seen.Reviews[facts.SecretKey{Context: context, Namespace: s.Namespace, Name: s.Name, ClusterID: s.ClusterID}] = facts.Review{
				Token: facts.Read[string]{State: facts.OK, Value: Reader}, Chain: facts.Read[string]{State: facts.OK},
			}
			if s.ClusterID == istio.ClusterID(c) {
				continue
			}
			clusters = append(clusters, facts.ClusterState{ID: s.ClusterID, Secret: s.Namespace + "/" + s.Name, Status: "synced"})
			shards[s.ClusterID] = addresses[s.Server]
		}
		view := facts.IstiodView{Pod: "istiod-0", Clusters: facts.Read[[]facts.ClusterState]{State: facts.OK, Value: clusters}, Shards: facts.Read[map[string]facts.Addresses]{State: facts.OK, Value: shards}}
		if slices.ContainsFunc(istio.Istiods(c), func(i istio.Istiod) bool { return i.On(istio.EnvAmbientMultiNetwork) }) {
			view.Gateways = facts.Read[[]facts.NetworkAddress]{State: facts.OK, Value: eastWestOf(out, c)}
		}
		view.Networks = facts.Read[[]facts.NetworkGateway]{State: facts.OK, Value: gatewaysOf(out, context)}
		seen.Istiods[context] = facts.Read[[]facts.IstiodView]{State: facts.OK, Value: []facts.IstiodView{view}}
	}
}

// gatewaysOf are the gateways of networks that the control plane of a cluster has.
func gatewaysOf(fleet *facts.Fleet, context string) []facts.NetworkGateway {
	var out []facts.NetworkGateway
	for _, g := range istio.ViewOf(fleet, context).Gateways() {
		out = append(out, facts.NetworkGateway{Network: g.Network, Cluster: g.Cluster, Address: g.Address, Port: g.Port, HBONEPort: g.HBONEPort})
	}
	return out
}

// eastWestOf are the gateways to ambient networks of the clusters to which the remote
// secrets of a cluster lead.
func eastWestOf(fleet *facts.Fleet, c *facts.Cluster) []facts.NetworkAddress {
	var out []facts.NetworkAddress
	for i := range fleet.Clusters {
		to := &fleet.Clusters[i]
		if !slices.ContainsFunc(resources.RemoteSecrets.Of(c).Value, func(s facts.RemoteSecret) bool { return s.Server == to.Server }) {
			continue
		}
		for k := range resources.KubernetesGateways.Of(to).Value {
			out = append(out, istio.EastWestAddresses(&resources.KubernetesGateways.Of(to).Value[k])...)
		}
	}
	return out
}

// RemoteWorld is a fleet in the hands of a case.
type RemoteWorld struct {
	*facts.Fleet
	*facts.Seen
}

// Cluster is that of a context.
func (w RemoteWorld) Cluster(context string) *facts.Cluster {
	return &w.Clusters[slices.IndexFunc(w.Clusters, func(c facts.Cluster) bool { return c.Context == context })]
}

// Secret is the remote secret of a cluster for another one.
func (w RemoteWorld) Secret(in, id string) *facts.RemoteSecret {
	list := resources.RemoteSecrets.Of(w.Cluster(in)).Value
	return &list[slices.IndexFunc(list, func(s facts.RemoteSecret) bool { return s.ClusterID == id })]
}

// Key names it.
func (w RemoteWorld) Key(in, id string) facts.SecretKey {
	s := w.Secret(in, id)
	return facts.SecretKey{Context: in, Namespace: s.Namespace, Name: s.Name, ClusterID: id}
}

// Drop takes it away, and istiod knows.
func (w RemoteWorld) Drop(in, id string) facts.RemoteSecret {
	s := *w.Secret(in, id)
	c := w.Cluster(in)
	resources.RemoteSecrets.Edit(c).Value = slices.DeleteFunc(slices.Clone(resources.RemoteSecrets.Of(c).Value), func(s facts.RemoteSecret) bool { return s.ClusterID == id })
	w.Say(in, id, "")
	return s
}

// Say sets what all replicas of a control plane say of a cluster; "" that they do not know it.
func (w RemoteWorld) Say(in, id, state string) {
	views := w.Istiods[in].Value
	for i := range views {
		views[i].Clusters.Value = slices.Clone(views[i].Clusters.Value)
		for k := range views[i].Clusters.Value {
			if views[i].Clusters.Value[k].ID == id {
				views[i].Clusters.Value[k].Status = state
			}
		}
		views[i].Clusters.Value = slices.DeleteFunc(views[i].Clusters.Value, func(c facts.ClusterState) bool { return c.Status == "" })
	}
}

// Twice has everything said a second time as it was the first.
func (w RemoteWorld) Twice() {
	w.Again = &facts.Later{
		Istiods: w.Istiods, Slices: map[string]facts.Read[facts.Addresses]{}, Gateways: map[string]facts.Cluster{},
	}
	for _, c := range w.Clusters {
		w.Again.Gateways[c.Context] = c
	}
}

// Gateways changes which gateways of networks a control plane says that it has.
func (w RemoteWorld) Gateways(in string, change func([]facts.NetworkGateway) []facts.NetworkGateway) {
	v := &w.Istiods[in].Value[0]
	v.Networks.Value = change(slices.Clone(v.Networks.Value))
}

// without are gateways but for those of a cluster.
func without(cluster string) func([]facts.NetworkGateway) []facts.NetworkGateway {
	return func(all []facts.NetworkGateway) []facts.NetworkGateway {
		return slices.DeleteFunc(all, func(g facts.NetworkGateway) bool { return g.Cluster == cluster })
	}
}

// networkedRemote is Remote for a healthy fleet of two networks.
func networkedRemote(before func(east, west *Cluster), after func(RemoteWorld)) func() (*facts.Fleet, facts.Seen) {
	return func() (*facts.Fleet, facts.Seen) {
		f := Networked("east", "west")
		if before != nil {
			before(f.Get("east"), f.Get("west"))
		}
		out, seen := Seen(f)
		if after != nil {
			after(RemoteWorld{out, &seen})
		}
		return out, seen
	}
}

// moves gives the gateway of west another address, or none.
func moves(w RemoteWorld, address string) facts.Cluster {
	c := *w.Cluster("west")
	services := slices.Clone(resources.Services.Of(&c).Value)
	for i := range services {
		if services[i].Labels[istio.LabelNetwork] != "" {
			s := services[i].DeepCopy()
			if s.Status.LoadBalancer.Ingress = nil; address != "" {
				s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
			}
			services[i] = *s
		}
	}
	resources.Services.Edit(&c).Value = services
	return c
}

// Account changes what a cluster says of the reader.
func (w RemoteWorld) Account(context string, do func(*facts.Account)) {
	a := w.Sides[context].Value.Accounts[Reader]
	a.Rights.Value, a.TokenSecrets = slices.Clone(a.Rights.Value), maps.Clone(a.TokenSecrets)
	do(&a)
	w.Sides[context].Value.Accounts[Reader] = a
}

// Deny takes rights away from the reader.
func (w RemoteWorld) Deny(context string, resources ...string) {
	w.Account(context, func(a *facts.Account) {
		for i := range a.Rights.Value {
			if slices.Contains(resources, a.Rights.Value[i].Resource) {
				a.Rights.Value[i].Allowed = false
			}
		}
	})
}

// Refuse has the API server refuse the token of a remote secret.
func (w RemoteWorld) Refuse(in, id string) {
	r := w.Reviews[w.Key(in, id)]
	r.Token.Value, r.Refused = "", "[invalid bearer token, service account token has been invalidated]"
	w.Reviews[w.Key(in, id)] = r
}

// Remote is a healthy fleet of which something is changed before it is read, or after.
func Remote(before func(*Fleet), after func(RemoteWorld), names ...string) func() (*facts.Fleet, facts.Seen) {
	return func() (*facts.Fleet, facts.Seen) {
		if len(names) == 0 {
			names = []string{"east", "west"}
		}
		f := Healthy(names...)
		if before != nil {
			before(f)
		}
		out, seen := Seen(f)
		if after != nil {
			after(RemoteWorld{out, &seen})
		}
		return out, seen
	}
}

func after(do func(RemoteWorld)) func() (*facts.Fleet, facts.Seen) { return Remote(nil, do) }

func loose(namespace, name, label string, labelled bool, id string) facts.LooseSecret {
	return facts.LooseSecret{Namespace: namespace, Name: name, Label: label, Labelled: labelled, Cluster: id}
}

// RemoteHealthy are fleets in whose remote secrets nothing is to be found.
var RemoteHealthy = []RemoteCase{
	{Name: "two primaries", Make: Remote(nil, nil)},
	{Name: "three primaries", Make: Remote(nil, nil, "east", "north", "west")},
	{Name: "one cluster", Make: Remote(nil, nil, "east")},
	{Name: "a primary and a remote cluster", Make: Remote(func(f *Fleet) { f.Clusters[1].NoControlPlane(f.Clusters[0]) }, nil)},
	{Name: "two clusters that are no mesh", Make: Remote(func(f *Fleet) {
		for _, c := range f.Clusters {
			c.SelfSign()
			c.Remotes = nil
		}
	}, nil)},
	{Name: "all remote secrets in all clusters, those for themselves too", Make: Remote(func(f *Fleet) {
		for _, c := range f.Clusters {
			c.Remotes = f.Clusters
		}
	}, nil)},
	{Name: "all remote secrets in all clusters, and contexts that lead through tunnels", Make: Remote(func(f *Fleet) {
		for _, c := range f.Clusters {
			c.Remotes = f.Clusters
		}
	}, func(w RemoteWorld) {
		for i, c := range w.Clusters {
			w.Clusters[i].Server = fmt.Sprintf("https://127.0.0.1:%d", 16443+i)
			s := w.Secret(c.Context, c.Context)
			s.Access.Token.AccountUID = ""
		}
	}, "east", "north", "west")},
	{Name: "a hub and edges that need not know one another", Make: Remote(func(f *Fleet) {
		for _, c := range f.Clusters[1:] {
			c.Remotes = f.Clusters[:1]
		}
	}, nil, "central", "edge1", "edge2", "edge3"), Want: []string{"SEC001 note edge1,edge2,edge3"}},
	{Name: "a hub that calls its edges", Make: Remote(func(f *Fleet) {
		for _, c := range f.Clusters[1:] {
			c.Remotes = nil
		}
	}, nil, "central", "edge1", "edge2"), Want: []string{"SEC001 note edge1,edge2", "SEC023 note edge1,edge2"}},
	{Name: "a proxy that takes a token of its own", Make: after(func(w RemoteWorld) {
		w.Cluster("west").Server, w.Secret("east", "west").Server = "https://rancher.example/k8s/clusters/c-1", "https://rancher.example/k8s/clusters/c-1"
		w.Secret("east", "west").Access.Token = nil
	})},
	{Name: "a server of many names behind one address", Make: after(func(w RemoteWorld) {
		for _, other := range [][2]string{{"east", "west"}, {"west", "east"}} {
			w.Cluster(other[1]).Server, w.Secret(other[0], other[1]).Server = "https://proxy.example", "https://proxy.example"
			w.Secret(other[0], other[1]).Access.ServerName = other[1] + ".example"
		}
	})},
	{Name: "namespaces that istiod does not look at", Make: Remote(func(f *Fleet) {
		f.Get("east").Mesh["istio"]["discoverySelectors"] = []any{map[string]any{"matchLabels": map[string]string{"mesh": "yes"}}}
	}, func(w RemoteWorld) {
		w.Istiods["east"].Value[0].Shards.Value["west"] = nil
		w.Twice()
	})},
	{Name: "a token that ends in a year", Make: after(func(w RemoteWorld) {
		w.Secret("east", "west").Access.Token.Expires = Now.Add(365 * day)
	})},
	{Name: "a short token in the middle of its life", Make: after(func(w RemoteWorld) {
		t := w.Secret("east", "west").Access.Token
		t.IssuedAt, t.Expires = Now.Add(-12*time.Hour), Now.Add(12*time.Hour)
	})},
	{Name: "a loopback address that istiod reaches", Make: after(func(w RemoteWorld) {
		w.Cluster("west").Server, w.Secret("east", "west").Server = "https://127.0.0.1:6443", "https://127.0.0.1:6443"
	})},
	{Name: "a program that istiod is told to run", Make: Remote(func(f *Fleet) { f.Get("east").Env[istio.EnvInsecureKubeconfigs] = "exec" }, func(w RemoteWorld) {
		w.Secret("east", "west").Insecure = []string{"exec"}
	})},
	{Name: "a remote secret of another control plane in another namespace", Make: after(func(w RemoteWorld) {
		c := w.Cluster("east")
		resources.Istiods.Edit(c).Value = append(resources.Istiods.Of(c).Value, appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-canary", Name: "istiod"}})
		resources.StraySecrets.Edit(c).Value = []facts.LooseSecret{loose("istio-canary", "istio-remote-secret-west", "true", true, "west")}
	})},
	{Name: "two ambient networks", Make: ambientRemote(nil, nil)},
	{Name: "ambient gateways that discovery selectors hide", Make: ambientRemote(func(east, _ *Cluster) {
		east.Mesh["istio"]["discoverySelectors"] = []any{map[string]any{"matchLabels": map[string]any{"istio-discovery": "enabled"}}}
	}, func(w RemoteWorld) { w.Istiods["east"].Value[0].Gateways.Value = nil })},
	{Name: "an ambient gateway of which istiod hears a moment later", Make: ambientRemote(nil, func(w RemoteWorld) {
		now := w.Istiods
		w.Twice()
		w.Istiods = maps.Clone(now)
		v := now["east"].Value[0]
		v.Gateways.Value = nil
		w.Istiods["east"] = facts.Read[[]facts.IstiodView]{State: facts.OK, Value: []facts.IstiodView{v}}
	})},
	{Name: "an ambient gateway that moves while istiod is asked", Make: ambientRemote(nil, func(w RemoteWorld) {
		moved := resources.KubernetesGateways.Of(w.Cluster("west")).Value[0].DeepCopyObject().(*api.KubernetesGateway)
		moved.Status.Addresses[0].Value = "203.0.113.77"
		w.Istiods["east"].Value[0].Gateways.Value = istio.EastWestAddresses(moved)
		w.Twice()
		w.Again.Gateways = map[string]facts.Cluster{"west": *resources.KubernetesGateways.With(&facts.Cluster{}, facts.Read[[]api.KubernetesGateway]{
			State: facts.OK, Value: []api.KubernetesGateway{*moved},
		})}
	})},
	{Name: "two networks", Make: networkedRemote(nil, nil)},
	{Name: "two networks, and gateways with host names", Make: networkedRemote(func(_, west *Cluster) {
		west.Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "west.elb.example.com"}}
	}, func(w RemoteWorld) {
		w.Gateways("east", func(all []facts.NetworkGateway) []facts.NetworkGateway {
			return append(all, facts.NetworkGateway{Network: "network2", Cluster: "west", Address: "198.51.100.7", Port: 15443})
		})
		w.Twice()
	})},
	{Name: "a gateway that discovery selectors hide", Make: networkedRemote(func(east, _ *Cluster) {
		east.Mesh["istio"]["discoverySelectors"] = []any{map[string]any{"matchLabels": map[string]any{"istio-discovery": "enabled"}}}
	}, func(w RemoteWorld) { w.Twice() })},
	{Name: "a gateway of which istiod hears a moment later", Make: networkedRemote(nil, func(w RemoteWorld) {
		now := w.Istiods
		w.Twice()
		v := now["east"].Value[0]
		v.Networks.Value = without("west")(slices.Clone(v.Networks.Value))
		w.Istiods = maps.Clone(now)
		w.Istiods["east"] = facts.Read[[]facts.IstiodView]{State: facts.OK, Value: []facts.IstiodView{v}}
	})},
	{Name: "a gateway that gets another address while istiod is asked", Make: networkedRemote(nil, func(w RemoteWorld) {
		for _, in := range []string{"east", "west"} {
			w.Gateways(in, func(all []facts.NetworkGateway) []facts.NetworkGateway {
				for i := range all {
					if all[i].Cluster == "west" {
						all[i].Address = "203.0.113.77"
					}
				}
				return all
			})
		}
		w.Twice()
		w.Again.Gateways["west"] = moves(w, "203.0.113.77")
	})},
	{Name: "one network, and an istiod that has no gateways", Make: Remote(nil, func(w RemoteWorld) { w.Istiods["east"].Value[0].Networks.Value = nil })},
	{Name: "gateways of a cluster that istiod does not watch any more", Make: networkedRemote(nil, func(w RemoteWorld) {
		w.Gateways("east", func(all []facts.NetworkGateway) []facts.NetworkGateway {
			return append(all, facts.NetworkGateway{Network: "network9", Cluster: "gone", Address: "203.0.113.99", Port: 15443})
		})
		w.Twice()
	})},
	{Name: "endpoints that istiod follows a moment later", Make: after(func(w RemoteWorld) {
		now := w.Istiods
		w.Twice()
		w.Istiods = map[string]facts.Read[[]facts.IstiodView]{}
		for name, r := range now {
			v := r.Value[0]
			v.Shards = facts.Read[map[string]facts.Addresses]{State: facts.OK, Value: map[string]facts.Addresses{}}
			w.Istiods[name] = facts.Read[[]facts.IstiodView]{State: facts.OK, Value: []facts.IstiodView{v}}
		}
	})},
	{Name: "a pod that comes while istiod is asked", Make: after(func(w RemoteWorld) {
		w.Twice()
		w.Again.Slices["west"] = facts.Read[facts.Addresses]{State: facts.OK, Value: facts.Addresses{"sample/cart": {"10.9.0.2": true, "10.9.0.77": true}}}
	})},
	{Name: "an old istiod without a right that it does not use", Make: Remote(func(f *Fleet) { f.Get("east").Image = "1.28.4" }, func(w RemoteWorld) { w.Deny("west", "configmaps", "tokenreviews", "serviceexports") })},
	{Name: "a secret made after istiod started, of a version that takes no changes over", Make: Remote(func(f *Fleet) { f.Get("east").Image = "1.29.1" }, func(w RemoteWorld) {
		s := w.Secret("east", "west")
		s.Modified, s.Access.Created = Now.Add(-time.Hour), Now.Add(-time.Hour)
	})},
}

// ambientRemote is Remote for a healthy ambient fleet of two networks.
func ambientRemote(before func(east, west *Cluster), after func(RemoteWorld)) func() (*facts.Fleet, facts.Seen) {
	return func() (*facts.Fleet, facts.Seen) {
		out, seen := Seen(ambientNetworked(func(east, west *Cluster, _, _ *corev1.Service) {
			if before != nil {
				before(east, west)
			}
		})())
		if after != nil {
			after(RemoteWorld{out, &seen})
		}
		return out, seen
	}
}

// RemoteFaults are fleets with a single fault each.
var RemoteFaults = []RemoteCase{
	{"the address of a proxy with a path", after(func(w RemoteWorld) {
		const proxy = "https://rancher.example/k8s/clusters/c-1"
		w.Cluster("west").Server, w.Secret("east", "west").Server = proxy, proxy
		w.Say("east", "west", "timeout")
		r := w.Reviews[w.Key("east", "west")]
		r.Chain.Value = "x509: certificate signed by unknown authority"
		w.Reviews[w.Key("east", "west")] = r
	}), []string{"SEC011 error east,west < SEC027", "SEC015 error east,west < SEC027", "SEC027 error east,west"}},
	{"the address of a proxy that all clusters share", after(func(w RemoteWorld) {
		for _, other := range [][2]string{{"east", "west"}, {"west", "east"}} {
			w.Cluster(other[1]).Server, w.Secret(other[0], other[1]).Server = "https://teleport.example:443", "https://teleport.example:443"
			w.Say(other[0], other[1], "timeout")
		}
	}), []string{"SEC015 error east,west < SEC027", "SEC015 error west,east < SEC027", "SEC027 error east,west", "SEC027 error west,east"}},
	{"an istiod that does not tell ambient workloads of a cluster that it reads", ambientRemote(nil, func(w RemoteWorld) {
		w.Istiods["east"].Value[0].Gateways.Value = nil
		w.Twice()
	}), []string{"AMB014 error east,west"}},
	{"an istiod that does not know the gateway of the other network", networkedRemote(nil, func(w RemoteWorld) {
		w.Gateways("east", without("west"))
		w.Twice()
	}), []string{"GW044 error east,west"}},
	{"an istiod that does not know one of two addresses of a gateway", networkedRemote(func(_, west *Cluster) {
		lb := &west.Network.Gateway.Status.LoadBalancer
		lb.Ingress = append(lb.Ingress, corev1.LoadBalancerIngress{IP: "203.0.113.88"})
	}, func(w RemoteWorld) {
		w.Gateways("east", func(all []facts.NetworkGateway) []facts.NetworkGateway {
			return slices.DeleteFunc(all, func(g facts.NetworkGateway) bool { return g.Address == "203.0.113.88" })
		})
		w.Twice()
	}), []string{"GW044 note east,west"}},
	{"an istiod that still has an address that the gateway had", networkedRemote(nil, func(w RemoteWorld) {
		w.Gateways("east", func(all []facts.NetworkGateway) []facts.NetworkGateway {
			return append(all, facts.NetworkGateway{Network: "network2", Cluster: "west", Address: "203.0.113.99", Port: 15443})
		})
		w.Twice()
	}), []string{"GW044 warning east,west"}},
	{"an istiod that keeps the address of a gateway that has none any more", networkedRemote(nil, func(w RemoteWorld) {
		*w.Cluster("west") = moves(w, "")
		w.Twice()
	}), []string{"GW044 warning east,west"}},
	{"no remote secrets between two primaries with one root", Remote(func(f *Fleet) { f.Clusters[0].Remotes, f.Clusters[1].Remotes = nil, nil }, nil),
		[]string{"SEC001 error east,west", "SEC001 error west,east"}},
	{"one of six remote secrets is missing", Remote(nil, func(w RemoteWorld) { w.Drop("east", "west") }, "east", "north", "west"), []string{"SEC001 error east,west"}},
	{"a primary without a secret for its remote cluster", Remote(func(f *Fleet) {
		f.Clusters[1].NoControlPlane(f.Clusters[0])
		f.Clusters[0].Remotes = nil
	}, nil), []string{"SEC001 error east,west"}},
	{"one of two reads the other", after(func(w RemoteWorld) { w.Drop("west", "east") }), []string{"SEC023 error west,east"}},
	{"a secret in namespace default", after(func(w RemoteWorld) {
		w.Drop("east", "west")
		resources.StraySecrets.Edit(w.Cluster("east")).Value = []facts.LooseSecret{loose("default", "istio-remote-secret-west", "true", true, "west")}
	}), []string{"SEC002 error east", "SEC023 error east,west < SEC002"}},
	{"a copy in namespace default", after(func(w RemoteWorld) {
		resources.StraySecrets.Edit(w.Cluster("east")).Value = []facts.LooseSecret{loose("default", "istio-remote-secret-west", "true", true, "west")}
	}), []string{"SEC002 warning east"}},
	{"a label that is not true to the letter", after(func(w RemoteWorld) {
		w.Drop("east", "west")
		s := loose(System, "istio-remote-secret-west", "True", true, "west")
		resources.StraySecrets.Edit(w.Cluster("east")).Value = []facts.LooseSecret{s}
		resources.SystemSecrets.Edit(w.Cluster("east")).Value = []facts.LooseSecret{s}
	}), []string{"SEC003 error east", "SEC023 error east,west < SEC003"}},
	{"a secret without label", after(func(w RemoteWorld) {
		w.Drop("east", "west")
		resources.SystemSecrets.Edit(w.Cluster("east")).Value = []facts.LooseSecret{loose(System, "istio-remote-secret-west", "", false, "west")}
	}), []string{"SEC003 error east", "SEC023 error east,west < SEC003"}},
	{"a key that is not the cluster's ID", after(func(w RemoteWorld) { rename(w, "east", "west", "far") }), []string{"SEC004 warning east,west"}},
	{"a cluster with the ID of the one that watches it", Remote(func(f *Fleet) { f.Clusters[1].Env[istio.EnvClusterID] = "east" }, nil),
		[]string{"SEC006 error west,east"}},
	{"a key that is not the remote cluster's ID", Remote(func(f *Fleet) { f.Clusters[1].NoControlPlane(f.Clusters[0]) }, func(w RemoteWorld) { rename(w, "east", "west", "far") }),
		[]string{"SEC004 error east,west"}},
	{"a secret called west that leads to north", Remote(nil, func(w RemoteWorld) {
		w.Drop("east", "north")
		s := w.Secret("east", "west")
		s.Server, s.Access.Token.AccountUID = "https://north.example:6443", "account-north"
		w.Istiods["east"].Value[0].Shards.Value["west"] = facts.AddressesOf(resources.EndpointSlices.Of(w.Cluster("north")).Value)
	}, "east", "north", "west"), []string{"SEC001 error east,west < SEC004", "SEC004 error east,north,west"}},
	{"a secret whose address is not known, and whose token is of north", Remote(nil, func(w RemoteWorld) {
		w.Drop("east", "north")
		s := w.Secret("east", "west")
		s.Server, s.Access.Token.AccountUID = "https://10.0.0.1:6443", "account-north"
		w.Istiods["east"].Value[0].Shards.Value["west"] = facts.AddressesOf(resources.EndpointSlices.Of(w.Cluster("north")).Value)
	}, "east", "north", "west"), []string{"SEC001 error east,west < SEC004", "SEC004 error east,north,west"}},
	{"two secrets for one ID", after(func(w RemoteWorld) {
		s := *w.Secret("east", "west")
		s.Name = "other"
		c := w.Cluster("east")
		resources.RemoteSecrets.Edit(c).Value = append(resources.RemoteSecrets.Of(c).Value, s)
	}), []string{"SEC005 warning east,west"}},
	{"two clusters with one ID", Remote(func(f *Fleet) {
		for _, c := range f.Clusters {
			c.Env[istio.EnvClusterID] = istio.DefaultClusterID
		}
	}, func(w RemoteWorld) {
		rename(w, "east", "west", istio.DefaultClusterID)
		rename(w, "west", "east", istio.DefaultClusterID)
	}), []string{"SEC006 error east,west", "SEC006 error west,east"}},
	{"one cluster by two names", after(func(w RemoteWorld) {
		s := *w.Secret("east", "west")
		s.Name, s.ClusterID = "other", "other"
		c := w.Cluster("east")
		resources.RemoteSecrets.Edit(c).Value = append(resources.RemoteSecrets.Of(c).Value, s)
		say(w, "east", "other", s)
	}), []string{"SEC004 warning east,west", "SEC007 error east,west"}},
	{"a kubeconfig that is none", after(func(w RemoteWorld) {
		s := w.Secret("east", "west")
		s.Invalid, s.Problem = "the kubeconfig is empty", "the kubeconfig is empty"
		w.Say("east", "west", "")
	}), []string{"SEC008 error east,west"}},
	{"a kubeconfig that runs a program", after(func(w RemoteWorld) {
		s := w.Secret("east", "west")
		s.Insecure, s.Access.Kind, s.Access.Token, s.Identity = []string{"exec"}, "exec", nil, ""
		w.Say("east", "west", "")
	}), []string{"SEC009 error east,west"}},
	{"a loopback address", after(func(w RemoteWorld) {
		w.Cluster("west").Server, w.Secret("east", "west").Server = "https://127.0.0.1:6443", "https://127.0.0.1:6443"
		w.Say("east", "west", "timeout")
	}), []string{"SEC010 error east,west", "SEC015 error east,west < SEC010"}},
	{"a check of certificates that is turned off", after(func(w RemoteWorld) { w.Secret("east", "west").Access.Insecure = true }), []string{"SEC011 warning east,west"}},
	{"another CA", after(func(w RemoteWorld) {
		r := w.Reviews[w.Key("east", "west")]
		r.Chain.Value = "x509: certificate signed by unknown authority"
		w.Reviews[w.Key("east", "west")] = r
		w.Say("east", "west", "timeout")
	}), []string{"SEC011 error east,west", "SEC015 error east,west < SEC011"}},
	{"a revoked token while istiod says synced", after(func(w RemoteWorld) {
		w.Refuse("east", "west")
		w.Account("west", func(a *facts.Account) {
			a.TokenSecrets[ReaderTokenSecret] = facts.Read[facts.TokenSecret]{State: facts.Absent}
		})
	}), []string{"SEC012 error east,west < SEC013", "SEC013 error east,west"}},
	{"a token that nobody knows why it is refused", after(func(w RemoteWorld) { w.Refuse("east", "west") }), []string{"SEC012 error east,west"}},
	{"an expired token", after(func(w RemoteWorld) {
		w.Secret("east", "west").Access.Token.Expires = Now.Add(-time.Hour)
		w.Refuse("east", "west")
	}), []string{"SEC012 error east,west"}},
	{"a token that is about to expire", after(func(w RemoteWorld) { w.Secret("east", "west").Access.Token.Expires = Now.Add(2 * day) }), []string{"SEC013 warning east,west"}},
	{"a client certificate that is about to expire", after(func(w RemoteWorld) {
		s := w.Secret("east", "west")
		s.Access.Kind, s.Access.CertificateEnds = "client certificate", Now.Add(2*day)
	}), []string{"SEC013 warning east,west"}},
	{"a service account that was made anew", after(func(w RemoteWorld) {
		w.Refuse("east", "west")
		w.Account("west", func(a *facts.Account) { a.UID.Value = "another" })
	}), []string{"SEC012 error east,west < SEC013", "SEC013 error east,west"}},
	{"a service account that is gone", after(func(w RemoteWorld) {
		w.Refuse("east", "west")
		w.Account("west", func(a *facts.Account) { a.UID = facts.Read[string]{State: facts.Absent} })
		w.Deny("west", "pods")
	}), []string{"SEC012 error east,west < SEC013", "SEC013 error east,west"}},
	{"a token that will be cleaned up", after(func(w RemoteWorld) {
		w.Account("west", func(a *facts.Account) {
			a.TokenSecrets[ReaderTokenSecret] = facts.Read[facts.TokenSecret]{State: facts.OK, Value: facts.TokenSecret{InvalidSince: "2026-01-01"}}
		})
	}), []string{"SEC013 warning east,west"}},
	{"a reader that may not list pods", after(func(w RemoteWorld) {
		w.Deny("west", "pods")
		w.Say("east", "west", "timeout")
	}), []string{"SEC014 error east,west", "SEC015 error east,west < SEC014"}},
	{"a reader of a remote cluster that may not review tokens", Remote(func(f *Fleet) { f.Clusters[1].NoControlPlane(f.Clusters[0]) }, func(w RemoteWorld) { w.Deny("west", "tokenreviews") }),
		[]string{"SEC014 error east,west"}},
	{"a reader that may not list the gateways of an ambient network", ambientRemote(nil, func(w RemoteWorld) {
		w.Deny("west", "gateways")
		w.Say("east", "west", "timeout")
		w.Istiods["east"].Value[0].Gateways.Value = nil
	}), []string{"SEC014 error east,west", "SEC015 error east,west < SEC014"}},
	{"a reader that only roles tell of", after(func(w RemoteWorld) {
		w.Deny("west", "nodes")
		w.Account("west", func(a *facts.Account) { a.ByRoles = true })
	}), []string{"SEC014 warning east,west"}},
	{"a timeout that nothing explains", after(func(w RemoteWorld) { w.Say("east", "west", "timeout") }), []string{"SEC015 error east,west"}},
	{"a cluster that is never read to its end", after(func(w RemoteWorld) { w.Say("east", "west", "syncing") }), []string{"SEC016 error east,west"}},
	{"a changed secret that istiod 1.29.1 stopped at", Remote(func(f *Fleet) { f.Get("east").Image = "1.29.1" }, func(w RemoteWorld) {
		w.Secret("east", "west").Modified = Now.Add(-time.Hour)
		w.Say("east", "west", "closed")
	}), []string{"SEC017 error east,west < SEC018", "SEC018 error east,west"}},
	{"a changed secret that istiod 1.30.1 does not take over", Remote(func(f *Fleet) { f.Get("east").Image = "1.30.1" }, func(w RemoteWorld) {
		w.Secret("east", "west").Modified = Now.Add(-time.Hour)
	}), []string{"SEC018 warning east,west"}},
	{"istiod has stopped reading", after(func(w RemoteWorld) { w.Say("east", "west", "closed") }), []string{"SEC017 error east,west"}},
	{"pods that istiod does not know, and one that is gone", after(func(w RemoteWorld) {
		w.Istiods["east"].Value[0].Shards.Value["west"] = facts.Addresses{"sample/cart": {"10.9.0.99": true}}
		w.Twice()
	}), []string{"SEC019 error east,west"}},
	{"endpoints that stand still as the token was revoked", after(func(w RemoteWorld) {
		w.Refuse("east", "west")
		w.Istiods["east"].Value[0].Shards.Value["west"] = facts.Addresses{"sample/cart": {"10.9.0.99": true}}
		w.Twice()
	}), []string{"SEC012 error east,west", "SEC019 error east,west < SEC012"}},
	{"replicas that disagree", after(func(w RemoteWorld) {
		r := w.Istiods["east"]
		second := r.Value[0]
		second.Pod = "istiod-1"
		r.Value = append(r.Value, second)
		r.Value[1].Clusters.Value = slices.Clone(r.Value[1].Clusters.Value)
		r.Value[1].Clusters.Value[1].Status = "timeout"
		w.Istiods["east"] = r
	}), []string{"SEC015 error east,west", "SEC020 error east < SEC015"}},
	{"a secret that istiod does not know of", after(func(w RemoteWorld) { w.Say("east", "west", "") }), []string{"SEC021 error east,west"}},
	{"a cluster whose secret is gone", after(func(w RemoteWorld) {
		r := w.Istiods["east"]
		r.Value[0].Clusters.Value = append(r.Value[0].Clusters.Value, facts.ClusterState{ID: "old", Secret: System + "/old", Status: "synced"})
		w.Twice()
	}), []string{"SEC022 warning east"}},
	{"an external control plane with secrets in its own cluster", Remote(func(f *Fleet) { f.Get("east").Env[istio.EnvExternalIstiod] = "true" }, func(w RemoteWorld) {
		resources.SystemSecrets.Edit(w.Cluster("east")).Value = []facts.LooseSecret{loose(System, istio.ExternalKubeconfig, "", false, "")}
	}), []string{"SEC024 error east"}},
	{"the kubeconfig of an external control plane that counts as a remote secret", after(func(w RemoteWorld) {
		s := *w.Secret("east", "west")
		s.Name, s.ClusterID, s.Server = istio.ExternalKubeconfig, "config", "https://east.example:6443"
		s.Access.Token = nil
		s.Identity, s.Access.Kind = "", "token"
		c := w.Cluster("east")
		resources.RemoteSecrets.Edit(c).Value = append(resources.RemoteSecrets.Of(c).Value, s)
		say(w, "east", "config", s)
	}), []string{"SEC007 error east", "SEC024 note east"}},
	{"a cluster that is gone holds up istiod", after(func(w RemoteWorld) {
		s := *w.Secret("east", "west")
		s.Name, s.ClusterID, s.Server = "old", "old", "https://old.example:6443"
		s.Access.Token = &facts.TokenClaims{Subject: Reader, AccountUID: "account-old"}
		c := w.Cluster("east")
		resources.RemoteSecrets.Edit(c).Value = append(resources.RemoteSecrets.Of(c).Value, s)
		say(w, "east", "old", s)
		w.Say("east", "old", "timeout")
	}), []string{"SEC015 error east", "SEC025 warning east < SEC015"}},
	{"a stray key", after(func(w RemoteWorld) {
		s := *w.Secret("east", "west")
		s.ClusterID, s.Server, s.Identity, s.Access, s.Invalid = "token", "", "", facts.Access{}, "the kubeconfig cannot be read"
		c := w.Cluster("east")
		resources.RemoteSecrets.Edit(c).Value = append(resources.RemoteSecrets.Of(c).Value, s)
	}), []string{"SEC026 note east"}},
}

// rename gives a remote secret another key, which istiod takes for the cluster's name.
func rename(w RemoteWorld, in, id, name string) {
	s := w.Secret(in, id)
	review := w.Reviews[w.Key(in, id)]
	s.ClusterID = name
	w.Reviews[w.Key(in, name)] = review
	view := &w.Istiods[in].Value[0]
	for i := range view.Clusters.Value {
		if c := &view.Clusters.Value[i]; c.ID == id && c.Secret != "" {
			c.ID = name
		}
	}
	view.Shards.Value[name] = view.Shards.Value[id]
}

// say has istiod and the API server know of one more remote secret.
func say(w RemoteWorld, in, id string, s facts.RemoteSecret) {
	view := &w.Istiods[in].Value[0]
	view.Clusters.Value = append(view.Clusters.Value, facts.ClusterState{ID: id, Secret: s.Namespace + "/" + s.Name, Status: "synced"})
	view.Shards.Value[id] = view.Shards.Value["west"]
	w.Reviews[facts.SecretKey{Context: in, Namespace: s.Namespace, Name: s.Name, ClusterID: id}] = facts.Review{Token: facts.Read[string]{State: facts.OK, Value: Reader}, Chain: facts.Read[string]{State: facts.OK}}
}
