package endpoints

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// pair are the services of one mesh that clients of another reach.
type pair struct {
	owner, client *model.Member
	services      []*model.Federated
}

// pairs are those of which a rule can check the client's cluster and the management cluster.
func pairs(p *pass, wrong func(*model.Federated, *model.Member) bool) []*pair {
	var out []*pair
	for _, plane := range model.AblePlanes(p) {
		for _, f := range plane.Federated {
			for _, client := range f.Clients {
				c := client.Target()
				if c == nil {
					model.Elsewhere(p, client)
					continue
				}
				if !p.Able(c.Context) || !wrong(f, client) {
					continue
				}
				i := slices.IndexFunc(out, func(o *pair) bool { return o.owner == f.Owner && o.client == client })
				if i < 0 {
					i = len(out)
					out = append(out, &pair{owner: f.Owner, client: client})
				}
				out[i].services = append(out[i].services, f)
			}
		}
	}
	return out
}

// hosts are the host names of the services of a pair.
func (p *pair) hosts() []string {
	var out []string
	for _, f := range p.services {
		out = append(out, f.Host)
	}
	return finding.Distinct(out)
}

// entries names the ServiceEntries of a cluster that are of another one.
func entries(cluster string) finding.Object { return finding.Named("serviceentries of", cluster) }

// entryMissing: a service is federated, says its status, and the client's cluster does not know it.
func entryMissing(p *pass) {
	for _, pair := range pairs(p, func(f *model.Federated, client *model.Member) bool {
		return f.Entry(client) == nil && fresh(f, client)
	}) {
		c, plane := pair.client.Target(), pair.owner.Plane
		hosts := pair.hosts()
		f := finding.Finding{
			Code: "EP206", Severity: finding.Error, Clusters: []string{c.Context}, Object: entries(pair.owner.ClusterName),
			Title: fmt.Sprintf("%s of %s missing in the cluster", plural(len(hosts), "federated service", "federated services"),
				pair.owner.Called()),
			Evidence: []finding.Evidence{
				{Cluster: plane.Cluster.Context, Field: "federated to mesh " + pair.client.Name, Value: finding.List(hosts)},
				{Field: "serviceentries with these names in " + pair.client.System, Value: "none"},
			},
			Effect:   "the names do not resolve, and clients in " + c.Context + " fail",
			CausedBy: whyNotWritten(p, pair),
		}
		f.Fix = []finding.Step{finding.Say("See why the management plane does not write to the cluster, and restart it:").
			By(remedy.PlaneLogs(plane), remedy.RestartPlane(plane))}
		if f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		}
		p.Report(f)
	}
}

// fresh reports whether what makes a service federated is there for longer than the management plane takes.
func fresh(f *model.Federated, client *model.Member) bool {
	return slices.ContainsFunc(client.VirtualMeshes, func(v *model.VirtualMesh) bool {
		return v.Plane.Cluster.Older(&v.ObjectMeta, model.Settling)
	}) && f.Owner.Plane.Cluster.Now().Sub(f.Owner.CreationTimestamp.Time) > model.Settling
}

// whyNotWritten is the finding that says why the management plane does not write to a client's cluster.
func whyNotWritten(p *pass, pair *pair) string {
	plane := pair.owner.Plane
	management := plane.Cluster.Context
	objects := []finding.Object{{}}
	for _, m := range []*model.Member{pair.client, pair.owner} {
		objects = append(objects, m.Discovered())
		if m.Registration != nil {
			objects = append(objects, m.Registration.Registered())
		}
		for _, v := range m.VirtualMeshes {
			objects = append(objects, v.Called(), finding.Kind(v.Resource()))
		}
	}
	fits := model.About(management, objects...)
	if id := model.Cause(p, func(f finding.Finding) bool {
		return slices.Contains(f.Clusters, management) && f.Code == "CP201" || fits(f) ||
			f.Code == "CP206" && slices.Contains(f.Clusters, pair.client.Target().Context)
	}, whyUnwritten()...); id != "" {
		return id
	}
	if c := pair.owner.Target(); c != nil {
		return model.Cause(p, model.In(c.Context), whyUnreachable()...)
	}
	return ""
}

