package views

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// CompareRoots says which roots the proxies of which clusters trust, and whether those of each accept
// what the issuer of each other one signs.
func CompareRoots(m *model.Mesh) view.Comparison {
	c := view.Comparison{Roots: []view.Root{}, Trust: []view.Relation{}}
	for _, f := range m.Facts().Clusters {
		of := m.Cluster(f.Context)
		row := view.ClusterRoots{Cluster: f.Context, Roots: []string{}}
		switch {
		case of == nil:
			row.Unknown = f.Unreached.Reason
		case of.Roots == nil:
			if why, lacks := rule.Lacks(of.Cluster, resources.TrustRoots); lacks {
				row.Unknown = why.Text
			} else {
				row.Missing = "no root certificate: configmap " + resources.ConfigMapRoots + " does not exist in namespace " + of.Namespace
			}
		default:
			row.Source = "configmap/" + resources.ConfigMapRoots
			for _, r := range of.Roots.Certificates {
				row.Roots = append(row.Roots, r.SHA256)
			}
			slices.Sort(row.Roots)
			if len(row.Roots) == 0 {
				row.Missing = "no root certificate: configmap " + resources.ConfigMapRoots + " holds none"
			}
			c.Hold(f.Context, of.Roots.Certificates)
		}
		c.Clusters = append(c.Clusters, row)
	}
	for _, from := range c.Clusters {
		for _, to := range c.Clusters {
			if from.Cluster != to.Cluster {
				c.Trust = append(c.Trust, relation(m, from, to))
			}
		}
	}
	c.Judge()
	return c
}

// relation says whether proxies of a cluster accept certificates of another one.
func relation(m *model.Mesh, from, to view.ClusterRoots) view.Relation {
	r := view.Relation{From: from.Cluster, To: to.Cluster, Verdict: view.Undecided}
	client, server := m.Cluster(from.Cluster), m.Cluster(to.Cluster)
	switch {
	case from.Unknown != "":
		r.Reason = from.Unknown
	case server == nil:
		r.Reason = to.Cluster + ": " + to.Unknown
	case from.Missing != "":
		r.Verdict, r.Reason = view.Distrusts, "it holds no root"
	case server.Issuer == nil || server.Issuer.Certificate == nil:
		r.Reason = to.Cluster + ": " + noIssuer(server)
	default:
		signer := pki.Short(server.Issuer.Certificate.SHA256)
		i := slices.IndexFunc(client.Roots.Certificates, func(root pki.Certificate) bool {
			return server.Issuer.Trusted([]pki.Certificate{root})
		})
		if i < 0 {
			r.Verdict, r.Reason = view.Distrusts, "no root for issuer "+signer
			return r
		}
		r.Verdict, r.Reason = view.Trusts, fmt.Sprintf("issuer %s verifies under root %s", signer, pki.Short(client.Roots.Certificates[i].SHA256))
	}
	return r
}

// noIssuer says why the issuer of a cluster is not known.
func noIssuer(c *model.Cluster) string {
	if why, lacks := rule.Lacks(c.Cluster, resources.Issuers); lacks {
		return why.Text
	}
	if c.Issuer == nil {
		return finding.In("secret", c.Namespace, resources.SecretIssuer).String() + " does not exist"
	}
	return finding.In("secret", c.Namespace, resources.SecretIssuer).String() + ": " + c.Issuer.Problem
}

// Certificates are the roots and issuers of all clusters.
func Certificates(m *model.Mesh) view.Certificates {
	var out view.Certificates
	for _, c := range m.Clusters {
		if c.Roots != nil {
			for _, root := range c.Roots.Certificates {
				out.Add(c.Context, "root", root)
			}
		}
		if c.Issuer != nil && c.Issuer.Certificate != nil {
			out.Add(c.Context, "issuer", *c.Issuer.Certificate)
		}
	}
	return out
}
