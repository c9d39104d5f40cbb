package model

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// MisplacedSecrets are the remote secrets in namespaces in which no istiod looks.
func (c *Cluster) MisplacedSecrets() []facts.LooseSecret {
	var out []facts.LooseSecret
	for _, s := range resources.StraySecrets.Of(c.Cluster).Value {
		otherIstiod := func(d appsv1.Deployment) bool { return d.Namespace == s.Namespace }
		if s.Namespace != c.SystemNamespace && s.Label == "true" && !slices.ContainsFunc(resources.Istiods.Of(c.Cluster).Value, otherIstiod) {
			out = append(out, s)
		}
	}
	return out
}

// UnlabeledSecrets are the secrets in istiod's namespace that look like remote secrets and
// lack the label by which istiod finds them, which has to be "true" to the letter.
func (c *Cluster) UnlabeledSecrets() []facts.LooseSecret {
	loose := slices.Clone(resources.SystemSecrets.Of(c.Cluster).Value)
	for _, s := range resources.StraySecrets.Of(c.Cluster).Value {
		if s.Namespace == c.SystemNamespace && !slices.Contains(loose, s) {
			loose = append(loose, s)
		}
	}
	return slices.DeleteFunc(loose, func(s facts.LooseSecret) bool { return s.Label == "true" || s.Name == istio.ExternalKubeconfig })
}

// firstMeantFor is the first of some secrets that is meant to be the remote secret for a
// cluster; nil where there is none.
func firstMeantFor(secrets []facts.LooseSecret, to *Cluster) *facts.LooseSecret {
	for i, s := range secrets {
		if to.ID != "" && (s.Cluster == to.ID || s.Name == istio.RemoteSecretPrefix+to.ID) {
			return &secrets[i]
		}
	}
	return nil
}
