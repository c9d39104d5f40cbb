package remotesecrets

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
)

func forbidden[T any]() facts.Read[T] {
	return facts.Read[T]{State: facts.Forbidden, Reason: "forbidden"}
}

// Each thing that is not known makes rules unknown, and none find anything.
func TestEachAlone(t *testing.T) {
	const east, west = "east", "west"
	live := []finding.Code{"SEC015", "SEC016", "SEC017", "SEC019", "SEC020", "SEC021", "SEC022", "SEC025"} // what replicas of istiod say
	for name, c := range map[string]struct {
		do   func(istiotest.RemoteWorld)
		want []finding.Code // in east
	}{
		"remote secrets": {func(w istiotest.RemoteWorld) {
			resources.RemoteSecrets.Set(w.Cluster(east), forbidden[[]facts.RemoteSecret]())
		}, codes()},
		"deployments": {func(w istiotest.RemoteWorld) {
			resources.Istiods.Set(w.Cluster(east), forbidden[[]appsv1.Deployment]())
		}, codes()},
		"all namespaces": {func(w istiotest.RemoteWorld) {
			resources.StraySecrets.Set(w.Cluster(east), forbidden[[]facts.LooseSecret]())
		}, []finding.Code{"SEC002"}},
		"system secrets": {func(w istiotest.RemoteWorld) {
			resources.SystemSecrets.Set(w.Cluster(east), forbidden[[]facts.LooseSecret]())
		}, []finding.Code{"SEC003"}},
		"port-forward": {func(w istiotest.RemoteWorld) { w.Istiods[east] = forbidden[[]facts.IstiodView]() }, live},
		"no istiod runs": {func(w istiotest.RemoteWorld) {
			w.Istiods[east] = facts.Read[[]facts.IstiodView]{State: facts.OK}
		}, live},
		"clusterz": {func(w istiotest.RemoteWorld) {
			w.Istiods[east].Value[0].Clusters = forbidden[[]facts.ClusterState]()
		}, live},
		"endpoint shards": {func(w istiotest.RemoteWorld) {
			w.Istiods[east].Value[0].Shards = forbidden[map[string]facts.Addresses]()
		}, []finding.Code{"SEC019"}},
		"slices of west": {func(w istiotest.RemoteWorld) {
			resources.EndpointSlices.Set(w.Cluster(west), forbidden[[]discoveryv1.EndpointSlice]())
		}, []finding.Code{"SEC019"}},
		"services of west": {func(w istiotest.RemoteWorld) {
			resources.Services.Set(w.Cluster(west), forbidden[[]corev1.Service]())
		}, []finding.Code{"SEC019"}},
		"west does not say": {func(w istiotest.RemoteWorld) {
			w.Sides[west] = facts.Read[facts.RemoteSide]{State: facts.Failed, Reason: "no answer"}
			w.Reviews = map[facts.SecretKey]facts.Review{}
		}, []finding.Code{"SEC012", "SEC013", "SEC014"}},
		"reviews of tokens": {func(w istiotest.RemoteWorld) {
			r := w.Reviews[w.Key(east, west)]
			r.Token = forbidden[string]()
			w.Reviews[w.Key(east, west)] = r
		}, []finding.Code{"SEC012"}},
		"mesh configs": {func(w istiotest.RemoteWorld) {
			resources.MeshConfigs.Set(w.Cluster(east), forbidden[[]corev1.ConfigMap]())
			w.Istiods[east].Value[0].Shards.Value[west] = nil
			w.Twice()
		}, []finding.Code{"SEC019"}},
		"by its key alone": {func(w istiotest.RemoteWorld) {
			s := w.Secret(east, west)
			s.Server, s.Access.Token.AccountUID = "https://elsewhere.example", ""
			delete(w.Reviews, w.Key(east, west))
		}, []finding.Code{"SEC012", "SEC013", "SEC014", "SEC019"}},
		"rights": {func(w istiotest.RemoteWorld) {
			w.Account(west, func(a *facts.Account) { a.Rights = forbidden[[]facts.Right]() })
		}, []finding.Code{"SEC014"}},
		"no context leads": {func(w istiotest.RemoteWorld) {
			s := w.Secret(east, west)
			s.Server, s.Access.Token.AccountUID = "https://elsewhere.example", ""
			s.ClusterID = "far"
			w.Istiods[east].Value[0].Clusters.Value[1].ID = "far"
		}, []finding.Code{"SEC001", "SEC012", "SEC013", "SEC014", "SEC019", "SEC023"}},
		"secret of the token": {func(w istiotest.RemoteWorld) {
			w.Account(west, func(a *facts.Account) {
				for name := range a.TokenSecrets {
					a.TokenSecrets[name] = forbidden[facts.TokenSecret]()
				}
			})
		}, []finding.Code{"SEC013"}},
		"service account": {func(w istiotest.RemoteWorld) { // by which alone it is known where the secret leads
			w.Secret(east, west).Server = "https://elsewhere.example"
			delete(w.Reviews, w.Key(east, west))
			w.Account(west, func(a *facts.Account) { a.UID = forbidden[string]() })
		}, []finding.Code{"SEC012", "SEC013", "SEC014", "SEC019"}},
		"pods of istiod, and an address on loopback": {func(w istiotest.RemoteWorld) {
			w.Secret(east, west).Server = "https://127.0.0.1:6443"
			resources.IstiodPods.Set(w.Cluster(east), forbidden[[]facts.Pod]())
			w.Istiods[east] = forbidden[[]facts.IstiodView]()
		}, []finding.Code{"SEC010", "SEC015", "SEC016", "SEC017", "SEC018", "SEC019", "SEC020", "SEC021", "SEC022", "SEC025"}},
		"deployments of west": {func(w istiotest.RemoteWorld) {
			resources.Istiods.Set(w.Cluster(west), forbidden[[]appsv1.Deployment]())
			w.Account(west, func(a *facts.Account) { // a remote cluster's would be one too few
				for i := range a.Rights.Value {
					a.Rights.Value[i].Allowed = a.Rights.Value[i].Resource != "tokenreviews"
				}
			})
		}, nil},
		"deployments of west, for which there is no secret": {func(w istiotest.RemoteWorld) {
			resources.RemoteSecrets.Edit(w.Cluster(east)).Value = nil
			w.Istiods[east].Value[0].Clusters.Value = w.Istiods[east].Value[0].Clusters.Value[:1]
			resources.Istiods.Set(w.Cluster(west), forbidden[[]appsv1.Deployment]())
		}, []finding.Code{"SEC001", "SEC023"}},
		"webhooks of west, which has no control plane": {func(w istiotest.RemoteWorld) {
			resources.RemoteSecrets.Edit(w.Cluster(east)).Value = nil
			w.Istiods[east].Value[0].Clusters.Value = w.Istiods[east].Value[0].Clusters.Value[:1]
			resources.Istiods.Edit(w.Cluster(west)).Value = nil
			resources.Webhooks.Set(w.Cluster(west), forbidden[[]admissionv1.MutatingWebhookConfiguration]())
		}, []finding.Code{"SEC001", "SEC023"}},
		"drift seen once": {func(w istiotest.RemoteWorld) { w.Istiods[east].Value[0].Shards.Value[west] = nil }, []finding.Code{"SEC019"}},
		"still following": {func(w istiotest.RemoteWorld) {
			v := w.Istiods[east].Value[0]
			v.Shards = facts.Read[map[string]facts.Addresses]{State: facts.OK, Value: map[string]facts.Addresses{
				west: {"sample/cart": {"10.9.0.2": true, "10.9.0.99": true}}, // it had lacked the first before
			}}
			w.Istiods[east].Value[0].Shards.Value[west] = facts.Addresses{"sample/cart": {"10.9.0.99": true}}
			w.Twice()
			w.Again.Istiods = map[string]facts.Read[[]facts.IstiodView]{east: {State: facts.OK, Value: []facts.IstiodView{v}}}
		}, []finding.Code{"SEC019"}},
		"not asked": {func(w istiotest.RemoteWorld) {
			*w.Seen = facts.Seen{NotAsked: "a dump"}
		}, append([]finding.Code{"SEC011", "SEC012", "SEC013", "SEC014"}, live...)},
	} {
		t.Run(name, func(t *testing.T) {
			fleet, seen := istiotest.Remote(nil, c.do)()
			r := run(t, fleet, seen)
			got := istiotest.Summarize(r)
			if len(got) > 0 {
				t.Errorf("found %v", got)
			}
			if diff := cmp.Diff(c.want, ruletest.Unchecked(r, east)); diff != "" {
				t.Errorf("not checked (-want +got):\n%s", diff)
			}
			for _, p := range list(t, fleet, seen).Pairs {
				if p.State == Broken {
					t.Errorf("the matrix says %+v", p)
				}
			}
			unsure, missed := Unsure(mesh(fleet, seen)), name == "no context leads"
			if _, is := unsure[[2]string{east, west}]; is != missed || len(unsure) > 1 {
				t.Errorf("unsure: %v", unsure)
			}
		})
	}
}

