package primaryremote

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// bridges are the Services by which the cluster reaches its control plane by addresses
// that somebody wrote, in the system namespace, where these were read; that they were not
// is noted.
func (r remote) bridges(p pass) []*corev1.Service {
	var out []*corev1.Service
	for _, s := range r.ControlPlaneServices() {
		if !model.LeadsOut(s) || s.Namespace != r.SystemNamespace {
			continue
		}
		if r.lacks(p, resources.SystemSlices) {
			return nil
		}
		out = append(out, s)
	}
	return out
}

// endpointsOf are the addresses and ports to which a Service leads.
func (r remote) endpointsOf(s *corev1.Service) (addresses []string, ports []int) {
	for _, slice := range r.Slices(s.Namespace, s.Name) {
		for _, e := range slice.Endpoints {
			addresses = append(addresses, e.Addresses...)
		}
		for _, p := range slice.Ports {
			if p.Port != nil {
				ports = append(ports, int(*p.Port))
			}
		}
	}
	slices.Sort(ports)
	return finding.Distinct(addresses), slices.Compact(ports)
}

// seenAt reports whether the cluster was seen to find its control plane at one of the
// addresses; port 0 is any.
func (r remote) seenAt(p pass, port int, addresses []string) bool {
	return slices.ContainsFunc(probing.Given(p.Model), func(t probing.Trial) bool {
		return t.For == r.Context && t.Result == probing.Trusted && (port == 0 || int(t.Port) == port) && slices.Contains(addresses, t.Address)
	})
}

// primaryAddress finds remote clusters that look for istiod at an address which their
// primary does not have: it is written once, and stays when the gateway gets another one
// (manifests/charts/istio-control/istio-discovery/templates/remote-istiod-endpointslices.yaml).
func primaryAddress(p pass) {
	for _, r := range remotes(p) {
		for _, s := range r.bridges(p) {
			addresses, _ := r.endpointsOf(s)
			if r.seenAt(p, 0, addresses) {
				continue // something at the address forwards to it
			}
			f := finding.Finding{
				Code: "PR001", Severity: finding.Error, Clusters: []string{r.Context}, Object: finding.In("service", s.Namespace, s.Name),
				Title:  "the Service by which the remote cluster reaches its control plane has no address",
				Effect: "proxies there get no configuration and no certificates, and pods are not injected",
			}
			if len(addresses) > 0 {
				theirs, why := addressesOf(r.by, p.Model.Hosts)
				if slices.ContainsFunc(addresses, func(a string) bool { return slices.Contains(theirs, a) }) {
					continue
				}
				if why != (finding.Reason{}) {
					p.NotChecked(r.Context, why)
					continue
				}
				f.Title = "the remote cluster looks for its control plane at an address that its primary does not have"
			}
			f.Evidence = []finding.Evidence{{
				Cluster: r.Context, Field: "endpointslices of " + f.Object.String(), Value: evidence.OrNone(strings.Join(addresses, ", ")),
			}}
			exposed := ""
			for _, cp := range r.by {
				shown := exposing(cp.RunsIn)
				f.Evidence = append(f.Evidence, finding.Evidence{
					Cluster: cp.Context, Field: fmt.Sprintf("addresses of Services with port %d", model.PortDiscovery),
					Value: evidence.OrNone(strings.Join(shown, ", ")),
				})
				if exposed == "" && len(shown) > 0 {
					exposed = shown[0]
				}
			}
			f.Fix = []finding.Step{
				finding.Say("Set global.remotePilotAddress to %s in the values of the remote installation.", cmp.Or(exposed, "ADDRESS")),
			}
			if name := r.onlySlice(s); name != "" && exposed != "" && len(addresses) == 1 {
				patch := remedy.JSON([]map[string]any{{"op": "replace", "path": "/endpoints/0/addresses", "value": []string{exposed}}})
				f.Fix = append(f.Fix, finding.Say("To set it at once, until the next installation:").
					By(finding.Kubectl(r.Context, "-n", s.Namespace, "patch", "endpointslice/"+name, "--type=json", "-p", patch)))
			}
			p.Report(f)
		}
	}
}

// onlySlice is the name of the one slice of a Service that is reached by IPv4; "" where
// there are several, or none.
func (r remote) onlySlice(s *corev1.Service) string {
	found := r.Slices(s.Namespace, s.Name)
	if len(found) != 1 || found[0].AddressType != discoveryv1.AddressTypeIPv4 {
		return ""
	}
	return found[0].Name
}

// exposing are the addresses of the Services of a primary that have the port for proxies.
func exposing(primary *model.Cluster) []string {
	var out []string
	for i := range resources.Services.Of(primary.Cluster).Value {
		s := &resources.Services.Of(primary.Cluster).Value[i]
		if slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == model.PortDiscovery }) {
			addresses, _ := model.ExternalAddresses(s)
			out = append(out, addresses...)
		}
	}
	return finding.Distinct(out)
}

// addressesOf are all addresses at which control planes can be reached: those of Services,
// of nodes and of pods of their clusters, and of their meshNetworks. why says what may be
// missing among them.
func addressesOf(by []*model.ControlPlane, hosts map[string][]string) (out []string, why finding.Reason) {
	for _, cp := range by {
		c := cp.RunsIn
		if u := c.Unread(resources.Services, resources.Nodes, resources.Pods, resources.MeshConfigs); len(u) > 0 && why == (finding.Reason{}) {
			why = u[0].Elsewhere()
		}
		for i := range resources.Services.Of(c.Cluster).Value {
			s := &resources.Services.Of(c.Cluster).Value[i]
			addresses, names := model.ExternalAddresses(s)
			out = append(append(out, addresses...), s.Spec.ClusterIPs...)
			out = append(out, s.Spec.ClusterIP)
			for _, name := range names {
				if hosts[name] == nil && why == (finding.Reason{}) {
					why = finding.Because("the addresses of host name " + name + " of the primary are not known")
				}
				out = append(out, hosts[name]...)
			}
		}
		for _, n := range resources.Nodes.Of(c.Cluster).Value {
			for _, a := range n.Status.Addresses {
				out = append(out, a.Address)
			}
		}
		for i := range resources.Pods.Of(c.Cluster).Value {
			out = append(out, resources.Pods.Of(c.Cluster).Value[i].IP())
		}
		for _, n := range cp.MeshNetworks.Networks {
			for _, g := range n.Gateways {
				out = append(out, g.Address)
			}
		}
	}
	return finding.Distinct(out), why
}
