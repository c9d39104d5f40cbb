package ads

import (
	"fmt"
	"maps"
	"slices"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
)

// resource is one piece of configuration, as it was sent.
type resource struct {
	name    string
	version string
	updated time.Time
	message proto.Message
}

// subscription is what was asked for of one type, and what was answered.
type subscription struct {
	typeURL string

	// wildcard means that everything of the type is wanted, not names.
	wildcard bool
	// started means that a request has been made.
	started bool
	// answered means that there has been an answer.
	answered bool
	// rejected means that the last answer was of no use.
	rejected bool

	// wanted are the names that were asked for. True means that there was an
	// answer, be it that there is no such thing.
	wanted  map[string]bool
	held    map[string]resource
	version string
}

func newSubscription(typeURL string, wildcard bool) *subscription {
	return &subscription{
		typeURL:  typeURL,
		wildcard: wildcard,
		wanted:   map[string]bool{},
		held:     map[string]resource{},
	}
}

// complete means that all that was asked for has been answered.
func (s *subscription) complete() bool {
	if s.wildcard {
		return s.answered
	}
	for _, answered := range s.wanted {
		if !answered {
			return false
		}
	}
	return true
}

// start returns the first request of a wildcard subscription, once.
func (s *subscription) start() *discoveryv3.DeltaDiscoveryRequest {
	if s.started {
		return nil
	}
	s.started = true
	return &discoveryv3.DeltaDiscoveryRequest{TypeUrl: s.typeURL}
}

// want makes names, which are sorted, those that are asked for. It returns the
// request that says so, or nil if they are already.
func (s *subscription) want(names []string) *discoveryv3.DeltaDiscoveryRequest {
	request := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: s.typeURL}
	for name := range maps.Keys(s.wanted) {
		if _, still := slices.BinarySearch(names, name); !still {
			request.ResourceNamesUnsubscribe = append(request.ResourceNamesUnsubscribe, name)
			delete(s.wanted, name)
			delete(s.held, name)
		}
	}
	for _, name := range names {
		if _, found := s.wanted[name]; !found {
			request.ResourceNamesSubscribe = append(request.ResourceNamesSubscribe, name)
			s.wanted[name] = false
		}
	}
	if len(request.ResourceNamesSubscribe)+len(request.ResourceNamesUnsubscribe) == 0 {
		return nil
	}
	slices.Sort(request.ResourceNamesSubscribe)
	slices.Sort(request.ResourceNamesUnsubscribe)
	s.started = true
	return request
}

// apply takes in an answer, all of it or, if something is wrong, nothing.
func (s *subscription) apply(response *discoveryv3.DeltaDiscoveryResponse, now time.Time) error {
	received := make([]resource, 0, len(response.GetResources()))
	for _, r := range response.GetResources() {
		message, err := decode(s.typeURL, r.GetResource())
		if err != nil {
			return fmt.Errorf("%s: %w", r.GetName(), err)
		}
		received = append(received, resource{
			name: r.GetName(), version: r.GetVersion(), updated: now, message: message,
		})
	}

	s.answered = true
	s.version = response.GetSystemVersionInfo()
	for _, name := range response.GetRemovedResources() {
		delete(s.held, name)
		s.settle(name)
	}
	for _, r := range received {
		// What was asked for no longer may still be on its way.
		if s.wildcard || s.settle(r.name) {
			s.held[r.name] = r
		}
	}
	return nil
}

// settle notes that a name was answered. It returns whether it was asked for.
func (s *subscription) settle(name string) bool {
	_, wanted := s.wanted[name]
	if wanted {
		s.wanted[name] = true
	}
	return wanted
}

// resources returns what is held, by name.
func (s *subscription) resources() []resource {
	resources := make([]resource, 0, len(s.held))
	for _, name := range slices.Sorted(maps.Keys(s.held)) {
		resources = append(resources, s.held[name])
	}
	return resources
}
