package model

import (
	"slices"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Where a remote secret leads, by what, and why it is ignored.
func TestRemoteSecrets(t *testing.T) {
	east := func(do func(w istiotest.RemoteWorld, s *facts.RemoteSecret)) func() (*facts.Fleet, facts.Seen) {
		return istiotest.Remote(nil, func(w istiotest.RemoteWorld) { do(w, w.Secret("east", "west")) }, "east", "north", "west")
	}
	for name, c := range map[string]struct {
		make    func() (*facts.Fleet, facts.Seen)
		to      string
		origin  Origin
		sure    bool
		ignored IgnoredCause
	}{
		"by the address": {east(func(istiotest.RemoteWorld, *facts.RemoteSecret) {}), "west", ByServer, true, ""},
		"by the account": {east(func(_ istiotest.RemoteWorld, s *facts.RemoteSecret) {
			s.Server = "https://10.0.0.1"
		}), "west", ByAccount, true, ""},
		"by another account": {east(func(_ istiotest.RemoteWorld, s *facts.RemoteSecret) {
			s.Server, s.Access.Token.AccountUID = "https://10.0.0.1", "account-north"
		}), "north", ByAccount, true, ""},
		"by the key": {east(func(_ istiotest.RemoteWorld, s *facts.RemoteSecret) {
			s.Server, s.Access.Token = "https://10.0.0.1", nil
		}), "west", ByKey, false, ""},
		"by the key of a kubeconfig that cannot be read": {east(func(_ istiotest.RemoteWorld, s *facts.RemoteSecret) {
			s.Server, s.Access.Token, s.Invalid = "", nil, "it is empty"
		}), "west", ByKey, false, Unusable},
		"by connecting": {east(func(w istiotest.RemoteWorld, _ *facts.RemoteSecret) {
			w.Connected = map[facts.SecretKey]facts.Connected{w.Key("east", "west"): {Outcome: facts.ConnectAccepted, UID: "uid-north"}}
		}), "north", ByConnecting, true, ""},
		"out of the fleet by connecting, under the name of one of it": {east(func(w istiotest.RemoteWorld, _ *facts.RemoteSecret) {
			w.Connected = map[facts.SecretKey]facts.Connected{w.Key("east", "west"): {Outcome: facts.ConnectAccepted, UID: "uid-far"}}
		}), "", ByConnecting, false, ""},
		"to an ID that several have": {east(func(w istiotest.RemoteWorld, s *facts.RemoteSecret) {
			s.Server, s.Access.Token = "https://10.0.0.1", nil
			resources.Istiods.Set(w.Cluster("north"), resources.Istiods.Of(w.Cluster("west")))
		}), "", "", false, ""},
		"with a program": {east(func(_ istiotest.RemoteWorld, s *facts.RemoteSecret) {
			s.Insecure = []string{"exec"}
		}), "west", ByServer, true, NotAllowed},
		"unusable, with a program": {east(func(_ istiotest.RemoteWorld, s *facts.RemoteSecret) {
			s.Insecure, s.Invalid = []string{"exec"}, "it is empty"
		}), "west", ByServer, true, Unusable},
	} {
		t.Run(name, func(t *testing.T) {
			fleet, seen := c.make()
			m := New(fleet, Options{Seen: seen})
			in := m.Cluster("east")
			r := in.Remotes[slices.IndexFunc(in.Remotes, func(r *RemoteSecret) bool { return r.ClusterID == "west" })]
			if got := nameOf(r.To); got != c.to || r.Origin != c.origin || r.Sure() != c.sure {
				t.Errorf("leads to %q by %q, sure %v", got, r.Origin, r.Sure())
			}
			cause := IgnoredCause("")
			if r.Ignored != nil {
				cause = r.Ignored.Cause
			}
			if cause != c.ignored || c.ignored != "" && r.Ignored.String() == "" {
				t.Errorf("ignored: %v", r.Ignored)
			}
			watched := slices.IndexFunc(in.ControlPlanes[0].Watches, func(w Watched) bool { return w.Secret == r })
			if (watched < 0) != (c.ignored != "") || watched >= 0 && nameOf(in.ControlPlanes[0].Watches[watched].Cluster) != c.to {
				t.Errorf("the view watches another cluster: %+v", in.ControlPlanes[0].Watches)
			}
		})
	}
}

func nameOf(c *Cluster) string {
	if c == nil {
		return ""
	}
	return c.Context
}

// Of two secrets for one ID that counts whose name comes first: of namespace and name each
// for itself, so that "west" is before "west-2".
func TestSameID(t *testing.T) {
	fleet, seen := istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
		s := *w.Secret("east", "west")
		s.Name += "-2"
		c := w.Cluster("east")
		resources.RemoteSecrets.Edit(c).Value = append([]facts.RemoteSecret{s}, resources.RemoteSecrets.Of(c).Value...)
	})()
	m := New(fleet, Options{Seen: seen})
	first, second := m.Cluster("east").Remotes[0], m.Cluster("east").Remotes[1]
	if first.Ignored != nil || second.Ignored == nil || second.Ignored.Cause != SameID || second.Ignored.Other != first {
		t.Errorf("%v, %v", first.Ignored, second.Ignored)
	}
	if got := second.Ignored.String(); got != "secret istio-system/istio-remote-secret-west already has this cluster ID" {
		t.Errorf("%q", got)
	}
	if m.Cluster("east").SecretFor(m.Cluster("west")) != first || len(m.Cluster("east").Used()) != 1 || len(second.Siblings()) != 1 {
		t.Errorf("the good one is not taken")
	}
}

