package envoy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// Health is what a proxy says of the health of an endpoint.
type Health struct {
	// Told is the health that the control plane has told, Flags what the proxy itself
	// holds against it.
	Told  string
	Flags []string
}

// ReadHealth reads the answer of a proxy to /clusters?format=json: the health of the
// endpoints of those clusters whose names are wanted, by cluster and address
// (Envoy's source/server/admin/clusters_handler.cc; admin/v3/clusters.proto).
func ReadHealth(r io.Reader, wanted func(name string) bool) (map[string]map[string]Health, error) {
	s := newScan(r)
	out := map[string]map[string]Health{}
	fields, found := 0, false
	err := s.object(func(field string) error {
		if fields++; field != "clusterstatuses" {
			return s.skip()
		}
		found = true
		return s.array(func() error { return s.status(wanted, out) })
	})
	if err == nil && !found && fields > 0 {
		err = errors.New("it has no cluster_statuses")
	}
	if err == nil {
		err = s.end()
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("the answer is not a list of clusters: %w", err)
	}
	return out, nil
}

func (s *scan) status(wanted func(string) bool, out map[string]map[string]Health) error {
	name, named, hosts := "", false, map[string]Health{}
	err := s.object(func(field string) error {
		switch field {
		case "name":
			named = true
			return s.decode(&name, maxEndpoint)
		case "hoststatuses":
			if named && !wanted(name) {
				return s.skipList()
			}
			return s.array(func() error {
				var h host
				if err := s.decode(&h, maxEndpoint); err != nil {
					return err
				}
				hosts[h.address()] = Health{Told: h.Health.Told, Flags: h.Health.flags()}
				return s.keep()
			})
		}
		return s.skip()
	})
	if err == nil && named && wanted(name) {
		out[name] = hosts
	}
	return err
}

// host is an endpoint in the words of /clusters.
type host struct {
	Address struct {
		Socket *struct {
			Address string `json:"address"`
			Port    uint32 `json:"port_value"`
		} `json:"socket_address"`
		Internal *struct {
			ID string `json:"endpoint_id"`
		} `json:"envoy_internal_address"`
		Pipe *struct {
			Path string `json:"path"`
		} `json:"pipe"`
	} `json:"address"`
	Health hostHealth `json:"health_status"`
}

type hostHealth struct {
	Told                     string `json:"eds_health_status"`
	FailedActiveHealthCheck  bool   `json:"failed_active_health_check"`
	FailedOutlierCheck       bool   `json:"failed_outlier_check"`
	FailedActiveDegraded     bool   `json:"failed_active_degraded_check"`
	PendingDynamicRemoval    bool   `json:"pending_dynamic_removal"`
	PendingActiveHealthCheck bool   `json:"pending_active_hc"`
	ExcludedViaHealthCheck   bool   `json:"excluded_via_immediate_hc_fail"`
	ActiveHealthCheckTimeout bool   `json:"active_hc_timeout"`
	DegradedOutlier          bool   `json:"failed_degraded_outlier_detection"`
}

// flags are those that are set, in Envoy's words.
func (h hostHealth) flags() []string {
	var out []string
	for _, f := range []struct {
		set  bool
		name string
	}{
		{h.FailedOutlierCheck, FailedOutlierCheck}, {h.FailedActiveHealthCheck, "failed_active_health_check"},
		{h.ActiveHealthCheckTimeout, "active_hc_timeout"}, {h.ExcludedViaHealthCheck, "excluded_via_immediate_hc_fail"},
		{h.FailedActiveDegraded, "failed_active_degraded_check"}, {h.DegradedOutlier, "failed_degraded_outlier_detection"},
		{h.PendingActiveHealthCheck, "pending_active_hc"}, {h.PendingDynamicRemoval, "pending_dynamic_removal"},
	} {
		if f.set {
			out = append(out, f.name)
		}
	}
	return out
}

// address is as Endpoint.String has it.
func (h host) address() string {
	a := h.Address
	switch {
	case a.Socket != nil:
		return net.JoinHostPort(a.Socket.Address, strconv.FormatUint(uint64(a.Socket.Port), 10))
	case a.Internal != nil:
		return a.Internal.ID
	case a.Pipe != nil:
		return a.Pipe.Path
	}
	return ""
}

// AddHealth notes with endpoints what was read of their health.
func AddHealth(clusters []Cluster, health map[string]map[string]Health) {
	for i := range clusters {
		for j := range clusters[i].Endpoints {
			e := &clusters[i].Endpoints[j]
			if h, ok := health[clusters[i].Name][e.String()]; ok {
				e.Told, e.Flags = h.Told, h.Flags
			}
		}
	}
}
