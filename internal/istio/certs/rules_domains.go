package certs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// judgeMultiRoot: trust anchors in the mesh config that nobody gets.
func judgeMultiRoot(j *judgement) {
	for _, m := range j.reached() {
		if !m.meshKnown(j, "CERT016") || m.mode == External {
			continue
		}
		for _, mesh := range m.meshes {
			anchors := furtherRoots(mesh)
			if len(anchors) == 0 {
				continue
			}
			if why, lacks := rule.Lack("pods", resources.Proxies.Of(m.Cluster)); lacks && !istio.TakesAnchors(mesh.DefaultConfig.ProxyMetadata) {
				j.NotChecked(m.Context, why, "CERT016")
				continue
			}
			why := m.inert(mesh, anchors)
			if len(why) == 0 {
				continue
			}
			j.Add(finding.Finding{
				Code: "CERT016", Severity: finding.Error, Clusters: []string{m.Context},
				Object:   finding.In("configmap", m.SystemNamespace, mesh.ConfigMap),
				Title:    "the further roots in caCertificates of the mesh config are not in effect",
				Evidence: append([]finding.Evidence{{Field: "caCertificates", Value: fmt.Sprintf("%d entries", len(anchors))}}, why...),
				Effect:   "workloads do not trust these roots, though the mesh config says so",
				Fix:      m.takeAnchors(mesh),
			})
		}
	}
}

// takeAnchors are the steps that make workloads take the further roots of a mesh config.
func (m *member) takeAnchors(mesh istio.MeshConfig) []finding.Step {
	var out []finding.Step
	if slices.ContainsFunc(furtherRoots(mesh), func(a istio.CACertificate) bool { return anchorProblem(a) != "" }) {
		out = append(out, finding.Say("Correct the entries of caCertificates: each pem has to begin with a CA certificate."))
	}
	var set []finding.Command
	for _, i := range m.withoutMultiRoot(mesh) {
		set = append(set, finding.Kubectl(m.Context, "-n", i.Namespace, "set", "env", "deployment/"+i.Name, istio.EnvMultiRoot+"=true"))
	}
	if len(set) > 0 {
		out = append(out, finding.Say("Let istiod send them, which restarts it:").By(set...))
	}
	if !istio.TakesAnchors(mesh.DefaultConfig.ProxyMetadata) {
		out = append(out, finding.Say("In the mesh config, set defaultConfig.proxyMetadata.%s to \"true\". Then restart the workloads.",
			istio.EnvXDSAgent))
	}
	return out
}

// withoutMultiRoot are the istiods with this mesh config that do not send further roots.
func (m *member) withoutMultiRoot(mesh istio.MeshConfig) []istio.Istiod {
	return slices.DeleteFunc(slices.Clone(m.istiods), func(i istio.Istiod) bool {
		return i.MeshConfigMap() != mesh.ConfigMap || i.On(istio.EnvMultiRoot)
	})
}

// furtherRoots are the entries of caCertificates that are about roots: an entry
// for a signer belongs to an external CA.
func furtherRoots(mesh istio.MeshConfig) []istio.CACertificate {
	return slices.DeleteFunc(slices.Clone(mesh.CACertificates), func(c istio.CACertificate) bool {
		return len(c.CertSigners) > 0 || c.PEM == "" && c.SPIFFEBundleURL == ""
	})
}