// Each control plane has its own settings, and its own ID.
func TestIgnoredByRevision(t *testing.T) {
	fleet, _ := istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
		c := w.Cluster("east")
		canary := resources.Istiods.Of(c).Value[0].DeepCopy()
		canary.Name = "istiod-canary"
		env := canary.Spec.Template.Spec.Containers[0].Env
		for i := range env {
			if env[i].Name == istio.EnvRevision {
				env[i].Value = "canary"
			}
		}
		env = append(env, env[0])
		env[len(env)-1].Name, env[len(env)-1].Value = istio.EnvInsecureKubeconfigs, "exec,tokenFile"
		canary.Spec.Template.Spec.Containers[0].Env = env
		resources.Istiods.Edit(c).Value = append(resources.Istiods.Of(c).Value, *canary)
		w.Secret("east", "west").Insecure = []string{"exec", "clientKey"}
	})()
	m := New(fleet, Options{})
	r, planes := m.Cluster("east").Remotes[0], m.Cluster("east").ControlPlanes
	if len(planes) != 2 {
		t.Fatal(planes)
	}
	if got := r.IgnoredBy(planes[0]); got == nil || !slices.Equal(got.Ways, []string{"exec", "clientKey"}) || got != r.Ignored {
		t.Errorf("%v", got)
	}
	if got := r.IgnoredBy(planes[1]); got == nil || got.String() != "clientKey is not allowed in the kubeconfig" {
		t.Errorf("%v", got)
	}
	if got := r.NotAllowed(); !slices.Equal(got, []string{"exec", "clientKey"}) {
		t.Errorf("%v", got)
	}
}

// One answer for each pair that should watch, of east and west.
func TestWatch(t *testing.T) {
	met := map[string]bool{}
	for _, c := range istiotest.RemoteFaults {
		want, ok := watches[c.Name]
		if !ok {
			want = pair{IsWatched, "", true}
		}
		met[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			fleet, seen := c.Make()
			m := New(fleet, Options{Seen: seen})
			w := m.Watch(m.Cluster("east"), m.Cluster("west"))
			if got := (pair{w.Status, w.Why, w.Confirmed}); got != want || w.String() == "" {
				t.Errorf("%+v: %s", got, w)
			}
			if m.Watch(m.Cluster("east"), m.Cluster("east")).Status != NotExpected {
				t.Errorf("it should watch itself")
			}
		})
	}
	for name := range watches {
		if !met[name] {
			t.Errorf("no fleet is %q", name)
		}
	}
}

type pair struct {
	status    WatchStatus
	why       WatchReason
	confirmed bool
}

