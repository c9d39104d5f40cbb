package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
)

// plane is the Deployment that writes statuses.
func plane(p *model.Plane) finding.Object {
	return finding.In("deployment", p.Installed, p.Main().Name)
}

// virtualMeshes are those of the planes that a rule can check.
func virtualMeshes(p *pass) []*model.VirtualMesh {
	var out []*model.VirtualMesh
	for _, plane := range model.AblePlanes(p) {
		out = append(out, plane.VirtualMeshes...)
	}
	model.WithoutPlane(p)
	return out
}

// missingMesh: a VirtualMesh lists a mesh that was not discovered. Releases up to 0.9 say nothing of it.
func missingMesh(p *pass) {
	for _, v := range virtualMeshes(p) {
		if len(v.Missing) == 0 {
			continue
		}
		context := v.Plane.Cluster.Context
		f := finding.Finding{
			Code: "EP205", Severity: finding.Error, Clusters: []string{context}, Object: v.Called(),
			Title:  fmt.Sprintf("the VirtualMesh lists %s not discovered", plural(len(v.Missing), "mesh that was", "meshes that were")),
			Effect: "clients there do not reach the others, and their services are not federated",
		}
		var known []string
		for _, m := range v.Plane.Members {
			known = append(known, m.Namespace+"/"+m.Name)
		}
		for _, ref := range v.Missing {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "spec.meshes", Value: ref.Namespace + "/" + ref.Name})
			for _, r := range v.Plane.Registrations {
				if strings.HasSuffix(ref.Name, "-"+r.Name) && f.CausedBy == "" {
					f.CausedBy = model.Cause(p, model.About(context, r.Registered()), "CP204", "CP205")
				}
			}
		}
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "meshes that were discovered", Value: finding.List(known)})
		if f.CausedBy == "" {
			f.CausedBy = model.Cause(p, model.About(context, finding.In("deployment", v.Plane.Installed, resources.Discovery)), "CP201")
		}
		f.Fix = remedy.Edit(&v.Written, "Correct the name, or register the cluster. The name is that of istiod's Deployment, its namespace "+
			"and the cluster:")
		p.Report(f)
	}
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// twoVirtualMeshes: a mesh can be in one VirtualMesh. The validator of releases up to 1.1 does not see it
// where the mesh is not the first one that both list.
func twoVirtualMeshes(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		for at, v := range plane.VirtualMeshes {
			for _, other := range plane.VirtualMeshes[:at] {
				var shared, names []string
				for _, m := range v.Members {
					if slices.Contains(other.Members, m) {
						shared, names = append(shared, m.Name), append(names, m.Called())
					}
				}
				if len(shared) == 0 {
					continue
				}
				f := finding.Finding{
					Code: "EP204", Severity: finding.Error, Clusters: []string{plane.Cluster.Context}, Object: v.Called(),
					Title: fmt.Sprintf("two VirtualMeshes have %s of %s", noun(len(shared), "the mesh", "the meshes"), finding.List(names)),
					Evidence: []finding.Evidence{
						{Field: "spec.meshes of both", Value: finding.List(shared)},
						{Field: other.Called().String() + ", status.state", Value: string(other.State())},
						{Field: v.Called().String() + ", status.state", Value: string(v.State())},
					},
					Effect: "one of them is in effect there, and which one can change: clients and certificates of the other one fail",
				}
				for i, w := range []*model.VirtualMesh{v, other} {
					steps := remedy.Edit(&w.Written, "Take what both have out of one of them, or write both as one:")
					if i > 0 {
						steps[0] = steps[0].Otherwise()
					}
					f.Fix = append(f.Fix, steps...)
				}
				p.Report(f)
			}
		}
	}
}