// inert says why further roots do not reach the workloads, as far as that can
// be seen. It mirrors pilot/pkg/trustbundle/trustbundle.go (verifyTrustAnchor:
// the first block, which has to be a CA; one bad entry rejects all) and the two
// switches without which no anchor reaches a workload.
func (m *member) inert(mesh istio.MeshConfig, anchors []istio.CACertificate) []finding.Evidence {
	var why []finding.Evidence
	for _, i := range m.withoutMultiRoot(mesh) {
		why = append(why, finding.Evidence{
			Field: "deployment " + i.Name + ", " + istio.EnvMultiRoot, Value: orElse(i.Env(istio.EnvMultiRoot), "not set"),
		})
	}
	for n, a := range anchors {
		if problem := anchorProblem(a); problem != "" {
			why = append(why, finding.Evidence{Field: fmt.Sprintf("caCertificates[%d].pem", n), Value: problem + ": istiod takes none of the entries"})
		}
	}
	if istio.TakesAnchors(mesh.DefaultConfig.ProxyMetadata) {
		return why
	}
	// A pod's annotation can switch it on as well: the pods say.
	without := 0
	for _, p := range resources.Proxies.Of(m.Cluster).Value {
		if !istio.TakesAnchors(istio.ProxyEnvOf(&p)) {
			without++
		}
	}
	if without > 0 {
		why = append(why, finding.Evidence{Field: "sidecars without " + istio.EnvXDSAgent + "=true", Value: fmt.Sprintf("%d of %d looked at", without, len(resources.Proxies.Of(m.Cluster).Value))})
	}
	return why
}

// anchorProblem says why istiod refuses an entry of caCertificates; "" where it does not.
func anchorProblem(a istio.CACertificate) string {
	if a.PEM == "" {
		return ""
	}
	b := pki.ParseBundle([]byte(a.PEM))
	if c, ok := b.First(); ok && !c.IsCA {
		return "is not a CA certificate"
	}
	return b.Problem
}

// meshKnown reports whether the member's mesh configs could be read, and notes
// the codes if not. A cluster without a control plane has none of its own.
func (m *member) meshKnown(j *judgement, codes ...finding.Code) bool {
	why, lacks := rule.Lack("deployments", resources.Istiods.Of(m.Cluster))
	switch {
	case lacks:
	case len(m.istiods) == 0:
		return false
	default:
		why = m.meshUnread(istio.MeshConfigMap)
	}
	if unclear(why) {
		j.NotChecked(m.Context, why, codes...)
		return false
	}
	return true
}

// meshUnread says why the mesh configs of the member are not known; configMap is that
// of the one which is wanted.
func (m *member) meshUnread(configMap string) finding.Reason {
	why, lacks := rule.Lack("configmap "+configMap, resources.MeshConfigs.Of(m.Cluster))
	if !lacks && len(m.meshErrs) > 0 {
		return finding.Because(m.meshErrs[0].Error())
	}
	return why
}

// accepted are the trust domains whose workloads the cluster's servers let in
// (pilot/pkg/networking/plugin/authn/util.go, TrustDomainsForValidation); all
// is true when they do not look.
func (m *member) accepted() (domains []string, all bool) {
	for _, i := range m.istiods {
		if i.On(istio.EnvSkipTrustDomain) {
			return nil, true
		}
	}
	for _, mesh := range m.meshes {
		domains = append(append(domains, mesh.TrustDomain), mesh.TrustDomainAliases...)
		for _, ca := range mesh.CACertificates {
			domains = append(domains, ca.TrustDomains...)
		}
	}
	return domains, false
}

