package endpoints

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// compare: each proxy obeys the configuration of its own control plane, so that of the
// same name should say the same in every cluster that has a control plane. The service is
// one of those that are concerned.
func (j *judgement) compare(s service) {
	var primaries []*cluster
	var config []map[finding.Object]string
	for _, c := range j.clusters {
		if c.view != nil && c.view.Context == c.Context && !c.apart && len(c.view.ids) > 1 {
			primaries, config = append(primaries, c), append(config, j.configOf(c, s.namespace))
		}
	}
	for i, first := range primaries {
		for k := i + 1; k < len(primaries); k++ {
			second := primaries[k]
			for _, object := range objectsOf(config[i]) {
				a := config[i][object]
				b, ok := config[k][object]
				if !ok || a == b {
					continue
				}
				j.add(s.String(), finding.Finding{
					Code: "EP018", Severity: finding.Warning, Clusters: finding.Distinct([]string{first.Context, second.Context}), Object: object,
					Title:    fmt.Sprintf("%s says one thing in %s and another in %s", object, first.Context, second.Context),
					Evidence: []finding.Evidence{{Cluster: first.Context, Field: "spec", Value: a}, {Cluster: second.Context, Field: "spec", Value: b}},
					Effect:   "proxies obey what their own control plane reads: clients are treated differently in each cluster",
					Fix: []finding.Step{
						finding.Say("If the difference is not intended, copy the right spec to the other cluster, here that of %s to %s:",
							first.Context, second.Context).By(copySpec(object, first.Context, second.Context)),
					},
				})
			}
		}
	}
}

// copySpec is the command that gives an object of one cluster the spec that it has in another.
func copySpec(o finding.Object, from, to string) finding.Command {
	return specOf(o, from, `[{"op":"replace","path":"/spec","value":`, `}]`).To(
		finding.Kubectl(to, "-n", o.Namespace, "patch", o.Kind+"/"+o.Name, "--type=json", "--patch-file=/dev/stdin"))
}

// specOf is the command that prints the spec of an object, JSON, between what is put
// before and after it.
func specOf(o finding.Object, context, before, after string) finding.Command {
	return finding.Kubectl(context, "-n", o.Namespace, "get", o.Kind+"/"+o.Name, "-o", "jsonpath="+literal(before)+"{.spec}"+literal(after))
}

// literal is text as it stands in a JSONPath template of kubectl.
func literal(text string) string {
	return `{"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"}`
}

func objectsOf(m map[finding.Object]string) []finding.Object {
	return slices.SortedFunc(maps.Keys(m), func(a, b finding.Object) int { return strings.Compare(a.String(), b.String()) })
}

// configOf is what a cluster's control plane is told about a namespace: the specs of objects.
func (j *judgement) configOf(c *cluster, namespace string) map[finding.Object]string {
	out := map[finding.Object]string{}
	put := func(resource string, m *metav1.ObjectMeta, spec any) {
		if m.Namespace == namespace {
			out[finding.In(resource, m.Namespace, m.Name)] = compact(spec)
		}
	}
	for i := range resources.DestinationRules.Of(c.Cluster).Value {
		o := &resources.DestinationRules.Of(c.Cluster).Value[i]
		put("destinationrule", &o.ObjectMeta, o.Spec)
	}
	for i := range resources.PeerAuthentications.Of(c.Cluster).Value {
		o := &resources.PeerAuthentications.Of(c.Cluster).Value[i]
		put("peerauthentication", &o.ObjectMeta, o.Spec)
	}
	for i := range resources.VirtualServices.Of(c.Cluster).Value {
		o := &resources.VirtualServices.Of(c.Cluster).Value[i]
		if g := o.Spec.Gateways; len(g) > 0 && !slices.Contains(g, "mesh") {
			continue // for requests from outside, which each cluster has of its own
		}
		put("virtualservice", &o.ObjectMeta, o.Spec)
	}
	for i := range resources.AuthorizationPolicies.Of(c.Cluster).Value {
		o := &resources.AuthorizationPolicies.Of(c.Cluster).Value[i]
		put("authorizationpolicy", &o.ObjectMeta, o.Spec)
	}
	for i := range resources.Sidecars.Of(c.Cluster).Value {
		o := &resources.Sidecars.Of(c.Cluster).Value[i]
		put("sidecar", &o.ObjectMeta, o.Spec)
	}
	return out
}
