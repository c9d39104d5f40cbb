package endpoints

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// routing is the configuration of a control plane by the host that it is for.
type routing map[string][]finding.Object

// routingOf are the VirtualServices and DestinationRules that proxies of a control plane obey
// outside of the namespace where they are, by host. Those that are for gateways alone, or that a
// controller of the cluster makes, are not among them.
func (e *evaluator) routingOf(cp *model.ControlPlane) routing {
	return e.routings.get(cp, func() routing {
		out := routing{}
		put := func(kind, namespace, name, host string, exportTo []string) {
			if len(exportTo) == 1 && (exportTo[0] == "." || exportTo[0] == "~") {
				return
			}
			full := istio.FullHost(host, namespace)
			out[full] = append(out[full], finding.In(kind, namespace, name))
		}
		for i := range resources.VirtualServices.Of(cp.Cluster.Cluster).Value {
			v := &resources.VirtualServices.Of(cp.Cluster.Cluster).Value[i]
			if g := v.Spec.Gateways; len(g) > 0 && !slices.Contains(g, "mesh") || owner.Of(&v.ObjectMeta).Tool == owner.Controller {
				continue
			}
			for _, host := range v.Spec.Hosts {
				put("virtualservice", v.Namespace, v.Name, host, v.Spec.ExportTo)
			}
		}
		for i := range resources.DestinationRules.Of(cp.Cluster.Cluster).Value {
			d := &resources.DestinationRules.Of(cp.Cluster.Cluster).Value[i]
			if d.Spec.WorkloadSelector == nil && owner.Of(&d.ObjectMeta).Tool != owner.Controller {
				put("destinationrule", d.Namespace, d.Name, d.Spec.Host, d.Spec.ExportTo)
			}
		}
		return out
	})
}

// hasRules: the control plane of the source reads what that of the cluster reads about the
// service. Each reads the configuration of its own cluster alone: rules are needed where the
// clients are, and policies where the pods are (https://github.com/istio/istio/issues/44863).
func (w *walk) hasRules() Verdict {
	there := w.managedBy[w.to]
	if there == nil || there.Cluster == w.cp.Cluster {
		return goesOn
	}
	for _, row := range [...]*model.Cluster{w.cp.Cluster, there.Cluster} {
		if !w.read(row, resources.VirtualServices, "EP051") || !w.read(row, resources.DestinationRules, "EP051") ||
			!w.read(row, resources.AuthorizationPolicies, "EP051") {
			return goesOn
		}
	}
	host := istio.Host(w.service.namespace, w.service.name)
	theirs, own := w.routingOf(there)[host], w.routingOf(w.cp)[host]
	var missing []finding.Object
	for _, o := range theirs {
		if !slices.ContainsFunc(own, func(p finding.Object) bool { return p.Kind == o.Kind }) {
			missing = append(missing, o)
		}
	}
	if len(missing) > 0 {
		w.warn(w.oneSided(missing, there.Cluster, w.cp.Cluster, "clients in "+w.source.Context+" do not obey them"))
	}
	if policies := w.policiesOnlyIn(w.cp, there); len(policies) > 0 {
		w.warn(w.oneSided(policies, w.cp.Cluster, there.Cluster,
			fmt.Sprintf("pods in %s let in requests that those in %s refuse", w.to.Context, w.source.Context)))
	}
	return goesOn
}

