package model

import (
	"reflect"
	"sync"
)

// derived holds what areas of rules work out of a mesh, each by its type.
type derived struct {
	mu     sync.Mutex
	values map[reflect.Type]func() any
}

// Derived is what an area of rules works out of the mesh for itself: it is built when it
// is first asked for, and once a run.
func Derived[T any](m *Mesh, build func(*Mesh) T) T {
	m.derived.mu.Lock()
	value, ok := m.derived.values[reflect.TypeFor[T]()]
	if !ok {
		value = sync.OnceValue(func() any { return build(m) })
		if m.derived.values == nil {
			m.derived.values = map[reflect.Type]func() any{}
		}
		m.derived.values[reflect.TypeFor[T]()] = value
	}
	m.derived.mu.Unlock()
	out, _ := value().(T) // of the type by which it is kept
	return out
}

// Given is what the run knows besides the facts, by its type: a choice of the user, or
// the answers to a live question; false where the run has none.
func Given[T any](m *Mesh) (T, bool) {
	for _, g := range m.Given {
		if value, ok := g.(T); ok {
			return value, true
		}
	}
	var none T
	return none, false
}
