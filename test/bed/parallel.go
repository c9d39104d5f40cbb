package bed

import (
	"errors"
	"sync"
)

// inParallel calls do with each item, at most width at once, and returns all
// errors, in the order of the items.
func inParallel[T any](width int, items []T, do func(T) error) error {
	var running sync.WaitGroup
	slots := make(chan struct{}, max(1, width))
	errs := make([]error, len(items))
	for i, item := range items {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(item)
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
