package survey

import (
	"context"
	"sync"
)

// gate lets one through alone, and the others when that one has left; when it
// failed, they fail as it did. The zero gate is ready to be used.
type gate struct {
	once   sync.Once
	mu     sync.Mutex
	opened chan struct{}
	inside bool
	err    error
}

func (g *gate) init() { g.once.Do(func() { g.opened = make(chan struct{}) }) }

// enter returns when the caller may go on.
func (g *gate) enter(ctx context.Context) error {
	g.init()
	g.mu.Lock()
	if !g.inside {
		g.inside = true
		g.mu.Unlock()
		return nil
	}
	g.mu.Unlock()
	select {
	case <-g.opened:
		return g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave opens the gate; only the first call matters.
func (g *gate) leave(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		g.err = err
		close(g.opened)
	}
}
