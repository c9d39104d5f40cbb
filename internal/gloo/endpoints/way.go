package endpoints

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// way is how clients of one mesh get to services of another one, by the VirtualMesh that has both.
type way struct {
	by       *model.VirtualMesh
	from, to *model.Member
	// service is the one that is asked for; nil for all, and where it is not federated to the clients.
	service *model.Federated
	found   finding.Result
}

// ways are those between all meshes that a VirtualMesh federates, each once.
func ways(m *model.Mesh, found finding.Result) []*way {
	var out []*way
	for _, p := range m.Planes {
		for _, v := range p.VirtualMeshes {
			for _, from := range v.Members {
				for _, to := range v.Members {
					known := slices.ContainsFunc(out, func(w *way) bool { return w.from == from && w.to == to })
					if v.Federates() && from != to && !known {
						out = append(out, &way{by: v, from: from, to: to, found: found})
					}
				}
			}
		}
	}
	return out
}

// services are those of the way's target that its clients know.
func (w *way) services() []*model.Federated {
	if w.service != nil {
		return []*model.Federated{w.service}
	}
	return slices.DeleteFunc(slices.Clone(w.by.Plane.Federated), func(f *model.Federated) bool {
		return f.Owner != w.to || !slices.Contains(f.Clients, w.from)
	})
}

// instead reports whether Istio has no way of its own between the clusters by design: the control plane of the clients
// watches none.
func (w *way) instead() bool {
	c := w.from.Target()
	return c != nil && c.WithoutRemoteSecrets()
}

// The steps of a way, in their order.
const (
	stepVirtualMesh = "VirtualMesh"
	stepTrust       = "trust"
	stepEntry       = "ServiceEntry"
	stepGateway     = "gateway"
	stepPods        = "pods"
)

// steps are those of a way, which is judged by what is there: what the management plane says of it is the cause.
func (w *way) steps() []view.Check {
	out := []view.Check{{Name: stepVirtualMesh, Codes: []finding.Code{"EP204"}, Well: w.by.Called().String() + " has both"}}
	if w.by.Shares() {
		out = append(out, view.Check{
			Name: stepTrust, Codes: []finding.Code{"CERT201", "CERT202", "CERT203", "CERT204", "CERT205", "CERT209"},
			Well: "both have certificates of the shared root",
		})
	}
	out = append(out, view.Check{
		Name: stepEntry, Codes: []finding.Code{"EP206", "EP207", "NET205"},
		Well: "ServiceEntries of " + w.from.Called() + " lead to " + w.at(),
	})
	if !w.by.Flat() {
		out = append(out, view.Check{
			Name: stepGateway, Codes: []finding.Code{"NET201", "NET202", "NET203", "NET206", "NET207"},
			Well: "it is the gateway of " + w.to.Called(),
		})
	}
	return append(out, view.Check{
		Name: stepPods, Codes: []finding.Code{"EP211", "EP212"}, Well: "pods of " + w.to.Called() + " are ready",
	})
}

// concerns reports whether a finding is about the way.
func (w *way) concerns(f finding.Finding) bool {
	here := w.from.Target() != nil && slices.Contains(f.Clusters, w.from.Target().Context)
	there := w.to.Target() != nil && slices.Contains(f.Clusters, w.to.Target().Context)
	management := slices.Contains(f.Clusters, w.by.Plane.Cluster.Context)
	known := here && f.Object == entries(w.to.ClusterName)
	some := func(is func(*model.Federated) bool) bool { return slices.ContainsFunc(w.services(), is) }
	switch f.Code {
	case "EP204":
		return management && slices.ContainsFunc(w.by.Plane.VirtualMeshes, func(v *model.VirtualMesh) bool {
			return f.Object == v.Called() && (slices.Contains(v.Members, w.from) || slices.Contains(v.Members, w.to))
		})
	case "EP206":
		return known && some(func(s *model.Federated) bool { return s.Entry(w.from) == nil })
	case "EP207":
		return known && some(func(s *model.Federated) bool { return s.Entry(w.from) != nil && len(leads(s, w.from)) == 0 })
	case "NET205":
		return known
	case "NET206":
		return management && f.Severity == finding.Error && f.Object == w.to.Discovered()
	case "NET201", "NET202", "NET203", "NET207":
		return there
	case "EP211":
		return there && w.service != nil && isEmpty(w.service)
	case "EP212":
		return w.service != nil && (there && leadsToGone(w.service, w.to) ||
			here && w.by.Flat() && leadsToGone(w.service, w.from))
	default:
		return here || there
	}
}

// foundAt are the findings about a step of the way, those that let nothing by first.
func (w *way) foundAt(s view.Check) []finding.Finding {
	return s.At(w.found, w.concerns, func(a, b finding.Finding) int { return rank(a) - rank(b) })
}

func rank(f finding.Finding) int {
	if stops(f) {
		return 0
	}
	return 1
}

// stops reports whether nothing gets by, of what the finding is about. A warning is of a part of the requests, but for a
// service without any pod.
func stops(f finding.Finding) bool {
	return f.Severity == finding.Error && f.Code != "EP204" || f.Code == "EP211"
}

// said is what a finding says, and of which cluster.
func said(f finding.Finding) string { return finding.List(f.Clusters) + ": " + f.Title }

// unknowns are what was not checked of the way.
func (w *way) unknowns() []finding.Unknown {
	return view.Unchecked(w.steps(), w.found, w.by.Plane.Cluster.Context, w.from.Called(), w.to.Called())
}

// leads are where the ServiceEntry of a service leads that a mesh has.
func leads(s *model.Federated, client *model.Member) []model.Lead {
	e := s.Entry(client)
	if e == nil {
		return nil
	}
	return slices.DeleteFunc(model.Leads(e), func(l model.Lead) bool { return l.Address == "" })
}

// leads are where the ServiceEntries of the clients lead, each once.
func (w *way) leads() []model.Lead {
	var out []model.Lead
	for _, s := range w.services() {
		for _, l := range leads(s, w.from) {
			if !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// at says where they lead.
func (w *way) at() string {
	var out []string
	for _, l := range w.leads() {
		out = append(out, l.String())
	}
	if len(out) == 0 {
		return "no address"
	}
	return finding.List(finding.Distinct(out))
}
