package controlplane

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

const (
	// settled is how old what is wrong has to be: a mesh is always rolling something.
	settled = 2 * time.Minute
	// often is how many restarts are too many within an hour.
	often = 3
	// hangs is how long each remote cluster that does not answer may hold a start of istiod up
	// (pilot/pkg/features/pilot.go, RemoteClusterTimeout).
	hangs = 30 * time.Second
)

// clusters are those that a rule can check and that have something of Istio.
func clusters(p pass) []*model.Cluster {
	return slices.DeleteFunc(model.Able(p), func(c *model.Cluster) bool { return !c.HasIstio() })
}

// waitsForNode: the scheduler finds no node for pods of istiod, or of a gateway.
func waitsForNode(p pass) {
	for _, c := range clusters(p) {
		for _, i := range c.Installations() {
			if i.Used() {
				unscheduled(p, c, i.Object(), "istiod", i.Pods, model.IstiodIsReady)
			}
		}
		for _, g := range gatewayWorkloads(c) {
			unscheduled(p, c, g.object(), "the gateway", g.pods, (*facts.Pod).IsReady)
		}
	}
}

// patient is how long replicas beyond those that are ready may wait: an autoscaler asks for more
// than fits at a peak, and is content with less.
const patient = time.Hour

func unscheduled(p pass, c *model.Cluster, object finding.Object, name string, pods []*facts.Pod, isReady func(*facts.Pod) bool) {
	now := p.Model.Fleet.At
	ready, waiting := 0, []*facts.Pod(nil)
	for _, pod := range pods {
		if isReady(pod) {
			ready++
		}
		if u := pod.Unscheduled; u != nil && now.Sub(u.Since) >= settled {
			waiting = append(waiting, pod)
		}
	}
	if len(waiting) == 0 {
		return
	}
	first := waiting[0]
	for _, pod := range waiting {
		if pod.Unscheduled.Since.Before(first.Unscheduled.Since) {
			first = pod
		}
	}
	f := finding.Finding{
		Code: "CP003", Severity: finding.Error, Clusters: []string{c.Context}, Object: object,
		Title: "no node takes the pods of " + name,
		Evidence: []finding.Evidence{
			{
				Field: "pods that wait for a node",
				Value: fmt.Sprintf("%d, for %s; %d others are ready", len(waiting), age(p, first.Unscheduled.Since), ready),
			},
			{Field: "the scheduler says", Value: line(first.Unscheduled.Message)},
		},
		Effect: name + " does not run",
		Fix: []finding.Step{
			finding.Say("See what the scheduler says of each node, then free or add what they lack:").By(
				finding.Kubectl(c.Context, "-n", first.Namespace, "describe", "pod/"+first.Name)),
		},
	}
	if name == "istiod" {
		f.Effect = "istiod does not run: new pods are refused, and proxies get no changes"
		f.Fix = append(f.Fix, finding.Say("Or lower what istiod asks for, in pilot.resources.requests of the values of its installation. "+
			"The default is 500m of processor and 2 GiB of memory."))
	}
	if ready > 0 {
		f.Severity, f.Title = finding.Note, fmt.Sprintf("%d of %d pods of %s wait for a node", len(waiting), len(pods), name)
		f.Effect = "those that are ready do its work"
		if now.Sub(first.Unscheduled.Since) >= patient {
			f.Severity = finding.Warning
		}
	}
	p.Report(f)
}

