package gateways

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
)

// altered: the load balancer of a gateway does not pass connections on as they are. What
// comes from other networks is mutual TLS from the first byte to the pod that is meant.
func altered(p pass) {
	for _, g := range intended(p) {
		ends, header := g.settings(p)
		for _, s := range header {
			g.putsHeader(p, s)
		}
		if len(ends) == 0 {
			continue
		}
		f := g.finding("GW014", finding.Error, "the load balancer of the gateway ends TLS or speaks HTTP itself")
		f.Effect = fmt.Sprintf("clients on other networks do not get to the certificates of %s: their connections to it fail in the TLS "+
			"handshake", g.Network)
		through := finding.Say("Make the load balancer pass the gateway's ports through as TCP:")
		for _, s := range ends {
			f.Evidence = append(f.Evidence, g.annotation(s.annotation, evidence.OrNone(s.value)))
			through = through.By(g.kubectl("annotate", s.annotation+"-"))
		}
		f.Fix = []finding.Step{through}
		g.confirm(p, &f)
		p.Report(f)
	}
}

// setting is an annotation by which a load balancer alters connections.
type setting struct {
	annotation, value string
	// trials are those of the gateway's port.
	trials probing.Trials
}

// settings are the annotations of the Service by which a load balancer ends TLS or speaks
// HTTP, and by which it puts a header before each connection. One that is seen not to do
// what it says is not among them.
func (g gateway) settings(p pass) (ends, header []setting) {
	for _, port := range g.Ports() {
		trials := probing.Given(p.Model).OfGateway(g.Gateway, port)
		if len(trials) > 0 && !slices.ContainsFunc(trials, func(t probing.Trial) bool { return !t.Passed() }) {
			continue
		}
		for _, m := range istio.Meddles(g.Service, port) {
			s := setting{m.Annotation, m.Value, trials}
			switch {
			case m.Header:
				header = append(header, s)
			case !slices.ContainsFunc(ends, func(o setting) bool { return o.annotation == m.Annotation }):
				ends = append(ends, s)
			}
		}
	}
	return ends, header
}

// putsHeader says of a load balancer that puts a header before connections whether the
// gateway's pods take it.
func (g gateway) putsHeader(p pass, s setting) {
	switch {
	case g.takesHeader():
	case len(s.trials) > 0 && !slices.ContainsFunc(s.trials, func(t probing.Trial) bool { return t.Result != probing.Reset }) &&
		g.cause(p, "GW010", "GW011", "GW012", "GW019") == "":
		f := g.finding("GW014", finding.Warning, "the gateway resets connections, before which its load balancer puts a header")
		if slices.ContainsFunc(s.trials, func(t probing.Trial) bool { return t.AsClient }) {
			f.Severity = finding.Error
		}
		f.Evidence = append([]finding.Evidence{g.annotation(s.annotation, evidence.OrNone(s.value))}, s.trials.Evidence()...)
		f.Effect = fmt.Sprintf("clients on other networks do not get to %s: the gateway parses the header as a TLS handshake", g.Network)
		f.Fix = []finding.Step{
			finding.Say("Make the load balancer pass the gateway's ports through as TCP:").By(g.kubectl("annotate", s.annotation+"-")),
			finding.Say("Or tell the gateway's pods of the header: gatewayTopology.proxyProtocol in their proxy config."),
		}
		g.confirm(p, &f)
		p.Gather(f) // both ports have it
	default:
		p.NotChecked(g.Cluster.Context, finding.Because(fmt.Sprintf("annotation %s of %s puts a header before each connection; "+
			"whether the gateway's pods take it, which an EnvoyFilter can make them do, is not read", s.annotation, g.Object())))
	}
}

// confirm adds to a finding what trials say of something else that answers in place of the
// gateway.
func (g gateway) confirm(p pass, f *finding.Finding) {
	trials := probing.Given(p.Model).OfGateway(g.Gateway, 0)
	if !slices.ContainsFunc(trials, func(t probing.Trial) bool { return t.Result == probing.NotMesh }) {
		return
	}
	for _, e := range trials.Evidence() {
		if !slices.Contains(f.Evidence, e) {
			f.Evidence = append(f.Evidence, e)
		}
	}
}

// takesHeader reports whether all pods of the gateway were told that a load balancer
// puts a header before connections.
func (g gateway) takesHeader() bool {
	return len(g.Pods) > 0 && !slices.ContainsFunc(g.Pods, func(p *facts.Pod) bool {
		config, known := istio.ProxyConfigOf(p)
		return !known || config.GatewayTopology == nil || config.GatewayTopology.ProxyProtocol == nil
	})
}
