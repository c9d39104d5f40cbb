package certs

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// remoteTrustDomains: from 1.29 on, istiod takes the trust domain of a remote cluster's pods
// from that cluster's own mesh config (pilot/pkg/serviceregistry/kube/controller/multicluster.go).
// It is not known there, if istiod may not read it, or there is none.
func remoteTrustDomains(p *pass) {
	t := trustOf(p.Model)
	for _, c := range model.Able(p) {
		primary := t.of(c)
		for _, istiod := range primary.istiods {
			if !istiod.AtLeast("1.29.0") {
				if istiod.Version == nil {
					p.NotChecked(c.Context, finding.Because("the version of istiod is not in its image's tag"))
				}
				continue
			}
			if why, lacks := rule.Lacks(c.Cluster, resources.RemoteSecrets); lacks {
				p.NotChecked(c.Context, why)
				continue
			}
			for _, s := range c.Remotes {
				if s.To != nil && s.To != c {
					remote := t.of(s.To)
					configUnreadable(p, primary, istiod, s, remote)
					configMissing(p, primary, istiod, remote)
				}
			}
		}
	}
}

// configUnreadable: the account that istiod uses in a remote cluster may not read the
// cluster's mesh config.
func configUnreadable(p *pass, primary *authority, istiod istio.Istiod, s *model.RemoteSecret, remote *authority) {
	identity := "system:serviceaccount:" + remote.SystemNamespace + ":" + istio.ReaderIdentity
	if s.Identity != identity {
		return // what another identity may do is the business of the remote secrets' own rules
	}
	access := resources.ReaderAccess.Of(remote.Cluster)
	if access.State != facts.OK {
		p.NotChecked(remote.Context, rule.Unread("access of "+identity, access.State, access.Why()))
		return
	}
	if access.Value.Status.Allowed {
		return
	}
	effect := fmt.Sprintf("istiod of %s never reports %s as synced", primary.Context, remote.Context)
	if istiod.Before("1.29.2") {
		effect = fmt.Sprintf("istiod of %s gives %s's workloads the name spiffe:///ns/…, without a trust domain: "+
			"TLS to services that run only there fails", primary.Context, remote.Context)
	}
	if istiod.Has(istio.BugMeshUnread) {
		effect += ", and istiod itself can end in a panic"
	}
	p.Gather(finding.Finding{
		Code: "CERT018", Severity: finding.Error, Clusters: []string{remote.Context, primary.Context},
		Object: finding.In("serviceaccount", remote.SystemNamespace, istio.ReaderIdentity),
		Title:  fmt.Sprintf("istiod of %s may not read the mesh config of %s", primary.Context, remote.Context),
		Evidence: []finding.Evidence{
			{
				Cluster: primary.Context, Field: "istiod " + istiod.Name,
				Value: "version " + istiod.Version.String() + ", which uses the trust domain of the remote cluster",
			},
			{Cluster: primary.Context, Field: "secret " + s.Name, Value: "reads " + remote.Context + " as " + s.Identity},
			{Cluster: remote.Context, Field: "list configmaps in " + remote.SystemNamespace, Value: "denied to " + identity},
		},
		Effect: effect,
		Fix: []finding.Step{
			finding.Say("Upgrade the role istio-reader-clusterrole-… in %s to the version of the primary.", remote.Context),
			finding.Say("Until then, let the account read the ConfigMaps:").By(
				finding.Kubectl(remote.Context, "create", "clusterrole", "istio-reader-configmaps",
					"--verb=get,list,watch", "--resource=configmaps"),
				finding.Kubectl(remote.Context, "create", "clusterrolebinding", "istio-reader-configmaps",
					"--clusterrole=istio-reader-configmaps", "--serviceaccount="+remote.SystemNamespace+":"+istio.ReaderIdentity),
			),
		},
	})
}

// configMissing: a remote cluster has no mesh config, and the primary's trust domain is not
// the one that istiod then takes for the remote cluster's.
func configMissing(p *pass, primary *authority, istiod istio.Istiod, remote *authority) {
	if why := primary.meshUnread(istiod.MeshConfigMap()); unclear(why) {
		p.NotChecked(primary.Context, why)
		return
	}
	i := slices.IndexFunc(primary.meshes, func(o istio.MeshConfig) bool { return o.ConfigMap == istiod.MeshConfigMap() })
	if i < 0 || primary.meshes[i].TrustDomain == istio.DefaultTrustDomain {
		return
	}
	if why, lacks := rule.Lack("configmap "+istiod.MeshConfigMap(), resources.MeshConfigs.Of(remote.Cluster)); lacks {
		p.NotChecked(remote.Context, why)
		return
	}
	for _, cm := range resources.MeshConfigs.Of(remote.Cluster).Value {
		if cm.Name == istiod.MeshConfigMap() {
			return
		}
	}
	domain := primary.meshes[i].TrustDomain
	missing := finding.In("configmap", remote.SystemNamespace, istiod.MeshConfigMap())
	p.Gather(finding.Finding{
		Code: "CERT018", Severity: finding.Error, Clusters: []string{remote.Context, primary.Context}, Object: missing,
		Title: fmt.Sprintf("istiod of %s takes %s for the trust domain of %s, because a configmap is missing there",
			primary.Context, istio.DefaultTrustDomain, remote.Context),
		Evidence: []finding.Evidence{
			{Cluster: primary.Context, Field: "configmap " + istiod.MeshConfigMap() + ", trustDomain", Value: domain},
			{
				Cluster: primary.Context, Field: "istiod " + istiod.Name,
				Value: "version " + istiod.Version.String() + ", revision " + istiod.Revision,
			},
			{Cluster: remote.Context, Field: missing.String(), Value: "does not exist"},
		},
		Effect: fmt.Sprintf("clients of %s expect names of %s from workloads of %s, and TLS to them fails",
			primary.Context, istio.DefaultTrustDomain, remote.Context),
		Fix: []finding.Step{
			finding.Say("Name the trust domain of %s in a mesh config of its own:", remote.Context).By(
				finding.Kubectl(remote.Context, "-n", remote.SystemNamespace, "create", "configmap", istiod.MeshConfigMap(),
					"--from-literal=mesh=trustDomain: "+strconv.Quote(domain))),
			restart(primary, "Then restart istiod of %s, which reads it when it starts:", primary.Context),
		},
	})
}
