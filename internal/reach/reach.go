// Package reach holds the rules about reaching the fleet itself (codes FLT):
// they are the same in every plugin. Everything in it is pure.
package reach

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// way is what is said of one way in which a cluster is not reached.
type way struct {
	code  finding.Code
	title string
	fix   func(context string) []finding.Step
}

func by(args ...string) func(string) []finding.Step {
	return func(context string) []finding.Step {
		return []finding.Step{finding.Say("See for yourself:").By(finding.Kubectl(context, args...))}
	}
}

func advice(sentence string) func(string) []finding.Step {
	return func(string) []finding.Step { return []finding.Step{finding.Say(sentence)} }
}

var ways = map[facts.UnreachedKind]way{
	facts.NoConnection: {"FLT001", "the API server cannot be connected to",
		func(context string) []finding.Step {
			return []finding.Step{
				finding.Say("Check the server's address in the kubeconfig, the VPN and the proxy. Where it can be reached, this works:").
					By(finding.Kubectl(context, "cluster-info")),
			}
		}},
	facts.TimedOut: {"FLT002", "the cluster did not answer in time",
		advice("Allow more time with --timeout, or check the network to it: a firewall that drops packets looks like this.")},
	facts.Unauthorized: {"FLT003", "the API server refused the credentials",
		advice("Log in to the cluster again: the kubeconfig's token or certificate has expired or was withdrawn.")},
	facts.NoRights: {"FLT004", "the user has no rights in the cluster",
		by("auth", "can-i", "--list", "--namespace=istio-system")},
	facts.Untrusted: {"FLT005", "the API server's certificate is not trusted",
		advice("Fetch the kubeconfig again. If it did not change, ask why the server has another certificate before you go on.")},
	facts.PluginFailed: {"FLT006", "the credential plugin of the kubeconfig failed",
		by("get", "--raw", "/version")},
	facts.BadContext: {"FLT010", "the kubeconfig's context cannot be used",
		by("config", "view", "--minify")},
	facts.ServerError: {"FLT011", "the server does not answer as an API server should",
		by("get", "--raw", "/readyz?verbose")},
}

// Reports are the codes that Check can find, with their severities.
func Reports() []rule.Report {
	reports := []rule.Report{
		rule.May("FLT007", finding.Warning), rule.May("FLT008", finding.Warning, finding.Note), rule.May("FLT009", finding.Warning),
	}
	for _, w := range ways {
		reports = append(reports, rule.May(w.code, finding.Error))
	}
	slices.SortFunc(reports, func(a, b rule.Report) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return reports
}

// Check says which clusters were not reached and why, which clusters of a mesh are
// beyond the kubeconfig, and which contexts lead nowhere useful.
func Check(fleet *facts.Fleet, meshes []mesh.Mesh) finding.Result {
	var r finding.Result
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		if c.Unreached != nil {
			r.Add(unreached(c))
			continue
		}
		noMesh(&r, fleet, c, meshes)
	}
	for _, b := range fleet.Beyond {
		r.Add(beyond(b))
	}
	for _, f := range sameCluster(fleet) {
		r.Add(f)
	}
	r.Sort()
	return r
}

func unreached(c *facts.Cluster) finding.Finding {
	w, ok := ways[c.Unreached.Kind]
	if !ok {
		w = ways[facts.ServerError]
	}
	f := finding.Finding{
		Code: w.code, Severity: finding.Error, Clusters: []string{c.Context}, Title: w.title,
		Evidence: []finding.Evidence{{Field: "reason", Value: c.Unreached.Reason}},
		Effect:   "nothing can be said about this cluster, nor about what it has to do with the others",
		Fix:      w.fix(c.Context),
	}
	if c.Server != "" {
		f.Evidence = append([]finding.Evidence{{Field: "server", Value: c.Server}}, f.Evidence...)
	}
	return f
}

