package ask

import (
	"hash/maphash"
	"maps"
	"sync"
)

// addressSets keeps one of each set of addresses, and of each address: all istiods that have the
// same endpoints of a Service share it. In a fleet of five clusters that is a tenth of all memory.
type addressSets struct {
	seed  maphash.Seed
	mu    sync.Mutex
	by    map[uint64][]map[string]bool
	texts map[string]string
}

func newAddressSets() *addressSets {
	return &addressSets{seed: maphash.MakeSeed(), by: map[uint64][]map[string]bool{}, texts: map[string]string{}}
}

// one is the set that is kept of those that are equal. Nobody may change it.
func (a *addressSets) one(set map[string]bool) map[string]bool {
	hash := uint64(len(set))
	for address := range set { // in any order
		hash += maphash.String(a.seed, address)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, known := range a.by[hash] {
		if maps.Equal(known, set) {
			return known
		}
	}
	set = maps.Clone(set)
	a.by[hash] = append(a.by[hash], set)
	return set
}

// text is the text that is kept of those that are equal.
func (a *addressSets) text(text []byte) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.texts[string(text)]
	if !ok {
		known = string(text)
		a.texts[known] = known
	}
	return known
}