// restarts: istiod ends and starts again. A container that was stopped on purpose ends with 0 or
// 143 (SIGTERM).
func restarts(p pass) {
	now := p.Model.Fleet.At
	for _, c := range clusters(p) {
		for _, i := range c.Installations() {
			if !i.Used() {
				continue
			}
			f := finding.Finding{Code: "CP002", Clusters: []string{c.Context}, Object: i.Object()}
			var last *facts.Ended
			crashing := false
			for _, pod := range i.Pods {
				s := pod.Status(istio.DiscoveryContainer)
				if s == nil || s.Last == nil && s.Ended == nil {
					continue
				}
				end := s.Last
				if s.Ended != nil {
					end = s.Ended
				}
				if end.Code == 0 || end.Code == 143 || now.Sub(end.At) > recent(p.Model) || now.Sub(pod.Created) < settled {
					continue
				}
				severity := finding.Warning
				if s.Waiting == "CrashLoopBackOff" || s.Restarts >= often && now.Sub(end.At) < time.Hour {
					severity, crashing = finding.Error, true
				}
				if f.Severity == "" || severity == finding.Error {
					f.Severity = severity
				}
				if last == nil || end.At.After(last.At) {
					last = end
				}
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "pod " + pod.Name,
					Value: fmt.Sprintf("%s, exit code %d, %s ago; restarts: %d", ended(end), end.Code, age(p, end.At), s.Restarts),
				})
			}
			if last == nil {
				continue
			}
			f.Title = fmt.Sprintf("istiod ended %s ago with exit code %d, and was restarted", age(p, last.At), last.Code)
			if crashing {
				f.Title = fmt.Sprintf("istiod ends again and again, %s ago with exit code %d", age(p, last.At), last.Code)
			}
			f.Effect = "while it is away new pods are refused, and proxies get no changes; they keep their configuration"
			see := finding.Say("See what it said before it ended:").By(
				finding.Kubectl(c.Context, "-n", i.Istiod.Namespace, "logs", "deployment/"+i.Istiod.Name, "-c", istio.DiscoveryContainer, "--previous"),
			)
			f.Fix = []finding.Step{see}
			switch {
			case last.Reason == "OOMKilled":
				outOfMemory(&f, i, see)
			case last.Code == 1 && last.At.Sub(last.Started) < 10*time.Second:
				// It does not come as far as reading the API: its CA or its settings.
				f.CausedBy = model.Cause(p, c.Context, finding.Object{}, "CERT005", "CERT006", "CERT007", "CERT008", "CERT010", "SEC025")
				if f.CausedBy != "" {
					f.Fix = remedy.ByItsCause()
				}
			}
			p.Report(f)
		}
	}
}

// outOfMemory says what istiod ran out of, and what lowers its need.
func outOfMemory(f *finding.Finding, i model.Installation, see finding.Step) {
	limit := "none: the node itself ran out of memory"
	if q, ok := limitOf(i.Deployment.Spec.Template.Spec.Containers); ok {
		limit = q
	}
	f.Title = strings.Replace(f.Title, "istiod ended", "istiod ran out of memory", 1)
	f.Title = strings.Replace(f.Title, "istiod ends again and again", "istiod runs out of memory again and again", 1)
	f.Evidence = append(f.Evidence,
		finding.Evidence{Field: "limit of memory", Value: limit},
		finding.Evidence{Field: "proxies of the cluster that it configures", Value: fmt.Sprint(len(i.Proxies()))})
	f.Fix = []finding.Step{
		finding.Say("Raise or remove the limit of memory, in pilot.resources of the values of istiod's installation."),
		finding.Say("Or let istiod watch fewer namespaces, by discoverySelectors in the mesh config."),
		see,
	}
	if fix := i.Istiod.FixOf(istio.BugSecretsLeak); fix != "" && len(i.In.Remotes) > 0 {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Field: "istiod " + i.Istiod.Version.String(),
			Value: "each change of a remote secret takes memory that is never freed (istio/istio#57269)",
		})
		f.Fix = append(
			[]finding.Step{finding.Say("Upgrade istiod to %s, which frees the memory of remote clusters that changed.", fix)},
			f.Fix...)
	}
}

// ended is how a container ended, in the kubelet's word.
func ended(e *facts.Ended) string {
	if e.Reason == "" {
		return "ended"
	}
	return line(e.Reason)
}

// limitOf is the limit of memory of istiod's container.
func limitOf(containers []corev1.Container) (string, bool) {
	for i := range containers {
		if q, ok := containers[i].Resources.Limits[corev1.ResourceMemory]; ok && containers[i].Name == istio.DiscoveryContainer {
			return q.String(), true
		}
	}
	return "", false
}

