package endpoints

import "sync"

// memo keeps what was worked out once, for all that evaluate at once. Its zero value is empty.
type memo[K comparable, V any] struct {
	mu   sync.Mutex
	kept map[K]V
}

// get is the value of a key, which work works out the first time.
func (m *memo[K, V]) get(key K, work func() V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.kept[key]
	if !ok {
		if m.kept == nil {
			m.kept = map[K]V{}
		}
		value = work()
		m.kept[key] = value
	}
	return value
}