// judgeTrustDomains: a server lets in clients of its own trust domain and of
// its aliases, however well their certificate verifies.
func judgeTrustDomains(j *judgement) {
	known := make([]bool, len(j.members))
	for i, m := range j.members {
		known[i] = m.Unreached == nil && m.meshKnown(j, "CERT017")
	}
	refuses := func(server, client int) bool {
		if !known[server] || !known[client] {
			return false
		}
		domains, all := j.members[server].accepted()
		return !all && slices.ContainsFunc(j.members[client].meshes, func(mesh istio.MeshConfig) bool {
			return !slices.Contains(domains, mesh.TrustDomain)
		})
	}
	for _, r := range refusals(len(j.members), refuses) {
		refused, refusing := names(j.members, r.refused), names(j.members, r.refusing)
		f := finding.Finding{
			Code: "CERT017", Severity: finding.Error, Clusters: r.contexts(j.members),
			Title:  fmt.Sprintf("the trust domain of %s is not accepted in %s", finding.List(refused), finding.List(refusing)),
			Effect: "servers reset connections from there: the client's name (SPIFFE ID) is of a foreign trust domain",
		}
		if r.mutual {
			f.Title = fmt.Sprintf("%s and %s have different trust domains, and no alias covers them", finding.List(refused), finding.List(refusing))
		}
		wanted := map[string][]string{}
		for _, i := range append(slices.Clone(r.refused), r.refusing...) {
			m := j.members[i]
			for _, mesh := range m.meshes {
				value := mesh.TrustDomain
				if len(mesh.TrustDomainAliases) > 0 {
					value += ", aliases " + strings.Join(mesh.TrustDomainAliases, ", ")
				}
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "configmap " + mesh.ConfigMap + ", trustDomain", Value: value})
				wanted[m.Context] = append(wanted[m.Context], mesh.TrustDomain)
			}
		}
		add := func(server string, clients []string) {
			var domains []string
			for _, c := range clients {
				domains = append(domains, wanted[c]...)
			}
			slices.Sort(domains)
			f.Fix = append(f.Fix, finding.Say("In the mesh config of %s, add to trustDomainAliases: [%s].",
				server, strings.Join(slices.Compact(domains), ", ")))
		}
		for _, s := range refusing {
			add(s, refused)
		}
		if r.mutual {
			for _, s := range refused {
				add(s, refusing)
			}
		}
		j.Add(f)
	}
}

// judgeRemoteTrustDomains: from 1.29 on, istiod takes the trust domain of a
// remote cluster's pods from that cluster's own mesh config
// (pilot/pkg/serviceregistry/kube/controller/multicluster.go).
func judgeRemoteTrustDomains(j *judgement) {
	for _, p := range j.reached() {
		if why, lacks := rule.Lack("deployments", resources.Istiods.Of(p.Cluster)); lacks {
			j.NotChecked(p.Context, why, "CERT018")
		}
		for _, primary := range p.istiods {
			if !primary.AtLeast("1.29.0") {
				if primary.Version == nil {
					j.NotChecked(p.Context, finding.Because("the version of istiod is not in its image's tag"), "CERT018")
				}
				continue
			}
			if why, lacks := rule.Lack("remote secrets", resources.RemoteSecrets.Of(p.Cluster)); lacks {
				j.NotChecked(p.Context, why, "CERT018")
				continue
			}
			for _, s := range resources.RemoteSecrets.Of(p.Cluster).Value {
				if k := istio.FindCluster(j.fleet, s); k >= 0 && j.members[k] != p && j.members[k].Unreached == nil {
					j.judgeReader(p, primary, s, j.members[k])
					j.judgeRemoteMesh(p, primary, j.members[k])
				}
			}
		}
	}
}

