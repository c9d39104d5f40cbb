package network

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// clueless are the proxies of a cluster without a network.
type clueless struct {
	// first is when the first pod with a network was created; zero where there is none.
	first time.Time
	// before are the pods that are older, after are all others.
	before, after []*facts.Pod
}

func findClueless(c *model.Cluster) clueless {
	var out clueless
	for _, p := range c.ProxyPods() {
		if model.Variable(p, istio.EnvProxyNetwork) != "" && (out.first.IsZero() || p.Created.Before(out.first)) {
			out.first = p.Created
		}
	}
	for _, p := range c.ProxyPods() {
		switch {
		case model.Variable(p, istio.EnvProxyNetwork) != "", model.IsUninjected(p):
		case !out.first.IsZero() && p.Created.Before(out.first):
			out.before = append(out.before, p)
		default:
			out.after = append(out.after, p)
		}
	}
	return out
}

// harm is what a proxy without a network does. istiod takes it for one on all networks
// and gives it addresses of pods that it cannot reach; from 1.30 on it gives it gateways
// (pilot/pkg/model/context.go, InNetwork; pilot/pkg/xds/endpoints/ep_filters.go).
func harm(c *model.Cluster) (finding.Severity, string) {
	controlPlanes := c.ConfiguredBy()
	old := func(cp *model.ControlPlane) bool { return !cp.Istiod.AtLeast("1.30.0") }
	if len(controlPlanes) > 0 && !slices.ContainsFunc(controlPlanes, old) {
		return finding.Warning, "istiod of 1.30 and later sends them to gateways for every network, their own included, where it has one"
	}
	return finding.Error, "istiod gives them addresses of pods on other networks instead of gateways: a share of their requests times out"
}

func noNetwork(*facts.Pod) string { return "no " + istio.EnvProxyNetwork }

// proxiesWithoutNetwork: proxies do not know their network, and are not older than the
// setting of it.
func proxiesWithoutNetwork(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		besideDeclaredNetwork(p)
		return
	}
	for _, c := range model.Able(p) {
		pods, n := findClueless(c).after, c.Network()
		if len(pods) == 0 {
			continue
		}
		groups := model.ByWorkload(pods, noNetwork)
		severity, effect := harm(c)
		f := finding.Finding{
			Code: "NET002", Severity: severity, Clusters: []string{c.Context}, Object: finding.Kind("sidecars"),
			Title:    "1 proxy does not know its network",
			Evidence: evidence.OfWorkloads(groups), Effect: effect,
		}
		if len(pods) > 1 {
			f.Title = fmt.Sprintf("%d proxies do not know their network", len(pods))
		}
		setting := remedy.SetInjectedNetwork(cmp.Or(n.Home(), remedy.SomeNetwork))
		if n.InjectorKnown {
			f.Evidence = append(f.Evidence, injectorValues(c))
			if n.Injector != "" {
				setting = finding.Say("Change no setting: the injector gives new pods a network.")
			}
		}
		f.Fix = append([]finding.Step{setting}, remedy.RestartGroups(c, groups)...)
		if n.Pods == "" && n.Namespace == "" {
			f.CausedBy = model.Cause(p, c.Context, finding.Object{}, "NET001")
		}
		p.Report(f)
	}
}

