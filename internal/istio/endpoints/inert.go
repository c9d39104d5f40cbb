package endpoints

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// inertRows are what inertSettings looks at besides DestinationRules.
func inertRows() []rule.Need {
	return []rule.Need{
		resources.Istiods, resources.RemoteSecrets, resources.Nodes, resources.Pods, resources.Services, resources.VirtualServices,
	}
}

// inertSettings (EP054): settings of a DestinationRule that istiod accepts and that do nothing.
func inertSettings(p *rule.Pass[*model.Mesh]) {
	options, _ := model.Given[Options](p.Model)
	for _, cp := range model.AbleControlPlanes(p) {
		i := inertOf(cp)
		for k := range resources.DestinationRules.Of(cp.Cluster.Cluster).Value {
			d := &resources.DestinationRules.Of(cp.Cluster.Cluster).Value[k]
			if options.Namespace != "" && options.Namespace != d.Namespace || options.Selects != nil {
				continue
			}
			if why, unclear := i.doubt(d); unclear {
				p.NotChecked(cp.Context, why)
			}
			if f, ok := i.finding(d); ok {
				p.Gather(f)
			}
		}
	}
}

// inert is what tells of a control plane which settings do nothing.
type inert struct {
	cp *model.ControlPlane
	// localities are those of the nodes that it knows, each once.
	localities []istio.Locality
	// why says why these may not be all.
	why finding.Reason
}

func inertOf(cp *model.ControlPlane) *inert {
	i := &inert{cp: cp}
	seen := map[istio.Locality]bool{}
	for _, w := range cp.Watches {
		if w.Cluster == nil {
			i.why = finding.Because("cluster " + w.ID + " was not read, and its nodes may be in the localities")
			continue
		}
		if why, lacks := rule.Lacks(w.Cluster.Cluster, resources.Nodes, resources.Pods, resources.Services); lacks {
			why.Text = w.Cluster.Context + ": " + why.Text
			i.why = why
			continue
		}
		for k := range resources.Nodes.Of(w.Cluster.Cluster).Value {
			seen[istio.NodeLocality(&resources.Nodes.Of(w.Cluster.Cluster).Value[k])] = true
		}
		for k := range resources.Pods.Of(w.Cluster.Cluster).Value {
			if l, ok := istio.PodLocality(&resources.Pods.Of(w.Cluster.Cluster).Value[k]); ok {
				seen[l] = true
			}
		}
	}
	delete(seen, istio.Locality{})
	i.localities = slices.Collect(maps.Keys(seen))
	return i
}

// policiesOf are all traffic policies of a DestinationRule.
func policiesOf(d *api.DestinationRule) []api.TrafficPolicy {
	var out []api.TrafficPolicy
	add := func(p *api.TrafficPolicy) {
		if p == nil {
			return
		}
		out = append(out, *p)
		for _, port := range p.PortLevelSettings {
			out = append(out, api.TrafficPolicy{LoadBalancer: port.LoadBalancer, OutlierDetection: port.OutlierDetection, TLS: port.TLS})
		}
	}
	add(d.Spec.TrafficPolicy)
	for _, s := range d.Spec.Subsets {
		add(s.TrafficPolicy)
	}
	return out
}

// preferring are the locality settings of a DestinationRule that are not turned off.
func preferring(d *api.DestinationRule) []*api.LocalityLbSetting {
	var out []*api.LocalityLbSetting
	for _, p := range policiesOf(d) {
		if lb := p.LoadBalancer; lb != nil && lb.LocalityLbSetting != nil &&
			(lb.LocalityLbSetting.Enabled == nil || *lb.LocalityLbSetting.Enabled) {
			out = append(out, lb.LocalityLbSetting)
		}
	}
	return out
}

// doubt says why it is not known whether a DestinationRule does something.
func (i *inert) doubt(d *api.DestinationRule) (finding.Reason, bool) {
	needs := len(d.Spec.Subsets) > 0 || slices.ContainsFunc(preferring(d), func(s *api.LocalityLbSetting) bool {
		return len(s.Failover)+len(s.Distribute)+len(s.FailoverPriority) > 0
	})
	return i.why, needs && i.why != finding.Reason{}
}

