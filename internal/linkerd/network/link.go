package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

type pod = facts.Pod

func overlaps(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// address: the Link has an address that the gateway's Service does not have. That can be meant: something
// else stands before the gateway. Only a controller that saw the gateway die tells.
func address(p *pass) {
	for _, l := range throughGateways(p) {
		g := l.Gateway()
		has := g.Addresses()
		if len(g.Balanced()) == 0 || overlaps(has, l.GatewayAddresses()) {
			continue
		}
		f := finding.Finding{
			Code: "NET102", Severity: finding.Note, Clusters: []string{l.Source.Context}, Object: l.Object(),
			Title: fmt.Sprintf("the Link has another address than the gateway of %s", l.Target.Context),
			Evidence: []finding.Evidence{
				{Field: "spec.gatewayAddress", Value: l.Spec.GatewayAddress},
				{Cluster: l.Target.Context, Field: g.Object().String() + ", status.loadBalancer", Value: strings.Join(g.Balanced(), ", ")},
			},
			Effect: "none, if something at that address leads to the gateway; else clients time out",
			Fix:    []finding.Step{finding.Say("If nobody put the address there on purpose, link the cluster again:").By(remedy.Generate(l))},
		}
		mirrors, lost := l.Lost()
		switch {
		case allAddresses(l.GatewayAddresses()) != allAddresses(g.Balanced()):
			// A name and an address can be the same, and only a look-up tells.
		case lost:
			f.Severity = finding.Error
			f.Title = fmt.Sprintf("the Link has an address that the gateway of %s no longer has", l.Target.Context)
			f.Effect = "clients of " + finding.List(mirrors) + " get no endpoints"
			f.Fix = []finding.Step{finding.Say("Link the cluster again, which copies the new address:").By(remedy.Generate(l))}
		case len(l.Controllers) > 0 && !l.Available():
			f.Severity = finding.Warning
			f.Effect = "no controller runs that would see whether the gateway answers at that address"
		}
		p.Report(f)
	}
}

// port: what leads to the gateway's load balancer or to its nodes has to go to a port that is
// open there.
func port(p *pass) {
	for _, l := range throughGateways(p) {
		g := l.Gateway()
		ports := g.Ports(resources.PortGateway)
		if len(ports) == 0 {
			p.Report(finding.Finding{
				Code: "NET103", Severity: finding.Error, Clusters: []string{l.Target.Context}, Object: g.Object(),
				Title:    "the gateway's Service has no port " + resources.PortGateway,
				Evidence: []finding.Evidence{{Field: "spec.ports", Value: portNames(g)}},
				Effect:   "clients in " + l.Source.Context + " do not get through",
				Fix:      []finding.Step{finding.Say("Add the port, as the multicluster chart has it.")},
			})
			continue
		}
		if slices.Contains(expected(g, l, resources.PortGateway), l.Spec.GatewayPort) {
			continue
		}
		f := finding.Finding{
			Code: "NET103", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: l.Object(),
			Title: fmt.Sprintf("the Link has another port than the gateway of %s", l.Target.Context),
			Evidence: []finding.Evidence{
				{Field: "spec.gatewayPort", Value: said(l.Spec.GatewayPort)},
				{Cluster: l.Target.Context, Field: g.Object().String() + ", port " + resources.PortGateway, Value: strings.Join(ports, ", nodes ")},
			},
			Effect: fmt.Sprintf("clients in %s connect to a port at which nothing listens", l.Source.Context),
			Fix:    []finding.Step{finding.Say("Link the cluster again, which copies the port:").By(remedy.Generate(l))},
		}
		if !overlaps(g.Addresses(), l.GatewayAddresses()) {
			f.Severity, f.Effect = finding.Note, "none, if something at the Link's address leads to the gateway"
		}
		p.Report(f)
	}
}

// expected are the numbers by which a port of a gateway is reached at the Link's addresses.
func expected(g *model.Gateway, l *model.Link, name string) []string {
	if overlaps(g.Balanced(), l.GatewayAddresses()) {
		for _, sp := range g.Spec.Ports {
			if sp.Name == name {
				return []string{strconv.Itoa(int(sp.Port))}
			}
		}
	}
	return g.Ports(name)
}

func portNames(g *model.Gateway) string {
	var out []string
	for _, sp := range g.Spec.Ports {
		out = append(out, fmt.Sprintf("%s %d", sp.Name, sp.Port))
	}
	return said(strings.Join(out, ", "))
}

// probeSpec: the worker that probes the gateway ends at once where it cannot read what the Link says
// (multicluster/service-mirror/probe_worker.go). The mirrors then stay as they are.
func probeSpec(p *pass) {
	for _, l := range model.AbleLinks(p) {
		if !l.HasGateway() {
			continue
		}
		spec := l.Spec.ProbeSpec
		var wrong []finding.Evidence
		add := func(field, value, why string) {
			wrong = append(wrong, finding.Evidence{Field: "spec.probeSpec." + field, Value: said(value) + ", " + why})
		}
		if spec.Path == "" {
			add("path", spec.Path, "where a path has to be")
		}
		if n, err := strconv.Atoi(spec.Port); err != nil || n < 1 || n > 65535 {
			add("port", spec.Port, "where a port has to be")
		}
		if _, err := time.ParseDuration(spec.Period); err != nil {
			add("period", spec.Period, "where a duration has to be")
		}
		if _, err := time.ParseDuration(spec.Timeout); err != nil && spec.Timeout != "" {
			add("timeout", spec.Timeout, "where a duration has to be")
		}
		if _, err := strconv.Atoi(spec.FailureThreshold); err != nil && spec.FailureThreshold != "" {
			add("failureThreshold", spec.FailureThreshold, "where a number has to be")
		}
		if len(wrong) == 0 {
			continue
		}
		p.Report(finding.Finding{
			Code: "NET105", Severity: finding.Warning, Clusters: []string{l.Source.Context}, Object: l.Object(),
			Title: "the gateway cannot be probed by what the Link says", Evidence: wrong,
			Effect: "the gateway is reported dead, and nobody notices when it really dies",
			Fix:    []finding.Step{finding.Say("Link the cluster again:").By(remedy.Generate(l))},
		})
	}
}

// probePort: the controller asks the Service that it is told by -probe-service, at the port that the
// Link says. That of a NodePort gateway is another one than the chart gives the Service.
func probePort(p *pass) {
	for _, l := range model.AbleLinks(p) {
		name := l.ProbeService()
		if !l.HasGateway() || name == "" {
			continue
		}
		_, lost := l.Lost()
		f := finding.Finding{
			Code: "NET104", Severity: finding.Warning, Clusters: []string{l.Source.Context}, Object: finding.In("service", l.Namespace, name),
			Effect: "the gateway is reported dead though it may be well, and nobody notices when it dies; traffic goes on",
		}
		if lost {
			f.Severity = finding.Error
			f.Effect = "the gateway is taken for dead, and its mirrors have no endpoints that are ready"
		}
		s := l.Source.Service(l.Namespace, name)
		switch {
		case s == nil:
			f.Title = "the Service by which the gateway is probed is missing"
			f.Evidence = []finding.Evidence{{Field: "argument -probe-service of the controller", Value: name}}
			f.Fix = []finding.Step{finding.Say("Upgrade the multicluster chart with the Link among its controllers, which makes the Service.")}
		case !hasPort(s, l.Spec.ProbeSpec.Port) && l.Spec.ProbeSpec.Port != "":
			f.Title = fmt.Sprintf("the gateway is probed at port %s, which the Service %s does not have", l.Spec.ProbeSpec.Port, name)
			f.Evidence = []finding.Evidence{
				{Field: l.Object().String() + ", spec.probeSpec.port", Value: l.Spec.ProbeSpec.Port},
				{Field: "spec.ports of the Service", Value: said(numbers(s))},
			}
			patch := `[{"op":"replace","path":"/spec/ports/0/port","value":` + l.Spec.ProbeSpec.Port + `}]`
			if n, err := strconv.Atoi(l.Spec.ProbeSpec.Port); err == nil {
				patch = `[{"op":"replace","path":"/spec/ports/0/port","value":` + strconv.Itoa(n) + `}]`
			}
			f.Fix = []finding.Step{
				finding.Say("Give the Service that port:").
					By(finding.Kubectl(l.Source.Context, "-n", l.Namespace, "patch", "service/"+name, "--type=json", "-p", patch)),
				finding.Say("To keep it, set gateway.probe.port of Link %s among the chart's controllers, in a file of values.", l.Name),
			}
		default:
			continue
		}
		p.Report(f)
	}
}

func hasPort(s *corev1.Service, number string) bool {
	return slices.ContainsFunc(s.Spec.Ports, func(sp corev1.ServicePort) bool { return strconv.Itoa(int(sp.Port)) == number })
}

func numbers(s *corev1.Service) string {
	var out []string
	for _, sp := range s.Spec.Ports {
		out = append(out, strconv.Itoa(int(sp.Port)))
	}
	return strings.Join(out, ", ")
}

// alone are the gateway mirrors of a Link, where no other Link of the cluster has the target's name.
func alone(l *model.Link) []*model.Mirror {
	var out []*model.Mirror
	for _, m := range l.Mirrors {
		if len(m.Links) == 1 && (m.Kind == model.Through || m.Kind == model.PerPod) {
			out = append(out, m)
		}
	}
	return out
}

// drift: the controller writes the addresses of mirrors and of the probe's Service from the same
// look-up (cluster_watcher.go, repairEndpoints): where they differ, the mirrors are old.
func drift(p *pass) {
	for _, l := range model.AbleLinks(p) {
		name := l.ProbeService()
		if !l.HasGateway() || name == "" {
			continue
		}
		probe := addresses(l.Source.MirrorEndpoints(l.Namespace, name))
		from := "endpoints " + l.Namespace + "/" + name
		if ips := l.GatewayAddresses(); allAddresses(ips) {
			probe, from = ips, l.Object().String()+", spec.gatewayAddress"
		}
		if len(probe) == 0 {
			continue
		}
		var old []string
		var evidence []finding.Evidence
		for _, m := range alone(l) {
			has := finding.Distinct(append(m.Ready(), m.NotReady()...))
			if len(has) == 0 || slices.Equal(has, probe) {
				continue
			}
			old = append(old, m.Service.Namespace+"/"+m.Service.Name)
			evidence = append(evidence, finding.Evidence{Field: "endpoints " + m.Service.Namespace + "/" + m.Service.Name,
				Value: strings.Join(has, ", ")})
		}
		if len(old) == 0 {
			continue
		}
		p.Report(finding.Finding{
			Code: "NET109", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: l.Object(),
			Title:    fmt.Sprintf("%s of the Link have old addresses of the gateway", finding.Plural(len(old), "mirror")),
			Evidence: append(evidence, finding.Evidence{Field: from, Value: strings.Join(probe, ", ")}),
			Effect:   "clients of " + finding.List(old) + " connect to addresses that the gateway no longer has",
			Fix:      []finding.Step{finding.Say("Restart the controller, which writes them again:").By(remedy.RestartControllers(l)...)},
		})
	}
}

func addresses(e *corev1.Endpoints) []string {
	var out []string
	if e != nil {
		for _, s := range e.Subsets {
			for _, a := range slices.Concat(s.Addresses, s.NotReadyAddresses) {
				out = append(out, a.IP)
			}
		}
	}
	return finding.Distinct(out)
}

func allAddresses(list []string) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(s string) bool {
		_, err := netip.ParseAddr(s)
		return err != nil
	})
}