// entryEmpty: Istio takes a ServiceEntry without endpoints, and answers its clients with 503.
func entryEmpty(p *pass) {
	for _, pair := range pairs(p, func(f *model.Federated, client *model.Member) bool {
		e := f.Entry(client)
		return e != nil && !leadsAnywhere(e) && !isEmpty(f)
	}) {
		c, plane := pair.client.Target(), pair.owner.Plane
		hosts := pair.hosts()
		f := finding.Finding{
			Code: "EP207", Severity: finding.Error, Clusters: []string{c.Context}, Object: entries(pair.owner.ClusterName),
			Title: fmt.Sprintf("%s of %s without endpoints", plural(len(hosts), "federated service", "federated services"), pair.owner.Called()),
			Evidence: []finding.Evidence{
				{Field: "serviceentries with no address in spec.endpoints", Value: finding.List(hosts)},
				{Cluster: plane.Cluster.Context, Field: pair.owner.Discovered().String() + ", gateways", Value: recorded(pair.owner)},
			},
			Effect: "clients in " + c.Context + " get 503, no healthy upstream",
			Fix: []finding.Step{finding.Say("Give the gateway of %s an external address; the management plane then writes the endpoints. Do not "+
				"edit the "+
				"ServiceEntries: it overwrites them.", pair.owner.Called())},
		}
		if owner := pair.owner.Target(); owner != nil {
			f.CausedBy = model.Cause(p, model.In(owner.Context), whyUnreachable()...)
		}
		p.Report(f)
	}
}

// isEmpty reports whether a service has no pod that is ready in its own cluster: then no endpoint is made of
// the addresses of the gateway.
func isEmpty(f *model.Federated) bool {
	pods, ok := f.Pods()
	return ok && !slices.ContainsFunc(pods, (*facts.Pod).IsReady)
}

func leadsAnywhere(e *istio.ServiceEntry) bool {
	return slices.ContainsFunc(e.Spec.Endpoints, func(w istio.WorkloadEntrySpec) bool { return w.Address != "" })
}

// recorded is where the gateways of a mesh are, as the management plane has it.
func recorded(m *model.Member) string {
	var out []string
	for _, r := range m.Recorded() {
		out = append(out, r.String())
	}
	if len(out) == 0 {
		return "none"
	}
	return finding.List(out)
}

// entryOrphaned: what a management plane wrote and did not delete when the cluster or the service went away.
func entryOrphaned(p *pass) {
	for _, c := range model.Able(p) {
		for _, r := range c.Registered {
			plane := r.Plane
			if !p.Able(plane.Cluster.Context) {
				continue
			}
			gone := map[string][]string{} // hosts by why
			for _, e := range c.Entries(plane.Generation) {
				is, ok := plane.StandsFor(e)
				if !ok || e.Labels[plane.OwnerLabel()] != plane.Installed || is.Cluster == r.Name {
					continue
				}
				of := plane.Registration(is.Cluster)
				switch {
				case of == nil:
					gone["cluster "+is.Cluster+" is not registered"] = append(gone["cluster "+is.Cluster+" is not registered"], e.Name)
				case of.Target == nil || !p.Able(of.Target.Context) || !resources.Services.Of(of.Target.Cluster).Known():
				case of.Target.Service(is.Namespace, is.Service) == nil:
					why := "there is no such Service in " + of.Target.Context
					gone[why] = append(gone[why], e.Name)
				}
			}
			if len(gone) == 0 {
				continue
			}
			f := finding.Finding{
				Code: "EP208", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Kind("serviceentries"),
				Effect: "clients in " + c.Context + " that use these names fail",
				Fix: []finding.Step{
					finding.Say("Restart the management plane, which deletes what it wrote and does not need any more:").By(remedy.RestartPlane(plane)),
				},
				CausedBy: model.Cause(p, func(f finding.Finding) bool {
					return slices.Contains(f.Clusters, plane.Cluster.Context) && (f.Code == "CP201" || f.Object == r.Registered()) ||
						f.Code == "CP206" && slices.Contains(f.Clusters, c.Context)
				}, "CP201", "CP204", "CP206"),
			}
			n := 0
			for _, why := range slices.Sorted(maps.Keys(gone)) {
				n += len(gone[why])
				f.Evidence = append(f.Evidence, finding.Evidence{Field: why, Value: finding.List(finding.Distinct(gone[why]))})
			}
			f.Title = fmt.Sprintf("%s of services that are gone", plural(n, "ServiceEntry", "ServiceEntries"))
			p.Report(f)
		}
	}
}