// finding is about the settings of one DestinationRule.
func (i *inert) finding(d *api.DestinationRule) (finding.Finding, bool) {
	object := finding.In("destinationrule", d.Namespace, d.Name)
	f := finding.Finding{Code: "EP054", Clusters: []string{i.cp.Context}, Object: object}
	say := func(severity finding.Severity, title, effect string, seen finding.Evidence, fix finding.Step) {
		if f.Severity == "" || f.Severity == finding.Note && severity == finding.Warning {
			f.Severity, f.Title, f.Effect = severity, fmt.Sprintf("%s %s", object, title), effect
		}
		f.Evidence, f.Fix = append(f.Evidence, seen), append(f.Fix, fix)
	}
	detects := slices.ContainsFunc(policiesOf(d), func(p api.TrafficPolicy) bool { return p.OutlierDetection != nil })
	for _, s := range preferring(d) {
		if len(s.Failover)+len(s.FailoverPriority) > 0 && len(s.Distribute) == 0 && !detects {
			say(finding.Note, "sets failover without outlierDetection, which does nothing",
				"requests go to endpoints of all localities alike, and failing ones are not taken out",
				finding.Evidence{Field: "localityLbSetting", Value: remedy.JSON(s)},
				finding.Say("Add outlierDetection to the same trafficPolicy:").By(finding.Kubectl(i.cp.Context, "-n", d.Namespace, "patch",
					"destinationrule/"+d.Name, "--type=merge", "-p", `{"spec":{"trafficPolicy":{"outlierDetection":{"consecutive5xxErrors":5}}}}`)))
			continue
		}
		if i.why != (finding.Reason{}) {
			continue
		}
		if names := i.nowhere(s); len(names) > 0 && (len(s.Distribute) > 0 || detects) {
			say(
				finding.Warning,
				fmt.Sprintf("is for clients in %s, where no node is", finding.List(names)),
				"it ranks nothing: requests go to endpoints of all localities alike",
				finding.Evidence{
					Field: "localities of nodes",
					Value: cmp.Or(i.localitiesText(), "none: the nodes have no label topology.kubernetes.io/region"),
				},
				finding.Say("Name localities that nodes have, or label the nodes with theirs and then restart the workloads."),
			)
		}
		if n := i.otherNetworks(); len(s.FailoverPriority) > 0 && detects && n > 1 && !slices.ContainsFunc(s.FailoverPriority, ofGateways) {
			say(finding.Note, "ranks by labels that gateways do not have",
				"endpoints behind gateways of other networks all rank alike, whatever the pods behind have",
				finding.Evidence{Field: "failoverPriority", Value: strings.Join(s.FailoverPriority, ", ")},
				finding.Say("Begin the list with %s or %s, which gateways have.", istio.LabelNetwork, istio.LabelCluster))
		}
	}
	if i.why == (finding.Reason{}) {
		for _, s := range d.Spec.Subsets {
			if i.empty(d, s) {
				say(finding.Note, fmt.Sprintf("has subset %s, which no pod is in", s.Name), "nothing is routed there, and what would be gets 503",
					finding.Evidence{Field: "labels of subset " + s.Name, Value: inline(s.Labels)},
					finding.Say("If subset %s is not needed any more, remove it from the DestinationRule:", s.Name).By(
						edit(i.cp.Context, "destinationrule", d.Namespace, d.Name)))
			}
		}
	}
	return f, f.Severity != ""
}

// ofGateways reports whether a label of failoverPriority is one that endpoints for gateways have
// (pilot/pkg/xds/endpoints/ep_filters.go, EndpointsByNetworkFilter).
func ofGateways(entry string) bool {
	label, _, _ := strings.Cut(entry, "=")
	return label == istio.LabelNetwork || label == istio.LabelCluster
}

// nowhere are the localities that a setting is for, where none of them has a node; none where one
// has.
func (i *inert) nowhere(s *api.LocalityLbSetting) []string {
	var out []string
	for _, f := range s.Failover {
		if slices.ContainsFunc(i.localities, func(l istio.Locality) bool { return l.Region == f.From }) {
			return nil
		}
		out = append(out, f.From)
	}
	for _, d := range s.Distribute {
		if slices.ContainsFunc(i.localities, func(l istio.Locality) bool { return l.Matches(d.From) }) {
			return nil
		}
		out = append(out, d.From)
	}
	return finding.Distinct(out)
}

func (i *inert) localitiesText() string {
	var out []string
	for _, l := range i.localities {
		out = append(out, l.String())
	}
	return finding.List(finding.Distinct(out))
}

// otherNetworks is how many networks the control plane knows gateways of, without its own.
func (i *inert) otherNetworks() int {
	networks := map[string]bool{}
	for _, g := range i.cp.PredictedGateways() {
		networks[g.Network] = true
	}
	delete(networks, i.cp.Cluster.Network().Home())
	return len(networks)
}

// empty reports whether no pod is in a subset of a service that has pods, and no VirtualService
// sends requests there. What istiod adds to the labels of endpoints says nothing of pods.
func (i *inert) empty(d *api.DestinationRule, s api.Subset) bool {
	host := istio.FullHost(d.Spec.Host, d.Namespace)
	labels := maps.Clone(s.Labels)
	maps.DeleteFunc(labels, func(label, _ string) bool {
		return strings.HasPrefix(label, "topology.istio.io/") || strings.HasPrefix(label, "topology.kubernetes.io/")
	})
	byController := slices.ContainsFunc(hashLabels, func(label string) bool { _, ok := labels[label]; return ok }) ||
		owner.Of(&d.ObjectMeta).Tool == owner.Controller
	name, ok := model.ServiceOfHost(host)
	if !ok || len(labels) == 0 || byController {
		return false // a rollout fills the subset when it has something to roll out
	}
	pods := 0
	for _, c := range i.cp.WatchedClusters() {
		service := c.Service(name.Namespace, name.Name)
		if service == nil {
			continue
		}
		selected := c.SelectedPods(service)
		pods += len(selected)
		if slices.ContainsFunc(selected, func(p *facts.Pod) bool { return covered(labels, p.Labels) }) {
			return false
		}
	}
	routed := func(v *api.VirtualService) bool {
		return slices.ContainsFunc(v.Targets(), func(t api.RouteTarget) bool {
			return t.Subset == s.Name && istio.FullHost(t.Host, v.Namespace) == host
		})
	}
	for k := range resources.VirtualServices.Of(i.cp.Cluster.Cluster).Value {
		if routed(&resources.VirtualServices.Of(i.cp.Cluster.Cluster).Value[k]) {
			return false // what requests meet there is found on their path
		}
	}
	return pods > 0
}
