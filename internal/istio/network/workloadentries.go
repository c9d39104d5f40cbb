package network

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// mostLines is how many workloads outside of Kubernetes are shown, and fixed, by name.
const mostLines = 8

// workloadsWithoutNetwork: workloads outside of Kubernetes have no network. Only a field of
// their own says it: neither their labels nor that of the system namespace do
// (pilot/pkg/serviceregistry/serviceentry/conversion.go, convertWorkloadEntryToWorkloadInstance).
// One without mutual TLS is not reached through gateways anyway, and one with a public
// address needs none.
func workloadsWithoutNetwork(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	for _, c := range model.Able(p) {
		if len(c.WatchedBy) == 0 {
			continue
		}
		seen, fix := entriesWithoutNetwork(c)
		inServices, edits := endpointsWithoutNetwork(p, c)
		seen, fix = append(seen, inServices...), append(fix, edits...)
		n := len(seen)
		if n == 0 {
			continue
		}
		if n > mostLines {
			seen = append(seen[:mostLines], finding.Evidence{Field: "further ones", Value: fmt.Sprint(n - mostLines)})
		}
		steps := []finding.Step{finding.Say("Set the network from which the address is reached. " +
			"A workload that registers itself takes it from spec.template.network of its WorkloadGroup:").By(fix[:min(len(fix), mostLines)]...)}
		if len(fix) > mostLines {
			steps = append(steps, finding.Say("Do the same for the others."))
		}
		title := "1 workload outside of Kubernetes has no network, in a fleet of several"
		if n > 1 {
			title = fmt.Sprintf("%d workloads outside of Kubernetes have no network, in a fleet of several", n)
		}
		p.Report(finding.Finding{
			Code: "NET011", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Kind("workloadentries"),
			Title: title, Evidence: append(seen, evidence.SystemLabel(c)),
			Effect: "clients on other networks connect to these addresses directly instead of to a gateway, and time out where they " +
				"do not reach them",
			Fix: steps,
		})
	}
}

// entriesWithoutNetwork are the WorkloadEntries of a cluster without a network that a
// service selects, and the commands that give them one.
func entriesWithoutNetwork(c *model.Cluster) (seen []finding.Evidence, fix []finding.Command) {
	entries := resources.WorkloadEntries.Of(c.Cluster).Value
	for i := range entries {
		w := &entries[i]
		labels := map[string]string{}
		maps.Copy(labels, w.Labels)
		maps.Copy(labels, w.Spec.Labels)
		if !needsNetwork(w.Spec) || !isSelected(c, w.Namespace, labels) {
			continue
		}
		seen = append(seen, finding.Evidence{
			Field: "workloadentry " + w.Namespace + "/" + w.Name + ", network", Value: "none, address " + w.Spec.Address,
		})
		fix = append(fix, remedy.Network(c.Network().Home(), func(network string) finding.Command {
			patch := remedy.JSON(map[string]any{"spec": map[string]string{"network": network}})
			return finding.Kubectl(c.Context, "-n", w.Namespace, "patch", "workloadentry/"+w.Name, "--type=merge", "-p", patch)
		}))
	}
	return seen, fix
}

// endpointsWithoutNetwork are the endpoints without a network in the ServiceEntries of a
// cluster, and the commands that open these. One that leads to a gateway between networks goes the way that
// there is to another network.
func endpointsWithoutNetwork(p *rule.Pass[*model.Mesh], c *model.Cluster) (seen []finding.Evidence, fix []finding.Command) {
	entries := resources.ServiceEntries.Of(c.Cluster).Value
	for i := range entries {
		s := &entries[i]
		if s.Spec.Location != api.MeshInternal {
			continue
		}
		before := len(seen)
		for k, e := range s.Spec.Endpoints {
			if !needsNetwork(e) {
				continue
			}
			switch at, known := p.Model.GatewaysAt(e.Address); {
			case len(at) > 0:
			case !known:
				p.NotChecked(c.Context, finding.Because(fmt.Sprintf("it is not known whether %s is a gateway", e.Address)))
			default:
				seen = append(seen, finding.Evidence{
					Field: fmt.Sprintf("serviceentry %s/%s, endpoints[%d].network", s.Namespace, s.Name, k),
					Value: "none, address " + e.Address,
				})
			}
		}
		if len(seen) > before {
			fix = append(fix, finding.Kubectl(c.Context, "-n", s.Namespace, "edit", "serviceentry/"+s.Name))
		}
	}
	return seen, fix
}

// needsNetwork reports whether clients on all networks are sent to an address, with mutual
// TLS, that is not reached from everywhere.
func needsNetwork(w api.WorkloadEntrySpec) bool {
	mutual := w.ServiceAccount != ""
	if mode, ok := w.Labels[istio.LabelTLSMode]; ok {
		mutual = mode == "istio"
	}
	ip, err := netip.ParseAddr(w.Address)
	return w.Network == "" && mutual && err == nil && ip.IsPrivate()
}

// isSelected reports whether some service of a namespace selects workloads with these labels.
func isSelected(c *model.Cluster, namespace string, labels map[string]string) bool {
	services := resources.Services.Of(c.Cluster).Value
	for i := range services {
		if s := &services[i]; s.Namespace == namespace && facts.Selects(s.Spec.Selector, labels) {
			return true
		}
	}
	return slices.ContainsFunc(resources.ServiceEntries.Of(c.Cluster).Value, func(s api.ServiceEntry) bool {
		return s.Namespace == namespace && s.Spec.Location == api.MeshInternal &&
			s.Spec.WorkloadSelector != nil && facts.Selects(s.Spec.WorkloadSelector.Labels, labels)
	})
}
