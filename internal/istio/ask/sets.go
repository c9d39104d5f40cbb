package ask

import (
	"hash/maphash"
	"maps"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// addressSets keeps one of each set of addresses: all istiods that have the same endpoints of a
// Service share it. In a fleet of five clusters that is a tenth of all memory.
type addressSets struct {
	seed maphash.Seed
	mu   sync.Mutex
	by   map[uint64][]map[string]bool
}

func newAddressSets() *addressSets {
	return &addressSets{seed: maphash.MakeSeed(), by: map[uint64][]map[string]bool{}}
}

// share puts the sets that are known in the place of those that are equal. Nobody may change them
// after that.
func (s *addressSets) share(shards map[string]facts.Addresses) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, services := range shards {
		for service, set := range services {
			services[service] = s.one(set)
		}
	}
}

func (s *addressSets) one(set map[string]bool) map[string]bool {
	hash := uint64(len(set))
	for address := range set { // in any order
		hash += maphash.String(s.seed, address)
	}
	for _, known := range s.by[hash] {
		if maps.Equal(known, set) {
			return known
		}
	}
	s.by[hash] = append(s.by[hash], set)
	return set
}
