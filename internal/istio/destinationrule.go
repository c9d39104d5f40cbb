package istio

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// destinationRules are those of the control plane's own cluster, merged and
// sorted by who may use them (pilot/pkg/model/push_context.go, setDestinationRules).
type destinationRules struct {
	mesh     MeshConfig
	local    map[string]*ruleSet // by namespace
	exported map[string]*ruleSet // by namespace
	root     *ruleSet            // of the root namespace, for itself
}

// ruleSet has the rules by host.
type ruleSet struct {
	specific, wildcard map[string][]*mergedRule
}

// mergedRule is one or more DestinationRules for the same host.
type mergedRule struct {
	namespace string
	exportTo  map[string]bool
	spec      api.DestinationRuleSpec
	from      []string // namespace/name
}

func newRuleSet() *ruleSet {
	return &ruleSet{specific: map[string][]*mergedRule{}, wildcard: map[string][]*mergedRule{}}
}

func newDestinationRules(v *View) *destinationRules {
	d := &destinationRules{mesh: v.Mesh, local: map[string]*ruleSet{}, exported: map[string]*ruleSet{}, root: newRuleSet()}
	own := v.own()
	if own == nil {
		return d
	}
	var rules []*api.DestinationRule
	for i := range resources.DestinationRules.Of(own.facts).Value {
		if r := &resources.DestinationRules.Of(own.facts).Value[i]; own.selects(r.Namespace) && v.Istiod.Reads(r.Labels) {
			rules = append(rules, r)
		}
	}
	slices.SortFunc(rules, func(a, b *api.DestinationRule) int {
		if (a.Spec.WorkloadSelector != nil) != (b.Spec.WorkloadSelector != nil) {
			if a.Spec.WorkloadSelector != nil {
				return -1
			}
			return 1
		}
		return byAge(&a.ObjectMeta, &b.ObjectMeta)
	})
	for _, r := range rules {
		d.add(r)
	}
	return d
}

func (d *destinationRules) add(r *api.DestinationRule) {
	exportTo := map[string]bool{}
	for _, e := range r.Spec.ExportTo {
		exportTo[e] = true
	}
	if r.Spec.WorkloadSelector != nil {
		exportTo = map[string]bool{exportedToNamespace: true}
	}
	if len(exportTo) == 0 || exportTo[exportedToEveryone] || exportTo[exportedToNamespace] || exportTo[r.Namespace] {
		put(d.local, r, exportTo)
	}
	private := len(exportTo) == 1 && (exportTo[exportedToNamespace] || exportTo[r.Namespace])
	if len(exportTo) == 0 && slices.Contains(d.mesh.DefaultDestinationRuleExportTo, exportedToNamespace) {
		private = true
	}
	switch {
	case !private:
		put(d.exported, r, exportTo)
	case r.Namespace == d.mesh.RootNamespace:
		d.root.merge(r, exportTo)
	}
}

func put(sets map[string]*ruleSet, r *api.DestinationRule, exportTo map[string]bool) {
	if sets[r.Namespace] == nil {
		sets[r.Namespace] = newRuleSet()
	}
	sets[r.Namespace].merge(r, exportTo)
}

