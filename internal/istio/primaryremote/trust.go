package primaryremote

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// otherRoot finds remote clusters in which the root of their primary is not published:
// proxies there check istiod by the published one.
func otherRoot(p pass) {
	for _, r := range remotes(p) {
		ns := r.Namespace(r.SystemNamespace)
		if ns == nil || r.lacks(p, resources.RootCert) {
			continue
		}
		published := resources.RootCert.Of(r.Cluster.Cluster).State == facts.OK
		var theirs []finding.Evidence
		same := false
		for _, cp := range r.by {
			if cp.Istiod.Env(istio.EnvRootCertConfigMap) != "" || cp.Istiod.On(istio.EnvClusterTrustBundles) || !cp.Mesh.Selects(ns.Labels) {
				same = true // it is published in another way, or not there
			}
			same = same || len(cp.Cluster.Roots()) == 0 || published && r.MayShareRoot(cp.Cluster)
			theirs = append(theirs, fingerprints(cp.Cluster))
		}
		if same {
			continue
		}
		f := finding.Finding{
			Code: "PR008", Severity: finding.Error, Clusters: []string{r.Context},
			Object:   finding.In("configmap", r.SystemNamespace, istio.RootCertConfigMap),
			Title:    "the root that is published in the remote cluster is not that of its primary",
			Evidence: append([]finding.Evidence{fingerprints(r.Cluster)}, theirs...),
			Effect:   "proxies there do not trust istiod: x509: certificate signed by unknown authority",
			CausedBy: r.cause(p, "PR005"),
			Fix: []finding.Step{
				finding.Say("Careful: until the primary writes the configmap again, new pods with a proxy in its namespace, such as gateways, " +
					"do not start. It does so only in clusters that it manages: fix PR005 and PR011 first. Then delete the configmap:").
					By(finding.Kubectl(r.Context, "-n", r.SystemNamespace, "delete", "configmap/"+istio.RootCertConfigMap)),
				finding.Say("Then restart the workloads."),
			},
		}
		if resources.RootCert.Of(r.Cluster.Cluster).State == facts.Absent {
			f.Title = "no root is published in the remote cluster"
			f.Evidence[0].Field, f.Evidence[0].Value = "configmap "+istio.RootCertConfigMap, "does not exist"
			f.Effect = "pods with a sidecar do not start: configmap " + istio.RootCertConfigMap + " not found"
			f.Fix = []finding.Step{readLog("the root", r.by)}
		}
		p.Report(f)
	}
}

// fingerprints is evidence of the root that is published in a cluster.
func fingerprints(c *model.Cluster) finding.Evidence {
	var out []string
	for _, f := range c.Roots() {
		out = append(out, pki.Short(f))
	}
	return finding.Evidence{
		Cluster: c.Context, Field: "configmap " + istio.RootCertConfigMap + ", SHA-256", Value: evidence.OrNone(strings.Join(out, ", ")),
	}
}

// serverNames finds remote clusters that call istiod by a name which its certificate does
// not have. A webhook is checked where it trusts the mesh's root alone: with another one
// something in front of istiod ends TLS.
func serverNames(p pass) {
	for _, r := range remotes(p) {
		names, sure := r.certificateNames()
		if !sure {
			continue
		}
		fits := fitting(names)
		wrong := r.wrongDiscovery(p, fits)
		if len(r.untrusted(p)) == 0 { // PR014 says it where pods are refused already
			wrong = append(wrong, r.wrongInjection(p, fits)...)
		}
		if len(wrong) == 0 {
			continue
		}
		host := wrong[0].Value
		for _, cp := range r.by {
			own, _ := cp.CertificateNames()
			wrong = append(wrong, finding.Evidence{
				Cluster: cp.Context, Field: "names in the certificate of " + cp.String(), Value: strings.Join(own, ", "),
			})
		}
		p.Report(finding.Finding{
			Code: "PR013", Severity: finding.Error, Clusters: []string{r.Context}, Object: objectServerNames,
			Title: titleServerNames, Evidence: wrong, Effect: effectServerNames,
			Fix: callableBy(r.by[0], host),
		})
	}
}

