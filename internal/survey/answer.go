package survey

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// answer is what a server sent, in memory that is used again: that of Do grows while it reads, and
// is garbage after that, which was a fifth of all that a run allocates.
type answer struct {
	body *bytes.Buffer
	err  error
}

// bodies are those that nobody reads any more.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// free gives the memory of an answer back. Nobody may look at its body after that.
func (a answer) free() {
	if a.body != nil {
		bodies.Put(a.body)
	}
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
		body, _ := bodies.Get().(*bytes.Buffer)
		body.Reset()
		body.Grow(size + size/16)
		_, err = body.ReadFrom(stream)
		_ = stream.Close()
		if err != nil {
			bodies.Put(body)
			return answer{err: fmt.Errorf("reading the answer: %w", err)}
		}
		return answer{body: body}
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
