package certs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
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
			if !istio.TakesAnchors(mesh.DefaultConfig.ProxyMetadata) && !resources.Proxies.Of(m.Cluster).Known() {
				j.CannotJudge(m.Context, "pods: "+resources.Proxies.Of(m.Cluster).Why(), "CERT016")
				continue
			}
			why := m.inert(mesh, anchors)
			if len(why) == 0 {
				continue
			}
			j.Add(finding.Finding{
				Code: "CERT016", Severity: finding.Error, Clusters: []string{m.Context}, Object: "configmap " + m.SystemNamespace + "/" + mesh.ConfigMap,
				Title:    "the further roots in caCertificates of the mesh config are not in effect",
				Evidence: append([]finding.Evidence{{Field: "caCertificates", Value: fmt.Sprintf("%d entries", len(anchors))}}, why...),
				Effect:   "workloads do not trust these roots, though the mesh config says so",
				Fix: []string{
					finding.Kubectl(m.Context, "-n %s set env deployment/%s %s=true", m.SystemNamespace, m.istiods[0].Name, istio.EnvMultiRoot),
					fmt.Sprintf("# and in the mesh config: defaultConfig.proxyMetadata.%s: \"true\"; then restart the workloads", istio.EnvXDSAgent),
				},
			})
		}
	}
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
	for _, i := range m.istiods {
		if i.MeshConfigMap() == mesh.ConfigMap && !i.On(istio.EnvMultiRoot) {
			why = append(why, finding.Evidence{Field: "deployment " + i.Name + ", " + istio.EnvMultiRoot, Value: orElse(i.Env(istio.EnvMultiRoot), "not set")})
		}
	}
	for n, a := range anchors {
		if a.PEM == "" {
			continue
		}
		b := pki.ParseBundle([]byte(a.PEM))
		problem := b.Problem
		if c, ok := b.First(); ok && !c.IsCA {
			problem = "is not a CA certificate"
		}
		if problem != "" {
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

// meshKnown reports whether the member's mesh configs could be read, and notes
// the codes if not. A cluster without a control plane has none of its own.
func (m *member) meshKnown(j *judgement, codes ...finding.Code) bool {
	switch {
	case !resources.Istiods.Of(m.Cluster).Known():
		j.CannotJudge(m.Context, "deployments: "+resources.Istiods.Of(m.Cluster).Why(), codes...)
		return false
	case len(m.istiods) == 0:
		return false
	case !resources.MeshConfigs.Of(m.Cluster).Known():
		j.CannotJudge(m.Context, "configmap istio: "+resources.MeshConfigs.Of(m.Cluster).Why(), codes...)
		return false
	case len(m.meshErrs) > 0:
		j.CannotJudge(m.Context, m.meshErrs[0].Error(), codes...)
		return false
	}
	return true
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
			f.Fix = append(f.Fix, fmt.Sprintf("# %s: add to the mesh config  trustDomainAliases: [%s]", server, strings.Join(slices.Compact(domains), ", ")))
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
		if !resources.Istiods.Of(p.Cluster).Known() {
			j.CannotJudge(p.Context, "deployments: "+resources.Istiods.Of(p.Cluster).Why(), "CERT018")
		}
		for _, primary := range p.istiods {
			if !primary.AtLeast("1.29.0") {
				if primary.Version == nil {
					j.CannotJudge(p.Context, "the version of istiod is not in its image's tag", "CERT018")
				}
				continue
			}
			if !resources.RemoteSecrets.Of(p.Cluster).Known() {
				j.CannotJudge(p.Context, "remote secrets: "+resources.RemoteSecrets.Of(p.Cluster).Why(), "CERT018")
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
	switch {
	case s.Identity != identity:
		return // what another identity may do is the business of the remote secrets' own rules
	case !resources.ReaderAccess.Of(k.Cluster).Known():
		j.CannotJudge(k.Context, "access of "+identity+": "+resources.ReaderAccess.Of(k.Cluster).Why(), "CERT018")
		return
	case resources.ReaderAccess.Of(k.Cluster).Value.Status.Allowed:
		return
	}
	effect := fmt.Sprintf("istiod of %s never counts %s as synced, and watches in vain", p.Context, k.Context)
	if primary.Before("1.29.2") {
		effect = fmt.Sprintf("istiod of %s gives %s's workloads the name spiffe:///ns/…, without a trust domain: TLS to services that run only there fails", p.Context, k.Context)
	}
	j.Add(finding.Finding{
		Code: "CERT018", Severity: finding.Error, Clusters: []string{k.Context, p.Context}, Object: "serviceaccount " + k.SystemNamespace + "/" + istio.ReaderIdentity,
		Title: fmt.Sprintf("istiod of %s may not read the mesh config of %s", p.Context, k.Context),
		Evidence: []finding.Evidence{
			{Cluster: p.Context, Field: "istiod " + primary.Name, Value: "version " + primary.Version.String() + ", which reads the remote cluster's trust domain"},
			{Cluster: p.Context, Field: "secret " + s.Name, Value: "reads " + k.Context + " as " + s.Identity},
			{Cluster: k.Context, Field: "list configmaps in " + k.SystemNamespace, Value: "denied to " + identity},
		},
		Effect: effect,
		Fix: []string{
			"# bring the role istio-reader-clusterrole-… up to the primary's version; or, at once",
			finding.Kubectl(k.Context, "create clusterrole istio-reader-configmaps --verb=get,list,watch --resource=configmaps"),
			finding.Kubectl(k.Context, "create clusterrolebinding istio-reader-configmaps --clusterrole=istio-reader-configmaps --serviceaccount=%s:%s", k.SystemNamespace, istio.ReaderIdentity),
		},
	})
}

func (j *judgement) judgeRemoteMesh(p *member, primary istio.Istiod, k *member) {
	if !resources.MeshConfigs.Of(p.Cluster).Known() || len(p.meshErrs) > 0 {
		j.CannotJudge(p.Context, "configmap "+primary.MeshConfigMap()+": "+resources.MeshConfigs.Of(p.Cluster).Why(), "CERT018")
		return
	}
	i := slices.IndexFunc(p.meshes, func(m istio.MeshConfig) bool { return m.ConfigMap == primary.MeshConfigMap() })
	if i < 0 || p.meshes[i].TrustDomain == istio.DefaultTrustDomain {
		return
	}
	if !resources.MeshConfigs.Of(k.Cluster).Known() {
		j.CannotJudge(k.Context, "configmap "+primary.MeshConfigMap()+": "+resources.MeshConfigs.Of(k.Cluster).Why(), "CERT018")
		return
	}
	for _, cm := range resources.MeshConfigs.Of(k.Cluster).Value {
		if cm.Name == primary.MeshConfigMap() {
			return
		}
	}
	domain := p.meshes[i].TrustDomain
	j.Add(finding.Finding{
		Code: "CERT018", Severity: finding.Error, Clusters: []string{k.Context, p.Context}, Object: "configmap " + k.SystemNamespace + "/" + primary.MeshConfigMap(),
		Title: fmt.Sprintf("istiod of %s takes %s for the trust domain of %s, for want of a configmap there", p.Context, istio.DefaultTrustDomain, k.Context),
		Evidence: []finding.Evidence{
			{Cluster: p.Context, Field: "configmap " + primary.MeshConfigMap() + ", trustDomain", Value: domain},
			{Cluster: p.Context, Field: "istiod " + primary.Name, Value: "version " + primary.Version.String() + ", revision " + primary.Revision},
			{Cluster: k.Context, Field: "configmap " + k.SystemNamespace + "/" + primary.MeshConfigMap(), Value: "does not exist"},
		},
		Effect: fmt.Sprintf("clients of %s expect names of %s from workloads of %s, and TLS to them fails", p.Context, istio.DefaultTrustDomain, k.Context),
		Fix: append([]string{
			finding.Kubectl(k.Context, "-n %s create configmap %s --from-literal=mesh=%s", k.SystemNamespace, primary.MeshConfigMap(), finding.Quote("trustDomain: "+domain)),
		}, restart(p)...),
	})
}
