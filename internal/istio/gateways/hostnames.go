package gateways

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// hostNames: istiod resolves the host names of gateways itself, by its own name servers
// (pilot/pkg/model/network.go). What this machine's name servers say is a hint, and where
// nobody asked them nothing is said.
func hostNames(p pass) {
	for _, g := range intended(p) {
		for _, cp := range g.KnownTo() {
			c, _ := g.Candidate(cp)
			if c.Problem != "" {
				continue
			}
			if f, ok := misleads(p, cp, c); ok {
				f.Object, f.Clusters = g.Object(), []string{g.Cluster.Context}
				g.withOthers(&f, cp)
				p.Report(f)
				break
			}
		}
	}
	if !p.Model.GatewaysMatter() {
		return
	}
	for _, cp := range model.AbleControlPlanes(p) {
		for _, c := range cp.Candidates() {
			if c.Kind == "Service" || cp.IsWaypoint(c.CandidateRef) || c.Problem != "" ||
				c.Kind == "Gateway" && cp.ClusterOf(c.Cluster) != cp.Cluster {
				continue
			}
			if f, ok := misleads(p, cp, c); ok {
				f.Object, f.Clusters = cp.CandidateObject(c.CandidateRef), []string{cp.Context}
				p.Gather(f)
			}
		}
	}
}

// withOthers adds to the finding about a control plane that ignores host names the others
// that ignore this one: as long as one of them does, the fault stays.
func (g gateway) withOthers(f *finding.Finding, first *model.ControlPlane) {
	for _, cp := range g.KnownTo() {
		c, _ := g.Candidate(cp)
		if cp == first || c.Problem != "" {
			continue
		}
		for _, a := range c.Addresses {
			for _, h := range cp.LookUp(a.Address) {
				say := hostName{cp: cp, network: c.Network, from: a.From, name: a.Address, address: h.Address}
				if e := say.ignoring(); h.State == model.HostIgnored && f.Severity == finding.Error && !slices.Contains(f.Evidence, e) {
					f.Evidence = append(f.Evidence, e)
					f.Fix = append(f.Fix, say.heed())
				}
			}
		}
	}
}

// misleads is the finding about the host names by which a control plane looks for a
// gateway, without its object; false where nothing is wrong with them.
func misleads(p pass, cp *model.ControlPlane, c istio.Candidate) (finding.Finding, bool) {
	f := finding.Finding{Code: "GW003"}
	context := cp.CandidateIn(c.CandidateRef)
	for _, a := range c.Addresses {
		for _, h := range cp.LookUp(a.Address) {
			say := hostName{cp: cp, network: c.Network, from: a.From, name: a.Address, address: h.Address}
			switch h.State {
			case model.HostUnknown:
				p.NotChecked(context, h.Why)
			case model.HostIgnored:
				say.ignored(&f)
			case model.HostMissing:
				say.missing(&f)
			case model.HostLocal:
				say.local(&f)
			case model.HostPrivate:
				say.private(&f)
			case model.HostPublic: // nothing is wrong with it
			}
		}
	}
	return f, f.Severity != ""
}

// hostName is one with which something is wrong.
type hostName struct {
	cp      *model.ControlPlane
	network string
	// from is the field that has the name, and address one to which it leads.
	from, name, address string
}

// add adds what is wrong with the host name to a finding, which says what is worst.
func (h hostName) add(f *finding.Finding, worse finding.Finding, e finding.Evidence) {
	if f.Severity == "" || worse.Severity.AtLeast(f.Severity) && worse.Severity != f.Severity {
		f.Severity, f.Title, f.Effect, f.Fix = worse.Severity, worse.Title, worse.Effect, worse.Fix
	}
	f.Evidence = append(f.Evidence, e)
}

// seen is evidence of where the name leads.
func (h hostName) seen() finding.Evidence {
	return finding.Evidence{Field: h.from, Value: h.name + ": " + h.address + ", seen from this machine"}
}

// resolve is the step that makes istiod's name servers know the name.
func (h hostName) resolve() []finding.Step {
	i := h.cp.Istiod
	logs := finding.Kubectl(h.cp.Context, "-n", i.Namespace, "logs", "deployment/"+i.Name, "--since=1h")
	return []finding.Step{
		finding.Say("Let istiod's name servers resolve it. Where they cannot, its log says \"could not resolve hostname\":").By(logs),
	}
}

// ignoring is evidence of a control plane that ignores the name, and heed the step that
// has it resolve names.
func (h hostName) ignoring() finding.Evidence {
	i := h.cp.Istiod
	return finding.Evidence{
		Cluster: h.cp.Context, Field: "istiod " + i.Name + ", " + istio.EnvResolveHostnames,
		Value: i.Env(istio.EnvResolveHostnames) + ": istiod ignores host name " + h.name,
	}
}

func (h hostName) heed() finding.Step {
	i := h.cp.Istiod
	return finding.Say("Let istiod of %s resolve host names, which restarts it:", h.cp.Context).
		By(finding.Kubectl(h.cp.Context, "-n", i.Namespace, "set", "env", "deployment/"+i.Name, istio.EnvResolveHostnames+"-"))
}

func (h hostName) ignored(f *finding.Finding) {
	h.add(f, finding.Finding{
		Severity: finding.Error, Title: "the control plane ignores the gateway's host name",
		Effect: fmt.Sprintf("istiod has no address for the gateway of %s: clients on other networks try addresses of pods, and time out",
			h.network),
		Fix: []finding.Step{h.heed()},
	}, h.ignoring())
}

func (h hostName) missing(f *finding.Finding) {
	h.add(f, finding.Finding{
		Severity: finding.Warning, Title: "this machine cannot resolve the gateway's host name",
		Effect: fmt.Sprintf("unless the name servers of istiod know it, clients on other networks try addresses of pods on %s, and time out",
			h.network),
		Fix: h.resolve(),
	}, finding.Evidence{Field: h.from, Value: h.name + " does not exist, seen from this machine"})
}

func (h hostName) local(f *finding.Finding) {
	h.add(f, finding.Finding{
		Severity: finding.Error, Title: "the gateway's host name leads to an address that no other machine reaches",
		Effect: fmt.Sprintf("requests from other networks to %s end on the machine of the client", h.network),
		Fix:    h.resolve(),
	}, h.seen())
}

func (h hostName) private(f *finding.Finding) {
	h.add(f, finding.Finding{
		Severity: finding.Note, Title: "the gateway's host name leads to a private address",
		Effect: fmt.Sprintf("only networks between which private addresses are routed reach %s", h.network),
		Fix:    []finding.Step{finding.Say("Give the load balancer a public address, unless the networks are connected: then do nothing.")},
	}, h.seen())
}
