package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// mutualTLS: what is behind a gateway takes mutual TLS, or istiod drops it
// (pilot/pkg/xds/endpoints/mtls_checker.go). What somebody keeps out of the mesh, all or a
// port of it, is reached within its cluster alone, and is meant to be.
func (w *walk) mutualTLS() Verdict {
	open := slices.ContainsFunc(w.ports, func(p *port) bool { return p.reached() > 0 })
	var left []*port
	var kept []finding.Finding
	for _, p := range w.ports {
		blamed := false
		for _, d := range plainBy(p) {
			switch {
			case w.isMeant(d, p, open):
				kept = append(kept, w.plain(w.cp, d, p))
			default:
				w.blame(stepMTLS, w.plain(w.cp, d, p))
				blamed = true
			}
		}
		switch {
		case p.reached() > 0, !blamed && len(plainBy(p)) == 0:
			left = append(left, p)
		case !blamed:
			w.kept = append(w.kept, p.number)
		}
	}
	w.ports = left
	if len(left) > 0 {
		w.remark(stepMTLS, kept)
		return w.ok(stepMTLS, "%s", w.howTheyTakeIt())
	}
	if w.path.HasFault() || len(kept) == 0 {
		return Broken
	}
	return w.answer(stepMTLS, kept[0])
}

// isOfMesh: some cluster has the service in the mesh. Else gateways between networks lead to
// none of its pods, and each cluster uses its own.
func (w *walk) isOfMesh() Verdict {
	if !w.asked || w.ofMesh(w.service) { // others are not looked at unless somebody asks
		return goesOn
	}
	var plain []istio.Dropped
	for _, p := range w.ports {
		if p.reached() > 0 {
			return goesOn
		}
		for _, d := range plainBy(p) {
			plain = append(plain, d...)
		}
	}
	if len(plain) == 0 {
		return goesOn
	}
	return w.answer(stepMTLS, w.plain(w.cp, plain[:1], w.ports[0]))
}

func (w *walk) howTheyTakeIt() string {
	for _, p := range w.ports {
		for _, e := range p.direct {
			if e.Plain.Kind == "" && !e.MTLS {
				return "not all endpoints take it; on one network they need not"
			}
		}
	}
	return "the endpoints take it"
}

// remark notes what is kept from the source on purpose while the rest is reached, for those
// who ask.
func (w *walk) remark(step string, kept []finding.Finding) {
	for _, f := range kept {
		if w.asked {
			f.Severity = finding.Note
			w.path.Steps = append(w.path.Steps, Step{Name: step, Outcome: Answer, Detail: f.Title, Code: f.Code})
			w.warn(f)
		}
	}
}

// plainBy are the endpoints of a port that are dropped because they take no mutual TLS, by
// what decided that.
func plainBy(p *port) [][]istio.Dropped {
	var out [][]istio.Dropped
	for _, d := range p.dropped {
		if d.Reason != istio.NoMTLS {
			continue
		}
		same := func(o []istio.Dropped) bool {
			return o[0].Plain.Kind == d.Plain.Kind && o[0].Plain.Object == d.Plain.Object
		}
		if at := slices.IndexFunc(out, same); at >= 0 {
			out[at] = append(out[at], d)
		} else {
			out = append(out, []istio.Dropped{d})
		}
	}
	return out
}

// isMeant reports whether endpoints that one thing keeps from mutual TLS are meant to be
// reached in their own cluster alone. open says that another port of the service is reached.
func (w *walk) isMeant(dropped []istio.Dropped, p *port, open bool) bool {
	if why := dropped[0].Plain; why.Kind != "" {
		// One who turns it off for a port means the port; it does harm where the port is
		// what the service is for.
		return why.OfPort && (open || isOfMetrics(p.name))
	}
	return !slices.ContainsFunc(dropped, func(d istio.Dropped) bool { return w.ought(d) })
}

// isOfMetrics reports whether a port has one of the names by which metrics are scraped.
func isOfMetrics(port string) bool {
	return slices.ContainsFunc(
		[]string{"metric", "prom", "monitor"},
		func(s string) bool { return strings.Contains(strings.ToLower(port), s) },
	)
}