// watches is how east stands to west in the fleets where it does not just watch it.
var watches = map[string]pair{
	"the address of a proxy with a path":                                        {Stale, ServerUntrusted, false},
	"the address of a proxy that all clusters share":                            {Stale, ThroughProxy, false},
	"no remote secrets between two primaries with one root":                     {Missing, NoSecret, false},
	"one of six remote secrets is missing":                                      {Missing, NoSecret, false},
	"a primary without a secret for its remote cluster":                         {Missing, NoSecret, false},
	"a secret in namespace default":                                             {Missing, SecretMisplaced, false},
	"a label that is not true to the letter":                                    {Missing, SecretUnlabeled, false},
	"a secret without label":                                                    {Missing, SecretUnlabeled, false},
	"a secret called west that leads to north":                                  {Missing, LeadsElsewhere, false},
	"a secret whose address is not known, and whose token is of north":          {Missing, LeadsElsewhere, false},
	"two clusters with one ID":                                                  {IsIgnored, SecretIgnored, false},
	"a kubeconfig that is none":                                                 {IsIgnored, SecretIgnored, false},
	"a kubeconfig that runs a program":                                          {IsIgnored, SecretIgnored, false},
	"a loopback address":                                                        {Stale, AddressUnreachable, false},
	"another CA":                                                                {Stale, ServerUntrusted, false},
	"a revoked token while istiod says synced":                                  {Stale, AccountInvalid, false},
	"a token that nobody knows why it is refused":                               {Stale, CredentialRefused, false},
	"an expired token":                                                          {Stale, CredentialRefused, false},
	"a service account that was made anew":                                      {Stale, AccountInvalid, false},
	"a service account that is gone":                                            {Stale, AccountInvalid, false},
	"endpoints that stand still as the token was revoked":                       {Stale, CredentialRefused, false},
	"a reader that may not list pods":                                           {Stale, RightsMissing, false},
	"a reader that may not list the gateways of an ambient network":             {Stale, RightsMissing, false},
	"a timeout that nothing explains":                                           {Stale, SaysTimeout, false},
	"a cluster that is never read to its end":                                   {Stale, SaysSyncing, false},
	"a changed secret that istiod 1.29.1 stopped at":                            {Stale, ChangeNotPickedUp, false},
	"istiod has stopped reading":                                                {Stale, SaysClosed, false},
	"pods that istiod does not know, and one that is gone":                      {Stale, EndpointsDiffer, false},
	"a key that is not the remote cluster's ID":                                 {Impaired, ProxiesRefused, false},
	"a reader of a remote cluster that may not review tokens":                   {Impaired, RightsMissing, false},
	"an istiod that does not tell ambient workloads of a cluster that it reads": {Impaired, GatewaysUntold, false},
	"replicas that disagree":                                                    {Stale, SaysTimeout, false},
	"a secret that istiod does not know of":                                     {Stale, SaysNothing, false},
	"an external control plane with secrets in its own cluster":                 {Unknown, ExternalControlPlane, false},
}

// What is younger than a minute may still be at work; what expired by its own words is
// of no use, unless an API server accepts it.
func TestWatchByTime(t *testing.T) {
	fleet, seen := istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
		s := w.Secret("east", "west")
		s.Modified, s.Access.Created = istiotest.Now, istiotest.Now
		w.Say("east", "west", "")
		w.Secret("west", "east").Access.Token.Expires = istiotest.Now.AddDate(0, 0, -1)
		delete(w.Reviews, w.Key("west", "east"))
	})()
	m := New(fleet, Options{Seen: seen})
	east, west := m.Cluster("east"), m.Cluster("west")
	if w := m.Watch(east, west); w.Status != Unknown || w.Why != JustChanged {
		t.Errorf("%+v", w)
	}
	if w := m.Watch(west, east); w.Status != Stale || w.Why != CredentialExpired {
		t.Errorf("%+v", w)
	}
}

// A secret that may lead to a cluster leaves open whether its own is missing.
func TestMayWatch(t *testing.T) {
	fleet, seen := istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
		s := w.Secret("east", "west")
		s.Server, s.ClusterID, s.Access.Token = "https://10.0.0.1", "far", nil
	})()
	m := New(fleet, Options{Seen: seen})
	w := m.Watch(m.Cluster("east"), m.Cluster("west"))
	if w.Status != Unknown || w.Why != MayLeadThere || w.Secret == nil {
		t.Errorf("%+v", w)
	}
	if got := w.String(); got != "the remote secret for far leads to https://10.0.0.1, which may be west" {
		t.Errorf("%q", got)
	}
}

// Drift is what differs in both looks.
func TestDrift(t *testing.T) {
	fleet, seen := istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
		w.Istiods["east"].Value[0].Shards.Value["west"] = facts.Addresses{"sample/cart": {"10.9.0.99": true}}
		w.Twice()
	})()
	m := New(fleet, Options{Seen: seen})
	d := m.Cluster("east").SecretFor(m.Cluster("west")).Drift("istiod-0")
	if !d.Twice || d.CatchingUp || len(d.Missing) != 1 || !slices.Equal(d.Stale, []Endpoint{{"sample/cart", "10.9.0.99"}}) {
		t.Errorf("%+v", d)
	}
}
