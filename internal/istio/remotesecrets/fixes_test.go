package remotesecrets

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// printed are the steps of the finding with a code, a line for each sentence and command.
func printed(t *testing.T, r finding.Result, code finding.Code) []string {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Code == code })
	if i < 0 {
		t.Fatalf("no %s in %v", code, istiotest.Summarize(r))
	}
	var out []string
	for _, step := range r.Findings[i].Fix {
		out = append(out, step.Say)
		for _, c := range step.Run {
			out = append(out, "$ "+c.String())
		}
	}
	return out
}

// rekey gives the remote secret of one cluster another data key, and maybe another name.
func rekey(w istiotest.RemoteWorld, name, id string) {
	s := w.Secret("east", "west")
	s.Name, s.ClusterID = name, id
}

// misplace puts a remote secret into a namespace in which istiod does not look.
func misplace(w istiotest.RemoteWorld, s facts.LooseSecret) {
	s.Labelled, s.Label = true, "true"
	resources.StraySecrets.Edit(w.Cluster("east")).Value = []facts.LooseSecret{s}
}

// What is replaced is created before it is removed, unless istiod would ignore it.
func TestFixesInOrder(t *testing.T) {
	const created = "$ istioctl create-remote-secret --context=west --name=west -n istio-system | kubectl --context=east apply -f -"
	two, three := []string{"east", "west"}, []string{"east", "north", "west"}
	careful := "Careful: if istiod does not watch west by the new secret yet, requests from east to it stop. Remove the wrong cluster ID:"
	patch := func(pointer string) string {
		return "$ kubectl --context=east -n istio-system patch secret/istio-remote-secret-west --type=json -p " +
			`'[{"op":"remove","path":"` + pointer + `"}]'`
	}
	leadsToNorth := func(w istiotest.RemoteWorld) {
		w.Drop("east", "north")
		s := w.Secret("east", "west")
		s.Server, s.Access.Token.AccountUID = "https://north.example:6443", "account-north"
	}
	for name, c := range map[string]struct {
		do       func(istiotest.RemoteWorld)
		clusters []string
		code     finding.Code
		want     []string
	}{
		"another name than its own": {func(w istiotest.RemoteWorld) { rekey(w, "far", "far") }, two, "SEC004", []string{
			"Create the remote secret for west with its own cluster ID:", created,
			careful,
			"$ kubectl --context=east -n istio-system delete secret/far",
		}},
		"another key in the secret that istioctl writes": {func(w istiotest.RemoteWorld) {
			rekey(w, "istio-remote-secret-west", "f~/r")
		}, two, "SEC004", []string{
			"Create the remote secret for west with its own cluster ID:", created,
			careful,
			patch("/data/f~0~1r"),
		}},
		"the control plane's own ID": {func(w istiotest.RemoteWorld) { rekey(w, "istio-remote-secret-west", "east") }, two, "SEC006", []string{
			"Create the remote secret for west with its own cluster ID:", created,
			"Careful: this removes the one with the wrong cluster ID. istiod ignores it, so no traffic stops:",
			patch("/data/east"),
		}},
		"the ID of another cluster": {leadsToNorth, three, "SEC004", []string{
			"Create a remote secret for north, which this one leads to:",
			"$ istioctl create-remote-secret --context=north --name=north -n istio-system | kubectl --context=east apply -f -",
			"Careful: requests for west that go to north by mistake stop. Recreate the remote secret in its place:", created,
			"Then restart istiod: when a remote secret is changed, version 1.29.1 does not pick it up (SEC018):",
			"$ kubectl --context=east -n istio-system rollout restart deployment/istiod",
		}},
		"the ID of another cluster, in a secret of another name": {func(w istiotest.RemoteWorld) {
			leadsToNorth(w)
			rekey(w, "--help", "west")
		}, three, "SEC004", []string{
			"Create a remote secret for north, which this one leads to:",
			"$ istioctl create-remote-secret --context=north --name=north -n istio-system | kubectl --context=east apply -f -",
			"Careful: requests for west that go to north by mistake stop. Remove this one:",
			"$ kubectl --context=east -n istio-system delete secret/--help",
			"Then create the remote secret that leads to west:", created,
		}},
		"a refused token, in a secret of another name": {func(w istiotest.RemoteWorld) {
			rekey(w, "far", "west")
			w.Reviews[w.Key("east", "west")] = facts.Review{Token: facts.Read[string]{State: facts.OK}, Refused: "invalid bearer token"}
		}, two, "SEC012", []string{
			"Careful: until the next step is done istiod has no endpoints of west, and requests to them stop. Remove the secret:",
			"$ kubectl --context=east -n istio-system delete secret/far",
			"Recreate the remote secret:", created,
			"Then restart istiod: when a remote secret is changed, version 1.29.1 does not pick it up (SEC018):",
			"$ kubectl --context=east -n istio-system rollout restart deployment/istiod",
		}},
		"a refused token, in a secret that External Secrets writes": {func(w istiotest.RemoteWorld) {
			w.Secret("east", "west").Owner = owner.Owner{
				Tool: owner.ExternalSecrets, Kind: "externalsecrets.external-secrets.io", Namespace: "istio-system", Name: "west",
			}
			w.Refuse("east", "west")
		}, two, "SEC012", []string{
			"Recreate the remote secret:",
			"$ istioctl create-remote-secret --context=west --name=west -n istio-system > remote-secret.yaml",
			"secret istio-system/istio-remote-secret-west is written by External Secrets, which undoes changes by hand. " +
				"Change the content in the store that ExternalSecret istio-system/west reads:",
			"$ kubectl --context=east -n istio-system describe externalsecrets.external-secrets.io west",
			"Then delete the file, which holds a credential:",
			"$ rm remote-secret.yaml",
			"Then restart istiod: when a remote secret is changed, version 1.29.1 does not pick it up (SEC018):",
			"$ kubectl --context=east -n istio-system rollout restart deployment/istiod",
		}},
		"another name than its own, in a secret that Argo CD writes": {func(w istiotest.RemoteWorld) {
			rekey(w, "far", "far")
			w.Secret("east", "far").Owner = owner.Owner{Tool: owner.ArgoCD, Kind: "application", Namespace: "argocd", Name: "mesh"}
		}, two, "SEC004", []string{
			"Create the remote secret for west with its own cluster ID:", created,
			strings.TrimSuffix(careful, ":") + ".",
			"secret istio-system/far is written by Argo CD, which undoes changes by hand. Change it in the repository of application argocd/mesh.",
		}},
		"misplaced, for a cluster of the fleet": {func(w istiotest.RemoteWorld) {
			w.Drop("east", "west")
			misplace(w, facts.LooseSecret{Namespace: "default", Name: "istio-remote-secret-west"})
		}, two, "SEC002", []string{
			"Create the remote secret in the namespace of istiod:", created,
			"Careful: this deletes the misplaced secret. istiod ignores it, so no traffic stops:",
			"$ kubectl --context=east -n default delete secret/istio-remote-secret-west",
		}},
		"misplaced, for a cluster that is not known": {func(w istiotest.RemoteWorld) {
			misplace(w, facts.LooseSecret{Namespace: "$(x)", Name: "far", Cluster: "far"})
		}, two, "SEC002", []string{
			"Write the secret into a file:",
			"$ kubectl --context=east -n '$(x)' get secret/far -o yaml > remote-secret.yaml",
			"In remote-secret.yaml, set metadata.namespace to istio-system, " +
				"and remove metadata.resourceVersion and metadata.uid. Then apply the file:",
			"$ kubectl --context=east apply -f remote-secret.yaml",
			"Then delete the file, which holds a credential:",
			"$ rm remote-secret.yaml",
			"Careful: this deletes the misplaced secret. istiod ignores it, so no traffic stops:",
			"$ kubectl --context=east -n '$(x)' delete secret/far",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			fleet, seen := istiotest.Remote(nil, c.do, c.clusters...)()
			r := run(t, fleet, seen)
			if diff := cmp.Diff(c.want, printed(t, r, c.code)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What removes a cluster that istiod may use says what stops.
func TestCareful(t *testing.T) {
	ignored := map[finding.Code]bool{"SEC002": true, "SEC006": true, "SEC007": true, "SEC026": true} // nothing stops
	for _, c := range istiotest.RemoteFaults {
		fleet, seen := c.Make()
		for _, f := range run(t, fleet, seen).Findings {
			for _, step := range f.Fix {
				removes := slices.ContainsFunc(step.Run, func(c finding.Command) bool {
					return slices.Contains(c.Args, "delete") || slices.Contains(c.Args, "patch")
				})
				if removes && !ignored[f.Code] && !strings.HasPrefix(step.Say, "Careful: ") {
					t.Errorf("%s: %s does not say what stops: %q", c.Name, f.ID(), step.Say)
				}
			}
		}
	}
}

// The kind of a reason survives: what is forbidden is told apart from what was not asked.
func TestKindsOfReasons(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(istiotest.RemoteWorld)
		code finding.Code
		want finding.ReasonKind
	}{
		"remote secrets": {func(w istiotest.RemoteWorld) {
			resources.RemoteSecrets.Set(w.Cluster("east"), forbidden[[]facts.RemoteSecret]())
		}, "SEC001", finding.Forbidden},
		"istiod": {func(w istiotest.RemoteWorld) { w.Istiods["east"] = forbidden[[]facts.IstiodView]() }, "SEC015", finding.Forbidden},
		"rights": {func(w istiotest.RemoteWorld) {
			w.Account("west", func(a *facts.Account) { a.Rights = forbidden[[]facts.Right]() })
		}, "SEC014", finding.Forbidden},
		"an API server": {func(w istiotest.RemoteWorld) {
			w.Sides["west"] = facts.Read[facts.RemoteSide]{State: facts.Failed, Reason: "no answer"}
		}, "SEC013", finding.Failed},
		"a dump":          {func(w istiotest.RemoteWorld) { *w.Seen = facts.Seen{NotAsked: "a dump"} }, "SEC012", finding.NotAsked},
		"drift seen once": {func(w istiotest.RemoteWorld) { w.Istiods["east"].Value[0].Shards.Value["west"] = nil }, "SEC019", finding.Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			found := false
			fleet, seen := istiotest.Remote(nil, c.do)()
			for _, u := range run(t, fleet, seen).Unknowns {
				if u.Cluster == "east" && slices.Contains(u.Codes, c.code) {
					found = true
					if u.Reason.Kind != c.want {
						t.Errorf("%+v", u.Reason)
					}
				}
			}
			if !found {
				t.Error("not unknown")
			}
		})
	}
}