func noun(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// notObserved: the management plane has not looked at what was written.
func notObserved(p *pass) {
	for _, w := range allWritten(p) {
		if !w.Behind() {
			continue
		}
		context := w.Plane.Cluster.Context
		f := finding.Finding{
			Code: "EP203", Severity: finding.Error, Clusters: []string{context}, Object: w.Called(),
			Title: fmt.Sprintf("the management plane has not seen this %s as it is now", w.Kind()),
			Evidence: []finding.Evidence{
				{Field: "metadata.generation", Value: fmt.Sprint(w.Generation)},
				{Field: "status.observedGeneration", Value: observed(w)},
			},
			Effect: "what was changed last has no effect; the state is from before the change",
			Fix: []finding.Step{finding.Say("See what the management plane says, and restart it:").
				By(remedy.PlaneLogs(w.Plane), remedy.RestartPlane(w.Plane))},
			CausedBy: model.Cause(p, func(f finding.Finding) bool {
				return slices.Contains(f.Clusters, context) && (f.Object == plane(w.Plane) || f.Object == finding.Kind(w.Resource()))
			}, "CP201", "CP207"),
		}
		if w.Observed() == 0 {
			f.Effect = "it has no effect"
		}
		if w.Unseen() {
			f.Title = fmt.Sprintf("no part of this installation looks at a %s", w.Kind())
			f.Evidence = append(f.Evidence, finding.Evidence{
				Field: "the management plane", Value: plane(w.Plane).String() + ", which is the open one",
			})
			f.CausedBy = ""
			f.Fix = []finding.Step{finding.Say("It takes Gloo Mesh Enterprise, of which the open releases install the definitions also. Delete " +
				"the object if nobody needs it, so that nobody takes it for being in effect.")}
		}
		p.Report(f)
	}
}

func observed(w *model.Written) string {
	if n := w.Observed(); n != 0 {
		return fmt.Sprint(n)
	}
	return "none"
}

// allWritten are the objects that people wrote, of the planes that a rule can check.
func allWritten(p *pass) []*model.Written {
	var out []*model.Written
	for _, v := range virtualMeshes(p) {
		out = append(out, &v.Written)
	}
	for _, plane := range model.AblePlanes(p) {
		out = append(out, plane.Policies...)
	}
	return out
}

// complaints is the evidence of what the management plane says of an object.
func complaints(w *model.Written) []finding.Evidence {
	out := []finding.Evidence{{Field: "status.state", Value: string(w.State())}}
	for _, c := range w.Complaints() {
		field := c.At
		if c.Of != "" {
			field += ", " + c.Of
		}
		out = append(out, finding.Evidence{Field: field, Value: c.Text})
	}
	return out
}

// virtualMeshRefused: what is not accepted is not in effect, and what was written for it before is deleted.
func virtualMeshRefused(p *pass) {
	for _, v := range virtualMeshes(p) {
		if !v.Refused() {
			continue
		}
		context := v.Plane.Cluster.Context
		f := finding.Finding{
			Code: "EP201", Severity: finding.Error, Clusters: []string{context}, Object: v.Called(),
			Title:    "the management plane does not accept the VirtualMesh",
			Evidence: complaints(&v.Written),
			Effect:   "what it wrote to the clusters before is deleted: federated services and, with a shared root, certificates",
		}
		if v.State() == model.Failed {
			f.Title = "the management plane could not write to a cluster of the VirtualMesh"
			f.Effect = "a cluster lacks what was changed last: services, gateways or certificates"
		}
		f.CausedBy = model.Cause(p, model.About(context, v.Called()), "EP205")
		for _, m := range v.Members {
			if f.CausedBy != "" {
				break
			}
			var objects []finding.Object
			for _, w := range m.VirtualMeshes {
				objects = append(objects, w.Called())
			}
			if m.Registration != nil {
				objects = append(objects, m.Registration.Registered())
			}
			f.CausedBy = model.Cause(p, model.About(context, objects...), "EP204", "CP204")
			f.CausedBy = cmp.Or(f.CausedBy, model.Cause(p, model.About(context, m.Discovered()), "NET208"))
			if c := m.Target(); c != nil && f.CausedBy == "" {
				f.CausedBy = model.Cause(p, model.In(c.Context), "NET202", "NET203", "NET201")
			}
		}
		if bombs := inMemoryAlone(p, v); len(bombs) > 0 {
			f.Fix = append(f.Fix, finding.Say("Careful: do not restart istiod in %s until this is fixed, neither by an upgrade nor by a drain "+
				"of nodes. "+
				"Secret cacerts is gone there; istiod still works with what it had, and starts with a root of its own.", finding.List(bombs)))
		}
		f.Fix = append(f.Fix, remedy.Edit(&v.Written, "Correct what the errors name; the management plane then writes again what it deleted:")...)
		p.Report(f)
	}
}

// inMemoryAlone are the members whose istiod has the shared root in memory alone.
func inMemoryAlone(p *pass, v *model.VirtualMesh) []string {
	var out []string
	for _, i := range p.Model.Issues() {
		if i.VirtualMesh == v && i.Lost() {
			out = append(out, i.Cluster.Context)
		}
	}
	return out
}

// policyRefused: the same of everything else that people write.
func policyRefused(p *pass) {
	for _, plane := range model.AblePlanes(p) {
		for _, w := range plane.Policies {
			if !w.Refused() && w.State() != model.Warned {
				continue
			}
			context := plane.Cluster.Context
			f := finding.Finding{
				Code: "EP202", Severity: finding.Error, Clusters: []string{context}, Object: w.Called(),
				Title:    "the management plane does not accept the " + w.Kind(),
				Evidence: complaints(w),
				Effect:   "it is not in effect for what the errors name",
				Fix:      remedy.Edit(w, "Correct what the errors name:"),
			}
			switch w.State() {
			case model.Warned:
				f.Severity = finding.Warning
				f.Title = "the management plane has accepted a part of the " + w.Kind()
				f.Effect = "what the message names is not in effect"
			case model.Unlicensed:
				f.Title = "the license does not cover the " + w.Kind()
				f.Effect = "it is not in effect"
				f.Fix = []finding.Step{finding.Say("Give the management plane a license that does, or delete the object.")}
			case model.Failed:
				f.Title = fmt.Sprintf("the management plane could not write what the %s asks for", w.Kind())
				f.Effect = "it is not in effect in a cluster"
				for _, r := range plane.Registrations {
					if f.CausedBy == "" {
						f.CausedBy = model.Cause(p, model.About(context, r.Registered()), "CP204")
					}
				}
			default:
			}
			p.Report(f)
		}
	}
}

// targetMissing: a policy names a service that was not discovered, and is accepted all the same.
func targetMissing(p *pass) {
	for _, pl := range model.AblePlanes(p) {
		for _, w := range pl.Policies {
			missing := w.Unmatched()
			if len(missing) == 0 || w.Behind() || w.Refused() {
				continue
			}
			context := pl.Cluster.Context
			f := finding.Finding{
				Code: "EP210", Severity: finding.Warning, Clusters: []string{context}, Object: w.Called(),
				Title:  fmt.Sprintf("the %s names %s not discovered", w.Kind(), plural(len(missing), "service that was", "services that were")),
				Effect: "it has no effect on them; its state is " + string(w.State()) + " all the same",
				Fix: append(remedy.Edit(w, "Correct the names:"), finding.Say("A service is discovered once a pod behind it has a sidecar. See "+
					"whether the "+
					"pods have one.")),
			}
			for _, ref := range missing {
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "spec.destinationSelector", Value: fmt.Sprintf("%s/%s in cluster %s", ref.Namespace, ref.Name, ref.Cluster),
				})
				if r := pl.Registration(ref.Cluster); r != nil && f.CausedBy == "" {
					f.CausedBy = model.Cause(p, model.About(context, r.Registered()), "CP204", "CP205")
				}
			}
			if f.CausedBy == "" {
				f.CausedBy = model.Cause(p, model.About(context, finding.In("deployment", pl.Installed, resources.Discovery)), "CP201")
			}
			p.Report(f)
		}
	}
}