// besideDeclaredNetwork: a Gateway leads a control plane to a network, and the proxies that it
// configures are on none. Such a proxy counts as being on every network before 1.30, so that
// it is not sent through the gateway (pilot/pkg/model/context.go, InNetwork).
func besideDeclaredNetwork(p *rule.Pass[*model.Mesh]) {
	for _, c := range model.Able(p) {
		for _, cp := range c.ConfiguredBy() {
			at := slices.IndexFunc(cp.Candidates(), func(o istio.Candidate) bool {
				return o.Kind == "Gateway" && o.Problem == "" && o.Network != "" && cp.ClusterOf(o.Cluster) == cp.Cluster
			})
			pods := slices.DeleteFunc(slices.Clone(c.ProxyPods()), func(pod *facts.Pod) bool { return !model.IsClient(pod) })
			hasNetwork := func(pod *facts.Pod) bool { return model.Variable(pod, istio.EnvProxyNetwork) != "" }
			if at < 0 || !cp.Istiod.Before("1.30.0") || len(pods) == 0 || slices.ContainsFunc(pods, hasNetwork) {
				continue
			}
			o := cp.Candidates()[at]
			groups := model.ByWorkload(pods, noNetwork)
			p.Report(finding.Finding{
				Code:     "NET002",
				Severity: finding.Error,
				Clusters: []string{c.Context},
				Object:   finding.Kind("sidecars"),
				Title:    fmt.Sprintf("the proxies have no network, and a gateway to %s is declared", o.Network),
				Evidence: append(evidence.OfWorkloads(groups), finding.Evidence{
					Cluster: cp.Context, Field: cp.CandidateObject(o.CandidateRef).String() + ", network", Value: o.Network,
				}),
				Effect: fmt.Sprintf(
					"istiod takes them for proxies on every network: it does not send them through the gateway, and they reach nothing "+
						"on %s",
					o.Network,
				),
				Fix: append([]finding.Step{remedy.SetInjectedNetwork("a network of their own")},
					remedy.RestartWorkloads(c.Context, model.WorkloadsOf(groups))...),
			})
			break
		}
	}
}

// proxiesBeforeNetwork: proxies do not know their network, because they were injected
// before it was set.
func proxiesBeforeNetwork(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	for _, c := range model.Able(p) {
		found := findClueless(c)
		if len(found.before) == 0 {
			continue
		}
		groups := model.ByWorkload(found.before, noNetwork)
		severity, effect := harm(c)
		f := finding.Finding{
			Code: "NET005", Severity: severity, Clusters: []string{c.Context}, Object: finding.Kind("sidecars"),
			Title: "1 pod was injected before the network was set, and has none",
			Evidence: append([]finding.Evidence{
				{Field: "first pod with " + istio.EnvProxyNetwork, Value: "created " + found.first.UTC().Format(time.RFC3339)},
			}, evidence.OfWorkloads(groups)...),
			Effect: effect, Fix: remedy.RestartGroups(c, groups),
		}
		if n := len(found.before); n > 1 {
			f.Title = fmt.Sprintf("%d pods were injected before the network was set, and have none", n)
		}
		p.Report(f)
	}
}

// labelAgainstProxy: the label of a pod, which decides for others, names another network
// than its proxy has; the injector writes both.
func labelAgainstProxy(p *rule.Pass[*model.Mesh]) {
	if !p.Model.Several() {
		return
	}
	for _, c := range model.Able(p) {
		var pods []*facts.Pod
		for _, pod := range c.ProxyPods() {
			if disagrees(pod) {
				pods = append(pods, pod)
			}
		}
		if len(pods) == 0 {
			continue
		}
		groups := model.ByWorkload(pods, func(pod *facts.Pod) string {
			label, own := pod.Labels[istio.LabelNetwork], model.Variable(pod, istio.EnvProxyNetwork)
			return fmt.Sprintf("label %s, %s %s", label, istio.EnvProxyNetwork, own)
		})
		f := finding.Finding{
			Code: "NET003", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("pods"),
			Title:    "the label and the proxy of 1 pod disagree about its network",
			Evidence: evidence.OfWorkloads(groups),
			Effect: "others reach them by the gateway of the one network, and they reach others as if they were on the other network: " +
				"requests fail in one direction",
			Fix: append([]finding.Step{
				finding.Say("Remove label %s and proxyMetadata (annotation proxy.istio.io/config) from the workload: the injector sets both.",
					istio.LabelNetwork),
			}, remedy.RestartGroups(c, groups)...),
		}
		if len(pods) > 1 {
			f.Title = fmt.Sprintf("the labels and the proxies of %d pods disagree about their network", len(pods))
		}
		p.Report(f)
	}
}

// disagrees reports whether the label and the proxy of a pod name different networks.
func disagrees(p *facts.Pod) bool {
	label, own := p.Labels[istio.LabelNetwork], model.Variable(p, istio.EnvProxyNetwork)
	return label != "" && own != "" && label != own
}
