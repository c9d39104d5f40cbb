package ads

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
)

// HealthFlag is something that Envoy holds against a host because of what it has
// seen of it itself.
type HealthFlag string

// The flags, in the spelling of Envoy's /clusters?format=json.
const (
	FailedActiveHealthCheck   HealthFlag = "failed_active_health_check"
	FailedOutlierCheck        HealthFlag = "failed_outlier_check"
	DegradedActiveHealthCheck HealthFlag = "failed_active_degraded_check"
	PendingDynamicRemoval     HealthFlag = "pending_dynamic_removal"
	PendingActiveHealthCheck  HealthFlag = "pending_active_hc"
	ActiveHealthCheckTimeout  HealthFlag = "active_hc_timeout"
)

// set sets the flag in the status of a host.
func (f HealthFlag) set(status *adminv3.HostHealthStatus) {
	switch f {
	case FailedActiveHealthCheck:
		status.FailedActiveHealthCheck = true
	case FailedOutlierCheck:
		status.FailedOutlierCheck = true
	case DegradedActiveHealthCheck:
		status.FailedActiveDegradedCheck = true
	case PendingDynamicRemoval:
		status.PendingDynamicRemoval = true
	case PendingActiveHealthCheck:
		status.PendingActiveHc = true
	case ActiveHealthCheckTimeout:
		status.ActiveHcTimeout = true
	}
}

// marks are the flags of hosts, by cluster and address.
type marks map[[2]string][]HealthFlag

func (m marks) of(cluster, address string) []HealthFlag { return m[[2]string{cluster, address}] }

// health keeps marks that may change at any time.
type health struct {
	mutex sync.Mutex
	marks marks
}

// mark replaces the flags of a host.
func (h *health) mark(cluster, address string, flags []HealthFlag) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	changed := marks{}
	for key, value := range h.marks {
		changed[key] = value
	}
	changed[[2]string{cluster, address}] = slices.Clone(flags)
	h.marks = changed
}

// current returns the marks of this moment, which nobody changes.
func (h *health) current() marks {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.marks
}

// Mark gives a host of a service these flags and no others: with
// FailedOutlierCheck it looks like one that Envoy has ejected, without any like
// one that it has nothing against. The address is host:port. The flags stay
// when the host goes and comes back.
func (a *Admin) Mark(service Service, address string, flags ...HealthFlag) error {
	name := service.ClusterName()
	config := a.source.Config()
	cluster := config.cluster(name)
	if cluster == nil {
		return fmt.Errorf("mark %s: the proxy has no cluster %s", address, name)
	}
	var known []string
	for _, host := range config.hosts(cluster, nil) {
		known = append(known, host.address)
	}
	if !slices.Contains(known, address) {
		return fmt.Errorf("mark %s: it is not a host of %s, which has [%s]", address, name, strings.Join(known, " "))
	}
	a.health.mark(name, address, flags)
	return nil
}
