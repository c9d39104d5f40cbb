package command

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// How the heap may grow. A run is short and its heap is mostly small: to collect it
// costs more than it saves, until there are tens of thousands of pods.
const (
	smallHeap = 56 << 20 // bytes, from which on garbage is collected eagerly
	spare     = 1.4      // of a heap larger than that, what garbage may add to it
)

// thrift keeps memory low from now on.
func thrift() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(smallHeap)
	afterCollection()
}

// afterCollection raises the limit with what is in use: where it were below that, the
// program would do nothing but collect.
func afterCollection() {
	runtime.AddCleanup(new([64]byte), func(struct{}) {
		used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(used)
		debug.SetMemoryLimit(max(smallHeap, int64(spare*float64(used[0].Value.Uint64()+used[1].Value.Uint64()))))
		afterCollection()
	}, struct{}{})
}
