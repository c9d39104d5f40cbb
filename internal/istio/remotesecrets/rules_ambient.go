package remotesecrets

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// ambient reports whether a control plane of the cluster tells ambient workloads of
// other networks.
func (m *member) ambient() bool {
	return slices.ContainsFunc(m.istiods, func(i istio.Istiod) bool { return i.On(istio.EnvAmbient) && i.On(istio.EnvAmbientMultiNetwork) })
}

// unled are the addresses of gateways for ambient workloads that the cluster to which
// an entry leads has, and of which the control plane does not tell its own. Where that
// was asked before only what it lacked then too counts.
func (v *replica) unled(e *entry) []string {
	now := v.lacks(e)
	if v.before == nil {
		return now
	}
	before := v.before.lacks(e)
	return slices.DeleteFunc(now, func(s string) bool { return !slices.Contains(before, s) })
}

func (v *replica) lacks(e *entry) []string {
	_, unclear := e.in.unclear()
	if unclear || !e.sure() || v.Gateways.State != facts.OK || resources.Namespaces.Of(e.to.Cluster).State != facts.OK {
		return nil
	}
	var out []string
	for i := range v.gateways[e.to.Context] {
		k := &v.gateways[e.to.Context][i]
		at := slices.IndexFunc(resources.Namespaces.Of(e.to.Cluster).Value, func(ns corev1.Namespace) bool { return ns.Name == k.Namespace })
		if at < 0 || !v.selects(&resources.Namespaces.Of(e.to.Cluster).Value[at]) {
			continue
		}
		for _, a := range istio.EastWestAddresses(k) {
			if !slices.Contains(v.Gateways.Value, a) {
				out = append(out, fmt.Sprintf("%s/%s at %s", k.Namespace, k.Name, a.Address))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// judgeAmbient: before 1.30 a control plane reads clusters for ambient workloads by a
// controller of its own, one after the other, of which /debug/clusterz says nothing
// (pilot/pkg/serviceregistry/kube/controller/ambient/remotesecrets.go). That of a
// cluster which is read its gateways are known tells whether that works
// (ambient/networks.go, buildGlobalNetworkCollections).
func judgeAmbient(j *judgement, m *member) {
	if !m.ambient() || j.unasked(m, "AMB014") {
		return
	}
	if why, unclear := m.unclear(); unclear {
		j.NotChecked(m.Context, why, "AMB014")
		return
	}
	for _, e := range m.used() {
		if !e.sure() {
			j.NotChecked(m.Context, j.unplaced(e), "AMB014")
			continue
		}
		if why, lacks := rule.Lack("gateways of gateway.networking.k8s.io of "+e.to.Context, resources.KubernetesGateways.Of(e.to.Cluster)); lacks {
			j.NotChecked(m.Context, why, "AMB014")
		}
		if why, lacks := rule.Lack("namespaces of "+e.to.Context, resources.Namespaces.Of(e.to.Cluster)); lacks {
			j.NotChecked(m.Context, why, "AMB014")
		}
		for _, v := range j.replicas[m] {
			switch s := v.status(e); {
			case !v.known(), s != synced:
				continue // judged by its state
			case v.Gateways.State != facts.OK:
				j.NotChecked(m.Context, rule.Unread(v.Pod, v.Gateways.State, v.Gateways.Why()), "AMB014")
				continue
			}
			lacks := v.unled(e)
			if len(lacks) == 0 {
				continue
			}
			if v.before == nil {
				j.NotChecked(m.Context, askedOnce(e), "AMB014")
				continue
			}
			f := e.about("AMB014", finding.Error, fmt.Sprintf("istiod does not tell ambient workloads of the gateways of %s", e.to.Context))
			f.Evidence = []finding.Evidence{
				{Cluster: e.to.Context, Field: "gateways that it lacks", Value: some(lacks, 3)},
				{Cluster: m.Context, Field: "istiod " + v.Pod + " says of " + e.ClusterID, Value: v.status(e)},
			}
			var versions []string
			for _, i := range m.istiods {
				versions = append(versions, i.Version.String())
			}
			f.Evidence = append(f.Evidence, finding.Evidence{Cluster: m.Context, Field: "istiod, version", Value: strings.Join(slices.Compact(versions), ", ")})
			f.Effect = fmt.Sprintf("ambient workloads of %s get no endpoints of %s, or old ones", m.Context, e.to.Context)
			f.CausedBy = j.cause(e, "SEC018", "SEC012", "SEC013", "SEC011", "SEC010", "SEC014", "SEC019")
			f.Fix = m.followsNot(v, e.ClusterID)
			j.Gather(f)
		}
	}
}
