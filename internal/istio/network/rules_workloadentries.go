package network

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgeWorkloadEntries: where a workload is that is no pod says its own field
// alone; neither its labels nor the system namespace's count
// (pilot/pkg/serviceregistry/serviceentry/conversion.go, convertWorkloadEntryToWorkloadInstance).
// One without mutual TLS is not reached through gateways anyway, and one with a
// public address needs none.
func judgeWorkloadEntries(j *judgement, members []*member) {
	if !j.several {
		return
	}
	for _, m := range members {
		if len(m.viewers) == 0 {
			continue
		}
		var evidence []finding.Evidence
		var fix []finding.Command
		for i := range resources.WorkloadEntries.Of(m.Cluster).Value {
			w := &resources.WorkloadEntries.Of(m.Cluster).Value[i]
			labels := maps.Clone(w.Labels)
			if labels == nil {
				labels = map[string]string{}
			}
			maps.Copy(labels, w.Spec.Labels)
			if !isPlaceless(w.Spec) || !m.isUsed(w.Namespace, labels) {
				continue
			}
			evidence = append(evidence, finding.Evidence{Field: "workloadentry " + w.Namespace + "/" + w.Name + ", network", Value: "none, address " + w.Spec.Address})
			patch := document(map[string]any{"spec": map[string]string{"network": cmp.Or(m.home(), "NETWORK")}})
			fix = append(fix, finding.Kubectl(m.Context, "-n", w.Namespace, "patch", "workloadentry/"+w.Name, "--type=merge", "-p", patch))
		}
		for i := range resources.ServiceEntries.Of(m.Cluster).Value {
			s := &resources.ServiceEntries.Of(m.Cluster).Value[i]
			if s.Spec.Location != api.MeshInternal {
				continue
			}
			placeless := false
			for k, e := range s.Spec.Endpoints {
				if isPlaceless(e) {
					placeless = true
					evidence = append(evidence, finding.Evidence{Field: fmt.Sprintf("serviceentry %s/%s, endpoints[%d].network", s.Namespace, s.Name, k), Value: "none, address " + e.Address})
				}
			}
			if placeless {
				fix = append(fix, finding.Kubectl(m.Context, "-n", s.Namespace, "edit", "serviceentry/"+s.Name))
			}
		}
		if len(evidence) == 0 {
			continue
		}
		n := len(evidence)
		if n > mostRestarts {
			evidence = append(evidence[:mostRestarts], finding.Evidence{Field: "further ones", Value: fmt.Sprint(n - mostRestarts)})
		}
		say := finding.Say("Set the network from which the address is reached. " +
			"A workload that registers itself takes it from spec.template.network of its WorkloadGroup:")
		steps := []finding.Step{say.By(fix[:min(len(fix), mostRestarts)]...)}
		if len(fix) > mostRestarts {
			steps = append(steps, finding.Say("Do the same for the others."))
		}
		j.Add(finding.Finding{
			Code: "NET011", Severity: finding.Warning, Clusters: []string{m.Context}, Object: finding.Kind("workloadentries"),
			Title:    fmt.Sprintf("%s without a network, in a fleet of several", hasHave(n, "workload outside of Kubernetes", "workloads outside of Kubernetes")),
			Evidence: append(evidence, m.systemLabel()),
			Effect:   "clients on other networks connect to these addresses themselves instead of to a gateway, and time out where they do not reach them",
			Fix:      steps,
		})
	}
}

func hasHave(n int, one, many string) string {
	if n == 1 {
		return "1 " + one + " is"
	}
	return fmt.Sprintf("%d %s are", n, many)
}

// isPlaceless reports whether clients on all networks are sent to an address, with mutual
// TLS, that is not reached from everywhere.
func isPlaceless(w api.WorkloadEntrySpec) bool {
	mutual := w.ServiceAccount != ""
	if mode, ok := w.Labels[istio.LabelTLSMode]; ok {
		mutual = mode == "istio"
	}
	ip, err := netip.ParseAddr(w.Address)
	return w.Network == "" && mutual && err == nil && ip.IsPrivate()
}

// isUsed reports whether some service of a namespace selects workloads with these labels.
func (m *member) isUsed(namespace string, labels map[string]string) bool {
	for i := range resources.Services.Of(m.Cluster).Value {
		if s := &resources.Services.Of(m.Cluster).Value[i]; s.Namespace == namespace && selects(s.Spec.Selector, labels) {
			return true
		}
	}
	return slices.ContainsFunc(resources.ServiceEntries.Of(m.Cluster).Value, func(s api.ServiceEntry) bool {
		return s.Namespace == namespace && s.Spec.Location == api.MeshInternal && s.Spec.WorkloadSelector != nil && selects(s.Spec.WorkloadSelector.Labels, labels)
	})
}