// certificateNames are the names in the certificates of the control planes; false where they are not known.
func (r remote) certificateNames() (names []string, sure bool) {
	sure = true
	for _, cp := range r.by {
		own, known := cp.CertificateNames()
		names, sure = append(names, own...), sure && known
	}
	return names, sure
}

// fitting tells the host names that a certificate with some names is good for.
func fitting(names []string) func(string) bool {
	return func(host string) bool {
		return slices.Contains(names, host) || slices.Contains(names, strings.TrimSuffix(host, ".cluster.local"))
	}
}

// wrongDiscovery is a line for each name that does not fit by which proxies call istiod.
// Those of Services that do not exist are the matter of PR010.
func (r remote) wrongDiscovery(p pass, fits func(string) bool) []finding.Evidence {
	var out []finding.Evidence
	seen := map[string]bool{}
	for _, pod := range r.ProxyPods() {
		host := model.DiscoveryHost(pod)
		name, ok := model.ServiceOfHost(host)
		if !ok || r.Service(name.Namespace, name.Name) == nil || fits(host) || seen[host] || r.answersTo(p, probing.Discovery, host) {
			continue
		}
		seen[host] = true
		out = append(out, finding.Evidence{Cluster: r.Context, Field: istio.WorkloadOf(pod).String() + ", discoveryAddress", Value: host})
	}
	return out
}

// wrongInjection is a line for each name that does not fit by which webhooks call istiod.
func (r remote) wrongInjection(p pass, fits func(string) bool) []finding.Evidence {
	var out []finding.Evidence
	for _, i := range r.Injectors() {
		host := i.Host()
		if host == "" || fits(host) || r.answersTo(p, probing.Injection, host) || !r.trustsMesh(i) {
			continue
		}
		out = append(out, finding.Evidence{Cluster: r.Context, Field: i.Object().String() + ", host", Value: host})
	}
	return out
}

// trustsMesh reports whether the CA bundle of a webhook has a root of a control plane.
func (r remote) trustsMesh(i model.Injector) bool {
	bundle := pki.ParseBundle(i.ClientConfig.CABundle).Certificates
	return slices.ContainsFunc(r.by, func(cp *model.ControlPlane) bool {
		return slices.ContainsFunc(bundle, func(c pki.Certificate) bool { return slices.Contains(cp.Cluster.Roots(), c.SHA256) })
	})
}

// answersTo reports whether istiod was seen to have a certificate for the name by which
// the cluster calls it.
func (r remote) answersTo(p pass, purpose probing.Purpose, host string) bool {
	return slices.ContainsFunc(probing.Given(p.Model), func(t probing.Trial) bool {
		return t.For == r.Context && t.Purpose == purpose && t.Target.Host == host && t.Result == probing.Trusted
	})
}

// objectServerNames is what has to be called by another name.
var objectServerNames = finding.Kind("istiod")

const (
	titleServerNames  = "the remote cluster calls istiod by a name that its certificate does not have"
	effectServerNames = "the TLS handshake fails (x509: certificate is valid for other names): " +
		"proxies get no configuration, or pods are not injected"
)

// callableBy are the steps after which istiod's certificate has another name.
func callableBy(cp *model.ControlPlane, host string) []finding.Step {
	if own, known := cp.CertificateNames(); known && slices.Contains(own, host) {
		return []finding.Step{
			finding.Say("Restart istiod. It is set to have that name, so that what answers serves a previous certificate, or is another istiod:").
				By(remedy.RestartIstiod(cp.Context, cp.Istiod)),
		}
	}
	names := strings.Trim(cp.Istiod.Env(istio.EnvCustomHost)+","+host, ",")
	return []finding.Step{
		finding.Say("Use one of the names in the certificate, with the same revision in both installations."),
		finding.Say("Or add the name to %s in values.pilot.env of istiod's installation. To add it at once, which restarts istiod:",
			istio.EnvCustomHost).
			By(remedy.SetIstiodVariable(cp.Context, cp.Istiod, istio.EnvCustomHost, names)),
	}
}
