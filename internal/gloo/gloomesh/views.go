package gloomesh

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

var _ mesh.Viewer = Mesh{}

// ViewResources are the rows that a view reads: those of the rules that judge it.
func (m Mesh) ViewResources(view mesh.View) resource.Set { return m.Resources(nil, view.Area()) }

// View lists registrations, gateways or certificates.
func (m Mesh) View(view mesh.View, run *mesh.Run) mesh.Section {
	of := model.New(run.Fleet)
	result := Judge(of, rule.Options{})
	out := mesh.Section{Mesh: m.Name()}
	switch view {
	case mesh.Peerings:
		registrations(of, result, &out)
	case mesh.Gateways:
		gateways(of, result, &out)
	default:
		certificates(of, result, &out)
	}
	out.Gaps = mesh.Gaps(result.Of(m.Codes(view.Area())).Unknowns)
	return out
}

// status are the codes of errors and warnings that fit; "ok" where there is none.
func status(r finding.Result, fits func(finding.Finding) bool) string {
	var codes []string
	for _, f := range r.Findings {
		if f.Severity != finding.Note && fits(f) {
			codes = append(codes, string(f.Code))
		}
	}
	if codes = finding.Distinct(codes); len(codes) > 0 {
		return strings.Join(codes, " ")
	}
	return "ok"
}

// about fits findings about an object in a cluster, or about one of an area in another.
func about(context string, object finding.Object, target *model.Cluster, letters string) func(finding.Finding) bool {
	return func(f finding.Finding) bool {
		return slices.Contains(f.Clusters, context) && f.Object == object ||
			target != nil && slices.Contains(f.Clusters, target.Context) && rule.Area(f.Code) == letters
	}
}

// registrations lists the clusters of each management plane: where each is, whether it has a kubeconfig, and what
// was discovered.
func registrations(m *model.Mesh, r finding.Result, out *mesh.Section) {
	out.Header = []string{"MANAGED BY", "CLUSTER", "CONTEXT", "KUBECONFIG", "AGENT", "MESHES", "STATUS"}
	for _, p := range m.Planes {
		for _, reg := range p.Registrations {
			kubeconfig := reg.Kubeconfig.Server
			switch {
			case !p.Connects():
				kubeconfig = "not used"
			case reg.Secret == nil:
				kubeconfig = "missing"
			case reg.Kubeconfig.Problem != "":
				kubeconfig = reg.Kubeconfig.Problem
			}
			context, agent := "not in the fleet", "?"
			if reg.Target != nil {
				context, agent = reg.Target.Context, "none"
				for _, d := range reg.Target.Agents() {
					agent = "does not run"
					if model.Available(d) {
						agent = "runs"
						break
					}
				}
			} else if reg.Unreached != "" {
				context = reg.Unreached + " (not reached)"
			}
			var meshes []string
			for _, member := range p.Members {
				if member.Registration == reg {
					meshes = append(meshes, member.Name)
				}
			}
			out.Rows = append(out.Rows, []string{
				p.Cluster.Context, reg.Name, context, kubeconfig, agent, none(meshes), status(r, about(p.Cluster.Context, reg.Registered(),
					reg.Target, "CP")),
			})
			out.Names = append(out.Names, p.Cluster.Context+"/kubernetescluster/"+reg.Namespace+"/"+reg.Name)
		}
	}
}

func none(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// gateways lists the east-west gateway of each mesh: where the management plane has it, and where it is.
func gateways(m *model.Mesh, r finding.Result, out *mesh.Section) {
	out.Header = []string{"CLUSTER", "MESH", "KNOWN AS", "SERVICE", "REACHED AT", "PODS", "STATUS"}
	for _, p := range m.Planes {
		for _, member := range p.Members {
			var known []string
			for _, g := range member.Recorded() {
				known = append(known, g.String())
			}
			row := func(service, at, pods string) {
				out.Rows = append(out.Rows, []string{
					member.Called(), member.Name, none(known), service, at, pods,
					status(r, about(p.Cluster.Context, member.Discovered(), member.Target(), "NET")),
				})
				out.Names = append(out.Names, member.Called()+"/mesh/"+member.Namespace+"/"+member.Name)
			}
			live := member.Gateways()
			for _, g := range live {
				row(g.Namespace+"/"+g.Name, g.Reachable(), fmt.Sprintf("%d/%d", len(g.Ready()), len(g.Cluster.Selected(g.Namespace, g.Spec.Selector))))
			}
			switch {
			case member.Target() == nil:
				row("?", "?", "?")
			case len(live) == 0:
				row("none", "none", "0/0")
			}
		}
	}
}

// certificates lists the members of VirtualMeshes with a shared root: how far the certificate of each is, and the
// root that istiod works with.
func certificates(m *model.Mesh, r finding.Result, out *mesh.Section) {
	out.Header = []string{"CLUSTER", "VIRTUALMESH", "CERTIFICATE", "SECRET CACERTS", "ISTIOD RUNS ON", "STATUS"}
	for _, i := range m.Issues() {
		state, secret, root := "none", "missing", "?"
		if i.Certificate != nil {
			state = i.State()
		}
		switch {
		case i.Foreign():
			secret = "not the agent's"
		case i.Secret != nil:
			secret = "the agent's"
		}
		if c, ok := i.RunsOn(); ok {
			root = pki.Short(c.SHA256)
		}
		out.Rows = append(out.Rows, []string{
			i.Cluster.Context, i.VirtualMesh.Namespace + "/" + i.VirtualMesh.Name, state, secret, root,
			status(r, func(f finding.Finding) bool {
				return slices.Contains(f.Clusters, i.Cluster.Context) && rule.Area(f.Code) == "CERT"
			}),
		})
		out.Names = append(out.Names, i.Cluster.Context+"/virtualmesh/"+i.VirtualMesh.Namespace+"/"+i.VirtualMesh.Name)
	}
}
