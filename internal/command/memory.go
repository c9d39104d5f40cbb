package command

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// smallHeap is the size, in bytes, from which on garbage is collected eagerly. A run is
// short and its heap mostly smaller: to collect it costs more than it saves, until there are
// tens of thousands of pods.
const smallHeap = 60 << 20

// heap is the size from which on garbage is collected eagerly; 0 where nobody chose one, as in tests.
var heap atomic.Int64

// thrift keeps memory low from now on.
func thrift(small int64) {
	heap.Store(small)
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(small)
	afterCollection()
}

// thriftier keeps it lower, for a command whose time is spent elsewhere.
func thriftier() {
	if heap.Load() > smallHeap {
		heap.Store(smallHeap)
		debug.SetMemoryLimit(smallHeap)
	}
}

// afterCollection raises the limit with what is in use: where it is little more than that,
// a program does nothing but collect.
func afterCollection() {
	runtime.AddCleanup(new([64]byte), func(struct{}) {
		used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(used)
		live := int64(used[0].Value.Uint64() + used[1].Value.Uint64())
		debug.SetMemoryLimit(max(heap.Load(), live*13/10))
		afterCollection()
	}, struct{}{})
}
