package controlplane

import (
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// podsOf are all pods of a cluster.
func podsOf(c *model.Cluster) []*facts.Pod {
	var out []*facts.Pod
	all := resources.Pods.Of(c.Cluster).Value
	for i := range all {
		out = append(out, &all[i])
	}
	return out
}

// lacking are the pods of a cluster that run without the proxy that an injector would give them
// now, and that are not new.
func lacking(c *model.Cluster, now time.Time) []*facts.Pod {
	return slices.DeleteFunc(podsOf(c), func(p *facts.Pod) bool {
		return !model.Runs(p) || p.Namespace == c.SystemNamespace || p.Labels["app"] == "istiod" || now.Sub(p.Created) < settled ||
			!c.WantsSidecar(p)
	})
}

// withoutProxy: pods run without the proxy that they should have: they are older than the label of
// their namespace, or the injector was away when they were made and its webhook let them pass.
func withoutProxy(p pass) {
	for _, c := range clusters(p) {
		without := lacking(c, p.Model.Fleet.At)
		if len(without) == 0 {
			continue
		}
		meant := slices.DeleteFunc(podsOf(c), func(o *facts.Pod) bool {
			return !model.Runs(o) || !istio.HasProxy(o) && !slices.Contains(without, o)
		})
		shares := sharesOf(without, meant)
		f := finding.Finding{
			Code: "CP030", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Kind("pods"),
			Title:    finding.Plural(len(without), "pod") + " run without the proxy that they should have",
			Evidence: evidenceOf(shares),
			Effect:   "no mutual TLS, no policies and no routes for them",
			Fix:      remedy.RestartWorkloads(c.Context, workloadsOf(shares)),
		}
		if len(without) == 1 {
			f.Title, f.Effect = "a pod runs without the proxy that it should have", "no mutual TLS, no policies and no routes for it"
		}
		before := slices.DeleteFunc(slices.Clone(without), func(o *facts.Pod) bool {
			return !slices.ContainsFunc(c.TakenBy(o), func(h model.Hook) bool { return o.Created.Before(h.Meta.CreationTimestamp.Time) })
		})
		if len(before) > 0 {
			f.Evidence = append(
				f.Evidence,
				finding.Evidence{Field: "of these, made before the webhook was", Value: fmt.Sprint(len(before))},
			)
		}
		if cp := c.ManagedBy(); cp != nil {
			for _, o := range without {
				if a := cp.Acceptance(o.Namespace, nil, 0); a.Mode == api.MTLSStrict {
					f.Severity = finding.Error
					f.Effect = "no mutual TLS for them: pods that take nothing else, as in namespace " + o.Namespace + ", refuse their requests"
					f.Evidence = append(f.Evidence, finding.Evidence{Field: "peerauthentication " + a.From, Value: a.Mode})
					break
				}
			}
		}
		p.Report(f)
	}
}

// autoImage: the injector did not replace the image of a gateway, which is a word
// (manifests/charts/gateway/templates/deployment.yaml).
func autoImage(p pass) {
	for _, c := range clusters(p) {
		var auto []*facts.Pod
		for _, pod := range podsOf(c) {
			if model.Runs(pod) && model.IsUninjected(pod) && p.Model.Fleet.At.Sub(pod.Created) >= settled {
				auto = append(auto, pod)
			}
		}
		for _, s := range sharesOf(auto, auto) {
			pod := auto[slices.IndexFunc(auto, func(o *facts.Pod) bool { return istio.WorkloadOf(o) == s.WorkloadRef })]
			f := finding.Finding{
				Code: "CP033", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.In(s.Kind, s.Namespace, s.Name),
				Title:    "the image of the gateway is still \"auto\": nothing injected it",
				Evidence: evidenceOf([]share{s}),
				Effect:   "its pods do not start: there is no such image",
				CausedBy: model.Cause(p, c.Context, finding.Named("namespace", s.Namespace), "CP020"),
			}
			switch taken := c.TakenBy(pod); {
			case f.CausedBy != "":
				f.Fix = remedy.ByItsCause()
			case len(taken) == 0:
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "webhooks that take the pods", Value: "none"})
				f.Fix = append([]finding.Step{
					finding.Say(
						"Let a webhook take them: label %s has to be true, or not there in a namespace that is labeled for injection. "+
							"Set it in the values of the gateway's installation.",
						istio.InjectKey,
					),
				}, remedy.RestartWorkloads(c.Context, []istio.WorkloadRef{s.WorkloadRef})...)
			default:
				f.Fix = remedy.RestartWorkloads(c.Context, []istio.WorkloadRef{s.WorkloadRef})
			}
			p.Report(f)
		}
	}
}

// endless is how long a proxy may go on after its job.
const endless = 10 * time.Minute

// endlessJobs: all of a job but its proxy has ended. A native sidecar is ended by the kubelet.
func endlessJobs(p pass) {
	for _, c := range clusters(p) {
		var left []*facts.Pod
		for _, pod := range podsOf(c) {
			if jobIsDone(pod, p.Model.Fleet.At) {
				left = append(left, pod)
			}
		}
		if len(left) == 0 {
			continue
		}
		shares := sharesOf(left, left)
		f := finding.Finding{
			Code: "CP036", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Kind("jobs"),
			Title:    finding.Plural(len(shares), "job") + " cannot end: only the proxy still runs",
			Evidence: evidenceOf(shares),
			Effect:   "the job is never complete, and what waits for it waits",
			Fix: []finding.Step{
				finding.Say("Let jobs have native sidecars, which Kubernetes ends: annotation %s: \"true\" in the template of their pods. "+
					"Istio 1.27 does so by itself where every kubelet is of 1.33 or later.", istio.AnnotationNativeSidecar),
				finding.Say("Or let the job end its proxy by a POST to http://localhost:15020/quitquitquit."),
			},
		}
		old, oldest := 0, ""
		for _, n := range resources.Nodes.Of(c.Cluster).Value {
			if v := istio.ParseVersion(n.Status.NodeInfo.KubeletVersion); v != nil && v.LessThan(kubelet) {
				old, oldest = old+1, n.Name+" "+n.Status.NodeInfo.KubeletVersion
			}
		}
		if old > 0 {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Field: "nodes whose kubelet is older than 1.33",
				Value: fmt.Sprintf("%d, as %s: one turns native sidecars off for all", old, oldest),
			})
		}
		p.Report(f)
	}
}

// jobIsDone reports whether all containers of a job's pod but its proxy ended well, long ago.
func jobIsDone(p *facts.Pod, now time.Time) bool {
	proxy := p.Status(istio.ProxyContainer)
	if !model.Runs(p) || p.Owner.Kind != "Job" || proxy == nil || proxy.Init || proxy.Started.IsZero() {
		return false
	}
	others := 0
	for _, s := range p.Statuses {
		switch {
		case s.Init || s.Name == istio.ProxyContainer:
			continue
		case s.Ended == nil || s.Ended.Code != 0 || now.Sub(s.Ended.At) < endless:
			return false
		}
		others++
	}
	return others > 0
}
