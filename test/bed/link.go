package bed

import (
	"sync"
	"time"
)

// chunk is a piece of a stream on its way.
type chunk struct {
	data []byte
	due  time.Time
	err  error // why it is the last
}

// link is a queue of chunks without a limit, so that a link of any length never
// slows down who sends.
type link struct {
	mutex  sync.Mutex
	filled *sync.Cond
	chunks []chunk
}

func newLink() *link {
	l := &link{}
	l.filled = sync.NewCond(&l.mutex)
	return l
}

// push adds a chunk at the end.
func (l *link) push(c chunk) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.chunks = append(l.chunks, c)
	l.filled.Signal()
}

// pop takes the first chunk, waiting for one.
func (l *link) pop() chunk {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for len(l.chunks) == 0 {
		l.filled.Wait()
	}
	first := l.chunks[0]
	l.chunks = l.chunks[1:]
	return first
}
