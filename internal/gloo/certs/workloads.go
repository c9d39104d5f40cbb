package certs

import (
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
)

// renewal is when proxies ask for another certificate, and for the roots with it: half of the 24 hours that one
// lasts. near is how close to that nothing is said.
const (
	renewal = 12 * time.Hour
	near    = time.Hour
)

// workloadsBefore: once istiod has changed to the shared root, workloads that started before it have certificates
// and roots of before until they renew them. Releases up to 1.1 restart workloads only if the VirtualMesh says so.
func workloadsBefore(p *pass) {
	for _, i := range able(p) {
		published := resources.RootCert.Of(i.Cluster.Cluster).Value
		if published == nil || !i.Shared() || i.Foreign() {
			continue
		}
		changed := model.LastWrite(&published.ObjectMeta)
		if changed.Sub(published.CreationTimestamp.Time) < time.Minute {
			continue // it is the first root that the cluster has
		}
		namespaces := map[string]int{}
		count := 0
		for _, pod := range resources.Sidecars.Of(i.Cluster.Cluster).Value {
			if holdsBefore(&pod, changed, i.Cluster.Now()) {
				namespaces[pod.Namespace]++
				count++
			}
		}
		if count == 0 {
			continue
		}
		f := finding.Finding{
			Code: "CERT209", Severity: finding.Warning, Clusters: []string{i.Cluster.Context}, Object: finding.Kind("workloads"),
			Title: fmt.Sprintf("%s on the root from before the VirtualMesh", works(count)),
			Evidence: []finding.Evidence{
				{Field: "configmap istio-ca-root-cert, last written", Value: changed.UTC().Format(time.RFC3339)},
				{Field: "pods with a proxy that started before, and have not renewed since", Value: byNamespace(namespaces)},
			},
			Effect: "mTLS between them and workloads of the shared root fails until they renew, within about 12 hours",
		}
		f.Fix = restarts(i.Cluster.Context, namespaces)
		p.Report(f)
	}
}

// holdsBefore reports whether a proxy has not asked istiod for a certificate since the root changed, by the time
// at which it started.
func holdsBefore(pod *facts.Pod, changed, now time.Time) bool {
	started := pod.Started
	for _, s := range pod.Statuses {
		if s.Name == "istio-proxy" && s.Started.After(started) {
			started = s.Started
		}
	}
	if !model.HasSidecar(pod) || !pod.IsReady() || started.IsZero() || !started.Before(changed) {
		return false
	}
	next := started
	for next.Before(changed) {
		next = next.Add(renewal)
	}
	return now.Before(next.Add(-near))
}

func works(n int) string {
	if n == 1 {
		return "1 proxy works"
	}
	return fmt.Sprintf("%d proxies work", n)
}

func byNamespace(count map[string]int) string {
	var out []string
	for name, n := range count {
		out = append(out, fmt.Sprintf("%s: %d", name, n))
	}
	slices.Sort(out)
	return finding.List(out)
}

// mostNamespaces is how many a fix restarts by name.
const mostNamespaces = 8

// restarts are the steps that recreate the pods of namespaces.
func restarts(context string, namespaces map[string]int) []finding.Step {
	var names []string
	for name := range namespaces {
		names = append(names, name)
	}
	slices.Sort(names)
	var commands []finding.Command
	for _, name := range names[:min(len(names), mostNamespaces)] {
		commands = append(commands, finding.Kubectl(context, "-n", name, "rollout", "restart", "deployments,statefulsets,daemonsets"))
	}
	out := []finding.Step{
		finding.Say("Restart the workloads of these namespaces; each then asks for a certificate of the shared root:").By(commands...),
	}
	if len(names) > mostNamespaces {
		out = append(out, finding.Say("Restart the workloads of the other namespaces also: -o wide lists them all."))
	}
	return out
}
