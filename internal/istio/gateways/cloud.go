package gateways

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// otherRegion: an internal load balancer of Google Cloud has no global access, and clients
// are in another region (model.Gateway.RegionsApart).
func otherRegion(p pass) {
	for _, g := range intended(p) {
		apart := g.RegionsApart()
		if len(apart) == 0 {
			continue
		}
		f := g.finding("GW040", finding.Error, "the gateway's internal load balancer is reached from its own region alone")
		f.Evidence = []finding.Evidence{
			g.annotation(istio.AnnotationGKEGlobalAccess, evidence.OrNone(g.Service.Annotations[istio.AnnotationGKEGlobalAccess])),
			{Cluster: g.Cluster.Context, Field: "region of the nodes", Value: strings.Join(g.Cluster.Regions(), ", ")},
		}
		for _, c := range apart {
			f.Evidence = append(
				f.Evidence,
				finding.Evidence{Cluster: c.Context, Field: "region of the nodes", Value: strings.Join(c.Regions(), ", ")},
			)
		}
		f.Effect = fmt.Sprintf("requests from %s for %s time out", names(apart), g.Network)
		f.Fix = g.change(finding.Say("Let clients of all regions of the VPC in:").
			By(g.kubectl("annotate", istio.AnnotationGKEGlobalAccess+"=true", "--overwrite")))
		p.Report(f)
	}
}

// deafHealthCheck: a classic load balancer of AWS checks a port at which the pods of the
// gateway do not listen (model.Gateway.DeafHealthPort).
func deafHealthCheck(p pass) {
	for _, g := range intended(p) {
		port, deaf := g.DeafHealthPort()
		if !deaf {
			continue
		}
		f := g.finding("GW041", g.severity(), fmt.Sprintf("the load balancer checks port %d, where the gateway's pods do not listen", port))
		f.Evidence = []finding.Evidence{
			{Field: g.at("ports"), Value: portsOf(g.Service)},
			{Field: fmt.Sprintf("Gateways with port %d for these pods", port), Value: "none"},
			g.annotation(istio.AnnotationAWSHealthPort, "none"),
		}
		f.Effect = fmt.Sprintf(
			"the classic load balancer takes all nodes out of service: requests from other networks for %s time out",
			g.Network,
		)
		step := finding.Say("List port 15021, which proxies answer whatever they are told, first among the ports of the Service.")
		if !g.HasPort(statusPort) {
			patch := []any{map[string]any{"op": "add", "path": "/spec/ports/0", "value": map[string]any{
				"name": "status-port", "port": statusPort, "targetPort": statusPort, "protocol": corev1.ProtocolTCP,
			}}}
			step = finding.Say("List port 15021, which proxies answer whatever they are told, first among the ports of the Service:").
				By(g.kubectl("patch", "--type=json", "-p", remedy.JSON(patch)))
		}
		f.Fix = g.change(step)
		p.Report(f)
	}
}

// statusPort is the one on which a proxy says that it is ready.
const statusPort = 15021

// shutOut: the load balancer of a gateway lets in ranges of addresses in which no node of
// another cluster is (model.Gateway.ShutOut).
func shutOut(p pass) {
	for _, g := range intended(p) {
		out := g.ShutOut()
		if len(out) == 0 {
			continue
		}
		f := g.finding("GW042", finding.Warning, fmt.Sprintf("the gateway's load balancer lets no node of %s in", names(out)))
		f.Evidence = []finding.Evidence{
			{Field: g.at("loadBalancerSourceRanges"), Value: strings.Join(g.Service.Spec.LoadBalancerSourceRanges, ", ")},
		}
		for _, c := range out {
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: "addresses of the nodes", Value: nodeAddresses(c)})
		}
		f.Effect = fmt.Sprintf("requests from there for %s time out, unless something on the way gives them another address", g.Network)
		f.Fix = g.change(finding.Say("Add the addresses from which these clusters send to spec.loadBalancerSourceRanges:").By(g.kubectl("edit")))
		p.Report(f)
	}
}

// names are the contexts of clusters, for people.
func names(clusters []*model.Cluster) string {
	var out []string
	for _, c := range clusters {
		out = append(out, c.Context)
	}
	return finding.List(out)
}

// nodeAddresses are the addresses of the nodes of a cluster.
func nodeAddresses(c *model.Cluster) string {
	var out []string
	for _, n := range resources.Nodes.Of(c.Cluster).Value {
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeExternalIP || a.Type == corev1.NodeInternalIP {
				out = append(out, a.Address)
			}
		}
	}
	return finding.List(finding.Distinct(out))
}