// A cluster that did not answer hides nothing of the others.
func TestAnUnreachedCluster(t *testing.T) {
	fleet, seen := istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
		w.Refuse("east", "west")
		c := w.Cluster("north")
		*c = facts.Cluster{Context: "north", Server: c.Server, Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
	}, "east", "north", "west")()
	r := run(t, fleet, seen)
	if diff := cmp.Diff([]string{"SEC012 error east,west"}, istiotest.Summarize(r)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(codes(), ruletest.Unchecked(r, "north")); diff != "" {
		t.Errorf("not checked (-want +got):\n%s", diff)
	}
	for _, p := range list(t, fleet, seen).Pairs {
		if p.Cluster == "north" && p.State == Broken {
			t.Errorf("the matrix says %+v", p)
		}
	}
}

// Trying the credentials tells of what nothing else does, and what this machine does
// not reach is not known.
func TestConnecting(t *testing.T) {
	for name, c := range map[string]struct {
		connected facts.Connected
		want      []string
		unknown   []finding.Code
	}{
		"accepted":    {facts.Connected{Outcome: facts.ConnectAccepted, UID: "uid-west"}, nil, nil},
		"refused":     {facts.Connected{Outcome: facts.ConnectRefused, Reason: "401"}, []string{"SEC012 error east,west"}, nil},
		"untrusted":   {facts.Connected{Outcome: facts.ConnectUntrusted, Reason: "x509"}, []string{"SEC011 error east,west"}, nil},
		"not reached": {facts.Connected{Outcome: facts.ConnectNotReached, Reason: "the connection failed"}, nil, []finding.Code{"SEC012"}},
		"elsewhere": {facts.Connected{Outcome: facts.ConnectAccepted, UID: "uid-north"}, []string{
			"SEC001 error east,west < SEC004", "SEC004 error east,north,west",
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fleet, seen := istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
				key := w.Key("east", "west")
				w.Connected = map[facts.SecretKey]facts.Connected{key: c.connected}
				if name == "not reached" {
					delete(w.Reviews, key)
					w.Reviews[key] = facts.Review{Chain: facts.Read[string]{State: facts.OK}}
				}
				if name == "elsewhere" {
					w.Istiods["east"].Value[0].Shards.Value["west"] = facts.AddressesOf(resources.EndpointSlices.Of(w.Cluster("north")).Value)
				}
			}, "east", "north", "west")()
			r := run(t, fleet, seen)
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.unknown, ruletest.Unchecked(r, "east")); diff != "" {
				t.Errorf("not checked (-want +got):\n%s", diff)
			}
		})
	}
}

