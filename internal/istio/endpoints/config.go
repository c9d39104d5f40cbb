package endpoints

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// configRows are the kinds that control planes of one mesh should read alike.
func configRows() []rule.Need {
	return []rule.Need{
		resources.DestinationRules, resources.PeerAuthentications, resources.VirtualServices,
		resources.AuthorizationPolicies, resources.Sidecars,
	}
}

// differences looks for configuration that differs between the control planes of clusters:
// each proxy obeys that of its own control plane, so that what has the same name should say
// the same in every cluster that has one.
type differences struct {
	mesh       *model.Mesh
	clusters   []*model.Cluster
	report     func(finding.Finding)
	notChecked func(context string, why finding.Reason, codes ...finding.Code)
}

// find compares what control planes are told about namespaces.
func (d differences) find(namespaces ...string) {
	if len(namespaces) == 0 {
		return
	}
	var primaries []*model.Cluster
	for _, c := range d.clusters {
		if slices.ContainsFunc(c.ControlPlanes, func(cp *model.ControlPlane) bool { return len(cp.Watches) > 1 }) {
			primaries = append(primaries, c)
		}
	}
	if len(primaries) < 2 {
		return
	}
	for _, c := range primaries {
		for _, row := range configRows() {
			if why, lacks := rule.Lacks(c.Cluster, row); lacks {
				d.notChecked(c.Context, why, "EP018")
			}
		}
	}
	config := make([]map[finding.Object]said, len(primaries))
	for _, namespace := range namespaces {
		for i, c := range primaries {
			config[i] = configOf(c, namespace)
		}
		for i := range primaries {
			for k := i + 1; k < len(primaries); k++ {
				if d.mesh.KnownApart(primaries[i], primaries[k]) {
					continue
				}
				for _, object := range objectsOf(config[i]) {
					a, b := config[i][object], config[k][object]
					if b != (said{}) && a.spec != b.spec && a.means != b.means {
						d.report(differingConfig(object, primaries[i], primaries[k], a.spec, b.spec))
					}
				}
			}
		}
	}
}

func differingConfig(object finding.Object, first, second *model.Cluster, a, b string) finding.Finding {
	return finding.Finding{
		Code: "EP018", Severity: finding.Warning, Clusters: finding.Distinct([]string{first.Context, second.Context}), Object: object,
		Title:    fmt.Sprintf("%s says one thing in %s and another in %s", object, first.Context, second.Context),
		Evidence: []finding.Evidence{{Cluster: first.Context, Field: "spec", Value: a}, {Cluster: second.Context, Field: "spec", Value: b}},
		Effect:   "proxies obey what their own control plane reads: clients are treated differently in each cluster",
		Fix: []finding.Step{
			finding.Say("If the difference is not intended, copy the right spec to the other cluster, here that of %s to %s:",
				first.Context, second.Context).By(copySpec(object, first.Context, second.Context)),
		},
	}
}

// said is what an object says, and what it means to the control plane of its cluster.
type said struct{ spec, means string }

func objectsOf(m map[finding.Object]said) []finding.Object {
	return slices.SortedFunc(maps.Keys(m), func(a, b finding.Object) int { return strings.Compare(a.String(), b.String()) })
}

// configOf is what a cluster's control plane is told about a namespace: the specs of objects,
// without those that a controller of the cluster makes, such as Flagger.
func configOf(c *model.Cluster, namespace string) map[finding.Object]said {
	out := map[finding.Object]said{}
	meaning := func(kind string, m *metav1.ObjectMeta, spec, means any) {
		if m.Namespace == namespace && owner.Of(m).Tool != owner.Controller {
			out[finding.In(kind, m.Namespace, m.Name)] = said{remedy.JSON(spec), remedy.JSON(means)}
		}
	}
	put := func(kind string, m *metav1.ObjectMeta, spec any) { meaning(kind, m, spec, spec) }
	for i := range resources.DestinationRules.Of(c.Cluster).Value {
		o := &resources.DestinationRules.Of(c.Cluster).Value[i]
		put("destinationrule", &o.ObjectMeta, ruleByPeople(o.Spec))
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
		put("virtualservice", &o.ObjectMeta, routesByPeople(o.Spec))
	}
	for i := range resources.AuthorizationPolicies.Of(c.Cluster).Value {
		o := &resources.AuthorizationPolicies.Of(c.Cluster).Value[i]
		meaning("authorizationpolicy", &o.ObjectMeta, o.Spec, principalsOfMesh(o.Spec, c))
	}
	for i := range resources.Sidecars.Of(c.Cluster).Value {
		o := &resources.Sidecars.Of(c.Cluster).Value[i]
		put("sidecar", &o.ObjectMeta, o.Spec)
	}
	return out
}

// principalsOfMesh is a policy with one name for all trust domains that the cluster's istiod
// takes for its own: those of its aliases, and cluster.local, mean the same
// (pilot/pkg/security/trustdomain/bundle.go). So that a policy may name the clients of its own
// cluster in each.
func principalsOfMesh(spec api.AuthorizationPolicySpec, c *model.Cluster) api.AuthorizationPolicySpec {
	own := []string{"cluster.local"}
	for _, cp := range c.ControlPlanes {
		own = append(append(own, cp.Mesh.TrustDomain), cp.Mesh.TrustDomainAliases...)
	}
	renamed := func(principals []string) []string {
		principals = slices.Clone(principals)
		for i, p := range principals {
			if domain, rest, ok := strings.Cut(p, "/"); ok && slices.Contains(own, domain) {
				principals[i] = own[0] + "/" + rest
			}
		}
		return principals
	}
	spec.Rules = slices.Clone(spec.Rules)
	for i := range spec.Rules {
		from := slices.Clone(spec.Rules[i].From)
		for k := range from {
			if s := from[k].Source; s != nil {
				source := *s
				source.Principals, source.NotPrincipals = renamed(s.Principals), renamed(s.NotPrincipals)
				from[k].Source = &source
			}
		}
		spec.Rules[i].From = from
	}
	return spec
}

// hashLabels are those by which a controller tells the pods of two versions of a workload,
// with values of its own in each cluster.
var hashLabels = []string{"pod-template-hash", "rollouts-pod-template-hash"}

// ruleByPeople is what people write of a DestinationRule: Argo Rollouts adds to the subsets
// the hashes of the pods that each cluster has.
func ruleByPeople(spec api.DestinationRuleSpec) api.DestinationRuleSpec {
	spec.Subsets = slices.Clone(spec.Subsets)
	for i := range spec.Subsets {
		labels := maps.Clone(spec.Subsets[i].Labels)
		maps.DeleteFunc(labels, func(key, _ string) bool { return slices.Contains(hashLabels, key) })
		spec.Subsets[i].Labels = labels
	}
	return spec
}

// routesByPeople is what people write of a VirtualService for good. Weights are what a
// controller of each cluster changes while it rolls out a version (Argo Rollouts, Flagger), as
// people do step by step.
func routesByPeople(spec api.VirtualServiceSpec) api.VirtualServiceSpec {
	for _, routes := range []*[]api.Route{&spec.HTTP, &spec.TCP, &spec.TLS} {
		*routes = slices.Clone(*routes)
		for i := range *routes {
			r := &(*routes)[i]
			r.Route = slices.Clone(r.Route)
			for k := range r.Route {
				r.Route[k].Weight = 0
			}
		}
	}
	return spec
}
