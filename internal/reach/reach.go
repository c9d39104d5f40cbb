// Package reach holds the rules about reaching the fleet itself (codes FLT):
// they are the same in every plugin. Everything in it is pure.
package reach

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
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

// Codes are all codes that Judge can find.
func Codes() []finding.Code {
	codes := []finding.Code{"FLT007", "FLT008", "FLT009"}
	for _, w := range ways {
		codes = append(codes, w.code)
	}
	slices.Sort(codes)
	return codes
}

// Judge says which clusters were not reached and why, which clusters of the mesh
// are beyond the kubeconfig, and which contexts lead nowhere useful.
func Judge(fleet *facts.Fleet) finding.Result {
	var r finding.Result
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		if c.Unreached != nil {
			r.Add(unreached(c))
			continue
		}
		if f, ok := noIstio(c); ok {
			r.Add(f)
		} else if !resources.Webhooks.Of(c).Known() && resources.Webhooks.Of(c).State != facts.NotAsked && mayLackIstio(c) {
			why, _ := rule.Lack("mutatingwebhookconfigurations", resources.Webhooks.Of(c))
			r.NotChecked(c.Context, why, "FLT008")
		}
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

// noIstio: nothing of Istio where it was looked for. Only what was really read
// counts.
func noIstio(c *facts.Cluster) (finding.Finding, bool) {
	if !mayLackIstio(c) || !resources.Webhooks.Of(c).Known() || len(resources.Webhooks.Of(c).Value) > 0 {
		return finding.Finding{}, false
	}
	f := finding.Finding{
		Code: "FLT008", Severity: finding.Warning, Clusters: []string{c.Context},
		Title: "no Istio was found in namespace " + c.SystemNamespace,
		Evidence: []finding.Evidence{
			{Field: "deployments with label " + istio.IstiodSelector, Value: "none in " + c.SystemNamespace},
			{Field: "configmap " + c.SystemNamespace + "/" + istio.RootCertConfigMap, Value: "does not exist"},
		},
		Effect: "the cluster is not part of a mesh, or its control plane is in another namespace",
		Fix:    []finding.Step{finding.Say("Name the namespace of the control plane with -i, or leave the cluster out of --contexts.")},
	}
	var elsewhere []string
	for _, d := range resources.Istiods.Of(c).Value {
		elsewhere = append(elsewhere, d.Namespace)
	}
	if len(elsewhere) > 0 {
		slices.Sort(elsewhere)
		elsewhere = slices.Compact(elsewhere)
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "istiod runs in", Value: strings.Join(elsewhere, ", ")})
		f.Fix = []finding.Step{finding.Say("Look there: -i %s.", elsewhere[0])}
	}
	return f, true
}

// mayLackIstio reports whether nothing but the injection webhooks could still
// show that there is Istio.
func mayLackIstio(c *facts.Cluster) bool {
	has, known := istio.HasControlPlane(c)
	return !has && known && resources.RootCert.Of(c).State == facts.Absent
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
		for _, ns := range resources.Namespaces.Of(&c).Value {
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
				Fix:      []finding.Step{finding.Say("Name each cluster once in --contexts; or a context leads to another cluster than its name says.")},
			})
		}
	}
	return out
}