// What a replica says of the gateways of networks is held against them only where it is no change that
// is under way.
func TestGatewaysOfReplicas(t *testing.T) {
	lose := func(w istiotest.RemoteWorld) {
		w.Gateways("east", func(all []facts.NetworkGateway) []facts.NetworkGateway {
			return slices.DeleteFunc(all, func(g facts.NetworkGateway) bool { return g.Cluster == "west" })
		})
	}
	gateway := func(w istiotest.RemoteWorld) *corev1.Service {
		all := resources.Services.Of(w.Cluster("west")).Value
		return &all[slices.IndexFunc(all, func(s corev1.Service) bool { return s.Labels[istio.LabelNetwork] != "" })]
	}
	started := func(w istiotest.RemoteWorld, ago time.Duration) {
		resources.IstiodPods.Edit(w.Cluster("east")).Value = []facts.Pod{{Namespace: istiotest.System, Name: "istiod-0", Started: istiotest.Now.Add(-ago)}}
	}
	written := func(w istiotest.RemoteWorld, ago time.Duration) {
		at := metav1.NewTime(istiotest.Now.Add(-ago))
		gateway(w).ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "cloud-controller-manager", Time: &at}}
	}
	for name, c := range map[string]struct {
		do      func(istiotest.RemoteWorld)
		want    []string
		unknown []finding.Code // in east
	}{
		"nothing differs": {do: func(istiotest.RemoteWorld) {}},
		"not shown": {do: func(w istiotest.RemoteWorld) {
			w.Istiods["east"].Value[0].Networks = facts.Read[[]facts.NetworkGateway]{State: facts.Failed, Reason: "istiod did not answer in time"}
		}, unknown: []finding.Code{"GW044"}},
		"seen once": {do: lose, unknown: []finding.Code{"GW044"}},
		"seen once, of a gateway and a replica that are old": {do: func(w istiotest.RemoteWorld) {
			lose(w)
			started(w, time.Hour)
			written(w, time.Hour)
		}, want: []string{"GW044 error east,west"}},
		"seen once, of an old gateway and a replica that is it for all we know": {do: func(w istiotest.RemoteWorld) {
			lose(w)
			resources.IstiodPods.Edit(w.Cluster("east")).Value = nil
			written(w, time.Hour)
		}, unknown: []finding.Code{"GW044"}},
		"seen twice, of a gateway that was just written": {do: func(w istiotest.RemoteWorld) {
			lose(w)
			written(w, 90*time.Second)
			w.Twice()
		}, unknown: []finding.Code{"GW044"}},
		"seen twice, of a replica that just started": {do: func(w istiotest.RemoteWorld) {
			lose(w)
			started(w, 90*time.Second)
			w.Twice()
		}, unknown: []finding.Code{"GW044"}},
		"seen twice, and the gateways once": {do: func(w istiotest.RemoteWorld) {
			lose(w)
			w.Twice()
			w.Again.Gateways = nil
		}, unknown: []finding.Code{"GW044"}},
		"an address that is gone, seen once": {do: func(w istiotest.RemoteWorld) {
			w.Gateways("east", func(all []facts.NetworkGateway) []facts.NetworkGateway {
				return append(all, facts.NetworkGateway{Network: "network2", Cluster: "west", Address: "203.0.113.99", Port: 15443})
			})
		}, unknown: []finding.Code{"GW044"}},
		"Services that may not be read": {do: func(w istiotest.RemoteWorld) {
			lose(w)
			resources.Services.Set(w.Cluster("west"), forbidden[[]corev1.Service]())
			w.Twice()
		}, unknown: []finding.Code{"GW044", "SEC019"}},
	} {
		t.Run(name, func(t *testing.T) {
			fleet, seen := istiotest.Seen(istiotest.Networked("east", "west"))
			c.do(istiotest.RemoteWorld{Fleet: fleet, Seen: &seen})
			r := run(t, fleet, seen)
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%+v", diff, r.Findings)
			}
			if diff := cmp.Diff(c.unknown, ruletest.Unchecked(r, "east")); diff != "" {
				t.Errorf("not checked (-want +got):\n%s", diff)
			}
		})
	}
}

