package istio

// Memory holds what a control plane has of Services, and its answers about them, so that who asks
// for one Service after another can use it again: in a fleet of five clusters with 1,000 Services
// each that is a third of all that is allocated. Its zero value is empty. It is for one who asks,
// not for several side by side.
type Memory struct {
	workloads      slab[workload]
	candidates     slab[candidate]
	endpoints      slab[Endpoint]
	backends       slab[Backend]
	drops          slab[Dropped]
	workloadLists  slab[*workload]
	candidateLists slab[*candidate]

	// seen and dropped are for one answer.
	seen    map[endpointID]bool
	dropped []Dropped
}

// Reset takes back all that was given. Views and answers made with it hold nothing any more.
func (m *Memory) Reset() {
	m.workloads.reset()
	m.candidates.reset()
	m.endpoints.reset()
	m.backends.reset()
	m.drops.reset()
	m.workloadLists.reset()
	m.candidateLists.reset()
}

// slabSize is how many values are allocated at once, at least.
const slabSize = 64

// slab gives out values of one type, and takes them back all at once.
type slab[T any] struct {
	chunks [][]T
	at     int // of the chunk that is used
	used   int // of its values
}

// list is an empty list with room for so many values, which nothing else shares.
func (s *slab[T]) list(room int) []T {
	for s.at < len(s.chunks) && len(s.chunks[s.at])-s.used < room {
		s.at, s.used = s.at+1, 0
	}
	if s.at == len(s.chunks) {
		s.chunks = append(s.chunks, make([]T, max(room, slabSize)))
	}
	out := s.chunks[s.at][s.used : s.used : s.used+room]
	s.used += room
	return out
}

// one is a zero value.
func (s *slab[T]) one() *T { return &s.list(1)[:1][0] }

// reset clears all values, for what they lead to is not to be kept.
func (s *slab[T]) reset() {
	for at, chunk := range s.chunks {
		if at < s.at {
			clear(chunk)
		} else if at == s.at {
			clear(chunk[:s.used])
		}
	}
	s.at, s.used = 0, 0
}