// policiesOnlyIn are the policies about the pods of the service that one control plane reads
// where another one, which has pods of it too, reads none.
func (w *walk) policiesOnlyIn(cp, other *model.ControlPlane) []finding.Object {
	applying := func(cp *model.ControlPlane, c *model.Cluster) (out []finding.Object, pods bool) {
		s := w.service.in(c)
		if s == nil {
			return nil, false
		}
		selected := c.SelectedPods(s)
		for i := range resources.AuthorizationPolicies.Of(cp.Cluster.Cluster).Value {
			a := &resources.AuthorizationPolicies.Of(cp.Cluster.Cluster).Value[i]
			if a.Namespace == w.service.namespace && len(selected) > 0 &&
				(a.Spec.Selector == nil || covered(a.Spec.Selector.MatchLabels, selected[0].Labels)) {
				out = append(out, finding.In("authorizationpolicy", a.Namespace, a.Name))
			}
		}
		return out, len(selected) > 0
	}
	mine, _ := applying(cp, w.source)
	theirs, pods := applying(other, w.to)
	if !pods || len(theirs) > 0 {
		return nil
	}
	return mine
}

// oneSided is the note about configuration that one control plane reads and another one lacks.
// It may be meant, as where one cluster tries something out.
func (w *walk) oneSided(missing []finding.Object, has, lacks *model.Cluster, effect string) finding.Finding {
	f := finding.Finding{
		Code: "EP051", Severity: finding.Note, Clusters: []string{lacks.Context, has.Context}, Object: missing[0], ObjectIn: has.Context,
		Title:  fmt.Sprintf("only %s has configuration for %s that %s lacks", has.Context, w.service, lacks.Context),
		Effect: effect + ": each control plane reads the configuration of its own cluster alone",
	}
	var commands []finding.Command
	for _, o := range missing {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: has.Context, Field: o.String(), Value: "not in " + lacks.Context})
		commands = append(commands, copyObject(o, has.Context, lacks.Context))
	}
	f.Fix = []finding.Step{finding.Say("If it is meant for both, create it in %s as well:", lacks.Context).By(commands...)}
	return f
}

// apiVersions are those in which objects are copied.
var apiVersions = map[string]string{
	"virtualservice": "networking.istio.io/v1", "destinationrule": "networking.istio.io/v1", "authorizationpolicy": "security.istio.io/v1",
}

// kinds are their kinds as manifests have them.
var kinds = map[string]string{
	"virtualservice": "VirtualService", "destinationrule": "DestinationRule", "authorizationpolicy": "AuthorizationPolicy",
}

// copyObject is the command that creates an object of one cluster in another.
func copyObject(o finding.Object, from, to string) finding.Command {
	head := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":%q,"namespace":%q},"spec":`,
		apiVersions[o.Kind], kinds[o.Kind], o.Name, o.Namespace)
	return specOf(o, from, head, "}").To(finding.Kubectl(to, "apply", "-f", "-"))
}

// mostOneSided is for how many services configuration that a cluster lacks is told one by one.
const mostOneSided = 3

// oneSidedTogether makes one note of those about configuration that one cluster has and another one
// lacks, where they are many: then one cluster is set up otherwise than the other.
func oneSidedTogether(found []finding.Finding) []finding.Finding {
	count, at := map[string]int{}, map[string]int{}
	pair := func(f finding.Finding) string { return f.Clusters[0] + " " + f.Clusters[1] }
	for _, f := range found {
		if f.Code == "EP051" {
			count[pair(f)]++
		}
	}
	var out []finding.Finding
	for _, f := range found {
		if f.Code != "EP051" || count[pair(f)] <= mostOneSided {
			out = append(out, f)
			continue
		}
		i, ok := at[pair(f)]
		if !ok {
			at[pair(f)] = len(out)
			f.Object, f.ObjectIn = finding.Object{}, ""
			f.Title = fmt.Sprintf("only %s has configuration for %d services that %s lacks", f.Clusters[1], count[pair(f)], f.Clusters[0])
			f.Fix = []finding.Step{
				finding.Say("If it is meant for both, create it in %s as well, with the tool that writes it to %s.", f.Clusters[0], f.Clusters[1]),
			}
			out = append(out, f)
			continue
		}
		for _, e := range f.Evidence {
			if len(out[i].Evidence) < mostEvidence {
				out[i].Evidence = append(out[i].Evidence, e)
			}
		}
	}
	return out
}
