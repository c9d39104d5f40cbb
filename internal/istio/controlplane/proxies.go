package controlplane

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
)

// proxiesUnready: proxies run and do not get ready, so that their whole pods are out of their Services.
func proxiesUnready(p pass) {
	for _, c := range clusters(p) {
		unready := slices.DeleteFunc(slices.Clone(c.ProxyPods()), func(pod *facts.Pod) bool { return !c.ProxyIsUnready(pod) })
		if len(unready) == 0 {
			continue
		}
		shares := sharesOf(unready, c.ProxyPods())
		f := finding.Finding{
			Code:     "CP040",
			Severity: finding.Warning,
			Clusters: []string{c.Context},
			Object:   finding.Kind("proxies"),
			Title:    fmt.Sprintf("%d of %d proxies are not ready", len(unready), len(c.ProxyPods())),
			Evidence: evidenceOf(shares),
			Effect:   "their pods are not ready either: no Service leads to them",
			CausedBy: model.Cause(
				p,
				c.Context,
				finding.Object{},
				"CP042",
				"CP045",
				"CP001",
				"CP044",
				"NET032",
				"PR010",
				"CERT014",
				"CERT010",
				"EP020",
			),
		}
		if slices.ContainsFunc(shares, func(s share) bool { return s.some == s.all }) {
			f.Severity = finding.Error
		}
		first := unready[0]
		f.Fix = []finding.Step{finding.Say("Look in the log of a proxy for what it waits for:").By(
			finding.Kubectl(c.Context, "-n", first.Namespace, "logs", "pod/"+first.Name, "-c", istio.ProxyContainer, "--tail=50"))}
		if f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		}
		p.Report(f)
	}
}

// specific are the parts of what a proxy says that are of one proxy alone.
var specific = pattern.Of(`\b\d{1,3}(?:\.\d{1,3}){3}(?:[:_]\d+)?\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|0x[0-9a-f]+`)

// rejected: proxies do not accept what they are sent. They go on with what they had; one that starts
// never gets ready (pilot/pkg/xds/server.go, ShouldRespond; pilot-agent/status/ready/probe.go).
func rejected(p pass) {
	for _, c := range clusters(p) {
		if why, asked := wasAsked(p.Model); !asked {
			p.NotChecked(c.Context, why)
			continue
		}
		by := map[facts.Rejection][]*facts.Pod{}
		for _, pod := range c.ProxyPods() {
			seen := map[facts.Rejection]bool{}
			for _, connection := range c.Connections(pod) {
				for _, r := range connection.Rejects {
					kind := facts.Rejection{Type: r.Type, Error: specific().ReplaceAllString(r.Error, "…")}
					if !seen[kind] {
						seen[kind], by[kind] = true, append(by[kind], pod)
					}
				}
			}
		}
		kinds := slices.SortedFunc(maps.Keys(by), func(a, b facts.Rejection) int {
			return strings.Compare(a.Type+" "+a.Error, b.Type+" "+b.Error)
		})
		all := map[*facts.Pod]bool{}
		f := finding.Finding{
			Code: "CP042", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("proxies"),
			Effect:   "they go on with the configuration that they had; new pods of these workloads do not get ready",
			CausedBy: model.Cause(p, c.Context, finding.Object{}, "CP010"),
		}
		for _, kind := range kinds {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Field: fmt.Sprintf("%s, refused by %s", kind.Type, plural(len(by[kind]), "proxy", "proxies")), Value: line(kind.Error),
			})
			f.Evidence = append(f.Evidence, evidenceOf(sharesOf(by[kind], c.ProxyPods()))...)
			for _, pod := range by[kind] {
				all[pod] = true
			}
		}
		if len(kinds) == 0 {
			continue
		}
		f.Title = fmt.Sprintf("%d of %d proxies refuse what istiod sends them", len(all), len(c.ProxyPods()))
		f.Fix = []finding.Step{finding.Say("See which EnvoyFilters there are, and correct or delete the one that the message is about:").By(
			finding.Kubectl(c.Context, "get", "envoyfilters", "--all-namespaces"))}
		if f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		}
		p.Report(f)
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// wasAsked reports whether the control planes said twice what proxies do not accept, or said once that
// there is nothing; else why not.
func wasAsked(m *model.Mesh) (finding.Reason, bool) {
	switch {
	case m.Seen.NotAsked != "":
		return finding.Reason{Kind: finding.NotAsked, Text: m.Seen.NotAsked}, false
	case m.Seen.Istiods == nil:
		return finding.Reason{Kind: finding.NotAsked, Text: "istiod was not asked what proxies refuse"}, false
	case m.Rejecting() && m.Seen.Again == nil:
		return finding.Because("istiod was only asked once, and proxies may be about to accept what they refused"), false
	}
	return finding.Reason{}, true
}

