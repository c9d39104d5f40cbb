package ads

import (
	"fmt"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// state is what one stream has been told. It makes no calls: given an answer, it
// says what to ask next.
type state struct {
	clusters  *subscription
	endpoints *subscription
	listeners *subscription
	routes    *subscription

	// withoutListeners means that listeners and routes are not asked for.
	withoutListeners bool
}

func (s *state) subscriptions() []*subscription {
	return []*subscription{s.clusters, s.endpoints, s.listeners, s.routes}
}

func newState(options options) *state {
	return &state{
		clusters:         newSubscription(clusterType, true),
		endpoints:        newSubscription(endpointType, false),
		listeners:        newSubscription(listenerType, true),
		routes:           newSubscription(routeType, false),
		withoutListeners: options.withoutListeners,
	}
}

// apply takes in an answer. An error means that nothing of it was.
func (s *state) apply(response *discoveryv3.DeltaDiscoveryResponse, now time.Time) error {
	for _, subscription := range s.subscriptions() {
		if subscription.typeURL == response.GetTypeUrl() {
			err := subscription.apply(response, now)
			subscription.rejected = err != nil
			return err
		}
	}
	return fmt.Errorf("nobody asked for a %q", response.GetTypeUrl())
}

// next returns what to ask now, in the order of Envoy: clusters, their
// endpoints, and when these are there listeners and their routes.
func (s *state) next() []*discoveryv3.DeltaDiscoveryRequest {
	var requests []*discoveryv3.DeltaDiscoveryRequest
	add := func(request *discoveryv3.DeltaDiscoveryRequest) {
		if request != nil {
			requests = append(requests, request)
		}
	}
	add(s.clusters.start())
	add(s.endpoints.want(serviceNames(s.clusters)))
	if s.withoutListeners || !s.listeners.started && !s.clustersComplete() {
		return requests
	}
	add(s.listeners.start())
	add(s.routes.want(routeNames(s.listeners)))
	return requests
}

func (s *state) clustersComplete() bool {
	return s.clusters.complete() && s.endpoints.complete()
}

// complete means that nothing is missing of what was asked for, and that the
// last answer of each type was of use.
func (s *state) complete() bool {
	for _, subscription := range s.subscriptions() {
		if subscription.rejected {
			return false
		}
	}
	return s.clustersComplete() &&
		(s.withoutListeners || s.listeners.complete() && s.routes.complete())
}

// config returns what is known, for the proxy that asked.
func (s *state) config(proxy Proxy) *Config {
	return &Config{
		Proxy:       proxy,
		Version:     s.clusters.version,
		clusters:    s.clusters.resources(),
		assignments: s.endpoints.resources(),
		listeners:   s.listeners.resources(),
		routes:      s.routes.resources(),
		versions: map[string]string{
			clusterType:  s.clusters.version,
			listenerType: s.listeners.version,
		},
	}
}