// The evidence names the replica that differs, and the fix the release that loses no gateways.
func TestGatewayThatOneReplicaLacks(t *testing.T) {
	f := istiotest.Networked("east", "west")
	f.Get("east").Image = "1.30.1"
	fleet, seen := istiotest.Seen(f)
	w := istiotest.RemoteWorld{Fleet: fleet, Seen: &seen}
	second := w.Istiods["east"].Value[0]
	second.Pod = "istiod-1"
	second.Networks.Value = second.Networks.Value[:1] // that of east
	w.Istiods["east"] = facts.Read[[]facts.IstiodView]{State: facts.OK, Value: []facts.IstiodView{w.Istiods["east"].Value[0], second}}
	w.Twice()
	r := run(t, fleet, seen)
	at := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Code == "GW044" })
	if at < 0 {
		t.Fatalf("not found: %+v", r.Findings)
	}
	got := r.Findings[at]
	want := []finding.Evidence{
		{Cluster: "east", Field: "istiod istiod-1 says of west", Value: "synced"},
		{Cluster: "east", Field: "network gateways of istiod-1", Value: "without 203.0.113.11:15443"},
		{Cluster: "east", Field: "istiod istiod, version", Value: "1.30.1"},
		{Cluster: "east", Field: "known bug of this version", Value: "istio/istio#60920"},
	}
	if diff := cmp.Diff(want, got.Evidence); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if say := got.Fix[0].Say; len(got.Fix) != 1 || !strings.Contains(say, "1.30.4") {
		t.Errorf("fix: %+v", got.Fix)
	}
}

