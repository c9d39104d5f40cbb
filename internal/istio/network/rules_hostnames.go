package network

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Hostnames are the host names that gateways have instead of addresses, sorted.
func Hostnames(fleet *facts.Fleet) []string {
	if !slices.ContainsFunc(fleet.Clusters, mayHaveHostnames) {
		return nil // what control planes make of the fleet is much work
	}
	var out []string
	for _, v := range newWorld(fleet, Options{}).views {
		for _, c := range v.candidates {
			for _, a := range c.Addresses {
				if _, err := netip.ParseAddr(a.Address); err != nil {
					out = append(out, a.Address)
				}
			}
		}
	}
	return finding.Distinct(out)
}

func mayHaveHostnames(c facts.Cluster) bool {
	return slices.ContainsFunc(resources.Services.Of(&c).Value, func(s corev1.Service) bool {
		return slices.ContainsFunc(s.Status.LoadBalancer.Ingress, func(i corev1.LoadBalancerIngress) bool { return i.Hostname != "" })
	}) || slices.ContainsFunc(resources.KubernetesGateways.Of(&c).Value, func(g api.KubernetesGateway) bool {
		return len(g.Spec.Addresses) > 0
	}) || slices.ContainsFunc(resources.MeshConfigs.Of(&c).Value, func(m corev1.ConfigMap) bool {
		return strings.Contains(m.Data[istio.MeshNetworksKey], "address")
	})
}

// judgeHostnames: istiod resolves the host names of gateways itself, by its own
// name servers (pilot/pkg/model/network.go). What this machine's name servers say is
// a hint, and where nobody asked them nothing is said.
func judgeHostnames(j *judgement, members []*member) {
	if !j.gatewaysMatter() {
		return
	}
	for _, m := range members {
		for _, g := range m.gateways {
			if g.stray {
				continue
			}
			for _, v := range m.viewers {
				c, ok := g.seen[v]
				if !ok || c.Problem != "" {
					continue
				}
				if f, _, ok := j.hostname(v, c); ok {
					f.Object, f.Clusters = g.object(), []string{m.Context}
					j.Add(f)
					break
				}
			}
		}
	}
	for _, v := range j.viewsOf(members) {
		for _, c := range v.candidates {
			if c.Kind == "Service" || c.Problem != "" || c.Kind == "Gateway" && v.contexts[c.Cluster] != v.Context {
				continue
			}
			if f, hosts, ok := j.hostname(v, c); ok {
				f.Object, f.Clusters = refObject(v, c.CandidateRef), []string{v.Context}
				j.Gather(f)
				for _, host := range hosts {
					j.concerns(f, subject{cluster: v.Context, object: f.Object, address: host})
				}
			}
		}
	}
}

// hostname judges the host names of what a control plane takes for a gateway, and
// returns those with which something is wrong.
func (j *judgement) hostname(v *view, c istio.Candidate) (f finding.Finding, hosts []string, ok bool) {
	f.Code = "GW003"
	deployment := "deployment/" + v.Istiod.Name
	connected := finding.Say("Give the load balancer a public address, unless the networks are connected: then do nothing.")
	resolve := finding.Say("Let istiod's name servers resolve it. Where they cannot, its log says \"could not resolve hostname\":").
		By(finding.Kubectl(v.Context, "-n", v.Istiod.Namespace, "logs", deployment, "--since=1h"))
	unset := finding.Say("Let istiod resolve host names:").
		By(finding.Kubectl(v.Context, "-n", v.Istiod.Namespace, "set", "env", deployment, istio.EnvResolveHostnames+"-"))
	host := ""
	say := func(severity finding.Severity, fix finding.Step, title, effect string, e finding.Evidence) {
		if f.Severity == "" || severity.AtLeast(f.Severity) && severity != f.Severity {
			f.Severity, f.Title, f.Effect, f.Fix = severity, title, effect, []finding.Step{fix}
		}
		f.Evidence = append(f.Evidence, e)
		hosts = append(hosts, host)
	}
	for _, a := range c.Addresses {
		if _, err := netip.ParseAddr(a.Address); err == nil {
			continue
		}
		context := cmp.Or(v.contexts[c.Cluster], v.Context)
		host = a.Address
		found, answered := j.Hosts[host]
		seen := finding.Evidence{Field: a.From, Value: a.Address}
		switch {
		case !v.Istiod.Setting(istio.EnvResolveHostnames, true):
			say(finding.Error, unset, "the control plane ignores the gateway's host name",
				fmt.Sprintf("istiod has no address for the gateway of %s: clients on other networks try addresses of pods, and time out", c.Network),
				finding.Evidence{
					Cluster: v.Context, Field: "istiod " + v.Istiod.Name + ", " + istio.EnvResolveHostnames,
					Value: v.Istiod.Env(istio.EnvResolveHostnames) + ": host name " + host + " does not count",
				})
		case j.Hosts == nil:
			why := "istiod resolves host name " + host + " of a gateway itself; whether it can is not seen from here"
			j.NotChecked(context, finding.Reason{Kind: finding.NotRead, Text: why}, "GW003")
		case !answered:
			why := finding.Reason{Kind: finding.Failed, Text: j.HostFailures[host]}
			if why.Text == "" {
				why = finding.Reason{Kind: finding.NotRead, Text: "not asked for"}
			}
			why.Text = "host name " + host + " of a gateway, asked for on this machine: " + why.Text
			j.NotChecked(context, why, "GW003")
		case len(found) == 0:
			seen.Value += " does not exist, seen from this machine"
			say(finding.Warning, resolve, "the gateway's host name is not known to this machine",
				fmt.Sprintf("unless the name servers of istiod know it, clients on other networks try addresses of pods on %s, and time out", c.Network), seen)
		default:
			for _, address := range found {
				ip := addressOf(address)
				switch {
				case isLocal(ip):
					say(finding.Error, resolve, "the gateway's host name leads to an address that no other machine reaches",
						fmt.Sprintf("requests from other networks to %s end on the machine of the client", c.Network),
						finding.Evidence{Field: a.From, Value: a.Address + ": " + address + ", seen from this machine"})
				case isPrivate(ip):
					say(finding.Note, connected, "the gateway's host name leads to a private address",
						fmt.Sprintf("only networks between which private addresses are routed reach %s", c.Network),
						finding.Evidence{Field: a.From, Value: a.Address + ": " + address + ", seen from this machine"})
				}
			}
		}
	}
	return f, hosts, f.Severity != ""
}

// isLocal reports whether an address means another machine to each one.
func isLocal(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast()
}

// isPrivate reports whether an address is only reached where it is routed.
func isPrivate(ip netip.Addr) bool {
	return ip.IsPrivate() || slices.ContainsFunc(privateRanges, func(p netip.Prefix) bool { return p.Contains(ip) })
}
