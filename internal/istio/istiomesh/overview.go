package istiomesh

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/controlplane"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// overview is what there is of Istio in a fleet, and what is well of it.
func overview(m *model.Mesh, result finding.Result) verdict.Overview {
	counted := controlplane.NewOverview(m)
	out := verdict.Overview{Replicas: "istiod", Well: map[finding.Area]string{}}
	for _, c := range counted.Clusters {
		o := verdict.ClusterOverview{
			Context: c.Context, Network: c.Network, Version: strings.Join(c.Istiod, ","), Kubernetes: c.Kubernetes,
			Replicas: countOf(c.Istiods), Proxies: countOf(c.Proxies),
		}
		if c.Istiods.Known && c.Istiods.All == 0 {
			o.Version = "-" // its control plane runs elsewhere
		}
		if c.Proxies.Known {
			o.Old = &c.Old
		}
		out.Clusters = append(out.Clusters, o)
	}
	for _, area := range finding.Areas {
		if text := counted.Says(area); text != "" {
			out.Well[area] = text
		}
	}
	out.Well[finding.Trust] = trusted(m)
	out.Well[finding.Networks] = connected(m, result)
	out.Well[finding.Discovery] = watched(m, result)
	out.Well[finding.Services] = shared(m)
	return out
}

func countOf(s controlplane.Share) *verdict.Count {
	if !s.Known {
		return nil
	}
	return &verdict.Count{Ready: s.Good, Total: s.All}
}

// trusted says which roots there are, and whether all clusters trust one another.
func trusted(m *model.Mesh) string {
	c := certs.Compare(m.Fleet)
	if len(c.Roots) == 0 {
		return ""
	}
	text := "one root"
	if n := len(c.Roots); n > 1 {
		text = fmt.Sprintf("%d roots", n)
	}
	first := c.Roots[0].NotAfter
	for _, r := range c.Roots {
		if r.NotAfter.Before(first) {
			first = r.NotAfter
		}
	}
	text += ", until " + first.Format(time.DateOnly)
	directions, wanted, trusts := 0, 0, 0
	for _, t := range c.Trust {
		from, to := m.Cluster(t.From), m.Cluster(t.To)
		if from == nil || to == nil {
			continue // of clusters that were not reached the first line speaks
		}
		directions++
		if m.KnownApart(from, to) {
			continue
		}
		wanted++
		if t.Verdict == certs.Trusts {
			trusts++
		}
	}
	switch {
	case directions == 0:
	case wanted == 0:
		text += "; no cluster has to trust another"
	case trusts == directions && directions == 2:
		text += "; both clusters trust each other"
	case trusts == directions:
		text += fmt.Sprintf("; all %d clusters trust one another", len(m.Clusters))
	case trusts == wanted:
		text += "; all clusters of one mesh trust one another"
	default:
		text += fmt.Sprintf("; %d of %d directions trust", trusts, wanted)
	}
	return text
}

// connected says how many networks there are, and gateways between them.
func connected(m *model.Mesh, result finding.Result) string {
	n := len(views.Map(m, result).Networks)
	if n < 2 {
		return "one network"
	}
	gateways := 0
	for _, g := range views.Gateways(m, result).Gateways {
		if g.Status == views.StatusOK {
			gateways++
		}
	}
	return fmt.Sprintf("%d networks, %s between them", n, finding.Plural(gateways, "gateway"))
}

// watched says how many of the clusters that should be are watched; "" where that is not known.
func watched(m *model.Mesh, result finding.Result) string {
	wanted, watches := 0, 0
	for _, p := range remotesecrets.List(m, result).Pairs {
		switch p.State {
		case remotesecrets.NotKnown:
			return ""
		case remotesecrets.NotNeeded:
			continue
		case remotesecrets.Watches:
			watches++
		case remotesecrets.Broken:
		}
		wanted++
	}
	if wanted == 0 {
		return "no cluster needs to watch another"
	}
	return fmt.Sprintf("%d of %d directions are watched", watches, wanted)
}

// shared says how many services several clusters have.
func shared(m *model.Mesh) string {
	in := map[string]int{}
	for _, c := range m.Clusters {
		for _, s := range resources.Services.Of(c.Cluster).Value {
			if !strings.HasPrefix(s.Namespace, "kube-") && s.Namespace != c.SystemNamespace && s.Name != "kubernetes" {
				in[s.Namespace+"/"+s.Name]++
			}
		}
	}
	n := 0
	for _, clusters := range in {
		if clusters > 1 {
			n++
		}
	}
	switch {
	case len(m.Clusters) < 2:
		return finding.Plural(len(in), "service") + "; nothing stands in their way"
	case n == 0:
		return fmt.Sprintf("of %s none is in several clusters", finding.Plural(len(in), "service"))
	}
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %s %s in several clusters", n, finding.Plural(len(in), "service"), verb)
}
