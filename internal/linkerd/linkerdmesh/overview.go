package linkerdmesh

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// Verify runs the rules of the areas. In a fleet without Linkerd there is nothing to say, not even
// that something was not checked.
func (m Mesh) Verify(ctx context.Context, run *mesh.Run) (finding.Result, error) {
	result, _, err := m.CheckUp(ctx, run)
	return result, err
}

// CheckUp is Verify, and what is well besides.
func (m Mesh) CheckUp(_ context.Context, run *mesh.Run) (finding.Result, verdict.Overview, error) {
	wish := certs.Options{ExpiryWarn: certs.DefaultExpiryWarn}
	if warn, ok := mesh.Wish[mesh.ExpiryWarn](run.Wishes); ok {
		wish.ExpiryWarn = time.Duration(warn)
	}
	of := model.New(run.Fleet, model.Options{Given: []any{wish}})
	if len(of.Clusters) == 0 {
		return finding.Result{}, verdict.Overview{}, nil
	}
	result := Judge(of, rule.Options{}, run.Areas...).Of(m.Codes(run.Areas...))
	if services, ok := mesh.Wish[mesh.Services](run.Wishes); ok {
		result.Findings = slices.DeleteFunc(result.Findings, func(f finding.Finding) bool { return !wanted(of, services, f) })
	}
	return result, overview(of), nil
}

// wanted reports whether a finding is about no service, or about one that the user wants.
func wanted(m *model.Mesh, services mesh.Services, f finding.Finding) bool {
	if f.Object.Kind != "service" && f.Object.Kind != "endpoints" || !slices.Contains(Mesh{}.Codes(mesh.Endpoints), f.Code) {
		return true
	}
	if services.Namespace != "" && f.Object.Namespace != services.Namespace {
		return false
	}
	c := m.Cluster(cmp.Or(f.ObjectIn, f.Clusters[0]))
	if services.Selects == nil || c == nil {
		return true
	}
	s := c.Service(f.Object.Namespace, f.Object.Name)
	return s != nil && services.Selects(s.Labels)
}

// overview counts what there is of Linkerd in each cluster.
func overview(m *model.Mesh) verdict.Overview {
	out := verdict.Overview{Replicas: "control plane", Well: map[finding.Area]string{}}
	var links, mirrors, gateways int
	for _, c := range m.Clusters {
		row := verdict.ClusterOverview{Context: c.Context, Version: c.Values.LinkerdVersion}
		if resources.Pods.Of(c.Cluster).Known() {
			row.Replicas, row.Proxies, row.Old = &verdict.Count{}, &verdict.Count{}, new(int)
			for _, p := range c.Pods() {
				if p.Namespace == c.Namespace && p.Labels[resources.LabelComponent] != "" {
					count(row.Replicas, p.IsReady())
					continue
				}
				if !model.Meshed(p) {
					continue
				}
				count(row.Proxies, p.IsReady())
				if v := p.Annotations[resources.AnnotationProxyVersion]; v != "" && row.Version != "" && v != row.Version {
					*row.Old++
				}
			}
		}
		out.Clusters = append(out.Clusters, row)
		links, mirrors, gateways = links+len(c.Links), mirrors+len(c.Mirrors), gateways+len(c.Gateways)
	}
	if links > 0 {
		out.Well[finding.Discovery] = fmt.Sprintf("%s can be read", finding.Plural(links, "Link"))
		out.Well[finding.Trust] = "linked clusters trust each other"
	}
	if gateways > 0 {
		out.Well[finding.Networks] = finding.Plural(gateways, "gateway") + " can be reached, as far as objects tell"
	}
	if mirrors > 0 {
		out.Well[finding.Services] = finding.Plural(mirrors, "mirror") + " have what they stand for"
	}
	return out
}

func count(c *verdict.Count, ready bool) {
	c.Total++
	if ready {
		c.Ready++
	}
}
