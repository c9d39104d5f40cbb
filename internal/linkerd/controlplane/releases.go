package controlplane

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// waited are kinds of which linkerd-destination needs to have read all objects, in the newest version here, before it gets
// ready, and since which release (policy-controller/runtime/src/args.rs, controller/cmd/destination/main.go). Older releases
// are left out, and the kinds that are not read here. Those of the Gateway API it can do without.
var waited = []struct {
	row   resource.Resource
	major int
	edge  [3]int
}{
	{resources.Servers, 16, [3]int{24, 7, 4}},
	{resources.AuthorizationPolicies, 14, [3]int{23, 9, 1}},
	{resources.MeshTLSAuthentications, 14, [3]int{23, 9, 1}},
	{resources.NetworkAuthentications, 14, [3]int{23, 9, 1}},
	{resources.ServerAuthorizations, 14, [3]int{23, 9, 1}},
	{resources.ServiceProfiles, 14, [3]int{23, 9, 1}},
	{resources.EgressNetworks, 17, [3]int{24, 10, 4}},
}

func waitedRows() []rule.Need {
	var out []rule.Need
	for _, kind := range waited {
		out = append(out, kind.row)
	}
	return out
}

// oldDefinitions: the definitions of Linkerd's kinds are older than the control plane, or some are missing. Its containers
// wait for such a kind, and end when it does not come.
func oldDefinitions(p *pass) {
	for _, c := range model.Able(p) {
		release, known := model.ReleaseOf(c.Values.LinkerdVersion)
		d := deploymentOf(c, "destination")
		if !known || d == nil {
			continue
		}
		var missing []finding.Evidence
		for _, kind := range waited {
			about := kind.row.About()
			state, _ := kind.row.State(c.Cluster)
			served := kind.row.Served(c.Cluster)
			if !release.Has(kind.major, kind.edge) || state != facts.Absent && served == "" {
				continue
			}
			value := "not installed"
			if served != "" {
				value = "served as " + served + ", and the control plane reads " + about.Versions[0]
			}
			missing = append(missing, finding.Evidence{Field: about.Resource + "." + about.Group, Value: value})
		}
		if len(missing) == 0 {
			continue
		}
		f := finding.Finding{
			Code: "CP112", Severity: finding.Error, Clusters: []string{c.Context}, Object: object(d),
			Title: fmt.Sprintf("the definitions of Linkerd's kinds are older than its control plane, %s", release.Text),
			Evidence: append([]finding.Evidence{{Field: "linkerdVersion of configmap " + c.Namespace + "/" + resources.ConfigMapConfig,
				Value: release.Text}}, missing...),
			Effect: "no pod of destination gets ready: proxies get no endpoints and no policies",
			Fix: []finding.Step{finding.Say("Install the definitions of the release of the control plane, with its own linkerd " +
				"(Helm: upgrade chart linkerd-crds):").
				By(finding.Shell("linkerd", "--context="+c.Context, "upgrade", "--crds").To(finding.Kubectl(c.Context, "apply", "-f", "-")))},
		}
		if slices.ContainsFunc(c.Component("destination"), (*facts.Pod).IsReady) {
			f.Severity, f.Effect = finding.Warning, "pods of destination that start now do not get ready: its rollout hangs"
		}
		p.Report(f)
	}
}

// skewed: proxies are more than one version away from their control plane, which Linkerd does not support
// (https://linkerd.io/2-edge/tasks/upgrade/). What is of no release that is known is left out.
func skewed(p *pass) {
	for _, c := range model.Able(p) {
		of, known := model.ReleaseOf(c.Values.LinkerdVersion)
		if !known {
			continue
		}
		var order []string
		by := map[string][]*facts.Pod{}
		for _, pod := range c.Pods() {
			r, known := model.ReleaseOf(pod.Annotations[resources.AnnotationProxyVersion])
			if !model.Meshed(pod) || !known || pod.Labels[resources.LabelComponent] != "" || of.Apart(r) >= -1 && of.Apart(r) <= 1 {
				continue
			}
			if by[r.Text] == nil {
				order = append(order, r.Text)
			}
			by[r.Text] = append(by[r.Text], pod)
		}
		for _, text := range order {
			p.Report(skew(c, of, text, by[text]))
		}
	}
}

// skew is what to say of proxies of one release.
func skew(c *model.Cluster, of model.Release, text string, pods []*facts.Pod) finding.Finding {
	var workloads []finding.Object
	var names []string
	chosen := ""
	for _, pod := range pods {
		chosen = max(chosen, pod.Annotations[resources.AnnotationProxyChosen])
		if w := model.WorkloadOf(pod); !slices.Contains(workloads, w) {
			workloads = append(workloads, w)
			names = append(names, w.String())
		}
	}
	f := finding.Finding{
		Code: "CP108", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Named("proxies of release", text),
		Title: fmt.Sprintf("%s of release %s: the control plane is %s", proxies(len(pods)), text, of.Text),
		Evidence: []finding.Evidence{
			{Field: "linkerdVersion of configmap " + c.Namespace + "/" + resources.ConfigMapConfig, Value: of.Text},
			{Field: "annotation " + resources.AnnotationProxyVersion, Value: text},
			{Field: "of the workloads", Value: finding.List(names)},
		},
		Effect: "Linkerd supports proxies that are one version behind: these may not know what the control plane sends",
	}
	r, _ := model.ReleaseOf(text)
	switch {
	case r.Major > of.Major:
		f.Effect = "Linkerd supports proxies that are one version behind: these may ask for what the control plane does not know"
		f.Fix = []finding.Step{finding.Say("Upgrade the control plane first, one version after the other. Proxies are upgraded after it.")}
	case chosen != "":
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "annotation " + resources.AnnotationProxyChosen, Value: chosen})
		f.Fix = []finding.Step{finding.Say("Remove annotation %s from the template of the pods: it keeps their release. That recreates them.",
			resources.AnnotationProxyChosen)}
	case c.Values.ProxyVersion() != c.Values.LinkerdVersion:
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "proxy.image.version of the installation", Value: c.Values.ProxyVersion()})
		f.Fix = []finding.Step{finding.Say("Take proxy.image.version out of the values of the installation: it keeps the release of proxies. " +
			"Then restart the workloads.")}
	default:
		f.Fix = remedy.RestartWorkloads(c.Context, workloads)
	}
	return f
}

func proxies(n int) string {
	if n == 1 {
		return "a proxy is"
	}
	return fmt.Sprintf("%d proxies are", n)
}
