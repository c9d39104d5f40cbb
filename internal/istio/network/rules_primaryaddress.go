package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgePrimaryAddress: what is written as the address of istiod in a remote cluster
// stays as it is when the gateway gets another one
// (manifests/charts/istio-control/istio-discovery/templates/remote-istiod-endpointslices.yaml).
func judgePrimaryAddress(j *judgement, members []*member) {
	for _, m := range members {
		planes := m.serving()
		if !m.isRemote() || len(planes) == 0 {
			continue
		}
		for _, s := range m.controlPlaneServices() {
			if !isBridge(s) || s.Namespace != m.SystemNamespace {
				continue
			}
			if !resources.SystemSlices.Of(m.Cluster).Known() {
				j.NotChecked(m.Context, lack("endpointslices of "+m.SystemNamespace, resources.SystemSlices.Of(m.Cluster)), "PR001", "PR006")
				continue
			}
			addresses, _ := m.endpointsOf(s)
			if j.trusted(m, 0, addresses) {
				continue // something at the address forwards to it
			}
			f := finding.Finding{Code: "PR001", Severity: finding.Error, Clusters: []string{m.Context}}
			f.Object = finding.In("service", s.Namespace, s.Name)
			f.Effect = "proxies there get no configuration and no certificates, and pods are not injected"
			f.Evidence = []finding.Evidence{{
				Cluster: m.Context, Field: "endpointslices of " + f.Object.String(), Value: orNone(strings.Join(addresses, ", ")),
			}}
			if len(addresses) == 0 {
				f.Title = "the Service by which the remote cluster reaches its control plane has no address"
			} else {
				theirs, why := primaryAddresses(planes, j.Hosts)
				if slices.ContainsFunc(addresses, func(a string) bool { return slices.Contains(theirs, a) }) {
					continue
				}
				if why != nothing {
					j.NotChecked(m.Context, why, "PR001")
					continue
				}
				f.Title = "the remote cluster looks for its control plane at an address that its primary does not have"
			}
			var exposed string
			for _, v := range planes {
				shown := v.exposing()
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: v.Context, Field: fmt.Sprintf("addresses of Services with port %d", portDiscovery), Value: orNone(strings.Join(shown, ", "))})
				if exposed == "" && len(shown) > 0 {
					exposed = shown[0]
				}
			}
			f.Fix = []finding.Step{
				finding.Say("Set global.remotePilotAddress to %s in the values of the remote installation.", cmp.Or(exposed, "ADDRESS")),
			}
			if name := m.onlySlice(s); name != "" && exposed != "" && len(addresses) == 1 {
				patch := document([]map[string]any{{"op": "replace", "path": "/endpoints/0/addresses", "value": []string{exposed}}})
				f.Fix = append(f.Fix, finding.Say("To set it at once, until the next installation:").
					By(finding.Kubectl(m.Context, "-n", s.Namespace, "patch", "endpointslice/"+name, "--type=json", "-p", patch)))
			}
			j.Add(f)
		}
	}
}

// onlySlice is the name of the one slice of a Service that is reached by IPv4; "" where
// there are several, or none.
func (m *member) onlySlice(s *corev1.Service) (name string) {
	for _, slice := range resources.SystemSlices.Of(m.Cluster).Value {
		if slice.Namespace != s.Namespace || slice.Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		if name != "" || slice.AddressType != discoveryv1.AddressTypeIPv4 {
			return ""
		}
		name = slice.Name
	}
	return name
}

// exposing are the addresses of the Services of the control plane's cluster that
// have the port for proxies.
func (v *view) exposing() []string {
	var out []string
	for i := range resources.Services.Of(v.own.Cluster).Value {
		s := &resources.Services.Of(v.own.Cluster).Value[i]
		if addresses, _ := external(s); slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == portDiscovery }) {
			out = append(out, addresses...)
		}
	}
	return finding.Distinct(out)
}

// primaryAddresses are all addresses at which a control plane can be reached: those
// of Services, of nodes and of pods of its cluster, and of its mesh networks. Why says what
// may be missing among them.
func primaryAddresses(planes []*view, hosts map[string][]string) (out []string, why finding.Reason) {
	for _, v := range planes {
		if lack := v.own.lacks(services | nodes | pods | meshConfigs); lack != nothing && why == nothing {
			why = within(lack, v.Context)
		}
		for i := range resources.Services.Of(v.own.Cluster).Value {
			s := &resources.Services.Of(v.own.Cluster).Value[i]
			addresses, names := external(s)
			out = append(append(out, addresses...), s.Spec.ClusterIPs...)
			out = append(out, s.Spec.ClusterIP)
			for _, name := range names {
				if hosts[name] == nil && why == nothing {
					why = finding.Because("the addresses of host name " + name + " of the primary are not known")
				}
				out = append(out, hosts[name]...)
			}
		}
		for _, n := range resources.Nodes.Of(v.own.Cluster).Value {
			for _, a := range n.Status.Addresses {
				out = append(out, a.Address)
			}
		}
		for _, p := range resources.Pods.Of(v.own.Cluster).Value {
			out = append(out, p.IP())
		}
		for _, n := range v.MeshNetworks.Networks {
			for _, g := range n.Gateways {
				out = append(out, g.Address)
			}
		}
	}
	return finding.Distinct(out), why
}
