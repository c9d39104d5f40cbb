package endpoints

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// settled is one object of a control plane's configuration.
type settled struct{ object, resource, name, spec string }

// compare: each proxy obeys the configuration of its own control plane, so that of the
// same name should say the same in every cluster that has a control plane. The service is
// one of those that are concerned.
func (j *judgement) compare(s service) {
	var primaries []*cluster
	var config []map[string]settled
	for _, c := range j.clusters {
		if c.view != nil && c.view.Context == c.Context && !c.apart && len(c.view.ids) > 1 {
			primaries, config = append(primaries, c), append(config, j.configOf(c, s.namespace))
		}
	}
	for i, first := range primaries {
		for k := i + 1; k < len(primaries); k++ {
			second := primaries[k]
			for _, name := range keysOf(config[i]) {
				a := config[i][name]
				b, ok := config[k][name]
				if !ok || a.spec == b.spec {
					continue
				}
				j.add(s.String(), finding.Finding{
					Code: "EP018", Severity: finding.Warning, Clusters: finding.Distinct([]string{first.Context, second.Context}), Object: a.object,
					Title:    fmt.Sprintf("%s says one thing in %s and another in %s", a.object, first.Context, second.Context),
					Evidence: []finding.Evidence{{Cluster: first.Context, Field: "spec", Value: a.spec}, {Cluster: second.Context, Field: "spec", Value: b.spec}},
					Effect:   "proxies obey what their own control plane reads: clients are treated differently in each cluster",
					Fix: []string{
						"# if that is not meant, take over the one that is right, here of " + first.Context,
						finding.Kubectl(second.Context, "-n %s patch %s %s --type=json -p", finding.Quote(s.namespace), a.resource, finding.Quote(a.name)) +
							fmt.Sprintf(` "[{\"op\":\"replace\",\"path\":\"/spec\",\"value\":$(%s)}]"`, specOf(first.Context, s.namespace, a.resource, a.name)),
					},
				})
			}
		}
	}
}

// specOf is the command that prints the spec of an object, JSON.
func specOf(context, namespace, resource, name string) string {
	return finding.Kubectl(context, "-n %s get %s %s -o jsonpath='{.spec}'", finding.Quote(namespace), resource, finding.Quote(name))
}

func keysOf(m map[string]settled) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// configOf is what a cluster's control plane is told about a namespace.
func (j *judgement) configOf(c *cluster, namespace string) map[string]settled {
	out := map[string]settled{}
	put := func(resource string, m *metav1.ObjectMeta, spec any) {
		if m.Namespace == namespace {
			object := resource + " " + key(m.Namespace, m.Name)
			out[object] = settled{object, resource, m.Name, compact(spec)}
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