// dead: the controller of a Link has seen the gateway die. Why, other rules say.
func dead(p *pass) {
	for _, l := range model.AbleLinks(p) {
		mirrors, lost := l.Lost()
		if !lost {
			continue
		}
		f := finding.Finding{
			Code: "NET108", Severity: finding.Error, Clusters: []string{l.Source.Context}, Object: l.Object(),
			Title:    fmt.Sprintf("the gateway of %s does not answer", named(l)),
			Evidence: []finding.Evidence{{Field: "endpoints of " + finding.List(mirrors), Value: "all addresses are not ready"}},
			Effect:   "clients of " + finding.List(mirrors) + " get no endpoints",
			CausedBy: whyLost(p, l), Fix: remedy.ByItsCause(),
		}
		if f.CausedBy == "" {
			f.Fix = []finding.Step{
				finding.Say("See what the controller says of its probes:").By(logs(l)...),
				finding.Say("Check firewalls and the load balancer between %s and %s: ports %s and %s have to be open.",
					l.Source.Context, l.Spec.GatewayAddress, l.Spec.GatewayPort, l.Spec.ProbeSpec.Port),
			}
		}
		p.Report(f)
	}
}

func logs(l *model.Link) []finding.Command {
	var out []finding.Command
	for _, d := range l.Working() {
		out = append(out, finding.Kubectl(l.Source.Context, "-n", d.Namespace, "logs", "deployment/"+d.Name, "--tail=50"))
	}
	if out == nil {
		out = append(out, finding.Kubectl(l.Source.Context, "-n", l.Namespace, "get", "pods", "-l",
			resources.LabelExtension+"="+resources.ExtensionMulticluster))
	}
	return out
}

func named(l *model.Link) string {
	if l.Target != nil {
		return l.Target.Context
	}
	return l.TargetName()
}

func whyLost(p *pass, l *model.Link) string {
	if id := model.Cause(p, l.Source.Context, l.Object(), whyDead()...); id != "" {
		return id
	}
	if g := l.Gateway(); g != nil {
		for _, object := range []finding.Object{g.Object(), g.Workload()} {
			if id := model.Cause(p, l.Target.Context, object, whyDead()...); id != "" {
				return id
			}
		}
	}
	if name := l.ProbeService(); name != "" {
		if id := model.Cause(p, l.Source.Context, finding.In("service", l.Namespace, name), "NET104"); id != "" {
			return id
		}
	}
	for _, f := range p.Found(whyUntrusted()...) {
		if f.Severity != finding.Error || l.Target == nil {
			continue
		}
		both := len(f.Clusters) == 1 || slices.Contains(f.Clusters, l.Source.Context)
		if both && slices.Contains(f.Clusters, l.Target.Context) || len(f.Clusters) == 1 && f.Clusters[0] == l.Source.Context {
			return f.ID()
		}
	}
	return ""
}
