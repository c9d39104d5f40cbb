package linkerdmesh

import (
	"context"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

var _ mesh.Prober = Mesh{}

// ProbeResources are the Links with what tells where they lead, and the roots.
func (Mesh) ProbeResources() resource.Set {
	return resource.Join(resources.Linked, resource.Set{resources.TrustRoots})
}

// Probe tries the gateways of Links at both of their ports. It takes no credentials: a proxy shows its certificate to clients
// that have none (linkerd/meshtls/src/creds/store.rs of linkerd2-proxy).
func (Mesh) Probe(ctx context.Context, run *mesh.Run, wish mesh.Probing) mesh.Probed {
	return probed(ctx, model.New(run.Fleet, model.Options{}), probe.ThisMachine(wish.Wait))
}

// probed tries the gateways of Links through a network.
func probed(ctx context.Context, m *model.Mesh, through probe.Network) mesh.Probed {
	targets := views.Targets(m)
	probes := make([]facts.Probe, len(targets))
	for i, t := range targets {
		probes[i] = t.Probe
	}
	attempts, now := through.Try(ctx, probes), time.Now()
	out := mesh.Probed{Section: mesh.Section{Mesh: "Linkerd", Header: views.ProbeHeader}}
	for i, t := range targets {
		for _, a := range attempts[i] {
			row, well := views.ProbeRow(t, a, now)
			out.Rows = append(out.Rows, row)
			out.Names = append(out.Names, t.Cluster+"/"+t.String())
			out.Failed = out.Failed || !well
		}
	}
	for _, l := range m.Links {
		if l.HasGateway() && l.Source.Roots == nil {
			out.Gaps = append(out.Gaps, mesh.Gap{Cluster: l.Source.Context, Reason: "the roots of its proxies are not known"})
		}
	}
	return out
}