// merge adds a rule to those for the same host: into each that is for the same
// clients, or else beside them (pilot/pkg/model/destination_rule.go,
// mergeDestinationRule). Only subsets, and a traffic policy where there was none, are taken over.
func (s *ruleSet) merge(r *api.DestinationRule, exportTo map[string]bool) {
	host := fullHost(r.Spec.Host, r.Namespace)
	rules := s.specific
	if strings.HasPrefix(host, "*") {
		rules = s.wildcard
	}
	separate := true
	for _, m := range rules[host] {
		switch {
		case maps.Equal(exportTo, m.exportTo):
			separate = false
		case len(m.exportTo) > 0 && superset(exportTo, m.exportTo):
			separate = true
		default:
			separate = true
			continue
		}
		mine, theirs := r.Spec.WorkloadSelector, m.spec.WorkloadSelector
		if mine != nil && theirs != nil && !maps.Equal(mine.MatchLabels, theirs.MatchLabels) {
			separate = true
			continue
		}
		if (mine == nil) == (theirs == nil) {
			separate = false
		}
		m.from = append(slices.Clone(m.from), r.Namespace+"/"+r.Name)
		m.spec.Subsets = slices.Clone(m.spec.Subsets)
		for _, subset := range r.Spec.Subsets {
			if !slices.ContainsFunc(m.spec.Subsets, func(o api.Subset) bool { return o.Name == subset.Name }) {
				m.spec.Subsets = append(m.spec.Subsets, subset)
			}
		}
		if m.spec.TrafficPolicy == nil {
			m.spec.TrafficPolicy = r.Spec.TrafficPolicy
		}
	}
	if separate {
		rules[host] = append(
			rules[host],
			&mergedRule{namespace: r.Namespace, exportTo: exportTo, spec: r.Spec, from: []string{r.Namespace + "/" + r.Name}},
		)
	}
}

func superset(all, some map[string]bool) bool {
	for k := range some {
		if !all[k] {
			return false
		}
	}
	return true
}

// of is the rule of a client for a service: of the client's namespace, else of
// the service's, else of the root namespace; and of several the one that
// selects the client (pilot/pkg/model/push_context.go, destinationRule; sidecar.go,
// DestinationRule).
func (d *destinationRules) of(source Source, host, namespace string) *mergedRule {
	var everyone *mergedRule
	for _, r := range d.candidates(source.Namespace, host, namespace) {
		selector := r.spec.WorkloadSelector
		if selector == nil {
			everyone = r
			continue
		}
		if r.namespace == source.Namespace && subsetOf(selector.MatchLabels, source.Labels) {
			return r
		}
	}
	return everyone
}

func (d *destinationRules) candidates(client, host, namespace string) []*mergedRule {
	own := d.local[client]
	if client == d.mesh.RootNamespace {
		own = d.root
	}
	if own != nil {
		if found, ok := mostSpecific(host, own.specific, own.wildcard); ok {
			return found
		}
	}
	for _, ns := range []string{namespace, d.mesh.RootNamespace} {
		set := d.exported[ns]
		if set == nil {
			continue
		}
		found, _ := mostSpecific(host, set.specific, set.wildcard)
		found = slices.DeleteFunc(slices.Clone(found), func(r *mergedRule) bool {
			return len(r.exportTo) > 0 && !r.exportTo[exportedToEveryone] && !r.exportTo[client]
		})
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// RepeatedSubset is a name that two subsets of a DestinationRule have.
type RepeatedSubset struct {
	Rule   ObjectName
	Subset string
	// All are the names of the rule's subsets, in its order.
	All []string
}

// RepeatedSubsets are those of the rules that a client has for the Services that it sees, each
// once. Of rules that are merged the first keeps its subsets, and the others add what has
// another name (pilot/pkg/model/destination_rule.go, mergeDestinationRule).
func (v *View) RepeatedSubsets(client Source) []RepeatedSubset {
	var out []RepeatedSubset
	seen := map[*mergedRule]bool{}
	for _, s := range v.Services() {
		r := v.rules.of(client, s.Host(), s.Namespace)
		if r == nil || seen[r] {
			continue
		}
		seen[r] = true
		var names []string
		repeated := ""
		for _, subset := range r.spec.Subsets {
			if slices.Contains(names, subset.Name) && repeated == "" {
				repeated = subset.Name
			}
			names = append(names, subset.Name)
		}
		if repeated != "" {
			namespace, name, _ := strings.Cut(r.from[0], "/")
			out = append(out, RepeatedSubset{Rule: ObjectName{namespace, name}, Subset: repeated, All: names})
		}
	}
	return out
}