// notApplied: the VirtualMesh is accepted, and not in effect for a mesh that it lists.
func notApplied(p *pass) {
	for _, v := range virtualMeshes(p) {
		for _, m := range v.Members {
			generation, applied := m.Applied(v)
			if applied && generation == v.Generation || len(m.VirtualMeshes) > 1 || !v.Plane.Cluster.Older(&v.ObjectMeta, model.Settled) {
				continue
			}
			context := v.Plane.Cluster.Context
			f := finding.Finding{
				Code: "EP209", Severity: finding.Error, Clusters: []string{context}, Object: m.Discovered(),
				Title: fmt.Sprintf("the VirtualMesh is not in effect for the mesh of %s", m.Called()),
				Evidence: []finding.Evidence{
					{Field: v.Called().String() + ", metadata.generation", Value: fmt.Sprint(v.Generation)},
					{Field: m.Discovered().String() + ", status.appliedVirtualMesh", Value: "missing"},
				},
				Effect: "nothing is written to the cluster for it: its services are not federated",
				Fix: []finding.Step{finding.Say("See what the management plane says, and restart it:").
					By(remedy.PlaneLogs(v.Plane), remedy.RestartPlane(v.Plane))},
			}
			if applied {
				f.Evidence[1] = finding.Evidence{
					Field: m.Discovered().String() + ", status.appliedVirtualMesh.observedGeneration", Value: fmt.Sprint(generation),
				}
				f.Effect = "what was changed last has no effect in the cluster"
			}
			f.CausedBy = model.Cause(p, func(f finding.Finding) bool {
				return slices.Contains(f.Clusters, context) &&
					slices.Contains([]finding.Object{plane(v.Plane), v.Called(), finding.Kind(v.Resource())}, f.Object)
			}, "EP205", "EP201", "EP203", "CP201", "CP207")
			p.Report(f)
		}
	}
}
