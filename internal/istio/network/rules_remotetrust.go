package network

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgeRemoteRoot: the proxies of a remote cluster check istiod by the root that is
// published there, which has to be the primary's.
func judgeRemoteRoot(j *judgement, members []*member) {
	for _, m := range members {
		planes, ns := m.serving(), m.namespaces[m.SystemNamespace]
		if !m.isRemote() || len(planes) == 0 || ns == nil {
			continue
		}
		if !resources.RootCert.Of(m.Cluster).Known() {
			j.CannotJudge(m.Context, "configmap "+istio.RootCertConfigMap+": "+resources.RootCert.Of(m.Cluster).Why(), "PR008")
			continue
		}
		var theirs []finding.Evidence
		same := false
		for _, v := range planes {
			if v.Istiod.Env(istio.EnvRootCertConfigMap) != "" || v.Istiod.On(istio.EnvClusterTrustBundles) || !v.Mesh.Selects(ns.Labels) {
				same = true // it is published in another way, or not there
			}
			fingerprints := roots(resources.RootCert.Of(v.own.Cluster))
			same = same || len(fingerprints) == 0 || resources.RootCert.Of(m.Cluster).State == facts.OK && sharesRoot(resources.RootCert.Of(m.Cluster), resources.RootCert.Of(v.own.Cluster))
			theirs = append(theirs, finding.Evidence{Cluster: v.Context, Field: "configmap " + istio.RootCertConfigMap + ", SHA-256", Value: orNone(short(fingerprints))})
		}
		if same {
			continue
		}
		f := finding.Finding{
			Code: "PR008", Severity: finding.Error, Clusters: []string{m.Context}, Object: "configmap " + m.SystemNamespace + "/" + istio.RootCertConfigMap,
			Title:    "the root that is published in the remote cluster is not that of its primary",
			Evidence: append([]finding.Evidence{{Cluster: m.Context, Field: "configmap " + istio.RootCertConfigMap + ", SHA-256", Value: orNone(short(roots(resources.RootCert.Of(m.Cluster))))}}, theirs...),
			Effect:   "proxies there do not trust istiod: x509: certificate signed by unknown authority",
			CausedBy: j.of(m.Context, "", "PR005"),
			Fix: []string{
				"# the primary writes it anew once it is gone, if it takes the cluster for its own (PR005); then restart the workloads",
				finding.Kubectl(m.Context, "-n %s delete configmap %s", finding.Quote(m.SystemNamespace), istio.RootCertConfigMap),
			},
		}
		if resources.RootCert.Of(m.Cluster).State == facts.Absent {
			f.Title = "no root is published in the remote cluster"
			f.Evidence[0].Field, f.Evidence[0].Value = "configmap "+istio.RootCertConfigMap, "does not exist"
			f.Effect = "pods with a sidecar do not start: configmap " + istio.RootCertConfigMap + " not found"
			f.Fix = []string{"# the primary writes it if it takes the cluster for its own (PR005); its log says why it does not:"}
			for _, v := range planes {
				f.Fix = append(f.Fix, finding.Kubectl(v.Context, "-n %s logs deployment/%s --since=1h", finding.Quote(v.Istiod.Namespace), finding.Quote(v.Istiod.Name)))
			}
		}
		j.Add(f)
	}
}

// judgeServerNames: what a remote cluster calls istiod has to be among the names of
// its certificate. A webhook is judged where it trusts the mesh's root alone: with
// another one something in front of istiod ends TLS.
func judgeServerNames(j *judgement, members []*member) {
	for _, m := range members {
		planes := m.serving()
		if !m.isRemote() || len(planes) == 0 {
			continue
		}
		var names []string
		sure := true
		for _, v := range planes {
			own, known := v.names()
			names, sure = append(names, own...), sure && known
		}
		if !sure {
			continue
		}
		fits := func(host string) bool {
			return slices.Contains(names, host) || slices.Contains(names, strings.TrimSuffix(host, ".cluster.local"))
		}
		var evidence []finding.Evidence
		seen := map[string]bool{}
		for _, p := range m.proxies {
			host := discoveryHost(p)
			if name, ok := serviceOfHost(host); ok && m.service(name) != nil && !fits(host) && !seen[host] && !j.answersTo(m, Discovery, host) { // else PR010
				seen[host] = true
				evidence = append(evidence, finding.Evidence{Cluster: m.Context, Field: istio.WorkloadOf(p).String() + ", discoveryAddress", Value: host})
			}
		}
		for _, i := range m.injectors() {
			host := i.host()
			if host == "" || fits(host) || j.answersTo(m, Injection, host) || !slices.ContainsFunc(planes, func(v *view) bool {
				theirs := roots(resources.RootCert.Of(v.own.Cluster))
				return slices.ContainsFunc(fingerprints(i.ClientConfig.CABundle), func(f string) bool { return slices.Contains(theirs, f) })
			}) {
				continue
			}
			evidence = append(evidence, finding.Evidence{Cluster: m.Context, Field: i.object() + ", host", Value: host})
		}
		if len(evidence) == 0 {
			continue
		}
		for _, v := range planes {
			own, _ := v.names()
			evidence = append(evidence, finding.Evidence{Cluster: v.Context, Field: "names in the certificate of " + v.name(), Value: strings.Join(own, ", ")})
		}
		j.Add(finding.Finding{
			Code: "PR013", Severity: finding.Error, Clusters: []string{m.Context}, Object: objectServerNames,
			Title: titleServerNames, Evidence: evidence, Effect: effectServerNames,
			Fix: planes[0].callable(evidence[0].Value),
		})
	}
}

const (
	objectServerNames = "istiod"
	titleServerNames  = "the remote cluster calls istiod by a name that its certificate does not have"
	effectServerNames = "the TLS handshake fails (x509: certificate is valid for other names): proxies get no configuration, or pods are not injected"
)

// callable are the commands that have istiod take another name into its certificate.
func (v *view) callable(host string) []string {
	if own, known := v.names(); known && slices.Contains(own, host) {
		return []string{
			"# istiod is told to have that name: what answers has a certificate of before, or is another istiod",
			finding.Kubectl(v.Context, "-n %s rollout restart deployment/%s", finding.Quote(v.Istiod.Namespace), finding.Quote(v.Istiod.Name)),
		}
	}
	return []string{
		"# use one of the certificate's names, with the same revision in both installations, or add the name to istiod's (values.pilot.env):",
		finding.Kubectl(v.Context, "-n %s set env deployment/%s %s=%s", finding.Quote(v.Istiod.Namespace), finding.Quote(v.Istiod.Name), istio.EnvCustomHost, finding.Quote(strings.Trim(v.Istiod.Env(istio.EnvCustomHost)+","+host, ","))),
	}
}

// answersTo reports whether istiod was seen to have a certificate for the name by which
// a remote cluster calls it.
func (j *judgement) answersTo(m *member, purpose Purpose, host string) bool {
	return slices.ContainsFunc(j.Trials, func(t Trial) bool {
		return t.For == m.Context && t.Purpose == purpose && t.target.Host == host && t.Result == Trusted
	})
}
