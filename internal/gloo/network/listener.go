package network

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/remedy"
)

// entrance is a gateway of a mesh for which the management plane has written something, or ought to have by now.
type entrance struct {
	*model.Member
	gateway     *model.Gateway
	virtualMesh *model.VirtualMesh
	listeners   []model.Listener
}

// entrances are those of the meshes with something that other clusters are to reach.
func entrances(p *pass) []entrance {
	var out []entrance
	for _, m := range reached(p) {
		g, fault := best(m)
		v := m.VirtualMeshes[0]
		if _, applied := m.Applied(v); !m.Reached() || g == nil || fault != model.None && fault != model.NoPods || !applied || v.Refused() ||
			m.Plane.Discovered(m) == 0 || !m.Plane.Cluster.Older(&v.ObjectMeta, model.Settling) {
			continue
		}
		out = append(out, entrance{m, g, v, m.Plane.Listeners(g, v)})
	}
	return out
}

// wrote is a finding about what the management plane wrote for a gateway.
func (e *entrance) wrote(p *pass, f finding.Finding) finding.Finding {
	f.Severity, f.Clusters = finding.Error, []string{e.gateway.Cluster.Context}
	f.Evidence = append(f.Evidence, recorded(e.Member))
	f.Fix = []finding.Step{finding.Say("See why the management plane does not write to the cluster, and restart it:").
		By(remedy.PlaneLogs(e.Plane), remedy.RestartPlane(e.Plane))}
	f.CausedBy = written(p, e.Member)
	return f
}

// noListener: without the Gateway that the management plane writes, with the labels of the gateway's pods and the port at
// which these listen, they take no mTLS from other clusters.
func noListener(p *pass) {
	for _, e := range entrances(p) {
		if slices.ContainsFunc(e.listeners, model.Listener.Applies) {
			continue
		}
		f := finding.Finding{
			Code: "NET207", Object: finding.Kind("gateways.networking.istio.io"), Title: "the gateway does not listen for the other clusters",
			Evidence: []finding.Evidence{{
				Field: "gateways with label " + e.Plane.OwnerLabel() + ", AUTO_PASSTHROUGH and *." + e.virtualMesh.Suffix(), Value: "none",
			}},
			Effect: "clients in " + others(e.Member) + " are refused: no listener takes their connections",
		}
		if len(e.listeners) > 0 {
			i := max(0, slices.IndexFunc(e.listeners, func(l model.Listener) bool { return l.Selects }))
			l := e.listeners[i]
			f.Object = finding.In("gateways.networking.istio.io", l.Gateway.Namespace, l.Gateway.Name)
			if l.Selects {
				f.Title = "the gateway listens for the other clusters at another port than its Service sends to"
				f.Evidence = []finding.Evidence{
					{Field: "spec.servers, port", Value: fmt.Sprint(l.Port)},
					{Field: e.gateway.Object().String() + ", port " + e.gateway.TLS().Name, Value: sends(e.gateway)},
				}
			} else {
				f.Title = "the Gateway for the other clusters selects no pod of the gateway"
				f.Evidence = []finding.Evidence{
					{Field: "spec.selector", Value: remedy.Selector(l.Gateway.Spec.Selector)},
					{Field: "pods of " + e.gateway.Object().String() + " that are ready and have these labels", Value: "none"},
				}
			}
		}
		p.Report(e.wrote(p, f))
	}
}

// sends says to which port of its pods a gateway's Service sends what other clusters send.
func sends(g *model.Gateway) string {
	port := g.TLS()
	if port.TargetPort.String() == "0" {
		return fmt.Sprint(port.Port)
	}
	return fmt.Sprintf("%d, targetPort %s", port.Port, port.TargetPort.String())
}

// unrewritten: releases in which other clusters ask for a service by a name with that of its cluster need an EnvoyFilter
// that cuts the latter off: the gateway knows no such name.
func unrewritten(p *pass) {
	for _, e := range entrances(p) {
		i := slices.IndexFunc(e.listeners, model.Listener.Applies)
		if !e.Plane.Rewrites() || i < 0 || len(e.gateway.Ready()) == 0 || e.Plane.IsRewritten(e.gateway, e.listeners[i]) {
			continue
		}
		p.Report(e.wrote(p, finding.Finding{
			Code: "NET209", Object: finding.Kind("envoyfilters.networking.istio.io"),
			Title: "the gateway does not know the names by which other clusters ask",
			Evidence: []finding.Evidence{{
				Field: fmt.Sprintf("envoyfilters with label %s and tcp_cluster_rewrite for pods of the gateway, at port %d", e.Plane.OwnerLabel(),
					e.listeners[i].Port), Value: "none",
			}},
			Effect: fmt.Sprintf("clients in %s are refused: no service ends in .%s.%s there", others(e.Member), e.ClusterName,
				e.virtualMesh.Suffix()),
		}))
	}
}

// written is the finding that says why the management plane does not write to the cluster of a mesh.
func written(p *pass, m *model.Member) string {
	context := m.Plane.Cluster.Context
	objects := []finding.Object{finding.In("deployment", m.Plane.Installed, m.Plane.Main().Name)}
	if m.Registration != nil {
		objects = append(objects, m.Registration.Registered())
	}
	for _, v := range m.VirtualMeshes {
		objects = append(objects, finding.Kind(v.Resource()))
	}
	fits := model.About(context, objects...)
	return model.Cause(p, func(f finding.Finding) bool {
		return fits(f) || f.Code == "CP206" && m.Target() != nil && slices.Contains(f.Clusters, m.Target().Context)
	}, "CP201", "CP204", "CP206", "CP207")
}
