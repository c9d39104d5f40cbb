package command

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// smallHeap is the size, in bytes, from which on garbage is collected eagerly. A run is
// short and its heap mostly smaller: to collect it costs more than it saves, until there are
// tens of thousands of pods.
const smallHeap = 60 << 20

// thrift keeps memory low from now on.
func thrift(small int64) {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(small)
	afterCollection(small)
}

// afterCollection raises the limit with what is in use: where it is little more than that,
// a program does nothing but collect.
func afterCollection(small int64) {
	runtime.AddCleanup(new([64]byte), func(small int64) {
		used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(used)
		live := int64(used[0].Value.Uint64() + used[1].Value.Uint64())
		debug.SetMemoryLimit(max(small, live*13/10))
		afterCollection(small)
	}, small)
}
