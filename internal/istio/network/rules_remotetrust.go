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
			j.NotChecked(m.Context, lack("configmap "+istio.RootCertConfigMap, resources.RootCert.Of(m.Cluster)), "PR008")
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
			Code: "PR008", Severity: finding.Error, Clusters: []string{m.Context},
			Object:   finding.In("configmap", m.SystemNamespace, istio.RootCertConfigMap),
			Title:    "the root that is published in the remote cluster is not that of its primary",
			Evidence: append([]finding.Evidence{{Cluster: m.Context, Field: "configmap " + istio.RootCertConfigMap + ", SHA-256", Value: orNone(short(roots(resources.RootCert.Of(m.Cluster))))}}, theirs...),
			Effect:   "proxies there do not trust istiod: x509: certificate signed by unknown authority",
			CausedBy: j.of(m.Context, finding.Object{}, "PR005"),
			Fix: []finding.Step{
				finding.Say("Careful: until the primary writes the configmap again, new pods with a proxy in its namespace, such as gateways, " +
					"do not start. It does so only in clusters that it manages: fix PR005 and PR011 first. Then delete the configmap:").
					By(finding.Kubectl(m.Context, "-n", m.SystemNamespace, "delete", "configmap/"+istio.RootCertConfigMap)),
				finding.Say("Then restart the workloads."),
			},
		}
		if resources.RootCert.Of(m.Cluster).State == facts.Absent {
			f.Title = "no root is published in the remote cluster"
			f.Evidence[0].Field, f.Evidence[0].Value = "configmap "+istio.RootCertConfigMap, "does not exist"
			f.Effect = "pods with a sidecar do not start: configmap " + istio.RootCertConfigMap + " not found"
			f.Fix = []finding.Step{readLog("the root", planes)}
		}
		j.Add(f)
	}
}

// readLog is the step that finds out why primaries do not write into a remote cluster.
func readLog(what string, planes []*view) finding.Step {
	step := finding.Say("Read the log of istiod, which writes %s into clusters that it manages (PR005), to see why it does not:", what)
	for _, v := range planes {
		step = step.By(finding.Kubectl(v.Context, "-n", v.Istiod.Namespace, "logs", "deployment/"+v.Istiod.Name, "--since=1h"))
	}
	return step
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
			evidence = append(evidence, finding.Evidence{Cluster: m.Context, Field: i.object().String() + ", host", Value: host})
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

// objectServerNames is what has to be called by another name.
var objectServerNames = finding.Kind("istiod")

const (
	titleServerNames  = "the remote cluster calls istiod by a name that its certificate does not have"
	effectServerNames = "the TLS handshake fails (x509: certificate is valid for other names): proxies get no configuration, or pods are not injected"
)

// callable are the steps after which istiod's certificate has another name.
func (v *view) callable(host string) []finding.Step {
	istiod := "deployment/" + v.Istiod.Name
	if own, known := v.names(); known && slices.Contains(own, host) {
		return []finding.Step{
			finding.Say("Restart istiod. It is set to have that name, so that what answers serves a previous certificate, or is another istiod:").
				By(finding.Kubectl(v.Context, "-n", v.Istiod.Namespace, "rollout", "restart", istiod)),
		}
	}
	names := strings.Trim(v.Istiod.Env(istio.EnvCustomHost)+","+host, ",")
	return []finding.Step{
		finding.Say("Use one of the names in the certificate, with the same revision in both installations."),
		finding.Say("Or add the name to %s in values.pilot.env of istiod's installation. To add it at once, which restarts istiod:",
			istio.EnvCustomHost).
			By(finding.Kubectl(v.Context, "-n", v.Istiod.Namespace, "set", "env", istiod, istio.EnvCustomHost+"="+names)),
	}
}

// answersTo reports whether istiod was seen to have a certificate for the name by which
// a remote cluster calls it.
func (j *judgement) answersTo(m *member, purpose Purpose, host string) bool {
	return slices.ContainsFunc(j.Trials, func(t Trial) bool {
		return t.For == m.Context && t.Purpose == purpose && t.target.Host == host && t.Result == Trusted
	})
}
