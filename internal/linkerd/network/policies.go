package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// The port of the proxy by which other clusters come in.
const (
	inbound     = 4143
	inboundName = "linkerd-proxy"
)

// policies: Servers of the gateway's port decide who comes in, and whether what is not HTTP does.
func policies(p *pass) {
	by := used(p)
	for _, g := range gateways(p) {
		links := by[g]
		if len(links) == 0 || len(g.Ready()) == 0 {
			continue
		}
		for _, s := range g.Cluster.ServersOf(g.Ready()[0], inbound, inboundName) {
			f := finding.Finding{
				Code: "NET110", Severity: finding.Error, Clusters: []string{g.Cluster.Context}, Object: finding.In("server", s.Namespace, s.Name),
			}
			switch protocol := s.Spec.ProxyProtocol; {
			case protocol != "" && protocol != "unknown":
				f.Title = fmt.Sprintf("the gateway lets only %s pass", protocol)
				f.Evidence = []finding.Evidence{{Field: "spec.proxyProtocol", Value: protocol}}
				f.Fix = []finding.Step{finding.Say("Let the gateway detect the protocol, and upgrade the multicluster chart, which has it so:").
					By(finding.Kubectl(g.Cluster.Context, "-n", s.Namespace, "patch", "servers.policy.linkerd.io/"+s.Name, "--type=merge", "-p",
						`{"spec":{"proxyProtocol":"unknown"}}`))}
				if opaque := opaquePorts(g, links); len(opaque) > 0 {
					f.Evidence = append(f.Evidence, finding.Evidence{Field: "exported ports that are opaque", Value: strings.Join(opaque, ", ")})
					f.Effect = "other clusters cannot reach " + finding.List(opaque) + " through it"
				} else {
					f.Severity, f.Effect = finding.Note, "none now: no exported service has an opaque port"
				}
			case nobody(g, s.Namespace, s.Name, s.Spec.AccessPolicy):
				f.Title = "the gateway admits nobody"
				f.Evidence = []finding.Evidence{
					{Field: "spec.accessPolicy", Value: said(s.Spec.AccessPolicy)},
					{Field: "policies of the Server", Value: "none"},
				}
				f.Effect = "clients in " + finding.List(sources(links)) + " are refused"
				f.Fix = []finding.Step{finding.Say("Upgrade the multicluster chart, which has an AuthorizationPolicy for the gateway.")}
			default:
				continue
			}
			p.Report(f)
		}
	}
}

// nobody reports whether a Server denies by default and no policy is about it.
func nobody(g *model.Gateway, namespace, name, access string) bool {
	if access != "" && access != "deny" {
		return false
	}
	for _, a := range resources.AuthorizationPolicies.Of(g.Cluster.Cluster).Value {
		if a.Namespace == namespace && (a.Spec.TargetRef.Name == name || a.Spec.TargetRef.Kind == "Namespace") {
			return false
		}
	}
	for _, a := range resources.ServerAuthorizations.Of(g.Cluster.Cluster).Value {
		if a.Namespace == namespace && (a.Spec.Server.Name == name || a.Spec.Server.Selector != nil) {
			return false
		}
	}
	return true
}

// opaquePorts are the ports of services exported through the gateway that are not HTTP.
func opaquePorts(g *model.Gateway, links []*model.Link) []string {
	var out []string
	for _, l := range links {
		for _, e := range l.Exports() {
			if e.Mode != model.ByGateway {
				continue
			}
			for _, number := range g.Cluster.OpaquePorts(e.Service) {
				out = append(out, e.Namespace+"/"+e.Name+":"+number)
			}
		}
	}
	return finding.Distinct(out)
}

// overlap: where clients connect to pods of the other cluster, an address that both clusters
// have leads to the wrong pod.
func overlap(p *pass) {
	seen := map[[2]string]bool{}
	for _, l := range model.AblePairs(p) {
		at := [2]string{min(l.Source.Context, l.Target.Context), max(l.Source.Context, l.Target.Context)}
		uses := l.UsesDestination()
		if seen[at] || len(uses) == 0 {
			continue
		}
		own := map[string]string{}
		for _, pod := range l.Source.Pods() {
			if !pod.HostNetwork {
				for _, ip := range pod.IPs {
					own[ip] = pod.Namespace + "/" + pod.Name
				}
			}
		}
		for _, pod := range l.Target.Pods() {
			i := slices.IndexFunc(pod.IPs, func(ip string) bool { return own[ip] != "" })
			if pod.HostNetwork || i < 0 {
				continue
			}
			seen[at] = true
			p.Report(finding.Finding{
				Code: "NET111", Severity: finding.Error, Clusters: []string{l.Source.Context, l.Target.Context},
				Title: fmt.Sprintf("pods of %s and %s have the same addresses", l.Source.Context, l.Target.Context),
				Evidence: []finding.Evidence{
					{Cluster: l.Source.Context, Field: "pod " + own[pod.IPs[i]], Value: pod.IPs[i]},
					{Cluster: l.Target.Context, Field: "pod " + pod.Namespace + "/" + pod.Name, Value: pod.IPs[i]},
				},
				Effect: "clients of " + finding.List(uses) + " connect to pods of their own cluster in place of the other one",
				Fix: []finding.Step{finding.Say("Export the services through the gateway: label them %s=true in %s.",
					resources.LabelExported, l.Target.Context)},
			})
			break
		}
	}
}

// socketBalancing: Cilium that answers for Services in the socket takes the mirror's address
// before the proxy sees it, so that the proxy does not know that it is a mirror.
func socketBalancing(p *pass) {
	for _, c := range model.Able(p) {
		var mirrors []string
		for _, m := range c.Mirrors {
			if m.Kind == model.Through {
				mirrors = append(mirrors, m.Service.Namespace+"/"+m.Service.Name)
			}
		}
		for _, m := range resources.CiliumConfigs.Of(c.Cluster).Value {
			if len(mirrors) == 0 || m.Data[resources.KeyCiliumHostOnly] == "true" {
				continue
			}
			socket, replacement := m.Data[resources.KeyCiliumSocket], m.Data[resources.KeyCiliumReplacement]
			if socket == "false" || socket != "true" && replacement != "true" && replacement != "strict" {
				continue
			}
			p.Report(finding.Finding{
				Code: "NET115", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.In("configmap", m.Namespace, m.Name),
				Title: "Cilium resolves Services in the pods' sockets, before the proxy sees them",
				Evidence: []finding.Evidence{
					{Field: resources.KeyCiliumReplacement, Value: said(replacement)},
					{Field: resources.KeyCiliumSocket, Value: said(socket)},
					{Field: resources.KeyCiliumHostOnly, Value: said(m.Data[resources.KeyCiliumHostOnly])},
				},
				Effect: "proxies connect to the gateway without its identity: clients of " + finding.List(mirrors) + " fail",
				Fix: []finding.Step{finding.Say("Leave the sockets of pods alone (Helm: socketLB.hostNamespaceOnly=true). Then restart its agents:").
					By(finding.Kubectl(c.Context, "-n", m.Namespace, "patch", "configmap/"+m.Name, "--type=merge", "-p",
						`{"data":{"`+resources.KeyCiliumHostOnly+`":"true"}}`),
						finding.Kubectl(c.Context, "-n", m.Namespace, "rollout", "restart", "daemonset/cilium"))},
			})
		}
	}
}
