package certs

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// malformed: the text of the roots is not only certificates. Proxies pass over what is none;
// linkerd-identity ends when it starts, or sees a part of them
// (pkg/tls/codec.go, DecodePEMCertPool).
func malformed(p *pass) {
	for _, c := range model.Able(p) {
		f := finding.Finding{Code: "CERT103", Severity: finding.Error, Clusters: []string{c.Context}, Object: rootsObject(c)}
		switch r := c.Roots; {
		case r == nil:
			f.Title = "the ConfigMap with the roots that proxies trust is missing"
			f.Evidence = []finding.Evidence{{Field: "configmap " + c.Namespace + "/" + resources.ConfigMapRoots, Value: "does not exist"}}
			f.Effect = "the injector gives new pods no roots, and linkerd-identity does not start again"
		case len(r.Certificates) == 0:
			f.Title = "the roots that proxies trust are empty"
			f.Evidence = []finding.Evidence{{Field: inRoots(c), Value: "holds no certificate"}}
			f.Effect = "new proxies trust nobody, and linkerd-identity does not start again"
		case r.Trailing && !c.IdentityReads():
			f.Title = "text follows the last certificate of the roots"
			f.Evidence = []finding.Evidence{{Field: inRoots(c), Value: "something stands after the last certificate, if only an empty line"}}
			f.Effect = "linkerd-identity ends when it is started again; proxies read the same text without complaint"
		case len(r.Hidden) > 0 && hidesOwn(c):
			f.Title = "linkerd-identity does not see the root of its own issuer"
			f.Evidence = []finding.Evidence{
				{Field: inRoots(c), Value: fmt.Sprintf("a block of type %s stands before %s", r.Foreign, names(r.Hidden))},
			}
			f.Effect = "linkerd-identity reads up to that block, and ends when it is started again"
		case len(r.Hidden) > 0:
			f.Severity = finding.Note
			f.Title = "linkerd-identity and the CLI do not see all roots"
			f.Evidence = []finding.Evidence{
				{Field: inRoots(c), Value: fmt.Sprintf("a block of type %s stands before %s", r.Foreign, names(r.Hidden))},
			}
			f.Effect = "proxies trust all of them; linkerd check does not see those after the block"
		default:
			continue
		}
		f.Fix = rewriteRoots(c, "the certificates alone, each block once, and nothing after the last one")
		p.Report(f)
	}
}

func hidesOwn(c *model.Cluster) bool {
	return c.Issuer != nil && c.Issuer.Certificate != nil && c.Issuer.Trusted(c.Roots.Certificates) && !c.Issuer.Trusted(c.Roots.Seen())
}

// rewriteRoots are the steps that put other roots into the ConfigMap: at its owner, if it has one.
func rewriteRoots(c *model.Cluster, what string) []finding.Step {
	if c.Roots != nil {
		if steps := c.Roots.Owner().Steps(c.Context, rootsObject(c)); steps != nil {
			return append([]finding.Step{finding.Say("The roots have to be %s.", what)}, steps...)
		}
	}
	file := "ca-bundle.crt"
	upgrade := finding.Shell("linkerd", "--context="+c.Context, "upgrade", "--identity-trust-anchors-file="+file).
		To(finding.Kubectl(c.Context, "apply", "-f", "-"))
	return []finding.Step{
		finding.Say("Put into the file %s %s. Then give it to the installation (Helm: --set-file identityTrustAnchorsPEM):", file, what).
			By(upgrade),
		finding.Say("Then restart linkerd-identity, which reads the roots when it starts:").
			By(remedy.Restart(c.Context, finding.In("deployment", c.Namespace, "linkerd-identity"))),
	}
}

// otherSources: an upgrade puts the roots of the Helm values into the ConfigMap. With an external CA
// nobody does.
func otherSources(p *pass) {
	for _, c := range model.Able(p) {
		if c.Roots == nil || c.Values.Identity.ExternalCA || c.Values.IdentityTrustAnchorsPEM == "" {
			continue
		}
		values := model.ParseBundle([]byte(c.Values.IdentityTrustAnchorsPEM)).Certificates
		if slices.Equal(set(values), set(c.Roots.Certificates)) {
			continue
		}
		f := finding.Finding{
			Code: "CERT104", Severity: finding.Note, Clusters: []string{c.Context}, Object: finding.In("configmap", c.Namespace,
				resources.ConfigMapConfig),
			Title: "the Helm values have other roots than proxies use",
			Evidence: []finding.Evidence{
				{Field: "configmap " + c.Namespace + "/" + resources.ConfigMapConfig + ", identityTrustAnchorsPEM", Value: names(values)},
				{Field: inRoots(c), Value: names(c.Roots.Certificates)},
			},
			Effect: "the next linkerd upgrade without a file of roots puts those of the values back",
			Fix: []finding.Step{finding.Say("Give the roots of the ConfigMap to the installation as well:").By(
				into(finding.Kubectl(c.Context, "-n", c.Namespace, "get", "configmap/"+resources.ConfigMapRoots, "-o",
					`jsonpath={.data.ca-bundle\.crt}`), "ca-bundle.crt"),
				finding.Shell("linkerd", "--context="+c.Context, "upgrade", "--identity-trust-anchors-file=ca-bundle.crt").
					To(finding.Kubectl(c.Context, "apply", "-f", "-")))},
		}
		for _, other := range append([]*model.Cluster{c}, neighbors(p, c)...) {
			i := other.Issuer
			if i != nil && i.Certificate != nil && i.Trusted(c.Roots.Certificates) && !i.Trusted(values) {
				f.Severity = finding.Warning
				f.Effect = "the next linkerd upgrade puts back roots that do not verify the issuer of " + other.Context
				break
			}
		}
		p.Report(f)
	}
}

func into(c finding.Command, file string) finding.Command {
	c.Into = file
	return c
}

// neighbors are the clusters that a cluster is linked with, in either direction.
func neighbors(p *pass, c *model.Cluster) []*model.Cluster {
	var out []*model.Cluster
	for _, pair := range pairs(p) {
		switch c {
		case pair[0]:
			out = append(out, pair[1])
		case pair[1]:
			out = append(out, pair[0])
		}
	}
	return out
}

// oldIdentity: linkerd-identity reads the roots once, when it starts.
func oldIdentity(p *pass) {
	for _, c := range model.Able(p) {
		if c.Roots == nil {
			continue
		}
		at := c.Roots.Written()
		var old []*facts.Pod
		for _, pod := range c.Component("identity") {
			if started := model.StartedAt(pod, resources.IdentityContainer); !started.IsZero() && started.Before(at) &&
				at.After(c.Roots.CreationTimestamp.Time) {
				old = append(old, pod)
			}
		}
		if len(old) == 0 {
			continue
		}
		p.Report(finding.Finding{
			Code: "CERT110", Severity: finding.Note, Clusters: []string{c.Context},
			Object: finding.In("deployment", c.Namespace, "linkerd-identity"),
			Title:  "linkerd-identity runs since before the roots were changed",
			Evidence: []finding.Evidence{
				{Field: "configmap " + c.Namespace + "/" + resources.ConfigMapRoots + ", written", Value: date(at)},
				{Field: "pod " + old[0].Namespace + "/" + old[0].Name + ", started", Value: date(model.StartedAt(old[0], resources.IdentityContainer))},
			},
			Effect: "it refuses a new issuer that only the new roots verify, until it is restarted",
			Fix: []finding.Step{finding.Say("Restart it before you give it such an issuer:").
				By(remedy.Restart(c.Context, finding.In("deployment", c.Namespace, "linkerd-identity")))},
		})
	}
}
