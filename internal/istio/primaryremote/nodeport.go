package primaryremote

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// nodesAddress finds remote clusters that look for istiod at the address of a node of the
// primary, by the ports of istiod: a gateway of type NodePort has other ones there. The chart
// writes ports 15012 and 15017 whatever the address is (manifests/charts/istio-control/
// istio-discovery/templates/remote-istiod-endpointslices.yaml).
func nodesAddress(p pass) {
	for _, r := range remotes(p) {
		for _, s := range r.bridges(p) {
			addresses, ports := r.endpointsOf(s)
			if r.seenAt(p, 0, addresses) {
				continue
			}
			f := finding.Finding{
				Code: "PR015", Severity: finding.Error, Clusters: []string{r.Context}, Object: finding.In("service", s.Namespace, s.Name),
				Title:  "the remote cluster looks for istiod at a node of the primary, by ports that the node does not have",
				Effect: "proxies there get no configuration and no certificates, and pods are not injected",
			}
			nodePorts := map[int]int{}
			for _, cp := range r.by {
				if !p.Able(cp.RunsIn.Context) || len(cp.RunsIn.Unread(resources.Nodes, resources.Services, resources.Pods)) > 0 {
					continue
				}
				for _, address := range addresses {
					for _, port := range ports {
						gateway, node, nodePort, ok := cp.RunsIn.NodePortOf(address, port)
						if !ok {
							continue
						}
						nodePorts[port] = nodePort
						f.Evidence = append(
							f.Evidence,
							finding.Evidence{
								Cluster: r.Context,
								Field:   "endpointslices of " + f.Object.String(),
								Value:   fmt.Sprintf("%s, port %d", address, port),
							},
							finding.Evidence{
								Cluster: cp.RunsIn.Context,
								Field:   fmt.Sprintf("node %s, port of service %s/%s for %d", node, gateway.Namespace, gateway.Name, port),
								Value:   fmt.Sprint(nodePort),
							},
						)
					}
				}
			}
			if len(nodePorts) == 0 {
				continue
			}
			f.Fix = r.useNodePorts(f.Object, nodePorts)
			p.Report(f)
		}
	}
}

// useNodePorts are the steps after which the Service of istiod in a remote cluster leads to
// the ports of nodes.
func (r remote) useNodePorts(service finding.Object, nodePorts map[int]int) []finding.Step {
	set := finding.Say("Lead to the ports of the nodes, until the next installation writes the slice again; the names of the ports stay:")
	for _, slice := range r.Slices(service.Namespace, service.Name) {
		var patch []any
		for i, port := range slice.Ports {
			if port.Port != nil && nodePorts[int(*port.Port)] != 0 {
				patch = append(patch, map[string]any{"op": "replace", "path": fmt.Sprintf("/ports/%d/port", i), "value": nodePorts[int(*port.Port)]})
			}
		}
		if len(patch) > 0 {
			set = set.By(
				finding.Kubectl(r.Context, "-n", slice.Namespace, "patch", "endpointslice/"+slice.Name, "--type=json", "-p", remedy.JSON(patch)),
			)
		}
	}
	return []finding.Step{
		set,
		finding.Say(
			"To stay: make the gateway of the primary a load balancer, and set global.remotePilotAddress to its address, which has ports %d and %d.",
			model.PortDiscovery,
			model.PortInjection,
		),
	}
}
