package istio

import "slices"

// Bug is a bug of releases of Istio by which clusters of a mesh do not work together. Rules ask
// for it by name; the releases that have it, and who says so, are in one table.
type Bug string

// The bugs, each named after its effect.
const (
	// BugOneRoot: istiod hands out each certificate of a bundle of roots by itself, and agents
	// take the last one for the root (security/pkg/server/ca/server.go, CreateCertificate).
	BugOneRoot Bug = "one root"
	// BugSharedHosts: a host that is excluded from clusterLocal stays in its cluster
	// (pilot/pkg/model/cluster_local.go, onMeshUpdated).
	BugSharedHosts Bug = "hosts excluded from clusterLocal"
	// BugSecretsStop: the secret controller stops at a changed kubeconfig
	// (pkg/kube/multicluster/secretcontroller.go, addSecret).
	BugSecretsStop Bug = "secret controller stops"
	// BugSecretsPanic: two changes of a remote secret in a row end istiod
	// (pilot/pkg/serviceregistry/kube/controller/multicluster.go, kubeController.Close).
	BugSecretsPanic Bug = "secret controller panics"
	// BugSecretsIgnored: the registry for a changed kubeconfig waits for itself
	// (pilot/pkg/serviceregistry/kube/controller/multicluster.go).
	BugSecretsIgnored Bug = "changed kubeconfig ignored"
	// BugGatewaysLost: the registry that takes another one's place has no handlers, and its
	// gateways are not reloaded (pilot/pkg/serviceregistry/aggregate/controller.go, UpdateRegistry).
	BugGatewaysLost Bug = "gateways lost"
	// BugEndpointsWiped: the registry before takes the endpoints of the new one with it
	// (pilot/pkg/serviceregistry/kube/controller/multicluster.go, kubeController.Close).
	BugEndpointsWiped Bug = "endpoints wiped"
	// BugStoreDeadlock: the list of clusters is locked for reading twice in a row
	// (pkg/kube/multicluster/clusterstore.go, AllReady).
	BugStoreDeadlock Bug = "cluster store deadlock"
	// BugMeshUnread: a mesh config of a remote cluster that istiod may not read ends it
	// (pkg/config/mesh/meshwatcher/mesh.go, Mesh).
	BugMeshUnread Bug = "remote mesh config unread"
	// BugSecretsLeak: what was built for a cluster stays in memory when its remote secret changes
	// (pkg/kube/krt).
	BugSecretsLeak Bug = "memory of clusters"
	// BugAmbientLeak: BugSecretsLeak for what ambient mode builds.
	BugAmbientLeak Bug = "memory of ambient clusters"
	// BugEntryPanic: a WorkloadEntry on another network ends an istiod that serves ambient mode
	// and not several networks (pilot/pkg/serviceregistry/kube/controller/ambient/workloads.go).
	BugEntryPanic Bug = "WorkloadEntry of another network"
	// BugAmbientDomain: the east-west gateway of ambient mode asks for cluster.local.
	BugAmbientDomain Bug = "trust domain of ambient networks"
	// BugAmbientCache: east-west gateways and waypoints are given one another's endpoints
	// (pilot/pkg/xds/endpoints, the key of the cache).
	BugAmbientCache Bug = "cached endpoints of ambient gateways"
	// BugAmbientStuck: an informer of a remote cluster that failed stays so.
	BugAmbientStuck Bug = "ambient informers stuck"
	// BugAmbientUnstable: the list of remote clusters of ambient mode changes without a cause.
	BugAmbientUnstable Bug = "ambient clusters unstable"
	// BugAmbientPool: the east-west gateway takes a connection of one service for another.
	BugAmbientPool Bug = "pooled HBONE connections"
	// BugIngressWaypoint: an ingress gateway passes by the waypoint of a service whose pods are
	// on another network (pilot/pkg/serviceregistry/ambient/multicluster.go).
	BugIngressWaypoint Bug = "waypoint passed by"
	// BugFlatWaypoint: waypoints do not know the addresses that Services have in other clusters
	// of their network.
	BugFlatWaypoint Bug = "waypoints on one network"
	// BugAmbientStale: what ambient mode built of a cluster is kept when its credential changes
	// (pkg/kube/multicluster/collections.go).
	BugAmbientStale Bug = "ambient snapshot of a cluster"
)

