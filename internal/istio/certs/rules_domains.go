package certs

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// furtherRootsNotInEffect: trust anchors in the mesh config that no workload gets.
func furtherRootsNotInEffect(p *pass) {
	for _, a := range withMeshConfig(p) {
		if a.mode == External {
			continue
		}
		for _, mesh := range a.meshes {
			anchors := furtherRoots(mesh)
			if len(anchors) == 0 {
				continue
			}
			if why, lacks := rule.Lack("pods", resources.Proxies.Of(a.Cluster)); lacks && !istio.TakesAnchors(mesh.DefaultConfig.ProxyMetadata) {
				p.NotChecked(a.Context, why)
				continue
			}
			why := a.inert(mesh, anchors)
			if len(why) == 0 {
				trustOf(p.Model).anchorsForAmbient(p, a, mesh, anchors)
				continue
			}
			p.Report(finding.Finding{
				Code: "CERT016", Severity: finding.Error, Clusters: []string{a.Context},
				Object:   finding.In("configmap", a.SystemNamespace, mesh.ConfigMap),
				Title:    "the further roots in caCertificates of the mesh config are not in effect",
				Evidence: append([]finding.Evidence{{Field: "caCertificates", Value: finding.Plural(len(anchors), "item")}}, why...),
				Effect:   "workloads do not trust these roots, though the mesh config says so",
				Fix:      a.takeAnchors(mesh),
			})
		}
	}
}

// ambientNamespaces are those whose pods ztunnel speaks for.
func (a *authority) ambientNamespaces() []string {
	var out []string
	for _, ns := range resources.Namespaces.Of(a.Cluster).Value {
		if ns.Labels[istio.LabelDataplaneMode] == "ambient" {
			out = append(out, ns.Name)
		}
	}
	return out
}

// onlyAmbient reports whether namespaces are in ambient mode, and none asks for sidecars.
func (a *authority) onlyAmbient() bool {
	return len(a.ambientNamespaces()) > 0 && !slices.ContainsFunc(resources.Namespaces.Of(a.Cluster).Value, func(ns corev1.Namespace) bool {
		return inMesh(ns) && ns.Labels[istio.LabelDataplaneMode] != "ambient"
	})
}

// anchorsForAmbient: ztunnel takes its roots from the answer to its certificate request, and
// never asks for those of the mesh config (istio/ztunnel, src/tls/certificate.rs;
// pilot/pkg/xds/pcds.go). It does harm where another cluster is trusted by these alone.
func (t *trust) anchorsForAmbient(p *pass, a *authority, mesh istio.MeshConfig, anchors []istio.CACertificate) {
	namespaces := a.ambientNamespaces()
	if len(namespaces) == 0 {
		return
	}
	with := slices.Clone(a.published.Certificates)
	for _, anchor := range anchors {
		with = append(with, pki.ParseBundle([]byte(anchor.PEM)).Certificates...)
	}
	r := refusal{}
	for k, other := range t.authorities {
		alone, _, known := bySigner(a.published.Certificates, other, t.now)
		all, _, _ := bySigner(with, other, t.now)
		switch {
		case other == a:
			r.refusing = append(r.refusing, k)
		case known && alone == Distrusts && all == Trusts:
			r.refused = append(r.refused, k)
		}
	}
	if len(r.refused) == 0 {
		return
	}
	refused := finding.List(names(t.authorities, r.refused))
	p.Report(finding.Finding{
		Code: "CERT016", Severity: finding.Error, Clusters: []string{a.Context},
		Object: finding.In("configmap", a.SystemNamespace, mesh.ConfigMap),
		Title:  "the further roots in caCertificates of the mesh config do not reach ambient workloads",
		Evidence: []finding.Evidence{
			{Field: "caCertificates", Value: finding.Plural(len(anchors), "item")},
			{Field: "namespaces in ambient mode", Value: strings.Join(namespaces, ", ")},
			{Field: "configmap " + istio.RootCertConfigMap, Value: describeAll(a.published.Certificates)},
		},
		Effect: fmt.Sprintf("ambient workloads of %s refuse certificates of %s, and have no other way to its root", a.Context, refused),
		Fix: append(t.trustAll(p, r),
			finding.Say("Ambient workloads pick up the roots when they next renew, within about 12 hours."),
			finding.Say("Careful: a restart of daemonset ztunnel, which is faster, closes the connections of ambient workloads.")),
	})
}

