package releases

import (
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

var (
	note  = []finding.Severity{finding.Note}
	fails = []finding.Severity{finding.Error}
	warns = []finding.Severity{finding.Warning}
	// ofSecrets are the bugs about remote secrets, ofAmbient those of ambient mode across networks.
	ofSecrets = []istio.Bug{
		istio.BugSecretsStop, istio.BugSecretsPanic, istio.BugSecretsIgnored, istio.BugGatewaysLost, istio.BugEndpointsWiped,
		istio.BugStoreDeadlock, istio.BugMeshUnread,
	}
	ofAmbient = slices.Concat(ofSecrets, []istio.Bug{
		istio.BugAmbientDomain, istio.BugAmbientCache, istio.BugAmbientStuck, istio.BugAmbientUnstable, istio.BugAmbientPool,
		istio.BugIngressWaypoint,
	})
)

// endpointRows are those of EndpointRules.
func endpointRows() []row {
	secrets := []rule.Need{resources.RemoteSecrets}
	rotated := []rule.Need{resources.RemoteSecrets, resources.IstiodPods}
	out := []row{
		{
			bug: istio.BugSharedHosts, title: "keeps hosts in their cluster that the mesh config excludes from clusterLocal",
			effect:     "clients get no endpoints of these hosts from other clusters",
			severities: warns, reads: []rule.Need{resources.MeshConfigs}, met: sharedHosts,
		},
		{
			bug: istio.BugStoreDeadlock, title: "can stop reading remote clusters when several come into sync at once",
			effect:     "istiod then follows no change of a remote cluster until it is restarted",
			severities: note, reads: secrets, met: watchesSeveral, together: ofSecrets,
		},
		{
			bug: istio.BugSecretsPanic, title: "ends in a panic when a remote secret is changed twice in a row",
			effect:     "istiod restarts, and proxies that start meanwhile get no configuration",
			severities: note, reads: rotated, met: renews, together: ofSecrets,
		},
		{
			bug: istio.BugSecretsLeak, title: "keeps what it built for a cluster in memory when the remote secret changes",
			effect:     "the memory of istiod grows with each rotation, until it is killed for it",
			severities: note, reads: rotated, met: renews, together: ofSecrets,
		},
	}
	out = append(out, row{
		bug: istio.BugAmbientLeak, title: "keeps what ambient mode built for a cluster in memory when the remote secret changes",
		effect:     "the memory of istiod grows with each rotation, until it is killed for it",
		severities: note, reads: rotated, met: renewsAmbient, together: ofAmbient,
	})
	for _, bug := range []istio.Bug{istio.BugSecretsStop, istio.BugSecretsIgnored, istio.BugEndpointsWiped} {
		r := row{
			bug: bug, severities: warns, reads: rotated, met: willChange(bug),
			until: restartAfter, together: ofSecrets,
		}
		switch bug {
		case istio.BugSecretsStop:
			r.title = "stops reading remote secrets when one is changed"
			r.effect = "from then on istiod follows neither that cluster nor any new one"
		case istio.BugSecretsIgnored:
			r.title = "does not use the new kubeconfig when a remote secret is changed"
			r.effect = "istiod goes on with the old credential, and stops following the cluster when that ends"
		default:
			r.title = "loses endpoints and gateways of a cluster when its remote secret is changed"
			r.effect = "clients then do not reach services of other clusters, until istiod is restarted"
		}
		out = append(out, r)
	}
	return out
}

// networkRows are those of NetworkRules.
func networkRows() []row {
	ambient := []rule.Need{resources.RemoteSecrets, resources.KubernetesGateways}
	return []row{
		{
			bug: istio.BugGatewaysLost, title: "loses the network gateways of a cluster whose remote secret was changed",
			effect:     "clients are given addresses of pods on other networks and time out, until istiod is restarted",
			severities: warns, reads: []rule.Need{resources.RemoteSecrets, resources.Pods}, met: changedGateways,
			until: restartNow, after: []finding.Code{"SEC018"}, together: ofSecrets,
		},
		{
			bug: istio.BugEntryPanic, title: "ends in a panic at a WorkloadEntry on another network",
			effect:     "istiod restarts again and again, and proxies get no configuration",
			severities: fails, reads: []rule.Need{resources.WorkloadEntries, resources.Namespaces}, met: foreignEntries,
		},
		{
			bug: istio.BugAmbientDomain, title: "has east-west gateways of ambient mode expect trust domain cluster.local",
			effect:     "connections of ambient workloads to other networks fail",
			severities: fails, reads: slices.Concat(ambient, []rule.Need{resources.MeshConfigs}), met: ownDomain, together: ofAmbient,
		},
		{
			bug: istio.BugAmbientCache, title: "can give east-west gateways of ambient mode endpoints that they do not reach",
			effect:     "some requests of ambient workloads from other networks fail",
			severities: warns, reads: ambient, met: crossesAmbient(finding.Warning), together: ofAmbient,
		},
		{
			bug: istio.BugAmbientPool, title: "lets east-west gateways of ambient mode send requests to a wrong service",
			effect:     "now and then a request from another network gets to another service, as connections are pooled",
			severities: note, reads: ambient, met: crossesAmbient(finding.Note), together: ofAmbient,
		},
		{
			bug: istio.BugAmbientStuck, title: "does not try again to watch a remote cluster for ambient workloads",
			effect:     "ambient workloads do not know a remote cluster that istiod once failed to read, until istiod is restarted",
			severities: note, reads: ambient, met: crossesAmbient(finding.Note), together: ofAmbient,
		},
		{
			bug: istio.BugAmbientUnstable, title: "takes remote clusters for new ones now and then in ambient mode",
			effect:     "ambient workloads are given wrong configuration for a while",
			severities: note, reads: ambient, met: crossesAmbient(finding.Note), together: ofAmbient,
		},
		{
			bug: istio.BugAmbientStale, title: "keeps an old state of a cluster for ambient workloads when its remote secret changes",
			effect:     "ambient workloads are sent to pods that are gone, until istiod is restarted",
			severities: warns, reads: slices.Concat(ambient, []rule.Need{resources.Pods}), met: changedAmbient,
			until: restartNow, after: []finding.Code{"SEC018"}, together: ofAmbient,
		},
		{
			bug: istio.BugIngressWaypoint, title: "lets ingress gateways pass by the waypoint of a service that is on several networks",
			effect:     "policies of the waypoint do not hold for requests from outside: they are not refused",
			severities: warns, reads: slices.Concat(ambient, []rule.Need{resources.Services, resources.Namespaces}),
			met: ingressWaypoints, together: ofAmbient,
		},
		{
			bug: istio.BugFlatWaypoint, title: "has waypoints that do not know services by their addresses in other clusters of the network",
			effect:     "requests that come to such a waypoint from the other cluster fail now and then",
			severities: slices.Concat(warns, note), reads: slices.Concat(ambient, []rule.Need{resources.Services, resources.Namespaces}),
			met: flatWaypoints, together: ofAmbient,
		},
	}
}

// isOn is the severity where there is evidence.
func isOn(severity finding.Severity, seen []finding.Evidence) (finding.Severity, []finding.Evidence) {
	if len(seen) == 0 {
		return "", nil
	}
	return severity, seen
}

// secretsOf are the remote secrets of which a control plane makes a cluster.
func secretsOf(cp *model.ControlPlane) []*model.RemoteSecret {
	var out []*model.RemoteSecret
	for _, w := range cp.Watches {
		if w.Secret != nil {
			out = append(out, w.Secret)
		}
	}
	return out
}

func secretEvidence(r *model.RemoteSecret, what, value string) finding.Evidence {
	return finding.Evidence{Cluster: r.In.Context, Field: r.Object().String() + ", " + what, Value: value}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// watchesSeveral: the control plane watches several other clusters.
func watchesSeveral(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	secrets := secretsOf(cp)
	if len(secrets) < 2 {
		return "", nil
	}
	return finding.Note, []finding.Evidence{{Cluster: cp.Context, Field: "remote secrets", Value: finding.Plural(len(secrets), "cluster")}}
}

// ends are the remote secrets whose credential ends, which have to be changed before.
func ends(cp *model.ControlPlane) []finding.Evidence {
	var out []finding.Evidence
	for _, r := range secretsOf(cp) {
		if end := r.Expires(); !end.IsZero() {
			out = append(out, secretEvidence(r, "credential ends", stamp(end)))
		}
	}
	return out
}

// wasChanged are the remote secrets that were changed since istiod started.
func wasChanged(cp *model.ControlPlane) []finding.Evidence {
	var out []finding.Evidence
	for _, r := range secretsOf(cp) {
		if r.ChangedSinceStart() {
			out = append(out, secretEvidence(r, "changed", stamp(r.Modified)))
		}
	}
	return out
}

// renews: remote secrets of the control plane are changed time and again.
func renews(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	return isOn(finding.Note, append(ends(cp), wasChanged(cp)...))
}

// renewsAmbient is renews for a control plane that tells ambient workloads of other clusters.
func renewsAmbient(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	if !cp.TellsAmbient() {
		return "", nil
	}
	return renews(cp)
}

// willChange: credentials in remote secrets of the control plane end, so that these have to be
// changed before. One without an end may never be. What was changed already is SEC018; of several
// bugs the one that comes first is said.
func willChange(bug istio.Bug) func(*model.ControlPlane) (finding.Severity, []finding.Evidence) {
	return func(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
		if bug == istio.BugEndpointsWiped && cp.Istiod.Has(istio.BugSecretsIgnored) || len(wasChanged(cp)) > 0 {
			return "", nil
		}
		return isOn(finding.Warning, ends(cp))
	}
}

// changedGateways: a remote secret was changed since istiod started, and its cluster has
// gateways to which others go.
func changedGateways(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	if !cp.SeesSeveral() {
		return "", nil
	}
	var out []finding.Evidence
	for _, r := range secretsOf(cp) {
		if r.To != nil && r.ChangedSinceStart() && len(r.To.NetworkGateways()) > 0 {
			out = append(
				out,
				secretEvidence(r, "changed", stamp(r.Modified)),
				finding.Evidence{
					Cluster: cp.Context,
					Field:   "istiod " + cp.Istiod.Name + ", running since",
					Value:   stamp(istio.OldestStart(cp.Cluster.Cluster)),
				},
			)
		}
	}
	return isOn(finding.Warning, out)
}

// crossesNetworks reports whether a control plane tells ambient workloads of other networks, and
// watches a cluster that is on another one.
func crossesNetworks(cp *model.ControlPlane) bool {
	return cp.TellsAmbient() && cp.SeesSeveral() && len(secretsOf(cp)) > 0
}

// crossesAmbient: the control plane tells ambient workloads of other networks, and there are
// gateways between them.
func crossesAmbient(severity finding.Severity) func(*model.ControlPlane) (finding.Severity, []finding.Evidence) {
	return func(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
		var gateways []string
		if crossesNetworks(cp) {
			for _, k := range cp.Cluster.EastWest() {
				gateways = append(gateways, k.Namespace+"/"+k.Name)
			}
		}
		if len(gateways) == 0 {
			return "", nil
		}
		return severity, []finding.Evidence{{Cluster: cp.Context, Field: "gateways of class " + api.ClassEastWest, Value: some(gateways)}}
	}
}

// changedAmbient: crossesAmbient, and a remote secret was changed since istiod started.
func changedAmbient(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	if !crossesNetworks(cp) {
		return "", nil
	}
	return isOn(finding.Warning, wasChanged(cp))
}

// ownDomain: the trust domain is not the default one, and ambient workloads cross networks.
func ownDomain(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	domain := cp.Mesh.TrustDomain
	if !crossesNetworks(cp) || len(cp.Cluster.EastWest()) == 0 || domain == istio.DefaultTrustDomain {
		return "", nil
	}
	return finding.Error, []finding.Evidence{
		{Cluster: cp.Context, Field: "configmap " + cp.Istiod.MeshConfigMap() + ", trustDomain", Value: domain},
	}
}

// sharedHosts: the mesh config keeps a range of hosts in their cluster, and excludes some of it.
// The defaults of istiod can be excluded in all releases.
func sharedHosts(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	excluded := cp.Mesh.HostsExcludedFromLocal()
	if len(excluded) == 0 || len(secretsOf(cp)) == 0 {
		return "", nil
	}
	return finding.Warning, []finding.Evidence{
		{Cluster: cp.Context, Field: "configmap " + cp.Istiod.MeshConfigMap() + ", hosts with clusterLocal: false", Value: some(excluded)},
	}
}

// foreignEntries: istiod serves ambient mode and not several networks, and there is a
// WorkloadEntry on another network than its own.
func foreignEntries(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	if !cp.Istiod.On(istio.EnvAmbient) || cp.Istiod.On(istio.EnvAmbientMultiNetwork) {
		return "", nil
	}
	own := cp.Cluster.NamespaceLabels(cp.Istiod.Namespace)[istio.LabelNetwork]
	var out []finding.Evidence
	for i := range resources.WorkloadEntries.Of(cp.Cluster.Cluster).Value {
		w := &resources.WorkloadEntries.Of(cp.Cluster.Cluster).Value[i]
		if n := w.Spec.Network; n != "" && n != own && len(out) < 3 {
			out = append(out, finding.Evidence{Cluster: cp.Context, Field: "workloadentry " + w.Namespace + "/" + w.Name + ", network", Value: n})
		}
	}
	return isOn(finding.Error, out)
}

// ingressWaypoints: a service of several networks has a waypoint, and ingress gateways are told
// to go through it.
func ingressWaypoints(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	if !crossesNetworks(cp) {
		return "", nil
	}
	var names []string
	c := cp.Cluster
	for i := range resources.Services.Of(c.Cluster).Value {
		s := &resources.Services.Of(c.Cluster).Value[i]
		through := s.Labels[istio.LabelIngressWaypoint]
		if through == "" {
			through = c.NamespaceLabels(s.Namespace)[istio.LabelIngressWaypoint]
		}
		if through != "true" || c.WaypointOf(s) == "" || !cp.Mesh.IsGlobal(c.NamespaceLabels(s.Namespace), s.Labels) {
			continue
		}
		elsewhere := func(o *model.Cluster) bool {
			return o != c && o.Service(s.Namespace, s.Name) != nil && o.Network().Home() != c.Network().Home()
		}
		if slices.ContainsFunc(cp.WatchedClusters(), elsewhere) {
			names = append(names, s.Namespace+"/"+s.Name)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	return finding.Warning, []finding.Evidence{{Cluster: cp.Context, Field: "global services with a waypoint for ingress", Value: some(names)}}
}

// flatWaypoints: ambient workloads see services of other clusters of their own network, and
// there is a waypoint. Requests are known to fail where a service that has one is global.
func flatWaypoints(cp *model.ControlPlane) (finding.Severity, []finding.Evidence) {
	own := cp.Cluster.Network().Home()
	same := func(o *model.Cluster) bool { return o != cp.Cluster && o.Network().Home() == own }
	if !cp.TellsAmbient() || !slices.ContainsFunc(cp.WatchedClusters(), same) {
		return "", nil
	}
	var names []string
	for i := range resources.KubernetesGateways.Of(cp.Cluster.Cluster).Value {
		if k := &resources.KubernetesGateways.Of(cp.Cluster.Cluster).Value[i]; k.Spec.GatewayClassName == api.ClassWaypoint {
			names = append(names, k.Namespace+"/"+k.Name)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	seen := []finding.Evidence{{Cluster: cp.Context, Field: "waypoints", Value: some(names)}}
	var global []string
	for i := range resources.Services.Of(cp.Cluster.Cluster).Value {
		s := &resources.Services.Of(cp.Cluster.Cluster).Value[i]
		elsewhere := func(o *model.Cluster) bool { return same(o) && o.Service(s.Namespace, s.Name) != nil }
		if cp.Cluster.WaypointOf(s) != "" && cp.Mesh.IsGlobal(cp.Cluster.NamespaceLabels(s.Namespace), s.Labels) &&
			slices.ContainsFunc(cp.WatchedClusters(), elsewhere) {
			global = append(global, s.Namespace+"/"+s.Name)
		}
	}
	if len(global) == 0 {
		return finding.Note, seen
	}
	return finding.Warning, append(seen, finding.Evidence{
		Cluster: cp.Context, Field: "global services with a waypoint, which other clusters of the network have", Value: some(global),
	})
}