func (j *judgement) judgeReader(p *member, primary istio.Istiod, s facts.RemoteSecret, k *member) {
	identity := "system:serviceaccount:" + k.SystemNamespace + ":" + istio.ReaderIdentity
	if s.Identity != identity {
		return // what another identity may do is the business of the remote secrets' own rules
	}
	if resources.ReaderAccess.Of(k.Cluster).State != facts.OK {
		j.NotChecked(k.Context, rule.Unread("access of "+identity, resources.ReaderAccess.Of(k.Cluster).State, resources.ReaderAccess.Of(k.Cluster).Why()), "CERT018")
		return
	}
	if resources.ReaderAccess.Of(k.Cluster).Value.Status.Allowed {
		return
	}
	effect := fmt.Sprintf("istiod of %s never counts %s as synced, and watches in vain", p.Context, k.Context)
	if primary.Before("1.29.2") {
		effect = fmt.Sprintf("istiod of %s gives %s's workloads the name spiffe:///ns/…, without a trust domain: "+
			"TLS to services that run only there fails", p.Context, k.Context)
	}
	j.Add(finding.Finding{
		Code: "CERT018", Severity: finding.Error, Clusters: []string{k.Context, p.Context},
		Object: finding.In("serviceaccount", k.SystemNamespace, istio.ReaderIdentity),
		Title:  fmt.Sprintf("istiod of %s may not read the mesh config of %s", p.Context, k.Context),
		Evidence: []finding.Evidence{
			{Cluster: p.Context, Field: "istiod " + primary.Name, Value: "version " + primary.Version.String() + ", which reads the remote cluster's trust domain"},
			{Cluster: p.Context, Field: "secret " + s.Name, Value: "reads " + k.Context + " as " + s.Identity},
			{Cluster: k.Context, Field: "list configmaps in " + k.SystemNamespace, Value: "denied to " + identity},
		},
		Effect: effect,
		Fix: []finding.Step{
			finding.Say("Upgrade the role istio-reader-clusterrole-… in %s to the version of the primary.", k.Context),
			finding.Say("Until then, let the account read the ConfigMaps:").By(
				finding.Kubectl(k.Context, "create", "clusterrole", "istio-reader-configmaps", "--verb=get,list,watch", "--resource=configmaps"),
				finding.Kubectl(k.Context, "create", "clusterrolebinding", "istio-reader-configmaps", "--clusterrole=istio-reader-configmaps",
					"--serviceaccount="+k.SystemNamespace+":"+istio.ReaderIdentity),
			),
		},
	})
}

func (j *judgement) judgeRemoteMesh(p *member, primary istio.Istiod, k *member) {
	if why := p.meshUnread(primary.MeshConfigMap()); unclear(why) {
		j.NotChecked(p.Context, why, "CERT018")
		return
	}
	i := slices.IndexFunc(p.meshes, func(m istio.MeshConfig) bool { return m.ConfigMap == primary.MeshConfigMap() })
	if i < 0 || p.meshes[i].TrustDomain == istio.DefaultTrustDomain {
		return
	}
	if why, lacks := rule.Lack("configmap "+primary.MeshConfigMap(), resources.MeshConfigs.Of(k.Cluster)); lacks {
		j.NotChecked(k.Context, why, "CERT018")
		return
	}
	for _, cm := range resources.MeshConfigs.Of(k.Cluster).Value {
		if cm.Name == primary.MeshConfigMap() {
			return
		}
	}
	domain := p.meshes[i].TrustDomain
	missing := finding.In("configmap", k.SystemNamespace, primary.MeshConfigMap())
	j.Add(finding.Finding{
		Code: "CERT018", Severity: finding.Error, Clusters: []string{k.Context, p.Context}, Object: missing,
		Title: fmt.Sprintf("istiod of %s takes %s for the trust domain of %s, for want of a configmap there",
			p.Context, istio.DefaultTrustDomain, k.Context),
		Evidence: []finding.Evidence{
			{Cluster: p.Context, Field: "configmap " + primary.MeshConfigMap() + ", trustDomain", Value: domain},
			{Cluster: p.Context, Field: "istiod " + primary.Name, Value: "version " + primary.Version.String() + ", revision " + primary.Revision},
			{Cluster: k.Context, Field: missing.String(), Value: "does not exist"},
		},
		Effect: fmt.Sprintf("clients of %s expect names of %s from workloads of %s, and TLS to them fails",
			p.Context, istio.DefaultTrustDomain, k.Context),
		Fix: []finding.Step{
			finding.Say("Name the trust domain of %s in a mesh config of its own:", k.Context).By(
				finding.Kubectl(k.Context, "-n", k.SystemNamespace, "create", "configmap", primary.MeshConfigMap(),
					"--from-literal=mesh=trustDomain: "+strconv.Quote(domain))),
			restart(p, "Then restart istiod of %s, which reads it when it starts:", p.Context),
		},
	})
}
