package model

import (
	"slices"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// What is wrong with a remote secret by which a cluster is watched, and does no harm yet.
func TestRemarks(t *testing.T) {
	remarks := map[string]WatchReason{
		"a key that is not the cluster's ID":                                        NamedDifferently,
		"a check of certificates that is turned off":                                ServerUnchecked,
		"a token that is about to expire":                                           CredentialExpiresSoon,
		"a client certificate that is about to expire":                              CredentialExpiresSoon,
		"a token that will be cleaned up":                                           CredentialExpiresSoon,
		"a reader that only roles tell of":                                          RightsMissing,
		"a changed secret that istiod 1.30.1 does not take over":                    ChangeNotPickedUp,
		"one cluster by two names":                                                  "",
		"an istiod that does not tell ambient workloads of a cluster that it reads": "",
	}
	for _, c := range istiotest.RemoteFaults {
		want, ok := remarks[c.Name]
		if !ok {
			continue
		}
		delete(remarks, c.Name)
		fleet, seen := c.Make()
		m := New(fleet, Options{Seen: seen})
		if w := m.Watch(m.Cluster("east"), m.Cluster("west")); w.Remark != want {
			t.Errorf("%s: %q, want %q", c.Name, w.Remark, want)
		}
	}
	if len(remarks) > 0 {
		t.Errorf("no fleet is %v", remarks)
	}
}

// A remote secret that leads to no cluster of the fleet has an answer too.
func TestWatchOutOfTheFleet(t *testing.T) {
	fleet, seen := istiotest.Remote(nil, func(w istiotest.RemoteWorld) {
		s := w.Secret("east", "west")
		s.Server, s.ClusterID, s.Access.Token = "https://10.0.0.1", "far", nil
		delete(w.Reviews, w.Key("east", "far"))
	})()
	m := New(fleet, Options{Seen: seen})
	w := m.Cluster("east").Remotes[0].Watch()
	if w.To != nil || w.Status != Stale || w.Why != SaysNothing || w.String() == "" {
		t.Errorf("%+v", w)
	}
	m = New(fleet, Options{Seen: facts.Seen{NotAsked: "a dump"}})
	if w := m.Cluster("east").Remotes[0].Watch(); w.Status != IsWatched || w.Confirmed {
		t.Errorf("%+v", w)
	}
}

func TestLocalAddresses(t *testing.T) {
	for server, want := range map[string]LocalAddress{
		"https://127.0.0.1:6443": ThePodItself, "https://localhost": ThePodItself, "https://x.localhost.:6443": ThePodItself,
		"127.0.0.2:1": ThePodItself, "https://[::1]:6443": ThePodItself, "https://0.0.0.0:6443": ThePodItself,
		"https://kubernetes.docker.internal:6443": ThePodItself, "https://169.254.1.1": LinkLocal, "https://[fe80::1]": LinkLocal,
		"https://10.0.0.1:6443": "", "https://west.example": "", "": "", "https://[": "",
	} {
		if got := LocalAddressOf(server); got != want {
			t.Errorf("%s: %q, want %q", server, got, want)
		}
	}
}

// Where what a cluster watches was not read, it may be a hub, or joined by others: then it is not known whether it is
// meant that others do not watch it. Of two clusters it is known that each should watch the other.
func TestByChoiceOrNotKnown(t *testing.T) {
	hub, middle := map[string][]string{"hub": {"one", "two"}}, map[string][]string{"hub": {"one", "two"}, "one": {"hub"}, "two": {"hub"}}
	for name, c := range map[string]struct {
		watches  map[string][]string
		clusters []string
		unread   string
		from, to string
		want     WatchReason
	}{
		"an edge and its hub":                     {hub, []string{"hub", "one", "two"}, "", "one", "hub", OnlyWatched},
		"a hub that was not read":                 {hub, []string{"hub", "one", "two"}, "hub", "one", "hub", WasNotRead},
		"another edge that was not read":          {hub, []string{"hub", "one", "two"}, "two", "one", "hub", WasNotRead},
		"two that a middle joins":                 {middle, []string{"hub", "one", "two"}, "", "one", "two", Apart},
		"the other one was not read":              {middle, []string{"hub", "one", "two"}, "two", "one", "two", WasNotRead},
		"two clusters":                            {hub, []string{"hub", "one"}, "", "one", "hub", NoSecret},
		"two clusters, and the other is not read": {hub, []string{"hub", "one"}, "hub", "one", "hub", NoSecret},
	} {
		f := istiotest.Installed(c.clusters...)
		for _, k := range f.Clusters {
			k.Remotes = nil
			for _, other := range c.watches[k.Name] {
				if slices.Contains(c.clusters, other) {
					k.Remotes = append(k.Remotes, f.Get(other))
				}
			}
		}
		fleet := f.Facts()
		for i := range fleet.Clusters {
			if k := &fleet.Clusters[i]; k.Context == c.unread {
				resources.RemoteSecrets.Set(k, facts.Read[[]facts.RemoteSecret]{State: facts.Forbidden, Reason: "forbidden"})
			}
		}
		m := New(fleet, Options{})
		w := m.Watch(m.Cluster(c.from), m.Cluster(c.to))
		if w.Why != c.want {
			t.Errorf("%s: %+v", name, w)
		}
		if got := m.Expects(w.From, w.To); got != (c.want == NoSecret) {
			t.Errorf("%s: expected: %v", name, got)
		}
	}
}
