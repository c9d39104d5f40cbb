package network

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
)

// protocol is what sidecars ask a gateway for.
const protocol = "istio"

// Targets are the addresses of the gateways of all meshes that are federated, as their management planes write them to
// the others: what clients use.
func Targets(m *model.Mesh) []probing.Target {
	var out []probing.Target
	for _, plane := range m.Planes {
		for _, member := range plane.Members {
			if len(member.VirtualMeshes) == 0 || !member.VirtualMeshes[0].Federates() || member.VirtualMeshes[0].Flat() {
				continue
			}
			t := probing.Target{
				Purpose: probing.Requests, Cluster: plane.Cluster.Context, Object: member.Discovered(), Network: member.Called(),
			}
			for _, o := range member.VirtualMeshes[0].Members {
				if c := o.Target(); o != member && c != nil {
					t.Clients = append(t.Clients, c.Context)
				}
			}
			t.ServerName, t.Blind = serverName(plane, member)
			if t.Blind == "" {
				t.Protocol = protocol
			}
			for _, r := range member.Recorded() {
				for _, a := range r.Addresses {
					if r.Port <= 0 || r.Port > 65535 {
						continue
					}
					t.Address, t.Port = a, uint32(r.Port)
					out = append(out, t)
				}
			}
		}
	}
	return out
}

// serverName is the one by which a gateway passes TLS on to a federated service with a pod that is ready and has a
// sidecar; else why there is none.
func serverName(plane *model.Plane, m *model.Member) (name, why string) {
	for _, f := range plane.Federated {
		pods, known := f.Pods()
		if f.Owner != m || !known || !slices.ContainsFunc(pods, func(p *facts.Pod) bool { return p.IsReady() && model.IsWorkload(p) }) {
			continue
		}
		if s := m.Target().Service(f.Service.Namespace, f.Service.Name); len(s.Spec.Ports) > 0 {
			return fmt.Sprintf("outbound_.%d_._.%s", s.Spec.Ports[0].Port, f.Host), ""
		}
	}
	return "", "no federated service of " + m.Called() + " with a ready sidecar is known"
}

// unreachable: what clients use as the address of a gateway was tried, and is not reached, or is none of a gateway whose
// workloads they trust. Only pods of the other clusters see what clients see; what this machine sees is a hint.
func unreachable(p *pass) {
	for _, m := range members(p) {
		context := m.Plane.Cluster.Context
		var all, bad probing.Trials
		for _, t := range p.Model.Trials {
			if t.Cluster != context || t.Object != m.Discovered() || t.Vantage.Pod != "" && !slices.Contains(t.Target.Clients, t.Vantage.Context) {
				continue
			}
			all = append(all, t)
			switch {
			case t.Result == probing.NotTried, t.Doubtful && t.Certificate == nil, t.Result == probing.Reachable:
				p.NotChecked(context, t.Reason())
			case t.Result != probing.Trusted && !t.Doubtful:
				bad = append(bad, t)
			}
		}
		if len(bad) == 0 {
			continue
		}
		worst := bad[0]
		f := finding.Finding{
			Code: "NET210", Severity: finding.Warning, Clusters: []string{context}, Object: m.Discovered(),
			Title:    fmt.Sprintf("the gateway of %s at %s: %s", m.Called(), worst.Where(), worst.Result),
			Evidence: all.Evidence(), Effect: fmt.Sprintf("requests from %s to services of %s fail", others(m), m.Called()),
		}
		switch worst.Result {
		case probing.Refused:
			f.Fix = []finding.Step{probing.Listening()}
		case probing.Reset:
			f.Fix = []finding.Step{finding.Say("See which Gateways apply to the gateway's pods: it does not know the service that was asked " +
				"for, or what is in front of it closes connections.")}
		case probing.NotMesh:
			f.Fix = []finding.Step{finding.Say("Make the load balancer pass TCP through as it is: no TLS certificate, no HTTP and no proxy " +
				"protocol in its annotations.")}
		case probing.OtherRoot:
			f.Fix = []finding.Step{finding.Say("Give the clusters one root: see what the certificates of the VirtualMesh lack.").
				By(finding.Shell("kubectl", "mesh-certs", "verify"))}
		case probing.Unresolved:
			f.Fix = []finding.Step{finding.Say("Give the gateway an address that the other clusters resolve.")}
		default:
			f.Fix = []finding.Step{worst.LetThrough("pods of " + others(m))}
		}
		if slices.ContainsFunc(bad, func(t probing.Trial) bool { return t.Vantage.Pod != "" }) {
			f.Severity = finding.Error
		} else {
			f.Title += ", seen from " + worst.From
			f.Effect = "if pods there see the same, " + f.Effect
		}
		if target := m.Target(); target != nil {
			f.CausedBy = model.Cause(p, model.In(target.Context), "NET203", "NET207", "NET209", "NET202")
		}
		if f.CausedBy == "" {
			f.CausedBy = model.Cause(p, model.About(context, m.Discovered()), "NET204", "NET206")
		}
		p.Report(f)
	}
}
