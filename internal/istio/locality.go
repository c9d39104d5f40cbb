package istio

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// rank gives the groups their priorities and weights
// (pilot/pkg/networking/core/loadbalancer/loadbalancer.go).
func (b *builder) rank(groups []*group) []*group {
	policy := b.rule.policy(b.subset, b.port)
	setting, failover := b.localitySetting(policy)
	b.out.Outlier = policy.OutlierDetection
	failover = failover || policy.OutlierDetection != nil
	if setting != nil && (failover || setting.Distribute != nil) {
		b.out.Preference = b.preference(policy)
	}
	switch {
	case setting == nil:
	case setting.Distribute != nil:
		b.distribute(groups, setting.Distribute)
	case failover && len(setting.FailoverPriority) > 0:
		groups = b.byLabels(groups, setting.FailoverPriority)
		if len(setting.Failover) > 0 {
			b.byLocality(groups, setting.Failover)
		}
	case failover:
		b.byLocality(groups, setting.Failover)
	}
	return groups
}

// localitySetting is the one that holds: of the DestinationRule, else what the Service
// prefers, else of the mesh (GetEffectiveLbSetting); nil where it is turned off. A Service's
// preference needs no outlier detection.
func (b *builder) localitySetting(policy api.TrafficPolicy) (setting *api.LocalityLbSetting, failover bool) {
	if lb := policy.LoadBalancer; lb != nil && lb.LocalityLbSetting != nil {
		return enabled(lb.LocalityLbSetting), false
	}
	switch b.service.distribution(b.v) {
	case sameZone:
		return &api.LocalityLbSetting{FailoverPriority: []string{LabelNetwork, labelRegion, labelZone}}, true
	case sameNode:
		return &api.LocalityLbSetting{FailoverPriority: []string{LabelNetwork, labelRegion, labelZone, LabelSubzone, labelHostname}}, true
	}
	if mesh := b.v.Mesh.LocalityLbSetting; mesh != nil {
		return enabled(mesh), false
	}
	return &api.LocalityLbSetting{}, false
}

// preference names the object whose setting ranks the endpoints.
func (b *builder) preference(policy api.TrafficPolicy) string {
	lb := policy.LoadBalancer
	switch {
	case b.rule != nil && (lb != nil && lb.LocalityLbSetting != nil ||
		b.service.distribution(b.v) == anywhere && policy.OutlierDetection != nil):
		return "DestinationRule " + strings.Join(b.rule.from, ", ")
	case b.service.distribution(b.v) != anywhere:
		return "Service " + b.service.namespace + "/" + b.service.name + " of cluster " + b.service.cluster.id
	default:
		return "the mesh config"
	}
}

func enabled(s *api.LocalityLbSetting) *api.LocalityLbSetting {
	if s.Enabled != nil && !*s.Enabled {
		return nil
	}
	return s
}

// byLocality ranks groups by how much of the source's locality they share
// (applyLocalityFailover). A group that is left empty takes its rank too.
func (b *builder) byLocality(groups []*group, failover []api.Failover) {
	from := b.source.Locality
	for _, g := range groups {
		l := ParseLocality(g.locality)
		rank := uint32(0)
		switch {
		case l.Region != from.Region:
			rank = 3
			for _, f := range failover {
				if f.From == from.Region {
					if l.Region != f.To {
						rank = 4
					}
					break
				}
			}
		case l.Zone != from.Zone:
			rank = 2
		case l.Subzone != from.Subzone:
			rank = 1
		}
		g.priority = g.priority*5 + rank
	}
	compact(groups)
}

// compact numbers the priorities from 0 without gaps.
func compact(groups []*group) {
	var used []uint32
	for _, g := range groups {
		used = append(used, g.priority)
	}
	slices.Sort(used)
	used = slices.Compact(used)
	for _, g := range groups {
		at, _ := slices.BinarySearch(used, g.priority)
		g.priority = uint32(at)
	}
}

// byLabels splits each group by how many labels its endpoints share with the
// source, and ranks the parts (applyFailoverPriorities). A network that comes first does
// not end the comparison: what is elsewhere comes after all that is here.
func (b *builder) byLabels(groups []*group, labels []string) []*group {
	if len(b.source.Labels) == 0 || len(groups) == 0 {
		return groups
	}
	var out []*group
	for _, g := range groups {
		parts := map[uint32]*group{}
		for _, e := range g.endpoints {
			rank := b.labelRank(e.labels, labels)
			if parts[rank] == nil {
				parts[rank] = &group{locality: g.locality, priority: rank}
			}
			parts[rank].endpoints = append(parts[rank].endpoints, e)
			parts[rank].weight += e.Weight
		}
		for _, rank := range slices.Sorted(maps.Keys(parts)) {
			out = append(out, parts[rank])
		}
	}
	compact(out)
	return out
}

func (b *builder) labelRank(endpoint placed, labels []string) uint32 {
	rank, elsewhere := 0, 0
	for i, entry := range labels {
		label, value, given := cutLabel(entry)
		if !given {
			value = b.source.Labels[label]
		}
		if value == endpoint.value(label) {
			continue
		}
		if i == 0 && labels[0] == LabelNetwork {
			elsewhere = len(labels)
			continue
		}
		rank = len(labels) - i
		break
	}
	return uint32(rank + elsewhere)
}

// cutLabel reads "label" or "label=value".
func cutLabel(entry string) (label, value string, given bool) {
	parts := strings.Split(entry, "=")
	if len(parts) == 2 {
		return parts[0], parts[1], true
	}
	return parts[0], "", false
}

// distribute gives localities their shares, and takes the endpoints of those
// that have none (applyLocalityWeights).
func (b *builder) distribute(groups []*group, settings []api.Distribute) {
	for _, d := range settings {
		if !b.source.Locality.Matches(d.From) {
			continue
		}
		left := slices.Clone(groups)
		for _, to := range slices.Sorted(maps.Keys(d.To)) {
			var matched []*group
			total := uint32(0)
			left = slices.DeleteFunc(left, func(g *group) bool {
				if !ParseLocality(g.locality).Matches(to) {
					return false
				}
				matched = append(matched, g)
				total += g.share()
				return true
			})
			for _, g := range matched {
				if share := float64(g.share()*d.To[to]) / float64(total); share > 0 {
					g.weight = uint32(math.Ceil(share))
				}
			}
		}
		for _, g := range left {
			for _, e := range g.endpoints {
				b.dropAll(e, OtherLocality)
			}
			g.endpoints = nil
		}
		return
	}
}

// share is the weight of a group before settings; 1 of one that is left empty.
func (g *group) share() uint32 {
	if len(g.endpoints) == 0 {
		return 1
	}
	return g.weight
}

// dropAll drops all endpoints that go with an address.
func (b *builder) dropAll(e *candidate, reason DropReason) {
	behind := e.Behind
	if e.of != nil {
		behind = []Backend{backend(e.of)}
	}
	for _, backend := range behind {
		b.dropOne(Dropped{Backend: backend, Reason: reason})
	}
}

// Matches reports whether a locality is one of a pattern, of which parts may be * or missing
// (pilot/pkg/networking/util/util.go, LocalityMatch).
func (l Locality) Matches(pattern string) bool {
	p := ParseLocality(pattern)
	return (p.Region == "*" || p.Region == l.Region) &&
		(p.Zone == "*" || p.Zone == "" || p.Zone == l.Zone) &&
		(p.Subzone == "*" || p.Subzone == "" || p.Subzone == l.Subzone)
}