// ought reports whether an endpoint that has no sidecar ought to have one: those of the
// service have one in another cluster, or would get one here.
func (w *walk) ought(d istio.Dropped) bool {
	pod := w.to.Pod(cut(d.Pod))
	if pod == nil {
		// What each cluster has of its own outside of it, as a database, is reached there.
		return w.elsewhere() && (len(w.service.in(w.to).Spec.Selector) > 0 || w.to.IsPodAddress(d.Address))
	}
	why := w.to.NoSidecar(pod)
	switch why.Why {
	case model.IsGatewayItself, model.OfAmbient:
		return false
	case model.NotYetInjected, model.NoSuchRevision:
		return true
	default:
		// Where some of a Service are left out and others are not, it is by choice.
		return !w.to.HasSidecars(w.service.in(w.to)) && (w.elsewhere() || w.injectedElsewhere(why))
	}
}

// elsewhere reports whether pods of the service have sidecars in another cluster of the mesh.
func (w *walk) elsewhere() bool {
	return slices.ContainsFunc(w.others(), func(c *model.Cluster) bool {
		s := w.service.in(c)
		return s != nil && c.HasSidecars(s)
	})
}

// injectedElsewhere reports whether a namespace that is not injected here is injected in
// another cluster, which has no pods of the service and so relies on those here.
func (w *walk) injectedElsewhere(why model.NoSidecar) bool {
	if why.Why != model.NotSelected {
		return false
	}
	return slices.ContainsFunc(w.others(), func(c *model.Cluster) bool {
		s, ns := w.service.in(c), c.Namespace(w.service.namespace)
		return s != nil && ns != nil && model.Injects(ns) && !c.AnyPodBehind(s, model.Runs)
	})
}

// others are the clusters of the mesh besides the one to which the path leads.
func (w *walk) others() []*model.Cluster {
	return slices.DeleteFunc(slices.Clone(w.clusters), func(c *model.Cluster) bool { return c == w.to || w.skips(c, w.service) })
}

// plain is the finding about endpoints that do not take mutual TLS, for what decides that.
func (w *walk) plain(cp *model.ControlPlane, endpoints []istio.Dropped, p *port) finding.Finding {
	why := endpoints[0].Plain
	if why.Kind == "" {
		return w.uninjected(endpoints)
	}
	object := finding.In(strings.ToLower(why.Kind), why.First.Namespace, why.First.Name)
	off, where := "off", ""
	if why.OfPort {
		off, where = fmt.Sprintf("off for port %d", p.number), fmt.Sprintf(" at port %d", p.number)
	}
	f := finding.Finding{
		Severity: finding.Error,
		Clusters: []string{cp.Context},
		Object:   object,
		Effect: fmt.Sprintf(
			"istiod silently drops the endpoints of %s%s: clients in %s cannot reach them",
			w.to.Context,
			where,
			w.source.Context,
		),
		Evidence: []finding.Evidence{
			{Field: why.Kind + " " + why.Object, Value: strings.TrimPrefix(why.Text, why.Kind+" "+why.Object+" ")},
		},
	}
	if why.OfPort {
		f.Evidence[0].Value += fmt.Sprintf(" for port %d (%s)", endpoints[0].Port, cmp.Or(p.name, "no name"))
	}
	change := edit(cp.Context, object.Kind, object.Namespace, object.Name)
	if why.Kind == "DestinationRule" {
		f.Code = "EP008"
		f.Title = fmt.Sprintf("DestinationRule %s turns the mesh's TLS %s: gateways between networks need it", why.Object, off)
		f.Fix = []finding.Step{finding.Say("Set tls.mode to ISTIO_MUTUAL, or remove tls:").By(change)}
		return f
	}
	f.Code = "EP009"
	f.Title = fmt.Sprintf("PeerAuthentication %s turns mutual TLS %s: gateways between networks need it", why.Object, off)
	f.Fix = []finding.Step{
		finding.Say("Set the mode to PERMISSIVE, which still lets in clients without a sidecar, or to STRICT or UNSET:").By(change),
	}
	return f
}
