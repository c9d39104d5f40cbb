package network

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
)

// way is what the ServiceEntries of one cluster say of the way to another.
type way struct {
	owner, client *model.Member
	hosts         []string
	wrong         []string // where they lead, and the gateway is not
	right         bool     // some lead to the gateway also
}

// outdatedEntries: ServiceEntries lead to addresses at which the gateway is not any more.
func outdatedEntries(p *pass) {
	for _, w := range ways(p) {
		plane := w.owner.Plane
		f := finding.Finding{
			Code: "NET205", Severity: finding.Error, Clusters: []string{w.client.Target().Context},
			Object: finding.Named("serviceentries of", w.owner.ClusterName),
			Title:  fmt.Sprintf("ServiceEntries lead where the gateway of %s is not", w.owner.Called()),
			Evidence: []finding.Evidence{
				{Field: "endpoints", Value: finding.List(finding.Distinct(w.wrong))},
				{Field: "serviceentries", Value: finding.List(finding.Distinct(w.hosts))},
			},
			Effect: fmt.Sprintf("requests from %s to services of %s fail or time out", w.client.Called(), w.owner.Called()),
		}
		if w.right {
			f.Severity = finding.Warning
			f.Effect = fmt.Sprintf("some requests from %s to services of %s fail or time out", w.client.Called(), w.owner.Called())
		}
		for _, g := range w.owner.Gateways() {
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: g.Cluster.Context, Field: g.Object().String() + " is reached at",
				Value: g.Reachable()})
		}
		f.Evidence = append(f.Evidence, recorded(w.owner))
		f.CausedBy = cmp.Or(
			model.Cause(p, model.About(plane.Cluster.Context, w.owner.Discovered()), "NET204"),
			model.Cause(p, model.In(w.owner.Target().Context), "NET202", "NET203"), written(p, w.client), discovery(p, w.owner),
		)
		f.Fix = []finding.Step{finding.Say("Restart the management plane, which writes them again. Do not edit them: it overwrites what it " +
			"wrote.").
			By(remedy.RestartPlane(plane))}
		if f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		}
		p.Report(f)
	}
}

// ways are those that are wrong, of pairs of which a rule can check both clusters.
func ways(p *pass) []*way {
	var out []*way
	for _, plane := range model.AblePlanes(p) {
		for _, f := range plane.Federated {
			owner := f.Owner.Target()
			if owner == nil {
				model.Elsewhere(p, f.Owner)
				continue
			}
			live := f.Owner.Gateways()
			if !p.Able(owner.Context) || !slices.ContainsFunc(live, func(g *model.Gateway) bool { return len(g.Addresses()) > 0 }) || flat(f.Owner) {
				continue
			}
			for _, client := range f.Clients {
				e := f.Entry(client)
				if e == nil || !p.Able(client.Target().Context) {
					continue
				}
				var wrong []string
				right := false
				for _, to := range model.Leads(e) {
					switch {
					case to.Address == "": // it has none, which is said elsewhere
					case leads(live, to):
						right = true
					default:
						wrong = append(wrong, to.String())
					}
				}
				if len(wrong) == 0 {
					continue
				}
				i := slices.IndexFunc(out, func(w *way) bool { return w.owner == f.Owner && w.client == client })
				if i < 0 {
					i = len(out)
					out = append(out, &way{owner: f.Owner, client: client})
				}
				out[i].hosts, out[i].wrong = append(out[i].hosts, f.Host), append(out[i].wrong, wrong...)
				out[i].right = out[i].right || right
			}
		}
	}
	return out
}

func flat(m *model.Member) bool {
	return slices.ContainsFunc(m.VirtualMeshes, (*model.VirtualMesh).Flat)
}
