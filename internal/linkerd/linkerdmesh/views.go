package linkerdmesh

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

var _ mesh.Viewer = Mesh{}

// ViewResources are the rows that a view reads: those of the rules that judge it.
func (m Mesh) ViewResources(view mesh.View) resource.Set { return m.Resources(nil, view.Area()) }

// View lists Links, gateways or certificates.
func (Mesh) View(view mesh.View, run *mesh.Run) mesh.Section {
	of := model.New(run.Fleet, model.Options{})
	result := Judge(of, rule.Options{}, view.Area())
	out := mesh.Section{Mesh: "Linkerd"}
	switch view {
	case mesh.Peerings:
		peerings(of, result, &out)
	case mesh.Gateways:
		gateways(of, result, &out)
	default:
		certificates(of, &out)
	}
	out.Gaps = mesh.Gaps(result.Unknowns)
	return out
}

// status are the codes of errors and warnings about objects of a cluster; "ok" where there is none.
func status(r finding.Result, context string, objects ...finding.Object) string {
	var codes []string
	for _, f := range r.Findings {
		if f.Severity != finding.Note && slices.Contains(f.Clusters, context) && slices.Contains(objects, f.Object) {
			codes = append(codes, string(f.Code))
		}
	}
	if codes = finding.Distinct(codes); len(codes) > 0 {
		return strings.Join(codes, " ")
	}
	return "ok"
}

// peerings lists Links: where each leads, by which gateway, and whether its controller and both copies
// of its credentials are there.
func peerings(m *model.Mesh, r finding.Result, out *mesh.Section) {
	out.Header = []string{"CLUSTER", "LINK", "TARGET", "GATEWAY", "CONTROLLER", "CREDENTIALS", "DESTINATION", "MIRRORS", "STATUS"}
	for _, l := range m.Links {
		target := "not in the fleet (" + l.TargetName() + ")"
		if l.Target != nil {
			target = l.Target.Context
		}
		gateway := "none"
		if l.HasGateway() {
			gateway = l.Spec.GatewayAddress + ":" + l.Spec.GatewayPort
		}
		objects := []finding.Object{l.Object()}
		controller := "none"
		for _, d := range l.Working() {
			objects = append(objects, finding.In("deployment", d.Namespace, d.Name))
		}
		switch {
		case l.Available():
			controller = "runs"
		case len(l.Controllers) > 0:
			controller = "does not run"
		}
		for _, c := range []*model.Credentials{l.Credentials, l.Destination} {
			if c != nil {
				objects = append(objects, c.Object())
			}
		}
		objects = append(objects, finding.In("secret", l.Source.Namespace, resources.PrefixCredentials+l.TargetName()))
		out.Rows = append(out.Rows, []string{
			l.Source.Context, l.Namespace + "/" + l.Name, target, gateway, controller, leadsTo(l.Credentials), leadsTo(l.Destination),
			fmt.Sprint(len(l.Mirrors)), status(r, l.Source.Context, objects...),
		})
		out.Names = append(out.Names, l.Source.Context+"/link/"+l.Namespace+"/"+l.Name)
	}
}

// leadsTo is the server of credentials, or why they are not used.
func leadsTo(c *model.Credentials) string {
	switch {
	case c == nil:
		return "missing"
	case c.Kubeconfig.Problem != "":
		return c.Kubeconfig.Problem
	default:
		return c.Kubeconfig.Server
	}
}

// gateways lists gateways: where each is reached, its pods, and whose Links lead to it.
func gateways(m *model.Mesh, r finding.Result, out *mesh.Section) {
	out.Header = []string{"CLUSTER", "GATEWAY", "ADDRESS", "PORT", "PROBE", "PODS", "LINKED FROM", "STATUS"}
	for _, c := range m.Clusters {
		for _, g := range c.Gateways {
			address := strings.Join(g.Balanced(), " ")
			if address == "" {
				address = string(g.Spec.Type)
			}
			if g.Pending() {
				address = "pending"
			}
			var from []string
			state := status(r, c.Context, g.Object(), g.Workload())
			for _, l := range c.Incoming {
				if l.Gateway() != g {
					continue
				}
				from = append(from, l.Source.Context)
				if s := status(r, l.Source.Context, l.Object()); state == "ok" && s != "ok" {
					state = s
				}
			}
			linked := strings.Join(finding.Distinct(from), " ")
			if linked == "" {
				linked = "nobody"
			}
			out.Rows = append(out.Rows, []string{
				c.Context, g.Namespace + "/" + g.Name, address, fmt.Sprint(g.Port(resources.PortGateway)), fmt.Sprint(g.Port(resources.PortProbe)),
				fmt.Sprintf("%d/%d", len(g.Ready()), len(g.Pods)), linked, state,
			})
			out.Names = append(out.Names, c.Context+"/service/"+g.Namespace+"/"+g.Name)
		}
	}
}

// certificates lists the roots and the issuer of each cluster.
func certificates(m *model.Mesh, out *mesh.Section) {
	out.Header = []string{"CLUSTER", "WHAT", "SUBJECT", "SHA256", "ENDS"}
	row := func(c *model.Cluster, what string, cert pki.Certificate) {
		out.Rows = append(out.Rows, []string{
			c.Context, what, cert.Subject(), pki.Short(cert.SHA256), cert.NotAfter.UTC().Format("2006-01-02"),
		})
		out.Names = append(out.Names, c.Context+"/"+what+"/"+cert.SHA256)
	}
	for _, c := range m.Clusters {
		if c.Roots != nil {
			for _, root := range c.Roots.Certificates {
				row(c, "root", root)
			}
		}
		if c.Issuer != nil && c.Issuer.Certificate != nil {
			row(c, "issuer", *c.Issuer.Certificate)
			for _, above := range c.Issuer.Chain {
				row(c, "chain", above)
			}
		}
	}
}
