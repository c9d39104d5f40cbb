package ads

import (
	"cmp"
	"net/http"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// serveClusters says which hosts the clusters have, and how they are.
func (a *Admin) serveClusters(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("format") != "json" {
		answerError(w, http.StatusNotImplemented, "this is not Envoy: only format=json is implemented")
		return
	}
	config, marks := a.source.Config(), a.health.current()
	answer := &adminv3.Clusters{}
	for _, cluster := range config.Clusters() {
		answer.ClusterStatuses = append(answer.ClusterStatuses, clusterStatus(cluster, config.hosts(cluster, marks)))
	}
	answerJSON(w, answer, false)
}

func clusterStatus(cluster *clusterv3.Cluster, hosts []host) *adminv3.ClusterStatus {
	status := &adminv3.ClusterStatus{
		Name:              cluster.GetName(),
		AddedViaApi:       true,
		CircuitBreakers:   circuitBreakers(cluster),
		ObservabilityName: cmp.Or(cluster.GetAltStatName(), cluster.GetName()),
	}
	if isEDS(cluster) {
		status.EdsServiceName = cluster.GetEdsClusterConfig().GetServiceName()
	}
	for _, host := range hosts {
		status.HostStatuses = append(status.HostStatuses, hostStatus(host))
	}
	return status
}

func hostStatus(host host) *adminv3.HostStatus {
	health := &adminv3.HostHealthStatus{EdsHealthStatus: host.told()}
	for _, flag := range host.flags {
		flag.set(health)
	}
	return &adminv3.HostStatus{
		Address:      host.endpoint.GetEndpoint().GetAddress(),
		Stats:        hostStats(),
		HealthStatus: health,
		Weight:       weight(host.endpoint),
		Hostname:     host.endpoint.GetEndpoint().GetHostname(),
		Priority:     host.group.GetPriority(),
		Locality:     proto.CloneOf(cmp.Or(host.group.GetLocality(), &corev3.Locality{})),
	}
}

// hostStats are those of a host that nobody has sent anything to.
func hostStats() []*adminv3.SimpleMetric {
	var stats []*adminv3.SimpleMetric
	for _, name := range []string{
		"cx_connect_fail", "cx_total", "rq_error", "rq_success", "rq_timeout", "rq_total",
	} {
		stats = append(stats, &adminv3.SimpleMetric{Name: name, Type: adminv3.SimpleMetric_COUNTER})
	}
	for _, name := range []string{"cx_active", "rq_active"} {
		stats = append(stats, &adminv3.SimpleMetric{Name: name, Type: adminv3.SimpleMetric_GAUGE})
	}
	return stats
}

// circuitBreakers are the limits of a cluster, with Envoy's own where it sets
// none.
func circuitBreakers(cluster *clusterv3.Cluster) *clusterv3.CircuitBreakers {
	limits := &clusterv3.CircuitBreakers{}
	for _, priority := range []corev3.RoutingPriority{corev3.RoutingPriority_DEFAULT, corev3.RoutingPriority_HIGH} {
		var set *clusterv3.CircuitBreakers_Thresholds
		for _, threshold := range cluster.GetCircuitBreakers().GetThresholds() {
			if threshold.GetPriority() == priority {
				set = threshold
				break
			}
		}
		limits.Thresholds = append(limits.Thresholds, &clusterv3.CircuitBreakers_Thresholds{
			Priority:           priority,
			MaxConnections:     limit(set.GetMaxConnections(), 1024),
			MaxPendingRequests: limit(set.GetMaxPendingRequests(), 1024),
			MaxRequests:        limit(set.GetMaxRequests(), 1024),
			MaxRetries:         limit(set.GetMaxRetries(), 3),
		})
	}
	return limits
}

func limit(set *wrapperspb.UInt32Value, otherwise uint32) *wrapperspb.UInt32Value {
	if set == nil {
		return wrapperspb.UInt32(otherwise)
	}
	return wrapperspb.UInt32(set.GetValue())
}