// noMesh: nothing of any mesh where it was looked for. Only what was really read tells.
func noMesh(r *finding.Result, fleet *facts.Fleet, c *facts.Cluster, meshes []mesh.Mesh) {
	f := finding.Finding{
		Code: "FLT008", Severity: finding.Warning, Clusters: []string{c.Context},
		Effect: "the cluster is not part of a mesh, or its control plane is in another namespace",
		Fix:    []finding.Step{finding.Say("Name the namespace of the control plane with -i, or leave the cluster out of --contexts.")},
	}
	if slices.ContainsFunc(meshes, func(m mesh.Mesh) bool { return m.Presence(c).Found }) {
		return
	}
	var missing, elsewhere []string
	for _, m := range meshes {
		p := m.Presence(c)
		if p.Unknown != (finding.Reason{}) {
			if p.Unknown.Kind != finding.NotRead {
				r.NotChecked(c.Context, p.Unknown, f.Code)
			}
			return
		}
		missing, elsewhere = append(missing, p.Missing), append(elsewhere, p.Elsewhere...)
		f.Evidence = append(f.Evidence, p.Evidence...)
	}
	if len(missing) == 0 {
		return
	}
	f.Title = strings.Join(missing, "; ")
	if elsewhere = finding.Distinct(elsewhere); len(elsewhere) > 0 {
		f.Fix = []finding.Step{finding.Say("Look there: -i %s.", elsewhere[0])}
	}
	if len(elsewhere) == 0 && !isNamed(fleet, c, meshes) {
		f.Severity = finding.Note // a cluster that only deploys to the mesh, or has nothing to do with it
	}
	r.Add(f)
}

// isNamed reports whether a cluster is one to which others of the fleet lead, or may be one: what they lead
// to was not read, or no cluster has a mesh.
func isNamed(fleet *facts.Fleet, c *facts.Cluster, meshes []mesh.Mesh) bool {
	found := false
	for i := range fleet.Clusters {
		other := &fleet.Clusters[i]
		if other.Context == c.Context || other.Unreached != nil {
			continue
		}
		for _, m := range meshes {
			if !m.Presence(other).Found {
				continue
			}
			found = true
			peers := m.Peers(other)
			if peers.Unknown != "" || slices.ContainsFunc(peers.Peers, func(p mesh.Peer) bool {
				return serverurl.Same(p.Server, c.Server) || p.ClusterID == c.Context
			}) {
				return true
			}
		}
	}
	return !found
}

func beyond(b facts.BeyondReach) finding.Finding {
	named := "names cluster " + b.ClusterID + " at " + b.Server
	if b.Server == "" {
		named = "names cluster " + b.ClusterID + " in a kubeconfig that cannot be used"
	}
	namespace, name, _ := strings.Cut(b.Secret, "/")
	return finding.Finding{
		Code: "FLT007", Severity: finding.Warning, Clusters: []string{b.Context}, Object: finding.In("secret", namespace, name),
		Title:    fmt.Sprintf("no context of the kubeconfig reaches cluster %s of the mesh", b.ClusterID),
		Evidence: []finding.Evidence{{Field: "secret " + b.Secret, Value: named}},
		Effect:   "that cluster is not checked; or it is, by another address, when you name its context with --contexts",
		Fix:      []finding.Step{finding.Say("Add a context for it to the kubeconfig, or name the contexts yourself with --contexts.")},
	}
}

// sameCluster: two contexts of one cluster, which compares it with itself. The
// uid of namespace kube-system is a cluster's identity.
func sameCluster(fleet *facts.Fleet) []finding.Finding {
	contexts := map[string][]string{}
	var order []string
	for _, c := range fleet.Clusters {
		for _, ns := range kubernetes.Namespaces.Of(&c).Value {
			if ns.Name == "kube-system" && ns.UID != "" {
				if contexts[string(ns.UID)] == nil {
					order = append(order, string(ns.UID))
				}
				contexts[string(ns.UID)] = append(contexts[string(ns.UID)], c.Context)
			}
		}
	}
	var out []finding.Finding
	for _, uid := range order {
		if same := contexts[uid]; len(same) > 1 {
			out = append(out, finding.Finding{
				Code: "FLT009", Severity: finding.Warning, Clusters: same,
				Title:    "these contexts lead to the same cluster",
				Evidence: []finding.Evidence{{Field: "uid of namespace kube-system", Value: uid}},
				Effect:   "a cluster is compared with itself, and always agrees",
				Fix: []finding.Step{
					finding.Say("Name each cluster once in --contexts; or a context leads to another cluster than its name says."),
				},
			})
		}
	}
	return out
}