// Tokens go where the secret itself leads, or where they are from, and nowhere else.
func TestWhoIsShownTokens(t *testing.T) {
	fleet, seen := istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
		s := w.Secret("east", "west") // by its key alone
		s.Server, s.Access.Token.AccountUID = "https://elsewhere.example", "account-elsewhere"
		w.Secret("east", "north").Server = "https://10.0.0.1" // by its service account
	}, "east", "north", "west")()
	got := Tokens(mesh(fleet, seen))
	key := func(in, id string) facts.SecretKey {
		return facts.SecretKey{Context: in, Namespace: istiotest.System, Name: "istio-remote-secret-" + id, ClusterID: id}
	}
	want := map[string]map[facts.SecretKey]bool{
		"east":  {key("north", "east"): true, key("west", "east"): true},
		"north": {key("east", "north"): false, key("west", "north"): true},
		"west":  {key("north", "west"): true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What there is to ask of whom, and what has to be asked a second time.
func TestWhatIsAsked(t *testing.T) {
	fleet, seen := istiotest.Remote(func(f *istiotest.Fleet) { f.Clusters[1].NoControlPlane(f.Clusters[0]) }, nil)()
	plan := NewPlan(mesh(fleet, facts.Seen{}))
	account := map[string][]string{istiotest.Reader: {istiotest.ReaderTokenSecret}}
	want := Plan{Users: map[string]map[string][]string{"east": {}, "west": account}, Primaries: []string{"east"}}
	if diff := cmp.Diff(want, plan); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if contexts, doubtful := Doubtful(mesh(fleet, seen)); doubtful || !slices.Equal(contexts, []string{"west"}) {
		t.Errorf("%v, doubtful %v", contexts, doubtful)
	}
	seen.Istiods["east"].Value[0].Shards.Value["west"] = nil
	if _, doubtful := Doubtful(mesh(fleet, seen)); !doubtful {
		t.Error("endpoints that differ are not looked at again")
	}
	crossing, said := istiotest.Seen(istiotest.Networked("east", "west"))
	if got := NewPlan(mesh(crossing, facts.Seen{})).Crossing; !slices.Equal(got, []string{"east", "west"}) {
		t.Errorf("asked for the gateways of networks: %v", got)
	}
	if GatewaysDiffer(mesh(crossing, said)) {
		t.Error("gateways that are the same are looked at again")
	}
	said.Istiods["east"].Value[0].Networks.Value = nil
	if _, doubtful := Doubtful(mesh(crossing, said)); !doubtful || !GatewaysDiffer(mesh(crossing, said)) {
		t.Error("gateways that differ are not looked at again")
	}
	if got := Servers(mesh(fleet, seen)); len(got) != 2 || got[0] != fleet.Clusters[0].Server {
		t.Errorf("servers: %v", got)
	}
}