// Affected are releases that have a bug: From one on, and Before another one. Fixed is the one
// to go to.
type Affected struct {
	From, Before, Fixed string
}

// Known is what is known of a bug.
type Known struct {
	Releases []Affected
	// Issue is the public report or change, repository#number.
	Issue string
	// Sources are where it is said what happens, and when it was fixed.
	Sources []string
}

const (
	istioIssue  = "https://github.com/istio/istio/issues/"
	istioChange = "https://github.com/istio/istio/pull/"
	istioNews   = "https://istio.io/latest/news/releases/"
)

// KnownBugs are the releases of 1.22 to 1.31 that have each bug. Which release has the fix was
// read in the release notes and the code of its tag.
var KnownBugs = map[Bug]Known{
	BugOneRoot: {
		Releases: []Affected{{"1.24.4", "1.24.5", "1.24.5"}, {"1.25.1", "1.25.2", "1.25.2"}},
		Issue:    "istio/istio#55793", Sources: []string{istioIssue + "55793", istioChange + "55835"},
	},
	BugSharedHosts: {
		Releases: []Affected{{"1.22.0", "1.22.6", "1.22.6"}, {"1.23.0", "1.23.3", "1.23.3"}},
		Issue:    "istio/istio#52367", Sources: []string{istioChange + "52367", istioNews + "1.23.x/announcing-1.23.3/"},
	},
	BugSecretsStop: {
		Releases: []Affected{{"1.29.0", "1.29.3", "1.29.3"}},
		Issue:    "istio/istio#59875", Sources: []string{istioIssue + "59875", istioChange + "59876"},
	},
	BugSecretsPanic: {
		Releases: []Affected{{"1.29.3", "1.29.5", "1.29.5"}},
		Issue:    "istio/istio#60520", Sources: []string{istioIssue + "60520", istioChange + "60522"},
	},
	BugSecretsIgnored: {
		Releases: []Affected{{"1.30.0", "1.30.3", "1.30.3"}},
		Issue:    "istio/istio#60612", Sources: []string{istioIssue + "60612", istioChange + "60676"},
	},
	BugGatewaysLost: {
		Releases: []Affected{{"1.30.0", "1.30.4", "1.30.4"}},
		Issue:    "istio/istio#60920", Sources: []string{istioIssue + "60920", istioNews + "1.30.x/announcing-1.30.4/"},
	},
	BugEndpointsWiped: {
		Releases: []Affected{{"1.30.0", "1.30.4", "1.30.4"}},
		Issue:    "istio/istio#61043", Sources: []string{istioIssue + "61043", istioNews + "1.30.x/announcing-1.30.4/"},
	},
	BugStoreDeadlock: {
		Releases: []Affected{{"1.30.0", "1.30.1", "1.30.1"}},
		Issue:    "istio/istio#60319", Sources: []string{istioChange + "60319", istioNews + "1.30.x/announcing-1.30.1/"},
	},
	BugMeshUnread: {
		Releases: []Affected{{"1.29.0", "1.29.1", "1.29.1"}},
		Issue:    "istio/istio#59153", Sources: []string{istioIssue + "59153", istioChange + "59156"},
	},
	BugSecretsLeak: {
		Releases: []Affected{{"1.26.0", "1.26.7", "1.26.7"}, {"1.27.0", "1.27.2", "1.27.2"}},
		Issue:    "istio/istio#57269", Sources: []string{istioIssue + "57269"},
	},
	BugAmbientLeak: {
		Releases: []Affected{{"1.28.0", "1.29.0", "1.29.7"}, {"1.29.0", "1.29.7", "1.29.7"}, {"1.30.0", "1.30.4", "1.31.0"}},
		Issue:    "istio/istio#60033", Sources: []string{istioIssue + "60033", istioNews + "1.29.x/announcing-1.29.7/"},
	},
	BugEntryPanic: {
		Releases: []Affected{{"1.28.0", "1.28.6", "1.28.6"}, {"1.29.0", "1.29.1", "1.29.1"}},
		Issue:    "istio/istio#59321", Sources: []string{istioIssue + "59321", istioChange + "59327"},
	},
	BugAmbientDomain: {
		Releases: []Affected{{"1.27.0", "1.28.0", "1.28.1"}, {"1.28.0", "1.28.1", "1.28.1"}},
		Issue:    "istio/istio#58427", Sources: []string{istioIssue + "58427", istioNews + "1.28.x/announcing-1.28.1/"},
	},
	BugAmbientCache: {
		Releases: []Affected{{"1.28.0", "1.28.1", "1.28.1"}},
		Issue:    "istio/istio#58141", Sources: []string{istioIssue + "58141", istioChange + "58243"},
	},
	BugAmbientStuck: {
		Releases: []Affected{{"1.27.0", "1.28.0", "1.28.3"}, {"1.28.0", "1.28.3", "1.28.3"}},
		Issue:    "istio/istio#58047", Sources: []string{istioIssue + "58047", istioChange + "58723"},
	},
	BugAmbientUnstable: {
		Releases: []Affected{{"1.28.0", "1.28.4", "1.28.4"}},
		Issue:    "istio/istio 1.28.4", Sources: []string{istioNews + "1.28.x/announcing-1.28.4/"},
	},
	BugAmbientPool: {
		Releases: []Affected{{"1.27.0", "1.28.0", "1.29.2"}, {"1.28.0", "1.29.0", "1.29.2"}, {"1.29.0", "1.29.2", "1.29.2"}},
		Issue:    "istio/istio#58630", Sources: []string{istioIssue + "58630", istioChange + "59524"},
	},
	BugIngressWaypoint: {
		Releases: []Affected{{"1.28.0", "1.29.0", "1.29.7"}, {"1.29.0", "1.29.7", "1.29.7"}, {"1.30.0", "1.30.4", "1.30.4"}},
		Issue:    "istio/istio#61092", Sources: []string{istioIssue + "61092", istioNews + "1.30.x/announcing-1.30.4/"},
	},
	BugFlatWaypoint: {
		Releases: []Affected{{"1.27.0", "1.28.0", "1.30.0"}, {"1.28.0", "1.29.0", "1.30.0"}, {"1.29.0", "1.30.0", "1.30.0"}},
		Issue:    "istio/istio#58133", Sources: []string{istioIssue + "58133", istioChange + "59330"},
	},
	BugAmbientStale: {
		Releases: []Affected{{"1.30.0", "1.30.4", "1.31.0"}},
		Issue:    "istio/istio#61341", Sources: []string{istioChange + "61341", istioChange + "61342"},
	},
}

// Has reports whether the version is known to be one that has a bug.
func (i Istiod) Has(b Bug) bool { return i.fix(b) != "" }

// HasAny reports whether the version is known to have one of some bugs.
func (i Istiod) HasAny(bugs ...Bug) bool { return slices.ContainsFunc(bugs, i.Has) }

// FixOf is the release to go to for one that has none of some bugs of the version; "" where the
// version is not known to have any.
func (i Istiod) FixOf(bugs ...Bug) string {
	out := ""
	for {
		next := out
		at := i
		if out != "" {
			at.Version = parsedVersion(out)
		}
		for _, b := range bugs {
			if fix := at.fix(b); fix != "" && (next == "" || parsedVersion(fix).GreaterThan(parsedVersion(next))) {
				next = fix
			}
		}
		if next == out {
			return out
		}
		out = next
	}
}

func (i Istiod) fix(b Bug) string {
	for _, r := range KnownBugs[b].Releases {
		if i.AtLeast(r.From) && i.Before(r.Before) {
			return r.Fixed
		}
	}
	return ""
}
