package certs

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// refusedBySigner: istio-csr signs for one cluster ID and one trust domain, and refuses every
// other one. Its own default for the ID is Kubernetes (cert-manager/istio-csr, cmd/app/options;
// security/pkg/server/ca/authenticate/kubeauth/kube_jwt.go, getKubeClient).
func refusedBySigner(p *pass) {
	for _, a := range able(p) {
		if a.issuer.Kind != istio.IssuerIstioCSR {
			continue
		}
		if why, lacks := rule.Lacks(a.Cluster, resources.IstioCSRs); lacks {
			p.NotChecked(a.Context, why)
			continue
		}
		csr, ok := a.signer()
		if !ok {
			continue
		}
		ids := istio.ProxyClusterIDs(a.Cluster)
		from := "proxies, " + istio.EnvProxyClusterID
		if len(ids) == 0 && len(a.istiods) > 0 {
			ids, from = []string{a.istiods[0].ClusterID()}, "deployment "+a.istiods[0].Name+", "+istio.EnvClusterID
		}
		if len(ids) > 0 && !slices.Contains(ids, csr.ClusterID) {
			p.Report(a.signsForAnother(csr, "cluster ID", istio.ArgClusterID, csr.ClusterID, ids[0], from, "app.server.clusterID"))
			continue
		}
		for _, mesh := range a.meshes {
			if mesh.TrustDomain != csr.TrustDomain {
				p.Report(a.signsForAnother(csr, "trust domain", istio.ArgTrustDomain, csr.TrustDomain, mesh.TrustDomain,
					"configmap "+mesh.ConfigMap+", trustDomain", "app.tls.trustDomain"))
				break
			}
		}
	}
}

// signer is the istio-csr that the cluster's proxies ask: the only one, or the one whose
// Service is in the address.
func (a *authority) signer() (istio.CSRSigner, bool) {
	all := istio.SignersByCSR(a.Cluster)
	host, _, err := net.SplitHostPort(a.issuer.Name)
	if err != nil {
		host = a.issuer.Name
	}
	i := slices.IndexFunc(all, func(c istio.CSRSigner) bool { return strings.HasPrefix(host+".", c.Name+"."+c.Namespace+".") })
	switch {
	case i >= 0:
		return all[i], true
	case len(all) == 1:
		return all[0], true
	}
	return istio.CSRSigner{}, false
}

// signsForAnother is the finding about an istio-csr that refuses the proxies of its cluster.
func (a *authority) signsForAnother(csr istio.CSRSigner, what, argument, signs, asked, from, value string) finding.Finding {
	deployment := finding.In("deployment", csr.Namespace, csr.Name)
	f := finding.Finding{
		Code: "CERT036", Severity: finding.Error, Clusters: []string{a.Context}, Object: deployment,
		Title: fmt.Sprintf("istio-csr signs for %s %s, and the proxies are of %s", what, signs, asked),
		Evidence: []finding.Evidence{
			{Field: deployment.String() + ", " + argument, Value: signs},
			{Field: from, Value: asked},
		},
		Effect: "no proxy gets a certificate: sidecars and gateways do not become ready",
		Fix: []finding.Step{finding.Say("Set %s to %s in the values of istio-csr. Where the cert-manager operator of OpenShift installs it, "+
			"set it in the IstioCSR resource. Proxies ask again by themselves.", value, asked)},
	}
	if csr.Owner.Known() {
		f.Fix = append(f.Fix, csr.Owner.Step(a.Context, deployment))
	}
	return f
}