// takeAnchors are the steps that make workloads take the further roots of a mesh config.
func (a *authority) takeAnchors(mesh istio.MeshConfig) []finding.Step {
	var out []finding.Step
	if slices.ContainsFunc(furtherRoots(mesh), func(c istio.CACertificate) bool { return anchorProblem(c) != "" }) {
		out = append(out, finding.Say("Correct the entries of caCertificates: each pem has to begin with a CA certificate."))
	}
	var set []finding.Command
	for _, i := range a.withoutMultiRoot(mesh) {
		set = append(set, remedy.SetIstiodVariable(a.Context, i, istio.EnvMultiRoot, "true"))
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
func (a *authority) withoutMultiRoot(mesh istio.MeshConfig) []istio.Istiod {
	return slices.DeleteFunc(slices.Clone(a.istiods), func(i istio.Istiod) bool {
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
func (a *authority) inert(mesh istio.MeshConfig, anchors []istio.CACertificate) []finding.Evidence {
	var why []finding.Evidence
	for _, i := range a.withoutMultiRoot(mesh) {
		why = append(why, finding.Evidence{
			Field: "deployment " + i.Name + ", " + istio.EnvMultiRoot, Value: orElse(i.Env(istio.EnvMultiRoot), "not set"),
		})
	}
	for n, anchor := range anchors {
		if problem := anchorProblem(anchor); problem != "" {
			why = append(why, finding.Evidence{
				Field: fmt.Sprintf("caCertificates[%d].pem", n), Value: problem + ": istiod takes none of the entries",
			})
		}
	}
	if istio.TakesAnchors(mesh.DefaultConfig.ProxyMetadata) {
		return why
	}
	// A pod's annotation can switch it on as well: the pods say.
	without := 0
	for _, p := range resources.Proxies.Of(a.Cluster).Value {
		if !istio.TakesAnchors(istio.ProxyEnvOf(&p)) {
			without++
		}
	}
	if without > 0 {
		why = append(why, finding.Evidence{
			Field: "sidecars without " + istio.EnvXDSAgent + "=true",
			Value: fmt.Sprintf("%d of %d looked at", without, len(resources.Proxies.Of(a.Cluster).Value)),
		})
	}
	return why
}

// anchorProblem says why istiod refuses an entry of caCertificates; "" where it does not.
func anchorProblem(c istio.CACertificate) string {
	if c.PEM == "" {
		return ""
	}
	b := pki.ParseBundle([]byte(c.PEM))
	if first, ok := b.First(); ok && !first.IsCA {
		return "is not a CA certificate"
	}
	return b.Problem
}

// withMeshConfig are the CAs of a pass of clusters whose mesh configs are known. A cluster
// without a control plane has none of its own.
func withMeshConfig(p *pass) []*authority {
	return slices.DeleteFunc(able(p), func(a *authority) bool {
		if len(a.istiods) == 0 {
			return true
		}
		why := a.meshUnread(istio.MeshConfigMap)
		if unclear(why) {
			p.NotChecked(a.Context, why)
		}
		return unclear(why)
	})
}

// meshUnread says why the mesh configs of the cluster are not known; configMap is that
// of the one which is wanted.
func (a *authority) meshUnread(configMap string) finding.Reason {
	why, lacks := rule.Lack("configmap "+configMap, resources.MeshConfigs.Of(a.Cluster))
	if !lacks && len(a.meshErrs) > 0 {
		return finding.Because(a.meshErrs[0].Error())
	}
	return why
}

// accepted are the trust domains whose workloads the cluster's servers let in
// (pilot/pkg/networking/plugin/authn/util.go, TrustDomainsForValidation); all
// is true when they do not look.
func (a *authority) accepted() (domains []string, all bool) {
	for _, i := range a.istiods {
		if i.On(istio.EnvSkipTrustDomain) {
			return nil, true
		}
	}
	for _, mesh := range a.meshes {
		domains = append(append(domains, mesh.TrustDomain), mesh.TrustDomainAliases...)
		for _, ca := range mesh.CACertificates {
			domains = append(domains, ca.TrustDomains...)
		}
	}
	return domains, false
}

// foreignTrustDomains: a server lets in clients of its own trust domain and of its aliases,
// however well their certificate verifies.
func foreignTrustDomains(p *pass) {
	all := withMeshConfig(p)
	refuses := func(server, client int) bool {
		domains, every := all[server].accepted()
		return !every && slices.ContainsFunc(all[client].meshes, func(mesh istio.MeshConfig) bool {
			return !slices.Contains(domains, mesh.TrustDomain)
		})
	}
	for _, r := range refusals(len(all), refuses) {
		p.Report(foreignTrustDomain(all, r))
	}
	// Clients get servers of clusters alone that their control plane watches.
	unexpected := func(client, server int) bool {
		c, s := p.Model.Cluster(all[client].Context), p.Model.Cluster(all[server].Context)
		return !refuses(client, server) && c != nil && s != nil && c.SecretFor(s) != nil && all[client].expectsOther(all[server])
	}
	for _, r := range refusals(len(all), unexpected) {
		f := foreignTrustDomain(all, r)
		f.Object = finding.Kind("names of servers")
		f.Title = fmt.Sprintf("clients in %s do not expect the trust domain of %s",
			finding.List(names(all, r.refusing)), finding.List(names(all, r.refused)))
		if r.mutual {
			f.Title = fmt.Sprintf("clients in %s and %s do not expect one another's trust domain",
				finding.List(names(all, r.refused)), finding.List(names(all, r.refusing)))
		}
		f.Effect = "clients refuse servers there, whose names (SPIFFE IDs) they expect in their own trust domain: CERTIFICATE_VERIFY_FAILED"
		for _, i := range append(slices.Clone(r.refusing), r.refused...) {
			for _, istiod := range all[i].istiods {
				if istiod.Version != nil {
					f.Evidence = append(f.Evidence, finding.Evidence{
						Cluster: all[i].Context, Field: "istiod " + istiod.Name, Value: "version " + istiod.Version.String(),
					})
				}
			}
		}
		f.Fix = append(f.Fix, finding.Say("Or upgrade to 1.29 or later, where clients expect the trust domain "+
			"in the mesh config of the server's cluster."))
		p.Report(f)
	}
}

// expectsOther reports whether clients of a cluster expect other names than the servers of
// another one have. Before 1.29, istiod makes the names of all pods of its own trust domain and
// its aliases, whatever a server accepts (pilot/pkg/model/push_context.go,
// ServiceAccounts; pilot/pkg/serviceregistry/kube/controller/endpoint_builder.go).
func (a *authority) expectsOther(server *authority) bool {
	if !slices.ContainsFunc(a.istiods, func(i istio.Istiod) bool { return i.Before("1.29.0") }) {
		return false
	}
	return slices.ContainsFunc(server.meshes, func(theirs istio.MeshConfig) bool {
		return slices.ContainsFunc(a.meshes, func(own istio.MeshConfig) bool {
			return own.TrustDomain != theirs.TrustDomain && !slices.Contains(own.TrustDomainAliases, theirs.TrustDomain)
		})
	})
}

// foreignTrustDomain is the finding about clusters that refuse the trust domains of others.
func foreignTrustDomain(all []*authority, r refusal) finding.Finding {
	refused, refusing := names(all, r.refused), names(all, r.refusing)
	f := finding.Finding{
		Code: "CERT017", Severity: finding.Error, Clusters: r.contexts(all),
		Title:  fmt.Sprintf("the trust domain of %s is not accepted in %s", finding.List(refused), finding.List(refusing)),
		Effect: "servers reset connections from there: the client's name (SPIFFE ID) is of a foreign trust domain",
	}
	if r.mutual {
		f.Title = fmt.Sprintf("%s and %s have different trust domains, and no alias covers them", finding.List(refused), finding.List(refusing))
	}
	wanted := map[string][]string{}
	for _, i := range append(slices.Clone(r.refused), r.refusing...) {
		a := all[i]
		for _, mesh := range a.meshes {
			value := mesh.TrustDomain
			if len(mesh.TrustDomainAliases) > 0 {
				value += ", aliases " + strings.Join(mesh.TrustDomainAliases, ", ")
			}
			f.Evidence = append(f.Evidence, finding.Evidence{
				Cluster: a.Context, Field: "configmap " + mesh.ConfigMap + ", trustDomain", Value: value,
			})
			wanted[a.Context] = append(wanted[a.Context], mesh.TrustDomain)
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
	return f
}