// notReady: istiod runs, and does not get ready: one of its informers never syncs, or a remote
// cluster does not answer (pilot/pkg/bootstrap/server.go, istiodReadyHandler).
func notReady(p pass) {
	now := p.Model.Fleet.At
	for _, c := range clusters(p) {
		for _, i := range c.Installations() {
			if !i.Used() {
				continue
			}
			var slow []*facts.Pod
			longest := now
			for _, pod := range i.Pods {
				s := pod.Status(istio.DiscoveryContainer)
				if s == nil || s.Started.IsZero() || s.Ready || model.IstiodIsReady(pod) ||
					s.Last != nil && now.Sub(s.Last.At) < recent(p.Model) ||
					now.Sub(s.Started) < settled+hangs*time.Duration(len(c.Remotes)) {
					continue
				}
				slow = append(slow, pod)
				if s.Started.Before(longest) {
					longest = s.Started
				}
			}
			if len(slow) == 0 {
				continue
			}
			f := finding.Finding{
				Code: "CP004", Severity: finding.Error, Clusters: []string{c.Context}, Object: i.Object(),
				Title: fmt.Sprintf("istiod has run for %s and does not get ready", age(p, longest)),
				Evidence: []finding.Evidence{
					{
						Field: "pods that run and are not ready",
						Value: fmt.Sprintf("%d of %d: %s", len(slow), len(i.Pods), finding.List(names(slow))),
					},
				},
				Effect:   "no Service leads to it: new pods are refused, and proxies get no changes",
				CausedBy: cmp.Or(waitsFor(p, i), model.Cause(p, c.Context, finding.Object{}, "SEC025")),
				Fix: []finding.Step{
					finding.Say("See what it waits for: \"failed to list\" names a kind that it cannot read, a cluster one that does not answer:").
						By(
							finding.Kubectl(c.Context, "-n", i.Istiod.Namespace, "logs", "pod/"+slow[0].Name, "-c", istio.DiscoveryContainer, "--tail=100"),
						),
				},
			}
			if i.Ready() > 0 {
				f.Severity, f.Effect = finding.Warning, "the other replicas do its work"
			}
			if f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
	}
}

// waitsFor is the finding about kinds that an istiod waits for, where there is one; else "".
func waitsFor(p pass, i model.Installation) string {
	if old := model.Cause(p, i.In.Context, i.Object(), "CP013"); old != "" {
		return old
	}
	for _, kind := range istio.BundleKinds {
		bundle, there := kind.Bundle(i.In.Cluster)
		if why, reads := i.Istiod.ReadsBundle(kind.Kind, bundle); there && !reads && why.Stuck {
			return model.Cause(p, i.In.Context, definitionOf(kind), "CP014")
		}
	}
	return ""
}

// noneReady: no replica of a control plane is ready.
func noneReady(p pass) {
	for _, c := range clusters(p) {
		for _, i := range c.Installations() {
			if i.Ready() > 0 || !i.Used() || !isDown(i) {
				continue
			}
			f := finding.Finding{
				Code:     "CP001",
				Severity: finding.Error,
				Clusters: []string{c.Context},
				Object:   i.Object(),
				Title:    "no replica of istiod is ready",
				Evidence: []finding.Evidence{
					{Field: i.Object().String() + ", replicas", Value: fmt.Sprintf("%d, none of them ready", i.Wanted())},
				},
				Effect: "new pods are refused, Istio's objects cannot be changed, and proxies get no changes; " +
					"their certificates last for at most 24 hours",
				CausedBy: model.Cause(p, c.Context, i.Object(), "CP003", "CP002", "CP004"),
				Fix: []finding.Step{finding.Say("See why its pods do not start:").By(
					finding.Kubectl(c.Context, "-n", i.Istiod.Namespace, "describe", "pods", "-l", istio.IstiodSelector))},
			}
			if names := i.Namespaces(); len(names) > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "namespaces that it injects", Value: finding.List(names)})
			}
			if n := len(i.Proxies()); n > 0 {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "proxies of the cluster that it configures", Value: fmt.Sprint(n)})
			}
			why(&f, i)
			if i.Wanted() == 0 {
				f.Title = "istiod is scaled to 0"
				f.Fix = []finding.Step{finding.Say("Scale it up:").By(
					finding.Kubectl(c.Context, "-n", i.Istiod.Namespace, "scale", "deployment/"+i.Istiod.Name, "--replicas=1"))}
			}
			if f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
	}
}

// isDown reports whether an installation without a ready replica has been so for long enough.
func isDown(i model.Installation) bool {
	if i.Wanted() == 0 {
		return len(i.Pods) == 0
	}
	return i.Since() >= settled
}

// why adds what Kubernetes says of the pods that are not there, or do not start.
func why(f *finding.Finding, i model.Installation) {
	if c := i.Condition(appsv1.DeploymentReplicaFailure); c != nil && c.Status == corev1.ConditionTrue {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: i.Object().String() + ", condition ReplicaFailure", Value: line(c.Message)})
		f.Fix = []finding.Step{finding.Say("Its pods are refused: the message says by what. Allow there what it names.")}
	}
	seen := map[string]bool{}
	for _, p := range i.Pods {
		if s := p.Status(istio.DiscoveryContainer); s != nil && s.Waiting != "" && !seen[s.Waiting] {
			seen[s.Waiting] = true
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "pod " + p.Name + ", waiting", Value: line(s.Waiting)})
		}
	}
}
