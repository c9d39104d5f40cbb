package endpoints

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Diagnose says what becomes of requests for a service from each cluster to each other one, by its federated name. found
// is what all rules say. The result has what of it is about the service.
func Diagnose(m *model.Mesh, found finding.Result, namespace, name string) (*view.Diagnosis, finding.Result) {
	d := &view.Diagnosis{
		Namespace: namespace, Name: name, Host: name + "." + namespace + ".svc", Clusters: []view.Presence{}, Paths: []view.Path{},
	}
	var result finding.Result
	for _, w := range ways(m, found) {
		owner := w.to.Target()
		if owner != nil && owner.Service(namespace, name) == nil {
			continue
		}
		ref := api.Ref{Namespace: namespace, Name: name, Cluster: w.to.ClusterName}
		for _, s := range w.services() {
			if s.Service == ref {
				w.service = s
				d.Host = s.Host
			}
		}
		if owner == nil && w.service == nil {
			continue // whether there is such a Service is not known
		}
		path := w.path(ref)
		d.Paths = append(d.Paths, path)
		for _, f := range found.Findings {
			said := slices.ContainsFunc(result.Findings, func(o finding.Finding) bool { return o.ID() == f.ID() })
			if !said && (path.Cause == f.ID() || slices.Contains(path.Findings, f.ID())) {
				result.Findings = append(result.Findings, f)
			}
		}
		for _, u := range w.unknowns() {
			if !slices.ContainsFunc(result.Unknowns, func(o finding.Unknown) bool { return o.Cluster == u.Cluster && o.Reason == u.Reason }) {
				result.Unknowns = append(result.Unknowns, u)
			}
		}
	}
	if len(d.Paths) > 0 {
		for _, c := range m.Clusters {
			if s := c.Service(namespace, name); s != nil {
				ready, all := count(c.Selected(namespace, s.Spec.Selector))
				d.Clusters = append(d.Clusters, view.Presence{Cluster: c.Context, Service: true, Ready: ready, NotReady: all - ready})
			}
		}
	}
	result.Sort()
	return d, result
}

func count(pods []*facts.Pod) (ready, all int) {
	for _, p := range pods {
		if p.IsReady() {
			ready++
		}
	}
	return ready, len(pods)
}

// path is the verdict on the way to a service.
func (w *way) path(ref api.Ref) view.Path {
	p := view.Path{
		From: w.source(ref.Namespace), To: w.to.Called(), Verdict: view.Reaches, Steps: []view.Step{}, Ports: []view.Port{},
		Findings: []string{}, Instead: w.instead(),
	}
	for _, m := range []*model.Member{w.from, w.to} {
		if m.Target() == nil {
			return ends(p, view.Unknown, "cluster "+m.Called()+" was not read")
		}
	}
	if w.service == nil {
		return w.unknownService(p, ref)
	}
	var decides *finding.Finding
	for _, s := range w.steps() {
		found := w.foundAt(s)
		for _, f := range found {
			p.Findings = append(p.Findings, f.ID())
		}
		switch {
		case p.StoppedAt != "":
		case len(found) == 0:
			p.Steps = append(p.Steps, view.Step{Name: s.Name, Outcome: view.Passed, Detail: s.Well})
		default:
			f := found[0]
			p.Steps = append(p.Steps, view.Step{Name: s.Name, Outcome: view.Fault, Detail: f.Title, Code: f.Code})
			if stops(f) {
				p.Verdict, p.StoppedAt, decides = view.Broken, s.Name, &f
			} else if decides == nil {
				p.Verdict, decides = view.Partial, &f
			}
		}
	}
	if decides != nil {
		root := w.found.Root(*decides)
		p.Code, p.Cause, p.Summary = root.Code, root.ID(), said(root)
		return p
	}
	pods, known := w.service.Pods()
	switch unknowns := w.unknowns(); {
	case len(unknowns) > 0:
		return ends(p, view.Unknown, fmt.Sprintf("not known of %s: %s", unknowns[0].Cluster, unknowns[0].Reason.Text))
	case w.service.Entry(w.from) == nil:
		return ends(p, view.Unknown, w.service.Host+" is new, and may not have been written yet")
	case known && len(pods) == 0:
		return ends(p, view.Nothing, w.service.Host+": the service has no pod in "+w.to.Called())
	case w.by.Flat():
		return ends(p, view.Reaches, w.service.Host+": pods of "+w.to.Called())
	}
	return ends(p, view.Reaches, w.service.Host+": through the gateway "+w.at())
}

// unknownService is the verdict on a service that is not federated to the clients.
func (w *way) unknownService(p view.Path, ref api.Ref) view.Path {
	for _, f := range w.found.Findings {
		if f.Code == "EP213" && slices.Contains(f.Clusters, w.to.Called()) && !w.by.Plane.Known()[ref] {
			p.Findings = append(p.Findings, f.ID())
			if f.Severity != finding.Note {
				root := w.found.Root(f)
				p.Code, p.Cause, p.StoppedAt = root.Code, root.ID(), stepVirtualMesh
				return ends(p, view.Broken, said(root))
			}
			return ends(p, view.Nothing, "it has no federated name: no pod of it in "+w.to.Called()+" has a sidecar")
		}
	}
	if f, ok := w.refusal(); ok {
		p.Code, p.Cause, p.StoppedAt = f.Code, f.ID(), stepVirtualMesh
		p.Findings = append(p.Findings, f.ID())
		return ends(p, view.Broken, said(f))
	}
	if unknowns := w.unknowns(); len(unknowns) > 0 {
		return ends(p, view.Unknown, fmt.Sprintf("not known of %s: %s", unknowns[0].Cluster, unknowns[0].Reason.Text))
	}
	return ends(p, view.Nothing, fmt.Sprintf("%s does not federate it to %s", w.by.Called(), w.from.Called()))
}

// source is a pod that stands for the clients of a cluster: one with a proxy, of the service's namespace if there is
// one.
func (w *way) source(namespace string) view.Source {
	out := view.Source{Cluster: w.from.Called()}
	c := w.from.Target()
	if c == nil {
		return out
	}
	pods := resources.Pods.Of(c.Cluster).Value
	for i := range pods {
		p := &pods[i]
		if model.HasSidecar(p) && p.IsReady() && p.Namespace != w.from.System && (out.Pod == "" || p.Namespace == namespace) {
			out.Pod = p.Namespace + "/" + p.Name
			if p.Namespace == namespace {
				break
			}
		}
	}
	return out
}

func ends(p view.Path, verdict view.Verdict, summary string) view.Path {
	p.Verdict, p.Summary = verdict, summary
	return p
}