// outOfLimit: the kernel ends proxies for want of memory.
func outOfLimit(p pass) {
	now := p.Model.Fleet.At
	for _, c := range clusters(p) {
		var killed []*facts.Pod
		of := map[istio.WorkloadRef]int{}
		worst := 0
		for _, pod := range c.ProxyPods() {
			s := pod.Status(istio.ProxyContainer)
			if s == nil || s.Last == nil || s.Last.Reason != "OOMKilled" || now.Sub(s.Last.At) > recent(p.Model) {
				continue
			}
			killed = append(killed, pod)
			if now.Sub(s.Last.At) < time.Hour {
				w := istio.WorkloadOf(pod)
				of[w]++
				worst = max(worst, of[w])
			}
		}
		if len(killed) == 0 {
			continue
		}
		shares := sharesOf(killed, c.ProxyPods())
		first := killed[0]
		f := finding.Finding{
			Code: "CP045", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Kind("proxies"),
			Title:    finding.Plural(len(killed), "pod") + " had a proxy that ran out of memory",
			Evidence: evidenceOf(shares),
			Effect:   "its connections are closed each time, and the pod is not ready until it has started",
		}
		if worst >= often {
			f.Severity = finding.Error
		}
		limit := "none"
		if q, ok := first.Container(istio.ProxyContainer).Resources.Limits["memory"]; ok {
			limit = q.String()
		}
		f.Evidence = append(f.Evidence,
			finding.Evidence{Field: "pod " + first.Namespace + "/" + first.Name + ", limit of memory of the proxy", Value: limit},
			finding.Evidence{Field: "Services of the cluster", Value: fmt.Sprint(len(resources.Services.Of(c.Cluster).Value))},
			finding.Evidence{Field: "Sidecars in namespace " + first.Namespace, Value: fmt.Sprint(sidecarsIn(c, first.Namespace))})
		f.Fix = []finding.Step{
			finding.Say("Let the proxies know fewer services: a Sidecar in the namespace whose egress names what they call."),
			finding.Say("Or give them more memory: annotation sidecar.istio.io/proxyMemoryLimit in the template of the pods."),
		}
		p.Report(f)
	}
}

func sidecarsIn(c *model.Cluster, namespace string) int {
	n := 0
	for _, s := range resources.Sidecars.Of(c.Cluster).Value {
		if s.Namespace == namespace {
			n++
		}
	}
	return n
}

const (
	// many is how many connections tell how replicas share them, and most the share of one that is much.
	many = 200
	most = 0.7
	// evens is how long replicas take to share connections after they started: istiod ends each after
	// 30 minutes.
	evens = 45 * time.Minute
)

// onOneReplica: most proxies are connected to one of several replicas of istiod.
func onOneReplica(p pass) {
	for _, c := range clusters(p) {
		replicas := c.IstiodReplicas()
		total, largest, of := 0, 0, ""
		known := len(replicas) > 1
		for _, r := range replicas {
			known = known && r.Proxies.State == facts.OK
			n := len(r.Proxies.Value)
			if total += n; n > largest {
				largest, of = n, r.Pod
			}
		}
		youngest := istio.LatestStart(c.Cluster)
		if !known || total < many || float64(largest) <= most*float64(total) || youngest.IsZero() ||
			p.Model.Fleet.At.Sub(youngest) < evens {
			continue
		}
		p.Report(finding.Finding{
			Code:     "CP047",
			Severity: finding.Note,
			Clusters: []string{c.Context},
			Object:   finding.In("pod", c.SystemNamespace, of),
			Title:    fmt.Sprintf("%d of %d proxies are connected to one of %d replicas of istiod", largest, total, len(replicas)),
			Evidence: []finding.Evidence{{Field: "proxies of " + of, Value: fmt.Sprint(largest)}},
			Effect:   "changes arrive later than they would; if the replica ends, its proxies all connect at once",
			Fix: []finding.Step{
				finding.Say("See whether something in front of istiod, such as a gateway or a load balancer, keeps connections on one replica:").
					By(
						finding.Kubectl(c.Context, "-n", c.SystemNamespace, "get", "services", "-l", istio.IstiodSelector, "-o", "wide")),
			},
		})
	}
}
