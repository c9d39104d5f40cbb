package remotesecrets

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// externalControlPlanes (SEC024): an external control plane looks for remote secrets in
// the cluster that it configures, unless it is told otherwise; and its kubeconfig for that
// cluster is labeled as a remote secret too (istioctl/pkg/multicluster/remote_secret.go).
func externalControlPlanes(p *pass) {
	for _, c := range primaries(p) {
		for _, r := range c.Remotes {
			kubeconfig := r.Name == istio.ExternalKubeconfig
			switch {
			case c.SecretsElsewhere != nil && !kubeconfig:
				p.Gather(unusedByExternal(r))
			case c.SecretsElsewhere == nil && kubeconfig && r.ClusterID == "config":
				p.Gather(kubeconfigAsCluster(r))
			}
		}
	}
}

func unusedByExternal(r *model.RemoteSecret) finding.Finding {
	namespace := r.In.SystemNamespace
	return finding.Finding{
		Code: "SEC024", Severity: finding.Error, Clusters: []string{r.In.Context}, Object: r.Object(),
		Title: "an external control plane does not use the remote secrets of its own cluster",
		Evidence: []finding.Evidence{
			{Field: "istiod, " + istio.EnvExternalIstiod, Value: "true"},
			{Field: "istiod, " + istio.EnvLocalSecretWatcher, Value: "not true"},
			{Field: "secret " + istio.ExternalKubeconfig, Value: "in " + namespace},
		},
		Effect: unwatchedEffect(r.In, "cluster "+r.ClusterID),
		Fix: []finding.Step{
			finding.Say("Create the remote secret in namespace %s of the cluster that istiod configures.", namespace),
			finding.Say("Or set pilot.env." + istio.EnvLocalSecretWatcher + " to \"true\" in the values of istiod's installation."),
		},
	}
}

func kubeconfigAsCluster(r *model.RemoteSecret) finding.Finding {
	return finding.Finding{
		Code: "SEC024", Severity: finding.Note, Clusters: []string{r.In.Context}, Object: r.Object(),
		Title:    "istiod uses the kubeconfig of an external control plane as a remote cluster called config",
		Evidence: []finding.Evidence{serverOf(r), {Field: r.Object().String() + ", label " + istio.MultiClusterLabel, Value: "true"}},
		Effect:   "the endpoints of that cluster are there twice, and a cluster config appears in metrics and locality rules",
		Fix: []finding.Step{
			finding.Say("Remove the label. istiod keeps its own connection to that cluster:").
				By(secret(r.In, "label", r.Namespace, r.Name, istio.MultiClusterLabel+"-")),
		},
	}
}

// misplacedSecrets (SEC002): istiod looks for remote secrets in its own namespace alone.
func misplacedSecrets(p *pass) {
	for _, c := range watching(p) {
		if why, lacks := rule.Lack("secrets of all namespaces", resources.StraySecrets.Of(c.Cluster)); lacks {
			p.NotChecked(c.Context, why)
			continue
		}
		for _, s := range c.MisplacedSecrets() {
			f := finding.Finding{
				Code: "SEC002", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.In("secret", s.Namespace, s.Name),
				Title: "a remote secret is in a namespace in which istiod does not look",
				Evidence: []finding.Evidence{
					{Field: "namespace of the secret", Value: s.Namespace}, {Field: "namespace of istiod", Value: c.SystemNamespace},
				},
				Effect: "istiod does not know of it, and says nothing",
				Fix:    moved(p.Model, c, s),
			}
			isCopy := func(r *model.RemoteSecret) bool {
				return r.Name == s.Name || s.Cluster != "" && r.ClusterID == s.Cluster
			}
			if slices.ContainsFunc(c.Remotes, isCopy) {
				f.Severity, f.Effect = finding.Warning, "istiod does not know of it, and uses the one in "+c.SystemNamespace
				f.Fix = nil
			}
			gone := finding.Say("Careful: this deletes the misplaced secret. istiod ignores it, so no traffic stops:").By(
				secret(c, "delete", s.Namespace, s.Name))
			if s.Owner.WritesAgain() {
				gone = s.Owner.Step(c.Context, f.Object)
			}
			f.Fix = append(f.Fix, gone)
			p.Report(f)
		}
	}
}

// moved are the steps that bring a misplaced Secret into the namespace of istiod: istioctl
// creates it again where it is known for which cluster of the fleet it is.
func moved(m *model.Mesh, c *model.Cluster, s facts.LooseSecret) []finding.Step {
	id := s.Cluster
	if id == "" {
		id, _ = strings.CutPrefix(s.Name, istio.RemoteSecretPrefix)
	}
	if to := m.Named(id); to != nil && to != c {
		return []finding.Step{creating(c, to, id, "Create the remote secret in the namespace of istiod:")}
	}
	const file = "remote-secret.yaml"
	get := secret(c, "get", s.Namespace, s.Name, "-o", "yaml")
	get.Into = file
	return []finding.Step{
		finding.Say("Write the secret into a file:").By(get),
		finding.Say("In "+file+", set metadata.namespace to %s, and remove metadata.resourceVersion and metadata.uid. Then apply the file:",
			c.SystemNamespace).By(finding.Kubectl(c.Context, "apply", "-f", file)),
		finding.Say("Then delete the file, which holds a credential:").By(finding.Shell("rm", file)),
	}
}

// unlabeledSecrets (SEC003): the label has to be there, and "true" to the letter.
func unlabeledSecrets(p *pass) {
	for _, c := range watching(p) {
		if why, lacks := rule.Lack("secrets of "+c.SystemNamespace, resources.SystemSecrets.Of(c.Cluster)); lacks {
			p.NotChecked(c.Context, why)
		}
		for _, s := range c.UnlabeledSecrets() {
			value := "none"
			if s.Labelled {
				value = fmt.Sprintf("%q", s.Label)
			}
			f := finding.Finding{
				Code: "SEC003", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.In("secret", s.Namespace, s.Name),
				Title: "a remote secret lacks the label by which istiod finds it",
				Evidence: []finding.Evidence{
					{Field: "label " + istio.MultiClusterLabel, Value: value},
					{Field: "annotation " + istio.AnnotationCluster, Value: cmp.Or(s.Cluster, "none")},
				},
				Effect: "istiod does not know of it, and says nothing",
				Fix: []finding.Step{
					finding.Say("Label the secret, so that istiod finds it:").
						By(secret(c, "label", s.Namespace, s.Name, istio.MultiClusterLabel+"=true", "--overwrite")),
				},
			}
			if s.Owner.Known() {
				f.Fix = append(f.Fix, s.Owner.Step(c.Context, f.Object))
			}
			p.Report(f)
		}
	}
}
