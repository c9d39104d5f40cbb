package survey

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// answer is what a server sent, in memory that is used again: that of Do grows while it reads, and
// is garbage after that, which was a fifth of all that a run allocates.
type answer struct {
	body []byte
	err  error
}

// bodies are those that nobody reads any more.
var bodies sync.Pool // of *[]byte

// free gives the memory of an answer back, unless most of it was not needed: with pages of several
// megabytes it is a large part of what a run takes. Nobody may look at the body after that.
func (a answer) free() {
	if cap(a.body) <= len(a.body)+len(a.body)/4 {
		bodies.Put(&a.body)
	}
}

// body is an empty one with room for so many bytes.
func body(room int) []byte {
	b, _ := bodies.Get().(*[]byte)
	if b == nil || cap(*b) < room {
		return make([]byte, 0, room)
	}
	return (*b)[:0]
}

// read sends a GET, again where Do would do that, and reads the whole answer, which is about so large, in bytes.
func read(ctx context.Context, request *rest.Request, size int) answer {
	for tries := 0; ; tries++ {
		stream, err := request.MaxRetries(retries).Stream(ctx)
		if err != nil {
			if tries < retries && isBroken(err) && sleep(ctx, time.Second) {
				continue
			}
			return answer{err: err}
		}
		b, err := readInto(body(size+size/16), stream)
		_ = stream.Close()
		if err != nil {
			return answer{err: fmt.Errorf("reading the answer: %w", err)}
		}
		return answer{body: b}
	}
}

// readInto is io.ReadAll into memory that is there. It grows by a quarter: to double is too much where a
// server floods.
func readInto(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// isBroken reports whether a connection broke, which is no reason to give up what is only read
// (rest.Request, Do).
func isBroken(err error) bool {
	return utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err)
}

// sleep waits; false where the context ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
